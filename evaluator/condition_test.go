package evaluator

import (
	"cmp"
	"errors"
	"math"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// declared are the attributes of all tests here.
var declared = []Attribute{
	{Name: "user", Type: AttrString}, {Name: "city", Type: AttrString}, {Name: "uid", Type: AttrInteger}, {Name: "beta", Type: AttrBoolean},
	{Name: "version", Type: AttrSemver}, {Name: "ip", Type: AttrIP}, {Name: "phone", Type: AttrString},
}

// gate returns a ruleset with one flag, which is on where when holds.
func gate(when *Condition, segments ...Segment) Ruleset {
	return Ruleset{Unit: "user", Attributes: declared, Segments: segments, Flags: []Flag{{
		Key: "gate", Type: KindBool,
		Variants: []Variant{{"on", BoolValue(true)}, {"off", BoolValue(false)}},
		Default:  1,
		Rules:    []Rule{{Name: "r", When: when}},
	}}}
}

func compile(t testing.TB, sets ...Ruleset) *Program {
	t.Helper()
	p, err := Compile(sets...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func is(attribute string, values ...string) Condition {
	return Condition{Op: OpOneOf, Attribute: attribute, Strings: values}
}

func texts(op Op, attribute string, operands ...string) Condition {
	return Condition{Op: op, Attribute: attribute, Strings: operands}
}

func numbers(op Op, attribute string, operands ...int64) Condition {
	return Condition{Op: op, Attribute: attribute, Ints: operands}
}

func fold(c Condition) Condition {
	c.Fold = true
	return c
}

func not(c Condition) Condition       { return Condition{Op: OpNot, Of: []Condition{c}} }
func every(cs ...Condition) Condition { return Condition{Op: OpAll, Of: cs} }
func either(cs ...Condition) Condition {
	return Condition{Op: OpAny, Of: cs}
}

func TestConditions(t *testing.T) {
	many := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "Straße"}
	staff := Segment{Name: "staff", Include: []string{"u-1", "42"}, Exclude: []string{"u-3"},
		When: ptr(texts(OpSuffix, "city", "-hq"))}
	nested := Segment{Name: "nested", When: ptr(texts(OpInSegment, "user", "staff"))}
	nobody := Segment{Name: "nobody"}
	tests := []struct {
		name  string
		when  Condition
		yes   []Value // of the condition's attribute
		no    []Value
		attrs []Attr // beside it
	}{
		{"one of", is("city", "BJ", "SH"), strs("BJ", "SH"), append(strs("bj", "TJ", "", "BJ "), IntValue(1), BoolValue(true)), nil},
		{"one of many", is("city", many...), strs("a", "i", "Straße"), strs("A", "z", "", "STRASSE"), nil},
		{"one of, folded", fold(is("city", "bj", "Σίσυφος")), strs("BJ", "bJ", "ΣΊΣΥΦΟΣ", "σίσυφοσ"), strs("b", "bjj"), nil},
		{"one of many, folded", fold(is("city", many...)), strs("A", "STRAẞE"), strs("STRASSE", "z"), nil},
		{"kelvin sign, folded", fold(is("city", "km")), strs("KM", "\u212am"), strs("k", "cm"), nil},
		{"invalid UTF-8, folded", fold(is("city", "A\xff")), strs("a\xff"), strs("a\xfe", "a\ufffd", "a"), nil},
		{"invalid UTF-8, folded prefix", fold(texts(OpPrefix, "city", "\xff")), strs("\xffx"), strs("\xfex", "\ufffdx"), nil},
		{"replacement character, folded", fold(is("city", "\ufffd")), strs("\ufffd"), strs("\xff", "\xef\xbf"), nil},
		{"empty text", is("city", ""), strs(""), append(strs("x"), Value{}), nil},
		{"integers", numbers(OpOneOf, "uid", 3, -1, 1<<63-1, -1<<63), ints(3, -1, 1<<63-1, -1<<63), append(ints(0, 1), FloatValue(3), StringValue("3"), BoolValue(true)), nil},
		{"true", numbers(OpOneOf, "beta", 1), []Value{BoolValue(true)}, []Value{BoolValue(false), IntValue(1), StringValue("true"), {}}, nil},
		{"false", numbers(OpOneOf, "beta", 0), []Value{BoolValue(false)}, []Value{BoolValue(true), IntValue(0), {}}, nil},
		{"versions by value", is("version", "2.3.0"), strs("2.3.0", "2.3", "2.3.0+7"), strs("2.3.1", "2.3.0-1", "v2.3.0"), nil},
		{"addresses by value", is("ip", "2001:db8::1", "10.0.0.1"), strs("2001:DB8:0::1", "10.0.0.1", "::ffff:10.0.0.1"), strs("10.0.0.2", "010.0.0.1", "2001:db8::1%eth0", ""), nil},

		{"between", numbers(OpBetween, "uid", 1111, 2222), ints(1111, 1500, 2222), append(ints(1110, 2223, -1500), FloatValue(1500), StringValue("1500"), Value{}), nil},
		{"between, widest", numbers(OpBetween, "uid", -1<<63, 1<<63-1), ints(-1<<63, 0, 1<<63-1), []Value{{}}, nil},
		{"modulo", numbers(OpModulo, "uid", 10, 1, 3), ints(1, 3, 11, 33, -9, -7), append(ints(0, 2, -1, -3, -1<<63), StringValue("1")), nil},
		{"modulo 1", numbers(OpModulo, "uid", 1, 0), ints(0, -1<<63, 1<<63-1), []Value{FloatValue(0)}, nil},

		{"cidr", texts(OpCIDR, "ip", "10.0.0.0/8", "2001:db8::/32"), strs("10.255.255.255", "2001:db8::", "::ffff:10.1.2.3"), append(strs("11.0.0.0", "2001:db9::", "10.0.0.0/8", "::10.0.0.1", "10.1", strings.Repeat("1", 99)), IntValue(10)), nil},
		{"address range", texts(OpIPBetween, "ip", "0.0.4.87", "0.0.8.174"), strs("0.0.4.87", "0.0.6.0", "0.0.8.174", "::ffff:0.0.5.0"), strs("0.0.4.86", "0.0.8.175", "::5", "x"), nil},
		{"address range, IPv6", texts(OpIPBetween, "ip", "::1", "::ff"), strs("::1", "::80", "::ff"), strs("::", "::100", "0.0.0.80", "::80%eth0"), nil},

		{"semver", texts(OpSemver, "version", ">=2.3.0 <3"), strs("2.3.0", "2.99.0", "2.3.1-rc.1", "3.0.0-beta", "2.10"), append(strs("2.3.0-rc.1", "2.2.9", "3", "3.0.0", "02.4.0", "2.4.0-01", "2.3.0.1", "", "latest", "2.-1"), IntValue(2)), nil},
		{"semver, comma and pre-release", texts(OpSemver, "version", ">1.0.0-alpha.1, <=1.0.0"), strs("1.0.0-alpha.beta", "1.0.0-alpha.2", "1.0.0-alpha.10", "1.0.0-beta", "1.0.0"), strs("1.0.0-alpha.1", "1.0.0-alpha", "1.0.0-1", "1.0.1"), nil},
		{"semver, equal", texts(OpSemver, "version", "1.2"), strs("1.2.0", "1.2", "1.2.0+build.01"), strs("1.2.1", "1.2.0-0"), nil},

		{"prefix", texts(OpPrefix, "city", "bei", "北"), strs("beijing", "bei", "北京"), strs("Beijing", "be", ""), nil},
		{"prefix, folded", fold(texts(OpPrefix, "city", "BEI")), strs("beijing", "Bei"), strs("be", "abei"), nil},
		{"suffix", texts(OpSuffix, "city", "@example.com"), strs("a@example.com", "@example.com"), strs("a@example.com.x", "example.com"), nil},
		{"suffix, folded", fold(texts(OpSuffix, "city", "ß")), strs("Fuẞ", "ß"), strs("ss"), nil},
		{"contains", texts(OpContains, "city", "ijin"), strs("beijing"), strs("IJIN", ""), nil},
		{"contains, folded, long", fold(texts(OpContains, "city", "NEEDLE")), strs(strings.Repeat("hay", 99) + "needle"), strs(strings.Repeat("hay", 99)), nil},
		{"matches", texts(OpMatches, "city", "^/api/v[12]/", "^/old"), strs("/api/v2/x", "/older"), append(strs("/api/v3/x", "x/api/v1/"), IntValue(1)), nil},
		{"matches, folded", fold(texts(OpMatches, "city", "^a|b$")), strs("A", "xB"), strs("xA"), nil},

		{"exists", Condition{Op: OpExists, Attribute: "city"}, append(strs("", "x"), IntValue(1), BoolValue(false)), []Value{{}}, nil},
		{"not", not(is("city", "BJ")), append(strs("SH", ""), Value{}, IntValue(1)), strs("BJ"), nil},
		{"not not", not(not(is("city", "BJ"))), strs("BJ"), []Value{{}}, nil},
		{"all of none", every(), strs("x"), nil, nil},
		{"any of none", either(), nil, strs("x"), nil},
		{"all", every(is("city", "BJ"), numbers(OpBetween, "uid", 1, 2)), strs("BJ"), strs("SH"), []Attr{NewAttr("uid", 1)}},
		{"any", either(is("city", "BJ"), numbers(OpBetween, "uid", 1, 2), is("city", "TJ")), strs("BJ", "TJ"), strs("SH"), []Attr{NewAttr("uid", 3)}},
		{"nested", either(every(is("city", "BJ", "SH"), not(either(is("city", "SH"), is("phone", "1")))), is("city", "TJ")), strs("BJ", "TJ"), strs("SH", "X"), nil},
		{"not of all", not(every(is("city", "BJ"), is("phone", "1"))), strs("BJ", "SH"), nil, nil},

		{"segment", texts(OpInSegment, "user", "staff"), strs("u-1", "42"), append(strs("u-2", "u-3", ""), BoolValue(true), FloatValue(42), Value{}), nil},
		{"segment by integer", texts(OpInSegment, "uid", "staff"), ints(42), ints(43), nil},
		{"segment by condition", texts(OpInSegment, "user", "staff"), strs("u-1", "u-2"), strs("u-3"), []Attr{NewAttr("city", "sz-hq")}},
		{"segment in segment", texts(OpInSegment, "user", "nested"), strs("u-1"), strs("u-2"), nil},
		{"empty segment", texts(OpInSegment, "user", "nobody"), nil, strs("u-1", ""), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := compile(t, gate(&test.when, nested, staff, nobody)).Flag("gate")
			attribute := cmp.Or(subject(test.when), "city")
			check := func(v Value, want bool) {
				t.Helper()
				ctx := Context{Attrs: append([]Attr{{attribute, v}}, test.attrs...)}
				if got, _ := f.Evaluate(&ctx).Value().Bool(); got != want {
					t.Errorf("%s = %s: got %v, want %v", attribute, v.JSON(), got, want)
				}
			}
			for _, v := range test.yes {
				check(v, true)
			}
			for _, v := range test.no {
				check(v, false)
			}
		})
	}
}

// subject returns the first attribute that a condition names, or "".
func subject(c Condition) string {
	for i := range c.Of {
		if c.Attribute == "" {
			c.Attribute = subject(c.Of[i])
		}
	}
	return c.Attribute
}

func ptr[T any](v T) *T { return &v }

func strs(list ...string) []Value {
	var vs []Value
	for _, s := range list {
		vs = append(vs, StringValue(s))
	}
	return vs
}

func ints(list ...int64) []Value {
	var vs []Value
	for _, n := range list {
		vs = append(vs, IntValue(n))
	}
	return vs
}

func TestCompileRefuses(t *testing.T) {
	deep := is("city", "x")
	for range MaxDepth + 1 {
		deep = not(deep)
	}
	rule := func(when Condition) Ruleset { return gate(&when) }
	flag := func(change func(*Flag)) Ruleset {
		r := gate(nil)
		change(&r.Flags[0])
		return r
	}
	split := func(change func(*Split)) Ruleset {
		return flag(func(f *Flag) {
			f.Rules[0].Split = &Split{Bucketing: Bucketing{By: "user", Salt: "s", Hash: HashMurmur3},
				Ranges: []Range{{0, 1 << 31, 0}, {1 << 31, Positions, 1}}}
			change(f.Rules[0].Split)
		})
	}
	when := func(name string) *Condition { return ptr(texts(OpInSegment, "user", name)) }
	var expressions []Condition
	for i := range maxExpressionSizes/9000 + 1 {
		expressions = append(expressions, texts(OpMatches, "city", strings.Repeat("a{1000}b?", 9)+strconv.Itoa(i)))
	}
	large := rule(either(expressions...))
	// below gives a comparison a condition below it, which it can't have.
	below := func(c Condition) Condition {
		c.Of = []Condition{is("city", "x")}
		return c
	}
	chain := make([]Segment, MaxDepth+1)
	for i := range chain {
		chain[i] = Segment{Name: strconv.Itoa(i)}
		if i > 0 {
			chain[i].When = when(strconv.Itoa(i - 1))
		}
	}
	backward := slices.Clone(chain)
	slices.Reverse(backward)
	bomb := []Segment{{Name: "s0", Include: []string{"x"}}}
	for i := range 20 {
		prev := "s" + string(rune('0'+i))
		c := *when(prev)
		bomb = append(bomb, Segment{Name: "s" + string(rune('1'+i)), When: ptr(either(c, c))})
	}
	tests := []struct {
		name string
		set  Ruleset
		want string
	}{
		{"undeclared attribute", rule(is("citty", "x")), `flag "gate": rule "r": the attribute "citty" is not declared`},
		{"operator of another type", rule(numbers(OpModulo, "city", 10, 1)), `"mod" applies to integer attributes, "city" is of type string`},
		{"segment of another type", rule(texts(OpInSegment, "beta", "s")), `"segment" applies to string and integer attributes, "beta" is of type boolean`},
		{"values of another type", rule(numbers(OpOneOf, "city", 1)), "the values are not of type string"},
		{"no values", rule(is("city")), "the list of values is empty"},
		{"fold of integers", rule(fold(numbers(OpOneOf, "uid", 1))), `"fold" applies to string attributes`},
		{"not a boolean", rule(numbers(OpOneOf, "beta", 2)), "2 is not a boolean"},
		{"empty range", rule(numbers(OpBetween, "uid", 2, 1)), "the range [2 1] is empty"},
		{"division by zero", rule(numbers(OpModulo, "uid", 0, 0)), "divisor of at least 1"},
		{"remainder too large", rule(numbers(OpModulo, "uid", 10, 10)), "the remainders of a division by 10 are 0 to 9"},
		{"bad network", rule(texts(OpCIDR, "ip", "10.0.0.0")), `"10.0.0.0" is not a network`},
		{"host bits", rule(texts(OpCIDR, "ip", "10.1.0.0/8")), "the network is 10.0.0.0/8"},
		{"IPv4 in IPv6 network", rule(texts(OpCIDR, "ip", "::ffff:10.0.0.0/104")), "write it as IPv4"},
		{"bad address", rule(is("ip", "10.0.0.01")), `"10.0.0.01" is not an IP address`},
		{"mixed address range", rule(texts(OpIPBetween, "ip", "10.0.0.1", "::1")), "mixes IPv4 and IPv6"},
		{"empty address range", rule(texts(OpIPBetween, "ip", "10.0.0.2", "10.0.0.1")), "is empty"},
		{"bad constraint", rule(texts(OpSemver, "version", ">= 2.3")), `"" is not a comparison of versions`},
		{"empty constraint", rule(texts(OpSemver, "version", "")), "the version constraint is empty"},
		{"bad version", rule(is("version", "1.x")), `"1.x" is not a semantic version`},
		{"empty text", rule(texts(OpPrefix, "city", "")), "none of them empty"},
		{"bad expression", rule(texts(OpMatches, "city", "a(")), "missing closing )"},
		{"large expression", rule(texts(OpMatches, "city", "a{1000}b{1000}", strings.Repeat("(ab{500}){2}", 9))), "the limit is 10000"},
		{"large expression, alternatives", rule(texts(OpMatches, "city", "a{1000}|b{1000,}|c{1000}|d{1000}|(?:ef{500}){2}", "(g|h){0,1000}i{1000}j{1000}", "k{999}l+")), "the limit is 10000"},
		{"many large expressions", large, "the limit is 1000000 in all"},
		{"huge expression", rule(texts(OpMatches, "city", strings.Repeat("a", maxExpression+1))), "the limit is 1000"},
		{"expression bomb", rule(texts(OpMatches, "city", "((a{100}){100}){100}")), "is not a regular expression"},
		{"unknown operator", rule(Condition{Op: 99, Attribute: "city"}), "Op(99) is not a comparison"},
		{"not of two", rule(Condition{Op: OpNot, Of: []Condition{deep, deep}}), `"not" takes one condition, not 2`},
		{"comparison of conditions", rule(below(is("city", "y"))), "\"one of\" is a comparison and takes no conditions"},
		{"comparison of conditions, known without", rule(every(below(fold(is("city", "y"))), fold(is("city", "y")))), "\"one of\" is a comparison and takes no conditions"},
		{"text that is no version, known as an address", rule(every(is("version", "10.0.0.1"), is("ip", "10.0.0.1"))), `"10.0.0.1" is not a semantic version`},
		{"existence of conditions", rule(below(Condition{Op: OpExists, Attribute: "city"})), "\"exists\" is a comparison"},
		{"unknown operator of conditions", rule(below(Condition{Op: 99, Attribute: "city"})), "Op(99) is not a comparison"},
		{"combination with an attribute", rule(Condition{Op: OpAll, Attribute: "city"}), "\"all\" takes conditions and nothing else"},
		{"combination with texts", rule(Condition{Op: OpAny, Strings: []string{"x"}}), "\"any\" takes conditions and nothing else"},
		{"combination with integers", rule(Condition{Op: OpAny, Ints: []int64{1}}), "\"any\" takes conditions and nothing else"},
		{"combination that folds", rule(fold(not(is("city", "x")))), "\"not\" takes conditions and nothing else"},
		{"too deep", rule(deep), "nested deeper than 100"},
		{"unknown segment", rule(*when("x")), `the segment "x" is not defined`},
		{"segment cycle", gate(nil, Segment{Name: "a", When: when("b")}, Segment{Name: "b", When: when("a")}), `segment "b": segment "a" refers to itself: a → b → a`},
		{"hidden segment cycle", gate(nil, Segment{Name: "a", When: ptr(below(*when("b")))}, Segment{Name: "b", When: ptr(below(*when("a")))}), `segment "b": segment "a" refers to itself: a → b → a`},
		{"segments too deep", gate(nil, chain...), `segment "100": the segment starts a chain of references to other segments that is longer than 100`},
		{"segments too deep, the deepest last", gate(nil, backward...), "a chain of references to other segments that is longer than 100"},
		{"segment bomb", gate(nil, bomb...), "takes more than 10000 comparisons"},
		{"two segments of one name", gate(nil, Segment{Name: "a"}, Segment{Name: "a"}), `the segment name "a" is empty or not unique`},
		{"undeclared unit", Ruleset{Unit: "x"}, `the unit "x" is not a declared string attribute`},
		{"integer unit", Ruleset{Unit: "uid", Attributes: declared}, `the unit "uid" is not a declared string attribute`},
		{"attribute of no type", Ruleset{Unit: "user", Attributes: append([]Attribute{{Name: "z"}}, declared...)}, `the attribute "z" of type AttributeType(0) is not valid`},
		{"attribute declared twice", Ruleset{Unit: "user", Attributes: append([]Attribute{{Name: "user", Type: AttrString}}, declared...)}, `the attribute "user" is declared twice`},
		{"no key", flag(func(f *Flag) { f.Key = "" }), `the key "" is empty or not unique`},
		{"no variants", flag(func(f *Flag) { f.Variants = nil }), "this one 0"},
		{"two variants of one name", flag(func(f *Flag) { f.Variants[1].Name = "on" }), `the variant name "on" is empty or not unique`},
		{"value of another type", flag(func(f *Flag) { f.Variants[1].Value = IntValue(0) }), `variant "off": the value "0" is not of type boolean`},
		{"bad object", flag(func(f *Flag) { f.Type = KindObject; f.Variants = []Variant{{"a", ObjectValue(`{"a":`)}}; f.Default = 0 }), "is not of type object"},
		{"infinite number", flag(func(f *Flag) {
			f.Type = KindFloat
			f.Variants = []Variant{{"a", FloatValue(math.Inf(1))}}
			f.Default = 0
		}), "is not of type number"},
		{"integer as a number", flag(func(f *Flag) { f.Type = KindFloat; f.Variants = []Variant{{"a", IntValue(1)}}; f.Default = 0 }), `the value "1" is not of type number`},
		{"default out of range", flag(func(f *Flag) { f.Default = 2 }), "there is no variant 2"},
		{"off out of range", flag(func(f *Flag) { f.Off = -1 }), "there is no variant -1"},
		{"rule's variant out of range", flag(func(f *Flag) { f.Rules[0].Variant = 2 }), "there is no variant 2"},
		{"split's variant out of range", split(func(s *Split) { s.Ranges[1].Variant = 9 }), "there is no variant 9"},
		{"gap", split(func(s *Split) { s.Ranges[1].From++ }), "do not follow each other"},
		{"overlap", split(func(s *Split) { s.Ranges[0].To++ }), "do not follow each other"},
		{"beyond", split(func(s *Split) { s.Ranges[1].To++ }), "do not follow each other"},
		{"short", split(func(s *Split) { s.Ranges[1].To-- }), "do not cover all positions"},
		{"no ranges", split(func(s *Split) { s.Ranges = nil }), "do not cover all positions"},
		{"unknown hash", split(func(s *Split) { s.Hash = "md5" }), `the hash "md5" is not known`},
		{"no salt", split(func(s *Split) { s.Salt = "" }), "a split: the salt is missing"},
		{"positions of a hash that has its own", split(func(s *Split) { s.Positions = 100 }), "a split: the hash \"murmur3_x64_128\" accepts no other number of positions"},
		{"reservation of nothing", flag(func(f *Flag) { f.Reserved = &Reservation{Spans: []Span{{0, 1}}} }), "a reservation: the hash \"\" is not known"},
		{"unit of no use", split(func(s *Split) { s.By = "beta" }), `the unit "beta" of a split`},
		{"salted chance", split(func(s *Split) { s.By = "" }), "a split by chance has no hash, no salt and no number of positions"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Compile(test.set)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v\nwant one with %q", err, test.want)
			}
		})
	}
}

