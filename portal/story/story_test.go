package story

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/internal/testshared"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestSentencesOfRealAlerts holds one sentence and lineage for each recorded alert; review reads the golden file.
func TestSentencesOfRealAlerts(t *testing.T) {
	var got bytes.Buffer
	for _, name := range []string{"host-seed", "docker-seed", "docker-event-generator"} {
		for line := range bytes.Lines(testshared.Read(t, "falco/alerts/"+name+".jsonl")) {
			a, err := falco.Parse(bytes.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			facts := FromAlert(a)
			got.WriteString(a.Rule + "\n    " + String(Sentence(facts)) + "\n    " + drawn(Lineage(facts)) + "\n")
		}
	}
	const golden = "testdata/sentences.txt"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got.String(), string(want)); diff != "" {
		t.Errorf("sentences (-got +want):\n%s", diff)
	}
}

func drawn(line []Process) string {
	var names []string
	for _, p := range line {
		name := p.Name
		if p.Acting {
			name = "[" + name + "]"
		}
		if p.Gap {
			name = "… " + name
		}
		names = append(names, name)
	}
	return strings.Join(names, " > ")
}

func facts(pairs ...string) Facts {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(field string) string { return m[field] }
}

func TestSentence(t *testing.T) {
	tests := []struct {
		name string
		f    Facts
		want string
	}{
		{"nothing known", facts(), "Something happened."},
		{"rule alone", facts("rule", "My rule", "hostname", "n1"), "My rule on host n1."},
		{"output of a plugin", facts("output", "Bucket made public | bucket=x", "source", "aws_cloudtrail"), "Bucket made public."},
		{"shell in a pod", facts("evt.type", "execve", "proc.name", "bash", "proc.cmdline", "bash -i", "user.name", "root", "proc.tty", "34816", "proc.pname", "runc",
			"container.name", "app", "container.id", "c1", "k8s.pod.name", "web-1", "k8s.ns.name", "shop", "hostname", "n1", "container.image.repository", "r.example.com:5000/a/web", "container.image.tag", "2"),
			"root ran bash -i from runc with a terminal attached in pod shop/web-1, container app (web:2) on host n1."},
		{"user by number", facts("evt.type", "execve", "proc.name", "id", "user.uid", "1000"), "user 1000 ran id."},
		{"user unknown", facts("evt.type", "execve", "proc.name", "id"), "Someone ran id."},
		{"connection", facts("evt.type", "connect", "proc.name", "curl", "user.name", "app", "fd.name", "10.0.0.7:51234->203.0.113.9:4444", "fd.l4proto", "tcp"), "curl, run by app, connected to 203.0.113.9:4444 (TCP)."},
		{"connection by fields", facts("evt.type", "connect", "proc.name", "curl", "fd.rip", "2001:db8::1", "fd.rport", "443"), "curl connected to [2001:db8::1]:443."},
		{"refused connection", facts("evt.type", "connect", "proc.name", "curl", "fd.name", "a->b", "evt.res", "ECONNREFUSED"), "curl tried to connect to b, which failed with ECONNREFUSED."},
		{"inbound", facts("evt.type", "accept4", "proc.name", "sshd", "fd.name", "198.51.100.1:1->10.0.0.1:22"), "sshd accepted a connection from 198.51.100.1:1."},
		{"reverse shell", facts("evt.type", "dup2", "proc.name", "bash", "fd.name", "10.0.0.7:1->203.0.113.9:2"), "bash tied its input or output to the connection 203.0.113.9:2."},
		{"hostile protocol", facts("evt.type", "connect", "proc.name", "a", "fd.name", "x->y", "fd.l4proto", "tcp) and all is well ("), "a connected to y (?)."},
		{"open flags", facts("evt.type", "openat", "proc.name", "a", "fd.name", "/f", "evt.arg.flags", "O_TRUNC|O_WRONLY"), "a opened /f for writing, which empties it."},
		{"disguise", facts("evt.type", "openat", "proc.name", "httpd", "proc.exepath", "/tmp/x", "fd.name", "/f"), "httpd (in fact /tmp/x) opened /f."},
		{"unknown call", facts("evt.type", "io_uring_setup", "proc.name", "a"), "a called io_uring_setup."},
		{"kubernetes audit", facts("source", "k8s_audit", "ka.user.name", "system:anonymous", "ka.verb", "create", "ka.target.resource", "pods", "ka.target.name", "x", "ka.target.namespace", "kube-system", "ka.response.code", "201"),
			"system:anonymous asked the API server to create pods x in namespace kube-system."},
		{"kubernetes audit refused", facts("ka.user.name", "bob", "ka.verb", "delete", "ka.target.resource", "secrets", "ka.response.code", "403", "ka.response.reason", "Forbidden"),
			"bob was refused (Forbidden) to delete secrets."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := String(Sentence(tt.f)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestValuesKeepTheirKind: what an attacker wrote never becomes words of ours.
func TestValuesKeepTheirKind(t *testing.T) {
	const evil = "<script>evil</script>"
	f := func(field string) string {
		if field == "evt.type" || field == "source" || field == "output" || field == "rule" {
			return ""
		}
		return evil
	}
	for _, call := range []string{"execve", "openat", "unlinkat", "renameat", "linkat", "symlink", "chmod", "connect", "accept", "listen", "socket", "dup", "setuid", "mount", "zzz"} {
		for _, p := range Sentence(func(field string) string {
			if field == "evt.type" {
				return call
			}
			if field == "ka.verb" {
				return ""
			}
			return f(field)
		}) {
			if p.Kind == Words && strings.Contains(p.Text, "evil") {
				t.Errorf("%s: a value stands in our words: %q", call, p.Text)
			}
		}
	}
}

func TestLineage(t *testing.T) {
	got := drawn(Lineage(facts("proc.name", "curl", "proc.pname", "bash", "proc.aname[1]", "other", "proc.aname[2]", "sh", "proc.aname[4]", "containerd-shim")))
	if want := "containerd-shim > … sh > bash > [curl]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := Lineage(facts()); len(got) != 0 {
		t.Errorf("got %v, want no processes", got)
	}
}
