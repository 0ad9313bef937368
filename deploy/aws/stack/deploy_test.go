package stack

import (
	"context"
	"debug/elf"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/deploy/aws/awsfake"
)

const (
	frankfurt = "eu-central-1"
	virginia  = "us-east-1"
	ireland   = "eu-west-1"
)

func TestDeploy(t *testing.T) {
	fake := awsfake.New(t)
	o, s := options(t, fake, frankfurt, virginia, ireland)
	o.Settings = Settings{Cluster: "prod", Emails: []string{"a@example.com", "b@example.com"}, AlarmPriority: "Error", LogRetentionDays: 30, ReopenRule: true,
		LogKeyARNs: []string{"arn:aws:kms:us-east-1:111122223333:key/5e6e"}, ReservedConcurrency: 4}
	if err := Deploy(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	if diff := cmp.Diff(map[string]string{frankfurt: "CREATE_COMPLETE", virginia: "CREATE_COMPLETE", ireland: "CREATE_COMPLETE"},
		stackStatus(fake, frankfurt, virginia, ireland)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"Carry this out in account 111122223333?"}, s.asked); diff != "" {
		t.Error(diff)
	}
	s.wants(t, "eu-central-1  stack eyrie is made, with ", "+ Aggregator               AWS::SecurityHub::FindingAggregator",
		"us-east-1  Function                 CREATE_COMPLETE", "eu-west-1  ready: send Falco's alerts to log group /eyrie/falco", "letter from AWS")
	fake.Do(func() {
		home := fake.In(frankfurt)
		if diff := cmp.Diff([]string{virginia, ireland}, home.Linked()); diff != "" {
			t.Errorf("aggregated Regions: %s", diff)
		}
		p := fake.In(virginia).Stack("eyrie").Params
		for name, want := range map[string]string{"Cluster": "prod", "AlarmEmail2": "b@example.com", "AlarmEmail3": "", "LogRetentionDays": "30",
			"LogKmsKeyArn": "arn:aws:kms:us-east-1:111122223333:key/5e6e", "HomeRegion": frankfurt, "Aggregate": "false", "Version": "v1",
			"ReopenRule": "true", "ReservedConcurrency": "4", "CallsPerSecond": "2", "CallsBurst": "7"} {
			if p[name] != want {
				t.Errorf("parameter %s is %q, want %q", name, p[name], want)
			}
		}
		if got := home.Stack("eyrie").Params["LogKmsKeyArn"]; got != "" {
			t.Errorf("the key of another Region is used: %s", got)
		}
		if _, there := home.Stack("eyrie").Resources["FindingsByRule"]; !there {
			t.Error("no insight in the home Region")
		}
	})
}

