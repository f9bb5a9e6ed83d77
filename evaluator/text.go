package evaluator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// text holds for strings that start with, end with or contain one of a list.
type text struct {
	op   Op // OpPrefix, OpSuffix or OpContains
	list []string
	fold bool
}

// text compiles an OpPrefix, OpSuffix or OpContains. The empty text is refused, because it
// would hold for every string.
func (c *Condition) text(AttributeType) (test, error) {
	if len(c.Strings) == 0 || slices.Contains(c.Strings, "") {
		return nil, fmt.Errorf("%q takes one text or more, none of them empty", c.Op)
	}
	t := text{c.Op, slices.Clone(c.Strings), c.Fold}
	if c.Fold {
		t.list = folded(t.list)
	}
	return t, nil
}

// has reports whether t holds for s. It tries one text after the other: lists of them are short,
// and a comparison of prefixes mostly ends at the first byte.
func (t text) has(s string) bool {
	if t.fold {
		var buf [64]byte
		s = view(appendFold(buf[:0], s))
	}
	for _, operand := range t.list {
		switch t.op {
		case OpPrefix:
			if strings.HasPrefix(s, operand) {
				return true
			}
		case OpSuffix:
			if strings.HasSuffix(s, operand) {
				return true
			}
		case OpContains:
			if strings.Contains(s, operand) {
				return true
			}
		}
	}
	return false
}

func (t text) String() string {
	return foldText(t.op.String()+" "+listText(len(t.list), slices.Values(t.list)), t.fold)
}

// listSet holds for lists that contain one of the strings or, for OpAllOf, all of them.
type listSet struct {
	op   Op
	want []string // ascending
}

// listSet compiles an OpAnyOf or OpAllOf.
func (c *Condition) listSet(AttributeType) (test, error) {
	if len(c.Strings) == 0 {
		return nil, errors.New("the list of values is empty")
	}
	list := slices.Clone(c.Strings)
	slices.Sort(list)
	return listSet{c.Op, slices.Compact(list)}, nil
}

// has reports whether t holds for a list in the form that appendList writes.
func (t listSet) has(list string) bool {
	if t.op == OpAnyOf {
		for rest := list; rest != ""; {
			var text string
			text, rest = cutText(rest)
			if _, ok := slices.BinarySearch(t.want, text); ok {
				return true
			}
		}
		return false
	}
	for _, want := range t.want {
		found := false
		for rest := list; rest != "" && !found; {
			var text string
			text, rest = cutText(rest)
			found = text == want
		}
		if !found {
			return false
		}
	}
	return true
}

func (t listSet) String() string {
	return t.op.String() + " " + listText(len(t.want), slices.Values(t.want))
}
