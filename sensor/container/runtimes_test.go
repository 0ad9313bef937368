package container

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const dockerInspect = `{"Id":"` + idA + `","Name":"/payments-api","Image":"sha256:` + idB + `",
 "Config":{"Image":"registry.example.com/shop/payments-api:1.4.2","Labels":{"team":"shop","app":"payments"},"Healthcheck":{"Test":["CMD-SHELL","curl -f localhost"]}},
 "HostConfig":{"Privileged":true,"PidMode":"host","NetworkMode":"shop","IpcMode":"private"},
 "NetworkSettings":{"IPAddress":"","Networks":{"shop":{"IPAddress":"10.1.2.3"}}},
 "Mounts":[{"Type":"bind","Source":"/srv/lab","Destination":"/lab","Mode":"","RW":true,"Propagation":"rprivate"},
           {"Type":"bind","Source":"/opt/x","Destination":"/x","Mode":"ro","RW":false,"Propagation":"rslave"}]}`

func ask(t *testing.T, id ID, sockets ...Socket) (*Info, error) {
	t.Helper()
	rs := newRuntimes(Config{Sockets: sockets, Deadline: 2 * time.Second})
	t.Cleanup(rs.close)
	return rs.lookUp(context.Background(), id)
}

func TestDocker(t *testing.T) {
	path := serve(t, docker(dockerInspect, `{"RepoTags":["x:1"],"RepoDigests":["other@sha256:00","registry.example.com/shop/payments-api@sha256:d9"]}`))
	want := &Info{
		Type: TypeDocker, Name: "payments-api", Image: "registry.example.com/shop/payments-api:1.4.2", ImageID: idB, Digest: "sha256:d9",
		IP: "10.1.2.3", Labels: []string{"app=payments", "team=shop"}, Mounts: []string{"/srv/lab:/lab::true:rprivate", "/opt/x:/x:ro:false:rslave"},
		Privileged: true, HostPID: true, Healthcheck: "curl -f localhost",
	}
	got, err := ask(t, ID{Full: idA, Hint: TypeDocker}, Socket{TypeDocker, path})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if _, err := ask(t, ID{Full: idB}, Socket{TypeDocker, path}); !errors.Is(err, errMissing) {
		t.Errorf("unknown container: %v, want %v", err, errMissing)
	}
}

