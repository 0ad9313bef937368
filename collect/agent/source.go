package agent

import (
	"context"
	"errors"
	"sync"

	"github.com/eyrie-sec/eyrie/collect/tail"
)

// Source gives alerts of its own beside the files that are followed. A sensor is one.
type Source interface {
	// Run gives alerts, as Falco would print them, to deliver, until ctx ends. deliver has made all of a batch durable
	// when it returns nil, and none of it after an error; the batch is then given again. It keeps none of the slices.
	Run(ctx context.Context, deliver func(ctx context.Context, alerts [][]byte) error) error
}

// collect reads everything that alerts come from, into the spool, until ctx ends or there is nothing left to read.
func (a *agent) collect(ctx context.Context) error {
	g := &gate{a: a}
	if a.opt.Source == nil {
		return a.follow.Run(ctx, g)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var sourceErr, followErr error
	var both sync.WaitGroup
	both.Go(func() {
		defer cancel() // a node whose sensor has failed is not to look healthy
		sourceErr = a.opt.Source.Run(ctx, func(_ context.Context, alerts [][]byte) error { return g.Append(alerts, nil) })
	})
	if a.follow != nil {
		both.Go(func() { followErr = a.follow.Run(ctx, g) })
	}
	both.Wait()
	return errors.Join(sourceErr, followErr)
}

// reading are the counters of the files that are followed.
func (a *agent) reading() *tail.Stats {
	if a.follow == nil {
		return &tail.Stats{}
	}
	return &a.follow.Stats
}
