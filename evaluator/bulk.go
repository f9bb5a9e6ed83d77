package evaluator

import (
	"encoding/binary"
	"iter"
	"math"
	"math/bits"
	"strconv"
)

// All evaluates all flags for ctx. It yields each flag with its result, sorted by key. For
// many flags it is many times faster than [CompiledFlag.Evaluate], because it parses the
// context, and makes most comparisons that flags have in common, only once. ctx must not
// be nil. All doesn't modify it.
//
// All allocates. The first call for a [Module] takes longer, because it builds a table for
// later calls.
func (p *Program) All(ctx *Context) iter.Seq2[*CompiledFlag, Result] {
	return func(yield func(*CompiledFlag, Result) bool) {
		if p == nil {
			return
		}
		all := make([]*bulk, len(p.modules))
		defer func() {
			for i, b := range all {
				if b != nil {
					p.modules[i].release(b)
				}
			}
		}()
		for _, f := range p.sorted {
			b := all[f.module]
			if b == nil {
				b = p.modules[f.module].bulk(ctx)
				all[f.module] = b
			}
			if !yield(f.CompiledFlag, b.evaluate(f.CompiledFlag, f.index)) {
				return
			}
		}
	}
}

// A table is another form of a Module, for evaluating all flags. A walk through the
// instructions branches at every step, and the branches of a thousand flags are hard to
// predict. The table has each comparison of the Module once. Loops without branches
// compute the outcomes of all comparisons, kind by kind, and then which rules match. It
// remains to find the first such rule of each flag.
//
// An outcome is a byte, 1 or 0. The first outcome is always 1.
type table struct {
	// The sources of the outcomes, in the order of the outcomes.
	spans   []spanTest
	symbols []symbolTest
	// postings of a symbol of an attribute are postings[starts[i]:starts[i+1]], where i is
	// the symbol plus firsts[attribute]. Each is a symbolTest, by index, that holds for the
	// symbol. So tests cost nothing if they don't hold, however long their lists are.
	postings []uint32
	starts   []uint32
	firsts   []uint32
	others   []uint32   // instructions
	negated  []uint32   // outcomes to negate
	joined   [][]uint32 // outcomes to join by "and"

	rules  [][2]uint32 // of all flags: two outcomes that must both hold
	serves []tableServe
	flags  []tableFlag
}

// outcomes returns the number of outcomes.
func (t *table) outcomes() int {
	return 1 + len(t.spans) + len(t.symbols) + len(t.others) + len(t.negated) + len(t.joined)
}

// A tableServe is a compact copy of a serve. For a split into few ranges it contains their
// last positions and variants.
type tableServe struct {
	serve *serve
	seed  uint32
	unit  uint16
	kind  splitKind
	few   bool
	ends  [fewRanges - 1]uint32 // the last position of all for ranges that don't exist
	picks [fewRanges]uint16
}

const fewRanges = 4

// tableServe returns the copy of a serve.
func (mod *Module) tableServe(s *serve) tableServe {
	t := tableServe{serve: s, seed: s.seed, unit: s.unit, kind: s.kind}
	t.few = s.kind&^splitChance == splitRanges && s.n <= fewRanges
	if !t.few {
		return t
	}
	ends, picks := mod.ends[s.from:s.from+s.n], mod.picks[s.from:s.from+s.n]
	if s.n == 0 {
		ends, picks = []uint32{s.end}, []uint16{s.variant, s.last}
	}
	for i := range t.ends {
		t.ends[i] = math.MaxUint32
	}
	copy(t.ends[:], ends)
	copy(t.picks[:], picks)
	return t
}

// pick is Module.pick.
func (t *tableServe) pick(mod *Module, position uint32, now int64) uint16 {
	if !t.few {
		return mod.pick(t.serve, position, now)
	}
	return t.picks[bit(position > t.ends[0])+bit(position > t.ends[1])+bit(position > t.ends[2])]
}

// A spanTest holds if the number of the attribute, see ranked.number, is from lo to lo+width modulo
// 2^64.
type spanTest struct {
	attribute uint16
	lo, width uint64
}

