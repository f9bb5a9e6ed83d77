package evaluator

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestDecodeContext(t *testing.T) {
	tests := []struct {
		json string
		want Context
	}{
		{`{}`, Context{}},
		{` {"targetingKey":"u-1","city":"北京","beta":true} `, Context{Key: "u-1", Attrs: []Attr{NewAttr("city", "北京"), NewAttr("beta", true)}}},
		{`{"a":30,"b":-9223372036854775808,"c":30.0,"d":1e3,"e":-0}`, Context{Attrs: []Attr{NewAttr("a", 30), NewAttr("b", -1<<63), NewAttr("c", 30), NewAttr("d", 1000), NewAttr("e", 0)}}},
		{`{"a":30.5,"b":9223372036854775808,"c":9007199254740992.0}`, Context{Attrs: []Attr{NewAttr("a", 30.5), {"b", Value{kind: KindFloat, num: math.Float64bits(1 << 63), str: "9223372036854775808"}}, NewAttr("c", float64(1<<53))}}},
		{`{"a":null,"b":{"c":[1,{"d":2}]},"e":{}}`, Context{Attrs: []Attr{{"a", Value{}}, {"b", Value{}}, {"e", Value{}}, NewAttr("b.c", []string{})}}},
		{`{"plan":{"tier":"plus","seats":{"used":3}},"user":{"plan":{"tier":"free"}}}`, Context{Attrs: []Attr{{"plan", Value{}}, {"user", Value{}},
			NewAttr("plan.tier", "plus"), {"plan.seats", Value{}}, NewAttr("plan.seats.used", 3),
			{"user.plan", Value{}}, NewAttr("user.plan.tier", "free")}}},
		{`{"plan":{"tier":"plus"},"plan.tier":"free"}`, Context{Attrs: []Attr{{"plan", Value{}}, NewAttr("plan.tier", "free")}}},
		{`{"plan":{"tier":"plus"},"plan.tier":null}`, Context{Attrs: []Attr{{"plan", Value{}}, {"plan.tier", Value{}}}}},
		{`{"plan":{"tier":"plus"},"plan":{"seats":1}}`, Context{Attrs: []Attr{{"plan", Value{}}, NewAttr("plan.seats", 1)}}},
		{`{"plan":{"tier":"plus"},"plan":1}`, Context{Attrs: []Attr{NewAttr("plan", 1)}}},
		{`{"a":{"b":{"c":1},"b.c":2},"a.b":{"c":3}}`, Context{Attrs: []Attr{{"a", Value{}}, {"a.b", Value{}}, NewAttr("a.b.c", 3)}}},
		{`{"a":{"b":{"c":1},"b.c":2}}`, Context{Attrs: []Attr{{"a", Value{}}, {"a.b", Value{}}, NewAttr("a.b.c", 2)}}},
		{`{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":{"i":{"j":{"k":1}}}}}}}}}}}`, Context{Attrs: []Attr{{"a", Value{}}, {"a.b", Value{}}, {"a.b.c", Value{}},
			{"a.b.c.d", Value{}}, {"a.b.c.d.e", Value{}}, {"a.b.c.d.e.f", Value{}}, {"a.b.c.d.e.f.g", Value{}}, {"a.b.c.d.e.f.g.h", Value{}},
			{"a.b.c.d.e.f.g.h.i", Value{}}, {"a.b.c.d.e.f.g.h.i.j", Value{}}}}},
		{`{"a":[],"b":["x","","\u00e9"],"c":[1,"x",null,["y"],{"z":"z"},true,"z"]}`,
			Context{Attrs: []Attr{NewAttr("a", []string{}), NewAttr("b", []string{"x", "", "é"}),
				NewAttr("c", []string{"x", "z"})}}},
		{`{"targetingKey":null,"TargetingKey":"x"}`, Context{Attrs: []Attr{NewAttr("TargetingKey", "x")}}},
		{`{"a":1,"b":2,"a":"x","b":null,"targetingKey":"u-1","targetingKey":"u-2"}`, Context{Key: "u-2", Attrs: []Attr{NewAttr("a", "x"), {"b", Value{}}}}},
		{`{"a":"\ud83d\ude00\u0000"}`, Context{Attrs: []Attr{NewAttr("a", "😀\x00")}}},
	}
	for _, test := range tests {
		got, err := DecodeContext([]byte(test.json))
		if err != nil {
			t.Errorf("%s: %v", test.json, err)
		} else if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", test.json, got, test.want)
		}
	}
}

