package container_test

import (
	"context"
	"fmt"
	"time"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
	"github.com/eyrie-sec/eyrie/sensor/container"
)

// Example is the loop of a sensor: a Ref is kept with the process, an event waits only if its container is being looked
// up, and is filled when it leaves.
func Example() {
	type held struct {
		e   *event.Event // a copy: the loop reuses its own
		ref *container.Ref
	}
	report := func(h held) {
		h.ref.Container().Fill(h.e)
		id, _ := h.e.Text(field.ContainerID)
		fmt.Println(id)
	}
	r := container.New(container.Config{Sockets: []container.Socket{}})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { _ = r.Run(ctx) }()
	waiting := container.NewWaiting(container.DefaultWaiting, container.DefaultPatience, report)
	defer waiting.Close()

	for _, path := range []string{"/", "/docker/3abd807250d1b53741c345896f2d79faf6e7dcdb75860e98a2f84e38e874c236"} {
		ref := r.Of(path) // once for each process, again when its cgroup changes
		now := time.Now()
		if e := (held{new(event.Event), ref}); waiting.Must(ref) {
			waiting.Add(ref, e, now)
		} else {
			report(e)
		}
		select {
		case <-r.Changed():
			waiting.Release(now)
		default: // and when the time that waiting.Next says has come
		}
	}
	// Output:
	// host
	// 3abd807250d1
}
