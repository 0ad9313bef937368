package procs

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/eyrie-sec/eyrie/sensor/raw"
)

const (
	ticksPerSecond = 100 // USER_HZ, the unit of /proc/PID/stat on x86-64 and arm64
	nsPerTick      = 1e9 / ticksPerSecond
)

var errStat = errors.New("not the format of /proc/PID/stat")

// stat is what is used of /proc/PID/stat.
type stat struct {
	comm            []byte
	ppid, pgid, sid int32
	tty             uint32
	start           uint64 // ns since boot, in steps of nsPerTick
	zombie          bool
}

// parseStat reads /proc/PID/stat; comm points into text.
func parseStat(text []byte) (s stat, err error) {
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return s, errStat
	}
	s.comm = text[open+1 : end]
	// Fields from the third on: state ppid pgrp session tty_nr ... starttime is the 22nd.
	n := 3
	for rest := text[end+1:]; n <= 22; n++ {
		rest = bytes.TrimLeft(rest, " ")
		var one []byte
		if i := bytes.IndexAny(rest, " \n"); i >= 0 {
			one, rest = rest[:i], rest[i:]
		} else {
			one, rest = rest, nil
		}
		if len(one) == 0 {
			return s, errStat
		}
		if n == 3 {
			s.zombie = one[0] == 'Z' || one[0] == 'X'
			continue
		}
		v := number(one)
		switch n {
		case 4:
			s.ppid = int32(v)
		case 5:
			s.pgid = int32(v)
		case 6:
			s.sid = int32(v)
		case 7:
			s.tty = uint32(v)
		case 22:
			s.start = uint64(v) * nsPerTick
		}
	}
	return s, nil
}

// number is a decimal number, 0 where there is none.
func number(b []byte) int64 {
	n, negative := int64(0), len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	for _, c := range b {
		if c < '0' || c > '9' || n > (1<<63-1)/10-1 {
			return 0
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		return -n
	}
	return n
}

// lastNumber is the last of several numbers: the one in the innermost namespace.
func lastNumber(b []byte) int64 {
	b = bytes.TrimSpace(b)
	return number(b[bytes.LastIndexAny(b, " \t")+1:])
}

// status is what is used of /proc/PID/status.
type status struct {
	vpid, vpgid, vsid int32    // in the innermost PID namespace; 0 on kernels before 4.1
	task              raw.Task // ids and capabilities
}

// parseStatus reads /proc/PID/status.
func parseStatus(text []byte) (s status) {
	for len(text) > 0 {
		var line []byte
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			line, text = text[:i], text[i+1:]
		} else {
			line, text = text, nil
		}
		name, value, found := bytes.Cut(line, []byte(":"))
		if !found {
			continue
		}
		switch string(name) {
		case "Uid":
			s.task.FSUID = uint32(lastNumber(value))
		case "Gid":
			s.task.EGID = uint32(lastNumber(value))
		case "CapEff":
			s.task.CapEffective, _ = strconv.ParseUint(string(bytes.TrimSpace(value)), 16, 64)
			return s // nothing that is used comes after it
		case "NSpid":
			s.vpid = int32(lastNumber(value))
		case "NSpgid":
			s.vpgid = int32(lastNumber(value))
		case "NSsid":
			s.vsid = int32(lastNumber(value))
		}
	}
	return s
}

// parseCgroup reads /proc/PID/cgroup.
func parseCgroup(text []byte) []Cgroup {
	var paths []Cgroup
	for _, line := range bytes.Split(text, []byte("\n")) {
		_, rest, ok := bytes.Cut(line, []byte(":"))
		controllers, path, ok2 := bytes.Cut(rest, []byte(":"))
		if ok && ok2 && len(path) > 0 {
			paths = append(paths, Cgroup{string(controllers), string(path)})
		}
	}
	return paths
}

// namespaceID is the number in "pid:[4026531836]", 0 where there is none.
func namespaceID(link []byte) uint32 {
	_, rest, ok := bytes.Cut(link, []byte("["))
	if !ok {
		return 0
	}
	n, err := strconv.ParseUint(string(bytes.TrimSuffix(rest, []byte("]"))), 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}
