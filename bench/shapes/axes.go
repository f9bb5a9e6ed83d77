package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// A size says how much of everything there is.
type size struct {
	flags  int // of a shape, which are asked for at once
	people int // a power of two
	most   int // flags, on the axis of that
}

var (
	fullSize  = size{flags: 1000, people: 1024, most: 100_000}
	shortSize = size{flags: 32, people: 128, most: 1000}
)

// axes returns all axes. Their points are made when they are measured.
func axes(s size) []func() axis {
	return []func() axis{
		s.lists, s.attributes, s.conditions, s.rules, s.nesting, s.segments, s.prerequisites, s.operators, s.ids,
		s.flagCount,
	}
}

// The attributes of people, and their types in flag files.
var declared = map[string]string{"country": "string", "city": "string", "channel": "string", "version": "semver"}

var channels = []string{"appstore", "play", "web"}

func names(kind string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s-%d", kind, i)
	}
	return list
}

// A world is what the texts of people and lists are drawn from.
type world struct{ countries, cities []string }

// newWorld returns a world for lists of a length: there are at least 4 and 8 times as
// many texts as in a list, and 40 and 80.
func newWorld(length int) world {
	return world{names("country", max(40, 4*length)), names("city", max(80, 8*length))}
}

func pick(r *rand.Rand, of []string) string { return of[r.IntN(len(of))] }

// some returns n of texts, sorted.
func some(r *rand.Rand, of []string, n int) []string {
	list := make([]string, n)
	for i, at := range r.Perm(len(of))[:n] {
		list[i] = of[at]
	}
	slices.Sort(list)
	return list
}

// person returns a person with an id of 17 bytes.
func (w world) person(r *rand.Rand) person {
	return person{
		id: fmt.Sprintf("u-%015d", r.IntN(1e15)),
		attrs: []attr{
			{"country", pick(r, w.countries)},
			{"city", pick(r, w.cities)},
			{"channel", pick(r, channels)},
			{"version", version(r.IntN(1_000_000))},
		},
	}
}

var thirds = []share{{"a", 50}, {"b", 30}, {"c", 20}}

// listFlag returns a flag like E with lists: five rules of two conditions. The lists are
// drawn by r.
func (w world) listFlag(key string, r *rand.Rand, length int) flagSpec {
	country := func() condition { return oneOf("country", some(r, w.countries, length)...) }
	city := func() condition { return oneOf("city", some(r, w.cities, length)...) }
	channel := func() condition { return oneOf("channel", pick(r, channels)) }
	recent := func() condition { return fromVersion("version", 500_000+r.IntN(400_000)) }
	f := flagSpec{key: key}
	for _, when := range []condition{
		all(country(), city()),
		all(country(), channel()),
		all(city(), recent()),
		all(country(), recent()),
		all(city(), channel()),
	} {
		f.rules = append(f.rules, rule{when: when, shares: thirds})
	}
	return f
}

// find draws people until n of them match the wanted rule of the flag. With anyRule, each
// rule matches equally many.
func (e *estate) find(f *flagSpec, n, wanted int, draw func(*rand.Rand) person) []person {
	r := rand.New(rand.NewPCG(3, 4))
	people := make([]person, 0, n)
	for tries := 0; len(people) < n; tries++ {
		if tries > 100_000*n {
			panic(fmt.Sprintf("flag %s: there is nobody for rule %d", f.key, wanted))
		}
		want := wanted
		if wanted == anyRule {
			want = len(people) % len(f.rules)
		}
		if p := draw(r); e.rule(f, &p) == want {
			people = append(people, p)
		}
	}
	return people
}

// lists is the length of lists.
func (s size) lists() axis {
	a := axis{name: "lists", title: "five rules of two conditions with lists (E with lists)",
		unit: "texts in a list", log: true}
	for _, which := range []string{"different", "equal"} {
		a.series = append(a.series, series{name: which + ", hit", flat: true},
			series{name: which + ", miss", flat: true})
	}
	for _, length := range []int{1, 2, 4, 8, 9, 16, 32, 64, 200, 1000} {
		a.place(func() []point {
			w := newWorld(length)
			var points []point
			for _, equal := range []bool{false, true} {
				e := &estate{attributes: declared}
				for i := range min(s.flags, 200) { // 6 lists in each
					seed := uint64(i)
					if equal {
						seed = 0
					}
					e.flags = append(e.flags,
						w.listFlag(fmt.Sprintf("flag-%d", i), rand.New(rand.NewPCG(seed, 7)), length))
				}
				for _, wanted := range []int{anyRule, noRule} {
					points = append(points, point{
						series: len(points), label: fmt.Sprint(length), x: float64(length), estate: e,
						asked:  []string{"flag-0"},
						people: e.find(&e.flags[0], s.people, wanted, w.person), wanted: wanted,
					})
				}
			}
			return points
		})
	}
	return a
}

