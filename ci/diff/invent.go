package diff

import (
	"hash"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/serin-flags/serin/evaluator"
)

// An Attribute is one that an estate declares.
type Attribute struct {
	Name   string
	Type   evaluator.AttributeType
	Values []evaluator.Value // of its enum; none: any
}

// defaultPeople is how many people are invented.
const defaultPeople = 100_000

// lotPeople is how many of them are made at a time.
const lotPeople = 512

// An inventor makes people up: for every rule some for whom it is, some who miss
// it narrowly, and others. The same question gets the same people.
type inventor struct {
	count int
	unit  string // the attribute that a targeting key stands for
	// traits are what people have, by name; those that only a split asks for
	// are ids.
	traits []trait
	goals  []goal
	leaves map[*evaluator.Condition]*leaf // complete before people are made
}

// A trait is an attribute of invented people.
type trait struct {
	name   string
	typ    evaluator.AttributeType
	values []evaluator.Value // that rules or the estate speak of
	id     bool              // everybody has one of their own
}

// A goal is to make somebody for whom a rule is.
type goal struct {
	set  *index
	when []*evaluator.Condition // of the rules up to that one; nil: always
}

// maxGoals bounds the rules that people are made for. Of more, a part has to do.
const maxGoals = 5000

// invent returns an invented population for the flags of jobs.
func invent(c *Config, jobs []*job) *Population {
	v := &inventor{count: c.People, leaves: make(map[*evaluator.Condition]*leaf)}
	if v.count <= 0 {
		v.count = defaultPeople
	}
	g := gatherer{inventor: v, at: make(map[string]int), asked: make(map[string]bool), known: make(map[string]*leaf), aimed: make(map[goalKey]bool)}
	for _, a := range c.Attributes {
		g.declare(a.Name, a.Type, a.Values)
	}
	for _, j := range jobs {
		for _, sets := range [][]evaluator.Ruleset{j.newSets, j.oldSets} {
			for i := range sets {
				g.ruleset(&sets[i])
			}
		}
	}
	g.finish()
	next := 0
	return &Population{invented: true, total: int64(v.count), next: func() (batch, int64, error) {
		from, to := next, min(next+lotPeople, v.count)
		if next = to; from == to {
			return nil, 0, nil
		}
		return func(use func(*evaluator.Context)) error { v.make(from, to, use); return nil }, int64(to - from), nil
	}}
}

// A gatherer finds out what people need to have.
type gatherer struct {
	*inventor
	at    map[string]int   // traits by name
	asked map[string]bool  // traits that make a difference
	known map[string]*leaf // by what they compare
	aimed map[goalKey]bool // goals that there are
}

// A goalKey is equal for goals that are. That it is for others too is so rare that
// it doesn't matter: there would be fewer people for one of them.
type goalKey struct {
	set *index
	sum uint64
}

// addCondition adds what tells a condition from others to a hash.
func addCondition(h hash.Hash64, c *evaluator.Condition) {
	if c == nil {
		h.Write([]byte{0})
		return
	}
	io.WriteString(h, leafKey(0, c))
	for i := range c.Of {
		addCondition(h, &c.Of[i])
	}
	h.Write([]byte{byte(evaluator.OpComparison)})
}

// declare makes an attribute known.
func (g *gatherer) declare(name string, typ evaluator.AttributeType, values []evaluator.Value) {
	i, ok := g.at[name]
	if !ok {
		i = len(g.traits)
		g.at[name] = i
		g.traits = append(g.traits, trait{name: name, typ: typ})
	}
	g.traits[i].values = append(g.traits[i].values, values...)
}

// ruleset gathers what the rules of a ruleset ask for.
func (g *gatherer) ruleset(set *evaluator.Ruleset) {
	x := newIndex(set)
	if g.unit == "" {
		g.unit = set.Unit
	}
	for _, a := range set.Attributes {
		g.declare(a.Name, a.Type, nil)
	}
	g.id(set.Unit)
	for _, flags := range [][]evaluator.Flag{set.Flags, set.Prerequisites} {
		for i := range flags {
			g.flag(x, &flags[i])
		}
	}
	for i := range set.Segments {
		g.segment(x, &set.Segments[i])
	}
}

// id makes people have an attribute of their own.
func (g *gatherer) id(name string) {
	if i, ok := g.at[name]; ok {
		g.traits[i].id = true
		g.asked[name] = true
	}
}

