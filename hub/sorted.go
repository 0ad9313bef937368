package hub

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/eyrie-sec/eyrie/hub/index"
)

// sortedPage is the first page, or one at an offset, in an order other than the default.
func (p *plan) sortedPage(ctx context.Context) (Page, error) {
	var page Page
	var seqs []int64
	var undecided residual
	var frozen *index.Frozen
	sortable := true
	p.h.index.View(func(v index.View) {
		set := p.selection(v)
		page.Total, undecided = set.Len(), p.rest(set)
		for _, o := range p.orders {
			sortable = sortable && v.Sortable(o)
		}
		switch {
		case !sortable || !undecided.none() && page.Total <= allExamined:
			if page.Total <= maxOrdered {
				seqs = v.Newest(set, 0, 0, maxOrdered)
			}
		case !undecided.none() || !p.q.NoToken && page.Total > p.q.Offset+p.q.Limit:
			frozen = v.Freeze(set, p.orders)
		default:
			seqs = v.Sorted(set, p.orders, p.q.Offset, p.q.Limit)
		}
	})
	var err error
	switch {
	case frozen != nil:
		return p.frozenPage(ctx, &frozenPage{set: frozen, residual: undecided})
	case !sortable && page.Total > maxOrdered:
		return Page{}, &InvalidInput{fmt.Sprintf("%d findings are too many to sort by %s: at most %d are possible",
			page.Total, p.q.Sort[0].Attribute.Name(), maxOrdered)}
	case !sortable || !undecided.none():
		if seqs, err = p.order(ctx, seqs, &undecided); err != nil {
			return Page{}, err
		}
		return p.frozenPage(ctx, &frozenPage{set: index.NewFrozen(seqs)})
	}
	page.Findings, err = p.h.load(ctx, seqs)
	return page, err
}

// order reads the documents of candidates and returns those that match, sorted.
func (p *plan) order(ctx context.Context, seqs []int64, undecided *residual) ([]int64, error) {
	type keyed struct {
		seq  int64
		keys index.SortKeys
	}
	var all []keyed
	for step := range slices.Chunk(seqs, loadStep) {
		found, err := p.h.load(ctx, step)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if !undecided.match(f.Doc) {
				continue
			}
			keys, err := index.Key(f.Doc, p.orders)
			if err != nil {
				return nil, fmt.Errorf("hub: finding %d: %w", f.Seq, err)
			}
			all = append(all, keyed{f.Seq, keys})
		}
	}
	// seqs are in descending order, and ties stay in it.
	slices.SortStableFunc(all, func(a, b keyed) int { return index.CompareKeys(a.keys, b.keys, p.orders) })
	ordered := make([]int64, len(all))
	for i := range all {
		ordered[i] = all[i].seq
	}
	return ordered, nil
}

// frozenPage is a page of a result that was kept, or is kept now if there is more of it.
func (p *plan) frozenPage(ctx context.Context, f *frozenPage) (Page, error) {
	if f == nil {
		return Page{}, ErrBadToken
	}
	page := Page{Total: f.set.Len(), AtMost: !f.residual.none()}
	after, skip, tried := p.token.seq, p.q.Offset, 0
	if skip > 0 && f.residual.none() {
		passed, _ := f.set.After(0, skip)
		if len(passed) < skip {
			return page, nil
		}
		after, skip = passed[skip-1], 0
	}
	for {
		want := p.q.Limit - len(page.Findings)
		if !f.residual.none() {
			want = loadStep
		}
		seqs, ok := f.set.After(after, want)
		if !ok {
			return Page{}, ErrBadToken
		}
		found, err := p.h.load(ctx, seqs)
		if err != nil {
			return Page{}, err
		}
		done := len(seqs) < want
		if len(seqs) > 0 {
			after = seqs[len(seqs)-1]
		}
		for _, x := range found {
			if !f.residual.match(x.Doc) {
				continue
			}
			if skip > 0 {
				skip--
				continue
			}
			page.Findings = append(page.Findings, x)
			if len(page.Findings) == p.q.Limit {
				after, done = x.Seq, false
				break
			}
		}
		tried += len(seqs)
		full := len(page.Findings) == p.q.Limit || f.residual.none()
		if done || full || tried >= maxExamined {
			return page, p.keep(f, &page, after)
		}
	}
}

// keep gives a page its token and keeps the result for it, if there is more after the Seq.
func (p *plan) keep(f *frozenPage, page *Page, after int64) error {
	if p.q.NoToken || after == 0 {
		return nil
	}
	if more, _ := f.set.After(after, 1); len(more) == 0 {
		return nil
	}
	id := p.token.frozen
	if id == 0 {
		id = p.h.frozen.put(f)
	}
	page.Next = token{seq: after, frozen: id}.String(p.hash)
	return nil
}

// frozenPages keeps results that tokens refer to: the newest ones, bounded by memory. The zero value is ready.
type frozenPages struct {
	mu    sync.Mutex // guards the rest
	byID  map[uint64]*frozenPage
	order []uint64 // the least recently used first
	bytes int
}

// frozenPage is one result. Not changed once made.
type frozenPage struct {
	set      *index.Frozen
	residual residual
}

// maxFrozenBytes bounds the memory of kept results: eight of a million findings each, or very many usual ones. A token
// whose result had to go is ErrBadToken.
const maxFrozenBytes = 128 << 20

func (fs *frozenPages) put(f *frozenPage) uint64 {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.byID == nil {
		fs.byID = map[uint64]*frozenPage{}
	}
	id := rand.Uint64() | 1
	fs.byID[id] = f
	fs.order = append(fs.order, id)
	fs.bytes += f.set.Bytes() + 200
	for fs.bytes > maxFrozenBytes && len(fs.order) > 1 {
		old := fs.byID[fs.order[0]]
		delete(fs.byID, fs.order[0])
		fs.order = fs.order[1:]
		fs.bytes -= old.set.Bytes() + 200
	}
	return id
}

// get returns nil if the result is gone.
func (fs *frozenPages) get(id uint64) *frozenPage {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f := fs.byID[id]
	if f != nil {
		at := slices.Index(fs.order, id)
		fs.order = append(slices.Delete(fs.order, at, at+1), id)
	}
	return f
}

// token is where a page ended. The text is base64 of 1 byte version, 8 bytes hash of the query, varint Seq, 8 bytes id of
// the kept result (0: none). It grants nothing: whoever forges one only chooses where to start.
type token struct {
	seq    int64
	frozen uint64
}

const tokenVersion = 1

func (t token) String(query uint64) string {
	b := binary.LittleEndian.AppendUint64([]byte{tokenVersion}, query)
	b = binary.LittleEndian.AppendUint64(b, t.frozen)
	b = binary.LittleEndian.AppendUint64(b, uint64(t.seq))
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseToken(s string, query uint64) (token, bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != 25 || b[0] != tokenVersion || binary.LittleEndian.Uint64(b[1:]) != query {
		return token{}, false
	}
	t := token{int64(binary.LittleEndian.Uint64(b[17:])), binary.LittleEndian.Uint64(b[9:])}
	return t, t.seq > 0
}

// hashQuery is a hash of what must not change from page to page.
func hashQuery(q *Query) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %q", q.Filters.JSON(), q.Text)
	for _, s := range q.Sort {
		fmt.Fprintf(h, " %s %q %t", s.Attribute.Name(), s.Key, s.Desc)
	}
	return h.Sum64()
}