func TestDeployAgainChangesNothing(t *testing.T) {
	fake := deployed(t, frankfurt, virginia)
	o, s := options(t, fake, frankfurt, virginia)
	before := fake.Count("", "ExecuteChangeSet")
	if err := Deploy(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	s.wants(t, "eu-central-1  stack eyrie is as it should be", "us-east-1  stack eyrie is as it should be", "Nothing to change.")
	if len(s.asked) > 0 || fake.Count("", "ExecuteChangeSet") != before {
		t.Errorf("asked %q, executed %d change sets", s.asked, fake.Count("", "ExecuteChangeSet")-before)
	}
	if differs, err := Diff(t.Context(), o); err != nil || differs {
		t.Errorf("diff: %v, %v", differs, err)
	}
}

func TestUpdate(t *testing.T) {
	fake := deployed(t, frankfurt)
	for i, build := range []string{"two", "three", "four"} {
		o, s := options(t, fake, frankfurt)
		o.Code, o.Version, o.Settings.AlarmPriority = executable(t, elf.EM_AARCH64, build), "v"+build, "Warning"
		if err := Deploy(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		s.wants(t, "stack eyrie is updated, in ", "~ Function                 AWS::Lambda::Function  (Code)", `-> "v`+build+`"`)
		fake.Do(func() {
			keys, _, _ := fake.In(frankfurt).Objects("eyrie-111122223333-eu-central-1")
			if len(keys) != 2 || !slices.ContainsFunc(keys, func(k string) bool { return strings.Contains(k, o.Code.SHA256) }) {
				t.Errorf("after update %d the bucket holds %q; want the code that runs and the one before", i, keys)
			}
		})
	}
}

func TestDeployNotAgreedTo(t *testing.T) {
	fake := awsfake.New(t)
	o, s := options(t, fake, frankfurt, virginia)
	s.answer = false
	if err := Deploy(t.Context(), o); !errors.Is(err, ErrDeclined) {
		t.Errorf("error %v", err)
	}
	fake.Do(func() {
		for _, name := range []string{frankfurt, virginia} {
			r := fake.In(name)
			if _, _, bucket := r.Objects("eyrie-111122223333-" + name); bucket || r.Stack("eyrie") != nil || r.HubEnabled() {
				t.Errorf("%s: something was made", name)
			}
		}
	})
}

func TestDiff(t *testing.T) {
	fake := awsfake.New(t)
	o, s := options(t, fake, frankfurt)
	if differs, err := Diff(t.Context(), o); err != nil || !differs {
		t.Errorf("before the first deploy: %v, %v", differs, err)
	}
	s.wants(t, "stack eyrie is made, with ")
	if got := stackStatus(fake, frankfurt)[frankfurt]; got != "" {
		t.Errorf("diff left a stack that is %s", got)
	}
	if err := Deploy(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	o, s = options(t, fake, frankfurt)
	o.Settings.LogRetentionDays = 7
	if differs, err := Diff(t.Context(), o); err != nil || !differs {
		t.Errorf("with a change: %v, %v", differs, err)
	}
	s.wants(t, "~ Alerts                   AWS::Logs::LogGroup  (RetentionInDays)", `LogRetentionDays: "90" -> "7"`)
	if len(s.asked) > 0 || stackStatus(fake, frankfurt)[frankfurt] != "CREATE_COMPLETE" {
		t.Errorf("asked %q, stack %v", s.asked, stackStatus(fake, frankfurt))
	}
}

func TestOneRegionFails(t *testing.T) {
	fake := awsfake.New(t)
	fake.FailResource["us-east-1 Subscription Create"] = "Resource limit exceeded. (Service: CloudWatchLogs, Status Code: 400)"
	o, s := options(t, fake, frankfurt, virginia, ireland)
	err := Deploy(t.Context(), o)
	wantErr(t, err, "us-east-1: stack eyrie: Subscription (AWS::Logs::SubscriptionFilter): CREATE_FAILED: Resource limit exceeded", "deleted again")
	if strings.Contains(err.Error(), "cancelled") || strings.Contains(err.Error(), frankfurt) {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(map[string]string{frankfurt: "CREATE_COMPLETE", virginia: "", ireland: "CREATE_COMPLETE"}, stackStatus(fake, frankfurt, virginia, ireland)); diff != "" {
		t.Error(diff)
	}
	s.wants(t, "eu-west-1  ready")
	// Nothing is in the way of a second try, which does what is missing alone.
	delete(fake.FailResource, "us-east-1 Subscription Create")
	o, s = options(t, fake, frankfurt, virginia, ireland)
	if err := Deploy(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	s.wants(t, "eu-west-1  stack eyrie is as it should be", "us-east-1  ready")
}

func TestUpdateFails(t *testing.T) {
	fake := deployed(t, frankfurt)
	fake.FailResource["eu-central-1 Function Update"] = "Runtime not supported"
	o, _ := options(t, fake, frankfurt)
	o.Version = "v2"
	wantErr(t, Deploy(t.Context(), o), "Function (AWS::Lambda::Function): UPDATE_FAILED: Runtime not supported; everything is as it was before")
	if got := stackStatus(fake, frankfurt)[frankfurt]; got != "UPDATE_ROLLBACK_COMPLETE" {
		t.Errorf("stack is %s", got)
	}
}

// TestWhatIsThereAlready: Security Hub, its aggregation, and log groups of others are used as they are.
func TestWhatIsThereAlready(t *testing.T) {
	fake := awsfake.New(t)
	fake.Administrator = "999988887777"
	fake.Do(func() {
		for _, name := range []string{frankfurt, virginia} {
			fake.In(name).EnableHub()
			fake.In(name).MakeLogGroup("/eyrie/falco", 400)
		}
		fake.In(frankfurt).Aggregate("arn:aws:securityhub:eu-central-1:111122223333:finding-aggregator/theirs", "SPECIFIED_REGIONS", "eu-west-3")
	})
	o, s := options(t, fake, frankfurt, virginia)
	o.Settings.ReopenRule = true
	if err := Deploy(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	s.wants(t, "Security Hub is enabled already", "keeps events for 400 days", "administered by account 999988887777",
		"aws securityhub update-finding-aggregator --region eu-central-1 --finding-aggregator-arn arn:aws:securityhub:eu-central-1:111122223333:finding-aggregator/theirs --region-linking-mode SPECIFIED_REGIONS --regions eu-west-3 us-east-1")
	fake.Do(func() {
		if diff := cmp.Diff([]string{"eu-west-3"}, fake.In(frankfurt).Linked()); diff != "" {
			t.Errorf("aggregation was changed: %s", diff)
		}
	})
	o, s = options(t, fake, frankfurt, virginia)
	if err := Destroy(t.Context(), o, Remove{Alerts: true, SecurityHub: true}); err != nil {
		t.Fatal(err)
	}
	s.wants(t, "kept log group /eyrie/falco, which this stack did not make", "kept Security Hub enabled: this stack did not enable it")
	fake.Do(func() {
		if r := fake.In(virginia); !r.HubEnabled() || len(r.LogGroups()) != 1 {
			t.Error("what was there before was deleted")
		}
	})
}

func TestAggregationElsewhere(t *testing.T) {
	fake := awsfake.New(t)
	fake.Do(func() {
		fake.In(frankfurt).EnableHub()
		fake.In(ireland).EnableHub()
		fake.In(ireland).Aggregate("arn:aws:securityhub:eu-west-1:111122223333:finding-aggregator/theirs", "ALL_REGIONS")
	})
	o, _ := options(t, fake, frankfurt, virginia)
	wantErr(t, Deploy(t.Context(), o), "nothing was changed", "Security Hub aggregates into eu-west-1 already: give", "give --home-region eu-west-1")
	if diff := cmp.Diff(map[string]string{frankfurt: "", virginia: ""}, stackStatus(fake, frankfurt, virginia)); diff != "" {
		t.Errorf("stacks were left: %s", diff)
	}
}

func TestStacksThatCannotBeUpdated(t *testing.T) {
	for status, want := range map[string]string{
		"ROLLBACK_COMPLETE":      "eyrie aws destroy --regions eu-central-1 --stack eyrie",
		"DELETE_FAILED":          "eyrie aws destroy",
		"UPDATE_ROLLBACK_FAILED": "aws cloudformation continue-update-rollback --region eu-central-1 --stack-name eyrie",
	} {
		fake := deployed(t, frankfurt)
		fake.Do(func() { fake.In(frankfurt).Stack("eyrie").SetStatus(status) })
		o, _ := options(t, fake, frankfurt)
		wantErr(t, Deploy(t.Context(), o), status, want)
	}
	fake := deployed(t, frankfurt)
	fake.Do(func() { fake.In(frankfurt).Stack("eyrie").Tags = nil })
	o, _ := options(t, fake, frankfurt)
	wantErr(t, Deploy(t.Context(), o), "that eyrie did not make", "--stack")
	wantErr(t, Destroy(t.Context(), o, Remove{}), "was not made by eyrie")
}

func TestBucketOfAnother(t *testing.T) {
	fake := awsfake.New(t)
	fake.Do(func() { fake.In(frankfurt).MakeBucket("eyrie-111122223333-eu-central-1", "666677778888") })
	o, _ := options(t, fake, frankfurt)
	wantErr(t, Deploy(t.Context(), o), "bucket eyrie-111122223333-eu-central-1", "--bucket")
	if got := stackStatus(fake, frankfurt)[frankfurt]; got != "" {
		t.Errorf("a stack is left, %s", got)
	}
}

// TestThrottling: every action is refused twice before it is answered.
func TestThrottling(t *testing.T) {
	fake := awsfake.New(t)
	refused := map[string]int{}
	fake.Fault = func(c awsfake.Call) (int, string, string) {
		id := c.Region + c.Service + c.Action + c.Target
		if refused[id]++; refused[id] > 2 || c.Service == "s3" {
			return 0, "", ""
		}
		return 400, "Throttling", "Rate exceeded"
	}
	o, s := options(t, fake, frankfurt, virginia)
	if err := Deploy(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	if diff := cmp.Diff(map[string]string{frankfurt: "CREATE_COMPLETE", virginia: "CREATE_COMPLETE"}, stackStatus(fake, frankfurt, virginia)); diff != "" {
		t.Error(diff)
	}
}

// TestEveryCallMayFail: whichever call is refused for good, the error names the Region and the reason, no change set and
// no stack without resources is left, and the next try goes well.
func TestEveryCallMayFail(t *testing.T) {
	fake := deployed(t, frankfurt)
	seen := map[string]bool{}
	for _, c := range fake.Calls {
		seen[c.Service+" "+c.Action] = true
	}
	if len(seen) < 14 {
		t.Fatalf("only %d actions were called: %v", len(seen), seen)
	}
	for action := range seen {
		t.Run(action, func(t *testing.T) {
			fake := awsfake.New(t)
			fake.Fault = func(c awsfake.Call) (int, string, string) {
				if c.Service+" "+c.Action == action {
					return 403, "AccessDenied", "not authorized to perform this"
				}
				return 0, "", ""
			}
			o, s := options(t, fake, frankfurt)
			err := Deploy(t.Context(), o)
			switch {
			case action == "s3 GET list-type": // only old code stays
				s.wants(t, "old code stays in bucket")
			case action == "s3 HEAD Object": // it is uploaded again
				s.wants(t, "ready")
			case err == nil:
				t.Errorf("no error; it says\n%s", s)
			case !strings.Contains(err.Error(), "AccessDenied") && !strings.Contains(err.Error(), "Forbidden"):
				t.Errorf("the error does not give AWS's reason: %v", err)
			}
			fake.Fault = nil
			o, s = options(t, fake, frankfurt)
			if err := Deploy(t.Context(), o); err != nil {
				t.Fatalf("the next try: %v\n%s", err, s)
			}
			if got := stackStatus(fake, frankfurt)[frankfurt]; !strings.HasSuffix(got, "_COMPLETE") {
				t.Errorf("after the next try the stack is %s", got)
			}
		})
	}
}

// TestInterrupted: whoever stops it in the middle finds everything again with the next command.
func TestInterrupted(t *testing.T) {
	fake := awsfake.New(t)
	ctx, stop := context.WithCancel(t.Context())
	o, s := options(t, fake, frankfurt, virginia)
	s.onceSay = func(line string) {
		if strings.Contains(line, "Role") && strings.Contains(line, "CREATE_COMPLETE") {
			stop()
		}
	}
	wantErr(t, Deploy(ctx, o), "context canceled", "the same command again goes on from there")
	o, s = options(t, fake, frankfurt, virginia)
	if err := Deploy(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	s.wants(t, "waiting until that has ended")
	if diff := cmp.Diff(map[string]string{frankfurt: "CREATE_COMPLETE", virginia: "CREATE_COMPLETE"}, stackStatus(fake, frankfurt, virginia)); diff != "" {
		t.Error(diff)
	}
}

// TestNoAnswer: a change set that may or may not have begun is left alone, and found again.
func TestNoAnswer(t *testing.T) {
	fake := awsfake.New(t)
	ctx, stop := context.WithCancel(t.Context())
	fake.Fault = func(c awsfake.Call) (int, string, string) {
		if c.Action == "ExecuteChangeSet" {
			stop() // the request has arrived, the answer will not
		}
		return 0, "", ""
	}
	o, _ := options(t, fake, frankfurt)
	wantErr(t, Deploy(ctx, o), "eu-central-1: ", "the same command again")
	if n := fake.Count(frankfurt, "DeleteStack"); n != 0 {
		t.Errorf("%d stacks were deleted", n)
	}
	fake.Fault = nil
	o, s := options(t, fake, frankfurt)
	if err := Deploy(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	if got := stackStatus(fake, frankfurt)[frankfurt]; got != "CREATE_COMPLETE" {
		t.Errorf("stack is %s", got)
	}
}

// TestInterruptedBefore: nothing is left of what was only shown.
func TestInterruptedBefore(t *testing.T) {
	fake := awsfake.New(t)
	ctx, stop := context.WithCancel(t.Context())
	o, _ := options(t, fake, frankfurt, virginia)
	o.Confirm = func(string) (bool, error) { stop(); return false, context.Canceled }
	if err := Deploy(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(map[string]string{frankfurt: "", virginia: ""}, stackStatus(fake, frankfurt, virginia)); diff != "" {
		t.Errorf("stacks were left: %s", diff)
	}
}

func TestOrganization(t *testing.T) {
	fake := awsfake.New(t)
	o, s := options(t, fake, frankfurt, virginia)
	o.Organization = Organization{ID: "o-a1b2c3d4e5", Units: []string{"ou-ab12-cdefghij"}}
	o.Settings = Settings{Emails: []string{"a@example.com"}, Cluster: "prod"}
	if err := Deploy(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	s.wants(t, "stack eyrie-organization is made, with 1 resources", "accounts of the organisation have the template's default of Cluster")
	fake.Do(func() {
		st := fake.In(frankfurt).Stack("eyrie-organization")
		if st == nil || st.Status != "CREATE_COMPLETE" {
			t.Fatalf("organisation's stack: %+v", st)
		}
		p := st.Resources["Accounts"].Properties
		keys, policy, _ := fake.In(virginia).Objects("eyrie-111122223333-us-east-1")
		if len(keys) != 1 || !strings.Contains(policy, `"aws:PrincipalOrgID":"o-a1b2c3d4e5"`) || !strings.Contains(policy, "arn:aws:s3:::eyrie-111122223333-us-east-1/eyrie-lambda/eyrie/*") {
			t.Errorf("in the linked Region: %q, policy %s", keys, policy)
		}
		url := p["TemplateURL"].(string)
		keys, _, _ = fake.In(frankfurt).Objects("eyrie-111122223333-eu-central-1")
		if !slices.ContainsFunc(keys, func(k string) bool {
			return url == "https://eyrie-111122223333-eu-central-1.s3.eu-central-1.amazonaws.com/"+k
		}) {
			t.Errorf("the template is at %s; the bucket holds %q", url, keys)
		}
	})
	o, s = options(t, fake, frankfurt, virginia)
	if err := Destroy(t.Context(), o, Remove{}); err != nil {
		t.Fatal(err)
	}
	s.wants(t, "stack eyrie-organization is deleted")
	fake.Do(func() {
		if fake.In(frankfurt).Stack("eyrie-organization") != nil {
			t.Error("the organisation's stack is left")
		}
	})
}

func TestOptionErrors(t *testing.T) {
	fake := awsfake.New(t)
	for want, change := range map[string]func(*Options){
		"no Region":                func(o *Options) { o.Regions = nil },
		`"Frankfurt" is no Region`: func(o *Options) { o.Regions = []string{"Frankfurt"} },
		"stands there twice":       func(o *Options) { o.Regions = []string{frankfurt, frankfurt} },
		"not among --regions":      func(o *Options) { o.HomeRegion = ireland },
		"--stack":                  func(o *Options) { o.StackName = "my stack" },
		"--bucket":                 func(o *Options) { o.BucketPrefix = "UPPER" },
		"--retention 8":            func(o *Options) { o.Settings.LogRetentionDays = 8 },
		"takes no alias":           func(o *Options) { o.Settings.LogKeyARNs = []string{"alias/x"} },
		"--emails: 6 addresses":    func(o *Options) { o.Settings.Emails = slices.Repeat([]string{"a@b"}, 6) },
		`"nobody" is no address`:   func(o *Options) { o.Settings.Emails = []string{"nobody"} },
		"--archive-after":          func(o *Options) { o.Settings.ArchiveAfter = "soon" },
		"--log-group":              func(o *Options) { o.Settings.LogGroup = "a b" },
		"--concurrency":            func(o *Options) { o.Settings.ReservedConcurrency = -2 },
		"--organization":           func(o *Options) { o.Organization.Units = []string{"r-ab12"} },
		"--units":                  func(o *Options) { o.Organization = Organization{ID: "o-a1b2c3d4e5", Units: []string{"x"}} },
		"at most 9 characters": func(o *Options) {
			o.StackName, o.Organization = "eyrie-production", Organization{ID: "o-a1b2c3d4e5", Units: []string{"r-ab12"}}
		},
	} {
		o, _ := options(t, fake, frankfurt)
		change(&o)
		wantErr(t, Deploy(t.Context(), o), want)
	}
	if len(fake.Calls) > 0 {
		t.Errorf("AWS was asked %v", fake.Calls)
	}
}
