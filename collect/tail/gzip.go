package tail

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"
)

func isGzip(path string) bool { return strings.HasSuffix(path, ".gz") }

// gzipAt reads the decompressed content of a rotated file at growing offsets. It remembers the last bytes, so that a
// read which overlaps the one before costs nothing; a read further back starts again from the file's beginning.
type gzipAt struct {
	file   *os.File
	zip    *gzip.Reader
	off    int64 // decompressed bytes read
	recent []byte
}

// ReadAt implements io.ReaderAt, for one caller at a time.
func (g *gzipAt) ReadAt(b []byte, off int64) (int, error) {
	if g.zip == nil || off < g.off-int64(len(g.recent)) {
		if err := g.restart(); err != nil {
			return 0, err
		}
	}
	for scratch := make([]byte, 64<<10); off > g.off; {
		n, err := io.ReadFull(g.zip, scratch[:min(off-g.off, int64(len(scratch)))])
		g.remember(scratch[:n])
		if err != nil {
			return 0, ended(err)
		}
	}
	n := copy(b, g.recent[int64(len(g.recent))-(g.off-off):])
	got, err := io.ReadFull(g.zip, b[n:])
	g.remember(b[n : n+got])
	return n + got, ended(err)
}

func (g *gzipAt) restart() error {
	if _, err := g.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("rewind gzip file: %w", err)
	}
	zip, err := gzip.NewReader(g.file)
	if err != nil {
		return fmt.Errorf("open gzip file: %w", err)
	}
	g.zip, g.off, g.recent = zip, 0, g.recent[:0]
	return nil
}

func (g *gzipAt) remember(b []byte) {
	g.off += int64(len(b))
	g.recent = append(g.recent, b...)
	if over := len(g.recent) - fingerprintBytes; over > 0 {
		g.recent = append(g.recent[:0], g.recent[over:]...)
	}
}

func ended(err error) error {
	if err == io.ErrUnexpectedEOF {
		return io.EOF
	}
	return err
}
