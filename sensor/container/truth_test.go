package container

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eyrie-sec/eyrie/internal/testshared"
	"github.com/eyrie-sec/eyrie/rule"
	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
)

// TestAgainstFalco compares with what a real Falco said of programs on the host, in a container that no runtime knows, and
// in a Docker container: every container.* and k8s.* field, those without a value included.
func TestAgainstFalco(t *testing.T) {
	dockerID := "4df8fa0d29ded9d024bd657d302b1c8b540afb4384dbc818d5e2bb31ae6df338"
	inspect := `{"Id":"` + dockerID + `","Name":"/tp-payments","Image":"sha256:aed50280126c568b5e22f09a75df39ea7eb8de6c1d68cce45e548718f7b18b74",
	 "Config":{"Image":"registry.example.com/shop/payments-api:1.4.2","Labels":{"team":"shop","app":"payments"}},"HostConfig":{"NetworkMode":"none","IpcMode":"private"},
	 "Mounts":[{"Source":"/run/tplab","Destination":"/lab","Mode":"","RW":true,"Propagation":"rprivate"},{"Source":"/opt/tp/drv","Destination":"/opt/tp/drv","Mode":"ro","RW":false,"Propagation":"rprivate"}]}`
	path := serve(t, docker(strings.ReplaceAll(inspect, dockerID, idA), ""))
	info, err := ask(t, ID{Full: idA}, Socket{TypeDocker, path})
	if err != nil {
		t.Fatal(err)
	}
	containers := map[string]*Container{
		"host":   Host(),
		"runc":   newContainer(ID{Full: idA}, nil),
		"docker": newContainer(ID{Full: dockerID}, info),
	}
	for env, c := range containers {
		t.Run(env, func(t *testing.T) {
			common := recordedCommon(t, filepath.Join(testshared.Path(t, "falco/truth"), "out", env, "tp_open_rdwr.jsonl"))
			var e event.Event
			e.Reset(mustEvent(t, "open"))
			e.Time = 1795231004742604505
			e.SetNum(field.ProcPidnsInitStartTS, int64(common["container.start_ts"].(float64)))
			c.Fill(&e)
			for _, name := range []string{
				"container.id", "container.full_id", "container.name", "container.image", "container.image.id", "container.image.repository",
				"container.image.tag", "container.image.digest", "container.type", "container.privileged", "container.mounts", "container.host_pid",
				"container.host_network", "container.host_ipc", "container.ip", "container.healthcheck", "container.labels", "k8s.pod.name", "k8s.pod.id",
				"k8s.pod.uid", "k8s.pod.sandbox_id", "k8s.pod.labels", "k8s.pod.ip", "k8s.ns.name", "container.start_ts",
			} {
				want := "<NA>"
				if v, ok := common[name]; ok {
					want = fmt.Sprint(v)
					if n, ok := v.(float64); ok {
						want = fmt.Sprint(int64(n))
					}
				}
				if got := show(t, &e, name); got != want {
					t.Errorf("%s is %q, Falco says %q", name, got, want)
				}
			}
		})
	}
}

func mustEvent(t *testing.T, name string) field.EventType {
	t.Helper()
	et, ok := field.EventByName(name)
	if !ok {
		t.Fatalf("no event %s", name)
	}
	return et
}

// recordedCommon reads the fields that have one value in all events of a recording.
func recordedCommon(t *testing.T, path string) map[string]any {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	line, err := bufio.NewReader(f).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var head struct{ Common map[string]any }
	if err := json.Unmarshal(line, &head); err != nil {
		t.Fatal(err)
	}
	return head.Common
}

// show is the field as an alert has it, <NA> where it is null.
func show(t *testing.T, e *event.Event, name string) string {
	t.Helper()
	text := "- rule: r\n  desc: d\n  condition: evt.type=open\n  output: \"%" + name + "\"\n  priority: INFO\n"
	set, report := rule.Load([]rule.File{{Name: "r.yaml", Content: []byte(text)}}, rule.LoadOptions{AppendOutput: "-"})
	if !report.OK() {
		t.Fatalf("%+v", report)
	}
	session := rule.NewEngine(set, rule.Config{}).Session()
	matched := session.Match(e)
	if len(matched) != 1 {
		t.Fatal("the rule does not match")
	}
	return session.Alert(e, matched[0]).Message()
}
