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
	looked  [memoSize]symbols // that atoms look for, by the attribute's rank
	targets []uint32

	list   []uint32 // used by sifts and texts
	listed []uint8  // used by texts
}

// An atom is a comparison.
type atom struct {
	pc      uint32
	rank    uint8 // of the attribute
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
	exact = true
	if s.shape == 0 {
		return [][]atom{nil}, true
	}
	w := conditionWalk{module: m.module, shape: s.shape, pc: f.ruleEnd(i)}
	entries, ok := m.and([][]atom{make([]atom, 0, 4)}, &w, false, &exact)
	if !ok {
		return [][]atom{nil}, false
	}
	return entries, exact
}

// and adds a condition to entries, which it may overwrite. It isn't ok if there are too many of them.
// It clears exact if it leaves out a comparison.
func (m *sieveMaker) and(entries [][]atom, w *conditionWalk, negated bool, exact *bool) (all [][]atom, ok bool) {
	op, n := w.next()
	switch {
	case op == 0:
		a := atom{pc: w.comparison(), negated: negated}
		in := &m.module.code[a.pc]
		if a.symbols, ok = m.sifts(in); !ok {
			*exact = false
			return entries, true
		}
		a.rank = m.module.ranks[in.attribute]
		for i := range entries {
			entries[i] = append(entries[i], a)
		}
		return entries, true
	case op == OpNot:
		return m.and(entries, w, !negated, exact)
	case (op == OpAny) == negated: // a conjunction
		for range n {
			if entries, ok = m.and(entries, w, negated, exact); !ok {
				return nil, false
			}
		}
		return entries, true
	}
	for range n {
		branch := make([][]atom, len(entries))
		for i := range entries {
			branch[i] = slices.Clone(entries[i])
		}
		if branch, ok = m.and(branch, w, negated, exact); !ok || len(all)+len(branch) > sieveEntries {
			return nil, false
		}
		all = append(all, branch...)
	}
	return all, true
}

// sifts returns the symbols that a comparison looks for, and whether a sieve can make it.
func (m *sieveMaker) sifts(in *instr) (list symbols, ok bool) {
	mod := m.module
	if mod.ranks[in.attribute] == noRank {
		return list, false
	}
	switch in.op {
	case codeIs, codeIn, codeAmong:
		m.list = mod.appendSymbols(m.list[:0], in)
		for _, symbol := range m.list {
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
	known, looked := len(m.atoms), m.looked
	fits := true
	for j, atoms := range entries {
		fits = fits && (len(atoms) > 0 || exact) // otherwise it would exclude nobody
		for _, a := range atoms {
			a.entries = 1 << (len(m.targets) + j)
			m.atoms = append(m.atoms, a)
			m.looked[a.rank] = m.looked[a.rank].with(a.symbols)
			fits = fits && !m.looked[a.rank].wide()
		}
	}
	if !fits {
		m.atoms, m.looked = m.atoms[:known], looked
		return false
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

// of yields the comparisons of the attribute with a rank.
func (m *sieveMaker) of(rank uint8) iter.Seq[*atom] {
	return func(yield func(*atom) bool) {
		for i := range m.atoms {
			if a := &m.atoms[i]; a.rank == rank && !yield(a) {
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
	done := uint(0) // a bit for each rank
	for _, a := range m.atoms {
		switch {
		case done>>a.rank&1 != 0:
			continue
		case m.module.ranked[a.rank].typ == AttrString:
			m.texts(a.rank, &p)
		default:
			m.numbers(a.rank, &p)
		}
		done |= 1 << a.rank
		for a := range m.of(a.rank) {
			p.decided[bits.TrailingZeros8(a.entries)] = uint8(len(p.attributes))
		}
	}
	m.sieve.parts = append(m.sieve.parts, p)
	m.atoms, m.targets, m.looked = m.atoms[:0], m.targets[:0], [memoSize]symbols{}
}

// texts adds to a part what symbols of an attribute exclude.
func (m *sieveMaker) texts(rank uint8, p *sievePart) {
	all := m.looked[rank]
	s := sifted{rank: rank, at: uint32(len(p.masks)), base: all.least - 1, n: all.most - all.least + 2}
	p.attributes = append(p.attributes, s)
	p.masks = append(p.masks, make([]uint8, s.n)...)
	masks := p.masks[s.at:]
	m.listed = slices.Grow(m.listed[:0], len(masks))[:len(masks)]
	for a := range m.of(rank) {
		clear(m.listed)
		m.list = m.module.appendSymbols(m.list[:0], &m.module.code[a.pc])
		for _, symbol := range m.list {
			m.listed[symbol-s.base] = a.entries
		}
		for i, entries := range m.listed {
			if !a.negated {
				entries ^= a.entries
			}
			masks[i] |= entries
		}
	}
}

// numbers adds to a part what numbers of an attribute exclude.
func (m *sieveMaker) numbers(rank uint8, p *sievePart) {
	s := sifted{rank: rank, at: uint32(len(p.spans))}
	for a := range m.of(rank) {
		span := m.module.span(&m.module.code[a.pc], a.negated)
		span.rank, span.entries = rank, a.entries
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
