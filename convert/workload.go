package convert

import (
	"strings"
)

// workload is what an alert is about, by names that outlive a restart: a Kubernetes workload, an ECS service or task
// family, a container by image and name, a host, or, for events that happen on none, an event source.
type workload struct {
	class     string // "k8s", "ecs", "container", "host" or "source": the first part of it in an Id
	kind      string // what a person calls it: "deployment", "statefulset", "container", "host", ...
	namespace string // Kubernetes only
	name      string
	image     string // the image's repository, for class "container"; else ""
	pod       string // Kubernetes only; "" if unknown
	container string // the stable part of the container's name; "" on a host
}

// inContainer reports whether the event happened in a container. Falco writes "host" for the container id of a process
// on the host; an empty id says the same.
func (v *view) inContainer() bool {
	id := v.get(containerID)
	if id == "host" {
		return false
	}
	return id != "" || v.get(containerName) != "" && v.get(containerName) != "host" || v.get(k8sPod) != ""
}

// workloadOf finds the workload by the first of these that the alert knows: the Kubernetes fields, the name that the
// kubelet gives to Docker containers, the object of a Kubernetes audit event, the ECS fields or labels, the container's
// image and name, the host, the event source.
func workloadOf(v *view) workload {
	if v.get(kaResource) != "" || v.get(kaName) != "" {
		return auditWorkload(v)
	}
	if !v.inContainer() {
		return hostWorkload(v)
	}
	name := v.get(containerName)
	if pod := v.get(k8sPod); pod != "" {
		w := podWorkload(v, v.get(k8sNamespace), pod)
		w.container = stableContainerName(name)
		if container, _, _, ok := kubeletName(name); ok {
			w.container = container
		}
		return w
	}
	if container, pod, namespace, ok := kubeletName(name); ok {
		w := podWorkload(v, namespace, pod)
		w.container = container
		return w
	}
	if w, ok := ecsWorkload(v); ok {
		return w
	}
	return containerWorkload(v)
}

func hostWorkload(v *view) workload {
	if source := v.alert.Source; source != "" && source != "syscall" && source != notAvailable {
		return workload{class: "source", kind: "source", name: source}
	}
	name := v.host()
	if name == "" {
		name = v.get(instanceID)
	}
	if name == "" {
		name = "unknown"
	}
	return workload{class: "host", kind: "host", name: name}
}

func auditWorkload(v *view) workload {
	resource, name := v.get(kaResource), v.get(kaName)
	if resource == "pods" && name != "" {
		return podWorkload(v, v.get(kaNamespace), name)
	}
	w := workload{class: "k8s", kind: strings.TrimSuffix(resource, "s"), namespace: v.get(kaNamespace), name: name}
	if w.kind == "" {
		w.kind = "object"
	}
	if w.name == "" {
		w.name = w.kind
	}
	return w
}

// podWorkload names the controller of a pod: as the fields say, else from the pod's name and labels.
func podWorkload(v *view, namespace, pod string) workload {
	w := workload{class: "k8s", namespace: namespace, pod: pod}
	switch {
	case v.get(k8sDeployment) != "":
		w.kind, w.name = "deployment", v.get(k8sDeployment)
	case v.get(k8sReplicaSet) != "":
		w.kind, w.name = "replicaset", v.get(k8sReplicaSet)
		if base, hash, ok := cutLast(w.name); ok && isSafeRandom(hash, 8, 10) {
			w.kind, w.name = "deployment", base
		}
	case v.get(k8sReplicationController) != "":
		w.kind, w.name = "replicationcontroller", v.get(k8sReplicationController)
	default:
		w.kind, w.name = podOwner(pod, v.host(), v.get(k8sPodLabels))
	}
	return w
}

