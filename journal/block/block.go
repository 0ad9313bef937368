// Package block is the binary form of a run of records: records go in, a block of bytes with a checksum comes out, and the
// same way back. It keeps nothing. Damage is an error, never a panic and never other records.
// journal/sqlite/FORMAT.md draws a block.
package block

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/journal"
)

const (
	version = 1
	header  = 5
	// maxPayload bounds what decoding allocates: a group's bodies are at most 16 MiB and one request, which its sender
	// bounds.
	maxPayload = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Append encodes records, of which there is at least one, to dst. used is scratch, perhaps grown, for the next call.
func Append(dst, scratch []byte, records []*journal.Record) (block, used []byte) {
	p := scratch[:0]
	first, arrived := records[0].Seq, records[0].Arrived.UnixNano()
	for _, r := range records {
		p = binary.AppendUvarint(p, uint64(r.Seq-first))
		p = binary.AppendVarint(p, r.Arrived.UnixNano()-arrived)
		p = binary.AppendVarint(p, AlertTime(r)-arrived)
		p = append(p, r.Fingerprint[:]...)
		for _, s := range [...]string{r.Way, r.Origin.Account, r.Origin.Region, r.Origin.Cluster} {
			p = append(binary.AppendUvarint(p, uint64(len(s))), s...)
		}
		p = append(binary.AppendUvarint(p, uint64(len(r.Body))), r.Body...)
	}
	if need := len(dst) + header + s2.MaxEncodedLen(len(p)); cap(dst) < need {
		dst = append(make([]byte, 0, need), dst...)
	}
	start := len(dst)
	dst = dst[:start+header]
	packed := s2.Encode(dst[len(dst):cap(dst)], p)
	dst = dst[:len(dst)+len(packed)] // Encode had room enough: packed lies in dst
	dst[start] = version
	binary.LittleEndian.PutUint32(dst[start+1:], checksum(first, arrived, packed))
	return dst, p
}

// checksum covers what the row says of the block, too: a block in another block's place is noticed.
func checksum(first, arrived int64, packed []byte) uint32 {
	var row [16]byte
	binary.LittleEndian.PutUint64(row[:], uint64(first))
	binary.LittleEndian.PutUint64(row[8:], uint64(arrived))
	return crc32.Update(crc32.Checksum(row[:], castagnoli), castagnoli, packed)
}

// AlertTime is the alert's own time in nanoseconds since 1970, 0 if the record has no alert.
func AlertTime(r *journal.Record) int64 {
	if r.Alert == nil {
		return 0
	}
	return r.Alert.Time.UnixNano()
}

// Record is a record as a block holds it: without its alert, but with that one's time.
type Record struct {
	journal.Record
	AlertTime int64 // nanoseconds since 1970, 0 if there was no alert
}

// ErrDamaged is what is wrong with bytes that are no block, or not that of the given numbers.
var ErrDamaged = errors.New("damaged block")

// Decode returns the records of a block whose first Seq and arrival (nanoseconds since 1970) are given. They share one
// allocation.
func Decode(block []byte, first, arrived int64) ([]Record, error) {
	if len(block) < header || block[0] != version {
		return nil, fmt.Errorf("%w: no version %d header in %d bytes", ErrDamaged, version, len(block))
	}
	packed := block[header:]
	if checksum(first, arrived, packed) != binary.LittleEndian.Uint32(block[1:]) {
		return nil, fmt.Errorf("%w: its checksum does not fit", ErrDamaged)
	}
	if n, err := s2.DecodedLen(packed); err == nil && n > maxPayload {
		return nil, fmt.Errorf("%w: %d bytes", ErrDamaged, n)
	}
	p, err := s2.Decode(nil, packed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return decodePayload(p, first, arrived)
}

func decodePayload(p []byte, first, arrived int64) ([]Record, error) {
	var records []Record
	d := decoder{p: p}
	for previous := first - 1; len(d.p) > 0; {
		var r Record
		r.Seq = first + int64(d.uvarint())
		r.Arrived = time.Unix(0, arrived+d.varint()).UTC()
		r.AlertTime = arrived + d.varint()
		copy(r.Fingerprint[:], d.take(uint64(len(r.Fingerprint))))
		r.Way = string(d.text())
		r.Origin = falco.Origin{Account: string(d.text()), Region: string(d.text()), Cluster: string(d.text())}
		r.Body = d.text()
		if r.Seq <= previous {
			d.fail()
		}
		if d.err != nil {
			return nil, d.err
		}
		previous = r.Seq
		records = append(records, r)
	}
	return records, nil
}

// decoder reads fields and remembers the first failure.
type decoder struct {
	p   []byte
	err error
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.p)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.p = d.p[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.p)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.p = d.p[n:]
	return v
}

func (d *decoder) text() []byte {
	return d.take(d.uvarint())
}

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.p)) {
		d.fail()
		return nil
	}
	b := d.p[:n:n]
	d.p = d.p[n:]
	return b
}

func (d *decoder) fail() {
	if d.err == nil {
		d.err = fmt.Errorf("%w: a record ends early, or is not where it belongs", ErrDamaged)
	}
	d.p = nil
}
