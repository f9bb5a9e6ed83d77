package flipt

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/importer"
)

// White space as strings.TrimSpace has it, and anything else.
const (
	blank    = `[\s\v\x{85}\pZ]`
	notBlank = `[^\s\v\x{85}\pZ]`
)

// segment returns the condition that the entity is in a segment.
func (x *reading) segment(s *segment) (importer.Condition, error) {
	list := make([]importer.Condition, len(s.Constraints))
	for i := range s.Constraints {
		at := fmt.Sprintf("%s.constraints[%d]", s.at, i)
		c, err := x.constraint(&s.Constraints[i], at)
		if err != nil {
			return importer.Never, err
		}
		list[i] = c.At(at)
	}
	switch {
	case s.MatchType == "" || s.MatchType == "ALL_MATCH_TYPE", s.MatchType == "ANY_MATCH_TYPE" && len(list) == 0:
		return importer.All(list...), nil
	case s.MatchType == "ANY_MATCH_TYPE":
		return importer.Any(list...), nil
	}
	return importer.Never, importer.Refusef(s.at+".match_type", "unknown match type %q", s.MatchType)
}

// constraint returns what a constraint says. A missing property is the empty text to Flipt.
func (x *reading) constraint(c *constraint, at string) (importer.Condition, error) {
	name, op := c.Property, strings.ToLower(c.Operator)
	switch {
	case c.Type == "ENTITY_ID_COMPARISON_TYPE":
		name = unit
	case name == unit:
		return importer.Never, importer.Refusef(at+".property", "the attribute %q is the ID of the entity here", unit)
	case name == "":
		return importer.Never, importer.Refusef(at+".property", "the property is missing")
	}
	var cond importer.Condition
	var known bool
	var err error
	switch c.Type {
	case "STRING_COMPARISON_TYPE", "ENTITY_ID_COMPARISON_TYPE":
		cond, known = x.text(name, op, c.Value, at)
	case "NUMBER_COMPARISON_TYPE":
		cond, known, err = x.number(name, op, c.Value, at)
	case "BOOLEAN_COMPARISON_TYPE":
		cond, known = boolean(name, op)
	case "DATETIME_COMPARISON_TYPE":
		cond, known, err = x.time(name, op, c.Value, at)
	default:
		return cond, importer.Refusef(at+".type", "unknown type %q", c.Type)
	}
	if err == nil && !known {
		err = importer.Refusef(at+".operator", "unknown operator %q for the type %s", c.Operator, c.Type)
	}
	return cond, err
}

// filled holds if the text isn't empty.
func filled(name string) importer.Condition {
	return importer.All(importer.Exists(name), importer.Not(importer.In(name, false, "")))
}

// present returns the condition for operators that ask for anything but white space.
func present(name, op string) (cond importer.Condition, known bool) {
	switch op {
	case "present", "notempty":
		return importer.Matches(name, false, notBlank), true
	case "notpresent", "empty":
		return importer.Not(importer.Matches(name, false, notBlank)), true
	}
	return importer.Never, false
}

// text returns the condition for an operator on text.
func (x *reading) text(name, op, value, at string) (cond importer.Condition, known bool) {
	switch op {
	case "empty", "notempty":
		return present(name, op)
	case "eq":
		return importer.All(filled(name), importer.In(name, false, value)), true
	case "neq":
		return importer.All(importer.Exists(name), importer.Not(importer.In(name, false, "", value))), true
	case "contains":
		return importer.All(filled(name), importer.Contains(name, false, value)), true
	case "notcontains":
		return importer.All(filled(name), importer.Not(importer.Contains(name, false, value))), true
	case "prefix", "suffix":
		return affix(name, op, value), true
	case "isoneof", "isnotoneof":
		var values []string
		if json.Unmarshal([]byte(value), &values) != nil {
			x.flag.Note(at+".value", "it is no list of texts in JSON, and so matches nothing")
			return importer.Never, true
		}
		if op == "isnotoneof" {
			other := importer.Not(importer.In(name, false, append(values, "")...))
			return importer.All(importer.Exists(name), other), true
		}
		values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
		return importer.In(name, false, values...), true
	}
	return importer.Never, false
}

// affix returns the condition that the text without white space around it starts or ends
// with a value.
func affix(name, op, value string) importer.Condition {
	inner := strings.TrimSpace(value)
	switch {
	case value == "":
		return filled(name)
	case op == "prefix" && !strings.HasPrefix(value, inner), op == "suffix" && !strings.HasSuffix(value, inner),
		inner == "":
		return importer.Never
	}
	quoted := regexp.QuoteMeta(value)
	if op == "prefix" {
		if inner != value {
			quoted += "(?s:.*)" + notBlank
		}
		return importer.Matches(name, false, "^"+blank+"*"+quoted)
	}
	if inner != value {
		quoted = notBlank + "(?s:.*)" + quoted
	}
	return importer.Matches(name, false, quoted+blank+"*$")
}

