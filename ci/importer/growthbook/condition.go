package growthbook

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"

	"github.com/serin-flags/serin/ci/importer"
)

// maxDepth bounds how deep conditions nest, with those of saved groups.
const maxDepth = 40

// object decodes an object whose members are conditions.
func object(data json.RawMessage, at string, depth int) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	switch {
	case depth > maxDepth:
		return nil, importer.Refusef(at, "conditions nest deeper than %d levels", maxDepth)
	case json.Unmarshal(data, &members) != nil || members == nil:
		return nil, importer.Refusef(at, "expected a condition, not %.40s", data)
	}
	return members, nil
}

// list decodes a list.
func list(data json.RawMessage, at string) ([]json.RawMessage, error) {
	var items []json.RawMessage
	if json.Unmarshal(data, &items) != nil || items == nil {
		return nil, importer.Refusef(at, "expected a list, not %.40s", data)
	}
	return items, nil
}

// findLists notes the attributes that conditions need to be lists.
func (r *reader) findLists(data json.RawMessage) {
	var walk func(v any, attribute string, depth int)
	walk = func(v any, attribute string, depth int) {
		switch v := v.(type) {
		case map[string]any:
			for key, child := range v {
				switch {
				case key == "$elemMatch" || key == "$all" || key == "$alli" || key == "$size":
					r.lists[attribute] = true
				case key == "" || key[0] != '$':
					walk(child, key, depth+1)
				default:
					walk(child, attribute, depth+1)
				}
			}
		case []any:
			for _, child := range v {
				walk(child, attribute, depth+1)
			}
		}
	}
	walk(decoded(data), "", 0)
}

// condition returns the condition that all members of an object hold.
func (x *reading) condition(data json.RawMessage, at string, depth int) (importer.Condition, error) {
	members, err := object(data, at, depth)
	if err != nil {
		return importer.Never, err
	}
	all := importer.Always
	for _, key := range slices.Sorted(maps.Keys(members)) {
		var c importer.Condition
		value, place := members[key], at+"."+key
		switch {
		case key == "$or" || key == "$nor" || key == "$and":
			c, err = x.combine(key, value, place, depth+1)
		case key == "$not":
			c, err = x.condition(value, place, depth+1)
			c = importer.Not(c)
		case key == "$savedGroup":
			c, err = x.savedGroup(value, place, depth+1)
		case key != "" && key[0] == '$':
			err = importer.Refusef(place, "unknown operator %q", key)
		default:
			c, err = x.value(key, value, place, depth+1)
		}
		if err != nil {
			return importer.Never, err
		}
		all = importer.All(all, c)
	}
	return all, nil
}

// combine returns the condition for $and, $or and $nor. An empty $or holds.
func (x *reading) combine(op string, data json.RawMessage, at string, depth int) (importer.Condition, error) {
	items, err := list(data, at)
	if err != nil {
		return importer.Never, err
	}
	of := make([]importer.Condition, len(items))
	for i, item := range items {
		if of[i], err = x.condition(item, fmt.Sprintf("%s[%d]", at, i), depth); err != nil {
			return importer.Never, err
		}
	}
	any := importer.Any(of...)
	if len(of) == 0 {
		any = importer.Always
	}
	switch op {
	case "$and":
		return importer.All(of...), nil
	case "$or":
		return any, nil
	}
	return importer.Not(any), nil
}

// or adds the contexts without the attribute to a condition that null meets.
func (x *reading) or(c importer.Condition, missing bool, name, at string) importer.Condition {
	if !missing {
		return c
	}
	x.flag.Approximate(at, "the condition holds for contexts without %q, as in the SDK for JavaScript; for SDKs "+
		"that follow the specification of 0.12 it doesn't", name)
	return importer.Any(c, importer.Not(importer.Exists(name)))
}

// element matches paths into lists.
var element = regexp.MustCompile(`\.[0-9]+(\.|$)`)

// value returns the condition on an attribute: a value that it equals, or operators. A missing
// attribute is null.
func (x *reading) value(name string, data json.RawMessage, at string, depth int) (importer.Condition, error) {
	if element.MatchString(name) {
		return importer.Never, importer.Refusef(at, "it compares an element of a list")
	}
	switch v := decoded(data).(type) {
	case nil:
		return importer.Not(importer.Exists(name)).At(at), nil
	case string:
		c, err := x.equal(name, data, at)
		return x.or(c, v == "null", name, at), err
	case float64:
		c, err := x.equal(name, data, at)
		return x.or(c, v == 0, name, at), err
	case bool:
		return importer.Is(name, v).At(at), nil
	case []any:
		return importer.Never, importer.Refusef(at, "it compares a whole list")
	}
	members, err := object(data, at, depth)
	if err != nil {
		return importer.Never, err
	}
	all := importer.Always
	for _, op := range slices.Sorted(maps.Keys(members)) {
		if op == "" || op[0] != '$' {
			return importer.Never, importer.Refusef(at, "it compares a whole object")
		}
		c, err := x.operator(name, op, members[op], at+"."+op, depth+1)
		if err != nil {
			return importer.Never, err
		}
		all = importer.All(all, c)
	}
	if len(members) == 0 {
		return importer.Never, importer.Refusef(at, "it compares a whole object")
	}
	return all, nil
}

// texts returns the condition that an attribute is one of the texts, or holds one of them.
func (x *reading) texts(name string, fold bool, texts ...string) importer.Condition {
	if x.lists[name] {
		return importer.Holds(name, texts...)
	}
	return importer.In(name, fold, texts...)
}

// equal returns the condition that an attribute is a scalar, without conversions.
func (x *reading) equal(name string, data json.RawMessage, at string) (importer.Condition, error) {
	switch v := decoded(data).(type) {
	case nil:
		return importer.Not(importer.Exists(name)).At(at), nil
	case string:
		if x.lists[name] {
			return importer.Never, importer.Refusef(at,
				"other conditions need %q to be a list, and this one compares it with a text", name)
		}
		x.numbers[name]--
		return importer.In(name, false, v).At(at), nil
	case bool:
		return importer.Is(name, v).At(at), nil
	case float64:
		x.numbers[name]++
		if n, whole := importer.Integer(data); whole {
			return importer.Integers(name, n).At(at), nil
		}
		n, ok := importer.ParseNumber(strconv.FormatFloat(v, 'f', -1, 64))
		if !ok || math.Abs(v) >= 1<<53 {
			return importer.Never, importer.Refusef(at, "%.40s is beyond 2^53, or has too many digits", data)
		}
		return importer.Numbers(name, n).At(at), nil
	}
	return importer.Never, importer.Refusef(at, "it compares a whole list or object")
}

// in returns the condition that an attribute is in a list.
func (x *reading) in(name string, fold bool, items []json.RawMessage, at string) (importer.Condition, error) {
	var texts []string
	var ints []int64
	any := importer.Never
	for i, item := range items {
		if text, isText := decoded(item).(string); isText {
			texts = append(texts, text)
			continue
		}
		if n, whole := importer.Integer(item); whole {
			ints = append(ints, n)
			continue
		}
		c, err := x.equal(name, item, fmt.Sprintf("%s[%d]", at, i))
		if err != nil {
			return any, err
		}
		any = importer.Any(any, c)
	}
	if x.lists[name] && fold {
		return any, importer.Refusef(at, "lists are compared with case here")
	}
	if len(texts) > 0 {
		x.numbers[name]--
	}
	if len(ints) > 0 {
		x.numbers[name]++
	}
	return importer.Any(any, x.texts(name, fold, texts...).At(at), importer.Integers(name, ints...).At(at)), nil
}
