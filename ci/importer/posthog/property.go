package posthog

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

// A property is a condition: on a property of a person, on a cohort, or on another flag.
type property struct {
	Key      string          `json:"key"`
	Type     string          `json:"type"`
	Operator string          `json:"operator"`
	Value    json.RawMessage `json:"value"`
	Negation bool            `json:"negation"` // in cohorts
}

// A propertyGroup is a part of a cohort.
type propertyGroup struct {
	Type   string            `json:"type"`
	Values []json.RawMessage `json:"values"`
}

// all returns the condition that all properties match.
func (x *reading) all(list []property, at string) (importer.Condition, error) {
	all := importer.Always
	for i := range list {
		c, err := x.property(&list[i], fmt.Sprintf("%s[%d]", at, i))
		if err != nil {
			return all, err
		}
		all = importer.All(all, c)
	}
	return all, nil
}

func (x *reading) property(p *property, at string) (importer.Condition, error) {
	if x.count++; x.count > maxCondition {
		return importer.Never,
			importer.Refusef(at, "the flag has more than %d conditions, with those of its cohorts", maxCondition)
	}
	switch p.Type {
	case "", "person":
		c, err := x.compare(p, at)
		return c.At(at), err
	case "cohort":
		return x.cohort(p, at)
	case "flag":
		return x.dependency(p, at)
	}
	return importer.Never, importer.Refusef(at+".type", "conditions of the type %q can't be carried over", p.Type)
}

// dependency returns the condition on another flag.
func (x *reading) dependency(p *property, at string) (importer.Condition, error) {
	i := slices.IndexFunc(x.Flags, func(f flag) bool { return !f.Deleted && f.Key == p.Key })
	if i < 0 {
		return importer.Never, importer.Refusef(at+".key", "there is no flag %q", p.Key)
	}
	text, isText := textOf(p.Value)
	switch is := importer.Serves(p.Key, off).At(at); {
	case string(p.Value) == "true":
		return importer.Not(is), nil
	case string(p.Value) == "false":
		return is, nil
	case isText && x.Flags[i].several() &&
		slices.ContainsFunc(x.Flags[i].Filters.Multivariate.Variants, func(v variant) bool { return v.Key == text }):
		return importer.Serves(p.Key, text).At(at), nil
	}
	return importer.Never, importer.Refusef(at+".value", "%.40s is no variant of the flag %q", p.Value, p.Key)
}

// cohort returns the condition that a person is in a cohort, or isn't.
func (x *reading) cohort(p *property, at string) (importer.Condition, error) {
	id := strings.Trim(string(p.Value), `"`)
	raw := x.Cohorts[id]
	switch {
	case raw == nil:
		return importer.Never, importer.Refusef(at+".value",
			"the cohort %s isn't in the file: its members are known to PostHog alone", id)
	case slices.Contains(x.chain, id):
		return importer.Never, importer.Refusef("cohorts."+id, "the cohort refers to itself")
	case p.Operator != "" && p.Operator != "in" && p.Operator != "not_in" && p.Operator != "exact":
		return importer.Never, importer.Refusef(at+".operator", "unknown operator %q for a cohort", p.Operator)
	}
	x.chain = append(x.chain, id)
	defer func() { x.chain = x.chain[:len(x.chain)-1] }()
	c, err := x.part(raw, "cohorts."+id, 0)
	if p.Operator == "not_in" {
		c = importer.Not(c)
	}
	return c, err
}

// maxParts is how deep parts of a cohort nest.
const maxParts = 20

// part returns the condition that a part of a cohort matches: a group, or a property.
func (x *reading) part(raw json.RawMessage, at string, depth int) (importer.Condition, error) {
	var g propertyGroup
	var p property
	if json.Unmarshal(raw, &g) != nil || json.Unmarshal(raw, &p) != nil || depth > maxParts {
		return importer.Never, importer.Refusef(at,
			"expected a group of properties or a property, nested at most %d levels deep", maxParts)
	}
	if g.Values == nil && (p.Key != "" || p.Type == "cohort") {
		c, err := x.property(&p, at)
		if p.Negation {
			c = importer.Not(c)
		}
		return c, err
	}
	var list []importer.Condition
	for i, v := range g.Values {
		c, err := x.part(v, fmt.Sprintf("%s.values[%d]", at, i), depth+1)
		if err != nil {
			return c, err
		}
		list = append(list, c)
	}
	switch {
	case g.Type == "AND" || g.Type == "property" || g.Type == "" && len(list) == 0:
		return importer.All(list...), nil
	case g.Type == "OR":
		return importer.Any(list...), nil
	}
	return importer.Never, importer.Refusef(at+".type", "unknown type of a group %q", g.Type)
}

// negations are the operators that hold where another one doesn't, also if the property is
// missing.
var negations = map[string]string{"is_not": "exact", "not_icontains": "icontains", "not_starts_with": "starts_with",
	"not_ends_with": "ends_with",
	"not_regex":     "regex", "not_icontains_multi": "icontains_multi", "is_not_set": "is_set"}

