package story

import (
	"path"
	"strings"
)

// Kind says what a Part is.
type Kind uint8

// The kinds. Words are ours; every other kind is a value out of the alert.
const (
	Words   Kind = iota
	Name         // a user, a host, a container
	Code         // a process, a command line, a system call
	File         // a path
	Address      // a network address
)

// Part is a piece of a sentence. Parts of kind Words bring their own blanks.
type Part struct {
	Kind Kind
	Text string
}

// String returns the sentence as text.
func String(parts []Part) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Text)
	}
	return b.String()
}

type sentence []Part

func (s *sentence) words(text string) {
	if n := len(*s); n > 0 && (*s)[n-1].Kind == Words {
		(*s)[n-1].Text += text
		return
	}
	*s = append(*s, Part{Words, text})
}

func (s *sentence) add(kind Kind, text string) { *s = append(*s, Part{kind, text}) }

// Sentence says what happened, as far as the facts tell.
func Sentence(f Facts) []Part {
	var s sentence
	if f("source") == "k8s_audit" || f("ka.verb") != "" {
		s.audit(f)
		return s
	}
	call := f("evt.type")
	if f.process() == "" && f("proc.cmdline") == "" || call == "" {
		s.words(strings.TrimSuffix(summary(f), "."))
		s.place(f)
		s.words(".")
		return s
	}
	if isExec(call) {
		s.exec(f)
	} else {
		s.subject(f)
		s.act(f, call)
	}
	s.place(f)
	if failure := f.failure(); failure != "" {
		s.words(", which failed with " + failure)
	}
	s.posture(f)
	s.end()
	return s
}

// end closes the sentence; a clause that waited for more loses its comma.
func (s *sentence) end() {
	if last := &(*s)[len(*s)-1]; last.Kind == Words {
		last.Text = strings.TrimSuffix(last.Text, ",")
	}
	s.words(".")
}

// summary is the part of the output that the rule's author wrote: what stands before the first " | ".
func summary(f Facts) string {
	text, _, _ := strings.Cut(f("output"), " | ")
	if text = strings.TrimSpace(text); text != "" {
		return text
	}
	if rule := f("rule"); rule != "" {
		return rule
	}
	return "Something happened"
}

// subject is the acting process and who runs it.
func (s *sentence) subject(f Facts) {
	name := f.process()
	if name == "" {
		name = f("proc.cmdline")
	}
	s.add(Code, name)
	if exe := f("proc.exepath"); exe != "" && disguised(name, exe) {
		s.words(" (in fact ")
		s.add(File, exe)
		s.words(")")
	}
	if user := f.user(); user != "" {
		s.words(", run by ")
		s.add(Name, user)
		s.words(",")
	}
}

// disguised reports whether a process goes by another name than its executable's. The kernel cuts names at 15 bytes
// (TASK_COMM_LEN in include/linux/sched.h), and shells and busybox go by the name of a link: those are told apart by the
// name being a word of its own that the path does not begin with.
func disguised(name, exe string) bool {
	base := path.Base(exe)
	if strings.HasPrefix(base, name) || strings.HasPrefix(name, base) || strings.Contains(exe, name) {
		return false
	}
	return base != "dash" && base != "busybox"
}

// exec is a sentence about a program being started.
func (s *sentence) exec(f Facts) {
	if user := f.user(); user == "" {
		s.words("Someone")
	} else {
		s.add(Name, user)
	}
	if f.failure() != "" {
		s.words(" tried to run ")
	} else {
		s.words(" ran ")
	}
	command := f.first("proc.cmdline", "proc.exepath", "proc.exe", "proc.name")
	s.add(Code, command)
	switch flags, exe := f.arg("flags"), f.first("proc.exepath", "proc.exe"); {
	case strings.Contains(flags, "EXE_FROM_MEMFD") || strings.HasPrefix(exe, "memfd:"):
		s.words(" straight from memory, with no file on disk,")
	case strings.Contains(flags, "EXE_UPPER_LAYER"):
		s.words(", a binary that is not part of the container's image")
		s.at(exe, command)
		s.words(",")
	case exe != "" && disguised(f.process(), exe):
		s.words(" (in fact ")
		s.add(File, exe)
		s.words(")")
	}
	if parent := f("proc.pname"); parent != "" {
		s.words(" from ")
		s.add(Code, parent)
	}
	if tty := f("proc.tty"); tty != "" && tty != "0" {
		s.words(" with a terminal attached")
	}
}

