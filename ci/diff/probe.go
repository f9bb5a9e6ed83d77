package diff

import (
	"fmt"
	"slices"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// A segment that ten thousand flags use may change by one member. Flags whose own
// rules are as they were serve the same to all for whom the conditions that refer to
// what has changed hold as before: so these conditions are asked first, and the
// flags only for the few for whom one of them differs.

// maxProbed bounds the jobs that have probes, each of which is compiled apart.
const maxProbed = 16

// newJobs returns what is to be counted of flags.
func newJobs(c *comparison, flags []Flag, p *Population) ([]*job, error) {
	var list []*job
	var probes [][]evaluator.Condition
	at := make(map[string]int) // jobs, by their probes
	for i := range flags {
		f := &flags[i]
		all := slices.ContainsFunc(f.Groups, func(g Group) bool { return g.Rule == "" })
		if f.Change != Changed || all || len(f.Groups) > 0 && (p == nil || p.invented) {
			continue
		}
		was, is := c.old.places[f.Key], c.new.places[f.Key]
		var leaves []evaluator.Condition
		if f.reachedOnly() {
			c.enter(was, is)
			leaves = c.changedLeaves(is.flag)
		}
		key := probesKey(leaves)
		if _, ok := at[key]; !ok && len(at) >= maxProbed {
			key, leaves = "", nil
		}
		k, ok := at[key]
		if !ok {
			k = len(list)
			at[key] = k
			list, probes = append(list, new(job)), append(probes, leaves)
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

// reachedOnly reports whether nothing of a flag itself differs that has a say in
// what it serves, but things that its conditions refer to.
func (f *Flag) reachedOnly() bool {
	return !slices.ContainsFunc(f.Edits, func(e Edit) bool {
		switch e.Kind {
		case KindSegment, KindPrerequisite, KindZone, KindAttribute:
			return false
		}
		return e.Kind.serves()
	})
}

// changedLeaves returns the comparisons of a flag that refer to what differs.
func (c *comparison) changedLeaves(f *evaluator.Flag) []evaluator.Condition {
	var list []evaluator.Condition
	var visit func(*evaluator.Condition)
	visit = func(cond *evaluator.Condition) {
		for i := range cond.Of {
			visit(&cond.Of[i])
		}
		same := func(have evaluator.Condition) bool { return compareConditions(have, *cond) == 0 }
		if len(cond.Of) == 0 && len(c.reach(cond, make(map[reference]bool))) > 0 && !slices.ContainsFunc(list, same) {
			list = append(list, *cond)
		}
	}
	for i := range f.Rules {
		if when := f.Rules[i].When; when != nil {
			visit(when)
		}
	}
	slices.SortFunc(list, compareConditions)
	return list
}

// probesKey returns what is equal for equal probes, "" if there are none, or such
// as take longer than what they spare.
func probesKey(probes []evaluator.Condition) string {
	const most = 4096
	var b strings.Builder
	for _, p := range probes {
		if len(p.Strings)+len(p.Ints) > most/8 || b.Len() > most {
			return ""
		}
		fmt.Fprintf(&b, "%d %q %v %q %v\n", p.Op, p.Attribute, p.Fold, p.Strings, p.Ints)
	}
	return b.String()
}

// probe compiles probes, if the namespaces agree on what they refer to.
func (j *job) probe(probes []evaluator.Condition) {
	if probesKey(probes) == "" || len(j.oldSets) != 1 || len(j.newSets) != 1 {
		return
	}
	var flags []evaluator.Flag
	for i := range probes {
		flags = append(flags, evaluator.Flag{
			Key: fmt.Sprintf(":%d", i), Type: evaluator.Boolean, // no flag of a file has a colon
			Variants: []evaluator.Variant{{Name: "no", Value: evaluator.BoolValue(false)}, {Name: "yes", Value: evaluator.BoolValue(true)}},
			Rules:    []evaluator.Rule{{Name: "probe", When: &probes[i], Variant: 1}},
		})
	}
	compile := func(set *evaluator.Ruleset) *evaluator.Program {
		program, err := evaluator.Compile(newIndex(set).ruleset(set, flags))
		if err != nil {
			return nil // then everybody is looked at
		}
		return program
	}
	if j.oldProbe, j.newProbe = compile(&j.oldSets[0]), compile(&j.newSets[0]); j.newProbe == nil {
		j.oldProbe = nil
	}
}

// passes reports whether somebody needn't be looked at.
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
