package evaluator_test

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

// A judge finds out whether rulesets are valid, as docs/evaluation.md says in
// section 8 and without a look at the compiler. Its numbers are those sections.
type judge struct {
	set      evaluator.Ruleset
	types    map[string]evaluator.AttributeType
	problems []string
	lax      bool // a field is set that an operator doesn't use: may be refused or not
	inFlag   bool // what is looked at is part of a flag
}

func (j *judge) must(ok bool, problem string, args ...any) {
	if !ok {
		j.problems = append(j.problems, fmt.Sprintf(problem, args...))
	}
}

// judged returns what is wrong with rulesets that are used together. lax says
// that they may be refused even if that is nothing.
func judged(sets []evaluator.Ruleset) (problems []string, lax bool) {
	together := judge{types: make(map[string]evaluator.AttributeType)}
	var keys []string
	from := make(map[string]string) // by attribute
	for _, set := range sets {      // 8.1
		j := judge{set: set, types: make(map[string]evaluator.AttributeType)}
		j.ruleset()
		problems, lax = append(problems, j.problems...), lax || j.lax
		for _, f := range set.Flags {
			keys = append(keys, f.Key)
		}
		for name, t := range j.types {
			known, ok := together.types[name]
			together.must(!ok || known == t, "the attribute %q has two types", name)
			together.types[name] = t
		}
		for _, a := range set.Attributes {
			known, ok := from[a.Name]
			together.must(!ok || known == a.From, "the attribute %q comes from two places", a.Name)
			from[a.Name] = a.From
		}
		together.must(set.Unit == sets[0].Unit, "there are two units")
	}
	together.unique("flag of all rulesets", keys)
	return append(problems, together.problems...), lax
}

// unique judges names.
func (j *judge) unique(what string, names []string) {
	slices.Sort(names)
	j.must(!slices.Contains(names, ""), "a %s without a name", what)
	j.must(len(slices.Compact(slices.Clone(names))) == len(names), "a %s is there twice", what)
}

// mapped returns f of each element.
func mapped[T any](list []T, f func(T) string) []string {
	var out []string
	for _, e := range list {
		out = append(out, f(e))
	}
	return out
}

// ruleset judges 8.2.
func (j *judge) ruleset() {
	for _, a := range j.set.Attributes {
		j.must(evaluator.AttrString <= a.Type && a.Type <= evaluator.AttrNumber, "the attribute type %d", a.Type)
		j.types[a.Name] = a.Type
	}
	j.unique("attribute", mapped(j.set.Attributes, func(a evaluator.Attribute) string { return a.Name }))
	j.must(j.types[j.set.Unit] == evaluator.AttrString, "the unit is no string")
	for _, z := range j.set.Zones {
		j.must(len(z.Offsets) > 0, "a zone without offsets")
		for i, o := range z.Offsets {
			j.must(-86399 <= o.Seconds && o.Seconds <= 86399, "the offset %d", o.Seconds)
			j.must(i == 0 || z.Offsets[i-1].From < o.From, "offsets out of order")
		}
	}
	j.unique("zone", mapped(j.set.Zones, func(z evaluator.Zone) string { return z.Name }))
	for _, s := range j.set.Segments {
		j.must(s.IncludeList == nil || len(s.Include) == 0, "members twice")
		j.must(s.ExcludeList == nil || len(s.Exclude) == 0, "members twice")
		if s.When != nil {
			j.condition(*s.When, 0)
		}
	}
	j.unique("segment", mapped(j.set.Segments, func(s evaluator.Segment) string { return s.Name }))
	flags := slices.Concat(j.set.Flags, j.set.Prerequisites)
	j.inFlag = true
	for _, f := range flags {
		j.flag(f)
	}
	j.unique("flag", mapped(flags, func(f evaluator.Flag) string { return f.Key }))
	if len(j.problems) == 0 {
		j.costs(flags)
	}
}

