package evaluator

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"iter"
	"math"
	"strconv"
)

// A Context is the subject and the circumstances of an evaluation. The zero Context is
// valid and has no attributes. Evaluation only reads a Context, so goroutines may share
// one.
type Context struct {
	// Key is the targeting key, such as an account ID: the value of the ruleset's
	// unit attribute. It overrides an attribute of that name in Attrs. If it is
	// empty, the context has no targeting key.
	Key string
	// Attrs are the attributes. If a name occurs twice, the last one counts.
	Attrs []Attr
	// Now is the Unix time in seconds, not milliseconds, used by ramps and by conditions on time.
	Now int64
	// Age is the number of seconds since the flags were last known to be up to
	// date. See [Flag].Stale.
	Age int64
	// Chance is the position used by splits by chance: a random number, drawn by
	// the caller for each evaluation.
	Chance uint32
}

// An Attr is a named value, as in log/slog: an attribute of a context, or metadata of a
// flag.
type Attr struct {
	Name  string `json:"name"`
	Value Value  `json:"value"`
}

// NewAttr returns an attribute. Pass versions and IP addresses as strings, and times as
// strings in the format of RFC 3339 or as Unix time in seconds. Integer comparisons don't
// match a float64, even if it is integral; number comparisons do. A []string becomes a
// list, which allocates.
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

// Kind is the type of a [Value]. Its text form is the name that flag files use.
type Kind uint8

// The kinds of values.
const (
	KindNone   Kind = iota // the zero Value
	KindBool               // true or false
	KindInt                // 64-bit signed integer
	KindFloat              // 64-bit floating-point number
	KindString             // text
	KindObject             // JSON object or array; only variants have it
	KindList               // list of strings; only attributes have it
)

// A Value is a boolean, an integer, a floating-point number, a string, a list of
// strings, or a JSON document. It is immutable and comparable with ==. The zero Value
// holds nothing.
type Value struct {
	kind Kind
	num  uint64 // a boolean, an integer, the bits of a float, or the length of a list
	// Of a list: each string, preceded by its length as a varint. Of a number: the text
	// that it came as, if that says more than num.
	str string
}

// StringValue returns a Value that holds a string.
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

// ObjectValue returns a Value that holds a JSON document. It doesn't validate the
// JSON; [Compile] does.
func ObjectValue(json string) Value { return Value{kind: KindObject, str: json} }

// ListValue returns a Value that holds a list of strings. It allocates.
func ListValue(texts ...string) Value {
	size := 0
	for _, t := range texts {
		size += len(t) + binary.MaxVarintLen64
	}
	b := appendList(make([]byte, 0, size), texts)
	return Value{kind: KindList, num: uint64(len(texts)), str: string(b)}
}

// appendList appends each string, preceded by its length.
func appendList(b []byte, texts []string) []byte {
	for _, t := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(t))), t...)
	}
	return b
}

// Kind returns the type of v.
func (v Value) Kind() Kind { return v.kind }

// Bool returns the boolean that v holds, and whether v holds one.
func (v Value) Bool() (value, ok bool) {
	if v.kind != KindBool {
		return false, false
	}
	return v.num == 1, true
}

// Int returns the integer that v holds, and whether v holds one.
func (v Value) Int() (value int64, ok bool) {
	if v.kind != KindInt {
		return 0, false
	}
	return int64(v.num), true
}

// Float returns the number that v holds, and whether v holds one. It converts integers,
// and rounds those beyond ±2^53.
func (v Value) Float() (value float64, ok bool) {
	switch v.kind {
	case KindFloat:
		return math.Float64frombits(v.num), true
	case KindInt:
		return float64(int64(v.num)), true
	}
	return 0, false
}

// Text returns the string that v holds, and whether v holds one.
func (v Value) Text() (value string, ok bool) {
	if v.kind != KindString {
		return "", false
	}
	return v.str, true
}

// Texts yields the strings of the list that v holds. It yields nothing if v isn't a list.
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

// cutText splits off the first string of a list in the form that appendList writes.
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

// JSON returns v as a JSON document. The zero Value, NaN and infinities become null.
func (v Value) JSON() []byte { return v.AppendJSON(nil) }

// MarshalJSON returns the same as [Value.JSON].
func (v Value) MarshalJSON() ([]byte, error) { return v.JSON(), nil }

// UnmarshalJSON sets v to the value of a JSON document. A number becomes an integer if
// it is written without a point and an exponent and fits 64 bits, and a float otherwise.
// Objects and arrays become a KindObject. Thus integral floats and lists don't survive a
// round trip through [Value.JSON].
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

// AppendJSON appends [Value.JSON] to b.
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
