package container

import (
	"strings"
)

// ID is what a cgroup path says of a container. The zero value is the host.
type ID struct {
	Full   string // 64 hexadecimal digits; on Fargate the task's 32 and a number; the name of an LXC container
	Hint   string // which runtime the path looks like, a TypeX; "" for no idea
	PodUID string // of the Kubernetes pod, with dashes
	User   string // uid in decimal of the user whose runtime without root it is; "" for the system's
}

// idLength is the length of the ids of Docker, Podman, containerd's CRI plugin and CRI-O: 256 bits in hexadecimal.
const idLength = 64

// maxPath bounds what is looked at of a path: PATH_MAX of Linux.
const maxPath = 4096

// ParseCgroups finds the container in the cgroup paths of a task, one for each hierarchy; lines of /proc/PID/cgroup and
// CONTROLLERS=PATH will do as well. The first path that has a container decides. Within a path it is the innermost:
// in /docker/A/kubepods/podX/B it is B, and processes that a container keeps in cgroups of its own below are in it, too.
func ParseCgroups(paths ...string) ID {
	for _, p := range paths {
		for line := range strings.SplitSeq(p, "\n") {
			if id := parsePath(line); id.Full != "" {
				return id
			}
		}
	}
	return ID{}
}

func parsePath(path string) ID {
	if len(path) > maxPath {
		path = path[len(path)-maxPath:]
	}
	start := strings.IndexByte(path, '/')
	if start < 0 {
		return ID{}
	}
	path = strings.TrimRight(path[start:], "\x00")
	for rest := path; rest != ""; {
		i := strings.LastIndexByte(rest, '/')
		part, before := rest[i+1:], rest[:max(i, 0)]
		if full, hint, ok := parsePart(part, before); ok {
			id := ID{Full: full, Hint: hint, PodUID: podUID(before), User: user(before)}
			if id.PodUID == "" {
				id.PodUID = podUID(part)
			}
			if id.Hint == "" {
				id.Hint = hintOf(before, id.PodUID)
			}
			return id
		}
		rest = before
	}
	return ID{}
}

// parsePart finds an id in one element of a path:
//
//	3abd...            cgroupfs driver of Docker, kubelet with containerd, ECS
//	docker-3abd....scope, cri-containerd-3abd....scope, crio-3abd..., libpod-3abd....scope
//	kubepods-podX.slice:cri-containerd:3abd...
//	0123456789abcdef0123456789abcdef-1234567890      Fargate: task and container
//	lxc.payload.NAME; lxc/NAME
//
// A monitor of a container (conmon, lxc.monitor) is a process of the host.
func parsePart(part, before string) (full, hint string, ok bool) {
	if i := hexRun(part); i >= 0 {
		prefix := part[:i]
		switch {
		case strings.Contains(prefix, "conmon"), strings.Contains(prefix, "_pod_"):
			return "", "", false
		case prefix == "docker-":
			hint = TypeDocker
		case strings.HasSuffix(prefix, "cri-containerd-"), strings.HasSuffix(prefix, ":cri-containerd:"), prefix == "nerdctl-":
			hint = TypeContainerd
		case prefix == "crio-":
			hint = TypeCRIO
		case prefix == "libpod-":
			hint = TypePodman
		}
		return part[i : i+idLength], hint, true
	}
	if task, n, found := strings.Cut(part, "-"); found && len(task) == 32 && isHex(task) && isDigits(n) && strings.Contains(before, "/ecs") {
		return part, TypeECS, true
	}
	if name, found := strings.CutPrefix(part, "lxc.payload."); found && isName(name) {
		return name, TypeLXC, true
	}
	if isName(part) && (strings.HasSuffix(before, "/lxc") || strings.HasSuffix(before, "/lxc.payload")) {
		return part, TypeLXC, true
	}
	return "", "", false
}

func hintOf(before, podUID string) string {
	switch {
	case strings.HasSuffix(before, "/docker"):
		return TypeDocker
	case strings.Contains(before, "/libpod_parent"), strings.Contains(before, "/machine.slice"):
		return TypePodman
	case podUID != "":
		return TypeCRI
	}
	return ""
}

// hexRun finds the last run of exactly 64 hexadecimal digits in lower case, -1 where there is none.
func hexRun(s string) int {
	for end := len(s); end >= idLength; {
		start := end
		for start > 0 && hexDigit(s[start-1]) {
			start--
		}
		if end-start == idLength {
			return start
		}
		end = start - 1
	}
	return -1
}

// podUID finds the UID of a pod: .../pod0e2d...-..., or kubepods-burstable-pod0e2d..._....slice, which systemd parts by _.
// Static pods have a UID of 32 digits without dashes.
func podUID(path string) string {
	if !strings.Contains(path, "pod") {
		return ""
	}
	for rest := path; rest != ""; {
		i := strings.LastIndexByte(rest, '/')
		part := rest[i+1:]
		rest = rest[:max(i, 0)]
		part, _, _ = strings.Cut(part, ".slice")
		at := strings.LastIndex(part, "pod")
		if at < 0 || at > 0 && part[at-1] != '-' {
			continue
		}
		uid := strings.ReplaceAll(part[at+3:], "_", "-")
		if isUUID(uid) || len(uid) == 32 && isHex(uid) {
			return uid
		}
	}
	return ""
}

// user finds who runs a container below /user.slice/user-1000.slice.
func user(path string) string {
	const slice = "/user.slice/user-"
	i := strings.Index(path, slice)
	if i < 0 {
		return ""
	}
	uid, _, found := strings.Cut(path[i+len(slice):], ".slice")
	if !found || !isDigits(uid) || uid == "0" {
		return ""
	}
	return uid
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if s[i] != '-' {
				return false
			}
		} else if !hexDigit(s[i]) {
			return false
		}
	}
	return true
}

func hexDigit(b byte) bool { return '0' <= b && b <= '9' || 'a' <= b && b <= 'f' }

func isHex(s string) bool {
	for i := range len(s) {
		if !hexDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != "" && len(s) <= 20
}

// isName says whether s can be the name of an LXC container: LXC's own rule is that of host names.
func isName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		b := s[i]
		if !('a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '-' || b == '_' || b == '.') {
			return false
		}
	}
	return s[0] != '.'
}
