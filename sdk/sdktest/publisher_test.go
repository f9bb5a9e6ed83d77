package sdktest_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/sdktest"
)

// open returns a client of what p publishes, which polls when told to.
func open(t *testing.T, p *sdktest.Publisher) *sdk.Client {
	t.Helper()
	source, err := sdk.HTTP(p.URL, &http.Client{Transport: new(http.Transport), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	client, err := sdk.Open(t.Context(), sdk.Config{Source: source, Root: p.Root, Interval: -1, MaxShrink: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// refresh polls once.
func refresh(t *testing.T, client *sdk.Client) {
	t.Helper()
	if err := client.Refresh(t.Context()); err != nil {
		t.Errorf("a poll ends with %v", err)
	}
}

// refused polls once, and checks the class of the failure.
func refused(t *testing.T, client *sdk.Client, want bundle.Class) {
	t.Helper()
	err := client.Refresh(t.Context())
	if class, ok := bundle.ClassOf(err); !ok || class != want {
		t.Errorf("a poll ends with %v, want class %v", err, want)
	}
}

// TestPublisher takes a client through the life of a publisher: nothing yet, a
// revision, the same, another, an outage and its end.
func TestPublisher(t *testing.T) {
	p := sdktest.NewPublisher(t, "production")
	client := open(t, p)
	refused(t, client, bundle.NotFound)
	if got := client.Status().State; got != sdk.Empty {
		t.Errorf("before anything is published the state is %v", got)
	}
	if got := p.Publish(map[string]any{"page-size": 20}); got != 1 {
		t.Errorf("the first revision is %d", got)
	}
	refresh(t, client)
	before := p.Requests()
	refresh(t, client)
	if got := p.Requests() - before; got != 1 {
		t.Errorf("a poll that finds nothing new takes %d requests", got)
	}
	p.Publish(map[string]any{"page-size": 30})
	if got := pageSize.Get(client, sdk.Context{}); got != 20 {
		t.Errorf("before the poll %d is served", got)
	}
	refresh(t, client)
	p.Down()
	refused(t, client, bundle.Network)
	if got := pageSize.Explain(client, sdk.Context{}); got.Value != 30 || got.Revision != 2 ||
		client.Status().State != sdk.Stale {
		t.Errorf("in an outage %+v is served, state %v", got, client.Status().State)
	}
	p.Publish(map[string]any{})
	p.Up()
	refresh(t, client)
	if got := pageSize.Explain(client, sdk.Context{}); got.Err != sdk.ErrFlagNotFound || got.Revision != 3 {
		t.Errorf("after the flag is gone %+v is served", got)
	}
}

// TestPublishRulesets publishes flags with rules, in two namespaces, one of which has a
// list that is long enough for a target of its own.
func TestPublishRulesets(t *testing.T) {
	p := sdktest.NewPublisher(t, "staging")
	ruleset := func(key string, cities ...string) evaluator.Ruleset {
		return evaluator.Ruleset{
			Unit: "user",
			Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString},
				{Name: "city", Type: evaluator.AttrString}},
			Flags: []evaluator.Flag{{
				Key: key, Type: evaluator.KindBool, Default: 1,
				Variants: []evaluator.Variant{{Name: "on", Value: evaluator.BoolValue(true)},
					{Name: "off", Value: evaluator.BoolValue(false)}},
				Rules: []evaluator.Rule{{Name: "by city", When: &evaluator.Condition{
					Op: evaluator.OpOneOf, Attribute: "city", Strings: cities}}},
			}},
		}
	}
	long := make([]string, bundle.MinList)
	for i := range long {
		long[i] = fmt.Sprintf("a%05d", i)
	}
	long = append(long, "shenzhen")
	p.PublishRulesets(map[string]evaluator.Ruleset{"one": ruleset("first", "shenzhen"),
		"two": ruleset("second", long...)})
	client := open(t, p)
	for _, key := range []string{"first", "second"} {
		flag := sdk.Bool(key, false)
		if !flag.Get(client, sdk.User("u", sdk.Attr("city", "shenzhen"))) || flag.Get(client, sdk.User("u")) {
			t.Errorf("%s doesn't follow its rule", key)
		}
	}
	if got := client.Status().Environment; got != "staging" {
		t.Errorf("the environment is %q", got)
	}
	broken := ruleset("first", "shenzhen")
	broken.Flags[0].Default = 7
	if got := failure(t, "T", func(t testing.TB) {
		sdktest.NewPublisher(t, "staging").PublishRulesets(map[string]evaluator.Ruleset{"one": broken})
	}); got == "" {
		t.Error("a ruleset that can't be compiled is published")
	}
}

// TestSlow checks that a slow server answers late, is given up on by those who
// don't wait for that, and doesn't keep the test from ending.
func TestSlow(t *testing.T) {
	p := sdktest.NewPublisher(t, "production")
	p.Publish(map[string]any{"page-size": 20})
	p.Slow(10 * time.Millisecond)
	begun := time.Now()
	client := open(t, p)
	if took := time.Since(begun); took < 10*time.Millisecond || client.Snapshot() == nil {
		t.Errorf("flags arrived after %v, snapshot %v", took, client.Snapshot() != nil)
	}
	p.Slow(time.Hour)
	source, err := sdk.HTTP(p.URL, &http.Client{Transport: new(http.Transport), Timeout: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	hasty, err := sdk.Open(t.Context(), sdk.Config{Source: source, Root: p.Root, Interval: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer hasty.Close()
	if status := hasty.Status(); status.State != sdk.Empty || status.Errors[bundle.Network] != 1 {
		t.Errorf("a client that doesn't wait has status %+v", status)
	}
	before := p.Requests()
	response := make(chan error, 1)
	go func() { // is still waiting when the test ends
		resp, err := http.Get(p.URL + "/timestamp.json")
		if err == nil {
			resp.Body.Close()
		}
		response <- err
	}()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	for p.Requests() == before && len(response) == 0 {
		time.Sleep(time.Millisecond)
	}
}

// TestRevisionBefore checks that the revision before stays, for who is reading it
// while the next one is published.
func TestRevisionBefore(t *testing.T) {
	p := sdktest.NewPublisher(t, "production")
	for n := range 3 {
		p.Publish(map[string]any{"page-size": n})
	}
	for path, want := range map[string]int{"/1.targets.json": 404, "/2.targets.json": 200, "/2.snapshot.json": 200,
		"/3.targets.json": 200} {
		if got := status(t, p.URL+path); got != want {
			t.Errorf("%s is answered %d, want %d", path, got, want)
		}
	}
}

// status returns the status that a URL is answered with.
func status(t *testing.T, url string) int {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return resp.StatusCode
}

// TestOtherRequests checks that the server gives away nothing but the environment.
func TestOtherRequests(t *testing.T) {
	p := sdktest.NewPublisher(t, "production")
	p.Publish(nil)
	for path, want := range map[string]int{"/timestamp.json": 200, "/1.root.json": 200, "/7.root.json": 404, "/": 404,
		"/../staging/timestamp.json": 404} {
		if got := status(t, p.URL+path); got != want {
			t.Errorf("%s is answered %d", path, got)
		}
	}
	resp, err := http.Post(p.URL+"/timestamp.json", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST is answered %d", resp.StatusCode)
	}
}
