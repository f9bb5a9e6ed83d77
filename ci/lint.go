package ci

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/serin-flags/serin/evaluator"
)

// LintOptions say what [Estate.Lint] looks at.
type LintOptions struct {
	// Now is the time at which flags have expired and ramps have ended. If it
	// is zero, lints that depend on the time say nothing.
	Now time.Time
}

// Lint returns warnings: what the files may say, but hardly mean to. Each has the
// name of a lint, and is of [SeverityWarning]. A file silences a lint by its name,
// with the reason; warnings that are silenced are left out. At most 500 are
// returned for one file.
func (e *Estate) Lint(o LintOptions) Problems { return lintEstate(e.flags, o) }

// lintEstate returns the warnings of an estate.
func lintEstate(e *estate, o LintOptions) Problems {
	l := &linter{estate: e, facts: newFacts(e.known.ruleset()), now: o.Now, files: make(map[*source]*lintedFile)}
	parallel(e.flags, l.flag)
	l.everyFile()
	l.unused()
	l.salts()
	l.addresses()
	l.unusedSilences()
	var list Problems
	for _, f := range l.files {
		list = append(list, f.warnings...)
	}
	list.sort()
	return slices.Compact(list) // environments find some again
}

// A linter collects warnings. It is safe for concurrent use.
type linter struct {
	estate *estate
	facts  *facts
	now    time.Time

	mu    sync.Mutex
	files map[*source]*lintedFile
}

// A lintedFile is what is said about a file.
type lintedFile struct {
	warnings Problems
	silenced map[string]bool // lints that would have said something
}

// warn says something about n.
func (l *linter) warn(lint string, s *source, n *node, format string, args ...any) {
	if l.wants(lint, s) { // to find a line takes time
		l.warnAt(lint, s, n.line(), n.column(), s.line(n.line()), fmt.Sprintf(format, args...))
	}
}

// wants reports whether what a lint says about a file is shown: it isn't silenced,
// and there isn't enough.
func (l *linter) wants(lint string, s *source) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.files[s]
	if f == nil {
		f = &lintedFile{silenced: make(map[string]bool)}
		l.files[s] = f
	}
	if slices.ContainsFunc(s.silences, func(s silence) bool { return s.lint == lint }) {
		f.silenced[lint] = true
		return false
	}
	return len(f.warnings) <= maxFileProblems
}

// warnAt says something about a place in a file, whose line is given.
func (l *linter) warnAt(lint string, s *source, line, column int, text, message string) {
	if !l.wants(lint, s) {
		return
	}
	if lint == lintEmailAddress {
		text = maskAddresses(text)
	}
	p := newProblem(s.shown, line, column, text, message)
	p.Severity, p.Lint = SeverityWarning, lint
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.files[s]
	if len(f.warnings) == maxFileProblems {
		p.Message = tooManyWarnings
	}
	f.warnings = append(f.warnings, p)
}

// tooManyWarnings takes the place of the first warning that isn't shown.
const tooManyWarnings = "there are more warnings about this file than are shown"

// everyFile asks the lints that look at files whatever these are about.
func (l *linter) everyFile() {
	parallel(slices.Collect(l.estate.sources()), l.file)
	parallel(l.estate.usedLists(), l.list)
}

// unusedSilences says which lints are silenced where they say nothing.
func (l *linter) unusedSilences() {
	files := slices.Collect(l.estate.sources())
	for _, list := range l.estate.usedLists() {
		files = append(files, list.source)
	}
	for _, s := range files {
		for _, silent := range s.silences {
			if f := l.files[s]; f != nil && f.silenced[silent.lint] || silent.lint == lintUnusedSilence {
				continue
			}
			if l.now.IsZero() && slices.Contains(timedLints, silent.lint) {
				continue
			}
			l.warnAt(lintUnusedSilence, s, silent.line, silent.column, l.textOf(s, silent.line),
				fmt.Sprintf("%q is silenced and says nothing here; take it out", silent.lint))
		}
	}
}

// A body is a flag as it is without an environment, or in one that replaces some
// of it.
type body struct {
	environment string
	flag        *evaluator.Flag
	rules       *node // the list that is written for it, nil if there is none
}

