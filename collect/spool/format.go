package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// The layout; FORMAT.md draws it.
const (
	segmentMagic  = "EYRISPOL"
	markMagic     = "EYRIMARK"
	version       = 1
	segmentHeader = 32
	frameHeader   = 36
	markSlot      = 32
	markSpacing   = 512
	maxPayload    = 64 << 20
	flagWhole     = 1          // the changes are the whole state
	deletedValue  = 0xFFFFFFFF // length of a value that is not there
)

// frameSync begins each frame. 0xE7 followed by 0x79 is not UTF-8, so that no text holds it.
const frameSync = "\xE7\x79\xC6\x0A"

var (
	errInvalid = errors.New("not a valid frame")
	crcTable   = crc32.MakeTable(crc32.Castagnoli)
	le         = binary.LittleEndian
)

// frame is one decoded frame; its slices point into the bytes it was decoded from.
type frame struct {
	size    int // bytes, with the header
	first   uint64
	records [][]byte
	changes []change
	whole   bool
}

// change sets key to value, or deletes it if value is nil.
type change struct {
	key   string
	value []byte
}

// header is a frame's fixed part.
type header struct {
	payloadCRC, length, records, changes, flags uint32
	first                                       uint64
}

func appendSegmentHeader(dst []byte, base, salt uint64) []byte {
	b := make([]byte, segmentHeader)
	copy(b, segmentMagic)
	le.PutUint32(b[8:], version)
	le.PutUint64(b[16:], base)
	le.PutUint64(b[24:], salt)
	le.PutUint32(b[12:], crc32.Update(crc32.Checksum(b[:12], crcTable), crcTable, b[16:]))
	return append(dst, b...)
}

func parseSegmentHeader(b []byte) (base, salt uint64, ok bool) {
	if len(b) < segmentHeader || string(b[:8]) != segmentMagic || le.Uint32(b[8:]) != version ||
		le.Uint32(b[12:]) != crc32.Update(crc32.Checksum(b[:12], crcTable), crcTable, b[16:segmentHeader]) {
		return 0, 0, false
	}
	return le.Uint64(b[16:]), le.Uint64(b[24:]), true
}

// checksum is the CRC of the salt and b.
func checksum(salt uint64, b []byte) uint32 {
	var s [8]byte
	le.PutUint64(s[:], salt)
	return crc32.Update(crc32.Checksum(s[:], crcTable), crcTable, b)
}

// appendFrame appends one frame. Keys and values are copied, nil values are deletions.
func appendFrame(dst []byte, salt, first uint64, records [][]byte, changes map[string][]byte, whole bool) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, frameHeader)...)
	for _, r := range records {
		dst = le.AppendUint32(dst, uint32(len(r)))
		dst = append(dst, r...)
	}
	for key, value := range changes {
		dst = le.AppendUint32(dst, uint32(len(key)))
		if value == nil {
			dst = le.AppendUint32(dst, deletedValue)
		} else {
			dst = le.AppendUint32(dst, uint32(len(value)))
		}
		dst = append(dst, key...)
		dst = append(dst, value...)
	}
	h := dst[start : start+frameHeader]
	payload := dst[start+frameHeader:]
	copy(h, frameSync)
	le.PutUint32(h[8:], checksum(salt, payload))
	le.PutUint32(h[12:], uint32(len(payload)))
	le.PutUint64(h[16:], first)
	le.PutUint32(h[24:], uint32(len(records)))
	le.PutUint32(h[28:], uint32(len(changes)))
	if whole {
		le.PutUint32(h[32:], flagWhole)
	}
	le.PutUint32(h[4:], checksum(salt, h[8:]))
	return dst
}

// parseHeader checks a frame's header.
func parseHeader(b []byte, salt uint64) (h header, ok bool) {
	if len(b) < frameHeader || string(b[:4]) != frameSync || le.Uint32(b[4:]) != checksum(salt, b[8:frameHeader]) {
		return h, false
	}
	h = header{
		payloadCRC: le.Uint32(b[8:]), length: le.Uint32(b[12:]), first: le.Uint64(b[16:]),
		records: le.Uint32(b[24:]), changes: le.Uint32(b[28:]), flags: le.Uint32(b[32:]),
	}
	return h, h.length <= maxPayload && h.flags&^flagWhole == 0 && uint64(h.records)*4+uint64(h.changes)*8 <= uint64(h.length)
}

// parseFrame decodes the frame at the start of b.
func parseFrame(b []byte, salt uint64) (frame, error) {
	h, ok := parseHeader(b, salt)
	if !ok || uint64(len(b)) < frameHeader+uint64(h.length) {
		return frame{}, errInvalid
	}
	payload := b[frameHeader : frameHeader+int(h.length)]
	if checksum(salt, payload) != h.payloadCRC {
		return frame{}, errInvalid
	}
	f := frame{size: frameHeader + len(payload), first: h.first, whole: h.flags&flagWhole != 0}
	f.records = make([][]byte, 0, h.records)
	for range h.records {
		record, rest, ok := cut(payload, 4, 0)
		if !ok {
			return frame{}, errInvalid
		}
		f.records, payload = append(f.records, record), rest
	}
	for range h.changes {
		key, rest, ok := cut(payload, 8, 0)
		if !ok {
			return frame{}, errInvalid
		}
		c := change{key: string(key)}
		if n := le.Uint32(payload[4:]); n != deletedValue {
			if uint64(n) > uint64(len(rest)) {
				return frame{}, errInvalid
			}
			c.value, rest = rest[:n:n], rest[n:]
		}
		f.changes, payload = append(f.changes, c), rest
	}
	if len(payload) != 0 {
		return frame{}, errInvalid
	}
	return f, nil
}

// cut takes a block of which the length stands at b[at:] and the bytes at b[head:].
func cut(b []byte, head, at int) (block, rest []byte, ok bool) {
	if len(b) < head {
		return nil, nil, false
	}
	n := uint64(le.Uint32(b[at:]))
	if uint64(len(b)-head) < n {
		return nil, nil, false
	}
	end := head + int(n)
	return b[head:end:end], b[end:], true
}

func appendMark(dst []byte, turn, next uint64) []byte {
	b := make([]byte, markSlot)
	copy(b, markMagic)
	le.PutUint64(b[8:], turn)
	le.PutUint64(b[16:], next)
	le.PutUint32(b[28:], crc32.Checksum(b[:28], crcTable))
	return append(dst, b...)
}

// parseMark returns the newer valid slot of a mark file; turn 0 if there is none.
func parseMark(b []byte) (turn, next uint64) {
	for at := 0; at+markSlot <= len(b) && at <= markSpacing; at += markSpacing {
		s := b[at : at+markSlot]
		if string(s[:8]) == markMagic && crc32.Checksum(s[:28], crcTable) == le.Uint32(s[28:]) && le.Uint64(s[8:]) > turn {
			turn, next = le.Uint64(s[8:]), le.Uint64(s[16:])
		}
	}
	return turn, next
}
