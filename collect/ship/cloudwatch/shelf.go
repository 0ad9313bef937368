package cloudwatch

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// MaxShelfBytes is how large the file of kept alerts gets.
const MaxShelfBytes = 64 << 20

var errShelfFull = errors.New("the file of alerts that CloudWatch Logs does not take is full; look at it and move it away")

// Shelf is a file to which alerts are appended that CloudWatch Logs does not take, or not whole. One JSON object a line:
//
//	{"kept":"2026-11-21T02:25:46Z","reason":"too_large","detail":"…","alert":"…as Falco wrote it…"}
//
// It is written with fsync, is never read, and is made when the first line is. For one goroutine.
type Shelf struct {
	path string
	max  int64
}

// NewShelf returns the shelf in dir, which must exist; "kept.jsonl" is its name there.
func NewShelf(dir string) *Shelf { return &Shelf{filepath.Join(dir, "kept.jsonl"), MaxShelfBytes} }

// put appends one line. After an error the alert does not count as kept.
func (s *Shelf) put(now time.Time, reason, detail string, alert []byte) error {
	line, err := json.Marshal(struct {
		Kept   string `json:"kept"`
		Reason string `json:"reason"`
		Detail string `json:"detail"`
		Alert  string `json:"alert"`
	}{now.UTC().Format(time.RFC3339), reason, detail, strings.ToValidUTF8(string(alert), "\uFFFD")})
	if err != nil {
		return fmt.Errorf("keep an alert: %w", err)
	}
	f, err := os.OpenFile(s.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep an alert: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("keep an alert: %w", err)
	}
	if info.Size()+int64(len(line)) > s.max {
		return fmt.Errorf("%w: %s", errShelfFull, s.path)
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		// A torn line must not swallow the next one. If this fails too, the next line stands in the torn one's.
		return errors.Join(fmt.Errorf("keep an alert: %w", err), f.Truncate(info.Size()))
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("keep an alert: %w", err)
	}
	return nil
}
