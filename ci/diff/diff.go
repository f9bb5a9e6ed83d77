// Package diff says what a change of flags does to users. It compares two sets
// of payloads, compiled from a folder or published: which flags differ, in words,
// and who gets a different value.
//
// For every flag that changed, the report has a [Verdict], which is never a guess:
//
//   - nobody gets a different value, which is proved for all contexts at all times;
//   - a share of users does, computed exactly from the ranges of splits and layers;
//   - only people that the flags name do, and how many these are;
//   - somebody does: an example, which both sides have been evaluated for;
//   - or nothing is known, because no example was found and nothing is proved.
//
// Reviewers and CI rely on these sentences, so doubt is always resolved in favour of
// the weaker one. See the decision record 0029 for why a proof is one, and package
// decide for how it is found.
//
// A population, such as a log of contexts, can be counted as well. Counts are never
// called exact, because the next population may be a different one.
//
// The package is pure: it has no clock, reads nothing but the population that it is
// given, and gives equal answers to equal questions. It trusts the payloads: callers
// verify published ones before. Secrets aren't masked, since flags have none; contexts
// of a population never appear in a report.
//
// # Use
//
// A caller compiles both sides for each environment, and compares them:
//
//	report, err := diff.Compare(ctx, diff.Config{
//		Pairs: []diff.Pair{{Environment: "production", Old: old, New: new}},
//		Now:   time.Now().Unix(),
//	})
//	if err != nil {
//		return err
//	}
//	report.Old, report.New = "git:main", "flags"
//	err = report.Text(os.Stdout)
//
// [Report.Over] then says which flags are to fail a check in CI.
//
// # Limits
//
// A comparison of two flags is limited to 2^19 steps of package decide. Beyond that the result is less
// precise but still true: an example instead of a share, or "unknown" instead of a proof. Descriptions of
// conditions and values are cut off after 300 characters. Reports grow with the number of flags that
// differ; only Markdown has a limit of its own.
//
// # Structure
//
// Start at [Compare], and write what it returns with [Report.Text] for a terminal,
// [Report.Markdown] for a pull request, or [Report.JSON] for programs. The differences
// between flags, as [Edit] values, come from compare.go, condition.go and serve.go;
// verdict.go asks decide; measure.go and probe.go count.
package diff

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/internal/decide"
	"github.com/serin-flags/serin/ci/internal/parallel"
	"github.com/serin-flags/serin/evaluator"
)

// A Pair is one environment before and after. Each side has one payload for each namespace, in any order.
// Callers must not modify payloads while they are compared.
type Pair struct {
	Environment string // "": flags as they are without what environments replace
	Old, New    []bundle.Payload
	// Renames are the old keys of flags that are known to be renamed, by the new ones.
	// Others are recognised by what they have in common.
	Renames map[string]string
}

// A Config says what to compare.
type Config struct {
	Pairs []Pair
	// Now is the present, in seconds since 1970: shares are those of that time,
	// and examples too if there are any. Other times count as well.
	Now int64
	// Population is people to count. It is read once. nil: nobody is counted.
	Population *Population
	// Progress, if not nil, is told now and then how much of the population is
	// done, in units of its own. It is called by one goroutine at a time.
	Progress func(done, total int64)
	// steps, if not 0, bounds the work of package decide for one flag instead of its MaxSteps.
	steps int
}

// A Report is what differs. It is plain data, which callers may filter before they write it.
type Report struct {
	// Old and New are what was compared, as people are shown it. The caller sets
	// them.
	Old, New string
	// Notes are lines about what was not compared, for [Report.Markdown]. The caller
	// sets them.
	Notes []string
	Now   int64 // the present that was compared for, in seconds since 1970
	// Counted is the population that was counted, or nil.
	Counted *Counted
	// Environments are those of the pairs, in order, also if nothing differs.
	Environments []Environment
	// NotCompared, if not "", says why nothing could be compared. The caller sets
	// it, in a report that has nothing else.
	NotCompared string
}

// Counted describes a population that was counted.
type Counted struct {
	Name   string // of the file
	People int64  // its contexts: a user who is in it twice counts twice
}

// An Environment lists the flags that differ in one environment. It is part of the report even if none
// differ, so that readers see that it was compared.
type Environment struct {
	Name  string
	Flags []Flag // those that differ, the one first of which most changes
}

// A Change is what happened to a flag.
type Change string

// The changes.
const (
	// Added is a flag that only the new side has, and Removed one that only the old side has.
	Added   Change = "added"
	Removed Change = "removed"
	// Changed is a flag that both sides have and that differs in any way, including its metadata and
	// what its rules refer to.
	Changed Change = "changed"
	// Renamed is a flag that is removed, while one with another key and the same
	// variants and rules is added. It has a verdict, as a changed one has.
	Renamed Change = "renamed"
)