// podOwner derives the controller of a pod from the way controllers name pods (k8s.io/apiserver's SimpleNameGenerator
// and k8s.io/apimachinery's rand.SafeEncodeString: random parts are of consonants and the digits 2 and 4 to 9):
//
//	NAME-<8 or 10 digits>-<5 random>  a Job of CronJob NAME (the digits are its scheduled minute, once second)
//	NAME-<8 to 10 random>-<5 random>  a ReplicaSet of Deployment NAME
//	NAME-<5 random>                   a DaemonSet, Job, ReplicaSet or ReplicationController NAME; labels may tell which
//	NAME-<host>                       a static pod of that host
//	NAME-<number>                     a StatefulSet NAME
//
// A pod name of 63 characters has been cut by Kubernetes: its last five are random and what stands before may be the
// beginning of the ReplicaSet's hash. Any other pod stands for itself.
func podOwner(pod, host, labels string) (kind, name string) {
	if len(pod) == 63 && isSafeRandom(pod[58:], 5, 5) {
		base := strings.TrimRight(pod[:58], "-")
		if head, tail, ok := cutLast(base); ok && isSafeRandom(tail, 1, 10) {
			return "deployment", head
		}
		return "workload", base
	}
	base, last, ok := cutLast(pod)
	if ok && isSafeRandom(last, 5, 5) {
		head, middle, ok := cutLast(base)
		switch {
		case ok && (len(middle) == 8 || len(middle) == 10) && isDigits(middle):
			return "cronjob", head
		case ok && isSafeRandom(middle, 8, 10):
			return "deployment", head
		case label(labels, "job-name") != "" || label(labels, "batch.kubernetes.io/job-name") != "":
			return "job", base
		case label(labels, "controller-revision-hash") != "":
			return "daemonset", base
		}
		return "workload", base
	}
	if head, ok := strings.CutSuffix(pod, "-"+host); ok && host != "" && head != "" {
		return "static-pod", head
	}
	if ok && isDigits(last) && len(last) <= 4 && (len(last) == 1 || last[0] != '0') {
		return "statefulset", base
	}
	return "pod", pod
}

// kubeletName takes apart the name that the kubelet gives to Docker containers: k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT.
func kubeletName(name string) (container, pod, namespace string, ok bool) {
	rest, ok := strings.CutPrefix(name, "k8s_")
	if !ok {
		return "", "", "", false
	}
	parts := strings.Split(rest, "_") // none of the parts may have an underscore
	if len(parts) < 5 || parts[1] == "" {
		return "", "", "", false
	}
	return parts[0], parts[1], parts[2], true
}

// ecsWorkload names an ECS service or task family from FireLens's fields, from the labels that the ECS agent sets, or
// from the name that it gives to Docker containers: ecs-FAMILY-REVISION-CONTAINER-<20 or more hexadecimal digits>.
func ecsWorkload(v *view) (workload, bool) {
	labels := v.get(containerLabels)
	name := v.get(containerName)
	family, container := ecsContainerName(name)
	w := workload{class: "ecs", container: container}
	if w.container == "" {
		w.container = label(labels, "com.amazonaws.ecs.container-name")
	}
	if w.container == "" {
		w.container = stableContainerName(name)
	}
	if service := v.get(ecsService); service != "" {
		w.kind, w.name = "ecs-service", lastPart(service, '/')
		return w, true
	}
	if definition := v.get(ecsTaskDefinition); definition != "" {
		// "family:7", or the ARN that ends with it.
		family, _, _ = strings.Cut(lastPart(definition, '/'), ":")
	}
	if family == "" {
		family = label(labels, "com.amazonaws.ecs.task-definition-family")
	}
	if family == "" {
		return workload{}, false
	}
	w.kind, w.name = "ecs-task", family
	return w, true
}

func ecsContainerName(name string) (family, container string) {
	rest, ok := strings.CutPrefix(name, "ecs-")
	if !ok {
		return "", ""
	}
	rest, id, ok := cutLast(rest)
	if !ok || len(id) < 18 || !isHex(id) {
		return "", ""
	}
	// The revision is the first part that is a number; families may have dashes too.
	for i := 0; i < len(rest); i++ {
		if rest[i] != '-' {
			continue
		}
		revision, container, ok := strings.Cut(rest[i+1:], "-")
		if ok && isDigits(revision) && i > 0 {
			return rest[:i], container
		}
	}
	return "", ""
}

