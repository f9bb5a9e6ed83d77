package featurevisor

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/importer"
)

// maxDepth bounds how deep conditions and groups of segments nest.
const maxDepth = 40

// unwrapped returns JSON that may stand in a text, as in datafiles, and whether it is "*".
func unwrapped(data json.RawMessage, at string, depth int) (inner json.RawMessage, everyone bool, err error) {
	if depth > maxDepth {
		return nil, false, importer.Refusef(at, "conditions nest deeper than %d levels", maxDepth)
	}
	var text string
	if json.Unmarshal(data, &text) != nil {
		return data, false, nil
	}
	if text == "*" {
		return nil, true, nil
	}
	if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		if err := importer.Decode([]byte(text), &inner); err != nil {
			return nil, false, importer.Refusef(at, "it isn't JSON")
		}
		return inner, false, nil
	}
	return data, false, nil
}

// A combination is an object with one of its members.
type combination struct {
	And, Or, Not []json.RawMessage
}

// combine returns the condition for a list or a combination, or reports false.
func combine(data json.RawMessage, each func(json.RawMessage) (importer.Condition, error),
	notAll bool) (c importer.Condition, ok bool, err error) {
	var o combination
	var items []json.RawMessage
	if json.Unmarshal(data, &items) != nil {
		if json.Unmarshal(data, &o) != nil {
			return c, false, nil
		}
		switch {
		case o.And != nil:
			items = o.And
		case o.Or != nil:
			items = o.Or
		case o.Not != nil:
			items = o.Not
		default:
			return c, false, nil
		}
	}
	of := make([]importer.Condition, len(items))
	for i, item := range items {
		if of[i], err = each(item); err != nil {
			return c, true, err
		}
	}
	switch {
	case o.And == nil && o.Or != nil:
		return importer.Any(of...), true, nil
	case o.And == nil && o.Not != nil && notAll && len(of) > 0:
		return importer.Not(importer.All(of...)), true, nil
	case o.And == nil && o.Not != nil && !notAll:
		return importer.Not(importer.Any(of...)), true, nil
	}
	return importer.All(of...), true, nil
}

// group returns the condition that a context is in segments.
func (x *reading) group(data json.RawMessage, at string, depth int) (importer.Condition, error) {
	data, everyone, err := unwrapped(data, at, depth)
	if err != nil || everyone {
		return importer.Always, err
	}
	var key string
	if json.Unmarshal(data, &key) == nil {
		s, known := x.segments[key]
		if !known {
			x.flag.Note(at, "there is no segment %q, so nobody is in it", key)
			return importer.Never, nil
		}
		return x.conditions(s.Conditions, "segments."+key+".conditions", depth+1)
	}
	c, ok, err := combine(data, func(item json.RawMessage) (importer.Condition, error) {
		return x.group(item, at,
			depth+1)
	}, false)
	if err == nil && !ok {
		err = importer.Refusef(at, "expected segments, not %.40s", data)
	}
	return c, err
}

// conditions returns the condition for conditions.
func (x *reading) conditions(data json.RawMessage, at string, depth int) (importer.Condition, error) {
	data, everyone, err := unwrapped(data, at, depth)
	if err != nil || everyone {
		return importer.Always, err
	}
	var plain struct {
		Attribute *string         `json:"attribute"`
		Operator  string          `json:"operator"`
		Value     json.RawMessage `json:"value"`
		Flags     string          `json:"regexFlags"`
	}
	if json.Unmarshal(data, &plain) == nil && plain.Attribute != nil {
		c, err := x.compare(*plain.Attribute, plain.Operator, plain.Value, plain.Flags, at)
		return c.At(at), err
	}
	c, ok, err := combine(data, func(item json.RawMessage) (importer.Condition, error) {
		return x.conditions(item, at,
			depth+1)
	}, true)
	if err == nil && !ok {
		err = importer.Refusef(at, "expected conditions, not %.40s", data)
	}
	return c, err
}

// negations are the operators that hold if another doesn't, for attributes that exist.
var negations = map[string]string{"notIn": "in", "notContains": "contains", "semverNotEquals": "semverEquals",
	"notMatches":  "matches",
	"notIncludes": "includes"}

