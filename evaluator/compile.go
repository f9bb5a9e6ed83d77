package evaluator

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Limits on what [Compile] accepts.
const (
	// MaxDepth is how deep conditions may nest, and how many segments a chain
	// of them, each referring to the next, may have.
	MaxDepth = 100
	// MaxSegmentCost is how many comparisons asking for membership in one
	// segment may take, those of the segments that it refers to included.
	MaxSegmentCost = 10_000
)

// maxErrors is the number of errors that [Compile] lists.
const maxErrors = 100

// A CompileError says what is wrong with a ruleset.
type CompileError struct {
	Flag    string // key of the flag, or "" if the error is not in a flag
	Segment string // name of the segment, or "" if the error is not in one
	Rule    string // name of the rule, or "" if the error is not in one
	Err     error
}

func (e *CompileError) Error() string {
	var place []string
	if e.Flag != "" {
		place = append(place, fmt.Sprintf("flag %q", e.Flag))
	}
	if e.Segment != "" {
		place = append(place, fmt.Sprintf("segment %q", e.Segment))
	}
	if e.Rule != "" {
		place = append(place, fmt.Sprintf("rule %q", e.Rule))
	}
	return strings.Join(append(place, e.Err.Error()), ": ")
}

// Unwrap returns e.Err.
func (e *CompileError) Unwrap() error { return e.Err }

// Compile checks rulesets and makes one Program of all their flags. Flag keys
// must be unique over all of them, and what they have in common, the unit and
// the types of attributes, must agree; each has segments of its own.
//
// The Program shares no memory with the rulesets but immutable text.
//
// The error joins what is wrong, each a [*CompileError]. If there are more than
// 100 of them, one more says how many are not listed.
func Compile(sets ...Ruleset) (*Program, error) {
	c := &compiler{
		program:    &Program{flags: make(map[string]*CompiledFlag)},
		attributes: make(map[string]uint16),
	}
	for i := range sets {
		c.ruleset(&sets[i])
	}
	if more := c.failures - len(c.errs); more > 0 {
		c.errs = append(c.errs, &CompileError{Err: fmt.Errorf("more errors: %d", more)})
	}
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	slices.Sort(c.program.keys)
	return c.program, nil
}

// A compiler builds a Program, ruleset by ruleset.
type compiler struct {
	program    *Program
	attributes map[string]uint16 // index by name
	segments   map[string]int    // index by name into set.Segments
	base       int               // index of the set's first segment in the Program
	errs       []error           // the first maxErrors
	failures   int               // how many errors there were in all
	at         CompileError      // where we are, for errors
}

func (c *compiler) errorf(format string, args ...any) {
	if c.failures++; c.failures > maxErrors {
		return
	}
	e := c.at
	e.Err = fmt.Errorf(format, args...)
	c.errs = append(c.errs, &e)
}

func (c *compiler) ruleset(set *Ruleset) {
	p := c.program
	c.at = CompileError{}
	c.declare(set)
	c.segments = make(map[string]int, len(set.Segments))
	c.base = len(p.segments)
	for i, s := range set.Segments {
		if _, dup := c.segments[s.Name]; dup || s.Name == "" {
			c.errorf("the segment name %q is empty or not unique", s.Name)
		}
		c.segments[s.Name] = i
	}
	p.segments = append(p.segments, make([]segment, len(set.Segments))...)
	costs := make([]segmentCost, len(set.Segments))
	for i := range set.Segments {
		c.at = CompileError{Segment: set.Segments[i].Name}
		c.segment(set, i)
		if c.segmentCost(set, i, costs, 1).comparisons > MaxSegmentCost {
			c.errorf("it refers to itself in a circle, takes more than %d comparisons, or nests segments deeper than %d", MaxSegmentCost, MaxDepth)
		}
	}
	for i := range set.Flags {
		c.at = CompileError{Flag: set.Flags[i].Key}
		c.flag(set, &set.Flags[i])
	}
}

// declare takes over the set's unit and attributes.
func (c *compiler) declare(set *Ruleset) {
	p := c.program
	names := make(map[string]bool, len(set.Attributes))
	for _, a := range set.Attributes {
		if names[a.Name] {
			c.errorf("the attribute %q is declared twice", a.Name)
			continue
		}
		names[a.Name] = true
		if a.Name == "" || a.Type < StringAttribute || a.Type > IPAttribute {
			c.errorf("the attribute %q of type %v is not valid", a.Name, a.Type)
			continue
		}
		if i, ok := c.attributes[a.Name]; ok {
			if p.attributes[i].Type != a.Type {
				c.errorf("the attribute %q is declared as %v and as %v", a.Name, p.attributes[i].Type, a.Type)
			}
			continue
		}
		if len(p.attributes) == math.MaxUint16 {
			c.errorf("there are more than %d attributes", math.MaxUint16)
			return
		}
		c.attributes[a.Name] = uint16(len(p.attributes))
		p.attributes = append(p.attributes, a)
	}
	if p.unit != "" && set.Unit != p.unit {
		c.errorf("the unit is %q in one ruleset and %q in another", p.unit, set.Unit)
	}
	p.unit = set.Unit
	if i, ok := c.attributes[set.Unit]; !ok || p.attributes[i].Type != StringAttribute {
		c.errorf("the unit %q is not a declared string attribute", set.Unit)
	}
}

