package sdk_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

// logged returns a client of r, and the lines that it has logged about the program's
// mistakes since the last call, without their times.
func logged(t *testing.T, r *repository) (client *sdk.Client, lines func() string) {
	t.Helper()
	var log bytes.Buffer
	options := slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "environment" {
			return slog.Attr{}
		}
		return a
	}}
	client = open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, MaxShrink: -1,
		Logger: slog.New(slog.NewTextHandler(&log, &options))})
	return client, func() string {
		var b strings.Builder
		for line := range strings.Lines(log.String()) {
			if !strings.Contains(line, "serving flags") {
				b.WriteString(line)
			}
		}
		log.Reset()
		return b.String()
	}
}

func refresh(t *testing.T, client *sdk.Client) {
	t.Helper()
	if err := client.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestMissing reads flags that don't exist, through each door.
func TestMissing(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	client, lines := logged(t, r)
	gone, only := sdk.Bool("new-chekout", false), sdk.Bool("handle-only", false)
	for range 3 {
		only.Get(client, sdk.Context{})
		gone.Get(client, sdk.Context{})
		gone.In(client.For(sdk.Context{}))
		gone.Explain(client, sdk.Context{})
		client.Evaluate("new-chekout", sdk.Context{})
		client.Evaluate("learned", sdk.Context{})
		client.Evaluate("left", sdk.Context{})
	}
	if diff := cmp.Diff([]string{"handle-only", "learned", "new-chekout"}, client.Status().Missing); diff != "" {
		t.Errorf("Missing (-want +got):\n%s", diff)
	}
	if got := client.Status().String(); !strings.Contains(got, " missing=3") {
		t.Errorf("the status is %s", got)
	}
	refresh(t, client)
	refresh(t, client)
	const all = `level=WARN msg="the program asks for a flag that doesn't exist, and gets the default; publish it, or correct its key" flag=handle-only revision=1
level=WARN msg="the program asks for a flag that doesn't exist, and gets the default; publish it, or correct its key" flag=new-chekout revision=1
level=WARN msg="the program asks for a flag that doesn't exist, and gets the default; publish it, or correct its key" flag=learned revision=1
`
	if diff := cmp.Diff(all, lines()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// TestMissingInNextRevision checks that a revision reports what it lacks when it arrives,
// before the program asks again.
func TestMissingInNextRevision(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	client, lines := logged(t, r)
	left.Get(client, sdk.Context{})
	sdk.Bool("never", false).Get(client, sdk.Context{})
	sdk.Bool("later", false).Get(client, sdk.Context{})
	client.Evaluate("learned", sdk.Context{})
	refresh(t, client)
	lines()

	payload := numbered("production", 2)[0]
	payload.Ruleset.Flags[0].Key = "later" // instead of left
	r.publish(t, payload)
	refresh(t, client)
	if diff := cmp.Diff([]string{"left", "never"}, client.Status().Missing); diff != "" {
		t.Errorf("Missing (-want +got):\n%s", diff)
	}
	got := lines()
	for _, want := range []string{"flag=left revision=2", "flag=never revision=2"} {
		if strings.Count(got, want) != 1 {
			t.Errorf("%q isn't in the log once:\n%s", want, got)
		}
	}
	r.number(t, 3)
	refresh(t, client)
	if diff := cmp.Diff([]string{"later", "never"}, client.Status().Missing); diff != "" {
		t.Errorf("afterwards, Missing (-want +got):\n%s", diff)
	}
}

// typed publishes a flag that uses an attribute of each type.
func typed(t *testing.T, r *repository) {
	t.Helper()
	payload := numbered("production", 1)[0]
	for typ := evaluator.AttrString; typ <= evaluator.AttrNumber; typ++ {
		if typ != evaluator.AttrString {
			attribute := evaluator.Attribute{Name: typ.String(), Type: typ}
			payload.Ruleset.Attributes = append(payload.Ruleset.Attributes, attribute)
		}
	}
	r.publish(t, payload)
}

// TestAttributes evaluates with attributes that nothing uses and attributes of other
// types, through each door. Their values are never told.
func TestAttributes(t *testing.T) {
	const secret = "13800000000"
	context := sdk.User("u-1", sdk.Attr("city", 7), sdk.Attr("cty", secret), sdk.Attr("integer", secret),
		sdk.Attr("boolean", 1), sdk.Attr("semver", "banana"), sdk.Attr("ip", secret), sdk.Attr("list", secret))
	doors := map[string]func(*sdk.Client){
		"Get":      func(c *sdk.Client) { left.Get(c, context) },
		"Explain":  func(c *sdk.Client) { left.Explain(c, context) },
		"For":      func(c *sdk.Client) { left.In(c.For(context)) },
		"Evaluate": func(c *sdk.Client) { c.Evaluate("left", context) },
		"All": func(c *sdk.Client) {
			for range c.Snapshot().All(context) {
			}
		},
	}
	for name, door := range doors {
		t.Run(name, func(t *testing.T) {
			r := newRepository(t, "production")
			typed(t, r)
			client, lines := logged(t, r)
			door(client)
			door(client)
			st := client.Status()
			if diff := cmp.Diff([]string{"cty"}, st.UnusedAttributes); diff != "" {
				t.Errorf("UnusedAttributes (-want +got):\n%s", diff)
			}
			mistyped := []string{"boolean", "city", "integer", "ip", "list", "semver"}
			if diff := cmp.Diff(mistyped, st.MistypedAttributes); diff != "" {
				t.Errorf("MistypedAttributes (-want +got):\n%s", diff)
			}
			if got := st.String(); !strings.Contains(got, " unused_attributes=1 mistyped_attributes=6") {
				t.Errorf("the status is %s", got)
			}
			refresh(t, client)
			got := lines()
			if n := strings.Count(got, "\n"); n != 7 || strings.Contains(got, secret) ||
				strings.Contains(got, "banana") {
				t.Errorf("%d lines:\n%s", n, got)
			}
			for _, want := range []string{
				`level=INFO msg="a context has an attribute that no flag uses; is its name misspelt?" attribute=cty revision=1`,
				`so rules don't match it" attribute=city declared=string got=integer revision=1`,
				`so rules don't match it" attribute=semver declared=semver got=string revision=1`,
			} {
				if !strings.Contains(got, want+"\n") {
					t.Errorf("the log lacks %s:\n%s", want, got)
				}
			}
		})
	}
}

// TestMilliseconds checks that a time in the wrong unit is noticed, once.
func TestMilliseconds(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	client, lines := logged(t, r)
	for range 2 {
		client.Evaluate("left", sdk.Context{Now: 1796090400000})
		left.Get(client, sdk.Context{Now: 1796090400000})
		refresh(t, client)
	}
	const want = `level=WARN msg="Context.Now takes Unix seconds, and a context has milliseconds; set it to time.Now().Unix()" revision=1
`
	if diff := cmp.Diff(want, lines()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// TestGoodAttributes checks that contexts which are right aren't reported.
func TestGoodAttributes(t *testing.T) {
	r := newRepository(t, "production")
	typed(t, r)
	client, lines := logged(t, r)
	context := sdk.User("u-1", sdk.Attr("user", "u-1"), sdk.Attr("city", ""), sdk.Attr("integer", -1),
		sdk.Attr("boolean", false), sdk.Attr("semver", "1.2"), sdk.Attr("ip", "::1"), sdk.Attr("list", []string{}),
		evaluator.Attr{Name: "list"})
	left.Get(client, context)
	client.Evaluate("left", context)
	refresh(t, client)
	st := client.Status()
	if got := lines(); got != "" || st.UnusedAttributes != nil || st.MistypedAttributes != nil || st.Missing != nil {
		t.Errorf("%v, %v, %v, log:\n%s", st.Missing, st.UnusedAttributes, st.MistypedAttributes, got)
	}
}

// TestSampledAgain checks that a handle whose first context was right doesn't hide wrong
// ones: after each poll it is looked at again.
func TestSampledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: time.Minute})
		left.Get(client, sdk.User("u-1", sdk.Attr("city", "lhasa")))
		left.Get(client, sdk.User("u-1", sdk.Attr("city", 7)))
		if got := client.Status().MistypedAttributes; got != nil {
			t.Errorf("the hot path has found %v", got)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		left.Get(client, sdk.User("u-1", sdk.Attr("city", 7)))
		if diff := cmp.Diff([]string{"city"}, client.Status().MistypedAttributes); diff != "" {
			t.Errorf("after a poll (-want +got):\n%s", diff)
		}
	})
}

// TestHostileNames checks that callers who make up names can't fill memory or the log, or
// push out what handles miss.
func TestHostileNames(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	client, lines := logged(t, r)
	long := strings.Repeat("x", 1<<12)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 1000 {
				name := fmt.Sprintf("%d-%d-%s", g, i, long)
				client.Evaluate(name, sdk.Context{})
				client.Snapshot().ReportUnused(name)
			}
		})
	}
	wg.Wait()
	sdk.Bool("zzz", false).Get(client, sdk.Context{})
	st := client.Status()
	if len(st.Missing) != 100 || len(st.UnusedAttributes) != 100 || st.Missing[99] != "zzz" {
		t.Errorf("%d missing flags, the last is %.20q; %d attributes",
			len(st.Missing), st.Missing[len(st.Missing)-1], len(st.UnusedAttributes))
	}
	refresh(t, client)
	if got := lines(); strings.Count(got, "\n") != 201 || len(got) > 100_000 {
		t.Errorf("%d lines, %d bytes in the log", strings.Count(got, "\n"), len(got))
	}
	for _, n := range st.UnusedAttributes {
		if len(n) > 256 {
			t.Fatalf("a name of %d bytes is kept", len(n))
		}
	}
	client.Snapshot().ReportUnused("city")
	(*sdk.Snapshot)(nil).ReportUnused("x")
}
