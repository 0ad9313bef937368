// Package code prepares what an AWS Lambda function of runtime provided.al2023 runs: a zip with one executable named
// bootstrap. In comes a zip, or a bare Linux executable as `go build` makes it, or nothing, which means the zip that is
// embedded in this binary; out goes a checked Zip with its hash. The same executable gives the same bytes.
//
// It never builds anything and keeps nothing. It fails, and says how to make what is missing, when a file is neither a
// zip nor an ELF executable, is for another processor, holds no bootstrap that can be executed, or is too large.
package code

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// MaxUnzipped is the largest function that Lambda takes, unzipped (AWS Lambda Developer Guide, "Lambda quotas": 250 MB).
const MaxUnzipped = 250 << 20

// Arch is a processor architecture by Lambda's name for it.
type Arch string

// The architectures of Lambda.
const (
	ARM64 Arch = "arm64"
	X86   Arch = "x86_64"
)

// goarch is Go's name for a.
func (a Arch) goarch() string {
	if a == X86 {
		return "amd64"
	}
	return string(a)
}

// Zip is a function's code.
type Zip struct {
	Bytes  []byte
	SHA256 string // of Bytes, in hexadecimal
	Arch   Arch
}

//go:embed embedded
var embedded embed.FS

// ErrNotEmbedded says that this binary was built without the function's code.
var ErrNotEmbedded = errors.New("this eyrie was built without the function's code")

// Embedded returns the zip that was built into this binary, or ErrNotEmbedded.
func Embedded(arch Arch) (*Zip, error) {
	text, err := embedded.ReadFile("embedded/eyrie-lambda_" + arch.goarch() + ".zip")
	if err != nil {
		return nil, fmt.Errorf("%w for %s: build it with\n  CGO_ENABLED=0 GOOS=linux GOARCH=%s go build -tags lambda.norpc -trimpath -o bootstrap ./cmd/eyrie-lambda\nand give it with --code bootstrap",
			ErrNotEmbedded, arch, arch.goarch())
	}
	return Parse(text, arch)
}

// Read returns the code in the file at path, a zip or an executable, which must be for arch.
func Read(path string, arch Arch) (*Zip, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	z, err := Parse(text, arch)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return z, nil
}

// Parse checks text, a zip or an ELF executable, and returns it as a zip. It keeps text if that is a zip.
func Parse(text []byte, arch Arch) (*Zip, error) {
	switch {
	case bytes.HasPrefix(text, []byte("PK\x03\x04")):
		if err := checkZip(text, arch); err != nil {
			return nil, err
		}
	case bytes.HasPrefix(text, []byte(elf.ELFMAG)):
		if err := checkELF(bytes.NewReader(text), arch); err != nil {
			return nil, err
		}
		zipped, err := pack(text)
		if err != nil {
			return nil, err
		}
		text = zipped
	default:
		return nil, errors.New("neither a zip nor a Linux executable")
	}
	sum := sha256.Sum256(text)
	return &Zip{Bytes: text, SHA256: hex.EncodeToString(sum[:]), Arch: arch}, nil
}

// pack makes a zip of an executable. Its time is the zip format's first, so that the same executable gives the same zip.
func pack(bootstrap []byte) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	header.SetMode(0o755)
	f, err := w.CreateHeader(header)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(bootstrap); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func checkZip(text []byte, arch Arch) error {
	r, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		return err
	}
	for _, f := range r.File {
		if f.Name != "bootstrap" {
			continue
		}
		if f.Mode()&0o111 == 0 {
			return errors.New("bootstrap in the zip is not executable: chmod +x it before zipping")
		}
		if f.UncompressedSize64 > MaxUnzipped {
			return fmt.Errorf("bootstrap has %d bytes; Lambda takes %d", f.UncompressedSize64, MaxUnzipped)
		}
		content, err := f.Open()
		if err != nil {
			return err
		}
		defer content.Close()
		executable, err := io.ReadAll(io.LimitReader(content, MaxUnzipped+1))
		if err != nil {
			return fmt.Errorf("bootstrap in the zip: %w", err)
		}
		return checkELF(bytes.NewReader(executable), arch)
	}
	return errors.New("the zip holds no file named bootstrap")
}

func checkELF(r io.ReaderAt, arch Arch) error {
	f, err := elf.NewFile(r)
	if err != nil {
		return fmt.Errorf("bootstrap is no Linux executable: %w", err)
	}
	machines := map[elf.Machine]Arch{elf.EM_AARCH64: ARM64, elf.EM_X86_64: X86}
	if got := machines[f.Machine]; got != arch {
		return fmt.Errorf("bootstrap is for %v, not for %s: give --arch, or build it with GOARCH=%s", f.Machine, arch, arch.goarch())
	}
	return nil
}
