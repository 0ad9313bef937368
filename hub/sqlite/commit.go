package sqlite

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/hub"
)

// transact runs f in a transaction of the writer. It is not cut off by ctx: a commit that ctx's end interrupted could
// have happened or not.
func (s *Store) transact(ctx context.Context, op string, f func(*writer) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	w := &writer{context.WithoutCancel(ctx), s}
	if _, err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return classify(op, err)
	}
	err := f(w)
	if err == nil {
		if _, err = w.exec("COMMIT"); err == nil {
			return nil
		}
	}
	// SQLite has rolled back by itself after some errors (a full disk); then there is nothing left to roll back.
	w.exec("ROLLBACK")
	return classify(op, err)
}

// writer is one transaction. Store.writing is held.
type writer struct {
	ctx context.Context
	s   *Store
}

func (w *writer) exec(query string, args ...any) (sql.Result, error) {
	st := w.s.written[query]
	if st == nil {
		var err error
		if st, err = w.s.conn.PrepareContext(w.ctx, query); err != nil {
			return nil, err
		}
		w.s.written[query] = st
	}
	return st.ExecContext(w.ctx, args...)
}

// wide is how many rows one statement inserts at most. Measured with rows of a counter, 16 rows a statement cost a
// third of 16 statements; beyond that nothing is gained.
const wide = 16

// insert runs an INSERT for n rows, wide at a time. query has %s for the rows; row appends the parameters of one row.
func (w *writer) insert(query string, columns, n int, row func(args []any, i int) ([]any, error)) error {
	one := "(?" + strings.Repeat(",?", columns-1) + ")"
	args := make([]any, 0, min(n, wide)*columns)
	for i := 0; i < n; {
		rows := 1
		if n-i >= wide {
			rows = wide
		}
		args = args[:0]
		for range rows {
			var err error
			if args, err = row(args, i); err != nil {
				return err
			}
			i++
		}
		if _, err := w.exec(strings.Replace(query, "%s", one+strings.Repeat(","+one, rows-1), 1), args...); err != nil {
			return err
		}
	}
	return nil
}

// Commit is hub.Store's.
func (s *Store) Commit(ctx context.Context, b *hub.Batch) error {
	return s.transact(ctx, "commit findings", func(w *writer) error {
		deleted, err := w.deletes(b.Deletes)
		if err != nil {
			return err
		}
		for _, step := range []func(*hub.Batch) error{w.puts, w.texts, w.chunks, w.timeline, w.history, w.changes, w.activity} {
			if err := step(b); err != nil {
				return err
			}
		}
		if b.Source != "" {
			const q = "INSERT INTO cursor VALUES (?, ?) ON CONFLICT (source) DO UPDATE SET up_to = excluded.up_to"
			if _, err := w.exec(q, b.Source, b.UpTo); err != nil {
				return err
			}
		}
		return w.heads(b, deleted)
	})
}

// deletes returns how many findings there were to delete.
func (w *writer) deletes(seqs []int64) (int64, error) {
	deleted := int64(0)
	for _, seq := range seqs {
		r, err := w.exec("DELETE FROM finding WHERE seq = ?", seq)
		if err != nil {
			return 0, err
		}
		n, err := r.RowsAffected()
		if err != nil {
			return 0, err
		}
		deleted += n
		for _, q := range []string{
			"DELETE FROM finding_text WHERE rowid = ?",
			"DELETE FROM alert_chunk WHERE id BETWEEN ?1 * 1024 AND ?1 * 1024 + 1023",
			"DELETE FROM timeline WHERE finding = ?",
			"DELETE FROM history WHERE finding = ?",
		} {
			if _, err := w.exec(q, seq); err != nil {
				return 0, err
			}
		}
	}
	return deleted, nil
}

const insertFinding = "INSERT INTO finding (" + findingColumns + ") VALUES %s"

// updateFinding leaves the key alone: it never changes.
const updateFinding = `UPDATE finding SET occurrences = ?, first_observed = ?, last_observed = ?, updated_at = ?,
	imported_at = ?, touched = ?, workflow = ?, severity = ?, record_state = ?, chunks = ?, records = ?, text_hash = ?,
	customer = ?, doc = ? WHERE seq = ?`

func (w *writer) puts(b *hub.Batch) error {
	var fresh []*hub.Stored
	for _, p := range b.Puts {
		if p.New {
			fresh = append(fresh, p.Stored)
			continue
		}
		args := append(findingValues(make([]any, 0, 16), p.Stored), p.Seq)
		if _, err := w.exec(updateFinding, args...); err != nil {
			return err
		}
	}
	return w.insert(insertFinding, 18, len(fresh), func(args []any, i int) ([]any, error) {
		f := fresh[i]
		return findingValues(append(args, f.Seq, keyHash(f.Key), f.ID, f.ProductArn), f), nil
	})
}

// findingValues appends the values of findingColumns from occurrences on.
func findingValues(args []any, f *hub.Stored) []any {
	var customer any
	if len(f.Customer) > 0 {
		customer = f.Customer
	}
	return append(args, f.Occurrences, nanos(f.FirstObserved), nanos(f.LastObserved), nanos(f.UpdatedAt), nanos(f.ImportedAt),
		nanos(f.Touched), f.Workflow, f.Severity, f.RecordState, f.Chunks, f.Records, int64(f.TextHash), customer, f.Doc)
}

