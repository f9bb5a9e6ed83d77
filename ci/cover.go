package ci

import "slices"

// A RuleCoverage says whether a rule served in any test.
type RuleCoverage struct {
	Flag, Rule string
	// Environment is the one that has the rule for itself, in the place of
	// those that the flag has elsewhere; "" if it is the flag's own.
	Environment string
	// File, Line and Column are where the rule's name stands, as in [Problem].
	File         string
	Line, Column int
	// Reached says that the rule served in a test, whether or not the test
	// passed: a context, or one member of a population.
	Reached bool
}

// A ruleList is a list of rules as it stands in a file: a flag has one of its
// own, and one for each environment that replaces it.
type ruleList struct{ flag, environment string }

// coverage is which rules of which lists served.
type coverage map[ruleList]map[string]bool

// add records that rules of a flag served in an environment.
func (v coverage) add(f *flag, environment string, rules []string) {
	list := ruleList{f.key, f.rulesFrom(environment)}
	if v[list] == nil {
		v[list] = make(map[string]bool)
	}
	for _, rule := range rules {
		v[list][rule] = true
	}
}

// rulesFrom returns the environment itself if it replaces the flag's rules, else
// "".
func (f *flag) rulesFrom(environment string) string {
	if f.rulesNode(environment) != nil {
		return environment
	}
	return ""
}

// rulesNode returns the rules that an environment has for itself or, for "", the
// flag has; nil if there are none.
func (f *flag) rulesNode(environment string) *node {
	n := f.source.root
	if environment != "" {
		n = n.get("environments").get(environment)
	}
	return n.get("rules")
}

// rulesOf returns the coverage of the flag's rules, in the environment that the
// tests ran in or, if that is "", in all. A list that is disabled wherever it
// counts is left out: no test can reach it.
func (v coverage) rulesOf(f *flag, ranIn string, environments []string) []RuleCoverage {
	places := []string{ranIn}
	if ranIn == "" {
		places = append(places, environments...)
	}
	var lists []string
	for _, environment := range places {
		in := f.in(environment)
		if from := f.rulesFrom(environment); !in.Disabled && !slices.Contains(lists, from) {
			lists = append(lists, from)
		}
	}
	var all []RuleCoverage
	for _, environment := range lists {
		rules := f.rulesNode(environment)
		if rules == nil {
			continue
		}
		reached := v[ruleList{f.key, environment}]
		for _, item := range rules.items {
			name := item.get("name")
			all = append(all, RuleCoverage{
				Flag: f.key, Rule: name.text, Environment: environment,
				File: f.source.shown, Line: name.line(), Column: name.column(),
				Reached: reached[name.text],
			})
		}
	}
	return all
}
