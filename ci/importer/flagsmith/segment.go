package flagsmith

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/serin-flags/serin/ci/importer"
)

// A rule holds if its conditions and its rules do, as its type says: ALL, ANY or NONE of them.
type rule struct {
	Type       string      `json:"type"`
	Conditions []condition `json:"conditions"`
	Rules      []rule      `json:"rules"`
}

// A condition compares a property with a value: a trait, or a path into the context.
type condition struct {
	Operator string          `json:"operator"`
	Property string          `json:"property_"`
	Value    json.RawMessage `json:"value"`
}

// An inSegment is the condition that an identity is in a segment.
type inSegment struct {
	when  importer.Condition
	notes []importer.Note
	err   error
}

// segment returns the condition that an identity is in the segment with that index.
func (r *reader) segment(i int) (inSegment, error) {
	if s, ok := r.segments[i]; ok {
		return s, s.err
	}
	x := &segmentReading{reader: r, segment: &r.Project.Segments[i]}
	at := fmt.Sprintf("project.segments[%d].rules", i)
	when, empty, err := x.rules(x.segment.Rules, at)
	switch {
	case len(x.segment.Rules) == 0:
		when = importer.Never
	case empty: // nobody without an identity is in a segment
		when = importer.All(importer.Exists(unit).At(at), when)
	}
	r.segments[i] = inSegment{when, x.notes, err}
	return r.segments[i], err
}

// A segmentReading is a segment while its rules are read.
type segmentReading struct {
	*reader
	segment *segment
	notes   []importer.Note
}

// approximate notes that some contexts may be answered differently than before.
func (x *segmentReading) approximate(at, format string, args ...any) {
	x.notes = append(x.notes, importer.Note{Place: at, Reason: fmt.Sprintf(format, args...), Approximate: true})
}

// rule returns the condition for a rule, and whether it holds without any attributes.
func (x *segmentReading) rule(r *rule, at string) (c importer.Condition, empty bool, err error) {
	switch {
	case r.Type != "ALL" && r.Type != "ANY" && r.Type != "NONE":
		return c, false, importer.Refusef(at+".type", "unknown type of a rule %q", r.Type)
	case r.Type == "NONE" && len(r.Rules) > 0, r.Type == "ANY" && len(r.Rules) > 1:
		return c, false, importer.Refusef(at+".rules",
			"Flagsmith's SDKs disagree about rules below a rule of the type %s", r.Type)
	}
	list := make([]importer.Condition, len(r.Conditions))
	allEmpty, anyEmpty := true, false
	for i := range r.Conditions {
		place := fmt.Sprintf("%s.conditions[%d]", at, i)
		if list[i], err = x.condition(&r.Conditions[i], place); err != nil {
			return c, false, err
		}
		empty := r.Conditions[i].Operator == "IS_NOT_SET"
		allEmpty, anyEmpty = allEmpty && empty, anyEmpty || empty
	}
	switch {
	case len(r.Conditions) == 0 || r.Type == "ALL":
		c, empty = importer.All(list...), allEmpty
	case r.Type == "ANY":
		c, empty = importer.Any(list...), anyEmpty
	default:
		c, empty = importer.Not(importer.Any(list...)), !anyEmpty
	}
	below, belowEmpty, err := x.rules(r.Rules, at+".rules")
	return importer.All(c, below), empty && belowEmpty, err
}

// rules returns the condition for all of the rules, and whether it holds without any attributes.
func (x *segmentReading) rules(list []rule, at string) (all importer.Condition, empty bool, err error) {
	conditions := make([]importer.Condition, len(list))
	empty = true
	for i := range list {
		c, without, err := x.rule(&list[i], fmt.Sprintf("%s[%d]", at, i))
		if err != nil {
			return c, false, err
		}
		conditions[i], empty = c, empty && without
	}
	return importer.All(conditions...), empty, nil
}

var traitPath = regexp.MustCompile(`^\$\.identity\.traits(?:\.([^.[\]*]+)|\['([^']+)'\]|\["([^"]+)"\])$`)

// The paths of the identity itself.
const (
	identifierPath = "$.identity.identifier"
	keyPath        = "$.identity.key"
)

// attribute returns the attribute that a property is here.
func attribute(property, at string) (string, error) {
	at += ".property_"
	switch path := traitPath.FindStringSubmatch(property); {
	case property == identifierPath:
		return unit, nil
	case path != nil:
		property = path[1] + path[2] + path[3]
	case strings.HasPrefix(property, "$."):
		return "", importer.Refusef(at, "%q is neither the identifier nor a trait", property)
	case property == "":
		return "", importer.Refusef(at, "the property is missing")
	}
	if property == unit {
		return "", importer.Refusef(at, "a trait can't be called %q here, as the identity's identifier is", property)
	}
	return property, nil
}

// textual returns the traits that conditions compare with texts that aren't integers.
func (r *reader) textual() map[string]bool {
	traits := map[string]bool{unit: true}
	var visit func(list []rule)
	visit = func(list []rule) {
		for i := range list {
			for _, c := range list[i].Conditions {
				name, err := attribute(c.Property, "")
				if err != nil {
					continue
				}
				text, _ := c.text()
				switch c.Operator {
				case "CONTAINS", "NOT_CONTAINS", "REGEX":
					traits[name] = true
				case "EQUAL", "NOT_EQUAL":
					traits[name] = traits[name] || isText(text)
				case "IN":
					items, err := c.items("")
					traits[name] = traits[name] || err == nil && len(integers(items)) < len(items)
				}
			}
			visit(list[i].Rules)
		}
	}
	for i := range r.Project.Segments {
		visit(r.Project.Segments[i].Rules)
	}
	return traits
}
