package convert

import (
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/falco"
)

func TestStable(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""},
		{"/etc/passwd", "/etc/passwd"},
		{"/usr/bin/python3.11", "/usr/bin/python3.11"},
		{"/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libc.so.6"},
		{"/opt/app-2024/run", "/opt/app-2024/run"},
		{"/usr/share/MyAppName/file-BackupCopy.txt", "/usr/share/MyAppName/file-BackupCopy.txt"},
		{"/srv/report.backup", "/srv/report.backup"},
		{"/srv/README-Server", "/srv/README-Server"},
		{"/tmp/falco-event-generator-syscall-spawned-2210846531/lua", "/tmp/falco-event-generator-syscall-spawned-*/lua"},
		{"/bin/falco-event-generator-syscall-DropAndExecuteNewBinaryInContainer-eoPmeT", "/bin/falco-event-generator-syscall-DropAndExecuteNewBinaryInContainer-*"},
		{"/bin/true.falco-ModifyBinaryDirs-7ZvoFl", "/bin/true.falco-ModifyBinaryDirs-*"},
		{"/tmp/tmp.Xk3LpQ9wZ0", "/tmp/tmp.*"},
		{"/tmp/tmpab3k_9x1/run", "/tmp/tmpab3k_9x1/run"}, // too short a part before the underscore to tell
		{"/tmp/tmpabcdefgh/run", "/tmp/tmp*/run"},
		{"/tmp/go-build3926493871/b001/exe/main", "/tmp/go-build*/b*/exe/main"},
		{"/tmp/session.123", "/tmp/session.*"},
		{"/var/log/syslog.1", "/var/log/syslog.1"},
		{"/var/log/app-2026-11-21.log", "/var/log/app-*.log"},
		{"/var/log/app-20261121T022546.log", "/var/log/app-*T*.log"},
		{"/proc/1/environ", "/proc/*/environ"},
		{"/proc/12/task/34/mem", "/proc/*/task/*/mem"},
		{"/proc/self/fd/7", "/proc/self/fd/*"},
		{"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/core_pattern"},
		{"/var/lib/kubelet/pods/0b9e7a3c-1c2d-4e5f-8a9b-0c1d2e3f4a5b/volumes/x", "/var/lib/kubelet/pods/*/volumes/x"},
		{"/run/secrets/..2026_11_21_02_25_48.123456789/token", "/run/secrets/..*/token"},
		{"/srv/..2026_11_21_02_25_48.1", "/srv/..*"},
		{"/srv/..data/token", "/srv/..data/token"},
		{"/var/lib/docker/overlay2/" + strings.Repeat("0a", 32) + "/merged/x", "/var/lib/docker/overlay2/*/merged/x"},
		{"/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/42/fs", "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/*/fs"},
		{"web-0b1c2d3e4f5a", "web-*"},
		{"10.0.0.7:443", "10.0.0.7:443"},
		{"[2001:db8::17]:443", "[2001:db8::17]:443"},
		{strings.Repeat("1-", 100) + "x", strings.Repeat("*-", 12) + "1-1-1-1-x"},
	}
	for _, tt := range tests {
		if got := string(appendStable(nil, tt.text)); got != tt.want {
			t.Errorf("stable form of %q\ngot  %q\nwant %q", tt.text, got, tt.want)
		}
	}
}

func TestPodOwner(t *testing.T) {
	long := strings.Repeat("a", 52)
	tests := []struct{ pod, host, labels, want string }{
		{"payments-api-6d4cf56db6-x2v9k", "", "", "deployment/payments-api"},
		{"web-7c5ddbdf54-bq2zl", "", "", "deployment/web"},
		{"backup-29245678-x2v9k", "", "", "cronjob/backup"},
		{"backup-1795227948-x2v9k", "", "", "cronjob/backup"},
		{"fluent-bit-x2v9k", "", "", "workload/fluent-bit"},
		{"fluent-bit-x2v9k", "", "app:fluent-bit, controller-revision-hash:7f8", "daemonset/fluent-bit"},
		{"migrate-x2v9k", "", "job-name:migrate", "job/migrate"},
		{"db-0", "", "", "statefulset/db"},
		{"db-12", "", "", "statefulset/db"},
		{"db-007", "", "", "pod/db-007"},
		{"etcd-node-1", "node-1", "", "static-pod/etcd"},
		{"debug", "", "", "pod/debug"},
		{"web-proxy", "", "", "pod/web-proxy"}, // "proxy" has a vowel
		{"web-front", "", "", "pod/web-front"}, // and so has "front"
		{"web-6d4cf56db6", "", "", "pod/web-6d4cf56db6"},
		{long + "-6d4cf" + "x2v9k", "", "", "deployment/" + long},
		{"-x2v9k", "", "", "pod/-x2v9k"},
		{"", "", "", "pod/"},
	}
	for _, tt := range tests {
		kind, name := podOwner(tt.pod, tt.host, tt.labels)
		if got := kind + "/" + name; got != tt.want {
			t.Errorf("podOwner(%q, %q, %q) = %s, want %s", tt.pod, tt.host, tt.labels, got, tt.want)
		}
	}
}

