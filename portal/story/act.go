package story

import (
	"strconv"
	"strings"
)

func isExec(call string) bool {
	switch call {
	case "execve", "execveat", "spawned_process":
		return true
	}
	return false
}

// act is the predicate of a sentence about any other system call than exec.
func (s *sentence) act(f Facts, call string) {
	switch call {
	case "open", "openat", "openat2", "creat", "open_by_handle_at":
		s.open(f, call)
	case "unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "link", "linkat", "symlink", "symlinkat",
		"chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat", "lchown", "truncate", "ftruncate", "mount", "umount", "umount2", "mknod", "mknodat":
		s.changeFile(f, call)
	case "connect", "sendto", "sendmsg", "sendmmsg", "accept", "accept4", "accept5", "recvfrom", "recvmsg", "listen", "bind", "dup", "dup2", "dup3", "socket":
		s.network(f, call)
	default:
		s.other(f, call)
	}
}

// tried writes the verb in its two forms, by how the call ended: "removed", or "tried to remove".
func (s *sentence) tried(f Facts, past, infinitive string) {
	if f.failure() != "" {
		s.words(" tried to " + infinitive + " ")
		return
	}
	s.words(" " + past + " ")
}

func (s *sentence) object(kind Kind, value, otherwise string) {
	if value == "" {
		s.words(otherwise)
		return
	}
	s.add(kind, value)
}

func (s *sentence) open(f Facts, call string) {
	file := f.first("fd.name", "fs.path.name", "evt.arg.name", "evt.arg.path")
	s.tried(f, "opened", "open")
	s.object(File, file, "a file")
	s.words(purpose(f, call))
	if raw := f.first("fd.nameraw", "fs.path.nameraw"); raw != "" && raw != file && strings.Contains(raw, "..") {
		s.words(" by the path ")
		s.add(File, raw)
	}
}

// purpose says what a file was opened for. The open flags say it best; rules of Falco's seldom print them, but what a rule
// reports is in the words of its author, which are not the attacker's.
func purpose(f Facts, call string) string {
	flags := f.arg("flags")
	if strings.Contains(flags, "EXE_") {
		flags = ""
	}
	switch {
	case strings.Contains(flags, "O_TRUNC"):
		return " for writing, which empties it,"
	case call == "creat" || strings.Contains(flags, "O_WRONLY") || strings.Contains(flags, "O_RDWR"):
		return " for writing"
	case strings.Contains(flags, "O_RDONLY") || f("evt.is_open_read") == "true" && f("evt.is_open_write") != "true":
		return " for reading"
	case f("evt.is_open_write") == "true":
		return " for writing"
	}
	about := strings.ToLower(summary(f) + " " + f("rule"))
	for _, word := range []string{"opened for writing", "write below", "file created", "was modified", "been modified", "tampered", "adding ", "modify "} {
		if strings.Contains(about, word) {
			return " for writing"
		}
	}
	for _, word := range []string{"opened for reading", "read by", "retrieved from", "file read", "read "} {
		if strings.Contains(about, word) {
			return " for reading"
		}
	}
	return ""
}

// path returns the file a call is about.
func (f Facts) path() string {
	if p := f.arg("path", "name", "filename", "pathname"); p != "" {
		return p
	}
	return f.first("fd.name", "fs.path.name")
}

func (s *sentence) changeFile(f Facts, call string) {
	switch {
	case call == "rmdir":
		s.tried(f, "removed the directory", "remove the directory")
		s.object(File, f.path(), "of another name")
	case strings.HasPrefix(call, "unlink"):
		s.tried(f, "removed", "remove")
		s.object(File, f.path(), "a file")
	case strings.HasPrefix(call, "rename"):
		s.tried(f, "renamed", "rename")
		s.object(File, f.arg("oldpath"), "a file")
		s.to(" to ", f.arg("newpath"))
	case strings.HasPrefix(call, "mkdir"):
		s.tried(f, "made the directory", "make the directory")
		s.object(File, f.path(), "of a new name")
	case strings.HasPrefix(call, "link"):
		s.tried(f, "made a hard link", "make a hard link")
		s.to("to ", f.arg("oldpath"))
		s.to(" at ", f.arg("newpath"))
	case strings.HasPrefix(call, "symlink"):
		s.tried(f, "made a symbolic link", "make a symbolic link")
		s.to("to ", f.arg("target"))
		s.to(" at ", f.arg("linkpath"))
	case strings.HasPrefix(call, "chmod"), strings.HasPrefix(call, "fchmod"):
		s.tried(f, "changed the mode of", "change the mode of")
		s.object(File, f.path(), "a file")
		s.mode(f.arg("mode"))
	case strings.Contains(call, "chown"):
		s.tried(f, "changed the owner of", "change the owner of")
		s.object(File, f.path(), "a file")
	case strings.Contains(call, "truncate"):
		s.tried(f, "cut short", "cut short")
		s.object(File, f.path(), "a file")
	case strings.HasPrefix(call, "mknod"):
		s.tried(f, "made the device file", "make the device file")
		s.object(File, f.path(), "of a new name")
	case call == "mount":
		s.tried(f, "mounted", "mount")
		s.object(File, f.arg("dev"), "a file system")
		s.to(" at ", f.arg("dir"))
	default:
		s.tried(f, "unmounted", "unmount")
		s.object(File, f.path(), "a file system")
	}
}

func (s *sentence) to(preposition, file string) {
	if file != "" {
		s.words(preposition)
		s.add(File, file)
	}
}