func (g *gatherer) flag(x *index, f *evaluator.Flag) {
	if f.Reserved != nil {
		g.id(f.Reserved.By)
	}
	var when []*evaluator.Condition
	sum := fnv.New64a() // of the conditions so far: many flags begin alike
	for i := range f.Rules {
		r := &f.Rules[i]
		if r.Split != nil {
			g.id(r.Split.By)
		}
		if r.When != nil {
			g.condition(x, r.When)
		}
		when = append(when, r.When)
		addCondition(sum, r.When)
		if key := (goalKey{x, sum.Sum64()}); len(g.goals) < maxGoals && !g.aimed[key] {
			g.aimed[key] = true
			g.goals = append(g.goals, goal{x, slices.Clone(when)})
		}
	}
}

func (g *gatherer) segment(x *index, s *evaluator.Segment) {
	if s.When != nil {
		g.condition(x, s.When)
	}
}

// condition gathers the values that a condition speaks of.
func (g *gatherer) condition(x *index, c *evaluator.Condition) {
	for i := range c.Of {
		g.condition(x, &c.Of[i])
	}
	if c.Attribute == "" {
		return
	}
	g.asked[c.Attribute] = true
	i, ok := g.at[c.Attribute]
	if !ok {
		return
	}
	if l := g.leaf(x, c); l != nil && !g.traits[i].id && len(g.traits[i].values) < mostValues {
		g.traits[i].values = append(append(g.traits[i].values, few(l.yes)...), few(l.no)...)
	}
}

// mostValues bounds the values of a trait.
const mostValues = 1000

// few returns some values of many.
func few(list []evaluator.Value) []evaluator.Value { return list[:min(len(list), 8)] }

// finish leaves out what nobody asks for, and what is there twice.
func (g *gatherer) finish() {
	g.traits = slices.DeleteFunc(g.traits, func(t trait) bool { return !g.asked[t.name] })
	for i := range g.traits {
		t := &g.traits[i]
		seen := make(map[evaluator.Value]bool, len(t.values))
		t.values = slices.DeleteFunc(t.values, func(v evaluator.Value) bool {
			dup := seen[v]
			seen[v] = true
			return dup
		})
	}
}

// make makes the people from..to.
func (v *inventor) make(from, to int, use func(*evaluator.Context)) {
	pcg := rand.NewPCG(0, 0)
	m := maker{inventor: v, rand: rand.New(pcg), values: make(map[string]evaluator.Value, len(v.traits))}
	for i := from; i < to; i++ {
		pcg.Seed(uint64(i), 0x5e41)
		m.person(i)
		ctx := evaluator.Context{Attrs: m.attrs, Chance: drawFor(uint64(i))}
		ctx.Key, _ = m.values[v.unit].Text()
		use(&ctx)
	}
}

// A maker makes one person after the other.
type maker struct {
	*inventor
	rand   *rand.Rand
	values map[string]evaluator.Value
	attrs  []evaluator.Attr
	depth  int // of flags that others depend on
}

// person makes somebody: at random and, three times of four, for a rule, whose
// conditions are then met, or missed by a part of them.
func (m *maker) person(i int) {
	clear(m.values)
	for j := range m.traits {
		t := &m.traits[j]
		if v := m.random(t, i); v.Kind() != evaluator.KindNone {
			m.values[t.name] = v
		}
	}
	if len(m.goals) > 0 && m.rand.IntN(4) > 0 {
		// In turn, so that each is met equally often.
		g := &m.goals[i%len(m.goals)]
		last := len(g.when) - 1
		for _, before := range g.when[:last] {
			m.satisfy(g.set, before, false)
		}
		m.satisfy(g.set, g.when[last], true)
		if m.rand.IntN(4) == 0 {
			m.satisfy(g.set, g.when[last], false)
		}
	}
	m.attrs = m.attrs[:0]
	for j := range m.traits {
		if v, ok := m.values[m.traits[j].name]; ok {
			m.attrs = append(m.attrs, evaluator.Attr{Name: m.traits[j].name, Value: v})
		}
	}
}

// random returns a value of a trait, the zero Value if somebody has none.
func (m *maker) random(t *trait, i int) evaluator.Value {
	if t.id {
		if t.typ == evaluator.AttrInteger {
			return evaluator.IntValue(int64(i) + 1)
		}
		return evaluator.StringValue(t.name + "-" + strconv.Itoa(i+1))
	}
	if m.rand.IntN(16) == 0 {
		return evaluator.Value{}
	}
	if n := len(t.values); n > 0 && m.rand.IntN(4) > 0 {
		return t.values[m.rand.IntN(n)]
	}
	switch t.typ {
	case evaluator.AttrInteger:
		return evaluator.IntValue(m.rand.Int64N(1_000_000))
	case evaluator.AttrBoolean:
		return evaluator.BoolValue(m.rand.IntN(2) == 1)
	case evaluator.AttrSemver:
		return evaluator.StringValue(strconv.Itoa(m.rand.IntN(10)) + "." + strconv.Itoa(m.rand.IntN(10)) + ".0")
	case evaluator.AttrIP:
		n := m.rand.Uint32()
		return evaluator.StringValue(addrText(n))
	case evaluator.AttrList:
		return evaluator.ListValue("another")
	}
	return evaluator.StringValue("another")
}

