package split

import (
	"fmt"
	"math"
	"regexp"
	"slices"

	"github.com/serin-flags/serin/ci/importer"
)

type matcherGroup struct {
	Combiner string    `json:"combiner"`
	Matchers []matcher `json:"matchers"`
}

// A matcher tests the key, or an attribute.
type matcher struct {
	Selector   *selector   `json:"keySelector"`
	Type       string      `json:"matcherType"`
	Negate     bool        `json:"negate"`
	Segment    *named      `json:"userDefinedSegmentMatcherData"`
	Whitelist  *whitelist  `json:"whitelistMatcherData"`
	Number     *number     `json:"unaryNumericMatcherData"`
	Between    *between    `json:"betweenMatcherData"`
	Dependency *dependency `json:"dependencyMatcherData"`
	Boolean    *bool       `json:"booleanMatcherData"`
	String     *string     `json:"stringMatcherData"`
	Versions   *versions   `json:"betweenStringMatcherData"`
}

type selector struct {
	Attribute string `json:"attribute"`
}

type named struct {
	Name string `json:"segmentName"`
}

type whitelist struct {
	List []string `json:"whitelist"`
}

type number struct {
	Type  string `json:"dataType"`
	Value int64  `json:"value"`
}

type between struct {
	Type  string `json:"dataType"`
	Start int64  `json:"start"`
	End   int64  `json:"end"`
}

type versions struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

type dependency struct {
	Split      string   `json:"split"`
	Treatments []string `json:"treatments"`
}

// matchers returns the condition that all matchers match.
func (x *reading) matchers(g *matcherGroup, at string) (importer.Condition, error) {
	switch {
	case g.Combiner != "AND" && g.Combiner != "":
		return importer.Never, importer.Refusef(at+".combiner", "unknown combiner %q", g.Combiner)
	case len(g.Matchers) == 0:
		return importer.Never, importer.Refusef(at+".matchers", "there are no matchers")
	}
	all := importer.Always
	for i := range g.Matchers {
		c, err := x.matcher(&g.Matchers[i], fmt.Sprintf("%s.matchers[%d]", at, i))
		if err != nil {
			return c, err
		}
		all = importer.All(all, c)
	}
	return all, nil
}

// matcher returns the condition that a matcher matches. If the attribute is missing it doesn't,
// and its negation does.
func (x *reading) matcher(m *matcher, at string) (importer.Condition, error) {
	name := unit
	if m.Selector != nil && m.Selector.Attribute != "" {
		if name = m.Selector.Attribute; name == unit {
			return importer.Never, importer.Refusef(at+".keySelector.attribute",
				"an attribute can't be called %q here, as the key is", name)
		}
	}
	c, err := x.match(m, name, at)
	if m.Negate {
		c = importer.Not(c.At(at))
	}
	return c.At(at), err
}

func (x *reading) match(m *matcher, name, at string) (importer.Condition, error) {
	switch m.Type {
	case "ALL_KEYS":
		if name == unit {
			return importer.Always, nil
		}
		return importer.All(importer.Exists(name).At(at), importer.Not(importer.Empty(name).At(at))), nil
	case "WHITELIST", "STARTS_WITH", "ENDS_WITH", "CONTAINS_STRING", "CONTAINS_ANY_OF_SET", "CONTAINS_ALL_OF_SET":
		return x.texts(m, name, at)
	case "MATCHES_STRING":
		return expression(m, name, at)
	case "EQUAL_TO", "GREATER_THAN_OR_EQUAL_TO", "LESS_THAN_OR_EQUAL_TO", "BETWEEN":
		return x.order(m, name, at)
	case "EQUAL_TO_BOOLEAN":
		if m.Boolean == nil {
			return importer.Never, importer.Refusef(at+".booleanMatcherData", "it is missing")
		}
		x.flag.Approximate(at, "%q is a boolean here; text with one, such as \"true\", is none", name)
		return importer.Is(name, *m.Boolean), nil
	case "EQUAL_TO_SEMVER", "GREATER_THAN_OR_EQUAL_TO_SEMVER", "LESS_THAN_OR_EQUAL_TO_SEMVER", "BETWEEN_SEMVER",
		"IN_LIST_SEMVER":
		return x.version(m, name, at)
	case "IN_SPLIT_TREATMENT":
		if m.Dependency == nil {
			return importer.Never, importer.Refusef(at+".dependencyMatcherData", "it is missing")
		}
		return x.dependency(m.Dependency.Split, m.Dependency.Treatments, at+".dependencyMatcherData")
	case "IN_RULE_BASED_SEGMENT":
		if m.Segment == nil {
			return importer.Never, importer.Refusef(at+".userDefinedSegmentMatcherData", "it is missing")
		}
		return x.segment(m.Segment.Name, at)
	case "IN_SEGMENT", "IN_LARGE_SEGMENT":
		return importer.Never, importer.Refusef(at, "the members of the segment aren't in the file")
	case "EQUAL_TO_SET", "PART_OF_SET":
		return importer.Never, importer.Refusef(at+".matcherType",
			"%s asks that a list has no other elements, which no condition here does", m.Type)
	}
	return importer.Never, importer.Refusef(at+".matcherType", "unknown matcher %q", m.Type)
}