// simple makes a point of flags, each made by its number, and people for the wanted rule
// of the first flag.
func (s size) simple(x, wanted int, make func(i int, r *rand.Rand) flagSpec, draw func(*rand.Rand) person) point {
	e := &estate{attributes: declared}
	for i := range s.flags {
		f := make(i, rand.New(rand.NewPCG(uint64(i), 8)))
		f.key = fmt.Sprintf("flag-%d", i)
		e.flags = append(e.flags, f)
	}
	return point{
		label: fmt.Sprint(x), x: float64(x), estate: e, asked: []string{"flag-0"},
		people: e.find(&e.flags[0], s.people, wanted, draw), wanted: wanted,
	}
}

// attributes is the number of attributes in the context, in any order.
func (s size) attributes() axis {
	a := axis{name: "attributes", title: "one condition on one attribute", unit: "attributes in the context"}
	orders := []struct {
		name  string
		place func(attrs []attr, r *rand.Rand) // puts the first one, which the rule uses, where it belongs
		used  bool                             // other flags use the others; else no rule does
	}{
		{"used one first", func([]attr, *rand.Rand) {}, false},
		{"used one last", func(attrs []attr, _ *rand.Rand) { slices.Reverse(attrs) }, false},
		{"any order", shuffle, false},
		{"any order, other flags use the others", shuffle, true},
	}
	for _, order := range orders {
		a.series = append(a.series, series{name: order.name})
	}
	for _, n := range []int{1, 2, 4, 6, 8, 12, 16, 20} {
		a.place(func() []point {
			var points []point
			for i, order := range orders {
				p := s.attributesIn(n, order.place, order.used)
				p.series = i
				points = append(points, p)
			}
			return points
		})
	}
	return a
}

// attributesIn is the point of n attributes, which are put in an order.
func (s size) attributesIn(n int, order func([]attr, *rand.Rand), used bool) point {
	w := newWorld(10)
	draw := func(r *rand.Rand) person {
		p := w.person(r)
		p.attrs = p.attrs[:1]
		for i := range n - 1 {
			p.attrs = append(p.attrs, attr{fmt.Sprintf("other-%d", i), pick(r, channels)})
		}
		order(p.attrs, r)
		return p
	}
	p := s.simple(n, 0, func(i int, r *rand.Rand) flagSpec {
		attribute, texts := "country", w.countries
		if used && i > 0 && n > 1 {
			attribute, texts = fmt.Sprintf("other-%d", i%(n-1)), channels
		}
		return flagSpec{rules: []rule{{when: oneOf(attribute, some(r, texts, min(len(texts)-1, 10))...)}}}
	}, draw)
	p.estate.attributes = map[string]string{"country": "string"}
	for i := range n - 1 {
		p.estate.attributes[fmt.Sprintf("other-%d", i)] = "string"
	}
	return p
}

func shuffle(attrs []attr, r *rand.Rand) {
	r.Shuffle(len(attrs), func(i, j int) { attrs[i], attrs[j] = attrs[j], attrs[i] })
}

// draws returns a condition that holds for many: they take turns by number.
func (w world) draws(number int, r *rand.Rand) condition {
	switch number % 4 {
	case 0:
		return oneOf("country", some(r, w.countries, 10)...)
	case 1:
		return fromVersion("version", r.IntN(500_000))
	case 2:
		return oneOf("city", some(r, w.cities, 10)...)
	default:
		return oneOf("channel", some(r, channels, 2)...)
	}
}

// each adds a position for each of xs, with a point of each series.
func (a *axis) each(xs []int, of ...func(x int) point) {
	for _, x := range xs {
		a.place(func() []point {
			points := make([]point, len(of))
			for i := range of {
				points[i] = of[i](x)
				points[i].series = i
			}
			return points
		})
	}
}

// conditions is the number of conditions of a rule, all of which hold.
func (s size) conditions() axis {
	w := newWorld(10)
	a := axis{name: "conditions", title: "one rule that matches", unit: "conditions of the rule",
		series: []series{{name: "all hold"}}}
	a.each([]int{1, 2, 3, 4, 5, 6}, func(n int) point {
		return s.simple(n, 0, func(_ int, r *rand.Rand) flagSpec {
			of := []condition{w.draws(0, r), w.draws(1, r), w.draws(2, r), w.draws(3, r),
				not(oneOf("country", some(r, w.countries, 2)...)), fromVersion("version", r.IntN(100_000))}
			return flagSpec{rules: []rule{{when: all(of[:n]...)}}}
		}, w.person)
	})
	return a
}

