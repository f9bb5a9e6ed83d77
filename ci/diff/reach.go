package diff

import (
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/internal/decide"
	"github.com/serin-flags/serin/evaluator"
)

// A flag differs also if something differs that its rules refer to. That is said at each
// of these flags, as an edit: whoever reads about the flag needn't know that somebody
// has edited a segment in another folder.

// reachedEdits says what differs in what the rules of both flags refer to: in
// segments, other flags, attributes' types and time zones. What only one of them
// refers to is the edit of a rule.
func (c *comparison) reachedEdits(old, new *evaluator.Flag) []Edit {
	var list []Edit
	seen := make(map[reference]bool)
	if c.oldSet.Unit != c.newSet.Unit && len(old.Rules) > 0 && len(new.Rules) > 0 {
		list = append(list, Edit{Kind: kindUnit, Words: "a context's targeting key is " + quote(c.newSet.Unit) +
			", before it was " + quote(c.oldSet.Unit)})
	}
	// Report each difference once, at the first rule that it concerns.
	for i := range new.Rules {
		r := &new.Rules[i]
		if r.When == nil {
			continue
		}
		for _, e := range c.reach(r.When, seen) {
			same := func(have Edit) bool { return have.Kind == e.Kind && have.Words == e.Words }
			if !slices.ContainsFunc(list, same) {
				e.Rule = r.Name
				list = append(list, e)
			}
		}
	}
	return list
}

// reach returns the edits of all that a condition refers to, but for what was
// seen. What ten thousand flags refer to is compared once.
func (c *comparison) reach(cond *evaluator.Condition, seen map[reference]bool) []Edit {
	var list []Edit
	look := func(kind Kind, name string, compare func(string) []Edit) {
		ref := reference{c.oldSet, c.newSet, kind, name}
		if seen[ref] {
			return
		}
		seen[ref] = true
		edits, known := c.reached[ref]
		if !known {
			c.reached[ref] = nil // nothing refers to itself, but data can lie
			edits = compare(name)
			c.reached[ref] = edits
		}
		for _, e := range edits {
			if !slices.Contains(list, e) { // two segments may refer to a third
				list = append(list, e)
			}
		}
	}
	refs := cond.Refs()
	for _, name := range refs.Attributes {
		look(kindAttribute, name, c.attributeEdits)
	}
	for _, name := range refs.Segments {
		look(kindSegment, name, c.segmentEdits)
	}
	for _, name := range refs.Zones {
		look(kindZone, name, c.zoneEdits)
	}
	for _, key := range refs.Flags {
		look(kindPrerequisite, key, c.prerequisiteEdits)
	}
	return list
}

// indexes returns what finds things in the two rulesets.
func (c *comparison) indexes() (old, new *decide.Index) {
	return c.old.sets[c.oldSet], c.new.sets[c.newSet]
}

// attributeEdits reports that an attribute has another type, which changes what comparisons mean.
func (c *comparison) attributeEdits(name string) []Edit {
	old, new := c.indexes()
	a, isOld := old.Attributes[name]
	b, isNew := new.Attributes[name]
	if !isOld || !isNew || a == b {
		return nil
	}
	return []Edit{{Kind: kindAttribute, Words: "attribute " + quoted(name) + ": " + a.String() + " → " + b.String()}}
}

// zoneEdits reports that the offsets of a time zone differ. They come from the program that compiles the
// flags, so this may be a difference that no edit made.
func (c *comparison) zoneEdits(name string) []Edit {
	old, new := c.indexes()
	a, b := old.Zones[name], new.Zones[name]
	if a == nil || b == nil || slices.Equal(a.Offsets, b.Offsets) {
		return nil
	}
	return []Edit{{Kind: kindZone, Words: "time zone " + quoted(name) + ": other offsets"}}
}

// segmentEdits describes how a segment, and those it refers to, differ. If only one side has the segment,
// the rule was edited to refer to another one.
func (c *comparison) segmentEdits(name string) []Edit {
	old, new := c.indexes()
	a, b := old.Segments[name], new.Segments[name]
	if a == nil || b == nil {
		return nil
	}
	var words []string
	if !c.lists.sameList(a.Include, b.Include) {
		words = append(words, "include "+c.lists.differ(a.Include, b.Include))
	}
	if !c.lists.sameList(a.Exclude, b.Exclude) {
		words = append(words, "exclude "+c.lists.differ(a.Exclude, b.Exclude))
	}
	switch {
	case a.When == nil && b.When == nil:
	case a.When == nil:
		words = append(words, "when added: "+c.newWords.condition(normal(b.When)))
	case b.When == nil:
		words = append(words, "when removed; it was: "+c.oldWords.condition(normal(a.When)))
	default:
		if x, y, ok := differing(a.When, b.When); ok {
			words = append(words, "condition: "+strings.Join(c.differ(x, y), "; "))
		}
	}
	var list []Edit
	if len(words) > 0 {
		list = append(list, Edit{Kind: kindSegment,
			Words: "segment " + quoted(name) + ": " + strings.Join(words, "; ")})
	}
	if b.When != nil {
		list = append(list, c.reach(b.When, make(map[reference]bool))...)
	}
	return list
}

// prerequisiteEdits reports that a flag which another one depends on now serves something else. The
// details are with that flag, which is in the report too.
func (c *comparison) prerequisiteEdits(key string) []Edit {
	old, new := c.indexes()
	a, b := old.Flags[key], new.Flags[key]
	if a == nil || b == nil {
		return nil
	}
	for _, e := range c.edits(place{set: c.oldSet, flag: a}, place{set: c.newSet, flag: b}) {
		if e.Kind.serves() {
			return []Edit{{Kind: kindPrerequisite, Words: "flag " + quoted(key) + ", which it asks for, has changed"}}
		}
	}
	return nil
}
