package enrich

import (
	"maps"
	"strings"

	"github.com/eyrie-sec/eyrie/asff"
)

// addInstance adds what is known of an instance, and the EKS cluster that its tags name.
func addInstance(f *asff.Finding, s *subject, in *Instance) bool {
	r := &f.Resources[s.instance]
	details := in.Details
	detailsOf(r).AwsEc2Instance = &details
	if len(in.Tags) > 0 {
		r.Tags = maps.Clone(in.Tags)
	}
	name := eksCluster(in.Tags)
	if name == "" || len(f.Resources) >= maxResources {
		return true
	}
	for i := range f.Resources {
		if f.Resources[i].Type == "AwsEksCluster" {
			return true
		}
	}
	partition, region := r.Partition, r.Region
	arn := "arn:" + partition + ":eks:" + region + ":" + f.AwsAccountID + ":cluster/" + name
	f.Resources = append(f.Resources, asff.Resource{Type: "AwsEksCluster", ID: arn, Partition: partition, Region: region,
		Details: &asff.ResourceDetails{AwsEksCluster: &asff.AwsEksCluster{Arn: arn, Name: name}}})
	return true
}

// maxResources is how many resources a finding may have (ASFF, Resources: "Up to 32 resource objects").
const maxResources = 32

// eksCluster is the name of the EKS cluster that an instance is a node of, by its tags: that which EKS sets on instances
// of managed node groups, and that which every node must have (EKS User Guide: "kubernetes.io/cluster/NAME" with the
// value "owned").
func eksCluster(tags map[string]string) string {
	for _, key := range [...]string{"aws:eks:cluster-name", "eks:cluster-name"} {
		if name := tags[key]; name != "" {
			return name
		}
	}
	found := ""
	for key, value := range tags {
		if name, ok := strings.CutPrefix(key, "kubernetes.io/cluster/"); ok && value == "owned" && name != "" {
			if found != "" {
				return "" // two owners: which one cannot be told
			}
			found = name
		}
	}
	return found
}

// addTask adds what is known of a task: to the task's resource with the one container concerned, if that can be told, to the
// container's resource its image, and the task's service as a resource.
func addTask(f *asff.Finding, s *subject, t *Task) bool {
	r := &f.Resources[s.task]
	details := t.Details
	name := concerned(f, s, t)
	details.Containers = nil
	for _, c := range t.Details.Containers {
		if name == "" || c.Name == name {
			details.Containers = append(details.Containers, c)
		}
	}
	detailsOf(r).AwsEcsTask = &details
	if len(t.Tags) > 0 {
		r.Tags = maps.Clone(t.Tags)
	}
	if name != "" && s.container >= 0 {
		addImage(&f.Resources[s.container], details.Containers, t.ImageDigest[name])
	}
	if t.Service != "" && len(f.Resources) < maxResources {
		f.Resources = append(f.Resources, asff.Resource{Type: "AwsEcsService", ID: serviceARN(s.taskARN, details.ClusterArn, t.Service),
			Partition: r.Partition, Region: r.Region})
	}
	return true
}

func addImage(r *asff.Resource, containers []asff.AwsEcsContainer, digest string) {
	d := detailsOf(r)
	if d.Container == nil {
		d.Container = &asff.Container{}
	}
	if d.Container.ImageName == "" && len(containers) == 1 {
		d.Container.ImageName, _, _ = strings.Cut(containers[0].Image, "@")
	}
	if d.Container.ImageID == "" {
		d.Container.ImageID = digest
	}
}

// concerned is the name, in the task definition, of the container that the finding is about: by the id that the runtime
// gave it, of which Falco prints the first 12 characters, else by its name. "" if that cannot be told.
func concerned(f *asff.Finding, s *subject, t *Task) string {
	id := f.ProductFields["falco/container.id"]
	name := ""
	if s.container >= 0 {
		if d := f.Resources[s.container].Details; d != nil && d.Container != nil {
			name = d.Container.Name
		}
	}
	for _, c := range t.Details.Containers {
		runtimeID := t.RuntimeIDs[c.Name]
		if id != "" && id != "host" && len(id) >= 12 && strings.HasPrefix(runtimeID, id) {
			return c.Name
		}
	}
	for _, c := range t.Details.Containers {
		// The ECS agent names Docker containers ecs-FAMILY-REVISION-CONTAINER-<hexadecimal>.
		if name == c.Name || strings.HasPrefix(name, "ecs-") && strings.Contains(name, "-"+c.Name+"-") {
			return c.Name
		}
	}
	if len(t.Details.Containers) == 1 {
		return t.Details.Containers[0].Name
	}
	return ""
}

// serviceARN is arn:…:service/CLUSTER/NAME, of the task's partition, Region and account.
func serviceARN(task, cluster, name string) string {
	head, _, _ := strings.Cut(task, ":task/")
	return head + ":service/" + cluster[strings.LastIndexByte(cluster, '/')+1:] + "/" + name
}

func detailsOf(r *asff.Resource) *asff.ResourceDetails {
	if r.Details == nil {
		r.Details = &asff.ResourceDetails{}
	}
	return r.Details
}
