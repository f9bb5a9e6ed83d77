package diff_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/evaluator"
)

// A maker makes small random rulesets, edits of them, and contexts for them. All
// values are from small pools, so that conditions often have to do with each other.
type maker struct {
	*rand.Rand
	set *evaluator.Ruleset // being made
}

func newMaker(seed uint64) *maker { return &maker{Rand: rand.New(rand.NewPCG(seed, 1))} }

func choose[T any](m *maker, list ...T) T { return list[m.IntN(len(list))] }

// some returns from one to most of a list.
func some[T any](m *maker, most int, list ...T) []T {
	list = slices.Clone(list)
	m.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:1+m.IntN(min(most, len(list)))]
}

var (
	userPool    = []string{"u-1", "u-2", "u-3", "u-10", "t-1", "7", "42", "U-1"}
	cityPool    = []string{"BJ", "SH", "GZ", "LS", "bj", "Bj", "BJS", "北京"}
	piecePool   = []string{"B", "H", "J", "BJ", "bj", "S", "Z", "京"}
	matchPool   = []string{"^[LG].*[SZ]$", "J", "^b", "^$", "H|S", "(?i)J$", "^(BJ|SH)$", "^B.?J", "[bs]j?$", "[^JH]"}
	spelledPool = []string{"bJ", "GxZ", "lS", "Lbjs", "GJS", "hJ", "xJ", "sh", "ſh", "bz", "B\nJ", "x\nb", "B\xffj"}
	mailPool    = []string{"a@a.com", "x@A.COM", "@a.com", "b@b.org", "ſ@K.com"}
	versionPool = []string{"1.0.0", "2.3.0", "2.3.0-rc.1", "2.3", "3.0.0-0", "3", "10.0.1"}
	rangePool   = []string{">=2.3.0", "<2", ">=1.0.0 <3", ">2.3.0-rc.1", "<=3", "=2.3.0", "<3.0.0-0"}
	networkPool = []string{"10.0.0.0/8", "10.1.0.0/16", "192.168.7.0/24", "2001:db8::/32", "::/0", "0.0.0.0/0"}
	addressPool = []string{"10.1.2.3", "10.1.255.255", "192.168.7.9", "2001:db8::1", "::ffff:10.1.2.3", "10.2.0.0"}
	secondPool  = []int64{-62_135_596_800, -62_135_596_799, 0, at - 86_400, at, at + 86_400, 253_402_300_799,
		253_402_300_800}
	pricePool = []string{"0", "0.1", "0.10", "1e-1", "0.11", "-0.5", "12.5", "1e3", "1000.0000000000000000001"}
	tagPool   = []string{"a", "b", "c", "d"}
	intPool   = []int64{0, 1, 2, 5, 7, 9, 10, 11, 42, 100, -1, math.MinInt64, math.MaxInt64}
	timePool  = []int64{at - 90_000, at - 100, at, at + 1, at + 100, at + 90_000, at + 700_000}
)

// cells is how many steps positions are made in.
const cells = 32

// versionAttribute is the index of the attribute "version".
const versionAttribute = 6

func attributes() []evaluator.Attribute {
	return []evaluator.Attribute{
		{Name: "user", Type: evaluator.AttrString}, {Name: "device", Type: evaluator.AttrString},
		{Name: "city", Type: evaluator.AttrString}, {Name: "mail", Type: evaluator.AttrString},
		{Name: "uid", Type: evaluator.AttrInteger}, {Name: "beta", Type: evaluator.AttrBoolean},
		{Name: "version", Type: evaluator.AttrSemver}, {Name: "ip", Type: evaluator.AttrIP},
		{Name: "tags", Type: evaluator.AttrList}, {Name: "since", Type: evaluator.AttrTime},
		{Name: "price", Type: evaluator.AttrNumber},
	}
}

// ruleset makes a ruleset.
func (m *maker) ruleset() evaluator.Ruleset {
	set := evaluator.Ruleset{Unit: "user", Attributes: attributes(), Zones: []evaluator.Zone{
		{Name: "UTC", Offsets: []evaluator.Offset{{}}},
		{Name: "Berlin", Offsets: []evaluator.Offset{{Seconds: 3600}, {From: at + 86_400, Seconds: 7200},
			{From: at + 400_000, Seconds: 3600}}},
	}}
	if m.IntN(4) == 0 {
		set.Attributes[versionAttribute].Type = evaluator.AttrSemverV
	}
	m.set = &set
	for i := range m.IntN(3) {
		s := evaluator.Segment{Name: "s" + strconv.Itoa(i), Include: some(m, 4, userPool...)}
		if m.IntN(3) == 0 {
			s.Exclude = some(m, 2, userPool...)
		}
		if m.IntN(3) == 0 {
			c := m.noServes(1)
			s.When = &c
		}
		if m.IntN(8) == 0 {
			s.Include = nil
		}
		set.Segments = append(set.Segments, s)
	}
	for i := range 1 + m.IntN(3) {
		set.Flags = append(set.Flags, m.flag("f"+strconv.Itoa(i)))
	}
	m.set = nil
	return set
}

