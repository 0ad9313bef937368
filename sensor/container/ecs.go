package container

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// ecsAPI asks the task metadata endpoint version 4, which an ECS task may ask about its own containers:
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-response.html
type ecsAPI struct {
	client *http.Client
	url    string // .../task
}

// ecsTask is the answer of BASE/task.
type ecsTask struct {
	Containers []struct {
		DockerID string `json:"DockerId"`
		Name     string
		Image    string
		ImageID  string
		Labels   map[string]string
		Networks []struct {
			NetworkMode   string
			IPv4Addresses []string
		}
	}
}

func newECS(base string) *runtime {
	client := &http.Client{
		Transport:     &http.Transport{MaxIdleConns: 2, MaxConnsPerHost: 2, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: maxHeader},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &runtime{kind: TypeECS, asker: &ecsAPI{client, strings.TrimRight(base, "/") + "/task"}, close: client.CloseIdleConnections}
}

func (a *ecsAPI) ask(ctx context.Context, id ID) (*Info, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, nil)
	if err != nil {
		return nil, err
	}
	var task ecsTask
	if err := getJSON(a.client, req, &task); err != nil {
		return nil, err
	}
	for _, c := range task.Containers {
		if c.DockerID != id.Full {
			continue
		}
		info := &Info{Type: TypeECS, Name: c.Name, Image: c.Image, Labels: labels(c.Labels)}
		// ImageID is the digest in the registry, or on EC2 the id of the image.
		info.Digest, info.ImageID = c.ImageID, strings.TrimPrefix(c.ImageID, "sha256:")
		for _, n := range c.Networks {
			info.HostNetwork = info.HostNetwork || n.NetworkMode == "host"
			if info.IP == "" && len(n.IPv4Addresses) > 0 {
				info.IP = n.IPv4Addresses[0]
			}
		}
		return info, nil
	}
	return nil, errMissing
}
