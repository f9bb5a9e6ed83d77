package evaluator

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// condition compiles a condition that continues at yes or no, and returns its first
// instruction. The instructions are consecutive, in reverse order of the comparisons. Its
// shape is appended to Module.shapes.
func (c *compiler) condition(cond *Condition, yes, no uint32, depth int) uint32 {
	mod := c.module
	if depth > MaxDepth {
		c.errorf("conditions are nested deeper than %d", MaxDepth)
		return no
	}
	if !cond.Op.Combines() {
		mod.shapes = append(mod.shapes, 0)
		return c.comparison(cond, yes, no)
	}
	if cond.Attribute != "" || len(cond.Strings)+len(cond.Ints) > 0 || cond.Fold || cond.List != nil {
		c.errorf("%q takes conditions and nothing else", cond.Op)
		return no
	}
	if cond.Op == OpNot && len(cond.Of) != 1 {
		c.errorf("\"not\" takes one condition, not %d", len(cond.Of))
		return no
	}
	// Like the code, the shape is written from the last condition to the first, and
	// read backwards.
	entry := yes
	if cond.Op == OpAny {
		entry = no
	}
	for i := len(cond.Of) - 1; i >= 0; i-- {
		switch cond.Op {
		case OpAll:
			entry = c.condition(&cond.Of[i], entry, no, depth+1)
		case OpAny:
			entry = c.condition(&cond.Of[i], yes, entry, depth+1)
		case OpNot:
			entry = c.condition(&cond.Of[i], no, yes, depth+1)
		}
	}
	mod.shapes = appendBackwards(mod.shapes, uint64(len(cond.Of)))
	mod.shapes = append(mod.shapes, byte(cond.Op))
	return entry
}

// shareShape returns the end of the shape that starts at from. If the shape before it is
// the same, as it mostly is, shareShape removes the copy.
func (c *compiler) shareShape(from int) uint32 {
	all := c.module.shapes
	if bytes.HasSuffix(all[:from], all[from:]) {
		c.module.shapes = all[:from]
	}
	return uint32(len(c.module.shapes))
}

// appendBackwards appends a varint that is to be read from its end.
func appendBackwards(b []byte, n uint64) []byte {
	var buf [binary.MaxVarintLen64]byte
	for i := binary.PutUvarint(buf[:], n) - 1; i >= 0; i-- {
		b = append(b, buf[i])
	}
	return b
}

// A conditionWalk visits the conditions below a compiled condition in the order in which
// they were written, parents first. To that end it reads the shape and the instructions
// backwards.
type conditionWalk struct {
	module    *Module
	shape, pc uint32 // ends of what remains
}

// next returns the operator of the next condition, and the number of conditions that it
// combines. Both are 0 for a comparison.
func (w *conditionWalk) next() (op Op, n int) {
	if op = Op(w.byte()); op == 0 {
		return 0, 0
	}
	for shift := 0; ; shift += 7 {
		b := w.byte()
		if n |= int(b&0x7f) << shift; b < 0x80 {
			return op, n
		}
	}
}

func (w *conditionWalk) byte() byte {
	w.shape--
	return w.module.shapes[w.shape]
}

// comparison returns the index of the instruction of the next comparison.
func (w *conditionWalk) comparison() (pc uint32) {
	w.pc--
	return w.pc
}

// comparison compiles a condition that isn't a combination.
func (c *compiler) comparison(cond *Condition, yes, no uint32) uint32 {
	c.uses.comparisons = min(c.uses.comparisons+1, maxFlagCost+1)
	in := instr{yes: yes, no: no}
	if o := cond.Op.operator(); o != nil && o.types == nil {
		if err := cond.check(0); err != nil {
			c.errorf("%w", err)
			return no
		}
		c.circumstance(cond, &in)
		return c.emit(in)
	}
	attribute, ok := c.attribute(cond.Attribute)
	if !ok {
		c.errorf("the attribute %q is not declared", cond.Attribute)
		return no
	}
	in.attribute = attribute
	if err := c.compare(cond, &in); err != nil {
		c.errorf("attribute %q: %w", cond.Attribute, err)
	}
	return c.emit(in)
}

// attribute returns the index of an attribute. If there are few, a linear search is faster
// than the map, especially because equal strings mostly share their bytes.
func (c *compiler) attribute(name string) (uint16, bool) {
	mod := c.module
	if len(mod.attributes) > 8 {
		i, ok := mod.index[name]
		return i, ok
	}
	for i := range mod.attributes {
		if mod.attributes[i].Name == name {
			return uint16(i), true
		}
	}
	return 0, false
}

