package decide

import (
	"math/bits"
	"slices"

	"github.com/serin-flags/serin/evaluator"
)

// The bounds of the search for an example.
const (
	maxPaths = 200     // ways through a diagram
	maxTries = 400_000 // values looked at for one that has wanted positions
)

// costOpaque is the cost of an opaque condition that holds: most don't, if a context has
// few attributes.
const costOpaque = 30

// impossible is the cost of what isn't known to exist.
const impossible = 1 << 30

// namedOnly reports whether all who get a different value, at some times, are
// named: whether they have one of some values of the unit, and which.
func namedOnly(found []*comparison) (bool, []evaluator.Value) {
	var list []evaluator.Value
	for _, x := range found {
		p := x.problem
		unit := slices.IndexFunc(p.domains, func(d *domain) bool { return d.name == p.unit })
		if unit < 0 {
			return false, nil
		}
		for i := range p.cases[unit] {
			f := &p.cases[unit][i]
			switch {
			case x.in(x.moved, unit, i) == never:
			case f.named == nil:
				return false, nil
			default:
				for _, v := range f.named {
					if !slices.Contains(list, v) {
						list = append(list, v)
					}
				}
			}
		}
	}
	return len(found) > 0, list
}

// in returns a function in a case of a variable.
func (d *diagram) in(n node, variable, i int) node {
	known := make(map[node]node)
	var visit func(node) node
	visit = func(n node) node {
		switch v := d.variable(n); {
		case v > variable:
			return n
		case v == variable:
			return d.inner[n].kids[i]
		}
		if m, ok := known[n]; ok {
			return m
		}
		kids := make([]node, len(d.inner[n].kids))
		for j, k := range d.inner[n].kids {
			kids[j] = visit(k)
		}
		m := d.choose(d.variable(n), kids)
		known[n] = m
		return m
	}
	return visit(n)
}

// A finder finds contexts that get a different value.
type finder struct {
	*comparison
	least map[node]int // what the cheapest way to a difference costs
	taken map[int]int  // the case of each variable on the way
	paths int
	limit int // of paths
	found []Example
	most  int
	// contradicted are the opaque conditions that the first way that led to nothing was
	// wrong about.
	contradicted []opaque
}

// examples returns up to so many examples, the simplest first. If there are none, it
// notes why not in the findings.
func (x *comparison) examples(most int, notes *findings) []Example {
	f := &finder{comparison: x, least: make(map[node]int), taken: make(map[int]int), most: most, limit: maxPaths}
	if len(x.opaques) > 0 {
		f.limit = 2 * maxGuesses
	}
	f.walk(x.moved)
	if len(notes.contradicted) == 0 {
		notes.contradicted = f.contradicted
	}
	return f.found
}

// cost returns what a case of a variable costs.
func (f *finder) cost(variable, i int) int {
	switch {
	case variable >= rampVariables:
		return impossible
	case variable >= drawingVariables:
		d := f.drawings[variable-drawingVariables]
		from, to := d.bounds(i)
		rare := bits.Len64(d.ends[len(d.ends)-1] / (to - from)) // one unit in 2^rare
		if rare > 17 && d.domain >= 0 {
			return impossible
		}
		return rare / 3
	case variable >= opaqueVariables:
		return i * costOpaque
	}
	c := &f.cases[variable][i]
	if !c.real {
		return impossible
	}
	return c.cost
}

// leastCost returns what the cheapest way from a node to a difference costs.
func (f *finder) leastCost(n node) int {
	switch n {
	case always:
		return 0
	case never:
		return impossible
	}
	if cost, ok := f.least[n]; ok {
		return cost
	}
	cost := impossible
	for i, k := range f.inner[n].kids {
		cost = min(cost, f.leastCost(k)+f.cost(f.variable(n), i))
	}
	f.least[n] = cost
	return cost
}

// walk follows the ways to a difference, cheap ones first, until enough examples are
// found.
func (f *finder) walk(n node) {
	if n == always {
		f.paths++
		f.try()
		return
	}
	v := f.variable(n)
	kids := f.inner[n].kids
	order := make([]int, 0, len(kids))
	total := make([]int, len(kids))
	for i, k := range kids {
		if total[i] = f.leastCost(k) + f.cost(v, i); total[i] < impossible {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return total[i] - total[j] })
	for _, i := range order {
		if f.paths >= f.limit || len(f.found) >= f.most {
			return
		}
		f.taken[v] = i
		f.walk(kids[i])
		delete(f.taken, v)
	}
}

