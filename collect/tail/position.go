package tail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
)

// fingerprintBytes is how many bytes at a file's start, and before the position reached, identify it. Falco's lines and
// the runtimes' begin with nanosecond times, so that far fewer would do.
const fingerprintBytes = 1024

// Position is how far one file has been read, as it is stored (JSON, in the spool's state under "file:<n>"). Every line
// that ends at or before Offset has been handed on or counted; none after it has.
type Position struct {
	// Path is where the file was found, Real that path with symbolic links resolved. Hints: the file may be elsewhere.
	Path string `json:"path"`
	Real string `json:"real"`
	// Dev and Ino are the quick way to the file. Zero where the system has none.
	Dev uint64 `json:"dev"`
	Ino uint64 `json:"ino"`
	// Offset in bytes, of the decompressed content for a .gz file. The start of a line.
	Offset int64 `json:"offset"`
	// Head and Tail are the fingerprints of the first bytes and of those just before Offset; empty at offset 0.
	Head Fingerprint `json:"head"`
	Tail Fingerprint `json:"tail"`
	// Done says that all of the file is accounted for, whatever its length; Offset and Tail mean nothing then.
	Done bool `json:"done,omitempty"`
	// Pending holds partial lines (CRI's P, Docker's without newline) that end before Offset and wait for more.
	Pending []Pending `json:"pending,omitempty"`
}

// Pending is an unfinished logical line of one stream.
type Pending struct {
	Stream int    `json:"stream"`
	Text   []byte `json:"text"`
	Cut    int64  `json:"cut,omitempty"`
}

// Fingerprint is the SHA-256, cut to 16 bytes, of Len bytes.
type Fingerprint struct {
	Len int    `json:"len"`
	Sum string `json:"sum"`
}

func fingerprint(b []byte) Fingerprint {
	if len(b) == 0 {
		return Fingerprint{}
	}
	sum := sha256.Sum256(b)
	return Fingerprint{len(b), hex.EncodeToString(sum[:16])}
}

// valid reports whether a stored position makes sense; the spool's state is ours, but a disk may say anything.
func (p *Position) valid() bool {
	want := int(min(max(p.Offset, 0), fingerprintBytes))
	if p.Done {
		want = min(max(p.Head.Len, 0), fingerprintBytes)
	}
	if p.Offset < 0 || p.Head.Len != want || !p.Done && p.Tail.Len != want {
		return false
	}
	for _, pending := range p.Pending {
		if pending.Stream != stdout && pending.Stream != stderr {
			return false
		}
	}
	return true
}

// matches reports whether r is the file of position p, and returns the bytes of both fingerprints. At offset 0 there
// is nothing to compare: everything matches, and the caller must know such a file by its inode.
func (p *Position) matches(r io.ReaderAt) (head, tail []byte, ok bool) {
	head = readAt(r, 0, p.Head.Len)
	if fingerprint(head) != p.Head {
		return nil, nil, false
	}
	if p.Done {
		return head, nil, true
	}
	tail = readAt(r, p.Offset-int64(p.Tail.Len), p.Tail.Len)
	if fingerprint(tail) != p.Tail {
		return nil, nil, false
	}
	return head, tail, true
}

// readAt returns up to n bytes at offset off; fewer where the file ends or cannot be read.
func readAt(r io.ReaderAt, off int64, n int) []byte {
	b := make([]byte, n)
	got, _ := r.ReadAt(b, off)
	return b[:got]
}

// sameStart reports whether a (of size bytes) begins as b does, over all of a or the length of a fingerprint: whether a
// can be a copy of b, finished or not.
func sameStart(a io.ReaderAt, size int64, b io.ReaderAt) bool {
	n := int(min(size, fingerprintBytes))
	return bytes.Equal(readAt(a, 0, n), readAt(b, 0, n))
}

func (p *Position) encode() []byte {
	b, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("encode position: %v", err)) // strings and numbers alone: cannot fail
	}
	return b
}

func decodePosition(b []byte) (Position, error) {
	var p Position
	if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Errorf("decode position: %w", err)
	}
	if !p.valid() {
		return p, fmt.Errorf("decode position: makes no sense: %.200q", b)
	}
	return p, nil
}

// save and restore carry a decoder's partial lines in a position.
func (d *Decoder) save() []Pending {
	var out []Pending
	for stream := range d.pending {
		if p := &d.pending[stream]; p.active {
			out = append(out, Pending{stream, bytes.Clone(p.text), p.cut})
		}
	}
	return out
}

func (d *Decoder) restore(saved []Pending) {
	for _, p := range saved {
		d.pending[p.Stream] = partial{text: bytes.Clone(p.Text[:min(len(p.Text), d.max)]), cut: p.Cut, active: true}
	}
}
