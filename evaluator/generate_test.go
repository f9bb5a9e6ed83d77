package evaluator_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// A generator makes valid rulesets, and contexts for them. Everything is taken
// from small pools, so that what a condition asks for is often there, and times
// and positions often are those where something changes.
type generator struct {
	next  func(n int) int // a number in [0, n), which decides
	pools *pools
	set   *evaluator.Ruleset // the one that is being made
	flags []evaluator.Flag   // those of it that conditions may refer to
	refs  int                // how many more segments and flags they may
}

// byRandom decides by random numbers.
func byRandom(seed, stream uint64) func(int) int { return rand.New(rand.NewPCG(seed, stream)).IntN }

// byBytes decides by bytes: by zeros when there are no more.
func byBytes(data []byte) func(int) int {
	return func(n int) int {
		var v uint64
		for size := n - 1; size > 0; size >>= 8 {
			v <<= 8
			if len(data) > 0 {
				v, data = v|uint64(data[0]), data[1:]
			}
		}
		return int(v % uint64(n))
	}
}

// rarely is true once in n times, and never when there are no more bytes.
func (g *generator) rarely(n int) bool { return g.next(n) == n-1 }

func pick[T any](g *generator, pool []T) T { return pool[g.next(len(pool))] }

// several returns from least to most picks, with repetitions.
func several[T any](g *generator, pool []T, least, most int) []T {
	list := make([]T, least+g.next(most-least+1))
	for i := range list {
		list[i] = pick(g, pool)
	}
	return list
}

func shuffle[T any](g *generator, list []T) {
	for i := range list {
		j := i + g.next(len(list)-i)
		list[i], list[j] = list[j], list[i]
	}
}

// ascending returns from least to most numbers of a pool, each once.
func ascending[T int64 | uint64](g *generator, pool []T, least, most int) []T {
	list := several(g, pool, least, most)
	slices.Sort(list)
	return slices.Compact(list)
}

// names returns the declared attributes of a type.
func names(t evaluator.AttributeType) []string {
	var list []string
	for _, a := range declared() {
		if a.Type == t {
			list = append(list, a.Name)
		}
	}
	return list
}

func declared() []evaluator.Attribute {
	return []evaluator.Attribute{
		{Name: "user", Type: evaluator.AttrString}, {Name: "city", Type: evaluator.AttrString},
		{Name: "uid", Type: evaluator.AttrInteger}, {Name: "account", Type: evaluator.AttrInteger},
		{Name: "beta", Type: evaluator.AttrBoolean}, {Name: "version", Type: evaluator.AttrSemver},
		{Name: "ip", Type: evaluator.AttrIP}, {Name: "tags", Type: evaluator.AttrList},
		{Name: "build", Type: evaluator.AttrSemverV}, {Name: "since", Type: evaluator.AttrTime}, {Name: "price", Type: evaluator.AttrNumber},
	}
}

// Decimal numbers, and values that are numbers or nearly are.
var (
	decimals = []string{
		"0", "-0", "0.0", "-0e5", "0.1", "0.10", "1e-1", "0.3", "0.30000000000000004", "1", "1.0", "10", "1e1", "-1",
		"-1.5", "12.50", "1E+2",
		"9007199254740993", "9223372036854775807", "9223372036854775808", "9.223372036854775808e18",
		"-9223372036854775808", "5e-324",
		"1.7976931348623157e308", "1e999", "1e-999", "-1e999", "123456789012345678901234567890.123456789",
		"0.000000000000000000000001",
	}
	numberValues = []evaluator.Value{
		evaluator.IntValue(0), evaluator.IntValue(1), evaluator.IntValue(-1), evaluator.IntValue(10),
		evaluator.IntValue(9007199254740993),
		evaluator.IntValue(math.MaxInt64), evaluator.IntValue(math.MinInt64), evaluator.FloatValue(0.1),
		evaluator.FloatValue(0.1 + 0.2),
		evaluator.FloatValue(math.Copysign(0, -1)), evaluator.FloatValue(-1.5), evaluator.FloatValue(12.5),
		evaluator.FloatValue(1 << 53), evaluator.FloatValue(1 << 63),
		evaluator.FloatValue(5e-324), evaluator.FloatValue(math.MaxFloat64), evaluator.FloatValue(math.Inf(1)),
		evaluator.FloatValue(math.NaN()),
		evaluator.StringValue("0.1"), evaluator.StringValue("0.3"), evaluator.StringValue("12.5000"),
		evaluator.StringValue("-0.00"), evaluator.StringValue("1e999"),
		evaluator.StringValue("1e1000"), evaluator.StringValue("+1"), evaluator.StringValue(".5"),
		evaluator.StringValue("1."), evaluator.StringValue("01"),
		evaluator.StringValue("1e"), evaluator.StringValue("0x1"), evaluator.StringValue(" 1"),
		evaluator.StringValue("1,5"), evaluator.StringValue("-"), evaluator.StringValue(""),
		evaluator.StringValue("Infinity"), evaluator.StringValue(strings.Repeat("1", 100)),
		evaluator.StringValue(strings.Repeat("1", 101)),
		evaluator.StringValue("123456789012345678901234567890.1234567890"), evaluator.BoolValue(true),
		evaluator.ListValue("1"),
	}
)