func (j *judge) flag(f evaluator.Flag) {
	variant := func(i int) { j.must(0 <= i && i < len(f.Variants), "the variant %d", i) }
	variant(f.Default)
	variant(f.Off)
	if f.Stale != nil {
		variant(f.Stale.Variant)
	}
	j.unique("variant", mapped(f.Variants, func(v evaluator.Variant) string { return v.Name }))
	for _, v := range f.Variants {
		j.must(fits(v.Value, f.Type), "the value %s", v.Value.JSON())
	}
	j.metadata(f.Metadata)
	if r := f.Reserved; r != nil {
		j.bucketing(r.Bucketing)
		j.must(len(r.Spans) > 0, "no spans")
		end := uint64(0)
		for _, s := range r.Spans {
			j.must(end <= s.From && s.From < s.To && s.To <= naiveTotal(r.Bucketing), "the span %v", s)
			end = s.To
		}
	}
	for _, r := range f.Rules {
		j.must(r.Name != "", "a rule without a name")
		j.metadata(r.Metadata)
		if r.When != nil {
			j.condition(*r.When, 0)
		}
		if r.Split == nil {
			variant(r.Variant)
		} else {
			j.split(*r.Split, variant)
		}
	}
}

func fits(v evaluator.Value, t evaluator.Kind) bool {
	switch t {
	case evaluator.KindBool:
		return v.Kind() == evaluator.KindBool
	case evaluator.KindString:
		return v.Kind() == evaluator.KindString
	case evaluator.KindInt:
		return v.Kind() == evaluator.KindInt
	case evaluator.KindFloat:
		f, _ := v.Float()
		return v.Kind() == evaluator.KindFloat && finite(f)
	case evaluator.KindObject:
		text := strings.TrimLeft(string(v.JSON()), " \t\r\n")
		return v.Kind() == evaluator.KindObject && json.Valid([]byte(text)) && (text[0] == '{' || text[0] == '[')
	}
	return false
}

func finite(f float64) bool { return !math.IsInf(f, 0) && !math.IsNaN(f) }

func (j *judge) metadata(list []evaluator.Attr) {
	j.unique("name in metadata", mapped(list, func(a evaluator.Attr) string { return a.Name }))
	for _, a := range list {
		f, _ := a.Value.Float()
		kinds := []evaluator.Kind{evaluator.KindString, evaluator.KindInt, evaluator.KindBool, evaluator.KindFloat}
		j.must(slices.Contains(kinds, a.Value.Kind()) && finite(f), "the metadata %s", a.Value.JSON())
	}
}

func (j *judge) bucketing(b evaluator.Bucketing) {
	t := j.types[b.By]
	j.must(t == evaluator.AttrString || t == evaluator.AttrInteger, "the unit %q", b.By)
	j.must(b.Salt != "", "no salt")
	h, known := naiveHashes[b.Hash]
	j.must(known, "the hash %q", b.Hash)
	j.must(b.Positions <= h.most, "%d positions", b.Positions)
}

func (j *judge) split(s evaluator.Split, variant func(int)) {
	if s.By != "" {
		j.bucketing(s.Bucketing)
	} else {
		j.must(s.Bucketing == evaluator.Bucketing{}, "chance with a bucketing")
	}
	total := naiveTotal(s.Bucketing)
	if s.Ramp == nil {
		end := uint64(0)
		for _, r := range s.Ranges {
			j.must(r.From == end && r.From < r.To && r.To <= total, "the range %v", r)
			variant(r.Variant)
			end = r.To
		}
		j.must(end == total, "ranges up to %d", end)
		return
	}
	j.must(len(s.Ranges) == 0, "ranges and a ramp")
	j.must(len(s.Ramp.Points) > 0, "a ramp without points")
	variant(s.Ramp.Variant)
	variant(s.Ramp.Rest)
	for i, p := range s.Ramp.Points {
		j.must(p.Level <= total, "the level %d", p.Level)
		j.must(i == 0 || s.Ramp.Points[i-1].At < p.At, "points out of order")
	}
}

