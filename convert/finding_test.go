package convert

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/falco"
)

func TestSeverity(t *testing.T) {
	own, err := NewSeverityMap(SeverityConfig{Base: "guidance", Priorities: map[string]string{"debug": "low"},
		Rules: map[string]string{"Terminal shell in container": "CRITICAL", "Write below *": "medium", "*": "LOW", "Write below e?c": "HIGH"}})
	if err != nil {
		t.Fatal(err)
	}
	priorities, err := NewSeverityMap(SeverityConfig{Priorities: map[string]string{"Info": "HIGH", "alert": "low"}})
	if err != nil {
		t.Fatal(err)
	}
	named := func(name string) SeverityMap {
		m, err := ParseSeverityMap(name)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	// The labels by priority, Emergency first, and of one rule each.
	tests := []struct {
		name string
		m    SeverityMap
		rule string
		want string
	}{
		{"zero", SeverityMap{}, "R", "CCCHMLII"},
		{"default", named(""), "R", "CCCHMLII"},
		{"conservative", named("conservative"), "R", "CCCHMLII"},
		{"guidance", named("Guidance"), "R", "CCCHHMII"},
		{"priorities", priorities, "R", "CLCHMLHI"},
		{"exact rule", own, "Terminal shell in container", "CCCCCCCC"},
		{"pattern", own, "Write below root", "MMMMMMMM"},
		{"more exact pattern", own, "Write below etc", "HHHHHHHH"},
		{"star", own, "Anything", "LLLLLLLL"},
	}
	for _, tt := range tests {
		got := ""
		for p := falco.Emergency; int(p) < falco.Priorities; p++ {
			got += tt.m.Label(tt.rule, p)[:1]
		}
		if got != tt.want {
			t.Errorf("%s: labels %s, want %s", tt.name, got, tt.want)
		}
	}
	for _, bad := range []SeverityConfig{{Base: "x"}, {Priorities: map[string]string{"x": "LOW"}}, {Priorities: map[string]string{"Error": "x"}}, {Rules: map[string]string{"R": ""}}} {
		if _, err := NewSeverityMap(bad); err == nil {
			t.Errorf("no error for %+v", bad)
		}
	}
}

func TestSeverityOfFinding(t *testing.T) {
	f := converter(t, Config{}).Convert(alert(t, "R", ""), origin)
	if want := (asff.Severity{Label: "MEDIUM", Normalized: number(40), Original: "Warning"}); !cmp.Equal(f.Severity, want) {
		t.Errorf("Severity %+v, want %+v", f.Severity, want)
	}
	want := &asff.FindingProviderFields{Severity: asff.ProviderSeverity{Label: "MEDIUM", Original: "Warning"}, Types: f.Types}
	if diff := cmp.Diff(want, f.FindingProviderFields); diff != "" {
		t.Errorf("FindingProviderFields (-want +got):\n%s", diff)
	}
}

func TestMatchGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "a/b", true}, {"a*c", "abc", true}, {"a*c", "abcd", false}, {"a*b*c", "aXbXbc", true},
		{"?", "", false}, {"?", "a", true}, {"**a", "ba", true}, {"a?", "a", false}, {"Net*/Socat *", "Netcat/Socat Remote", true},
	} {
		if got := matchGlob(tt.pattern, tt.s); got != tt.want {
			t.Errorf("matchGlob(%q, %q) = %v", tt.pattern, tt.s, got)
		}
	}
	if matchGlob(strings.Repeat("a*", 500)+"b", strings.Repeat("a", 5000)) {
		t.Error("matched")
	}
}

