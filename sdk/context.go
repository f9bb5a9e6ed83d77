package sdk

import "github.com/serin-flags/serin/evaluator"

// A Context says for whom, and under what circumstances, a flag is evaluated.
// The zero Context is valid: it has no attributes.
//
// Clients always set Chance. They set Now, the time in Unix seconds, if it is zero and
// the flag depends on time; set it yourself to evaluate the flag at another time. In
// the same way they set Age to [Status].Age in seconds; an unknown age is older than
// any flag allows.
type Context = evaluator.Context

// User returns the Context of someone with the given targeting key, such as an account
// ID. It is the value of the flag folder's unit attribute. The Context refers to attrs,
// which must not be modified while it is in use.
//
// Building a Context in an argument of [Flag.Get] doesn't allocate. If the Context
// escapes, its attributes take one allocation. So they do in a function that returns a
// Context and isn't inlined, unless it appends attrs to a slice that its caller made with
// room for them, such as make([]evaluator.Attr, 0, 8).
func User(key string, attrs ...evaluator.Attr) Context {
	return Context{Key: key, Attrs: attrs}
}

// Attr returns a named attribute for [User]. Pass versions and IP addresses as
// strings, and times as strings in the format of RFC 3339 or as Unix time in seconds.
// Integer comparisons don't match a float64, even if it is integral; comparisons of
// decimal numbers do, and also match strings such as "12.50". A []string is a list;
// copying it allocates.
func Attr[T string | bool | int | int64 | float64 | []string](name string, value T) evaluator.Attr {
	return evaluator.NewAttr(name, value)
}
