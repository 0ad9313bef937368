package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/eyrie-sec/eyrie/hub/index"
)

// loadIndex fills the index, from the snapshot if there is a good one and from the documents if not.
func (h *Hub) loadIndex(ctx context.Context) error {
	h.index = index.New()
	h.mark.Store(&index.Mark{Store: h.id})
	if h.heads.Change == 0 && h.heads.Findings == 0 {
		return nil
	}
	err := h.restore(ctx)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		h.c.Logger.Info("index snapshot not used", "why", err)
	}
	return h.rebuild(ctx)
}

// restore reads the snapshot and replays what changed since.
func (h *Hub) restore(ctx context.Context) error {
	if h.c.SnapshotPath == "" {
		return fs.ErrNotExist
	}
	f, err := os.Open(h.c.SnapshotPath)
	if err != nil {
		return err
	}
	defer f.Close()
	x, mark, err := index.Read(f)
	if err != nil {
		return err
	}
	if err := h.trusts(ctx, mark); err != nil {
		return err
	}
	h.index = x
	h.mark.Store(&mark)
	if err := h.replay(ctx, h.heads.Change); err != nil {
		return err
	}
	if n := h.index.Counts().Findings; n != h.heads.Findings {
		return fmt.Errorf("it has %d findings, the store %d", n, h.heads.Findings)
	}
	h.saved = mark
	return nil
}

// trusts says why a snapshot with this mark is not one of an earlier state of this store, nil if it is.
func (h *Hub) trusts(ctx context.Context, mark index.Mark) error {
	switch {
	case mark.Store != h.id:
		return errors.New("it is of another store")
	case mark.Change > h.heads.Change:
		return errors.New("the store is older")
	}
	oldest, err := h.store.OldestChange(ctx)
	if err != nil {
		return err
	}
	if mark.Change < h.heads.Change && (oldest == 0 || oldest > mark.Change+1) {
		return errors.New("the change feed no longer reaches back to it")
	}
	at, err := h.store.Changes(ctx, mark.Change-1, 1)
	if err != nil {
		return err
	}
	if len(at) == 1 && at[0].Seq == mark.Change && at[0].At.UnixNano() != mark.ChangeAt {
		return errors.New("the store was restored from a backup")
	}
	return nil
}

// replay applies to the index what the change feed has after the mark, up to the change with the given Seq.
func (h *Hub) replay(ctx context.Context, upTo int64) error {
	for {
		mark := *h.mark.Load()
		changes, err := h.store.Changes(ctx, mark.Change, 5000)
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			mark.Change, mark.ChangeAt = upTo, 0
			h.mark.Store(&mark)
			return nil
		}
		deleted := map[int64]bool{}
		var seqs []int64
		var apply []index.Change
		for _, c := range changes {
			if c.Kind == Deleted {
				deleted[c.FindingSeq] = true
				apply = append(apply, index.Change{Seq: c.FindingSeq})
			}
			seqs = append(seqs, c.FindingSeq)
		}
		stored, err := h.store.LoadSeqs(ctx, sortedUnique(seqs, deleted))
		if err != nil {
			return err
		}
		sortBySeq(stored)
		for i := range stored {
			v, err := index.Extract(stored[i].Doc, stored[i].Touched, nil)
			if err != nil {
				return fmt.Errorf("finding %d: %w", stored[i].Seq, err)
			}
			apply = append(apply, index.Change{Seq: stored[i].Seq, Values: v})
		}
		if err := h.index.Apply(apply); err != nil {
			return err
		}
		last := changes[len(changes)-1]
		mark.Change, mark.ChangeAt = last.Seq, last.At.UnixNano()
		h.mark.Store(&mark)
	}
}

// rebuilding is some findings on their way from the store into the index.
type rebuilding struct {
	stored  []Stored
	changes []index.Change
	err     error
	done    chan struct{} // closed when changes and err are set
}

// rebuild reads all documents. One goroutine reads, others take the documents apart, and the batches are applied in their
// order.
func (h *Hub) rebuild(ctx context.Context) error {
	h.index = index.New()
	h.c.Logger.Info("rebuilding the index", "findings", h.heads.Findings)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := runtime.GOMAXPROCS(0)
	work, ordered := make(chan *rebuilding), make(chan *rebuilding, 2*workers)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for b := range work {
				b.changes, b.err = extractAll(b.stored)
				close(b.done)
			}
		})
	}
	var scanErr error
	group.Go(func() {
		defer close(ordered)
		defer close(work)
		scanErr = h.scanBatches(ctx, func(stored []Stored) error {
			b := &rebuilding{stored: stored, done: make(chan struct{})}
			select {
			case ordered <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
			work <- b
			return nil
		})
	})
	var err error
	done := 0
	for b := range ordered {
		<-b.done
		if err == nil {
			if err = b.err; err == nil {
				err = h.index.Apply(b.changes)
			}
			if err != nil {
				cancel()
			}
		}
		done += len(b.changes)
		h.c.Progress(done, h.heads.Findings)
	}
	group.Wait()
	h.mark.Store(&index.Mark{Store: h.id, Change: h.heads.Change})
	return errors.Join(err, scanErr)
}

// scanBatches calls f with all findings, some at a time.
func (h *Hub) scanBatches(ctx context.Context, f func([]Stored) error) error {
	const size = 500
	var batch []Stored
	err := h.store.Scan(ctx, 0, func(s *Stored) error {
		if batch = append(batch, *s); len(batch) < size {
			return nil
		}
		full := batch
		batch = nil
		return f(full)
	})
	if err != nil || len(batch) == 0 {
		return err
	}
	return f(batch)
}

func extractAll(stored []Stored) ([]index.Change, error) {
	changes := make([]index.Change, 0, len(stored))
	for i := range stored {
		v, err := index.Extract(stored[i].Doc, stored[i].Touched, nil)
		if err != nil {
			return nil, fmt.Errorf("finding %d: %w", stored[i].Seq, err)
		}
		changes = append(changes, index.Change{Seq: stored[i].Seq, Values: v})
	}
	return changes, nil
}

// saveSnapshot writes the index to its file, if it changed since the last time. The file is whole or the old one: it is
// written beside, synced and renamed.
func (h *Hub) saveSnapshot() (err error) {
	h.sweeps.Lock()
	defer h.sweeps.Unlock()
	mark := *h.mark.Load()
	if h.c.SnapshotPath == "" || mark.Change == h.saved.Change {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(h.c.SnapshotPath), filepath.Base(h.c.SnapshotPath)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	err = errors.Join(h.index.Write(f, mark), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), h.c.SnapshotPath)
	}
	if err == nil {
		h.saved = mark
	}
	return err
}
