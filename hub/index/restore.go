package index

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/bits"
	"slices"

	"github.com/eyrie-sec/eyrie/asff"
)

// Read reads a snapshot that Write wrote. The error wraps ErrSnapshot if the file is damaged or of another version; the
// caller then rebuilds. It is not hardened against a file made to hurt: the file lies in the hub's own directory.
func Read(r io.Reader) (x *Index, mark Mark, err error) {
	defer func() {
		// Lengths inside a section are not checked one by one: its checksum vouches for them. What slips through is a
		// file written by a program with a bug, and must not keep the hub from starting.
		if p := recover(); p != nil {
			x, err = nil, fmt.Errorf("%w: %v", ErrSnapshot, p)
		}
	}()
	in := bufio.NewReaderSize(r, 1<<20)
	magic := make([]byte, len(snapshotMagic))
	if _, err := io.ReadFull(in, magic); err != nil || string(magic) != snapshotMagic {
		return nil, mark, fmt.Errorf("%w: wrong magic or version", ErrSnapshot)
	}
	x = New()
	rows := 0
	var body []byte
	for {
		var tag byte
		if tag, body, err = readSection(in, body); err != nil {
			return nil, mark, err
		}
		d := &decoder{body}
		switch tag {
		case 'H':
			copy(mark.Store[:], d.take(16))
			mark.Change, mark.ChangeAt = int64(d.u64()), int64(d.u64())
			if sum := d.u32(); sum != tableSum() {
				return nil, mark, fmt.Errorf("%w: made with other attributes", ErrSnapshot)
			}
			rows = int(d.u64())
		case 'R':
			x.decodeRows(d, rows)
		case 'C':
			if err := x.decodeColumn(d); err != nil {
				return nil, mark, err
			}
		case 'E':
			return x, mark, nil
		default:
			return nil, mark, fmt.Errorf("%w: section %q", ErrSnapshot, tag)
		}
	}
}

func readSection(r io.Reader, buf []byte) (tag byte, body []byte, err error) {
	head := make([]byte, 9)
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, buf, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	n := binary.LittleEndian.Uint64(head[1:])
	if n > 1<<34 {
		return 0, buf, fmt.Errorf("%w: section of %d bytes", ErrSnapshot, n)
	}
	// Grow as bytes arrive: a damaged length must not allocate 16 GB.
	body = buf[:0]
	for uint64(len(body)) < n {
		step := int(min(n-uint64(len(body)), 16<<20))
		body = slices.Grow(body, step)
		m, err := io.ReadFull(r, body[len(body):len(body)+step])
		body = body[:len(body)+m]
		if err != nil {
			return 0, body, fmt.Errorf("%w: %w", ErrSnapshot, err)
		}
	}
	sum := make([]byte, 4)
	if _, err := io.ReadFull(r, sum); err != nil {
		return 0, body, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	if crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, body) != binary.LittleEndian.Uint32(sum) {
		return 0, body, fmt.Errorf("%w: checksum of section %q", ErrSnapshot, head[0])
	}
	return head[0], body, nil
}

// decoder takes values off a section whose checksum was right. It panics when there is less than asked for.
type decoder struct{ b []byte }

func (d *decoder) take(n int) []byte {
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) u32() uint32 { return binary.LittleEndian.Uint32(d.take(4)) }
func (d *decoder) u64() uint64 { return binary.LittleEndian.Uint64(d.take(8)) }

func (d *decoder) count() int {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		panic("bad uvarint")
	}
	d.take(size)
	return int(n)
}

func (d *decoder) text() string { return string(d.take(d.count())) }

func (x *Index) decodeRows(d *decoder, rows int) {
	x.seqs = make([]int64, rows, rows+rows/8+64)
	for i := range x.seqs {
		x.seqs[i] = int64(d.u64())
	}
	x.alive = make([]uint64, (rows+63)/64)
	for i := range x.alive {
		x.alive[i] = d.u64()
		x.live += bits.OnesCount64(x.alive[i])
	}
	x.summary = append([]uint8(nil), d.take(rows)...)
	x.touched = make([]uint32, rows)
	for i := range x.touched {
		x.touched[i] = d.u32()
	}
	for i, b := range d.take(len(x.refused)) {
		x.refused[i] = b != 0
	}
	for row, s := range x.summary {
		if x.isAlive(row) {
			x.counts[s]++
		}
	}
}

func (x *Index) decodeColumn(d *decoder) error {
	name := d.text()
	a, ok := asff.AttributeByName(name)
	if !ok {
		return fmt.Errorf("%w: attribute %q", ErrSnapshot, name)
	}
	c := &column{attr: a, key: d.text()}
	switch kind := d.take(1)[0]; kind {
	case 'd':
		c.decodeDict(d)
	case 'h':
		c.hash = newHashed()
		c.hash.base = make([]uint64, d.count())
		for i := range c.hash.base {
			c.hash.base[i] = d.u64()
		}
	case 't':
		c.timed = true
		c.times = make([]int64, d.count())
		for i := range c.times {
			c.times[i] = int64(d.u64())
		}
		c.decodeOdd(d)
	case 'n':
		c.numeric = true
		c.numbers = make([]float32, d.count())
		for i := range c.numbers {
			c.numbers[i] = math.Float32frombits(d.u32())
		}
		c.decodeOdd(d)
	default:
		return fmt.Errorf("%w: column kind %q", ErrSnapshot, kind)
	}
	x.addColumn(c)
	return nil
}

func (c *column) decodeDict(d *decoder) {
	n := d.count()
	c.dict = newDict()
	c.dict.codes = make(map[string]uint32, n)
	for range n {
		c.dict.add(d.text())
	}
	width, count := d.take(1)[0], d.count()
	switch width {
	case 4:
		c.codes.wide = make([]uint32, count)
		for i := range c.codes.wide {
			c.codes.wide[i] = d.u32()
		}
	case 2:
		c.codes.middle = make([]uint16, count)
		for i, b := 0, d.take(2*count); i < count; i++ {
			c.codes.middle[i] = binary.LittleEndian.Uint16(b[2*i:])
		}
	default:
		c.codes.narrow = append(make([]uint8, 0, count), d.take(count)...)
	}
	for row := range c.codes.len() {
		if code := c.codes.get(row); code != 0 {
			if c.dict.refs[code] == 0 {
				c.dict.dead--
			}
			c.dict.refs[code]++
		}
	}
}

func (c *column) decodeOdd(d *decoder) {
	n := d.count()
	c.odd = make(map[uint32]string, n)
	for range n {
		row := d.count()
		c.odd[uint32(row)] = d.text()
	}
}
