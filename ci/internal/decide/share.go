package decide

import (
	"cmp"
	"math/big"
	"slices"
	"strings"
)

// Grouping of people whose shares are computed.
const (
	byEverybody = iota
	byNewRule
	byOldRule
)

// shares computes the shares of all who get a different value, at every time.
func (v *Verdict) shares(found []*comparison, now int64) {
	var first, largest []Share
	most := new(big.Rat)
	for _, x := range found {
		list := x.shares()
		if list == nil {
			return
		}
		size := new(big.Rat)
		for i := range list {
			if x.clock.now != now {
				list[i].At = x.clock.now
			}
			if m := list[i].Moved(); m.Cmp(size) > 0 {
				size = m
			}
		}
		if first == nil {
			first = list
		}
		if size.Cmp(most) > 0 {
			most, largest = size, list
		}
	}
	v.Shares = first
	if len(first) > 0 && len(largest) > 0 && &first[0] != &largest[0] {
		v.Later = largest
	}
}

// shares returns the shares of people at a time, nil if they can't be computed: if they
// depend on more than positions.
func (x *comparison) shares() []Share {
	if x.both(); x.full {
		return nil
	}
	for _, grouping := range []int{byEverybody, byNewRule, byOldRule} {
		if list, ok := x.grouped(grouping); ok && len(list) > 0 {
			return list
		}
	}
	return nil
}

// label returns the group that a pair is in.
func (p pair) label(grouping int) int {
	switch grouping {
	case byNewRule:
		return p.new.rule
	case byOldRule:
		return p.old.rule
	}
	return 0
}

// grouped returns the shares of groups, and whether those of each group are the same
// for all of its people.
func (x *comparison) grouped(grouping int) ([]Share, bool) {
	units, chance := x.units(grouping)
	if grouping == byEverybody && x.rulesByPosition() {
		return nil, false // who a rule is for depends on positions: shares are better of these
	}
	var list []Share
	moving := make(map[int]bool) // labels
	for pattern := range 1 << len(units) {
		parts, ok := x.parts(grouping, units, pattern)
		if !ok {
			return nil, false
		}
		for label, moves := range parts {
			moving[label] = moving[label] || len(moves) > 0
		}
		for _, label := range sortedKeys(parts) {
			s := Share{Everybody: grouping == byEverybody, Old: grouping == byOldRule, Moves: x.moves(parts[label]),
				Chance: chance}
			if len(s.Moves) == 0 {
				continue
			}
			for i, unit := range units {
				if pattern>>i&1 == 0 {
					s.With = append(s.With, x.domains[unit].name)
				} else {
					s.Without = append(s.Without, x.domains[unit].name)
				}
			}
			s.name(x, grouping, label)
			s.rules(x, parts[label])
			list = append(list, s)
		}
	}
	for _, unit := range units {
		if !x.fitNamed(grouping, unit, moving) {
			return nil, false
		}
	}
	return merge(list), true
}

// fitNamed reports whether people whose unit is named are served as others at their
// positions are, as far as they belong to a group. If no one else does, it must be that
// none of them gets a different value.
func (x *comparison) fitNamed(grouping, unit int, moving map[int]bool) bool {
	labels := make(map[int]bool)
	for _, p := range x.pairs {
		labels[p.label(grouping)] = labels[p.label(grouping)] || p.old.outcome != p.new.outcome
	}
	for label, moves := range labels {
		if !moves {
			continue
		}
		group := x.convert(x.both(), func(i int) int { return x.within(grouping, label, i) })
		for i := range x.cases[unit] {
			f := &x.cases[unit][i]
			if f.named == nil || !f.usable {
				continue
			}
			served := x.in(group, unit, i)
			if (moving[label] || x.anyMoves(served)) && served != constant(isOutside) &&
				!x.othersServed(group, unit, f.cells, served) {
				return false
			}
		}
	}
	return true
}

// Whether a pair belongs to a group, and moves: then it is its number and isMoved.
const (
	isOutside = iota
	isSame
	isMoved
)

func (x *comparison) within(grouping, label, i int) int {
	switch p := x.pairs[i]; {
	case p.label(grouping) != label:
		return isOutside
	case p.old.outcome == p.new.outcome:
		return isSame
	}
	return isMoved + i
}

// othersServed reports whether some who aren't named are served as a function says, if
// they have certain positions. It is enough that all who belong to the group are served
// one and the same at these positions.
func (x *comparison) othersServed(group node, unit int, cells []int, served node) bool {
	members := make(map[int]bool)
	for i := range x.cases[unit] {
		if f := &x.cases[unit][i]; f.named == nil && f.usable {
			others := x.fix(x.in(group, unit, i), unit, cells)
			if others == served {
				return true
			}
			x.leaves(others, members)
		}
	}
	delete(members, isOutside)
	if len(members) != 1 {
		return false
	}
	x.leaves(served, members)
	delete(members, isOutside)
	return len(members) == 1
}