// condition judges a condition within depth combinations. 8.2, 8.3.
func (j *judge) condition(c evaluator.Condition, depth int) {
	j.must(depth <= 100, "too deep")
	if c.Op == evaluator.OpAll || c.Op == evaluator.OpAny || c.Op == evaluator.OpNot {
		j.must(c.Attribute == "" && len(c.Strings)+len(c.Ints) == 0 && !c.Fold && c.List == nil,
			"a combination with operands")
		j.must(c.Op != evaluator.OpNot || len(c.Of) == 1, "not of %d", len(c.Of))
		for _, c := range c.Of {
			j.condition(c, depth+1)
		}
		return
	}
	j.must(len(c.Of) == 0, "a comparison of conditions")
	j.must(c.List == nil, "an empty list") // spoil makes no other
	if c.Op == evaluator.OpPeriod || c.Op == evaluator.OpWindow || c.Op == evaluator.OpServes {
		j.circumstance(c)
		return
	}
	t, declared := j.types[c.Attribute]
	j.must(declared, "the attribute %q", c.Attribute)
	j.must(slices.Contains(appliesTo[c.Op], t), "the operator %v for %v", c.Op, t)
	folds := map[evaluator.Op]bool{evaluator.OpOneOf: true, evaluator.OpPrefix: true, evaluator.OpSuffix: true,
		evaluator.OpContains: true, evaluator.OpMatches: true}
	j.lax = j.lax || c.Fold && !folds[c.Op]
	j.must(!c.Fold || c.Op != evaluator.OpOneOf || t == evaluator.AttrString, "fold of %v", t)
	ints := c.Op == evaluator.OpBetween || c.Op == evaluator.OpModulo ||
		c.Op == evaluator.OpOneOf && (t == evaluator.AttrInteger || t == evaluator.AttrBoolean)
	switch {
	case c.Op == evaluator.OpBucket:
		j.bucket(c)
	case c.Op == evaluator.OpExists:
		j.lax = j.lax || len(c.Strings)+len(c.Ints) > 0
	case ints:
		j.lax = j.lax || len(c.Strings) > 0
		j.integers(c, t)
	default:
		j.lax = j.lax || len(c.Ints) > 0
		j.texts(c, t)
	}
}

// appliesTo is the table of 8.2.
var appliesTo = map[evaluator.Op][]evaluator.AttributeType{
	evaluator.OpExists: {evaluator.AttrString, evaluator.AttrInteger, evaluator.AttrBoolean, evaluator.AttrSemver,
		evaluator.AttrIP, evaluator.AttrList, evaluator.AttrSemverV, evaluator.AttrTime, evaluator.AttrNumber},
	evaluator.OpOneOf: {evaluator.AttrString, evaluator.AttrInteger, evaluator.AttrBoolean, evaluator.AttrSemver,
		evaluator.AttrIP, evaluator.AttrSemverV, evaluator.AttrNumber},

	evaluator.OpInSegment: {evaluator.AttrString, evaluator.AttrInteger},
	evaluator.OpBetween:   {evaluator.AttrInteger, evaluator.AttrTime},
	evaluator.OpModulo:    {evaluator.AttrInteger},
	evaluator.OpCIDR:      {evaluator.AttrIP},
	evaluator.OpIPBetween: {evaluator.AttrIP},
	evaluator.OpSemver:    {evaluator.AttrSemver, evaluator.AttrSemverV},
	evaluator.OpPrefix:    {evaluator.AttrString},
	evaluator.OpSuffix:    {evaluator.AttrString},
	evaluator.OpContains:  {evaluator.AttrString},
	evaluator.OpMatches:   {evaluator.AttrString},
	evaluator.OpAnyOf:     {evaluator.AttrList},
	evaluator.OpAllOf:     {evaluator.AttrList},
	evaluator.OpBucket:    {evaluator.AttrString, evaluator.AttrInteger},
	evaluator.OpNumber:    {evaluator.AttrNumber},
}