// A Flag is a flag that differs.
type Flag struct {
	Key       string
	Was       string // the old key of a flag that is renamed
	Namespace string // of the new side, or of the old one if it is removed
	WasIn     string // the namespace of the old side, if that is another one
	Change    Change
	// Edits say how it differs. Of one that was removed there are none.
	Edits []Edit
	// Verdict says what is known of who gets a different value. The fields after
	// it hold what it goes by. A flag that was added or removed has none: what
	// programs serve without it, only they know.
	Verdict Verdict
	// Groups are the people among which a share gets another variant. The first is of
	// the population that was counted, if there is one.
	Groups []Group
	// Named is how many people, named in the flags, get a different value.
	Named int
	// Examples are contexts that get a different value.
	Examples []Example
	// Aside says that nobody gets a different value from the present on, by flags
	// that are fresh: examples are in the past, or of flags that have grown old.
	Aside bool
	// Moved is the share of users who get a different value: of the population
	// that was counted or else the largest of a group's. Unknown says that nothing is
	// known of how many they are.
	Moved   Share
	Unknown bool
}

// A Verdict is what is known of who gets a different value.
type Verdict string

// The verdicts, the strongest first. A flag has the first of them that is certain.
const (
	// VerdictNobody: nobody gets a different value, for any context, time and age of the flags.
	// This is proved, or only metadata differs.
	VerdictNobody Verdict = "nobody"
	// VerdictNamed: only users whose IDs the flags name get a different value. Flag.Named is their
	// number, and Flag.Examples has up to three of them.
	VerdictNamed Verdict = "named"
	// VerdictShare: the shares in Flag.Groups, which are exact, get a different value, and nobody else
	// except users whose IDs the flags name.
	VerdictShare Verdict = "share"
	// VerdictCounted: a share of the population gets a different value. Nothing is known of others.
	VerdictCounted Verdict = "counted"
	// VerdictExample: at least the contexts in Flag.Examples get a different value. It isn't known how
	// many others do.
	VerdictExample Verdict = "example"
	// VerdictUnknown: no example was found, and nothing is proved.
	VerdictUnknown Verdict = "unknown"
)

// A Group says which share of some people gets a different value.
type Group struct {
	// Rule is whose users these are; "" if no rule's. Old says that it is one of the
	// old flag's rules.
	Rule string
	Old  bool
	// Everybody says that these are all users, or all who have a unit.
	Everybody bool
	// With and Without are attributes that all of them have, or don't.
	With, Without []string
	// Who says in words who they are.
	Who string
	// Exact says that the shares are computed. Otherwise they were counted.
	Exact bool
	At    int64  // when; of a share that is not of the present
	Moves []Move // the largest share first; empty: nobody gets a different value
	Bars  []Bar  // of exact groups
}

// An Example is a context that gets a different value: both sides have been evaluated for it. It has
// as few attributes as it takes, and its time is the present if that will do.
type Example struct {
	Context  evaluator.Context
	From, To string // the variants, which are the same if the variant has got another value
	Timed    bool   // the flags tell times apart, so that the example depends on its own
	// typed says that all attributes are of their declared types, so that a command line can
	// have them one by one.
	typed bool
	unit  string // the attribute that the targeting key is
}

// moved returns the share of a group that gets a different value.
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

// Compare compares pairs. It takes up to a second for each flag that changed, and as
// long as it takes to evaluate both sides for each person of a population, on all
// cores. Memory doesn't grow with the population.
//
// The error is that of the context or the population, or says that a payload is not
// one that clients accept.
func Compare(ctx context.Context, c Config) (Report, error) {
	r := Report{Now: c.Now, Environments: make([]Environment, len(c.Pairs))}
	var jobs []*job
	comparisons, err := compareAll(ctx, &c, r.Environments)
	if err != nil {
		return Report{}, err
	}
	for i, pair := range c.Pairs {
		if c.Population == nil {
			continue
		}
		more, err := newJobs(comparisons[i], r.Environments[i].Flags)
		if err != nil {
			return Report{}, fmt.Errorf("comparing environment %q: %w", pair.Environment, err)
		}
		jobs = append(jobs, more...)
	}
	// The population is read once, for all environments.
	if err := measure(ctx, &c, jobs, &r); err != nil {
		return Report{}, err
	}
	for _, e := range r.Environments {
		for i := range e.Flags {
			e.Flags[i].setMoved()
		}
		// Reviewers read from the top, and a long comment is cut off at the end.
		slices.SortStableFunc(e.Flags, func(a, b Flag) int {
			return cmp.Or(b.weight().cmp(a.weight()), cmp.Compare(a.Change.rank(), b.Change.rank()),
				strings.Compare(a.Key, b.Key))
		})
	}
	return r, nil
}

