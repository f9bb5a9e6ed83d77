package sdktest

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

// environment is the environment of clients that [New] returns.
const environment = "test"

// A Client is an [sdk.Client] that serves the values of a test. Pass the embedded
// client to the code under test. Its methods are safe for concurrent use.
type Client struct {
	*sdk.Client

	repository *repository

	mu        sync.Mutex
	flags     map[string]evaluator.Flag // as given to New
	overrides []*override               // in the order they were made
}

type override struct {
	key  string
	flag evaluator.Flag
	test string // name of the test that added it
}

// New returns a client that serves each value to everyone, with the reason STATIC,
// until t ends. Flags that aren't in values don't exist, so their handles serve the
// defaults. The client uses neither network nor disk, and starts no goroutine.
//
// A value is a bool, a string, an integer, a float, or anything that encoding/json
// encodes as an object or a list, such as a struct, a map, a slice or
// [encoding/json.RawMessage]. Other values, and invalid keys, end the test. An integer
// makes an integer flag, which [sdk.Float] can read too; a float makes a number flag,
// which [sdk.Int] can't read.
//
// Create a client for each test that runs in parallel.
func New(t testing.TB, values map[string]any) *Client {
	t.Helper()
	flags, err := flagsOf(values)
	if err != nil {
		t.Fatalf("sdktest: %v", err)
	}
	r, err := newRepository(environment)
	if err != nil {
		t.Fatalf("sdktest: %v", err)
	}
	if _, err := r.publish(rulesetOf(flags)); err != nil {
		t.Fatalf("sdktest: %v", err)
	}
	// Hold nothing back: a test may remove any flag.
	client, err := sdk.Open(t.Context(), sdk.Config{Source: r, Root: r.root, Interval: -1, MaxShrink: -1})
	if err != nil {
		t.Fatalf("sdktest: %v", err)
	}
	t.Cleanup(func() { client.Close() })
	if client.Snapshot() == nil {
		t.Fatalf("sdktest: loading flags: %v", client.Status().LastError)
	}
	return &Client{Client: client, repository: r, flags: flags}
}

// Override makes the client serve another value for a flag until t ends; t may be a
// subtest. After that it serves the previous value again. Each override is a new
// revision. The flag doesn't have to be one of those passed to [New].
//
// Override ends the test if the value has another type than the flag, because handles
// would serve their defaults. It also does so if the flag is overridden by another test
// that neither is t nor contains it: create a client for each test that runs in
// parallel.
func (c *Client) Override(t testing.TB, key string, value any) {
	t.Helper()
	flag, err := flagOf(key, value)
	if err != nil {
		t.Fatalf("sdktest: %v", err)
	}
	o := &override{key, flag, t.Name()}
	if err := c.add(o); err != nil {
		t.Fatalf("sdktest: %v", err)
	}
	t.Cleanup(func() {
		if err := c.remove(o); err != nil {
			t.Errorf("sdktest: restoring flag %q: %v", key, err)
		}
	})
}

// add publishes an override.
func (c *Client) add(o *override) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, other := range c.overrides {
		if other.key == o.key && o.test != other.test && !strings.HasPrefix(o.test, other.test+"/") {
			return fmt.Errorf("flag %q is also overridden by %s: create a client for each of the tests", o.key,
				other.test)
		}
	}
	if before, ok := c.effective()[o.key]; ok && before.Type != o.flag.Type {
		return fmt.Errorf("flag %q has type %v, not %v", o.key, before.Type, o.flag.Type)
	}
	c.overrides = append(c.overrides, o)
	if err := c.publish(); err != nil {
		c.overrides = c.overrides[:len(c.overrides)-1]
		return err
	}
	return nil
}

// remove publishes the flags without an override.
func (c *Client) remove(o *override) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, other := range c.overrides {
		if other == o {
			c.overrides = append(c.overrides[:i:i], c.overrides[i+1:]...)
			break
		}
	}
	return c.publish()
}

// effective returns the flags with all overrides.
func (c *Client) effective() map[string]evaluator.Flag {
	flags := maps.Clone(c.flags)
	for _, o := range c.overrides {
		flags[o.key] = o.flag
	}
	return flags
}

// publish makes the client serve the flags with all overrides.
func (c *Client) publish() error {
	if _, err := c.repository.publish(rulesetOf(c.effective())); err != nil {
		return err
	}
	// Don't use the test's context: it has ended when the cleanup runs. Nothing
	// here waits.
	err := c.Refresh(context.Background())
	if err == sdk.ErrClosed {
		return nil // nobody uses the client any more
	}
	return err
}
