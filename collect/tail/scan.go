package tail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// scan looks which files the followed paths lead to now.
func (f *Follower) scan() {
	wanted := f.expand()
	for path, pattern := range wanted {
		f.visit(path, pattern)
	}
	for path, w := range f.paths {
		if _, ok := wanted[path]; !ok {
			f.unfollow(w)
			delete(f.paths, path)
			delete(f.complained, path)
		}
	}
	if now := f.cfg.Now(); now.Sub(f.pruned) >= pruneEvery {
		f.pruned = now
		f.prune()
	}
	f.watch.follow(f.paths, f.cfg.From)
}

// expand returns the paths to follow now, each with the member of Config.From that asked for it. Where a glob finds a
// file and its rotated generations, only the file itself is a path; the generations are found from it. Archives, and
// what is written while one is made, are no logs.
func (f *Follower) expand() map[string]string {
	wanted := map[string]string{}
	for _, pattern := range f.cfg.From {
		if pattern == Stdin {
			continue
		}
		if _, err := os.Lstat(pattern); err == nil {
			wanted[pattern] = pattern
			continue
		}
		found, err := filepath.Glob(pattern)
		if err != nil {
			continue // checked by New
		}
		names := f.knownPaths()
		for _, path := range found {
			names[path] = true
		}
		for _, path := range found {
			if _, ok := wanted[path]; !ok && !isMade(path) && !isGenerationOf(path, names) {
				wanted[path] = pattern
			}
		}
	}
	return wanted
}

// knownPaths returns the paths of all files that are or were followed. In the moment between a rename and the creation of
// the new file, only they tell that x.log.1 is a generation of x.log.
func (f *Follower) knownPaths() map[string]bool {
	known := map[string]bool{}
	for path := range f.paths {
		known[path] = true
	}
	for _, t := range f.files {
		known[t.pos.Path] = true
	}
	for _, p := range f.dormant {
		known[p.Path] = true
	}
	return known
}

// visit opens what path leads to, and its generations, if they are not those that were there before. A path of which the symbolic link is broken for a moment
// keeps its file.
func (f *Follower) visit(path, pattern string) {
	w := f.paths[path]
	if w == nil {
		w = &watched{path: path, pattern: pattern}
		f.paths[path] = w
	}
	real, err := filepath.EvalSymlinks(path)
	var info os.FileInfo
	if err == nil {
		info, err = os.Stat(real)
	}
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		f.complain(path, err)
		return
	}
	around := signature(real)
	if id := idOf(info); w.cur != nil && f.byID[id] == w.cur && w.around == around && !w.again {
		return
	}
	w.around, w.again = around, false
	err = f.resolve(w, real)
	if errors.Is(err, fs.ErrNotExist) { // renamed this moment
		return
	}
	if err != nil {
		f.complain(path, err)
		return
	}
	delete(f.complained, path)
}

// unfollow is called when a path is gone: deleted, or renamed and not created again yet.
func (f *Follower) unfollow(w *watched) {
	if w.cur != nil {
		f.release(w.cur)
	}
	w.cur = nil
}

// release takes one reference off t; without any, t is read to its end and left.
func (f *Follower) release(t *file) {
	if t.refs--; t.refs == 0 {
		t.idle = f.cfg.Now()
		f.Stats.Rotations.Add(1)
	}
}

// prune forgets dormant files of which neither the path nor any generation exists.
func (f *Follower) prune() {
	gone := map[string]bool{}
	for key, p := range f.dormant {
		missing, checked := gone[p.Real]
		if !checked {
			_, err := os.Lstat(p.Real)
			missing = errors.Is(err, fs.ErrNotExist) && len(generations(p.Real)) == 0
			gone[p.Real] = missing
		}
		if missing {
			f.drop(key)
		}
	}
}

