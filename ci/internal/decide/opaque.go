package decide

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// A flag of 200 rules over 20 attributes has far more cases than anybody can look at,
// but an edit rarely concerns more than a few of them. So the comparison starts with
// all conditions that both sides have opaque: whether one holds is a variable of its
// own, the same on both sides, and independent of everything else. That allows more
// than can happen. Flags that serve the same even so serve the same to everybody. A
// difference, on the other hand, is only a candidate: where real values contradict
// what it supposes of a condition, the comparison opens that condition, which means
// to look into it, and starts again.

// hidden says which conditions of two flags are opaque.
type hidden struct {
	comparer *Comparer
	old, new Side
	units    map[string]bool // attributes whose conditions aren't opaque
	opened   map[string]bool // by key
	keys     map[conditionIn]string
	room     int                          // steps left for all problems
	repairs  int                          // values that may still be changed
	values   map[string][]evaluator.Value // of attributes, one of each class
}

// A conditionIn is a condition of a ruleset, whose attributes have that one's types.
type conditionIn struct {
	set  *index
	cond *evaluator.Condition
}

// An opaque is a condition that stands for a variable.
type opaque struct {
	conditionIn
	key   string
	sides int // a bit for each side that has it
	holds func(*evaluator.Context) bool
}

// Limits of the search for a difference that is real.
const (
	maxRounds  = 60   // of opening conditions
	maxGuesses = 8    // candidates of a round
	maxRepairs = 1500 // values that are changed of a candidate
	allRepairs = 4 * maxRepairs
)

func (c *Comparer) hide(old, new Side) *hidden {
	h := &hidden{
		comparer: c, old: old, new: new, room: 2 * c.steps,
		opened: make(map[string]bool), keys: make(map[conditionIn]string),
	}
	h.units = map[string]bool{old.Set.Unit: true, new.Set.Unit: true}
	for _, set := range [2]*evaluator.Ruleset{old.Set, new.Set} {
		for unit := range c.index(set).units {
			h.units[unit] = true
		}
	}
	return h
}

// key returns what is equal for conditions that hold for the same contexts, whatever
// the order of their parts. It is "" for a condition that is never opaque: one that
// depends on the time, or on a unit, because shares go by units and by times, or one
// that refers to a segment or a flag, whose own conditions may be opaque.
func (h *hidden) key(in conditionIn) string {
	key, ok := h.keys[in]
	if !ok {
		key = h.newKey(in)
		h.keys[in] = key
	}
	return key
}

func (h *hidden) newKey(in conditionIn) string {
	c := in.cond
	switch c.Op {
	case evaluator.OpAll, evaluator.OpAny, evaluator.OpNot:
		var parts []string
		for i := range c.Of {
			part := h.key(conditionIn{in.set, &c.Of[i]})
			if part == "" {
				return ""
			}
			parts = append(parts, part)
		}
		if len(parts) == 0 {
			return ""
		}
		slices.Sort(parts)
		return strconv.Itoa(int(c.Op)) + "(" + strings.Join(parts, "") + ")"
	}
	if c.Attribute == "" || c.Op == evaluator.OpInSegment || c.Op == evaluator.OpBucket || h.units[c.Attribute] {
		return ""
	}
	key := atomKey(in.set.Attributes[c.Attribute], c)
	return strconv.Quote(c.Attribute) + strconv.Itoa(len(key)) + ":" + key
}

// opaque returns the number of a condition that is opaque.
func (p *problem) opaque(side int, c *evaluator.Condition) (int, bool) {
	if p.hidden == nil {
		return 0, false
	}
	in := conditionIn{p.sides[side], c}
	key := p.hidden.key(in)
	if key == "" || p.hidden.opened[key] {
		return 0, false
	}
	n, ok := p.numbers[key]
	if !ok {
		n = len(p.opaques)
		p.numbers[key] = n
		p.opaques = append(p.opaques, opaque{conditionIn: in, key: key, holds: p.hidden.test(in)})
	}
	p.opaques[n].sides |= 1 << side
	return n, true
}

// problem returns the problem in which the conditions are opaque that both sides have.
func (h *hidden) problem() *problem {
	for {
		p := h.comparer.newProblem(h.old, h.new, h)
		more := false
		for _, o := range p.opaques {
			if o.sides != 0b11 {
				h.opened[o.key], more = true, true
			}
		}
		if !more {
			return p
		}
	}
}