func (m *maker) noServes(depth int) evaluator.Condition {
	flags := m.set.Flags
	m.set.Flags = nil
	c := m.condition(depth)
	m.set.Flags = flags
	return c
}

func (m *maker) boundary(b evaluator.Bucketing) uint64 {
	return uint64(m.IntN(cells+1)) * (b.Total() / cells)
}

func (m *maker) bucketing(key string) evaluator.Bucketing {
	b := evaluator.Bucketing{By: "user", Salt: choose(m, key, key, "shared"), Hash: evaluator.HashMurmur3}
	switch m.IntN(12) {
	case 0:
		b.By = "device"
	case 1:
		b.By = "uid"
	case 2:
		b.Hash = choose(m, evaluator.Hashes()...)
	}
	return b
}

func (m *maker) ranges(b evaluator.Bucketing, variants int) []evaluator.Range {
	var list []evaluator.Range
	from := uint64(0)
	for from < b.Total() {
		to := m.boundary(b)
		if m.IntN(3) == 0 {
			to = b.Total()
		}
		if to > from {
			list = append(list, evaluator.Range{From: from, To: to, Variant: m.IntN(variants)})
			from = to
		}
	}
	return list
}

func (m *maker) reserved() *evaluator.Reservation {
	b := evaluator.Bucketing{By: "user", Salt: "layer:page", Hash: evaluator.HashMurmur3}
	for {
		var list []evaluator.Span
		from := m.boundary(b)
		for from < b.Total() && m.IntN(4) > 0 {
			if to := m.boundary(b); to > from {
				list = append(list, evaluator.Span{From: from, To: to})
				from = min(to+b.Total()/cells, b.Total())
			}
		}
		if len(list) > 0 {
			return &evaluator.Reservation{Layer: "page", Bucketing: b, Spans: list}
		}
	}
}

func (m *maker) split(key string, variants int) *evaluator.Split {
	s := &evaluator.Split{Bucketing: m.bucketing(key)}
	if m.IntN(12) == 0 {
		s.Bucketing = evaluator.Bucketing{}
	}
	if m.IntN(5) > 0 {
		s.Ranges = m.ranges(s.Bucketing, variants)
		return s
	}
	s.Ramp = &evaluator.Ramp{Variant: m.IntN(variants), Rest: m.IntN(variants), Linear: m.IntN(2) == 0}
	times := some(m, 3, timePool...)
	slices.Sort(times)
	for _, t := range times {
		s.Ramp.Points = append(s.Ramp.Points, evaluator.Point{At: t, Level: m.boundary(s.Bucketing)})
	}
	return s
}