// signature changes whenever the generations of real do. A whole generation may come and go between two looks: only its
// name, a new one or one with another inode, tells of it.
func signature(real string) string {
	var b strings.Builder
	for _, path := range generations(real) {
		if info, err := os.Stat(path); err == nil {
			id := idOf(info)
			fmt.Fprintf(&b, "%s %x %x %x\n", path, id.dev, id.ino, info.Size())
		}
	}
	return b.String()
}

// generations returns the paths of the rotated generations of the file real, oldest first.
func generations(real string) []string {
	dir, base := filepath.Split(real)
	entries, err := os.ReadDir(filepath.Clean(dir + "."))
	if err != nil {
		return nil
	}
	type generation struct {
		path string
		info os.FileInfo
	}
	names := map[string]bool{}
	for _, e := range entries {
		names[e.Name()] = true
	}
	var all []generation
	for name := range names {
		if !isGeneration(base, name) || isGzip(name) && names[strings.TrimSuffix(name, ".gz")] {
			continue // an archive beside its original is not finished
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			all = append(all, generation{filepath.Join(dir, name), info})
		}
	}
	slices.SortFunc(all, func(a, b generation) int {
		if c := a.info.ModTime().Compare(b.info.ModTime()); c != 0 {
			return c
		}
		// The same instant. Numbers grow with age (x.log.2 is older than x.log.1), dates do not.
		if len(a.path) < len(real)+6 && len(b.path) < len(real)+6 {
			return strings.Compare(b.path, a.path)
		}
		return strings.Compare(a.path, b.path)
	})
	paths := make([]string, len(all))
	for i, g := range all {
		paths[i] = g.path
	}
	return paths
}

// isMade reports whether path ends as the files do that rotations make of logs: no glob follows those.
func isMade(path string) bool {
	switch filepath.Ext(path) {
	case ".gz", ".bz2", ".xz", ".zst", ".zip", ".tmp":
		return true
	}
	return false
}

// isGenerationOf reports whether path is a rotated generation of one of the others.
func isGenerationOf(path string, others map[string]bool) bool {
	dir, name := filepath.Split(strings.TrimSuffix(path, ".gz"))
	is := func(base string) bool { return others[dir+base] && isGeneration(base, name) }
	if is(strings.TrimSuffix(name, ".old")) {
		return true
	}
	ext := filepath.Ext(name)
	for i := len(name) - 1; i > 0; i-- {
		if isSeparator(name[i]) && (is(name[:i]) || i < len(name)-len(ext) && is(name[:i]+ext)) {
			return true
		}
	}
	return false
}

// isGeneration reports whether name is one that a rotation gives the file base: with base x.log
//
//	x.log.1  x.log.old  x.log-20260101  x.log.20260101-022545 (kubelet)   logrotate's and the runtimes' forms
//	x-20260101.log  x-2026-01-01T02-25-46.697.log                          a date before the extension
//
// each with or without .gz. A short number before the extension (x-1.log) is another log.
func isGeneration(base, name string) bool {
	name = strings.TrimSuffix(name, ".gz")
	if rest, ok := strings.CutPrefix(name, base); ok {
		return rest == ".old" || len(rest) > 1 && isSeparator(rest[0]) && isStamp(rest[1:])
	}
	ext := filepath.Ext(base)
	rest, ok := strings.CutPrefix(name, strings.TrimSuffix(base, ext))
	if !ok || ext == "" {
		return false
	}
	const date = len("20260101")
	rest, ok = strings.CutSuffix(rest, ext)
	return ok && len(rest) > date && isSeparator(rest[0]) && strings.HasPrefix(rest[1:], "20") && isStamp(rest[1:])
}

func isSeparator(c byte) bool { return c == '.' || c == '-' || c == '_' }

// isStamp reports whether s begins with a digit and holds digits and what stands between them in times.
func isStamp(s string) bool {
	return s[0] >= '0' && s[0] <= '9' && strings.Trim(s, "0123456789TZ:._-") == ""
}