func (j *judge) bucket(c evaluator.Condition) {
	if j.must(len(c.Strings) == 2 && len(c.Ints) == 3, "the bucket of %q %v", c.Strings,
		c.Ints); len(c.Strings) != 2 || len(c.Ints) != 3 {
		return
	}
	j.must(c.Ints[0] >= 0, "%d positions", c.Ints[0])
	b := conditionBucketing(c)
	j.bucketing(b)
	j.must(0 <= c.Ints[1] && c.Ints[1] < c.Ints[2] && uint64(c.Ints[2]) <= naiveTotal(b), "the positions %v", c.Ints)
}

func (j *judge) integers(c evaluator.Condition, t evaluator.AttributeType) {
	switch c.Op {
	case evaluator.OpBetween:
		j.must(len(c.Ints) == 2 && c.Ints[0] <= c.Ints[1], "the range %v", c.Ints)
	case evaluator.OpModulo:
		ok := len(c.Ints) >= 2 && c.Ints[0] >= 1
		j.must(ok && !slices.ContainsFunc(c.Ints[1:], func(r int64) bool { return r < 0 || r >= c.Ints[0] }),
			"the remainders %v", c.Ints)
	default:
		j.must(len(c.Ints) > 0, "no integers")
		j.must(t != evaluator.AttrBoolean ||
			!slices.ContainsFunc(c.Ints, func(i int64) bool { return i != 0 && i != 1 }), "the booleans %v", c.Ints)
	}
}

func (j *judge) texts(c evaluator.Condition, t evaluator.AttributeType) {
	each := func(ok func(string) bool) {
		j.must(len(c.Strings) > 0 && !slices.ContainsFunc(c.Strings, func(s string) bool { return !ok(s) }), "%v %q",
			c.Op, c.Strings)
	}
	switch c.Op {
	case evaluator.OpOneOf, evaluator.OpAnyOf, evaluator.OpAllOf:
		each(func(s string) bool {
			_, isVersion := parseNaiveVersion(s)
			if _, ok := naiveNumber(evaluator.StringValue(s)); t == evaluator.AttrNumber {
				return ok
			}
			return (t != evaluator.AttrSemver && t != evaluator.AttrSemverV || isVersion) &&
				(t != evaluator.AttrIP || parseNaiveAddress(s) != nil)
		})
	case evaluator.OpInSegment:
		j.must(len(c.Strings) == 1 && slices.ContainsFunc(j.set.Segments,
			func(s evaluator.Segment) bool { return s.Name == c.Strings[0] }), "the segment %q", c.Strings)
	case evaluator.OpCIDR:
		each(naiveNetwork)
	case evaluator.OpIPBetween:
		each(func(s string) bool { return parseNaiveAddress(s) != nil })
		if j.must(len(c.Strings) == 2, "the addresses %q", c.Strings); len(c.Strings) == 2 {
			lo, hi := parseNaiveAddress(c.Strings[0]), parseNaiveAddress(c.Strings[1])
			j.must(len(lo) == len(hi) && string(lo) <= string(hi), "the addresses %q", c.Strings)
		}
	case evaluator.OpSemver:
		j.must(len(c.Strings) == 1 && naiveConstraint(c.Strings[0]), "the constraint %q", c.Strings)
	case evaluator.OpNumber:
		j.must(len(c.Strings) == 1 && len(c.Ints) == 0, "the comparisons %q %v", c.Strings, c.Ints)
		for field := range strings.SplitSeq(strings.Join(c.Strings, " "), " ") {
			operand := strings.TrimLeft(field, "<>=")
			sign := field[:len(field)-len(operand)]
			_, ok := naiveNumber(evaluator.StringValue(operand))
			j.must(ok && slices.Contains([]string{"<", "<=", ">", ">="}, sign), "the comparison %q", field)
		}
	case evaluator.OpMatches:
		each(func(s string) bool {
			_, err := regexp.Compile(s)
			return err == nil && len(s) <= 1000
		})
	default:
		each(func(s string) bool { return s != "" })
	}
}

