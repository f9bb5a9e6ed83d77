package evaluator

import (
	"math"
	"strconv"
)

// A Context says for whom, and under what circumstances, a flag is evaluated.
// The zero Context is valid: it has no attributes. Evaluation only reads it, so
// one Context may be used by any number of goroutines.
type Context struct {
	// Key is the targeting key: the value of the ruleset's unit attribute,
	// such as an account id. Empty means that the context has none. If Attrs
	// names the unit attribute too, Key counts.
	Key string
	// Attrs are the attributes. If a name occurs twice the last one counts.
	Attrs []Attr
	// Chance is the position, a random number, that splits by chance use.
	Chance uint32
}

// An Attr is a named value of a context, in the style of log/slog.Attr.
type Attr struct {
	Name  string
	Value Value
}

// StringAttr returns an attribute that holds text: also the type of versions
// and IP addresses, which conditions parse.
func StringAttr(name, value string) Attr { return Attr{name, StringValue(value)} }

// IntAttr returns an attribute that holds an integer.
func IntAttr(name string, value int64) Attr { return Attr{name, IntValue(value)} }

// FloatAttr returns an attribute that holds a floating-point number. No integer
// comparison holds for it, even if it is integral.
func FloatAttr(name string, value float64) Attr { return Attr{name, FloatValue(value)} }

// BoolAttr returns an attribute that holds true or false.
func BoolAttr(name string, value bool) Attr { return Attr{name, BoolValue(value)} }

// Kind is the type of a [Value].
type Kind uint8

// The kinds of values.
const (
	NoKind     Kind = iota // the zero Value
	BoolKind               // true or false
	IntKind                // a 64-bit signed integer
	FloatKind              // a 64-bit floating-point number
	StringKind             // text
	ObjectKind             // JSON text; variants only
)

// A Value is one scalar or, for variants, a JSON document. It is immutable and
// comparable.
type Value struct {
	kind Kind
	num  uint64 // bool, int, float bits
	str  string
}

// StringValue returns a Value that holds text.
func StringValue(v string) Value { return Value{kind: StringKind, str: v} }

// IntValue returns a Value that holds an integer.
func IntValue(v int64) Value { return Value{kind: IntKind, num: uint64(v)} }

// FloatValue returns a Value that holds a floating-point number.
func FloatValue(v float64) Value { return Value{kind: FloatKind, num: math.Float64bits(v)} }

// BoolValue returns a Value that holds true or false.
func BoolValue(v bool) Value {
	if v {
		return Value{kind: BoolKind, num: 1}
	}
	return Value{kind: BoolKind}
}

// ObjectValue returns a Value that holds a JSON document. [Compile] refuses
// rulesets in which it isn't valid JSON.
func ObjectValue(json string) Value { return Value{kind: ObjectKind, str: json} }

// Kind returns what v holds.
func (v Value) Kind() Kind { return v.kind }

// Bool returns the boolean v holds, and whether it holds one.
func (v Value) Bool() (value, ok bool) {
	if v.kind != BoolKind {
		return false, false
	}
	return v.num == 1, true
}

// Int returns the integer v holds, and whether it holds one.
func (v Value) Int() (value int64, ok bool) {
	if v.kind != IntKind {
		return 0, false
	}
	return int64(v.num), true
}

// Float returns the number v holds, integers included, and whether it holds
// one. Integers beyond ±2^53 are rounded.
func (v Value) Float() (value float64, ok bool) {
	switch v.kind {
	case FloatKind:
		return math.Float64frombits(v.num), true
	case IntKind:
		return float64(int64(v.num)), true
	}
	return 0, false
}

// Text returns the text v holds, and whether it holds text.
func (v Value) Text() (value string, ok bool) {
	if v.kind != StringKind {
		return "", false
	}
	return v.str, true
}

// JSON returns v as a JSON document: null for the zero Value and for numbers
// that JSON has no form for (infinities and NaN).
func (v Value) JSON() []byte { return v.AppendJSON(nil) }

// MarshalJSON returns what [Value.JSON] does.
func (v Value) MarshalJSON() ([]byte, error) { return v.JSON(), nil }

// AppendJSON appends what [Value.JSON] returns to b.
func (v Value) AppendJSON(b []byte) []byte {
	switch v.kind {
	case BoolKind:
		return strconv.AppendBool(b, v.num == 1)
	case IntKind:
		return strconv.AppendInt(b, int64(v.num), 10)
	case FloatKind:
		return appendFloat(b, math.Float64frombits(v.num))
	case StringKind:
		return appendString(b, v.str)
	case ObjectKind:
		return append(b, v.str...)
	}
	return append(b, "null"...)
}
