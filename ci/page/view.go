package page

import (
	"time"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/display"
	"github.com/serin-flags/serin/internal/served"
)

// A view is what one viewer sees of a model at a time.
type view struct {
	*Model
	all   bool // the viewer sees every flag
	may   Sees
	flags []*flag // those that the viewer sees
	index []entry // of these
	lints *lints
	now   time.Time
}

// newView returns a view of those flags that may reports; nil: of all.
func newView(m *Model, may Sees, now time.Time) *view {
	is := m.at(now)
	v := &view{Model: m, all: may == nil, may: may, flags: m.flags, index: is.index, lints: is.lints, now: now}
	if v.all {
		return v
	}
	v.flags, v.index = nil, nil
	for i, f := range m.flags {
		if v.sees(f.Key) {
			v.flags, v.index = append(v.flags, f), append(v.index, is.index[i])
		}
	}
	return v
}

// sees reports whether the viewer sees a flag of the model.
func (v *view) sees(key string) bool {
	if v.all {
		return true
	}
	f := v.byKey[key]
	return f != nil && v.seesIn(key, f.Namespace)
}

// seesIn reports whether the viewer sees a flag that is or was in a namespace.
func (v *view) seesIn(key, namespace string) bool {
	return v.all || v.may(key, namespace, v.public[namespace])
}

func (v *view) speaker() speaker { return speaker{v.Model, v.sees} }

// servesWords says what a flag serves now to those whom no rule with a condition matches.
func servesWords(f *evaluator.Flag, now int64) string {
	conditional, shares := served.Now(f, now)
	text := served.Words(shares)
	switch {
	case f.Disabled:
		return text + " (disabled)"
	case len(conditional) > 0:
		text = counted(len(conditional), "%d rule", "%d rules") + ", else " + text
	}
	if f.Reserved != nil {
		text += " (in layer " + f.Reserved.Layer + ")"
	}
	return display.Line(text)
}

// nextChange returns when a variation next changes by itself, in Unix seconds, or 0.
func nextChange(v *variation, now time.Time) int64 {
	if v.plan != nil {
		if c := planCurve(v.plan, v.line, now); !c.NextAt.IsZero() {
			return c.NextAt.Unix()
		}
		return 0
	}
	return served.NextChange(v.flag, now.Unix())
}
