package convert

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/eyrie-sec/eyrie/asff"
)

// resources writes what the finding is about, the most specific thing first: the container, the Kubernetes workload, the
// ECS task, the clusters, the host. There is always one.
func resources(v *view, s *subject) []asff.Resource {
	l := newResourceList(v, s)
	if l.container {
		l.detailed("Container", s.containerResource(v)).Container = container(v, s)
	}
	if s.workload.class == "k8s" {
		id := s.text.join("k8s/", orDash(s.cluster), "/", orDash(s.workload.namespace), "/", s.display)
		l.detailed("Other", id).Other = kubernetes(v, s)
	}
	ecs(v, s, &l)
	if s.eksARN != "" {
		l.detailed("AwsEksCluster", s.eksARN).AwsEksCluster = &asff.AwsEksCluster{Arn: s.eksARN, Name: s.cluster}
	}
	host := v.host()
	v.markPlaces(s, host)
	if id := v.get(instanceID); isInstanceID(id) {
		v.used[instanceID] = true
		l.add("AwsEc2Instance", s.text.join("arn:", s.partition, ":ec2:", s.region, ":", s.account, ":instance/", id))
	} else if host != "" {
		l.detailed("Other", s.text.join("host/", host)).Other = map[string]string{"Hostname": host}
	}
	if len(l.all) == 0 {
		l.add("Other", s.text.join(s.workload.class, "/", s.workload.name))
	}
	return l.all
}

// resourceList is a list of resources in the making.
type resourceList struct {
	partition string
	region    string
	all       []asff.Resource
	details   []asff.ResourceDetails // what all points to
	container bool                   // the first resource is to be the container
}

// newResourceList makes a list with room for what nearly every finding has: container, workload and host.
func newResourceList(v *view, s *subject) resourceList {
	l := resourceList{partition: s.partition, region: s.region, container: s.container && v.first(containerID, containerName, containerImage, containerImageRepository) != ""}
	size := 1
	if l.container {
		size++
	}
	if s.workload.class == "k8s" {
		size++
	}
	l.all, l.details = make([]asff.Resource, 0, size), make([]asff.ResourceDetails, size)
	return l
}

func (l *resourceList) add(kind, id string) {
	l.all = append(l.all, asff.Resource{Type: kind, ID: id, Partition: l.partition, Region: l.region})
}

// detailed adds a resource and returns its details, to be filled in.
func (l *resourceList) detailed(kind, id string) *asff.ResourceDetails {
	if len(l.details) == 0 {
		l.details = make([]asff.ResourceDetails, 1)
	}
	details := &l.details[0]
	l.details = l.details[1:]
	l.add(kind, id)
	l.all[len(l.all)-1].Details = details
	return details
}

