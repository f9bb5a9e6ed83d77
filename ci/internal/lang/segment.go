package lang

import (
	"iter"
	"strings"

	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// A segment is a segment file that has been checked.
type segment struct {
	name       string
	File       *source.File
	plain      evaluator.Segment
	references []reference // to other segments

	// Of the search for circles: the comparisons that a question for
	// membership takes, 0 if not known yet; the segments in the longest chain
	// from this one; whether the search is below it, and the reference it
	// follows.
	cost     int
	depth    int
	visiting bool
	toward   *segment
}

// segment reads a segment file into seg.
func (c Checker) segment(seg *segment) {
	if why := checkKey(seg.name); why != "" {
		c.File.Problem("the file's name is not a valid name of a segment: %s", why)
	}
	seg.plain.Name = seg.name
	n := c.File.Root
	if n == nil || !c.Keys(n, "a segment", "description", "include", "exclude", "when", "lint") {
		return
	}
	c.OptionalText(n.Get("description"), "\"description\"")
	c.silences(n.Get("lint"))
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
		return c.listReference(n, what)
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
	_, err := source.ParseInt(s)
	return err == nil
}

// checkSegments records segments that refer to themselves, directly or via others,
// and those that cost too much.
func (v *Vocabulary) checkSegments() {
	for _, name := range v.SegmentNames {
		v.segmentCost(v.Segments[name])
	}
}

// segmentCost returns how many comparisons a question for membership takes, at
// most evaluator.MaxCost+1, and sets s.depth.
func (v *Vocabulary) segmentCost(s *segment) int {
	if s.cost != 0 {
		return s.cost
	}
	s.visiting = true
	s.depth = 1
	cost := 2 // the two lists
	if s.plain.When != nil {
		for range leaves(s.plain.When) {
			cost++
		}
	}
	for _, r := range s.references {
		next := v.Segments[r.segment]
		s.toward = next
		if next.visiting {
			source.Reader{File: s.File}.Errorf(r.at, "segment %q refers to itself: %s", next.name, next.circle())
			continue
		}
		cost = min(cost+v.segmentCost(next), evaluator.MaxCost+1)
		s.depth = max(s.depth, next.depth+1)
	}
	s.visiting = false
	if cost > evaluator.MaxCost {
		s.File.Problem("the segment takes more than %d comparisons, those of the segments it refers to included",
			evaluator.MaxCost)
	}
	if s.depth == evaluator.MaxDepth+1 { // said once, not of those before it too
		s.File.Problem("the segment starts a chain of references to other segments that is longer than %d",
			evaluator.MaxDepth)
	}
	s.cost = cost
	return cost
}

// circle returns the names of the segments that lead from s back to s.
func (s *segment) circle() string {
	names := []string{s.name}
	for next := s.toward; next != s; next = next.toward {
		names = append(names, next.name)
	}
	return circle(names)
}

// leaves yields the comparisons of a condition.
func leaves(c *evaluator.Condition) iter.Seq[*evaluator.Condition] {
	return func(yield func(*evaluator.Condition) bool) { eachLeaf(c, yield) }
}

func eachLeaf(c *evaluator.Condition, yield func(*evaluator.Condition) bool) bool {
	switch c.Op {
	case evaluator.OpAll, evaluator.OpAny, evaluator.OpNot:
		for i := range c.Of {
			if !eachLeaf(&c.Of[i], yield) {
				return false
			}
		}
		return true
	}
	return yield(c)
}