// test returns a function that says whether a condition that can be opaque holds.
func (h *hidden) test(in conditionIn) func(*evaluator.Context) bool {
	c := in.cond
	parts := make([]func(*evaluator.Context) bool, len(c.Of))
	for i := range c.Of {
		parts[i] = h.test(conditionIn{in.set, &c.Of[i]})
	}
	switch c.Op {
	case evaluator.OpAll, evaluator.OpAny:
		any := c.Op == evaluator.OpAny
		return func(ctx *evaluator.Context) bool {
			for _, holds := range parts {
				if holds(ctx) == any {
					return any
				}
			}
			return !any
		}
	case evaluator.OpNot:
		return func(ctx *evaluator.Context) bool { return !parts[0](ctx) }
	}
	atom := h.comparer.atom(in.set.Attributes[c.Attribute], c)
	return func(ctx *evaluator.Context) bool {
		for i := range ctx.Attrs {
			if ctx.Attrs[i].Name == c.Attribute {
				return atom.holds(ctx.Attrs[i].Value)
			}
		}
		return false
	}
}

// addValues notes a value of each class of the attributes of a problem.
func (h *hidden) addValues(p *problem) {
	h.repairs = allRepairs
	h.values = make(map[string][]evaluator.Value)
	for _, d := range p.domains {
		for i := range d.classes {
			if c := &d.classes[i]; c.real {
				h.values[d.name] = append(h.values[d.name], c.value)
			}
		}
	}
}

// repair changes attributes of a candidate until no opaque condition contradicts it:
// again and again one attribute of a contradicted condition, at random (as WalkSAT does,
// Selman et al. 1994). What the difference is about stays as it is. It keeps the context
// if it is an example.
func (f *finder) repair(ctx evaluator.Context, wrong []opaque) {
	random := rand.New(rand.NewPCG(1, uint64(len(f.opaques))))
	for range maxRepairs {
		f.hidden.repairs--
		if len(wrong) == 0 || f.hidden.repairs < 0 {
			return
		}
		parts := slices.Collect(wrong[random.IntN(len(wrong))].cond.Walk())
		name := parts[random.IntN(len(parts))].Attribute
		value := evaluator.Value{}
		if values := f.hidden.values[name]; len(values) > 0 && random.IntN(3) > 0 {
			value = values[random.IntN(len(values))]
		}
		if name == "" || !f.mayHave(name, value) {
			continue
		}
		next := ctx
		next.Attrs = slices.Clone(ctx.Attrs)
		f.set(&next, name, value)
		if f.keep(next) {
			return
		}
		if now := f.contradictions(&next); len(now) <= len(wrong) || random.IntN(20) == 0 {
			ctx, wrong = next, now
		}
	}
}

// mayHave reports whether an attribute may have a value on the way to a difference.
func (f *finder) mayHave(name string, value evaluator.Value) bool {
	i := slices.IndexFunc(f.domains, func(d *domain) bool { return d.name == name })
	if i < 0 {
		return true
	}
	taken, ok := f.taken[i]
	return !ok || f.domains[i].signature(value) == f.cases[i][taken].sig
}

// contradictions returns the opaque conditions on the way that don't hold for a context
// as supposed.
func (f *finder) contradictions(ctx *evaluator.Context) []opaque {
	var list []opaque
	for i, o := range f.opaques {
		if supposed, ok := f.taken[opaqueVariables+i]; ok && o.holds(ctx) != (supposed == 1) {
			list = append(list, o)
		}
	}
	return list
}

// needed returns those conditions of a list that were supposed to hold: those that the
// difference is about.
func (f *finder) needed(list []opaque) []opaque {
	return slices.DeleteFunc(slices.Clone(list), func(o opaque) bool {
		return f.taken[opaqueVariables+f.numbers[o.key]] == 0
	})
}

// search looks for a difference that is real, opening conditions as it needs them. It
// reports whether it found one, or proved that there is none.
func (h *hidden) search(f *findings) (Verdict, bool) {
	for range maxRounds {
		room := f.room
		nodes := 0
		for _, x := range f.whole {
			nodes = max(nodes, len(x.inner))
		}
		if v, ok := f.verdict(); ok {
			return v, true
		}
		if len(f.contradicted) == 0 || room < 0 {
			break
		}
		for _, o := range f.contradicted {
			h.opened[o.key] = true
		}
		h.room = room
		f = h.problem().differences()
	}
	return Verdict{}, false
}
