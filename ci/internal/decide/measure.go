package decide

import (
	"cmp"
	"math/big"
	"slices"
	"strings"
)

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
	for _, n := range x.nodes(x.convert(x.both(), func(i int) int { return x.reduced(grouping, i) })) {
		if v := x.variable(n); v >= drawingVariables && v < rampVariables {
			domain := x.drawings[v-drawingVariables].domain
			chance = chance || domain < 0
			add(domain)
		}
	}
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
