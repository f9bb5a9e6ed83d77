package lang

import (
	"cmp"
	"maps"
	"slices"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/from"
)

// Everywhere adds what a flag uses in any environment.
func (u *Usage) Everywhere(f *Flag) {
	for i := range f.Bodies {
		u.flag(&f.Bodies[i].Flag)
	}
}

// Pins replace parts of the estate in a test.
type Pins struct {
	Segments map[string][]string // the members, by name
	Flags    map[string]string   // the variant served, by key
	// ByClock says that guarded ramps follow the clock, whatever has been cleared.
	ByClock bool
}

// None reports whether no segment and no flag is pinned.
func (p Pins) None() bool { return len(p.Segments)+len(p.Flags) == 0 }

// Ruleset returns flags, as they are in an environment, with everything that
// they use.
func (e *Estate) Ruleset(environment string, flags []evaluator.Flag, pins Pins) evaluator.Ruleset {
	u := Usage{
		Estate:      e,
		environment: environment,
		pins:        pins,
		Attributes:  map[string]bool{e.Known.Unit: true},
		Segments:    make(map[string]bool),
		Zones:       make(map[string]bool),
		Flags:       make(map[string]bool, len(flags)),
	}
	set := evaluator.Ruleset{Unit: e.Known.Unit, Flags: flags}
	for _, f := range flags {
		u.Flags[f.Key] = true
	}
	for i := range flags {
		u.flag(&flags[i])
	}
	for len(u.Wanted) > 0 {
		f := u.prerequisite(u.Wanted[0])
		u.Wanted = u.Wanted[1:]
		u.flag(&f)
		set.Prerequisites = append(set.Prerequisites, f)
	}
	slices.SortFunc(set.Prerequisites, func(a, b evaluator.Flag) int { return cmp.Compare(a.Key, b.Key) })
	for _, name := range slices.Sorted(maps.Keys(u.Attributes)) {
		a := e.Known.Attributes[name]
		set.Attributes = append(set.Attributes, evaluator.Attribute{Name: name, Type: a.Type, From: from.Text(a.From)})
	}
	for _, name := range slices.Sorted(maps.Keys(u.Segments)) {
		set.Segments = append(set.Segments, u.segment(name))
	}
	for _, name := range slices.Sorted(maps.Keys(u.Zones)) {
		set.Zones = append(set.Zones, e.Known.zones.Named(name))
	}
	return set
}

// A Usage collects what a set of flags uses.
type Usage struct {
	Estate      *Estate
	environment string
	pins        Pins
	Attributes  map[string]bool
	Segments    map[string]bool
	Zones       map[string]bool
	Flags       map[string]bool // the set's own, and prerequisites
	Wanted      []string        // of the prerequisites, those not looked at yet
}

func (u *Usage) flag(f *evaluator.Flag) { u.Add(f.Refs()) }

// Add adds what something refers to, and what that refers to in turn.
func (u *Usage) Add(refs evaluator.Refs) {
	for _, name := range refs.Attributes {
		u.Attributes[name] = true
	}
	for _, name := range refs.Zones {
		u.Zones[name] = true
	}
	for _, key := range refs.Flags {
		if !u.Flags[key] {
			u.Flags[key] = true
			u.Wanted = append(u.Wanted, key)
		}
	}
	for _, name := range refs.Segments {
		if !u.Segments[name] {
			u.Segments[name] = true
			u.Add(u.segment(name).When.Refs())
		}
	}
}

// segment returns a segment as it is, or as it is pinned.
func (u *Usage) segment(name string) evaluator.Segment {
	if members, ok := u.pins.Segments[name]; ok {
		return evaluator.Segment{Name: name, Include: members}
	}
	return u.Estate.Known.Segments[name].plain
}

// prerequisite returns a flag as it is, or as it is pinned.
func (u *Usage) prerequisite(key string) evaluator.Flag {
	f := u.Estate.ByKey[key].In(u.environment)
	if u.pins.ByClock {
		f = u.Estate.ByKey[key].ByClock(u.environment)
	}
	if name, ok := u.pins.Flags[key]; ok {
		served := slices.IndexFunc(f.Variants, func(v evaluator.Variant) bool { return v.Name == name })
		return evaluator.Flag{Key: key, Type: f.Type, Variants: f.Variants, Default: served, Off: served}
	}
	return f
}
