package journal

import (
	"context"
	"errors"
	"time"
)

// ready returns the store to write to, opened anew if the failure of the last attempt asks for that. The error is why
// there is none. Only the committer calls it.
func (j *Journal) ready() (Store, error) {
	failure, fresh := j.outcome()
	j.mu.Lock()
	store := j.store
	j.mu.Unlock()
	switch {
	case failure == nil:
		return store, nil
	case fresh:
		return nil, failure
	case store == nil:
	case errors.Is(failure, ErrFull):
		return store, nil // it needs only room
	case errors.Is(failure, ErrCorrupt) && !store.Replaced():
		// Opening a damaged file again would succeed, and fail when the damaged place is next touched. What can be read of
		// it is still read.
		j.retried()
		return nil, failure
	}
	store, err := j.reopen(context.Background())
	if err != nil {
		j.fail(err)
	}
	return store, err
}

func (j *Journal) retried() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tried = time.Now()
}

// reopen closes the store and opens it anew. Whether it works is for a write to show: the failure stays until then.
func (j *Journal) reopen(ctx context.Context) (Store, error) {
	j.mu.Lock()
	old := j.store
	j.store = nil
	j.mu.Unlock()
	if old != nil {
		// What it says is of no use: it is being replaced because it failed.
		_ = old.Close()
	}
	store, err := j.open(ctx)
	if err != nil {
		return nil, err
	}
	head, err := store.Head(ctx)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.store = store
	j.lastSeq = max(head.Last, j.lastSeq, j.c.Now().UnixMicro())
	if head.First != 0 && head.Last > j.newest {
		// There is more than this process knows of: at the start, or because a commit that failed was durable after all.
		j.newest = head.Last
		j.recent.reset(j.newest)
		j.wake()
	}
	j.tally.load(head)
	return store, nil
}

// fail makes err the state of the journal, and logs it if it is a new one.
func (j *Journal) fail(err error) {
	j.mu.Lock()
	news := j.failure == nil || kind(err) != kind(j.failure)
	j.failure, j.tried = err, time.Now()
	if errors.Is(err, ErrMoved) {
		j.tried = time.Time{} // the next attempt finds the new file
	}
	j.mu.Unlock()
	if news {
		j.c.Logger.Error("alerts are refused: the journal cannot store them", "error", err)
	}
}

// kind is the sentinel that err answers to, nil if none.
func kind(err error) error {
	for _, k := range [...]error{ErrFull, ErrReadOnly, ErrCorrupt, ErrLocked, ErrNewer, ErrMoved, ErrClosed} {
		if errors.Is(err, k) {
			return k
		}
	}
	return nil
}

// noticed returns err as it is. A file that is found damaged while it is read takes no alerts any more: there is no telling
// what else is damaged.
func (j *Journal) noticed(err error) error {
	if errors.Is(err, ErrCorrupt) {
		if failure, _ := j.outcome(); failure == nil {
			j.fail(err)
		}
	}
	return err
}