// A symbolTest holds if the attribute has one of the symbols that the instruction looks
// for. In a table it is spread over the symbols.
type symbolTest struct {
	attribute uint16
	pc        uint32
}

// A tableFlag is a flag of a table.
type tableFlag struct {
	first, end uint32 // range of its rules
	mask       uint64 // the lowest bit of a byte is set for each of the first eight rules
	otherwise  uint32 // index into Module.serves, if no rule matches
	walks      bool   // it must be evaluated by walking the instructions
	reserved   bool   // it has a reservation
}

// newTable returns the table of a module.
func newTable(mod *Module) *table {
	m := tableMaker{module: mod, table: new(table), known: make(map[string]uint32)}
	for i := range mod.flags[:mod.count] {
		m.flag(&mod.flags[i])
	}
	m.number()
	m.post()
	return m.table
}

// A tableMaker builds a table. Outcomes are numbered within their kind until number is
// called.
type tableMaker struct {
	*table
	module *Module
	known  map[string]uint32  // outcomes by the comparison
	parts  [][]pendingOutcome // for each rule, the outcomes that must hold
}

// An outcomeKind is a kind of comparison that has a loop of its own in compare.
type outcomeKind uint8

const (
	spanOutcome outcomeKind = iota
	symbolOutcome
	otherOutcome
)

// A pendingOutcome is an outcome that has no number yet: it is the index-th of its kind.
type pendingOutcome struct {
	kind    outcomeKind
	negated bool
	index   uint32
}

// flag adds a flag and its rules. Flags with conditions that a table can't represent, such as a
// disjunction, are walked instead, as they are by [CompiledFlag.Evaluate].
func (m *tableMaker) flag(f *CompiledFlag) {
	tf := tableFlag{
		first:     uint32(len(m.parts)),
		otherwise: f.serves,
		walks:     f.disabled || m.module.code[f.entry].op == codeStale,
		reserved:  m.module.code[f.entry].op == codeReserve,
	}
	for i := range f.rules {
		index := f.serves + f.rules - i
		s := &m.module.serves[index]
		var parts []pendingOutcome
		if s.shape != 0 {
			w := conditionWalk{module: m.module, shape: s.shape, pc: f.ruleEnd(i)}
			if !m.conjunction(&w, false, &parts) {
				tf.walks = true
				break
			}
		}
		m.parts = append(m.parts, parts)
		m.serves = append(m.serves, m.module.tableServe(s))
	}
	if tf.walks {
		m.parts, m.serves = m.parts[:tf.first], m.serves[:tf.first]
	}
	tf.end = uint32(len(m.parts))
	tf.mask = eachByte >> (64 - 8*min(tf.end-tf.first, 8))
	m.flags = append(m.flags, tf)
}

// conjunction adds the comparisons of a condition to parts. It reports whether the condition
// is a conjunction of comparisons, each possibly negated. If not, a table can't represent it.
func (m *tableMaker) conjunction(w *conditionWalk, negated bool, parts *[]pendingOutcome) bool {
	switch op, n := w.next(); {
	case op == 0:
		*parts = append(*parts, m.outcome(w.comparison(), negated))
		return true
	case op == OpNot:
		return m.conjunction(w, !negated, parts)
	case op == OpAll && !negated || n == 1:
		for range n {
			if !m.conjunction(w, negated, parts) {
				return false
			}
		}
		return true
	}
	return false
}

// outcome returns the outcome of an instruction, or its negation. Instructions that make the same
// comparison share it.
func (m *tableMaker) outcome(pc uint32, negated bool) pendingOutcome {
	mod := m.module
	in := &mod.code[pc]
	if mod.numeric(in) {
		s := mod.span(in, negated)
		t := spanTest{in.attribute, s.lo, s.width}
		place := once(m, &m.spans, t, "n", int64(t.attribute), int64(t.lo), int64(t.width))
		return pendingOutcome{kind: spanOutcome, index: place}
	}
	switch in.op {
	case codeIs, codeIn, codeAmong:
		t := symbolTest{in.attribute, pc}
		place := once(m, &m.symbols, t, "s", int64(in.op), int64(in.n), int64(in.attribute), int64(in.arg))
		return pendingOutcome{kind: symbolOutcome, index: place, negated: negated}
	}
	place := once(m, &m.others, pc, "o", int64(in.op), int64(in.attribute), int64(in.arg))
	return pendingOutcome{kind: otherOutcome, index: place, negated: negated}
}

