package diff

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/internal/decide"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/values"
)

// Flags are found by key, whatever namespace and file they are in, and compared part by part: what is
// compiled, not what is written. Each difference becomes an edit, in words that name what was and what
// is. Later steps look only at the kinds of the edits: a flag whose edits can't change what is served
// needs no verdict from package decide.

// A comparison compares the two sides of a pair. It is used by one goroutine.
type comparison struct {
	old, new side
	was      map[string]string // the old keys of flags that are renamed
	now      int64
	decide   *decide.Comparer
	lists    *listDiffs
	// reached is what is known of segments, zones, attributes and flags that
	// others refer to, by what they are.
	reached map[reference][]Edit

	// Of the flag that is being compared:
	oldSet, newSet     *evaluator.Ruleset
	oldWords, newWords speaker
}

// A reference names a thing that conditions refer to, in the rulesets it is
// compared in.
type reference struct {
	old, new *evaluator.Ruleset
	kind     Kind
	name     string
}

// newComparison returns a comparison in which flags that were renamed have their new key on both sides.
func newComparison(p Pair, c *Config) *comparison {
	was := p.renames()
	if len(was) > 0 {
		names := make(map[string]string, len(was))
		for key, old := range was {
			names[old] = key
		}
		p.Old = renamed(p.Old, names)
	}
	return &comparison{
		old: newSide(p.Old), new: newSide(p.New), was: was, now: c.Now,
		decide: decide.New(c.Now, cmp.Or(c.steps, decide.MaxSteps)),
		lists:  &listDiffs{known: make(map[listPair]listDiff)}, reached: make(map[reference][]Edit),
	}
}

// flags returns the flags that differ, by key, with what is known of who gets a
// different value.
func (c *comparison) flags(ctx context.Context) ([]Flag, error) {
	keys := make(map[string]bool, len(c.new.places))
	for key := range c.old.places {
		keys[key] = true
	}
	for key := range c.new.places {
		keys[key] = true
	}
	var list []Flag
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		was, isOld := c.old.places[key]
		is, isNew := c.new.places[key]
		switch {
		case !isOld:
			list = append(list, Flag{Key: key, Namespace: is.namespace, Change: Added})
			c.enter(is, is)
			list[len(list)-1].Edits = c.describe(is.flag, c.newWords, c.newSet)
		case !isNew:
			list = append(list, Flag{Key: key, Namespace: was.namespace, Change: Removed})
		default:
			c.enter(was, is)
			f := Flag{Key: key, Namespace: is.namespace, Change: Changed, Edits: c.edits(was, is)}
			if was.namespace != is.namespace {
				f.WasIn = was.namespace
			}
			if f.Was = c.was[key]; f.Was != "" {
				f.Change = Renamed
				f.Edits = append(renameEdits(was.flag, is.flag, f.Was), f.Edits...)
			}
			if len(f.Edits) > 0 {
				c.judge(&f, was, is)
				list = append(list, f)
			}
		}
	}
	return list, nil
}

// enter turns to flags, and the rulesets that they are in.
func (c *comparison) enter(was, is place) {
	c.oldSet, c.newSet = was.set, is.set
	if x := c.old.sets[was.set]; x != nil {
		c.oldWords = speaker{x.Attributes}
	}
	c.newWords = speaker{c.new.sets[is.set].Attributes}
}

// edits returns how two flags with the same key differ. An off variant that is the default on both sides
// changes along with the default, so it is reported separately only for disabled flags.
func (c *comparison) edits(was, is place) []Edit {
	old, new := was.flag, is.flag
	var list []Edit
	add := func(kind Kind, words string) { list = append(list, Edit{Kind: kind, Words: words}) }
	if was.namespace != is.namespace {
		add(kindNamespace, "namespace: "+quote(was.namespace)+" → "+quote(is.namespace))
	}
	if old.Type != new.Type {
		add(kindType, "type: "+old.Type.String()+" → "+new.Type.String())
	}
	if old.Disabled != new.Disabled {
		if new.Disabled {
			add(kindEnabled, "not enabled any more: everybody is served "+quote(variantName(new, new.Off)))
		} else {
			add(kindEnabled, "enabled again: before, everybody was served "+quote(variantName(old, old.Off)))
		}
	}
	list = append(list, variantEdits(old, new)...)
	if a, b := variantName(old, old.Default), variantName(new, new.Default); a != b {
		add(kindDefault, "default: "+quote(a)+" → "+quote(b))
	}
	if a, b := variantName(old, old.Off), variantName(new, new.Off); a != b &&
		(old.Disabled || new.Disabled || old.Off != old.Default || new.Off != new.Default) {
		add(kindOff, "off_variant: "+quote(a)+" → "+quote(b))
	}
	if a, b := staleWords(old), staleWords(new); a != b {
		add(kindStale, "max_stale: "+a+" → "+b)
	}
	if words := reservationWords(old.Reserved, new.Reserved); words != "" {
		add(kindLayer, words)
	}
	list = append(list, c.ruleEdits(old, new)...)
	for _, words := range metadataWords(old.Metadata, new.Metadata) {
		add(kindMetadata, words)
	}
	return append(list, c.reachedEdits(old, new)...)
}

