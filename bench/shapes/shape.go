package main

import (
	"fmt"
	"slices"
	"strings"
)

// A person is a user with attributes.
type person struct {
	id    string
	attrs []attr
	now   int64 // Unix time in seconds, for checks; measurements leave it to the client
}

// An attr is a named value: a string, an int or a []string.
type attr struct {
	name  string
	value any
}

// get returns the value of an attribute, or nil. The id is the attribute "user".
func (p *person) get(name string) any {
	if name == "user" {
		return p.id
	}
	for _, a := range p.attrs {
		if a.name == name {
			return a.value
		}
	}
	return nil
}

// A share is a part of a split, in percent.
type share struct {
	name    string
	percent int
}

// A rule serves its number, such as "r3". With shares it serves "r3-NAME" to each
// share of the people.
type rule struct {
	when   condition
	shares []share
	ramp   bool // the shares are those of a ramp at its middle, which LaunchDarkly doesn't have
}

// A flagSpec is a flag. It serves texts: by its rules, or else "none".
type flagSpec struct {
	key      string
	requires string // another flag that must serve "r0", or ""
	layer    string // the layer that it is in, or ""
	rules    []rule
}

// rule returns the number of the first rule that matches, or noRule. A flag in a layer
// may still serve "none".
func (e *estate) rule(f *flagSpec, p *person) int {
	if f.requires != "" && e.rule(e.flag(f.requires), p) != 0 {
		return noRule
	}
	return slices.IndexFunc(f.rules, func(r rule) bool { return r.when.holds(p) })
}

// flag returns the flag that has the key. There must be one.
func (e *estate) flag(key string) *flagSpec {
	i := slices.IndexFunc(e.flags, func(f flagSpec) bool { return f.key == key })
	return &e.flags[i]
}

// variant returns the name of what a rule serves to a share.
func variant(rule int, s share) string { return served(rule) + "-" + s.name }

// served returns the name of what a rule serves, or "none".
func served(rule int) string {
	if rule < 0 {
		return "none"
	}
	return fmt.Sprintf("r%d", rule)
}

// decided returns the part of an answer that targeting decides: the number of a rule,
// or "none".
func decided(answer string) string {
	number, _, _ := strings.Cut(answer, "-")
	return number
}

// An estate is a set of flags, and what their rules refer to.
type estate struct {
	flags      []flagSpec
	attributes map[string]string // types by name, without the attribute "user"
	segments   map[string]segment
	layers     map[string][]string // the keys of flags that divide a layer equally
}

// hasPeer reports whether LaunchDarkly has everything that the flags use.
func (e *estate) hasPeer() bool {
	return !slices.ContainsFunc(e.flags, func(f flagSpec) bool {
		return f.layer != "" ||
			slices.ContainsFunc(f.rules, func(r rule) bool { return r.ramp || r.when.clauses == nil })
	})
}

// A segment is a named group: its members are on the list, or match the condition.
type segment struct {
	include []string
	when    *condition
}

// A point is a shape: flags, and the people they are evaluated for.
type point struct {
	series int // the number of the series that it is part of
	label  string
	x      float64 // position on the axis
	estate *estate
	asked  []string // keys of the flags that are asked for one by one, in turn
	people []person
	// wanted is the number of the rule that every person is for, or -1 for none; anyRule
	// if people are for different ones.
	wanted int
}

const (
	noRule  = -1
	anyRule = -2
)

// A series is one curve.
type series struct {
	name string
	// flat says that the work doesn't grow along the axis, so neither should the time.
	flat bool
	// exempt says that no ratio to LaunchDarkly is expected, such as where both spend
	// their time in the same regular expression.
	exempt bool
}

// An axis is what varies, while everything else stays the same.
type axis struct {
	name, title string
	unit        string // of the positions; "" if points are kinds, in no order
	log         bool   // positions grow by factors
	series      []series
	// places are the positions, in order. Each makes the points there when it is their
	// turn, so that only one place's flags are in memory.
	places []func() []point
}

// place adds a position.
func (a *axis) place(points func() []point) { a.places = append(a.places, points) }