// condition makes a condition, of all operators.
func (m *maker) condition(depth int) evaluator.Condition {
	if depth > 0 && m.IntN(3) == 0 {
		c := evaluator.Condition{Op: choose(m, evaluator.OpAll, evaluator.OpAny, evaluator.OpNot)}
		for range 1 + m.IntN(3) {
			c.Of = append(c.Of, m.condition(depth-1))
		}
		if c.Op == evaluator.OpNot {
			c.Of = c.Of[:1]
		}
		return c
	}
	texts := func(op evaluator.Op, attribute string, list []string) evaluator.Condition {
		return evaluator.Condition{Op: op, Attribute: attribute, Strings: list}
	}
	c := texts(evaluator.OpOneOf, "city", some(m, 3, cityPool...))
	switch m.IntN(22) {
	case 0, 1:
	case 2:
		c.Fold = true
	case 3, 4:
		c = texts(evaluator.OpOneOf, "user", some(m, 3, userPool...))
	case 5:
		c = texts(evaluator.OpPrefix, choose(m, "city", "user"), some(m, 2, "B", "BJ", "b", "u-", "u-1", "t-"))
		c.Fold = m.IntN(2) == 0
	case 6:
		c = texts(choose(m, evaluator.OpSuffix, evaluator.OpContains), "city", some(m, 2, piecePool...))
		c.Fold = m.IntN(2) == 0
	case 7:
		c = texts(evaluator.OpMatches, "city", some(m, 2, matchPool...))
		c.Fold = m.IntN(3) == 0
	case 8:
		c = texts(choose(m, evaluator.OpSuffix, evaluator.OpOneOf, evaluator.OpContains), "mail",
			some(m, 2, mailPool...))
		c.Fold = m.IntN(2) == 0
	case 9:
		c = evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "uid", Ints: some(m, 3, intPool...)}
	case 10:
		ints := []int64{choose(m, intPool...), choose(m, intPool...)}
		slices.Sort(ints)
		c = evaluator.Condition{Op: evaluator.OpBetween, Attribute: "uid", Ints: ints}
		if m.IntN(3) == 0 {
			sign := func() string { return choose(m, "<", "<=", ">", ">=") }
			c = choose(m, texts(evaluator.OpNumber, "price", []string{sign() + choose(m, pricePool...)}),
				texts(evaluator.OpOneOf, "price", some(m, 2, pricePool...)),
				texts(evaluator.OpNumber, "price",
					[]string{sign() + choose(m, pricePool...) + " " + sign() + choose(m, pricePool...)}))
		} else if m.IntN(2) == 0 {
			from, to := choose(m, math.MinInt64, choose(m, secondPool...)),
				choose(m, choose(m, secondPool...), math.MaxInt64)
			c.Attribute, c.Ints = "since", []int64{min(from, to), max(from, to)}
		}
	case 11:
		n := choose[int64](m, 2, 4, 10)
		c = evaluator.Condition{Op: evaluator.OpModulo, Attribute: "uid", Ints: []int64{n, m.Int64N(n), m.Int64N(n)}}
	case 12:
		c = evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "beta", Ints: some[int64](m, 2, 0, 1)}
	case 13:
		c = choose(m, texts(evaluator.OpSemver, "version", []string{choose(m, rangePool...)}),
			texts(evaluator.OpOneOf, "version", some(m, 2, versionPool...)))
	case 14:
		c = choose(m, texts(evaluator.OpCIDR, "ip", some(m, 2, networkPool...)),
			texts(evaluator.OpOneOf, "ip", some(m, 2, addressPool...)),
			texts(evaluator.OpIPBetween, "ip", []string{"10.1.2.3", "10.1.255.255"}))
	case 15:
		c = texts(choose(m, evaluator.OpAnyOf, evaluator.OpAllOf), "tags", some(m, 3, tagPool...))
	case 16:
		c = texts(evaluator.OpExists, choose(m, attributes()...).Name, nil)
	case 17:
		times := some(m, 2, timePool...)
		c = evaluator.Condition{Op: evaluator.OpPeriod, Ints: []int64{math.MinInt64, times[0]}}
		if len(times) > 1 {
			c.Ints = []int64{min(times[0], times[1]), max(times[0], times[1])}
		} else if m.IntN(2) == 0 {
			c.Ints = []int64{times[0], math.MaxInt64}
		}
	case 18:
		c = evaluator.Condition{Op: evaluator.OpWindow, Strings: []string{choose(m, "UTC", "Berlin")},
			Ints: []int64{1 + m.Int64N(127), choose[int64](m, 0, 28_800, 79_200),
				choose[int64](m, 3600, 43_200, 86_400)}}
	case 19:
		b := m.bucketing(choose(m, "f0", "f1"))
		from, to := m.boundary(b), m.boundary(b)
		if from > to {
			from, to = to, from
		}
		if to > from {
			c = evaluator.Condition{Op: evaluator.OpBucket, Attribute: b.By, Strings: []string{b.Hash, b.Salt},
				Ints: []int64{int64(b.Positions), int64(from), int64(to)}}
		}
	case 20:
		if n := len(m.set.Segments); n > 0 {
			c = texts(evaluator.OpInSegment, choose(m, "user", "user", "uid", "city"),
				[]string{m.set.Segments[m.IntN(n)].Name})
		}
	default:
		if n := len(m.set.Flags); n > 0 {
			f := m.set.Flags[m.IntN(n)]
			names := []string{f.Key}
			for range 1 + m.IntN(2) {
				names = append(names, choose(m, f.Variants...).Name)
			}
			c = texts(evaluator.OpServes, "", names)
		}
	}
	return c
}

func (m *maker) rule(key, name string, variants int) evaluator.Rule {
	r := evaluator.Rule{Name: name, Variant: m.IntN(variants)}
	if m.IntN(4) > 0 {
		c := m.condition(2)
		r.When = &c
	}
	if m.IntN(3) == 0 {
		r.Split = m.split(key, variants)
	}
	return r
}

