package evaluator

import (
	"iter"
	"math/bits"
	"strconv"
)

// All yields every flag by its key in ascending order, and what ctx is served.
// For many flags that is many times quicker than evaluating one by one: what
// depends on the context alone is done once, and so is every comparison that
// several flags make.
//
// The first call for a Unit takes longer and allocates: it makes the table that
// later calls use.
func (p *Program) All(ctx Context) iter.Seq2[*CompiledFlag, Result] {
	return func(yield func(*CompiledFlag, Result) bool) {
		if p == nil {
			return
		}
		all := make([]bulk, len(p.units))
		for _, f := range p.sorted {
			b := &all[f.unit]
			if b.slots == nil {
				*b = p.units[f.unit].bulk(&ctx)
			}
			if !yield(f.CompiledFlag, b.evaluate(f.CompiledFlag, f.index)) {
				return
			}
		}
	}
}

// A table is a Unit seen from another side. Walking through instructions takes a
// decision at every step, and processors are bad at guessing the decisions of a
// thousand flags. The table has every comparison of the Unit once. Their
// outcomes for a context are computed first, one after the other; what remains
// of a flag's rules is to join outcomes, which needs no decisions.
type table struct {
	// The comparisons, in the order of their outcomes.
	between []betweenTest
	symbols []symbolTest
	others  []uint32 // instructions

	flags    []tableFlag
	rules    []tableRule
	outcomes []uint32 // of a rule: 2·outcome, + 1 if it is negated; all must hold
}

type betweenTest struct {
	attribute uint16
	lo, hi    int64
}

// A symbolTest holds if the attribute has one of the symbols, which are filled up
// by repetition.
type symbolTest struct {
	attribute uint16
	symbols   [fewIDs]uint32
}

// A tableFlag has the rules [first, first+n), or is evaluated by walking.
type tableFlag struct {
	first uint32
	n     uint16 // at most maxTableRules
	walks bool
}

// A tableRule has the outcomes [first, first+n).
type tableRule struct {
	first, n uint32
	serve    uint32
}

// maxTableRules is as many as a mask of rules has bits.
const maxTableRules = 64

// newTable returns the table of u.
func newTable(u *Unit) *table {
	m := tableMaker{unit: u, table: new(table), known: make(map[string]*uint32)}
	for i := range u.flags[:u.count] {
		m.flag(&u.flags[i])
	}
	m.number()
	return m.table
}

// A tableMaker makes a table. While it does, outcomes are numbered within their
// kind.
type tableMaker struct {
	*table
	unit    *Unit
	known   map[string]*uint32 // outcomes by what is compared
	pending []pendingOutcome   // one for each element of outcomes
}

type outcomeKind uint8

const (
	betweenOutcome outcomeKind = iota
	symbolOutcome
	otherOutcome
)

type pendingOutcome struct {
	kind    outcomeKind
	index   uint32
	negated bool
}

func (m *tableMaker) flag(f *CompiledFlag) {
	tf := tableFlag{first: uint32(len(m.rules)), n: uint16(min(f.rules, maxTableRules)), walks: f.rules > maxTableRules}
	mark := len(m.pending)
	for i := range f.rules {
		if tf.walks {
			break
		}
		index := f.serves + f.rules - i
		s := &m.unit.serves[index]
		r := tableRule{first: uint32(len(m.pending)), serve: index}
		if s.shape != 0 {
			w := conditionWalk{unit: m.unit, shape: s.shape, pc: f.ruleEnd(i)}
			tf.walks = !m.conjunction(&w, false)
		}
		r.n = uint32(len(m.pending)) - r.first
		m.rules = append(m.rules, r)
	}
	if tf.walks {
		m.rules, m.pending = m.rules[:tf.first], m.pending[:mark]
	}
	m.flags = append(m.flags, tf)
}

// conjunction adds the comparisons of a condition, and reports whether all of
// them, some negated, is what the condition is.
func (m *tableMaker) conjunction(w *conditionWalk, negated bool) bool {
	switch op, n := w.next(); {
	case op == 0:
		p := m.outcome(w.comparison())
		p.negated = negated
		m.pending = append(m.pending, p)
		return true
	case op == Not:
		return m.conjunction(w, !negated)
	case op == All && !negated || n == 1:
		for range n {
			if !m.conjunction(w, negated) {
				return false
			}
		}
		return true
	}
	return false
}

