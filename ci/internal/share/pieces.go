package share

import (
	"cmp"
	"maps"
	"slices"

	"github.com/serin-flags/serin/evaluator"
)

// A Part is the share that something has by the files: a variant of a split, or
// a flag of a layer, which may be listed several times.
type Part struct {
	Name  string
	Share int64 // in billionths
}

// A total is the sum of all parts of one name.
type total struct {
	Part
	times int64 // how many there are
}

// A Piece gives the positions from the end of the piece before it, or 0, to one
// of the parts. The last piece of a list ends at the number of positions.
type Piece struct {
	Name string
	To   uint64
}

// InOrder gives each part its positions in the order of the parts, as
// [ranges] does.
func InOrder(parts []Part, total uint64) []Piece {
	numbers, shares := make([]int, len(parts)), make([]int64, len(parts))
	for i, p := range parts {
		numbers[i], shares[i] = i, p.Share
	}
	var list []Piece
	for _, r := range Ranges(numbers, shares, total) {
		list = append(list, Piece{parts[r.Variant].Name, r.To})
	}
	return Joined(list)
}

// Joined makes one of neighbouring pieces of the same part, and leaves out empty
// ones. It overwrites list.
func Joined(list []Piece) []Piece {
	out := list[:0]
	var from uint64
	for _, p := range list {
		switch last := len(out) - 1; {
		case p.To == from:
		case last >= 0 && out[last].Name == p.Name:
			out[last].To = p.To
		default:
			out = append(out, p)
		}
		from = p.To
	}
	return out
}

// Positions returns how many positions each part has.
func Positions(list []Piece) map[string]uint64 {
	have := make(map[string]uint64, len(list))
	var from uint64
	for _, p := range list {
		have[p.Name] += p.To - from
		from = p.To
	}
	return have
}

// end returns how many positions there are.
func end(list []Piece) uint64 {
	if len(list) == 0 {
		return 0
	}
	return list[len(list)-1].To
}

// totals returns the sums of the parts, sorted by name, without those of share 0.
func totals(parts []Part) []total {
	list := slices.DeleteFunc(slices.Clone(parts), func(p Part) bool { return p.Share == 0 })
	slices.SortStableFunc(list, func(a, b Part) int { return cmp.Compare(a.Name, b.Name) })
	out := make([]total, 0, len(list))
	for _, p := range list {
		if last := len(out) - 1; last >= 0 && out[last].Name == p.Name {
			out[last].Share += p.Share
			out[last].times++
		} else {
			out = append(out, total{p, 1})
		}
	}
	return out
}

// Fit reports whether every part has the positions of its share, rounded down or up,
// and nothing else has any. A part that is listed several times may have been rounded
// each time.
func Fit(list []Piece, parts []Part) bool {
	have, all := Positions(list), totals(parts)
	for _, p := range all {
		n, left := exactly(p.Share, end(list))
		// Off by less than a position for each time, in billionths. Where it is off
		// by far, the product would not fit 64 bits.
		whole := int64(have[p.Name] - n)
		if max(whole, -whole) > p.times {
			return false
		}
		if off := whole*Whole - int64(left); max(off, -off) >= p.times*Whole {
			return false
		}
	}
	return len(have) == len(all)
}

// wanted returns how many positions each part should have: its share, rounded down
// or up so that the sum is all positions. Parts that have the larger number now are
// rounded up first.
func wanted(parts []Part, have map[string]uint64, positions uint64) map[string]uint64 {
	all := totals(parts)
	want := make(map[string]uint64, len(all))
	over := positions
	for _, p := range all {
		n, _ := exactly(p.Share, positions)
		want[p.Name] = n
		over -= n
	}
	slices.SortStableFunc(all, func(a, b total) int {
		_, leftA := exactly(a.Share, positions)
		_, leftB := exactly(b.Share, positions)
		keepsA, keepsB := have[a.Name] > want[a.Name], have[b.Name] > want[b.Name]
		switch {
		case leftA == 0 || leftB == 0 || keepsA == keepsB:
			return cmp.Compare(leftB, leftA)
		case keepsA:
			return -1
		}
		return 1
	})
	// The fractions add up to over positions, and each is less than one.
	for _, p := range all[:over] {
		want[p.Name]++
	}
	return want
}

// A balance moves positions from parts that have too many to parts that have too
// few. No other part loses or gains one, so fewer moves aren't possible.
type balance struct {
	pieces []Piece
	spare  map[string]uint64 // how many too many, of those who have
	short  map[string]uint64 // how many too few
}

// Rebalance returns pieces that fit the parts, and moves as few positions of list as
// possible. The result depends only on the arguments, and not on the order of the
// parts. To keep the number of pieces small, it first moves boundaries, then gives
// away whole pieces, and only then cuts a piece.
func Rebalance(list []Piece, parts []Part) []Piece {
	if Fit(list, parts) {
		return list
	}
	if list := renamed(list, parts); Fit(list, parts) {
		return list
	}
	b := balance{pieces: slices.Clone(list), spare: make(map[string]uint64), short: make(map[string]uint64)}
	have := Positions(list)
	want := wanted(parts, have, end(list))
	for name, n := range have {
		if n > want[name] {
			b.spare[name] = n - want[name]
		}
	}
	for name, n := range want {
		if n > have[name] {
			b.short[name] = n - have[name]
		}
	}
	for len(b.short) > 0 {
		if !b.shift() && !b.pass() {
			b.cut()
		}
	}
	return b.pieces
}

