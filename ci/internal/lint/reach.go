package lint

import (
	"slices"

	"github.com/serin-flags/serin/ci/internal/imply"
	"github.com/serin-flags/serin/ci/internal/lang"
	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/evaluator"
)

// maxReachSteps bounds the work per flag, so that a file of thousands of rules doesn't
// take long. Beyond it nothing more is found.
const maxReachSteps = 2_000_000

// reach warns of rules that are never reached, and of ranges that overlap.
func (l *linter) reach(f *lang.Flag, b *lang.Body) {
	im := imply.New(l.facts, maxReachSteps)
	rules := b.Flag.Rules
	ranges := make([][]imply.Ranged, len(rules))
	for j := range rules {
		if im.Spent() {
			return
		}
		written := b.Rules[j]
		at := written.NameAt
		if written.WhenAt != nil {
			ranges[j] = im.Ranges(rules[j].When)
		}
		for i := range written.Networks {
			l.networks(f, b, im, written.Name, &written.Networks[i])
		}
		for _, any := range written.Any {
			l.alternatives(f, b, im, written.Name, any)
		}
		i := slices.IndexFunc(rules[:j], func(above evaluator.Rule) bool { return im.Covers(&above, &rules[j]) })
		if i >= 0 {
			l.warn(problem.LintUnreachableRule, f.File, at,
				"%srule %q is never reached: rule %q on line %d matches everyone that it would",
				b.Place(), rules[j].Name, rules[i].Name, b.Rules[i].At.Line())
			continue
		}
		for i := range rules[:j] {
			if attribute, common := im.Hides(&rules[i], ranges[i], &rules[j], ranges[j]); common != "" {
				l.warn(problem.LintOverlappingRanges, f.File, at,
					"%srule %q: its range of %q overlaps that of rule %q on line %d, which takes %s",
					b.Place(), rules[j].Name, attribute, rules[i].Name, b.Rules[i].At.Line(), common)
				break
			}
		}
	}
}

// alternatives compares the ranges among the conditions of an "any".
func (l *linter) alternatives(f *lang.Flag, b *lang.Body, im *imply.Implication, rule string, any lang.Alternatives) {
	type alternative struct {
		attribute string
		spans     []imply.Span
		line      int
	}
	var before []alternative
	for i, item := range any.At {
		cond := &any.Conditions[i]
		spans := im.Spans(cond)
		if im.Spend(len(before) + len(spans)); spans == nil {
			continue
		} else if im.Spent() {
			return
		}
		for _, other := range before {
			if common := imply.Intersection(other.spans, spans); common != "" && other.attribute == cond.Attribute {
				l.warn(problem.LintOverlappingRanges, f.File, item,
					"%srule %q: the range of %q overlaps that on line %d: both have %s",
					b.Place(), rule, cond.Attribute, other.line, common)
				break
			}
		}
		before = append(before, alternative{cond.Attribute, spans, item.Line()})
	}
}

// networks compares the networks of one list.
func (l *linter) networks(f *lang.Flag, b *lang.Body, im *imply.Implication, rule string, list *lang.Networks) {
	spans := make([][]imply.Span, len(list.At))
	for i, item := range list.At {
		one := list.Condition
		one.Strings = one.Strings[i : i+1]
		spans[i] = im.Spans(&one)
		for j := range spans[:i] {
			if list.At[j].Text != item.Text && imply.Intersection(spans[j], spans[i]) != "" { // the same twice is duplicate-id's
				l.warn(problem.LintOverlappingRanges, f.File, item, "%srule %q: the network %s overlaps %s",
					b.Place(), rule, item.Text, list.At[j].Text)
				break
			}
		}
		if im.Spend(i); im.Spent() {
			return
		}
	}
}