// try makes contexts of the cases on the way, and keeps those that the evaluator itself
// serves differently.
func (f *finder) try() {
	ctx := evaluator.Context{Now: f.clock.now, Age: f.clock.age}
	var names []evaluator.Value // of the unit: all of them are examples
	for v := range f.domains {
		i, ok := f.taken[v]
		if !ok {
			continue
		}
		c := &f.cases[v][i]
		value, ok := f.value(v, c)
		if !ok {
			return
		}
		if f.domains[v].name == f.unit {
			names = c.named
		}
		f.set(&ctx, f.domains[v].name, value)
	}
	for j, d := range f.drawings {
		if i, ok := f.taken[drawingVariables+j]; ok && d.domain < 0 {
			from, _ := d.bounds(i)
			ctx.Chance = uint32(from)
		}
	}
	kept := f.keep(ctx)
	for _, v := range names {
		other := ctx
		other.Attrs = slices.Clone(ctx.Attrs)
		f.set(&other, f.unit, v)
		kept = f.keep(other) || kept
	}
	if kept || len(f.opaques) == 0 {
		return
	}
	wrong := f.contradictions(&ctx)
	needed := f.needed(wrong)
	if len(f.contradicted) == 0 {
		if f.contradicted = needed; len(needed) == 0 {
			f.contradicted = wrong
		}
	}
	f.repair(ctx, wrong)
}

// value returns a value of a case that has the positions on the way.
func (f *finder) value(v int, c *fixed) (evaluator.Value, bool) {
	if c.cells != nil {
		return c.named[0], true
	}
	var drawings, cells []int
	for j, d := range f.drawings {
		if i, ok := f.taken[drawingVariables+j]; ok && d.domain == v {
			drawings, cells = append(drawings, j), append(cells, i)
		}
	}
	if len(drawings) == 0 {
		return c.value, true
	}
	fits := func(value evaluator.Value) bool {
		for i, j := range drawings {
			position, ok := f.drawings[j].Position(value)
			if !ok || f.drawings[j].cell(position) != cells[i] {
				return false
			}
		}
		return f.domains[v].signature(value) == c.sig
	}
	if fits(c.value) {
		return c.value, true
	}
	for i := 0; i < maxTries && c.similar != nil; i++ {
		value, ok := c.similar(i)
		if ok && fits(value) {
			return value, true
		}
	}
	return evaluator.Value{}, false
}

// set gives a context an attribute.
func (f *finder) set(ctx *evaluator.Context, name string, value evaluator.Value) {
	if text, ok := value.Text(); ok && text != "" && name == f.unit {
		ctx.Key = text
		return
	}
	ctx.Attrs = slices.DeleteFunc(ctx.Attrs, func(a evaluator.Attr) bool { return a.Name == name })
	if value.Kind() != evaluator.KindNone {
		ctx.Attrs = append(ctx.Attrs, evaluator.Attr{Name: name, Value: value})
	}
}

// keep keeps a context that gets a different value, without what that takes none of.
// It reports whether it is one.
func (f *finder) keep(ctx evaluator.Context) bool {
	if _, _, ok := f.differs(&ctx); !ok {
		return false
	}
	if len(f.found) >= f.most {
		return true
	}
	for i := len(ctx.Attrs) - 1; i >= 0; i-- {
		less := ctx
		less.Attrs = slices.Delete(slices.Clone(ctx.Attrs), i, i+1)
		if _, _, ok := f.differs(&less); ok {
			ctx = less
		}
	}
	if less := ctx; less.Key != "" {
		less.Key = ""
		if _, _, ok := f.differs(&less); ok {
			ctx = less
		}
	}
	from, to, _ := f.differs(&ctx)
	e := Example{ctx, from, to, len(f.events) > 0}
	if !slices.ContainsFunc(f.found, func(o Example) bool { return o.Context.Key == ctx.Key }) {
		f.found = append(f.found, e)
	}
	return true
}

// differs evaluates both flags.
func (p *problem) differs(ctx *evaluator.Context) (from, to string, ok bool) {
	var results [2]evaluator.Result
	for side, x := range p.sides {
		f := x.compiled().Flag(p.flags[side].Key)
		if f == nil {
			return "", "", false
		}
		results[side] = f.Evaluate(ctx)
	}
	a, b := results[0], results[1]
	return a.Variant(), b.Variant(), a.Variant() != b.Variant() || !p.c.same(a.Value(), b.Value())
}
