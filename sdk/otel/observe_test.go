package otel_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/otel"
	"github.com/serin-flags/serin/sdk/sdktest"
)

// states returns what the metric of states shows.
func states(environment, now string) map[string]float64 {
	m := make(map[string]float64)
	for _, s := range []string{"empty", "last_known_good", "fresh", "stale"} {
		m["feature_flag.set.id="+environment+" serin.state="+s] = 0
	}
	m["feature_flag.set.id="+environment+" serin.state="+now] = 1
	return m
}

// observe returns the collector of a client's metrics.
func observe(t *testing.T, client *sdk.Client) *collector {
	t.Helper()
	c := newCollector(t)
	stop, err := otel.Observe(client, c.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("unregistering: %v", err)
		}
		for name := range c.metrics(t) {
			if strings.HasPrefix(name, "serin.client.") {
				t.Errorf("after the end there is %s", name)
			}
		}
	})
	return c
}

// TestObserve takes a client from nothing to flags, into an outage, and through an
// update that is held back.
func TestObserve(t *testing.T) {
	p := sdktest.NewPublisher(t, "production")
	source, err := sdk.HTTP(p.URL, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}})
	if err != nil {
		t.Fatal(err)
	}
	client, err := sdk.Open(t.Context(), sdk.Config{Source: source, Root: p.Root, Interval: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c := observe(t, client)
	const set = "feature_flag.set.id=production"
	check := func(step string, want map[string]map[string]float64) {
		t.Helper()
		got := c.metrics(t)
		for name, points := range want {
			if diff := cmp.Diff(points, got[name]); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", step, name, diff)
			}
		}
	}
	check("nothing is published", map[string]map[string]float64{
		"serin.client.state":    states("production", "empty"),
		"serin.client.revision": {set: 0}, "serin.client.polls": {set: 0}, "serin.client.size": {set: 0},
		"serin.client.held":     {set: 0},
		"serin.client.errors":   {"error.type=not_found " + set: 1},
		"serin.client.data.age": nil, "serin.client.expiry": nil,
	})

	p.Publish(map[string]any{"new-checkout": true, "page-size": "twenty"})
	if err := client.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	newCheckout.Get(client, sdk.Context{})
	pageSize.Get(client, sdk.User("u-1", sdk.Attr("cty", "lhasa"), sdk.Attr("user", 7)))
	sdk.Bool("gone", false).Get(client, sdk.Context{})
	check("published", map[string]map[string]float64{
		"serin.client.state":    states("production", "fresh"),
		"serin.client.revision": {set: 1}, "serin.client.polls": {set: 1}, "serin.client.mismatches": {set: 1},
		"serin.client.missing":             {set: 1},
		"serin.client.attributes.unused":   {set: 1},
		"serin.client.attributes.mistyped": {set: 1},
		"serin.client.held":                {set: 0},
		"serin.client.errors":              {"error.type=not_found " + set: 1},
	})
	m := c.metrics(t)
	if m["serin.client.size"][set] == 0 || m["serin.client.downloaded"][set] <= m["serin.client.size"][set] {
		t.Errorf("payloads of %v bytes, %v downloaded", m["serin.client.size"], m["serin.client.downloaded"])
	}
	if age := m["serin.client.data.age"][set]; age < 0 || age > 600 {
		t.Errorf("the age is %v", age)
	}
	if expiry := m["serin.client.expiry"][set]; expiry < 300*24*3600 || expiry > 366*24*3600 {
		t.Errorf("%v s until expiry", expiry)
	}

	p.Down()
	_ = client.Refresh(t.Context())
	_ = client.Refresh(t.Context())
	check("down", map[string]map[string]float64{
		"serin.client.state":    states("production", "stale"),
		"serin.client.revision": {set: 1},
		"serin.client.errors":   {"error.type=not_found " + set: 1, "error.type=network " + set: 2},
	})

	p.Publish(nil)
	p.Up()
	_ = client.Refresh(t.Context())
	check("held back", map[string]map[string]float64{
		"serin.client.state":    states("production", "stale"),
		"serin.client.revision": {set: 1}, "serin.client.held": {set: 1},
	})
}

// TestObserveNothing checks that a nil client can be observed.
func TestObserveNothing(t *testing.T) {
	got := observe(t, nil).metrics(t)
	if diff := cmp.Diff(states("", "empty"), got["serin.client.state"]); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}

// TestAge checks that age and expiry follow the clock without a poll.
func TestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := observe(t, sdktest.New(t, map[string]any{"new-checkout": true}).Client)
		const set = "feature_flag.set.id=test"
		before := c.metrics(t)
		time.Sleep(400 * 24 * time.Hour)
		after := c.metrics(t)
		if got := after["serin.client.data.age"][set] - before["serin.client.data.age"][set]; got != 400*24*3600 {
			t.Errorf("in 400 days data ages by %v s", got)
		}
		if got := after["serin.client.expiry"][set]; got >= 0 {
			t.Errorf("after a year metadata expires in %v s", got)
		}
		if diff := cmp.Diff(states("test", "stale"), after["serin.client.state"]); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
	})
}

// TestDocumented checks that the package comment lists the metrics that there are,
// with their units.
func TestDocumented(t *testing.T) {
	c := observe(t, sdktest.New(t, nil).Client)
	recorder, err := otel.NewRecorder(nil, c.config)
	if err != nil {
		t.Fatal(err)
	}
	otel.Explain(t.Context(), recorder, newCheckout, sdk.Context{})
	documented, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for name := range c.metrics(t) {
		if !strings.Contains(string(documented), "//\t"+name+" ") {
			t.Errorf("the package comment doesn't list %s", name)
		}
	}
}
