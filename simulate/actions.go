package simulate

// Users that every distribution has and that are not root: daemon or bin, by number.
const nonRoot = 1

// Addresses that exist in an action's own network alone. 203.0.113.0/24 is TEST-NET-3 (RFC 5737).
const (
	addressMetadata = "169.254.169.254"
	addressOutside  = "203.0.113.7"
)

// memfdNumber is the descriptor, and so the name, of the program that has no file.
const memfdNumber = 59

// Actions lists all, in the order in which they are done.
func Actions() []*Action {
	var all []*Action
	for _, group := range [][]*Action{actionsOnFiles(), actionsOnSystemFiles(), actionsOnHome(), actionsOfPrograms(), actionsOfServers(), actionsOnNetwork(), actionsInKernel(), actionsInContainers(), actionsOnWaysOut(), actionsOfFirstProcess()} {
		all = append(all, group...)
	}
	return all
}

func one(a Action, steps ...step) *Action {
	a.steps = steps
	return &a
}

// needs is files that are there in nearly every system, and in every action.
var needs = []string{"/etc/shadow", "/usr/local/sbin/.keep", "/usr/local/bin/.keep", "/usr/sbin/.keep", "/var/log/.keep", "/root/.keep"}

func actionsOnFiles() []*Action {
	return []*Action{
		one(Action{Name: "write-below-etc", Does: "a program makes a file in /etc", In: Anywhere,
			Rules: []string{"Write below etc"}},
			program("touch", "/etc/eyrie-simulate").does("write", "/etc/eyrie-simulate")),
		one(Action{Name: "read-shadow", Does: "a program reads the password hashes", In: Anywhere,
			Rules: []string{"Read sensitive file untrusted", "Read of a secret file"}},
			program("cat", "/etc/shadow").does("read", "/etc/shadow")),
		one(Action{Name: "read-shadow-late", Does: "a web server reads the password hashes six seconds after its start", In: Anywhere,
			Rules: []string{"Read sensitive file trusted after startup"}},
			program("httpd").does("wait", "5200ms").does("read", "/etc/shadow")),
		one(Action{Name: "directory-traversal", Does: "a program opens /etc/shadow by way of ../..", In: Anywhere,
			Rules: []string{"Directory traversal monitored file read"}},
			program("php-cgi").does("read", "/etc/../etc/../etc/shadow")),
		one(Action{Name: "mkdir-in-bin", Does: "a directory is made in /bin", In: Anywhere,
			Rules: []string{"Mkdir binary dirs", "Write below a program directory"}},
			program("mkdir", "/bin/eyrie-simulate").does("mkdir", "/bin/eyrie-simulate")),
		one(Action{Name: "rename-in-bin", Does: "a directory in /bin is renamed and removed", In: Anywhere,
			Rules: []string{"Modify binary dirs"}},
			program("mv", "/bin/eyrie-simulate-1", "/bin/eyrie-simulate-2").does("mkdir", "/bin/eyrie-simulate-1").
				does("rename", "/bin/eyrie-simulate-1", "/bin/eyrie-simulate-2").does("rmdir", "/bin/eyrie-simulate-2")),
		one(Action{Name: "write-below-bin", Does: "a program puts a file into /usr/bin", In: Anywhere,
			Rules: []string{"Write below binary dir", "Write below a program directory"}},
			program("cp", "x", "/usr/bin/eyrie-simulate").does("write", "/usr/bin/eyrie-simulate")),
		one(Action{Name: "write-monitored-dir", Does: "a program puts a file into /usr/local/sbin", In: Anywhere,
			Rules: []string{"Write below monitored dir", "Write below a program directory"}},
			program("cp", "x", "/usr/local/sbin/eyrie-simulate").does("write", "/usr/local/sbin/eyrie-simulate")),
		one(Action{Name: "write-below-root", Does: "a program makes a file in /root", In: Anywhere,
			Rules: []string{"Write below root"}},
			program("touch", "/root/eyrie-simulate").does("write", "/root/eyrie-simulate")),
		one(Action{Name: "write-rpm-database", Does: "a program that is not rpm writes into its database", In: Anywhere,
			Rules: []string{"Write below rpm database"}, prepare: map[string]string{"/var/lib/rpm/.keep": ""}},
			program("touch", "/var/lib/rpm/eyrie-simulate").does("write", "/var/lib/rpm/eyrie-simulate")),
		one(Action{Name: "write-below-dev", Does: "a regular file is made in /dev", In: Anywhere,
			Rules: []string{"Create files below dev"}},
			program("touch", "/dev/eyrie-simulate").does("write", "/dev/eyrie-simulate")),
		one(Action{Name: "hidden-link", Does: "a symbolic link to /etc is made in /tmp", In: Anywhere,
			Rules: []string{"Create Symlink Over Sensitive Files"}},
			program("ln", "-s", "/etc", "/tmp/eyrie-simulate").does("symlink", "/etc", "/tmp/eyrie-simulate")),
		one(Action{Name: "hard-link", Does: "a hard link to /etc/shadow is made", In: Anywhere,
			Rules: []string{"Create Hardlink Over Sensitive Files"}},
			program("ln", "/etc/shadow", "/etc/eyrie-simulate").does("link", "/etc/shadow", "/etc/eyrie-simulate")),
		one(Action{Name: "setuid-bit", Does: "a file gets the set-user-ID bit", In: Anywhere,
			Rules: []string{"Set Setuid or Setgid bit"}, Inner: []string{"Container Drift Detected (chmod)"}},
			program("chmod", "u+s", "/tmp/eyrie-simulate").does("write", "/tmp/eyrie-simulate").does("chmod", "/tmp/eyrie-simulate", "4755")),
	}
}

