package growthbook

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/serin-flags/serin/ci/importer"
)

// operator returns the condition for an operator on an attribute.
func (x *reading) operator(name, op string, data json.RawMessage, at string, depth int) (importer.Condition, error) {
	switch op {
	case "$eq":
		return x.equal(name, data, at)
	case "$ne":
		c, err := x.equal(name, data, at)
		return importer.Not(c), err
	case "$lt", "$lte", "$gt", "$gte":
		return x.order(name, op, data, at)
	case "$exists":
		if truthy(decoded(data)) {
			return importer.Exists(name).At(at), nil
		}
		return importer.Not(importer.Exists(name).At(at)), nil
	case "$in", "$nin", "$ini", "$nini":
		items, err := list(data, at)
		if err != nil {
			return importer.Never, err
		}
		c, err := x.in(name, strings.HasSuffix(op, "i"), items, at)
		if strings.HasPrefix(op, "$n") {
			c = importer.Not(c)
		}
		return c, err
	case "$inGroup", "$notInGroup":
		c, err := x.inGroup(name, data, at)
		if op == "$notInGroup" {
			c = importer.Not(c)
		}
		return c, err
	case "$not":
		c, err := x.value(name, data, at, depth)
		return importer.Not(c), err
	case "$elemMatch":
		return x.hasElement(name, data, at, depth)
	case "$all":
		return x.every(name, data, at)
	case "$regex", "$regexi":
		return x.expression(name, op == "$regexi", data, at)
	case "$type":
		if decoded(data) == "null" {
			return importer.Not(importer.Exists(name)).At(at), nil
		}
		return importer.Never, importer.Refusef(at, "attributes have one type here")
	case "$veq", "$vne", "$vgt", "$vgte", "$vlt", "$vlte":
		return x.version(name, op, data, at)
	case "$size", "$alli":
		return importer.Never, importer.Refusef(at, "the operator %q has no equivalent here", op)
	}
	return importer.Never, importer.Refusef(at, "unknown operator %q", op)
}

// order returns the condition for an order of numbers. A missing attribute is 0.
func (x *reading) order(name, op string, data json.RawMessage, at string) (importer.Condition, error) {
	limit, isNumber := decoded(data).(float64)
	if !isNumber || math.Abs(limit) > 1<<53 {
		return importer.Never, importer.Refusef(at, "%.40s is no number within 2^53; texts can't be ordered here", data)
	}
	sign := map[string]string{"$lt": "<", "$lte": "<=", "$gt": ">", "$gte": ">="}[op]
	return x.or(importer.Compare(name, sign, limit).At(at), holdsFor(op, 0, limit), name, at), nil
}

// hasElement returns the condition that a list has an element.
func (x *reading) hasElement(name string, data json.RawMessage, at string, depth int) (importer.Condition, error) {
	members, err := object(data, at, depth)
	if err != nil {
		return importer.Never, err
	}
	var texts []string
	for op, value := range members {
		switch v := decoded(value).(type) {
		case string:
			if op == "$eq" {
				texts = append(texts, v)
			}
		case []any:
			for _, item := range v {
				if text, isText := item.(string); isText && op == "$in" {
					texts = append(texts, text)
				} else {
					return importer.Never, importer.Refusef(at, "lists hold texts here, which $eq and $in compare")
				}
			}
		}
	}
	if len(members) != 1 || texts == nil {
		return importer.Never, importer.Refusef(at, "lists hold texts here, which $eq and $in compare")
	}
	return importer.Holds(name, texts...).At(at), nil
}

// every returns the condition that a list has all of the texts.
func (x *reading) every(name string, data json.RawMessage, at string) (importer.Condition, error) {
	items, err := list(data, at)
	if err != nil {
		return importer.Never, err
	}
	all := importer.Always
	for i, item := range items {
		text, isText := decoded(item).(string)
		if !isText {
			return importer.Never, importer.Refusef(fmt.Sprintf("%s[%d]", at, i), "lists hold texts here")
		}
		all = importer.All(all, importer.Holds(name, text).At(at))
	}
	if len(items) == 0 {
		return importer.Never, importer.Refusef(at, "the list is empty")
	}
	return all, nil
}

