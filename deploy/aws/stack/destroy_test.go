package stack

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/deploy/aws/awsfake"
)

func TestDestroy(t *testing.T) {
	for _, c := range []struct {
		name   string
		remove Remove
		says   []string
		groups int
		hub    bool
	}{
		{"keeping", Remove{}, []string{
			"kept: log group /eyrie/falco with the alerts; delete it with --delete-alerts or\n      aws logs delete-log-group --region us-east-1 --log-group-name /eyrie/falco",
			"kept: Security Hub stays enabled, with its findings; disable it with --disable-security-hub or\n      aws securityhub disable-security-hub --region us-east-1",
			"us-east-1  deleted bucket eyrie-111122223333-us-east-1"}, 1, true},
		{"everything", Remove{Alerts: true, SecurityHub: true}, []string{"is deleted with all alerts in it", "findings of every product are lost",
			"deleted log group /eyrie/falco", "disabled Security Hub"}, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake := deployed(t, frankfurt, virginia)
			fake.Do(func() { fake.In(frankfurt).SetMessages("eyrie-quarantine", 3) })
			o, s := options(t, fake, frankfurt, virginia)
			if err := Destroy(t.Context(), o, c.remove); err != nil {
				t.Fatalf("%v\n%s", err, s)
			}
			s.wants(t, append(c.says, "3 messages in the quarantine and the dead letters are lost", "stack eyrie is deleted, with ")...)
			fake.Do(func() {
				for _, name := range []string{frankfurt, virginia} {
					r := fake.In(name)
					if _, _, bucket := r.Objects("eyrie-111122223333-" + name); bucket || r.Stack("eyrie") != nil || r.Linked() != nil {
						t.Errorf("%s: something is left", name)
					}
					if len(r.LogGroups()) != c.groups || r.HubEnabled() != c.hub {
						t.Errorf("%s: log groups %q, Security Hub enabled: %v", name, r.LogGroups(), r.HubEnabled())
					}
				}
			})
			// What was kept is not in the way of the next deploy.
			o, s = options(t, fake, frankfurt, virginia)
			if err := Deploy(t.Context(), o); err != nil {
				t.Errorf("deploy again: %v\n%s", err, s)
			}
		})
	}
}

func TestDestroyNotAgreedTo(t *testing.T) {
	fake := deployed(t, frankfurt)
	o, s := options(t, fake, frankfurt)
	s.answer = false
	if err := Destroy(t.Context(), o, Remove{Alerts: true}); !errors.Is(err, ErrDeclined) {
		t.Errorf("error %v", err)
	}
	if n := fake.Count("", "DeleteStack"); n != 0 || stackStatus(fake, frankfurt)[frankfurt] != "CREATE_COMPLETE" {
		t.Errorf("%d stacks were deleted", n)
	}
}

