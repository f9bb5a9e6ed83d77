//go:build unix

package serin_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/child"
	"github.com/serin-flags/serin/sdk"
)

const (
	// format1Commit is the last commit whose clients know payload format 1 only.
	format1Commit = "c1fe00c6a1aeace1f40628542f91dd66dc0da276"
	// inlineCommit is a commit whose clients know format 2, but no lists that are targets.
	inlineCommit = "cc57da1e6b151dd17adbe77b16f6af01942c4d99"
)

// A novelty is what clients of some commit don't know.
type novelty struct {
	ruleset func(key string, value int64) evaluator.Ruleset
	feature string
	problem string // how the clients say that they don't know it
}

// An olderClient is a running client that was built from an earlier commit.
type olderClient struct {
	in  io.Writer
	out *bufio.Reader
}

// A served is what an older client serves, see testdata/older.
type served struct {
	Revision     int64
	State, Error string
	Values       map[string]int64
}

// TestOlder builds the client of format1Commit, which knows format 1 only, and that of
// inlineCommit, which knows no lists.
func TestOlder(t *testing.T) {
	bin := buildOlder(t, format1Commit)
	t.Run("clients", func(t *testing.T) {
		olderClients(t, bin, novelty{bucketed, "hash:launchdarkly", "format 2 is not known, only 1"})
	})
	t.Run("format 1", func(t *testing.T) { sameFormat1(t, bin) })
	inline := buildOlder(t, inlineCommit)
	t.Run("clients without lists", func(t *testing.T) {
		olderClients(t, inline, novelty{toListed, "lists", `needs a client that knows "lists"`})
	})
	t.Run("a guarded ramp", func(t *testing.T) { olderGuarded(t, inline) })
}

