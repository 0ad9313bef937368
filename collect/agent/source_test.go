package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// sourceFunc is a Source.
type sourceFunc func(ctx context.Context, deliver func(context.Context, [][]byte) error) error

func (f sourceFunc) Run(ctx context.Context, deliver func(context.Context, [][]byte) error) error {
	return f(ctx, deliver)
}

func alert(n int) []byte { return fmt.Appendf(nil, `{"rule":"test","n":%d}`, n) }

func withSource(o Options, s Source) Options {
	o.Source = s
	return o
}

// TestSourceBesideFiles delivers alerts of a source and of a file through one spool.
func TestSourceBesideFiles(t *testing.T) {
	for _, files := range []bool{false, true} {
		t.Run(fmt.Sprintf("files=%t", files), func(t *testing.T) {
			h := newHub(t)
			dir := t.TempDir()
			want := 20
			opt := options(t, h)
			opt.FromStart = true
			if files {
				log := filepath.Join(dir, "falco.log")
				if err := os.WriteFile(log, append(alert(1000), '\n'), 0o600); err != nil {
					t.Fatal(err)
				}
				opt.From, want = []string{log}, want+1
			}
			opt.Source = sourceFunc(func(ctx context.Context, deliver func(context.Context, [][]byte) error) error {
				for i := range 10 {
					if err := deliver(ctx, [][]byte{alert(2 * i), alert(2*i + 1)}); err != nil {
						return err
					}
				}
				<-ctx.Done()
				return nil
			})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- Run(ctx, opt) }()
			poll(t, fmt.Sprintf("%d alerts", want), func() bool { return len(h.got()) == want })
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSourceFails: a source that fails ends the agent with its error, after what it gave was delivered.
func TestSourceFails(t *testing.T) {
	h := newHub(t)
	broken := errors.New("the kernel has gone")
	err := Run(t.Context(), withSource(options(t, h), sourceFunc(func(ctx context.Context, deliver func(context.Context, [][]byte) error) error {
		return errors.Join(deliver(ctx, [][]byte{alert(1)}), broken)
	})))
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want the source's", err)
	}
	poll(t, "the alert", func() bool { return len(h.got()) == 1 })
}