// Bounds of times, and text that is a time or nearly is.
var (
	seconds = []int64{
		math.MinInt64, -62135596801, -62135596800, -1, 0, 951782399, 951782400, 951868800, 1796090399, 1796090400,
		1796090401,
		1796090400000, 253402300799, 253402300800, math.MaxInt64,
	}
	times = []string{
		"2026-12-01T02:00:00Z", "2026-12-01T10:00:00+08:00", "2026-11-30T14:30:00-11:30",
		"2026-12-01T01:59:59.999999999Z",
		"2026-12-01T02:00:00.000000000001Z", "2026-12-01t02:00:01z", "2026-12-01 02:00:00Z", "2026-12-01T02:00:00",
		"2026-12-01",
		"2026-12-01T02:00:60Z", "2026-12-01T24:00:00Z", "2026-12-01T02:00Z", "2026-12-01T02:00:00.Z",
		"2026-12-01T02:00:00,5Z",
		"2000-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2000-02-30T00:00:00Z", "2026-00-01T00:00:00Z",
		"2026-01-00T00:00:00Z",
		"1969-12-31T23:59:59.5Z", "1970-01-01T00:00:00-00:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01",
		"0000-12-31T23:59:59-00:01", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-00:01",
		"2026-12-01T02:00:00+24:00",
		"2026-12-01T02:00:00+08:60", "2026-12-01T02:00:00+0800", "2026-12-01T02:00:00Z ", "+026-12-01T02:00:00Z",
		"1796090400", "",
	}
)

// rulesets makes one ruleset, or now and then two that belong together.
func (g *generator) rulesets() []evaluator.Ruleset {
	sets := []evaluator.Ruleset{g.ruleset("f")}
	if g.rarely(8) {
		sets = append(sets, g.ruleset("g"))
		if i := len(sets[0].Flags); i > 0 {
			// Another flag of that key is a prerequisite here.
			p := g.flag(sets[0].Flags[g.next(i)].Key)
			sets[1].Prerequisites = append(sets[1].Prerequisites, p)
		}
	}
	return sets
}

func (g *generator) ruleset(prefix string) evaluator.Ruleset {
	set := evaluator.Ruleset{Unit: "user", Attributes: declared()}
	g.set, g.flags = &set, nil
	shuffle(g, set.Attributes)
	for _, name := range []string{"UTC", "Europe/Berlin", "Asia/Kathmandu"} {
		set.Zones = append(set.Zones, g.zone(name))
	}
	for i := range g.next(4) {
		g.refs = 2
		set.Segments = append(set.Segments, g.segment("s"+strconv.Itoa(i)))
	}
	count, refs := 1+g.next(4), 2
	if g.rarely(20) {
		count, refs = 30, 1 // a long chain
	}
	for i := range count {
		g.refs = refs
		g.flags = append(g.flags, g.flag(prefix+strconv.Itoa(i)))
	}
	for i, f := range g.flags {
		if i < len(g.flags)-1 && g.rarely(4) {
			set.Prerequisites = append(set.Prerequisites, f)
		} else {
			set.Flags = append(set.Flags, f)
		}
	}
	shuffle(g, set.Segments)
	shuffle(g, set.Flags)
	shuffle(g, set.Prerequisites)
	return set
}

