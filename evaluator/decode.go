package evaluator

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/serin-flags/serin/internal/jsontext"
)

// Limits on what [DecodeContext] accepts. They bound what a context can cost: evaluation
// looks at attributes, and at the elements of lists, one by one.
const (
	maxMembers  = 1000 // of all objects together
	maxElements = 1000 // of all lists together
	maxLevels   = 10   // objects in objects, the context included
	maxPath     = 200  // bytes of the name of an attribute that is in a nested object
)

// targetingKey is the name of the member that OpenFeature reserves for the targeting key.
const targetingKey = "targetingKey"

// DecodeContext decodes an OpenFeature evaluation context as OFREP carries it: a JSON
// object. Its member targetingKey, a string, becomes [Context.Key]. Strings, numbers,
// booleans and lists become attributes, in their order. A number without a fraction
// becomes an integer if it fits 64 bits; written with a point or an exponent, it must be
// below 2^53, where JSON libraries are exact. Only the strings of a list count. Null means
// absent. If members share a name, the last one counts.
//
// The members of an object are attributes too. Their names are paths: {"plan": {"tier":
// "plus"}} has an attribute plan.tier. If several members have the same path, the one
// counts whose first name is the longest, or else whose second name is: {"plan.tier": …}
// before {"plan": {"tier": …}}. Objects below ten levels, and members whose path is longer
// than 200 bytes, are ignored.
//
// More than 1,000 members, and lists with more than 1,000 elements in total, are errors.
// Errors don't quote the input: contexts are personal data.
func DecodeContext(data []byte) (Context, error) {
	d := contextDecoder{index: map[string]int{}}
	err := jsontext.Object(data, d.member)
	if err == jsontext.ErrKind {
		err = errors.New("it is not a JSON object")
	}
	if err == nil && len(d.objects) > 0 {
		err = d.nested()
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
	objects  map[int][]byte // those among ctx.Attrs, by index
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
	i, ok := d.index[attr]
	if ok {
		d.ctx.Attrs[i].Value = v
		delete(d.objects, i)
	} else {
		i = len(d.ctx.Attrs)
		d.index[attr] = i
		d.ctx.Attrs = append(d.ctx.Attrs, Attr{attr, v})
	}
	if value[0] == '{' {
		if d.objects == nil {
			d.objects = make(map[int][]byte)
		}
		d.objects[i] = value
	}
	return nil
}

// nested adds the members of the objects among the attributes, and of those in them.
func (d *contextDecoder) nested() error {
	list := make([]nestedMember, 0, len(d.objects))
	for i, raw := range d.objects {
		list = append(list, nestedMember{d.ctx.Attrs[i].Name, raw})
	}
	return d.inside("", list, 2)
}

// A nestedMember is a member of an object, with the JSON of its value.
type nestedMember struct {
	name string
	raw  []byte
}

// inside adds the members of objects, whose names begin with prefix, on a level and below.
// Longer names come first, so what has a name already has it from a member that precedes.
func (d *contextDecoder) inside(prefix string, objects []nestedMember, level int) error {
	if level > maxLevels {
		return nil
	}
	slices.SortFunc(objects, func(a, b nestedMember) int {
		return cmp.Or(cmp.Compare(len(b.name), len(a.name)), cmp.Compare(a.name, b.name))
	})
	for _, o := range objects {
		if err := d.object(prefix+o.name+".", o.raw, level); err != nil {
			return err
		}
	}
	return nil
}

// object adds the members of an object, and of those in it.
func (d *contextDecoder) object(prefix string, raw []byte, level int) error {
	var members []nestedMember
	index := make(map[string]int)
	err := jsontext.Object(raw, func(name, value []byte) error {
		if d.members++; d.members > maxMembers {
			return fmt.Errorf("there are more than %d attributes", maxMembers)
		}
		m := nestedMember{jsontext.Text(name), value}
		if i, ok := index[m.name]; ok {
			members[i] = m
			return nil
		}
		index[m.name] = len(members)
		members = append(members, m)
		return nil
	})
	if err != nil {
		return err
	}
	objects := members[:0]
	for _, m := range members {
		v, err := d.value(m.raw)
		if err != nil {
			return err
		}
		if len(prefix)+len(m.name) > maxPath {
			continue
		}
		if name := prefix + m.name; !d.has(name) {
			d.index[name] = len(d.ctx.Attrs)
			d.ctx.Attrs = append(d.ctx.Attrs, Attr{name, v})
		}
		if m.raw[0] == '{' {
			objects = append(objects, m)
		}
	}
	return d.inside(prefix, objects, level+1)
}

func (d *contextDecoder) has(name string) bool {
	_, ok := d.index[name]
	return ok
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
	return parseNumber(view(raw))
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