// number returns the condition for an operator on texts that are numbers.
func (x *reading) number(name, op, value, at string) (cond importer.Condition, known bool, err error) {
	if cond, known = present(name, op); known {
		return cond, op == "present" || op == "notpresent", nil
	}
	var list []importer.Number
	if op == "isoneof" || op == "isnotoneof" {
		var values []json.Number
		if json.Unmarshal([]byte(value), &values) != nil {
			x.flag.Note(at+".value", "it is no list of numbers in JSON, and so matches nothing")
			return importer.Never, true, nil
		}
		for _, v := range values {
			n, err := decimal(string(v), at)
			if err != nil {
				return importer.Never, true, err
			}
			list = append(list, n)
		}
	} else {
		if _, err := strconv.ParseFloat(value, 64); err != nil {
			x.flag.Note(at+".value", "%q is no number, and so matches nothing", value)
			return importer.Never, true, nil
		}
		n, err := decimal(value, at)
		if err != nil {
			return importer.Never, true, err
		}
		list = append(list, n)
	}
	x.flag.Approximate(at, "a %q that isn't written as a plain decimal number, such as 0x10, +5 or 007, may be no "+
		"number here", name)
	equal := importer.Never
	for _, n := range list {
		equal = importer.Any(equal, importer.CompareText(name, "=", n))
	}
	switch op {
	case "eq", "isoneof":
		return equal, true, nil
	case "neq", "isnotoneof":
		zero, _ := importer.ParseNumber("0")
		valid := importer.Any(importer.CompareText(name, "<", zero), importer.CompareText(name, ">=", zero))
		return importer.All(valid, importer.Not(equal)), true, nil
	}
	if sign, ok := map[string]string{"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}[op]; ok {
		return importer.CompareText(name, sign, list[0]), true, nil
	}
	return importer.Never, false, nil
}

// decimal reads a number in any notation.
func decimal(text, at string) (importer.Number, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(math.Abs(f) <= 1<<53) {
		return importer.Number{}, importer.Refusef(at+".value", "%q is no number within 2^53", text)
	}
	n, ok := importer.ParseNumber(strconv.FormatFloat(f, 'f', -1, 64))
	if !ok {
		return n, importer.Refusef(at+".value", "%q has more digits than numbers can have here", text)
	}
	return n, nil
}

// boolean returns the condition for an operator on texts that are true or false.
func boolean(name, op string) (cond importer.Condition, known bool) {
	switch op {
	case "true":
		return importer.In(name, false, "1", "t", "T", "TRUE", "true", "True"), true
	case "false":
		return importer.In(name, false, "0", "f", "F", "FALSE", "false", "False"), true
	case "present", "notpresent":
		return present(name, op)
	}
	return importer.Never, false
}

// time returns the condition for an operator on texts that are times.
func (x *reading) time(name, op, value, at string) (cond importer.Condition, known bool, err error) {
	x.flag.Approximate(at, "%q is a time here: a date without a time of day is none, and fractions of a second "+
		"don't count", name)
	switch op {
	case "present", "notpresent":
		x.flag.Approximate(at, "empty text is present here")
		present := importer.Exists(name).At(at)
		if op == "notpresent" {
			return importer.Not(present), true, nil
		}
		return present, true, nil
	}
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		t, err = time.Parse(time.DateOnly, value)
	}
	switch {
	case err != nil:
		x.flag.Note(at+".value", "%q is no time, and so matches nothing", value)
		return importer.Never, true, nil
	case t.Nanosecond() != 0:
		return importer.Never, true, importer.Refusef(at+".value",
			"times are compared to the second here, and %q has a fraction", value)
	}
	next := t.Add(time.Second)
	before, from, after := importer.TimeBefore(name, t), importer.TimeAfter(name, t), importer.TimeAfter(name, next)
	switch op {
	case "eq":
		return importer.All(from, importer.TimeBefore(name, next)), true, nil
	case "neq":
		return importer.Any(before, after), true, nil
	case "lt":
		return before, true, nil
	case "lte":
		return importer.TimeBefore(name, next), true, nil
	case "gt":
		return after, true, nil
	case "gte":
		return from, true, nil
	}
	return importer.Never, false, nil
}
