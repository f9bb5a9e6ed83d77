package release_test

import (
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
)

// TestClockBehind publishes and renews with clocks that are behind that of the last
// publisher.
func TestClockBehind(t *testing.T) {
	keys := newKeys(t, production)
	store := filestore.New(t.TempDir())
	mustPublish(t, options(store, keys, content{"a": "1"}))
	mustPublish(t, renewal(store, keys, 5*day))

	for _, test := range []struct {
		name  string
		opts  release.Options
		clock time.Duration
		want  string // in the error; "": done
	}{
		{"publish, behind the revision", options(store, keys, content{"a": "2"}), -400 * day, "but revision 1 was published at "},
		{"renew, behind the revision", renewal(store, keys, 0), -time.Hour, "but revision 1 was published at "},
		{"renew, behind the renewal", renewal(store, keys, 0), 4 * day, "but what is published expires at "},
		{"publish, behind the renewal", options(store, keys, content{"a": "2"}), 4 * day, "and would then expire at "},
		{"nothing to do", options(store, keys, content{"a": "1"}), 4 * day, ""},
		{"renew, within the slack", renewal(store, keys, 0), 5*day - 4*time.Minute, ""},
		{"publish, in time", options(store, keys, content{"a": "2"}), 5 * day, ""},
	} {
		opts := test.opts
		opts.Now = func() time.Time { return time.Now().Add(test.clock) }
		report, err := release.Publish(t.Context(), opts)
		if test.want == "" && err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) ||
			!strings.Contains(err.Error(), "this machine's clock says ") ||
			!strings.Contains(err.Error(), "correct the clock")) {
			t.Errorf("%s: %+v, error %v, want %q", test.name, report, err, test.want)
		}
	}
}

// TestClockWasAhead checks the way out after a publisher whose clock was ahead.
func TestClockWasAhead(t *testing.T) {
	keys := newKeys(t, production)
	store := filestore.New(t.TempDir())
	ahead := options(store, keys, content{"a": "1"})
	ahead.Now = func() time.Time { return time.Now().Add(100 * day) }
	mustPublish(t, ahead)
	if _, err := release.Publish(t.Context(), options(store, keys, content{"a": "2"})); err == nil {
		t.Fatal("published before the published revision")
	}
	if err := store.Remove(t.Context(), "timestamp.json"); err != nil {
		t.Fatal(err)
	}
	if report := mustPublish(t, options(store, keys, content{"a": "2"})); report.Revision != 2 {
		t.Errorf("revision %d", report.Revision)
	}
}
