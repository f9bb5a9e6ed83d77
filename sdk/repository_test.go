package sdk_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

// A repository is a published environment in a folder.
type repository struct {
	dir   string
	env   string
	keys  release.Keys
	store release.Store
	ahead time.Duration // of the publisher's clock, which never goes back
	last  time.Time     // that it has shown
}

// now returns the time by the publisher's clock.
func (r *repository) now() time.Time {
	if now := time.Now().Add(r.ahead); now.After(r.last) {
		r.last = now
	}
	return r.last
}

func newRepository(t testing.TB, env string) *repository {
	t.Helper()
	r := &repository{dir: t.TempDir(), env: env}
	r.store = folder(r.dir)
	keys := t.TempDir()
	if _, err := release.InitKeys(keys, env); err != nil {
		t.Fatal(err)
	}
	var err error
	if r.keys, err = release.LoadKeys(keys); err != nil {
		t.Fatal(err)
	}
	return r
}

// folder is a store for one publisher that needn't survive a crash: what makes
// filestore.New safe would take most of the tests' time.
type folder string

func (f folder) Get(_ context.Context, name string, _ int64) (data []byte, etag string, err error) {
	data, err = os.ReadFile(filepath.Join(string(f), name))
	return data, "any", err
}

func (f folder) Put(_ context.Context, name string, data []byte, opts release.PutOptions) error {
	path := filepath.Join(string(f), name)
	if _, err := os.Stat(path); err == nil && opts.IfNoneMatch {
		return release.ErrConflict
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", data, 0o666); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// publish publishes flags, and returns the revision.
func (r *repository) publish(t testing.TB, payloads ...bundle.Payload) int64 {
	t.Helper()
	report, err := release.Publish(context.WithoutCancel(t.Context()), release.Options{
		Store: r.store, Keys: r.keys, Environment: r.env, Payloads: payloads,
		Now: r.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return report.Revision
}

// number publishes a revision whose flags have to do with n; see numbered.
func (r *repository) number(t testing.TB, n int64) int64 {
	t.Helper()
	return r.publish(t, numbered(r.env, n)...)
}

// renew signs what is published again.
func (r *repository) renew(t testing.TB) {
	t.Helper()
	_, err := release.Publish(t.Context(), release.Options{
		Store: r.store, Keys: r.keys, Environment: r.env, Renew: true,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// copy copies the folder as it is.
func (r *repository) copy(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(r.dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// reset makes the folder what a copy is.
func (r *repository) reset(t testing.TB, from string) {
	t.Helper()
	if err := os.RemoveAll(r.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(r.dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// numbered returns content in two namespaces: the integer flags "left" and
// "right", which are both n, and some flags that stay as they are.
func numbered(env string, n int64) []bundle.Payload {
	payload := func(namespace string, flags ...evaluator.Flag) bundle.Payload {
		return bundle.Payload{Environment: env, Namespace: namespace, Ruleset: evaluator.Ruleset{
			Unit: "user",
			Attributes: []evaluator.Attribute{
				{Name: "city", Type: evaluator.AttrString},
				{Name: "user", Type: evaluator.AttrString},
			},
			Flags: flags,
		}}
	}
	number := evaluator.IntValue(n)
	return []bundle.Payload{
		payload("one",
			constant("left", evaluator.KindInt, number),
			constant("color", evaluator.KindString, evaluator.StringValue("#00f")),
			constant("ratio", evaluator.KindFloat, evaluator.FloatValue(0.5)),
			constant("shape", evaluator.KindObject, evaluator.ObjectValue(`{"sides":3}`)),
		),
		payload("two",
			constant("right", evaluator.KindInt, number),
			split("new-checkout", "user", 30),
			split("lottery", "", 10),
			inCity("local", "shenzhen"),
		),
	}
}

// constant returns a flag that has one value.
func constant(key string, typ evaluator.Kind, v evaluator.Value) evaluator.Flag {
	return evaluator.Flag{Key: key, Type: typ, Variants: []evaluator.Variant{{Name: "only", Value: v}}}
}

func boolean(key string, rule evaluator.Rule) evaluator.Flag {
	return evaluator.Flag{
		Key:  key,
		Type: evaluator.KindBool,
		Variants: []evaluator.Variant{
			{Name: "on", Value: evaluator.BoolValue(true)},
			{Name: "off", Value: evaluator.BoolValue(false)},
		},
		Default: 1,
		Rules:   []evaluator.Rule{rule},
	}
}

// split returns a boolean flag that is on for a percentage, by an attribute or,
// if that is empty, by chance.
func split(key, by string, percent uint64) evaluator.Flag {
	s := &evaluator.Split{Bucketing: evaluator.Bucketing{By: by}}
	if by != "" {
		s.Salt, s.Hash = key, evaluator.HashMurmur3
	}
	end := percent * evaluator.Positions / 100
	s.Ranges = []evaluator.Range{{To: end, Variant: 0}, {From: end, To: evaluator.Positions, Variant: 1}}
	return boolean(key, evaluator.Rule{Name: "rollout", Split: s})
}

// inCity returns a boolean flag that is on in a city.
func inCity(key, city string) evaluator.Flag {
	return boolean(key, evaluator.Rule{
		Name: "by city",
		When: &evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "city", Strings: []string{city}},
	})
}

// source returns the repository as a source that can't be watched.
func (r *repository) source(t testing.TB) bundle.Source {
	t.Helper()
	src, err := sdk.File(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	return unwatched{src}
}

// unwatched hides all of a source but Fetch.
type unwatched struct{ bundle.Source }

// A broken source is one that fails, and counts what it is asked for.
type broken struct {
	bundle.Source

	mu       sync.Mutex
	fault    func(ctx context.Context, name string) error // nil: none
	requests []string
}

func (b *broken) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	b.mu.Lock()
	b.requests = append(b.requests, name)
	fault := b.fault
	b.mu.Unlock()
	if fault != nil {
		if err := fault(ctx, name); err != nil {
			return bundle.Object{}, err
		}
	}
	return b.Source.Fetch(ctx, name, etag, limit)
}

// set makes the source fail by fault from now on; nil: no more.
func (b *broken) set(fault func(ctx context.Context, name string) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault = fault
}

// taken returns the names of what was asked for since the last call.
func (b *broken) taken() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	requests := b.requests
	b.requests = nil
	return requests
}

// open opens a client that is closed when the test ends.
func open(t testing.TB, cfg sdk.Config) *sdk.Client {
	t.Helper()
	client, err := sdk.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

var (
	left  = sdk.Int("left", -1)
	right = sdk.Int("right", -1)
)

// serves checks the number of the revision that a client serves.
func serves(t testing.TB, client *sdk.Client, want int64) {
	t.Helper()
	if got := left.Get(client, sdk.Context{}); got != want {
		t.Errorf("left is %d, want %d; status %+v", got, want, client.Status())
	}
	if got := right.Get(client, sdk.Context{}); got != want {
		t.Errorf("right is %d, want %d", got, want)
	}
}

// events is a slog.Handler that tells of new revisions.
type events chan int64

func (e events) Enabled(context.Context, slog.Level) bool { return true }
func (e events) WithAttrs([]slog.Attr) slog.Handler       { return e }
func (e events) WithGroup(string) slog.Handler            { return e }
func (e events) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "serving flags" {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "revision" {
				e <- a.Value.Int64()
			}
			return true
		})
	}
	return nil
}

// await waits until a client has come to serve a revision.
func (e events) await(t testing.TB, want int64) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case got := <-e:
			if got == want {
				return
			}
		case <-timeout:
			t.Fatalf("revision %d is not served", want)
		}
	}
}

// write writes a file, making its folder.
func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

// users returns names of users.
func users(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("user-%d", 100_000+i)
	}
	return names
}
