package evaluator

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// A CompileError is something that is wrong with a ruleset. Fields that don't apply
// are empty.
type CompileError struct {
	Flag    string // key of the flag it is in
	Segment string // name of the segment it is in
	Rule    string // name of the flag's rule it is in
	// Reference is the flag or segment that mustn't be referred to here because it
	// leads back here or takes too many comparisons. The error is an [ErrCost].
	Reference string
	Err       error
}

// Error returns the place and what is wrong there.
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

// CompileModule checks and compiles a ruleset. The Module doesn't retain the ruleset,
// except for its strings. Errors are reported as by [Compile].
func CompileModule(set Ruleset) (*Module, error) {
	var all problems
	mod := compileModule(&set, &all)
	if err := all.err(); err != nil {
		return nil, err
	}
	return mod, nil
}

// compileModule compiles a ruleset. If it adds problems, the Module must not be used.
func compileModule(set *Ruleset, all *problems) *Module {
	return compileStream(set, set.stream(), all)
}

// A compiler compiles one ruleset.
type compiler struct {
	*problems
	set      *Ruleset // its flags come from the stream
	module   *Module
	segments map[string]int    // index by name
	flags    map[string]uint32 // index by key, of the flags so far; nil unless needed, see indexFlags
	zones    map[string]zone
	at       CompileError // the current place, for errors

	// Where to find what conditions share, by content.
	tests          map[string]uint32
	lists          map[string]uint32 // index into ids
	intervals      map[string]uint32 // index into versions, by constraint
	key            []byte            // of the last lookup in tests or lists
	recentTexts    recent
	recentNames    recent
	recentSalts    recent
	recentLists    recent
	recentInts     recent
	recentOperands recent
	recentRanges   recent
	symbols        []uint32 // of the list that is being compiled
	recentVariants [1 << 8]checkedVariants
	bucketed       bucketed

	uses        uses     // of the current flag or segment
	asked       []uint32 // segments, by index, once for each condition that refers to one
	flagUses    []uses
	segmentUses []uses
	required    []required // one for each of module.requirements
	expressions int        // total size of regular expressions
}

// errorf reports an error at the current place.
func (c *compiler) errorf(format string, args ...any) {
	if c.count >= maxErrors { // it won't be listed, so don't format it
		c.count++
		return
	}
	e := c.at
	e.Err = fmt.Errorf(format, args...)
	c.add(&e)
}

// declare declares the unit and the attributes.
func (c *compiler) declare() {
	mod := c.module
	for _, a := range c.set.Attributes {
		switch _, dup := mod.index[a.Name]; {
		case dup:
			c.errorf("the attribute %q is declared twice", a.Name)
		case a.Name == "" || a.Type < AttrString || a.Type > AttrNumber:
			c.errorf("the attribute %q of type %v is not valid", a.Name, a.Type)
		case len(mod.attributes) == math.MaxUint16:
			c.errorf("there are more than %d attributes", math.MaxUint16)
			return
		default:
			mod.index[a.Name] = uint16(len(mod.attributes))
			mod.attributes = append(mod.attributes, a)
			mod.dictionaries = append(mod.dictionaries, newDictionary())
		}
	}
	i, ok := mod.index[c.set.Unit]
	if !ok || mod.attributes[i].Type != AttrString {
		c.errorf("the unit %q is not a declared string attribute", c.set.Unit)
	}
	mod.unit = i
}

// compileSegments compiles the segments. The condition of each becomes instructions that end in
// codeTrue or codeFalse, so that walk evaluates it like a flag.
func (c *compiler) compileSegments() {
	for i, s := range c.set.Segments {
		if _, dup := c.segments[s.Name]; dup || s.Name == "" {
			c.errorf("the segment name %q is empty or not unique", s.Name)
		}
		c.segments[s.Name] = i
	}
	c.segmentUses = make([]uses, len(c.set.Segments))
	for i := range c.set.Segments {
		s := &c.set.Segments[i]
		c.at = CompileError{Segment: s.Name}
		c.begin()
		compiled := segment{
			name:    s.Name,
			include: c.members(s.Include, s.IncludeList),
			exclude: c.members(s.Exclude, s.ExcludeList),
		}
		yes, no := c.emit(instr{op: codeTrue}), c.emit(instr{op: codeFalse})
		compiled.when = no
		if s.When != nil {
			shape := len(c.module.shapes)
			compiled.when = c.condition(s.When, yes, no, 0)
			compiled.shape = c.shareShape(shape)
		}
		compiled.end = uint32(len(c.module.code))
		c.module.segments = append(c.module.segments, compiled)
		c.segmentUses[i] = c.end()
	}
	c.at = CompileError{}
}

