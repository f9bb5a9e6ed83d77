package evaluator_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/serin-flags/serin/evaluator"
)

// randomBytes are seeds for fuzzers that choose by bytes.
func randomBytes(n int) []byte {
	random := rand.New(rand.NewPCG(uint64(n), 3))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

// FuzzCompile compiles rulesets of which most aren't valid: a generator's, with
// something overwritten. They are refused, or become a Program that does as the
// specification says; and memory is in proportion to the ruleset.
func FuzzCompile(f *testing.F) {
	for n := range 40 {
		f.Add(randomBytes(100*n), randomBytes(n))
	}
	pools := newPools()
	f.Fuzz(func(t *testing.T, data, changes []byte) {
		g := &generator{next: byBytes(data), pools: pools}
		sets := g.rulesets()
		spoiler := &generator{next: byBytes(changes), pools: pools}
		spoiler.spoil(&sets, min(len(changes)/3, 8))
		before := allocated()
		program, err := evaluator.Compile(sets...)
		spent := allocated() - before
		if size := sizeOf(sets); !hasExpressions(sets) && spent > 1<<17+64*size {
			t.Errorf("compiling a ruleset of %d bytes allocates %d bytes", size, spent)
		}
		if (program == nil) != (err != nil) {
			t.Fatalf("got program %v, error %v", program, err)
		}
		if problems, lax := judged(sets); (err != nil) != (len(problems) > 0) && !lax {
			t.Errorf("Compile says %v, the specification %q\n%s", err, problems, printed(sets))
		}
		again, differs := streamed(sets)
		if (err != nil) != (differs != nil) {
			t.Errorf("Compile says %v, CompileStream %v", err, differs)
		}
		if err != nil || differs != nil {
			return
		}
		for _, p := range []*evaluator.Program{program, again} {
			if err := compareAll(p, sets, g.context(), true, make(map[evaluator.Reason]int)); err != nil {
				t.Error(err)
			}
		}
	})
}

// allocated returns how many bytes have ever been allocated.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// hasExpressions reports whether there are regular expressions: short ones may
// stand for large programs.
func hasExpressions(sets []evaluator.Ruleset) bool {
	b, err := json.Marshal(sets)
	return err != nil || bytes.Contains(b, []byte(`"matches"`))
}

// FuzzContext holds the decoder of contexts against another that is written
// after section 3.3, and its memory to a multiple of the input.
func FuzzContext(f *testing.F) {
	for _, s := range []string{
		`{"targetingKey":"u-1","city":"shenzhen","uid":33,"ip":"10.0.0.1","version":"2.3.0","beta":true}`,
		`{"a":["x","",["y"],1,null,{"z":"w"},"\ud83d\ude00"],"b":[],"c":[[]],"d":{"e":["x"]}}`,
		`{"a":1e3,"b":-0,"c":-0.0,"d":1e-400,"e":30.5,"f":9007199254740991.0,"g":9007199254740992.0,"h":9223372036854775808,"i":-9223372036854775808}`,
		`{"a":1,"\u0061":null,"a":"x","targetingKey":"u-1","targetingKey":null}`,
		`{"a":{"b":{"c":1}},"a.b":{"c":2},"a.b.c":3}`, `{"a":{"b":{"c":1},"b.c":2},"a.b":{"c":null}}`,
		`{"a":{"b":1,"b":2},"a.b":{}}`, `{"a":{"":{"x":[]}},"":{"":true,"\u0000":"x"},"a..x":7}`,
		`{"a":{"targetingKey":1},"targetingKey":"u-1"}`, strings.Repeat(`{"a":`, 11) + "1" + strings.Repeat("}", 11),
		`{"` + strings.Repeat("a", 300) + `":{"b":1},"x":{"` + strings.Repeat("y", 198) + `":1,"` +
			strings.Repeat("z", 199) + `":2}}`,
		`{"targetingKey":["u"]}`, `{"targetingKey":{}}`, `{"targetingKey":1}`, `{"a":1e400}`, `{"a":[1e400]}`,
		`{"a":{"b":1e400}}`, `{} {}`, "\xef\xbb\xbf{}", `{"a":"\ud800` + "\xff" + `"}`,
		`{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, `null`, `[]`, ` { } `,
		`{"a":0.99999999999999999999,"b":1E2}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := allocated()
		ctx, err := evaluator.DecodeContext(data)
		if spent, size := allocated()-before, uint64(len(data)); spent > 1<<17+200*size {
			t.Errorf("decoding %d bytes allocates %d bytes", size, spent)
		}
		key, values, ok := naiveContext(data)
		if ok != (err == nil) {
			t.Fatalf("error %v, but naively %v", err, ok)
		}
		if err != nil {
			return
		}
		n := naive{ctx: evaluator.Context{Attrs: ctx.Attrs}}
		if ctx.Key != key || len(ctx.Attrs) != len(values) {
			t.Fatalf("got the key %q and %d attributes, want %q and %d", ctx.Key, len(ctx.Attrs), key, len(values))
		}
		for name, want := range values {
			if got := n.value(name); got.Kind() != want.Kind() || string(got.JSON()) != string(want.JSON()) {
				t.Errorf("%q: got %s, want %s", name, got.JSON(), want.JSON())
			}
		}
	})
}

