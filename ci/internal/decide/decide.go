// Package decide finds out whether two flags serve the same to everybody, and if
// not, to whom they don't.
package decide

import (
	"fmt"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/values"
)

// A Side is a flag of a ruleset.
type Side struct {
	Set  *evaluator.Ruleset
	Flag *evaluator.Flag
}

// A Comparer compares flags of rulesets, which mustn't change meanwhile.
type Comparer struct {
	now     int64
	indexes map[*evaluator.Ruleset]*index
	lists   map[listKey]*list
	diffs   map[[2]*list]listDiff
	atoms   map[string]*atom
	domains map[string]*domain
	steps   int // how many a comparison of two flags may take
}

// MaxSteps bounds the memory and the time that a comparison of two flags takes: nodes
// of diagrams, and how often they are looked at.
const MaxSteps = 1 << 19

// New returns a Comparer for a present. A comparison that looks at everything takes so
// many steps at most, and otherwise twice as many.
func New(now int64, steps int) *Comparer {
	return &Comparer{
		now: now, indexes: make(map[*evaluator.Ruleset]*index), lists: make(map[listKey]*list),
		diffs: make(map[[2]*list]listDiff), atoms: make(map[string]*atom), domains: make(map[string]*domain),
		steps: steps,
	}
}

// domain returns the classes of a domain, which are found once for equal ones.
func (c *Comparer) domain(d *domain) *domain {
	key := fmt.Sprintf("%v %v %p", d.unit, d.types, d.atoms)
	known, ok := c.domains[key]
	if !ok {
		d.build(c)
		known = d
		c.domains[key] = d
	}
	out := *known
	out.name = d.name
	return &out
}

func (c *Comparer) same(a, b evaluator.Value) bool { return values.Same(a, b) }

// An index finds the parts of a ruleset by their names.
type index struct {
	attributes map[string]evaluator.AttributeType
	zones      map[string]*evaluator.Zone
	segments   map[string]*evaluator.Segment
	flags      map[string]*evaluator.Flag
	units      map[string]bool // attributes that flags or conditions are bucketed by
	set        *evaluator.Ruleset
	program    *evaluator.Program
}

// compiled returns the ruleset as the evaluator has it.
func (x *index) compiled() *evaluator.Program {
	if x.program == nil {
		x.program, _ = evaluator.Compile(*x.set) // of one that isn't valid, there are no examples
	}
	return x.program
}

func (c *Comparer) index(set *evaluator.Ruleset) *index {
	if x, ok := c.indexes[set]; ok {
		return x
	}
	x := &index{
		set:        set,
		attributes: make(map[string]evaluator.AttributeType), zones: make(map[string]*evaluator.Zone),
		segments: make(map[string]*evaluator.Segment), flags: make(map[string]*evaluator.Flag),
		units: make(map[string]bool),
	}
	for _, a := range set.Attributes {
		x.attributes[a.Name] = a.Type
	}
	for i := range set.Zones {
		x.zones[set.Zones[i].Name] = &set.Zones[i]
	}
	for i := range set.Segments {
		x.segments[set.Segments[i].Name] = &set.Segments[i]
		x.addUnits(set.Segments[i].When)
	}
	for _, flags := range [][]evaluator.Flag{set.Prerequisites, set.Flags} {
		for i := range flags {
			f := &flags[i]
			x.flags[f.Key] = f
			if f.Reserved != nil {
				x.units[f.Reserved.By] = true
			}
			for j := range f.Rules {
				if s := f.Rules[j].Split; s != nil {
					x.units[s.By] = true
				}
				x.addUnits(f.Rules[j].When)
			}
		}
	}
	c.indexes[set] = x
	return x
}

// addUnits adds the attributes that a condition computes positions of.
func (x *index) addUnits(c *evaluator.Condition) {
	if c == nil {
		return
	}
	for part := range c.Walk() {
		if part.Op == evaluator.OpBucket {
			x.units[part.Attribute] = true
		}
	}
}
