package page

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/ci/release"
)

// TestChangedEnvironments holds that environments share a section only if the same users change in
// them, and that flags beyond the limit are counted.
func TestChangedEnvironments(t *testing.T) {
	group := func(to string) []diff.Group {
		return []diff.Group{{Everybody: true, Who: "everybody", Moves: []diff.Move{{From: "off", To: to}}}}
	}
	many := make([]diff.Flag, maxChanged+3)
	for i := range many {
		many[i] = diff.Flag{Key: fmt.Sprintf("flag-%d", i), Change: diff.Added}
	}
	o := testOptions(t)
	o.Compare = func(context.Context, string, string) (diff.Report, error) {
		return diff.Report{Environments: []diff.Environment{
			{Name: "production", Flags: []diff.Flag{{Key: "cart", Change: diff.Changed, Groups: group("on")}}},
			{Name: "staging", Flags: []diff.Flag{{Key: "cart", Change: diff.Changed, Groups: group("new")}}},
			{Name: "test", Flags: many},
		}}, nil
	}
	_, body := get(t, testHandler(t, o), "changes.html")
	for _, want := range []string{"<h2>In production</h2>", "<h2>In staging</h2>", "3 more flags differ."} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// TestHistoryOfFlag holds that the history of a flag has the revisions that changed it, and that of
// a flag that somebody may not see isn't there.
func TestHistoryOfFlag(t *testing.T) {
	o := testOptions(t)
	var asked release.FlagName
	all := o.History
	o.History = func(ctx context.Context, flag release.FlagName) (release.History, error) {
		asked = flag
		return all(ctx, flag)
	}
	_, body := get(t, testHandler(t, o), "history.html?flag=cart")
	if !strings.Contains(body, "Revision 2") || strings.Contains(body, "Revision 1") ||
		asked != (release.FlagName{Namespace: "shop", Key: "cart"}) {
		t.Errorf("asked for %v, the page is\n%s", asked, body)
	}
	o.Admit = func(http.ResponseWriter, *http.Request) (Sees, bool) {
		return func(key, _ string, _ bool) bool { return key != "hidden-flag" }, true
	}
	if _, body := get(t, testHandler(t, o), "history.html?flag=hidden-flag"); strings.Contains(body, "hidden") ||
		asked.Key != "" {
		t.Errorf("asked for %v, the page is\n%s", asked, body)
	}
}

// TestConcurrentComparisons holds that revisions are compared for one request at a time.
func TestConcurrentComparisons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, most := 0, 0
		var mu sync.Mutex
		o := Options{Old: "git:HEAD", Compare: func(context.Context, string, string) (diff.Report, error) {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			running--
			mu.Unlock()
			return diff.Report{}, nil
		}}
		h := testHandler(t, o)
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() { get(t, h, "changes.html") })
		}
		all.Wait()
		if most != 1 {
			t.Errorf("%d comparisons at once", most)
		}
	})
}

// TestSlowComparison holds that a comparison ends after a while, and that the page says so.
func TestSlowComparison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{Numbers: true, Compare: func(ctx context.Context, _, _ string) (diff.Report, error) {
			<-ctx.Done()
			return diff.Report{}, fmt.Errorf("comparing: %w", ctx.Err())
		}}
		if _, body := get(t, testHandler(t, o), "changes.html?old=1&new=2"); !strings.Contains(body,
			"Comparing these revisions takes longer than 45s, so it was given up.") {
			t.Errorf("the page is\n%s", body)
		}
	})
}
