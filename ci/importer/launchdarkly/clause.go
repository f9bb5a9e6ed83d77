package launchdarkly

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/importer"
)

// A clause compares an attribute with values, of which one must match.
type clause struct {
	ContextKind string            `json:"contextKind"`
	Attribute   string            `json:"attribute"`
	Op          string            `json:"op"`
	Values      []json.RawMessage `json:"values"`
	Negate      bool              `json:"negate"`
}

// maxPath is how many names a path of a nested attribute has here at most.
const maxPath = 10

// attribute returns the name of an attribute. A reference may be a path; without a kind of
// context, it is a plain name.
func attribute(name string, reference bool, place string) (string, error) {
	if reference && strings.HasPrefix(name, "/") {
		parts := strings.Split(name[1:], "/")
		for _, p := range parts {
			if len(parts) > 1 && (p == "" || strings.ContainsAny(p, ".~") || len(parts) > maxPath) {
				return "", importer.Refusef(place,
					"%q can't be written as a path of at most %d names with points between them", name, maxPath)
			}
		}
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(strings.Join(parts, "."))
	}
	switch name {
	case "":
		return "", importer.Refusef(place, "the attribute is missing")
	case "kind":
		return "", importer.Refusef(place,
			"it asks for the kind of the context: a context here is of one kind, the user")
	}
	return name, nil
}

// clauses returns the condition that all clauses hold.
func (x *reading) clauses(list []clause, at string) (importer.Condition, error) {
	all := importer.Always
	for i := range list {
		cond, err := x.clause(&list[i], fmt.Sprintf("%s.clauses[%d]", at, i))
		if err != nil {
			return all, err
		}
		all = importer.All(all, cond)
	}
	return all, nil
}

// clause returns what a clause says. A missing attribute makes it false, negated or not.
func (x *reading) clause(c *clause, at string) (importer.Condition, error) {
	if c.Op == "segmentMatch" {
		cond, err := x.segments(c.Values, at)
		if c.Negate {
			cond = importer.Not(cond)
		}
		return cond, err
	}
	if c.ContextKind != "" && c.ContextKind != "user" {
		return importer.Never, kind(c.ContextKind, at+".contextKind")
	}
	name, err := attribute(c.Attribute, c.ContextKind != "", at+".attribute")
	if err != nil {
		return importer.Never, err
	}
	cond, err := x.compare(c, name, at)
	if err != nil {
		return cond, err
	}
	cond = cond.At(at)
	if c.Negate {
		cond = importer.All(importer.Exists(name), importer.Not(cond))
	}
	if name == "anonymous" { // which every context has
		cond = anonymous(c)
	}
	return cond, nil
}

// anonymous returns a clause about the attribute that is false unless it is set.
func anonymous(c *clause) importer.Condition {
	has := func(value string) bool {
		return c.Op == "in" && slices.ContainsFunc(c.Values, func(v json.RawMessage) bool { return string(v) == value })
	}
	yes, no := has("true") != c.Negate, has("false") != c.Negate
	switch is := importer.Is("anonymous", true); {
	case yes && no:
		return importer.Always
	case yes:
		return is
	case no:
		return importer.Not(is)
	}
	return importer.Never
}

func (x *reading) compare(c *clause, name, at string) (importer.Condition, error) {
	switch c.Op {
	case "in":
		return x.in(c, name, at)
	case "startsWith", "endsWith", "contains", "matches":
		return x.text(c, name, at)
	case "lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual":
		return x.number(c, name, at)
	case "semVerEqual", "semVerLessThan", "semVerGreaterThan":
		return version(c, name, at)
	case "before", "after":
		return x.date(c, name, at)
	}
	return importer.Never, importer.Refusef(at+".op", "unknown operator %q", c.Op)
}

const numberInText = "a %q that is text with a number, such as \"5\", counts as that number here; for LaunchDarkly it is none"

