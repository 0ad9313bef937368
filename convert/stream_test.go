package convert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/eyrie-sec/eyrie/falco"
)

// input makes n alerts of ever other rules, a line each, with what bad gives instead of some.
func input(n int, bad func(i int) string) string {
	var b strings.Builder
	for i := range n {
		line := bad(i)
		if line == "" {
			line = fmt.Sprintf(`{"rule":"rule-%d","priority":"Notice","time":"2026-11-21T02:25:48Z","pad":%q}`, i, strings.Repeat("x", i%300))
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

func TestStreamKeepsOrder(t *testing.T) {
	const n = 3000
	text := input(n, func(i int) string {
		switch {
		case i%100 == 7:
			return "oops"
		case i%100 == 8:
			return "  \r"
		}
		return ""
	})
	c := converter(t, Config{})
	readers := map[string]io.Reader{
		"whole":    strings.NewReader(text),
		"halves":   iotest.HalfReader(strings.NewReader(text)),
		"bytes":    iotest.OneByteReader(strings.NewReader(text)),
		"data+EOF": iotest.DataErrReader(strings.NewReader(text)),
		"CRLF":     strings.NewReader("\xEF\xBB\xBF" + strings.ReplaceAll(text, "\n", "\r\n")),
		"no LF":    strings.NewReader(strings.TrimSuffix(text, "\n")),
	}
	for name, r := range readers {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			var bad []int
			result, err := Stream(t.Context(), r, &out, c, origin, func(line int, err error) {
				if !errors.Is(err, &falco.ParseError{Reason: falco.NotJSON}) {
					t.Errorf("line %d: %v", line, err)
				}
				bad = append(bad, line)
			})
			if want := (Result{Converted: n - 60, Bad: 30}); err != nil || result != want {
				t.Fatalf("Stream = %+v, %v, want %+v", result, err, want)
			}
			for i, line := range bad {
				if line != i*100+8 {
					t.Errorf("bad line %d, want %d", line, i*100+8)
				}
			}
			i := -1
			for line := range bytes.Lines(out.Bytes()) {
				for i++; i%100 == 7 || i%100 == 8; i++ {
				}
				if want := fmt.Sprintf(`"GeneratorId":"falco/rule-%d"`, i); !bytes.Contains(line, []byte(want)) || !bytes.HasSuffix(line, []byte("}\n")) {
					t.Fatalf("got %.300s, want %s", line, want)
				}
			}
			if i != n-1 {
				t.Errorf("the last finding is of alert %d, want %d", i, n-1)
			}
		})
	}
}

func TestStreamLongLines(t *testing.T) {
	good := `{"rule":"R","priority":"Notice","time":"2026-11-21T02:25:48Z"}`
	long := `{"rule":"L","priority":"Notice","time":"2026-11-21T02:25:48Z","output":"` + strings.Repeat("y", 3<<20) + `"}`
	tooLong := strings.Repeat("z", falco.MaxRecord+10)
	var out bytes.Buffer
	var bad []string
	result, err := Stream(t.Context(), strings.NewReader(good+"\n"+long+"\n"+tooLong+"\n"+good+"\n\n"+tooLong), &out, converter(t, Config{}), origin, func(line int, err error) {
		var pe *falco.ParseError
		if errors.As(err, &pe) {
			bad = append(bad, fmt.Sprint(line, pe.Reason))
		}
	})
	if want := (Result{Converted: 3, Bad: 2}); err != nil || result != want {
		t.Errorf("Stream = %+v, %v, want %+v", result, err, want)
	}
	if got, want := fmt.Sprint(bad), "[3too_large 6too_large]"; got != want {
		t.Errorf("bad lines %s, want %s", got, want)
	}
	if out.Len() > 1<<20 {
		t.Errorf("%d bytes out", out.Len())
	}
}

type brokenWriter struct{ left int }

var errBroken = errors.New("broken pipe")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.left--; w.left < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

func TestStreamErrors(t *testing.T) {
	text := input(5000, func(int) string { return "" })
	c := converter(t, Config{})
	if _, err := Stream(t.Context(), strings.NewReader(text), &brokenWriter{left: 1}, c, origin, nil); !errors.Is(err, errBroken) {
		t.Errorf("broken writer: %v, want %v", err, errBroken)
	}
	result, err := Stream(t.Context(), io.MultiReader(strings.NewReader(text), iotest.ErrReader(errBroken)), io.Discard, c, origin, nil)
	if !errors.Is(err, errBroken) || result.Converted != 5000 {
		t.Errorf("broken reader: %+v, %v, want all before it and %v", result, err, errBroken)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Stream(ctx, strings.NewReader(text), io.Discard, c, origin, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v, want %v", err, context.Canceled)
	}
	if result, err := Stream(t.Context(), strings.NewReader(""), io.Discard, c, origin, nil); err != nil || result != (Result{}) {
		t.Errorf("empty: %+v, %v", result, err)
	}
}

// TestStreamIsLive: what comes out of a pipe is converted before the pipe ends.
func TestStreamIsLive(t *testing.T) {
	in, feed := io.Pipe()
	out, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := Stream(context.WithoutCancel(t.Context()), in, w, converter(t, Config{}), origin, nil)
		w.Close()
		done <- err
	}()
	buf := make([]byte, 64<<10)
	for i := range 3 {
		if _, err := fmt.Fprintf(feed, `{"rule":"rule-%d","priority":"Notice","time":"2026-11-21T02:25:48Z"}`+"\n", i); err != nil {
			t.Fatal(err)
		}
		n, err := out.Read(buf)
		if want := fmt.Sprintf(`"Title":"rule-%d"`, i); err != nil || !bytes.Contains(buf[:n], []byte(want)) {
			t.Fatalf("got %s, %v, want %s", buf[:n], err, want)
		}
	}
	feed.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
