package evaluator_test

import (
	"fmt"

	"github.com/serin-flags/serin/evaluator"
)

// compareTrace holds an explanation to the naive interpreter: the answer, which
// rules were reached and matched, and for every part of a condition whether it
// holds.
func compareTrace(n naive, f evaluator.Flag, t evaluator.Trace) error {
	want := n.flag(f)
	got := answer{t.Value, t.Variant, t.Rule, t.Reason, t.MissingUnit, want.Metadata}
	if err := differ("explained", got, want); err != nil {
		return err
	}
	if t.Flag != f.Key || len(t.Rules) != len(f.Rules) {
		return fmt.Errorf("the trace is of %q with %d rules, want %q with %d", t.Flag, len(t.Rules), f.Key,
			len(f.Rules))
	}
	if (t.Stale != nil) != (f.Stale != nil && !f.Disabled) {
		return fmt.Errorf("the trace has a look at the age: %v", t.Stale)
	}
	if t.Stale != nil &&
		*t.Stale != (evaluator.StaleTrace{Age: n.ctx.Age, After: f.Stale.After,
			Stale: n.ctx.Age > int64(f.Stale.After)}) {
		return fmt.Errorf("age: %+v", *t.Stale)
	}
	reached := want.Reason != evaluator.ReasonDisabled && want.Reason != evaluator.ReasonStale
	if t.Reserved != nil {
		if err := n.compareDraw(t.Reserved, f.Reserved.Bucketing, "", boundaries(f.Reserved)); err != nil {
			return fmt.Errorf("reservation: %w", err)
		}
		reached = t.Reserved.Within
	} else if f.Reserved != nil && reached && len(f.Rules) > 0 {
		return fmt.Errorf("the trace lacks the reservation")
	}
	for i, r := range f.Rules {
		if err := n.compareRule(f, r, t.Rules[i], reached); err != nil {
			return fmt.Errorf("rule %q: %w", r.Name, err)
		}
		reached = reached && !t.Rules[i].Matched
	}
	if reached != (want.Rule == "" && want.Reason == evaluator.ReasonDefault &&
		(t.Reserved == nil || t.Reserved.Within)) && len(f.Rules) > 0 {
		return fmt.Errorf("by the trace no rule matched: %v, but %v", reached, want)
	}
	return nil
}

func (n naive) compareRule(f evaluator.Flag, r evaluator.Rule, t evaluator.RuleTrace, reached bool) error {
	if t.Name != r.Name || t.Reached != reached {
		return fmt.Errorf("the trace says %q, reached %v, want reached %v", t.Name, t.Reached, reached)
	}
	if !reached {
		if t.Matched || t.When != nil || t.Draw != nil {
			return fmt.Errorf("it was not reached, but matched or was looked at")
		}
		return nil
	}
	holds := r.When == nil || n.holds(*r.When)
	if (t.When == nil) != (r.When == nil) {
		return fmt.Errorf("it has a condition or not: %v", t.When)
	}
	if r.When != nil {
		if err := n.compareCondition(*r.When, *t.When); err != nil {
			return err
		}
	}
	matched := holds
	if (t.Draw != nil) != (holds && r.Split != nil) {
		return fmt.Errorf("there is a draw or not: %v", t.Draw)
	}
	if t.Draw != nil {
		position, ok := n.position(r.Split.Bucketing)
		matched = ok
		variant := ""
		if ok {
			variant = f.Variants[n.choose(*r.Split, position)].Name
		}
		if err := n.compareDraw(t.Draw, r.Split.Bucketing, variant, n.ends(*r.Split)); err != nil {
			return err
		}
	}
	if t.Matched != matched {
		return fmt.Errorf("matched is %v, want %v", t.Matched, matched)
	}
	return nil
}

// ends returns where the ranges of a split end. 7.5, 7.6.
func (n naive) ends(s evaluator.Split) []uint64 {
	if s.Ramp != nil {
		return []uint64{naiveLevel(*s.Ramp, n.ctx.Now).Uint64(), naiveTotal(s.Bucketing)}
	}
	var ends []uint64
	for _, r := range s.Ranges {
		ends = append(ends, r.To)
	}
	return ends
}