func (x *reading) compare(p *property, at string) (importer.Condition, error) {
	if positive := negations[p.Operator]; positive != "" {
		q := *p
		q.Operator = positive
		c, err := x.compare(&q, at)
		return importer.Not(c.At(at)), err
	}
	switch p.Operator {
	case "", "exact":
		return x.exact(p, at)
	case "is_set":
		return importer.Exists(p.Key), nil
	case "icontains", "starts_with", "ends_with", "icontains_multi":
		return text(p, at)
	case "regex":
		return x.regex(p, at)
	case "gt", "gte", "lt", "lte", "between", "not_between":
		return x.number(p, at)
	case "semver_eq", "semver_neq", "semver_gt", "semver_gte", "semver_lt", "semver_lte", "semver_tilde",
		"semver_caret", "semver_wildcard":
		return x.version(p, at)
	case "is_date_after", "is_date_before":
		return x.date(p, at)
	}
	return importer.Never, importer.Refusef(at+".operator", "unknown operator %q", p.Operator)
}

// textOf returns a text in JSON.
func textOf(raw json.RawMessage) (string, bool) {
	var s string
	return s, len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil
}

// list returns the values of a list, or the one value that there is.
func list(raw json.RawMessage) []json.RawMessage {
	var l []json.RawMessage
	if json.Unmarshal(raw, &l) == nil && len(raw) > 0 && raw[0] == '[' {
		return l
	}
	return []json.RawMessage{raw}
}

// truth returns the boolean that a value is, also as text.
func truth(raw json.RawMessage) (value, ok bool) {
	s, isText := textOf(raw)
	if !isText {
		s = string(raw)
	}
	s = strings.ToLower(s)
	return s == "true", s == "true" || s == "false"
}

// exact returns the condition that a property is one of the values, ignoring case. Every value
// that isn't true counts as false.
func (x *reading) exact(p *property, at string) (importer.Condition, error) {
	var texts []string
	var numbers []importer.Number
	var bools [2]bool
	values := list(p.Value)
	for _, raw := range values {
		if value, ok := truth(raw); ok {
			bools[map[bool]int{false: 0, true: 1}[value]] = true
		} else if s, ok := textOf(raw); ok {
			texts = append(texts, s)
		} else if n, ok := importer.ParseNumber(string(raw)); ok {
			if _, whole := importer.Integer(raw); n.IsInteger() && !whole {
				return importer.Never, importer.Refusef(at+".value", "%s is beyond 2^53", raw)
			}
			numbers = append(numbers, n)
		} else {
			return importer.Never, importer.Refusef(at+".value", "%.40s is no text, boolean, or decimal number", raw)
		}
	}
	kinds := 0
	for _, there := range []bool{len(texts) > 0, len(numbers) > 0, bools[0], bools[1]} {
		if there {
			kinds++
		}
	}
	switch {
	case len(values) == 0 || kinds > 1:
		return importer.Never, importer.Refusef(at+".value",
			"the values have different types, or there are none; PostHog's SDKs disagree about that")
	case bools[1], bools[0]:
		x.flag.Approximate(at, "%q is a boolean here; text with one, such as \"true\", is none", p.Key)
		is := importer.Is(p.Key, true).At(at)
		if bools[0] {
			is = importer.All(importer.Exists(p.Key).At(at), importer.Not(is))
		}
		return is, nil
	case len(numbers) > 0:
		any := importer.Never
		for _, n := range numbers {
			any = importer.Any(any, importer.CompareText(p.Key, "=", n).At(at))
		}
		x.flag.Approximate(at,
			"%q is a number here; text in another notation of it, such as \"5.0\" for 5, counts as that number", p.Key)
		return any, nil
	}
	return importer.In(p.Key, true, texts...), nil
}

// text returns the condition for the operators that look for a part of a text.
func text(p *property, at string) (importer.Condition, error) {
	values := []json.RawMessage{p.Value}
	if p.Operator == "icontains_multi" {
		values = list(p.Value)
	}
	var texts []string
	for _, raw := range values {
		s, ok := textOf(raw)
		if _, isNumber := importer.Integer(raw); isNumber {
			s, ok = string(raw), true
		}
		if !ok {
			return importer.Never, importer.Refusef(at+".value", "%.40s is no text", raw)
		}
		texts = append(texts, s)
	}
	switch p.Operator {
	case "starts_with":
		return importer.Prefix(p.Key, true, texts...), nil
	case "ends_with":
		return importer.Suffix(p.Key, true, texts...), nil
	}
	return importer.Contains(p.Key, true, texts...), nil
}