// leaves adds the values of a function.
func (d *diagram) leaves(n node, list map[int]bool) {
	seen := make(map[node]bool)
	var visit func(node)
	visit = func(n node) {
		if n.isConstant() {
			list[n.value()] = true
			return
		}
		if seen[n] {
			return
		}
		seen[n] = true
		for _, k := range d.inner[n].kids {
			visit(k)
		}
	}
	visit(n)
}

// anyMoves reports whether a function of within is a move somewhere.
func (x *comparison) anyMoves(n node) bool {
	if n.isConstant() {
		return n.value() >= isMoved
	}
	return x.convert(n, func(i int) int { return min(i, isMoved) / isMoved }) != never
}

// fix returns a function for certain cells of the drawings by a unit.
func (x *comparison) fix(n node, unit int, cells []int) node {
	at := 0
	for j, d := range x.drawings {
		if d.domain == unit {
			n = x.in(n, drawingVariables+j, cells[at])
			at++
		}
	}
	return n
}

// merge joins the shares of people of one group with and without a unit, if they are
// the same.
func merge(list []Share) []Share {
	for i := 0; i < len(list); i++ {
		for j := i + 1; j < len(list); j++ {
			a, b := &list[i], &list[j]
			if a.Rule != b.Rule || a.OldRule != b.OldRule || a.NewRule != b.NewRule || !sameMoves(a.Moves, b.Moves) ||
				len(b.Without) != len(a.Without)+1 {
				continue
			}
			more := func(name string) bool { return !slices.Contains(a.Without, name) }
			if k := slices.IndexFunc(b.Without, more); slices.Equal(slices.Delete(slices.Clone(b.Without), k, k+1),
				a.Without) {
				unit := b.Without[k]
				a.With = slices.DeleteFunc(a.With, func(name string) bool { return name == unit })
				list = slices.Delete(list, j, j+1)
				return merge(list)
			}
		}
	}
	return list
}

// rulesByPosition reports whether positions decide which rule is for somebody.
func (x *comparison) rulesByPosition() bool {
	found := false
	x.each(x.convert(x.both(), func(i int) int { return x.pairs[i].new.rule }), func(variable int) {
		found = found || variable >= drawingVariables
	})
	return found
}

// each calls f for the variables of a function, some of them more than once.
func (d *diagram) each(n node, f func(variable int)) {
	seen := make(map[node]bool)
	var visit func(node)
	visit = func(n node) {
		if n.isConstant() || seen[n] {
			return
		}
		seen[n] = true
		f(d.variable(n))
		for _, k := range d.inner[n].kids {
			visit(k)
		}
	}
	visit(n)
}

// name names the rule that a label stands for.
func (s *Share) name(x *comparison, grouping, label int) {
	f := x.problem.flags[1]
	if grouping == byOldRule {
		f = x.problem.flags[0]
	}
	if grouping != byEverybody && label < len(f.Rules) {
		s.Rule = f.Rules[label].Name
	}
}

// rules tells which rules served those who move, if they were one on each side.
func (s *Share) rules(x *comparison, parts map[int]*big.Rat) {
	s.OldRule, s.NewRule = -1, -1
	first := true
	for i := range parts {
		p := x.pairs[i]
		if first {
			s.OldRule, s.NewRule, first = p.old.rule, p.new.rule, false
		}
		if p.old.rule != s.OldRule {
			s.OldRule = -1
		}
		if p.new.rule != s.NewRule {
			s.NewRule = -1
		}
	}
}

func sortedKeys[V any](m map[int]V) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// units returns the domains that rules need a position by, or shares depend on, and
// whether shares depend on chance.
func (x *comparison) units(grouping int) (units []int, chance bool) {
	add := func(domain int) {
		if domain >= 0 && !slices.Contains(units, domain) {
			units = append(units, domain)
		}
	}
	for _, f := range x.problem.flags {
		for i := range f.Rules {
			if s := f.Rules[i].Split; s != nil && !f.Disabled {
				add(x.drawings[x.drawing(s.Bucketing)].domain)
			}
		}
	}
	x.each(x.convert(x.both(), func(i int) int { return x.reduced(grouping, i) }), func(variable int) {
		if variable >= drawingVariables && variable < rampVariables {
			domain := x.drawings[variable-drawingVariables].domain
			chance = chance || domain < 0
			add(domain)
		}
	})
	slices.Sort(units)
	return units, chance
}

// reduced returns a number that is equal for pairs that shares don't tell apart.
func (x *comparison) reduced(grouping, i int) int {
	p := x.pairs[i]
	if p.old.outcome == p.new.outcome {
		return p.label(grouping) * 2
	}
	return i*2 + 1
}