// inGroup returns the condition that an attribute is in a saved group. One that doesn't exist
// is empty.
func (x *reading) inGroup(name string, data json.RawMessage, at string) (importer.Condition, error) {
	id, isText := decoded(data).(string)
	if !isText {
		return importer.Never, importer.Refusef(at, "expected the ID of a saved group, not %.40s", data)
	}
	group := x.groups[id]
	if group == nil {
		x.flag.Note(at, "there is no saved group %q, so nobody is in it", id)
		return importer.Never, nil
	}
	place := "savedGroups." + id
	var object struct {
		Type   string            `json:"type"`
		Values []json.RawMessage `json:"values"`
	}
	if json.Unmarshal(group, &object.Values) == nil {
		return x.in(name, false, object.Values, place)
	}
	if json.Unmarshal(group, &object) != nil || object.Type != "list" || object.Values == nil {
		return importer.Never, importer.Refusef(place, "the saved group isn't a list of values")
	}
	return x.in(name, false, object.Values, place+".values")
}

// savedGroup returns the condition for a reference to a saved group.
func (x *reading) savedGroup(data json.RawMessage, at string, depth int) (importer.Condition, error) {
	var ref struct {
		ID           string  `json:"id"`
		AttributeKey *string `json:"attributeKey"`
	}
	var group struct {
		Type         string            `json:"type"`
		AttributeKey *string           `json:"attributeKey"`
		Values       []json.RawMessage `json:"values"`
		Condition    json.RawMessage   `json:"condition"`
	}
	if json.Unmarshal(data, &ref) != nil || json.Unmarshal(x.groups[ref.ID], &group) != nil {
		return importer.Never, importer.Refusef(at, "there is no saved group that it refers to")
	}
	place := "savedGroups." + ref.ID
	if ref.AttributeKey == nil {
		ref.AttributeKey = group.AttributeKey
	}
	switch {
	case group.Type == "list" && group.Values != nil && ref.AttributeKey != nil:
		return x.in(*ref.AttributeKey, false, group.Values, place+".values")
	case group.Type == "condition" && group.Condition != nil:
		return x.condition(group.Condition, place+".condition", depth)
	}
	return importer.Never, importer.Refusef(place, "the saved group is neither a list nor a condition")
}

// expression returns the condition for a regular expression. A missing attribute is the text
// "null" to it.
func (x *reading) expression(name string, fold bool, data json.RawMessage, at string) (importer.Condition, error) {
	text, isText := decoded(data).(string)
	if !isText {
		return importer.Never, importer.Refusef(at, "expected a regular expression")
	}
	translated, err := importer.FromJavaScript(text, at)
	if err != nil {
		return importer.Never, err
	}
	flags := ""
	if fold {
		flags = "(?i)"
	}
	compiled, err := regexp.Compile(flags + translated)
	if err != nil {
		return importer.Never, importer.Refusef(at, "%q isn't in RE2's syntax", text)
	}
	return x.or(importer.Matches(name, fold, translated).At(at), compiled.MatchString("null"), name, at), nil
}

var versionShape = regexp.MustCompile(
	`^v?(\d{1,5}\.\d{1,5}\.\d{1,5}(-[0-9A-Za-z]+(\.[0-9A-Za-z]+)*)?)(\+[0-9A-Za-z.-]*)?$`)

// version returns the condition for a comparison of versions. A missing attribute is the
// version 0, which is before any other.
func (x *reading) version(name, op string, data json.RawMessage, at string) (importer.Condition, error) {
	text, _ := decoded(data).(string)
	parts := versionShape.FindStringSubmatch(text)
	if parts == nil {
		return importer.Never, importer.Refusef(at, "%.40s is no version with three numbers", data)
	}
	x.flag.Approximate(at, "versions of %q have three numbers here, and none of them has more than 5 digits; others "+
		"are compared piece by piece in GrowthBook", name)
	sign := map[string]string{"$veq": "=", "$vne": "=", "$vgt": ">", "$vgte": ">=", "$vlt": "<", "$vlte": "<="}[op]
	c := importer.SemverV(name, sign+parts[1]).At(at)
	switch op {
	case "$vne":
		return importer.Not(c), nil
	case "$vlt", "$vlte":
		return importer.Any(c, importer.Not(importer.Exists(name))), nil
	}
	return c, nil
}