// post spreads the symbolTests over the symbols.
func (m *tableMaker) post() {
	mod := m.module
	all := 1
	m.firsts = make([]uint32, len(mod.attributes))
	for i := range m.firsts {
		m.firsts[i] = uint32(all - 1)
		all += len(mod.dictionaries[i].texts)
	}
	m.starts = make([]uint32, all)
	var symbols []uint32
	for _, t := range m.symbols {
		symbols = mod.appendSymbols(symbols[:0], &mod.code[t.pc])
		for _, symbol := range symbols {
			m.starts[m.firsts[t.attribute]+symbol]++
		}
	}
	// The places where the postings of symbols end, which become those where they start.
	n := uint32(0)
	for i := range m.starts {
		n += m.starts[i]
		m.starts[i] = n
	}
	m.postings = make([]uint32, n)
	for i, t := range m.symbols {
		symbols = mod.appendSymbols(symbols[:0], &mod.code[t.pc])
		for _, symbol := range symbols {
			start := &m.starts[m.firsts[t.attribute]+symbol]
			*start--
			m.postings[*start] = uint32(i)
		}
	}
}

// once appends t to a list, unless the list contains it already, and returns its index. kind
// and parts identify t.
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

// number numbers the outcomes of all kinds consecutively, and assigns two of them to each
// rule. If a rule has more, it joins all but one.
func (m *tableMaker) number() {
	var first [otherOutcome + 1]uint32
	last := uint32(1)
	counts := [...]int{
		spanOutcome: len(m.spans), symbolOutcome: len(m.symbols), otherOutcome: len(m.others),
	}
	for kind, n := range counts {
		first[kind] = last
		last += uint32(n)
	}
	rules := make([][]uint32, len(m.parts))
	negations := make(map[uint32]uint32)
	for i, parts := range m.parts {
		rules[i] = make([]uint32, len(parts))
		for j, p := range parts {
			o := first[p.kind] + p.index
			if p.negated {
				if negations[o] == 0 {
					negations[o] = last + uint32(len(m.negated))
					m.negated = append(m.negated, o)
				}
				o = negations[o]
			}
			rules[i][j] = o
		}
	}
	last += uint32(len(m.negated))
	m.rules = make([][2]uint32, len(rules))
	for i, outcomes := range rules {
		if len(outcomes) <= 2 {
			copy(m.rules[i][:], outcomes)
			continue
		}
		m.rules[i] = [2]uint32{outcomes[0], last + uint32(len(m.joined))}
		m.joined = append(m.joined, outcomes[1:])
	}
}

// A bulk is the evaluation of all flags of a Module for one context. Modules keep some for later.
type bulk struct {
	module *Module
	table  *table
	evaluation
	walks    bool     // all flags must be evaluated by walking the instructions
	numbers  []uint64 // of attributes
	outcomes []uint8
	matches  []uint8 // 1 or 0 for each rule; eight more bytes, so that eight can be read at once
}

// bulk computes what doesn't depend on the flag, and which rules match.
func (mod *Module) bulk(ctx *Context) *bulk {
	b, ok := mod.bulks.Get().(*bulk)
	if !ok {
		mod.tabled.Do(func() { mod.table = newTable(mod) })
		t := mod.table
		b = &bulk{module: mod, table: t, outcomes: make([]uint8, t.outcomes()), matches: make([]uint8, len(t.rules)+8)}
		b.slots, b.numbers = make([]slot, len(mod.attributes)), make([]uint64, len(mod.attributes))
	}
	b.ctx = ctx
	mod.resolve(ctx, b.slots)
	b.walks = false
	for i := range b.slots {
		n, ok := b.slots[i].number(mod.attributes[i].Type)
		b.numbers[i], b.walks = n, b.walks || !ok
	}
	b.compare()
	rules, outcomes := b.table.rules, b.outcomes
	matches := b.matches[:len(rules)]
	for i := range rules {
		r := &rules[i]
		matches[i] = outcomes[r[0]] & outcomes[r[1]]
	}
	return b
}