// parts returns, for each label, which part of its people each pair that moves is, and
// whether that is the same for all who have the units of a pattern: a bit that is set
// says that the unit is missing. People whose units are named are left out.
func (x *comparison) parts(grouping int, units []int, pattern int) (map[int]map[int]*big.Rat, bool) {
	out := make(map[int]map[int]*big.Rat)
	ok := true
	measured := make(map[node]map[int]*big.Rat)
	seen := make(map[node]bool)
	var visit func(node)
	visit = func(n node) {
		if seen[n] || !ok {
			return
		}
		seen[n] = true
		v := x.variable(n)
		if v < drawingVariables {
			unit := slices.Index(units, v)
			for i, k := range x.inner[n].kids {
				if unit >= 0 {
					if f := &x.cases[v][i]; f.named != nil || f.usable == (pattern>>unit&1 == 1) {
						continue
					}
				}
				visit(k)
			}
			return
		}
		all, fine := x.measure(n, measured)
		ok = ok && fine && x.agree(out, all, grouping)
	}
	visit(x.both())
	return out, ok
}

// agree adds the parts of pairs to those of their labels, and reports whether these
// are the same as before.
func (x *comparison) agree(out map[int]map[int]*big.Rat, all map[int]*big.Rat, grouping int) bool {
	sums := make(map[int]*big.Rat)
	for i, part := range all {
		label := x.pairs[i].label(grouping)
		if sums[label] == nil {
			sums[label] = new(big.Rat)
		}
		sums[label].Add(sums[label], part)
	}
	for label, sum := range sums {
		parts := make(map[int]*big.Rat)
		for i, part := range all {
			if p := x.pairs[i]; p.label(grouping) == label && p.old.outcome != p.new.outcome {
				parts[i] = new(big.Rat).Quo(part, sum)
			}
		}
		if known, ok := out[label]; ok && !x.sameParts(known, parts) {
			return false
		}
		out[label] = parts
	}
	return true
}

// sameParts reports whether the same parts move from and to the same.
func (x *comparison) sameParts(a, b map[int]*big.Rat) bool {
	return sameMoves(x.moves(a), x.moves(b))
}

func sameMoves(a, b []Move) bool {
	return slices.EqualFunc(a, b,
		func(a, b Move) bool { return a.From == b.From && a.To == b.To && a.Part.Cmp(b.Part) == 0 })
}

// measure returns which part of positions each pair has, of a function that depends
// on positions alone, and whether that can be told.
func (x *comparison) measure(n node, known map[node]map[int]*big.Rat) (map[int]*big.Rat, bool) {
	if all, ok := known[n]; ok {
		return all, true
	}
	all := make(map[int]*big.Rat)
	if n.isConstant() {
		all[n.value()] = big.NewRat(1, 1)
		known[n] = all
		return all, true
	}
	v := x.variable(n)
	if v >= rampVariables || x.correlated(v-drawingVariables) {
		return nil, false
	}
	d := x.drawings[v-drawingVariables]
	total := d.ends[len(d.ends)-1]
	for i, k := range x.inner[n].kids {
		parts, ok := x.measure(k, known)
		if !ok {
			return nil, false
		}
		from, to := d.bounds(i)
		width := new(big.Rat).SetFrac(new(big.Int).SetUint64(to-from), new(big.Int).SetUint64(total))
		for pair, part := range parts {
			if all[pair] == nil {
				all[pair] = new(big.Rat)
			}
			all[pair].Add(all[pair], new(big.Rat).Mul(part, width))
		}
	}
	known[n] = all
	return all, true
}

// correlated reports whether positions in another drawing are computed from the same
// hash as those of this one.
func (x *comparison) correlated(number int) bool {
	a := x.drawings[number]
	return slices.ContainsFunc(x.drawings, func(b *drawing) bool {
		return a != b && a.By == b.By && a.Salt == b.Salt && a.Hash == b.Hash
	})
}

// moves returns pairs by what is served, the largest part first.
func (x *comparison) moves(parts map[int]*big.Rat) []Move {
	var list []Move
	for _, i := range sortedKeys(parts) {
		p := x.pairs[i]
		from, to := x.values[p.old.outcome].Name, x.values[p.new.outcome].Name
		at := slices.IndexFunc(list, func(m Move) bool { return m.From == from && m.To == to })
		if at < 0 {
			at = len(list)
			list = append(list, Move{from, to, new(big.Rat)})
		}
		list[at].Part.Add(list[at].Part, parts[i])
	}
	slices.SortFunc(list, func(a, b Move) int {
		return cmp.Or(b.Part.Cmp(a.Part), strings.Compare(a.From, b.From), strings.Compare(a.To, b.To))
	})
	return list
}
