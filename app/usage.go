package app

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is what this process has used.
type Usage struct {
	RSS int64         // bytes of memory that are resident now; 0 if /proc does not tell
	CPU time.Duration // processor time since its start, user and system
}

// Used asks the kernel what this process has used.
func Used() Usage {
	var u Usage
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err == nil {
		u.CPU = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	// The second number is the resident set in pages (proc(5), /proc/PID/statm).
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := bytes.Fields(statm); len(fields) > 1 {
			if pages, err := strconv.ParseInt(string(fields[1]), 10, 64); err == nil {
				u.RSS = pages * int64(os.Getpagesize())
			}
		}
	}
	return u
}