// TestSegmentChains holds that chains of segments of any length are compiled, or
// refused, in bounded time and stack.
func TestSegmentChains(t *testing.T) {
	chain := func(n int) Ruleset {
		set := gate(ptr(texts(OpInSegment, "user", "0")))
		set.Segments = make([]Segment, n)
		for i := range set.Segments {
			set.Segments[i] = Segment{Name: strconv.Itoa(i), When: ptr(texts(OpInSegment, "user", strconv.Itoa(i+1)))}
		}
		set.Segments[n-1].Include, set.Segments[n-1].When = []string{"u-1"}, nil
		return set
	}
	f := compile(t, chain(MaxDepth)).Flag("gate")
	if got := f.Evaluate(&Context{Key: "u-1"}).Variant(); got != "on" {
		t.Errorf("a member of the last of %d segments is served %s", MaxDepth, got)
	}
	defer debug.SetMaxStack(debug.SetMaxStack(1 << 20))
	if _, err := Compile(chain(100_000)); err == nil ||
		!strings.Contains(err.Error(), "a chain of references to other segments that is longer than 100") {
		t.Errorf("a chain of 100,000 segments gave %.100v", err)
	}
}

func TestCompileErrorsAreBounded(t *testing.T) {
	set := gate(nil)
	for i := range 100_000 {
		set.Segments = append(set.Segments, Segment{Name: strconv.Itoa(i), When: ptr(is("x", "y"))})
	}
	set.Flags = append(set.Flags, set.Flags[0]) // its error isn't one of the first
	_, err := Compile(set)
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) || len(joined.Unwrap()) != maxErrors+1 {
		t.Fatalf("got error %.100v, want %d and one that says that there are more", err, maxErrors)
	}
	for _, e := range joined.Unwrap() {
		var ce *CompileError
		if !errors.As(e, &ce) {
			t.Errorf("the error %v is no CompileError", e)
		}
	}
	if s := err.Error(); len(s) > 10_000 || !strings.HasSuffix(s, "\nmore errors: 99901") {
		t.Errorf("the error has %d bytes and ends in %q", len(s), s[max(0, len(s)-50):])
	}
	set.Segments = set.Segments[:maxErrors-1]
	if _, err := Compile(set); err == nil || strings.Contains(err.Error(), "more errors") {
		t.Errorf("%d errors gave %.100v", maxErrors, err)
	}
}