func TestTypes(t *testing.T) {
	tests := []struct {
		tags  string
		where place
		want  []string
	}{
		{"", elsewhere, []string{"Unusual Behaviors"}},
		{"", onHost, []string{"Unusual Behaviors/VM"}},
		{"maturity_stable host container T1059", inContainers, []string{"Unusual Behaviors/Container"}}, // a technique alone has no category
		{"mitre_execution", elsewhere, []string{"TTPs/Execution"}},
		{"mitre_execution T1059.004 T1059", inContainers, []string{"TTPs/Execution/T1059.004 Unix Shell", "TTPs/Execution/T1059 Command and Scripting Interpreter", "Unusual Behaviors/Container"}},
		{"mitre_persistence mitre_execution T1505.003", elsewhere, []string{"TTPs/Persistence/T1505.003 Web Shell", "TTPs/Execution/T1505.003 Web Shell"}},
		{"mitre_exfiltration TA0011 network", onHost, []string{"Effects/Data Exfiltration", "TTPs/Command and Control", "Unusual Behaviors/VM", "Unusual Behaviors/Network Flow"}},
		{"mitre_impact T1496 process", elsewhere, []string{"Effects/Resource Consumption/T1496 Resource Hijacking", "Unusual Behaviors/Process"}},
		{"mitre_impact T1485", elsewhere, []string{"Effects/Data Destruction/T1485 Data Destruction"}},
		{"mitre_impact", elsewhere, []string{"Effects"}},
		{"mitre_impact T9999", elsewhere, []string{"Effects"}},
		{"mitre_reconnaissance TA0043", elsewhere, []string{"TTPs/Discovery"}},
		{"mitre_resource_development", elsewhere, []string{"TTPs/Initial Access"}},
		{"mitre_collection T9999 T99 T1059.04 X1059", elsewhere, []string{"TTPs/Collection/T9999"}},
		{"mitre_discovery T1033 users database shell process", elsewhere, []string{"TTPs/Discovery/T1033 System Owner or User Discovery", "Unusual Behaviors/User", "Unusual Behaviors/Database", "Unusual Behaviors/Process"}},
	}
	table := newTypeTable()
	for _, tt := range tests {
		if got := table.of(strings.Fields(tt.tags), tt.where); !slices.Equal(got, tt.want) {
			t.Errorf("types of %q: got %q, want %q", tt.tags, got, tt.want)
		}
	}
	var many []string
	for i := range 200 {
		many = append(many, fmt.Sprintf("T1%03d", i))
	}
	if got := table.of(append(many, "mitre_execution"), onHost); len(got) != maxTypes {
		t.Errorf("%d types, want %d", len(got), maxTypes)
	}
}

// TestTaxonomy: every type that can be made is in ASFF's taxonomy.
func TestTaxonomy(t *testing.T) {
	categories := strings.Split("TTPs/Initial Access,TTPs/Execution,TTPs/Persistence,TTPs/Privilege Escalation,TTPs/Defense Evasion,TTPs/Credential Access,"+
		"TTPs/Discovery,TTPs/Lateral Movement,TTPs/Collection,TTPs/Command and Control,Effects/Data Exposure,Effects/Data Exfiltration,Effects/Data Destruction,"+
		"Effects/Denial of Service,Effects/Resource Consumption,Unusual Behaviors/Application,Unusual Behaviors/Network Flow,Unusual Behaviors/IP address,"+
		"Unusual Behaviors/User,Unusual Behaviors/VM,Unusual Behaviors/Container,Unusual Behaviors/Serverless,Unusual Behaviors/Process,Unusual Behaviors/Database,Unusual Behaviors/Data,Effects", ",")
	table := newTypeTable()
	var all []string
	for tactic := range table.categories {
		for technique := range table.names {
			all = append(all, table.build(tactic, technique))
		}
	}
	for _, one := range table.behaviours {
		all = append(all, one)
	}
	all = append(all, table.categories...)
	if len(table.categories) != 14 {
		t.Errorf("%d tactics, want 14", len(table.categories))
	}
	for _, one := range all {
		parts := strings.SplitN(one, "/", 3)
		if category := strings.Join(parts[:min(len(parts), 2)], "/"); !slices.Contains(categories, category) {
			t.Errorf("type %q: no such category", one)
		}
		if strings.Count(one, "/") > 2 {
			t.Errorf("type %q has more than three parts", one)
		}
	}
}

