package lang

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/serin-flags/serin/ci/internal/idlist"
	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// listed reads "list": the attribute is one of the ids in a file.
func (c Checker) listed(a *Attribute, f source.Field, fold bool) (cond evaluator.Condition, ok bool) {
	cond = evaluator.Condition{Op: evaluator.OpOneOf, Attribute: a.Name, Fold: fold}
	if a.Type != evaluator.AttrString && a.Type != evaluator.AttrInteger {
		c.Errorf(f.Key, "\"list\" applies to string and integer attributes, %q is of type %v", a.Name, a.Type)
		return cond, false
	}
	a.Listed.Store(true)
	if c.rule != nil {
		c.rule.listed = true
	}
	l := c.Known.Lists.Named(c.Reader, f.Value)
	if l == nil || l.IDs == nil {
		return cond, false
	}
	if a.Type == evaluator.AttrString {
		cond.Strings = l.IDs
	} else if cond.Ints = l.Integers(); cond.Ints == nil {
		return cond, false
	}
	return cond, c.allInEnum(a, l) && (!fold || c.check(f.Key, a, cond))
}

// allInEnum reports whether all ids of a list are values that an attribute may have. Those that
// aren't are problems of the list.
func (c Checker) allInEnum(a *Attribute, l *idlist.List) bool {
	if a.Strings == nil && a.Ints == nil {
		return true
	}
	context := c.Known.contextPath
	return l.Every(a.Name, func(id string) string {
		i, err := strconv.ParseInt(id, 10, 64)
		if slices.Contains(a.Strings, id) || err == nil && slices.Contains(a.Ints, i) {
			return ""
		}
		return fmt.Sprintf("%q is not a value that %q may have; %s lists them", problem.Shorten(id), a.Name, context)
	})
}
