package evaluator

import (
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
		{` {"targetingKey":"u-1","city":"北京","beta":true} `, Context{Key: "u-1", Attrs: []Attr{StringAttr("city", "北京"), BoolAttr("beta", true)}}},
		{`{"a":30,"b":-9223372036854775808,"c":30.0,"d":1e3,"e":-0}`, Context{Attrs: []Attr{IntAttr("a", 30), IntAttr("b", -1<<63), IntAttr("c", 30), IntAttr("d", 1000), IntAttr("e", 0)}}},
		{`{"a":30.5,"b":9223372036854775808,"c":9007199254740992.0}`, Context{Attrs: []Attr{FloatAttr("a", 30.5), FloatAttr("b", 1<<63), FloatAttr("c", 1<<53)}}},
		{`{"a":null,"b":{"c":[1,{"d":2}]},"e":[]}`, Context{Attrs: []Attr{{"a", Value{}}, {"b", Value{}}, {"e", Value{}}}}},
		{`{"targetingKey":null,"TargetingKey":"x"}`, Context{Attrs: []Attr{StringAttr("TargetingKey", "x")}}},
		{`{"a":"\ud83d\ude00\u0000"}`, Context{Attrs: []Attr{StringAttr("a", "😀\x00")}}},
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
		`{"secret":"hunter2"} x`:     "after the JSON object",
		`{"targetingKey":7}`:         "targetingKey is not a string",
		`{"n":1e999}`:                "out of range",
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

var deeply = strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)

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

func FuzzDecodeContext(f *testing.F) {
	f.Add([]byte(`{"targetingKey":"u-1","city":"shenzhen","uid":33,"ip":"10.0.0.1","version":"2.3.0","beta":true}`))
	f.Add([]byte(`{"a":[{}],"b":null,"c":1e3,"d":0.5}`))
	p := compile(f, busy())
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx, err := DecodeContext(data)
		if err != nil {
			return
		}
		if r := p.Flag("gate").Evaluate(ctx); r.Reason() == ReasonError {
			t.Errorf("no answer for %s", data)
		}
	})
}
