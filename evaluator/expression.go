package evaluator

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
)

// maxExpression is the longest regular expression that [OpMatches] accepts, in
// bytes.
const maxExpression = 1000

// maxExpressionSize is how large the regular expressions of one [OpMatches] may be
// together, repetitions such as {1000} written out. It bounds the memory that they
// take, and the time.
const maxExpressionSize = 10_000

// maxExpressionSizes is how large the regular expressions of a ruleset may be together.
const maxExpressionSizes = 1_000_000

// expressions holds for text in which one of the regular expressions matches.
type expressions []*regexp.Regexp

func (c *Condition) expressions(AttributeType) (test, error) {
	if len(c.Strings) == 0 {
		return nil, errors.New("\"matches\" takes one regular expression or more")
	}
	if n := expressionSizes(c.Strings); n > maxExpressionSize {
		return nil, fmt.Errorf("the regular expressions are too large: with repetitions written out, %d; the limit is %d", n, maxExpressionSize)
	}
	var es expressions
	for _, s := range c.Strings {
		if len(s) > maxExpression {
			return nil, fmt.Errorf("a regular expression of %d bytes is too long; the limit is %d", len(s), maxExpression)
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

// expressionSizes returns the sizes of regular expressions together; one that isn't
// valid has none.
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

// expressionSize returns about how many instructions an expression is compiled to.
// It is known before: Go's package accepts what takes a thousand times as long.
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
		if re.Max < 0 { // without end
			return max(re.Min, 1)*n + 1
		}
		return re.Max*n + re.Max - re.Min
	}
	return n + max(len(re.Sub), 1)
}

// has keeps s in the heap for a while: see Module.matches.
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
