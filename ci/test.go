package ci

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// TestOptions choose which tests run and where.
type TestOptions struct {
	// Run, if not nil, chooses the tests whose "flag/name" it matches.
	Run *regexp.Regexp
	// Environment is where tests run that name none. If it is set, tests
	// that name another one are left out; if it is "", tests run in the
	// environment that they name or, if they name none, in the flags as they
	// are without what environments replace.
	Environment string
}

// A TestReport is the outcome of a run.
type TestReport struct {
	Results []TestResult // by file, then in the order written
}

// Failed returns the number of tests that failed.
func (r TestReport) Failed() int {
	n := 0
	for _, result := range r.Results {
		if !result.Passed() {
			n++
		}
	}
	return n
}

// Problems returns what went wrong in all tests.
func (r TestReport) Problems() Problems {
	var all Problems
	for _, result := range r.Results {
		all = append(all, result.Failures...)
	}
	return all
}

// A TestResult is the outcome of one test.
type TestResult struct {
	Flag, Name  string
	Environment string // "" for none
	// File, Line and Column are where the test stands, as in [Problem].
	File         string
	Line, Column int
	// Failures has a problem for each expectation that doesn't hold, at its
	// place. It is empty if the test passed.
	Failures Problems
}

// Passed reports whether everything that the test expects came true.
func (r TestResult) Passed() bool { return len(r.Failures) == 0 }

// Test runs the estate's tests. An environment that the estate doesn't have
// leaves every test failed that would run in it.
func (e *Estate) Test(opts TestOptions) TestReport {
	var report TestReport
	r := runner{estate: e, programs: make(map[programKey]*evaluator.CompiledFlag)}
	for _, t := range e.tests {
		if opts.Run != nil && !opts.Run.MatchString(t.flag.key+"/"+t.name) {
			continue
		}
		environment := t.environment
		if opts.Environment != "" {
			if environment != "" && environment != opts.Environment {
				continue
			}
			environment = opts.Environment
		}
		report.Results = append(report.Results, r.run(t, environment))
	}
	return report
}

// A runner runs tests. Flags are compiled once for all tests that pin
// nothing.
type runner struct {
	estate   *Estate
	programs map[programKey]*evaluator.CompiledFlag
}

type programKey struct{ flag, environment string }

// compile returns the flag of a test, ready to evaluate.
func (r *runner) compile(t *testCase, environment string) (*evaluator.CompiledFlag, error) {
	if err := r.estate.CheckEnvironment(environment); err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(t.pins.flags)) {
		f := r.estate.byKey[key].in(environment)
		if name := t.pins.flags[key]; !slices.Contains(variantNames(&f), name) {
			return nil, fmt.Errorf("given: flag %q has no variant %q here", key, name)
		}
	}
	key := programKey{t.flag.key, environment}
	if f, ok := r.programs[key]; ok && t.pins.none() {
		return f, nil
	}
	set := r.estate.ruleset(environment, []evaluator.Flag{t.flag.in(environment)}, t.pins)
	program, err := evaluator.Compile(set)
	if err != nil {
		return nil, fmt.Errorf("compiling flag: %w", err)
	}
	f := program.Flag(t.flag.key)
	if t.pins.none() {
		r.programs[key] = f
	}
	return f, nil
}

func (r *runner) run(t *testCase, environment string) TestResult {
	result := TestResult{
		Flag: t.flag.key, Name: t.name, Environment: environment,
		File: t.source.shown, Line: t.at.line, Column: t.at.column,
	}
	// A source of its own collects the failures: t.source stays as it is.
	failures := &source{shown: t.source.shown, data: t.source.data}
	c := checker{source: failures}.within("flag %q, test %q", t.flag.key, t.name)
	if environment != "" {
		c = c.within("environment %q", environment)
	}
	layer := t.flag.in(environment).Reserved
	f, err := r.compile(t, environment)
	switch {
	case err != nil:
		c.errorf(t.at, "%v", err)
	case f.UsesTime() && !t.timed:
		c.errorf(t.at, "the flag depends on time; say when the test takes place, for instance: at: 2026-12-01T09:00")
	case t.population != nil:
		c.comparePopulation(f, t, t.units(r.estate.known, environment), layer)
	default:
		got := f.Evaluate(evaluator.Context{Attrs: t.context, Now: t.now})
		c.compare(got, &t.expect, because(got, layer))
	}
	result.Failures = failures.problems
	return result
}

// compare records which expectations a result doesn't meet. why says why it is
// what it is.
func (c checker) compare(got evaluator.Result, e *expectation, why string) {
	if e.valueAt != nil && !sameValue(got.Value(), e.value) {
		c.errorf(e.valueAt, "expected value %s, got %s (%s)", e.value.JSON(), got.Value().JSON(), why)
	}
	if e.variantAt != nil && got.Variant() != e.variant {
		c.errorf(e.variantAt, "expected variant %q, got %q (%s)", e.variant, got.Variant(), why)
	}
	if e.ruleAt != nil && got.Rule() != e.rule {
		rule := "none"
		if got.Rule() != "" {
			rule = strconv.Quote(got.Rule())
		}
		c.errorf(e.ruleAt, "expected rule %q, got %s (%s)", e.rule, rule, why)
	}
	if e.reasonAt != nil && got.Reason().String() != e.reason {
		c.errorf(e.reasonAt, "expected reason %s, got %v (%s)", e.reason, got.Reason(), why)
	}
}