// texts returns the condition for a matcher with a list of texts.
func (x *reading) texts(m *matcher, name, at string) (importer.Condition, error) {
	if m.Whitelist == nil || slices.Contains(m.Whitelist.List, "") {
		return importer.Never, importer.Refusef(at+".whitelistMatcherData", "the list is missing, or has an empty text")
	}
	list := m.Whitelist.List
	switch m.Type {
	case "WHITELIST":
		return importer.In(name, false, list...), nil
	case "STARTS_WITH":
		return importer.Prefix(name, false, list...), nil
	case "ENDS_WITH":
		return importer.Suffix(name, false, list...), nil
	case "CONTAINS_STRING":
		return importer.Contains(name, false, list...), nil
	case "CONTAINS_ANY_OF_SET":
		return importer.Holds(name, list...), nil
	}
	if len(list) == 0 {
		return importer.Never, importer.Refusef(at+".whitelistMatcherData", "the list is empty")
	}
	all := importer.Always
	for _, text := range list {
		all = importer.All(all, importer.Holds(name, text).At(at))
	}
	return all, nil
}

func expression(m *matcher, name, at string) (importer.Condition, error) {
	if m.String == nil {
		return importer.Never, importer.Refusef(at+".stringMatcherData", "it is missing")
	}
	if _, err := regexp.Compile(*m.String); err != nil || *m.String == "" {
		return importer.Never, importer.Refusef(at+".stringMatcherData",
			"%q isn't in RE2's syntax; Split's SDKs disagree about it", *m.String)
	}
	return importer.All(importer.Not(importer.Empty(name).At(at)), importer.Matches(name, false, *m.String).At(at)), nil
}

// The units that Split rounds times down to, in milliseconds.
const (
	minute = 60_000
	day    = 24 * 60 * minute
)

// floor rounds down to a multiple.
func floor(n, unit int64) int64 { return n - ((n%unit)+unit)%unit }

// order returns the condition for an order of numbers, or of times in milliseconds.
func (x *reading) order(m *matcher, name, at string) (importer.Condition, error) {
	first, last, kind := int64(math.MinInt64), int64(math.MaxInt64), ""
	switch {
	case m.Type == "BETWEEN" && m.Between != nil:
		first, last, kind = m.Between.Start, m.Between.End, m.Between.Type
	case m.Type == "BETWEEN" || m.Number == nil:
		return importer.Never, importer.Refusef(at, "the number to compare with is missing")
	case m.Type == "EQUAL_TO":
		first, last, kind = m.Number.Value, m.Number.Value, m.Number.Type
	case m.Type == "LESS_THAN_OR_EQUAL_TO":
		last, kind = m.Number.Value, m.Number.Type
	default:
		first, kind = m.Number.Value, m.Number.Type
	}
	for _, bound := range []int64{first, last} {
		if bound != math.MinInt64 && bound != math.MaxInt64 && (bound < -1<<53 || bound > 1<<53) {
			return importer.Never, importer.Refusef(at, "%d is beyond 2^53", bound)
		}
	}
	if first > last {
		return importer.Never,
			importer.Refusef(at+".betweenMatcherData", "the range from %d to %d is inverted", first, last)
	}
	switch {
	case kind == "DATETIME" && m.Type == "EQUAL_TO":
		first = floor(first, day)
		last = first + day - 1
	case kind == "DATETIME":
		if first != math.MinInt64 {
			first = floor(first, minute)
		}
		if last != math.MaxInt64 {
			last = floor(last, minute) + minute - 1
		}
	case kind != "NUMBER" && kind != "":
		return importer.Never, importer.Refusef(at, "unknown type of a number %q", kind)
	default:
		x.flag.Approximate(at,
			"%q is compared as a decimal number; some of Split's SDKs cut off fractions, or don't read numbers in text", name)
		return decimals(name, first, last, at), nil
	}
	x.flag.Approximate(at, "%q is Unix time in whole milliseconds here, and not text", name)
	return importer.Range(name, first, last), nil
}

