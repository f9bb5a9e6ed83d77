package diff

import (
	"cmp"
	"math/big"
	"slices"
	"strings"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/values"
)

// A drawing is what positions are found by. Units have the same position in two
// drawings that are equal, and positions that have nothing to do with each other
// in others.
type drawing struct{ by, salt, hash string }

// An outcome is what somebody is served.
type outcome struct {
	name  string
	value evaluator.Value
}

func outcomeOf(f *evaluator.Flag, i int) outcome {
	if i < 0 || i >= len(f.Variants) {
		return outcome{}
	}
	return outcome{f.Variants[i].Name, f.Variants[i].Value}
}

// same reports whether two outcomes are the same to those who are served them.
func (o outcome) same(p outcome) bool { return o.name == p.name && values.Same(o.value, p.value) }

// A stretch serves one outcome to all positions up to an end.
type stretch struct {
	to     uint64
	serves outcome
}

// A model is what a flag serves to a group of people whom its conditions don't
// tell apart: it depends on positions alone. Those in the spans of the layer are
// served by position in another drawing; all others one outcome.
type model struct {
	layered   bool
	layer     drawing
	spans     []evaluator.Span
	otherwise outcome
	split     drawing // if stretches are several
	stretches []stretch
	ramp      bool
}

func constant(o outcome) model { return model{stretches: []stretch{{evaluator.Positions, o}}} }

// ruleModel returns the model of those for whom a rule is, at a time.
func ruleModel(f *evaluator.Flag, r *evaluator.Rule, now int64) model {
	m := constant(outcomeOf(f, r.Variant))
	if s := r.Split; s != nil {
		m.split, m.ramp = drawing{s.By, s.Salt, s.Hash}, s.Ramp != nil
		m.stretches = nil
		if s.Ramp != nil {
			if level := s.Ramp.LevelAt(now); level > 0 {
				m.stretches = append(m.stretches, stretch{level, outcomeOf(f, s.Ramp.Variant)})
			}
			m.stretches = append(m.stretches, stretch{evaluator.Positions, outcomeOf(f, s.Ramp.Rest)})
		}
		for _, r := range s.Ranges {
			m.stretches = append(m.stretches, stretch{r.To, outcomeOf(f, r.Variant)})
		}
	}
	if v := f.Reserved; v != nil {
		m.layered, m.layer, m.spans = true, drawing{v.By, v.Salt, v.Hash}, v.Spans
		m.otherwise = outcomeOf(f, f.Default)
	}
	return m
}

// everybody returns the model of all who have the units, if there is one: if no
// condition has a say.
func everybody(f *evaluator.Flag, now int64) (model, bool) {
	switch {
	case f.Disabled:
		return constant(outcomeOf(f, f.Off)), true
	case len(f.Rules) == 0:
		return constant(outcomeOf(f, f.Default)), true
	case isAlways(normal(f.Rules[0].When)):
		return ruleModel(f, &f.Rules[0], now), true
	}
	return model{}, false
}

// drawings adds the drawings that the model has a use for to a list.
func (m *model) drawings(list []drawing) []drawing {
	add := func(d drawing) {
		if !slices.Contains(list, d) {
			list = append(list, d)
		}
	}
	if m.layered {
		add(m.layer)
	}
	if len(m.stretches) > 1 {
		add(m.split)
	}
	return list
}

// ends adds the positions of a drawing where something changes to a list.
func (m *model) ends(d drawing, list []uint64) []uint64 {
	if m.layered && m.layer == d {
		for _, s := range m.spans {
			list = append(list, s.From, s.To)
		}
	}
	if len(m.stretches) > 1 && m.split == d {
		for _, s := range m.stretches {
			list = append(list, s.to)
		}
	}
	return list
}

// at returns the outcome at a place, which has a position for each drawing.
func (m *model) at(drawings []drawing, positions []uint64) outcome {
	position := func(d drawing) uint64 { return positions[slices.Index(drawings, d)] }
	if m.layered {
		p := position(m.layer)
		if !slices.ContainsFunc(m.spans, func(s evaluator.Span) bool { return s.From <= p && p < s.To }) {
			return m.otherwise
		}
	}
	if len(m.stretches) == 1 {
		return m.stretches[0].serves
	}
	p := position(m.split)
	for _, s := range m.stretches {
		if p < s.to {
			return s.serves
		}
	}
	return outcome{}
}

// The bounds of what is computed exactly; beyond, people are counted.
const (
	maxDrawings = 2
	maxCells    = 1 << 20
)