// TestProgramIsImmutable holds that a Program shares nothing with the ruleset
// that it was compiled from.
func TestProgramIsImmutable(t *testing.T) {
	set := busy()
	set.Attributes = slices.Clone(set.Attributes)
	f := compile(t, set).Flag("gate")
	want := f.Evaluate(&busyContext)
	variant, value, rule := want.Variant(), want.Value(), want.Rule()
	scribble(&set)
	got := f.Evaluate(&busyContext)
	if got.Variant() != variant || got.Value() != value || got.Rule() != rule {
		t.Errorf("after the ruleset changed: got %s, %s by %q, want %s, %s by %q",
			got.Variant(), got.Value().JSON(), got.Rule(), variant, value.JSON(), rule)
	}
}

// scribble overwrites all that a ruleset's slices hold.
func scribble(set *Ruleset) {
	clear(set.Attributes)
	for i := range set.Segments {
		clear(set.Segments[i].Include)
		scribbleOn(set.Segments[i].When)
	}
	clear(set.Segments)
	for i := range set.Flags {
		f := &set.Flags[i]
		clear(f.Variants)
		for j := range f.Rules {
			scribbleOn(f.Rules[j].When)
			clear(f.Rules[j].Split.Ranges)
		}
		clear(f.Rules)
	}
	clear(set.Flags)
}