func (g *generator) zone(name string) evaluator.Zone {
	z := evaluator.Zone{Name: name}
	for _, from := range ascending(g, g.pools.times, 1, 4) {
		z.Offsets = append(z.Offsets, evaluator.Offset{From: from, Seconds: pick(g, g.pools.offsets)})
	}
	return z
}

func (g *generator) segment(name string) evaluator.Segment {
	s := evaluator.Segment{Name: name}
	if g.rarely(2) {
		s.Include = several(g, g.pools.units, 0, 8)
	}
	if g.rarely(3) {
		s.Exclude = several(g, g.pools.units, 0, 8)
	}
	if g.rarely(2) {
		s.When = g.when()
	}
	return s
}

func (g *generator) flag(key string) evaluator.Flag {
	f := evaluator.Flag{Key: key, Type: evaluator.KindBool + evaluator.Kind(g.next(5)), Disabled: g.rarely(16)}
	for i := range 1 + g.next(4) {
		f.Variants = append(f.Variants,
			evaluator.Variant{Name: "v" + strconv.Itoa(i), Value: pick(g, g.pools.values[f.Type])})
	}
	f.Default, f.Off = g.next(len(f.Variants)), g.next(len(f.Variants))
	if g.rarely(8) {
		f.Stale = &evaluator.Staleness{After: pick(g, ages), Variant: g.next(len(f.Variants))}
	}
	f.Metadata = g.metadata()
	rules := g.next(4)
	if g.rarely(10) {
		rules = g.next(30) // more than are looked at together
	}
	for i := range rules {
		r := g.rule("r"+strconv.Itoa(i), len(f.Variants))
		if rules > 4 { // so that the last ones are reached
			c := g.comparison(pick(g, []evaluator.Op{evaluator.OpOneOf, evaluator.OpBetween, evaluator.OpSemver}))
			r.When = &evaluator.Condition{Op: evaluator.OpAll,
				Of: []evaluator.Condition{c, g.comparison(evaluator.OpOneOf)}}
		}
		f.Rules = append(f.Rules, r)
	}
	if g.rarely(6) {
		f.Reserved = &evaluator.Reservation{
			Layer: "layer", Bucketing: g.bucketing(),
		}
		f.Reserved.Spans = g.spans(g.levels(f.Reserved.Bucketing))
	}
	return f
}

// ages are how old flags may be.
var ages = []uint32{0, 1, 3600, math.MaxUint32}

func (g *generator) metadata() []evaluator.Attr {
	var list []evaluator.Attr
	for _, name := range g.pools.metadata {
		if g.rarely(4) {
			values := g.pools.values[evaluator.KindBool+evaluator.Kind(g.next(4))]
			list = append(list, evaluator.Attr{Name: name, Value: pick(g, values)})
		}
	}
	shuffle(g, list)
	return list
}

// bucketing makes a Bucketing, as a rule of Serin's own hash.
func (g *generator) bucketing() evaluator.Bucketing {
	b := evaluator.Bucketing{By: pick(g, g.pools.by), Salt: pick(g, g.pools.salts), Hash: evaluator.HashMurmur3}
	if g.rarely(3) {
		other := pick(g, g.pools.hashes)
		b.Hash, b.Positions = other.Hash, other.Positions
	}
	return b
}

// levels returns positions that are special for a Bucketing.
func (g *generator) levels(b evaluator.Bucketing) []uint64 {
	b.By, b.Salt = "", ""
	return g.pools.levels[b]
}

func (g *generator) spans(levels []uint64) []evaluator.Span {
	var list []evaluator.Span
	ends := ascending(g, levels, 1, 6)
	for i := 0; i+1 < len(ends); i++ {
		if len(ends) < 3 || !g.rarely(3) {
			list = append(list, evaluator.Span{From: ends[i], To: ends[i+1]})
		}
	}
	if len(list) == 0 {
		list = append(list, evaluator.Span{From: 0, To: max(ends[0], 1)})
	}
	return list
}

func (g *generator) rule(name string, variants int) evaluator.Rule {
	r := evaluator.Rule{Name: name, Variant: g.next(variants), Metadata: g.metadata()}
	if !g.rarely(6) {
		r.When = g.when()
	}
	if g.rarely(2) {
		r.Split = g.split(variants)
	}
	return r
}

