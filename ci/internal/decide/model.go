package decide

import (
	"slices"

	"github.com/serin-flags/serin/evaluator"
)

// A problem is two flags to be compared, taken apart: the attributes, positions and
// times that they tell apart.
type problem struct {
	c        *Comparer
	sides    [2]*index
	flags    [2]*evaluator.Flag
	domains  []*domain
	cases    [][]fixed // of each domain
	drawings []*drawing
	ramps    []*ramp
	periods  []*evaluator.Condition
	windows  []window
	clocks   []clock
	events   []int64 // when what time has to do with changes
	ages     []int64 // from which on flags are stale
	unit     string  // of the new side, "" if that of the old side is another
	room     int     // steps left
	hidden   *hidden // what is opaque; nil: nothing
	opaques  []opaque
	numbers  map[string]int // of opaques, by key
	complete bool           // every context is in one of the cases

	atoms   map[conditionIn]*atom
	visited [2]map[string]bool // flags and segments, whose names can't be equal by the sign before them
	served  []served
	codes   map[served]int
	values  []evaluator.Variant // outcomes: by a variant's name and value
}

// A drawing is what positions are found by. Units have the same position in two
// drawings that are equal. Positions in others have nothing to do with each other.
type drawing struct {
	evaluator.Bucketing
	domain int      // of By; -1 by chance
	ends   []uint64 // of its cells, ascending, the last one Total
}

// A fixed is a class, or those of its named values that have the same cells.
type fixed struct {
	*class
	named []evaluator.Value
	cells []int // of each drawing by the attribute, in the order of drawings
}

// A ramp is one that splits of one drawing have.
type ramp struct {
	drawing int
	ramp    *evaluator.Ramp
	points  []evaluator.Point // without those that make no difference
}

// A window is a condition, and how to tell whether it holds.
type window struct {
	conditionIn
	zone  *evaluator.Zone
	holds func(now int64) bool
}

// A served is a rule, by its number, or how many there are for the default, and what
// somebody is served, by its number in values.
type served struct{ rule, outcome int }

func (c *Comparer) newProblem(old, new Side, h *hidden) *problem {
	p := &problem{
		c: c, sides: [2]*index{c.index(old.Set), c.index(new.Set)}, flags: [2]*evaluator.Flag{old.Flag, new.Flag},
		atoms: make(map[conditionIn]*atom), codes: make(map[served]int), complete: true, room: c.steps,
		hidden: h, numbers: make(map[string]int),
	}
	if h != nil {
		p.room = h.room
	}
	for side, f := range p.flags {
		p.visited[side] = make(map[string]bool)
		p.addFlag(side, f)
	}
	if a, b := old.Set.Unit, new.Set.Unit; a != b {
		known := func(d *domain) bool { return d.name == a || d.name == b }
		p.complete = !slices.ContainsFunc(p.domains, known) // a key would stand for one on one side alone
	}
	if old.Set.Unit == new.Set.Unit {
		p.unit = new.Set.Unit
	}
	for i, d := range p.domains {
		d.unit = d.unit || d.name == new.Set.Unit
		p.domains[i] = c.domain(d)
		p.complete = p.complete && p.domains[i].complete
	}
	p.times()
	p.cut()
	return p
}

// first visits something once.
func (p *problem) first(side int, name string) bool {
	seen := p.visited[side][name]
	p.visited[side][name] = true
	return !seen
}

func (p *problem) addFlag(side int, f *evaluator.Flag) {
	if f.Disabled || !p.first(side, "flag "+f.Key) {
		return
	}
	if f.Stale != nil {
		p.ages = append(p.ages, int64(f.Stale.After)+1)
	}
	if len(f.Rules) == 0 {
		return
	}
	if r := f.Reserved; r != nil {
		d := p.drawing(r.Bucketing)
		for _, s := range r.Spans {
			p.drawings[d].ends = append(p.drawings[d].ends, s.From, s.To)
		}
	}
	for i := range f.Rules {
		r := &f.Rules[i]
		if r.When != nil {
			p.addCondition(side, r.When)
		}
		if r.Split != nil {
			d := p.drawing(r.Split.Bucketing)
			for _, to := range r.Split.Ranges {
				p.drawings[d].ends = append(p.drawings[d].ends, to.To)
			}
			if r.Split.Ramp != nil {
				p.addRamp(d, r.Split.Ramp)
			}
		}
	}
}

func (p *problem) addCondition(side int, c *evaluator.Condition) {
	if _, ok := p.opaque(side, c); ok {
		return
	}
	for i := range c.Of {
		p.addCondition(side, &c.Of[i])
	}
	x := p.sides[side]
	switch c.Op {
	case evaluator.OpAll, evaluator.OpAny, evaluator.OpNot:
	case evaluator.OpPeriod:
		p.periods = append(p.periods, c)
		p.events = append(p.events, c.Ints...)
	case evaluator.OpWindow:
		p.addWindow(conditionIn{x, c}, x.Zones[c.Strings[0]])
	case evaluator.OpServes:
		if f := x.Flags[c.Strings[0]]; f != nil {
			p.addFlag(side, f)
		}
	case evaluator.OpBucket:
		d := p.drawings[p.drawing(bucketing(c))]
		d.ends = append(d.ends, uint64(c.Ints[1]), uint64(c.Ints[2]))
	case evaluator.OpInSegment:
		p.addSegment(side, c)
	default:
		typ := x.Attributes[c.Attribute]
		a := p.c.atom(typ, c)
		p.atoms[conditionIn{x, c}] = a
		p.domain(c.Attribute).addAtom(a, typ)
	}
}

