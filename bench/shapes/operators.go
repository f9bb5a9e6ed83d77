package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
)

// A kind is a shape of rule: who matches, and what they are served.
type kind struct {
	label   string
	rule    func(number int, r *rand.Rand) rule
	segment func(number int, r *rand.Rand) map[string]segment // that the rule uses
	layered bool
}

// kinds adds a place for each kind, of a series.
func (s size) kinds(a *axis, number int, list []kind, draw func(*rand.Rand) person) {
	for _, k := range list {
		x := len(a.places)
		a.place(func() []point {
			p := s.kind(k, x, draw)
			p.series = number
			return []point{p}
		})
	}
}

// kind returns the point of a kind. Flags in layers share them, four in each.
func (s size) kind(k kind, x int, draw func(*rand.Rand) person) point {
	e := &estate{attributes: operands, segments: make(map[string]segment), layers: make(map[string][]string)}
	for i := range s.flags {
		f := flagSpec{key: fmt.Sprintf("flag-%d", i), rules: []rule{k.rule(i, rand.New(rand.NewPCG(uint64(i), 10)))}}
		if k.segment != nil {
			for name, made := range k.segment(i, rand.New(rand.NewPCG(uint64(i), 10))) {
				e.segments[name] = made
			}
		}
		if k.layered {
			f.layer = fmt.Sprintf("layer-%d", i/4)
			e.layers[f.layer] = append(e.layers[f.layer], f.key)
		}
		e.flags = append(e.flags, f)
	}
	return point{
		label: k.label, x: float64(x), estate: e, asked: []string{"flag-0"},
		people: e.find(&e.flags[0], s.people, 0, draw),
	}
}

// operands are the attributes that operators are tried with.
var operands = map[string]string{
	"country": "string", "city": "string", "channel": "string", "version": "semver",
	"path": "string", "amount": "integer", "ip": "ip", "tags": "list",
}

var tags = names("tag", 12)

// operand returns a person who has all of them.
func (w world) operand(r *rand.Rand) person {
	p := w.person(r)
	address := netip.AddrFrom4([4]byte{10, byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256))})
	p.attrs = append(p.attrs,
		attr{"path", fmt.Sprintf("/v%d/%s/items/%d.%s", 1+r.IntN(4), pick(r, w.cities), r.IntN(1000),
			pick(r, []string{"json", "csv", "xml"}))},
		attr{"amount", r.IntN(10_000)},
		attr{"ip", address.String()},
		attr{"tags", some(r, tags, 3)})
	p.now = 1_782_950_400 + r.Int64N(86_400) // the day in the middle of 2026, and of the ramp
	return p
}

// when makes a kind that serves one text where a condition holds.
func when(label string, c func(r *rand.Rand) condition) kind {
	return kind{label: label, rule: func(_ int, r *rand.Rand) rule { return rule{when: c(r)} }}
}

