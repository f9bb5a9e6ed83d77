package gofeatureflag

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/serin-flags/serin/ci/importer"
)

// A reader reads one flag.
type reader struct {
	f    *flag
	key  string
	flag *importer.Flag
	by   string // the attribute that users are divided by
	// values are those of all variations, also those that steps add.
	values map[string]json.RawMessage
}

func (r *reader) read() error {
	switch {
	case r.f.Variations == nil:
		return importer.Refusef(r.key+".variations",
			"there are no variations; flags in the format before version 1.0 aren't read")
	case r.f.DefaultRule == nil:
		return importer.Refusef(r.key+".defaultRule", "there is no default rule")
	}
	if err := r.variations(); err != nil {
		return err
	}
	if err := r.bucketingKey(); err != nil {
		return err
	}
	r.describe()
	phases, err := r.phases()
	if err != nil {
		return err
	}
	if err := r.defaults(phases); err != nil {
		return err
	}
	for i := range phases {
		if err := r.phase(&phases[i], len(phases) == 1); err != nil {
			return err
		}
	}
	return nil
}

// variations reads all variations, also those that steps add.
func (r *reader) variations() error {
	r.values = make(map[string]json.RawMessage)
	add := func(list map[string]any, place string) error {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			at := place + "." + name
			value, err := valueOf(list[name], at)
			if err != nil {
				return err
			}
			if was := r.values[name]; was != nil && string(was) != string(value) {
				return importer.Refusef(at,
					"the step changes the value of the variation, and a variant here has one value")
			}
			r.values[name] = value
		}
		return nil
	}
	if err := add(r.f.Variations, r.key+".variations"); err != nil {
		return err
	}
	for i, s := range r.f.Scheduled {
		if err := add(s.Variations, fmt.Sprintf("%s.scheduledRollout[%d].variations", r.key, i)); err != nil {
			return err
		}
	}
	names := slices.Sorted(maps.Keys(r.values))
	list := make([]json.RawMessage, len(names))
	for i, name := range names {
		list[i] = r.values[name]
	}
	typ, variants, err := importer.Values(list, r.key+".variations")
	if err != nil {
		return err
	}
	for i := range variants {
		variants[i].Name = names[i]
	}
	r.flag.Type, r.flag.Variants = typ, variants
	return nil
}

// bucketingKey reads what users are divided by.
func (r *reader) bucketingKey() error {
	r.by = unit
	if r.f.BucketingKey == nil || *r.f.BucketingKey == "" {
		return nil
	}
	r.by = *r.f.BucketingKey
	place := r.key + ".bucketingKey"
	if r.by == unit || r.by == targetingKey {
		return importer.Refusef(place, "an attribute called %q is the targeting key here", r.by)
	}
	r.flag.Approximate(place,
		"without %q, or if it isn't text, GO Feature Flag answers with an error and the program's default; "+
			"here the rules that divide users don't match", r.by)
	return nil
}

// describe carries over what doesn't decide anything, or notes that it is left out.
func (r *reader) describe() {
	for _, name := range slices.Sorted(maps.Keys(r.f.Metadata)) {
		if text, ok := r.f.Metadata[name].(string); ok && name == "description" {
			r.flag.Description = text
			continue
		}
		r.flag.Note(r.key+".metadata", "the metadata aren't carried over, except a description")
	}
	if r.f.TrackEvents != nil && !*r.f.TrackEvents {
		r.flag.Note(r.key+".trackEvents",
			"evaluations of the flag aren't exported there; what is exported here is up to the program")
	}
	if r.f.Version != nil {
		r.flag.Note(r.key+".version", "the version isn't carried over; versions are those of the folder")
	}
}

// A state is what the flag is from one date to the next.
type state struct {
	since, until *time.Time // nil: ever
	rules        []placedRule
	fallback     placedRule
}

// A placedRule is a rule and where it stands.
type placedRule struct {
	rule
	at string
}

// window returns the condition that it is the time of the state.
func (s *state) window() importer.Condition {
	during := importer.Always
	if s.since != nil {
		during = importer.After(s.since.UTC().Format(time.RFC3339))
	}
	if s.until != nil {
		during = importer.All(during, importer.Before(s.until.UTC().Format(time.RFC3339)))
	}
	return during
}

// defaults sets the flag's default variant: what shares that grow leave to others or else, for
// a default rule that divides users, the variation that is false or the last.
func (r *reader) defaults(phases []state) error {
	for i := range phases {
		for _, rule := range append(slices.Clone(phases[i].rules), phases[i].fallback) {
			if rule.Progressive == nil || rule.Progressive.Initial == nil || rule.Progressive.Initial.Variation == nil {
				continue
			}
			rest := *rule.Progressive.Initial.Variation
			if r.flag.Default != "" && r.flag.Default != rest {
				return importer.Refusef(rule.at+".progressiveRollout.initial.variation",
					"two progressive rollouts start from "+
						"different variations, %q and %q; here the rest of all of them is the flag's default",
					r.flag.Default, rest)
			}
			r.flag.Default = rest
		}
	}
	last := &phases[len(phases)-1].fallback
	switch {
	case r.flag.Default != "":
	case len(last.Percentage) == 0 && last.Variation != nil:
		r.flag.Default = *last.Variation
	default:
		r.flag.Default = r.flag.Variants[0].Name
		for _, v := range r.flag.Variants {
			if v.Value == "false" {
				r.flag.Default = v.Name
			}
		}
	}
	if r.values[r.flag.Default] == nil {
		return importer.Refusef(last.at+".variation", "there is no variation %q", r.flag.Default)
	}
	return nil
}

// phase adds the rules of a state.
func (r *reader) phase(s *state, only bool) error {
	during := s.window()
	for i, rule := range s.rules {
		if rule.Disable != nil && *rule.Disable {
			r.flag.Note(rule.at+".disable", "the rule is disabled, so it isn't carried over")
			continue
		}
		when, err := r.query(rule)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("rule %d", i+1)
		if rule.Name != nil && *rule.Name != "" {
			name = *rule.Name
		}
		if err := r.serve(rule, importer.All(during, when), name); err != nil {
			return err
		}
	}
	plain := s.fallback.Progressive == nil && len(s.fallback.Percentage) == 0
	if only && plain && s.fallback.Variation != nil && *s.fallback.Variation == r.flag.Default {
		return nil
	}
	return r.serve(s.fallback, during, "default rule")
}

// serve adds the rules for what a rule serves where when holds.
func (r *reader) serve(rule placedRule, when importer.Condition, name string) error {
	switch {
	case when.IsNever():
		return nil
	case rule.Progressive != nil:
		return r.grow(rule, when, name)
	case rule.Percentage != nil:
		return r.divide(rule, when, name)
	case rule.Variation == nil:
		return importer.Refusef(rule.at, "the rule has neither a variation, nor percentages, nor a progressive rollout")
	case r.values[*rule.Variation] == nil:
		return importer.Refusef(rule.at+".variation", "there is no variation %q", *rule.Variation)
	}
	r.flag.Rules = append(r.flag.Rules, importer.Rule{Name: name, When: when, Serve: *rule.Variation})
	return nil
}