func TestDestroyFailsAndGoesOn(t *testing.T) {
	fake := deployed(t, frankfurt, virginia)
	fake.FailResource["us-east-1 Role Delete"] = "Cannot delete entity, must detach all policies first."
	o, _ := options(t, fake, frankfurt, virginia)
	err := Destroy(t.Context(), o, Remove{})
	wantErr(t, err, "us-east-1: stack eyrie could not be deleted: Role (AWS::IAM::Role): DELETE_FAILED: Cannot delete entity")
	if strings.Contains(err.Error(), frankfurt) {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(map[string]string{frankfurt: "", virginia: "DELETE_FAILED"}, stackStatus(fake, frankfurt, virginia)); diff != "" {
		t.Error(diff)
	}
	delete(fake.FailResource, "us-east-1 Role Delete")
	o, s := options(t, fake, frankfurt, virginia)
	if err := Destroy(t.Context(), o, Remove{Alerts: true}); err != nil {
		t.Fatal(err)
	}
	// The log group of a Region whose stack went before is found by its tag.
	s.wants(t, "eu-central-1  no stack eyrie", "eu-central-1  deleted log group /eyrie/falco", "us-east-1  deleted bucket")
}

func TestDestroyInterrupted(t *testing.T) {
	fake := deployed(t, frankfurt)
	ctx, stop := context.WithCancel(t.Context())
	o, s := options(t, fake, frankfurt)
	s.onceSay = func(line string) {
		if strings.Contains(line, "DELETE_COMPLETE") {
			stop()
		}
	}
	wantErr(t, Destroy(ctx, o, Remove{}), "context canceled", "goes on")
	o, s = options(t, fake, frankfurt)
	if err := Destroy(t.Context(), o, Remove{}); err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	s.wants(t, "deleted bucket")
	if got := stackStatus(fake, frankfurt)[frankfurt]; got != "" {
		t.Errorf("stack is %s", got)
	}
}

// TestSharedBucket: a bucket in which others have something stays, and theirs with it.
func TestSharedBucket(t *testing.T) {
	fake := deployed(t, frankfurt)
	other, s := options(t, fake, frankfurt)
	other.StackName, other.Settings.LogGroup = "second", "/eyrie/second"
	if err := Deploy(t.Context(), other); err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	o, s := options(t, fake, frankfurt)
	if err := Destroy(t.Context(), o, Remove{}); err != nil {
		t.Fatal(err)
	}
	s.wants(t, "kept bucket eyrie-111122223333-eu-central-1, which holds 1 objects of others")
	if err := Destroy(t.Context(), other, Remove{}); err != nil {
		t.Fatal(err)
	}
	fake.Do(func() {
		if keys, _, ok := fake.In(frankfurt).Objects("eyrie-111122223333-eu-central-1"); ok {
			t.Errorf("the bucket is left with %q", keys)
		}
	})
}

func TestStatus(t *testing.T) {
	fake := deployed(t, frankfurt, virginia)
	fake.FailResource["us-east-1 drift"] = "Function"
	fake.Do(func() {
		fake.In(frankfurt).SetLastEvent("/eyrie/falco", 1795227946697)
		fake.In(virginia).SetMessages("eyrie-quarantine", 2)
		fake.In(virginia).SetMessages("eyrie-dead-letters", 1)
	})
	o, _ := options(t, fake, frankfurt, virginia, ireland)
	got, err := Status(t.Context(), o, true)
	if err != nil {
		t.Fatal(err)
	}
	last := time.UnixMilli(1795227946697).UTC()
	sha := o.Code.SHA256[:12]
	want := []RegionStatus{
		{Region: frankfurt, Stack: "CREATE_COMPLETE", Version: "v1", Code: sha, Drift: "IN_SYNC", LastEvent: &last, SecurityHub: "enabled", Aggregates: frankfurt},
		{Region: virginia, Stack: "CREATE_COMPLETE", Version: "v1", Code: sha, Drift: "DRIFTED", Drifted: []string{"Function"}, Quarantine: 2, DeadLetters: 1, SecurityHub: "enabled", Aggregates: frankfurt},
		{Region: ireland, Stack: "none", Quarantine: -1, DeadLetters: -1, SecurityHub: "not enabled"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for i, well := range []bool{true, false, false} {
		if got[i].Well() != well {
			t.Errorf("%s is well: %v", got[i].Region, got[i].Well())
		}
	}
}

// TestStatusCannotAsk: a Region that cannot be asked says why, and the others are shown.
func TestStatusCannotAsk(t *testing.T) {
	fake := deployed(t, frankfurt, virginia)
	fake.Fault = func(c awsfake.Call) (int, string, string) {
		if c.Region == virginia && c.Service == "cloudformation" {
			return 403, "AccessDenied", "not authorized"
		}
		return 0, "", ""
	}
	o, _ := options(t, fake, frankfurt, virginia)
	got, err := Status(t.Context(), o, false)
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Error != "" || !strings.Contains(got[1].Error, "AccessDenied") || got[1].Well() {
		t.Errorf("got %+v", got)
	}
}

func TestWho(t *testing.T) {
	fake := deployed(t, frankfurt)
	fake.Fault = func(c awsfake.Call) (int, string, string) {
		return 403, "InvalidClientTokenId", "The security token is invalid"
	}
	o, _ := options(t, fake, frankfurt)
	_, err := Status(t.Context(), o, false)
	wantErr(t, err, "who this is", "--profile", "The security token is invalid")
}

func TestTextOfOthersIsClean(t *testing.T) {
	if got := clean("a\x1b[2Jb\u0085\n"); got != "a\\u001b[2Jb\\u0085\n" {
		t.Errorf("got %q", got)
	}
}