func TestDockerOfKubernetes(t *testing.T) {
	inspect := `{"Id":"` + idA + `","Name":"/k8s_api_payments","Image":"sha256:` + idB + `","Config":{"Image":"sha256:` + idB + `","Labels":{
	 "io.kubernetes.pod.name":"payments-1","io.kubernetes.pod.namespace":"shop","io.kubernetes.pod.uid":"` + uidP + `","io.kubernetes.container.name":"api","io.kubernetes.sandbox.id":"` + idB + `",
	 "annotation.kubectl.kubernetes.io/last-applied-configuration":"{\"spec\":{\"containers\":[{\"name\":\"api\",\"livenessProbe\":{\"exec\":{\"command\":[\"cat\",\"/ok\"]}}}]}}"}}}`
	path := serve(t, docker(inspect, `{"RepoTags":["shop/api:3"],"RepoDigests":["shop/api@sha256:77"]}`))
	got, err := ask(t, ID{Full: idA}, Socket{TypePodman, path})
	if err != nil {
		t.Fatal(err)
	}
	got.Labels = nil
	want := &Info{Type: TypePodman, Name: "k8s_api_payments", Image: "shop/api:3", ImageID: idB, Digest: "sha256:77", Liveness: "cat /ok",
		Pod: Pod{Name: "payments-1", Namespace: "shop", UID: uidP, Sandbox: idB}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func criAnswers(kind string) map[string]func([]byte) []byte {
	about := func(id string, answer []byte) func([]byte) []byte {
		return func(request []byte) []byte {
			if !bytes.Equal(request, pb(1, id, 2, 1)) {
				return nil
			}
			return answer
		}
	}
	info := map[string]string{"info": `{"sandboxID":"` + idB + `","pid":12,"config":{"linux":{"security_context":{"privileged":true}}}}`}
	if kind == TypeCRIO {
		info = map[string]string{"info": `{"sandboxID":"` + idB + `","privileged":true}`}
	}
	return map[string]func([]byte) []byte{
		criService + "Version": func([]byte) []byte { return pb(1, "0.1.0", 2, kind, 3, "v2") },
		criService + "ContainerStatus": about(idA, pb(
			1, pb(1, idA, 2, pb(1, "api", 2, 3), 3, 1, 4, 12345, 8, pb(1, "docker.io/shop/api:3"), 9, "docker.io/shop/api@sha256:77", 10, "", 17, "sha256:"+idB,
				12, map[string]string{"io.kubernetes.pod.name": "payments-1", "app": "payments"}, 13, map[string]string{"a": "b"},
				14, pb(1, "/lab", 2, "/srv/lab", 3, 1, 5, 2), 14, pb(1, "/etc/hosts", 2, "/var/lib/hosts")),
			2, info)),
		criService + "PodSandboxStatus": about(idB, pb(
			1, pb(1, idB, 2, pb(1, "payments-1", 2, uidP, 3, "shop", 4, 1), 5, pb(1, "10.0.0.7"), 6, pb(1, pb(2, pb(1, 2, 2, 1, 3, 2))),
				7, map[string]string{"app": "payments", "io.kubernetes.pod.name": "payments-1"},
				8, map[string]string{annotationApplied: `{"spec":{"containers":[{"name":"api","readinessProbe":{"exec":{"command":["true"]}}}]}}`}),
			2, map[string]string{"info": `{"cniResult":{"Interfaces": {"eth0":{"IPConfigs":[{"IP":"10.0.0.7"}]}}}}`})),
	}
}

func TestCRI(t *testing.T) {
	for _, kind := range []string{TypeContainerd, TypeCRIO, TypeCRI} {
		t.Run(kind, func(t *testing.T) {
			path := serve(t, grpc(criAnswers(TypeContainerd)))
			want := &Info{
				Type: kind, Name: "api", Image: "docker.io/shop/api:3", ImageID: idB, Digest: "sha256:77", IP: "10.0.0.7",
				CNI:    `{"Interfaces":{"eth0":{"IPConfigs":[{"IP":"10.0.0.7"}]}}}`,
				Labels: []string{"app=payments", "io.kubernetes.pod.name=payments-1"}, Mounts: []string{"/srv/lab:/lab::false:rshared", "/var/lib/hosts:/etc/hosts::true:private"},
				Privileged: true, HostNetwork: true, HostIPC: true, Readiness: "true",
				Pod: Pod{Name: "payments-1", Namespace: "shop", UID: uidP, Sandbox: idB, Labels: []string{"app=payments"}},
			}
			if kind == TypeCRI {
				want.Type = TypeContainerd // as the runtime says of itself
			}
			got, err := ask(t, ID{Full: idA, Hint: TypeCRI, PodUID: uidP}, Socket{kind, path})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
			sandbox, err := ask(t, ID{Full: idB, Hint: TypeCRI, PodUID: uidP}, Socket{kind, path})
			if err != nil {
				t.Fatal(err)
			}
			if sandbox.Pod.Sandbox != idB || sandbox.Pod.Name != "payments-1" || sandbox.Image != "" {
				t.Errorf("the sandbox itself: %+v", sandbox)
			}
			if _, err := ask(t, ID{Full: strings.Repeat("0", 64)}, Socket{kind, path}); !errors.Is(err, errMissing) {
				t.Errorf("unknown container: %v, want %v", err, errMissing)
			}
		})
	}
}

func TestCRIImageByID(t *testing.T) {
	c := &criContainer{image: "sha256:" + idB, asked: "", imageRef: "docker.io/shop/api@sha256:77"}
	if in := c.toInfo(); in.Image != c.imageRef || in.ImageID != idB || in.Digest != "sha256:77" {
		t.Errorf("%+v", in)
	}
	c.asked = "shop/api:3"
	if in := c.toInfo(); in.Image != "shop/api:3" {
		t.Errorf("%+v", in)
	}
}

func TestContainerd(t *testing.T) {
	spec := `{"process":{"capabilities":{"bounding":["CAP_SYS_ADMIN"]}},"linux":{"namespaces":[{"type":"pid"},{"type":"ipc"}]},
	 "mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/lab","type":"bind","source":"/srv/lab","options":["rbind","rprivate","ro"]}]}`
	answers := map[string]func([]byte) []byte{
		"/containerd.services.containers.v1.Containers/Get": func(request []byte) []byte {
			if !bytes.Equal(request, pb(1, idA)) {
				return nil
			}
			return pb(1, pb(1, idA, 2, map[string]string{"nerdctl/name": "web"}, 3, "docker.io/library/nginx:1.27", 5, pb(1, "types.containerd.io/opencontainers/runtime-spec/1/Spec", 2, spec)))
		},
	}
	got, err := ask(t, ID{Full: idA}, Socket{TypeContainerd, serve(t, grpc(answers))})
	if err != nil {
		t.Fatal(err)
	}
	want := &Info{Type: TypeContainerd, Name: "web", Image: "docker.io/library/nginx:1.27", Labels: []string{"nerdctl/name=web"},
		Mounts: []string{"/srv/lab:/lab::false:rprivate"}, Privileged: true, HostNetwork: true}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestECS(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef-1234567890"
	path := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v4/abc/task" {
			_, _ = w.Write([]byte(`{"Containers":[{"DockerId":"` + id + `","Name":"api","Image":"shop/api:3","ImageID":"sha256:77","Labels":{"com.amazonaws.ecs.cluster":"prod"},"Networks":[{"NetworkMode":"awsvpc","IPv4Addresses":["10.0.0.9"]}]}]}`))
		}
	})
	api := newECS("http://localhost/v4/abc/")
	api.asker.(*ecsAPI).client = newRuntime(Socket{TypeDocker, path}).asker.(*dockerAPI).client
	got, err := api.ask(context.Background(), ParseCgroups("/ecs/0123456789abcdef0123456789abcdef/"+id), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	want := &Info{Type: TypeECS, Name: "api", Image: "shop/api:3", Digest: "sha256:77", ImageID: "77", IP: "10.0.0.9", Labels: []string{"com.amazonaws.ecs.cluster=prod"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if _, err := api.ask(context.Background(), ID{Full: idA}, time.Second); !errors.Is(err, errMissing) {
		t.Errorf("unknown: %v", err)
	}
}

// TestHostile: no answer that is late, cut, endless or about something else is taken, and each is an error, not "missing".
func TestHostile(t *testing.T) {
	block := make(chan struct{})
	t.Cleanup(func() { close(block) })
	many := strings.Repeat(`"x",`, maxAnswer/4+10)
	tests := []struct {
		name, kind string
		path       string
	}{
		{"docker never answers", TypeDocker, serve(t, func(http.ResponseWriter, *http.Request) { <-block })},
		{"docker answers forever", TypeDocker, serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(`{"a":[` + many)) })},
		{"docker is no JSON", TypeDocker, serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) })},
		{"docker answers half", TypeDocker, raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"+`{"Id":"`)},
		{"docker is no HTTP", TypeDocker, raw(t, "\x00\x01\x02\r\n\r\n")},
		{"docker says nothing", TypeDocker, raw(t, "")},
		{"docker has an endless header", TypeDocker, raw(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20))},
		{"docker speaks of another", TypeDocker, serve(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"Id":"` + idB + `","Name":"/x"}`))
		})},
		{"docker redirects", TypeDocker, serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		})},
		{"docker has trouble", TypeDocker, serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })},
		{"cri never answers", TypeCRIO, serve(t, func(http.ResponseWriter, *http.Request) { <-block })},
		{"cri is no HTTP/2", TypeCRIO, raw(t, "HTTP/1.1 400 Bad Request\r\n\r\n")},
		{"cri is no gRPC", TypeCRIO, serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) })},
		{"cri answers no protobuf", TypeCRIO, serve(t, grpc(map[string]func([]byte) []byte{criService + "ContainerStatus": func([]byte) []byte { return []byte{0xff, 0xff, 0xff} }}))},
		{"cri speaks of another", TypeCRIO, serve(t, grpc(map[string]func([]byte) []byte{criService + "ContainerStatus": func([]byte) []byte { return pb(1, pb(1, idB)) }}))},
		{"cri answers forever", TypeCRIO, serve(t, grpc(map[string]func([]byte) []byte{criService + "ContainerStatus": func([]byte) []byte { return pb(1, pb(1, idA, 11, many)) }}))},
		{"cri cuts its frame", TypeCRIO, serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "Grpc-Status")
			_, _ = w.Write([]byte{0, 0, 0, 1, 0, 8})
			w.Header().Set("Grpc-Status", "0")
		})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rs := newRuntimes(Config{Sockets: []Socket{{tt.kind, tt.path}}, Deadline: 100 * time.Millisecond})
			defer rs.close()
			info, err := rs.lookUp(context.Background(), ID{Full: idA})
			if err == nil || errors.Is(err, errMissing) {
				t.Fatalf("%+v, %v: want an error that is not %v", info, err, errMissing)
			}
			if _, err := rs.lookUp(context.Background(), ID{Full: idA}); !errors.Is(err, errPaused) {
				t.Errorf("asked again at once: %v, want %v", err, errPaused)
			}
		})
	}
}