// olderClients keeps older clients served while a namespace moves to something new and
// back: those that don't read it notice nothing, and those that do keep their last
// revision, in all namespaces, until it is back.
func olderClients(t *testing.T, bin string, new novelty) {
	dir, keyDir, cache := t.TempDir(), t.TempDir(), t.TempDir()
	keys := initKeys(t, keyDir)
	published := filepath.Join(dir, environment)
	url, root := "file://"+filepath.ToSlash(published), filepath.Join(keyDir, "root.json")
	publish := func(shop, search evaluator.Ruleset) release.Report {
		t.Helper()
		report, err := release.Publish(t.Context(), release.Options{
			Store: filestore.New(published), Keys: keys, Environment: environment, Payloads: []bundle.Payload{
				{Environment: environment, Namespace: "shop", Ruleset: shop},
				{Environment: environment, Namespace: "search", Ruleset: search},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	check := func(c *olderClient, what string, want served, problem string) {
		t.Helper()
		got := c.refresh(t)
		if problem == "" && got.Error != "" || !strings.Contains(got.Error, problem) {
			t.Errorf("%s: got error %q, want one with %q", what, got.Error, problem)
		}
		got.Error = ""
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	fresh := func(revision, shop, search int64) served {
		return served{revision, "FRESH", "", map[string]int64{"shop": shop, "search": search}}
	}
	stale := func(state string, revision, shop, search int64) served {
		return served{revision, state, "", map[string]int64{"shop": shop, "search": search}}
	}
	unknown := new.problem

	if changes := publish(constant("shop", 1), constant("search", 1)).Formats; changes != nil {
		t.Errorf("publishing format 1 reports %v", changes)
	}
	one := startOlder(t, bin, url, root, "", "search")
	both := startOlder(t, bin, url, root, "", "search", "shop")
	all := startOlder(t, bin, url, root, cache)
	check(one, "one namespace, format 1", fresh(1, 0, 1), "")
	check(both, "both namespaces, format 1", fresh(1, 1, 1), "")
	check(all, "all namespaces, format 1", fresh(1, 1, 1), "")

	report := publish(new.ruleset("shop", 2), constant("search", 2))
	want := []release.FormatChange{{Namespace: "shop", Before: 1, After: 2, Features: []string{new.feature}}}
	if diff := cmp.Diff(want, report.Formats); diff != "" {
		t.Errorf("reported formats (-want +got):\n%s", diff)
	}
	check(one, "one namespace, the other one has format 2", fresh(2, 0, 2), "")
	check(both, "both namespaces, one has format 2", stale("STALE", 1, 1, 1), unknown)
	check(all, "all namespaces, one has format 2", stale("STALE", 1, 1, 1), unknown)

	publish(new.ruleset("shop", 3), constant("search", 3))
	check(one, "one namespace, a change of both", fresh(3, 0, 3), "")
	check(both, "both namespaces, a change of both", stale("STALE", 1, 1, 1), unknown)
	check(startOlder(t, bin, url, root, cache), "restarted, with a cache", stale("LAST-KNOWN-GOOD", 1, 1, 1), unknown)
	check(startOlder(t, bin, url, root, ""), "restarted, without a cache", stale("EMPTY", 0, 0, 0), unknown)
	checkNewClient(t, url, root, 3)

	report = publish(constant("shop", 4), constant("search", 4))
	want = []release.FormatChange{{Namespace: "shop", Before: 2, After: 1}}
	if diff := cmp.Diff(want, report.Formats); diff != "" {
		t.Errorf("reported formats (-want +got):\n%s", diff)
	}
	check(one, "one namespace, back at format 1", fresh(4, 0, 4), "")
	check(both, "both namespaces, back at format 1", fresh(4, 4, 4), "")
	check(all, "all namespaces, back at format 1", fresh(4, 4, 4), "")

	// A new client starts with the cache that an older one has left, and the other way
	// round, also if the new one has seen in it more than it serves.
	nowhere := "file://" + filepath.ToSlash(filepath.Join(dir, "nowhere"))
	checkCache := func(from string, want int64) {
		t.Helper()
		client := openCached(t, from, root, cache)
		if got, _ := client.Evaluate("shop", sdk.User("u-1")).Value().Int(); got != want {
			t.Errorf("a new client serves %d from the cache, want %d: %v", got, want, client.Status())
		}
	}
	checkCache(nowhere, 4)
	publish(constant("shop", 5), constant("search", 5))
	payloads := filepath.Join(published, "targets")
	if err := os.Rename(payloads, payloads+".hidden"); err != nil {
		t.Fatal(err)
	}
	checkCache(url, 4)
	if seen, err := filepath.Glob(filepath.Join(cache, "seen-*")); len(seen) != 1 {
		t.Errorf("the cache has %v, %v", seen, err)
	}
	check(startOlder(t, bin, nowhere, root, cache), "with what a newer client has seen",
		stale("LAST-KNOWN-GOOD", 4, 4, 4),
		"not_found")
	if err := os.Rename(payloads+".hidden", payloads); err != nil {
		t.Fatal(err)
	}
	check(startOlder(t, bin, url, root, cache), "with what a newer client has seen", fresh(5, 5, 5), "")
	checkCache(nowhere, 5)
}

// olderGuarded holds that clients that know format 2, but no guards, serve what guarded
// ramps serve, whatever files lie beside the payloads.
func olderGuarded(t *testing.T, bin string) {
	dir, keyDir := t.TempDir(), t.TempDir()
	keys := initKeys(t, keyDir)
	published := filepath.Join(dir, environment)
	ramp := func(key string, level uint64) bundle.Payload {
		set := constant(key, 1)
		set.Flags[0].Variants = append(set.Flags[0].Variants,
			evaluator.Variant{Name: "new", Value: evaluator.IntValue(2)})
		set.Flags[0].Rules = []evaluator.Rule{{Name: "ramp", Variant: 1, Split: &evaluator.Split{
			Bucketing: evaluator.Bucketing{By: "user", Salt: key, Hash: evaluator.HashMurmur3},
			Ramp: &evaluator.Ramp{Variant: 1, Rest: 0, Guarded: true,
				Points: []evaluator.Point{{At: math.MinInt64, Level: level}}},
		}}}
		return bundle.Payload{Environment: environment, Namespace: key, Ruleset: set}
	}
	_, err := release.Publish(t.Context(), release.Options{
		Store: filestore.New(published), Keys: keys, Environment: environment,
		Content: func(context.Context, release.Published, *release.Published) (release.Content, error) {
			return release.Content{
				Payloads: []bundle.Payload{ramp("shop", evaluator.Positions), ramp("search", 0)},
				Files:    map[string][]byte{"releases.lock": []byte("# lines"), "releases.json": []byte("{}")},
			}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := startOlder(t, bin, "file://"+filepath.ToSlash(published), filepath.Join(keyDir, "root.json"), "").refresh(t)
	want := served{1, "FRESH", "", map[string]int64{"shop": 2, "search": 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// openCached opens a client with a cache, which has polled once.
func openCached(t *testing.T, url, rootFile, cache string) *sdk.Client {
	t.Helper()
	root, err := os.ReadFile(rootFile)
	if err != nil {
		t.Fatal(err)
	}
	source, err := sdk.FromURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client, err := sdk.Open(t.Context(), sdk.Config{
		Source: source, Root: root, CacheDir: cache, Interval: -1, InitTimeout: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	_ = client.Refresh(t.Context())
	return client
}

// sameFormat1 holds that payloads of format 1 are, byte for byte, what was written
// when there was no other, for the repository's own flags, and that the golden
// file of the format is still the same.
func sameFormat1(t *testing.T, bin string) {
	estate, err := ci.Load("flags")
	if err != nil {
		t.Fatal(err)
	}
	dir, args := t.TempDir(), []string{"encode"}
	for _, env := range estate.Environments() {
		payloads, err := estate.Compile(env)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range payloads {
			if needs := bundle.Needs(&p.Ruleset); len(needs) > 0 {
				t.Logf("%s in %s is not compared: %v", p.Namespace, env, needs)
				continue
			}
			p.Public = false // what the older version doesn't know
			for i := range p.Ruleset.Attributes {
				p.Ruleset.Attributes[i].From = ""
			}
			data, _, err := bundle.EncodePayload(p)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(dir, fmt.Sprint(len(args)))
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, name)
		}
	}
	if len(args) < 10 {
		t.Fatalf("there are only %d payloads to compare", len(args)-1)
	}
	if out, err := exec.Command(bin, args...).CombinedOutput(); err != nil {
		t.Errorf("encoding with the older version: %v\n%s", err, out)
	}
	const golden = "bundle/testdata/columns.txt"
	now, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if then := git(t, format1Commit, "show", format1Commit+":"+golden); !bytes.Equal(then, now) {
		t.Errorf("%s is not what it was: format 1 has changed", golden)
	}
}

// initKeys makes keys of the environment in a folder.
func initKeys(t *testing.T, dir string) release.Keys {
	t.Helper()
	if _, err := release.InitKeys(dir, environment); err != nil {
		t.Fatal(err)
	}
	keys, err := release.LoadKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// constant returns a ruleset of one flag, which serves that value.
func constant(key string, value int64) evaluator.Ruleset {
	return evaluator.Ruleset{
		Unit:       "user",
		Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}},
		Flags: []evaluator.Flag{{
			Key: key, Type: evaluator.KindInt,
			Variants: []evaluator.Variant{{Name: "n", Value: evaluator.IntValue(value)}},
		}},
	}
}

// bucketed returns a ruleset of one flag, which serves that value by a hash that
// format 1 doesn't have.
func bucketed(key string, value int64) evaluator.Ruleset {
	set := constant(key, value)
	set.Flags[0].Rules = []evaluator.Rule{{Name: "moved", Split: &evaluator.Split{
		Bucketing: evaluator.Bucketing{By: "user", Salt: "s", Hash: "launchdarkly"},
		Ranges:    []evaluator.Range{{To: 1 << 60}},
	}}}
	return set
}

// toListed returns a ruleset of one flag, which serves that value to people of a list that
// is a target of its own, and to all others.
func toListed(key string, value int64) evaluator.Ruleset {
	set := constant(key, value)
	list := make([]string, bundle.MinList)
	for i := range list {
		list[i] = fmt.Sprintf("u-%06d", i)
	}
	set.Flags[0].Rules = []evaluator.Rule{{Name: "listed", When: &evaluator.Condition{
		Op: evaluator.OpOneOf, Attribute: "user", Strings: list,
	}}}
	return set
}

// checkNewClient holds that a client of today is served that value of both flags.
func checkNewClient(t *testing.T, url, rootFile string, want int64) {
	t.Helper()
	root, err := os.ReadFile(rootFile)
	if err != nil {
		t.Fatal(err)
	}
	source, err := sdk.FromURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client, err := sdk.Open(t.Context(), sdk.Config{Source: source, Root: root, Interval: -1, InitTimeout: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
	for _, key := range []string{"shop", "search"} {
		if got, _ := client.Evaluate(key, sdk.User("u-1")).Value().Int(); got != want {
			t.Errorf("a client of today serves %d for %s, want %d", got, key, want)
		}
	}
}

// buildOlder builds testdata/older with the packages of a commit.
func buildOlder(t *testing.T, commit string) (bin string) {
	t.Helper()
	dir := t.TempDir()
	unpack(t, dir, git(t, commit, "archive", "--format=tar", commit, "go.mod", "go.sum", "bundle", "evaluator",
		"internal", "sdk"))
	program, err := os.ReadFile("testdata/older/main.go")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "older"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "older", "main.go"), program, 0o600); err != nil {
		t.Fatal(err)
	}
	bin = filepath.Join(dir, "older.exe")
	build := exec.Command("go", "build", "-trimpath", "-o", bin, "./older")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the client of %.7s: %v\n%s", commit, err, out)
	}
	return bin
}

// git returns what a git command prints about a commit of the repository's history.
func git(t *testing.T, commit string, args ...string) []byte {
	t.Helper()
	if err := exec.Command("git", "cat-file", "-e", commit+"^{commit}").Run(); err != nil {
		t.Fatalf("this clone lacks commit %.7s, whose client the test builds; run 'git fetch --unshallow' (%v)",
			commit, err)
	}
	out, err := exec.Command("git", args...).Output()
	if err != nil {
		t.Fatalf("git %v: %v", args, err)
	}
	return out
}

// unpack writes the files of a tar archive below dir.
func unpack(t *testing.T, dir string, archive []byte) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, filepath.FromSlash(h.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// startOlder starts an older client. It ends when the test does.
func startOlder(t *testing.T, bin, url, root, cache string, namespaces ...string) *olderClient {
	t.Helper()
	cmd := exec.Command(bin, append([]string{"serve", url, root, cache}, namespaces...)...)
	child.Bind(cmd)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() // which ends it
		if err := cmd.Wait(); err != nil {
			t.Errorf("the older client: %v", err)
		}
	})
	return &olderClient{in, bufio.NewReader(out)}
}

// refresh has the client poll once.
func (c *olderClient) refresh(t *testing.T) (got served) {
	t.Helper()
	if _, err := fmt.Fprintln(c.in); err != nil {
		t.Fatal(err)
	}
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatal(err)
	}
	return got
}
