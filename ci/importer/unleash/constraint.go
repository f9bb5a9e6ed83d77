package unleash

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/importer"
)

// constraints returns the condition that all constraints of the strategy and of its segments
// hold.
func (r *reader) constraints(flag *importer.Flag, s *strategy) (importer.Condition, error) {
	all := importer.Always
	for i, c := range s.Constraints {
		cond, err := c.condition(flag, fmt.Sprintf("%s.constraints[%d]", s.at, i))
		if err != nil {
			return all, err
		}
		all = importer.All(all, cond)
	}
	for i, id := range s.Segments {
		cond, err := r.segment(flag, id, fmt.Sprintf("%s.segments[%d]", s.at, i))
		if err != nil {
			return all, err
		}
		all = importer.All(all, cond)
	}
	return all, nil
}

// segment returns the condition that the constraints of a segment hold. A segment that is a
// list of an attribute's values stays one.
func (r *reader) segment(flag *importer.Flag, id int64, place string) (importer.Condition, error) {
	s := r.segments[id]
	if s == nil {
		flag.Note(place, "there is no segment %d, so the strategy is off", id)
		return importer.Never, nil
	}
	if s.Constraints == nil {
		return importer.Never, importer.Refusef(place,
			"the file has only the name of segment %q; import what clients get (/api/client/features) instead", s.Name)
	}
	all := importer.Always
	for i, c := range *s.Constraints {
		cond, err := c.condition(flag, fmt.Sprintf("segments (id %d).constraints[%d]", id, i))
		if err != nil {
			return all, err
		}
		all = importer.All(all, cond)
	}
	list := *s.Constraints
	if len(list) == 1 && list[0].Operator == "IN" && !list[0].Inverted && len(list[0].Values) > 0 {
		return importer.InSegment(list[0].ContextName, r.named(s, list[0].Values)).At(place), nil
	}
	return all, nil
}

// named returns the name of a segment of the folder, and adds it if it isn't there.
func (r *reader) named(s *segment, values []string) string {
	name := importer.NamespaceOf(s.Name)
	if s.Name == "" || name == "default" {
		name = fmt.Sprintf("segment-%d", s.ID)
	}
	for i, other := range r.out.Segments {
		if other.Name == name && slices.Equal(r.out.Segments[i].Include, values) {
			return name
		}
		if other.Name == name {
			name = fmt.Sprintf("%s-%d", name, s.ID)
		}
	}
	r.out.Segments = append(r.out.Segments, &importer.Segment{Name: name, Description: s.Name, Include: values})
	return name
}

// condition returns what a constraint says. A missing attribute makes it false, and true if it
// is inverted, as plain negation does here too.
func (c *constraint) condition(flag *importer.Flag, place string) (importer.Condition, error) {
	cond, err := c.compare(flag, place)
	if err != nil {
		return cond, err
	}
	cond = cond.At(place)
	if c.Inverted {
		cond = importer.Not(cond)
	}
	return cond, nil
}

func (c *constraint) compare(flag *importer.Flag, place string) (importer.Condition, error) {
	for i, v := range c.Values {
		if strings.TrimSpace(v) != v || v == "" {
			return importer.Never, importer.Refusef(fmt.Sprintf("%s.values[%d]", place, i),
				"the value %q is empty or has white space around it; clients disagree about it", v)
		}
	}
	fold := c.CaseInsensitive
	switch c.Operator {
	case "IN", "NOT_IN":
		if fold {
			return importer.Never,
				importer.Refusef(place+".caseInsensitive", "clients disagree about %s ignoring case", c.Operator)
		}
		in := importer.In(c.ContextName, false, c.Values...).At(place)
		if c.Operator == "NOT_IN" {
			in = importer.Not(in)
		}
		return in, nil
	case "STR_STARTS_WITH":
		return importer.Prefix(c.ContextName, fold, c.Values...), nil
	case "STR_ENDS_WITH":
		return importer.Suffix(c.ContextName, fold, c.Values...), nil
	case "STR_CONTAINS":
		return importer.Contains(c.ContextName, fold, c.Values...), nil
	case "REGEX":
		return c.matches(flag, place)
	case "IN_CIDR":
		return networks(flag, c.ContextName, c.Values, place+".values")
	case "DATE_AFTER", "DATE_BEFORE":
		return c.date(flag, place)
	}
	if op, ok := strings.CutPrefix(c.Operator, "NUM_"); ok {
		return c.number(flag, op, place)
	}
	if op, ok := strings.CutPrefix(c.Operator, "SEMVER_"); ok {
		return c.version(flag, op, place)
	}
	return importer.Never, unknown(c.Operator, place)
}