// TestOneDeadRuntimeHidesNoOther: a socket that never answers costs its deadline once, and the next one is asked.
func TestOneDeadRuntimeHidesNoOther(t *testing.T) {
	block := make(chan struct{})
	t.Cleanup(func() { close(block) })
	dead := serve(t, func(http.ResponseWriter, *http.Request) { <-block })
	rs := newRuntimes(Config{Sockets: []Socket{{TypePodman, dead}, {TypeDocker, serve(t, docker(dockerInspect, ""))}}, Deadline: 100 * time.Millisecond})
	defer rs.close()
	info, err := rs.lookUp(context.Background(), ID{Full: idA})
	if err != nil || info.Name != "payments-api" {
		t.Fatalf("%+v, %v", info, err)
	}
}

// TestAnswersAreClamped: what a runtime tells does not fill the memory.
func TestAnswersAreClamped(t *testing.T) {
	var l strings.Builder
	l.WriteString(`{"Id":"` + idA + `","Name":"` + strings.Repeat("n", 1<<20) + `","Config":{"Labels":{`)
	for i := range 3000 {
		l.WriteString(`"` + strings.Repeat("k", 1+i%7) + string(rune('a'+i%26)) + strings.Repeat("z", i/26) + `":"v",`)
	}
	l.WriteString(`"last":"1"}}}`)
	got, err := ask(t, ID{Full: idA}, Socket{TypeDocker, serve(t, docker(l.String(), ""))})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Labels) != maxItems || len(got.Name) != maxText {
		t.Errorf("%d labels, name of %d bytes", len(got.Labels), len(got.Name))
	}
}

