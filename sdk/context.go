package sdk

import "github.com/serin-flags/serin/evaluator"

// A Context says for whom, and under what circumstances, a flag is evaluated.
// The zero Context is valid: it has no attributes. The client fills its Chance;
// what the caller put there is not used.
type Context = evaluator.Context

// User returns the Context of someone with the given targeting key, such as an
// account id: the value of the estate's unit attribute. The Context refers to
// attrs, which must not be modified while it is in use. Building a Context with
// attributes costs one allocation.
func User(key string, attrs ...evaluator.Attr) Context {
	return Context{Key: key, Attrs: attrs}
}

// Attr returns a named attribute for [User]. Versions and IP addresses are
// strings. No integer comparison holds for a float64, even if it is integral.
func Attr[T string | bool | int | int64 | float64](name string, value T) evaluator.Attr {
	var v evaluator.Value
	switch value := any(value).(type) {
	case string:
		v = evaluator.StringValue(value)
	case bool:
		v = evaluator.BoolValue(value)
	case int:
		v = evaluator.IntValue(int64(value))
	case int64:
		v = evaluator.IntValue(value)
	case float64:
		v = evaluator.FloatValue(value)
	}
	return evaluator.Attr{Name: name, Value: v}
}
