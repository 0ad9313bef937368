package cwlogs

import (
	"strings"

	"github.com/eyrie-sec/eyrie/falco"
)

// meta is what log shippers say beside an alert. All of it is about the container that wrote the line: Falco's.
type meta struct {
	node, podName                                                  string // of Kubernetes
	instanceID, zone                                               string
	ecsCluster, ecsTask, ecsDefinition, containerID, containerName string
	partialID                                                      string
	partialLast                                                    bool
}

// add takes over what o says. What stands further inside counts less: it is added only where nothing is known.
func (m *meta) add(o *members1) {
	set := func(to *string, value []byte) {
		if *to == "" && value != nil {
			*to = text(value)
		}
	}
	if o.kubernetes != nil {
		// An error means that it is no object; then it says nothing.
		_ = members(o.kubernetes, func(name, value []byte) {
			switch string(name) {
			case "host":
				set(&m.node, value)
			case "pod_name":
				set(&m.podName, value)
			}
		})
	}
	set(&m.instanceID, o.instanceID)
	set(&m.zone, o.zone)
	set(&m.ecsCluster, o.ecsCluster)
	set(&m.ecsTask, o.ecsTask)
	set(&m.ecsDefinition, o.ecsDefinition)
	set(&m.containerID, o.containerID)
	set(&m.containerName, o.containerName)
	m.partialID = text(o.partialID)
	m.partialLast = text(o.partialLast) == "true" || string(o.partialLast) == "true"
}

// reporterTask is the field for the ECS task of Falco, where that is not the task of the alert.
const reporterTask = "falco.ecs_task_arn"

// apply adds to an alert what m says of it.
func (m *meta) apply(a *falco.Alert) {
	if *m == (meta{}) {
		return
	}
	// Falco's hostname is that of its pod where nobody has told it the node's (FALCO_HOSTNAME).
	if m.node != "" && (a.Hostname == "" || a.Hostname == m.podName) {
		a.Hostname = m.node
	}
	add := func(name, value string) {
		if value != "" && !has(a, name) {
			a.Extra = append(a.Extra, falco.Field{Name: name, Value: falco.Value{Kind: falco.String, Text: value}})
		}
	}
	if a.Get("instance_id") == "" && a.Get("ec2.instance_id") == "" {
		add("ec2_instance_id", m.instanceID)
	}
	add("az", m.zone)
	add("ecs_cluster", m.ecsCluster)
	switch {
	case m.ecsTask == "":
		add("ecs_task_definition", m.ecsDefinition)
	case m.ofOtherTask(a):
		add(reporterTask, m.ecsTask)
	default:
		add("ecs_task_arn", m.ecsTask)
		add("ecs_task_definition", m.ecsDefinition)
		if m.instanceID == "" && a.Get("container.id") == "host" {
			m.fargate(a)
		}
	}
}

// ofOtherTask reports whether the alert is known not to be about the task that Falco runs in: about an EC2 instance, or a
// container whose labels or name, which the ECS agent sets, are of another task or family.
func (m *meta) ofOtherTask(a *falco.Alert) bool {
	if id := a.Get("container.id"); id == "host" {
		return m.instanceID != ""
	} else if len(id) >= 12 && strings.HasPrefix(m.containerID, id) {
		return false // Falco's own container
	}
	if _, task, ok := strings.Cut(a.Get("container.labels"), "com.amazonaws.ecs.task-arn:"); ok {
		task, _, _ = strings.Cut(task, ",")
		return task != m.ecsTask
	}
	name := a.Get("container.name")
	if !strings.HasPrefix(name, "ecs-") || m.ecsDefinition == "" {
		return false
	}
	family, revision, _ := strings.Cut(m.ecsDefinition[strings.LastIndexByte(m.ecsDefinition, '/')+1:], ":")
	return !strings.HasPrefix(name, "ecs-"+family+"-"+revision)
}

// fargate turns an alert that names no container into one about the container that wrote the line: on Fargate there is
// no host to see, and Falco runs beside what it watches. The workload then is the task's family.
func (m *meta) fargate(a *falco.Alert) {
	fields := make([]falco.Field, 0, len(a.Fields)+1)
	for _, f := range a.Fields {
		if f.Name != "container.id" && f.Name != "container.name" {
			fields = append(fields, f)
		}
	}
	if m.containerName != "" {
		fields = append(fields, falco.Field{Name: "container.name", Value: falco.Value{Kind: falco.String, Text: m.containerName}})
	}
	a.Fields = fields
}

func has(a *falco.Alert, name string) bool {
	if _, ok := a.Field(name); ok {
		return true
	}
	for _, f := range a.Extra {
		if f.Name == name {
			return !f.Value.IsNA()
		}
	}
	return false
}