// compare compiles the comparison of an attribute into in.
func (c *compiler) compare(cond *Condition, in *instr) error {
	mod := c.module
	t := mod.attributes[in.attribute].Type
	switch cond.Op {
	case OpExists:
		in.op = codeExists
		return cond.check(t)
	case OpInSegment:
		in.op = codeSegment
		for _, name := range cond.Strings {
			if i, ok := c.segments[name]; ok {
				in.arg = uint32(i)
				c.asked = append(c.asked, in.arg)
			} else {
				c.errorf("the segment %q is not defined", name)
			}
		}
		return cond.check(t)
	case OpBetween:
		if t == AttrTime {
			break
		}
		in.op, in.arg = codeBetween, c.addInts(cond.Ints)
		return cond.check(t)
	case OpOneOf:
		if cond.List != nil {
			return c.listed(cond, in)
		}
		if t == AttrString && !cond.Fold && len(cond.Strings) > 0 && len(cond.Ints) == 0 {
			c.oneOf(cond, in)
			return cond.applies(t)
		}
	}
	if cond.Op == OpSemver && cond.applies(t) == nil && len(cond.Strings) == 1 && c.interval(cond.Strings[0], in) {
		return nil
	}
	in.op = codeTest
	switch {
	case cond.Op == OpMatches:
		in.op = codeMatch
		if mod.expressions == nil {
			mod.expressions = make(map[uint16]int)
		}
		mod.expressions[in.attribute] += len(cond.Strings)
	case cond.Op == OpBucket:
		in.op = codeBucket
	case t == AttrIP:
		in.op = codeAddr
	}
	return c.test(cond, t, in)
}

// interval compiles a version constraint into in if it is an interval, and reports whether
// it is.
func (c *compiler) interval(text string, in *instr) bool {
	mod := c.module
	place, ok := c.intervals[text]
	if !ok {
		cs, err := parseConstraint(text)
		if err != nil {
			return false // [Condition.test] says why
		}
		i, ok := newInterval(text, cs)
		if !ok {
			return false
		}
		place = uint32(len(mod.versions))
		mod.versions = append(mod.versions, i)
		c.intervals[text] = place
	}
	in.op, in.arg = codeVersion, place
	return true
}

// oneOf compiles the comparison with a list of strings. Lists of IDs are sets of strings.
// All others are compared by symbols, so that a context's string is looked up once for all
// of them.
func (c *compiler) oneOf(cond *Condition, in *instr) {
	switch n := len(cond.Strings); {
	case n == 1:
		in.op, in.arg = codeIs, c.symbol(in.attribute, cond.Strings[0])
	case n <= fewIDs:
		in.op, in.n, in.arg = codeIn, uint8(n), c.addOperands(in.attribute, cond.Strings)
	case n <= maxSymbols && in.attribute != c.module.unit:
		in.op, in.arg = codeAmong, c.symbolList(in.attribute, cond.Strings)
	default:
		in.op, in.arg = codeIDs, c.ids(cond.Strings)
	}
}

// ids returns the index of the set of a list. Equal lists share a set, if they are in the
// same order and not too long.
func (c *compiler) ids(list []string) uint32 {
	share := len(list) <= 100
	if share {
		c.key = appendList(c.key[:0], list)
		if i, ok := c.lists[string(c.key)]; ok {
			return i
		}
	}
	i := uint32(len(c.module.ids))
	c.module.ids = append(c.module.ids, c.idSet(list))
	if share {
		c.lists[string(c.key)] = i
	}
	return i
}

// test compiles a comparison into a test. Short equal comparisons share it.
func (c *compiler) test(cond *Condition, t AttributeType, in *instr) error {
	share := len(cond.Strings) <= fewIDs && len(cond.Ints) == 0
	if share {
		fold := byte(0)
		if cond.Fold {
			fold = 1
		}
		c.key = appendList(append(c.key[:0], byte(cond.Op), byte(t), fold), cond.Strings)
		if i, ok := c.tests[string(c.key)]; ok && len(cond.Of) == 0 && cond.List == nil {
			in.arg = i
			return nil
		}
	}
	if cond.Op == OpMatches {
		if c.expressions += expressionSizes(cond.Strings); c.expressions > maxExpressionSizes {
			return fmt.Errorf("the regular expressions of all conditions are too large; the limit is %d in all",
				maxExpressionSizes)
		}
	}
	compiled, err := cond.test(t)
	if err != nil {
		return err
	}
	in.arg = uint32(len(c.module.tests))
	c.module.tests = append(c.module.tests, compiled)
	if share {
		c.tests[string(c.key)] = in.arg
	}
	return nil
}

// circumstance compiles a comparison without an attribute into in.
func (c *compiler) circumstance(cond *Condition, in *instr) {
	mod := c.module
	switch cond.Op {
	case OpPeriod:
		c.uses.time = true
		in.op, in.arg = codePeriod, c.addInts(cond.Ints)
	case OpWindow:
		c.uses.time = true
		z, ok := c.zones[cond.Strings[0]]
		if !ok {
			c.errorf("the time zone %q is not defined", cond.Strings[0])
		}
		in.op, in.arg = codeWindow, uint32(len(mod.windows))
		mod.windows = append(mod.windows, window{cond.Strings[0], z, uint8(cond.Ints[0]), cond.Ints[1], cond.Ints[2]})
	case OpServes:
		in.op, in.arg = codeServes, uint32(len(mod.requirements))
		mod.requirements = append(mod.requirements, c.requirement(cond.Strings[0], cond.Strings[1:]))
	}
}