func (c *compiler) segment(set *Ruleset, i int) {
	s := &set.Segments[i]
	yes, no := c.emit(instr{op: opTrue}), c.emit(instr{op: opFalse})
	when := no
	if s.When != nil {
		when = c.condition(s.When, yes, no, 0)
	}
	c.program.segments[c.base+i] = segment{
		include: newStringSet(s.Include, false),
		exclude: newStringSet(s.Exclude, false),
		when:    when,
	}
}

// A segmentCost is what a question for membership in a segment takes at most.
type segmentCost struct {
	comparisons int
	depth       int // segments in the longest chain from here
}

// segmentCost returns the cost of the segment i; more than MaxSegmentCost if it
// is part of a circle or of too long a chain. costs remembers what is known, and
// depth is the number of segments in the chain that led here.
func (c *compiler) segmentCost(set *Ruleset, i int, costs []segmentCost, depth int) segmentCost {
	if costs[i].comparisons != 0 {
		return costs[i]
	}
	tooMuch := segmentCost{comparisons: MaxSegmentCost + 1}
	if depth > MaxDepth {
		return tooMuch
	}
	costs[i] = tooMuch        // for those that come back here
	cost := segmentCost{2, 1} // the two lists
	if when := set.Segments[i].When; when != nil {
		for leaf := range when.comparisons {
			cost.comparisons++
			if next, ok := c.segments[leaf.segment()]; ok {
				n := c.segmentCost(set, next, costs, depth+1)
				cost.comparisons = min(cost.comparisons+n.comparisons, tooMuch.comparisons)
				cost.depth = max(cost.depth, n.depth+1)
			}
		}
	}
	if cost.depth > MaxDepth {
		cost = tooMuch
	}
	costs[i] = cost
	return cost
}

// comparisons yields the comparisons in c, those nested too deep excepted.
func (c *Condition) comparisons(yield func(*Condition) bool) { c.walk(yield, 0) }

func (c *Condition) walk(yield func(*Condition) bool, depth int) bool {
	if !c.Op.combines() {
		return yield(c)
	}
	for i := range c.Of {
		if depth < MaxDepth && !c.Of[i].walk(yield, depth+1) {
			return false
		}
	}
	return true
}

// segment returns the name of the segment that c refers to, or "".
func (c *Condition) segment() string {
	if c.Op != InSegment || len(c.Strings) != 1 {
		return ""
	}
	return c.Strings[0]
}

func (c *compiler) flag(set *Ruleset, f *Flag) {
	p := c.program
	if _, dup := p.flags[f.Key]; dup || f.Key == "" {
		c.errorf("the key %q is empty or not unique", f.Key)
		return
	}
	if !c.variants(f) {
		return
	}
	compiled := &CompiledFlag{
		key:      f.Key,
		typ:      f.Type,
		program:  p,
		variants: slices.Clone(f.Variants),
		rules:    make([]string, len(f.Rules)),
	}
	end := serve{rule: -1, variant: uint16(f.Default), reason: ReasonDefault}
	switch {
	case f.Disabled:
		end.variant, end.reason = uint16(f.Off), ReasonDisabled
	case len(f.Rules) == 0:
		end.reason = ReasonStatic
	}
	compiled.entry = c.emit(instr{op: opServe, serve: &end})
	entry := compiled.entry
	// From the last rule to the first: where a rule goes on when it doesn't
	// match has then been compiled.
	for i := len(f.Rules) - 1; i >= 0; i-- {
		r := &f.Rules[i]
		compiled.rules[i] = r.Name
		c.at.Rule = r.Name
		entry = c.rule(set, f, i, entry)
		if r.Split != nil && r.Split.By == "" && !f.Disabled {
			compiled.chance = true
		}
	}
	if !f.Disabled {
		compiled.entry = entry
	}
	p.flags[f.Key] = compiled
	p.keys = append(p.keys, f.Key)
}

// variants checks what a flag may serve.
func (c *compiler) variants(f *Flag) bool {
	before := c.failures
	if len(f.Variants) == 0 || len(f.Variants) > math.MaxUint16 {
		c.errorf("a flag has 1 to %d variants, this one %d", math.MaxUint16, len(f.Variants))
	}
	names := make(map[string]bool, len(f.Variants))
	for _, v := range f.Variants {
		if v.Name == "" || names[v.Name] {
			c.errorf("the variant name %q is empty or not unique", v.Name)
		}
		names[v.Name] = true
		if err := checkValue(v.Value, f.Type); err != nil {
			c.errorf("variant %q: %w", v.Name, err)
		}
	}
	c.variant(f, f.Default)
	c.variant(f, f.Off)
	return c.failures == before
}

