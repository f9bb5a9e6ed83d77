package lint

import (
	"slices"

	"github.com/serin-flags/serin/ci/internal/lang"
	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/from"
)

// claims warns of rules that single people out by an attribute that visitors can choose:
// anyone could claim to be one of them.
func (l *linter) claims(f *lang.Flag) {
	for i := range f.Bodies {
		b := &f.Bodies[i]
		for _, r := range b.Rules {
			if r.When == nil {
				continue
			}
			for c := range r.When.Walk() {
				a := l.estate.Known.Attributes[c.Attribute]
				if a != nil && singlesOut(c, a) && slices.ContainsFunc(a.From, from.Source.Untrusted) {
					l.warn(problem.LintClaimedAttribute, f.File, r.WhenAt,
						"%srule %q is for chosen people, but visitors can set %q as they like; take it from a trusted header",
						b.Place(), r.Name, a.Name)
					break
				}
			}
		}
	}
}

// singlesOut reports whether a condition is about certain people: members of a segment, or
// some units.
func singlesOut(c *evaluator.Condition, a *lang.Attribute) bool {
	return c.Op == evaluator.OpInSegment || c.Op == evaluator.OpOneOf && a.Unit
}