func (m *maker) flag(key string) evaluator.Flag {
	f := evaluator.Flag{Key: key, Type: evaluator.KindString, Disabled: m.IntN(12) == 0}
	for i := range 2 + m.IntN(2) {
		f.Variants = append(f.Variants,
			evaluator.Variant{Name: "v" + strconv.Itoa(i), Value: evaluator.StringValue(strconv.Itoa(i))})
	}
	n := len(f.Variants)
	f.Default, f.Off = m.IntN(n), m.IntN(n)
	if m.IntN(6) == 0 {
		f.Reserved = m.reserved()
	}
	if m.IntN(10) == 0 {
		f.Stale = &evaluator.Staleness{After: choose[uint32](m, 0, 60), Variant: m.IntN(n)}
	}
	for i := range m.IntN(5) {
		f.Rules = append(f.Rules, m.rule(key, "r"+strconv.Itoa(i), n))
	}
	return f
}

func payloads(flags []evaluator.Flag, staff ...string) []bundle.Payload {
	return payloadsOf(evaluator.Ruleset{
		Unit: "user", Attributes: attributes(), Flags: flags,
		Segments: []evaluator.Segment{{Name: "staff", Include: append([]string{"u-1"}, staff...)}},
	})
}

func payloadsOf(set evaluator.Ruleset) []bundle.Payload {
	return []bundle.Payload{{Environment: "test", Namespace: "shop", Ruleset: set}}
}

// pair returns a random ruleset and an edit of it.
func (m *maker) pair() diff.Pair {
	old := m.ruleset()
	new := m.edited(old)
	if m.IntN(12) == 0 {
		new.Attributes = slices.Clone(new.Attributes)
		new.Attributes[versionAttribute].Type = choose(m, evaluator.AttrSemver, evaluator.AttrSemverV)
	}
	if m.IntN(40) == 0 { // the sides share conditions, but not the zone
		new.Zones = slices.Clone(new.Zones)
		new.Zones[1].Offsets = []evaluator.Offset{{Seconds: 10_800}}
	}
	return diff.Pair{Environment: "test", Old: payloadsOf(old), New: payloadsOf(new)}
}

// context makes a context: of somebody who is named, of somebody who isn't, or of
// somebody unknown.
func (m *maker) context() evaluator.Context {
	ctx := evaluator.Context{Now: at, Chance: m.Uint32()}
	if m.IntN(3) == 0 {
		ctx.Now = choose(m, timePool...) + m.Int64N(3) - 1
		if m.IntN(2) == 0 {
			ctx.Now += m.Int64N(15*24)*3600 - 7*86_400
		}
	}
	if m.IntN(8) == 0 {
		ctx.Age = choose[int64](m, 1, 60, 61, 1000)
	}
	set := func(name string, v evaluator.Value) {
		if m.IntN(20) == 0 {
			v = choose(m, evaluator.IntValue(choose(m, intPool...)), evaluator.BoolValue(true),
				evaluator.FloatValue(0.5), evaluator.StringValue(""), evaluator.ListValue("a"))
		}
		if m.IntN(4) > 0 {
			ctx.Attrs = append(ctx.Attrs, evaluator.Attr{Name: name, Value: v})
		}
	}
	switch m.IntN(5) {
	case 0:
		ctx.Key = choose(m, userPool...)
	case 1, 2:
		ctx.Key = "user-" + strconv.Itoa(m.IntN(1e9))
	case 3:
		set("user", evaluator.StringValue(choose(m, userPool...)))
	}
	set("device", evaluator.StringValue("d-"+strconv.Itoa(m.IntN(1e9))))
	set("city", evaluator.StringValue(choose(m, slices.Concat(cityPool, piecePool, spelledPool)...)))
	set("mail", evaluator.StringValue(choose(m, mailPool...)))
	set("uid", evaluator.IntValue(choose(m, choose(m, intPool...), m.Int64N(200), m.Int64())))
	set("beta", evaluator.BoolValue(m.IntN(2) == 0))
	set("version", evaluator.StringValue(choose(m, "", "", "", "v")+
		choose(m, append(versionPool, "2.3.1", "2.3.0-rc.1.0", "0.1.0")...)))
	set("ip", evaluator.StringValue(choose(m, append(addressPool, "10.0.0.1", "::1", "11.0.0.0")...)))
	if second := choose(m, secondPool...) + m.Int64N(3) - 1; m.IntN(4) == 0 {
		set("since", evaluator.IntValue(second))
	} else {
		set("since", evaluator.StringValue(time.Unix(second, m.Int64N(1e9)).UTC().Format(time.RFC3339Nano)))
	}
	set("price", choose(m, evaluator.StringValue(choose(m, pricePool...)),
		evaluator.FloatValue(float64(m.IntN(300))/20-1), evaluator.IntValue(m.Int64N(2000))))
	set("tags", evaluator.ListValue(some(m, 4, tagPool...)[m.IntN(2):]...))
	return ctx
}