// idSet returns the set of a list of IDs. It limits their bytes, which idSet counts in 32 bits.
func (c *compiler) idSet(list []string) idSet {
	size := 0
	for _, id := range list {
		size += len(id) + binary.MaxVarintLen64
	}
	if size > maxIDs {
		c.errorf("a list of ids has more than %d bytes", maxIDs)
		return idSet{}
	}
	return newIDSet(list)
}

// findWays sets the flag's shortcuts.
func (f *CompiledFlag) findWays() {
	mod := f.module
	f.way = mod.way(f.entry)
	in := &mod.code[f.entry]
	switch {
	case in.attribute != mod.unit:
		return
	case in.op == codeIDs:
		f.list = &mod.ids[in.arg]
	case in.op == codeSegment && mod.segments[in.arg].shape == 0 && mod.segments[in.arg].exclude.count == 0:
		f.list = &mod.segments[in.arg].include
	default:
		return
	}
	f.listed, f.unlisted = mod.way(in.yes), mod.way(in.no)
}

// way returns the way that starts at an instruction.
func (mod *Module) way(pc uint32) way {
	in := &mod.code[pc]
	switch in.op {
	case codeServe:
		return way{&mod.serves[in.arg], pc}
	case codeSplit:
		if s := &mod.serves[in.arg]; s.kind&splitChance == 0 && in.attribute == mod.unit {
			return way{s, pc}
		}
	}
	return way{nil, pc}
}

// compileFlag compiles a flag, from its default to its first rule. What comes first in an
// evaluation is compiled last: the test of the age, then the reservation, then the rules.
func (c *compiler) compileFlag(f *Flag, compiled *CompiledFlag) {
	mod := c.module
	compiled.module, compiled.key, compiled.disabled = mod, f.Key, f.Disabled
	compiled.serves, compiled.rules = uint32(len(mod.serves)), uint32(len(f.Rules))
	variants, ok := c.variants(f)
	c.variant(f, f.Default)
	c.variant(f, f.Off)
	if !ok {
		return
	}
	compiled.variants = variants
	metadata := c.metadata(f.Metadata, nil)
	end := serve{variant: uint16(f.Default), reason: ReasonDefault, metadata: metadata}
	switch {
	case f.Disabled:
		end.variant, end.reason = uint16(f.Off), ReasonDisabled
	case len(f.Rules) == 0:
		end.reason = ReasonStatic
	}
	last := c.emitServe(instr{op: codeServe}, end)
	entry := last
	// Compile rules from the last to the first, because a rule needs to know where to
	// continue if it doesn't match.
	for i := len(f.Rules) - 1; i >= 0; i-- {
		c.at.Rule = f.Rules[i].Name
		entry = c.rule(f, &f.Rules[i], metadata, entry)
	}
	c.at.Rule = ""
	compiled.end = uint32(len(mod.code))
	if f.Reserved != nil {
		entry = c.reserve(f.Reserved, entry, last)
	}
	compiled.entry = entry
	if f.Disabled || len(f.Rules) == 0 {
		compiled.entry = last
	}
	c.stale(f, metadata, compiled)
}

// stale prepends the test of the age, if the flag has one.
func (c *compiler) stale(f *Flag, metadata uint32, compiled *CompiledFlag) {
	if f.Stale == nil {
		return
	}
	s := serve{variant: c.variant(f, f.Stale.Variant), reason: ReasonStale, metadata: metadata}
	if f.Disabled {
		return
	}
	old := c.emitServe(instr{op: codeServe}, s)
	compiled.age = true
	compiled.entry = c.emit(instr{op: codeStale, arg: f.Stale.After, yes: old, no: compiled.entry})
}

// checkVariants checks the variants of a flag and reports whether they are valid.
func (c *compiler) checkVariants(f *Flag) bool {
	before := c.count
	if len(f.Variants) == 0 || len(f.Variants) > math.MaxUint16 {
		c.errorf("a flag has 1 to %d variants, this one %d", math.MaxUint16, len(f.Variants))
	}
	names := make(map[string]bool)
	for i, v := range f.Variants {
		dup := names[v.Name]
		if len(f.Variants) <= 4 { // the usual case, faster without a map
			dup = slices.ContainsFunc(f.Variants[:i], func(w Variant) bool { return w.Name == v.Name })
		} else {
			names[v.Name] = true
		}
		if v.Name == "" || dup {
			c.errorf("the variant name %q is empty or not unique", v.Name)
		}
		if err := checkValue(v.Value, f.Type); err != nil {
			c.errorf("variant %q: %w", v.Name, err)
		}
	}
	return c.count == before
}