// naiveContext decodes a context as 3.3 says.
func naiveContext(data []byte) (key string, values map[string]evaluator.Value, ok bool) {
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&members); err != nil || members == nil {
		return "", nil, false
	}
	if _, err := d.Token(); err != io.EOF {
		return "", nil, false
	}
	if member, ok := members["targetingKey"]; ok {
		text, isText := member.(string)
		if !isText && member != nil {
			return "", nil, false
		}
		key = text
		delete(members, "targetingKey")
	}
	found, ok := naivePaths(nil, members)
	if !ok {
		return "", nil, false
	}
	values = make(map[string]evaluator.Value)
	slices.SortFunc(found, func(a, b naivePath) int { return slices.Compare(a.lengths(), b.lengths()) })
	for _, f := range found { // the last of a name counts
		values[strings.Join(f.names, ".")] = f.value
	}
	return key, values, len(found) <= 1000
}

// A naivePath is a member of a context, or of an object in it. 3.4.
type naivePath struct {
	names []string
	value evaluator.Value
}

func (p naivePath) lengths() []int {
	var list []int
	for _, name := range p.names {
		list = append(list, len(name))
	}
	return list
}

// naivePaths returns the members of an object and those of objects in it.
func naivePaths(above []string, members map[string]any) (list []naivePath, ok bool) {
	if len(above) == 10 {
		return nil, true
	}
	for name, member := range members {
		v, ok := naiveMember(member)
		if !ok {
			return nil, false
		}
		path := slices.Concat(above, []string{name})
		if len(above) > 0 && len(strings.Join(path, ".")) > 200 {
			continue
		}
		list = append(list, naivePath{path, v})
		if object, is := member.(map[string]any); is {
			inside, ok := naivePaths(path, object)
			if !ok {
				return nil, false
			}
			list = append(list, inside...)
		}
	}
	return list, true
}

func naiveMember(member any) (evaluator.Value, bool) {
	switch m := member.(type) {
	case string:
		return evaluator.StringValue(m), true
	case bool:
		return evaluator.BoolValue(m), true
	case []any:
		var texts []string
		for _, element := range m {
			if text, ok := element.(string); ok {
				texts = append(texts, text)
			}
		}
		return evaluator.ListValue(texts...), true
	case json.Number:
		if !strings.ContainsAny(m.String(), ".eE") {
			if i, err := strconv.ParseInt(m.String(), 10, 64); err == nil {
				return evaluator.IntValue(i), true
			}
		}
		number, err := m.Float64()
		if whole := math.Trunc(number); whole == number && whole > -1<<53 && whole < 1<<53 {
			return evaluator.IntValue(int64(whole)), err == nil
		}
		return evaluator.FloatValue(number), err == nil
	}
	return evaluator.Value{}, true
}

