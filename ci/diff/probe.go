package diff

import (
	"fmt"
	"slices"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// A segment that ten thousand flags use may change by one member, or one city be
// added to the same condition of a thousand. If nothing else differs, such flags serve
// the same wherever these conditions hold as before. So the conditions are evaluated
// first, and the flags only where one of them differs.

// A probe is a condition that has changed, or refers to what has. Both forms are
// normal.
type probe struct{ old, new evaluator.Condition }

// maxProbed bounds the jobs that have probes, each of which is compiled apart, and evaluated for each
// person.
const maxProbed = 16

// newJobs returns the jobs that count flags. Flags with the same probes share a job: a context that passes
// the probes needn't be evaluated for any of them.
func newJobs(c *comparison, flags []Flag) ([]*job, error) {
	var list []*job
	var probes [][]probe
	at := make(map[string]int) // jobs, by their probes
	for i := range flags {
		f := &flags[i]
		if !f.compared() || f.Verdict == VerdictNobody {
			continue
		}
		was, is := c.old.places[f.Key], c.new.places[f.Key]
		var asked []probe
		if f.conditionsOnly() {
			c.enter(was, is)
			asked = c.probes(was.flag, is.flag)
		}
		key := probesKey(asked)
		// Beyond the limit, flags go without probes: that is slower, but counts the same.
		if _, ok := at[key]; !ok && len(at) >= maxProbed {
			key, asked = "", nil
		}
		k, ok := at[key]
		if !ok {
			k = len(list)
			at[key] = k
			list, probes = append(list, new(job)), append(probes, asked)
		}
		list[k].add(f, was.flag, is.flag)
	}
	for i, j := range list {
		if err := j.compile(c, probes[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// conditionsOnly reports whether nothing of a flag that has a say in what it serves
// differs but conditions, and things that they refer to. Then whoever meets the same conditions on both
// sides gets the same value.
func (f *Flag) conditionsOnly() bool {
	return !slices.ContainsFunc(f.Edits, func(e Edit) bool {
		switch e.Kind {
		case kindCondition, kindSegment, kindPrerequisite, kindZone, kindAttribute:
			return false
		}
		return e.Kind.serves()
	})
}

// probes returns the conditions of two flags' rules, which are the same but for
// these, that differ or have a part that refers to what does.
func (c *comparison) probes(old, new *evaluator.Flag) []probe {
	var list []probe
	add := func(p probe) {
		same := func(q probe) bool {
			return compareConditions(p.old, q.old) == 0 && compareConditions(p.new, q.new) == 0
		}
		if !slices.ContainsFunc(list, same) {
			list = append(list, p)
		}
	}
	for i := range new.Rules {
		// Only conditions differ, so rules stand at the same places.
		p := probe{normal(old.Rules[i].When), normal(new.Rules[i].When)}
		if compareConditions(p.old, p.new) != 0 {
			add(p)
			continue
		}
		c.changedLeaves(&p.new, func(leaf evaluator.Condition) { add(probe{leaf, leaf}) })
	}
	return list
}

// changedLeaves finds the comparisons that refer to what differs.
func (c *comparison) changedLeaves(cond *evaluator.Condition, found func(evaluator.Condition)) {
	for i := range cond.Of {
		c.changedLeaves(&cond.Of[i], found)
	}
	if len(cond.Of) == 0 && len(c.reach(cond, make(map[reference]bool))) > 0 {
		found(*cond)
	}
}

// maxProbe bounds the length of what is asked: what takes longer spares little.
const maxProbe = 4096

// probesKey returns what is equal for equal probes, "" if there are none or they are
// too long.
func probesKey(probes []probe) string {
	var b strings.Builder
	for i := range probes {
		addProbe(&b, &probes[i].old)
		addProbe(&b, &probes[i].new)
	}
	if b.Len() > maxProbe {
		return ""
	}
	return b.String()
}

// addProbe writes a condition, quoted so that no two conditions are written alike.
func addProbe(b *strings.Builder, c *evaluator.Condition) {
	if b.Len() > maxProbe {
		return
	}
	if len(c.Strings)+len(c.Ints) > maxProbe {
		b.WriteString(strings.Repeat(" ", maxProbe+1)) // too long
		return
	}
	fmt.Fprintf(b, "%d %q %v %q %v %d\n", c.Op, c.Attribute, c.Fold, c.Strings, c.Ints, len(c.Of))
	for i := range c.Of {
		addProbe(b, &c.Of[i])
	}
}

// probe compiles probes, if the namespaces agree on what they refer to.
func (j *job) probe(probes []probe) {
	if probesKey(probes) == "" || len(j.oldSets) != 1 || len(j.newSets) != 1 {
		return
	}
	compile := func(set *evaluator.Ruleset, when func(*probe) *evaluator.Condition) *evaluator.Program {
		with := *set
		with.Flags = slices.Clip(set.Flags)
		keys := make([]string, len(probes))
		for i := range probes {
			keys[i] = fmt.Sprintf(":%d", i)
			with.Flags = append(with.Flags, evaluator.Flag{
				Key: keys[i], Type: evaluator.KindBool, // no flag of a file has a colon
				Variants: []evaluator.Variant{{Name: "no", Value: evaluator.BoolValue(false)},
					{Name: "yes", Value: evaluator.BoolValue(true)}},
				Rules: []evaluator.Rule{{Name: "probe", When: when(&probes[i]), Variant: 1}},
			})
		}
		program, err := evaluator.Compile(with.Only(keys...))
		if err != nil {
			return nil // then everybody is looked at
		}
		return program
	}
	j.oldProbe = compile(&j.oldSets[0], func(p *probe) *evaluator.Condition { return &p.old })
	j.newProbe = compile(&j.newSets[0], func(p *probe) *evaluator.Condition { return &p.new })
	if j.newProbe == nil {
		j.oldProbe = nil
	}
}

// passes reports whether a context can be skipped, because all probes come out the same on both sides.
func (j *job) passes(ctx *evaluator.Context) bool {
	if j.oldProbe == nil {
		return false
	}
	for f := range j.oldProbe.Flags() {
		if f.Evaluate(ctx).Variant() != j.newProbe.Flag(f.Key()).Evaluate(ctx).Variant() {
			return false
		}
	}
	return true
}
