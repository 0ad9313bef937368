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

// A block is the records of one commit, as the column block.body holds them:
//
//	offset  size  what
//	0       1     version: 1
//	1       4     CRC-32C (Castagnoli) of the payload, little-endian
//	5       rest  the payload, one S2 block (klauspost/compress/s2, a superset of Snappy; begins with its length)
//
// The payload is one record after the other, without padding. uvarint and varint are those of encoding/binary; a text is
// a uvarint length and that many bytes.
//
//	uvarint   Seq, minus that of the block's first record
//	varint    arrival, nanoseconds since 1970 UTC, minus that of the block
//	8 bytes   the alert's own time, nanoseconds since 1970 UTC, little-endian
//	16 bytes  fingerprint
//	5 texts   way, account, Region, cluster, body
//
// A record needs no field of its own for a time or text that is absent: they are 0 and "".
const (
	blockVersion = 1
	blockHeader  = 5
	// maxPayload bounds what decoding allocates for a damaged length: a group's bodies are at most 16 MiB and one
	// request, which the callers bound.
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
		p = binary.LittleEndian.AppendUint64(p, uint64(alertTime(r)))
		p = append(p, r.Fingerprint[:]...)
		for _, s := range [...]string{r.Way, r.Origin.Account, r.Origin.Region, r.Origin.Cluster} {
			p = append(binary.AppendUvarint(p, uint64(len(s))), s...)
		}
		p = append(binary.AppendUvarint(p, uint64(len(r.Body))), r.Body...)
	}
	dst = append(dst, blockVersion)
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(p, castagnoli))
	start := len(dst)
	if need := start + s2.MaxEncodedLen(len(p)); cap(dst) < need {
		dst = append(make([]byte, 0, need), dst...)
	}
	return dst[:start+len(s2.Encode(dst[start:cap(dst)], p))], p
}

// alertTime is the part of a record's identity that keeps neighbours together in the index of seen alerts.
func alertTime(r *journal.Record) int64 {
	if r.Alert == nil {
		return 0
	}
	return r.Alert.Time.UnixNano()
}

// blockRecord is a record as a block holds it.
type blockRecord struct {
	journal.Record
	alertTime int64
}

var errBlock = errors.New("damaged block")

// decodeBlock returns the records of a block whose first Seq and arrival are given. They share one allocation. The error
// answers errors.Is for journal.ErrCorrupt.
func decodeBlock(block []byte, first, arrived int64) ([]blockRecord, error) {
	p, err := payload(block)
	if err != nil {
		return nil, fmt.Errorf("block %d: %w: %w", first, journal.ErrCorrupt, err)
	}
	var records []blockRecord
	d := decoder{p: p}
	for len(d.p) > 0 && d.err == nil {
		var r blockRecord
		r.Seq = first + int64(d.uvarint())
		r.Arrived = time.Unix(0, arrived+d.varint()).UTC()
		if fixed := d.take(24); d.err == nil {
			r.alertTime = int64(binary.LittleEndian.Uint64(fixed))
			copy(r.Fingerprint[:], fixed[8:])
		}
		r.Way = string(d.text())
		r.Origin = falco.Origin{Account: string(d.text()), Region: string(d.text()), Cluster: string(d.text())}
		r.Body = d.text()
		records = append(records, r)
	}
	if d.err != nil {
		return nil, fmt.Errorf("block %d: %w: %w", first, journal.ErrCorrupt, d.err)
	}
	return records, nil
}

func payload(block []byte) ([]byte, error) {
	if len(block) < blockHeader || block[0] != blockVersion {
		return nil, fmt.Errorf("%w: no version %d header in %d bytes", errBlock, blockVersion, len(block))
	}
	n, err := s2.DecodedLen(block[blockHeader:])
	if err != nil || n > maxPayload {
		return nil, fmt.Errorf("%w: length %d: %w", errBlock, n, err)
	}
	p, err := s2.Decode(nil, block[blockHeader:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBlock, err)
	}
	if crc32.Checksum(p, castagnoli) != binary.LittleEndian.Uint32(block[1:]) {
		return nil, fmt.Errorf("%w: its checksum does not fit", errBlock)
	}
	return p, nil
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
		d.err = fmt.Errorf("%w: a record ends early", errBlock)
	}
	d.p = nil
}