func (j *judge) circumstance(c evaluator.Condition) {
	j.lax = j.lax || c.Attribute != "" || c.Fold
	switch c.Op {
	case evaluator.OpPeriod:
		j.lax = j.lax || len(c.Strings) > 0
		j.must(len(c.Ints) == 2 && c.Ints[0] < c.Ints[1], "the period %v", c.Ints)
	case evaluator.OpWindow:
		j.must(len(c.Strings) == 1 && slices.ContainsFunc(j.set.Zones,
			func(z evaluator.Zone) bool { return z.Name == c.Strings[0] }), "the zone %q", c.Strings)
		j.must(len(c.Ints) == 3 && 1 <= c.Ints[0] && c.Ints[0] <= 127 && 0 <= c.Ints[1] && c.Ints[1] <= 86399 &&
			1 <= c.Ints[2] && c.Ints[2] <= 86400, "the window %v", c.Ints)
	case evaluator.OpServes:
		j.lax = j.lax || len(c.Ints) > 0
		j.must(j.inFlag, "a segment that asks what a flag serves")
		j.must(len(c.Strings) >= 2, "serves %q", c.Strings)
		for _, f := range slices.Concat(j.set.Flags, j.set.Prerequisites) {
			if len(c.Strings) == 0 || f.Key != c.Strings[0] {
				continue
			}
			for _, name := range c.Strings[1:] {
				j.must(slices.ContainsFunc(f.Variants, func(v evaluator.Variant) bool { return v.Name == name }),
					"the variant %q", name)
			}
			return
		}
		j.must(false, "the flag %q", c.Strings)
	}
}

// costs judges 8.3, for rulesets in which nothing else is wrong. The length of
// chains of segments is left out: here they are short.
func (j *judge) costs(flags []evaluator.Flag) {
	known := make(map[string]int)
	var condition func(c evaluator.Condition, chain []string) int
	part := func(name string, chain []string, cost func(chain []string) int) int {
		j.must(!slices.Contains(chain, name), "the circle %q", chain)
		if _, ok := known[name]; !ok && len(j.problems) == 0 {
			known[name] = cost(append(slices.Clone(chain), name))
		}
		return known[name]
	}
	segment := func(s evaluator.Segment, chain []string) int {
		return part("segment "+s.Name, chain, func(chain []string) int {
			if s.When == nil {
				return 2
			}
			return 2 + condition(*s.When, chain)
		})
	}
	flag := func(f evaluator.Flag, chain []string) int {
		return part("flag "+f.Key, chain, func(chain []string) int {
			cost := 1
			for _, r := range f.Rules {
				if r.When != nil {
					cost += condition(*r.When, chain)
				}
				if r.Split != nil {
					cost++
				}
			}
			return cost
		})
	}
	condition = func(c evaluator.Condition, chain []string) int {
		cost := 0
		for _, of := range c.Of {
			cost += condition(of, chain)
		}
		switch c.Op {
		case evaluator.OpAll, evaluator.OpAny, evaluator.OpNot:
			return cost
		case evaluator.OpInSegment:
			i := slices.IndexFunc(j.set.Segments, func(s evaluator.Segment) bool { return s.Name == c.Strings[0] })
			return 1 + segment(j.set.Segments[i], chain)
		case evaluator.OpServes:
			i := slices.IndexFunc(flags, func(f evaluator.Flag) bool { return f.Key == c.Strings[0] })
			asked := flag(flags[i], chain)
			j.must(asked <= 10_000, "a prerequisite that costs %d", asked)
			return 1 + asked
		}
		return 1
	}
	for _, s := range j.set.Segments {
		cost := segment(s, nil)
		j.must(cost <= 10_000, "a segment that costs %d", cost)
	}
	for _, f := range flags {
		cost := flag(f, nil)
		j.must(cost <= 1_000_000, "a flag that costs %d", cost)
	}
}

