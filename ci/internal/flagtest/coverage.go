package flagtest

import (
	"slices"

	"github.com/serin-flags/serin/ci/internal/lang"
)

// A RuleCoverage says whether a rule served in any test.
type RuleCoverage struct {
	Flag, Rule string
	// Environment is the environment whose own rules include this one, "" for
	// the rules of the flag itself.
	Environment string
	// File, Line and Column say where the rule's name is, as in [problem.Problem].
	File         string
	Line, Column int
	// Reached says that the rule served in a test, whether or not the test
	// passed: a context, or one member of a population.
	Reached bool
}

// A ruleList identifies a list of rules: a flag has its own, and one for each
// environment that replaces it.
type ruleList struct{ flag, environment string }

// coverage is which rules of which lists served.
type coverage map[ruleList]map[string]bool

// add records that rules of a flag served in an environment.
func (v coverage) add(f *lang.Flag, environment string, rules []string) {
	_, from := f.Rules(environment)
	list := ruleList{f.Key, from}
	if v[list] == nil {
		v[list] = make(map[string]bool)
	}
	for _, rule := range rules {
		v[list][rule] = true
	}
}

// rulesOf returns the coverage of the flag's rules, in the environment that the
// tests ran in or, if that is "", in all. A list that is disabled wherever it
// counts is left out: no test can reach it.
func (v coverage) rulesOf(f *lang.Flag, ranIn string, environments []string) []RuleCoverage {
	places := []string{ranIn}
	if ranIn == "" {
		places = append(places, environments...)
	}
	var lists []string
	for _, environment := range places {
		in := f.In(environment)
		if _, from := f.Rules(environment); !in.Disabled && !slices.Contains(lists, from) {
			lists = append(lists, from)
		}
	}
	var all []RuleCoverage
	for _, environment := range lists {
		rules, _ := f.Rules(environment)
		reached := v[ruleList{f.Key, environment}]
		for _, r := range rules {
			all = append(all, RuleCoverage{
				Flag: f.Key, Rule: r.Name, Environment: environment,
				File: f.File.Shown, Line: r.NameAt.Line(), Column: r.NameAt.Column(),
				Reached: reached[r.Name],
			})
		}
	}
	return all
}