func TestDecodeContextRefuses(t *testing.T) {
	for json, want := range map[string]string{
		``:                           "not a JSON object",
		`[]`:                         "not a JSON object",
		`null`:                       "not a JSON object",
		`{"secret":"hunter2"`:        "ends too early",
		`{"secret":hunter2}`:         "malformed near byte",
		`{"secret":"hunter2"} x`:     "after the end of the JSON",
		`{"targetingKey":7}`:         "targetingKey is not a string",
		`{"n":1e999}`:                "out of range",
		`{"n":{"n":{"n":1e999}}}`:    "out of range",
		`{"secret":"hunter2",}`:      "",
		`{"a":` + deeply + `}`:       "malformed near byte",
		`{"secret":"hunter2" "b":1}`: "",
	} {
		_, err := DecodeContext([]byte(json))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got error %v, want one with %q", json, err, want)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error quotes the context: %v", err)
		}
	}
}

// TestDecodeContextLimits holds that each limit is exact.
func TestDecodeContextLimits(t *testing.T) {
	members := func(n int) string {
		return `{"targetingKey":"u-1"` + strings.Repeat(`,"a":1`, n-1) + `}`
	}
	objects := func(n int) string {
		return `{"b":{"c":{"d":1` + strings.Repeat(`,"a":1`, n-3) + `}}}`
	}
	lists := func(n int) string {
		return `{"a":[` + strings.Repeat(`"x",`, n-2) + `1],"b":["y"]}`
	}
	for _, test := range []struct {
		name, fits, exceeds, want string
	}{
		{"members", members(maxMembers), members(maxMembers + 1), "there are more than 1000 attributes"},
		{"members of objects", objects(maxMembers), objects(maxMembers + 1), "there are more than 1000 attributes"},
		{"elements", lists(maxElements), lists(maxElements + 1), "the lists have more than 1000 elements"},
	} {
		if _, err := DecodeContext([]byte(test.fits)); err != nil {
			t.Errorf("%s within the limit: %v", test.name, err)
		}
		want := "decoding context: " + test.want
		if _, err := DecodeContext([]byte(test.exceeds)); err == nil || err.Error() != want {
			t.Errorf("%s beyond the limit: got error %v, want %q", test.name, err, want)
		}
	}
}

var deeply = strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)

// TestValueKinds holds that a value of another kind gives zero values.
func TestValueKinds(t *testing.T) {
	for _, v := range []Value{
		{}, BoolValue(true), BoolValue(false), IntValue(1), IntValue(-7), FloatValue(0.5),
		FloatValue(math.Float64frombits(1)),
		StringValue("text"), ObjectValue(`{"a":1}`),
	} {
		b, ok := v.Bool()
		if ok != (v.Kind() == KindBool) || !ok && b {
			t.Errorf("%s as a boolean is %v, %v", v.JSON(), b, ok)
		}
		n, ok := v.Int()
		if ok != (v.Kind() == KindInt) || !ok && n != 0 {
			t.Errorf("%s as an integer is %v, %v", v.JSON(), n, ok)
		}
		f, ok := v.Float()
		if ok != (v.Kind() == KindFloat || v.Kind() == KindInt) || !ok && f != 0 {
			t.Errorf("%s as a number is %v, %v", v.JSON(), f, ok)
		}
		s, ok := v.Text()
		if ok != (v.Kind() == KindString) || !ok && s != "" {
			t.Errorf("%s as text is %q, %v", v.JSON(), s, ok)
		}
	}
}

func TestValueJSON(t *testing.T) {
	for want, v := range map[string]Value{
		`null`:       {},
		`true`:       BoolValue(true),
		`-5`:         IntValue(-5),
		`0.1`:        FloatValue(0.1),
		`"a<b\n\"é"`: StringValue("a<b\n\"é"),
		`{"a": 1}`:   ObjectValue(`{"a": 1}`),
	} {
		if got := string(v.JSON()); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestTextJSON holds the short way for plain text: whatever byte is in it, the
// text that JSON has for it means what it was.
func TestTextJSON(t *testing.T) {
	for i := range 0x80 {
		text := "a" + string(rune(i)) + "z"
		var got string
		if err := json.Unmarshal(StringValue(text).JSON(), &got); err != nil || got != text {
			t.Errorf("%q becomes %s, and that %q (%v)", text, StringValue(text).JSON(), got, err)
		}
	}
}

func FuzzDecodeContext(f *testing.F) {
	f.Add([]byte(`{"targetingKey":"u-1","city":"shenzhen","uid":33,"ip":"10.0.0.1","version":"2.3.0","beta":true}`))
	f.Add([]byte(`{"a":[{}],"b":null,"c":1e3,"d":0.5}`))
	p := compile(f, busy())
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx, err := DecodeContext(data)
		if err != nil {
			return
		}
		if r := p.Flag("gate").Evaluate(&ctx); r.Reason() == ReasonError {
			t.Errorf("no answer for %s", data)
		}
	})
}
