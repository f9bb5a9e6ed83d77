package diff

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
)

// A flag that disappears while another one with the same variants and rules appears is
// the same flag under another key. Unless its splits keep the old key as their salt,
// users are assigned again, which people who rename a flag rarely know. So both are
// compared as one flag, which shows who is affected.

// renames returns the old keys of the flags that a pair renames, by their new ones. Flags
// without rules, which have no users to keep and are easily alike, count as different.
func (p Pair) renames() map[string]string {
	was, is := flagsOf(p.Old), flagsOf(p.New)
	gone, added := make(map[string][]string), make(map[string][]string)
	// Match removed flags with added ones by everything that a rename leaves unchanged. If several are
	// alike, the match is ambiguous, and none counts as renamed.
	for key, f := range was {
		if _, ok := is[key]; !ok && len(f.Rules) > 0 {
			s := likeness(f, func(salt string) bool { return salt == key })
			gone[s] = append(gone[s], key)
		}
	}
	if len(gone) == 0 {
		return p.Renames
	}
	for key, f := range is {
		if _, ok := was[key]; !ok && len(f.Rules) > 0 {
			// A salt that is the old key keeps users in their variants, and is no sign of another flag.
			s := likeness(f, func(salt string) bool {
				_, old := was[salt]
				_, new := is[salt]
				return salt == key || old && !new
			})
			added[s] = append(added[s], key)
		}
	}
	names := maps.Clone(p.Renames)
	if names == nil {
		names = make(map[string]string)
	}
	for s, keys := range added {
		if len(keys) == 1 && len(gone[s]) == 1 {
			names[keys[0]] = gone[s][0]
		}
	}
	return names
}

// flagsOf returns the flags of all namespaces, by key.
func flagsOf(payloads []bundle.Payload) map[string]*evaluator.Flag {
	flags := make(map[string]*evaluator.Flag)
	for i := range payloads {
		for j := range payloads[i].Ruleset.Flags {
			f := &payloads[i].Ruleset.Flags[j]
			flags[f.Key] = f
		}
	}
	return flags
}

// likeness returns what two flags have in common if one is the other under another key:
// all but the key, the salts that own says are the flag's key, and the places of shares.
func likeness(f *evaluator.Flag, own func(salt string) bool) string {
	// Compare copies without the fields that don't count, so that fields of later versions count.
	like := *f
	like.Key = ""
	like.Rules = slices.Clone(f.Rules)
	for i := range like.Rules {
		old := like.Rules[i].Split
		if old == nil {
			continue
		}
		split := *old
		if own(split.Salt) {
			split.Salt = ""
		}
		split.Ranges = shares(split.Ranges)
		like.Rules[i].Split = &split
	}
	if r := f.Reserved; r != nil {
		reserved := *r
		var whole evaluator.Range
		for _, s := range r.Spans {
			whole.To += s.To - s.From
		}
		reserved.Spans = []evaluator.Span{{To: shares([]evaluator.Range{whole})[0].To}}
		like.Reserved = &reserved
	}
	data, err := json.Marshal(like)
	if err != nil {
		return "key " + f.Key // like no other
	}
	return string(data)
}

// shares returns one range for each variant, as long as its ranges together, to a
// millionth of 2^32 positions: locked shares are as exact as that wherever they are.
func shares(ranges []evaluator.Range) []evaluator.Range {
	var list []evaluator.Range
	for _, r := range ranges {
		i := slices.IndexFunc(list, func(s evaluator.Range) bool { return s.Variant == r.Variant })
		if i < 0 {
			i = len(list)
			list = append(list, evaluator.Range{Variant: r.Variant})
		}
		list[i].To += r.To - r.From
	}
	slices.SortFunc(list, func(a, b evaluator.Range) int { return a.Variant - b.Variant })
	const step = 1 << 12
	for i := range list {
		list[i].To = (list[i].To + step/2) / step
	}
	return list
}

// renamed returns payloads in which flags have new keys, which names has by the old ones.
func renamed(payloads []bundle.Payload, names map[string]string) []bundle.Payload {
	list := slices.Clone(payloads)
	for i := range list {
		set := &list[i].Ruleset
		set.Flags = renamedFlags(set.Flags, names)
		set.Prerequisites = renamedFlags(set.Prerequisites, names)
	}
	return list
}

// renamedFlags returns flags in which those of names have their new key, wherever a condition asks for
// them, too. It copies only what it changes.
func renamedFlags(flags []evaluator.Flag, names map[string]string) []evaluator.Flag {
	list := slices.Clone(flags)
	for i := range list {
		f := &list[i]
		if name, ok := names[f.Key]; ok {
			f.Key = name
		}
		if !slices.ContainsFunc(f.Refs().Flags, func(key string) bool { return names[key] != "" }) {
			continue
		}
		f.Rules = slices.Clone(f.Rules)
		for j := range f.Rules {
			if when := f.Rules[j].When; when != nil {
				other := renamedCondition(*when, names)
				f.Rules[j].When = &other
			}
		}
	}
	return list
}

// renamedCondition returns a condition that asks for flags by their new keys.
func renamedCondition(c evaluator.Condition, names map[string]string) evaluator.Condition {
	if name := names[first(c.Strings)]; c.Op == evaluator.OpServes && name != "" {
		c.Strings = slices.Clone(c.Strings)
		c.Strings[0] = name
	}
	c.Of = slices.Clone(c.Of)
	for i := range c.Of {
		c.Of[i] = renamedCondition(c.Of[i], names)
	}
	return c
}

// renameEdits describes what a new key means. Programs still ask for the old key, and splits without a
// salt of their own assign users by the key.
func renameEdits(was, is *evaluator.Flag, old string) []Edit {
	words := fmt.Sprintf("renamed %[1]s → %[2]s: programs that ask for %[1]s serve their own default",
		quote(old), quote(is.Key))
	list := []Edit{{Kind: kindKey, Words: words}}
	byKey := func(r evaluator.Rule) bool { return r.Split != nil && r.Split.Salt == is.Key && r.Split.By != "" }
	if slices.ContainsFunc(is.Rules, byKey) {
		words := fmt.Sprintf("users are assigned by the key; to keep them in their variants, "+
			"write salt: %[1]s in its splits, or rename with 'serin rename %[1]s %[2]s'", quote(old), quote(is.Key))
		list = append(list, Edit{Kind: kindKey, Words: words})
	}
	return list
}
