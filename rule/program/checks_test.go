package program

import (
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/filter"
	"github.com/eyrie-sec/eyrie/rule/match"
)

func parseEvent(t testing.TB, text string) *event.Event {
	t.Helper()
	e := &event.Event{}
	if err := event.Parse(text, e); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e
}

func bindText(t testing.TB, cond string) (filter.Expr, *match.Node) {
	t.Helper()
	x, err := filter.Parse(cond)
	if err != nil {
		t.Fatalf("%s: %v", cond, err)
	}
	n, _, err := match.Bind(x)
	if err != nil {
		t.Fatalf("%s: %v", cond, err)
	}
	return x, n
}

// both evaluates a condition by the tree walk and as a program, which have to agree.
func both(t testing.TB, cond string, e *event.Event) bool {
	t.Helper()
	x, n := bindText(t, cond)
	types, err := match.EventTypes(x)
	if err != nil {
		t.Fatal(err)
	}
	walk := n.Eval(e, &match.Scratch{})
	fast := len(NewEvaluator(Compile([]Condition{{n, types}})).Eval(e)) == 1
	if walk != fast {
		t.Errorf("%s: tree walk %t, program %t", cond, walk, fast)
	}
	return walk
}

// TestChecks evaluates one check a line: the event, then conditions that hold and, after a minus, that do not.
func TestChecks(t *testing.T) {
	for _, tc := range []struct{ event, conds string }{
		{`openat fd.name=/etc/shadow proc.name=cat`, `
			fd.name = /etc/shadow
			fd.name == /etc/shadow
			- fd.name = /etc/shado
			fd.name != /etc/passwd
			- fd.name != /etc/shadow
			fd.name startswith /etc
			- fd.name startswith etc
			fd.name endswith dow
			fd.name contains c/s
			- fd.name contains C/S
			fd.name icontains C/S
			fd.name glob /etc/sh*
			fd.name glob /*/s?adow
			fd.name glob "/etc/[a-s]*"
			- fd.name glob "/etc/[!a-s]*"
			- fd.name glob /ETC/*
			fd.name iglob /ETC/*
			fd.name regex "/etc/.+w"
			- fd.name regex "etc"
			fd.name in (/a, /etc/shadow)
			- fd.name in ()
			fd.name intersects (/etc/shadow)
			fd.name pmatch (/etc)
			fd.name pmatch (/var, /etc/shadow)
			fd.name pmatch (/e*)
			fd.name pmatch (/)
			- fd.name pmatch (/et)
			- fd.name pmatch ()
			fd.name exists
			fd.directory = /etc
			fd.filename = shadow
			evt.type = openat
			- evt.type = open
			evt.type in (open, openat)
			syscall.type = openat
			evt.dir = <
			- evt.dir = >`},
		{`openat fd.name=/etc/shadow`, `
			- proc.name = cat
			- proc.name != cat
			not proc.name = cat
			not proc.name exists
			- proc.name contains ""
			- proc.pid >= 0
			- fd.sip != 1.2.3.4
			- proc.aname in (a)
			- evt.arg.flags contains O`},
		{`openat fd.name=/a/b`, `
			fd.name startswith oneof (/a, /b)
			- fd.name startswith oneof (/a, /a/b)
			fd.name startswith anyof (/a, /a/b)
			fd.name contains allof (a, b)
			- fd.name contains allof (a, c)
			fd.name != allof (/x, /y)
			- fd.name != allof (/x, /a/b)
			- fd.name = anyof ()
			- fd.name != allof ()
			fd.name regex anyof (x, "/a.*")`},
		{`openat proc.pid=10 user.uid=4294967295 user.loginuid=-1 proc.is_exe_writable=true fd.num=-2 proc.vmsize=5`, `
			proc.pid = 10
			proc.pid > 9
			proc.pid <= 10
			- proc.pid < 10
			proc.pid in (9, 10)
			proc.pid = anyof (10, 11)
			user.uid = -1
			user.uid > 1000
			user.loginuid = -1
			user.loginuid < 0
			fd.num < 0
			proc.vmsize != -1
			proc.is_exe_writable = true
			- proc.is_exe_writable in (false)`},
		{`connect fd.cip=10.1.2.3 fd.sip=192.168.0.9 fd.cport=40000 fd.sport=443 fd.lip=10.1.2.3`, `
			fd.cip = 10.1.2.3
			fd.ip = 10.1.2.3
			fd.ip = 192.168.0.9
			- fd.ip = 1.1.1.1
			- fd.ip != 10.1.2.3
			fd.ip != 1.1.1.1
			fd.port = 443
			fd.port = 40000
			- fd.port != 443
			fd.port < 1024
			fd.sport = https
			fd.snet = 192.168.0.0/16
			fd.snet in (10.0.0.0/8, 192.168.0.0/24)
			- fd.snet = 10.0.0.0/8
			fd.net = 10.0.0.0/8
			fd.net in (1.0.0.0/8, 192.168.0.0/16)
			fd.snet != 10.0.0.0/8
			fd.cip = val(fd.lip)
			- fd.cip = val(fd.sip)
			- fd.sip in (::1)`},
		{`connect fd.sip=2001:db8::5`, `
			fd.sip = 2001:db8::5
			fd.sip = 2001:DB8:0::5
			fd.snet = "2001:db8::/32"
			- fd.snet = 10.0.0.0/8`},
		{`execve proc.aname=[cat bash sshd systemd] proc.apid=[9 8 7 1] proc.acmdline=["cat x" "bash -c"]`, `
			proc.name = cat
			proc.pname = bash
			proc.aname[2] = sshd
			proc.aname[0] = cat
			- proc.aname[9] = x
			- proc.aname[9] exists
			proc.aname = sshd
			- proc.aname = cat
			proc.aname in (systemd)
			proc.aname contains ssh
			proc.aname startswith sys
			proc.aname != bash
			proc.apid = 7
			proc.apid[1] = 8
			proc.acmdline[1] startswith bash
			proc.pcmdline contains "-c"`},
		{`openat evt.arg.flags="O_RDONLY|O_CLOEXEC" evt.rawarg.flags=4097 evt.arg.name=/x proc.env=[A=1 "PATH=/a:/b" C=] proc.args="-a -b"`, `
			evt.arg.flags contains O_CLOEXEC
			evt.rawarg.flags = 4097
			evt.arg.name = /x
			evt.arg[2] = /x
			- evt.arg.path = /x
			proc.env[PATH] contains /b
			proc.env[1] = "PATH=/a:/b"
			- proc.env[NO] exists
			proc.env contains "A=1 PATH"
			proc.args = "-a -b"`},
		{`openat container.labels=[app=web tier=db] container.mounts=["/src:/dst:rw:true:rprivate" "/etc:/host/etc:ro:false:"] k8s.pod.labels=[x=y]`, `
			container.label[app] = web
			- container.label[none] exists
			container.labels contains "app:web, tier:db"
			container.mount.dest[/etc] = /host/etc
			container.mount.dest[/e*] exists
			container.mount.source[/host/*] = /etc
			container.mount.mode[0] = rw
			container.mount.rdwr[1] = false
			- container.mount.dest[/nope] exists
			k8s.pod.label[x] = y`},
		{`write evt.buffer="\x00\xca\xfe\x01abc" fd.types=[file ipv4]`, `
			evt.buffer bcontains cafe
			evt.buffer bstartswith 00CA
			- evt.buffer bstartswith cafe
			evt.buffer contains abc
			evt.buffer endswith bc
			fd.types intersects (file)
			fd.types in (file, ipv4, unix)
			- fd.types in (file)
			len(fd.types) = 2
			len(evt.buffer) > 6
			join("+", fd.types) = "file+ipv4"
			tolower(fd.types) intersects (ipv4)`},
		{`execve proc.name=BaSH proc.exepath=/usr/bin/bash proc.pname=bash proc.cmdline=aGVsbG8= proc.pid=7`, `
			tolower(proc.name) = bash
			toupper(proc.name) = BASH
			basename(proc.exepath) = bash
			b64(proc.cmdline) = hello
			- b64(proc.exepath) exists
			len(proc.name) = 4
			tolower(basename(proc.exepath)) = val(proc.pname)
			tolower(proc.name) = tolower(proc.pname)
			proc.name != val(proc.pname)
			concat(proc.name, ":", proc.pname) = "BaSH:bash"
			concat(proc.name, 7) endswith 7
			join("-", (proc.name, proc.pid)) = BaSH-7
			- concat(proc.name, proc.cwd) exists
			proc.name in toupper(proc.pname) or proc.pname in tolower(proc.name)
			len(("a", "b")) = 2`},
		{`execve fd.types=["-a" "-b" "val" "-cx" "rest" "-d"]`, `
			getopt(fd.types, "ab:c:d")[b] = val
			getopt(fd.types, "ab:c:d")[c] = x
			getopt(fd.types, "ab:c:d")[a] = a
			- getopt(fd.types, "ab:c:d")[d] exists
			getopt(fd.types, "ab:c:d") intersects (val)
			getopt(fd.types, "a") intersects (?)`},
	} {
		e := parseEvent(t, tc.event)
		for line := range strings.Lines(strings.TrimSpace(tc.conds)) {
			cond, negative := strings.CutPrefix(strings.TrimSpace(line), "- ")
			if got := both(t, cond, e); got == negative {
				t.Errorf("%s\n  %s: got %t, want %t", tc.event, cond, got, !negative)
			}
		}
	}
}

// TestEmptyListAndEmptyText holds () and ("") apart, which print alike.
func TestEmptyListAndEmptyText(t *testing.T) {
	var conds []Condition
	for _, cond := range []string{`fd.directory in ()`, `fd.directory in ("")`} {
		x, n := bindText(t, cond)
		types, err := match.EventTypes(x)
		if err != nil {
			t.Fatal(err)
		}
		conds = append(conds, Condition{n, types})
	}
	hits := NewEvaluator(Compile(conds)).Eval(parseEvent(t, "openat fd.name=b"))
	if len(hits) != 1 || hits[0] != 1 {
		t.Errorf("got conditions %v, want [1]", hits)
	}
}
