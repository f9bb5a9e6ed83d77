package evaluator

import (
	"encoding/binary"
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
func (p *Program) All(ctx *Context) iter.Seq2[*CompiledFlag, Result] {
	return func(yield func(*CompiledFlag, Result) bool) {
		if p == nil {
			return
		}
		all := make([]bulk, len(p.units))
		for _, f := range p.sorted {
			b := &all[f.unit]
			if b.slots == nil {
				*b = p.units[f.unit].bulk(ctx)
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
// outcomes for a context are computed first, one after the other, and joined to
// what rules match; what remains for a flag is to find its first rule that does.
//
// An outcome is a byte, 1 or 0, and the next is its negation. The first two are
// those of what always holds.
type table struct {
	// What outcomes come of, in their order.
	between []betweenTest
	symbols []symbolTest
	orders  []orderTest
	others  []uint32   // instructions
	joined  [][]uint32 // outcomes that must all hold

	rules  [][2]uint32 // of all flags, one after the other: two outcomes that must hold
	serves []uint32    // what they serve
	flags  []tableFlag
}

type betweenTest struct {
	attribute uint16
	lo, hi    int64
}

// An orderTest holds if the attribute is a version whose order is between lo and
// hi.
type orderTest struct {
	attribute uint16
	lo, hi    uint64
}

// A symbolTest holds if the attribute has one of the symbols, which are filled up
// by repetition.
type symbolTest struct {
	attribute uint16
	symbols   [fewIDs]uint32
}

// A tableFlag has the rules [first, end), or is evaluated by walking.
type tableFlag struct {
	first, end uint32
	mask       uint64 // has a bit for each of the first eight rules, the lowest of its byte
	otherwise  uint32 // what it serves if no rule matches
	walks      bool
	reserved   bool // it has a reservation
}

// newTable returns the table of u.
func newTable(u *Unit) *table {
	m := tableMaker{unit: u, table: new(table), known: make(map[string]uint32)}
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
	unit  *Unit
	known map[string]uint32  // outcomes by what is compared
	parts [][]pendingOutcome // of each rule: they must all hold
}

type outcomeKind uint8

const (
	betweenOutcome outcomeKind = iota
	symbolOutcome
	orderOutcome
	otherOutcome
)

type pendingOutcome struct {
	kind    outcomeKind
	negated bool
	index   uint32
}

func (m *tableMaker) flag(f *CompiledFlag) {
	tf := tableFlag{
		first:     uint32(len(m.parts)),
		otherwise: f.serves,
		walks:     f.disabled,
		reserved:  m.unit.code[f.entry].op == opReserve,
	}
	for i := range f.rules {
		index := f.serves + f.rules - i
		s := &m.unit.serves[index]
		var parts []pendingOutcome
		if s.shape != 0 {
			w := conditionWalk{unit: m.unit, shape: s.shape, pc: f.ruleEnd(i)}
			if !m.conjunction(&w, false, &parts) {
				tf.walks = true
				break
			}
		}
		m.parts = append(m.parts, parts)
		m.serves = append(m.serves, index)
	}
	if tf.walks {
		m.parts, m.serves = m.parts[:tf.first], m.serves[:tf.first]
	}
	tf.end = uint32(len(m.parts))
	tf.mask = eachByte >> (64 - 8*min(tf.end-tf.first, 8))
	m.flags = append(m.flags, tf)
}

// conjunction adds the comparisons of a condition, and reports whether all of
// them, some negated, is what the condition is.
func (m *tableMaker) conjunction(w *conditionWalk, negated bool, parts *[]pendingOutcome) bool {
	switch op, n := w.next(); {
	case op == 0:
		p := m.outcome(w.comparison())
		p.negated = negated
		*parts = append(*parts, p)
		return true
	case op == Not:
		return m.conjunction(w, !negated, parts)
	case op == All && !negated || n == 1:
		for range n {
			if !m.conjunction(w, negated, parts) {
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
	case opVersion:
		i := &u.versions[in.arg]
		t := orderTest{in.attribute, i.lo, i.hi}
		return pendingOutcome{kind: orderOutcome, index: once(m, &m.orders, t, "v", int64(t.attribute), int64(t.lo), int64(t.hi))}
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
	i, ok := m.known[string(key)]
	if !ok {
		i = uint32(len(*list))
		m.known[string(key)] = i
		*list = append(*list, t)
	}
	return i
}

// number numbers the outcomes of all kinds one after the other, and gives each
// rule two of them: more are joined to one.
func (m *tableMaker) number() {
	var first [otherOutcome + 1]uint32
	last := uint32(1)
	for kind, n := range [...]int{betweenOutcome: len(m.between), symbolOutcome: len(m.symbols), orderOutcome: len(m.orders), otherOutcome: len(m.others)} {
		first[kind] = last
		last += uint32(n)
	}
	m.rules = make([][2]uint32, len(m.parts))
	for i, parts := range m.parts {
		outcomes := make([]uint32, len(parts))
		for j, p := range parts {
			outcomes[j] = (first[p.kind] + p.index) * 2
			if p.negated {
				outcomes[j]++
			}
		}
		if len(outcomes) <= 2 {
			copy(m.rules[i][:], outcomes)
			continue
		}
		m.rules[i] = [2]uint32{outcomes[0], (last + uint32(len(m.joined))) * 2}
		m.joined = append(m.joined, outcomes[1:])
	}
}

// A bulk is the evaluation of all flags of a Unit for one context.
type bulk struct {
	unit    *Unit
	table   *table
	ctx     *Context
	slots   []slot
	matches []uint8 // for each rule 1 or 0, and eight bytes of no meaning
}

// bulk computes what depends on the context alone.
func (u *Unit) bulk(ctx *Context) bulk {
	t := u.table()
	b := bulk{u, t, ctx, u.resolve(ctx), make([]uint8, len(t.rules)+8)}
	holds := t.compare(&b)
	matches := b.matches[:len(t.rules)]
	for i, r := range t.rules {
		matches[i] = holds[r[0]] & holds[r[1]]
	}
	return b
}

// compare returns all outcomes.
func (t *table) compare(b *bulk) []uint8 {
	all := make([]uint8, 2*(1+len(t.between)+len(t.symbols)+len(t.orders)+len(t.others)+len(t.joined)))
	all[0] = 1
	holds := all[2:]
	for i := range t.between {
		test := &t.between[i]
		v := &b.slots[test.attribute].value
		n := int64(v.num)
		put(holds, i, bit(v.kind == IntKind)&bit(test.lo <= n)&bit(n <= test.hi))
	}
	holds = holds[2*len(t.between):]
	for i := range t.symbols {
		test := &t.symbols[i]
		has := b.slots[test.attribute].symbol
		put(holds, i, bit(has == test.symbols[0])|bit(has == test.symbols[1])|bit(has == test.symbols[2])|bit(has == test.symbols[3]))
	}
	holds = holds[2*len(t.symbols):]
	for i := range t.orders {
		test := &t.orders[i]
		s := &b.slots[test.attribute]
		put(holds, i, bit(s.isVersion)&bit(test.lo <= s.order)&bit(s.order <= test.hi))
	}
	holds = holds[2*len(t.orders):]
	for i, pc := range t.others {
		put(holds, i, bit(b.unit.holds(&b.unit.code[pc], b.ctx, b.slots)))
	}
	holds = holds[2*len(t.others):]
	for i, outcomes := range t.joined {
		join := uint8(1)
		for _, o := range outcomes {
			join &= all[o]
		}
		put(holds, i, join)
	}
	return all
}

// put stores an outcome and its negation.
func put(holds []uint8, i int, outcome uint8) {
	pair := holds[2*i : 2*i+2]
	pair[0], pair[1] = outcome, 1-outcome
}

// bit returns 1 or 0, without a decision.
func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// eachByte has the lowest bit of each byte.
const eachByte = 0x0101010101010101

// evaluate evaluates the flag with that index in the Unit.
func (b *bulk) evaluate(f *CompiledFlag, index uint32) Result {
	u, t := b.unit, b.table
	tf := &t.flags[index]
	if tf.walks {
		s, variant, missing := u.walk(f.entry, b.ctx, b.slots)
		return Result{f, s, variant, missing}
	}
	var missing uint16
	at := tf.first // of eight rules
	matching := binary.LittleEndian.Uint64(b.matches[at:]) & tf.mask
	if tf.reserved && !b.reserved(&u.code[f.entry], &missing) {
		matching, at = 0, tf.end
	}
	for {
		if matching == 0 {
			if at += 8; at >= tf.end {
				break
			}
			matching = binary.LittleEndian.Uint64(b.matches[at:]) & (eachByte >> (64 - 8*min(tf.end-at, 8)))
			continue
		}
		s := &u.serves[t.serves[at+uint32(bits.TrailingZeros64(matching)/8)]]
		matching &= matching - 1
		position := b.ctx.Chance
		switch {
		case s.kind == 0:
			return Result{f, s, s.variant, missing}
		case s.kind&splitChance != 0:
		case !b.slots[s.unit].id.valid:
			missing = s.unit + 1
			continue
		default:
			position = b.slots[s.unit].id.position(s.seed)
		}
		return Result{f, s, u.pick(s, position, b.ctx.Now), missing}
	}
	s := &u.serves[tf.otherwise]
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
