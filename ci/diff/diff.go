// Package diff says what a change of flags does to users. It compares two sets
// of payloads, be they compiled from a folder or published: which flags differ, in
// words, and who is served something else, as a share.
//
// It is pure: it has no clock, reads nothing but the population that it is given,
// and gives equal answers to equal questions. Start at [Compare]; what it returns
// is written by [Report.Text], [Report.Markdown] and [Report.JSON].
package diff

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
)

// A Pair is what one environment was and is to be.
type Pair struct {
	Environment string // "": flags as they are without what environments replace
	Old, New    []bundle.Payload
}

// A Config says what to compare.
type Config struct {
	Pairs []Pair
	// Now is the time, in seconds since 1970, that ramps and conditions of time
	// are compared at.
	Now int64
	// Population is whom to count where shares don't follow from ranges; with one
	// that is not invented, also where they follow of some alone. It is read
	// once. nil: an invented one, of People.
	Population *Population
	// Attributes are what the estate declares, for a population that is invented:
	// what rules speak of is known without.
	Attributes []Attribute
	// People is how many are invented. 0: 100,000.
	People int
	// Progress, if not nil, is told now and then how much of the population is
	// done, in units of its own. It is called by one goroutine at a time.
	Progress func(done, total int64)
}

// A Report is what differs.
type Report struct {
	// Old and New are what was compared, as people are shown it; the caller's to
	// set.
	Old, New string
	// Notes are lines about what was not compared, for [Report.Markdown]; the
	// caller's to set.
	Notes []string
	Now   int64
	// Counted is whom shares were counted of; nil if all follow from ranges.
	Counted *Counted
	// Environments are those of the pairs, in order, also if nothing differs.
	Environments []Environment
	// NotCompared, if not "", says why nothing could be compared; the caller's
	// to set, in a report that has nothing else.
	NotCompared string
}

// Counted describes a population that was counted.
type Counted struct {
	Name     string // of the file; "" if Invented
	Invented bool
	People   int64
}

// An Environment is what differs in one.
type Environment struct {
	Name  string
	Flags []Flag // those that differ, the one first of which most changes
}

// A Change is what happened to a flag.
type Change string

// The changes.
const (
	Added   Change = "added"
	Removed Change = "removed"
	Changed Change = "changed"
)

// A Flag is a flag that differs.
type Flag struct {
	Key       string
	Namespace string // of the new side, or of the old one if it is removed
	Change    Change
	// Edits say how it differs. Of one that was added or removed there are none.
	Edits []Edit
	// Groups say who is served something else. Of one that was added or removed
	// there are none: what programs serve without it, only they know.
	Groups []Group
	// Moved is the share of users who are served something else: of all, if
	// that is known, and otherwise the largest of a group's.
	Moved Share
}

// A Kind is what an edit is about.
type Kind string

// The kinds of edits. New ones may be added.
const (
	KindNamespace    Kind = "namespace"
	KindType         Kind = "type"
	KindEnabled      Kind = "enabled"
	KindDefault      Kind = "default"
	KindOff          Kind = "off_variant"
	KindVariant      Kind = "variant"
	KindStale        Kind = "max_stale"
	KindLayer        Kind = "layer"
	KindMetadata     Kind = "metadata"
	KindRuleAdded    Kind = "rule added"
	KindRuleRemoved  Kind = "rule removed"
	KindRuleMoved    Kind = "rule moved"
	KindRuleRenamed  Kind = "rule renamed"
	KindCondition    Kind = "condition"
	KindServe        Kind = "serve"
	KindSegment      Kind = "segment"
	KindPrerequisite Kind = "prerequisite"
	KindAttribute    Kind = "attribute"
	KindZone         Kind = "time zone"
	KindUnit         Kind = "unit"
)

// serves reports whether edits of a kind can change what is served, from flags
// that are as new as can be.
func (k Kind) serves() bool {
	return k != KindNamespace && k != KindStale && k != KindMetadata && k != KindRuleRenamed
}

// An Edit is one difference between two flags, in words.
type Edit struct {
	Kind  Kind
	Rule  string // that it is about, by its new name; "": the flag as a whole
	Words string
}

// String returns the edit as a line.
func (e Edit) String() string {
	if e.Rule == "" {
		return e.Words
	}
	return "rule " + quoted(e.Rule) + ": " + e.Words
}

// A Group is people of whom a share is served something else.
type Group struct {
	// Rule is whose users these are; "" if it is everybody.
	Rule string
	// Who says in words who they are.
	Who string
	// Exact says that the shares follow from ranges of positions. Otherwise they
	// were counted.
	Exact bool
	// Invented says that people were counted who are made up.
	Invented bool
	// Ramp says that a ramp is involved: the shares are those of Report.Now.
	Ramp  bool
	Moves []Move // the largest share first; empty: nobody is served something else
	Bars  []Bar  // of exact groups
}