func TestResources(t *testing.T) {
	const pod = `"container.id":"ee5e154fac58","container.name":"api","container.type":"containerd","container.image.repository":"reg/api","container.image.tag":"1",` +
		`"container.image.digest":"sha256:00","container.privileged":false,"container.start_ts":1795227959478762800,"container.mounts":"/srv/lab:/lab::true:rprivate,/a:/b:ro:false:",` +
		`"k8s.ns.name":"shop","k8s.pod.name":"api-6d4cf56db6-x2v9k","k8s.pod.uid":"u-1","k8s.pod.labels":"app:api, tier:web"`
	no := false
	container := asff.Resource{Type: "Container", ID: "container/prod/shop/api/api", Partition: "aws", Region: "eu-central-1", Details: &asff.ResourceDetails{Container: &asff.Container{
		ContainerRuntime: "containerd", Name: "api", ImageName: "reg/api:1", ImageID: "sha256:00", LaunchedAt: "2026-11-21T02:25:59.4787628Z", Privileged: &no,
		VolumeMounts: []asff.VolumeMount{{Name: "/srv/lab", MountPath: "/lab"}, {Name: "/a", MountPath: "/b"}},
	}}}
	workload := asff.Resource{Type: "Other", ID: "k8s/prod/shop/deployment/api", Partition: "aws", Region: "eu-central-1", Details: &asff.ResourceDetails{Other: map[string]string{
		"Cluster": "prod", "Namespace": "shop", "Pod": "api-6d4cf56db6-x2v9k", "OwnerKind": "deployment", "Owner": "api", "PodUid": "u-1", "label/app": "api", "label/tier": "web"}}}
	host := asff.Resource{Type: "Other", ID: "host/node-1", Partition: "aws", Region: "eu-central-1", Details: &asff.ResourceDetails{Other: map[string]string{"Hostname": "node-1"}}}
	eks := asff.Resource{Type: "AwsEksCluster", ID: "arn:aws:eks:eu-central-1:111122223333:cluster/prod", Partition: "aws", Region: "eu-central-1",
		Details: &asff.ResourceDetails{AwsEksCluster: &asff.AwsEksCluster{Arn: "arn:aws:eks:eu-central-1:111122223333:cluster/prod", Name: "prod"}}}
	instance := asff.Resource{Type: "AwsEc2Instance", ID: "arn:aws:ec2:eu-central-1:111122223333:instance/i-0123456789abcdef0", Partition: "aws", Region: "eu-central-1"}

	tests := []struct {
		name, fields string
		cfg          Config
		want         []asff.Resource
	}{
		{"pod", pod, Config{}, []asff.Resource{container, workload, host}},
		{"pod on EKS", pod, Config{EKSClusters: []string{"pr*"}}, []asff.Resource{container, workload, eks, host}},
		{"host", `"container.id":"host","container.name":"host"`, Config{}, []asff.Resource{host}},
		{"instance", `"container.id":"host","ec2_instance_id":"i-0123456789abcdef0"`, Config{}, []asff.Resource{instance}},
		{"no instance id", `"ec2_instance_id":"i-xyz"`, Config{}, []asff.Resource{host}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := converter(t, tt.cfg).Convert(alert(t, "R", tt.fields), origin)
			if diff := cmp.Diff(tt.want, f.Resources); diff != "" {
				t.Errorf("Resources (-want +got):\n%s", diff)
			}
		})
	}
}