// renamed returns pieces in which the only part that is gone has the name of the only
// new one: then that keeps its positions to the last one, however they were rounded.
func renamed(list []Piece, parts []Part) []Piece {
	have, want := Positions(list), make(map[string]bool, len(parts))
	var gone, added []string
	for _, p := range totals(parts) {
		want[p.Name] = true
		if _, ok := have[p.Name]; !ok {
			added = append(added, p.Name)
		}
	}
	for name := range have {
		if !want[name] {
			gone = append(gone, name)
		}
	}
	if len(gone) != 1 || len(added) != 1 {
		return nil
	}
	list = slices.Clone(list)
	for i := range list {
		if list[i].Name == gone[0] {
			list[i].Name = added[0]
		}
	}
	return list
}

// from returns where a piece starts.
func (b *balance) from(i int) uint64 {
	if i == 0 {
		return 0
	}
	return b.pieces[i-1].To
}

// give records that n positions moved.
func (b *balance) give(from, to string, n uint64) {
	if b.spare[from] -= n; b.spare[from] == 0 {
		delete(b.spare, from)
	}
	if b.short[to] -= n; b.short[to] == 0 {
		delete(b.short, to)
	}
	b.pieces = Joined(b.pieces)
}

// shift moves the first boundary between a part that has too many and one that has
// too few.
func (b *balance) shift() bool {
	for i := 0; i+1 < len(b.pieces); i++ {
		left, right := &b.pieces[i], b.pieces[i+1]
		if n := min(b.spare[left.Name], b.short[right.Name], left.To-b.from(i)); n > 0 {
			left.To -= n
			b.give(left.Name, right.Name, n)
			return true
		}
		if n := min(b.short[left.Name], b.spare[right.Name], right.To-left.To); n > 0 {
			left.To += n
			b.give(right.Name, left.Name, n)
			return true
		}
	}
	return false
}

// pass gives away the longest piece that its part doesn't need and another part needs
// as a whole. Of several such parts it chooses the one that is short of least.
func (b *balance) pass() bool {
	longest, length, to := -1, uint64(0), ""
	for i, p := range b.pieces {
		n := p.To - b.from(i)
		if n <= length || n > b.spare[p.Name] {
			continue
		}
		if name, ok := b.shortOf(n); ok {
			longest, length, to = i, n, name
		}
	}
	if longest < 0 {
		return false
	}
	from := b.pieces[longest].Name
	b.pieces[longest].Name = to
	b.give(from, to, length)
	return true
}

// shortOf returns the part that is short of the fewest positions, but at least n.
func (b *balance) shortOf(n uint64) (name string, ok bool) {
	for _, other := range slices.Sorted(maps.Keys(b.short)) {
		if b.short[other] >= n && (!ok || b.short[other] < b.short[name]) {
			name, ok = other, true
		}
	}
	return name, ok
}

// cut cuts the longest piece of a part that has too many, for the part that is short
// of most. It cuts where the neighbour has too many as well, so that the new piece can
// grow into it, and otherwise at the upper end.
func (b *balance) cut() {
	longest, length := -1, uint64(0)
	for i, p := range b.pieces {
		if n := p.To - b.from(i); n > length && b.spare[p.Name] > 0 {
			longest, length = i, n
		}
	}
	from, to := b.pieces[longest].Name, ""
	for _, name := range slices.Sorted(maps.Keys(b.short)) {
		if b.short[name] > b.short[to] {
			to = name
		}
	}
	n := min(b.spare[from], b.short[to]) // less than the piece has, or pass would have given it away
	if b.spares(longest-1) && !b.spares(longest+1) {
		b.pieces = slices.Insert(b.pieces, longest, Piece{to, b.from(longest) + n})
	} else {
		b.pieces[longest].To -= n
		b.pieces = slices.Insert(b.pieces, longest+1, Piece{to, b.pieces[longest].To + n})
	}
	b.give(from, to, n)
}

// spares reports whether there is a piece of that number whose part has too many.
func (b *balance) spares(i int) bool {
	return i >= 0 && i < len(b.pieces) && b.spare[b.pieces[i].Name] > 0
}

// A Move is how many of all positions of a split, or of a layer, go from one variant
// or flag to another.
type Move struct {
	From, To  string
	Positions uint64
	Total     uint64 // how many there are
}

// Moves returns what moves between two lists of pieces, most positions first.
func Moves(before, after []Piece) []Move {
	type way struct{ from, to string }
	n := make(map[way]uint64)
	var from uint64
	for i, j := 0, 0; i < len(before) && j < len(after); {
		to := min(before[i].To, after[j].To)
		if a, b := before[i].Name, after[j].Name; a != b {
			n[way{a, b}] += to - from
		}
		if from = to; before[i].To == to {
			i++
		}
		if after[j].To == to {
			j++
		}
	}
	list := make([]Move, 0, len(n))
	for w, n := range n {
		list = append(list, Move{w.from, w.to, n, end(after)})
	}
	slices.SortFunc(list, func(a, b Move) int {
		return cmp.Or(cmp.Compare(b.Positions, a.Positions), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return list
}

// RangesOf returns the pieces as ranges of variants.
func RangesOf(list []Piece, variant func(name string) int) []evaluator.Range {
	out := make([]evaluator.Range, len(list))
	var from uint64
	for i, p := range list {
		out[i] = evaluator.Range{From: from, To: p.To, Variant: variant(p.Name)}
		from = p.To
	}
	return out
}
