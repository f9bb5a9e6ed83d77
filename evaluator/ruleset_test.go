package evaluator

import "testing"

// TestAccepts holds which values are of which type.
func TestAccepts(t *testing.T) {
	absent := Value{}
	values := map[string]Value{
		"text": StringValue("lhasa"), "empty": StringValue(""), "version": StringValue("2.3"),
		"v": StringValue("v2.3"), "vv": StringValue("vv2.3"), "address": StringValue("::1"),
		"integer": IntValue(7), "float": FloatValue(7), "boolean": BoolValue(false), "list": ListValue(),
		"time": StringValue("2026-12-01T02:00:00Z"), "milliseconds": IntValue(1796090400000),
		"object": ObjectValue("{}"),
	}
	for typ, accepted := range map[AttributeType][]string{
		AttrString:  {"text", "empty", "version", "address", "v", "vv", "time"},
		AttrInteger: {"integer", "milliseconds"},
		AttrBoolean: {"boolean"},
		AttrSemver:  {"version"},
		AttrIP:      {"address"},
		AttrList:    {"list"},
		AttrSemverV: {"version", "v"},
		AttrTime:    {"time", "integer"},
		AttrNumber:  {"integer", "milliseconds", "float", "version"},
		0:           nil,
	} {
		want := make(map[string]bool)
		for _, name := range accepted {
			want[name] = true
		}
		for name, v := range values {
			if got := typ.Accepts(v); got != want[name] {
				t.Errorf("%v, %s: %v", typ, name, got)
			}
		}
		if !typ.Accepts(absent) {
			t.Errorf("%v: an absent attribute isn't accepted", typ)
		}
	}
}