// verdicts holds Check and Compile to what the specification says of a
// comparison, and returns a Program with a flag that it guards; nil if it is refused.
func verdicts(t *testing.T, c evaluator.Condition, valid bool) (program *evaluator.Program, set evaluator.Ruleset) {
	t.Helper()
	set = evaluator.Ruleset{Unit: "user", Attributes: declared(), Flags: []evaluator.Flag{{
		Key: "f", Type: evaluator.KindBool, Default: 1, Rules: []evaluator.Rule{{Name: "r", When: &c}},
		Variants: []evaluator.Variant{{Name: "on", Value: evaluator.BoolValue(true)},
			{Name: "off", Value: evaluator.BoolValue(false)}},
	}}}
	set.Zones = []evaluator.Zone{{Name: "zone",
		Offsets: []evaluator.Offset{{Seconds: 3600}, {From: 1792890000, Seconds: 0}}}}
	var declaredType evaluator.AttributeType
	for _, a := range declared() {
		if a.Name == c.Attribute {
			declaredType = a.Type
		}
	}
	if err := c.Check(declaredType); (err == nil) != valid {
		t.Errorf("Check says %v, the specification %v", err, valid)
	}
	program, err := evaluator.Compile(set)
	if (err == nil) != valid {
		t.Errorf("Compile says %v, the specification %v", err, valid)
	}
	return program, set
}

// evaluations holds a Program to the naive interpreter for values of an attribute.
func evaluations(t *testing.T, program *evaluator.Program, set evaluator.Ruleset, attribute string, values ...string) {
	t.Helper()
	for _, s := range values {
		ctx := evaluator.Context{Attrs: []evaluator.Attr{evaluator.NewAttr(attribute, s)}}
		if err := compareAll(program, []evaluator.Ruleset{set}, ctx, true, make(map[evaluator.Reason]int)); err != nil {
			t.Error(err)
		}
	}
}

var comparisonSyntax = regexp.MustCompile(`^(<=|>=|<|>|=)?`)

// naiveConstraint reports whether s is a constraint. 4.12.
func naiveConstraint(s string) bool {
	list := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' })
	return len(list) > 0 && !slices.ContainsFunc(list, func(comparison string) bool {
		_, ok := parseNaiveVersion(comparison[len(comparisonSyntax.FindString(comparison)):])
		return !ok
	})
}

func FuzzVersions(f *testing.F) {
	f.Add("1.2.3-rc.1+x", ">=1.2.3-rc.1 <2")
	f.Add("2", "=2.0.0, <=2.0")
	f.Add("9999999999999999999.0-0.a.-", "<9223372036854775808")
	f.Add("1.0.0-123456789012345678901234567890", ">1.0.0-123456789012345678901234567889")
	f.Add("01.0", "==1")
	f.Add("1+", ">= 1")
	f.Add("1\t", "\t>1")
	f.Fuzz(func(t *testing.T, version, constraint string) {
		for _, s := range []string{version, constraint} {
			_, ok := parseNaiveVersion(s)
			one := evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "version", Strings: []string{s}}
			if program, set := verdicts(t, one, ok); program != nil {
				evaluations(t, program, set, "version", version, constraint)
			}
			c := evaluator.Condition{Op: evaluator.OpSemver, Attribute: "version", Strings: []string{s}}
			if program, set := verdicts(t, c, naiveConstraint(s)); program != nil {
				evaluations(t, program, set, "version", version, constraint)
			}
		}
	})
}

// naiveNetwork reports whether s is a network. 4.9.
func naiveNetwork(s string) bool {
	text, length, ok := strings.Cut(s, "/")
	a := parseNaiveAddress(text)
	n, err := strconv.Atoi(length)
	if !ok || a == nil || err != nil || n < 0 || n > 8*len(a) || strconv.Itoa(n) != length {
		return false
	}
	mapped := len(a) == 4 && strings.Contains(text, ":")
	return !mapped && !strings.Contains(naiveBits(a)[n:], "1")
}

