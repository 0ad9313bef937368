package tail

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/internal/testshared"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const criTime = "2026-11-21T02:25:46.697293485Z"

// decode runs lines through a Decoder and shows what comes out, "alert:…", "text:…" or "empty:"; +n: n bytes were cut.
func decode(limit int, lines ...string) []string {
	out := []string{}
	d := NewDecoder(limit)
	show := func(t Text) {
		s := [...]string{"empty", "text", "alert"}[t.Kind] + ":" + string(t.Bytes)
		if t.Cut > 0 {
			s += fmt.Sprintf("+%d", t.Cut)
		}
		out = append(out, s)
	}
	for _, line := range lines {
		d.Line([]byte(line), 0, show)
	}
	out = append(out, "flush")
	d.Flush(show)
	return out
}

func TestDecode(t *testing.T) {
	docker := func(text string) string {
		return `{"log":"` + text + `","stream":"stdout","time":"` + criTime + `"}`
	}
	cases := []struct {
		name  string
		lines []string
		want  []string
	}{
		{"bare", []string{`{"a":1}`, "  {\"a\":2} \r", "", "Falco", "\x00\x00{}"}, []string{`alert:{"a":1}`, `alert:{"a":2}`, "empty:", "text:Falco", "alert:{}", "flush"}},
		{"broken JSON is a candidate", []string{`{"a`, `["a"]`}, []string{`alert:{"a`, `text:["a"]`, "flush"}},
		{"CRI", []string{criTime + ` stdout F {"a":1}`, criTime + " stderr F Falco", criTime + " stdout F ", criTime + " stdout F"}, []string{`alert:{"a":1}`, "text:Falco", "empty:", "empty:", "flush"}},
		{"CRI times", []string{"2026-11-21T02:25:46Z stdout F {}", "2026-11-21T02:25:46.697293485+01:00 stdout F {}"}, []string{"alert:{}", "alert:{}", "flush"}},
		{"CRI tags", []string{criTime + " stdout P:x:y {", criTime + " stdout F:z }"}, []string{"alert:{}", "flush"}},
		{"CRI partial lines, streams mixed", []string{
			criTime + " stdout P {\"a\"", criTime + " stderr P Fal", criTime + " stdout P :", criTime + " stderr F co", criTime + " stdout F 1}", `{"b":1}`,
		}, []string{"text:Falco", `alert:{"a":1}`, `alert:{"b":1}`, "flush"}},
		{"CRI partial line without end", []string{criTime + ` stdout P {"a"`}, []string{"flush", `alert:{"a"`}},
		{"almost CRI", []string{criTime + " stdin F {}", criTime + " stdout X {}", "2026-11-21 02:25:46 stdout F {}", criTime + "stdout F {}", "2026-11-21T02:25:4x.6Z stdout F {}"}, []string{
			"text:" + criTime + " stdin F {}", "text:" + criTime + " stdout X {}", "text:2026-11-21 02:25:46 stdout F {}", "text:" + criTime + "stdout F {}", "text:2026-11-21T02:25:4x.6Z stdout F {}", "flush",
		}},
		{"Docker", []string{docker(`{\"a\":\"\\n\u003c\u00e9\ud83d\ude00\/\t\"}\n`)}, []string{`alert:{"a":"\n<é😀/` + "\t" + `"}`, "flush"}},
		{"Docker with attributes, streams mixed", []string{
			`{"log":"{","stream":"stdout","attrs":{"a}":"b\"{"},"time":"t"}`, `{"log":"x\n","stream":"stderr","time":"t"}`, docker(`}\n`),
		}, []string{"text:x", "alert:{}", "flush"}},
		{"Docker, several lines in one", []string{docker(`{\n}\n\n{`), docker(`1}\n`), docker("")}, []string{"alert:{", "text:}", "empty:", "alert:{1}", "flush"}},
		{"Docker, half a surrogate", []string{docker(`{\ud83d}\n`), docker(`{\ud83dA}\n`)}, []string{"alert:{\uFFFD}", "alert:{\uFFFDA}", "flush"}},
		{"almost Docker is bare", []string{`{"log":"x"}`, `{"log":"x\n","stream":"stdout","time":"t"`, `{"log":"\x","stream":"stdout","time":"t"}`, `{"log":"x","stream":"stdout","time":"t"} `, `{"log":1}`, `{"log":"x","stream":"stdout","time":3}`}, []string{
			`alert:{"log":"x"}`, `alert:{"log":"x\n","stream":"stdout","time":"t"`, `alert:{"log":"\x","stream":"stdout","time":"t"}`, `alert:{"log":"x","stream":"stdout","time":"t"}`, `alert:{"log":1}`, `alert:{"log":"x","stream":"stdout","time":3}`, "flush",
		}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(decode(1000, tc.lines...), tc.want); diff != "" {
				t.Errorf("decoded (-got +want):\n%s", diff)
			}
		})
	}
}

