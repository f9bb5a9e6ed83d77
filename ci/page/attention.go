package page

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/plans"
	"github.com/serin-flags/serin/internal/display"
)

// privateLints are those whose words quote what a list holds.
var privateLints = []string{"confusing-character", "duplicate-id", "email-address", "list-format", "secret",
	"stray-space"}

// warning returns the words of a warning, unless they may have IDs in them, or the names of
// flags that the viewer may not see.
func (v *view) warning(p ci.Problem) string {
	if !v.all || slices.Contains(privateLints, p.Lint) {
		return "'serin check' says more."
	}
	return display.Line(p.Message)
}

// A concern is something that needs attention.
type concern struct {
	Key  string // of a flag, "" for none
	What string
	Text string
	File string
}

// An ownership is what needs the attention of an owner.
type ownership struct {
	Owner    string
	Concerns []concern
}

// attention returns what needs attention, by owners.
func (v *view) attention() []ownership {
	byOwner := make(map[string][]concern)
	put := func(f *flag, what, text, file string) {
		byOwner[f.Owner] = append(byOwner[f.Owner], concern{f.Key, what, display.Line(text), file})
	}
	for _, f := range v.flags {
		for _, p := range v.lints.of[f.Key] {
			put(f, p.Lint, v.warning(p), fmt.Sprintf("%s:%d", p.File, p.Line))
		}
		for _, is := range f.variants {
			env := strings.Join(is.environments, ", ")
			switch is.line.State {
			case ci.ReleaseHeld:
				put(f, "held plan", fmt.Sprintf("In %s the plan is held at %v: %s", env, is.line.Share, is.line.Why),
					"")
			case ci.ReleaseBack:
				put(f, "rolled back",
					fmt.Sprintf("In %s the plan was rolled back to %v: %s", env, is.line.Share, is.line.Why), "")
			}
			if share, waits := awaitsApproval(is, v.now); waits {
				put(f, "approval", fmt.Sprintf("In %s the step to %v waits for an approval.", env, share), "")
			}
		}
	}
	var list []ownership
	for _, owner := range slices.Sorted(maps.Keys(byOwner)) {
		list = append(list, ownership{display.Line(owner), byOwner[owner]})
	}
	if general := v.generalConcerns(); len(general) > 0 {
		list = append([]ownership{{"The flag folder as a whole", general}}, list...)
	}
	return list
}

// awaitsApproval reports whether the next step of a running plan, to the share that it returns,
// may be taken by now but for an approval.
func awaitsApproval(is *variation, now time.Time) (to ci.Share, waits bool) {
	if is.plan == nil || !is.running() {
		return 0, false
	}
	for _, s := range plans.Stages(is.plan, is.line, now) {
		if !s.Cleared {
			return s.Share, s.Approval && !s.At.After(now)
		}
	}
	return 0, false
}

// soonExpires is how long before metadata expires it needs attention.
const soonExpires = 7 * 24 * time.Hour

// generalConcerns returns what is about no flag.
func (v *view) generalConcerns() []concern {
	var list []concern
	if at := v.source.Expires; !at.IsZero() && at.Sub(v.now) < soonExpires {
		list = append(list, concern{What: "expiring metadata", Text: fmt.Sprintf(
			"The published metadata expires at %s. Run 'serin publish --renew'.", clock(at.Unix()))})
	}
	if !v.all {
		return list // files may be about what the viewer may not see
	}
	for _, p := range v.lints.general {
		list = append(list, concern{What: p.Lint, Text: v.warning(p), File: fmt.Sprintf("%s:%d", p.File, p.Line)})
	}
	return list
}
