package sqlite

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

// FORMAT.md draws a block.
const (
	blockVersion = 1
	blockHeader  = 5
	// maxPayload bounds what decoding allocates: a group's bodies are at most 16 MiB and one request, which its sender
	// bounds.
	maxPayload = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendBlock encodes records, of which there is at least one, to dst. scratch is returned for the next call.
func appendBlock(dst, scratch []byte, records []*journal.Record) (block, used []byte) {
	p := scratch[:0]
	first, arrived := records[0].Seq, records[0].Arrived.UnixNano()
	for _, r := range records {
		p = binary.AppendUvarint(p, uint64(r.Seq-first))
		p = binary.AppendVarint(p, r.Arrived.UnixNano()-arrived)
		at, _, _ := identity(r)
		p = binary.AppendVarint(p, at-arrived)
		p = append(p, r.Fingerprint[:]...)
		for _, s := range [...]string{r.Way, r.Origin.Account, r.Origin.Region, r.Origin.Cluster} {
			p = append(binary.AppendUvarint(p, uint64(len(s))), s...)
		}
		p = append(binary.AppendUvarint(p, uint64(len(r.Body))), r.Body...)
	}
	if need := len(dst) + blockHeader + s2.MaxEncodedLen(len(p)); cap(dst) < need {
		dst = append(make([]byte, 0, need), dst...)
	}
	start := len(dst)
	dst = dst[:start+blockHeader]
	packed := s2.Encode(dst[len(dst):cap(dst)], p)
	dst = dst[:len(dst)+len(packed)] // Encode had room enough: packed lies in dst
	dst[start] = blockVersion
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

// blockRecord is a record as a block holds it.
type blockRecord struct {
	journal.Record
	alertTime int64
}

var errBlock = errors.New("damaged block")

// decodeBlock returns the records of a block whose first Seq and arrival are given. They share one allocation.
func decodeBlock(block []byte, first, arrived int64) ([]blockRecord, error) {
	if len(block) < blockHeader || block[0] != blockVersion {
		return nil, fmt.Errorf("%w: no version %d header in %d bytes", errBlock, blockVersion, len(block))
	}
	packed := block[blockHeader:]
	if checksum(first, arrived, packed) != binary.LittleEndian.Uint32(block[1:]) {
		return nil, fmt.Errorf("%w: its checksum does not fit", errBlock)
	}
	if n, err := s2.DecodedLen(packed); err == nil && n > maxPayload {
		return nil, fmt.Errorf("%w: %d bytes", errBlock, n)
	}
	p, err := s2.Decode(nil, packed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBlock, err)
	}
	return decodePayload(p, first, arrived)
}

func decodePayload(p []byte, first, arrived int64) ([]blockRecord, error) {
	var records []blockRecord
	d := decoder{p: p}
	for previous := first - 1; len(d.p) > 0; {
		var r blockRecord
		r.Seq = first + int64(d.uvarint())
		r.Arrived = time.Unix(0, arrived+d.varint()).UTC()
		r.alertTime = arrived + d.varint()
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
		d.err = fmt.Errorf("%w: a record ends early, or is not where it belongs", errBlock)
	}
	d.p = nil
}
