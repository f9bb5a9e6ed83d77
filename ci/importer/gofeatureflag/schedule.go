package gofeatureflag

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/serin-flags/serin/ci/importer"
)

// notServed is why flags that serve nothing are refused.
const notServed = "GO Feature Flag serves the default in the program's code"

// phases returns what the flag is before the first step, and after each.
func (r *reader) phases() ([]state, error) {
	var dates []time.Time
	for i, s := range r.f.Scheduled {
		place := fmt.Sprintf("%s.scheduledRollout[%d]", r.key, i)
		if s.Date == nil {
			r.flag.Note(place, "the step has no date, so it never counts")
			continue
		}
		dates = append(dates, r.second(*s.Date, place+".date"))
	}
	slices.SortFunc(dates, time.Time.Compare)
	dates = slices.CompactFunc(dates, time.Time.Equal)
	list := make([]state, len(dates)+1)
	for i := range list {
		s := &list[i]
		if i > 0 {
			s.since = &dates[i-1]
		}
		if i < len(dates) {
			s.until = &dates[i]
		}
		if err := r.at(s); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// second returns the first whole second that isn't before t.
func (r *reader) second(t time.Time, place string) time.Time {
	up := t.Truncate(time.Second)
	if up.Equal(t) {
		return up
	}
	r.flag.Approximate(place, "times are whole seconds here, so it counts up to a second later")
	return up.Add(time.Second)
}

// at sets what the flag is from s.since on: the steps until then are applied in their order.
func (r *reader) at(s *state) error {
	for i, rule := range r.f.Targeting {
		at := fmt.Sprintf("%s.targeting[%d]", r.key, i)
		if rule.Query == nil || trim(*rule.Query) == "" {
			return importer.Refusef(at+".query", "each rule has a query")
		}
		s.rules = append(s.rules, placedRule{rule.clone(), at})
	}
	s.fallback = placedRule{r.f.DefaultRule.clone(), r.key + ".defaultRule"}
	disabled, experiment := r.f.Disable, r.f.Experimentation
	disabledAt, experimentAt, added := r.key+".disable", r.key+".experimentation", ""
	for i, step := range r.f.Scheduled {
		if step.Date == nil || s.since == nil || step.Date.After(*s.since) {
			continue
		}
		place := fmt.Sprintf("%s.scheduledRollout[%d]", r.key, i)
		if added != "" {
			return importer.Refusef(added,
				"the step adds a rule, and another step follows; versions of GO Feature Flag disagree whether the rule is still there then")
		}
		added = s.merge(step.Targeting, place+".targeting")
		if step.DefaultRule != nil {
			s.fallback.merge(step.DefaultRule)
		}
		if step.Disable != nil {
			disabled, disabledAt = step.Disable, place+".disable"
		}
		if step.Experimentation != nil {
			experiment, experimentAt = step.Experimentation, place+".experimentation"
		}
	}
	if disabled != nil && *disabled {
		return importer.Refusef(disabledAt, "while a flag is disabled, %s", notServed)
	}
	if experiment != nil && (experiment.Start != nil || experiment.End != nil) {
		return importer.Refusef(experimentAt,
			"before and after an experimentation, %s; remove it to import the flag as it is in between", notServed)
	}
	return nil
}

// merge changes the rules that the updates name, and adds the others. It returns the place of
// one that was added, or "".
func (s *state) merge(updates []rule, place string) (added string) {
	for i := range updates {
		u := &updates[i]
		found := false
		for j := range s.rules {
			if u.Name != nil && *u.Name != "" && s.rules[j].Name != nil && *s.rules[j].Name == *u.Name {
				s.rules[j].merge(u)
				found = true
			}
		}
		if at := fmt.Sprintf("%s[%d]", place, i); !found {
			s.rules = append(s.rules, placedRule{u.clone(), at})
			added = at
		}
	}
	return added
}

// merge changes what the update sets. Percentages below zero are removed.
func (r *rule) merge(u *rule) {
	set(&r.Disable, u.Disable)
	set(&r.Query, u.Query)
	set(&r.Variation, u.Variation)
	if u.Progressive != nil {
		if r.Progressive == nil {
			r.Progressive = &progressive{new(point), new(point)}
		}
		r.Progressive.Initial = r.Progressive.Initial.merged(u.Progressive.Initial)
		r.Progressive.End = r.Progressive.End.merged(u.Progressive.End)
	}
	if u.Percentage != nil && r.Percentage == nil {
		r.Percentage = make(map[string]float64)
	}
	for name, p := range u.Percentage {
		if r.Percentage[name] = p; p < 0 {
			delete(r.Percentage, name)
		}
	}
}

func set[T any](to **T, from *T) {
	if from != nil {
		*to = from
	}
}

// merged returns the point with what the update sets.
func (p *point) merged(u *point) *point {
	var out point
	for _, from := range []*point{p, u} {
		if from != nil {
			set(&out.Variation, from.Variation)
			set(&out.Percentage, from.Percentage)
			set(&out.Date, from.Date)
		}
	}
	return &out
}

// clone returns a copy that merging doesn't share anything with.
func (r *rule) clone() rule {
	c := *r
	c.Percentage = maps.Clone(r.Percentage)
	if r.Progressive != nil {
		p := *r.Progressive
		c.Progressive = &p
	}
	return c
}
