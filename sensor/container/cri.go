package container

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"

	"google.golang.org/protobuf/encoding/protowire"
)

// criAPI asks a runtime through the Container Runtime Interface, runtime.v1. Numbers of fields are those of
// kubernetes/cri-api, pkg/apis/runtime/v1/api.proto.
type criAPI struct {
	rpc  *rpcClient
	kind string
	name atomic.Pointer[string] // what the runtime calls itself, asked once where kind is TypeCRI
}

const criService = "/runtime.v1.RuntimeService/"

// criContainer is what is read of a ContainerStatusResponse.
type criContainer struct {
	id, name            string
	image, asked        string // ImageSpec: image, user_specified_image
	imageRef, imageID   string
	labels, annotations map[string]string
	mounts              []string
	info                string // JSON, free form
}

// criSandbox is what is read of a PodSandboxStatusResponse.
type criSandbox struct {
	id                   string
	name, uid, namespace string // PodSandboxMetadata
	ip                   string
	network, pid, ipc    uint64 // NamespaceMode
	labels, annotations  map[string]string
	info                 string
}

const namespaceNode = 2 // NamespaceMode NODE: the host's

// criInfo is what containerd and CRI-O put into the verbose info of containers and sandboxes.
type criInfo struct {
	SandboxID  string `json:"sandboxID"`
	Privileged bool   `json:"privileged"` // CRI-O
	Config     struct {
		Linux struct {
			SecurityContext struct {
				Privileged bool `json:"privileged"`
			} `json:"security_context"`
		} `json:"linux"`
	} `json:"config"` // containerd
	RuntimeSpec struct {
		Annotations map[string]string `json:"annotations"`
	} `json:"runtimeSpec"`
	CNIResult json.RawMessage `json:"cniResult"` // containerd, of the sandbox
}

// annotationCNI is where CRI-O keeps the network plugins' result.
const annotationCNI = "io.kubernetes.cri-o.CNIResult"

func (c *criAPI) ask(ctx context.Context, id ID) (*Info, error) {
	status, err := c.container(ctx, id.Full)
	if errors.Is(err, errMissing) {
		return c.sandboxAlone(ctx, id.Full) // the pause container of a pod is the sandbox itself
	}
	if err != nil {
		return nil, err
	}
	if status.id != id.Full {
		return nil, fmt.Errorf("asked about container %s, it answered about %.64q", id.Full, status.id)
	}
	info := status.toInfo()
	info.Type = c.runtimeName(ctx)
	var more criInfo
	_ = json.Unmarshal([]byte(status.info), &more) // free form: what cannot be read is not there
	info.Privileged = more.Privileged || more.Config.Linux.SecurityContext.Privileged
	sandbox := more.SandboxID
	if sandbox == "" {
		sandbox = more.RuntimeSpec.Annotations["io.kubernetes.cri-o.SandboxID"]
	}
	if sandbox == "" {
		sandbox = more.RuntimeSpec.Annotations["io.kubernetes.cri.sandbox-id"]
	}
	info.Pod.Sandbox = sandbox
	if sandbox == "" {
		return info, nil
	}
	// Without the sandbox there is enough to tell of the container; its labels hold the pod's name.
	if s, err := c.sandbox(ctx, sandbox); err == nil {
		s.complete(info)
		info.Liveness, info.Readiness = probes(s.annotations[annotationApplied], status.name)
	}
	return info, nil
}

func (c *criAPI) sandboxAlone(ctx context.Context, id string) (*Info, error) {
	s, err := c.sandbox(ctx, id)
	if err != nil {
		return nil, err
	}
	if s.id != id {
		return nil, fmt.Errorf("asked about sandbox %s, it answered about %.64q", id, s.id)
	}
	info := &Info{Type: c.runtimeName(ctx), Name: s.name, Labels: labels(s.labels)}
	s.complete(info)
	return info, nil
}

// complete adds what is known of the pod.
func (s *criSandbox) complete(info *Info) {
	info.Pod = Pod{Name: s.name, Namespace: s.namespace, UID: s.uid, Sandbox: s.id, Labels: podLabels(s.labels)}
	info.HostNetwork, info.HostPID, info.HostIPC = s.network == namespaceNode, s.pid == namespaceNode, s.ipc == namespaceNode
	if addr, err := netip.ParseAddr(s.ip); err == nil && addr.Is4() {
		info.IP = s.ip
	}
	var more criInfo
	_ = json.Unmarshal([]byte(s.info), &more)
	info.Privileged = info.Privileged || more.Privileged
	var compact bytes.Buffer
	if len(more.CNIResult) > 0 && string(more.CNIResult) != "null" && json.Compact(&compact, more.CNIResult) == nil {
		info.CNI = compact.String()
	} else {
		info.CNI = more.RuntimeSpec.Annotations[annotationCNI]
	}
}

func (c *criContainer) toInfo() *Info {
	info := &Info{Name: c.name, Labels: labels(c.labels), Mounts: c.mounts, Pod: podOfLabels(c.labels), Image: c.image}
	_, _, info.Digest = SplitImage(c.imageRef)
	if repository, _, _ := SplitImage(info.Image); repository == "" || isHex(repository) && len(repository) == idLength {
		// Named by its id: what the pod asked for is better, or the reference that came of it.
		switch repository, _, _ := SplitImage(c.imageRef); {
		case c.asked != "" && !strings.HasPrefix(c.asked, "sha256:"):
			info.Image = c.asked
		case repository != "" && !isHex(repository):
			info.Image = c.imageRef
		}
	}
	for _, ref := range []string{c.imageID, c.imageRef, c.image} {
		if ref = strings.TrimPrefix(ref, "sha256:"); len(ref) == idLength && isHex(ref) {
			info.ImageID = ref
			break
		}
	}
	return info
}

