package evaluator

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"iter"
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
	// Now is the time, in seconds since the beginning of 1970 UTC, that
	// ramps and conditions of time use; leap seconds don't count. The zero
	// Context is at the beginning of 1970.
	Now int64
	// Age is how long ago, in seconds, it was last certain that there are no
	// newer flags than those that are evaluated. Flags that mustn't be served
	// by old rules use it: see [Flag].Stale. The zero Context is of new flags.
	Age int64
	// Chance is the position, a random number, that splits by chance use.
	Chance uint32
}

// An Attr is a named value of a context, in the style of log/slog.Attr.
type Attr struct {
	Name  string `json:"name"`
	Value Value  `json:"value"`
}

// NewAttr returns an attribute. Versions and IP addresses are strings, which
// conditions parse. No integer comparison holds for a float64, even if it is
// integral. A []string is a list; copying it allocates.
func NewAttr[T string | bool | int | int64 | float64 | []string](name string, value T) Attr {
	var v Value
	switch value := any(value).(type) {
	case string:
		v = StringValue(value)
	case bool:
		v = BoolValue(value)
	case int:
		v = IntValue(int64(value))
	case int64:
		v = IntValue(value)
	case float64:
		v = FloatValue(value)
	case []string:
		v = ListValue(value...)
	}
	return Attr{name, v}
}

// Kind is the type of a [Value].
type Kind uint8

// The kinds of values.
const (
	KindNone   Kind = iota // the zero Value
	KindBool               // true or false
	KindInt                // a 64-bit signed integer
	KindFloat              // a 64-bit floating-point number
	KindString             // text
	KindObject             // JSON text; variants only
	KindList               // texts, in order; contexts only
)

// A Value is one scalar, a list of texts or, for variants, a JSON document. It
// is immutable and comparable.
type Value struct {
	kind Kind
	num  uint64 // bool, int, float bits; how many texts a list has
	str  string // a list: each text after its length as a varint
}

// StringValue returns a Value that holds text.
func StringValue(v string) Value { return Value{kind: KindString, str: v} }

// IntValue returns a Value that holds an integer.
func IntValue(v int64) Value { return Value{kind: KindInt, num: uint64(v)} }

// FloatValue returns a Value that holds a floating-point number.
func FloatValue(v float64) Value { return Value{kind: KindFloat, num: math.Float64bits(v)} }

// BoolValue returns a Value that holds true or false.
func BoolValue(v bool) Value {
	if v {
		return Value{kind: KindBool, num: 1}
	}
	return Value{kind: KindBool}
}

// ObjectValue returns a Value that holds a JSON document. [Compile] refuses
// rulesets in which it isn't valid JSON.
func ObjectValue(json string) Value { return Value{kind: KindObject, str: json} }

// ListValue returns a Value that holds a list of texts. It allocates.
func ListValue(texts ...string) Value {
	size := 0
	for _, t := range texts {
		size += len(t) + binary.MaxVarintLen64
	}
	b := appendList(make([]byte, 0, size), texts)
	return Value{kind: KindList, num: uint64(len(texts)), str: string(b)}
}

// appendList appends each text after its length.
func appendList(b []byte, texts []string) []byte {
	for _, t := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(t))), t...)
	}
	return b
}

// Kind returns what v holds.
func (v Value) Kind() Kind { return v.kind }

// Bool returns the boolean v holds, and whether it holds one.
func (v Value) Bool() (value, ok bool) {
	if v.kind != KindBool {
		return false, false
	}
	return v.num == 1, true
}

// Int returns the integer v holds, and whether it holds one.
func (v Value) Int() (value int64, ok bool) {
	if v.kind != KindInt {
		return 0, false
	}
	return int64(v.num), true
}

// Float returns the number v holds, integers included, and whether it holds
// one. Integers beyond ±2^53 are rounded.
func (v Value) Float() (value float64, ok bool) {
	switch v.kind {
	case KindFloat:
		return math.Float64frombits(v.num), true
	case KindInt:
		return float64(int64(v.num)), true
	}
	return 0, false
}

// Text returns the text v holds, and whether it holds text.
func (v Value) Text() (value string, ok bool) {
	if v.kind != KindString {
		return "", false
	}
	return v.str, true
}

// Texts yields the texts of the list v holds, none if it doesn't hold one.
func (v Value) Texts() iter.Seq[string] {
	return func(yield func(string) bool) {
		if v.kind != KindList {
			return
		}
		for rest := v.str; rest != ""; {
			var text string
			if text, rest = cutText(rest); !yield(text) {
				return
			}
		}
	}
}

// cutText takes the first text off what [ListValue] has written.
func cutText(list string) (text, rest string) {
	n, i := uint64(0), 0
	for shift := 0; ; shift += 7 {
		b := list[i]
		i++
		if n |= uint64(b&0x7f) << shift; b < 0x80 {
			return list[i : i+int(n)], list[i+int(n):]
		}
	}
}

// JSON returns v as a JSON document: null for the zero Value and for numbers
// that JSON has no form for (infinities and NaN).
func (v Value) JSON() []byte { return v.AppendJSON(nil) }

// MarshalJSON returns what [Value.JSON] does.
func (v Value) MarshalJSON() ([]byte, error) { return v.JSON(), nil }

// UnmarshalJSON sets v to what JSON holds: numbers without a point or an exponent that
// fit 64 bits become integers, other numbers floats, and arrays and objects
// objects. So floats without a fraction and lists don't survive [Value.JSON].
func (v *Value) UnmarshalJSON(data []byte) (err error) {
	switch data[0] {
	case '{', '[':
		var b bytes.Buffer
		err = json.Compact(&b, data)
		*v = ObjectValue(b.String())
	case '"', 't', 'f', 'n':
		*v, err = decodeValue(data)
	default:
		if n, notInt := strconv.ParseInt(string(data), 10, 64); notInt == nil {
			*v = IntValue(n)
			return nil
		}
		var f float64
		err = json.Unmarshal(data, &f)
		*v = FloatValue(f)
	}
	return err
}

// AppendJSON appends what [Value.JSON] returns to b.
func (v Value) AppendJSON(b []byte) []byte {
	switch v.kind {
	case KindBool:
		return strconv.AppendBool(b, v.num == 1)
	case KindInt:
		return strconv.AppendInt(b, int64(v.num), 10)
	case KindFloat:
		return appendFloat(b, math.Float64frombits(v.num))
	case KindString:
		return appendString(b, v.str)
	case KindObject:
		return append(b, v.str...)
	case KindList:
		b = append(b, '[')
		for text := range v.Texts() {
			if b[len(b)-1] != '[' {
				b = append(b, ',')
			}
			b = appendString(b, text)
		}
		return append(b, ']')
	}
	return append(b, "null"...)
}