// TestDifferentialRefusals holds what Compile refuses to what the specification
// says is not valid, for rulesets with something overwritten.
func TestDifferentialRefusals(t *testing.T) {
	rounds := soak.Times(3_000, 100_000)
	pools := newPools()
	refused, lenient := 0, 0
	for i := range rounds {
		g := &generator{next: byRandom(3, uint64(i)), pools: pools}
		sets := g.rulesets()
		g.spoil(&sets, i%4)
		problems, lax := judged(sets)
		_, err := evaluator.Compile(sets...)
		switch {
		case lax && len(problems) == 0:
			lenient++
		case (err != nil) != (len(problems) > 0):
			t.Fatalf("ruleset %d: Compile says %v, the specification %q\n%s", i, err, problems, printed(sets))
		case err != nil:
			refused++
		}
	}
	if refused < rounds/5 || refused > rounds-rounds/5 || lenient > rounds/20 {
		t.Errorf("of %d rulesets %d were refused, %d may be", rounds, refused, lenient)
	}
}

// TestLimits holds both to the limits of 8.3, at them and one beyond.
func TestLimits(t *testing.T) {
	is := evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "city", Strings: []string{"x"}}
	member := evaluator.Condition{Op: evaluator.OpInSegment, Attribute: "city", Strings: []string{"s"}}
	serves := evaluator.Condition{Op: evaluator.OpServes, Strings: []string{"f", "on"}}
	either := func(parts ...[]evaluator.Condition) *evaluator.Condition {
		return &evaluator.Condition{Op: evaluator.OpAny, Of: slices.Concat(parts...)}
	}
	times := func(n int, c evaluator.Condition) []evaluator.Condition {
		return slices.Repeat([]evaluator.Condition{c}, n)
	}
	nested := func(n int) *evaluator.Condition {
		c := is
		for range n {
			c = evaluator.Condition{Op: evaluator.OpNot, Of: []evaluator.Condition{c}}
		}
		return &c
	}
	segment := func(n int) evaluator.Ruleset {
		return evaluator.Ruleset{Segments: []evaluator.Segment{{Name: "s", When: either(times(n, is))}}}
	}
	flags := func(set evaluator.Ruleset, rules ...[]evaluator.Rule) evaluator.Ruleset {
		for i, rules := range rules {
			set.Flags = append(set.Flags, evaluator.Flag{
				Key: string(rune('f' + i)), Type: evaluator.KindBool, Rules: rules,
				Variants: []evaluator.Variant{{Name: "on", Value: evaluator.BoolValue(true)}},
			})
		}
		return set
	}
	rule := func(when *evaluator.Condition) []evaluator.Rule { return []evaluator.Rule{{Name: "r", When: when}} }
	split := []evaluator.Rule{{Name: "s", Split: &evaluator.Split{Ranges: []evaluator.Range{{To: 1 << 32}}}}}
	none := evaluator.Ruleset{}
	for _, test := range []struct {
		name  string
		set   evaluator.Ruleset
		valid bool
	}{
		{"nesting", flags(none, rule(nested(100))), true},
		{"nesting", flags(none, rule(nested(101))), false},
		{"segment", segment(10_000 - 2), true},
		{"segment", segment(10_000 - 1), false},
		{"prerequisite", flags(none, rule(either(times(10_000-1, is))), rule(&serves)), true},
		{"prerequisite", flags(none, rule(either(times(10_000, is))), rule(&serves)), false},
		{"prerequisite with a split", flags(none, slices.Concat(rule(either(times(10_000-2, is))), split), rule(&serves)), true},
		{"prerequisite with a split", flags(none, slices.Concat(rule(either(times(10_000-1, is))), split), rule(&serves)), false},
		{"no prerequisite", flags(none, rule(either(times(10_000, is)))), true},
		{"flag", flags(segment(10_000-2), rule(either(times(99, member), times(1_000_000-1-99*10_001, is)))), true},
		{"flag", flags(segment(10_000-2), rule(either(times(99, member), times(1_000_000-99*10_001, is)))), false},
	} {
		test.set.Unit, test.set.Attributes = "user", declared()
		problems, _ := judged([]evaluator.Ruleset{test.set})
		_, err := evaluator.Compile(test.set)
		if (err == nil) != test.valid || (len(problems) == 0) != test.valid {
			t.Errorf("%s: want valid %v, Compile says %.200v, the specification %.200q", test.name, test.valid,
				err, problems)
		}
	}
}
