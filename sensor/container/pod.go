package container

import (
	"encoding/json"
	"strings"
)

// Labels that the kubelet puts on every container (kubernetes, pkg/kubelet/types/labels.go).
const (
	labelContainer = "io.kubernetes.container.name"
	labelPod       = "io.kubernetes.pod.name"
	labelNamespace = "io.kubernetes.pod.namespace"
	labelUID       = "io.kubernetes.pod.uid"
)

// annotationApplied is where kubectl keeps what was applied to a pod that nothing else made.
const annotationApplied = "kubectl.kubernetes.io/last-applied-configuration"

func podOfLabels(l map[string]string) Pod {
	return Pod{Name: l[labelPod], Namespace: l[labelNamespace], UID: l[labelUID]}
}

// podLabels lists the labels of a pod without those of the kubelet's own.
func podLabels(l map[string]string) []string {
	own := make(map[string]string, len(l))
	for k, v := range l {
		if !strings.HasPrefix(k, "io.kubernetes.pod.") && k != labelContainer {
			own[k] = v
		}
	}
	return labels(own)
}

// probes finds the commands of the liveness and readiness probes of a container in the pod as it was applied, JSON.
func probes(applied, container string) (liveness, readiness string) {
	if applied == "" || container == "" {
		return "", ""
	}
	type probe struct {
		Exec struct {
			Command []string `json:"command"`
		} `json:"exec"`
	}
	var pod struct {
		Spec struct {
			Containers []struct {
				Name      string `json:"name"`
				Liveness  probe  `json:"livenessProbe"`
				Readiness probe  `json:"readinessProbe"`
			} `json:"containers"`
		} `json:"spec"`
	}
	if json.Unmarshal([]byte(applied), &pod) != nil {
		return "", ""
	}
	for _, c := range pod.Spec.Containers {
		if c.Name == container {
			return strings.Join(c.Liveness.Exec.Command, " "), strings.Join(c.Readiness.Exec.Command, " ")
		}
	}
	return "", ""
}
