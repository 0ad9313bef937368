package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// kernel returns the path of the newest cloud kernel of a version, which it downloads and unpacks below dir if need be.
// The cloud kernels are small, and configured as the others where it matters here.
func kernel(version, dir string) (string, error) {
	root, err := filepath.Abs(filepath.Join(dir, version))
	if err != nil {
		return "", err
	}
	if image, err := vmlinuz(root); err == nil {
		return image, nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	var errs []error
	for _, suite := range []string{"", "backports"} {
		options, err := suiteOptions(suite, filepath.Join(root, "apt"))
		if err == nil {
			err = fetch(version, root, options)
		}
		if err == nil {
			return vmlinuz(root)
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("no kernel %s to be had by apt-get: %w", version, errors.Join(errs...))
}

func vmlinuz(root string) (string, error) {
	found, err := filepath.Glob(filepath.Join(root, "boot", "vmlinuz-*"))
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("no kernel in %s", root)
	}
	return found[len(found)-1], nil
}

// suiteOptions are apt's options for the machine's own suites, or for the backports of its release: then with lists of
// their own, so that the machine's configuration stays as it is.
func suiteOptions(suite, dir string) ([]string, error) {
	if suite == "" {
		return nil, nil
	}
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return nil, err
	}
	codename := regexp.MustCompile(`(?m)^VERSION_CODENAME=(\w+)`).FindSubmatch(release)
	mirror, err := mirror()
	if codename == nil || err != nil {
		return nil, errors.Join(errors.New("cannot tell this Debian's release and mirror"), err)
	}
	for _, d := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	list := filepath.Join(dir, "sources.list")
	line := fmt.Sprintf("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s-%s main\n", mirror, codename[1], suite)
	if err := os.WriteFile(list, []byte(line), 0o644); err != nil {
		return nil, err
	}
	options := []string{"-o", "Dir::Etc::sourcelist=" + list, "-o", "Dir::Etc::sourceparts=/dev/null",
		"-o", "Dir::State::lists=" + filepath.Join(dir, "lists"), "-o", "Dir::Cache=" + filepath.Join(dir, "cache")}
	_, err = output(dir, "apt-get", append(slices.Clone(options), "-qq", "update")...)
	return options, err
}

// mirror is where this machine gets Debian from.
func mirror() (string, error) {
	for _, c := range []struct{ path, expr string }{
		{"/etc/apt/sources.list.d/debian.sources", `(?m)^URIs:\s*(\S+)`},
		{"/etc/apt/sources.list", `(?m)^deb\s+(?:\[[^]]*\]\s+)?(\S+)`},
	} {
		text, err := os.ReadFile(c.path)
		if err != nil {
			continue
		}
		if m := regexp.MustCompile(c.expr).FindSubmatch(text); m != nil {
			return string(m[1]), nil
		}
	}
	return "", errors.New("no mirror in /etc/apt")
}

// fetch downloads and unpacks the newest signed cloud kernel of a version.
func fetch(version, root string, options []string) error {
	pattern := `^linux-image-` + regexp.QuoteMeta(version) + `[.+].*-cloud-amd64$`
	names, err := output(root, "apt-cache", append(slices.Clone(options), "search", "--names-only", pattern)...)
	if err != nil {
		return err
	}
	newest, highest := "", ""
	for line := range strings.Lines(names) {
		name, _, _ := strings.Cut(line, " ")
		shown, err := output(root, "apt-cache", append(slices.Clone(options), "show", "--no-all-versions", name)...)
		if err != nil {
			return err
		}
		m := regexp.MustCompile(`(?m)^Version: (\S+)`).FindStringSubmatch(shown)
		if m != nil && (highest == "" || exec.Command("dpkg", "--compare-versions", m[1], "gt", highest).Run() == nil) {
			newest, highest = name, m[1]
		}
	}
	if newest == "" {
		return fmt.Errorf("apt knows no package like %s", pattern)
	}
	fmt.Printf("downloading %s %s\n", newest, highest)
	if _, err := output(root, "apt-get", append(slices.Clone(options), "-qq", "download", newest)...); err != nil {
		return err
	}
	packages, err := filepath.Glob(filepath.Join(root, newest+"_*.deb"))
	if err != nil || len(packages) == 0 {
		return errors.Join(fmt.Errorf("apt-get download %s left no package", newest), err)
	}
	_, err = output(root, "dpkg", "-x", packages[0], root)
	return errors.Join(err, os.Remove(packages[0]))
}

func output(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(errOut.String()))
	}
	return string(out), nil
}