// exactMoves returns the shares of positions that are served something else by
// one model than by another, and whether that can be told: whether there are not
// too many drawings and ranges.
func exactMoves(old, new *model) ([]Move, bool) {
	drawings := new.drawings(old.drawings(nil))
	if len(drawings) > maxDrawings {
		return nil, false
	}
	cells := 1
	axes := make([][]uint64, maxDrawings) // ends of cells
	for i := range axes {
		axes[i] = []uint64{evaluator.Positions}
		if i < len(drawings) {
			ends := new.ends(drawings[i], old.ends(drawings[i], axes[i]))
			slices.Sort(ends)
			axes[i] = slices.Compact(ends)
		}
		cells *= len(axes[i])
	}
	if cells > maxCells {
		return nil, false
	}
	var sums moveSums
	positions := make([]uint64, maxDrawings)
	for _, x := range axes[0] {
		positions[1] = 0
		for _, y := range axes[1] {
			a, b := old.at(drawings, positions), new.at(drawings, positions)
			area := product(x-positions[0], y-positions[1])
			sums.add(a, b, area)
			positions[1] = y
		}
		positions[0] = x
	}
	return sums.moves(product(evaluator.Positions, evaluator.Positions)), true
}

// product returns a·b.
func product(a, b uint64) *big.Int {
	n := new(big.Int).SetUint64(a)
	return n.Mul(n, new(big.Int).SetUint64(b))
}

// moveSums sums up who moves from which outcome to which.
type moveSums struct{ list []moveSum }

type moveSum struct {
	from, to outcome
	sum      *big.Int
}

func (s *moveSums) add(from, to outcome, n *big.Int) {
	if n.Sign() == 0 || from.same(to) {
		return
	}
	for i := range s.list {
		if s.list[i].from.same(from) && s.list[i].to.same(to) {
			s.list[i].sum.Add(s.list[i].sum, n)
			return
		}
	}
	s.list = append(s.list, moveSum{from, to, new(big.Int).Set(n)})
}

// moves returns the sums as shares of all, the largest first.
func (s *moveSums) moves(all *big.Int) []Move {
	var list []Move
	for _, m := range s.list {
		list = append(list, Move{m.from.name, m.to.name, newShare(m.sum, all)})
	}
	sortMoves(list)
	return list
}

func sortMoves(list []Move) {
	slices.SortFunc(list, func(a, b Move) int {
		return cmp.Or(b.Share.cmp(a.Share), strings.Compare(a.From, b.From), strings.Compare(a.To, b.To))
	})
}

// exactGroups returns who is served something else, as far as it follows from
// ranges. There are none if people have to be counted.
func (c *comparison) exactGroups(old, new *evaluator.Flag, edits []Edit) []Group {
	if !slices.ContainsFunc(edits, func(e Edit) bool { return e.Kind.serves() }) {
		return []Group{{Who: "everybody", Exact: true}}
	}
	a, okOld := everybody(old, c.now)
	b, okNew := everybody(new, c.now)
	if okOld && okNew {
		if g, ok := newGroup(&a, &b); ok {
			g.Who = strings.Join(append([]string{"everybody"}, withUnits(&a, &b)...), " ")
			return []Group{g}
		}
		return nil
	}
	sharesOnly := !slices.ContainsFunc(edits, func(e Edit) bool {
		return e.Kind.serves() && e.Kind != KindServe && e.Kind != KindLayer
	})
	if !sharesOnly || old.Disabled || new.Disabled {
		return nil
	}
	var list []Group
	for i := range new.Rules { // the rules are the same, in the same order
		a, b := ruleModel(old, &old.Rules[i], c.now), ruleModel(new, &new.Rules[i], c.now)
		g, ok := newGroup(&a, &b)
		if !ok {
			return nil
		}
		if len(g.Moves) == 0 && sameServe(old, new, &old.Rules[i], &new.Rules[i]) {
			continue
		}
		g.Rule = new.Rules[i].Name
		g.Who = strings.Join(append([]string{"those whom rule", quoted(g.Rule), "is for,"}, withUnits(&a, &b)...), " ")
		g.Who = strings.TrimSuffix(g.Who, ",")
		list = append(list, g)
	}
	if len(list) == 0 {
		list = []Group{{Who: "everybody", Exact: true}}
	}
	return list
}

// newGroup returns the group of people who were served by one model, and will be
// by another, and whether it is known exactly.
func newGroup(old, new *model) (Group, bool) {
	moves, ok := exactMoves(old, new)
	g := Group{Exact: true, Ramp: old.ramp || new.ramp, Moves: moves}
	if ok {
		g.Bars = bars(old, new)
	}
	return g, ok
}

// withUnits names the units by which positions are found.
func withUnits(models ...*model) []string {
	var units []string
	chance := false
	for _, m := range models {
		for _, d := range m.drawings(nil) {
			chance = chance || d.by == ""
			if d.by != "" && !slices.Contains(units, d.by) {
				units = append(units, d.by)
			}
		}
	}
	if chance {
		units = append(units, "by chance, call by call")
	}
	if len(units) == 0 || chance {
		return units
	}
	for i := range units {
		units[i] = quote(units[i])
	}
	return []string{"with a " + strings.Join(units, " and a ")}
}
