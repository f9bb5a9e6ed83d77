// Package flagtest reads and runs the tests beside flags.
//
// Start at [Read] and [Run]. A test evaluates one flag for a context or for a
// population, with the evaluator that clients use.
package flagtest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"sync"

	"github.com/serin-flags/serin/ci/internal/lang"
	"github.com/serin-flags/serin/ci/internal/parallel"
	"github.com/serin-flags/serin/ci/internal/plan"
	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/values"
)

// Options choose which tests run and where.
type Options struct {
	// Run, if not nil, chooses the tests whose "flag/name" it matches.
	Run *regexp.Regexp
	// Environment is where tests run that name no environment. If it is set,
	// tests that name another one are left out. If it is "", those tests run on
	// the flags without what environments replace.
	Environment string
}

// A Report is the outcome of a run.
type Report struct {
	Results []Result // by file, then in the order written
	// Rules are the rules that tests can reach, by namespace, flag and place:
	// those of all flags or, with [Options].Run, of the tested flags.
	Rules []RuleCoverage
}

// Failed returns the number of tests that failed.
func (r Report) Failed() int {
	n := 0
	for _, result := range r.Results {
		if !result.Passed() {
			n++
		}
	}
	return n
}

// Problems returns what went wrong in all tests.
func (r Report) Problems() problem.Problems {
	var all problem.Problems
	for _, result := range r.Results {
		all = append(all, result.Failures...)
	}
	return all
}

// A Result is the outcome of one test.
type Result struct {
	Flag, Name  string
	Environment string // "" for none
	// File, Line and Column say where the test is, as in [problem.Problem].
	File         string
	Line, Column int
	// Failures has a problem at each expectation that isn't met. It is empty if
	// the test passed.
	Failures problem.Problems
}

// Passed reports whether all expectations of the test are met.
func (r Result) Passed() bool { return len(r.Failures) == 0 }

// Run runs tests of an estate's flags.
func Run(e *lang.Estate, tests []*Case, opts Options) Report {
	var runs []*testRun
	for _, t := range tests {
		if opts.Run != nil && !opts.Run.MatchString(t.flag.Key+"/"+t.name) {
			continue
		}
		environment := t.environment
		if opts.Environment != "" {
			if environment != "" && environment != opts.Environment {
				continue
			}
			environment = opts.Environment
		}
		runs = append(runs, &testRun{test: t, environment: environment})
	}
	r := runner{estate: e, programs: make(map[programKey]*evaluator.CompiledFlag)}
	parallel.Do(runs, r.run)
	var report Report
	covered, tested := make(coverage), make(map[*lang.Flag]bool)
	for _, run := range runs {
		report.Results = append(report.Results, run.result)
		covered.add(run.test.flag, run.environment, run.reached)
		tested[run.test.flag] = true
	}
	for _, f := range e.Flags {
		if opts.Run == nil || tested[f] {
			report.Rules = append(report.Rules, covered.rulesOf(f, opts.Environment, e.Known.Environments)...)
		}
	}
	return report
}

// A testRun is a test, where it runs, and what came of it.
type testRun struct {
	test        *Case
	environment string
	result      Result
	reached     []string // the rules that served
}

// A runner runs tests concurrently. Tests that pin nothing share compiled flags.
type runner struct {
	estate   *lang.Estate
	mu       sync.Mutex
	programs map[programKey]*evaluator.CompiledFlag // guarded by mu
}

type programKey struct {
	flag, environment string
	enabled           bool
	guarded           bool // whether a share is cleared, and which
	cleared           plan.Share
}

// compile returns the flag of a test, ready to evaluate: as it is, or as if it were
// enabled.
func (r *runner) compile(t *Case, environment string, enabled bool) (*evaluator.CompiledFlag, error) {
	if err := r.estate.CheckEnvironment(environment); err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(t.pins.Flags)) {
		f := r.estate.ByKey[key].In(environment)
		if name := t.pins.Flags[key]; !slices.Contains(lang.VariantNames(&f), name) {
			return nil, fmt.Errorf("given: flag %q has no variant %q here", key, name)
		}
	}
	key := programKey{flag: t.flag.Key, environment: environment, enabled: enabled}
	tested := t.flag.ByClock(environment)
	if t.cleared != nil {
		tested = t.flag.At(environment, *t.cleared)
		key.guarded, key.cleared = true, *t.cleared
	}
	if f := r.compiled(key); f != nil && t.pins.None() {
		return f, nil
	}
	tested.Disabled = tested.Disabled && !enabled
	pins := t.pins
	pins.ByClock = true // or a test would fail when a guard advances
	set := r.estate.Ruleset(environment, []evaluator.Flag{tested}, pins)
	program, err := evaluator.Compile(set)
	if err != nil {
		return nil, fmt.Errorf("compiling flag: %w", err)
	}
	f := program.Flag(t.flag.Key)
	if t.pins.None() {
		r.mu.Lock()
		r.programs[key] = f
		r.mu.Unlock()
	}
	return f, nil
}