// mode explains the two bits that rules are about.
func (s *sentence) mode(mode string) {
	switch {
	case strings.Contains(mode, "S_ISUID"):
		s.words(" so that it runs as its owner (setuid)")
	case strings.Contains(mode, "S_ISGID"):
		s.words(" so that it runs as its group (setgid)")
	}
}

func (s *sentence) network(f Facts, call string) {
	switch call {
	case "connect":
		s.tried(f, "connected to", "connect to")
		s.object(Address, f.remote(), "another host")
	case "sendto", "sendmsg", "sendmmsg":
		s.tried(f, "sent data to", "send data to")
		s.object(Address, f.remote(), "another host")
	case "accept", "accept4", "accept5":
		s.tried(f, "accepted a connection from", "accept a connection from")
		s.object(Address, f.peer(), "another host")
	case "recvfrom", "recvmsg":
		s.tried(f, "received data from", "receive data from")
		s.object(Address, f.peer(), "another host")
	case "listen", "bind":
		s.tried(f, "listened on", "listen on")
		s.object(Address, f.first("fd.sport", "fd.name"), "a port")
	case "socket":
		if strings.Contains(f("evt.args")+f.arg("domain"), "AF_PACKET") || strings.Contains(strings.ToLower(summary(f)), "packet socket") {
			s.tried(f, "opened a packet socket, which reads raw network traffic,", "open a packet socket, which reads raw network traffic,")
			trimBlank(s)
		} else {
			s.tried(f, "opened a socket", "open a socket")
			trimBlank(s)
		}
	default: // dup, dup2, dup3
		s.tried(f, "tied its input or output to the connection", "tie its input or output to the connection")
		s.object(Address, f.remote(), "of another process")
	}
	if proto := f("fd.l4proto"); proto != "" && call != "socket" {
		s.words(" (" + strings.ToUpper(word(proto)) + ")")
	}
}

// word returns s if it is a short name, so that text of an attacker's does not pass for words of ours.
func word(s string) string {
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_') || len(s) > 24 {
			return "?"
		}
	}
	return s
}

func trimBlank(s *sentence) {
	last := &(*s)[len(*s)-1]
	last.Text = strings.TrimSuffix(last.Text, " ")
}

// remote returns where an outgoing connection leads: "203.0.113.9:4444".
func (f Facts) remote() string {
	ip, port := f.first("fd.rip", "fd.sip"), f.first("fd.rport", "fd.sport")
	if ip != "" && port != "" {
		return hostPort(ip, port)
	}
	name := f("fd.name")
	if _, to, ok := strings.Cut(name, "->"); ok {
		return to
	}
	if name == "" {
		return ip
	}
	return name
}

// peer returns where an incoming connection comes from.
func (f Facts) peer() string {
	if ip, port := f("fd.cip"), f("fd.cport"); ip != "" && port != "" {
		return hostPort(ip, port)
	}
	name := f("fd.name")
	if from, _, ok := strings.Cut(name, "->"); ok {
		return from
	}
	return name
}

func hostPort(ip, port string) string {
	if strings.Contains(ip, ":") {
		return "[" + ip + "]:" + port
	}
	return ip + ":" + port
}

// other is the predicate for the calls that are about neither files nor the network.
func (s *sentence) other(f Facts, call string) {
	about := strings.ToUpper(f("output"))
	switch call {
	case "setuid", "setreuid", "setresuid", "seteuid":
		s.words(" called " + call + " to become user ")
		s.object(Name, f.arg("uid", "euid"), "of another name")
	case "setgid", "setregid", "setresgid":
		s.words(" called " + call + " to join group ")
		s.object(Name, f.arg("gid", "egid"), "of another name")
	case "setns":
		s.tried(f, "moved into another namespace (setns)", "move into another namespace (setns)")
		trimBlank(s)
	case "unshare":
		s.tried(f, "made itself a new namespace (unshare)", "make itself a new namespace (unshare)")
		trimBlank(s)
	case "ptrace":
		switch {
		case strings.Contains(about, "TRACEME"):
			s.tried(f, "asked to be traced (PTRACE_TRACEME), which keeps debuggers away,", "be traced (PTRACE_TRACEME), which keeps debuggers away,")
		case strings.Contains(about, "ATTACH"):
			s.tried(f, "attached to another process (ptrace)", "attach to another process (ptrace)")
		default:
			s.tried(f, "traced another process (ptrace)", "trace another process (ptrace)")
		}
		trimBlank(s)
	case "userfaultfd":
		s.tried(f, "took over the handling of its own page faults (userfaultfd)", "take over the handling of its own page faults (userfaultfd)")
		trimBlank(s)
	case "memfd_create":
		s.tried(f, "made a file that exists in memory only (memfd_create)", "make a file that exists in memory only (memfd_create)")
		trimBlank(s)
	case "init_module", "finit_module":
		s.tried(f, "loaded a kernel module", "load a kernel module")
		trimBlank(s)
	case "bpf":
		s.tried(f, "loaded a program into the kernel (bpf)", "load a program into the kernel (bpf)")
		trimBlank(s)
	case "kill", "tgkill", "tkill":
		s.tried(f, "sent a signal to another process", "send a signal to another process")
		trimBlank(s)
	case "clone", "clone3", "fork", "vfork":
		s.tried(f, "started a new process", "start a new process")
		trimBlank(s)
	default:
		s.words(" called ")
		s.add(Code, call)
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
