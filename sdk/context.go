package sdk

import "github.com/serin-flags/serin/evaluator"

// A Context says for whom, and under what circumstances, a flag is evaluated.
// The zero Context is valid: it has no attributes.
//
// Clients fill in Chance, whatever the caller put there. They fill in Now, the
// time, if it is zero and the flag depends on time; a caller may set it, in Unix
// seconds, to ask what is served at another time. In the same way they fill in Age,
// which is [Status].Age in seconds; what isn't known is older than any flag allows.
type Context = evaluator.Context

// User returns the Context of someone with the given targeting key, such as an
// account id: the value of the estate's unit attribute. The Context refers to
// attrs, which must not be modified while it is in use.
//
// A Context that is built where it is asked with, as an argument of [Flag.Get],
// is not allocated. One that is kept, or handed to other functions that keep it,
// takes one allocation for its attributes.
func User(key string, attrs ...evaluator.Attr) Context {
	return Context{Key: key, Attrs: attrs}
}

// Attr returns a named attribute for [User]. Versions and IP addresses are
// strings. No integer comparison holds for a float64, even if it is integral. A
// []string is a list; it is copied, which allocates.
func Attr[T string | bool | int | int64 | float64 | []string](name string, value T) evaluator.Attr {
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
	case []string:
		v = evaluator.ListValue(value...)
	}
	return evaluator.Attr{Name: name, Value: v}
}
