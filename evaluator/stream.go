package evaluator

import (
	"iter"
	"math"
	"slices"
)

// A Stream yields the flags of a ruleset one by one, so that a large ruleset can be
// compiled while it is decoded.
type Stream struct {
	// Flags and Prerequisites correspond to the fields of [Ruleset]; nil yields
	// nothing. Each is iterated once, Flags first. A yielded flag and its lists may be
	// overwritten as soon as the loop asks for the next one.
	Flags, Prerequisites iter.Seq[*Flag]
	// Count, Rules and Comparisons are estimates of the number of flags, of their
	// rules, and of comparisons in all conditions. They only save reallocations.
	Count, Rules, Comparisons int
}

// CompileStream is like [CompileModule], but takes the flags from a Stream and ignores
// set.Flags and set.Prerequisites. If an iterator stops early because of an error, the
// Module lacks the remaining flags, and the caller must discard it.
func CompileStream(set Ruleset, flags Stream) (*Module, error) {
	var all problems
	mod := compileStream(&set, &flags, &all)
	if err := all.err(); err != nil {
		return nil, err
	}
	return mod, nil
}

// stream returns the flags of a ruleset as a stream.
func (set *Ruleset) stream() *Stream {
	s := &Stream{Flags: each(set.Flags), Prerequisites: each(set.Prerequisites)}
	s.Count = len(set.Flags) + len(set.Prerequisites)
	for _, flags := range [][]Flag{set.Flags, set.Prerequisites} {
		for i := range flags {
			s.Rules += len(flags[i].Rules)
		}
	}
	s.Comparisons = s.Rules
	return s
}

// each yields pointers to the elements of a list.
func each(flags []Flag) iter.Seq[*Flag] {
	return func(yield func(*Flag) bool) {
		for i := range flags {
			if !yield(&flags[i]) {
				return
			}
		}
	}
}

// compileStream compiles a ruleset. If it adds problems, the Module must not be used.
func compileStream(set *Ruleset, flags *Stream, all *problems) *Module {
	c := newCompiler(set, flags, all)
	c.declare()
	c.compileZones()
	c.compileSegments()
	c.compileFlags(flags)
	c.resolve()
	c.checkCosts()
	mod := c.module
	mod.clip()
	if all.count == 0 { // a valid module
		mod.rank()
		for i := range mod.flags {
			mod.flags[i].findWays()
		}
	}
	return mod
}

// newCompiler returns a compiler with room for what the stream is expected to have.
func newCompiler(set *Ruleset, flags *Stream, all *problems) *compiler {
	return &compiler{
		problems: all,
		set:      set,
		module: &Module{
			index:  make(map[string]uint16, len(set.Attributes)),
			flags:  make([]CompiledFlag, 0, flags.Count),
			serves: make([]serve, 0, flags.Count+flags.Rules),
			code:   make([]instr, 0, flags.Count+flags.Rules+flags.Comparisons+2*len(set.Segments)),
			shapes: []byte{0},
			salts:  []string{""},
			names:  []string{""},
		},
		segments:  make(map[string]int, len(set.Segments)),
		zones:     make(map[string]zone, len(set.Zones)),
		tests:     make(map[string]uint32),
		lists:     make(map[string]uint32),
		intervals: make(map[string]uint32),
		flagUses:  make([]uses, 0, flags.Count),
	}
}

// compileFlags compiles the flags as they come. It retains nothing of a flag but what is
// in the module, and what resolve needs.
func (c *compiler) compileFlags(flags *Stream) {
	if flags.Flags != nil {
		for f := range flags.Flags {
			c.nextFlag(f)
		}
	}
	c.module.count = len(c.module.flags)
	if flags.Prerequisites != nil {
		for f := range flags.Prerequisites {
			c.nextFlag(f)
		}
	}
	c.at = CompileError{}
}

// nextFlag compiles a flag and checks that its key is unique. Keys in ascending order need no index
// for that.
func (c *compiler) nextFlag(f *Flag) {
	mod := c.module
	c.at = CompileError{Flag: f.Key}
	if n := len(mod.flags); c.flags != nil || f.Key == "" || n > 0 && f.Key <= mod.flags[n-1].key {
		c.indexFlags()
		if _, dup := c.flags[f.Key]; dup || f.Key == "" {
			c.errorf("the key %q is empty or not unique", f.Key)
		}
		c.flags[f.Key] = uint32(n)
	}
	c.begin()
	mod.flags = append(mod.flags, CompiledFlag{})
	c.compileFlag(f, &mod.flags[len(mod.flags)-1])
	c.flagUses = append(c.flagUses, c.end())
}

// indexFlags builds the index of flags unless there is one. As long as keys are in
// ascending order, as in published rulesets, they are unique, and no index is needed.
func (c *compiler) indexFlags() {
	if c.flags != nil {
		return
	}
	c.flags = make(map[string]uint32, len(c.module.flags))
	for i := range c.module.flags {
		c.flags[c.module.flags[i].key] = uint32(i)
	}
}

// noFlag is the index of a flag that isn't known, or not yet.
const noFlag = math.MaxUint32

// A required is what a condition demands of another flag, which may come later.
type required struct {
	at       CompileError // where the condition is
	key      string
	variants []string
}

// requirement records a requirement for resolve to complete.
func (c *compiler) requirement(key string, variants []string) requirement {
	c.required = append(c.required, required{c.at, key, slices.Clone(variants)})
	return requirement{flag: noFlag}
}

// resolve looks up what requirements refer to, now that all flags are known.
func (c *compiler) resolve() {
	if len(c.required) > 0 {
		c.indexFlags()
	}
	for j, r := range c.required {
		c.at = r.at
		if r.at.Flag == "" {
			c.errorf("segments don't depend on flags, but this one on %q", r.key)
			continue
		}
		i, ok := c.flags[r.key]
		if !ok {
			c.errorf("the flag %q is neither in the ruleset nor one of its prerequisites", r.key)
			continue
		}
		resolved := &c.module.requirements[j]
		resolved.flag = i
		known := c.module.flags[i].variants
		for _, name := range r.variants {
			j := slices.IndexFunc(known, func(v Variant) bool { return v.Name == name })
			switch {
			case j >= 0:
				resolved.variants = append(resolved.variants, uint16(j))
			case known != nil: // otherwise the variants themselves are in error
				c.errorf("the flag %q has no variant %q", r.key, name)
			}
		}
	}
	c.at = CompileError{}
}
