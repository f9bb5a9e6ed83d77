package plans

import (
	"fmt"
	"strings"

	"github.com/serin-flags/serin/ci"
)

// Changes says, a line each, how releases differ that have got as far as the lines old and new
// say: their shares, states and approvals. Some of that gives nobody another value yet: an
// approval lets a guard expose more people later.
func Changes(old, new ci.ReleaseLines) (list []string) {
	for _, line := range new.Sorted() {
		before, known := old[line.Key()]
		if !known {
			before = ci.NewReleaseLine(&ci.Plan{})
		}
		if text := change(before, line); text != "" {
			list = append(list, fmt.Sprintf("the release of %s in %s: %s", line.Flag, line.Environment, text))
		}
	}
	for _, line := range old.Sorted() {
		if _, kept := new[line.Key()]; !kept {
			list = append(list, fmt.Sprintf("the release of %s in %s: its line is gone from %s", line.Flag,
				line.Environment, ci.ReleasesFile))
		}
	}
	return list
}

// change says what one line lets happen that another doesn't, or "".
func change(old, new ci.ReleaseLine) string {
	var parts []string
	if old.Share != new.Share {
		parts = append(parts, fmt.Sprintf("cleared up to %v → %v", old.Share, new.Share))
	}
	if old.State != new.State {
		text := fmt.Sprintf("%s → %s", old.State.Words(), new.State.Words())
		if new.Why != "" {
			text += ": " + new.Why
		}
		parts = append(parts, text)
	}
	switch {
	case old.Approved == new.Approved:
	case new.Approved == 0:
		parts = append(parts, "no step is approved any more")
	default:
		parts = append(parts, fmt.Sprintf("approved up to %v", new.Approved))
	}
	return strings.Join(parts, "; ")
}
