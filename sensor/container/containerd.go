package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// containerdAPI asks containerd: first its CRI plugin, then, for containers that Kubernetes has no part in, its own API.
// That keeps containers in namespaces: those of nerdctl and ctr are in default, Docker's in moby.
type containerdAPI struct {
	rpc *rpcClient
	cri *criAPI
}

// containerdSpec is what is read of the OCI runtime specification that containerd keeps of a container.
type containerdSpec struct {
	Process struct {
		Capabilities struct {
			Bounding []string `json:"bounding"`
		} `json:"capabilities"`
	} `json:"process"`
	Linux struct {
		Namespaces []struct {
			Type string `json:"type"`
			Path string `json:"path"`
		} `json:"namespaces"`
		MaskedPaths []string `json:"maskedPaths"`
	} `json:"linux"`
	Mounts []struct {
		Destination string   `json:"destination"`
		Type        string   `json:"type"`
		Source      string   `json:"source"`
		Options     []string `json:"options"`
	} `json:"mounts"`
}

func (c *containerdAPI) ask(ctx context.Context, id ID) (*Info, error) {
	info, err := c.cri.ask(ctx, id)
	if err == nil || !errors.Is(err, errMissing) && !errors.Is(err, errUnimplemented) || id.PodUID != "" {
		return info, err
	}
	for _, namespace := range []string{"default", "k8s.io", "moby"} {
		// GetContainerRequest: id = 1. GetContainerResponse: container = 1.
		request := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), id.Full)
		answer, err := c.rpc.call(ctx, "/containerd.services.containers.v1.Containers/Get", request, "Containerd-Namespace", namespace)
		if errors.Is(err, errMissing) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return decodeContainerd(answer, id.Full)
	}
	return nil, errMissing
}

// decodeContainerd reads Container: id = 1, labels = 2, image = 3, spec = 5 (Any: value = 2, JSON).
func decodeContainerd(b []byte, id string) (*Info, error) {
	info := &Info{Type: TypeContainerd}
	labelled := map[string]string{}
	var got, spec string
	err := nested(b, []protowire.Number{1}, func(num protowire.Number, data []byte, _ uint64) error {
		switch num {
		case 1:
			got = string(data)
		case 2:
			return entry(data, labelled)
		case 3:
			info.Image = string(data)
		case 5:
			return texts(data, map[protowire.Number]*string{2: &spec})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("GetContainerResponse: %w", err)
	}
	if got != id {
		return nil, fmt.Errorf("asked about container %s, it answered about %.64q", id, got)
	}
	info.Labels = labels(labelled)
	info.Pod = podOfLabels(labelled)
	if info.Name = labelled["nerdctl/name"]; info.Name == "" {
		info.Name = short(id)
	}
	var s containerdSpec
	if json.Unmarshal([]byte(spec), &s) == nil && spec != "" {
		s.complete(info)
	}
	return info, nil
}

func (s *containerdSpec) complete(info *Info) {
	own := map[string]bool{}
	for _, n := range s.Linux.Namespaces {
		own[n.Type] = true
	}
	info.HostPID, info.HostNetwork, info.HostIPC = !own["pid"], !own["network"], !own["ipc"]
	for _, c := range s.Process.Capabilities.Bounding {
		// Privileged is no property of its own here; nothing else unmasks /proc and may do everything.
		info.Privileged = info.Privileged || c == "CAP_SYS_ADMIN" && len(s.Linux.MaskedPaths) == 0
	}
	for _, m := range s.Mounts {
		if m.Type == "bind" && len(info.Mounts) < maxItems {
			info.Mounts = append(info.Mounts, bindMount(m.Source, m.Destination, m.Options))
		}
	}
}

func bindMount(source, destination string, options []string) string {
	writable, propagation := true, ""
	for _, o := range options {
		switch {
		case o == "ro":
			writable = false
		case strings.HasSuffix(o, "private"), strings.HasSuffix(o, "slave"), strings.HasSuffix(o, "shared"):
			propagation = o
		}
	}
	return mount(source, destination, "", writable, propagation)
}
