package sdk_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

func TestOpenRefusesMisconfiguration(t *testing.T) {
	r := newRepository(t, "production")
	good := sdk.Config{Source: r.source(t), Root: r.keys.Root}
	for name, change := range map[string]func(*sdk.Config){
		"no source": func(c *sdk.Config) { c.Source = nil },
		"no root":   func(c *sdk.Config) { c.Root = nil },
		"bad root":  func(c *sdk.Config) { c.Root = []byte("{}") },
		"tampered root": func(c *sdk.Config) {
			c.Root = bytes.Replace(c.Root, []byte("production"),
				[]byte("staging"), 1)
		},
		"not namespaces": func(c *sdk.Config) { c.Namespaces = []string{"../etc"} },
		"no unit":        func(c *sdk.Config) { c.Interval = 30 },
		"below 10 ms":    func(c *sdk.Config) { c.Interval = 10*time.Millisecond - 1 },
	} {
		cfg := good
		change(&cfg)
		if client, err := sdk.Open(t.Context(), cfg); err == nil || client != nil {
			t.Errorf("%s: %v, %v", name, client, err)
		} else if !strings.HasPrefix(err.Error(), "opening flags: ") {
			t.Errorf("%s: error %q", name, err)
		}
	}
}

// TestForgottenUnit checks that the error says what the matter is.
func TestForgottenUnit(t *testing.T) {
	r := newRepository(t, "production")
	_, err := sdk.Open(t.Context(), sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: 30})
	const want = "opening flags: Config.Interval is 30ns, less than 10ms: is a unit such as time.Second missing?"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestNil uses everything that may be nil.
func TestNil(t *testing.T) {
	var client *sdk.Client
	if s := client.Snapshot(); s != nil || s.Revision() != 0 || s.Environment() != "" || s.Program() != nil {
		t.Errorf("snapshot %v", s)
	}
	if r := client.Evaluate("left", sdk.Context{}); r.Reason() != evaluator.ReasonError {
		t.Errorf("reason %v", r.Reason())
	}
	if st := client.Status(); st.State != sdk.Empty {
		t.Errorf("status %+v", st)
	}
	if err := client.Refresh(t.Context()); err != sdk.ErrClosed {
		t.Errorf("Refresh: %v", err)
	}
	if err := client.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestNamespaces(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	src := &broken{Source: r.source(t)}
	client := open(t, sdk.Config{Source: src, Root: r.keys.Root, Namespaces: []string{"two"}, Interval: -1})
	if got := right.Get(client, sdk.Context{}); got != 1 {
		t.Errorf("right is %d", got)
	}
	if got := left.Get(client, sdk.Context{}); got != -1 {
		t.Errorf("left is %d", got)
	}
	for _, name := range src.taken() {
		if strings.HasPrefix(name, "targets/one/") {
			t.Errorf("%s was downloaded", name)
		}
	}
}

func TestSnapshot(t *testing.T) {
	client := filled(t)
	s := client.Snapshot()
	if s.Revision() != 1 || s.Environment() != "production" || len(s.Program().Keys()) != 8 {
		t.Errorf("revision %d of %q with %v", s.Revision(), s.Environment(), s.Program().Keys())
	}
	if v, ok := s.Evaluate("left", sdk.Context{}).Value().Int(); v != 7 || !ok {
		t.Errorf("left is %d, %t", v, ok)
	}
}

// TestNamespaceOfFlag holds that a flag belongs to the namespace that it was published in,
// also when the payload of another one has been replaced since.
func TestNamespaceOfFlag(t *testing.T) {
	r := newRepository(t, "production")
	payloads := func(n int64) []bundle.Payload {
		list := numbered("production", n)
		list[1].Public = true
		list[1].Ruleset = numbered("production", 7)[1].Ruleset
		return list
	}
	r.publish(t, payloads(7)...)
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
	for n := range 2 {
		for key, want := range map[string]string{"left": "one false", "right": "two true", "absent": " false",
			"": " false"} {
			name, public := client.Snapshot().Namespace(key)
			if got := fmt.Sprint(name, " ", public); got != want {
				t.Errorf("revision %d: %q is in %q, want %q", client.Snapshot().Revision(), key, got, want)
			}
		}
		r.publish(t, payloads(8+int64(n))...)
		if err := client.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if name, public := (*sdk.Snapshot)(nil).Namespace("left"); name != "" || public {
		t.Errorf("without a revision it is in %q, %v", name, public)
	}
}

// TestLog reads what is logged in a life with trouble in it.
func TestLog(t *testing.T) {
	var log bytes.Buffer
	r := newRepository(t, "production")
	r.number(t, 1)
	src := &broken{Source: r.source(t)}
	client := open(t, sdk.Config{
		Source: src, Root: r.keys.Root, Interval: -1,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	src.set(fail)
	_ = client.Refresh(t.Context())
	_ = client.Refresh(t.Context())
	src.set(nil)
	_ = client.Refresh(t.Context())
	left.Get(client, sdk.User("u-secret"))
	var got []string
	for line := range strings.Lines(log.String()) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), "level=")
		got = append(got, line)
	}
	want := []string{
		`INFO msg="serving flags" environment=production revision=1 flags=8`,
		`WARN msg="polling flags failed" environment=production revision=1 error="verifying timestamp.json: network: fault"`,
		`INFO msg="polling flags works again" environment=production revision=1 failures=2`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("log:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