func FuzzAddresses(f *testing.F) {
	f.Add("10.0.0.1", "10.255.255.255", "10.0.0.0/8")
	f.Add("::ffff:10.0.0.1", "11.0.0.0", "::ffff:10.0.0.0/104")
	f.Add("2001:db8::1", "2001:DB8::ffff:1.2.3.4", "2001:db8::/32")
	f.Add("::1%eth0", "010.0.0.1", "10.0.0.0/08")
	f.Add("1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "10.1.0.0/8")
	f.Add("1:2:3:4::5:6:7:8", ":::", "0.0.0.0/0")
	f.Add("::", "::ffff:0:0", "::/0")
	f.Add("1::2::3", "1.2.3.4.5", "1.2.3.4/33")
	f.Fuzz(func(t *testing.T, a, b, network string) {
		networks := evaluator.Condition{Op: evaluator.OpCIDR, Attribute: "ip", Strings: []string{network}}
		if program, set := verdicts(t, networks, naiveNetwork(network)); program != nil {
			evaluations(t, program, set, "ip", a, b)
		}
		x, y := parseNaiveAddress(a), parseNaiveAddress(b)
		one := evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "ip", Strings: []string{a}}
		if program, set := verdicts(t, one, x != nil); program != nil {
			evaluations(t, program, set, "ip", a, b, network)
		}
		ordered := x != nil && len(x) == len(y) && bytes.Compare(x, y) <= 0
		between := evaluator.Condition{Op: evaluator.OpIPBetween, Attribute: "ip", Strings: []string{a, b}}
		if program, set := verdicts(t, between, ordered); program != nil {
			evaluations(t, program, set, "ip", a, b, strings.TrimSuffix(network, "/8"))
		}
	})
}

func FuzzExpression(f *testing.F) {
	f.Add("^/api/v[12]/", "/API/v1/", true)
	f.Add("a|b", "B", true)
	f.Add("a)(b", "ab", true)
	f.Add("\\Qa", "A", true)
	f.Add("(?-i)a", "A", true)
	f.Add("\xff", "\ufffd", false)
	f.Add(strings.Repeat("a", 1001), "a", false)
	f.Add("((a{100}){100}){100}", "a", false)
	f.Add("\\C", "a", false)
	f.Add("(", "", false)
	f.Fuzz(func(t *testing.T, expression, text string, fold bool) {
		if len(expression) > 50 && len(expression) <= 1000 {
			return // large programs say nothing new
		}
		_, err := regexp.Compile(expression)
		c := evaluator.Condition{Op: evaluator.OpMatches, Attribute: "city", Strings: []string{expression}, Fold: fold}
		program, set := verdicts(t, c, err == nil && len(expression) <= 1000)
		if program != nil && err == nil {
			evaluations(t, program, set, "city", text, strings.ToUpper(text), strings.ToLower(text))
		}
	})
}

// FuzzText folds whatever comes.
func FuzzText(f *testing.F) {
	f.Add("Straße", "STRAẞE", "\u212a")
	f.Add("\xff", "\ufffd", "\xe2\x84")
	f.Add("İ", "ı", "i")
	f.Add("Σς", "σΣ", strings.Repeat("Σ", 50))
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, op := range []evaluator.Op{evaluator.OpOneOf, evaluator.OpPrefix, evaluator.OpSuffix,
			evaluator.OpContains} {
			for _, fold := range []bool{false, true} {
				cond := evaluator.Condition{Op: op, Attribute: "city", Strings: []string{a, b}, Fold: fold}
				if program, set := verdicts(t, cond, op == evaluator.OpOneOf || a != "" && b != ""); program != nil {
					evaluations(t, program, set, "city", a, b, c, a+c, c+b, strings.ToUpper(a), strings.ToLower(b))
				}
			}
		}
	})
}

