// Package lint warns of likely mistakes in an estate that is valid.
//
// Start at [Run]. Every warning has the name of a lint, by which a file can
// silence it.
package lint

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/serin-flags/serin/ci/internal/imply"
	"github.com/serin-flags/serin/ci/internal/lang"
	"github.com/serin-flags/serin/ci/internal/parallel"
	"github.com/serin-flags/serin/ci/internal/plan"
	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// Options configure Run.
type Options struct {
	// Now decides which flags have expired and which ramps have ended. If it is
	// zero, lints that depend on the time say nothing.
	Now time.Time
}

// Run returns the warnings about an estate, sorted, and none twice.
func Run(e *lang.Estate, o Options) problem.Problems {
	l := &linter{estate: e, facts: imply.NewFacts(e.Known.Ruleset()), now: o.Now,
		files: make(map[*source.File]*lintedFile)}
	parallel.Do(e.Flags, l.flag)
	l.everyFile()
	l.unused()
	l.salts()
	l.addresses()
	l.unusedSilences()
	var list problem.Problems
	for _, f := range l.files {
		list = append(list, f.warnings...)
	}
	list.Sort()
	return list
}

// A linter collects warnings. It is safe for concurrent use.
type linter struct {
	estate *lang.Estate
	facts  *imply.Facts
	now    time.Time

	mu    sync.Mutex
	files map[*source.File]*lintedFile
}

// A lintedFile is what is said about a file.
type lintedFile struct {
	warnings problem.Problems
	silenced map[string]bool // lints that would have said something
}

// warn records a warning at n.
func (l *linter) warn(lint string, s *source.File, n *source.Node, format string, args ...any) {
	if l.wants(lint, s) { // to find a line takes time
		l.warnAt(lint, s, n.Line(), n.Column(), s.Line(n.Line()), fmt.Sprintf(format, args...))
	}
}

// wants reports whether warnings of a lint about a file are shown: the lint isn't
// silenced, and the file doesn't have too many.
func (l *linter) wants(lint string, s *source.File) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.files[s]
	if f == nil {
		f = &lintedFile{silenced: make(map[string]bool)}
		l.files[s] = f
	}
	if slices.ContainsFunc(s.Silences, func(s problem.Silence) bool { return s.Lint == lint }) {
		f.silenced[lint] = true
		return false
	}
	return len(f.warnings) <= problem.Max
}

// warnAt records a warning at a place in a file, whose line is given.
func (l *linter) warnAt(lint string, s *source.File, line, column int, text, message string) {
	if !l.wants(lint, s) {
		return
	}
	if lint == problem.LintEmailAddress {
		text = problem.MaskAddresses(text)
	}
	p := problem.New(s.Shown, line, column, text, message)
	p.Severity, p.Lint = problem.SeverityWarning, lint
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.files[s]
	if len(f.warnings) == problem.Max {
		p.Message = tooManyWarnings
	}
	f.warnings = append(f.warnings, p)
}

// timedLints say nothing without knowing the time.
var timedLints = []string{problem.LintExpiredFlag, problem.LintFinishedRamp}

// tooManyWarnings takes the place of the first warning that isn't shown.
const tooManyWarnings = "there are more warnings about this file than are shown"

// everyFile runs the lints that apply to all kinds of files.
func (l *linter) everyFile() {
	parallel.Do(slices.Collect(l.estate.Sources()), l.file)
	parallel.Do(l.estate.UsedLists(), l.list)
}

// unusedSilences warns of lints that are silenced where they say nothing.
func (l *linter) unusedSilences() {
	files := slices.Collect(l.estate.Sources())
	for _, list := range l.estate.UsedLists() {
		files = append(files, list.File)
	}
	for _, s := range files {
		for _, silent := range s.Silences {
			if f := l.files[s]; f != nil && f.silenced[silent.Lint] || silent.Lint == problem.LintUnusedSilence {
				continue
			}
			if l.now.IsZero() && slices.Contains(timedLints, silent.Lint) {
				continue
			}
			l.warnAt(problem.LintUnusedSilence, s, silent.Line, silent.Column, l.textOf(s, silent.Line),
				fmt.Sprintf("%q is silenced, but would say nothing here; remove it", silent.Lint))
		}
	}
}

