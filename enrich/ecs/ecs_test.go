package ecs

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/asff"
	"github.com/eyrie-sec/eyrie/enrich"
)

func client(t *testing.T, status int, body string) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(request), `"cluster":"shop"`) || !strings.Contains(string(request), `"include":["TAGS"]`) {
			t.Errorf("request %s", request)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return New(aws.Config{Region: "eu-central-1", BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("AKIA", "secret", "")})
}

func TestTasks(t *testing.T) {
	c := client(t, 200, `{"tasks":[{"taskArn":"arn:1","clusterArn":"arn:c","taskDefinitionArn":"arn:d:7","group":"service:web","version":3,"createdAt":1795220000.5,
"startedAt":1795220010,"startedBy":"ecs-svc/1","containers":[{"name":"web","image":"shop/web:1","imageDigest":"sha256:aa","runtimeId":"r"},{"name":"pinned","image":"x@sha256:bb","imageDigest":"sha256:bb"},{"name":"starting","image":"y"}],
"tags":[{"key":"team","value":"shop"}]},{"taskArn":"arn:2","group":"family:web"}],"failures":[{"arn":"arn:3","reason":"MISSING"}]}`)
	got, err := c.Tasks(t.Context(), "shop", []string{"arn:1", "arn:2", "arn:3"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]enrich.Task{
		"arn:1": {Details: asff.AwsEcsTask{ClusterArn: "arn:c", TaskDefinitionArn: "arn:d:7", Version: "3", CreatedAt: "2026-11-21T00:13:20.5Z", StartedAt: "2026-11-21T00:13:30Z",
			StartedBy: "ecs-svc/1", Group: "service:web", Containers: []asff.AwsEcsContainer{{Name: "web", Image: "shop/web:1@sha256:aa"}, {Name: "pinned", Image: "x@sha256:bb"}, {Name: "starting", Image: "y"}}},
			Service: "web", Tags: map[string]string{"team": "shop"}, RuntimeIDs: map[string]string{"web": "r", "pinned": "", "starting": ""},
			ImageDigest: map[string]string{"web": "sha256:aa", "pinned": "sha256:bb", "starting": ""}},
		"arn:2": {Details: asff.AwsEcsTask{Version: "0", Group: "family:web"}, RuntimeIDs: map[string]string{}, ImageDigest: map[string]string{}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestErrors: a task that cannot be looked up is an error beside the others' answers; a refused call keeps ECS's words.
func TestErrors(t *testing.T) {
	got, err := client(t, 200, `{"tasks":[{"taskArn":"arn:1"}],"failures":[{"arn":"arn:2","reason":"ACCESS_DENIED","detail":"no"}]}`).Tasks(t.Context(), "shop", []string{"arn:1", "arn:2"})
	if err == nil || !strings.Contains(err.Error(), "arn:2: ACCESS_DENIED: no") || len(got) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
	got, err = client(t, 400, `{"__type":"ClusterNotFoundException","message":"Cluster not found."}`).Tasks(t.Context(), "shop", []string{"arn:1"})
	if err == nil || !strings.Contains(err.Error(), "ClusterNotFoundException: Cluster not found.") || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}
