package evaluator

import (
	"errors"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// share returns a split by user of which the first 30% get variant 0.
func share(by, salt string) *Split {
	const cut = Positions * 3 / 10
	return &Split{Bucketing: Bucketing{By: by, Salt: salt, Hash: HashMurmur3},
		Ranges: []Range{{0, cut, 0}, {cut, Positions, 1}}}
}

func TestEvaluate(t *testing.T) {
	set := gate(ptr(is("city", "BJ")))
	f := &set.Flags[0]
	f.Rules = append(f.Rules,
		Rule{Name: "also Beijing", When: ptr(is("city", "BJ", "SH")), Variant: 1},
		Rule{Name: "share", Split: share("phone", "salt")},
		Rule{Name: "number", Split: share("uid", "salt")},
	)
	static, disabled := *f, *f
	static.Key, static.Rules = "static", nil
	disabled.Key, disabled.Disabled, disabled.Off, disabled.Default = "disabled", true, 1, 0
	set.Flags = append(set.Flags, static, disabled)
	p := compile(t, set)

	type answer struct {
		variant, rule, missing string
		reason                 Reason
	}
	in, out := "", "" // phones inside and outside of the share
	for i := 0; in == "" || out == ""; i++ {
		if s := strconv.Itoa(i); positionOf(s, seedOf("salt")) < Positions*3/10 {
			in = s
		} else {
			out = s
		}
	}
	number, _ := strconv.ParseInt(in, 10, 64)
	tests := []struct {
		name string
		flag string
		ctx  Context
		want answer
	}{
		{"first rule wins", "gate", Context{Attrs: []Attr{NewAttr("city", "BJ")}}, answer{"on", "r", "", ReasonTargetingMatch}},
		{"second rule", "gate", Context{Attrs: []Attr{NewAttr("city", "SH")}}, answer{"off", "also Beijing", "", ReasonTargetingMatch}},
		{"last attribute counts", "gate", Context{Attrs: []Attr{NewAttr("city", "BJ"), NewAttr("city", "SH")}}, answer{"off", "also Beijing", "", ReasonTargetingMatch}},
		{"inside the share", "gate", Context{Attrs: []Attr{NewAttr("phone", in)}}, answer{"on", "share", "", ReasonSplit}},
		{"outside the share", "gate", Context{Attrs: []Attr{NewAttr("phone", out)}}, answer{"off", "share", "", ReasonSplit}},
		{"integers hash as their decimal form", "gate", Context{Attrs: []Attr{NewAttr("uid", number)}}, answer{"on", "number", "phone", ReasonSplit}},
		{"no unit", "gate", Context{}, answer{"off", "", "uid", ReasonDefault}},
		{"empty unit", "gate", Context{Attrs: []Attr{NewAttr("phone", "")}}, answer{"off", "", "uid", ReasonDefault}},
		{"unit of another type", "gate", Context{Attrs: []Attr{NewAttr("phone", true), NewAttr("uid", 1.0)}}, answer{"off", "", "uid", ReasonDefault}},
		{"static", "static", Context{}, answer{"off", "", "", ReasonStatic}},
		{"disabled", "disabled", Context{Attrs: []Attr{NewAttr("city", "BJ")}}, answer{"off", "", "", ReasonDisabled}},
		{"absent", "absent", Context{}, answer{"", "", "", ReasonError}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := p.Flag(test.flag).Evaluate(&test.ctx)
			got := answer{r.Variant(), r.Rule(), r.MissingUnit(), r.Reason()}
			if got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if want := r.Variant() == "on"; want != (r.Value() == BoolValue(true)) {
				t.Errorf("variant %q has the value %s", r.Variant(), r.Value().JSON())
			}
		})
	}
}

