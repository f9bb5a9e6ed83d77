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

// A Client is an [sdk.Client] that serves the values of a test. Hand the
// embedded client to the code under test. Its methods are safe for concurrent
// use.
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
	test string // name of the test that made it
}

// New returns a client that serves each flag's value to everyone, for the reason
// STATIC, until t ends. Flags that are not among values don't exist, so handles
// of them serve their defaults. It touches neither network nor disk, and starts
// no goroutine.
//
// A value is a bool, a string, an integer, a float, or what encoding/json makes
// an object or a list of: a struct, a map, a slice, [encoding/json.RawMessage].
// Others, and keys that no flag can have, end the test. An integer is the value
// of an integer flag, which [sdk.Float] serves too; a float is that of a number
// flag, which [sdk.Int] doesn't serve.
//
// Tests that run in parallel each have a client of their own.
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
	// A test may take away what it likes: nothing is held back.
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

// Override makes the client serve a value for a flag, from now on until t ends; t
// may be a subtest. Then the value from before is served again. Every override is
// a new revision. A flag that [New] was not told of exists meanwhile.
//
// A value of another type than the flag's ends the test, as it would make handles
// serve their defaults. So does a flag that another test, which is neither t nor
// one that t is a part of, overrides: give tests that run in parallel clients of
// their own.
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
			return fmt.Errorf("flag %q is overridden by %s too: give each of the tests a client of its own", o.key, other.test)
		}
	}
	if before, ok := c.effective()[o.key]; ok && before.Type != o.flag.Type {
		return fmt.Errorf("flag %q is of type %v, not %v", o.key, before.Type, o.flag.Type)
	}
	c.overrides = append(c.overrides, o)
	if err := c.publish(); err != nil {
		c.overrides = c.overrides[:len(c.overrides)-1]
		return err
	}
	return nil
}

// remove publishes what is served without an override.
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
	// The context of a test has ended when its cleanup runs. Nothing here
	// waits for anything.
	err := c.Refresh(context.Background())
	if err == sdk.ErrClosed {
		return nil // nobody is served any more
	}
	return err
}