func (g *generator) split(variants int) *evaluator.Split {
	s := &evaluator.Split{}
	if !g.rarely(5) {
		s.Bucketing = g.bucketing()
	}
	levels := g.levels(s.Bucketing)
	if g.rarely(2) {
		s.Ramp = &evaluator.Ramp{Variant: g.next(variants), Rest: g.next(variants), Linear: g.rarely(2)}
		for _, at := range ascending(g, g.pools.times, 1, 5) {
			s.Ramp.Points = append(s.Ramp.Points, evaluator.Point{At: at, Level: pick(g, levels)})
		}
		return s
	}
	from := uint64(0)
	for _, to := range append(ascending(g, levels, 0, 6), s.Total()) {
		if to > from {
			s.Ranges = append(s.Ranges, evaluator.Range{From: from, To: to, Variant: g.next(variants)})
			from = to
		}
	}
	return s
}

// when makes a condition, at times one that nests as deep as they may.
func (g *generator) when() *evaluator.Condition {
	c := g.condition(3)
	if g.rarely(40) {
		for range 90 {
			c = evaluator.Condition{Op: pick(g, []evaluator.Op{evaluator.OpNot, evaluator.OpAll, evaluator.OpAny}),
				Of: []evaluator.Condition{c}}
		}
	}
	return &c
}

func (g *generator) condition(depth int) evaluator.Condition {
	if depth == 0 || !g.rarely(3) {
		return g.comparison(evaluator.OpExists + evaluator.Op(g.next(int(evaluator.OpBucket-evaluator.OpExists)+1)))
	}
	if g.rarely(3) {
		return evaluator.Condition{Op: evaluator.OpNot, Of: []evaluator.Condition{g.condition(depth - 1)}}
	}
	c := evaluator.Condition{Op: pick(g, []evaluator.Op{evaluator.OpAll, evaluator.OpAny})}
	for range g.next(5) {
		c.Of = append(c.Of, g.condition(depth-1))
	}
	return c
}

// comparison makes a comparison with op, or with another operator if there is
// nothing that it could refer to.
func (g *generator) comparison(op evaluator.Op) evaluator.Condition {
	c := evaluator.Condition{Op: op}
	about := func(t evaluator.AttributeType) { c.Attribute = pick(g, names(t)) }
	switch op {
	case evaluator.OpExists:
		c.Attribute = pick(g, declared()).Name
	case evaluator.OpOneOf:
		return g.oneOf()
	case evaluator.OpInSegment:
		if len(g.set.Segments) == 0 || g.refs == 0 {
			return g.oneOf()
		}
		g.refs--
		about(pick(g, []evaluator.AttributeType{evaluator.AttrString, evaluator.AttrInteger}))
		c.Strings = []string{pick(g, g.set.Segments).Name}
	case evaluator.OpBetween:
		about(pick(g, []evaluator.AttributeType{evaluator.AttrInteger, evaluator.AttrTime}))
		c.Ints = []int64{pick(g, g.pools.ints), pick(g, g.pools.ints)}
		if typeOf(c.Attribute) == evaluator.AttrTime {
			c.Ints = []int64{pick(g, seconds), pick(g, seconds)}
		}
		slices.Sort(c.Ints)
	case evaluator.OpNumber:
		about(evaluator.AttrNumber)
		sign := func() string { return pick(g, []string{"<", "<=", ">", ">="}) }
		c.Strings = []string{sign() + pick(g, decimals)}
		if g.rarely(2) {
			c.Strings[0] += " " + sign() + pick(g, decimals)
		}
	case evaluator.OpModulo:
		about(evaluator.AttrInteger)
		m := pick(g, []int64{1, 2, 3, 10, 1 << 32, math.MaxInt64})
		c.Ints = []int64{m}
		for range 1 + g.next(3) {
			r := pick(g, g.pools.ints) % m
			c.Ints = append(c.Ints, max(r, -r))
		}
	case evaluator.OpCIDR:
		about(evaluator.AttrIP)
		c.Strings = several(g, g.pools.networks, 1, 3)
	case evaluator.OpIPBetween:
		about(evaluator.AttrIP)
		c.Strings = pick(g, g.pools.ranges)
	case evaluator.OpSemver:
		about(pick(g, []evaluator.AttributeType{evaluator.AttrSemver, evaluator.AttrSemverV}))
		c.Strings = []string{g.constraint()}
	case evaluator.OpPrefix, evaluator.OpSuffix, evaluator.OpContains, evaluator.OpMatches:
		about(evaluator.AttrString)
		c.Fold = g.rarely(2)
		c.Strings = g.pieces()
		if op == evaluator.OpMatches {
			c.Strings = several(g, g.pools.expressions, 1, 2)
		}
	case evaluator.OpAnyOf, evaluator.OpAllOf:
		about(evaluator.AttrList)
		c.Strings = several(g, g.pools.tags, 1, 3)
	case evaluator.OpBucket:
		b := g.bucketing()
		levels := g.levels(b)
		from, to := pick(g, levels), pick(g, levels)
		if from == to {
			from, to = 0, b.Total()
		}
		c.Attribute, c.Strings, c.Ints = b.By, []string{b.Hash, b.Salt},
			[]int64{int64(b.Positions), int64(min(from, to)), int64(max(from, to))}
	default:
		return g.circumstance(op)
	}
	return c
}