func TestStableContainerName(t *testing.T) {
	for name, want := range map[string]string{
		"payments-api":                             "payments-api",
		"shop-payments-api-1":                      "shop-payments-api",
		"shop_payments_2":                          "shop_payments",
		"shop-web-run-0123456789ab":                "shop-web",
		"stack_web.3.abcdefghijklmnopqrstuvwxy":    "stack_web",
		"vigilant_hopper":                          "",
		"vigilant_hopper7":                         "",
		"ee5e154fac58":                             "",
		"host":                                     "",
		"web-0b9e7a3c-1c2d-4e5f-8a9b-0c1d2e3f4a5b": "web-*",
		"buildx_buildkit_default":                  "buildx_buildkit_default",
		"":                                         "",
	} {
		if got := stableContainerName(name); got != want {
			t.Errorf("stableContainerName(%q) = %q, want %q", name, got, want)
		}
	}
}

const inContainer = `"container.id":"ee5e154fac58","container.name":"api","container.image.repository":"reg/api","container.image.tag":"1","proc.exepath":"/usr/bin/cat"`

func TestWorkload(t *testing.T) {
	tests := []struct{ name, fields, want string }{
		{"pod", inContainer + `,"k8s.ns.name":"shop","k8s.pod.name":"api-6d4cf56db6-x2v9k"`, "k8s shop deployment/api"},
		{"named deployment", inContainer + `,"k8s.ns.name":"shop","k8s.pod.name":"odd","k8s.deployment.name":"api"`, "k8s shop deployment/api"},
		{"named replica set", inContainer + `,"k8s.ns.name":"shop","k8s.pod.name":"odd","k8s.rs.name":"api-6d4cf56db6"`, "k8s shop deployment/api"},
		{"replication controller", inContainer + `,"k8s.ns.name":"shop","k8s.pod.name":"api-x2v9k","k8s.rc.name":"api"`, "k8s shop replicationcontroller/api"},
		{"kubelet's Docker name", `"container.id":"ee5e154fac58","container.name":"k8s_api_api-6d4cf56db6-x2v9k_shop_0b9e7a3c-1c2d-4e5f-8a9b-0c1d2e3f4a5b_0"`, "k8s shop deployment/api"},
		{"ECS agent's Docker name", `"container.id":"ee5e154fac58","container.name":"ecs-shop-web-12-nginx-b8e7d5a4f1c2e3a45601"`, "ecs  ecs-task/shop-web"},
		{"FireLens", inContainer + `,"ecs_task_definition":"shop:7"`, "ecs  ecs-task/shop"},
		{"FireLens with ARN", inContainer + `,"ecs_task_definition":"arn:aws:ecs:eu-central-1:111122223333:task-definition/shop:7"`, "ecs  ecs-task/shop"},
		{"ECS labels", inContainer + `,"container.labels":"a:b,com.amazonaws.ecs.task-definition-family:shop"`, "ecs  ecs-task/shop"},
		{"ECS service", inContainer + `,"ecs_service_name":"web","ecs_task_definition":"shop:7"`, "ecs  ecs-service/web"},
		{"container", inContainer, "container  container/api"},
		{"made-up name", `"container.id":"ee5e154fac58","container.name":"vigilant_hopper","container.image":"reg:5000/team/api:1@sha256:00"`, "container  container/api"},
		{"compose label", inContainer + `,"container.labels":"com.docker.compose.service:web"`, "container  container/web"},
		{"id alone", `"container.id":"ee5e154fac58"`, "container  container/unknown"},
		{"host", `"container.id":"host","container.name":"host","proc.exepath":"/usr/bin/cat"`, "host  host/node-1"},
		{"no fields", ``, "host  host/node-1"},
		{"not available", `"container.id":"<NA>","k8s.pod.name":null`, "host  host/node-1"},
		{"audit event of a pod", `"ka.target.resource":"pods","ka.target.name":"api-6d4cf56db6-x2v9k","ka.target.namespace":"shop"`, "k8s shop deployment/api"},
		{"audit event", `"ka.target.resource":"configmaps","ka.target.name":"settings","ka.target.namespace":"shop"`, "k8s shop configmap/settings"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var v view
			v.read(alert(t, "R", tt.fields), fieldTable(), nil)
			w := workloadOf(&v)
			if got := w.class + " " + w.namespace + " " + w.kind + "/" + w.name; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWorkloadOfPlugin(t *testing.T) {
	a := parse(t, `{"rule":"R","priority":"Notice","time":"2026-11-21T02:25:48Z","source":"aws_cloudtrail","hostname":"node-1","output_fields":{"ct.name":"ConsoleLogin"}}`)
	f := converter(t, Config{}).Convert(a, origin)
	if got, want := f.ProductFields["eyrie/workload"], "source/aws_cloudtrail"; got != want {
		t.Errorf("workload %q, want %q", got, want)
	}
}

// TestSameTrouble: alerts of one group are one finding, those of different groups are not.
func TestSameTrouble(t *testing.T) {
	pod := func(name, id, exe, more string) string {
		return `"container.id":"` + id + `","container.name":"api","container.image.repository":"reg/api","container.image.tag":"` + id[:2] +
			`","k8s.ns.name":"shop","k8s.pod.name":"` + name + `","proc.exepath":"` + exe + `","proc.pid":` + id[8:] + more
	}
	type one struct{ rule, fields string }
	groups := [][]one{
		{ // another pod, container, image tag, process id, user
			{"A", pod("api-6d4cf56db6-x2v9k", "ee5e154f1111", "/bin/cat", `,"fd.name":"/etc/shadow","user.name":"root"`)},
			{"A", pod("api-7f8b9c6d54-qwrtz", "005e154f2222", "/bin/cat", `,"fd.name":"/etc/shadow","user.name":"bob"`)},
			{"A", pod("api-7f8b9c6d54-qwrtz", "005e154f2222", "/bin/cat (deleted)", `,"fd.name":"/etc/shadow"`)},
			{"A", pod("whatever", "005e154f2222", "/bin/cat", `,"fd.name":"/etc/shadow","k8s.deployment.name":"api"`)},
		},
		{{"A", pod("api-6d4cf56db6-x2v9k", "ee5e154f1111", "/bin/cat", `,"fd.name":"/etc/passwd"`)}},
		{{"A", pod("api-6d4cf56db6-x2v9k", "ee5e154f1111", "/bin/dog", `,"fd.name":"/etc/shadow"`)}},
		{{"B", pod("api-6d4cf56db6-x2v9k", "ee5e154f1111", "/bin/cat", `,"fd.name":"/etc/shadow"`)}},
		{{"A", pod("web-6d4cf56db6-x2v9k", "ee5e154f1111", "/bin/cat", `,"fd.name":"/etc/shadow"`)}},
		{ // other random parts
			{"A", pod("api-6d4cf56db6-x2v9k", "ee5e154f1111", "/tmp/run-2210846531/lua", `,"fd.name":"/proc/17/environ"`)},
			{"A", pod("api-6d4cf56db6-x2v9k", "ee5e154f1111", "/tmp/run-340481391/lua", `,"fd.name":"/proc/23456/environ"`)},
		},
		{ // another ephemeral port, the same service; in whatever fields
			{"N", pod("api-6d4cf56db6-x2v9k", "ee5e154f1111", "/bin/nc", `,"evt.type":"connect","fd.name":"10.0.0.1:41234->203.0.113.9:4444"`)},
			{"N", pod("api-6d4cf56db6-x2v9k", "ee5e154f1111", "/bin/nc", `,"evt.type":"connect","fd.name":"10.0.0.2:51235->203.0.113.9:4444"`)},
			{"N", pod("api-6d4cf56db6-x2v9k", "ee5e154f1111", "/bin/nc", `,"evt.type":"connect","fd.rip":"203.0.113.9","fd.rport":4444,"fd.lport":51235,"fd.lip":"10.0.0.2"`)},
		},
		{{"N", pod("api-6d4cf56db6-x2v9k", "ee5e154f1111", "/bin/nc", `,"evt.type":"connect","fd.name":"10.0.0.1:41234->203.0.113.9:4445"`)}},
		{{"N", pod("api-6d4cf56db6-x2v9k", "ee5e154f1111", "/bin/nc", `,"evt.type":"connect","fd.name":"10.0.0.1:41234->203.0.113.8:4444"`)}},
		{ // the container is the trouble
			{"Launch Privileged Container", pod("api-6d4cf56db6-x2v9k", "ee5e154f1111", "/bin/a", ``)},
			{"Launch Privileged Container", pod("api-6d4cf56db6-x2v9k", "ee5e154f1111", "/bin/b", `,"fd.name":"/x"`)},
		},
		{{"Run shell untrusted", pod("api-6d4cf56db6-x2v9k", "ee5e154f1111", "/bin/sh", `,"proc.pname":"nginx"`)}},
		{{"Run shell untrusted", pod("api-6d4cf56db6-x2v9k", "ee5e154f1111", "/bin/sh", `,"proc.pname":"java"`)}},
	}
	c := converter(t, Config{})
	owner := map[string]int{}
	for i, group := range groups {
		ids := map[string]bool{}
		for _, o := range group {
			f := c.Convert(alert(t, o.rule, o.fields), origin)
			ids[f.ID] = true
			if other, ok := owner[f.ID]; ok && other != i {
				t.Errorf("groups %d and %d have the same Id %s", other, i, f.ID)
			}
			owner[f.ID] = i
		}
		if len(ids) != 1 {
			t.Errorf("group %d has %d Ids: %v", i, len(ids), ids)
		}
	}
}

func TestIDByOrigin(t *testing.T) {
	c := converter(t, Config{})
	ids := map[string]falco.Origin{}
	for _, o := range []falco.Origin{{}, origin, {Account: "111122223334", Region: "eu-central-1", Cluster: "prod"}, {Account: "111122223333", Region: "eu-west-1", Cluster: "prod"},
		{Account: "111122223333", Region: "eu-central-1", Cluster: "test"}, {Account: "111122223333", Region: "eu-central-1"}} {
		id := c.Convert(alert(t, "R", inContainer), o).ID
		if other, ok := ids[id]; ok {
			t.Errorf("%+v and %+v give the same Id %s", o, other, id)
		}
		ids[id] = o
	}
	// The ARN of an EKS cluster names the same cluster.
	arn := origin
	arn.Cluster = "arn:aws:eks:eu-central-1:111122223333:cluster/prod"
	if got, want := c.Convert(alert(t, "R", inContainer), arn).ID, c.Convert(alert(t, "R", inContainer), origin).ID; got != want {
		t.Errorf("Id by ARN %s, by name %s", got, want)
	}
}

// TestIDIsStable pins the Ids: hubs hold findings under them.
func TestIDIsStable(t *testing.T) {
	c := converter(t, Config{})
	for want, fields := range map[string]string{
		"falco/aws/eu-central-1/111122223333/prod/read-sensitive-file-untrusted/k8s/shop/api/":  inContainer + `,"fd.name":"/etc/shadow","k8s.ns.name":"shop","k8s.pod.name":"api-6d4cf56db6-x2v9k"`,
		"falco/aws/eu-central-1/111122223333/prod/read-sensitive-file-untrusted/container/api/": inContainer + `,"fd.name":"/etc/shadow"`,
		"falco/aws/eu-central-1/111122223333/prod/read-sensitive-file-untrusted/host/node-1/":   `"container.id":"host","fd.name":"/etc/shadow"`,
	} {
		got := c.Convert(alert(t, "Read sensitive file untrusted", fields), origin).ID
		if hash, ok := strings.CutPrefix(got, want); !ok || len(hash) != 32 || !isHex(hash) {
			t.Errorf("got %s, want %s and 32 digits", got, want)
		}
	}
	const pinned = "falco/aws/eu-central-1/111122223333/prod/r/container/api/130c18da4a57ec0c4a75c122171eba34"
	if got := c.Convert(alert(t, "R", inContainer+`,"fd.name":"/tmp/x-123456"`), origin).ID; got != pinned {
		t.Errorf("got %s, want %s", got, pinned)
	}
}

func TestIDIsBounded(t *testing.T) {
	long := strings.Repeat("ä/X", 5000)
	o := falco.Origin{Account: "x", Region: long, Cluster: long}
	id := converter(t, Config{}).Convert(alert(t, long, `"container.id":"a","k8s.pod.name":"`+long+`","k8s.ns.name":"`+long+`"`), o).ID
	if len(id) > 512 {
		t.Errorf("Id has %d bytes: %s", len(id), id)
	}
	if strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") != "" {
		t.Errorf("Id %s has other characters than letters, digits and /._-", id)
	}
}

func TestIdentityConfig(t *testing.T) {
	fields := inContainer + `,"fd.name":"/etc/shadow","user.name":"%"`
	id := func(cfg Identity, rule, user string) string {
		return converter(t, Config{Identity: cfg}).Convert(alert(t, rule, strings.ReplaceAll(fields, "%", user)), origin).ID
	}
	byUser := Identity{Rules: map[string][]string{"R": {"user.name"}}}
	if id(byUser, "R", "a") == id(byUser, "R", "b") {
		t.Error("a rule that goes by user.name has one Id for two users")
	}
	if id(byUser, "S", "a") != id(byUser, "S", "b") {
		t.Error("another rule has two Ids for two users")
	}
	if none := (Identity{Default: []string{}}); id(none, "R", "a") != id(none, "R", "b") || id(none, "R", "a") == id(Identity{}, "R", "a") {
		t.Error("an empty default is not one finding a workload")
	}
	for _, bad := range []Identity{{Default: []string{""}}, {Rules: map[string][]string{"R": {"a", ""}}}} {
		if _, err := New(Config{Identity: bad}); err == nil {
			t.Errorf("no error for %+v", bad)
		}
	}
}