func actionsOnSystemFiles() []*Action {
	return []*Action{
		one(Action{Name: "clear-log", Does: "a system log is emptied", In: Anywhere,
			Rules: []string{"Clear Log Activities", "History or log removed"}},
			program("truncate", "-s0", "/var/log/auth.log").does("truncate", "/var/log/auth.log")),
		one(Action{Name: "cron-job", Does: "a file is put into /etc/cron.d, and crontab is called", In: Anywhere, prepare: map[string]string{"/etc/cron.d/.keep": ""},
			Rules: []string{"Schedule Cron Jobs"}},
			program("tee", "/etc/cron.d/eyrie-simulate").does("write", "/etc/cron.d/eyrie-simulate"), program("crontab", "-l")),
		one(Action{Name: "package-repository", Does: "a program that is no package manager adds a repository", In: Anywhere, prepare: map[string]string{"/etc/apt/sources.list.d/.keep": ""},
			Rules: []string{"Update Package Repository"}},
			program("tee", "/etc/apt/sources.list.d/eyrie-simulate.list").does("write", "/etc/apt/sources.list.d/eyrie-simulate.list")),
		one(Action{Name: "sshd-backdoor", Does: "sshd opens a liblzma of the version with the backdoor (an empty file)", In: Anywhere,
			Rules: []string{"Backdoored library loaded into SSHD (CVE-2024-3094)"}, prepare: map[string]string{"/opt/eyrie-simulate/liblzma.so.5.6.1": ""}},
			program("sshd", "-D").does("read", "/opt/eyrie-simulate/liblzma.so.5.6.1")),
		one(Action{Name: "search-keys", Does: "find looks for private keys", In: Anywhere,
			Rules: []string{"Search Private Keys or Passwords"}},
			program("find", "/", "-name", "id_rsa")),
		one(Action{Name: "search-aws-keys", Does: "find and grep look for AWS credentials", In: Anywhere,
			Rules: []string{"Find AWS Credentials"}},
			program("find", "/root", "-path", "*/.aws/credentials"), program("grep", "-r", "aws_secret_access_key", "/root")),
		one(Action{Name: "wipe-disk", Does: "shred is started (and does nothing)", In: Anywhere,
			Rules: []string{"Remove Bulk Data from Disk"}},
			program("shred", "-u", "/tmp/eyrie-simulate")),
	}
}

func actionsOnHome() []*Action {
	return []*Action{
		one(Action{Name: "empty-history", Does: "a shell's history is emptied", In: Anywhere, prepare: map[string]string{"/root/.local/share/fish/.keep": ""},
			Rules: []string{"Delete or rename shell history", "History or log removed"}},
			program("truncate", "-s0", "/root/.local/share/fish/fish_history").does("truncate", "/root/.local/share/fish/fish_history")),
		one(Action{Name: "delete-history", Does: "a shell's history is deleted", In: Anywhere, prepare: map[string]string{"/root/.ash_history": "ls\n"},
			Rules: []string{"Delete or rename shell history", "History or log removed"}},
			program("rm", "/root/.ash_history").does("unlink", "/root/.ash_history")),
		one(Action{Name: "modify-shell-config", Does: "a program adds to .bashrc", In: Anywhere,
			Rules: []string{"Modify Shell Configuration File"}},
			program("tee", "-a", "/root/.bashrc").does("write", "/root/.bashrc")),
		one(Action{Name: "read-shell-config", Does: "a program reads .bashrc", In: Anywhere, prepare: map[string]string{"/root/.bashrc": "\n"},
			Rules: []string{"Read Shell Configuration File"}},
			program("cat", "/root/.bashrc").does("read", "/root/.bashrc")),
		one(Action{Name: "add-ssh-key", Does: "a program writes authorized_keys", In: Anywhere, prepare: map[string]string{"/root/.ssh/.keep": ""},
			Rules: []string{"Adding ssh keys to authorized_keys"}},
			program("tee", "-a", "/root/.ssh/authorized_keys").does("write", "/root/.ssh/authorized_keys")),
		one(Action{Name: "read-ssh", Does: "a program reads known_hosts", In: Anywhere, prepare: map[string]string{"/root/.ssh/known_hosts": "example\n"},
			Rules: []string{"Read ssh information"}},
			program("cat", "/root/.ssh/known_hosts").does("read", "/root/.ssh/known_hosts")),
		one(Action{Name: "hidden-file", Does: "a file whose name begins with a dot is made in /opt", In: Anywhere, prepare: map[string]string{"/opt/eyrie-simulate/x": ""},
			Rules: []string{"Create Hidden Files or Directories"}},
			program("touch", "/opt/eyrie-simulate/.hidden").does("write", "/opt/eyrie-simulate/.hidden")),
	}
}