// outcome returns the place of the outcome of an instruction, which may be one
// that another instruction has too.
func (m *tableMaker) outcome(pc uint32) pendingOutcome {
	u := m.unit
	in := &u.code[pc]
	switch in.op {
	case opBetween:
		t := betweenTest{in.attribute, u.ints[in.arg], u.ints[in.arg+1]}
		return pendingOutcome{kind: betweenOutcome, index: once(m, &m.between, t, "b", int64(t.attribute), t.lo, t.hi)}
	case opIs, opIn:
		t := symbolTest{attribute: in.attribute}
		for i := range t.symbols {
			t.symbols[i] = in.arg
			if in.op == opIn {
				t.symbols[i] = u.operands[in.arg+uint32(i%int(in.n))]
			}
		}
		return pendingOutcome{kind: symbolOutcome, index: once(m, &m.symbols, t, "s", int64(t.attribute),
			int64(t.symbols[0]), int64(t.symbols[1]), int64(t.symbols[2]), int64(t.symbols[3]))}
	}
	return pendingOutcome{kind: otherOutcome, index: once(m, &m.others, pc, "o", int64(in.op), int64(in.attribute), int64(in.arg))}
}

// once appends t to a list unless what stands for it is known, and returns where
// it stands.
func once[T any](m *tableMaker, list *[]T, t T, kind string, parts ...int64) uint32 {
	key := []byte(kind)
	for _, p := range parts {
		key = append(strconv.AppendInt(key, p, 36), ' ')
	}
	if i, ok := m.known[string(key)]; ok {
		return *i
	}
	i := uint32(len(*list))
	m.known[string(key)] = &i
	*list = append(*list, t)
	return i
}

// number numbers the outcomes of all kinds one after the other.
func (m *tableMaker) number() {
	first := [...]uint32{betweenOutcome: 0, symbolOutcome: uint32(len(m.between)), otherOutcome: uint32(len(m.between) + len(m.symbols))}
	m.outcomes = make([]uint32, len(m.pending))
	for i, p := range m.pending {
		m.outcomes[i] = (first[p.kind] + p.index) * 2
		if p.negated {
			m.outcomes[i]++
		}
	}
}

// A bulk is the evaluation of all flags of a Unit for one context.
type bulk struct {
	unit  *Unit
	table *table
	ctx   *Context
	slots []slot
	holds []uint8 // outcomes: 1 or 0
}

// bulk computes what depends on the context alone.
func (u *Unit) bulk(ctx *Context) bulk {
	t := u.table()
	b := bulk{u, t, ctx, u.resolve(ctx), make([]uint8, len(t.between)+len(t.symbols)+len(t.others))}
	holds := b.holds
	for i := range t.between {
		test := &t.between[i]
		v := &b.slots[test.attribute].value
		n := int64(v.num)
		holds[i] = bit(v.kind == IntKind) & bit(test.lo <= n) & bit(n <= test.hi)
	}
	holds = holds[len(t.between):]
	for i := range t.symbols {
		test := &t.symbols[i]
		has := b.slots[test.attribute].symbol
		holds[i] = bit(has == test.symbols[0]) | bit(has == test.symbols[1]) | bit(has == test.symbols[2]) | bit(has == test.symbols[3])
	}
	holds = holds[len(t.symbols):]
	for i, pc := range t.others {
		holds[i] = bit(u.holds(&u.code[pc], ctx, b.slots))
	}
	return b
}

// bit returns 1 or 0, without a decision.
func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// evaluate evaluates the flag with that index in the Unit.
func (b *bulk) evaluate(f *CompiledFlag, index uint32) Result {
	u, t := b.unit, b.table
	tf := &t.flags[index]
	if tf.walks || f.disabled {
		s, variant, missing := u.walk(f.entry, b.ctx, b.slots)
		return Result{f, s, variant, missing}
	}
	var missing uint16
	var matching uint64 // a bit for each rule
	if in := &u.code[f.entry]; in.op != opReserve || b.reserved(in, &missing) {
		rules := t.rules[tf.first : tf.first+uint32(tf.n)]
		for i := range rules {
			r := &rules[i]
			match := uint8(1)
			for _, o := range t.outcomes[r.first : r.first+r.n] {
				match &= b.holds[o>>1] ^ uint8(o&1)
			}
			matching |= uint64(match) << (i & 63)
		}
	}
	for ; matching != 0; matching &= matching - 1 {
		s := &u.serves[t.rules[tf.first+uint32(bits.TrailingZeros64(matching))].serve]
		if s.kind == 0 {
			return Result{f, s, s.variant, missing}
		}
		position := b.ctx.Chance
		if s.kind&splitChance == 0 {
			slot := &b.slots[s.unit]
			if !slot.id.valid {
				missing = s.unit + 1
				continue
			}
			position = slot.id.position(s.seed)
		}
		return Result{f, s, u.pick(s, position, b.ctx.Now), missing}
	}
	s := &u.serves[f.serves]
	return Result{f, s, s.variant, missing}
}

// reserved reports whether the flag's reservation has the unit.
func (b *bulk) reserved(in *instr, missing *uint16) bool {
	r := &b.unit.reservations[in.arg]
	slot := &b.slots[in.attribute]
	if !slot.id.valid {
		*missing = in.attribute + 1
		return false
	}
	return r.has(slot.id.position(r.seed))
}
