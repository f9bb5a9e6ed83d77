package ci

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
)

// Compile returns the payloads of an environment, one for each namespace,
// sorted. The environment "" is none: flags as they are without what
// environments replace.
//
// A payload holds the namespace's flags, sorted by key, and of the estate's
// segments and attributes those that its flags use. Equal estates give equal
// payloads. They share memory with e; don't modify them.
func (e *Estate) Compile(environment string) ([]bundle.Payload, error) {
	if err := e.CheckEnvironment(environment); err != nil {
		return nil, fmt.Errorf("compiling flags: %w", err)
	}
	payloads := make([]bundle.Payload, 0, len(e.namespaces))
	rest := e.flags
	for _, namespace := range e.namespaces {
		var flags []evaluator.Flag
		for len(rest) > 0 && rest[0].namespace == namespace {
			flags = append(flags, rest[0].in(environment))
			rest = rest[1:]
		}
		set := e.ruleset(flags, nil)
		if _, err := evaluator.Compile(set); err != nil {
			// Load would have to have refused it.
			return nil, fmt.Errorf("compiling namespace %s: %w", namespace, err)
		}
		payloads = append(payloads, bundle.Payload{Environment: environment, Namespace: namespace, Ruleset: set})
	}
	return payloads, nil
}

// ruleset returns the flags with the attributes and segments that they use.
// The members of segments in pins, if it has them, are what it says and nobody
// else.
func (e *Estate) ruleset(flags []evaluator.Flag, pins map[string][]string) evaluator.Ruleset {
	u := usage{
		estate:     e,
		pins:       pins,
		attributes: map[string]bool{e.known.unit: true},
		segments:   make(map[string]bool),
	}
	for i := range flags {
		u.flag(&flags[i])
	}
	set := evaluator.Ruleset{Unit: e.known.unit, Flags: flags}
	for name := range u.attributes {
		set.Attributes = append(set.Attributes, evaluator.Attribute{Name: name, Type: e.known.attributes[name].typ})
	}
	slices.SortFunc(set.Attributes, func(a, b evaluator.Attribute) int { return cmp.Compare(a.Name, b.Name) })
	for name := range u.segments {
		set.Segments = append(set.Segments, u.segment(name))
	}
	slices.SortFunc(set.Segments, func(a, b evaluator.Segment) int { return cmp.Compare(a.Name, b.Name) })
	return set
}

// usage is what a set of flags uses.
type usage struct {
	estate     *Estate
	pins       map[string][]string
	attributes map[string]bool
	segments   map[string]bool
}

func (u *usage) flag(f *evaluator.Flag) {
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
	if c.Op == evaluator.InSegment && !u.segments[c.Strings[0]] {
		u.segments[c.Strings[0]] = true
		if s := u.segment(c.Strings[0]); s.When != nil {
			u.condition(s.When)
		}
	}
}

// segment returns a segment as it is, or as it is pinned.
func (u *usage) segment(name string) evaluator.Segment {
	if members, ok := u.pins[name]; ok {
		return evaluator.Segment{Name: name, Include: members}
	}
	return u.estate.known.segments[name].plain
}