// boundaries returns where spans, and the gaps between them, end.
func boundaries(r *evaluator.Reservation) []uint64 {
	var ends []uint64
	for _, s := range r.Spans {
		ends = append(ends, s.From, s.To)
	}
	return append(ends, naiveTotal(r.Bucketing))
}

// compareDraw holds a draw to the position, and to the range between two ends
// that it lies in.
func (n naive) compareDraw(d *evaluator.Draw, b evaluator.Bucketing, variant string, ends []uint64) error {
	position, ok := n.position(b)
	from, to := uint64(0), uint64(0)
	for _, to = range ends {
		if position < to {
			break
		}
		from = to
	}
	switch {
	case d.By != b.By || d.Salt != b.Salt || d.Hash != b.Hash || d.Positions != naiveTotal(b) || d.Missing != !ok:
		return fmt.Errorf("the draw %+v is not by %+v", *d, b)
	case !ok:
		return nil
	case d.Position != position || d.From != from || d.To != to || d.Variant != variant:
		return fmt.Errorf("the draw %+v is not that of position %d, in %d to %d, and variant %q", *d, position, from,
			to, variant)
	}
	return nil
}

// compareAsked holds the words that a condition has by itself to those of its
// trace.
func (n naive) compareAsked(c evaluator.Condition, t evaluator.ConditionTrace) error {
	var typ evaluator.AttributeType
	for _, a := range n.set.Attributes {
		if a.Name == c.Attribute {
			typ = a.Type
		}
	}
	got := c.Asked(typ)
	if c.Op == evaluator.OpOneOf && typ == evaluator.AttrString && len(c.Strings) > 1 {
		// Compiled, a long list is in order, and has each text once.
		got, t.Asked = got[:len("one of ")], t.Asked[:len("one of ")]
	}
	if got != t.Asked {
		return fmt.Errorf("a condition asks %q, but its trace %q", got, t.Asked)
	}
	return nil
}

// compareCondition goes through a condition and its trace side by side.
func (n naive) compareCondition(c evaluator.Condition, t evaluator.ConditionTrace) error {
	if t.Holds != n.holds(c) {
		return fmt.Errorf("the trace says %v of %v %s", t.Holds, t.Op, t.Asked)
	}
	switch c.Op {
	case evaluator.OpAll, evaluator.OpAny, evaluator.OpNot:
		if t.Op != c.Op.String() || len(t.Of) != len(c.Of) {
			return fmt.Errorf("the trace has %v of %d, want %v of %d", t.Op, len(t.Of), c.Op, len(c.Of))
		}
		for i := range c.Of {
			if err := n.compareCondition(c.Of[i], t.Of[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if t.Op != "comparison" || t.Attribute != c.Attribute || c.Attribute != "" && t.Value != n.value(c.Attribute) {
		return fmt.Errorf("the trace has %v of %q, want %v of %q", t.Op, t.Attribute, c.Op, c.Attribute)
	}
	if err := n.compareAsked(c, t); err != nil {
		return err
	}
	if (t.Draw != nil) != (c.Op == evaluator.OpBucket) {
		return fmt.Errorf("the trace of %v has a draw or not: %v", c.Op, t.Draw)
	}
	if c.Op == evaluator.OpBucket && !t.Draw.Missing {
		position, _ := n.position(conditionBucketing(c))
		if d := t.Draw; d.Position != position || d.Hash != c.Strings[0] || d.Within != t.Holds ||
			d.From != uint64(c.Ints[1]) || d.To != uint64(c.Ints[2]) {
			return fmt.Errorf("the draw %+v is not that of position %d", *d, position)
		}
	}
	for _, s := range n.set.Segments {
		if c.Op == evaluator.OpInSegment && s.Name == c.Strings[0] && len(t.Of) > 0 {
			return n.compareCondition(*s.When, t.Of[0])
		}
	}
	for _, flags := range [][]evaluator.Flag{n.set.Flags, n.set.Prerequisites} {
		for _, f := range flags {
			if t.Prerequisite != nil && f.Key == c.Strings[0] {
				return compareTrace(n, f, *t.Prerequisite)
			}
		}
	}
	return nil
}