func TestTargetingKey(t *testing.T) {
	f := compile(t, gate(ptr(is("user", "u-1")))).Flag("gate")
	for _, test := range []struct {
		ctx  Context
		want string
	}{
		{Context{Key: "u-1"}, "on"},
		{Context{Attrs: []Attr{NewAttr("user", "u-1")}}, "on"},
		{Context{Key: "u-1", Attrs: []Attr{NewAttr("user", "u-2")}}, "on"},
		{Context{Key: "u-2", Attrs: []Attr{NewAttr("user", "u-1")}}, "off"},
		{Context{Attrs: []Attr{NewAttr("targetingKey", "u-1")}}, "off"},
	} {
		if got := f.Evaluate(&test.ctx).Variant(); got != test.want {
			t.Errorf("%+v: got %s, want %s", test.ctx, got, test.want)
		}
	}
}

// TestUsesAge holds which flags say that they depend on the age of flags: those
// with a limit, and those that depend on them, unless they are disabled.
func TestUsesAge(t *testing.T) {
	set := gate(nil)
	follows := ptr(texts(OpServes, "", "limited", "on"))
	for _, f := range []struct {
		key      string
		limited  bool
		disabled bool
		when     *Condition
	}{{key: "limited", limited: true}, {key: "off", limited: true, disabled: true}, {key: "follows", when: follows},
		{key: "off follows", disabled: true, when: follows}} {
		flag := set.Flags[0]
		flag.Key, flag.Disabled, flag.Rules = f.key, f.disabled, []Rule{{Name: "all", When: f.when}}
		if f.limited {
			flag.Stale = &Staleness{After: 60, Variant: 1}
		}
		set.Flags = append(set.Flags, flag)
	}
	p := compile(t, set)
	for key, want := range map[string]bool{"gate": false, "limited": true, "off": false, "follows": true,
		"off follows": false} {
		if f := p.Flag(key); f.UsesAge() != want || f.Varies() != want {
			t.Errorf("%s: UsesAge is %t, Varies %t", key, f.UsesAge(), f.Varies())
		}
	}
}

func TestChance(t *testing.T) {
	set := gate(nil)
	set.Flags[0].Rules[0].Split = &Split{Ranges: []Range{{0, 1 << 31, 0}, {1 << 31, Positions, 1}}}
	f := compile(t, set).Flag("gate")
	if !f.UsesChance() {
		t.Error("UsesChance is false")
	}
	for chance, want := range map[uint32]string{0: "on", 1<<31 - 1: "on", 1 << 31: "off", 1<<32 - 1: "off"} {
		if got := f.Evaluate(&Context{Chance: chance}).Variant(); got != want {
			t.Errorf("chance %d: got %s, want %s", chance, got, want)
		}
	}
	if compile(t, gate(nil)).Flag("gate").UsesChance() {
		t.Error("UsesChance is true for a flag without such a split")
	}
	set.Flags[0].Disabled = true
	if compile(t, set).Flag("gate").Varies() {
		t.Error("Varies is true for a flag that is disabled")
	}
}

func TestSplitIsExactAndMonotone(t *testing.T) {
	seed := seedOf("salt")
	grow := func(cut uint64) *CompiledFlag {
		set := gate(nil)
		set.Flags[0].Rules[0].Split = share("user", "salt")
		set.Flags[0].Rules[0].Split.Ranges = []Range{{0, cut, 0}, {cut, Positions, 1}}
		return compile(t, set).Flag("gate")
	}
	position := uint64(positionOf("u-7", seed))
	ctx := Context{Key: "u-7"}
	if got := grow(position).Evaluate(&ctx).Variant(); got != "off" {
		t.Errorf("a range that ends at the unit's position serves it: %s", got)
	}
	if got := grow(position + 1).Evaluate(&ctx).Variant(); got != "on" {
		t.Errorf("a range that includes the unit's position does not serve it: %s", got)
	}
}

