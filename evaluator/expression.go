package evaluator

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
)

// maxExpression is the length in bytes of the longest regular expression that [OpMatches]
// accepts.
const maxExpression = 1000

// maxExpressionSize limits the total size of the regular expressions of one [OpMatches], as
// computed by expressionSize. It bounds the memory and the time that they take.
const maxExpressionSize = 10_000

// maxExpressionSizes limits the total size of the regular expressions of a ruleset.
const maxExpressionSizes = 1_000_000

// expressions holds for strings in which one of the regular expressions matches.
type expressions []*regexp.Regexp

func (c *Condition) expressions(AttributeType) (test, error) {
	if len(c.Strings) == 0 {
		return nil, errors.New("\"matches\" takes one regular expression or more")
	}
	if n := expressionSizes(c.Strings); n > maxExpressionSize {
		return nil, fmt.Errorf(
			"the regular expressions are too large: with repetitions written out, %d; the limit is %d",
			n, maxExpressionSize)
	}
	var es expressions
	for _, s := range c.Strings {
		if len(s) > maxExpression {
			return nil, fmt.Errorf("a regular expression of %d bytes is too long; the limit is %d", len(s),
				maxExpression)
		}
		re, err := regexp.Compile(s)
		if err == nil && c.Fold {
			re, err = regexp.Compile("(?i)" + s)
		}
		if err != nil {
			return nil, fmt.Errorf("%q is not a regular expression (RE2): %w", s, err)
		}
		es = append(es, re)
	}
	return es, nil
}

// expressionSizes returns the total size of regular expressions. Invalid ones count as 0.
func expressionSizes(list []string) int {
	n := 0
	for _, s := range list {
		if len(s) > maxExpression {
			continue
		}
		if re, err := syntax.Parse(s, syntax.Perl); err == nil {
			n = min(n+expressionSize(re), maxExpressionSizes+1)
		}
	}
	return n
}

// expressionSize returns roughly the number of instructions that an expression is compiled
// to. Package regexp has a limit of its own, but accepts expressions that are a thousand
// times as large.
func expressionSize(re *syntax.Regexp) int {
	n := 0
	for _, sub := range re.Sub {
		n += expressionSize(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpConcat:
		return n
	case syntax.OpRepeat:
		if re.Max < 0 { // unlimited
			return max(re.Min, 1)*n + 1
		}
		return re.Max*n + re.Max - re.Min
	}
	return n + max(len(re.Sub), 1)
}

// has makes s escape to the heap, see Module.matches.
func (es expressions) has(s string) bool {
	return slices.ContainsFunc(es, func(re *regexp.Regexp) bool { return re.MatchString(s) })
}

func (es expressions) String() string {
	return "matches " + listText(len(es), func(yield func(string) bool) {
		for _, re := range es {
			if !yield(re.String()) {
				return
			}
		}
	})
}