// TestUserRuntimes: a socket that belongs to a user answers for that user's containers alone.
func TestUserRuntimes(t *testing.T) {
	rs := newRuntimes(Config{Root: "/host", Sockets: []Socket{{TypeDocker, "/none"}}})
	defer rs.close()
	for _, rt := range rs.of(ID{Full: idA, User: "1000"}) {
		if !strings.HasPrefix(rt.path, "/host/run/user/1000/") {
			t.Errorf("user 1000: %s is asked", rt.path)
		}
	}
	for _, rt := range rs.of(ID{Full: idA}) {
		if strings.Contains(rt.path, "/user/") {
			t.Errorf("the system: %s is asked", rt.path)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, answer := range criAnswers(TypeContainerd) {
		f.Add(answer(pb(1, idA, 2, 1)))
		f.Add(answer(pb(1, idB, 2, 1)))
	}
	f.Add(pb(1, pb(1, idA, 3, "image", 5, pb(2, `{"linux":{}}`))))
	f.Add([]byte{0x0b, 0x0c})
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := decodeContainer(b); err == nil {
			in := c.toInfo()
			in.clamp()
			newContainer(ID{Full: idA}, in)
		}
		if s, err := decodeSandbox(b); err == nil {
			var in Info
			s.complete(&in)
		}
		_, _ = decodeContainerd(b, idA)
		if m, err := unframe("x", b); err == nil && len(m)+5 != len(b) {
			t.Error("unframe invents or loses bytes")
		}
	})
}
