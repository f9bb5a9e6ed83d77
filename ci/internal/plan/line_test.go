package plan

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	monday = time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)
	ramp   = &Plan{
		Environment: "production", Flag: "search-index", Namespace: "search", Rule: "new index", Variant: "new",
		Steps: []Step{{To: 10_000_000}, {To: 50_000_000, After: Duration(4 * time.Hour)},
			{To: 1_000_000_000, After: Duration(24 * time.Hour), Approval: true}},
	}
)

// TestLineLives leads a line through a release, and reads and writes it at each point.
func TestLineLives(t *testing.T) {
	l := NewLine(ramp)
	later := func(hours int) time.Time { return monday.Add(time.Duration(hours) * time.Hour) }
	for i, step := range []struct {
		what func() Line
		want string
	}{
		{func() Line { return l.Clear(ramp, 1, later(0), "robot") },
			`share=1% since=2026-12-07T09:00:00Z by=robot count=1`},
		{func() Line { return l.Hold("errors\nfailed", later(1), "ann") },
			`share=1% since=2026-12-07T09:00:00Z by=ann count=2 state=held why="errors failed"`},
		{func() Line { return l.Resume(ramp, later(3), later(2), "ann") },
			`share=1% since=2026-12-07T11:00:00Z by=ann count=3`},
		{func() Line { return l.Clear(ramp, 2, later(6), "robot") },
			`share=5% since=2026-12-07T15:00:00Z by=robot count=4`},
		{func() Line { return l.Approve(ramp.Steps[2].To, later(7), "ann") },
			`share=5% since=2026-12-07T15:00:00Z by=ann count=5 approved=100%`},
		{func() Line { return l.Replan(ramp, 2, later(7), "ann") },
			`share=5% since=2026-12-07T16:00:00Z by=ann count=6`},
		{func() Line { return l.Approve(ramp.Steps[2].To, later(7), "ann") },
			`share=5% since=2026-12-07T16:00:00Z by=ann count=7 approved=100%`},
		{func() Line { return l.RollBack(ramp, 1, "errors: 3.1 times as many", later(8), "robot") },
			`share=1% since=2026-12-07T17:00:00Z by=robot count=8 state=back why="errors: 3.1 times as many" approved=100%`},
		{func() Line { return l.Resume(ramp, later(24), later(9), "ann") },
			`share=0% since=2026-12-07T18:00:00Z by=ann count=9 start=2026-12-08T09:00:00Z`},
		{func() Line { return l.See(later(9), later(10), "robot") },
			`share=0% since=2026-12-07T18:00:00Z by=robot count=10 start=2026-12-08T09:00:00Z blind=2026-12-07T18:00:00Z`},
		{func() Line { return l.Finish(later(10), "robot") },
			`share=0% since=2026-12-07T18:00:00Z by=robot count=11 state=finished start=2026-12-08T09:00:00Z`},
	} {
		l = step.what()
		text := l.String()
		if _, rest, _ := strings.Cut(text, " share="); "share="+rest != step.want {
			t.Errorf("line %d is\n%s, not\n%s", i+1, "share="+rest, step.want)
		}
		lines, errs := Parse(Lines{l.Key(): l}.Format())
		if len(errs) > 0 {
			t.Fatalf("line %d: %v", i+1, errs)
		}
		if got := lines[l.Key()].String(); got != text {
			t.Errorf("line %d is read as\n%s, not\n%s", i+1, got, text)
		}
	}
}

// TestHash holds that later steps, which may be edited, don't change the hash of those before.
func TestHash(t *testing.T) {
	edited := *ramp
	edited.Steps = []Step{ramp.Steps[0], {To: 60_000_000, After: Duration(time.Hour)}}
	if ramp.Hash(1) != edited.Hash(1) {
		t.Error("an edit of step 2 changes the hash of step 1")
	}
	if ramp.Hash(2) == edited.Hash(2) {
		t.Error("an edit of step 2 doesn't change the hash of both steps")
	}
	salted := *ramp
	salted.Assigned = `salt="other"`
	if ramp.Hash(1) == salted.Hash(1) || ramp.Hash(0) == salted.Hash(0) {
		t.Error("another salt doesn't change the hash")
	}
	if err := salted.Fits(NewLine(ramp)); err == nil ||
		err.Error() != "another variant grows than the one that releases.lock knows, or users are assigned in another way" {
		t.Errorf("another salt before the first step: %v", err)
	}
}

func TestMerge(t *testing.T) {
	one := NewLine(ramp).Clear(ramp, 1, monday, "robot")
	two := one.Clear(ramp, 2, monday, "robot")
	same := two
	same.By = "ann"
	for _, c := range []struct {
		name         string
		mine, theirs Line
		want         Line
		newer        int
	}{
		{"theirs is newer", one, two, two, 1},
		{"mine is newer", two, one, two, 0},
		{"both have the same count", two, same, two, 0},
	} {
		merged, newer := Lines{one.Key(): c.mine}.Merge(Lines{one.Key(): c.theirs})
		if got := merged[one.Key()]; got != c.want || len(newer) != c.newer {
			t.Errorf("%s: got %v and %d newer lines", c.name, got, len(newer))
		}
	}
	if merged, newer := (Lines{}).Merge(Lines{one.Key(): one}); len(merged) != 1 || len(newer) != 1 {
		t.Errorf("a line that only they have: %v, %v", merged, newer)
	}
}

// TestNamesOfPeople holds that whatever name a person has, the line can be read again.
func TestNamesOfPeople(t *testing.T) {
	for _, by := range []string{"", "\x1b[31mAnn", "ann\xff", strings.Repeat("ö", 400)} {
		l := NewLine(ramp).Clear(ramp, 1, monday, by)
		if _, errs := Parse(Lines{l.Key(): l}.Format()); len(errs) > 0 {
			t.Errorf("%q: %v", by, errs)
		}
	}
}

