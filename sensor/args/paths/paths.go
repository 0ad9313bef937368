// Package paths resolves path names as text, the way Falco does: a name and the directory it is relative to come in, an
// absolute name goes out. Dots, double dots and repeated slashes are folded without looking at any file system, so a
// symbolic link before a double dot gives another file than the kernel opened. Nothing here can fail; a name that is
// empty stays empty.
package paths

import (
	"bytes"
	"strings"
)

// The limit of what a relative name and its directory make, and what stands in the place of more.
const (
	MaxLen  = 1024 // SCAP_MAX_PATH_SIZE of libs 0.25.4
	TooLong = "/DIR_TOO_LONG/FILENAME_TOO_LONG"
)

// Join is the name relative to the directory base. It allocates only where the answer is neither name nor base.
func Join(base, name string) string {
	if name == "" {
		return ""
	}
	if name[0] == '/' {
		if clean(name) {
			return name
		}
		return string(fold(make([]byte, 0, len(name)), name))
	}
	if len(base)+1+len(name) >= MaxLen {
		return TooLong
	}
	return string(Append(make([]byte, 0, len(base)+1+len(name)), base, name))
}

// Append is Join into a buffer.
func Append(dst []byte, base, name string) []byte {
	switch {
	case name == "":
		return dst
	case name[0] == '/':
		return fold(dst, name)
	case len(base)+1+len(name) >= MaxLen:
		return append(dst, TooLong...)
	}
	start := len(dst)
	dst = fold(dst, base)
	if len(dst) == start {
		return fold(dst, name)
	}
	return foldAfter(dst, start, name)
}

// Clean says whether an absolute name is as Join would leave it.
func clean(name string) bool {
	if len(name) > 1 && name[len(name)-1] == '/' {
		return false
	}
	for i := strings.IndexByte(name, '/'); i >= 0; {
		rest := name[i+1:]
		if rest == "" {
			break
		}
		next := strings.IndexByte(rest, '/')
		part := rest
		if next >= 0 {
			part = rest[:next]
		}
		if part == "" || part == "." || part == ".." {
			return false
		}
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return true
}

func fold(dst []byte, name string) []byte {
	start := len(dst)
	if strings.HasPrefix(name, "/") {
		dst = append(dst, '/')
	}
	return foldAfter(dst, start, name)
}

// foldAfter adds the parts of name to what stands in dst from start on.
func foldAfter(dst []byte, start int, name string) []byte {
	for name != "" {
		part := name
		if i := strings.IndexByte(name, '/'); i >= 0 {
			part, name = name[:i], name[i+1:]
		} else {
			name = ""
		}
		switch part {
		case "", ".":
			continue
		case "..":
			if end := len(dst); end > start {
				if i := bytes.LastIndexByte(dst[start:end], '/'); i > 0 || i == 0 && end > start+1 {
					dst = dst[:max(start+i, start+1)]
				} else if i < 0 {
					dst = dst[:start]
				}
			}
			continue
		}
		if end := len(dst); end > start && dst[end-1] != '/' {
			dst = append(dst, '/')
		}
		dst = append(dst, part...)
	}
	return dst
}
