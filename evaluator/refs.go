package evaluator

import "iter"

// Walk yields c and all conditions below it in depth-first order, parents first. It yields
// nothing if c is nil.
func (c *Condition) Walk() iter.Seq[*Condition] {
	return func(yield func(*Condition) bool) { c.walk(yield) }
}

// walk is [Condition.Walk]. It reports whether the loop goes on.
func (c *Condition) walk(yield func(*Condition) bool) bool {
	if c == nil {
		return true
	}
	if !yield(c) {
		return false
	}
	for i := range c.Of {
		if !c.Of[i].walk(yield) {
			return false
		}
	}
	return true
}

// Refs are the names that conditions and flags refer to. A name that is used several times
// is listed several times.
type Refs struct{ Attributes, Segments, Zones, Flags []string }

// Refs returns the names that c and the conditions below it refer to. c may be nil.
func (c *Condition) Refs() Refs {
	var refs Refs
	refs.add(c)
	return refs
}

// add adds what c and the conditions below it refer to. Only the table of operators knows what an
// operator's first string is the name of.
func (r *Refs) add(c *Condition) {
	for c := range c.Walk() {
		if c.Attribute != "" {
			r.Attributes = append(r.Attributes, c.Attribute)
		}
		o := c.Op.operator()
		if o == nil || len(c.Strings) == 0 {
			continue
		}
		switch name := c.Strings[0]; o.refers {
		case refersToSegment:
			r.Segments = append(r.Segments, name)
		case refersToZone:
			r.Zones = append(r.Zones, name)
		case refersToFlag:
			r.Flags = append(r.Flags, name)
		}
	}
}

// Refs returns the names that f's rules and reservation refer to.
func (f *Flag) Refs() Refs {
	var refs Refs
	if f.Reserved != nil {
		refs.Attributes = append(refs.Attributes, f.Reserved.By)
	}
	for i := range f.Rules {
		r := &f.Rules[i]
		refs.add(r.When)
		if r.Split != nil && r.Split.By != "" {
			refs.Attributes = append(refs.Attributes, r.Split.By)
		}
	}
	return refs
}

// Only returns a ruleset of the flags with the given keys and of everything they refer to,
// directly or indirectly, in the order of set. Other flags that they refer to become
// prerequisites. Only ignores unknown keys, and references to what set doesn't contain.
// Both rulesets share memory.
func (set *Ruleset) Only(keys ...string) Ruleset {
	wanted := nameSet(keys)
	only := Ruleset{Unit: set.Unit, Flags: filter(set.Flags, func(f *Flag) bool { return wanted[f.Key] })}
	served := make(map[string]bool, len(only.Flags))
	queue := make([]Refs, 0, len(only.Flags)+1)
	queue = append(queue, Refs{Attributes: []string{set.Unit}})
	for i := range only.Flags {
		served[only.Flags[i].Key] = true
		queue = append(queue, only.Flags[i].Refs())
	}
	attributes, zones := make(map[string]bool), make(map[string]bool)
	segments, flags := make(map[string]bool), make(map[string]bool)
	// Follow references until nothing new comes up. Segments and flags are queued once, so cycles,
	// which Compile refuses later, end here as well.
	for ; len(queue) > 0; queue = queue[1:] {
		for _, name := range queue[0].Attributes {
			attributes[name] = true
		}
		for _, name := range queue[0].Zones {
			zones[name] = true
		}
		for _, name := range queue[0].Segments {
			if s := set.segment(name); s != nil && !segments[name] {
				segments[name] = true
				queue = append(queue, s.When.Refs())
			}
		}
		for _, key := range queue[0].Flags {
			if f := set.flag(key); f != nil && !flags[key] && !served[key] {
				flags[key] = true
				queue = append(queue, f.Refs())
			}
		}
	}
	only.Attributes = filter(set.Attributes, func(a *Attribute) bool { return attributes[a.Name] })
	only.Zones = filter(set.Zones, func(z *Zone) bool { return zones[z.Name] })
	only.Segments = filter(set.Segments, func(s *Segment) bool { return segments[s.Name] })
	asked := func(f *Flag) bool { return flags[f.Key] }
	only.Prerequisites = append(filter(set.Flags, asked), filter(set.Prerequisites, asked)...)
	return only
}

// nameSet returns a set of names.
func nameSet(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// filter returns the elements of a list for which keep returns true.
func filter[T any](list []T, keep func(*T) bool) (kept []T) {
	for i := range list {
		if keep(&list[i]) {
			kept = append(kept, list[i])
		}
	}
	return kept
}

// segment returns the segment with the given name, or nil. An index wouldn't pay off for
// the few lookups of [Ruleset.Only].
func (set *Ruleset) segment(name string) *Segment {
	for i := range set.Segments {
		if set.Segments[i].Name == name {
			return &set.Segments[i]
		}
	}
	return nil
}

// flag returns the flag or prerequisite with the given key, or nil.
func (set *Ruleset) flag(key string) *Flag {
	for _, list := range [][]Flag{set.Flags, set.Prerequisites} {
		for i := range list {
			if list[i].Key == key {
				return &list[i]
			}
		}
	}
	return nil
}
