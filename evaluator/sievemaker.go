package evaluator

import (
	"iter"
	"math"
	"math/bits"
	"slices"
)

// sieve returns the flag's sieve, which it makes at the first call.
func (f *CompiledFlag) sieve() *sieve {
	s := f.sifted.Load()
	if s == nil { // several goroutines may make the same one
		s = newSieve(f)
		f.sifted.Store(s)
	}
	return s
}

// A sieveMaker makes a sieve.
type sieveMaker struct {
	module *Module
	sieve  *sieve

	// Of the next part.
	atoms   []atom
	targets []uint32
}

// An atom is a comparison.
type atom struct {
	pc      uint32
	negated bool
	entries uint8 // mask
	symbols       // that it looks for
}

// symbols describes a list of symbols. If it has none, n is 0.
type symbols struct{ least, most, n uint32 }

// with returns the description of both lists.
func (s symbols) with(t symbols) symbols {
	if s.n == 0 {
		return t
	}
	return symbols{min(s.least, t.least), max(s.most, t.most), s.n + t.n}
}

// wide reports whether a mask for each symbol would take too much memory.
func (s symbols) wide() bool { return s.most-s.least >= 64+4*s.n }

// newSieve makes the sieve of a flag, of as many of its first rules as fit. A first rule with a list
// of targeting keys isn't one of them, because [CompiledFlag.behindList] tests that.
func newSieve(f *CompiledFlag) *sieve {
	m := sieveMaker{module: f.module, sieve: &sieve{start: noSieve}}
	rule, start := uint32(0), f.way.pc
	if f.list != nil {
		rule, start = 1, f.unlisted.pc
	}
	if f.disabled || rule >= f.rules || start != f.ruleBegin(rule) { // the age and the reservation come first
		return m.sieve
	}
	for rule < f.rules && len(m.sieve.parts) < sieveParts {
		entries, exact := m.entries(f, rule)
		if m.add(f, rule, entries, exact) {
			rule++
			continue
		}
		if len(m.targets) == 0 {
			break
		}
		m.finish()
	}
	m.finish()
	if n := len(m.sieve.parts); n > 0 {
		m.sieve.start = start
		m.sieve.parts[n-1].ways[sieveEntries] = f.module.way(f.ruleBegin(rule))
	}
	return m.sieve
}

// rule returns what rule i serves.
func (f *CompiledFlag) rule(i uint32) *serve { return &f.module.serves[f.serves+f.rules-i] }

// ruleBegin returns the instruction with which rule i begins, and that of the default if there are
// i rules.
func (f *CompiledFlag) ruleBegin(i uint32) uint32 {
	for ; i < f.rules; i++ {
		s := f.rule(i)
		if s.shape == 0 {
			return s.pc
		}
		w := conditionWalk{module: f.module, shape: s.shape, pc: f.ruleEnd(i)}
		switch pc, holds, constant := w.first(); {
		case !constant:
			return pc
		case holds:
			return s.pc
		}
	}
	return f.module.serves[f.serves].pc
}

// first returns the comparison with which a walk through the next condition begins. If it makes
// none, the outcome is constant.
func (w *conditionWalk) first() (pc uint32, holds, constant bool) {
	op, n := w.next()
	switch op {
	case 0:
		return w.comparison(), false, false
	case OpNot:
		pc, holds, constant = w.first()
		return pc, !holds, constant
	}
	goesOn := op == OpAll // while conditions have this outcome
	holds, constant = goesOn, true
	for range n {
		next, h, c := w.first()
		if constant && holds == goesOn {
			pc, holds, constant = next, h, c
		}
	}
	return pc, holds, constant
}

// entries returns the entries of a rule. They are exact unless comparisons are left out. If the
// rule can't be part of a sieve, it has one entry without comparisons that isn't exact.
func (m *sieveMaker) entries(f *CompiledFlag, i uint32) (entries [][]atom, exact bool) {
	s := f.rule(i)
	if s.shape == 0 {
		return [][]atom{nil}, true
	}
	exact = true
	w := conditionWalk{module: m.module, shape: s.shape, pc: f.ruleEnd(i)}
	entries, ok := m.alternatives(&w, false, &exact)
	if !ok {
		return [][]atom{nil}, false
	}
	return entries, exact
}

// alternatives returns the entries of a condition. It isn't ok if there are too many. It clears
// exact if it leaves out a comparison.
func (m *sieveMaker) alternatives(w *conditionWalk, negated bool, exact *bool) (entries [][]atom, ok bool) {
	op, n := w.next()
	switch {
	case op == 0:
		pc := w.comparison()
		symbols, ok := m.module.sifts(&m.module.code[pc])
		if !ok {
			*exact = false
			return [][]atom{nil}, true
		}
		return [][]atom{{{pc: pc, negated: negated, symbols: symbols}}}, true
	case op == OpNot:
		return m.alternatives(w, !negated, exact)
	case (op == OpAny) != negated:
		for range n {
			more, ok := m.alternatives(w, negated, exact)
			if entries = append(entries, more...); !ok || len(entries) > sieveEntries {
				return nil, false
			}
		}
		return entries, true
	}
	entries = [][]atom{nil}
	for range n {
		more, ok := m.alternatives(w, negated, exact)
		if !ok || len(entries)*len(more) > sieveEntries {
			return nil, false
		}
		entries = both(entries, more)
	}
	return entries, true
}

// both returns the entries that hold if one of each list holds.
func both(a, b [][]atom) [][]atom {
	all := make([][]atom, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			all = append(all, slices.Concat(x, y))
		}
	}
	return all
}

