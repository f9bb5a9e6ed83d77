package release_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
)

func TestRenew(t *testing.T) {
	onEachStore(t, func(t *testing.T, store release.Store) {
		keys := newKeys(t, production)
		mustPublish(t, options(store, keys, content{"a": "1"}))
		clients := newReader(t, store, keys)
		if _, err := clients.read(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		before := clients.last.Versions()

		report := mustPublish(t, renewal(store, keys, day))
		if diff := cmp.Diff([]string{"2.snapshot.json", "timestamp.json"}, report.Objects); diff != "" {
			t.Errorf("objects (-want +got):\n%s", diff)
		}
		if report.Revision != 1 || report.Previous != 1 || report.Bytes == 0 {
			t.Errorf("report: %+v", report)
		}
		if _, err := clients.read(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		after := clients.last.Versions()
		for name, want := range map[string][2]bundle.RoleVersion{
			"timestamp": {before.Timestamp, after.Timestamp},
			"snapshot":  {before.Snapshot, after.Snapshot},
		} {
			if want[1].Version != 2 || want[1].Expires.Sub(want[0].Expires) < day {
				t.Errorf("%s was %+v, is %+v", name, want[0], want[1])
			}
		}
		if after.Targets != before.Targets || after.Root != before.Root {
			t.Errorf("versions were %+v, are %+v", before, after)
		}
		if clients.last.Payloads()[0].SHA256 == "" || !report.Expires.Equal(after.Timestamp.Expires) {
			t.Errorf("reported to expire at %v, does at %v", report.Expires, after.Timestamp.Expires)
		}
	})
}

// A schedule keeps one publication alive for as long as the root is, and takes
// one more revision for it.
func TestRenewForAYear(t *testing.T) {
	store := filestore.New(t.TempDir())
	keys := newKeys(t, production)
	c := content{"a": "1", "b": "2"}
	mustPublish(t, options(store, keys, c))
	clients := newReader(t, store, keys)
	const every = release.TimestampLifetime * 3 / 4
	for age := every; age < release.RootLifetime; age += every {
		if _, err := clients.read(t.Context(), age-1); err != nil {
			t.Fatalf("just before a renewal: %v", err)
		}
		mustPublish(t, renewal(store, keys, age))
		got, err := clients.read(t.Context(), age)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, got); diff != "" {
			t.Fatalf("content (-published +read):\n%s", diff)
		}
		want := int64(1)
		if age > release.TargetsLifetime-30*day {
			want = 2
		}
		if revision := clients.last.Revision(); revision != want {
			t.Fatalf("day %d: revision %d, want %d", age/day, revision, want)
		}
	}
	_, err := release.Publish(t.Context(), renewal(store, keys, release.RootLifetime+day))
	if err == nil {
		t.Error("something was renewed under a root that has expired")
	}
}

// Publishing the same content renews what would expire before long, so that a
// schedule may do that instead.
func TestPublishRenewsInTime(t *testing.T) {
	store := filestore.New(t.TempDir())
	keys := newKeys(t, production)
	c := content{"a": "1"}
	mustPublish(t, options(store, keys, c))
	for _, step := range []struct {
		age  time.Duration
		want []string
	}{
		{0, nil},
		{3 * day, nil},
		{4 * day, []string{"2.snapshot.json", "timestamp.json"}},
		{5 * day, nil},
		{20 * day, []string{"3.snapshot.json", "timestamp.json"}}, // which expired on day 11
		{336 * day, []string{"2.targets.json", "4.snapshot.json", "timestamp.json"}},
	} {
		opts := options(store, keys, c)
		opts.Now = in(step.age)
		report := mustPublish(t, opts)
		if diff := cmp.Diff(step.want, report.Objects); diff != "" {
			t.Errorf("day %d: objects (-want +got):\n%s", step.age/day, diff)
		}
		if got, err := newReader(t, store, keys).read(t.Context(), step.age); err != nil || got["a"] != "1" {
			t.Errorf("day %d: read %v, error %v", step.age/day, got, err)
		}
	}
}

func TestRenewRefuses(t *testing.T) {
	store := filestore.New(t.TempDir())
	keys := newKeys(t, production)
	wantError(t, renewal(store, keys, 0), "nothing is published")
	mustPublish(t, options(store, keys, content{"a": "1"}))
	wantError(t, renewal(store, keys, 8*day), "publish from the flag files")
	opts := renewal(store, keys, 0)
	opts.Payloads = content{"a": "1"}.payloads(production)
	wantError(t, opts, "takes neither payloads nor")
}

// wantError publishes in vain: nothing is put and the error has the given text.
func wantError(t *testing.T, opts release.Options, text string) {
	t.Helper()
	put := &spy{Store: opts.Store}
	if opts.Store != nil {
		opts.Store = put
	}
	_, err := release.Publish(t.Context(), opts)
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("got error %v, want one with %q", err, text)
	}
	if len(put.put) > 0 {
		t.Errorf("before the error %v: put %v", err, put.put)
	}
}
