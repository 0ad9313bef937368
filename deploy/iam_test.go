package deploy_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/eyrie-sec/eyrie/collect/ship/cloudwatch"
)

// list is a string or a list of strings, as IAM has it.
type list []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *list) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*l = list{""}
		return json.Unmarshal(b, &(*l)[0])
	}
	return json.Unmarshal(b, (*[]string)(l))
}

// policy is an IAM policy, as far as one should be here.
type policy struct {
	Version   string
	Statement []struct {
		Sid, Effect string
		Principal   map[string]list
		Action      list
		Resource    list
		Condition   map[string]map[string]list
	}
}

// TestPolicies: shippers may do what they do and no more, and nobody but they gets the role.
func TestPolicies(t *testing.T) {
	trusted := map[string]struct {
		principal string
		actions   []string
		condition string
	}{
		"trust-pod-identity.json": {"pods.eks.amazonaws.com", []string{"sts:AssumeRole", "sts:TagSession"}, "aws:RequestTag/kubernetes-service-account"},
		"trust-irsa.json":         {"arn:aws:iam::ACCOUNT_ID:oidc-provider/OIDC_PROVIDER", []string{"sts:AssumeRoleWithWebIdentity"}, "OIDC_PROVIDER:sub"},
		"trust-ecs.json":          {"ecs-tasks.amazonaws.com", []string{"sts:AssumeRole"}, "aws:SourceAccount"},
	}
	paths := files(t, "iam", func(string) bool { return true })
	if len(paths) != len(trusted)+1 {
		t.Errorf("files %q: add each to this test", paths)
	}
	for _, path := range paths {
		var p policy
		readJSON(t, path, &p)
		if p.Version != "2012-10-17" || len(p.Statement) != 1 {
			t.Fatalf("%s: want version 2012-10-17 and one statement", path)
		}
		s := p.Statement[0]
		for _, a := range s.Action {
			if strings.Contains(a, "*") {
				t.Errorf("%s: action %s has a wildcard", path, a)
			}
		}
		if s.Effect != "Allow" {
			t.Errorf("%s: effect %q", path, s.Effect)
		}
		if want, ok := trusted[filepath.Base(path)]; ok {
			var principals []string
			for _, of := range s.Principal {
				principals = append(principals, of...)
			}
			found := false
			for _, c := range s.Condition {
				found = found || c[want.condition] != nil
			}
			if !slices.Equal(principals, []string{want.principal}) || !slices.Equal(s.Action, want.actions) || s.Resource != nil || !found {
				t.Errorf("%s: got %+v, want %+v", path, s, want)
			}
			continue
		}
		if !slices.Equal(s.Action, cloudwatch.Actions()) {
			t.Errorf("%s: actions %q, the agent calls %q", path, s.Action, cloudwatch.Actions())
		}
		if want := "arn:aws:logs:REGION:ACCOUNT_ID:log-group:/eyrie/falco:*"; len(s.Resource) != 1 || s.Resource[0] != want {
			t.Errorf("%s: resource %q, want %q: the group's streams alone", path, s.Resource, want)
		}
	}
}

// TestTaskDefinition decodes the ECS files into the official SDK's requests, which refuse what ECS does not know, and checks
// that the parts fit each other. (encoding/json matches the members of the SDK's types without regard to case, as ECS's
// own names begin with small letters.)
func TestTaskDefinition(t *testing.T) {
	var task ecs.RegisterTaskDefinitionInput
	readJSON(t, "ecs/falco.json", &task)
	var service ecs.CreateServiceInput
	readJSON(t, "ecs/service.json", &service)
	if service.SchedulingStrategy != ecstypes.SchedulingStrategyDaemon || service.LaunchType != ecstypes.LaunchTypeEc2 || service.DesiredCount != nil {
		t.Error("the service is no daemon on EC2")
	}
	if *service.TaskDefinition != *task.Family {
		t.Errorf("the service runs %s, the task is %s", *service.TaskDefinition, *task.Family)
	}
	if !slices.Contains(task.NetworkMode.Values(), task.NetworkMode) || task.PidMode != ecstypes.PidModeHost || !slices.Equal(task.RequiresCompatibilities, []ecstypes.Compatibility{ecstypes.CompatibilityEc2}) {
		t.Errorf("network %s, PIDs %s, for %s: Falco needs an EC2 instance and its process ids", task.NetworkMode, task.PidMode, task.RequiresCompatibilities)
	}
	volumes := map[string]bool{}
	for _, v := range task.Volumes {
		volumes[*v.Name] = true
	}
	containers := map[string]ecstypes.ContainerDefinition{}
	for _, c := range task.ContainerDefinitions {
		containers[*c.Name] = c
		if c.Memory == nil || *c.Memory < *c.MemoryReservation || c.Essential == nil || !*c.Essential {
			t.Errorf("container %s: want a memory limit not under its reservation, and essential", *c.Name)
		}
		for _, m := range c.MountPoints {
			if !volumes[*m.SourceVolume] || !*m.ReadOnly {
				t.Errorf("container %s: mount %s has no volume, or may be written", *c.Name, *m.SourceVolume)
			}
		}
		for _, d := range c.DependsOn {
			if _, ok := containers[*d.ContainerName]; !ok || !slices.Contains(d.Condition.Values(), d.Condition) {
				t.Errorf("container %s depends on %s %s", *c.Name, *d.ContainerName, d.Condition)
			}
		}
	}
	router, falco := containers["log_router"], containers["falco"]
	if router.FirelensConfiguration == nil || router.FirelensConfiguration.Type != ecstypes.FirelensConfigurationTypeFluentbit || router.FirelensConfiguration.Options["enable-ecs-log-metadata"] != "true" {
		t.Error("no FireLens that adds the ECS metadata")
	}
	if falco.LogConfiguration == nil || falco.LogConfiguration.LogDriver != ecstypes.LogDriverAwsfirelens {
		t.Fatal("Falco does not log to FireLens")
	}
	for name, value := range falco.LogConfiguration.Options {
		key := strings.ToLower(name)
		if key != "log-driver-buffer-limit" && !slices.Contains(strings.Fields(knownKeys["cloudwatch_logs"]), key) {
			t.Errorf("Fluent Bit's cloudwatch_logs has no %q (%s)", name, value)
		}
	}
	if o := falco.LogConfiguration.Options; o["Name"] != "cloudwatch_logs" || o["log_group_name"] != "/eyrie/falco" || o["auto_create_group"] != "false" {
		t.Errorf("output %v", o)
	}
	for i, arg := range falco.Command {
		if falco.Command[max(i-1, 0)] != "-o" {
			continue
		}
		key, value, _ := strings.Cut(arg, "=")
		if key == "append_output[]" {
			var output struct {
				Match struct {
					Source string `json:"source"`
				} `json:"match"`
				ExtraFields []string `json:"extra_fields"`
			}
			if err := json.Unmarshal([]byte(value), &output); err != nil {
				t.Errorf("append_output: %v", err)
			}
			checkFields(t, output.ExtraFields)
		} else if at(falcoDefaults, strings.Split(key, ".")...) == nil {
			t.Errorf("falco.yaml has no %s", key)
		}
	}
}