// circumstance makes a condition that isn't about an attribute.
func (g *generator) circumstance(op evaluator.Op) evaluator.Condition {
	c := evaluator.Condition{Op: op}
	switch op {
	case evaluator.OpPeriod:
		a, b := pick(g, g.pools.times), pick(g, g.pools.times)
		if a == b {
			a, b = math.MinInt64, max(b, math.MinInt64+1)
		}
		c.Ints = []int64{min(a, b), max(a, b)}
	case evaluator.OpWindow:
		c.Strings = []string{pick(g, g.set.Zones).Name}
		c.Ints = []int64{int64(1 + g.next(127)), pick(g, g.pools.opens), pick(g, g.pools.closes)}
	case evaluator.OpServes:
		if len(g.flags) == 0 || g.refs == 0 {
			return g.oneOf()
		}
		g.refs--
		f := g.flags[len(g.flags)-1] // makes the longest chains
		if g.rarely(2) {
			f = pick(g, g.flags)
		}
		c.Strings = []string{f.Key}
		for range 1 + g.next(2) {
			c.Strings = append(c.Strings, pick(g, f.Variants).Name)
		}
	}
	return c
}

func (g *generator) oneOf() evaluator.Condition {
	t := evaluator.AttrString + evaluator.AttributeType(g.next(int(evaluator.AttrIP)))
	if g.rarely(5) {
		t = pick(g, []evaluator.AttributeType{evaluator.AttrSemverV, evaluator.AttrNumber})
	}
	c := evaluator.Condition{Op: evaluator.OpOneOf, Attribute: pick(g, names(t))}
	most := 3
	if g.rarely(4) {
		most = 12 // large enough for another algorithm
	}
	switch t {
	case evaluator.AttrString:
		c.Strings, c.Fold = several(g, g.pools.units, 1, most), g.rarely(2)
		if g.rarely(3) { // so that other conditions ask the same, of another attribute too
			c.Strings = []string{pick(g, g.pools.units[1:4])}
		}
	case evaluator.AttrInteger:
		c.Ints = several(g, g.pools.ints, 1, most)
	case evaluator.AttrBoolean:
		c.Ints = several(g, []int64{0, 1}, 1, 2)
	case evaluator.AttrNumber:
		c.Strings = several(g, decimals, 1, most)
	case evaluator.AttrSemver, evaluator.AttrSemverV:
		for range 1 + g.next(most) {
			c.Strings = append(c.Strings, g.version())
		}
	case evaluator.AttrIP:
		c.Strings = several(g, g.pools.addresses, 1, most)
	}
	return c
}

// pieces makes operands of prefix, suffix and contains, cut without regard to
// code points.
func (g *generator) pieces() []string {
	if g.rarely(3) {
		return []string{pick(g, g.pools.operands)}
	}
	list := several(g, g.pools.texts, 1, 3)
	for i, s := range list {
		from := g.next(len(s))
		if g.rarely(2) {
			from = 0
		}
		list[i] = s[from : from+1+g.next(len(s)-from)]
	}
	return list
}

