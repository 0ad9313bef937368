package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/hub/index"
)

// Bounds of what a query may make the hub do.
const (
	maxSearched = 50_000 // findings that a text search may return; more are found by trying the words on documents
	maxExamined = 20_000 // documents that residual filters are tried on for one page
	allExamined = 2_000  // candidates up to which all are examined, so that Page.Total is exact
	maxOrdered  = 50_000 // documents that are read to sort by what memory cannot sort by
	loadStep    = 200    // documents read at a time while examining
)

// Get returns the finding with this key, or ErrNotFound.
func (h *Hub) Get(ctx context.Context, key Key) (Finding, error) {
	found, err := h.store.Load(ctx, []Key{key})
	return one(found, err)
}

// GetSeq returns the finding with this Seq, or ErrNotFound.
func (h *Hub) GetSeq(ctx context.Context, seq int64) (Finding, error) {
	found, err := h.store.LoadSeqs(ctx, []int64{seq})
	return one(found, err)
}

func one(found []Stored, err error) (Finding, error) {
	switch {
	case err != nil:
		return Finding{}, fmt.Errorf("hub: %w", err)
	case len(found) == 0:
		return Finding{}, ErrNotFound
	}
	return found[0].Finding, nil
}

// Find returns a page of the findings that match q. Following Page.Next, a finding that matches all the while is on
// exactly one page, whatever is imported meanwhile; one that was found by the first page and no longer matches may be on
// a later one, as it is now. Documents are as they are when the page is made.
//
// The error is an *InvalidInput if q cannot be answered, or ErrBadToken.
func (h *Hub) Find(ctx context.Context, q Query) (Page, error) {
	p, err := h.plan(ctx, q)
	if err != nil {
		return Page{}, err
	}
	switch {
	case p.token.frozen != 0:
		return p.frozenPage(ctx, h.frozen.get(p.token.frozen))
	case len(p.orders) == 0:
		return p.newestPage(ctx)
	}
	return p.sortedPage(ctx)
}

// plan is a Query that was checked.
type plan struct {
	h        *Hub
	q        Query
	now      time.Time
	orders   []index.Order
	token    token
	hash     uint64  // of what a token belongs to
	searched []int64 // what the text search found; nil without Query.Text, or if that was too much
	text     textual // the words, if that was too much
}

func (h *Hub) plan(ctx context.Context, q Query) (*plan, error) {
	if q.Limit <= 0 {
		q.Limit = DefaultLimit
	}
	if q.Limit > MaxLimit || q.Offset < 0 || q.Offset > 0 && q.Token != "" {
		return nil, &InvalidInput{fmt.Sprintf("a page has at most %d findings, and starts at an offset or a token", MaxLimit)}
	}
	if len(q.Sort) > index.MaxOrders {
		return nil, &InvalidInput{fmt.Sprintf("findings can be sorted by at most %d attributes", index.MaxOrders)}
	}
	p := &plan{h: h, q: q, now: h.now(), hash: hashQuery(&q)}
	for _, s := range q.Sort {
		if (s.Attribute.Kind() == asff.KindMap) != (s.Key != "") || s.Attribute == asff.AttrKeyword {
			return nil, &InvalidInput{"findings cannot be sorted by " + s.Attribute.Name()}
		}
		p.orders = append(p.orders, index.Order{Attribute: s.Attribute, Key: s.Key, Desc: s.Desc})
	}
	if q.Token != "" {
		var ok bool
		p.token, ok = parseToken(q.Token, p.hash)
		if !ok || (p.token.frozen != 0) != (len(p.orders) > 0) {
			return nil, ErrBadToken
		}
	}
	var err error
	if p.token.frozen == 0 {
		err = p.search(ctx)
	}
	return p, err
}

// search finds the words of Query.Text. No words are no restriction.
func (p *plan) search(ctx context.Context) error {
	words := Words(p.q.Text)
	if len(words) == 0 {
		return nil
	}
	const maxQueryWords = 32
	words = words[:min(len(words), maxQueryWords)]
	prefix := endsInWord(p.q.Text, words[len(words)-1])
	// Whole words are quick to find. If very many findings have them, the slower question need not be asked.
	seqs, err := p.h.store.Search(ctx, words, false, p.h.maxSearched)
	if err == nil && prefix && len(seqs) < p.h.maxSearched {
		seqs, err = p.h.store.Search(ctx, words, true, p.h.maxSearched)
	}
	switch {
	case err != nil:
		return fmt.Errorf("hub: %w", err)
	case len(seqs) >= p.h.maxSearched:
		p.text = textual{words, prefix}
	default:
		p.searched = append([]int64{}, seqs...)
	}
	return nil
}