// flag runs the lints that look at one flag.
func (l *linter) flag(f *lang.Flag) {
	l.expired(f)
	l.prerequisiteTypes(f)
	l.claims(f)
	for i := range f.Bodies {
		b := &f.Bodies[i]
		for j, r := range b.Rules {
			l.served(f, b, r, &b.Flag.Rules[j])
		}
		if b.Rules != nil {
			l.reach(f, b)
		}
	}
}

// expired warns of a flag whose time is over.
func (l *linter) expired(f *lang.Flag) {
	n := f.Expires
	if n == nil || l.now.IsZero() {
		return
	}
	zone := l.estate.Known.Zone
	date, err := time.ParseInLocation(time.DateOnly, n.Text, zone)
	if err == nil && !l.now.Before(date.AddDate(0, 0, 1)) {
		l.warn(problem.LintExpiredFlag, f.File, n,
			"the flag expired on %s; remove it from the code and delete it, or give it a later date", n.Text)
	}
}

// served warns of what a rule serves.
func (l *linter) served(f *lang.Flag, b *lang.Body, r *lang.Rule, compiled *evaluator.Rule) {
	if compiled.Split == nil {
		return
	}
	if r.Ramp != nil {
		l.ramp(f, b, r)
		return
	}
	ranges := compiled.Split.Ranges
	first := ranges[0].Variant
	if !slices.ContainsFunc(ranges, func(other evaluator.Range) bool { return other.Variant != first }) {
		name := b.Flag.Variants[first].Name
		l.warn(problem.LintSingleVariant, f.File, r.Serve, "%srule %q: the split gives everybody %q; write serve: %s",
			b.Place(), r.Name, name, name)
	}
}

// ramp warns of a ramp that has reached its last share.
func (l *linter) ramp(f *lang.Flag, b *lang.Body, r *lang.Rule) {
	if l.now.IsZero() {
		return
	}
	if r.Ramp.Guard != nil {
		l.plan(f, b, r)
		return
	}
	at := l.now.Unix()
	if r.Ramp.Paused {
		at = r.Ramp.Since
	}
	last := r.Ramp.Points[len(r.Ramp.Points)-1]
	if at < last.At {
		return
	}
	l.warn(problem.LintFinishedRamp, f.File, r.Serve,
		"%srule %q: the ramp ended on %s; to make it permanent write serve: %s",
		b.Place(), r.Name, time.Unix(last.At, 0).In(l.estate.Known.Zone).Format("2006-01-02T15:04"),
		permanent(b, r.Ramp))
}

// permanent returns what to serve instead of a ramp that has reached its last share.
func permanent(b *lang.Body, r *lang.Ramp) string {
	variant := r.Variant.Text
	if r.To == share.Whole {
		return variant
	}
	return fmt.Sprintf("{%s: %s, %s: %s}", variant, share.Format(r.To), b.Flag.Variants[b.Flag.Default].Name,
		share.Rest)
}

// plan warns of a plan that is finished wherever its guard counts.
func (l *linter) plan(f *lang.Flag, b *lang.Body, r *lang.Rule) {
	finished := false
	for _, environment := range r.Ramp.Guard.Environments {
		if f.Guarded(environment) != r {
			continue // it has rules of its own
		}
		line := l.estate.Known.Releases[plan.Key{Flag: f.Key, Environment: environment}]
		if finished = line.State == plan.Finished && int64(line.Share) >= r.Ramp.To; !finished { // or steps were added
			return
		}
	}
	if !finished {
		return
	}
	l.warn(problem.LintFinishedRamp, f.File, r.Serve,
		"%srule %q: the plan is finished; to make it permanent write serve: %s",
		b.Place(), r.Name, permanent(b, r.Ramp))
}

// prerequisiteTypes warns of prerequisites of another type. A boolean flag is a gate
// that any flag may ask for. The variants of other flags are names of values, which
// flags of other types should know nothing about.
func (l *linter) prerequisiteTypes(f *lang.Flag) {
	for i := range f.Bodies {
		b := &f.Bodies[i]
		for _, r := range b.Rules {
			for _, p := range r.Requires {
				ours, theirs := f.Base().Type, l.estate.ByKey[p.Key].Base().Type
				if theirs != ours && theirs != evaluator.KindBool {
					l.warn(problem.LintPrerequisiteType, f.File, p.At,
						"rule %q: flag %q is of type %v and asks for a variant of %q, which is of type %v; ask for a boolean flag instead",
						r.Name, f.Key, ours, p.Key, theirs)
				}
			}
		}
	}
}
