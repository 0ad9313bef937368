package simulate

import (
	"encoding/binary"
	"fmt"
)

// tinyProgram is an executable that ends at once, with status 0: an ELF header, one program header, a few instructions.
//
//	0x00  ELF header (64 bytes), entry at 0x400078
//	0x40  program header (56 bytes): everything, readable and executable, at 0x400000
//	0x78  code
func tinyProgram(arch string) ([]byte, error) {
	const base, start = 0x400000, 0x78
	var machine uint16
	var code []byte
	switch arch {
	case "amd64": // EM_X86_64: mov $60,%eax; xor %edi,%edi; syscall
		machine, code = 62, []byte{0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05}
	case "arm64": // EM_AARCH64: mov x8,#93; mov x0,#0; svc #0
		machine, code = 183, []byte{0xa8, 0x0b, 0x80, 0xd2, 0x00, 0x00, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4}
	default:
		return nil, fmt.Errorf("no tiny program for %s", arch)
	}
	le := binary.LittleEndian
	b := []byte{0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	b = le.AppendUint16(b, 2) // ET_EXEC
	b = le.AppendUint16(b, machine)
	b = le.AppendUint32(b, 1)
	b = le.AppendUint64(b, base+start)
	b = le.AppendUint64(b, 64) // program headers
	b = le.AppendUint64(b, 0)  // no sections
	b = le.AppendUint32(b, 0)
	for _, n := range []uint16{64, 56, 1, 64, 0, 0} {
		b = le.AppendUint16(b, n)
	}
	size := uint64(start + len(code))
	b = le.AppendUint32(b, 1) // PT_LOAD
	b = le.AppendUint32(b, 5) // R X
	for _, n := range []uint64{0, base, base, size, size, 0x1000} {
		b = le.AppendUint64(b, n)
	}
	return append(b, code...), nil
}
