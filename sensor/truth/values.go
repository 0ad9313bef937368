package truth

import (
	"regexp"
	"strings"
)

// volatile are fields whose value says when, where in memory or with which inode something was: they must have a value
// on both sides or on neither.
var volatile = set(
	"evt.num", "evt.time", "evt.rawtime", "container.duration", "container.start_ts", "proc.duration", "proc.pid.ts",
	"proc.ppid.ts", "proc.ppid.duration", "proc.pidns_init_start_ts", "proc.exe_ino", "proc.exe_ino.ctime", "proc.exe_ino.mtime",
	"proc.exe_ino.ctime_duration_proc_start", "proc.exe_ino.ctime_duration_pidns_start", "fd.ino", "fd.dev", "fd.dev.major",
	"fd.dev.minor", "fd.uid", "evt.rawarg.vm_size", "evt.rawarg.vm_rss", "evt.rawarg.vm_swap", "container.ip",
)

// volatileParams is the same for parameters, of every event type or of one.
var volatileParams = set(
	"ino", "open dev", "openat dev", "openat2 dev", "creat dev", "open_by_handle_at dev", "exe_ino", "exe_ino_ctime",
	"exe_ino_mtime", "pgft_maj", "pgft_min", "vm_size", "vm_rss", "pidns_init_start_ts", "source", "peer", "mmap res",
	"mlock addr", "munmap addr", "mprotect addr", "brk res", "brk addr", "ioctl argument", "mprotect length", "fcntl arg",
	"ptrace addr",
)

// races are programs whose processes race: another run of Falco's differs in them, too.
var races = set("tp_deep", "tp_sh_c", "tp_leader_exit", "tp_pidfd", "tp_setpgid", "tp_daemon", "tp_orphan", "tp_orphan_exec", "tp_subreaper")

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

type idKind struct {
	kind  string
	known bool
}

// idKinds are fields that hold ids of processes, of the host or of a PID namespace.
var idKinds = map[string]idKind{
	"proc.pid": {"pid", true}, "proc.ppid": {"pid", true}, "proc.apid[1]": {"pid", true}, "proc.apid[2]": {"pid", true},
	"proc.pgid": {"pid", true}, "thread.tid": {"pid", true}, "proc.loginshellid": {"pid", true},
	"proc.sid": {"vpid", true}, "proc.vpid": {"vpid", true}, "proc.pvpid": {"vpid", true}, "proc.vpgid": {"vpid", true},
	"thread.vtid": {"vpid", true},
}

// pidResults are event types whose result is a process id.
var pidResults = set("clone", "clone3", "fork", "vfork", "setsid")

var (
	kernelAddress = regexp.MustCompile(`(?i)ffff[0-9a-f]{12}`)
	localPort     = regexp.MustCompile(`([0-9a-f.:]):(3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}|[4-5]\d{4}|60\d{3})\b`)
	procPID       = regexp.MustCompile(`/proc/\d+`)
	containerID   = regexp.MustCompile(`\b([0-9a-f]{64}|[0-9a-f]{12})\b`)
	bareNumber    = regexp.MustCompile(`^(3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}|[4-5]\d{4}|60\d{3})$`)
)

// mask replaces what differs from run to run within a text: kernel addresses, ephemeral ports (but not the ports that the
// programs choose, 45101 to 45121), process ids below /proc, container ids.
func mask(s string) string {
	s = kernelAddress.ReplaceAllString(s, "KERNEL")
	s = localPort.ReplaceAllStringFunc(s, func(m string) string {
		i := len(m) - 5
		if p := m[i:]; p >= "45101" && p <= "45121" {
			return m
		}
		return m[:i] + "PORT"
	})
	s = procPID.ReplaceAllString(s, "/proc/PID")
	s = containerID.ReplaceAllString(s, "CONTAINER")
	if bareNumber.MatchString(s) && (s < "45101" || s > "45121") {
		return "PORT"
	}
	return s
}

var (
	gapNumber = regexp.MustCompile(`\b(ino|pid|tid)=([0-9]{3,})`)
	gapSem    = regexp.MustCompile(`(\bsemid|semget res|keyctl res)=[0-9]+`)
	gapKernel = regexp.MustCompile(`\b(features|cap_permitted|cap_effective)=\S+`)
	gapDev    = regexp.MustCompile(`\bdev=[0-9A-F]+ ino=`)
)

// gapMask masks what differs from run to run in a line of a program that runs in a directory of its own.
func gapMask(line, dir string) string {
	line = strings.ReplaceAll(line, dir, "DIR")
	line = gapDev.ReplaceAllString(line, "dev=DEV ino=")
	line = gapSem.ReplaceAllString(line, "$1=N")
	line = gapKernel.ReplaceAllString(line, "$1=KERNEL")
	line = gapNumber.ReplaceAllString(line, "$1=N")
	return mask(line)
}
