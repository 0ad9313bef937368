package index

import (
	"bytes"
	"testing"
)

// FuzzRead reads whatever: it must not panic or take more memory than the file has, and what it takes it must write again.
func FuzzRead(f *testing.F) {
	v, err := Extract([]byte(`{"Id":"a","Title":"b","Confidence":3,"LastObservedAt":"2026-11-01T00:00:00Z"}`), now, nil)
	if err != nil {
		f.Fatal(err)
	}
	x := New()
	if err := x.Apply([]Change{{1, v}}); err != nil {
		f.Fatal(err)
	}
	var file bytes.Buffer
	if err := x.Write(&file, Mark{}); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add([]byte(snapshotMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, mark, err := Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := x.Write(&again, mark); err != nil {
			t.Fatal(err)
		}
	})
}
