package growthbook

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/serin-flags/serin/ci/importer"
)

// constant reports whether a condition holds for an object whose only member is the value of a
// feature, which is JSON, or nil for null.
func constant(cond, value json.RawMessage, at string, depth int) (bool, error) {
	members, err := object(cond, at, depth)
	if err != nil {
		return false, err
	}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		place := at + "." + key
		var holds bool
		switch key {
		case "value":
			holds, err = constantValue(members[key], decoded(value), place, depth+1)
		case "$not":
			holds, err = constant(members[key], value, place, depth+1)
			holds = !holds
		case "$and", "$or", "$nor":
			holds, err = constantList(key, members[key], value, place, depth+1)
		default:
			err = importer.Refusef(place, "a condition on a feature is about its value")
		}
		if err != nil || !holds {
			return false, err
		}
	}
	return true, nil
}

// constantList evaluates $and, $or and $nor. An empty $or holds.
func constantList(op string, list, value json.RawMessage, at string, depth int) (bool, error) {
	var of []json.RawMessage
	if json.Unmarshal(list, &of) != nil {
		return false, importer.Refusef(at, "expected a list of conditions")
	}
	every, some := true, len(of) == 0
	for i, c := range of {
		holds, err := constant(c, value, fmt.Sprintf("%s[%d]", at, i), depth)
		if err != nil {
			return false, err
		}
		every, some = every && holds, some || holds
	}
	switch op {
	case "$and":
		return every, nil
	case "$or":
		return some, nil
	}
	return !some, nil
}

func decoded(value json.RawMessage) any {
	var v any
	if json.Unmarshal(value, &v) != nil {
		return nil
	}
	return v
}

// constantValue evaluates a condition on a value of its own type. Conditions that compare
// other types, which JavaScript converts, are refused.
func constantValue(cond json.RawMessage, value any, at string, depth int) (bool, error) {
	want := decoded(cond)
	ops, isObject := want.(map[string]any)
	if _, isNumber := want.(float64); isNumber && value == nil {
		return want == 0.0, nil // null counts as 0
	}
	if !isObject {
		return same(value, want, at)
	}
	members, err := object(cond, at, depth)
	if err != nil {
		return false, err
	}
	for _, op := range slices.Sorted(maps.Keys(ops)) {
		holds, place := false, at+"."+op
		switch op {
		case "$eq", "$ne":
			holds, err = same(value, ops[op], place)
			holds = holds == (op == "$eq")
		case "$in", "$nin":
			holds, err = oneOf(value, ops[op], place)
			holds = holds == (op == "$in")
		case "$exists":
			holds = (value != nil) == truthy(ops[op])
		case "$not":
			holds, err = constantValue(members[op], value, place, depth+1)
			holds = !holds
		case "$gt", "$gte", "$lt", "$lte":
			holds, err = ordered(op, value, ops[op], place)
		default:
			err = importer.Refusef(place, "the operator isn't known for values of features")
		}
		if err != nil || !holds {
			return false, err
		}
	}
	return len(ops) > 0, nil
}

// same compares scalars of one type, and null.
func same(value, want any, at string) (bool, error) {
	switch want.(type) {
	case []any, map[string]any:
		return false, importer.Refusef(at, "it compares a list or an object")
	}
	if value != nil && want != nil && fmt.Sprintf("%T", value) != fmt.Sprintf("%T", want) {
		return false, importer.Refusef(at, "it compares values of different types")
	}
	return value == want, nil
}

func oneOf(value, list any, at string) (bool, error) {
	values, ok := list.([]any)
	if !ok {
		return false, importer.Refusef(at, "expected a list")
	}
	for _, v := range values {
		if v == nil || value == nil || fmt.Sprintf("%T", value) != fmt.Sprintf("%T", v) {
			continue // compared without conversion
		}
		if equal, err := same(value, v, at); err != nil || equal {
			return equal, err
		}
	}
	return false, nil
}

// ordered compares numbers. Null is 0.
func ordered(op string, value, with any, at string) (bool, error) {
	n, ok := value.(float64)
	limit, isNumber := with.(float64)
	if !isNumber || !ok && value != nil {
		return false, importer.Refusef(at, "it orders values that aren't numbers")
	}
	return holdsFor(op, n, limit), nil
}

// holdsFor reports whether an operator holds for a number.
func holdsFor(op string, n, limit float64) bool {
	switch op {
	case "$gt":
		return n > limit
	case "$gte":
		return n >= limit
	case "$lt":
		return n < limit
	}
	return n <= limit
}

// truthy reports whether JavaScript takes a value for true.
func truthy(v any) bool { return v != nil && v != false && v != 0.0 && v != "" }