// release keeps b for later.
func (mod *Module) release(b *bulk) {
	b.ctx = nil
	clear(b.slots) // and with them the context's texts
	mod.bulks.Put(b)
}

// compare computes all outcomes.
func (b *bulk) compare() {
	t, all := b.table, b.outcomes
	all[0] = 1
	rest := all[1:]
	part := func(n int) (holds []uint8) {
		holds, rest = rest[:n], rest[n:]
		return holds
	}
	holds := part(len(t.spans))
	for i := range holds {
		s := &t.spans[i]
		holds[i] = bit(b.numbers[s.attribute]-s.lo <= s.width)
	}
	holds = part(len(t.symbols))
	clear(holds)
	for i := range b.slots {
		at := t.firsts[i] + b.slots[i].symbol // symbol 0 has no postings
		for _, test := range t.postings[t.starts[at]:t.starts[at+1]] {
			holds[test] = 1
		}
	}
	holds = part(len(t.others))
	for i, pc := range t.others {
		holds[i] = bit(b.holds(b.module, &b.module.code[pc]))
	}
	holds = part(len(t.negated))
	for i, o := range t.negated {
		holds[i] = 1 - all[o]
	}
	for i, outcomes := range t.joined {
		join := uint8(1)
		for _, o := range outcomes {
			join &= all[o]
		}
		rest[i] = join
	}
}

// bit returns 1 or 0. The compiler implements it without a branch.
func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// eachByte has the lowest bit of each byte set.
const eachByte = 0x0101010101010101

// evaluate evaluates a flag of the module, which has the index.
func (b *bulk) evaluate(f *CompiledFlag, index uint32) Result {
	mod, t := b.module, b.table
	tf := &t.flags[index]
	if tf.walks || b.walks {
		s, variant, missing := b.walk(mod, f.entry)
		return Result{f, s, variant, missing}
	}
	var missing uint16
	at := tf.first // of eight rules
	matching := binary.LittleEndian.Uint64(b.matches[at:]) & tf.mask
	if tf.reserved && !b.reserved(&mod.code[f.entry], &missing) {
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
		s := &t.serves[at+uint32(bits.TrailingZeros64(matching)/8)]
		matching &= matching - 1
		position := b.ctx.Chance
		switch {
		case s.kind == 0:
			return Result{f, s.serve, s.serve.variant, missing}
		case s.kind&(splitChance|splitOther) != 0:
			if s.kind&splitChance != 0 {
				break
			}
			position, ok := mod.bucketings[s.seed].of(b.slots[s.unit].value)
			if !ok {
				missing = s.unit + 1
				continue
			}
			return Result{f, s.serve, mod.pickOther(s.serve, position, b.ctx.Now), missing}
		case !b.slots[s.unit].id.valid:
			missing = s.unit + 1
			continue
		default:
			position = b.slots[s.unit].id.position(s.seed)
		}
		return Result{f, s.serve, s.pick(mod, position, b.ctx.Now), missing}
	}
	s := &mod.serves[tf.otherwise]
	return Result{f, s, s.variant, missing}
}

// reserved reports whether a reservation contains the position of the unit.
func (b *bulk) reserved(in *instr, missing *uint16) bool {
	r := &b.module.reservations[in.arg]
	slot := &b.slots[in.attribute]
	if !slot.id.valid {
		*missing = in.attribute + 1
		return false
	}
	by := &b.module.bucketings[r.bucketing]
	if by.algorithm.position == nil {
		return r.has(uint64(slot.id.position(by.seed)))
	}
	position, _ := by.of(slot.value)
	return r.has(position)
}
