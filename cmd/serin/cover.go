package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/serin-flags/serin/ci"
)

// covered counts the rules that tests may reach, and those that they did.
type covered struct {
	// Environment is the one whose own rules are counted; "" for all rules.
	Environment string `json:"environment,omitempty"`
	Rules       int    `json:"rules"`
	Reached     int    `json:"reached"`
}

func (c covered) String() string {
	if c.Rules == 0 {
		return "no rules to reach"
	}
	// Rounded down, so that only all rules are 100%.
	return fmt.Sprintf("%d of %s reached (%d%%)", c.Reached, count(c.Rules, "rule"), c.Reached*100/c.Rules)
}

func (c *covered) add(r ci.RuleCoverage) {
	c.Rules++
	if r.Reached {
		c.Reached++
	}
}

// countCover counts all rules, and those that environments have for themselves,
// by their names.
func countCover(rules []ci.RuleCoverage) (all covered, own []covered) {
	for _, r := range rules {
		all.add(r)
		if r.Environment == "" {
			continue
		}
		i := slices.IndexFunc(own, func(c covered) bool { return c.Environment == r.Environment })
		if i < 0 {
			i = len(own)
			own = append(own, covered{Environment: r.Environment})
		}
		own[i].add(r)
	}
	slices.SortFunc(own, func(a, b covered) int { return cmp.Compare(a.Environment, b.Environment) })
	return all, own
}

// writeCover names the rules that no test reaches, and counts.
func writeCover(w io.Writer, rules []ci.RuleCoverage) {
	for _, r := range rules {
		if r.Reached {
			continue
		}
		in := ""
		if r.Environment != "" {
			in = " of " + r.Environment
		}
		fmt.Fprintf(w, "%s:%d:%d: no case reaches %s/%s%s\n", r.File, r.Line, r.Column, r.Flag, r.Rule, in)
	}
	all, own := countCover(rules)
	fmt.Fprintln(w, all)
	for _, c := range own {
		fmt.Fprintf(w, "  of %s alone: %v\n", c.Environment, c)
	}
}

// jsonCover is coverage as --json prints it.
type jsonCover struct {
	covered
	Environments []covered    `json:"environments,omitempty"`
	Missed       []jsonMissed `json:"missed"`
}

// A jsonMissed is a rule that no test reaches.
type jsonMissed struct {
	Flag        string `json:"flag"`
	Rule        string `json:"rule"`
	Environment string `json:"environment,omitempty"`
	File        string `json:"file"`
	Line        int    `json:"line"`
	Column      int    `json:"column"`
}

func newJSONCover(rules []ci.RuleCoverage) *jsonCover {
	out := jsonCover{Missed: []jsonMissed{}}
	out.covered, out.Environments = countCover(rules)
	for _, r := range rules {
		if !r.Reached {
			out.Missed = append(out.Missed, jsonMissed{r.Flag, r.Rule, r.Environment, r.File, r.Line, r.Column})
		}
	}
	return &out
}
