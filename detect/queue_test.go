package detect

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eyrie-sec/eyrie/falco"
)

func numbered(n int) *falco.Alert { return &falco.Alert{Rule: strconv.Itoa(n)} }

// taker takes alerts and refuses while err is set.
type taker struct {
	mu   sync.Mutex
	err  error
	got  []string
	hold chan struct{} // if set, a delivery waits for it to close
}

func (k *taker) deliver(_ context.Context, alerts []*falco.Alert) error {
	if k.hold != nil {
		<-k.hold
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return k.err
	}
	for _, a := range alerts {
		k.got = append(k.got, a.Rule)
	}
	return nil
}

func (k *taker) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
}

func TestQueueKeepsOrderAndAll(t *testing.T) {
	q, k := NewQueue(QueueConfig{}), &taker{}
	done := make(chan struct{})
	go func() { q.Run(t.Context(), k.deliver); close(done) }()
	var want []string
	for i := range 5000 {
		q.Put(numbered(i))
		want = append(want, strconv.Itoa(i))
	}
	q.Close()
	<-done
	if !slices.Equal(k.got, want) {
		t.Errorf("%d alerts delivered, want %d in order", len(k.got), len(want))
	}
	if s := q.Stats(); s.Delivered != 5000 || s.Dropped != 0 || s.Bytes != 0 {
		t.Errorf("stats %+v", s)
	}
}

// TestQueueOutlivesFailure: what is refused is delivered later; what has no room meanwhile is dropped at once and counted.
func TestQueueOutlivesFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := sizeOf(numbered(0)) * 10
		q, k := NewQueue(QueueConfig{MaxBytes: room, Patience: time.Second}), &taker{err: errors.New("disk full")}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go q.Run(ctx, k.deliver)
		q.Put(numbered(0))
		synctest.Wait()
		began := time.Now()
		for i := 1; i < 30; i++ {
			q.Put(numbered(i))
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("Put waited %s for a place that is known to fail", waited)
		}
		k.fail(nil)
		time.Sleep(retryLast)
		synctest.Wait()
		if s := q.Stats(); s.Delivered != 10 || s.Dropped != 20 || s.Err != nil || s.Waiting != 0 {
			t.Errorf("stats %+v, want 10 delivered and 20 dropped", s)
		}
		q.Put(numbered(99))
		synctest.Wait()
		if last := k.got[len(k.got)-1]; last != "99" {
			t.Errorf("last alert delivered is %s, want 99", last)
		}
		cancel()
	})
}

// TestQueueWaitsOnce: a place that is slow makes one alert wait, for Patience, and not every one.
func TestQueueWaitsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, k := NewQueue(QueueConfig{MaxBytes: sizeOf(numbered(0)) * 2, Patience: time.Second}), &taker{hold: make(chan struct{})}
		go q.Run(t.Context(), k.deliver)
		began := time.Now()
		for i := range 10 {
			q.Put(numbered(i))
		}
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("ten alerts waited %s for a place that hangs, want 1s in all", waited)
		}
		close(k.hold)
		synctest.Wait()
		if s := q.Stats(); s.Delivered != 2 || s.Dropped != 8 {
			t.Errorf("stats %+v, want 2 delivered and 8 dropped", s)
		}
		q.Close()
	})
}

// TestQueueWaitsForRoom: an alert that has to wait is delivered once there is room, in its turn.
func TestQueueWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, k := NewQueue(QueueConfig{MaxBytes: sizeOf(numbered(0)), Patience: time.Minute}), &taker{hold: make(chan struct{})}
		go q.Run(t.Context(), k.deliver)
		go func() { time.Sleep(time.Second); close(k.hold) }()
		for i := range 5 {
			q.Put(numbered(i))
		}
		q.Close()
		synctest.Wait()
		if want := []string{"0", "1", "2", "3", "4"}; !slices.Equal(k.got, want) {
			t.Errorf("delivered %q, want %q", k.got, want)
		}
	})
}