func (w *writer) texts(b *hub.Batch) error {
	for _, p := range b.Puts {
		if !p.NewWords {
			continue
		}
		if !p.New {
			if _, err := w.exec("DELETE FROM finding_text WHERE rowid = ?", p.Seq); err != nil {
				return err
			}
		}
		if _, err := w.exec("INSERT INTO finding_text (rowid, words) VALUES (?, ?)", p.Seq, strings.Join(p.Words, " ")); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) chunks(b *hub.Batch) error {
	const q = "INSERT OR REPLACE INTO alert_chunk (id, n, body) VALUES %s"
	return w.insert(q, 3, len(b.Chunks), func(args []any, i int) ([]any, error) {
		c := &b.Chunks[i]
		return append(args, c.Finding*chunkSlots+int64(c.Slot), c.N, c.Body), nil
	})
}

// chunkSlots is how many slots of a finding alert_chunk.id has room for.
const chunkSlots = 1024

func (w *writer) timeline(b *hub.Batch) error {
	const q = `INSERT INTO timeline (finding, hour, count) VALUES %s
		ON CONFLICT (finding, hour) DO UPDATE SET count = count + excluded.count`
	return w.insert(q, 3, len(b.Timeline), func(args []any, i int) ([]any, error) {
		t := &b.Timeline[i]
		return append(args, t.Finding, t.Hour.Unix()/3600, t.Count), nil
	})
}

func (w *writer) history(b *hub.Batch) error {
	const q = "INSERT INTO history (finding, n, at, created, source, identity, updates) VALUES %s"
	return w.insert(q, 7, len(b.History), func(args []any, i int) ([]any, error) {
		e := &b.History[i]
		var updates any
		body, err := encodeUpdates(e.Updates)
		if body != nil {
			updates = body
		}
		return append(args, e.Finding, e.N, nanos(e.At), e.Created, e.Source, string(e.Identity), updates), err
	})
}

func (w *writer) changes(b *hub.Batch) error {
	const q = "INSERT INTO change (seq, at, kind, finding, id, product_arn) VALUES %s"
	return w.insert(q, 6, len(b.Changes), func(args []any, i int) ([]any, error) {
		c := &b.Changes[i]
		var id, arn any
		if c.Kind == hub.Deleted {
			id, arn = c.Key.ID, c.Key.ProductArn
		}
		return append(args, c.Seq, nanos(c.At), int(c.Kind), c.FindingSeq, id, arn), nil
	})
}

func (w *writer) activity(b *hub.Batch) error {
	for i := range b.Activity {
		a := &b.Activity[i]
		for severity, n := range a.BySeverity {
			if n == 0 {
				continue
			}
			const q = `INSERT INTO activity (step, at, severity, count) VALUES (?, ?, ?, ?)
				ON CONFLICT (step, at, severity) DO UPDATE SET count = count + excluded.count`
			if _, err := w.exec(q, int64(a.Step/time.Second), a.At.Unix(), severity, n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *writer) heads(b *hub.Batch, deleted int64) error {
	finding, change, findings := int64(0), int64(0), -deleted
	for _, p := range b.Puts {
		finding = max(finding, p.Seq)
		if p.New {
			findings++
		}
	}
	for i := range b.Changes {
		change = max(change, b.Changes[i].Seq)
	}
	_, err := w.exec("UPDATE head SET finding = max(finding, ?), change = max(change, ?), findings = findings + ?",
		finding, change, findings)
	return err
}

// Trim is hub.Store's.
func (s *Store) Trim(ctx context.Context, t hub.Trim) error {
	return s.transact(ctx, "trim", func(w *writer) error {
		if t.Feed > 0 {
			if _, err := w.exec("DELETE FROM change WHERE seq <= ?", t.Feed); err != nil {
				return err
			}
		}
		if !t.ShortBefore.IsZero() {
			const q = "DELETE FROM activity WHERE step = ? AND at < ?"
			if _, err := w.exec(q, int64(hub.ShortStep/time.Second), ceilSecond(t.ShortBefore)); err != nil {
				return err
			}
		}
		if t.Before.IsZero() {
			return nil
		}
		if _, err := w.exec("DELETE FROM activity WHERE at < ?", ceilSecond(t.Before)); err != nil {
			return err
		}
		if t.Last < t.First {
			return nil
		}
		if _, err := w.exec("DELETE FROM history WHERE finding BETWEEN ? AND ? AND at < ?", t.First, t.Last, nanos(t.Before)); err != nil {
			return err
		}
		// The hour that before lies in stays.
		const q = "DELETE FROM timeline WHERE finding BETWEEN ? AND ? AND hour < ?"
		_, err := w.exec(q, t.First, t.Last, t.Before.Unix()/3600)
		return err
	})
}

// PutRecords is hub.Store's.
func (s *Store) PutRecords(ctx context.Context, records []hub.Record) error {
	return s.transact(ctx, "store records", func(w *writer) error {
		for _, r := range records {
			q, args := "INSERT OR REPLACE INTO record (kind, name, value) VALUES (?, ?, ?)", []any{r.Kind, r.Name, r.Value}
			if r.Value == nil {
				q, args = "DELETE FROM record WHERE kind = ? AND name = ?", args[:2]
			}
			if _, err := w.exec(q, args...); err != nil {
				return err
			}
		}
		return nil
	})
}
