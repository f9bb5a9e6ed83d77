package main

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/launchdarkly/go-sdk-common/v3/ldattr"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
)

// A condition is what a rule demands: in a flag file, as LaunchDarkly's clauses, and as
// a function that is obviously right.
type condition struct {
	file     map[string]any
	clauses  []ldmodel.Clause // all must hold; nil: LaunchDarkly can't say it
	segments []ldmodel.Segment
	holds    func(*person) bool
}

func values[T any](list []T, value func(T) ldvalue.Value) []ldvalue.Value {
	made := make([]ldvalue.Value, len(list))
	for i, v := range list {
		made[i] = value(v)
	}
	return made
}

// clause returns a comparison that both systems have.
func clause(attribute string, file any, op ldmodel.Operator, to []ldvalue.Value, holds func(any) bool) condition {
	return condition{
		file:    map[string]any{attribute: file},
		clauses: []ldmodel.Clause{ldbuilders.Clause(attribute, op, to...)},
		holds:   func(p *person) bool { return holds(p.get(attribute)) },
	}
}

// own returns a comparison that only Serin has.
func own(attribute string, file any, holds func(any) bool) condition {
	c := clause(attribute, file, ldmodel.OperatorIn, nil, holds)
	c.clauses = nil
	return c
}

// text makes a test of text one of values. Other values don't pass it.
func text(test func(string) bool) func(any) bool {
	return func(v any) bool { s, ok := v.(string); return ok && test(s) }
}

// oneOf demands one of texts, which are sorted.
func oneOf(attribute string, texts ...string) condition {
	c := clause(attribute, texts, ldmodel.OperatorIn, values(texts, ldvalue.String), text(func(s string) bool {
		_, found := slices.BinarySearch(texts, s)
		return found
	}))
	if attribute == "user" {
		c.clauses[0].Attribute = ldattr.NewLiteralRef("key")
	}
	return c
}

func anyTag(attribute string, texts ...string) condition {
	return clause(attribute, map[string]any{"any": texts}, ldmodel.OperatorIn, values(texts, ldvalue.String),
		func(v any) bool {
			list, ok := v.([]string)
			return ok && slices.ContainsFunc(list, func(s string) bool { return slices.Contains(texts, s) })
		})
}

// textOp returns a comparison of text with one of several.
func textOp(attribute, name string, op ldmodel.Operator, test func(s, part string) bool, texts ...string) condition {
	return clause(attribute, map[string]any{name: texts}, op, values(texts, ldvalue.String),
		text(func(s string) bool {
			return slices.ContainsFunc(texts, func(part string) bool { return test(s, part) })
		}))
}

func prefix(attribute string, texts ...string) condition {
	return textOp(attribute, "prefix", ldmodel.OperatorStartsWith, strings.HasPrefix, texts...)
}

func suffix(attribute string, texts ...string) condition {
	return textOp(attribute, "suffix", ldmodel.OperatorEndsWith, strings.HasSuffix, texts...)
}

func contains(attribute string, texts ...string) condition {
	return textOp(attribute, "contains", ldmodel.OperatorContains, strings.Contains, texts...)
}

func matches(attribute, expression string) condition {
	re := regexp.MustCompile(expression)
	return clause(attribute, map[string]any{"matches": expression}, ldmodel.OperatorMatches,
		[]ldvalue.Value{ldvalue.String(expression)}, text(re.MatchString))
}

func folded(attribute string, texts ...string) condition {
	return own(attribute, map[string]any{"in": texts, "fold": true}, text(func(s string) bool {
		return slices.ContainsFunc(texts, func(t string) bool { return strings.EqualFold(s, t) })
	}))
}

func atLeast(attribute string, limit int) condition {
	return clause(attribute, map[string]any{"gte": limit}, ldmodel.OperatorGreaterThanOrEqual,
		[]ldvalue.Value{ldvalue.Int(limit)}, func(v any) bool { n, ok := v.(int); return ok && n >= limit })
}

func remainder(attribute string, mod int, of ...int) condition {
	return own(attribute, map[string]any{"mod": mod, "in": of}, func(v any) bool {
		n, ok := v.(int)
		return ok && slices.Contains(of, n%mod)
	})
}

// fromVersion demands a version that isn't below that with the build.
func fromVersion(attribute string, build int) condition {
	c := own(attribute, map[string]any{"semver": ">=" + version(build)},
		text(func(s string) bool { return buildOf(s) >= build }))
	// There is no "at least".
	c.clauses = []ldmodel.Clause{
		ldbuilders.Negate(ldbuilders.Clause(attribute, ldmodel.OperatorSemVerLessThan, ldvalue.String(version(build)))),
	}
	return c
}