// in returns the condition that the attribute is one of the values.
func (x *reading) in(c *clause, name, at string) (importer.Condition, error) {
	var texts []string
	var ints []int64
	var numbers []importer.Number
	any, kinds := importer.Never, make(map[byte]bool)
	for i, raw := range c.Values {
		place := fmt.Sprintf("%s.values[%d]", at, i)
		var text string
		switch {
		case len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) == nil:
			texts = append(texts, text)
			kinds['s'] = true
		case string(raw) == "true" || string(raw) == "false":
			any = importer.Any(any, importer.Is(name, string(raw) == "true"))
			kinds['b'] = true
		default:
			kinds['n'] = true
			if n, ok := importer.Integer(raw); ok {
				ints = append(ints, n)
			} else if n, ok := importer.ParseNumber(string(raw)); ok && !n.IsInteger() {
				numbers = append(numbers, n)
			} else {
				return any, importer.Refusef(place,
					"%s is neither a text, a boolean, nor a decimal number within 2^53", raw)
			}
		}
	}
	if len(numbers) > 0 {
		x.flag.Approximate(at, numberInText, name)
	}
	if len(kinds) > 1 {
		return any, importer.Refusef(at+".values", "the values have different types, and an attribute here has one")
	}
	return importer.Any(any, importer.In(name, false, texts...), importer.Integers(name, ints...),
		importer.Numbers(name, numbers...)), nil
}

// textValues returns the values that are texts. Others match nothing.
func (x *reading) textValues(c *clause, at string) []string {
	var list []string
	for i, raw := range c.Values {
		var text string
		if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
			list = append(list, text)
			continue
		}
		x.flag.Note(fmt.Sprintf("%s.values[%d]", at, i), "%s is no text, and matches nothing", raw)
	}
	return list
}

func (x *reading) text(c *clause, name, at string) (importer.Condition, error) {
	values := x.textValues(c, at)
	switch c.Op {
	case "startsWith":
		return importer.Prefix(name, false, values...), nil
	case "endsWith":
		return importer.Suffix(name, false, values...), nil
	case "contains":
		return importer.Contains(name, false, values...), nil
	}
	for _, v := range values {
		if _, err := regexp.Compile(v); err != nil {
			return importer.Never,
				importer.Refusef(at+".values", "%q isn't in RE2's syntax; LaunchDarkly's SDKs disagree about it", v)
		}
	}
	return importer.Matches(name, false, values...), nil
}

// orders are the operators that compare numbers, as [importer.Compare] has them.
var orders = map[string]string{"lessThan": "<", "lessThanOrEqual": "<=", "greaterThan": ">", "greaterThanOrEqual": ">="}

// number returns the condition for an order of numbers.
func (x *reading) number(c *clause, name, at string) (importer.Condition, error) {
	any := importer.Never
	for i, raw := range c.Values {
		var f float64
		if len(raw) == 0 || raw[0] == '"' || json.Unmarshal(raw, &f) != nil {
			x.flag.Note(fmt.Sprintf("%s.values[%d]", at, i), "%s is no number, and matches nothing", raw)
			continue
		}
		if math.Abs(f) > 1<<53 {
			return any, importer.Refusef(fmt.Sprintf("%s.values[%d]", at, i), "%s is beyond 2^53", raw)
		}
		any = importer.Any(any, importer.Compare(name, orders[c.Op], f))
	}
	x.flag.Approximate(at, numberInText, name)
	return any, nil
}

// date returns the condition for a time. LaunchDarkly takes text in RFC 3339 and Unix time in
// milliseconds. What the values are is what the attribute is expected to be: text is a time
// here, and milliseconds are integers.
func (x *reading) date(c *clause, name, at string) (importer.Condition, error) {
	any := importer.Never
	for i, raw := range c.Values {
		place := fmt.Sprintf("%s.values[%d]", at, i)
		var text string
		if n, ok := importer.Integer(raw); ok {
			any = importer.Any(any, milliseconds(c.Op, name, n))
			x.flag.Approximate(place,
				"%q is Unix time in whole milliseconds here; text with a time makes the comparison false", name)
			continue
		}
		if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
			return any, importer.Refusef(place, "%s is neither a time nor Unix time in milliseconds", raw)
		}
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return any, importer.Refusef(place, "%q is no time such as 2026-12-01T09:00:00Z", text)
		}
		any = importer.Any(any, timeOf(c.Op, name, t))
		x.flag.Approximate(place,
			"%q is compared to the second, and %s counts as after; numbers are Unix time in seconds here, and milliseconds there", name, text)
	}
	return any, nil
}

func milliseconds(op, name string, bound int64) importer.Condition {
	if op == "before" {
		return importer.Range(name, math.MinInt64, bound-1)
	}
	return importer.Range(name, bound+1, math.MaxInt64)
}