// because says in words why a result is what it is. layer is the flag's part of
// a layer, nil if it has none.
func because(r evaluator.Result, layer *evaluator.Reservation) string {
	var why string
	switch r.Reason() {
	case evaluator.ReasonStatic:
		why = "the flag has no rules"
	case evaluator.ReasonDefault:
		why = "no rule matched"
		if layer != nil {
			why += fmt.Sprintf(", or the context is outside of the flag's share of the layer %q", layer.Layer)
		}
	case evaluator.ReasonTargetingMatch, evaluator.ReasonSplit:
		why = fmt.Sprintf("rule %q matched", r.Rule())
	case evaluator.ReasonDisabled:
		why = "the flag is not enabled"
	}
	why = fmt.Sprintf("variant %q, %v: %s", r.Variant(), r.Reason(), why)
	if unit := r.MissingUnit(); unit != "" {
		why += fmt.Sprintf("; %s by %q did not match, for the context has no %q that can be hashed", drawn(unit, layer), unit, unit)
	}
	return why
}

// drawn names what lacked a unit: the flag's layer, which is asked first, or a
// split.
func drawn(unit string, layer *evaluator.Reservation) string {
	if layer != nil && layer.By == unit {
		return "the layer"
	}
	return "a split"
}

// comparePopulation evaluates the flag for everybody and records which shares
// are too far off.
func (c checker) comparePopulation(f *evaluator.CompiledFlag, t *testCase, units []string, layer *evaluator.Reservation) {
	counts := make(map[string]int64)
	missing := ""
	for ctx := range t.members(f, units) {
		result := f.Evaluate(ctx)
		counts[result.Variant()]++
		if unit := result.MissingUnit(); unit != "" {
			missing = unit
		}
	}
	for _, s := range t.expect.shares {
		got := counts[s.variant] * whole / int64(t.population.count)
		if abs64(got-s.share) <= t.expect.within {
			continue
		}
		hint := ""
		if missing != "" {
			hint = fmt.Sprintf("; %s by %q did not match: choose it as the population's unit, or put it into its context", drawn(missing, layer), missing)
		}
		c.errorf(s.at, "expected share %s ± %s of %q, got %s of %d by %s (%s)%s", formatShare(s.share),
			formatShare(t.expect.within), s.variant, formatShare(got), t.population.count, quotedList(slices.Values(units)), sharesText(counts), hint)
	}
}

// members yields the contexts of a population. They share memory: each is valid
// until the next one.
func (t *testCase) members(f *evaluator.CompiledFlag, units []string) iter.Seq[evaluator.Context] {
	attrs := slices.Clone(t.context)
	types := make([]evaluator.AttributeType, len(units))
	for i, unit := range units {
		attrs = append(attrs, evaluator.Attr{Name: unit})
		types[i], _ = f.AttributeType(unit)
	}
	own := attrs[len(t.context):]
	return func(yield func(evaluator.Context) bool) {
		for i := range t.population.count {
			for j := range own {
				if types[j] == evaluator.IntegerAttribute {
					own[j].Value = evaluator.IntValue(int64(i) + 1)
				} else {
					own[j].Value = evaluator.StringValue(own[j].Name + "-" + strconv.Itoa(i+1))
				}
			}
			// Draws are spread evenly: a population says what shares a flag
			// has, not how lucky a run was.
			chance := uint32(uint64(i) * evaluator.Positions / uint64(t.population.count))
			if !yield(evaluator.Context{Attrs: attrs, Now: t.now, Chance: chance}) {
				return
			}
		}
	}
}

func abs64(n int64) int64 { return max(n, -n) }

// sharesText lists how many of a population each variant got.
func sharesText(counts map[string]int64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if len(parts) == 10 {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, fmt.Sprintf("%s: %d", name, counts[name]))
	}
	return strings.Join(parts, ", ")
}

// sameValue reports whether a flag served what was expected. Objects may have
// their keys in another order.
func sameValue(got, want evaluator.Value) bool {
	if got.Kind() == evaluator.ObjectKind && want.Kind() == evaluator.ObjectKind {
		return bytes.Equal(canonicalJSON(got), canonicalJSON(want))
	}
	return got == want
}

// canonicalJSON returns v with its keys sorted.
func canonicalJSON(v evaluator.Value) []byte {
	d := json.NewDecoder(bytes.NewReader(v.JSON()))
	d.UseNumber()
	var document any
	if d.Decode(&document) != nil {
		return nil
	}
	out, err := json.Marshal(document)
	if err != nil {
		return nil
	}
	return out
}