// satisfy changes somebody so that a condition, nil always, holds or doesn't, as
// far as that is easily done: parts of a condition can contradict each other.
func (m *maker) satisfy(x *index, c *evaluator.Condition, want bool) {
	if c == nil {
		return
	}
	switch c.Op {
	case evaluator.OpAll, evaluator.OpAny:
		if len(c.Of) == 0 {
			return
		}
		if (c.Op == evaluator.OpAll) == want {
			for i := range c.Of {
				m.satisfy(x, &c.Of[i], want)
			}
			return
		}
		m.satisfy(x, &c.Of[m.rand.IntN(len(c.Of))], want)
	case evaluator.OpNot:
		if len(c.Of) == 1 {
			m.satisfy(x, &c.Of[0], !want)
		}
	case evaluator.OpInSegment:
		m.segment(x, c, want)
	case evaluator.OpServes:
		m.serve(x, c, want)
	case evaluator.OpPeriod, evaluator.OpWindow:
	default:
		l := m.leaves[c]
		switch {
		case l == nil:
		case want && len(l.yes) > 0:
			m.values[c.Attribute] = l.yes[m.rand.IntN(len(l.yes))]
		case want:
		case len(l.no) > 0 && m.rand.IntN(4) > 0:
			m.values[c.Attribute] = l.no[m.rand.IntN(len(l.no))]
		default:
			delete(m.values, c.Attribute) // no comparison of what is missing holds
		}
	}
}

// segment makes somebody a member of a segment, or not.
func (m *maker) segment(x *index, c *evaluator.Condition, want bool) {
	s := x.segments[first(c.Strings)]
	if s == nil {
		return
	}
	set := func(id string) {
		v := evaluator.StringValue(id)
		if x.attributes[c.Attribute] == evaluator.AttrInteger {
			n, err := strconv.ParseInt(id, 10, 64)
			if err != nil {
				return
			}
			v = evaluator.IntValue(n)
		}
		m.values[c.Attribute] = v
	}
	if want {
		if n := len(s.Include); n > 0 && (s.When == nil || m.rand.IntN(2) == 0) {
			set(s.Include[m.rand.IntN(n)])
			return
		}
		m.satisfy(x, orNever(s.When), true)
		return
	}
	if n := len(s.Exclude); n > 0 && m.rand.IntN(2) == 0 {
		set(s.Exclude[m.rand.IntN(n)])
		return
	}
	m.satisfy(x, orNever(s.When), false)
}

// orNever returns a segment's condition; without one nobody meets it.
func orNever(c *evaluator.Condition) *evaluator.Condition {
	if c == nil {
		return &evaluator.Condition{Op: evaluator.OpAny}
	}
	return c
}

// serve makes another flag serve one of some variants, or not: it takes a rule
// that could, and makes it match.
func (m *maker) serve(x *index, c *evaluator.Condition, want bool) {
	f := x.flags[first(c.Strings)]
	if f == nil || m.depth > 8 {
		return
	}
	m.depth++
	defer func() { m.depth-- }()
	wanted := func(variant int) bool { return slices.Contains(c.Strings[1:], variantName(f, variant)) == want }
	var fit []int
	for i := range f.Rules {
		r := &f.Rules[i]
		could := r.Split == nil && wanted(r.Variant) || r.Split != nil && r.Split.Ramp != nil ||
			r.Split != nil && slices.ContainsFunc(r.Split.Ranges, func(r evaluator.Range) bool { return wanted(r.Variant) })
		if could {
			fit = append(fit, i)
		}
	}
	last := len(f.Rules) // the default
	if len(fit) > 0 && (!wanted(f.Default) || m.rand.IntN(2) == 0) {
		last = fit[m.rand.IntN(len(fit))]
	}
	for i := range f.Rules[:last] {
		if f.Rules[i].When != nil {
			m.satisfy(x, f.Rules[i].When, false)
		}
	}
	if last < len(f.Rules) {
		m.satisfy(x, f.Rules[last].When, true)
	}
}
