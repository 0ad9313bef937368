// Package hubtest is what tests of the hub and of its stores share: the contract that every hub.Store must pass, a store
// in memory that can be made to fail, and made-up findings. In come a testing.TB or a number, out go failures and data.
// Nothing that ships imports it.
package hubtest

import (
	"fmt"
	"strconv"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/hub"
)

// Epoch is the time of finding 0; finding n is n seconds later.
var Epoch = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// ProductArn is of all made-up findings.
const ProductArn = "arn:aws:securityhub:us-west-2:111122223333:product/111122223333/default"

var (
	rules = []string{"Terminal shell in container", "Drop and execute new binary in container", "Read sensitive file untrusted",
		"Contact K8S API Server From Container", "Netcat Remote Code Execution in Container", "Clear Log Activities",
		"Redirect STDOUT/STDIN to Network Connection in Container", "Packet socket created in container",
		"Directory traversal monitored file read", "Search Private Keys or Passwords", "Run shell untrusted",
		"System user interactive", "Remove Bulk Data from Disk", "Create Symlink Over Sensitive Files", "Detect release_agent File Container Escapes"}
	namespaces = []string{"payments", "checkout", "search", "kube-system", "monitoring", "identity", "batch", "web"}
	processes  = []string{"bash", "sh", "curl", "nc", "python3", "cat", "runc", "node", "java", "find"}
)

// Finding makes the n-th made-up finding of a Falco alert: about 4 KB, with attributes of few and of many values. Equal n
// gives equal findings.
func Finding(n int) *asff.Finding {
	rule := rules[n%len(rules)]
	namespace := namespaces[n/3%len(namespaces)]
	workload := fmt.Sprintf("deployment/app-%d", n/7%500)
	pod := fmt.Sprintf("app-%d-7d9f8c5b-%05x", n/7%500, n/5)
	cluster := "cluster-" + strconv.Itoa(n/11%12)
	process := processes[n/2%len(processes)]
	image := fmt.Sprintf("registry.example.com/%s/app-%d:1.%d", namespace, n/7%500, n/13%40)
	at := asff.FormatTime(Epoch.Add(time.Duration(n) * time.Second))
	label := []string{"INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"}[n*7/3%5]
	normalized, _ := asff.SeverityNormalized(label)
	pid, parent := 1000+n%32000, 1+n/3%32000
	f := &asff.Finding{
		SchemaVersion: asff.SchemaVersion,
		ID:            fmt.Sprintf("arn:aws:eyrie:us-west-2:111122223333:%s/%s/%s/%016x", cluster, namespace, workload, n),
		ProductArn:    ProductArn, ProductName: "Eyrie", CompanyName: "Eyrie", Region: "us-west-2",
		GeneratorID: "falco/" + rule, AwsAccountID: fmt.Sprintf("%012d", 111122223333+n/17%5),
		Types:           []string{"TTPs/Execution", "Unusual Behaviors/Container"}[:1+n%2],
		FirstObservedAt: at, LastObservedAt: at, CreatedAt: at, UpdatedAt: at,
		Severity: asff.Severity{Label: label, Normalized: &normalized, Original: "Warning"},
		Title:    rule,
		Description: fmt.Sprintf("A shell was spawned in a container with an attached terminal (user=root process=%s parent=containerd-shim cmdline=%s -c id-%x pod=%s)",
			process, process, n, pod),
		Remediation: asff.Remediation{Recommendation: asff.Recommendation{Text: "Look at who started the process and whether the image should have it.", Url: "https://example.com/rules"}},
		ProductFields: map[string]string{
			"eyrie/rule": rule, "eyrie/cluster": cluster, "eyrie/namespace": namespace, "eyrie/pod": pod, "eyrie/workload": workload,
			"eyrie/image": image, "eyrie/host": "node-" + strconv.Itoa(n/19%300), "eyrie/process": process,
			"eyrie/target": "/etc/file-" + strconv.Itoa(n%2000), "eyrie/priority": "Warning", "eyrie/source": "syscall",
			"eyrie/tags": "container,shell,mitre_execution,T1059", "eyrie/occurrences": "1",
		},
		Process: &asff.Process{Name: process, Path: "/usr/bin/" + process, Pid: &pid, ParentPid: &parent, LaunchedAt: at},
		Resources: []asff.Resource{
			{Type: "Container", ID: pod + "/app", Partition: "aws", Region: "us-west-2", Details: &asff.ResourceDetails{Container: &asff.Container{
				ContainerRuntime: "containerd", Name: "app", ImageID: fmt.Sprintf("sha256:%064x", n/13), ImageName: image, LaunchedAt: at}}},
			{Type: "Other", ID: "pod/" + namespace + "/" + pod, Partition: "aws", Region: "us-west-2"},
		},
		Workflow: asff.Workflow{Status: "NEW"}, RecordState: "ACTIVE",
		FindingProviderFields: &asff.FindingProviderFields{Severity: asff.ProviderSeverity{Label: label, Original: "Warning"}, Types: []string{"TTPs/Execution"}},
	}
	for i := range 24 {
		f.ProductFields["falco/field."+strconv.Itoa(i)] = fmt.Sprintf("value %d of %s", i, process)
	}
	f.ProductFields["falco/evt.time"] = strconv.FormatInt(Epoch.UnixNano()+int64(n), 10)
	f.ProductFields["falco/proc.cmdline"] = process + " -c id-" + strconv.FormatInt(int64(n), 16)
	return f
}

// Observation makes the alert with the given number in a journal, at the given time, of the n-th made-up finding.
func Observation(seq int64, n int, at time.Time) hub.Observation {
	f := Finding(n)
	text := asff.FormatTime(at)
	f.FirstObservedAt, f.LastObservedAt, f.CreatedAt, f.UpdatedAt = text, text, text, text
	return hub.Observation{Finding: f, Seq: seq, At: at, Alert: Alert(seq, n, at)}
}

// Alert makes a Falco alert of about 930 bytes.
func Alert(seq int64, n int, at time.Time) []byte {
	f := processes[n/2%len(processes)]
	return fmt.Appendf(nil, `{"uuid":"%032x","output":"%s: Warning A shell was spawned in a container (user=root process=%s)","priority":"Warning",`+
		`"rule":%q,"source":"syscall","tags":["container","shell"],"time":%q,"output_fields":{"container.id":"%012x","container.image.repository":"registry.example.com/app",`+
		`"container.name":"app","evt.time":%d,"evt.type":"execve","k8s.ns.name":%q,"k8s.pod.name":"app-%d","proc.aname[2]":"containerd-shim","proc.cmdline":"%s -c id",`+
		`"proc.exepath":"/usr/bin/%s","proc.name":%q,"proc.pid":%d,"proc.pname":"runc","proc.tty":34816,"user.loginuid":-1,"user.name":"root","user.uid":0,"fd.name":"/etc/shadow",`+
		`"proc.pexepath":"/usr/local/bin/containerd-shim-runc-v2","proc.sid":1,"thread.cap_permitted":"CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL"}}`,
		seq, at.Format("15:04:05"), f, rules[n%len(rules)], at.Format(time.RFC3339Nano), n, at.UnixNano(), namespaces[n/3%len(namespaces)], n, f, f, f, 1000+seq)
}
