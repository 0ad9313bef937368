package code

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// executable is the smallest ELF file that says what it is for.
func executable(machine elf.Machine) []byte {
	var h elf.Header64
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	h.Type, h.Machine, h.Version = uint16(elf.ET_EXEC), uint16(machine), uint32(elf.EV_CURRENT)
	h.Ehsize, h.Phentsize, h.Shentsize = 64, 56, 64
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, h)
	return b.Bytes()
}

func zipOf(t testing.TB, name string, mode os.FileMode, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	h.SetMode(mode)
	f, err := w.CreateHeader(h)
	if err != nil {
		t.Fatal(err)
	}
	f.Write(content)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestParse(t *testing.T) {
	arm, x86 := executable(elf.EM_AARCH64), executable(elf.EM_X86_64)
	cut := zipOf(t, "bootstrap", 0o755, bytes.Repeat(arm, 100))
	for _, c := range []struct {
		name string
		in   []byte
		arch Arch
		err  string
	}{
		{"executable", arm, ARM64, ""},
		{"executable for x86-64", x86, X86, ""},
		{"zip", zipOf(t, "bootstrap", 0o755, arm), ARM64, ""},
		{"executable for the other", x86, ARM64, "bootstrap is for EM_X86_64, not for arm64"},
		{"zip for the other", zipOf(t, "bootstrap", 0o755, arm), X86, "build it with GOARCH=amd64"},
		{"32 bit", executable(elf.EM_386), X86, "EM_386"},
		{"not executable", zipOf(t, "bootstrap", 0o644, arm), ARM64, "chmod +x"},
		{"no bootstrap", zipOf(t, "main", 0o755, arm), ARM64, "no file named bootstrap"},
		{"script", zipOf(t, "bootstrap", 0o755, []byte("#!/bin/sh\n")), ARM64, "no Linux executable"},
		{"cut zip", cut[:len(cut)-10], ARM64, "zip: not a valid zip file"},
		{"text", []byte("hello"), ARM64, "neither a zip nor a Linux executable"},
		{"empty", nil, ARM64, "neither"},
		{"cut executable", arm[:20], ARM64, "no Linux executable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			z, err := Parse(c.in, c.arch)
			if c.err == "" {
				if err != nil {
					t.Fatal(err)
				}
				if again, err := Parse(z.Bytes, c.arch); err != nil || again.SHA256 != z.SHA256 || len(z.SHA256) != 64 {
					t.Errorf("the zip made is not taken as it is: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

func TestSameExecutableSameZip(t *testing.T) {
	a, err := Parse(executable(elf.EM_AARCH64), ARM64)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Parse(executable(elf.EM_AARCH64), ARM64)
	if err != nil {
		t.Fatal(err)
	}
	if a.SHA256 != b.SHA256 {
		t.Errorf("%s and %s", a.SHA256, b.SHA256)
	}
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bootstrap")
	if err := os.WriteFile(path, []byte("no"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, ARM64); err == nil || !strings.HasPrefix(err.Error(), path) {
		t.Errorf("error %v does not name the file", err)
	}
	if _, err := Read(path+"x", ARM64); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestEmbedded(t *testing.T) {
	for _, arch := range []Arch{ARM64, X86} {
		z, err := Embedded(arch)
		if _, there := embedded.Open("embedded/eyrie-lambda_" + arch.goarch() + ".zip"); there == nil {
			if err != nil || z.Arch != arch {
				t.Errorf("%s: %v", arch, err)
			}
			continue
		}
		if !errors.Is(err, ErrNotEmbedded) || !strings.Contains(err.Error(), "GOARCH="+arch.goarch()) {
			t.Errorf("%s: error %v does not say how to build it", arch, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(executable(elf.EM_AARCH64))
	f.Add(zipOf(f, "bootstrap", 0o755, executable(elf.EM_AARCH64)))
	f.Fuzz(func(t *testing.T, in []byte) {
		z, err := Parse(in, ARM64)
		if (z == nil) == (err == nil) {
			t.Errorf("zip %v, error %v", z, err)
		}
	})
}
