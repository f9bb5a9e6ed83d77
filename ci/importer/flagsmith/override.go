package flagsmith

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/importer"
)

// An override is the state of a feature for a segment or for identities.
type override struct {
	*state
	at       string
	segment  int // its index; -1: the identity
	identity int
}

// priority returns the override's priority, where lower is stronger, and whether it has one.
func (o override) priority() (priority int64, ok bool) {
	if o.Segment == nil || o.Segment.Priority == nil {
		return 0, false
	}
	return *o.Segment.Priority, true
}

// collect finds the overrides of each feature: those of identities, and those of segments, the
// strongest first.
func (r *reader) collect() {
	add := func(o override) { r.overrides[o.Feature.Name] = append(r.overrides[o.Feature.Name], o) }
	for i := range r.Identities {
		for j := range r.Identities[i].Overrides {
			at := fmt.Sprintf("identity_overrides[%d].identity_features[%d]", i, j)
			add(override{&r.Identities[i].Overrides[j], at, -1, i})
		}
	}
	for i := range r.Project.Segments {
		for j := range r.Project.Segments[i].Overrides {
			at := fmt.Sprintf("project.segments[%d].feature_states[%d]", i, j)
			add(override{&r.Project.Segments[i].Overrides[j], at, i, -1})
		}
	}
	for _, list := range r.overrides {
		slices.SortStableFunc(list, compareOverrides)
	}
	for i := len(r.Features) - 1; i >= 0; i-- {
		r.first[r.Features[i].Feature.Name] = i
	}
	r.asText = r.textual()
}

func compareOverrides(a, b override) int {
	x, first := a.priority()
	y, second := b.priority()
	switch {
	case a.segment < 0 || b.segment < 0:
		return min(a.segment, 0) - min(b.segment, 0)
	case first && second && x < y, first && !second:
		return -1
	case first && second && x == y, !first && !second:
		return 0
	}
	return 1
}

// identities adds the rules for single identities, one for all of those that get the same.
func (x *reading) identities() error {
	seen := make(map[string]bool)
	enabled, served := make(map[string][]string), make(map[string][]string)
	for _, s := range x.states[1:] {
		if s.segment >= 0 {
			break
		}
		id, at := x.Identities[s.identity].Identifier, fmt.Sprintf("identity_overrides[%d].identifier", s.identity)
		switch {
		case id == "" || strings.Contains(id, ",") || id[0] == '[':
			return importer.Refusef(at,
				"%q is empty, has a comma, or starts with a bracket, so that Flagsmith's SDKs don't find it", id)
		case seen[id]:
			return importer.Refusef(at, "there is another override for the identity %q", id)
		}
		seen[id] = true
		enabled[onOff(s.Enabled)] = append(enabled[onOff(s.Enabled)], id)
		if !x.valued {
			continue
		}
		split, err := x.split(s)
		switch {
		case err != nil:
			return err
		case len(split.Ends) == 1:
			served[split.Ends[0].Variant] = append(served[split.Ends[0].Variant], id)
			continue
		}
		when := importer.In(unit, false, id).At(at)
		x.flag.Rules = append(x.flag.Rules, importer.Rule{Name: "identity", When: when, Split: split})
	}
	x.flag.Rules = append(x.flag.Rules, identityRules(served)...)
	x.enabled.Rules = identityRules(enabled)
	return nil
}

// identityRules returns a rule for each variant and those identities that get it.
func identityRules(served map[string][]string) []importer.Rule {
	var rules []importer.Rule
	for _, name := range slices.Sorted(maps.Keys(served)) {
		when := importer.In(unit, false, served[name]...).At("identity_overrides")
		rules = append(rules, importer.Rule{Name: "identities: " + name, When: when, Serve: name})
	}
	return rules
}

// overridden adds the rules for segments.
func (x *reading) overridden() error {
	last := override{segment: -1}
	for _, s := range x.states[1:] {
		if s.segment < 0 {
			continue
		}
		if last.segment >= 0 && compareOverrides(last, s) == 0 {
			return importer.Refusef(s.at+".feature_segment",
				"another segment's override has the same priority; Flagsmith's SDKs disagree which one counts")
		}
		last = s
		in, err := x.segment(s.segment)
		if err != nil {
			return err
		}
		rule := importer.Rule{Name: x.Project.Segments[s.segment].Name, When: in.when}
		if x.valued {
			x.flag.Notes = append(x.flag.Notes, in.notes...)
			if err := x.serve(rule, s); err != nil {
				return err
			}
		}
		rule.Serve = onOff(s.Enabled)
		x.enabled.Notes = append(x.enabled.Notes, in.notes...)
		x.enabled.Rules = append(x.enabled.Rules, rule)
	}
	return nil
}
