package container

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// errMissing says that a runtime does not know the container.
var errMissing = errors.New("no runtime knows the container")

// Limits of what a runtime may answer.
const (
	maxAnswer = 4 << 20 // bytes of one answer
	maxHeader = 64 << 10
	maxItems  = 1024    // labels, mounts
	maxText   = 4 << 10 // bytes of one label, mount or name
	maxUsers  = 64      // users whose own runtimes are asked
)

// How long a runtime that did not answer is left alone: doubled with each failure.
const (
	minPause = time.Second
	maxPause = 30 * time.Second
)

// Socket is where a runtime listens.
type Socket struct {
	Type string // TypeDocker and TypePodman speak Docker's API; TypeContainerd, TypeCRIO and TypeCRI gRPC
	Path string // of the Unix socket
}

// DefaultSockets are the usual places below root, "" for /. Those that do not exist cost a stat each time a container
// shows up, so that a runtime may be started later.
func DefaultSockets(root string) []Socket {
	all := []Socket{
		{TypeDocker, "/run/docker.sock"},
		{TypePodman, "/run/podman/podman.sock"},
		{TypeContainerd, "/run/containerd/containerd.sock"},
		{TypeContainerd, "/run/k3s/containerd/containerd.sock"},
		{TypeContainerd, "/run/host-containerd/containerd.sock"}, // Bottlerocket
		{TypeCRIO, "/run/crio/crio.sock"},
	}
	for i := range all {
		all[i].Path = filepath.Join("/", root, all[i].Path)
	}
	return all
}

// userSockets are those of a user without root. Whoever owns them can answer what he likes: they are asked only about
// containers in that user's slice.
func userSockets(root, uid string) []Socket {
	dir := filepath.Join("/", root, "run", "user", uid)
	return []Socket{{TypePodman, filepath.Join(dir, "podman", "podman.sock")}, {TypeDocker, filepath.Join(dir, "docker.sock")}}
}

// asker is one API of a runtime.
type asker interface {
	// ask answers errMissing (wrapped or not) where the runtime answered that it does not know the container.
	ask(ctx context.Context, id ID) (*Info, error)
}

// runtime is one API with its patience.
type runtime struct {
	kind  string
	path  string // "" for what is not behind a socket
	asker asker
	close func()

	mu    sync.Mutex
	pause time.Duration // guarded by mu
	until time.Time     // guarded by mu; it is left alone until then
}

type runtimes struct {
	cfg    Config
	system []*runtime

	mu    sync.Mutex
	users map[string][]*runtime // guarded by mu
}

func newRuntimes(c Config) *runtimes {
	rs := &runtimes{cfg: c, users: map[string][]*runtime{}}
	for _, s := range c.Sockets {
		rs.system = append(rs.system, newRuntime(s))
	}
	if c.ECS != "" {
		rs.system = append(rs.system, newECS(c.ECS))
	}
	return rs
}

func newRuntime(s Socket) *runtime {
	rt := &runtime{kind: s.Type, path: s.Path}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", s.Path)
		},
		MaxIdleConns: 2, MaxConnsPerHost: 4, IdleConnTimeout: 30 * time.Second,
		MaxResponseHeaderBytes: maxHeader, DisableCompression: true,
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	switch s.Type {
	case TypeDocker, TypePodman:
		rt.asker = &dockerAPI{client, s.Type}
	default:
		transport.Protocols = &http.Protocols{}
		transport.Protocols.SetUnencryptedHTTP2(true)
		rpc := &rpcClient{client}
		rt.asker = &criAPI{rpc: rpc, kind: s.Type}
		if s.Type == TypeContainerd {
			rt.asker = &containerdAPI{rpc: rpc, cri: &criAPI{rpc: rpc, kind: s.Type}}
		}
	}
	rt.close = client.CloseIdleConnections
	return rt
}

// of lists who may know the container, the likeliest first.
func (rs *runtimes) of(id ID) []*runtime {
	if id.User != "" {
		return rs.ofUser(id.User)
	}
	hint := id.Hint
	if hint == TypeCRI {
		hint = TypeContainerd
	}
	order := make([]*runtime, 0, len(rs.system))
	for _, likely := range []bool{true, false} {
		for _, rt := range rs.system {
			if (rt.kind == hint) == likely {
				order = append(order, rt)
			}
		}
	}
	return order
}

func (rs *runtimes) ofUser(uid string) []*runtime {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	list, ok := rs.users[uid]
	if !ok && len(rs.users) < maxUsers {
		for _, s := range userSockets(rs.cfg.Root, uid) {
			list = append(list, newRuntime(s))
		}
		rs.users[uid] = list
	}
	return list
}

// any says whether there is somebody to ask.
func (rs *runtimes) any(id ID) bool {
	for _, rt := range rs.of(id) {
		if rt.there() {
			return true
		}
	}
	return false
}

func (rt *runtime) there() bool {
	if rt.path == "" {
		return true
	}
	info, err := os.Stat(rt.path)
	return err == nil && info.Mode()&os.ModeSocket != 0
}

// lookUp asks one after the other. The error is errMissing only where all that are there answered so.
func (rs *runtimes) lookUp(ctx context.Context, id ID) (*Info, error) {
	var failed error
	for _, rt := range rs.of(id) {
		if !rt.there() {
			continue
		}
		info, err := rt.ask(ctx, id, rs.cfg.Deadline)
		if err == nil {
			info.clamp()
			return info, nil
		}
		if !errors.Is(err, errMissing) {
			failed = fmt.Errorf("ask %s at %s: %w", rt.kind, rt.path, err)
		}
	}
	if failed != nil {
		return nil, failed
	}
	return nil, errMissing
}

// errPaused says that a runtime failed a moment ago.
var errPaused = errors.New("it did not answer a moment ago and is left alone for now")

func (rt *runtime) ask(ctx context.Context, id ID, deadline time.Duration) (*Info, error) {
	rt.mu.Lock()
	paused := time.Now().Before(rt.until)
	rt.mu.Unlock()
	if paused {
		return nil, errPaused
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	info, err := rt.asker.ask(ctx, id)
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if err == nil || errors.Is(err, errMissing) {
		rt.pause = 0
		return info, err
	}
	rt.pause = min(max(2*rt.pause, minPause), maxPause)
	rt.until = time.Now().Add(rt.pause)
	return nil, err
}

func (rs *runtimes) close() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, rt := range rs.system {
		rt.close()
	}
	for _, list := range rs.users {
		for _, rt := range list {
			rt.close()
		}
	}
}

// clamp bounds what is kept of an answer.
func (in *Info) clamp() {
	for _, s := range []*string{&in.Name, &in.Image, &in.ImageID, &in.Digest, &in.IP, &in.Healthcheck, &in.Liveness, &in.Readiness,
		&in.Pod.Name, &in.Pod.Namespace, &in.Pod.UID, &in.Pod.Sandbox} {
		*s = clampText(*s, maxText)
	}
	in.CNI = clampText(in.CNI, 4*maxText)
	in.Labels, in.Mounts, in.Pod.Labels = clampItems(in.Labels), clampItems(in.Mounts), clampItems(in.Pod.Labels)
}

func clampItems(items []string) []string {
	items = items[:min(len(items), maxItems)]
	for i := range items {
		items[i] = clampText(items[i], maxText)
	}
	return items
}

func clampText(s string, n int) string {
	if len(s) > n {
		return string([]byte(s[:n])) // do not keep the rest alive
	}
	return s
}
