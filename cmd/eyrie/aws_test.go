package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/deploy/aws/awsfake"
	"github.com/eyrie-sec/eyrie/deploy/aws/stack"
)

// TestAWS goes the whole way as a person does at a shell: the command line, the official SDK configured by the
// environment alone, and AWS's answers on loopback.
func TestAWS(t *testing.T) {
	fake := awsfake.New(t)
	home := t.TempDir()
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": fake.URL, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": filepath.Join(home, "config"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(home, "credentials"),
		"AWS_PROFILE": "", "AWS_REGION": "", "EYRIE_REGIONS": "eu-central-1,us-east-1", "EYRIE_POLL": "1us"} {
		t.Setenv(name, value)
	}
	bootstrap := filepath.Join(home, "bootstrap")
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_AARCH64), Version: 1, Ehsize: 64, Phentsize: 56, Shentsize: 64}
	copy(h.Ident[:], elf.ELFMAG+"\x02\x01\x01")
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, h); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bootstrap, b.Bytes(), 0o755); err != nil {
		t.Fatal(err)
	}
	eyrie := func(want int, in string, args ...string) (string, string) {
		t.Helper()
		var out, errOut bytes.Buffer
		if got := run(append([]string{"aws"}, args...), strings.NewReader(in), &out, &errOut); got != want {
			t.Fatalf("eyrie aws %q: exit status %d, want %d; stdout\n%s\nstderr\n%s", args, got, want, &out, &errOut)
		}
		return out.String(), errOut.String()
	}
	wants := func(text string, parts ...string) {
		t.Helper()
		for _, p := range parts {
			if !strings.Contains(text, p) {
				t.Errorf("no %q in\n%s", p, text)
			}
		}
	}

	out, _ := eyrie(1, "", "diff", "--code", bootstrap)
	wants(out, "eu-central-1  stack eyrie is made, with ")
	_, errOut := eyrie(1, "", "deploy", "--code", bootstrap)
	wants(errOut, "Carry this out in account 111122223333? [y/N]", "Nobody answered; give --yes in scripts.", "eyrie: nothing was changed")
	_, errOut = eyrie(1, "no\n", "deploy", "--code", bootstrap)
	wants(errOut, "eyrie: nothing was changed")
	if n := fake.Count("", "ExecuteChangeSet"); n != 0 {
		t.Errorf("%d change sets were carried out", n)
	}
	out, _ = eyrie(0, "y\n", "deploy", "--code", bootstrap, "--emails", "a@example.com", "--cluster", "prod")
	wants(out, "us-east-1  ready: send Falco's alerts to log group /eyrie/falco")
	out, _ = eyrie(0, "", "diff", "--code", bootstrap, "--emails", "a@example.com", "--cluster", "prod")
	wants(out, "us-east-1  stack eyrie is as it should be")

	out, _ = eyrie(0, "", "status", "--drift")
	wants(out, "REGION        STACK            DRIFT    VERSION", "us-east-1     CREATE_COMPLETE  IN_SYNC")
	fake.Do(func() { fake.In("us-east-1").SetMessages("eyrie-quarantine", 4) })
	out, _ = eyrie(1, "", "status", "--json")
	var regions []stack.RegionStatus
	if err := json.Unmarshal([]byte(out), &regions); err != nil || len(regions) != 2 || regions[1].Quarantine != 4 {
		t.Errorf("status: %v: %s", err, out)
	}

	_, errOut = eyrie(1, "n\n", "destroy")
	wants(errOut, "Delete this in account 111122223333? [y/N]")
	out, _ = eyrie(0, "", "destroy", "--yes", "--delete-alerts", "--disable-security-hub")
	wants(out, "4 messages in the quarantine and the dead letters are lost", "us-east-1  deleted log group /eyrie/falco", "eu-central-1  deleted bucket eyrie-111122223333-eu-central-1")
	out, _ = eyrie(1, "", "status")
	wants(out, "us-east-1     none")
}

// TestAWSDocument: docs/aws.md uses commands and flags that there are.
func TestAWSDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/aws.md")
	if err != nil {
		t.Fatal(err)
	}
	help := map[string]string{}
	flags := regexp.MustCompile(`--[a-z][a-z-]+`)
	found := 0
	for line := range strings.Lines(string(text)) {
		_, after, ok := strings.Cut(line, "eyrie aws ")
		if !ok {
			continue
		}
		command, rest, _ := strings.Cut(strings.TrimRight(after, "`\n"), " ")
		command = strings.TrimRight(command, "`.,)|")
		if help[command] == "" {
			var out, errOut bytes.Buffer
			if status := run([]string{"aws", command, "--help"}, strings.NewReader(""), &out, &errOut); status != 0 {
				t.Errorf("there is no eyrie aws %s: %s", command, &errOut)
			}
			help[command] = out.String()
		}
		rest, _, _ = strings.Cut(rest, "|")
		for _, flag := range flags.FindAllString(rest, -1) {
			found++
			if !strings.Contains(help[command], flag+"=") && !strings.Contains(help[command], flag+" ") {
				t.Errorf("eyrie aws %s has no flag %s", command, flag)
			}
		}
	}
	if found < 10 || len(help) < 6 {
		t.Errorf("found %d flags of %d commands", found, len(help))
	}
}
