package decide

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/serin-flags/serin/evaluator"
)

// Most regular expressions that people write say no more than "begins with b" or "contains
// H or S". These are taken for the comparisons that they are, whose relations to others are
// known. Of another expression, what its matches begin and end with is known at best.

// Bounds of the texts that are spelled out of an expression, and of those that it is taken for:
// each prefix and each suffix makes patterns of its own.
const (
	maxSpelled = 32
	maxPlain   = 8
)

// expressionOperands returns the operands that a regular expression stands for, or itself as
// the only one.
func expressionOperands(text string, fold bool) []operand {
	re, err := syntax.Parse(text, syntax.Perl)
	if folded := "(?i)" + text; fold && err == nil {
		if other, err := syntax.Parse(folded, syntax.Perl); err == nil && !other.Equal(re) {
			text, re = folded, other
		}
	}
	if err == nil {
		if list, ok := plainOperands(re); ok {
			return list
		}
	}
	return []operand{{op: evaluator.OpMatches, text: text}}
}

// plainOperands returns operands of which one holds exactly where an expression matches.
func plainOperands(re *syntax.Regexp) ([]operand, bool) {
	if re.Op == syntax.OpCapture {
		return plainOperands(re.Sub[0])
	}
	if re.Op == syntax.OpAlternate {
		var list []operand
		for _, sub := range re.Sub {
			more, ok := plainOperands(sub)
			if list = append(list, more...); !ok || len(list) > maxPlain {
				return nil, false
			}
		}
		return list, true
	}
	pieces := piecesOf(re)
	begins, ends := false, false
	if len(pieces) > 0 && pieces[0].Op == syntax.OpBeginText {
		begins, pieces = true, pieces[1:]
	}
	if n := len(pieces); n > 0 && pieces[n-1].Op == syntax.OpEndText {
		ends, pieces = true, pieces[:n-1]
	}
	texts, n := spell(pieces)
	folded := slices.ContainsFunc(pieces, isFolded)
	if n < len(pieces) || len(texts) > maxPlain || folded && len(pieces) > 1 || len(pieces) == 0 && !(begins && ends) {
		return nil, false
	}
	op := evaluator.OpContains
	switch {
	case begins && ends:
		op = evaluator.OpOneOf
	case begins:
		op = evaluator.OpPrefix
	case ends:
		op = evaluator.OpSuffix
	}
	list := make([]operand, len(texts))
	for i, text := range texts {
		list[i] = newOperand(op, text, folded)
	}
	return list, true
}

// piecesOf returns the parts of an expression that follow each other.
func piecesOf(re *syntax.Regexp) []*syntax.Regexp {
	switch re.Op {
	case syntax.OpCapture:
		return piecesOf(re.Sub[0])
	case syntax.OpConcat:
		var list []*syntax.Regexp
		for _, sub := range re.Sub {
			list = append(list, piecesOf(sub)...)
		}
		return list
	}
	return []*syntax.Regexp{re}
}

// isFolded reports whether a piece is text whose letter case is ignored.
func isFolded(re *syntax.Regexp) bool {
	return re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase != 0
}

// spell returns all texts that the first n pieces of an expression match: as many pieces as
// match few texts. A folded piece counts as one text.
func spell(pieces []*syntax.Regexp) (texts []string, n int) {
	texts = []string{""}
	for i, piece := range pieces {
		next := spellings(piece)
		if next == nil || len(texts)*len(next) > maxSpelled {
			return texts, i
		}
		var longer []string
		for _, text := range texts {
			for _, end := range next {
				longer = append(longer, text+end)
			}
		}
		texts = longer
	}
	return texts, len(pieces)
}

// spellings returns the texts that a piece of an expression matches, nil if these are many.
// The character U+FFFD stands for invalid text, too, of which there is a lot.
func spellings(piece *syntax.Regexp) []string {
	switch piece.Op {
	case syntax.OpLiteral:
		if !slices.Contains(piece.Rune, utf8.RuneError) {
			return []string{string(piece.Rune)}
		}
	case syntax.OpCharClass:
		var list []string
		for i := 0; i < len(piece.Rune); i += 2 {
			for r := piece.Rune[i]; r <= piece.Rune[i+1]; r++ {
				if list = append(list, string(r)); r == utf8.RuneError || len(list) > maxSpelled {
					return nil
				}
			}
		}
		return list
	case syntax.OpAlternate:
		var list []string
		for _, sub := range piece.Sub {
			pieces := piecesOf(sub)
			texts, n := spell(pieces)
			if list = append(list, texts...); n < len(pieces) || slices.ContainsFunc(pieces, isFolded) {
				return nil
			}
		}
		return list
	}
	return nil
}

// edges returns what all matches of an expression begin with, or end with: one of some
// texts, folded. nil: nothing is known.
func edges(re *syntax.Regexp, atEnd bool) []string {
	if re.Op == syntax.OpCapture {
		return edges(re.Sub[0], atEnd)
	}
	if re.Op == syntax.OpAlternate {
		var list []string
		for _, sub := range re.Sub {
			more := edges(sub, atEnd)
			if list = append(list, more...); more == nil || len(list) > maxSpelled {
				return nil
			}
		}
		return list
	}
	pieces, edge := piecesOf(re), syntax.OpBeginText
	if atEnd {
		edge = syntax.OpEndText
		slices.Reverse(pieces)
	}
	if pieces[0].Op != edge {
		return nil
	}
	known := 1
	for known < len(pieces) && spellings(pieces[known]) != nil {
		known++
	}
	pieces = pieces[1:known]
	if atEnd {
		slices.Reverse(pieces)
	}
	texts, n := spell(pieces)
	if n == 0 || atEnd && n < len(pieces) {
		return nil
	}
	for i, text := range texts {
		texts[i] = fold1(text)
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// maxExample bounds the text that is made for a regular expression.
const maxExample = 200

// A chooser chooses among alternatives: each number makes other choices.
type chooser struct {
	number int
	inside string // what to write where an expression allows any text
}

func (c *chooser) choose(n int) int {
	i := c.number % n
	c.number /= n
	return i
}

// write writes a text that an expression is likely to match.
func (c *chooser) write(b *strings.Builder, re *syntax.Regexp) {
	if b.Len() > maxExample {
		return
	}
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		if n := len(re.Rune) / 2; n > 0 {
			b.WriteRune(re.Rune[2*c.choose(n)])
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('a')
	case syntax.OpBeginLine, syntax.OpEndLine:
		if c.choose(2) == 1 {
			b.WriteByte('\n')
		}
	case syntax.OpStar:
		if op := re.Sub[0].Op; op == syntax.OpAnyChar || op == syntax.OpAnyCharNotNL {
			b.WriteString(c.inside)
			c.inside = ""
		}
	case syntax.OpCapture, syntax.OpPlus:
		c.write(b, re.Sub[0])
	case syntax.OpRepeat:
		for range min(re.Min, maxExample) {
			c.write(b, re.Sub[0])
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			c.write(b, sub)
		}
	case syntax.OpAlternate:
		c.write(b, re.Sub[c.choose(len(re.Sub))])
	}
}