// moved returns the share of a group that is served something else.
func (g Group) moved() Share {
	var sum Share
	for _, m := range g.Moves {
		sum = sum.plus(m.Share)
	}
	return sum
}

// A Move is a share of users who were served one variant and will be another.
type Move struct {
	From, To string // the same if the variant has got another value
	Share    Share
}

// Compare compares pairs. The error is that of the context or the population, or
// says that a payload is not one that clients accept.
func Compare(ctx context.Context, c Config) (Report, error) {
	r := Report{Now: c.Now, Environments: make([]Environment, len(c.Pairs))}
	var jobs []*job
	for i, pair := range c.Pairs {
		w := newComparison(pair, c.Now)
		r.Environments[i] = Environment{Name: pair.Environment, Flags: w.flags()}
		more, err := newJobs(w, r.Environments[i].Flags, c.Population)
		if err != nil {
			return Report{}, fmt.Errorf("comparing environment %q: %w", pair.Environment, err)
		}
		jobs = append(jobs, more...)
	}
	if err := measure(ctx, &c, jobs, &r); err != nil {
		return Report{}, err
	}
	for _, e := range r.Environments {
		for i := range e.Flags {
			e.Flags[i].setMoved()
		}
		slices.SortStableFunc(e.Flags, func(a, b Flag) int {
			return cmp.Or(b.Moved.cmp(a.Moved), cmp.Compare(a.Change.rank(), b.Change.rank()), strings.Compare(a.Key, b.Key))
		})
	}
	return r, nil
}

// rank orders flags of which equally much changes. One that is removed comes
// first: programs that ask for it will serve what they have.
func (c Change) rank() int { return slices.Index([]Change{Removed, Changed, Added}, c) }

// setMoved computes Moved of Groups.
func (f *Flag) setMoved() {
	for _, g := range f.Groups {
		if g.Rule == "" {
			f.Moved = g.moved()
			return
		}
	}
	for _, g := range f.Groups {
		if m := g.moved(); m.cmp(f.Moved) > 0 {
			f.Moved = m
		}
	}
}

// Equal reports whether nothing differs, as far as is known.
func (r Report) Equal() bool {
	return r.NotCompared == "" && !slices.ContainsFunc(r.Environments, func(e Environment) bool { return len(e.Flags) > 0 })
}

// Over returns the flags of which a larger share than limit changes, as "KEY in
// ENVIRONMENT (SHARE OF WHOM)". Ranges end at whole positions, so that 50 % → 60 % may move
// a billionth more than 10 %: less than is shown of a share doesn't count.
func (r Report) Over(limit Share) []string {
	var list []string
	limit = limit.plus(countShare(1, 1_000_000))
	for _, e := range r.Environments {
		for _, f := range e.Flags {
			if f.Moved.cmp(limit) > 0 {
				list = append(list, fmt.Sprintf("%s%s (%s%s)", f.Key, inEnvironment(e.Name), f.Moved, f.whose()))
			}
		}
	}
	return list
}

func inEnvironment(name string) string {
	if name == "" {
		return ""
	}
	return " in " + name
}

// A place is where a flag is.
type place struct {
	namespace string
	set       *evaluator.Ruleset
	flag      *evaluator.Flag
}

// A side is one of the two that are compared.
type side struct {
	places map[string]place // of the flags that are served, by key
	sets   map[*evaluator.Ruleset]*index
}

// An index finds the parts of a ruleset by their names.
type index struct {
	attributes map[string]evaluator.AttributeType
	zones      map[string]*evaluator.Zone
	segments   map[string]*evaluator.Segment
	flags      map[string]*evaluator.Flag // prerequisites included
}

func newSide(payloads []bundle.Payload) side {
	s := side{places: make(map[string]place), sets: make(map[*evaluator.Ruleset]*index, len(payloads))}
	for i := range payloads {
		set := &payloads[i].Ruleset
		s.sets[set] = newIndex(set)
		for j := range set.Flags {
			f := &set.Flags[j]
			s.places[f.Key] = place{payloads[i].Namespace, set, f}
		}
	}
	return s
}

func newIndex(set *evaluator.Ruleset) *index {
	x := &index{
		attributes: make(map[string]evaluator.AttributeType, len(set.Attributes)),
		zones:      make(map[string]*evaluator.Zone, len(set.Zones)),
		segments:   make(map[string]*evaluator.Segment, len(set.Segments)),
		flags:      make(map[string]*evaluator.Flag, len(set.Flags)+len(set.Prerequisites)),
	}
	for _, a := range set.Attributes {
		x.attributes[a.Name] = a.Type
	}
	for i := range set.Zones {
		x.zones[set.Zones[i].Name] = &set.Zones[i]
	}
	for i := range set.Segments {
		x.segments[set.Segments[i].Name] = &set.Segments[i]
	}
	for _, flags := range [][]evaluator.Flag{set.Prerequisites, set.Flags} {
		for i := range flags {
			x.flags[flags[i].Key] = &flags[i]
		}
	}
	return x
}