// variantName returns the name of a variant, by its index. Variants are compared by name, because adding
// a variant shifts the indices of those after it.
func variantName(f *evaluator.Flag, i int) string {
	if i < 0 || i >= len(f.Variants) {
		return ""
	}
	return f.Variants[i].Name
}

// staleWords says how old flags may be.
func staleWords(f *evaluator.Flag) string {
	if f.Stale == nil {
		return "any"
	}
	after := ageText(int64(f.Stale.After))
	return after + ", then " + quote(variantName(f, f.Stale.Variant))
}

// variantEdits describes which variants were added, removed or given another value. Their order doesn't
// matter.
func variantEdits(old, new *evaluator.Flag) []Edit {
	var list []Edit
	add := func(words string) { list = append(list, Edit{Kind: kindVariant, Words: words}) }
	value := func(v evaluator.Value) string { return shorten(string(v.JSON()), 80) }
	for _, o := range old.Variants {
		i := slices.IndexFunc(new.Variants, func(n evaluator.Variant) bool { return n.Name == o.Name })
		if i < 0 {
			add("variant " + quoted(o.Name) + " removed: it was " + value(o.Value))
		} else if n := new.Variants[i]; !values.Same(n.Value, o.Value) {
			add("variant " + quoted(o.Name) + ": " + value(o.Value) + " → " + value(n.Value))
		}
	}
	for _, n := range new.Variants {
		if !slices.ContainsFunc(old.Variants, func(o evaluator.Variant) bool { return n.Name == o.Name }) {
			add("variant " + quoted(n.Name) + " added: " + value(n.Value))
		}
	}
	return list
}

// metadataWords describes how metadata, which is sorted by name, differs. No value depends on metadata,
// but programs receive it, so reviewers want to know.
func metadataWords(old, new []evaluator.Attr) []string {
	var list []string
	value := func(v evaluator.Value) string { return shorten(string(v.JSON()), 80) }
	find := func(list []evaluator.Attr, name string) (evaluator.Attr, bool) {
		i := slices.IndexFunc(list, func(a evaluator.Attr) bool { return a.Name == name })
		if i < 0 {
			return evaluator.Attr{}, false
		}
		return list[i], true
	}
	for _, o := range old {
		if n, ok := find(new, o.Name); !ok {
			list = append(list, "metadata "+quoted(o.Name)+" removed: it was "+value(o.Value))
		} else if n.Value != o.Value {
			list = append(list, "metadata "+quoted(o.Name)+": "+value(o.Value)+" → "+value(n.Value))
		}
	}
	for _, n := range new {
		if _, ok := find(old, n.Name); !ok {
			list = append(list, "metadata "+quoted(n.Name)+" added: "+value(n.Value))
		}
	}
	return list
}

// describe describes a new flag for reviewers of the report, who haven't seen its file.
func (c *comparison) describe(f *evaluator.Flag, words speaker, set *evaluator.Ruleset) []Edit {
	list := []Edit{{Kind: kindDefault, Words: "default: " + quote(variantName(f, f.Default))}}
	if f.Disabled {
		list = append(list, Edit{Kind: kindEnabled,
			Words: "not enabled: everybody is served " + quote(variantName(f, f.Off))})
	}
	if f.Stale != nil {
		list = append(list, Edit{Kind: kindStale, Words: "max_stale: " + staleWords(f)})
	}
	if words := reservationWords(nil, f.Reserved); words != "" {
		list = append(list, Edit{Kind: kindLayer, Words: words})
	}
	for i := range f.Rules {
		list = append(list, Edit{Kind: kindRuleAdded, Rule: f.Rules[i].Name,
			Words: ruleWords(f, &f.Rules[i], words, c.now)})
	}
	return list
}

// ruleWords describes a rule: its condition, and what it serves at a time.
func ruleWords(f *evaluator.Flag, r *evaluator.Rule, words speaker, now int64) string {
	return words.condition(normal(r.When)) + ": " + serveWords(f, r, now)
}

// Rules have names, and so an edit can say which rule it is about even if the rule was
// moved, too. A rule that only changed its name is found by everything else it has.

// A match is a rule that both flags have.
type match struct {
	old, new int
	renamed  bool
	moved    bool
}

