package lang

import (
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/internal/phrase"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// A segment is a segment file that has been checked.
type segment struct {
	name       string
	File       *source.File
	plain      evaluator.Segment
	references []reference // to other segments
}

// segment reads a segment file into seg.
func (c Checker) segment(seg *segment) {
	if why := phrase.CheckKey(seg.name); why != "" {
		c.File.Problem("the file's name is not a valid name of a segment: %s", why)
	}
	seg.plain.Name = seg.name
	n := c.File.Root
	if n == nil || !c.Keys(n, "a segment", "description", "include", "exclude", "when", "lint") {
		return
	}
	c.OptionalText(n.Get("description"), "\"description\"")
	c.Silences(n.Get("lint"))
	include, when := n.Get("include"), n.Get("when")
	if include == nil && when == nil {
		c.Errorf(n, "the segment is empty: it has neither \"include\" nor \"when\"")
	}
	seg.plain.Include = c.Members(include, "\"include\"")
	seg.plain.Exclude = c.Members(n.Get("exclude"), "\"exclude\"")
	if when != nil {
		c.references = &seg.references
		if cond, ok := c.condition(when); ok {
			seg.plain.When = &cond
		}
	}
}

// Members reads a list of ids, or the name of a file with one. An id that is a
// number may do without quotes if there is only one way to write it.
func (c Checker) Members(n *source.Node, what string) []string {
	switch {
	case n == nil:
		return nil
	case n.Kind == source.Mapping:
		return c.Known.Lists.Reference(c.Reader, n, what)
	case n.Kind == source.Scalar && source.RoleOf(n.Text) == source.ListFile:
		c.Errorf(n, "%s is a list of ids; for those in a file write {list: %s}", what, n.Text)
		return nil
	case !c.List(n, what):
		return nil
	}
	list := make([]string, 0, len(n.Items))
	for _, item := range n.Items {
		if item.Kind == source.Scalar && item.Type() == source.IntScalar && canonicalInt(item.Text) {
			list = append(list, item.Text)
		} else if s, ok := c.Text(item, "a member"); ok {
			list = append(list, s)
		}
	}
	return list
}

// canonicalInt reports whether s is how a 64-bit integer is printed.
func canonicalInt(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if strings.Trim(digits, "0123456789") != "" || len(digits) > 1 && digits[0] == '0' || s == "-0" {
		return false
	}
	_, err := strconv.ParseInt(s, 10, 64)
	return err == nil
}