// rules is the number of rules, of two conditions each.
func (s size) rules() axis {
	w := newWorld(10)
	of := func(wanted func(n int) int) func(int) point {
		return func(n int) point {
			return s.simple(n, wanted(n), func(_ int, r *rand.Rand) flagSpec {
				var f flagSpec
				for range n {
					when := all(oneOf("country", some(r, w.countries, 6)...), oneOf("city", some(r, w.cities, 10)...))
					f.rules = append(f.rules, rule{when: when})
				}
				return f
			}, w.person)
		}
	}
	a := axis{name: "rules", title: "rules of two conditions", unit: "rules", series: []series{
		{name: "first one matches", flat: true}, {name: "last one matches"}, {name: "none matches"},
	}}
	a.each([]int{1, 2, 3, 5, 8, 12, 16, 20},
		of(func(int) int { return 0 }), of(func(n int) int { return n - 1 }), of(func(int) int { return noRule }))
	return a
}

// nesting is the depth of conditions in each other.
func (s size) nesting() axis {
	w := newWorld(10)
	a := axis{name: "nesting", title: "a condition that holds, inside others", unit: "levels",
		series: []series{{name: "not"}, {name: "any, and not every other level"}}}
	a.each([]int{0, 1, 2, 3, 4, 5}, func(n int) point {
		return s.simple(n, 0, func(_ int, r *rand.Rand) flagSpec {
			c := w.draws(0, r)
			for range n {
				c = not(c)
			}
			return flagSpec{rules: []rule{{when: c}}}
		}, w.person)
	}, func(n int) point {
		return s.simple(n, 0, func(i int, r *rand.Rand) flagSpec {
			c := w.draws(0, r)
			for level := range n {
				c = either(fmt.Sprintf("either-%d-%d", i, level), oneOf("city", some(r, w.cities, 3)...), c)
				if level%2 == 1 {
					c = not(c)
				}
			}
			return flagSpec{rules: []rule{{when: c}}}
		}, w.person)
	})
	return a
}

// prerequisites is how many flags require each other in a row.
func (s size) prerequisites() axis {
	w := newWorld(10)
	a := axis{name: "prerequisites", title: "a flag that requires another one, and so on", unit: "flags required",
		series: []series{{name: "all serve what is required"}}}
	a.each([]int{0, 1, 2, 3, 4, 5}, func(depth int) point {
		p := s.simple(depth, anyRule, func(i int, r *rand.Rand) flagSpec {
			f := flagSpec{rules: []rule{{when: fromVersion("version", r.IntN(500_000))}}}
			if i%(depth+1) > 0 {
				f.requires = fmt.Sprintf("flag-%d", i-1)
			}
			return f
		}, w.person)
		last := &p.estate.flags[depth]
		p.asked, p.people, p.wanted = []string{last.key}, p.estate.find(last, s.people, 0, w.person), 0
		return p
	})
	return a
}

// ids is the length of ids.
func (s size) ids() axis {
	a := axis{name: "ids", title: "30% of users, and users on a list of 10", unit: "bytes of the ID", log: true}
	var of []func(int) point
	for _, script := range []string{"ASCII", "not ASCII"} {
		fill := map[string]string{"ASCII": "k", "not ASCII": "é"}[script]
		id := func(r *rand.Rand, n int) string {
			digits := fmt.Sprintf("%06d", r.IntN(1e6))
			return digits + strings.Repeat(fill, (n-len(digits))/len(fill))
		}
		draw := func(n int) func(*rand.Rand) person {
			return func(r *rand.Rand) person { return person{id: id(r, n)} }
		}
		a.series = append(a.series, series{name: "rollout, " + script}, series{name: "list, " + script})
		of = append(of, func(n int) point {
			return s.simple(n, 0, func(int, *rand.Rand) flagSpec {
				return flagSpec{rules: []rule{{when: always(), shares: []share{{"on", 30}, {"off", 70}}}}}
			}, draw(n))
		}, func(n int) point {
			return s.simple(n, noRule, func(_ int, r *rand.Rand) flagSpec {
				var list []string
				for range 10 {
					list = append(list, id(r, n))
				}
				slices.Sort(list)
				return flagSpec{rules: []rule{{when: oneOf("user", slices.Compact(list)...)}}}
			}, draw(n))
		})
	}
	a.each([]int{8, 12, 16, 24, 32, 64, 100, 200}, of...)
	return a
}

// flagCount is the number of flags, 20 of which are asked for in turn.
func (s size) flagCount() axis {
	w := newWorld(10)
	a := axis{name: "flags", title: "20 flags in turn, in an estate of many", unit: "flags", log: true,
		series: []series{{name: "one condition with a list of 10", flat: true}}}
	var counts []int
	for n := 10; n <= s.most; n *= 10 {
		counts = append(counts, n)
	}
	a.each(counts, func(n int) point {
		of := size{flags: n, people: s.people}
		p := of.simple(n, anyRule, func(_ int, r *rand.Rand) flagSpec {
			return flagSpec{rules: []rule{{when: oneOf("country", some(r, w.countries, 10)...)}}}
		}, w.person)
		asked := min(n, 20)
		p.asked = nil
		for i := range asked {
			p.asked = append(p.asked, p.estate.flags[i*n/asked].key)
		}
		return p
	})
	return a
}