func unknown(operator, place string) error {
	return importer.Refusef(place+".operator", "unknown operator %q", operator)
}

// matches returns the condition for a regular expression. One that clients can't compile
// matches nothing.
func (c *constraint) matches(flag *importer.Flag, place string) (importer.Condition, error) {
	if _, err := regexp.Compile(string(c.Value)); err != nil {
		flag.Note(place+".value", "the regular expression is invalid, so it matches nothing")
		return importer.Never, nil
	}
	return importer.Matches(c.ContextName, c.CaseInsensitive, string(c.Value)), nil
}

// date returns the condition for a time. Here, times are compared to the second.
func (c *constraint) date(flag *importer.Flag, place string) (importer.Condition, error) {
	if c.ContextName != "currentTime" && c.ContextName != "" {
		return importer.Never, importer.Refusef(place+".contextName",
			"dates are compared with the current time only, not with %q", c.ContextName)
	}
	t, err := time.Parse(time.RFC3339Nano, string(c.Value))
	if err != nil {
		return importer.Never, importer.Refusef(place+".value", "%q is no time such as 2026-12-01T09:00:00Z", c.Value)
	}
	up := t.Truncate(time.Second)
	if !up.Equal(t) {
		up = up.Add(time.Second)
	}
	flag.Approximate(place,
		"it is compared with the clock, to the second: a currentTime that a program puts into the context doesn't count")
	if c.Operator == "DATE_BEFORE" {
		return importer.Before(up.UTC().Format(time.RFC3339)), nil
	}
	if up.Equal(t) {
		up = up.Add(time.Second) // after means later, here from then on
	}
	return importer.After(up.UTC().Format(time.RFC3339)), nil
}

// number returns the condition for a number, which Unleash's clients have as text.
func (c *constraint) number(flag *importer.Flag, op, place string) (importer.Condition, error) {
	n, ok := importer.ParseNumber(strings.TrimSpace(string(c.Value)))
	if !ok {
		return importer.Never,
			importer.Refusef(place+".value", "%q is no decimal number of at most 30 characters", c.Value)
	}
	flag.Approximate(place,
		"a %q that isn't written as a plain decimal number, such as 0x10, +5 or \" 12\", may be no number here",
		c.ContextName)
	sign, ok := map[string]string{"EQ": "=", "GT": ">", "GTE": ">=", "LT": "<", "LTE": "<="}[op]
	if !ok {
		return importer.Condition{}, unknown(c.Operator, place)
	}
	return importer.CompareText(c.ContextName, sign, n), nil
}

var fullVersion = regexp.MustCompile(
	`^(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

// version returns the condition for a version.
func (c *constraint) version(flag *importer.Flag, op, place string) (importer.Condition, error) {
	sign, ok := map[string]string{"EQ": "=", "GT": ">", "GTE": ">=", "LT": "<", "LTE": "<="}[op]
	if !ok {
		return importer.Never, unknown(c.Operator, place)
	}
	if !fullVersion.MatchString(string(c.Value)) {
		return importer.Never,
			importer.Refusef(place+".value", "%q is no semantic version; clients disagree about it", c.Value)
	}
	flag.Approximate(place,
		"a version without minor or patch number, such as 2.3, counts as 2.3.0 here; for Unleash it is none")
	return importer.Semver(c.ContextName, sign+string(c.Value)), nil
}

// networks returns the condition that an attribute is in one of the networks or is one of the
// addresses. Others match nothing, as in clients.
func networks(flag *importer.Flag, attribute string, list []string, place string) (importer.Condition, error) {
	var nets []string
	for _, text := range list {
		if octal.MatchString(text) {
			return importer.Never,
				importer.Refusef(place, "%q has a number with a leading zero, which some clients read as octal", text)
		}
		if !strings.Contains(text, "/") {
			if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
				nets = append(nets, netip.PrefixFrom(a, a.BitLen()).String())
				continue
			}
		} else if p, err := netip.ParsePrefix(text); err == nil {
			nets = append(nets, p.Masked().String())
			continue
		}
		flag.Note(place, "%q is neither an address nor a network, and matches nothing", text)
	}
	return importer.CIDR(attribute, nets...).At(place), nil
}

var octal = regexp.MustCompile(`^([0-9]+\.)*0[0-9]`)