func FuzzTime(f *testing.F) {
	f.Add(int64(62), int64(32400), int64(64800), int64(1792893599), 3600)
	f.Add(int64(127), int64(79200), int64(21600), int64(-1), -18000)
	f.Add(int64(1), int64(0), int64(86400), int64(math.MaxInt64), 86399)
	f.Add(int64(2), int64(32400), int64(32400), int64(math.MinInt64), -86399)
	// Each of these is wrong in one number.
	f.Add(int64(0), int64(0), int64(1), int64(0), 0)
	f.Add(int64(128), int64(0), int64(1), int64(0), 0)
	f.Add(int64(1), int64(-1), int64(1), int64(0), 0)
	f.Add(int64(1), int64(86400), int64(1), int64(0), 0)
	f.Add(int64(1), int64(0), int64(0), int64(0), 0)
	f.Add(int64(1), int64(0), int64(86401), int64(0), 0)
	f.Add(int64(1), int64(0), int64(1), int64(0), 86400)
	f.Add(int64(1), int64(0), int64(1), int64(0), -86400)
	f.Fuzz(func(t *testing.T, days, opens, closes, now int64, offset int) {
		valid := 1 <= days && days <= 127 && 0 <= opens && opens <= 86399 && 1 <= closes && closes <= 86400
		window := evaluator.Condition{Op: evaluator.OpWindow, Strings: []string{"zone"},
			Ints: []int64{days, opens, closes}}
		period := evaluator.Condition{Op: evaluator.OpPeriod, Ints: []int64{opens, closes}}
		ctx := evaluator.Context{Now: now}
		if program, set := verdicts(t, period, opens < closes); program != nil {
			if err := compareAll(program, []evaluator.Ruleset{set}, ctx, true,
				make(map[evaluator.Reason]int)); err != nil {
				t.Error(err)
			}
		}
		program, set := verdicts(t, window, valid)
		if program == nil {
			return
		}
		set.Zones[0].Offsets = []evaluator.Offset{{From: now, Seconds: offset}}
		program, err := evaluator.Compile(set)
		if (err == nil) != (-86399 <= offset && offset <= 86399) {
			t.Fatalf("an offset of %d gave %v", offset, err)
		}
		if err == nil {
			if err := compareAll(program, []evaluator.Ruleset{set}, ctx, true,
				make(map[evaluator.Reason]int)); err != nil {
				t.Error(err)
			}
		}
	})
}

// FuzzRamp takes points from bytes, 13 each: a time and a level.
func FuzzRamp(f *testing.F) {
	point := func(at int64, level uint64) []byte {
		b := binary.BigEndian.AppendUint64(nil, uint64(at))
		return append(b, byte(level>>32), byte(level>>24), byte(level>>16), byte(level>>8), byte(level))
	}
	f.Add(slices.Concat(point(1000, 1), point(2000, 1<<32)), int64(1500), uint32(1<<31), true)
	f.Add(slices.Concat(point(math.MinInt64, 1<<32), point(math.MaxInt64, 0)), int64(0), uint32(1<<31-1), true)
	f.Add(slices.Concat(point(math.MinInt64, 0), point(math.MaxInt64, 1<<32)), int64(math.MaxInt64-1),
		uint32(math.MaxUint32), true)
	f.Add(slices.Concat(point(5, 1), point(5, 2)), int64(5), uint32(1), false)
	f.Add(slices.Concat(point(5, 1<<32+1)), int64(5), uint32(1), false)
	f.Add([]byte{}, int64(5), uint32(1), false)
	f.Fuzz(func(t *testing.T, data []byte, now int64, chance uint32, linear bool) {
		r := &evaluator.Ramp{Variant: 1, Linear: linear}
		valid := true
		for ; len(data) >= 13; data = data[13:] {
			level := uint64(data[8])<<32 | uint64(binary.BigEndian.Uint32(data[9:]))
			p := evaluator.Point{At: int64(binary.BigEndian.Uint64(data)), Level: level}
			if n := len(r.Points); n > 0 && p.At <= r.Points[n-1].At || level > 1<<32 {
				valid = false
			}
			r.Points = append(r.Points, p)
		}
		set := evaluator.Ruleset{Unit: "user", Attributes: declared(), Flags: []evaluator.Flag{{
			Key: "f", Type: evaluator.KindBool, Rules: []evaluator.Rule{{Name: "r", Split: &evaluator.Split{Ramp: r}}},
			Variants: []evaluator.Variant{{Name: "off", Value: evaluator.BoolValue(false)},
				{Name: "on", Value: evaluator.BoolValue(true)}},
		}}}
		program, err := evaluator.Compile(set)
		if (err == nil) != (valid && len(r.Points) > 0) {
			t.Fatalf("%v gave %v", r.Points, err)
		}
		if err != nil {
			return
		}
		// At its level the ramp changes, and nowhere else.
		level := naiveLevel(*r, now).Uint64()
		for _, position := range []uint64{uint64(chance), level, level - 1} {
			ctx := evaluator.Context{Now: now, Chance: uint32(min(position, math.MaxUint32))}
			if err := compareAll(program, []evaluator.Ruleset{set}, ctx, true,
				make(map[evaluator.Reason]int)); err != nil {
				t.Error(err)
			}
		}
	})
}
