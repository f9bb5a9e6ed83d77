package evaluator

import (
	"errors"
	"slices"
	"sync"
)

// A List is a long list of strings as a set, for any number of Modules to share: see
// [Condition].List. It is immutable and safe for concurrent use.
type List struct {
	set idSet

	once   sync.Once // of folded
	folded idSet     // for conditions that ignore case
}

// NewList returns a List of strings. It doesn't retain them.
func NewList(list []string) *List { return &List{set: newIDSet(list)} }

// foldedSet returns the test for the strings of l, ignoring case.
func (l *List) foldedSet() foldedSet {
	l.once.Do(func() { l.folded = newIDSet(folded(slices.Collect(l.set.all))) })
	return foldedSet{&l.folded}
}

// members returns the set of a segment's members: those of a List, if it isn't nil, or the
// listed ones.
func (c *compiler) members(list []string, shared *List) idSet {
	if shared == nil {
		return c.idSet(list)
	}
	if len(list) > 0 {
		c.errorf("members are listed twice")
	}
	return shared.set
}

// listed compiles the comparison with a List.
func (c *compiler) listed(cond *Condition, in *instr) error {
	mod := c.module
	t := mod.attributes[in.attribute].Type
	switch {
	case len(cond.Strings)+len(cond.Ints) > 0:
		return errors.New("values are listed twice")
	case cond.List.set.count == 0:
		return errors.New("the list of values is empty")
	}
	if t != AttrString { // it isn't a set of strings
		plain := Condition{Op: cond.Op, Fold: cond.Fold, Of: cond.Of, Strings: slices.Collect(cond.List.set.all)}
		in.op = codeTest
		if t == AttrIP {
			in.op = codeAddr
		}
		return c.test(&plain, t, in)
	}
	if cond.Fold {
		in.op, in.arg = codeTest, uint32(len(mod.tests))
		mod.tests = append(mod.tests, cond.List.foldedSet())
	} else {
		in.op, in.arg = codeIDs, uint32(len(mod.ids))
		mod.ids = append(mod.ids, cond.List.set)
	}
	return cond.applies(t)
}