// endsInWord reports whether text ends in the middle of this word, as far as one can tell: it may go on.
func endsInWord(text, word string) bool {
	r, _ := utf8.DecodeLastRuneInString(text)
	return (unicode.IsLetter(r) || unicode.IsDigit(r)) && strings.HasSuffix(strings.ToLower(text), word)
}

// selection is what memory says of a plan.
func (p *plan) selection(v index.View) *index.Set {
	set := v.Select(p.q.Filters, p.now)
	if p.searched != nil {
		v.Restrict(set, p.searched)
	}
	return set
}

// rest is what memory leaves undecided of a selection.
func (p *plan) rest(set *index.Set) residual { return residual{set.Residual, p.text, p.now} }

// newestPage is a page in the default order.
func (p *plan) newestPage(ctx context.Context) (Page, error) {
	var page Page
	var seqs []int64
	var undecided residual
	p.h.index.View(func(v index.View) {
		set := p.selection(v)
		page.Total, undecided = set.Len(), p.rest(set)
		switch {
		case undecided.none():
			seqs = v.Newest(set, p.token.seq, p.q.Offset, p.q.Limit+1)
		case page.Total <= allExamined:
			seqs = v.Newest(set, 0, 0, allExamined)
		default:
			seqs = v.Newest(set, p.token.seq, 0, maxExamined+1)
		}
	})
	switch {
	case undecided.none():
		more := len(seqs) > p.q.Limit
		seqs = seqs[:min(len(seqs), p.q.Limit)]
		if more && !p.q.NoToken {
			page.Next = token{seq: seqs[len(seqs)-1]}.String(p.hash)
		}
		var err error
		page.Findings, err = p.h.load(ctx, seqs)
		return page, err
	case page.Total <= allExamined:
		return p.examineAll(ctx, seqs, &undecided)
	}
	return p.examineSome(ctx, page, seqs, &undecided)
}

// examineAll tries the residual filters on all candidates, so that the total is exact.
func (p *plan) examineAll(ctx context.Context, seqs []int64, undecided *residual) (Page, error) {
	matching, err := p.h.verify(ctx, seqs, undecided)
	if err != nil {
		return Page{}, err
	}
	page := Page{Total: len(matching)}
	rest := matching[min(p.q.Offset, len(matching)):]
	if p.token.seq != 0 {
		at, _ := slices.BinarySearchFunc(rest, p.token.seq, func(seq, last int64) int { return int(last - 1 - seq) })
		rest = rest[at:]
	}
	shown := rest[:min(p.q.Limit, len(rest))]
	if len(rest) > len(shown) && !p.q.NoToken {
		page.Next = token{seq: shown[len(shown)-1]}.String(p.hash)
	}
	page.Findings, err = p.h.load(ctx, shown)
	return page, err
}

// examineSome tries the residual filters on candidates until the page is full or enough were tried.
func (p *plan) examineSome(ctx context.Context, page Page, seqs []int64, undecided *residual) (Page, error) {
	page.AtMost = true
	skip, tried := p.q.Offset, 0
	for tried < len(seqs) && tried < maxExamined {
		step := seqs[tried:min(tried+loadStep, len(seqs), maxExamined)]
		found, err := p.h.load(ctx, step)
		if err != nil {
			return Page{}, err
		}
		last := step[len(step)-1]
		for _, f := range found {
			if !undecided.match(f.Doc) {
				continue
			}
			if skip > 0 {
				skip--
				continue
			}
			if page.Findings = append(page.Findings, f); len(page.Findings) == p.q.Limit {
				last = f.Seq
				break
			}
		}
		tried += len(step)
		if len(page.Findings) == p.q.Limit || tried >= maxExamined {
			if last != seqs[len(seqs)-1] && !p.q.NoToken {
				page.Next = token{seq: last}.String(p.hash)
			}
			break
		}
	}
	return page, nil
}

// verify returns those of seqs whose documents match.
func (h *Hub) verify(ctx context.Context, seqs []int64, undecided *residual) ([]int64, error) {
	var matching []int64
	for step := range slices.Chunk(seqs, loadStep) {
		found, err := h.load(ctx, step)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if undecided.match(f.Doc) {
				matching = append(matching, f.Seq)
			}
		}
	}
	return matching, nil
}

// load returns the findings with these Seqs in their order; those that are gone meanwhile are left out.
func (h *Hub) load(ctx context.Context, seqs []int64) ([]Finding, error) {
	if len(seqs) == 0 {
		return nil, nil
	}
	stored, err := h.store.LoadSeqs(ctx, seqs)
	if err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	at := make(map[int64]int, len(stored))
	for i := range stored {
		at[stored[i].Seq] = i
	}
	found := make([]Finding, 0, len(stored))
	for _, seq := range seqs {
		if i, ok := at[seq]; ok {
			found = append(found, stored[i].Finding)
		}
	}
	return found, nil
}