func containerWorkload(v *view) workload {
	labels := v.get(containerLabels)
	w := workload{class: "container", kind: "container", image: imageRepository(v)}
	if service := label(labels, "com.docker.compose.service"); service != "" {
		w.container = service
	} else {
		w.container = stableContainerName(v.get(containerName))
	}
	switch {
	case w.container != "":
		w.name = w.container
	case w.image != "":
		w.name = lastPart(w.image, '/')
	default:
		// Nothing is known but that it is some container: its host tells more than its random id.
		w.name, w.container = "unknown", ""
		w.image = "host:" + v.host()
	}
	return w
}

// stableContainerName returns the part of a container's name that a new container of the same kind has too: without
// the number of Compose and the task id of Swarm, without random parts; "" for names that Docker and Podman make up
// (two words with an underscore) and for ids.
func stableContainerName(name string) string {
	if name == "host" || isHex(name) && (len(name) == 12 || len(name) == 64) {
		return ""
	}
	if isMadeUpName(name) {
		return ""
	}
	if stack, rest, ok := strings.Cut(name, "."); ok {
		// Swarm: STACK_SERVICE.NUMBER.<25 characters>, or NODE id for global services.
		if number, id, ok := strings.Cut(rest, "."); ok && len(id) == 25 && (isDigits(number) || len(number) == 25) {
			return stack
		}
	}
	if len(name) > uuidLen && isUUID(name[len(name)-uuidLen:]) {
		return stable(name)
	}
	if i := strings.LastIndexAny(name, "-_"); i > 0 {
		// Compose: PROJECT-SERVICE-1, or PROJECT-SERVICE-run-<12 hexadecimal digits>.
		switch last := name[i+1:]; {
		case isDigits(last) && len(last) <= 4:
			return name[:i]
		case len(last) == 12 && isHex(last):
			return strings.TrimSuffix(strings.TrimSuffix(name[:i], "_run"), "-run")
		}
	}
	return stable(name)
}

// isMadeUpName reports whether name looks like those that Docker makes up: "vigilant_hopper", "vigilant_hopper3". A
// name of that look that a person chose is taken for made up too: the image then stands for the container.
func isMadeUpName(name string) bool {
	name = strings.TrimRight(name, "0123456789")
	first, second, ok := strings.Cut(name, "_")
	return ok && len(first) >= 3 && len(second) >= 3 && isLower(first) && isLower(second)
}

// imageRepository is the image's name without tag and digest.
func imageRepository(v *view) string {
	if r := v.get(containerImageRepository); r != "" {
		return r
	}
	repository, _, _ := splitImage(v.get(containerImage))
	return repository
}

// splitImage takes "registry:5000/team/app:1.2@sha256:…" apart.
func splitImage(image string) (repository, tag, digest string) {
	image, digest, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		return image[:i], image[i+1:], digest
	}
	return image, "", digest
}

// label finds a label in Falco's list of them, "a:1, b:2"; values with commas are cut there.
func label(labels, key string) string {
	for labels != "" {
		var one string
		one, labels, _ = strings.Cut(labels, ",")
		name, value, ok := strings.Cut(strings.TrimSpace(one), ":")
		if ok && name == key {
			return value
		}
	}
	return ""
}

// cutLast splits s at its last dash; ok if something stands on both sides.
func cutLast(s string) (before, last string, ok bool) {
	i := strings.LastIndexByte(s, '-')
	if i <= 0 || i+1 == len(s) {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func lastPart(s string, separator byte) string { return s[strings.LastIndexByte(s, separator)+1:] }

// isSafeRandom reports whether s can be a random part made by Kubernetes of least to most characters.
func isSafeRandom(s string, least, most int) bool {
	return len(s) >= least && len(s) <= most && allBytes(s, func(c byte) bool {
		switch c {
		case 'a', 'e', 'i', 'o', 'u', 'y', '3':
			return false
		}
		return c >= 'b' && c <= 'z' || c >= '2' && c <= '9'
	})
}

func isDigits(s string) bool {
	return s != "" && allBytes(s, func(c byte) bool { return c >= '0' && c <= '9' })
}

func isLower(s string) bool { return allBytes(s, func(c byte) bool { return c >= 'a' && c <= 'z' }) }

func isHex(s string) bool {
	return s != "" && allBytes(s, func(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' })
}

func allBytes(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return true
}