func TestDecodeCutsLongLines(t *testing.T) {
	got := decode(10, "{234567890abc", criTime+" stdout P {2345", criTime+" stdout P 67890ab", criTime+" stdout P cd", criTime+" stdout F e", criTime+" stdout F {}")
	want := []string{"alert:{234567890+3", "alert:{234567890+5", "alert:{}", "flush"}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("decoded (-got +want):\n%s", diff)
	}
}

// wrap writes an alert as a runtime does: part bytes a physical line.
func wrapCRI(alert string, part int) string {
	var b strings.Builder
	for len(alert) > part {
		fmt.Fprintf(&b, "%s stdout P %s\n", criTime, alert[:part])
		alert = alert[part:]
	}
	fmt.Fprintf(&b, "%s stdout F %s\n", criTime, alert)
	return b.String()
}

func wrapDocker(t testing.TB, alert string, part int) string {
	var b strings.Builder
	for rest := alert + "\n"; rest != ""; {
		n := min(part, len(rest))
		text, err := json.Marshal(rest[:n])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, `{"log":%s,"stream":"stdout","time":"%s"}`+"\n", text, criTime)
		rest = rest[n:]
	}
	return b.String()
}

// TestRecordedAlerts wraps alerts of a real Falco in each format: they must come out byte for byte.
func TestRecordedAlerts(t *testing.T) {
	for _, name := range []string{"docker-event-generator", "docker-seed", "host-seed"} {
		alerts := strings.Split(strings.TrimSpace(string(testshared.Read(t, "falco/alerts/"+name+".jsonl"))), "\n")
		for format, wrap := range map[string]func(string) string{
			"bare":           func(a string) string { return a + "\n" },
			"CRI":            func(a string) string { return wrapCRI(a, 16<<10) },
			"CRI partial":    func(a string) string { return wrapCRI(a, 100) },
			"Docker":         func(a string) string { return wrapDocker(t, a, 16<<10) },
			"Docker partial": func(a string) string { return wrapDocker(t, a, 100) },
		} {
			var want, lines []string
			for _, a := range alerts {
				want = append(want, "alert:"+a)
				lines = append(lines, strings.Split(strings.TrimSuffix(wrap(a), "\n"), "\n")...)
			}
			if diff := cmp.Diff(decode(DefaultMaxLine, lines...), append(want, "flush")); diff != "" {
				t.Errorf("%s as %s (-got +want):\n%s", name, format, diff)
			}
		}
	}
}

// TestCRIModel joins random partial lines of two streams, saved and restored in between, and compares with a join of
// whole strings.
func TestCRIModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 40).Draw(t, "limit")
		d := NewDecoder(limit)
		var got, want []string
		var open [2]string
		emit := func(text string) {
			cut := max(0, len(text)-limit)
			want = append(want, fmt.Sprintf("%s+%d", text[:len(text)-cut], cut))
		}
		show := func(x Text) { got = append(got, fmt.Sprintf("%s+%d", x.Bytes, x.Cut)) }
		for range rapid.IntRange(1, 30).Draw(t, "lines") {
			stream := rapid.IntRange(0, 1).Draw(t, "stream")
			text := strings.Repeat("x", rapid.IntRange(0, 20).Draw(t, "length"))
			open[stream] += text
			tag := "P"
			if rapid.Bool().Draw(t, "end") {
				tag = "F"
				emit(open[stream])
				open[stream] = ""
			}
			d.Line([]byte(criTime+" "+[]string{"stdout", "stderr"}[stream]+" "+tag+" "+text), 0, show)
			if rapid.IntRange(0, 4).Draw(t, "restart") == 0 {
				p := Position{Pending: d.save()}
				again, err := decodePosition(p.encode())
				if err != nil {
					t.Fatal(err)
				}
				d = NewDecoder(limit)
				d.restore(again.Pending)
			}
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Fatalf("lines (-got +want):\n%s", diff)
		}
	})
}