func timeOf(op, name string, bound time.Time) importer.Condition {
	if op == "before" {
		return importer.TimeBefore(name, bound)
	}
	return importer.TimeAfter(name, bound)
}

var versionShape = regexp.MustCompile(
	`^(0|[1-9]\d{0,14})(\.(0|[1-9]\d{0,14})(\.(0|[1-9]\d{0,14})(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?)?)?$`)

func version(c *clause, name, at string) (importer.Condition, error) {
	sign := map[string]string{"semVerEqual": "=", "semVerLessThan": "<", "semVerGreaterThan": ">"}[c.Op]
	any := importer.Never
	for i, raw := range c.Values {
		var text string
		if json.Unmarshal(raw, &text) != nil || !versionShape.MatchString(text) {
			return any, importer.Refusef(fmt.Sprintf("%s.values[%d]", at, i), "%s is no semantic version", raw)
		}
		any = importer.Any(any, importer.Semver(name, sign+text).At(at))
	}
	return any, nil
}

// segments returns the condition that the user is in one of the segments.
func (x *reading) segments(values []json.RawMessage, at string) (importer.Condition, error) {
	any := importer.Never
	for i, raw := range values {
		var key string
		if json.Unmarshal(raw, &key) != nil {
			continue // no segment, as for SDKs
		}
		cond, err := x.segment(key, fmt.Sprintf("%s.values[%d]", at, i))
		if err != nil {
			return any, err
		}
		any = importer.Any(any, cond)
	}
	return any, nil
}

// segment returns the condition that the user is in a segment: included, or not excluded and
// matched by one of its rules.
func (x *reading) segment(key, place string) (importer.Condition, error) {
	s, at := x.p.Segments[key], "segments."+key
	switch {
	case s == nil || s.Deleted:
		x.flag.Note(place, "there is no segment %q, so nobody is in it", key)
		return importer.Never, nil
	case slices.Contains(x.chain, key):
		return importer.Never, importer.Refusef(at, "the segment refers to itself")
	case s.Unbounded:
		return importer.Never,
			importer.Refusef(at+".unbounded", "the members of the big segment %q aren't in the file", key)
	case len(s.IncludedContexts) > 0:
		return importer.Never, kind(s.IncludedContexts[0].ContextKind, at+".includedContexts[0]")
	case len(s.ExcludedContexts) > 0:
		return importer.Never, kind(s.ExcludedContexts[0].ContextKind, at+".excludedContexts[0]")
	}
	x.chain = append(x.chain, key)
	defer func() { x.chain = x.chain[:len(x.chain)-1] }()
	any := importer.Never
	for i := range s.Rules {
		cond, err := x.segmentRule(key, s, i)
		if err != nil {
			return any, err
		}
		any = importer.Any(any, cond)
	}
	included, excluded := importer.In(unit, false, s.Included...).At(at), importer.In(unit, false, s.Excluded...).At(at)
	return importer.Any(included, importer.All(importer.Not(excluded), any)), nil
}

// segmentRule returns the condition that a rule of a segment holds.
func (x *reading) segmentRule(key string, s *segment, i int) (importer.Condition, error) {
	r, at := &s.Rules[i], fmt.Sprintf("segments.%s.rules[%d]", key, i)
	cond, err := x.clauses(r.Clauses, at)
	if err != nil || r.Weight == nil {
		return cond, err
	}
	if r.RolloutContextKind != "" && r.RolloutContextKind != "user" {
		return cond, kind(r.RolloutContextKind, at+".rolloutContextKind")
	}
	by := unit
	if r.BucketBy != "" {
		if by, err = attribute(r.BucketBy, r.RolloutContextKind != "", at+".bucketBy"); err != nil {
			return cond, err
		}
	}
	end := boundary(float32(*r.Weight) / 100000)
	salt := key + "." + s.Salt
	bucket := importer.Bucket(by, hash, salt, 0, 0, end)
	if by == unit {
		return importer.All(cond, bucket), nil
	}
	// What can't be hashed is at position 0, an empty text at its own.
	if end > 0 {
		bucket = importer.Any(bucket,
			importer.Not(importer.Any(importer.HasPosition(by, hash, salt, 0), importer.Empty(by))))
	}
	if emptyPosition(salt) < end {
		bucket = importer.Any(bucket, importer.Empty(by))
	}
	return importer.All(cond, bucket), nil
}