// version returns the version with a build, which is below 1,000,000.
func version(build int) string {
	return fmt.Sprintf("%d.%d.%d", build/10_000, build/100%100, build%100)
}

// buildOf returns the build of a version.
func buildOf(version string) int {
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil {
		panic(err) // only [version] makes them
	}
	return major*10_000 + minor*100 + patch
}

func inNetworks(attribute string, networks ...string) condition {
	return own(attribute, map[string]any{"cidr": networks}, text(func(s string) bool {
		address := netip.MustParseAddr(s)
		return slices.ContainsFunc(networks, func(n string) bool { return netip.MustParsePrefix(n).Contains(address) })
	}))
}

func between(attribute, from, to string) condition {
	first, last := netip.MustParseAddr(from), netip.MustParseAddr(to)
	return own(attribute, map[string]any{"from": from, "to": to}, text(func(s string) bool {
		address := netip.MustParseAddr(s)
		return !address.Less(first) && !last.Less(address)
	}))
}

// daily demands an hour of the day, in UTC, from the first to before the second.
func daily(from, to int) condition {
	file := map[string]any{"from": fmt.Sprintf("%02d:00", from), "to": fmt.Sprintf("%02d:00", to)}
	return condition{
		file: map[string]any{"now": file},
		holds: func(p *person) bool {
			hour := int(p.now % 86_400 / 3600)
			return from <= hour && hour < to
		},
	}
}

func always() condition {
	return condition{clauses: []ldmodel.Clause{}, holds: func(*person) bool { return true }}
}

func all(of ...condition) condition {
	c := condition{clauses: []ldmodel.Clause{}}
	var files []any
	for _, part := range of {
		files = append(files, part.file)
		c.add(part)
	}
	c.file = map[string]any{"all": files}
	c.holds = func(p *person) bool {
		return !slices.ContainsFunc(of, func(part condition) bool { return !part.holds(p) })
	}
	return c
}

// add adds clauses and segments, or none if LaunchDarkly can't say them.
func (c *condition) add(part condition) {
	c.segments = append(c.segments, part.segments...)
	if part.clauses == nil {
		c.clauses = nil
	}
	if c.clauses != nil {
		c.clauses = append(c.clauses, part.clauses...)
	}
}

// either is any of conditions. LaunchDarkly's rules have no such thing, but its segments
// do: so it is a segment, which has the name.
func either(name string, of ...condition) condition {
	c := condition{}
	var files []any
	b := ldbuilders.NewSegmentBuilder(name).Version(1)
	known := true
	for _, part := range of {
		files = append(files, part.file)
		c.segments = append(c.segments, part.segments...)
		known = known && part.clauses != nil
		b.AddRule(ldbuilders.NewSegmentRuleBuilder().Clauses(part.clauses...))
	}
	c.file = map[string]any{"any": files}
	if known {
		c.segments = append(c.segments, b.Build())
		c.clauses = []ldmodel.Clause{ldbuilders.SegmentMatchClause(name)}
	}
	c.holds = func(p *person) bool {
		return slices.ContainsFunc(of, func(part condition) bool { return part.holds(p) })
	}
	return c
}

// not negates a condition that is one clause.
func not(of condition) condition {
	c := condition{
		file:     map[string]any{"not": of.file},
		segments: of.segments,
		holds:    func(p *person) bool { return !of.holds(p) },
	}
	if len(of.clauses) == 1 {
		c.clauses = []ldmodel.Clause{of.clauses[0]}
		c.clauses[0].Negate = !c.clauses[0].Negate
	}
	return c
}

// member demands that the id is a member of a segment.
func member(name string, s segment) condition {
	b := ldbuilders.NewSegmentBuilder(name).Version(1).Included(s.include...).Salt(name)
	c := condition{
		file:    map[string]any{"user": map[string]any{"segment": name}},
		clauses: []ldmodel.Clause{ldbuilders.SegmentMatchClause(name)},
		holds: func(p *person) bool {
			return slices.Contains(s.include, p.id) || s.when != nil && s.when.holds(p)
		},
	}
	if s.when != nil {
		b.AddRule(ldbuilders.NewSegmentRuleBuilder().Clauses(s.when.clauses...))
		c.segments = slices.Clone(s.when.segments)
	}
	c.segments = append(c.segments, b.Build())
	return c
}

// requiring adds to the file of a condition that another flag serves "r0".
func requiring(key string, file map[string]any) map[string]any {
	file = maps.Clone(file)
	if file == nil {
		file = make(map[string]any)
	}
	file["flag"] = map[string]any{key: served(0)}
	return file
}