// compareAll compares the pairs, each on a core of its own, and sets the environments to what differs.
func compareAll(ctx context.Context, c *Config, environments []Environment) ([]*comparison, error) {
	comparisons, errs := make([]*comparison, len(c.Pairs)), make([]error, len(c.Pairs))
	all := make([]int, len(c.Pairs))
	for i := range all {
		all[i] = i
	}
	parallel.Do(all, func(i int) {
		comparisons[i] = newComparison(c.Pairs[i], c)
		environments[i].Name = c.Pairs[i].Environment
		environments[i].Flags, errs[i] = comparisons[i].flags(ctx)
	})
	return comparisons, cmp.Or(errs...)
}

// rank orders flags of which equally much changes. One that is removed comes
// first: programs that ask for it will serve what they have.
func (c Change) rank() int { return slices.Index([]Change{Removed, Renamed, Changed, Added}, c) }

// compared reports whether a flag is on both sides, so that it has a verdict.
func (f *Flag) compared() bool { return f.Change == Changed || f.Change == Renamed }

// name returns the key, after the old one if the flag is renamed.
func (f *Flag) name() string {
	if f.Was == "" {
		return f.Key
	}
	return f.Was + " → " + f.Key
}

// weight orders flags: those first of which nobody knows how much changes.
func (f *Flag) weight() Share {
	if f.Unknown {
		return countShare(2, 1)
	}
	return f.Moved
}

// setMoved computes Moved and Unknown. If people were counted, their share is it.
func (f *Flag) setMoved() {
	counted := len(f.Groups) > 0 && !f.Groups[0].Exact
	f.Unknown = (f.Verdict == VerdictExample || f.Verdict == VerdictUnknown) && !f.Aside && !counted
	if counted {
		f.Moved = f.Groups[0].moved()
		if f.Verdict == VerdictExample || f.Verdict == VerdictUnknown {
			f.Verdict = VerdictCounted
		}
		return
	}
	for _, g := range f.Groups {
		if m := g.moved(); m.cmp(f.Moved) > 0 {
			f.Moved = m
		}
	}
}

// Equal reports whether nothing differs, as far as is known.
func (r Report) Equal() bool {
	return r.NotCompared == "" &&
		!slices.ContainsFunc(r.Environments, func(e Environment) bool { return len(e.Flags) > 0 })
}

// Over returns the changed and renamed flags for which a larger share of users than limit gets a
// different value, or an unknown share, as "KEY in ENVIRONMENT (SHARE)".
// People that the flags name don't count. With a limit of 0 the list is of all flags
// of which it isn't proved that nobody gets a different value.
//
// Ranges end at whole positions, so 50% → 60% may move a billionth more than 10%: less
// than is shown of a share doesn't count.
func (r Report) Over(limit Share) []string {
	var list []string
	// Proofs know nothing of limits, so what they refuse isn't a matter of a billionth.
	strict := limit.IsZero()
	limit = limit.plus(countShare(1, 1_000_000))
	for _, e := range r.Environments {
		for _, f := range e.Flags {
			if f.compared() && (strict && f.Verdict != VerdictNobody ||
				!strict && (f.Unknown || f.Moved.cmp(limit) > 0)) {
				list = append(list, fmt.Sprintf("%s%s (%s)", f.Key, inEnvironment(e.Name), f.amount()))
			}
		}
	}
	return list
}

// inEnvironment returns what to add to a flag's key in a list of several environments.
func inEnvironment(name string) string {
	if name == "" {
		return ""
	}
	return " in " + name
}

// A place is where a flag is: its ruleset has what the flag's conditions refer to, which is a copy of
// what other namespaces have.
type place struct {
	namespace string
	set       *evaluator.Ruleset
	flag      *evaluator.Flag
}

// A side is one of the two that are compared. A key is unique in all namespaces of a side.
type side struct {
	places map[string]place // of the flags that are served, by key
	sets   map[*evaluator.Ruleset]*decide.Index
}

// newSide indexes payloads, and points into them.
func newSide(payloads []bundle.Payload) side {
	flags := 0
	for i := range payloads {
		flags += len(payloads[i].Ruleset.Flags)
	}
	s := side{places: make(map[string]place, flags), sets: make(map[*evaluator.Ruleset]*decide.Index, len(payloads))}
	for i := range payloads {
		set := &payloads[i].Ruleset
		x := decide.NewIndex(set)
		s.sets[set] = &x
		for j := range set.Flags {
			f := &set.Flags[j]
			s.places[f.Key] = place{payloads[i].Namespace, set, f}
		}
	}
	return s
}
