package flags

import "testing"

func TestAppend(t *testing.T) {
	for _, c := range []struct {
		name  string
		table Table
		v     uint64
		want  string
	}{
		{"read and write is one name", Open, 3, "O_RDWR"},
		{"several", Open, 0x1001, "O_RDONLY|O_CLOEXEC"},
		{"nothing has a name", Open, 0, "O_NONE"},
		{"nothing has none", Clone, 0, ""},
		{"unknown bits have no name", Umount, 0x10, ""},
		{"every bit of open", Open, 0xffff, "O_LARGEFILE|O_DIRECTORY|O_DIRECT|O_TRUNC|O_SYNC|O_NONBLOCK|O_EXCL|O_DSYNC|O_APPEND|O_CREAT|O_RDWR|O_CLOEXEC|O_TMPFILE|O_F_CREATED|FD_UPPER_LAYER"},
		{"mode", Mode, 0o1777, "S_IXOTH|S_IWOTH|S_IROTH|S_IXGRP|S_IWGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISVTX"},
		{"clone of a thread", Clone, FromClone(0x3d0f00), "CLONE_FILES|CLONE_FS|CLONE_PARENT_SETTID|CLONE_SIGHAND|CLONE_SYSVSEM|CLONE_THREAD|CLONE_VM|CLONE_CHILD_CLEARTID|CLONE_SETTLS"},
		{"resolve", Resolve, FromResolve(0x23), "RESOLVE_NO_MAGICLINKS|RESOLVE_NO_XDEV|RESOLVE_CACHED"},
	} {
		if got := string(c.table.Append(nil, c.v)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	for _, c := range []struct {
		table Table
		v     uint64
		want  string
	}{
		{Family, 1, "AF_LOCAL|AF_UNIX"}, {Family, 16, "AF_ROUTE|AF_NETLINK"}, {Family, 200, ""}, {Bpf, 5, "BPF_PROG_LOAD"},
		{Ptrace, FromPtrace(16), "PTRACE_ATTACH"}, {Ptrace, FromPtrace(9999), "PTRACE_UNKNOWN"}, {Fcntl, FromFcntl(1030), "F_DUPFD_CLOEXEC"},
		{SockOption, FromSockOption(1, 20), "SO_RCVTIMEO"}, {SockOption, FromSockOption(6, 1), "UNKNOWN"},
	} {
		if got := string(c.table.AppendEnum(nil, c.v)); got != c.want {
			t.Errorf("%d: got %q, want %q", c.v, got, c.want)
		}
	}
}

func TestFromOpen(t *testing.T) {
	for _, c := range []struct {
		v    uint64
		want uint64
	}{{0, 1}, {1, 2}, {2, 3}, {0o101, OCreat | OWronly}, {0o2000000, OCloexec | ORdonly}, {kernelDirectory, ODirectory | ORdonly}} {
		if got := FromOpen(c.v); got != c.want {
			t.Errorf("FromOpen(%#o) = %#x, want %#x", c.v, got, c.want)
		}
	}
	direct, large, directory := archFlags("arm64")
	if direct != 0o200000 || large != 0o400000 || directory != 0o40000 {
		t.Errorf("arm64: O_DIRECT %#o, O_LARGEFILE %#o, O_DIRECTORY %#o", direct, large, directory)
	}
}

func TestNames(t *testing.T) {
	for n, want := range map[int64]string{1: "EPERM", 2: "ENOENT", 40: "ELOOP", 41: "", 98: "EADDRINUSE", 111: "ECONNREFUSED", 115: "EINPROGRESS", 133: "EHWPOISON", 134: "", 512: "ERESTARTSYS", -3: "", 0: ""} {
		if got := Errno(n); got != want {
			t.Errorf("Errno(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "", 1: "SIGHUP", 9: "SIGKILL", 31: "SIGSYS", 34: ""} {
		if got := Signal(n); got != want {
			t.Errorf("Signal(%d) = %q, want %q", n, got, want)
		}
	}
}
