// Package container says which container a task belongs to and what the container's runtime tells of it. In come the
// cgroup paths of a task; out goes a Ref, and through it a Container that fills container.* and k8s.* of an event. The
// metadata comes from Docker's and Podman's API, from the Container Runtime Interface (containerd, CRI-O), from
// containerd itself, and from the ECS task metadata endpoint.
//
// It never blocks who asks: a lookup runs beside the events, bounded in time, size and number, and a Ref is completed
// when the answer arrives. It trusts no answer: paths, sockets and what comes out of them may be made by an attacker.
// Where no runtime answers, the id from the cgroup path is all that is known, as with Falco. It never changes a container
// and never writes anywhere.
package container

import (
	"github.com/eyrie-sec/eyrie/rule/event"
	"github.com/eyrie-sec/eyrie/rule/field"
)

// Values of container.type (libs, container_type): who answered for the container.
const (
	TypeHost       = "host"
	TypeDocker     = "docker"
	TypePodman     = "podman"
	TypeContainerd = "containerd"
	TypeCRIO       = "cri-o"
	TypeCRI        = "cri" // another runtime behind the Container Runtime Interface
	TypeECS        = "ecs"
	TypeLXC        = "lxc"
)

// ShortID is how many characters of a container's id Falco shows as container.id.
const ShortID = 12

// Info is what a runtime told of a container. It must not be changed once it is part of a Container.
type Info struct {
	Type    string // who told it: a TypeX
	Name    string
	Image   string // as the container was made with: repository and tag, or a digest
	ImageID string // 64 hexadecimal digits
	Digest  string // sha256:... of the image in its registry, "" for an image that was built here
	IP      string // IPv4; "" where there is none, or that of the host
	CNI     string // the network plugins' result, JSON

	Labels []string // NAME=value, sorted
	Mounts []string // source:destination:mode:writable:propagation

	Privileged, HostPID, HostNetwork, HostIPC bool

	Healthcheck, Liveness, Readiness string // commands, "" where there is none

	Pod Pod
}

// Pod is the Kubernetes pod of a container; the zero value is none.
type Pod struct {
	Name, Namespace, UID string
	Sandbox              string   // full id of the pod's sandbox
	Labels               []string // NAME=value, sorted
}

// Container is a container as it was known at some moment, or the host. It never changes; nil is no valid Container.
type Container struct {
	id   ID
	info *Info // nil: no runtime has told of it

	short      string
	repository string
	tag        string
	sandbox    string // short
}

var host = &Container{id: ID{}, short: TypeHost, info: &Info{Type: TypeHost, Name: TypeHost}}

// Host is what a task in no container is in.
func Host() *Container { return host }

func newContainer(id ID, info *Info) *Container {
	c := &Container{id: id, info: info, short: short(id.Full)}
	if info != nil {
		var digest string
		c.repository, c.tag, digest = SplitImage(info.Image)
		if info.Digest == "" && digest != "" {
			with := *info
			with.Digest = digest
			c.info = &with
		}
		c.sandbox = short(info.Pod.Sandbox)
	}
	return c
}

// short cuts hexadecimal ids; names (LXC) stay whole.
func short(id string) string {
	if len(id) > ShortID && isHex(id[:ShortID]) {
		return id[:ShortID]
	}
	return id
}

// IsHost says whether this is no container at all.
func (c *Container) IsHost() bool { return c == host }

// Known says whether a runtime has told of the container; the host is known.
func (c *Container) Known() bool { return c.info != nil }

// ShortID is container.id: "host", or the first 12 characters of the id.
func (c *Container) ShortID() string { return c.short }

// FullID is container.full_id.
func (c *Container) FullID() string {
	if c == host {
		return TypeHost
	}
	return c.id.Full
}

// Info is what is known, nil if nothing is. It must not be changed.
func (c *Container) Info() *Info { return c.info }

// Fill sets every container.* and k8s.* field that has a value. What no runtime told stays without one, as in Falco: of
// an unknown container there is container.id alone, and k8s.pod.uid where the cgroup path holds it. The start of the
// container is that of the first process of its PID namespace: proc.pidns_init_start_ts, if the event has it.
func (c *Container) Fill(e *event.Event) {
	e.SetText(field.ContainerID, c.short)
	if start, ok := e.KnownNumber(field.ProcPidnsInitStartTS); ok {
		c.FillStart(e, start)
	}
	in := c.info
	if in == nil {
		if c.id.PodUID != "" {
			e.SetText(field.K8sPodUID, c.id.PodUID)
			e.SetText(field.K8sPodID, c.id.PodUID)
		}
		return
	}
	e.SetText(field.ContainerFullID, c.FullID())
	e.SetText(field.ContainerName, in.Name)
	e.SetText(field.ContainerType, in.Type)
	e.SetText(field.ContainerImage, in.Image)
	e.SetText(field.ContainerImageID, in.ImageID)
	e.SetText(field.ContainerImageRepository, c.repository)
	e.SetText(field.ContainerImageTag, c.tag)
	e.SetText(field.ContainerImageDigest, in.Digest)
	e.SetText(field.ContainerIP, in.IP)
	e.SetText(field.ContainerCNIJSON, in.CNI)
	e.SetBool(field.ContainerPrivileged, in.Privileged)
	e.SetBool(field.ContainerHostPID, in.HostPID)
	e.SetBool(field.ContainerHostNetwork, in.HostNetwork)
	e.SetBool(field.ContainerHostIPC, in.HostIPC)
	e.SetList(field.ContainerMounts, in.Mounts)
	e.SetList(field.ContainerLabels, in.Labels)
	setSome(e, field.ContainerHealthcheck, in.Healthcheck)
	setSome(e, field.ContainerLivenessProbe, in.Liveness)
	setSome(e, field.ContainerReadinessProbe, in.Readiness)
	c.fillPod(e)
}

func (c *Container) fillPod(e *event.Event) {
	in := c.info
	uid := in.Pod.UID
	if uid == "" {
		uid = c.id.PodUID
	}
	setSome(e, field.K8sPodName, in.Pod.Name)
	setSome(e, field.K8sNSName, in.Pod.Namespace)
	setSome(e, field.K8sPodUID, uid)
	setSome(e, field.K8sPodID, uid)
	e.SetText(field.K8sPodSandboxID, c.sandbox)
	e.SetText(field.K8sPodFullSandboxID, in.Pod.Sandbox)
	e.SetText(field.K8sPodIP, in.IP)
	e.SetText(field.K8sPodCNIJSON, in.CNI)
	e.SetList(field.K8sPodLabels, in.Pod.Labels)
}

// FillStart sets container.start_ts and container.duration from when the first process of the PID namespace started, in
// nanoseconds since 1970. The event's time must be set.
func (c *Container) FillStart(e *event.Event, start int64) {
	e.SetNum(field.ContainerStartTS, start)
	e.SetNum(field.ContainerDuration, e.Time-start)
}

// setSome sets a field that is null where there is no value.
func setSome(e *event.Event, id field.ID, s string) {
	if s != "" {
		e.SetText(id, s)
	}
}
