package container

import (
	"strings"
	"testing"
)

const (
	idA  = "3abd807250d1b53741c345896f2d79faf6e7dcdb75860e98a2f84e38e874c236"
	idB  = "ee5e154fac58a3b8a7f1f0b3c5f6c0d1e2f30415263748596a7b8c9dae0f1a2b"
	uidP = "3e41dc6b-08a8-44db-bc2a-3724b18ab19a"
)

func TestParseCgroups(t *testing.T) {
	us := strings.ReplaceAll(uidP, "-", "_")
	static := strings.ReplaceAll(uidP, "-", "")
	tests := []struct {
		name string
		path string
		want ID
	}{
		{"host", "/", ID{}},
		{"host service", "/system.slice/sshd.service", ID{}},
		{"no path", "", ID{}},
		{"32 digits are no container", "/process_api/f984cfa53612d2bd3e33fb2023a3bc22", ID{}},
		{"65 digits are none either", "/docker/" + idA + "0", ID{}},
		{"upper case neither", "/docker/" + strings.ToUpper(idA), ID{}},
		{"docker cgroupfs", "/docker/" + idA, ID{Full: idA, Hint: TypeDocker}},
		{"docker systemd", "/system.slice/docker-" + idA + ".scope", ID{Full: idA, Hint: TypeDocker}},
		{"docker, cgroups of its own below", "/system.slice/docker-" + idA + ".scope/init.scope", ID{Full: idA, Hint: TypeDocker}},
		{"systemd in docker", "/docker/" + idA + "/system.slice/cron.service", ID{Full: idA, Hint: TypeDocker}},
		{"docker in docker", "/docker/" + idA + "/docker/" + idB, ID{Full: idB, Hint: TypeDocker}},
		{"line of /proc/PID/cgroup", "4:memory:/docker/" + idA, ID{Full: idA, Hint: TypeDocker}},
		{"as Falco shows it", "memory=/docker/" + idA, ID{Full: idA, Hint: TypeDocker}},
		{"another cgroup namespace", "0::/../../system.slice/docker-" + idA + ".scope", ID{Full: idA, Hint: TypeDocker}},
		{"kubepods cgroupfs", "/kubepods/burstable/pod" + uidP + "/" + idA, ID{Full: idA, Hint: TypeCRI, PodUID: uidP}},
		{"kubepods guaranteed", "/kubepods/pod" + uidP + "/" + idA, ID{Full: idA, Hint: TypeCRI, PodUID: uidP}},
		{"kubepods systemd containerd", "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + us + ".slice/cri-containerd-" + idA + ".scope", ID{Full: idA, Hint: TypeContainerd, PodUID: uidP}},
		{"kubepods systemd crio", "/kubepods.slice/kubepods-pod" + us + ".slice/crio-" + idA + ".scope", ID{Full: idA, Hint: TypeCRIO, PodUID: uidP}},
		{"kubepods crio cgroupfs", "/kubepods/pod" + uidP + "/crio-" + idA, ID{Full: idA, Hint: TypeCRIO, PodUID: uidP}},
		{"static pod", "/kubepods/burstable/pod" + static + "/" + idA, ID{Full: idA, Hint: TypeCRI, PodUID: static}},
		{"containerd with a systemd path for the cgroupfs driver", "/system.slice/containerd.service/kubepods-burstable-pod" + us + ".slice:cri-containerd:" + idA, ID{Full: idA, Hint: TypeContainerd, PodUID: ""}},
		{"kind", "/docker/" + idB + "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" + us + ".slice/cri-containerd-" + idA + ".scope", ID{Full: idA, Hint: TypeContainerd, PodUID: uidP}},
		{"conmon of crio is the host's", "/kubepods.slice/kubepods-pod" + us + ".slice/crio-conmon-" + idA + ".scope", ID{}},
		{"podman", "/machine.slice/libpod-" + idA + ".scope/container", ID{Full: idA, Hint: TypePodman}},
		{"podman cgroupfs", "/libpod_parent/libpod-" + idA, ID{Full: idA, Hint: TypePodman}},
		{"conmon of podman is the host's", "/machine.slice/libpod-conmon-" + idA + ".scope", ID{}},
		{"podman in a pod", "/machine.slice/machine-libpod_pod_" + idB + ".slice/libpod-" + idA + ".scope", ID{Full: idA, Hint: TypePodman}},
		{"podman without root", "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + idA + ".scope", ID{Full: idA, Hint: TypePodman, User: "1000"}},
		{"ECS on EC2", "/ecs/0123456789abcdef0123456789abcdef/" + idA, ID{Full: idA}},
		{"ECS on EC2, systemd", "/ecstasks.slice/ecstasks-0123456789abcdef0123456789abcdef.slice/docker-" + idA + ".scope", ID{Full: idA, Hint: TypeDocker}},
		{"Fargate", "/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-1234567890", ID{Full: "0123456789abcdef0123456789abcdef-1234567890", Hint: TypeECS}},
		{"nerdctl", "/system.slice/nerdctl-" + idA + ".scope", ID{Full: idA, Hint: TypeContainerd}},
		{"lxc 4", "/lxc.payload.web-1/system.slice", ID{Full: "web-1", Hint: TypeLXC}},
		{"lxc 3", "/lxc/web-1", ID{Full: "web-1", Hint: TypeLXC}},
		{"lxc monitor is the host's", "/lxc.monitor.web-1", ID{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ParseCgroups(tt.path)
			if tt.name == "containerd with a systemd path for the cgroupfs driver" {
				got.PodUID = "" // all in one element: taken from it, too, which the next line checks
				if uid := ParseCgroups(tt.path).PodUID; uid != uidP {
					t.Errorf("PodUID %q, want %q", uid, uidP)
				}
			}
			if got != tt.want {
				t.Errorf("ParseCgroups(%q)\n got %+v\nwant %+v", tt.path, got, tt.want)
			}
		})
	}
	if got := ParseCgroups("12:pids:/\n4:memory:/docker/"+idA+"\n0::/", "/docker/"+idB); got.Full != idA {
		t.Errorf("of several lines: %+v", got)
	}
}

func TestSplitImage(t *testing.T) {
	tests := [][4]string{
		{"", "", "", ""},
		{"registry.example.com/shop/payments-api:1.4.2", "registry.example.com/shop/payments-api", "1.4.2", ""},
		{"localhost:5000/a/b", "localhost:5000/a/b", "latest", ""},
		{"localhost:5000/a/b:c@sha256:12", "localhost:5000/a/b", "c", "sha256:12"},
		{"a@sha256:12", "a", "", "sha256:12"},
		{"sha256:1234", "", "", ""},
		{"busybox", "busybox", "latest", ""},
	}
	for _, tt := range tests {
		r, tag, d := SplitImage(tt[0])
		if got := [4]string{tt[0], r, tag, d}; got != tt {
			t.Errorf("got %q, want %q", got, tt)
		}
	}
}

func FuzzParseCgroups(f *testing.F) {
	f.Add("/docker/" + idA)
	f.Add("4:memory:/kubepods/pod" + uidP + "/crio-" + idA + "\n0::/")
	f.Add("/user.slice/user-1000.slice/libpod-" + idA)
	f.Add("/lxc.payload.x/lxc/y")
	f.Fuzz(func(t *testing.T, path string) {
		id := ParseCgroups(path)
		if id.Full == "" && id != (ID{}) {
			t.Errorf("a host with something: %+v", id)
		}
		if id.Full != "" && !strings.Contains(path, id.Full) {
			t.Errorf("%q is not in the path", id.Full)
		}
		if strings.ContainsAny(id.Full+id.User+id.PodUID, "/\x00\n%") {
			t.Errorf("an id that cannot stand in a path or URL: %+v", id)
		}
	})
}

func BenchmarkParseCgroups(b *testing.B) {
	path := "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + strings.ReplaceAll(uidP, "-", "_") + ".slice/cri-containerd-" + idA + ".scope"
	for b.Loop() {
		if ParseCgroups(path).Full == "" {
			b.Fatal("no container")
		}
	}
}