func TestECSResources(t *testing.T) {
	a := parse(t, `{"rule":"R","priority":"Notice","time":"2026-11-21T02:25:48Z","ecs_cluster":"shop","ecs_task_definition":"web:7",
		"ecs_task_arn":"arn:aws-cn:ecs:cn-north-1:111122223333:task/shop/abc","output_fields":{"container.id":"ee5e154fac58","container.name":"ecs-web-7-nginx-b8e7d5a4f1c2e3a45601"}}`)
	f := converter(t, Config{}).Convert(a, falco.Origin{Account: "111122223333", Region: "cn-north-1"})
	var got []string
	for _, r := range f.Resources {
		got = append(got, r.Type+" "+r.ID+" "+r.Partition+" "+r.Region)
	}
	want := []string{
		"Container container/shop/web/nginx aws-cn cn-north-1",
		"AwsEcsTask arn:aws-cn:ecs:cn-north-1:111122223333:task/shop/abc aws-cn cn-north-1",
		"AwsEcsCluster arn:aws-cn:ecs:cn-north-1:111122223333:cluster/shop aws-cn cn-north-1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	task := &asff.AwsEcsTask{ClusterArn: "arn:aws-cn:ecs:cn-north-1:111122223333:cluster/shop", TaskDefinitionArn: "arn:aws-cn:ecs:cn-north-1:111122223333:task-definition/web:7"}
	if diff := cmp.Diff(task, f.Resources[1].Details.AwsEcsTask); diff != "" {
		t.Errorf("task (-want +got):\n%s", diff)
	}
	if got, want := f.ProductArn, "arn:aws-cn:securityhub:cn-north-1:111122223333:product/111122223333/default"; got != want {
		t.Errorf("ProductArn %s, want %s", got, want)
	}
}

func TestProcess(t *testing.T) {
	f := converter(t, Config{}).Convert(alert(t, "R", `"proc.name":"cat","proc.exepath":"/usr/bin/cat","proc.pid":7,"proc.ppid":-1,"proc.pid.ts":1795227959478762800`), origin)
	want := &asff.Process{Name: "cat", Path: "/usr/bin/cat", Pid: number(7), LaunchedAt: "2026-11-21T02:25:59.4787628Z"}
	if diff := cmp.Diff(want, f.Process); diff != "" {
		t.Errorf("Process (-want +got):\n%s", diff)
	}
	if got := f.ProductFields["falco/proc.ppid"]; got != "-1" {
		t.Errorf("falco/proc.ppid = %q, want what Process cannot hold", got)
	}
	if f := converter(t, Config{}).Convert(alert(t, "R", ``), origin); f.Process != nil {
		t.Errorf("Process %+v, want none", f.Process)
	}
}

func TestProductFields(t *testing.T) {
	a := parse(t, `{"hostname":"node-1","uuid":"u-1","rule":"R","priority":"Notice","time":"2026-11-21T02:25:48.5Z","source":"syscall","tags":["a","b"],"message":"m","output":"m","env":"prod","none":null,
		"output_fields":{"container.id":"ee5e154fac58","container.name":"api","container.image.repository":"reg/api","container.image.tag":"1","evt.time":1,"evt.type":"open","fd.name":"/etc/x",
		"k8s.ns.name":"shop","k8s.pod.name":"api-0","proc.exepath":"/bin/sh","proc.name":"sh","proc.pname":"<NA>","proc.aname[2]":"init","user.uid":0,"user.name":"","list":[1,2]}}`)
	f := converter(t, Config{}).Convert(a, origin)
	want := map[string]string{
		"eyrie/rule": "R", "eyrie/priority": "Notice", "eyrie/source": "syscall", "eyrie/tags": "a,b", "eyrie/cluster": "prod", "eyrie/namespace": "shop",
		"eyrie/pod": "api-0", "eyrie/workload": "statefulset/api", "eyrie/image": "reg/api:1", "eyrie/host": "node-1", "eyrie/process": "/bin/sh", "eyrie/target": "/etc/x",
		"falco/uuid": "u-1", "falco/env": "prod", "falco/container.id": "ee5e154fac58", "falco/evt.type": "open", "falco/fd.name": "/etc/x",
		"falco/proc.aname[2]": "init", "falco/user.uid": "0", "falco/list": "[1,2]",
	}
	if diff := cmp.Diff(want, f.ProductFields); diff != "" {
		t.Errorf("ProductFields (-want +got):\n%s", diff)
	}
}

func TestTooManyProductFields(t *testing.T) {
	var fields []string
	for i := range 60 {
		fields = append(fields, fmt.Sprintf(`"a%02d":"x"`, i))
	}
	fields = append(fields, `"proc.pname":"bash"`, `"proc.tty":0`, `"fd.name":"/x"`, `"fd.types":"y"`, `"container.ip":"10.0.0.1"`)
	f := converter(t, Config{}).Convert(alert(t, "R", strings.Join(fields, ",")), origin)
	if len(f.ProductFields) != maxFields {
		t.Errorf("%d fields, want %d", len(f.ProductFields), maxFields)
	}
	for _, key := range []string{"eyrie/rule", "falco/proc.pname", "falco/proc.tty", "falco/fd.name", "falco/fd.types", "falco/container.ip", "falco/a00"} {
		if f.ProductFields[key] == "" {
			t.Errorf("no %s", key)
		}
	}
	eyrie := 0
	for key := range f.ProductFields {
		if strings.HasPrefix(key, "eyrie/") {
			eyrie++
		}
	}
	if got, want := f.ProductFields["eyrie/omitted"], fmt.Sprint(65-(maxFields-eyrie)); got != want {
		t.Errorf("eyrie/omitted = %s, want %s", got, want)
	}
	if f.ProductFields["falco/a59"] != "" {
		t.Error("the last by name is not what is left out")
	}
}

func TestRemediation(t *testing.T) {
	r := Remediation{Default: Advice{Text: "Look."}, Rules: map[string]Advice{"R": {Text: "Do.", URL: "https://example.com/r"}, "S": {Text: "Say."}}}
	for rule, want := range map[string]asff.Recommendation{
		"R": {Text: "Do.", Url: "https://example.com/r"},
		"S": {Text: "Say.", Url: "https://attack.mitre.org/techniques/T1059/"},
		"T": {Text: "Look.", Url: "https://attack.mitre.org/techniques/T1059/"},
	} {
		if got := converter(t, Config{Remediation: r}).Convert(alert(t, rule, ""), origin).Remediation.Recommendation; got != want {
			t.Errorf("%s: got %+v, want %+v", rule, got, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Config{ProductArn: "product"}); err == nil {
		t.Error("no error for a product ARN that is none")
	}
}

func TestDefaults(t *testing.T) {
	f := converter(t, Config{}).Convert(&falco.Alert{Rule: "R"}, falco.Origin{Account: "12"})
	if f.AwsAccountID != DefaultAccount || f.Region != DefaultRegion || f.Description != "R" || f.CreatedAt != "1970-01-01T00:00:00.000000000Z" || len(f.Resources) != 1 {
		t.Errorf("got %+v", f)
	}
	if invalid := asff.Validate(f.AppendJSON(nil), asff.MaxFindingBytes); invalid != nil {
		t.Error(invalid)
	}
}