func TestCompileSeveral(t *testing.T) {
	a, b := gate(ptr(is("city", "BJ"))),
		gate(ptr(texts(OpInSegment, "user", "s")), Segment{Name: "s", Include: []string{"u-1"}})
	b.Flags[0].Key = "other"
	a.Segments = []Segment{{Name: "s", Include: []string{"u-2"}}} // its own, of the same name
	p := compile(t, a, b)
	if got := strings.Join(p.Keys(), " "); got != "gate other" {
		t.Errorf("keys are %q", got)
	}
	if got := p.Flag("other").Evaluate(&Context{Key: "u-1"}).Variant(); got != "on" {
		t.Errorf("other: got %s", got)
	}
	if got := p.Flag("other").Evaluate(&Context{Key: "u-2"}).Variant(); got != "off" {
		t.Errorf("other, by a segment of another ruleset: got %s", got)
	}
	if typ, ok := p.AttributeType("ip"); typ != AttrIP || !ok {
		t.Errorf("ip is of type %v", typ)
	}

	var ce *CompileError
	if _, err := Compile(a, a); !errors.As(err, &ce) || ce.Flag != "gate" {
		t.Errorf("one key twice gave %v", err)
	}
	c := gate(nil)
	c.Flags[0].Key = "c"
	c.Attributes = []Attribute{{Name: "user", Type: AttrString}, {Name: "city", Type: AttrIP}}
	if _, err := Compile(a, c); err == nil || !strings.Contains(err.Error(), `"city" is declared as string and as ip`) {
		t.Errorf("one attribute of two types gave %v", err)
	}
	c.Attributes, c.Unit = declared, "phone"
	if _, err := Compile(a, c); err == nil ||
		!strings.Contains(err.Error(), `the unit is "user" in one ruleset and "phone" in another`) {
		t.Errorf("two units gave %v", err)
	}
}

func TestNilProgram(t *testing.T) {
	var p *Program
	if p.Flag("x") != nil || p.Keys() != nil || p.Unit() != "" {
		t.Error("a nil program has something")
	}
	r := p.Flag("x").Evaluate(&Context{})
	if r.Reason() != ReasonError || r.Value().Kind() != KindNone || r.Variant() != "" || r.Rule() != "" ||
		r.MissingUnit() != "" {
		t.Errorf("got %+v", r)
	}
}

// busy is a flag that uses every operator.
func busy() Ruleset {
	staff := Segment{Name: "staff", Include: []string{"u-1"}, When: ptr(texts(OpSuffix, "city", "-hq"))}
	when := every(
		not(is("city", "TJ")), fold(is("city", "bj")), numbers(OpBetween, "uid", 1, 100),
		numbers(OpModulo, "uid", 10, 2),
		texts(OpCIDR, "ip", "10.0.0.0/8"), texts(OpIPBetween, "ip", "10.0.0.0", "10.0.0.9"),
		texts(OpSemver, "version", ">=2.3.0-rc.1"),
		fold(texts(OpPrefix, "city", "b")), texts(OpMatches, "city", "^B"), Condition{Op: OpExists, Attribute: "beta"},
		numbers(OpOneOf, "beta", 1), not(texts(OpInSegment, "uid", "staff")), not(texts(OpInSegment, "user", "staff")),
	)
	set := gate(&when, staff)
	set.Flags[0].Rules[0].Split = share("user", "salt")
	return set
}

var busyContext = Context{Key: "u-42", Attrs: []Attr{
	NewAttr("city", "BJ"), NewAttr("uid", 42), NewAttr("ip", "10.0.0.7"), NewAttr("version", "2.3.0-rc.2"),
	NewAttr("beta", true),
}}

func TestEvaluateDoesNotAllocate(t *testing.T) {
	f := compile(t, busy()).Flag("gate")
	if r := f.Evaluate(&busyContext); r.Rule() != "r" {
		t.Fatalf("the rule does not match; reason %v", r.Reason())
	}
	if n := testing.AllocsPerRun(100, func() { f.Evaluate(&busyContext) }); n != 0 {
		t.Errorf("an evaluation allocates %v times", n)
	}
}