// TestChunksDoNotMatter: however a file's bytes are cut into reads, the lines and the position are the same.
func TestChunksDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		content := []byte(strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{
			"{\"a\":1}", "\n", "text", strings.Repeat("y", 50), "\x00", criTime + " stdout P {\n", criTime + " stdout F }\n",
		})).Draw(t, "content"), ""))
		const limit = 60
		run := func(next func(left int) int) (lines []string, f *file) {
			f = &file{dec: NewDecoder(limit), blank: true}
			line := func(b []byte, cut int64) {
				f.dec.Line(b, cut, func(x Text) { lines = append(lines, fmt.Sprintf("%d%s+%d", x.Kind, x.Bytes, x.Cut)) })
			}
			for off := 0; off < len(content); {
				n := next(len(content) - off)
				f.consume(content[off-len(f.last):off+n], len(f.last), limit, line)
				off += n
			}
			return lines, f
		}
		wantLines, want := run(func(left int) int { return left })
		gotLines, got := run(func(left int) int { return min(left, rapid.IntRange(1, 80).Draw(t, "chunk")) })
		if diff := cmp.Diff(gotLines, wantLines); diff != "" {
			t.Fatalf("lines (-cut +whole):\n%s", diff)
		}
		gotPos, wantPos := got.position(), want.position()
		if diff := cmp.Diff(gotPos, wantPos); diff != "" {
			t.Fatalf("position (-cut +whole):\n%s", diff)
		}
		if _, _, ok := gotPos.matches(bytes.NewReader(content)); !ok || !gotPos.valid() {
			t.Fatalf("position %+v does not match its own content", gotPos)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("{}\n" + criTime + " stdout P {\n" + criTime + " stdout F }\n"))
	f.Add([]byte(`{"log":"{\"a\":\"\ud83d\ude00\"}\n","stream":"stdout","attrs":{"a":"b"},"time":"t"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 100
		d := NewDecoder(limit)
		total := 0
		check := func(x Text) {
			total += len(x.Bytes) + int(x.Cut)
			if len(x.Bytes) > limit || bytes.IndexByte(x.Bytes, '\n') >= 0 || (x.Kind == KindAlert) != (len(x.Bytes) > 0 && x.Bytes[0] == '{') {
				t.Fatalf("kind %d, %q", x.Kind, x.Bytes)
			}
		}
		for line := range bytes.SplitSeq(b, []byte{'\n'}) {
			d.Line(line, 0, check)
			again := NewDecoder(limit)
			again.restore(d.save())
			if diff := cmp.Diff(again.save(), d.save()); diff != "" {
				t.Fatal(diff)
			}
		}
		d.Flush(check)
		if total > 3*len(b) { // an escape never grows: \ud83d, 6 bytes, becomes 3
			t.Fatalf("%d bytes out of %d", total, len(b))
		}
	})
}

// FuzzDockerAgainstJSON: what is taken for Docker's must mean the same to encoding/json.
func FuzzDockerAgainstJSON(f *testing.F) {
	f.Add([]byte(`{"log":"{\"a\":\"\ud83d\ude00\"}\n","stream":"stdout","attrs":{"a":"b"},"time":"t"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var want struct{ Log *string }
		if bytes.Count(b, []byte(`"log"`)) != 1 || json.Unmarshal(b, &want) != nil || want.Log == nil || !json.Valid(b) {
			return
		}
		_, got, ok := NewDecoder(1000).parseDocker(b)
		if ok && strings.ToValidUTF8(string(got), "\uFFFD") != strings.ToValidUTF8(*want.Log, "\uFFFD") {
			t.Fatalf("got %q, want %q", got, *want.Log)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	alert := `{"hostname":"vm","output":"` + strings.Repeat(`x=\"y\" `, 100) + `","priority":"Error","rule":"r","time":"` + criTime + `"}`
	alert += strings.Repeat(" ", max(0, 930-len(alert)))
	for name, text := range map[string]string{"bare": alert + "\n", "cri": wrapCRI(alert, 16<<10), "docker": wrapDocker(b, alert, 16<<10)} {
		b.Run("format="+name, func(b *testing.B) {
			line := []byte(strings.TrimSuffix(text, "\n"))
			d := NewDecoder(DefaultMaxLine)
			n := 0
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				d.Line(line, 0, func(Text) { n++ })
			}
			if n == 0 {
				b.Fatal("no line came out")
			}
		})
	}
}