// decimals returns the condition that a number lies in a range.
func decimals(name string, first, last int64, at string) importer.Condition {
	all := importer.Always
	if first != math.MinInt64 {
		all = importer.All(all, importer.Compare(name, ">=", float64(first)).At(at))
	}
	if last != math.MaxInt64 {
		all = importer.All(all, importer.Compare(name, "<=", float64(last)).At(at))
	}
	return all
}

var versionShape = regexp.MustCompile(
	`^(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

// version returns the condition for a matcher of versions.
func (x *reading) version(m *matcher, name, at string) (importer.Condition, error) {
	var values []string
	switch {
	case m.Type == "BETWEEN_SEMVER" && m.Versions != nil:
		values = []string{m.Versions.Start, m.Versions.End}
	case m.Type == "IN_LIST_SEMVER" && m.Whitelist != nil:
		values = m.Whitelist.List
	case m.String != nil && m.Type != "BETWEEN_SEMVER" && m.Type != "IN_LIST_SEMVER":
		values = []string{*m.String}
	}
	if len(values) == 0 {
		return importer.Never, importer.Refusef(at, "the version to compare with is missing")
	}
	for _, v := range values {
		if !versionShape.MatchString(v) {
			return importer.Never,
				importer.Refusef(at, "%q is no full semantic version, or has build metadata, which Split compares", v)
		}
	}
	x.flag.Approximate(at,
		"a %q such as 2.3 counts as 2.3.0 here, one such as 02.3.0 is no version, and build metadata is ignored; Split differs", name)
	switch m.Type {
	case "GREATER_THAN_OR_EQUAL_TO_SEMVER":
		return importer.Semver(name, ">="+values[0]), nil
	case "LESS_THAN_OR_EQUAL_TO_SEMVER":
		return importer.Semver(name, "<="+values[0]), nil
	case "BETWEEN_SEMVER":
		return importer.Semver(name, ">="+values[0]+" <="+values[1]), nil
	}
	any := importer.Never
	for _, v := range values {
		any = importer.Any(any, importer.Semver(name, "="+v).At(at))
	}
	return any, nil
}

// dependency returns the condition that another feature flag serves one of the treatments.
func (x *reading) dependency(name string, treatments []string, at string) (importer.Condition, error) {
	i := x.find(name)
	if i < 0 {
		return importer.Never, importer.Refusef(at, "there is no feature flag %q in the file", name)
	}
	other := &reading{reader: x.reader, f: &x.list[i], flag: new(importer.Flag)}
	if err := other.variants(); err != nil {
		return importer.Never, importer.Refusef(at, "it depends on the flag %q, which isn't carried over", name)
	}
	var names []string
	for _, t := range treatments {
		if n := other.names[t]; n != "" {
			names = append(names, n)
		}
	}
	return importer.Serves(name, names...), nil
}

// maxSegments is how deep rule-based segments may refer to others.
const maxSegments = 10

// segment returns the condition that a user is in a rule-based segment.
func (x *reading) segment(name, place string) (importer.Condition, error) {
	i := slices.IndexFunc(x.segments, func(s segment) bool { return s.Name == name })
	if i < 0 {
		return importer.Never, importer.Refusef(place, "the rule-based segment %q isn't in the file", name)
	}
	s, at := &x.segments[i], fmt.Sprintf("rbs.d[%d]", i)
	if x.depth++; x.depth > maxSegments {
		return importer.Never,
			importer.Refusef(at, "segments refer to others more than %d levels deep, or to themselves", maxSegments)
	}
	defer func() { x.depth-- }()
	if len(s.Excluded.Segments) > 0 {
		return importer.Never,
			importer.Refusef(at+".excluded.segments", "the members of excluded segments aren't in the file")
	}
	any := importer.Never
	for j := range s.Conditions {
		c, err := x.matchers(&s.Conditions[j].Matchers, fmt.Sprintf("%s.conditions[%d].matcherGroup", at, j))
		if err != nil {
			return any, err
		}
		any = importer.Any(any, c)
	}
	return importer.All(importer.Not(importer.In(unit, false, s.Excluded.Keys...).At(at)), any), nil
}