// TestContextsStayOnTheStack holds that a context that is built for one evaluation isn't
// allocated, though regular expressions and addresses let their input escape.
func TestContextsStayOnTheStack(t *testing.T) {
	f := compile(t, busy()).Flag("gate")
	key := "u-42"
	if n := testing.AllocsPerRun(100, func() {
		f.Evaluate(&Context{Key: key,
			Attrs: []Attr{{"city", StringValue("BJ")}, {"uid", IntValue(42)}, {"ip", StringValue("10.0.0.7")}}})
	}); n != 0 {
		t.Errorf("an evaluation with a context of its own allocates %v times", n)
	}
}

// TestKeysOnTheStack evaluates keys that live on the stack, were the compiler
// allowed to put them there, by an expression that keeps them in the heap while
// it looks at them. To hide a key from escape analysis, so that contexts don't
// allocate, would make the matcher read what used to be a stack: here stacks
// move, because the collector shrinks them, and others take their place. The
// expression is so large that its matcher can be stopped on the way.
func TestKeysOnTheStack(t *testing.T) {
	f := compile(t, gate(ptr(texts(OpMatches, "user", "^u-[0-9]+-(?:[ab]?){500}x$")))).Flag("gate")
	stop := time.Now().Add(time.Second)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := 0; time.Now().Before(stop) && !t.Failed(); i++ {
				deepen(200)
				id := strconv.Itoa(i & 1023)
				if f.Evaluate(&Context{Key: "u-" + id + "-abababababx"}).Variant() != "on" {
					t.Error("a key that matches was not seen as it is")
				}
				if f.Evaluate(&Context{Key: "u-" + id + "-abababababy"}).Variant() != "off" {
					t.Error("a key that doesn't match was not seen as it is")
				}
			}
		})
	}
	for time.Now().Before(stop) && !t.Failed() {
		runtime.GC()
	}
	wg.Wait()
}

// deepen makes the stack grow, to be shrunk by the collector.
func deepen(frames int) byte {
	var frame [256]byte
	if frames == 0 {
		return frame[0]
	}
	return frame[frames&0xff] + deepen(frames-1)
}

// TestEvaluateFoldsWithoutAllocating holds the bound that Evaluate states.
func TestEvaluateFoldsWithoutAllocating(t *testing.T) {
	f := compile(t, gate(ptr(fold(texts(OpSuffix, "city", "X"))))).Flag("gate")
	for _, text := range []string{strings.Repeat("A", 63) + "x", strings.Repeat("\xff", 63) + "x",
		strings.Repeat("\u212a", 21) + "x"} {
		ctx := Context{Attrs: []Attr{NewAttr("city", text)}}
		if f.Evaluate(&ctx).Variant() != "on" {
			t.Errorf("%q does not match", text)
		}
		if n := testing.AllocsPerRun(100, func() { f.Evaluate(&ctx) }); n != 0 {
			t.Errorf("%q: an evaluation allocates %v times", text, n)
		}
	}
}

func FuzzSemver(f *testing.F) {
	f.Add("1.2.3-rc.1+x", "1.2.3-rc.11", "1.2.3-rc.b")
	f.Add("1", "1.0.0-0", "1.0")
	f.Add("1.0.0-1.2", "1.0.0--", "1.0.0-a")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		var vs []version
		for _, s := range []string{a, b, c} {
			v, ok := parseVersion(s)
			if !ok {
				return
			}
			vs = append(vs, v)
		}
		for _, v := range vs {
			if v.compare(v) != 0 {
				t.Errorf("%v is not equal to itself", v)
			}
			for _, w := range vs {
				if v.compare(w) != -w.compare(v) {
					t.Errorf("%v and %v are ordered both ways", v, w)
				}
				for _, x := range vs {
					// With the above this covers "<" and "=" too.
					if v.compare(w) <= 0 && w.compare(x) <= 0 && v.compare(x) > 0 {
						t.Errorf("%v ≤ %v ≤ %v, but the first is greater than the last", v, w, x)
					}
				}
			}
		}
	})
}