// operators is one condition, of each operator, and what rules serve.
func (s size) operators() axis {
	w := newWorld(10)
	half := []share{{"on", 50}, {"off", 50}}
	everybody := func(shares []share, ramp bool) func(int, *rand.Rand) rule {
		return func(int, *rand.Rand) rule { return rule{when: always(), shares: shares, ramp: ramp} }
	}
	list := []kind{
		when("one text", func(r *rand.Rand) condition { return oneOf("channel", pick(r, channels)) }),
		when("10 texts", func(r *rand.Rand) condition { return oneOf("country", some(r, w.countries, 10)...) }),
		when("any case", func(r *rand.Rand) condition { return folded("country", some(r, w.countries, 10)...) }),
		when("prefix", func(r *rand.Rand) condition { return prefix("path", fmt.Sprintf("/v%d/", 1+r.IntN(4))) }),
		when("suffix", func(r *rand.Rand) condition { return suffix("path", pick(r, []string{".csv", ".xml"})) }),
		when("contains", func(r *rand.Rand) condition {
			return contains("path",
				fmt.Sprintf("/items/%d", r.IntN(10)))
		}),
		when("integer", func(r *rand.Rand) condition { return atLeast("amount", r.IntN(9000)) }),
		when("remainder", func(r *rand.Rand) condition { return remainder("amount", 10, r.IntN(5), 5+r.IntN(5)) }),
		when("version", func(r *rand.Rand) condition { return fromVersion("version", r.IntN(900_000)) }),
		when("networks", func(r *rand.Rand) condition {
			return inNetworks("ip", fmt.Sprintf("10.%d.0.0/16", r.IntN(128)), "10.128.0.0/9")
		}),
		when("addresses", func(r *rand.Rand) condition {
			return between("ip", fmt.Sprintf("10.%d.0.0", r.IntN(128)), "10.200.0.0")
		}),
		when("tags", func(r *rand.Rand) condition { return anyTag("tags", some(r, tags, 4)...) }),
		when("time of day", func(r *rand.Rand) condition { return daily(r.IntN(8), 16+r.IntN(8)) }),
		{label: "rollout", rule: everybody(half, false)},
		{label: "ramp", rule: everybody(half, true)},
		{label: "layer", rule: everybody(nil, false), layered: true},
	}
	expressions := []kind{
		when("short", func(r *rand.Rand) condition { return matches("path", fmt.Sprintf("^/v%d/", 1+r.IntN(4))) }),
		when("alternatives", func(r *rand.Rand) condition {
			return matches("path", fmt.Sprintf(`/(?:%s|%s)[0-9]*/`, pick(r, w.cities), pick(r, w.cities)))
		}),
		when("classes", func(r *rand.Rand) condition {
			return matches("path", fmt.Sprintf(`/items/[%d-9][0-9]*\.[a-z]+$`, r.IntN(5)))
		}),
	}
	a := axis{name: "operators", title: "one condition that holds, or one split",
		series: []series{{name: "operators"}, {name: "regular expressions", exempt: true}}}
	s.kinds(&a, 0, list, w.operand)
	s.kinds(&a, 1, expressions, w.operand)
	return a
}

// segments is one condition that is a segment.
func (s size) segments() axis {
	w := newWorld(10)
	// People come from few ids, so that they are on lists.
	id := func(r *rand.Rand) string { return fmt.Sprintf("u-%015d", r.IntN(4000)) }
	draw := func(r *rand.Rand) person {
		p := w.operand(r)
		p.id = id(r)
		return p
	}
	listed := func(n int) func(*rand.Rand) segment {
		return func(r *rand.Rand) segment {
			var ids []string
			for _, at := range r.Perm(4000)[:n] {
				ids = append(ids, fmt.Sprintf("u-%015d", at))
			}
			return segment{include: ids}
		}
	}
	condition := func(r *rand.Rand) segment {
		c := oneOf("country", some(r, w.countries, 10)...)
		return segment{when: &c}
	}
	list := []kind{
		segmented("list of 10", 0, listed(10)),
		segmented("list of 1,000", 0, listed(1000)),
		segmented("condition", 0, condition),
		segmented("in another", 1, condition),
		segmented("in 2 others", 2, condition),
		segmented("in 3 others", 3, condition),
	}
	a := axis{name: "segments", title: "one condition: a member of a segment", series: []series{{name: "member"}}}
	s.kinds(&a, 0, list, draw)
	return a
}

// segmented makes a kind whose condition is membership in a segment, which other segments
// are around.
func segmented(label string, depth int, inner func(*rand.Rand) segment) kind {
	name := func(number, level int) string { return fmt.Sprintf("group-%d-%d", number, level) }
	build := func(number int, r *rand.Rand) (map[string]segment, string) {
		made := map[string]segment{name(number, 0): inner(r)}
		for level := 1; level <= depth; level++ {
			c := member(name(number, level-1), made[name(number, level-1)])
			made[name(number, level)] = segment{when: &c}
		}
		return made, name(number, depth)
	}
	return kind{
		label: label,
		rule: func(number int, r *rand.Rand) rule {
			made, outer := build(number, r)
			return rule{when: member(outer, made[outer])}
		},
		segment: func(number int, r *rand.Rand) map[string]segment {
			made, _ := build(number, r)
			return made
		},
	}
}