func scribbleOn(c *Condition) {
	clear(c.Strings)
	clear(c.Ints)
	for i := range c.Of {
		scribbleOn(&c.Of[i])
	}
	clear(c.Of)
}

// TestCheck holds Condition.Check and Compile to one verdict.
func TestCheck(t *testing.T) {
	for _, c := range []Condition{
		is("city", "x"), is("city"), numbers(OpModulo, "city", 10, 1), numbers(OpBetween, "uid", 2, 1),
		numbers(OpBetween, "uid", 1, 2),
		texts(OpSemver, "version", "x"), {Op: OpExists, Attribute: "city"}, texts(OpInSegment, "city", "s"),
		texts(OpInSegment, "ip", "s"),
		texts(OpInSegment, "city"), texts(OpInSegment, "city", "s", "s"),
		{Op: OpInSegment, Strings: []string{"s"}, Of: []Condition{is("city", "x")}},
		{Op: OpExists, Of: []Condition{is("city", "x")}}, {Op: OpOneOf, Strings: []string{"x"}, Of: []Condition{is("city", "x")}}, {Op: 99},
	} {
		for _, a := range declared {
			c.Attribute = a.Name
			checked := c.Check(a.Type)
			_, compiled := Compile(gate(&c, Segment{Name: "s"}))
			if (checked == nil) != (compiled == nil) {
				t.Errorf("%v of %v: Check says %v, Compile %v", c.Op, a.Type, checked, compiled)
			}
		}
	}
}