// bodies yields the flag, and then what environments make of it.
func (f *flag) bodies() iter.Seq[body] {
	return func(yield func(body) bool) {
		root := f.source.root
		if !yield(body{"", &f.base, root.get("rules")}) {
			return
		}
		environments := root.get("environments")
		if environments == nil {
			return
		}
		for _, e := range environments.fields {
			o := f.overrides[e.key.text]
			if !yield(body{e.key.text, &o, e.value.get("rules")}) {
				return
			}
		}
	}
}

// place says in which environment something is the matter.
func (b body) place() string {
	if b.environment == "" {
		return ""
	}
	return fmt.Sprintf("environment %q: ", b.environment)
}

// flag asks the lints that look at one flag.
func (l *linter) flag(f *flag) {
	l.expired(f)
	l.prerequisiteTypes(f)
	for b := range f.bodies() {
		if b.rules == nil {
			continue
		}
		for i := range b.flag.Rules {
			l.served(f, b, i)
		}
		l.reach(f, b)
	}
}

// expired says that a flag is debt.
func (l *linter) expired(f *flag) {
	n := f.source.root.get("expires")
	if n == nil || l.now.IsZero() {
		return
	}
	zone := l.estate.known.zone
	date, err := time.ParseInLocation(time.DateOnly, n.text, zone)
	if err == nil && !l.now.Before(date.AddDate(0, 0, 1)) {
		l.warn(lintExpiredFlag, f.source, n, "the flag expired on %s; take it out of the code and delete it, or give it a later date", n.text)
	}
}

// served looks at what a rule serves.
func (l *linter) served(f *flag, b body, i int) {
	r := &b.flag.Rules[i]
	n := b.rules.items[i].get("serve")
	if r.Split == nil {
		return
	}
	if isRamp(n) {
		l.ramp(f, b, r, n)
		return
	}
	first := r.Split.Ranges[0].Variant
	if !slices.ContainsFunc(r.Split.Ranges, func(other evaluator.Range) bool { return other.Variant != first }) {
		name := b.flag.Variants[first].Name
		l.warn(lintSingleVariant, f.source, n, "%srule %q: the split gives everybody %q; write serve: %s", b.place(), r.Name, name, name)
	}
}

// ramp says that a ramp has reached its last share.
func (l *linter) ramp(f *flag, b body, r *evaluator.Rule, n *node) {
	if l.now.IsZero() {
		return
	}
	// Of a paused ramp the schedule isn't compiled.
	c := checker{reader: reader{source: &source{path: f.source.path, shown: f.source.shown}}, known: l.estate.known}
	var ramp evaluator.Ramp
	if !c.schedule(n, &ramp) {
		return
	}
	at := l.now.Unix()
	if paused, since, ok := c.pause(n); ok && paused {
		at = since
	}
	last := ramp.Points[len(ramp.Points)-1]
	if at < last.At {
		return
	}
	variant := n.get("ramp").text
	serve := variant
	if last.Level < evaluator.Positions {
		serve = fmt.Sprintf("{%s: %s, %s: %s}", variant, c.lastShare(n), b.flag.Variants[b.flag.Default].Name, rest)
	}
	l.warn(lintFinishedRamp, f.source, n, "%srule %q: the ramp ended on %s; to make it permanent write serve: %s",
		b.place(), r.Name, time.Unix(last.At, 0).In(l.estate.known.zone).Format("2006-01-02T15:04"), serve)
}

// lastShare returns the share that a ramp grows to.
func (c checker) lastShare(n *node) string {
	if steps := n.get("steps"); steps != nil {
		n = steps.items[len(steps.items)-1]
	} else {
		n = cmp.Or(n.get("double"), n.get("linear"))
	}
	to := n.get("to")
	if to == nil {
		return formatShare(whole)
	}
	portion, _ := c.plainShare(to, "\"to\"")
	return formatShare(portion)
}

// prerequisiteTypes says which flags of another type a flag asks for. A boolean
// one is a gate that any may stand behind; of others it is the name of a value
// that is asked for, which is for its own kind to know.
func (l *linter) prerequisiteTypes(f *flag) {
	for b := range f.bodies() {
		for _, p := range f.requires(b.environment) {
			other := l.estate.byKey[p.key]
			if other.base.Type != f.base.Type && other.base.Type != evaluator.TypeBoolean {
				l.warn(lintPrerequisiteType, f.source, p.at, "%sflag %q is of type %v and asks for a variant of %q, which is of type %v; ask for a boolean flag, which says what is meant",
					p.checker.place, f.key, f.base.Type, p.key, other.base.Type)
			}
		}
	}
}