// version makes a version that is one: as a rule near others.
func (g *generator) version() string {
	if !g.rarely(3) {
		return pick(g, g.pools.versions)
	}
	numbers := []string{"0", "1", "2", "3", "10", "255", "65536", "4294967296", "9223372036854775808",
		"9999999999999999999"}
	var s strings.Builder
	s.WriteString(pick(g, numbers[:4]))
	for range g.next(3) {
		pool := numbers[:4]
		if g.rarely(4) {
			pool = numbers
		}
		s.WriteString("." + pick(g, pool))
	}
	if g.rarely(3) {
		pre := []string{"0", "1", "2", "10", "a", "rc", "A", "-", "0a", "a-1", "123456789012345678901234567890",
			"123456789012345678901234567891"}
		s.WriteString("-" + strings.Join(several(g, pre, 1, 3), "."))
	}
	if g.rarely(5) {
		s.WriteString("+" + strings.Join(several(g, []string{"0", "007", "b-7", "-"}, 1, 2), "."))
	}
	return s.String()
}

func (g *generator) constraint() string {
	separators := []string{" ", ",", ", ", "  ", " ,, "}
	var s strings.Builder
	if g.rarely(8) {
		s.WriteString(pick(g, separators))
	}
	for i := range 1 + g.next(3) {
		if i > 0 {
			s.WriteString(pick(g, separators))
		}
		s.WriteString(pick(g, []string{">=", "<=", "<", ">", "=", ""}) + g.version())
	}
	if g.rarely(8) {
		s.WriteString(pick(g, separators))
	}
	return s.String()
}

// context makes a context.
func (g *generator) context() evaluator.Context {
	ctx := evaluator.Context{Now: g.now(), Chance: uint32(pick(g, g.levels(evaluator.Bucketing{})))}
	if g.rarely(2) {
		ctx.Age = int64(pick(g, ages)) + int64(g.next(3)) - 1
	}
	if g.rarely(2) {
		ctx.Key = pick(g, g.pools.units)
	}
	for _, a := range declared() {
		for !g.rarely(4) {
			ctx.Attrs = append(ctx.Attrs, evaluator.Attr{Name: a.Name, Value: g.value(a.Type)})
			if !g.rarely(8) {
				break // else another of that name
			}
		}
	}
	if g.rarely(8) {
		ctx.Attrs = append(ctx.Attrs, evaluator.NewAttr("unknown", "x"), evaluator.NewAttr("", "x"))
	}
	shuffle(g, ctx.Attrs)
	return ctx
}

// now makes a time at, just before or just after one where something changes.
func (g *generator) now() int64 {
	t := pick(g, g.pools.times)
	if g.rarely(2) && math.Abs(float64(t)) < 1<<60 {
		t += int64(g.next(15*24))*3600 - 7*86400
	}
	switch d := int64(g.next(3)) - 1; {
	case t == math.MinInt64:
		return t + d*d
	case t == math.MaxInt64:
		return t - d*d
	default:
		return t + d
	}
}

// value makes a value that is more often than not of the declared type.
func (g *generator) value(t evaluator.AttributeType) evaluator.Value {
	if g.rarely(8) {
		t = evaluator.AttrString + evaluator.AttributeType(g.next(int(evaluator.AttrNumber)))
		if g.rarely(3) {
			return pick(g, g.pools.odd)
		}
	}
	switch t {
	case evaluator.AttrInteger:
		return evaluator.IntValue(pick(g, g.pools.ints))
	case evaluator.AttrBoolean:
		return evaluator.BoolValue(g.rarely(2))
	case evaluator.AttrSemver, evaluator.AttrSemverV:
		v := ""
		if t == evaluator.AttrSemverV && g.rarely(2) || g.rarely(20) {
			v = pick(g, []string{"v", "v", "v", "V", "vv", "v "})
		}
		if g.rarely(4) {
			return evaluator.StringValue(v + pick(g, g.pools.noVersions))
		}
		return evaluator.StringValue(v + g.version())
	case evaluator.AttrIP:
		if g.rarely(4) {
			return evaluator.StringValue(pick(g, g.pools.noAddresses))
		}
		return evaluator.StringValue(pick(g, g.pools.addresses))
	case evaluator.AttrNumber:
		return pick(g, numberValues)
	case evaluator.AttrTime:
		if g.rarely(3) {
			return evaluator.IntValue(pick(g, seconds))
		}
		return evaluator.StringValue(pick(g, times))
	case evaluator.AttrList:
		return evaluator.ListValue(several(g, g.pools.tags, 0, 6)...)
	}
	if g.rarely(2) {
		return evaluator.StringValue(pick(g, g.pools.texts))
	}
	return evaluator.StringValue(pick(g, g.pools.units))
}
