package ci

import (
	"cmp"
	"maps"
	"slices"

	"github.com/serin-flags/serin/evaluator"
)

// pins are what a test puts in the place of parts of the estate.
type pins struct {
	segments map[string][]string // the members, by name
	flags    map[string]string   // the variant served, by key
}

// none reports whether nothing is pinned.
func (p pins) none() bool { return len(p.segments)+len(p.flags) == 0 }

// ruleset returns flags, as they are in an environment, with everything that
// they use.
func (e *estate) ruleset(environment string, flags []evaluator.Flag, pins pins) evaluator.Ruleset {
	u := usage{
		estate:      e,
		environment: environment,
		pins:        pins,
		attributes:  map[string]bool{e.known.unit: true},
		segments:    make(map[string]bool),
		zones:       make(map[string]bool),
		flags:       make(map[string]bool, len(flags)),
	}
	set := evaluator.Ruleset{Unit: e.known.unit, Flags: flags}
	for _, f := range flags {
		u.flags[f.Key] = true
	}
	for i := range flags {
		u.flag(&flags[i])
	}
	for len(u.wanted) > 0 {
		f := u.prerequisite(u.wanted[0])
		u.wanted = u.wanted[1:]
		u.flag(&f)
		set.Prerequisites = append(set.Prerequisites, f)
	}
	slices.SortFunc(set.Prerequisites, func(a, b evaluator.Flag) int { return cmp.Compare(a.Key, b.Key) })
	for _, name := range slices.Sorted(maps.Keys(u.attributes)) {
		set.Attributes = append(set.Attributes, evaluator.Attribute{Name: name, Type: e.known.attributes[name].typ})
	}
	for _, name := range slices.Sorted(maps.Keys(u.segments)) {
		set.Segments = append(set.Segments, u.segment(name))
	}
	for _, name := range slices.Sorted(maps.Keys(u.zones)) {
		set.Zones = append(set.Zones, e.known.zones.byName[name].compiled)
	}
	return set
}

// usage is what a set of flags uses.
type usage struct {
	estate      *estate
	environment string
	pins        pins
	attributes  map[string]bool
	segments    map[string]bool
	zones       map[string]bool
	flags       map[string]bool // the set's own, and prerequisites
	wanted      []string        // of the prerequisites, those not looked at yet
}

func (u *usage) flag(f *evaluator.Flag) {
	if f.Reserved != nil {
		u.attributes[f.Reserved.By] = true
	}
	for i := range f.Rules {
		r := &f.Rules[i]
		if r.When != nil {
			u.condition(r.When)
		}
		if r.Split != nil && r.Split.By != "" {
			u.attributes[r.Split.By] = true
		}
	}
}

func (u *usage) condition(c *evaluator.Condition) {
	for i := range c.Of {
		u.condition(&c.Of[i])
	}
	if c.Attribute != "" {
		u.attributes[c.Attribute] = true
	}
	switch c.Op {
	case evaluator.OpWindow:
		u.zones[c.Strings[0]] = true
	case evaluator.OpServes:
		if key := c.Strings[0]; !u.flags[key] {
			u.flags[key] = true
			u.wanted = append(u.wanted, key)
		}
	case evaluator.OpInSegment:
		if name := c.Strings[0]; !u.segments[name] {
			u.segments[name] = true
			if s := u.segment(name); s.When != nil {
				u.condition(s.When)
			}
		}
	}
}

// segment returns a segment as it is, or as it is pinned.
func (u *usage) segment(name string) evaluator.Segment {
	if members, ok := u.pins.segments[name]; ok {
		return evaluator.Segment{Name: name, Include: members}
	}
	return u.estate.known.segments[name].plain
}

// prerequisite returns a flag as it is, or as it is pinned.
func (u *usage) prerequisite(key string) evaluator.Flag {
	f := u.estate.byKey[key].in(u.environment)
	if name, ok := u.pins.flags[key]; ok {
		served := slices.IndexFunc(f.Variants, func(v evaluator.Variant) bool { return v.Name == name })
		return evaluator.Flag{Key: key, Type: f.Type, Variants: f.Variants, Default: served, Off: served}
	}
	return f
}
