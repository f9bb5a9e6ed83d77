package values_test

import (
	"testing"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/values"
)

func TestSame(t *testing.T) {
	object := evaluator.ObjectValue
	for _, test := range []struct {
		name string
		a, b evaluator.Value
		want bool
	}{
		{"texts", evaluator.StringValue("a"), evaluator.StringValue("a"), true},
		{"other texts", evaluator.StringValue("a"), evaluator.StringValue("b"), false},
		{"kinds", evaluator.IntValue(1), evaluator.FloatValue(1), false},
		{"text and object", evaluator.StringValue("{}"), object("{}"), false},
		{"order", object(`{"a": 1, "b": {"c": 2, "d": 3}}`), object(`{"b": {"d": 3, "c": 2}, "a": 1}`), true},
		{"order of a list", object(`{"a": [1, 2]}`), object(`{"a": [2, 1]}`), false},
		{"large numbers", object(`{"a": 9007199254740993}`), object(`{"a": 9007199254740992}`), false},
	} {
		if got := values.Same(test.a, test.b); got != test.want {
			t.Errorf("%s: %v, not %v", test.name, got, test.want)
		}
	}
}
