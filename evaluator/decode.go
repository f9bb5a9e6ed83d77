package evaluator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// maxAttributes is the most attributes that [DecodeContext] accepts: evaluation
// looks for them one by one.
const maxAttributes = 1000

// DecodeContext decodes an OpenFeature evaluation context as OFREP carries it:
// a JSON object. Its member targetingKey, a string, becomes [Context.Key];
// strings, numbers, booleans and lists become attributes, in their order. A number
// without a fraction becomes an integer if it is one of 64 bits (written with
// a point or an exponent: below 2^53, where JSON libraries are exact). Only the
// strings of a list count; other elements are ignored. Null means absent; objects
// are ignored. If members share a name, the last one counts. More than 1,000 names
// are an error.
//
// Errors don't quote the input: contexts are personal data.
func DecodeContext(data []byte) (Context, error) {
	var ctx Context
	index := make(map[string]int)
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return ctx, errors.New("decoding context: it is not a JSON object")
	}
	for dec.More() {
		name, err := dec.Token()
		var raw json.RawMessage
		if err == nil {
			err = dec.Decode(&raw)
		}
		if err != nil {
			return Context{}, fmt.Errorf("decoding context: the JSON is malformed near byte %d", dec.InputOffset())
		}
		if err := ctx.set(index, name.(string), raw); err != nil {
			return Context{}, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return Context{}, errors.New("decoding context: the JSON ends too early")
	}
	if _, err := dec.Token(); err != io.EOF {
		return Context{}, errors.New("decoding context: there is something after the JSON object")
	}
	return ctx, nil
}

// targetingKey is the name that OpenFeature gives to what a context is about.
const targetingKey = "targetingKey"

// set takes over a member of the object; index finds attributes by their name.
func (ctx *Context) set(index map[string]int, name string, raw json.RawMessage) error {
	v, err := decodeValue(raw)
	if err != nil {
		return err
	}
	if name == targetingKey {
		if raw[0] != '"' && raw[0] != 'n' {
			return errors.New("decoding context: targetingKey is not a string")
		}
		ctx.Key = v.str
		return nil
	}
	// The zero Value is set too: it replaces an earlier one of that name.
	if i, ok := index[name]; ok {
		ctx.Attrs[i].Value = v
		return nil
	}
	if len(ctx.Attrs) == maxAttributes {
		return fmt.Errorf("decoding context: there are more than %d attributes", maxAttributes)
	}
	index[name] = len(ctx.Attrs)
	ctx.Attrs = append(ctx.Attrs, Attr{name, v})
	return nil
}

// decodeList decodes the strings of a list.
func decodeList(raw json.RawMessage) (Value, error) {
	var elements []json.RawMessage
	if err := json.Unmarshal(raw, &elements); err != nil {
		return Value{}, errors.New("decoding context: a list is malformed")
	}
	texts := make([]string, 0, len(elements))
	for _, element := range elements {
		if element[0] != '"' {
			continue
		}
		v, err := decodeValue(element)
		if err != nil {
			return Value{}, err
		}
		texts = append(texts, v.str)
	}
	return ListValue(texts...), nil
}

// decodeValue decodes valid JSON; the zero Value is null or an object.
func decodeValue(raw json.RawMessage) (Value, error) {
	switch raw[0] {
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return Value{}, errors.New("decoding context: a string is malformed")
		}
		return StringValue(s), nil
	case 't', 'f':
		return BoolValue(raw[0] == 't'), nil
	case 'n', '{':
		return Value{}, nil
	case '[':
		return decodeList(raw)
	}
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return IntValue(n), nil
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return Value{}, errors.New("decoding context: a number is out of range")
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

// appendString appends s as JSON, with <, > and & as they are.
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
