package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/hub"
)

const findingColumns = "seq, key, id, product_arn, occurrences, first_observed, last_observed, updated_at, imported_at, " +
	"touched, workflow, severity, record_state, chunks, records, text_hash, customer, doc"

// keyHash is what the unique index holds. No member of a finding's key may contain a zero byte that moves the border:
// asff.Validate refuses control characters, and SHA-256 does not mind if it did not.
func keyHash(k hub.Key) []byte {
	b := make([]byte, 0, 512)
	b = append(b, k.ProductArn...)
	b = append(b, 0)
	b = append(b, k.ID...)
	sum := sha256.Sum256(b)
	return sum[:16]
}

// nanos and moment convert times to and from the file's integers; the zero time is 0. Times that do not fit, before 1678
// or after 2261, become the nearest that do.
func nanos(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.Year() < 1678:
		return math.MinInt64
	case t.Year() > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}

func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// listSizes are how many parameters a list of a prepared statement has; a shorter list repeats its last value.
var listSizes = []int{1, 8, 64, 512}

// lists cuts args into pieces and calls f with a query for each, %s replaced by the parameters.
func lists[T any](query string, args []T, f func(query string, args []any) error) error {
	for len(args) > 0 {
		size := listSizes[len(listSizes)-1]
		for _, n := range listSizes {
			if n >= len(args) {
				size = n
				break
			}
		}
		params := make([]any, size)
		for i := range params {
			params[i] = args[min(i, len(args)-1)]
		}
		if err := f(strings.Replace(query, "%s", "?"+strings.Repeat(",?", size-1), 1), params); err != nil {
			return err
		}
		args = args[min(size, len(args)):]
	}
	return nil
}

// Load is hub.Store's.
func (s *Store) Load(ctx context.Context, keys []hub.Key) ([]hub.Stored, error) {
	hashes := make([][]byte, len(keys))
	for i, k := range keys {
		hashes[i] = keyHash(k)
	}
	found := make([]hub.Stored, 0, len(keys))
	err := lists("SELECT "+findingColumns+" FROM finding WHERE key IN (%s)", hashes, func(q string, args []any) error {
		return s.load(ctx, q, args, &found)
	})
	return found, err
}

// LoadSeqs is hub.Store's.
func (s *Store) LoadSeqs(ctx context.Context, seqs []int64) ([]hub.Stored, error) {
	found := make([]hub.Stored, 0, len(seqs))
	err := lists("SELECT "+findingColumns+" FROM finding WHERE seq IN (%s)", seqs, func(q string, args []any) error {
		return s.load(ctx, q, args, &found)
	})
	return found, err
}

func (s *Store) load(ctx context.Context, q string, args []any, found *[]hub.Stored) error {
	return s.query(ctx, "load findings", q, func(rows *sql.Rows) error {
		var f hub.Stored
		if err := scanFinding(rows, &f); err != nil {
			return err
		}
		*found = append(*found, f)
		return nil
	}, args...)
}

// Scan is hub.Store's. It reads in steps of its own, so that a slow f holds no read transaction open, which would keep
// the log from being checkpointed.
func (s *Store) Scan(ctx context.Context, after int64, f func(*hub.Stored) error) error {
	const step = 2000
	batch := make([]hub.Stored, 0, step)
	for {
		batch = batch[:0]
		const q = "SELECT " + findingColumns + " FROM finding WHERE seq > ? ORDER BY seq LIMIT ?"
		if err := s.load(ctx, q, []any{after, step}, &batch); err != nil {
			return err
		}
		for i := range batch {
			if err := f(&batch[i]); err != nil {
				return err
			}
		}
		if len(batch) < step {
			return nil
		}
		after = batch[len(batch)-1].Seq
	}
}

func scanFinding(rows *sql.Rows, f *hub.Stored) error {
	var key sql.RawBytes
	var first, last, updated, imported, touched, textHash int64
	err := rows.Scan(&f.Seq, &key, &f.ID, &f.ProductArn, &f.Occurrences, &first, &last, &updated, &imported, &touched,
		&f.Workflow, &f.Severity, &f.RecordState, &f.Chunks, &f.Records, &textHash, &f.Customer, &f.Doc)
	if err != nil {
		return err
	}
	f.FirstObserved, f.LastObserved, f.UpdatedAt = moment(first), moment(last), moment(updated)
	f.ImportedAt, f.Touched, f.TextHash = moment(imported), moment(touched), uint64(textHash)
	return nil
}

// Cursor is hub.Store's.
func (s *Store) Cursor(ctx context.Context, source string) (int64, error) {
	return s.number(ctx, "read a cursor", "SELECT up_to FROM cursor WHERE source = ?", source)
}

// OldestChange is hub.Store's.
func (s *Store) OldestChange(ctx context.Context) (int64, error) {
	return s.number(ctx, "read the oldest change", "SELECT seq FROM change ORDER BY seq LIMIT 1")
}

// number returns the one number of a query, 0 if there is no row.
func (s *Store) number(ctx context.Context, op, query string, args ...any) (n int64, err error) {
	err = s.query(ctx, op, query, func(rows *sql.Rows) error { return rows.Scan(&n) }, args...)
	return n, err
}

// Heads is hub.Store's.
func (s *Store) Heads(ctx context.Context) (h hub.Heads, err error) {
	err = s.query(ctx, "read the heads", "SELECT finding, change, findings FROM head", func(rows *sql.Rows) error {
		return rows.Scan(&h.Finding, &h.Change, &h.Findings)
	})
	return h, err
}

// Search is hub.Store's. Words reach FTS5 as quoted strings: nothing in them is syntax.
func (s *Store) Search(ctx context.Context, words []string, prefix bool, limit int) ([]int64, error) {
	var match strings.Builder
	for i, w := range words {
		if i > 0 {
			match.WriteString(" AND ")
		}
		match.WriteString(`"` + strings.ReplaceAll(w, `"`, `""`) + `"`)
	}
	if prefix {
		match.WriteString(" *")
	}
	var seqs []int64
	const q = "SELECT rowid FROM finding_text WHERE finding_text MATCH ? LIMIT ?"
	err := s.query(ctx, "search "+strconv.Quote(match.String()), q, func(rows *sql.Rows) error {
		var seq int64
		err := rows.Scan(&seq)
		seqs = append(seqs, seq)
		return err
	}, match.String(), limit)
	return seqs, err
}
