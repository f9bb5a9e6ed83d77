package sdk_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

// testers returns ids in order: enough for a list that is a target of its own.
func testers(prefix string) []string {
	list := make([]string, 2*bundle.MinList)
	for i := range list {
		list[i] = fmt.Sprintf("%s-%06d", prefix, i)
	}
	return list
}

// listed is numbered with a flag in each namespace, "one-beta" and "two-beta", that is
// on for people of a list.
func listed(n int64, list []string) []bundle.Payload {
	payloads := numbered("production", n)
	for i := range payloads {
		set := &payloads[i].Ruleset
		set.Segments = []evaluator.Segment{{Name: "beta", Include: list}}
		set.Flags = append(set.Flags, boolean(payloads[i].Namespace+"-beta", evaluator.Rule{
			Name: "testers",
			When: &evaluator.Condition{Op: evaluator.OpInSegment, Attribute: "user", Strings: []string{"beta"}},
		}))
	}
	return payloads
}

// servesList checks that a client serves a number and a list.
func servesList(t *testing.T, client *sdk.Client, n int64, list []string) {
	t.Helper()
	serves(t, client, n)
	for _, key := range []string{"one-beta", "two-beta"} {
		for user, want := range map[string]bool{list[0]: true, list[len(list)-1]: true, "nobody": false} {
			if got, _ := client.Evaluate(key, sdk.User(user)).Value().Bool(); got != want {
				t.Errorf("%s is %t for %s; status %+v", key, got, user, client.Status())
			}
		}
	}
}

// TestLists changes flags and a list, and counts what a client downloads and allocates
// for that.
func TestLists(t *testing.T) {
	r, cache := newRepository(t, "production"), filepath.Join(t.TempDir(), "cache")
	src := &broken{Source: r.source(t)}
	var client *sdk.Client
	refresh := func() (lists int, bytes int64, allocated uint64) {
		t.Helper()
		src.taken()
		var before, after runtime.MemStats
		was := client.Status().Downloaded
		runtime.ReadMemStats(&before)
		if err := client.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		for _, name := range src.taken() {
			if strings.HasPrefix(name, "targets/lists/") {
				lists++
			}
		}
		return lists, client.Status().Downloaded - was, after.TotalAlloc - before.TotalAlloc
	}
	u, v := testers("u"), testers("v")
	r.publish(t, listed(1, u)...)
	client = open(t, sdk.Config{Source: src, Root: r.keys.Root, Interval: -1, CacheDir: cache})
	servesList(t, client, 1, u)
	changes := make(chan []string, 2)
	client.OnChange(func(c sdk.Change) { changes <- c.Keys })
	changed := func(want ...string) {
		t.Helper()
		if got := <-changes; !slices.Equal(got, want) {
			t.Errorf("changed flags: %v, want %v", got, want)
		}
	}

	r.publish(t, listed(2, v)...)
	lists, withList, allocatedForList := refresh()
	servesList(t, client, 2, v)
	changed("left", "one-beta", "right", "two-beta")
	if lists != 1 {
		t.Errorf("an update of the list downloads %d lists", lists)
	}
	r.publish(t, listed(3, v)...)
	lists, withoutList, allocated := refresh()
	servesList(t, client, 3, v)
	if lists != 0 || withoutList > withList/3 || allocated > allocatedForList/2 {
		t.Errorf("an update of other flags downloads %d lists, %d bytes instead of %d, and allocates %d instead of %d",
			lists, withoutList, withList, allocated, allocatedForList)
	}
	changed("left", "right")
	if st := client.Status(); st.CacheError != nil || st.Bytes < withList-withoutList {
		t.Errorf("status %+v", st)
	}
	servesList(t, offline(t, r, cache), 3, v)
}

// TestListInCache damages and removes lists in the disk cache.
func TestListInCache(t *testing.T) {
	r, cache := newRepository(t, "production"), filepath.Join(t.TempDir(), "cache")
	list := testers("u")
	r.publish(t, listed(1, list)...)
	cfg := sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, CacheDir: cache}
	open(t, cfg).Close()
	files, err := filepath.Glob(filepath.Join(r.dir, "targets", "lists", "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	name := filepath.Join(cache, filepath.Base(files[0])[:64]+".payload")
	for what, damage := range map[string]func() error{
		"removed": func() error { return os.Remove(name) },
		"empty":   func() error { return os.WriteFile(name, nil, 0o600) },
		"damaged": func() error {
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			data[len(data)/2] ^= 1
			return os.WriteFile(name, data, 0o600)
		},
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if st := offline(t, r, cache).Status(); st.State != sdk.Empty || st.CacheError == nil {
			t.Errorf("%s: status %+v", what, st)
		}
		client := open(t, cfg) // repairs it
		servesList(t, client, 1, list)
		client.Close()
		servesList(t, offline(t, r, cache), 1, list)
	}
}