// compiled returns a flag that has been compiled as it is, or nil.
func (r *runner) compiled(key programKey) *evaluator.CompiledFlag {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.programs[key]
}

func (r *runner) run(run *testRun) {
	t, environment := run.test, run.environment
	run.result = Result{
		Flag: t.flag.Key, Name: t.name, Environment: environment,
		File: t.file.Shown, Line: t.at.Line(), Column: t.at.Column(),
	}
	run.result.Failures, run.reached = r.check(t, environment, false)
	// A flag that is disabled in a hurry must not fail the tests of its rules.
	if len(run.result.Failures) > 0 && t.flag.In(environment).Disabled {
		if failed, _ := r.check(t, environment, true); len(failed) == 0 {
			run.result.Failures = nil
		}
	}
}

// check returns the expectations of a test that the flag doesn't meet, as it is or as if
// it were enabled, and the rules that served.
func (r *runner) check(t *Case, environment string, enabled bool) (list problem.Problems, reached []string) {
	failed := &failures{file: t.file, place: fmt.Sprintf("flag %q, test %q: ", t.flag.Key, t.name)}
	if environment != "" {
		failed.place += fmt.Sprintf("environment %q: ", environment)
	}
	f, err := r.compile(t, environment, enabled)
	switch {
	case err != nil:
		failed.add(t.at, "%v", err)
	case f.UsesTime() && !t.timed:
		failed.add(t.at, "the flag depends on time; say when the test takes place, for instance: at: 2026-12-01T09:00")
	case t.Population != nil:
		known := r.estate.Known
		reached = failed.comparePopulation(f, t, known, t.units(known, environment), t.flag.In(environment).Reserved)
	default:
		reached = failed.compare(f, evaluator.Context{Attrs: t.context, Now: t.now, Age: t.age}, &t.expect)
	}
	return failed.list, reached
}

// failures are the expectations of a test that aren't met.
type failures struct {
	file  *source.File // the test's file
	place string       // prefix of messages
	list  problem.Problems
}

// add records a failure at n.
func (f *failures) add(n *source.Node, format string, args ...any) {
	message := f.place + fmt.Sprintf(format, args...)
	f.list = append(f.list, problem.New(f.file.Shown, n.Line(), n.Column(), f.file.Line(n.Line()), message))
}

// compare records which expectations the flag doesn't meet, and returns the rule
// that served.
func (f *failures) compare(flag *evaluator.CompiledFlag, ctx evaluator.Context, e *expectation) (reached []string) {
	got := flag.Evaluate(&ctx)
	why := func() string { return because(flag.Explain(&ctx)) }
	if e.valueAt != nil && !values.Same(got.Value(), e.value) {
		f.add(e.valueAt, "expected value %s, got %s (%s)", e.value.JSON(), got.Value().JSON(), why())
	}
	if e.variantAt != nil && got.Variant() != e.variant {
		f.add(e.variantAt, "expected variant %q, got %q (%s)", e.variant, got.Variant(), why())
	}
	if e.ruleAt != nil && got.Rule() != e.rule {
		rule := "none"
		if got.Rule() != "" {
			rule = strconv.Quote(got.Rule())
		}
		f.add(e.ruleAt, "expected rule %q, got %s (%s)", e.rule, rule, why())
	}
	if e.reasonAt != nil && got.Reason().String() != e.reason {
		f.add(e.reasonAt, "expected reason %s, got %v (%s)", e.reason, got.Reason(), why())
	}
	if got.Rule() != "" {
		reached = []string{got.Rule()}
	}
	return reached
}

// because returns in words why a flag served what it did.
func because(t evaluator.Trace) string {
	var why string
	switch t.Reason {
	case evaluator.ReasonStatic:
		why = "the flag has no rules"
	case evaluator.ReasonDefault:
		why = "no rule matched"
		if layer := t.Reserved; layer != nil && !layer.Missing && !layer.Within {
			why = fmt.Sprintf("%s %s is not in the flag's share of the layer %q", layer.By, layer.Unit.JSON(),
				layer.Layer)
		}
	case evaluator.ReasonTargetingMatch, evaluator.ReasonSplit:
		why = fmt.Sprintf("rule %q matched", t.Rule)
	case evaluator.ReasonDisabled:
		why = "the flag is not enabled"
	case evaluator.ReasonStale:
		why = "the flags are too old"
	}
	why = fmt.Sprintf("variant %q, %v: %s", t.Variant, t.Reason, why)
	if unit := t.MissingUnit; unit != "" {
		what := "a split"
		if t.Reserved != nil && t.Reserved.Missing {
			what = fmt.Sprintf("the layer %q", t.Reserved.Layer)
		}
		why += fmt.Sprintf("; %s by %q did not match, because the context has no %q that can be hashed", what,
			unit, unit)
	}
	return why
}