// markPlaces marks fields that only repeat what the finding says elsewhere: its time, host and cluster, and that the
// container "host" is none.
func (v *view) markPlaces(s *subject, host string) {
	v.used[evtTime] = true
	v.used[evtHostname] = v.get(evtHostname) == host
	v.used[clusterName] = v.get(clusterName) == s.cluster
	if !s.container {
		v.used[containerID] = v.get(containerID) == "host"
		v.used[containerName] = v.get(containerName) == "host"
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// containerResource is a name for the container that a restart does not change; the runtime's own id is in ProductFields.
func (s *subject) containerResource(v *view) string {
	w := &s.workload
	name := w.container
	if name == "" {
		name = "-"
	}
	switch w.class {
	case "k8s":
		return s.text.join("container/", orDash(s.cluster), "/", orDash(w.namespace), "/", w.name, "/", name)
	case "ecs":
		return s.text.join("container/", orDash(lastPart(v.get(ecsCluster), '/')), "/", w.name, "/", name)
	}
	return s.text.join("container/", w.image, "/", name)
}

func container(v *view, s *subject) *asff.Container {
	d := &asff.Container{
		ContainerRuntime: v.take(containerType),
		Name:             v.take(containerName),
		ImageName:        s.image,
		ImageID:          v.first(containerImageID, containerImageDigest),
		LaunchedAt:       eventTime(v.get(containerStart)),
		VolumeMounts:     mounts(v.get(containerMounts)),
	}
	for _, slot := range [...]slot{containerImage, containerImageRepository, containerImageTag} {
		v.used[slot] = d.ImageName != ""
	}
	v.used[containerImageID] = v.get(containerImageID) != ""
	v.used[containerImageDigest] = v.get(containerImageID) == ""
	v.used[containerStart] = d.LaunchedAt != ""
	if v.get(containerName) == "host" {
		d.Name = ""
	}
	switch v.get(containerPrivileged) {
	case "true":
		d.Privileged = new(bool)
		*d.Privileged = true
	case "false":
		d.Privileged = new(bool)
	}
	v.used[containerPrivileged] = d.Privileged != nil
	return d
}

// imageName is the image as one writes it: repository:tag, or repository@digest where there is no tag.
func (s *subject) imageName(v *view) string {
	repository := v.get(containerImageRepository)
	if repository == "" {
		return v.get(containerImage)
	}
	if tag := v.get(containerImageTag); tag != "" {
		return s.text.join(repository, ":", tag)
	}
	if digest := v.get(containerImageDigest); digest != "" {
		return s.text.join(repository, "@", digest)
	}
	return repository
}

// mounts reads container.mounts: SOURCE:DESTINATION:MODE:RDWR:PROPAGATION with commas between. It stays in
// ProductFields too, which has the modes.
func mounts(s string) []asff.VolumeMount {
	var all []asff.VolumeMount
	for s != "" && len(all) < maxMounts {
		var one string
		one, s, _ = strings.Cut(s, ",")
		source, rest, ok := strings.Cut(one, ":")
		destination, _, _ := strings.Cut(rest, ":")
		if ok && destination != "" {
			all = append(all, asff.VolumeMount{Name: source, MountPath: destination})
		}
	}
	return all
}

// maxMounts bounds the mounts of a container in a finding. It is our own limit; ASFF states none.
const maxMounts = 50

// kubernetes describes a Kubernetes workload.
func kubernetes(v *view, s *subject) map[string]string {
	w := &s.workload
	d := make(map[string]string, 8)
	put := func(name, value string) {
		if value != "" && value != notAvailable && len(d) < maxFields {
			d[name] = value
		}
	}
	put("Cluster", s.cluster)
	put("Namespace", w.namespace)
	put("Pod", w.pod)
	put("OwnerKind", w.kind)
	put("Owner", w.name)
	put("PodUid", v.first(k8sPodUID, k8sPodID))
	put("PodIp", v.get(k8sPodIP))
	for labels := v.get(k8sPodLabels); labels != ""; {
		var one string
		one, labels, _ = strings.Cut(labels, ",")
		if name, value, ok := strings.Cut(strings.TrimSpace(one), ":"); ok && name != "" {
			put("label/"+name, value)
		}
	}
	for _, slot := range [...]slot{k8sNamespace, k8sPod, k8sPodUID, k8sPodIP, k8sPodLabels, k8sDeployment, kaNamespace, kaName} {
		v.used[slot] = true
	}
	v.used[k8sPodID] = v.get(k8sPodUID) == "" || v.get(k8sPodUID) == v.get(k8sPodID)
	return d
}

// ecs writes the ECS task and cluster as far as they are known.
func ecs(v *view, s *subject, l *resourceList) {
	labels := v.get(containerLabels)
	either := func(slot slot, key string) string {
		v.used[slot] = true
		if text := v.get(slot); text != "" {
			return text
		}
		return label(labels, key)
	}
	task := either(ecsTask, "com.amazonaws.ecs.task-arn")
	cluster := either(ecsCluster, "com.amazonaws.ecs.cluster")
	definition := v.get(ecsTaskDefinition)
	clusterARN := cluster
	if cluster != "" && !strings.HasPrefix(cluster, "arn:") {
		clusterARN = "arn:" + s.partition + ":ecs:" + s.region + ":" + s.account + ":cluster/" + cluster
	}
	if strings.HasPrefix(task, "arn:") {
		d := &asff.AwsEcsTask{ClusterArn: clusterARN}
		if strings.HasPrefix(definition, "arn:") {
			d.TaskDefinitionArn = definition
		} else if definition != "" {
			d.TaskDefinitionArn = "arn:" + s.partition + ":ecs:" + s.region + ":" + s.account + ":task-definition/" + definition
		}
		v.used[ecsTaskDefinition] = true
		l.detailed("AwsEcsTask", task).AwsEcsTask = d
	} else {
		v.used[ecsTask] = false
	}
	if cluster != "" {
		l.detailed("AwsEcsCluster", clusterARN).AwsEcsCluster = &asff.AwsEcsCluster{ClusterArn: clusterARN, ClusterName: lastPart(cluster, '/')}
	}
}

// isInstanceID reports whether s is the id of an EC2 instance: "i-" and 8 or 17 hexadecimal digits.
func isInstanceID(s string) bool {
	return (len(s) == 10 || len(s) == 19) && strings.HasPrefix(s, "i-") && isHex(s[2:])
}

// process fills in the finding's empty Process and returns it, nil if nothing is known of one.
func process(v *view, p *asff.Process) *asff.Process {
	p.Name = v.take(procName)
	p.Path = v.take(procExePath)
	p.Pid = v.pid(procPid)
	p.ParentPid = v.pid(procPpid)
	p.LaunchedAt = eventTime(v.get(procStart))
	v.used[procStart] = p.LaunchedAt != ""
	if p.Name == "" && p.Path == "" && p.Pid == nil && p.ParentPid == nil {
		return nil
	}
	return p
}

func (v *view) pid(s slot) *int {
	if v.get(s) == "" {
		return nil
	}
	n, err := strconv.ParseInt(v.get(s), 10, 32)
	if err != nil || n < 0 {
		return nil
	}
	v.used[s] = true
	pid := int(n)
	return &pid
}

// eventTime reads nanoseconds since 1970, as Falco gives points in time; "" if it is none.
func eventTime(s string) string {
	if s == "" {
		return ""
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || n == math.MaxInt64 {
		return ""
	}
	return asff.FormatTime(time.Unix(0, n))
}