// checkValue checks that v is a valid value for a flag of type t.
func checkValue(v Value, t Kind) error {
	ok := v.kind == t
	switch t {
	case KindBool, KindInt, KindString:
	case KindFloat:
		f, _ := v.Float()
		ok = ok && !math.IsInf(f, 0) && !math.IsNaN(f)
	case KindObject:
		ok = ok && validObject(v.str)
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("the value %s is not of type %v", strconv.Quote(string(v.JSON())), t)
	}
	return nil
}

// variant checks and converts an index into f.Variants.
func (c *compiler) variant(f *Flag, i int) uint16 {
	if i < 0 || i >= len(f.Variants) {
		c.errorf("there is no variant %d", i)
		return 0
	}
	return uint16(i)
}

// metadata merges a flag's and a rule's metadata and returns the index of the result.
func (c *compiler) metadata(flag, rule []Attr) uint32 {
	mod := c.module
	if len(mod.metadata) == 0 {
		mod.metadata = append(mod.metadata, nil)
	}
	c.checkMetadata(flag)
	c.checkMetadata(rule)
	if len(flag)+len(rule) == 0 {
		return 0
	}
	list := slices.Clone(rule)
	for _, a := range flag {
		if !slices.ContainsFunc(rule, func(b Attr) bool { return b.Name == a.Name }) {
			list = append(list, a)
		}
	}
	sort.Sort(byName(list))
	if slices.Equal(mod.metadata[len(mod.metadata)-1], list) {
		return uint32(len(mod.metadata) - 1)
	}
	mod.metadata = append(mod.metadata, list)
	return uint32(len(mod.metadata) - 1)
}

// byName sorts metadata, with package sort for the reason that byKey has.
type byName []Attr

func (b byName) Len() int           { return len(b) }
func (b byName) Less(i, j int) bool { return b[i].Name < b[j].Name }
func (b byName) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }

// checkMetadata checks that metadata has unique names, and values that JSON can represent.
func (c *compiler) checkMetadata(list []Attr) {
	if len(list) == 0 {
		return
	}
	names := make(map[string]bool, len(list))
	for _, a := range list {
		switch f, isNumber := a.Value.Float(); {
		case isNumber && !math.IsInf(f, 0) && !math.IsNaN(f), a.Value.kind == KindBool, a.Value.kind == KindString:
		default:
			c.errorf("the metadata %q is not text, a finite number or a boolean", a.Name)
		}
		if a.Name == "" || names[a.Name] {
			c.errorf("the name %q of metadata is empty or not unique", a.Name)
		}
		names[a.Name] = true
	}
}

// emit appends an instruction and returns its index.
func (c *compiler) emit(in instr) uint32 {
	c.module.code = append(c.module.code, in)
	return uint32(len(c.module.code) - 1)
}

// emitServe appends an instruction that serves s, and returns its index.
func (c *compiler) emitServe(in instr, s serve) uint32 {
	mod := c.module
	s.pc = uint32(len(mod.code))
	in.arg = uint32(len(mod.serves))
	mod.serves = append(mod.serves, s)
	return c.emit(in)
}

// rule compiles a rule and returns its first instruction. next is where evaluation
// continues if the rule doesn't match. metadata is the index of the flag's own metadata.
func (c *compiler) rule(f *Flag, r *Rule, metadata, next uint32) uint32 {
	if r.Name == "" {
		c.errorf("a rule has no name")
	}
	in := instr{op: codeServe}
	s := serve{rule: name(&c.recentNames, &c.module.names, r.Name), reason: ReasonTargetingMatch, metadata: metadata}
	if len(r.Metadata) > 0 {
		s.metadata = c.metadata(f.Metadata, r.Metadata)
	}
	if r.Split != nil {
		s.reason = ReasonSplit
		in = c.split(f, r.Split, &s)
		in.no = next
	} else {
		s.variant = c.variant(f, r.Variant)
	}
	entry := c.emitServe(in, s)
	if r.When != nil {
		i, shape := len(c.module.serves)-1, len(c.module.shapes)
		entry = c.condition(r.When, entry, next, 0)
		c.module.serves[i].shape = c.shareShape(shape)
	}
	return entry
}
