package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/ci/release"
)

// A clientNeed is something that clients of a namespace must know, beyond what all
// clients do.
type clientNeed struct {
	namespace    string
	need         bundle.Need // where it is used first, in the first of environments
	environments []string    // that it applies to; nil: all
}

// clientNeeds returns what clients must know in the environments that compile
// compiles, sorted by namespace and feature.
func clientNeeds(
	environments []string, compile func(environment string) ([]bundle.Payload, error),
) ([]clientNeed, error) {
	if len(environments) == 0 {
		environments = []string{""}
	}
	pairs := make([]diff.Pair, len(environments))
	for i, env := range environments {
		payloads, err := compile(env)
		if err != nil {
			return nil, err
		}
		pairs[i] = diff.Pair{Environment: env, New: payloads}
	}
	return newNeeds(pairs), nil
}

// newNeeds returns what clients of what is new must know, and those of what is old
// needn't, sorted by namespace and feature.
func newNeeds(pairs []diff.Pair) []clientNeed {
	var all []clientNeed
	for _, pair := range pairs {
		old := make(map[string]bool) // by namespace and feature
		for _, p := range pair.Old {
			for _, need := range bundle.Needs(&p.Ruleset) {
				old[p.Namespace+" "+need.Feature] = true
			}
		}
		for _, p := range pair.New {
			for _, need := range bundle.Needs(&p.Ruleset) {
				if old[p.Namespace+" "+need.Feature] {
					continue
				}
				i := slices.IndexFunc(all, func(n clientNeed) bool {
					return n.namespace == p.Namespace && n.need.Feature == need.Feature
				})
				if i < 0 {
					i, all = len(all), append(all, clientNeed{namespace: p.Namespace, need: need})
				}
				all[i].environments = append(all[i].environments, pair.Environment)
			}
		}
	}
	for i := range all {
		if len(all[i].environments) == len(pairs) {
			all[i].environments = nil
		}
	}
	slices.SortFunc(all, func(a, b clientNeed) int {
		return cmp.Or(strings.Compare(a.namespace, b.namespace), strings.Compare(a.need.Feature, b.need.Feature))
	})
	return all
}

// maxNeeding is how many namespaces a note lists.
const maxNeeding = 10

// needNotes returns a note for each feature that clients must know, such as `namespace shop needs
// clients that know "hash:unleash": rule "half" of flag "checkout" uses the hash "unleash"; other
// clients …`. Namespaces that need the same in the same environments share a note, which says where
// the first one uses it.
func needNotes(needs []clientNeed) []string {
	type group struct{ feature, environments string }
	var order []group
	groups := make(map[group][]clientNeed)
	for _, n := range needs {
		g := group{n.need.Feature, strings.Join(n.environments, " and ")}
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], n)
	}
	var notes []string
	for _, g := range order {
		list, where := groups[g], ""
		if g.environments != "" {
			where = " in " + g.environments
		}
		need := list[0].need
		for _, n := range list[1:] {
			need.More += n.need.More + 1
		}
		if len(list) == 1 {
			notes = append(notes, fmt.Sprintf("namespace %s needs clients that know %q%s: %s; %s", list[0].namespace,
				g.feature, where, need, olderClients))
			continue
		}
		var names []string
		for _, n := range list[:min(len(list), maxNeeding)] {
			names = append(names, n.namespace)
		}
		notes = append(notes, fmt.Sprintf("namespaces %s need clients that know %q%s: %s; "+
			"other clients that read one of them keep their last revision, in all their namespaces",
			enumerate(names, len(list)-len(names)), g.feature, where, need))
	}
	return notes
}

// enumerate lists names, and how many more there are.
func enumerate(names []string, more int) string {
	last := len(names) - 1
	switch {
	case more > 0:
		return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), more)
	case last == 0:
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// olderClients says what becomes of clients that don't know what is needed.
const olderClients = "other clients that read it keep their last revision, in all their namespaces"

// formatChange says in which format a namespace is published from now on.
func formatChange(f release.FormatChange) string {
	line := fmt.Sprintf("%-8s %s: %d, before %d", "format", f.Namespace, f.After, f.Before)
	if f.Before == 0 {
		line = fmt.Sprintf("%-8s %s: %d", "format", f.Namespace, f.After)
	}
	if len(f.Features) == 0 {
		return line + ", which all clients know"
	}
	return fmt.Sprintf("%s, for clients that know %s; %s", line, strings.Join(f.Features, ", "), olderClients)
}

// A formatJSON is a change of a format as publish prints it.
type formatJSON struct {
	Namespace string   `json:"namespace"`
	Before    int      `json:"before"`
	After     int      `json:"after"`
	Features  []string `json:"features"`
}

func newFormatsJSON(changes []release.FormatChange) []formatJSON {
	all := make([]formatJSON, len(changes))
	for i, f := range changes {
		all[i] = formatJSON{f.Namespace, f.Before, f.After, list(f.Features)}
	}
	return all
}

// A needJSON is something that clients must know, as check prints it.
type needJSON struct {
	Namespace    string   `json:"namespace"`
	Feature      string   `json:"feature"`
	Environments []string `json:"environments,omitempty"` // none: all
	Attribute    string   `json:"attribute,omitempty"`
	Segment      string   `json:"segment,omitempty"`
	Flag         string   `json:"flag,omitempty"`
	Rule         string   `json:"rule,omitempty"`
	More         int      `json:"more"`
}

func newNeedsJSON(needs []clientNeed) []needJSON {
	all := make([]needJSON, len(needs))
	for i, n := range needs {
		all[i] = needJSON{n.namespace, n.need.Feature, n.environments, n.need.Attribute, n.need.Segment, n.need.Flag,
			n.need.Rule, n.need.More}
	}
	return all
}
