package decide

import (
	"math/big"
	"slices"
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
	rules := x.convert(x.both(), func(i int) int { return x.pairs[i].new.rule })
	return slices.ContainsFunc(x.nodes(rules),
		func(n node) bool { return !n.isConstant() && x.variable(n) >= drawingVariables })
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