// container calls ContainerStatus: ContainerStatusRequest is container_id = 1, verbose = 2.
func (c *criAPI) container(ctx context.Context, id string) (*criContainer, error) {
	answer, err := c.rpc.call(ctx, criService+"ContainerStatus", request(id))
	if err != nil {
		return nil, err
	}
	return decodeContainer(answer)
}

// sandbox calls PodSandboxStatus: PodSandboxStatusRequest is pod_sandbox_id = 1, verbose = 2.
func (c *criAPI) sandbox(ctx context.Context, id string) (*criSandbox, error) {
	answer, err := c.rpc.call(ctx, criService+"PodSandboxStatus", request(id))
	if err != nil {
		return nil, err
	}
	return decodeSandbox(answer)
}

func request(id string) []byte {
	b := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), id)
	return protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), 1)
}

// runtimeName is the type to show: Version tells which runtime it is where the socket's place does not.
func (c *criAPI) runtimeName(ctx context.Context) string {
	if c.kind != TypeCRI {
		return c.kind
	}
	if known := c.name.Load(); known != nil {
		return *known
	}
	answer, err := c.rpc.call(ctx, criService+"Version", nil)
	if err != nil {
		return TypeCRI
	}
	var name string // VersionResponse: runtime_name = 2
	if texts(answer, map[protowire.Number]*string{2: &name}) != nil {
		return TypeCRI
	}
	if name != TypeContainerd && name != TypeCRIO {
		name = TypeCRI
	}
	c.name.Store(&name)
	return name
}

// decodeContainer reads ContainerStatusResponse: status = 1, info = 2.
func decodeContainer(b []byte) (*criContainer, error) {
	c := &criContainer{labels: map[string]string{}, annotations: map[string]string{}}
	info := map[string]string{}
	err := message(b, func(num protowire.Number, data []byte, _ uint64) error {
		switch num {
		case 1:
			return message(data, c.field)
		case 2:
			return entry(data, info)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ContainerStatusResponse: %w", err)
	}
	c.info = info["info"]
	return c, nil
}

// field reads one field of ContainerStatus.
func (c *criContainer) field(num protowire.Number, data []byte, _ uint64) error {
	switch num {
	case 1:
		c.id = string(data)
	case 2: // ContainerMetadata: name = 1
		return texts(data, map[protowire.Number]*string{1: &c.name})
	case 8: // ImageSpec: image = 1, user_specified_image = 18
		return texts(data, map[protowire.Number]*string{1: &c.image, 18: &c.asked})
	case 9:
		c.imageRef = string(data)
	case 12:
		return entry(data, c.labels)
	case 13:
		return entry(data, c.annotations)
	case 14:
		m, err := decodeMount(data)
		if err == nil && len(c.mounts) < maxItems {
			c.mounts = append(c.mounts, m)
		}
		return err
	case 17:
		c.imageID = string(data)
	}
	return nil
}

// decodeMount reads Mount: container_path = 1, host_path = 2, readonly = 3, propagation = 5.
func decodeMount(b []byte) (string, error) {
	var source, destination string
	var readOnly, propagation uint64
	err := message(b, func(num protowire.Number, data []byte, n uint64) error {
		switch num {
		case 1:
			destination = string(data)
		case 2:
			source = string(data)
		case 3:
			readOnly = n
		case 5:
			propagation = n
		}
		return nil
	})
	names := [...]string{"private", "rslave", "rshared"} // PROPAGATION_PRIVATE, _HOST_TO_CONTAINER, _BIDIRECTIONAL
	name := "unknown"
	if propagation < uint64(len(names)) {
		name = names[propagation]
	}
	return mount(source, destination, "", readOnly == 0, name), err
}

// decodeSandbox reads PodSandboxStatusResponse: status = 1, info = 2.
func decodeSandbox(b []byte) (*criSandbox, error) {
	s := &criSandbox{labels: map[string]string{}, annotations: map[string]string{}}
	info := map[string]string{}
	err := message(b, func(num protowire.Number, data []byte, _ uint64) error {
		switch num {
		case 1:
			return message(data, s.field)
		case 2:
			return entry(data, info)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("PodSandboxStatusResponse: %w", err)
	}
	s.info = info["info"]
	return s, nil
}

// field reads one field of PodSandboxStatus.
func (s *criSandbox) field(num protowire.Number, data []byte, _ uint64) error {
	switch num {
	case 1:
		s.id = string(data)
	case 2: // PodSandboxMetadata
		return texts(data, map[protowire.Number]*string{1: &s.name, 2: &s.uid, 3: &s.namespace})
	case 5: // PodSandboxNetworkStatus: ip = 1
		return texts(data, map[protowire.Number]*string{1: &s.ip})
	case 6: // LinuxPodSandboxStatus: namespaces = 1; Namespace: options = 2
		return nested(data, []protowire.Number{1, 2}, s.namespaceOption)
	case 7:
		return entry(data, s.labels)
	case 8:
		return entry(data, s.annotations)
	}
	return nil
}

// namespaceOption reads one field of NamespaceOption.
func (s *criSandbox) namespaceOption(num protowire.Number, _ []byte, n uint64) error {
	switch num {
	case 1:
		s.network = n
	case 2:
		s.pid = n
	case 3:
		s.ipc = n
	}
	return nil
}

// nested goes down a path of messages and reads the last.
func nested(b []byte, path []protowire.Number, f func(protowire.Number, []byte, uint64) error) error {
	if len(path) == 0 {
		return message(b, f)
	}
	return message(b, func(num protowire.Number, data []byte, _ uint64) error {
		if num != path[0] {
			return nil
		}
		return nested(data, path[1:], f)
	})
}