// compare returns the condition for an operator on an attribute.
func (x *reading) compare(name, op string, value json.RawMessage, flags, at string) (importer.Condition, error) {
	if inner := negations[op]; inner != "" {
		c, err := x.compare(name, inner, value, flags, at)
		return importer.All(importer.Exists(name).At(at), importer.Not(c.At(at))), err
	}
	var text string
	isText := json.Unmarshal(value, &text) == nil && value[0] == '"'
	switch op {
	case "equals":
		return scalar(name, value, at)
	case "notEquals": // holds without the attribute, too
		c, err := scalar(name, value, at)
		return importer.Not(c.At(at)), err
	case "exists":
		return importer.Exists(name), nil
	case "notExists":
		return importer.Not(importer.Exists(name).At(at)), nil
	case "in":
		var items []json.RawMessage
		if json.Unmarshal(value, &items) != nil {
			return importer.Never, importer.Refusef(at, "expected a list")
		}
		return oneOf(name, items, at)
	case "before", "after":
		return x.time(name, op, text, at)
	case "greaterThan", "greaterThanOrEquals", "lessThan", "lessThanOrEquals":
		var n float64
		if value == nil || isText || json.Unmarshal(value, &n) != nil || math.Abs(n) > 1<<53 {
			return importer.Never, importer.Refusef(at, "%.40s is no number within 2^53", value)
		}
		sign := map[string]string{"greaterThan": ">", "greaterThanOrEquals": ">=", "lessThan": "<",
			"lessThanOrEquals": "<="}[op]
		return importer.Compare(name, sign, n), nil
	}
	if !isText {
		return importer.Never, importer.Refusef(at, "the operator %q isn't known, or needs a text", op)
	}
	switch op {
	case "contains":
		return importer.Contains(name, false, text), nil
	case "startsWith":
		return importer.Prefix(name, false, text), nil
	case "endsWith":
		return importer.Suffix(name, false, text), nil
	case "includes":
		return importer.Holds(name, text), nil
	case "matches":
		return expression(name, text, flags, at)
	}
	return x.version(name, op, text, at)
}

// scalar returns the condition that an attribute is a value.
func scalar(name string, value json.RawMessage, at string) (importer.Condition, error) {
	if value == nil || string(value) == "null" || value[0] == '[' || value[0] == '{' {
		return importer.Never,
			importer.Refusef(at, "it compares with %.40s, which is no text, number or boolean", value)
	}
	if string(value) == "true" || string(value) == "false" {
		return importer.Is(name, string(value) == "true"), nil
	}
	return oneOf(name, []json.RawMessage{value}, at)
}

// oneOf returns the condition that an attribute is one of the texts and numbers.
func oneOf(name string, items []json.RawMessage, at string) (importer.Condition, error) {
	var texts []string
	var ints []int64
	var numbers []importer.Number
	for _, item := range items {
		var text string
		var f float64
		if string(item) != "null" && json.Unmarshal(item, &text) == nil {
			texts = append(texts, text)
			continue
		}
		if n, whole := importer.Integer(item); whole {
			ints = append(ints, n)
			continue
		}
		if string(item) != "null" && json.Unmarshal(item, &f) == nil && math.Abs(f) < 1<<53 {
			if n, ok := importer.ParseNumber(strconv.FormatFloat(f, 'f', -1, 64)); ok {
				numbers = append(numbers, n)
				continue
			}
		}
		return importer.Never, importer.Refusef(at, "%.40s is no text, or number within 2^53", item)
	}
	return importer.Any(importer.In(name, false, texts...).At(at), importer.Integers(name, ints...).At(at),
		importer.Numbers(name, numbers...).At(at)), nil
}

// time returns the condition that an attribute is a time before or after another.
func (x *reading) time(name, op, text, at string) (importer.Condition, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t, err = time.Parse(time.DateOnly, text)
	}
	if err != nil || t.Nanosecond() != 0 {
		return importer.Never, importer.Refusef(at, "%q is no time in RFC 3339 with whole seconds", text)
	}
	x.flag.Approximate(at, "%q is a time in RFC 3339 here, whose fractions of a second don't count", name)
	if op == "before" {
		return importer.TimeBefore(name, t), nil
	}
	return importer.TimeAfter(name, t.Add(time.Second)), nil
}

func expression(name, text, flags, at string) (importer.Condition, error) {
	if flags != "" && flags != "i" {
		return importer.Never, importer.Refusef(at, "the flags %q of the expression aren't known here", flags)
	}
	translated, err := importer.FromJavaScript(text, at)
	if err != nil {
		return importer.Never, err
	}
	if _, err := regexp.Compile(translated); err != nil {
		return importer.Never, importer.Refusef(at, "%q isn't in RE2's syntax", text)
	}
	return importer.Matches(name, flags == "i", translated), nil
}

var versionShape = regexp.MustCompile(`^v?(\d{1,9}\.\d{1,9}\.\d{1,9}(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?)$`)

// version returns the condition for a comparison of versions.
func (x *reading) version(name, op, text, at string) (importer.Condition, error) {
	sign := map[string]string{"semverEquals": "=", "semverGreaterThan": ">", "semverGreaterThanOrEquals": ">=",
		"semverLessThan":         "<",
		"semverLessThanOrEquals": "<="}[op]
	parts := versionShape.FindStringSubmatch(text)
	switch {
	case sign == "":
		return importer.Never, importer.Refusef(at, "unknown operator %q", op)
	case parts == nil:
		return importer.Never, importer.Refusef(at, "%q is no full semantic version", text)
	}
	x.flag.Approximate(at, "versions of %q with four numbers, signs or wildcards are none here", name)
	return importer.SemverV(name, sign+parts[1]), nil
}
