package users

import (
	"strconv"
	"strings"
)

// table is what the files of one place say.
type table struct {
	users    map[uint32]user
	groups   map[uint32]string
	versions [2]version // of passwd and group
	host     bool       // the files of another mount namespace that are the host's own
}

// version tells whether a file is the one that was read.
type version struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64 // ns since 1970
}

type user struct{ name, home, shell string }

// parsePasswd reads NAME:PASSWORD:UID:GID:COMMENT:HOME:SHELL lines, passwd(5). As with getpwuid the first of several
// entries of one user counts. Lines that are something else are left out.
func parsePasswd(text string) map[uint32]user {
	all := map[uint32]user{}
	each(text, 7, func(f []string) bool {
		uid, err := strconv.ParseUint(f[2], 10, 32)
		if err != nil {
			return true
		}
		if _, ok := all[uint32(uid)]; !ok {
			all[uint32(uid)] = user{f[0], f[5], f[6]}
		}
		return len(all) < maxEntries
	})
	return all
}

// parseGroup reads NAME:PASSWORD:GID:MEMBERS lines, group(5).
func parseGroup(text string) map[uint32]string {
	all := map[uint32]string{}
	each(text, 4, func(f []string) bool {
		gid, err := strconv.ParseUint(f[2], 10, 32)
		if err != nil {
			return true
		}
		if _, ok := all[uint32(gid)]; !ok {
			all[uint32(gid)] = f[0]
		}
		return len(all) < maxEntries
	})
	return all
}

// each gives the lines that have n fields and a name to f, which says whether to go on. The strings that f keeps do not
// keep the whole text alive.
func each(text string, n int, f func([]string) bool) {
	fields := make([]string, 0, n+1)
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) > 4*maxField || line == "" || line[0] == '#' || line[0] == ':' {
			continue
		}
		fields = fields[:0]
		long := false
		for part := range strings.SplitSeq(strings.Clone(line), ":") {
			fields = append(fields, part)
			long = long || len(part) > maxField
			if len(fields) > n {
				break
			}
		}
		if len(fields) == n && !long && !f(fields) {
			return
		}
	}
}