// addSegment adds the lists that an attribute is looked for in.
func (p *problem) addSegment(side int, c *evaluator.Condition) {
	s := p.sides[side].Segments[c.Strings[0]]
	if s == nil {
		return
	}
	d, typ := p.domain(c.Attribute), p.sides[side].Attributes[c.Attribute]
	for _, a := range p.c.segmentAtoms(s) {
		d.addAtom(a, typ)
	}
	if s.When != nil && p.first(side, "segment "+s.Name) {
		p.addCondition(side, s.When)
	}
}

// segmentAtoms returns the atoms that a value could be a member at all, and of the
// lists to include and to exclude.
func (c *Comparer) segmentAtoms(s *evaluator.Segment) [3]*atom {
	return [3]*atom{c.couldBeMember(), c.memberAtom(s.Include), c.memberAtom(s.Exclude)}
}

// bucketing returns how a condition finds positions.
func bucketing(c *evaluator.Condition) evaluator.Bucketing {
	return evaluator.Bucketing{By: c.Attribute, Hash: c.Strings[0], Salt: c.Strings[1], Positions: uint64(c.Ints[0])}
}

// domain returns the domain of an attribute.
func (p *problem) domain(name string) *domain {
	i := slices.IndexFunc(p.domains, func(d *domain) bool { return d.name == name })
	if i < 0 {
		i = len(p.domains)
		p.domains = append(p.domains, &domain{name: name})
	}
	return p.domains[i]
}

func (d *domain) addAtom(a *atom, typ evaluator.AttributeType) {
	if !slices.Contains(d.atoms, a) {
		d.atoms = append(d.atoms, a)
	}
	if typ != 0 && !slices.Contains(d.types, typ) {
		d.types = append(d.types, typ)
	}
}

// drawing returns the number of a drawing.
func (p *problem) drawing(b evaluator.Bucketing) int {
	i := slices.IndexFunc(p.drawings, func(d *drawing) bool { return d.Bucketing == b })
	if i < 0 {
		i = len(p.drawings)
		d := &drawing{Bucketing: b, domain: -1, ends: []uint64{b.Total()}}
		if b.By != "" {
			attribute := p.domain(b.By)
			attribute.unit = true
			for _, x := range p.sides {
				if typ := x.Attributes[b.By]; typ != 0 && !slices.Contains(attribute.types, typ) {
					attribute.types = append(attribute.types, typ)
				}
			}
			d.domain = slices.Index(p.domains, attribute)
		}
		p.drawings = append(p.drawings, d)
	}
	return i
}

// addRamp adds a ramp, of which points that change nothing are left out.
func (p *problem) addRamp(drawing int, r *evaluator.Ramp) {
	p.ramps = append(p.ramps, &ramp{drawing, r, canonicalPoints(r)})
	for _, point := range r.Points {
		p.events = append(p.events, point.At)
	}
}

func canonicalPoints(r *evaluator.Ramp) []evaluator.Point {
	var points []evaluator.Point
	level := uint64(0)
	for _, point := range r.Points {
		if r.Linear || point.Level != level {
			points = append(points, point)
		}
		level = point.Level
	}
	return points
}

// cut cuts drawings into cells, and named values apart that are in different ones.
func (p *problem) cut() {
	for i, d := range p.drawings {
		for _, clock := range p.clocks {
			for _, r := range p.ramps {
				if r.drawing == i {
					lo, hi := clock.levels(r.ramp)
					d.ends = append(d.ends, lo, hi)
				}
			}
		}
		slices.Sort(d.ends)
		d.ends = slices.Compact(d.ends)
		if d.ends[0] == 0 {
			d.ends = d.ends[1:]
		}
	}
	p.cases = make([][]fixed, len(p.domains))
	for i, d := range p.domains {
		var by []*drawing
		for _, dr := range p.drawings {
			if dr.domain == i {
				by = append(by, dr)
			}
		}
		for j := range d.classes {
			p.cases[i] = append(p.cases[i], split(&d.classes[j], by)...)
		}
	}
}

// split returns a class by the cells that its named values are in.
func split(c *class, by []*drawing) []fixed {
	if c.named == nil || len(by) == 0 || !c.usable {
		return []fixed{{class: c, named: c.named}}
	}
	var list []fixed
	for _, v := range c.named {
		cells := make([]int, len(by))
		for i, d := range by {
			position, _ := d.Position(v)
			cells[i] = d.cell(position)
		}
		at := slices.IndexFunc(list, func(f fixed) bool { return slices.Equal(f.cells, cells) })
		if at < 0 {
			at = len(list)
			list = append(list, fixed{class: c, cells: cells})
		}
		list[at].named = append(list[at].named, v)
	}
	return list
}

// cell returns the cell that a position is in.
func (d *drawing) cell(position uint64) int {
	i, found := slices.BinarySearch(d.ends, position)
	if found { // cells end before their ends
		i++
	}
	return i
}

// bounds returns the positions of a cell.
func (d *drawing) bounds(cell int) (from, to uint64) {
	if cell > 0 {
		from = d.ends[cell-1]
	}
	return from, d.ends[cell]
}

// outcome returns the number of what a flag serves as a variant.
func (p *problem) outcome(f *evaluator.Flag, variant int) int {
	v := f.Variants[variant]
	i := slices.IndexFunc(p.values,
		func(w evaluator.Variant) bool { return v.Name == w.Name && p.c.same(v.Value, w.Value) })
	if i < 0 {
		i = len(p.values)
		p.values = append(p.values, v)
	}
	return i
}

// code returns the number of what is served.
func (p *problem) code(s served) int {
	n, ok := p.codes[s]
	if !ok {
		n = len(p.served)
		p.codes[s] = n
		p.served = append(p.served, s)
	}
	return n
}
