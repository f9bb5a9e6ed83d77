package evaluator

// A cost is what a question for membership in a segment, or for what a flag
// serves, takes at most, and what the answer may depend on.
type cost struct {
	comparisons int
	depth       int // segments in the longest chain from here
	chance      bool
	time        bool
}

// tooMuch is the cost of what is part of a circle, or of too long a chain.
var tooMuch = cost{comparisons: MaxFlagCost + 1}

// checkCosts refuses circles and what takes too long, and notes what flags
// depend on.
func (c *compiler) checkCosts() {
	k := costs{c, make([]cost, len(c.set.Segments)), make([]cost, len(c.unit.flags))}
	for i := range c.set.Segments {
		c.at = CompileError{Segment: c.set.Segments[i].Name}
		if k.segment(i, 1).comparisons > MaxCost {
			c.errorf("it refers to itself in a circle, takes more than %d comparisons, or nests segments deeper than %d", MaxCost, MaxDepth)
		}
	}
	for i := range c.unit.flags {
		f := &c.unit.flags[i]
		c.at = CompileError{Flag: f.key}
		cost := k.flag(i, 1)
		if cost.comparisons > MaxFlagCost {
			c.errorf("it depends on itself in a circle, or takes more than %d comparisons", MaxFlagCost)
		}
		f.chance, f.time = cost.chance, cost.time
	}
}

// costs are those known so far; a cost without comparisons is not known. An
// estimate is an upper bound, however a context steers an evaluation.
type costs struct {
	c               *compiler
	segments, flags []cost
}

// segment returns the cost of a segment. depth is the number of segments in the
// chain that led here.
func (k *costs) segment(i, depth int) cost {
	if k.segments[i].comparisons != 0 {
		return k.segments[i]
	}
	if depth > MaxDepth {
		return tooMuch
	}
	k.segments[i] = tooMuch                 // for those that come back here
	total := cost{comparisons: 2, depth: 1} // the two lists
	if when := k.c.set.Segments[i].When; when != nil {
		k.condition(when, &total, depth, 0)
	}
	if total.depth > MaxDepth {
		total = tooMuch
	}
	k.segments[i] = total
	return total
}

// flag returns the cost of a flag. depth is the number of flags in the chain
// that led here; each of them takes a comparison.
func (k *costs) flag(i, depth int) cost {
	if k.flags[i].comparisons != 0 {
		return k.flags[i]
	}
	if depth > MaxCost {
		return tooMuch
	}
	k.flags[i] = tooMuch
	f := k.c.flag(i)
	total := cost{comparisons: 1}
	for j := range f.Rules {
		r := &f.Rules[j]
		if r.When != nil {
			k.condition(r.When, &total, depth, 0)
		}
		if s := r.Split; s != nil {
			total.comparisons++
			total.chance = total.chance || s.By == ""
			total.time = total.time || s.Ramp != nil
		}
	}
	if f.Disabled { // whatever it takes counts, so that it can be enabled
		total.chance, total.time = false, false
	}
	k.flags[i] = total
	return total
}

// condition adds the cost of a condition to total.
func (k *costs) condition(cond *Condition, total *cost, depth, nesting int) {
	if nesting > MaxDepth {
		return // refused already
	}
	switch cond.Op {
	case All, Any, Not:
		for i := range cond.Of {
			k.condition(&cond.Of[i], total, depth, nesting+1)
		}
		return
	case InSegment:
		if i, ok := k.c.segments[first(cond.Strings)]; ok {
			in := 1
			if k.c.at.Flag == "" {
				in = depth + 1
			}
			total.add(k.segment(i, in))
		}
	case Serves:
		if i, ok := k.c.flags[first(cond.Strings)]; ok && k.c.at.Flag != "" {
			required := k.flag(i, depth+1)
			if required.comparisons > MaxCost {
				required = tooMuch
			}
			total.add(required)
		}
	case Period, Window:
		total.time = true
	}
	total.comparisons = min(total.comparisons+1, tooMuch.comparisons)
}

// add adds what part takes, one level deeper.
func (total *cost) add(part cost) {
	total.comparisons = min(total.comparisons+part.comparisons, tooMuch.comparisons)
	total.depth = max(total.depth, part.depth+1)
	total.chance = total.chance || part.chance
	total.time = total.time || part.time
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
