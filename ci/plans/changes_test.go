package plans_test

import (
	"slices"
	"testing"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/plans"
)

// TestChanges checks what is said of lines that differ.
func TestChanges(t *testing.T) {
	line := func(flag string, share ci.Share) ci.ReleaseLine {
		return ci.ReleaseLine{Flag: flag, Environment: "production", State: "running", Share: share, Count: 3}
	}
	lines := func(list ...ci.ReleaseLine) ci.ReleaseLines {
		all := make(ci.ReleaseLines)
		for _, l := range list {
			all[l.Key()] = l
		}
		return all
	}
	const percent = ci.WholeShare / 100
	held, approved, later := line("a", percent), line("a", percent), line("a", percent)
	held.State, held.Why = ci.ReleaseHeld, "holidays"
	approved.Approved = 50 * percent
	later.Count, later.By = 9, "guard"
	for _, c := range []struct {
		name     string
		old, new ci.ReleaseLines
		want     []string
	}{
		{"nothing", lines(line("a", percent)), lines(later), nil},
		{"a share", lines(line("a", percent)), lines(line("a", 5*percent)), []string{"the release of a in production: cleared up to 1% → 5%"}},
		{"a new line", nil, lines(line("a", percent)), []string{"the release of a in production: cleared up to 0% → 1%"}},
		{"a line that is gone", lines(line("a", percent)), nil, []string{"the release of a in production: its line is gone from releases.lock"}},
		{"held", lines(line("a", percent)), lines(held), []string{"the release of a in production: running → held: holidays"}},
		{"resumed", lines(held), lines(line("a", percent)), []string{"the release of a in production: held → running"}},
		{"approved", lines(line("a", percent)), lines(approved), []string{"the release of a in production: approved up to 50%"}},
		{"not approved any more", lines(approved), lines(line("a", 0)),
			[]string{"the release of a in production: cleared up to 1% → 0%; no step is approved any more"}},
		{"two", lines(line("b", percent), line("a", percent)), lines(line("b", 0), approved),
			[]string{"the release of a in production: approved up to 50%",
				"the release of b in production: cleared up to 1% → 0%"}},
	} {
		if got := plans.Changes(c.old, c.new); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}
