package traffic_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/serin-flags/serin/ci/traffic"
)

// entry returns a line of a log.
func entry(id, route, variant string, status int, body string, ms float64) string {
	return fmt.Sprintf(`{"time":"2026-12-01T10:00:00Z","id":%q,"method":"GET","route":%q,"variant":%q,"status":%d,"bytes":%d,"sha256":%q,"ms":%g}`+"\n",
		id, route, variant, status, len(body), body, ms)
}

func compare(t *testing.T, old, new string, opts traffic.Options) *traffic.Report {
	t.Helper()
	r, err := traffic.Compare(strings.NewReader(old), strings.NewReader(new), opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCompare(t *testing.T) {
	old := entry("a", "/x", "beta", 200, "one", 1) + entry("b", "/x", "beta", 200, "two", 2) +
		entry("c", "/x", "beta", 200, "three", 3) +
		"not JSON\n" + entry("d", "/y", "", 200, "four", 4) + entry("e", "/y", "", 200, "", 5) +
		entry("gone", "/y", "", 200, "x", 1)
	new := entry("c", "/x", "beta", 200, "other", 30) + entry("a", "/x", "beta", 200, "one", 10) +
		entry("b", "/x", "beta", 500, "two", 20) +
		entry("d", "/y", "", 200, "four", 40) + entry("e", "/y", "", 200, "now it has one", 50) +
		entry("fresh", "/z", "", 200, "x", 1) +
		entry("a", "/x", "beta", 500, "again", 10)
	r := compare(t, old, new, traffic.Options{})
	if r.Old != 7 || r.New != 7 || r.Unread != 1 || r.Sampled < 0.999 {
		t.Errorf("%d and %d lines, %d of them unread; sampled %v", r.Old, r.New, r.Unread, r.Sampled)
	}
	want := []string{
		"/x beta: 3 pairs, 1 same, 1 status, 1 body, 0 and 0 alone; 2/3/3 and 20/30/30 ms",
		"/y : 2 pairs, 2 same, 0 status, 0 body, 1 and 0 alone; 4/5/5 and 40/50/50 ms",
		"/z : 0 pairs, 0 same, 0 status, 0 body, 0 and 1 alone; 0/0/0 and 0/0/0 ms",
	}
	for i, g := range r.Groups {
		got := fmt.Sprintf("%s %s: %d pairs, %d same, %d status, %d body, %d and %d alone; %g/%g/%g and %g/%g/%g ms",
			g.Route, g.Variant, g.Pairs, g.Same,
			g.Status, g.Body, g.OnlyOld, g.OnlyNew, g.OldMS.P50, g.OldMS.P95, g.OldMS.P99, g.NewMS.P50, g.NewMS.P95,
			g.NewMS.P99)
		if i >= len(want) || got != want[i] {
			t.Errorf("group %d is %s", i, got)
		}
	}
	if differ, pairs := r.Differences(); differ != 2 || pairs != 5 {
		t.Errorf("%d of %d pairs differ", differ, pairs)
	}
	if len(r.Sample) != 2 || r.Sample[0].ID != "c" || r.Sample[1].NewStatus != 500 {
		t.Errorf("the sample is %+v", r.Sample)
	}
}

// TestBounded holds that memory is bounded, and that a part of the requests is compared with
// their counterparts then, and not with nothing.
func TestBounded(t *testing.T) {
	var old, new strings.Builder
	for i := range 20_000 {
		body := "same"
		if i%10 == 0 {
			body = "other"
		}
		old.WriteString(entry(fmt.Sprint("id-", i), fmt.Sprint("/", i%3000), "", 200, "same", 1))
		new.WriteString(entry(fmt.Sprint("id-", i), fmt.Sprint("/", i%3000), "", 200, body, 2))
	}
	r := compare(t, old.String(), new.String(), traffic.Options{Max: 1000})
	differ, pairs := r.Differences()
	if pairs > 1000 || pairs < 300 || len(r.Groups) > 1001 || len(r.Sample) > 20 {
		t.Errorf("%d pairs, %d groups, a sample of %d", pairs, len(r.Groups), len(r.Sample))
	}
	if share := float64(differ) / float64(pairs); share < 0.05 || share > 0.16 {
		t.Errorf("%.3f of the pairs differ, not 0.1", share)
	}
	if want := float64(pairs) / 20_000; r.Sampled < want*0.8 || r.Sampled > want*1.25 {
		t.Errorf("it says that %.4f was compared, and it was %.4f", r.Sampled, want)
	}
	for _, g := range r.Groups {
		if g.OnlyOld+g.OnlyNew > 0 {
			t.Errorf("%s has %d and %d requests alone", g.Route, g.OnlyOld, g.OnlyNew)
		}
	}
}

// TestSampledGroups holds that the groups are those of the requests that are compared, of which
// the 1000 largest are told apart.
func TestSampledGroups(t *testing.T) {
	for _, c := range []struct {
		max, groups int // largest numbers of requests and of groups
		others      bool
	}{{500, 500, false}, {100_000, 1001, true}} {
		var log strings.Builder
		for i := range 5000 {
			log.WriteString(entry(fmt.Sprint("id-", i), fmt.Sprint("/", i), "", 200, "same", 1))
		}
		for i := range 100 {
			log.WriteString(entry(fmt.Sprint("frequent-", i), "/frequent", "", 200, "same", 1))
		}
		r := compare(t, log.String(), log.String(), traffic.Options{Max: c.max})
		_, pairs := r.Differences()
		others, frequent := int64(0), int64(0)
		for _, g := range r.Groups {
			switch {
			case g.Pairs == 0:
				t.Fatalf("of at most %d requests: %s has none", c.max, g.Route)
			case g.Route == "(others)":
				others = g.Pairs
			case g.Route == "/frequent":
				frequent = g.Pairs
			}
		}
		if len(r.Groups) > c.groups || (others > 0) != c.others || pairs-others < 100 {
			t.Errorf("of at most %d requests: %d groups of %d pairs, of which %d are in (others)", c.max,
				len(r.Groups), pairs, others)
		}
		if c.others && frequent != 100 {
			t.Errorf("the most frequent route has %d pairs", frequent)
		}
	}
}

// TestRepeated holds that of requests with one ID the first ones are compared, and that they
// count once, however many there are.
func TestRepeated(t *testing.T) {
	old := entry("a", "/x", "", 200, "one", 1) + entry("a", "/x", "", 503, "", 1)
	new := entry("a", "/x", "", 200, "one", 1) + entry("a", "/x", "", 404, "", 1)
	if differ, pairs := compare(t, old, new, traffic.Options{}).Differences(); differ != 0 || pairs != 1 {
		t.Errorf("%d of %d pairs differ", differ, pairs)
	}
	var first, second strings.Builder
	for i := range 1000 {
		first.WriteString(entry(fmt.Sprint("id-", i), "/x", "", 200, "same", 1))
		for range 3 {
			second.WriteString(entry(fmt.Sprint("id-", i), "/x", "", 200, "same", 1))
		}
		second.WriteString(entry(fmt.Sprint("id-", i, "-of-another-server"), "/x", "", 200, "same", 1))
	}
	r := compare(t, first.String(), second.String()+second.String(), traffic.Options{Max: 100})
	g := r.Groups[0]
	if len(r.Groups) != 1 || g.OnlyOld != 0 || g.Pairs+g.OnlyNew > 100 || g.Pairs == 0 || g.OnlyNew == 0 ||
		g.OnlyNew > 3*g.Pairs {
		t.Errorf("the group is %+v", g)
	}
}

func TestRefuses(t *testing.T) {
	one := entry("a", "/x", "", 200, "one", 1)
	for _, c := range []struct{ name, old, new, want string }{
		{"an empty log", "", one, "the old log has no line with an id and a status"},
		{"another log", one, "127.0.0.1 - - GET /\n", "the new log has no line with an id and a status"},
		{"a long line", one, strings.Repeat("x", 70<<10), "the new log, line 1: it is longer than 65536 bytes"},
	} {
		_, err := traffic.Compare(strings.NewReader(c.old), strings.NewReader(c.new), traffic.Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	_, err := traffic.Compare(strings.NewReader(one), strings.NewReader(entry("b", "/x", "", 200, "one", 1)),
		traffic.Options{})
	if !errors.Is(err, traffic.ErrNothing) {
		t.Errorf("logs that have nothing in common: %v", err)
	}
}

// FuzzCompare holds that any logs are compared or refused.
func FuzzCompare(f *testing.F) {
	f.Add([]byte(entry("a", "/x", "", 200, "one", 1)), []byte(entry("a", "/x", "", 500, "two", 1e300)))
	f.Fuzz(func(t *testing.T, old, new []byte) {
		r, err := traffic.Compare(strings.NewReader(string(old)), strings.NewReader(string(new)),
			traffic.Options{Max: 3})
		if err == nil {
			if differ, pairs := r.Differences(); differ > pairs || pairs > r.Old || pairs > r.New {
				t.Errorf("%d of %d pairs differ, of %d and %d lines", differ, pairs, r.Old, r.New)
			}
			requests := int64(0)
			for _, g := range r.Groups {
				requests += g.Pairs + g.OnlyOld + g.OnlyNew
			}
			if requests > 3 || r.Sampled <= 0 || r.Sampled > 1 {
				t.Errorf("%d requests were compared, a part of %v", requests, r.Sampled)
			}
		}
	})
}