func (x *reading) regex(p *property, at string) (importer.Condition, error) {
	expression, ok := textOf(p.Value)
	if !ok {
		return importer.Never, importer.Refusef(at+".value", "%.40s is no text", p.Value)
	}
	if _, err := regexp.Compile(expression); err != nil {
		return importer.Never,
			importer.Refusef(at+".value", "%q isn't in RE2's syntax; PostHog's SDKs disagree about it", expression)
	}
	if strings.ContainsAny(expression, `\.[`) {
		x.flag.Approximate(at,
			"classes such as \\d match ASCII here; PostHog's server also matches letters and digits of other scripts")
	}
	if expression == "" {
		return importer.Exists(p.Key), nil
	}
	return importer.Matches(p.Key, false, expression), nil
}

// decimal returns a number, which may stand in a text.
func decimal(raw json.RawMessage, at string) (n importer.Number, err error) {
	s, isText := textOf(raw)
	if !isText {
		s = string(raw)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > 1<<53 {
		return n, importer.Refusef(at+".value", "%.40s is no number within 2^53", raw)
	}
	n, ok := importer.ParseNumber(strconv.FormatFloat(f, 'f', -1, 64))
	if !ok {
		return n, importer.Refusef(at+".value", "%.40s has too many digits", raw)
	}
	return n, nil
}

func (x *reading) number(p *property, at string) (importer.Condition, error) {
	x.flag.Approximate(at, "%q is a number here; text in another notation than 12.5 makes the comparison false", p.Key)
	values := []json.RawMessage{p.Value}
	between := strings.HasSuffix(p.Operator, "between")
	if between {
		values = list(p.Value)
	}
	var bounds []importer.Number
	for _, raw := range values {
		n, err := decimal(raw, at)
		if err != nil {
			return importer.Never, err
		}
		bounds = append(bounds, n)
	}
	switch {
	case between && len(bounds) != 2:
		return importer.Never, importer.Refusef(at+".value", "expected two numbers")
	case p.Operator == "between":
		return importer.All(importer.CompareText(p.Key, ">=", bounds[0]).At(at),
			importer.CompareText(p.Key, "<=", bounds[1]).At(at)), nil
	case p.Operator == "not_between":
		return importer.Any(importer.Not(importer.Exists(p.Key).At(at)),
			importer.CompareText(p.Key, "<", bounds[0]).At(at), importer.CompareText(p.Key, ">", bounds[1]).At(at)), nil
	}
	sign := map[string]string{"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}[p.Operator]
	return importer.CompareText(p.Key, sign, bounds[0]), nil
}

var versionShape = regexp.MustCompile(`^[vV]?(\d{1,9})(?:\.(\d{1,9})(?:\.(\d{1,9}))?)?$`)

// version returns the condition for a comparison of versions.
func (x *reading) version(p *property, at string) (importer.Condition, error) {
	s, isText := textOf(p.Value)
	wildcard := p.Operator == "semver_wildcard"
	if wildcard {
		var star bool
		s, star = strings.CutSuffix(s, ".*")
		isText = isText && star
	}
	parts := versionShape.FindStringSubmatch(s)
	if !isText || parts == nil || wildcard && parts[3] != "" {
		return importer.Never,
			importer.Refusef(at+".value", "%.40s is no version such as 1.2.3, or 1.2.* for a wildcard", p.Value)
	}
	x.flag.Approximate(at, "pre-releases of %q are compared as Semantic Versioning says; PostHog's SDKs ignore them",
		p.Key)
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(parts[i+1]) // 0 if it isn't there
	}
	version := fmt.Sprintf("%d.%d.%d", n[0], n[1], n[2])
	switch p.Operator {
	case "semver_neq":
		return importer.All(importer.SemverV(p.Key, ">=0.0.0-0").At(at),
			importer.Not(importer.SemverV(p.Key, "="+version).At(at))), nil
	case "semver_tilde":
		return importer.SemverV(p.Key, "~"+version), nil
	case "semver_caret":
		return importer.SemverV(p.Key, "^"+version), nil
	case "semver_wildcard":
		if parts[2] == "" {
			return importer.SemverV(p.Key, fmt.Sprintf(">=%s <%d.0.0-0", version, n[0]+1)), nil
		}
		return importer.SemverV(p.Key, fmt.Sprintf(">=%s <%d.%d.0-0", version, n[0], n[1]+1)), nil
	}
	signs := map[string]string{"semver_eq": "=", "semver_gt": ">", "semver_gte": ">=", "semver_lt": "<",
		"semver_lte": "<="}
	return importer.SemverV(p.Key, signs[p.Operator]+version), nil
}

// date returns the condition for a comparison with a time.
func (x *reading) date(p *property, at string) (importer.Condition, error) {
	s, _ := textOf(p.Value)
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return importer.Never, importer.Refusef(at+".value",
			"%.40s isn't a time with an offset, such as 2026-12-01T09:00:00Z; others depend on the day, or on the project's time zone", p.Value)
	}
	x.flag.Approximate(at,
		"%q is a time with an offset here, or Unix time in seconds, and %s itself counts as after; PostHog also reads other forms", p.Key, s)
	if p.Operator == "is_date_before" {
		return importer.TimeBefore(p.Key, t), nil
	}
	return importer.TimeAfter(p.Key, t), nil
}