// variant checks an index into f.Variants.
func (c *compiler) variant(f *Flag, i int) uint16 {
	if i < 0 || i >= len(f.Variants) {
		c.errorf("there is no variant %d", i)
		return 0
	}
	return uint16(i)
}

// rule compiles rule i and returns where it starts; next is where evaluation
// goes on if it doesn't match.
func (c *compiler) rule(set *Ruleset, f *Flag, i int, next uint32) uint32 {
	r := &f.Rules[i]
	in := instr{op: opServe, serve: &serve{rule: int32(i), reason: ReasonTargetingMatch}}
	if r.Split != nil {
		in.op, in.no = opSplit, next
		in.serve.reason = ReasonSplit
		in.attribute = c.split(f, r.Split, in.serve)
	} else {
		in.serve.variant = c.variant(f, r.Variant)
	}
	entry := c.emit(in)
	if r.When != nil {
		entry = c.condition(r.When, entry, next, 0)
	}
	return entry
}

// split compiles a split into s and returns the index of its unit.
func (c *compiler) split(f *Flag, split *Split, s *serve) (unit uint16) {
	if split.By == "" {
		s.chance = true
		if split.Hash != "" || split.Salt != "" {
			c.errorf("a split by chance has no hash and no salt")
		}
	} else {
		if split.Hash != HashMurmur3 {
			c.errorf("the hash %q is not known; a newer version may know it", split.Hash)
		}
		if split.Salt == "" {
			c.errorf("a split has no salt")
		}
		s.seed = seedOf(split.Salt)
		i, ok := c.attributes[split.By]
		if t := c.program.attributes; !ok || t[i].Type != StringAttribute && t[i].Type != IntegerAttribute {
			c.errorf("the unit %q of a split is not a declared string or integer attribute", split.By)
		}
		unit = i
	}
	var from uint64
	for _, r := range split.Ranges {
		if r.From != from || r.To <= r.From || r.To > Positions {
			c.errorf("the ranges of a split do not follow each other")
			return unit
		}
		from = r.To
		s.ends = append(s.ends, uint32(r.To-1))
		s.variants = append(s.variants, c.variant(f, r.Variant))
	}
	if from != Positions {
		c.errorf("the ranges of a split do not cover all positions")
	}
	return unit
}

// emit appends an instruction and returns where it stands.
func (c *compiler) emit(in instr) uint32 {
	c.program.code = append(c.program.code, in)
	return uint32(len(c.program.code) - 1)
}

// condition compiles a condition that goes on at yes or no, and returns where
// it starts.
func (c *compiler) condition(cond *Condition, yes, no uint32, depth int) uint32 {
	if depth > MaxDepth {
		c.errorf("conditions are nested deeper than %d", MaxDepth)
		return no
	}
	if !cond.Op.combines() {
		return c.comparison(cond, yes, no)
	}
	if cond.Attribute != "" || len(cond.Strings)+len(cond.Ints) > 0 || cond.Fold {
		c.errorf("%q takes conditions and nothing else", cond.Op)
		return no
	}
	switch cond.Op {
	case All:
		for i := len(cond.Of) - 1; i >= 0; i-- {
			yes = c.condition(&cond.Of[i], yes, no, depth+1)
		}
		return yes
	case Any:
		for i := len(cond.Of) - 1; i >= 0; i-- {
			no = c.condition(&cond.Of[i], yes, no, depth+1)
		}
		return no
	}
	if len(cond.Of) != 1 {
		c.errorf("\"not\" takes one condition, not %d", len(cond.Of))
		return no
	}
	return c.condition(&cond.Of[0], no, yes, depth+1)
}

func (c *compiler) comparison(cond *Condition, yes, no uint32) uint32 {
	attribute, ok := c.attributes[cond.Attribute]
	if !ok {
		c.errorf("the attribute %q is not declared", cond.Attribute)
		return no
	}
	in := instr{attribute: attribute, yes: yes, no: no}
	t := c.program.attributes[attribute].Type
	var err error
	switch cond.Op {
	case Exists:
		in.op = opExists
		err = cond.applies(t)
	case InSegment:
		in.op = opSegment
		if err = cond.membership(t); err != nil {
			break
		}
		i, ok := c.segments[cond.Strings[0]]
		if !ok {
			c.errorf("the segment %q is not defined", cond.Strings[0])
		}
		in.segment = uint32(c.base + i)
	default:
		in.op = opTest
		in.test, err = cond.test(t)
	}
	if err != nil {
		c.errorf("attribute %q: %w", cond.Attribute, err)
	}
	return c.emit(in)
}