// sifts returns the symbols that a comparison looks for, and whether a sieve can make it.
func (mod *Module) sifts(in *instr) (list symbols, ok bool) {
	if mod.ranks[in.attribute] == noRank {
		return list, false
	}
	switch in.op {
	case codeIs, codeIn, codeAmong:
		for symbol := range mod.eachSymbol(in) {
			list = list.with(symbols{symbol, symbol, 1})
		}
		return list, !list.wide()
	}
	return list, mod.numeric(in)
}

// numeric reports whether a comparison holds for a span of numbers.
func (mod *Module) numeric(in *instr) bool {
	switch in.op {
	case codeBetween:
		return mod.ints[in.arg] <= mod.ints[in.arg+1] && mod.ints[in.arg+1] > math.MinInt64
	case codeVersion:
		return mod.versions[in.arg].lo <= mod.versions[in.arg].hi
	}
	return false
}

// add adds a rule to the part. It returns false if the rule doesn't fit.
func (m *sieveMaker) add(f *CompiledFlag, i uint32, entries [][]atom, exact bool) bool {
	if len(m.targets)+len(entries) > sieveEntries {
		return false
	}
	known := len(m.atoms)
	for j, atoms := range entries {
		if len(atoms) == 0 && !exact { // it would exclude nobody
			m.atoms = m.atoms[:known]
			return false
		}
		for _, a := range atoms {
			a.entries = 1 << (len(m.targets) + j)
			m.atoms = append(m.atoms, a)
		}
	}
	for _, a := range m.atoms {
		if m.symbolsOf(m.module.code[a.pc].attribute).wide() {
			m.atoms = m.atoms[:known]
			return false
		}
	}
	target := f.rule(i).pc
	if !exact {
		target = f.ruleBegin(i)
	}
	for range entries {
		m.targets = append(m.targets, target)
	}
	return true
}

// symbolsOf describes the symbols that comparisons of an attribute look for.
func (m *sieveMaker) symbolsOf(attribute uint16) (all symbols) {
	for _, a := range m.of(attribute) {
		all = all.with(a.symbols)
	}
	return all
}

// of yields the comparisons of an attribute.
func (m *sieveMaker) of(attribute uint16) iter.Seq2[*instr, atom] {
	return func(yield func(*instr, atom) bool) {
		for _, a := range m.atoms {
			if in := &m.module.code[a.pc]; in.attribute == attribute && !yield(in, a) {
				return
			}
		}
	}
}

// finish adds the part to the sieve, unless it is empty.
func (m *sieveMaker) finish() {
	if len(m.targets) == 0 {
		return
	}
	p := sievePart{excluded: uint8(math.MaxUint8 << len(m.targets))} // entries from there on
	for i, pc := range m.targets {
		p.ways[i] = m.module.way(pc)
	}
	for i, a := range m.atoms {
		attribute := m.module.code[a.pc].attribute
		same := func(b atom) bool { return m.module.code[b.pc].attribute == attribute }
		switch {
		case slices.ContainsFunc(m.atoms[:i], same):
			continue
		case m.module.attributes[attribute].Type == AttrString:
			m.texts(attribute, &p)
		default:
			m.numbers(attribute, &p)
		}
		for _, a := range m.of(attribute) {
			p.decided[bits.TrailingZeros8(a.entries)] = uint8(len(p.attributes))
		}
	}
	m.sieve.pays = m.sieve.pays || len(m.atoms) > len(p.attributes)
	m.sieve.parts = append(m.sieve.parts, p)
	m.atoms, m.targets = m.atoms[:0], m.targets[:0]
}

// texts adds to a part what symbols of an attribute exclude.
func (m *sieveMaker) texts(attribute uint16, p *sievePart) {
	all := m.symbolsOf(attribute)
	s := sifted{rank: m.module.ranks[attribute], at: uint32(len(p.masks)), base: all.least - 1,
		n: all.most - all.least + 2}
	p.attributes = append(p.attributes, s)
	p.masks = append(p.masks, make([]uint8, s.n)...)
	masks, listed := p.masks[s.at:], make([]uint8, s.n)
	for in, atom := range m.of(attribute) {
		clear(listed)
		for symbol := range m.module.eachSymbol(in) {
			listed[symbol-s.base] = atom.entries
		}
		for i := range listed {
			if !atom.negated {
				listed[i] ^= atom.entries
			}
			masks[i] |= listed[i]
		}
	}
}

// numbers adds to a part what numbers of an attribute exclude.
func (m *sieveMaker) numbers(attribute uint16, p *sievePart) {
	s := sifted{rank: m.module.ranks[attribute], at: uint32(len(p.spans))}
	for in, atom := range m.of(attribute) {
		span := m.module.span(in, atom.negated)
		span.rank, span.entries = s.rank, atom.entries
		p.spans = append(p.spans, span)
		s.spans++
	}
	p.attributes = append(p.attributes, s)
}

// span returns the numbers for which a numeric comparison holds, or its negation.
func (mod *Module) span(in *instr, negated bool) span {
	lo, hi := uint64(0), uint64(0)
	if in.op == codeBetween {
		lo, hi = max(uint64(mod.ints[in.arg])^1<<63, 1), uint64(mod.ints[in.arg+1])^1<<63
	} else {
		i := &mod.versions[in.arg]
		lo, hi = orderNumber(i.lo), orderNumber(i.hi)
	}
	if negated { // all others, from the next one past the largest to the one before
		return span{lo: hi + 1, width: lo - hi - 2}
	}
	return span{lo: lo, width: hi - lo}
}
