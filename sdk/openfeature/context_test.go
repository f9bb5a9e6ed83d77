package openfeature

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/serin-flags/serin/evaluator"
)

// program declares the attributes that tests here use.
func program(t testing.TB) *evaluator.Program {
	t.Helper()
	p, err := evaluator.Compile(evaluator.Ruleset{
		Unit: "user",
		Attributes: []evaluator.Attribute{
			{Name: "user", Type: evaluator.AttrString}, {Name: "a", Type: evaluator.AttrInteger},
			{Name: "b", Type: evaluator.AttrString}, {Name: "l", Type: evaluator.AttrList},
			{Name: of.TargetingKey, Type: evaluator.AttrString},
			{Name: "b.c", Type: evaluator.AttrInteger}, {Name: "b.c.d", Type: evaluator.AttrString}, {Name: "b..a", Type: evaluator.AttrString},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func ignore(string) {}

type (
	city   string
	number int16
	on     bool
	share  float32
)

// TestValueOf holds what each type of attribute counts as.
func TestValueOf(t *testing.T) {
	none := evaluator.Value{}
	when := time.Date(2026, 11, 28, 9, 0, 0, 5e8, time.FixedZone("", 8*3600))
	text := "x"
	for _, test := range []struct {
		in   any
		want evaluator.Value
	}{
		{"x", evaluator.StringValue("x")}, {city("x"), evaluator.StringValue("x")}, {"", evaluator.StringValue("")},
		{true, evaluator.BoolValue(true)}, {on(true), evaluator.BoolValue(true)},
		{-7, evaluator.IntValue(-7)}, {int8(-7), evaluator.IntValue(-7)},
		{int64(math.MinInt64), evaluator.IntValue(math.MinInt64)},
		{number(7), evaluator.IntValue(7)}, {uint8(7), evaluator.IntValue(7)},
		{uint64(math.MaxInt64), evaluator.IntValue(math.MaxInt64)},
		{uint64(math.MaxUint64), evaluator.FloatValue(math.MaxUint64)},
		{0.5, evaluator.FloatValue(0.5)}, {7.0, evaluator.IntValue(7)}, {share(7), evaluator.IntValue(7)},
		{float32(0.5), evaluator.FloatValue(0.5)},
		{float64(1<<53 - 1), evaluator.IntValue(1<<53 - 1)}, {float64(1 << 53), evaluator.FloatValue(1 << 53)},
		{math.Copysign(0, -1), evaluator.IntValue(0)},
		{math.Inf(1), evaluator.FloatValue(math.Inf(1))},
		{json.Number("9007199254740993"), evaluator.IntValue(9007199254740993)},
		{json.Number("1e3"), evaluator.IntValue(1000)},
		{json.Number("0.5"), evaluator.FloatValue(0.5)}, {json.Number("x"), none},
		{[]string{"x", ""}, evaluator.ListValue("x", "")}, {[]string(nil), evaluator.ListValue()},
		{[]any{"x", 7, nil, "y"}, evaluator.ListValue("x", "y")},
		{when, evaluator.StringValue("2026-11-28T09:00:00.5+08:00")},
		{nil, none}, {&text, none}, {map[string]any{"a": 1}, none}, {struct{}{}, none}, {[]int{1}, none}, {func() {}, none},
		{1i, none},
	} {
		if got := valueOf(test.in); got != test.want {
			t.Errorf("%T %v is %s, want %s", test.in, test.in, got.JSON(), test.want.JSON())
		}
	}
}

// TestContextOf checks that the targeting key is the context's key, that attributes
// nobody declares are left out, and that the caller's map stays as it is.
func TestContextOf(t *testing.T) {
	p := program(t)
	flat := of.FlattenedContext{of.TargetingKey: "u-1", "a": 3, "b": nil, "c": "not declared", "l": []string{"x"}}
	before := maps.Clone(flat)
	ctx := contextOf(flat, p, nil, ignore)
	slices.SortFunc(ctx.Attrs, func(a, b evaluator.Attr) int { return strings.Compare(a.Name, b.Name) })
	want := evaluator.Context{Key: "u-1",
		Attrs: []evaluator.Attr{evaluator.NewAttr("a", 3), evaluator.NewAttr("l", []string{"x"})}}
	values := cmp.Comparer(func(a, b evaluator.Value) bool { return a == b })
	if diff := cmp.Diff(want, ctx, values); diff != "" {
		t.Errorf("context (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, flat); diff != "" {
		t.Errorf("the caller's map has changed (-want +got):\n%s", diff)
	}
	if ctx := contextOf(of.FlattenedContext{of.TargetingKey: 7}, p, nil, ignore); ctx.Key != "" || len(ctx.Attrs) > 0 {
		t.Errorf("a targeting key that is no text gives %+v", ctx)
	}
	if ctx := contextOf(nil, p, nil, ignore); ctx.Key != "" || len(ctx.Attrs) > 0 {
		t.Errorf("no context gives %+v", ctx)
	}
}

// TestContextNested checks that the members of structures are attributes, and which one
// counts if there are several of a name.
func TestContextNested(t *testing.T) {
	p := program(t)
	var reported []string
	for _, test := range []struct {
		flat of.FlattenedContext
		want map[string]any
	}{
		{of.FlattenedContext{"b": map[string]any{"c": 3}}, map[string]any{"b.c": 3}},
		{of.FlattenedContext{"b": map[string]int{"c": 3}}, map[string]any{"b.c": 3}},
		{of.FlattenedContext{"b": map[city]any{"c": map[string]string{"d": "x"}}}, map[string]any{"b.c.d": "x"}},
		{of.FlattenedContext{"b": map[int]any{1: 3}, "c": map[string]any{"x": 1}}, nil},
		{of.FlattenedContext{"b": map[string]any{"c": 3}, "b.c": 4}, map[string]any{"b.c": 4}},
		{of.FlattenedContext{"b": map[string]any{"c": 3}, "b.c": nil}, nil},
		{of.FlattenedContext{"b": map[string]any{"c": map[string]any{"d": "x"}, "c.d": "y"}}, map[string]any{"b.c.d": "y"}},
		{of.FlattenedContext{"b": map[string]any{"c.d": "y"}, "b.c": map[string]any{"d": "z"}}, map[string]any{"b.c.d": "z"}},
		{of.FlattenedContext{"b.c": map[string]any{"d": "z"}, "b.c.d": "w", "a": 1}, map[string]any{"b.c.d": "w", "a": 1}},
		{of.FlattenedContext{"b": map[string]any(nil), of.TargetingKey: map[string]any{"x": 1}}, nil},
	} {
		got := make(map[string]any)
		for _, a := range contextOf(test.flat, p, nil, func(name string) { reported = append(reported, name) }).Attrs {
			if n, ok := a.Value.Int(); ok {
				got[a.Name] = int(n)
			} else {
				got[a.Name], _ = a.Value.Text()
			}
		}
		if len(got)+len(test.want) > 0 && !maps.Equal(got, test.want) {
			t.Errorf("%v: got %v, want %v", test.flat, got, test.want)
		}
	}
	if want := []string{"c.x"}; !slices.Equal(reported, want) {
		t.Errorf("reported as unused are %q, want %q", reported, want)
	}
}

// TestContextAllocates checks that contexts are converted on the stack.
func TestContextAllocates(t *testing.T) {
	p := program(t)
	flat := of.FlattenedContext{of.TargetingKey: "u-1", "a": 3, "b": "x", "c": 1, "d": 2}
	length := 0
	if n := testing.AllocsPerRun(100, func() {
		var room [inlineAttrs]evaluator.Attr
		length += len(contextOf(flat, p, room[:0], ignore).Attrs)
	}); n != 0 {
		t.Errorf("a context takes %v allocations", n)
	}
	if length == 0 {
		t.Error("there are no attributes")
	}
}

// FuzzContext checks that a context which comes from JSON means by OpenFeature what
// it means by OFREP, to the same flags.
func FuzzContext(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"targetingKey":"u-1","a":3,"b":"x"}`, `{"a":1e3,"b":null,"l":["x",1,null]}`, `{"a":9007199254740993}`,
		`{"a":0.5,"b":{"c":1}}`, `{"b":{"c":{"d":"x"},"c.d":"y"},"b.c":{"d":"z"}}`,
		`{"b":{"c":{"d":"x"},"c.d":null}}`, `{"b":{"c":1},"b.c":null}`,
		`{"b":{"":{"a":"x"},".a":1},"b.":{"a":"y"},"b.c":{"":{}}}`, `{"b":{"c":[]},"b":{"c.d":"x"}}`,
		`{"a":1,"a":2}`, `{"a":-0,"b":"\u0000"}`, `{"targetingKey":7}`, `{"a":1e400}`, `[]`,
		`{"a":true,"a":false,"c":"d"}`,
	} {
		f.Add([]byte(seed))
	}
	p := program(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		want, err := evaluator.DecodeContext(data)
		if err != nil {
			return
		}
		decoder := json.NewDecoder(strings.NewReader(string(data)))
		decoder.UseNumber()
		var flat of.FlattenedContext
		if err := decoder.Decode(&flat); err != nil {
			return
		}
		got := contextOf(flat, p, nil, ignore)
		if got.Key != want.Key {
			t.Fatalf("the key is %q, by OFREP %q", got.Key, want.Key)
		}
		for _, a := range want.Attrs {
			_, declared := p.AttributeType(a.Name)
			i := slices.IndexFunc(got.Attrs, func(b evaluator.Attr) bool { return b.Name == a.Name })
			switch {
			case !declared || a.Value.Kind() == evaluator.KindNone:
				if i >= 0 {
					t.Fatalf("%q is %s, by OFREP it doesn't count", a.Name, got.Attrs[i].Value.JSON())
				}
			case i < 0:
				t.Fatalf("%q doesn't count, by OFREP it is %s", a.Name, a.Value.JSON())
			case got.Attrs[i].Value != a.Value:
				t.Fatalf("%q is %s, by OFREP %s", a.Name, got.Attrs[i].Value.JSON(), a.Value.JSON())
			}
		}
		if len(got.Attrs) > len(want.Attrs) {
			t.Fatalf("%d attributes, by OFREP %d", len(got.Attrs), len(want.Attrs))
		}
	})
}

// FuzzValue checks that no string, number or list is beyond valueOf.
func FuzzValue(f *testing.F) {
	f.Add("x", int64(7), 0.5, true)
	f.Add("1e400", int64(math.MinInt64), math.NaN(), false)
	f.Fuzz(func(t *testing.T, s string, i int64, x float64, b bool) {
		for _, v := range []any{s, i, x, b, json.Number(s), []string{s, s}, []any{s, i, x, b}, uint64(i),
			time.Unix(i, 0),
			city(s), map[string]any{s: i}} {
			valueOf(v)
		}
		if got, ok := valueOf(i).Int(); !ok || got != i {
			t.Errorf("%d is %d", i, got)
		}
		if got, ok := valueOf(s).Text(); !ok || got != s {
			t.Errorf("%q is %q", s, got)
		}
		if got, ok := valueOf(x).Float(); !ok || got != x && x == x {
			t.Errorf("%v is %v", x, got)
		}
	})
}
