package container

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// dockerAPI asks Docker, or Podman through the part of Docker's API that it has, too. Paths carry no version, which
// means the newest that the daemon has; the members that are read have been there since API 1.24.
type dockerAPI struct {
	client *http.Client
	kind   string
}

// dockerContainer is the answer to GET /containers/ID/json.
type dockerContainer struct {
	ID     string `json:"Id"`
	Name   string
	Image  string // id
	Config struct {
		Image       string
		Labels      map[string]string
		Healthcheck *struct{ Test []string }
	}
	HostConfig struct {
		Privileged  bool
		PidMode     string
		NetworkMode string
		IpcMode     string
	}
	NetworkSettings struct {
		IPAddress string
		Networks  map[string]struct{ IPAddress string }
	}
	Mounts []struct {
		Source, Destination, Mode, Propagation string
		RW                                     bool
	}
}

// dockerImage is the answer to GET /images/ID/json.
type dockerImage struct {
	RepoTags    []string
	RepoDigests []string
}

func (d *dockerAPI) ask(ctx context.Context, id ID) (*Info, error) {
	var c dockerContainer
	if err := d.get(ctx, "/containers/"+url.PathEscape(id.Full)+"/json", &c); err != nil {
		return nil, err
	}
	if c.ID != id.Full {
		return nil, fmt.Errorf("asked about container %s, it answered about %.64q", id.Full, c.ID)
	}
	info := &Info{
		Type: d.kind, Name: strings.TrimPrefix(c.Name, "/"), Image: c.Config.Image, ImageID: strings.TrimPrefix(c.Image, "sha256:"),
		Privileged: c.HostConfig.Privileged, HostPID: c.HostConfig.PidMode == "host",
		HostNetwork: c.HostConfig.NetworkMode == "host", HostIPC: c.HostConfig.IpcMode == "host",
		IP: c.address(), Labels: labels(c.Config.Labels), Healthcheck: c.healthcheck(),
	}
	for _, m := range c.Mounts {
		info.Mounts = append(info.Mounts, mount(m.Source, m.Destination, m.Mode, m.RW, m.Propagation))
	}
	info.Pod = podOfLabels(c.Config.Labels)
	if info.Pod.Name != "" {
		info.Pod.Sandbox = c.Config.Labels["io.kubernetes.sandbox.id"]
		info.Liveness, info.Readiness = probes(c.Config.Labels["annotation.kubectl.kubernetes.io/last-applied-configuration"], c.Config.Labels[labelContainer])
	}
	var image dockerImage
	if info.ImageID != "" && d.get(ctx, "/images/"+url.PathEscape(info.ImageID)+"/json", &image) == nil {
		image.complete(info)
	}
	return info, nil
}

// complete adds the name of an image that the container names by its id only, and the digest of its registry.
func (i *dockerImage) complete(info *Info) {
	if repository, _, _ := SplitImage(info.Image); (repository == "" || strings.HasPrefix(info.ImageID, repository)) && len(i.RepoTags) > 0 {
		info.Image = i.RepoTags[0]
	}
	repository, _, _ := SplitImage(info.Image)
	for _, d := range i.RepoDigests {
		name, digest, _ := strings.Cut(d, "@")
		if name == repository || info.Digest == "" {
			info.Digest = digest
		}
		if name == repository {
			return
		}
	}
}

func (c *dockerContainer) address() string {
	if c.NetworkSettings.IPAddress != "" {
		return c.NetworkSettings.IPAddress
	}
	names := make([]string, 0, len(c.NetworkSettings.Networks))
	for n := range c.NetworkSettings.Networks {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		if ip := c.NetworkSettings.Networks[n].IPAddress; ip != "" {
			return ip
		}
	}
	return ""
}

// healthcheck is the command of a check: its first word is how it is run, and NONE means that there is none.
func (c *dockerContainer) healthcheck() string {
	h := c.Config.Healthcheck
	if h == nil || len(h.Test) < 2 || h.Test[0] == "NONE" {
		return ""
	}
	return strings.Join(h.Test[1:], " ")
}

func (d *dockerAPI) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return err
	}
	return getJSON(d.client, req, into)
}

// getJSON does a request whose answer is JSON. 404 is errMissing.
func getJSON(client *http.Client, req *http.Request, into any) error {
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return errMissing
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: status %d", req.URL.Path, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("GET %s: %w", req.URL.Path, err)
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("GET %s: the answer is longer than %d bytes", req.URL.Path, maxAnswer)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("GET %s: %w", req.URL.Path, err)
	}
	return nil
}

// mount writes a mount as container.mounts has it.
func mount(source, destination, mode string, writable bool, propagation string) string {
	w := "false"
	if writable {
		w = "true"
	}
	return source + ":" + destination + ":" + mode + ":" + w + ":" + propagation
}

// labels lists a map as NAME=value, sorted.
func labels(m map[string]string) []string {
	list := make([]string, 0, min(len(m), maxItems))
	for k, v := range m {
		if k != "" && !strings.Contains(k, "=") {
			list = append(list, k+"="+v)
		}
	}
	slices.Sort(list)
	return list
}