// TestSettle holds, over all pairs of moves from one line, that the result doesn't depend on whose
// files they are in as far as people notice: it exposes nobody beyond either, it is rolled back or
// held if one is, and it is newer than both.
func TestSettle(t *testing.T) {
	base := NewLine(ramp).Clear(ramp, 1, monday, "robot").Clear(ramp, 2, monday, "robot")
	moves := []Line{
		base.Clear(ramp, 3, monday, "robot"), base.Hold("x", monday, "ann"),
		base.RollBack(ramp, 0, "x", monday, "robot"),
		base.RollBack(ramp, 1, "x", monday, "bob"), base.Approve(Whole, monday, "ann"),
		base.See(monday, monday, "robot"), base.Finish(monday, "robot"),
	}
	for _, a := range moves {
		if l, ok := a.Settle(a); ok {
			t.Errorf("the same line is settled as %v", l)
		}
		if l, ok := a.Settle(base); ok {
			t.Errorf("a newer line is settled as %v", l)
		}
		for _, b := range moves {
			l, ok := a.Settle(b)
			if a == b {
				continue
			}
			other, _ := b.Settle(a)
			caution := max(a.State.caution(), b.State.caution())
			if !ok || l.Count != base.Count+2 || l.State.caution() != caution || l.Share != other.Share ||
				l.State != other.State {
				t.Errorf("%v\n%v\nare settled as\n%v\n%v", a, b, l, other)
			}
			if a.State == b.State && l.Share != min(a.Share, b.Share) {
				t.Errorf("%v\n%v\nare settled as\n%v", a, b, l)
			}
		}
	}
}

func TestParseErrors(t *testing.T) {
	good := NewLine(ramp).Clear(ramp, 1, monday, "robot").String()
	for _, c := range []struct{ text, want string }{
		{"search-index production", "a word is missing or malformed"},
		{"search-index production rule share=1%", "plan= is missing"},
		{strings.Replace(good, "share=1%", "share=101%", 1), "share=: it is more than 100%"},
		{strings.Replace(good, "count=1", "count=0", 1), "count=: it is not a number from 1 on"},
		{strings.Replace(good, "since=2026-12-07T09:00:00Z", "since=monday", 1), "since=: it is not a time such as 2026-12-01T10:00:00Z"},
		{good + " state=running", `state=: it is "held", "back" or "finished"`},
		{good + " ", ""},
		{good + " why=" + strconv.Quote(strings.Repeat("a", 301)), "why=: it is longer than 300 bytes, or has characters that can't be printed"},
		{strings.Replace(good, "by=robot", `by="\x1b[31mann"`, 1), "by=: it is longer than 300 bytes, or has characters that can't be printed"},
		{"<<<<<<< HEAD\n" + good + "\n=======\n" + good + "\n>>>>>>> main\n",
			"a merge conflict isn't resolved; of each flag and environment, keep the line with the higher count"},
		{good + " more", "a word is missing or malformed"},
		{good + "\n" + good, `flag "search-index" is on line 1 too, for the same environment; keep the line with the higher count`},
	} {
		_, errs := Parse([]byte(c.text))
		got := ""
		if len(errs) > 0 {
			got = errs[0].Err.Error()
		}
		if got != c.want {
			t.Errorf("%s\ngives %q, not %q", c.text, got, c.want)
		}
	}
}

// FuzzParse holds that what is read is written in the same way again, or not at all.
func FuzzParse(f *testing.F) {
	f.Add(Lines{{"search-index", "production"}: NewLine(ramp).Clear(ramp, 1, monday, "robot").Hold(`a "reason"`,
		monday, "ann")}.Format())
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, errs := Parse(data)
		if len(errs) > 0 {
			return
		}
		again, errs := Parse(lines.Format())
		if len(errs) > 0 || string(again.Format()) != string(lines.Format()) {
			t.Errorf("%s\nis read again as\n%s%v", lines.Format(), again.Format(), errs)
		}
	})
}

// TestFits: a line fits the plan whose steps it has cleared, and no other.
func TestFits(t *testing.T) {
	l := NewLine(ramp)
	for want := range len(ramp.Steps) + 1 {
		if want > 0 {
			l = l.Clear(ramp, want, monday, "robot")
		}
		if got, ok := ramp.Cleared(l.Share); got != want || !ok || ramp.Fits(l) != nil {
			t.Errorf("a line that has cleared %d steps has cleared %d (%t): %v", want, got, ok, ramp.Fits(l))
		}
	}
	for name, change := range map[string]func(l *Line){
		"of another rule":                func(l *Line) { l.Rule = "other" },
		"with another hash":              func(l *Line) { l.Plan = "abc" },
		"with another share":             func(l *Line) { l.Share = 20_000_001 },
		"with the share of another step": func(l *Line) { l.Share = ramp.Steps[0].To },
	} {
		other := l
		change(&other)
		if err := ramp.Fits(other); err == nil {
			t.Errorf("a line %s fits", name)
		}
	}
}

// TestGet: a plan without a line has one that has cleared nothing and goes on.
func TestGet(t *testing.T) {
	one := NewLine(ramp).Clear(ramp, 1, monday, "robot")
	lines := Lines{one.Key(): one}
	if got := lines.Get(ramp); got != one {
		t.Errorf("a plan with a line: %v", got)
	}
	other := *ramp
	other.Environment = "staging"
	if got := lines.Get(&other); got != NewLine(&other) || got.State != Running || got.Count != 0 {
		t.Errorf("a plan without one: %v", got)
	}
}
