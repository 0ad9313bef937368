package main

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// initramfs builds the two programs and packs them, with the smoke test's rules, into an archive below dir.
func initramfs(dir string) (string, error) {
	work, err := os.MkdirTemp("", "eyrie-kernelboot-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	for name, pkg := range map[string]string{"eyrie": "./cmd/eyrie", "init": "./internal/kernelboot/smoke"} {
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(work, name), pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return "", fmt.Errorf("build %s: %w", pkg, err)
		}
	}
	path, err := filepath.Abs(filepath.Join(dir, "initramfs.cpio.gz"))
	if err != nil {
		return "", err
	}
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		return "", err
	}
	w := &archive{w: bufio.NewWriter(z)}
	for _, d := range []string{"bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "usr/bin"} {
		w.add(d, 0o040755, 0, nil)
	}
	w.add("dev/console", 0o020600, 5<<8|1, nil)
	w.add("dev/null", 0o020666, 1<<8|3, nil)
	w.add("etc/passwd", 0o100644, 0, []byte("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"))
	w.add("etc/group", 0o100644, 0, []byte("root:x:0:\nnogroup:x:65534:\n"))
	w.add("etc/shadow", 0o100600, 0, []byte("root:*:1:0:99999:7:::\n"))
	w.file("init", filepath.Join(work, "init"))
	w.file("bin/eyrie", filepath.Join(work, "eyrie"))
	w.add("TRAILER!!!", 0, 0, nil)
	if w.err == nil {
		w.err = w.w.Flush()
	}
	if w.err == nil {
		w.err = z.Close()
	}
	if w.err != nil {
		return "", fmt.Errorf("write %s: %w", path, w.err)
	}
	return path, f.Close()
}

// archive writes the cpio format that the kernel unpacks ("newc", Documentation/driver-api/early-userspace/buffer-format.rst):
//
//	"070701", then 13 numbers of 8 hexadecimal digits: ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor
//	rdevminor namesize check; the name with a NUL, padded to 4 bytes from the start; the content, padded to 4 bytes
type archive struct {
	w   *bufio.Writer
	n   int // bytes written
	ino int
	err error
}

func (a *archive) file(name, from string) {
	if a.err != nil {
		return
	}
	content, err := os.ReadFile(from)
	if err != nil {
		a.err = err
		return
	}
	a.add(name, 0o100755, 0, content)
}

func (a *archive) add(name string, mode, rdev int, content []byte) {
	a.ino++
	a.write(fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		a.ino, mode, 0, 0, 1, 0, len(content), 0, 0, rdev>>8, rdev&0xff, len(name)+1, 0, name))
	a.pad()
	a.write(string(content))
	a.pad()
}

func (a *archive) pad() { a.write("\x00\x00\x00"[:(4-a.n%4)%4]) }

func (a *archive) write(s string) {
	if a.err != nil {
		return
	}
	n, err := io.WriteString(a.w, s)
	a.n += n
	a.err = err
}