// matchRules finds the rules that both flags have: by name and, of those left, by
// being equal in all else. They are in the order of the new flag.
func (c *comparison) matchRules(old, new *evaluator.Flag) (matches []match, removed, added []int) {
	// Names should be unique, but a payload is only trusted to be one that clients accept.
	byName := make(map[string][]int, len(old.Rules))
	for i, r := range old.Rules {
		byName[r.Name] = append(byName[r.Name], i)
	}
	partner := make([]int, len(new.Rules))
	taken := make([]bool, len(old.Rules))
	for j, r := range new.Rules {
		partner[j] = -1
		if list := byName[r.Name]; len(list) > 0 {
			partner[j], byName[r.Name] = list[0], list[1:]
			taken[list[0]] = true
		}
	}
	// Of the remaining rules, those that are equal except for the name were renamed.
	for j := range new.Rules {
		renamed := false
		for i := 0; i < len(old.Rules) && partner[j] < 0; i++ {
			if !taken[i] && c.sameRule(old, new, &old.Rules[i], &new.Rules[j]) {
				partner[j], taken[i], renamed = i, true, true
			}
		}
		if partner[j] >= 0 {
			matches = append(matches, match{old: partner[j], new: j, renamed: renamed})
		} else {
			added = append(added, j)
		}
	}
	for i := range old.Rules {
		if !taken[i] {
			removed = append(removed, i)
		}
	}
	markMoved(matches)
	return matches, removed, added
}

// sameRule reports whether two rules differ in nothing but their names.
func (c *comparison) sameRule(oldFlag, newFlag *evaluator.Flag, old, new *evaluator.Rule) bool {
	_, _, differ := differing(old.When, new.When)
	return !differ && sameServe(oldFlag, newFlag, old, new)
}

// markMoved marks the fewest rules that have to be moved to get from the old order
// to the new one: those that are not on a longest ascending sequence.
func markMoved(matches []match) {
	// length is of the longest sequence that ends with a rule, and before is the rule before it.
	length := make([]int, len(matches))
	before := make([]int, len(matches))
	last := -1
	for i := range matches {
		length[i], before[i] = 1, -1
		for j := range i {
			if matches[j].old < matches[i].old && length[j]+1 > length[i] {
				length[i], before[i] = length[j]+1, j
			}
		}
		if last < 0 || length[i] > length[last] {
			last = i
		}
	}
	for i := range matches {
		matches[i].moved = true
	}
	for ; last >= 0; last = before[last] {
		matches[last].moved = false
	}
}

// ruleEdits says how the rules of two flags differ.
func (c *comparison) ruleEdits(old, new *evaluator.Flag) []Edit {
	var list []Edit
	matches, removed, added := c.matchRules(old, new)
	for _, i := range removed {
		r := &old.Rules[i]
		list = append(list, Edit{kindRuleRemoved, r.Name, "removed; it was: " + ruleWords(old, r, c.oldWords, c.now)})
	}
	for _, j := range added {
		r := &new.Rules[j]
		at := ""
		if len(new.Rules) > 1 {
			at = " as rule " + strconv.Itoa(j+1) + " of " + strconv.Itoa(len(new.Rules))
		}
		list = append(list, Edit{kindRuleAdded, r.Name, "added" + at + ": " + ruleWords(new, r, c.newWords, c.now)})
	}
	for _, m := range matches {
		o, n := &old.Rules[m.old], &new.Rules[m.new]
		if m.renamed {
			list = append(list, Edit{kindRuleRenamed, n.Name, "renamed; it was called " + quoted(o.Name)})
		}
		if m.moved {
			list = append(list, Edit{kindRuleMoved, n.Name, "moved from place " + strconv.Itoa(m.old+1) + " to " +
				strconv.Itoa(m.new+1)})
		}
		if a, b, ok := differing(o.When, n.When); ok {
			list = append(list, Edit{kindCondition, n.Name, "condition: " + strings.Join(c.differ(a, b), "; ")})
		}
		for _, words := range serveEdits(old, new, o, n, c.now) {
			list = append(list, Edit{kindServe, n.Name, words})
		}
		for _, words := range metadataWords(o.Metadata, n.Metadata) {
			list = append(list, Edit{kindMetadata, n.Name, words})
		}
	}
	return list
}

// quoted puts text in quotes as Go does, which makes line breaks and control characters visible.
func quoted(text string) string { return strconv.Quote(shorten(text, maxWords)) }

// quote is quoted for what is a plain word nearly always, and then left so.
func quote(text string) string {
	plain := text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
			strings.ContainsRune("-_./", r))
	})
	if plain {
		return text
	}
	return quoted(text)
}