// at names the executable where the command does not.
func (s *sentence) at(exe, command string) {
	if exe == "" || strings.HasPrefix(command, exe) {
		return
	}
	s.words(" (")
	s.add(File, exe)
	s.words(")")
}

// place says where: container, pod, host.
func (s *sentence) place(f Facts) {
	container, pod := f("container.name"), f("k8s.pod.name")
	onHost := f("container.id") == "host" || container == "host"
	switch {
	case pod != "":
		s.words(" in pod ")
		if ns := f("k8s.ns.name"); ns != "" {
			pod = ns + "/" + pod
		}
		s.add(Name, pod)
		if container != "" {
			s.words(", container ")
			s.add(Name, container)
		}
	case onHost:
	case container != "":
		s.words(" in container ")
		s.add(Name, container)
	case f("container.id") != "":
		s.words(" in container ")
		s.add(Name, f("container.id"))
	}
	if image := image(f); image != "" && !onHost {
		s.words(" (")
		s.add(Name, image)
		s.words(")")
	}
	if host := f("hostname"); host != "" {
		if onHost {
			s.words(" on the host ")
		} else {
			s.words(" on host ")
		}
		s.add(Name, host)
		if onHost {
			s.words(", outside any container")
		}
	}
}

// image is the last element of the image's name with its tag: "payments-api:1.4.2".
func image(f Facts) string {
	repository := f("container.image.repository")
	if repository == "" {
		return ""
	}
	name := repository[strings.LastIndexByte(repository, '/')+1:]
	if tag := f("container.image.tag"); tag != "" {
		name += ":" + tag
	}
	return name
}

// powerful are the capabilities that come close to root on the host (capabilities(7)), the worst first.
var powerful = [...]string{"CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_PTRACE", "CAP_SYS_RAWIO", "CAP_BPF", "CAP_DAC_READ_SEARCH", "CAP_NET_ADMIN"}

// posture tells of mounts and capabilities, for the rules that are about them.
func (s *sentence) posture(f Facts) {
	if mounts := f("container.mounts"); mounts != "" {
		s.words("; the container mounts ")
		for i, m := range strings.Split(mounts, ",") {
			if i == 3 {
				s.words(" and more")
				break
			}
			if i > 0 {
				s.words(", ")
			}
			source, rest, _ := strings.Cut(m, ":")
			s.add(File, source)
			if target, _, _ := strings.Cut(rest, ":"); target != "" {
				s.words(" at ")
				s.add(File, target)
			}
		}
	}
	held := strings.Fields(f("thread.cap_permitted"))
	if len(held) == 0 {
		return
	}
	var worst []string
	for _, c := range powerful {
		for _, h := range held {
			if h == c {
				worst = append(worst, c)
			}
		}
	}
	if len(worst) > 3 {
		worst = worst[:3]
	}
	if len(worst) > 0 {
		s.words("; it holds " + plural(len(held), "capability", "capabilities") + ", among them " + strings.Join(worst, ", "))
	}
}

// audit is a sentence about a request to the Kubernetes API server (Falco's k8saudit plugin).
func (s *sentence) audit(f Facts) {
	who := f("ka.user.name")
	if who == "" {
		s.words("Someone")
	} else {
		s.add(Name, who)
	}
	verb := f("ka.verb")
	if reason := f("ka.response.reason"); reason != "" && !strings.HasPrefix(f("ka.response.code"), "2") {
		s.words(" was refused (")
		s.add(Name, reason)
		s.words(") to ")
		s.add(Code, verb)
	} else {
		s.words(" asked the API server to ")
		s.add(Code, verb)
	}
	if what := f("ka.target.resource"); what != "" {
		s.words(" ")
		s.add(Code, what)
	}
	if name := f("ka.target.name"); name != "" {
		s.words(" ")
		s.add(Name, name)
	}
	if sub := f("ka.target.subresource"); sub != "" {
		s.words(" (")
		s.add(Code, sub)
		s.words(")")
	}
	if ns := f("ka.target.namespace"); ns != "" {
		s.words(" in namespace ")
		s.add(Name, ns)
	}
	if agent := f("ka.useragent"); agent != "" {
		s.words(", with ")
		s.add(Code, agent)
	}
	s.words(".")
}
