// Command kernelboot boots Debian's kernels under qemu, without KVM, with an initramfs that holds nothing but the eyrie
// binary and a small init (package smoke), which runs the sensor, does what rules look for, and says on the serial
// console which alerts came. It wants the Debian packages qemu-system-x86 and dpkg; the kernels are downloaded as
// packages by apt-get and unpacked, not installed. It changes nothing but its own folder of downloads, and fails when
// any alert stays away.
//
//	go run ./internal/kernelboot [-kernels 6.1,6.12] [-keep DIR]
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// bootWithin is how long one boot may take: software emulation on a busy machine.
const bootWithin = 12 * time.Minute

// tries is how often a kernel is booted at most until the init has come to an end.
const tries = 3

func main() {
	kernels := flag.String("kernels", "6.1,6.12", "versions to boot, as Debian counts them")
	dir := flag.String("keep", filepath.Join("bin", "kernels"), "folder of the downloads")
	verbose := flag.Bool("v", false, "show the whole console")
	flag.Parse()
	failed := false
	for version := range strings.SplitSeq(*kernels, ",") {
		if err := boot(version, *dir, *verbose); err != nil {
			fmt.Fprintf(os.Stderr, "kernelboot: %s: %v\n", version, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

func boot(version, dir string, verbose bool) error {
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		return fmt.Errorf("%w: install the Debian package qemu-system-x86", err)
	}
	image, err := kernel(version, dir)
	if err != nil {
		return err
	}
	ram, err := initramfs(dir)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		fmt.Printf("booting %s\n", filepath.Base(image))
		began := time.Now()
		verdict, tail, err := run(image, ram, verbose)
		switch {
		case verdict != "":
			fmt.Printf("%s: %s, %s\n", filepath.Base(image), verdict, time.Since(began).Round(time.Second))
			if !strings.HasSuffix(verdict, " 0 failed") {
				return errors.New("the smoke test did not pass")
			}
			return nil
		case try == tries:
			return errors.Join(fmt.Errorf("no verdict in %d boots; the console ended with\n%s", tries, strings.Join(tail, "\n")), err)
		}
		// Emulated processors sometimes trip over kernels that change their own code while they boot.
		fmt.Printf("%s: no verdict, once more\n", filepath.Base(image))
	}
}

// run boots once and returns what the init said in the end, "" if it came to no end.
func run(image, ram string, verbose bool) (verdict string, tail []string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), bootWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "1024",
		"-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio",
		"-kernel", image, "-initrd", ram, "-append", "console=ttyS0 panic=-1 loglevel=4 rdinit=/init")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	verdict, tail = follow(out, verbose)
	return verdict, tail, cmd.Wait()
}

// follow reads the console: it shows what the init says and returns its verdict and the last lines.
func follow(console io.Reader, verbose bool) (verdict string, tail []string) {
	lines := bufio.NewScanner(console)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		said, ours := strings.CutPrefix(line, "smoke: ")
		switch {
		case ours && strings.HasPrefix(said, "verdict: "):
			verdict = strings.TrimPrefix(said, "verdict: ")
		case ours || verbose:
			fmt.Println("  " + line)
		}
		if tail = append(tail, line); len(tail) > 40 {
			tail = tail[1:]
		}
	}
	return verdict, tail
}
