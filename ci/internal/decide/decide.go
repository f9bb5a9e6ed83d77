// Package decide finds out whether two flags serve the same to everybody and, if not,
// who gets a different value.
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

// An Index finds the parts of a ruleset by their names.
type Index struct {
	Attributes map[string]evaluator.AttributeType
	Zones      map[string]*evaluator.Zone
	Segments   map[string]*evaluator.Segment
	Flags      map[string]*evaluator.Flag // those that others depend on included
}

// NewIndex returns the index of a ruleset, whose parts it points to.
func NewIndex(set *evaluator.Ruleset) Index {
	x := Index{
		Attributes: make(map[string]evaluator.AttributeType, len(set.Attributes)),
		Zones:      make(map[string]*evaluator.Zone, len(set.Zones)),
		Segments:   make(map[string]*evaluator.Segment, len(set.Segments)),
		Flags:      make(map[string]*evaluator.Flag, len(set.Flags)+len(set.Prerequisites)),
	}
	for _, a := range set.Attributes {
		x.Attributes[a.Name] = a.Type
	}
	for i := range set.Zones {
		x.Zones[set.Zones[i].Name] = &set.Zones[i]
	}
	for i := range set.Segments {
		x.Segments[set.Segments[i].Name] = &set.Segments[i]
	}
	for _, flags := range [][]evaluator.Flag{set.Prerequisites, set.Flags} {
		for i := range flags {
			x.Flags[flags[i].Key] = &flags[i]
		}
	}
	return x
}

// An index is that of a ruleset that is compared.
type index struct {
	Index
	units   map[string]bool // attributes that flags or conditions are bucketed by
	set     *evaluator.Ruleset
	program *evaluator.Program
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
	x := &index{Index: NewIndex(set), set: set, units: make(map[string]bool)}
	for _, segment := range x.Segments {
		x.addUnits(segment.When)
	}
	for _, f := range x.Flags {
		if f.Reserved != nil {
			x.units[f.Reserved.By] = true
		}
		for i := range f.Rules {
			if s := f.Rules[i].Split; s != nil {
				x.units[s.By] = true
			}
			x.addUnits(f.Rules[i].When)
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
