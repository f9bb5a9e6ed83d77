package evaluator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/serin-flags/serin/internal/jsontext"
)

// Limits on what [DecodeContext] accepts. They bound what a context can cost: evaluation
// looks at attributes, and at the elements of lists, one by one.
const (
	maxMembers  = 1000
	maxElements = 1000 // of all lists together
)

// targetingKey is the name of the member that OpenFeature reserves for the targeting key.
const targetingKey = "targetingKey"

// DecodeContext decodes an OpenFeature evaluation context as OFREP carries it: a JSON
// object. Its member targetingKey, a string, becomes [Context.Key]. Strings, numbers,
// booleans and lists become attributes, in their order. A number without a fraction
// becomes an integer if it fits 64 bits; written with a point or an exponent, it must be
// below 2^53, where JSON libraries are exact. Only the strings of a list count. Null means
// absent, and objects are ignored. If members share a name, the last one counts.
//
// More than 1,000 members, and lists with more than 1,000 elements in total, are errors.
// Errors don't quote the input: contexts are personal data.
func DecodeContext(data []byte) (Context, error) {
	d := contextDecoder{index: map[string]int{}}
	err := jsontext.Object(data, d.member)
	if err == jsontext.ErrKind {
		err = errors.New("it is not a JSON object")
	}
	if err != nil {
		return Context{}, fmt.Errorf("decoding context: %w", err)
	}
	return d.ctx, nil
}

// A contextDecoder builds a context out of the members of an object.
type contextDecoder struct {
	ctx      Context
	index    map[string]int // of ctx.Attrs, by name
	members  int
	elements int
}

func (d *contextDecoder) member(name, value []byte) error {
	if d.members++; d.members > maxMembers {
		return fmt.Errorf("there are more than %d attributes", maxMembers)
	}
	v, err := d.value(value)
	if err != nil {
		return err
	}
	attr := jsontext.Text(name)
	if attr == targetingKey {
		if value[0] != '"' && value[0] != 'n' {
			return errors.New("targetingKey is not a string")
		}
		d.ctx.Key = v.str
		return nil
	}
	// Set the zero Value too: it replaces an earlier value of that name.
	if i, ok := d.index[attr]; ok {
		d.ctx.Attrs[i].Value = v
		return nil
	}
	d.index[attr] = len(d.ctx.Attrs)
	d.ctx.Attrs = append(d.ctx.Attrs, Attr{attr, v})
	return nil
}

// value decodes the value of a member, within the limits.
func (d *contextDecoder) value(raw []byte) (Value, error) {
	if raw[0] == '[' {
		return d.list(raw)
	}
	return decodeValue(raw)
}

// list decodes the strings of a list.
func (d *contextDecoder) list(raw []byte) (Value, error) {
	var texts []string
	err := jsontext.Array(raw, func(element []byte) error {
		if d.elements++; d.elements > maxElements {
			return fmt.Errorf("the lists have more than %d elements", maxElements)
		}
		if element[0] == '"' {
			texts = append(texts, jsontext.Text(element))
		}
		return nil
	})
	if err != nil {
		return Value{}, err
	}
	return ListValue(texts...), nil
}

// decodeValue decodes valid JSON that isn't a list. Null and objects become the zero Value.
func decodeValue(raw []byte) (Value, error) {
	switch raw[0] {
	case '"':
		return StringValue(jsontext.Text(raw)), nil
	case 't', 'f':
		return BoolValue(raw[0] == 't'), nil
	case 'n', '{':
		return Value{}, nil
	}
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return IntValue(n), nil
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return Value{}, errors.New("a number is out of range")
	}
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return IntValue(int64(f)), nil
	}
	return FloatValue(f), nil
}

// appendFloat appends f as JSON.
func appendFloat(b []byte, f float64) []byte {
	j, err := json.Marshal(f)
	if err != nil { // not a number, or infinite
		return append(b, "null"...)
	}
	return append(b, j...)
}

// appendString appends s as JSON, without escaping <, > and &.
func appendString(b []byte, s string) []byte {
	plain := true
	for i := range len(s) {
		plain = plain && ' ' <= s[i] && s[i] < 0x7f && s[i] != '"' && s[i] != '\\'
	}
	if plain { // as most are: an encoder would take ten times as long
		return append(append(append(b, '"'), s...), '"')
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return append(b, `""`...) // not reached: any string has a JSON form
	}
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// validObject reports whether s is a JSON object or list.
func validObject(s string) bool {
	b := bytes.TrimLeft([]byte(s), " \t\r\n")
	return len(b) > 0 && (b[0] == '{' || b[0] == '[') && json.Valid(b)
}
