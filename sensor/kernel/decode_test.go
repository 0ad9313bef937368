package kernel

import (
	"encoding/binary"
	"testing"
	"unsafe"

	"github.com/eyrie-sec/eyrie/sensor/bpf"
	"github.com/eyrie-sec/eyrie/sensor/filter"
	"github.com/eyrie-sec/eyrie/sensor/raw"
)

func newDecoder() *decoder {
	d := &decoder{}
	d.init()
	return d
}

func TestPaths(t *testing.T) {
	d := newDecoder()
	for names, want := range map[string]string{"": "/", "a\x00": "/a", "c\x00b\x00a\x00": "/a/b/c", "\x00": "/"} {
		if got := string(d.path([]byte(names))); got != want {
			t.Errorf("path of %q is %q, want %q", names, got, want)
		}
	}
}

func TestUnixNames(t *testing.T) {
	for in, want := range map[string]string{"": "", "/run/x\x00\x00": "/run/x", "\x00abs": "\x00abs", "\x00a\x00b": "\x00a\x00b"} {
		if got := unixName([]byte(in)); got != want {
			t.Errorf("name of %q is %q, want %q", in, got, want)
		}
	}
}

// FuzzDecode: bytes that are no record are refused; nothing panics.
func FuzzDecode(f *testing.F) {
	empty := make([]byte, recordSize)
	binary.LittleEndian.PutUint32(empty[lenAt:], uint32(recordSize))
	empty[kindAt] = byte(raw.Syscall)
	f.Add(empty)
	withPart := append(append([]byte{}, empty...), byte(raw.File), 0, 0, 0, byte(fileSize), 0, 0, 0)
	withPart = append(withPart, make([]byte, fileSize)...)
	binary.LittleEndian.PutUint32(withPart[lenAt:], uint32(len(withPart)))
	withPart[kindAt+1] = 1
	f.Add(withPart)
	f.Add([]byte("short"))
	d := newDecoder()
	var ev raw.Event
	if !d.decode(withPart, &ev) || len(ev.Parts) != 1 || ev.Parts[0].Kind != raw.File {
		f.Fatalf("the seed with a part is not decoded: %+v", ev)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d := newDecoder()
		var ev raw.Event
		if len(b) < recordSize && d.decode(b, &ev) {
			t.Errorf("%d bytes are taken for a record", len(b))
		}
		if d.decode(b, &ev) && len(ev.Parts) != int(b[kindAt+1]) {
			t.Errorf("%d parts, the record says %d", len(ev.Parts), b[kindAt+1])
		}
	})
}

// BenchmarkDecode decodes an open as the kernel told it.
func BenchmarkDecode(b *testing.B) {
	s := open(b, Config{Filter: filter.All()})
	act(b, s, "files")
	record := append([]byte(nil), s.record.RawSample...)
	d := newDecoder()
	var ev raw.Event
	b.ReportAllocs()
	for b.Loop() {
		if !d.decode(record, &ev) {
			b.Fatal("not decoded")
		}
	}
}

// Where the fields of a record are that the fuzz test writes.
var (
	lenAt  = int(unsafe.Offsetof(bpf.SensorRecord{}.Len))
	kindAt = int(unsafe.Offsetof(bpf.SensorRecord{}.Kind))
)
