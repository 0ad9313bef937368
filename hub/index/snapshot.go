package index

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"

	"github.com/eyrie-sec/eyrie/asff"
)

// A snapshot is the columns in a file, so that starting need not read every document. All numbers are little-endian.
//
//	offset  size  what
//	0       8     "EYRIDX" 0x00 and the version, 1
//	8       ...   sections
//
//	section: 1  tag
//	         8  n, length of the body
//	         n  body
//	         4  CRC-32C of tag, n and body
//
//	'H' header   mark: 16 bytes store id, 8 change, 8 change time; 4 CRC-32C of the attribute table; 8 rows
//	'R' rows     seqs 8 each, alive 8 for every 64 rows, summaries 1 each, touched 4 each, one refused byte an attribute
//	             of the table, in its order
//	'C' column   name, key (each: uvarint length, bytes), kind byte, content; any number of these
//	'E' end      empty; a file without it was cut short
//
//	kind 'd'     uvarint count of tuples without the empty one, each (uvarint length, bytes); width byte 1, 2 or 4;
//	             uvarint count of codes; the codes
//	kind 't'     uvarint count, 8 each; odd
//	kind 'n'     uvarint count, 4 each (float32 bits); odd
//	kind 'h'     uvarint count, pairs 8 each, ascending
//	odd          uvarint count; each: uvarint row, uvarint length, bytes
//
// Sections are taken one by one while findings go on changing. That is sound because the mark is taken before the first:
// whatever changed since is replayed from the change feed, and a replay sets all of a row.
const snapshotMagic = "EYRIDX\x00\x01"

// Mark says which state of which store a snapshot has.
type Mark struct {
	Store    [16]byte // random, of the store
	Change   int64    // the last change of the feed that it contains for sure
	ChangeAt int64    // its time, nanoseconds since 1970: tells a store restored from a backup
}

// ErrSnapshot is what Read wraps if the file is not a snapshot that this program can use.
var ErrSnapshot = errors.New("index: unusable snapshot")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// tableSum tells whether the attributes are still those that the snapshot was made with.
func tableSum() uint32 {
	h := crc32.New(castagnoli)
	for _, a := range asff.Attributes() {
		fmt.Fprintf(h, "%s %d\n", a.Name(), a.Kind())
	}
	fmt.Fprintf(h, "%d %d %s", maxMapColumns, maxOwnColumns, ownPrefix)
	return h.Sum32()
}

// Write writes a snapshot. Changes may be applied meanwhile; mark must have been read before the call.
func (x *Index) Write(w io.Writer, mark Mark) error {
	x.writing.Lock()
	defer x.writing.Unlock()
	out := bufio.NewWriterSize(w, 1<<20)
	if _, err := out.WriteString(snapshotMagic); err != nil {
		return err
	}
	rows, body := x.encodeRows()
	header := append([]byte(nil), mark.Store[:]...)
	header = binary.LittleEndian.AppendUint64(header, uint64(mark.Change))
	header = binary.LittleEndian.AppendUint64(header, uint64(mark.ChangeAt))
	header = binary.LittleEndian.AppendUint32(header, tableSum())
	header = binary.LittleEndian.AppendUint64(header, uint64(rows))
	if err := errors.Join(section(out, 'H', header), section(out, 'R', body)); err != nil {
		return err
	}
	for i := 0; ; i++ {
		body, ok := x.encodeColumn(body[:0], i, rows)
		if !ok {
			break
		}
		if err := section(out, 'C', body); err != nil {
			return err
		}
	}
	return errors.Join(section(out, 'E', nil), out.Flush())
}

func section(w io.Writer, tag byte, body []byte) error {
	head := binary.LittleEndian.AppendUint64([]byte{tag}, uint64(len(body)))
	sum := crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, body)
	for _, b := range [][]byte{head, body, binary.LittleEndian.AppendUint32(nil, sum)} {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

func (x *Index) encodeRows() (rows int, b []byte) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	b = make([]byte, 0, 14*len(x.seqs)+256)
	for _, seq := range x.seqs {
		b = binary.LittleEndian.AppendUint64(b, uint64(seq))
	}
	for _, w := range x.alive {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	b = append(b, x.summary...)
	for _, t := range x.touched {
		b = binary.LittleEndian.AppendUint32(b, t)
	}
	for _, refused := range x.refused {
		b = append(b, map[bool]byte{true: 1}[refused])
	}
	return len(x.seqs), b
}

// encodeColumn appends column i as far as it has the first rows. ok is false if there is no such column.
func (x *Index) encodeColumn(b []byte, i, rows int) (body []byte, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if i >= len(x.columns) {
		return b, false
	}
	c := x.columns[i]
	b = appendText(appendText(b, c.attr.Name()), c.key)
	switch {
	case c.dict != nil:
		return c.encodeDict(append(b, 'd'), rows), true
	case c.hash != nil:
		return c.hash.encode(append(b, 'h'), rows), true
	case c.timed:
		times := c.times[:min(rows, len(c.times))]
		b = binary.AppendUvarint(append(b, 't'), uint64(len(times)))
		for _, n := range times {
			b = binary.LittleEndian.AppendUint64(b, uint64(n))
		}
	default:
		numbers := c.numbers[:min(rows, len(c.numbers))]
		b = binary.AppendUvarint(append(b, 'n'), uint64(len(numbers)))
		for _, n := range numbers {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(n))
		}
	}
	return c.encodeOdd(b, rows), true
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func (c *column) encodeDict(b []byte, rows int) []byte {
	b = binary.AppendUvarint(b, uint64(len(c.dict.tuples)-1))
	for _, t := range c.dict.tuples[1:] {
		b = appendText(b, t)
	}
	n := min(rows, c.codes.len())
	switch {
	case c.codes.wide != nil:
		b = binary.AppendUvarint(append(b, 4), uint64(n))
		for _, code := range c.codes.wide[:n] {
			b = binary.LittleEndian.AppendUint32(b, code)
		}
	case c.codes.middle != nil:
		b = binary.AppendUvarint(append(b, 2), uint64(n))
		for _, code := range c.codes.middle[:n] {
			b = binary.LittleEndian.AppendUint16(b, code)
		}
	default:
		b = append(binary.AppendUvarint(append(b, 1), uint64(n)), c.codes.narrow[:n]...)
	}
	return b
}

func (c *column) encodeOdd(b []byte, rows int) []byte {
	n := 0
	for row := range c.odd {
		if int(row) < rows {
			n++
		}
	}
	b = binary.AppendUvarint(b, uint64(n))
	for row, tuple := range c.odd {
		if int(row) < rows {
			b = appendText(binary.AppendUvarint(b, uint64(row)), tuple)
		}
	}
	return b
}

func (h *hashed) encode(b []byte, rows int) []byte {
	var fresh []uint64
	for hash, list := range h.fresh {
		for _, row := range list {
			fresh = append(fresh, uint64(hash)<<32|uint64(row))
		}
	}
	slices.Sort(fresh)
	all := make([]uint64, 0, len(h.base)+len(fresh))
	base := h.base
	for len(base) > 0 || len(fresh) > 0 {
		from := &base
		if len(base) == 0 || len(fresh) > 0 && fresh[0] < base[0] {
			from = &fresh
		}
		if uint64(uint32((*from)[0])) < uint64(rows) {
			all = append(all, (*from)[0])
		}
		*from = (*from)[1:]
	}
	b = binary.AppendUvarint(b, uint64(len(all)))
	for _, p := range all {
		b = binary.LittleEndian.AppendUint64(b, p)
	}
	return b
}
