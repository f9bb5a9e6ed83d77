package ci

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/token"
)

// The bounds of a file's YAML. They are what keeps the parser's time and memory
// in proportion to a file's size.
const (
	maxBlank = 100     // empty lines in a row
	maxDepth = 50      // lists and mappings within each other
	maxKeys  = 1000    // keys of a mapping
	maxWords = 400_000 // tokens of a file
)

// refusals are the tokens of YAML that flag files don't have, and why.
var refusals = map[token.Type]string{
	token.AnchorType:      "anchors (&) and aliases (*) are not allowed; write the value out, or in quotes if it is text",
	token.AliasType:       "anchors (&) and aliases (*) are not allowed; write the value out, or in quotes if it is text",
	token.MergeKeyType:    "merge keys (<<) are not allowed; write the keys out",
	token.TagType:         "tags (!) are not allowed; put text in quotes",
	token.DocumentEndType: "document ends (...) are not allowed",
	token.DirectiveType:   "directives (%) are not allowed",
	token.MappingKeyType:  "a key is a word, not a list or a mapping (?)",
}

// A level is a list or mapping that is open where the scanner stands.
type level struct {
	flow    bool
	mapping bool // of a flow level
	indent  int  // of a block level, in half columns
	keys    int
	// Of a flow mapping's entry: the token it begins with, nil if it hasn't
	// begun, and whether it has a value.
	begun  *token.Token
	valued bool
}

// A scanner reads a file's tokens before the parser sees them and refuses what
// we don't allow and what the parser can't cope with.
type scanner struct {
	source *source
	tokens token.Tokens
	open   []level
}

// scan reports whether the tokens may go to the parser; if not it records why.
func (s *source) scan(tokens token.Tokens) bool {
	if t := tokens.InvalidToken(); t != nil {
		s.tokenProblem(t, inOurWords(t.Error))
		return false
	}
	words := make(token.Tokens, 0, len(tokens))
	for _, t := range tokens {
		if t.Type != token.CommentType {
			words = append(words, t)
		}
	}
	if len(words) > maxWords {
		s.problem("the file holds more than %d words", maxWords)
		return false
	}
	sc := scanner{source: s, tokens: words}
	for i, t := range words {
		if why, ok := refusals[t.Type]; ok {
			s.refuse(t, why)
			continue
		}
		if !sc.step(i, t) {
			return false
		}
	}
	return len(s.problems) == 0
}

// refuse records that a token is of a kind that flag files don't have; once a
// line, for a list of aliases needs no list of problems.
func (s *source) refuse(t *token.Token, why string) {
	if t.Type == token.DirectiveType && t.Position.Column > 1 {
		why = "text that starts with % goes in quotes"
	}
	if n := len(s.problems); n > 0 && s.problems[n-1].Line == t.Position.Line && s.problems[n-1].Message == why {
		return
	}
	s.tokenProblem(t, why)
}

func (s *source) tokenProblem(t *token.Token, message string) {
	line, column := s.at.place(t)
	s.problemAt(line, column, message)
}

// step accounts for the token at i. It reports whether to go on.
func (sc *scanner) step(i int, t *token.Token) bool {
	top := sc.top()
	switch t.Type {
	case token.MappingStartType, token.SequenceStartType:
		top.begin(t)
		sc.open = append(sc.open, level{flow: true, mapping: t.Type == token.MappingStartType})
	case token.MappingEndType, token.SequenceEndType:
		sc.endEntry(top)
		if top.flow {
			sc.open = sc.open[:len(sc.open)-1]
		}
	case token.CollectEntryType:
		sc.endEntry(top)
	case token.MappingValueType:
		sc.value(i, t, top)
	case token.SequenceEntryType:
		if top.flow {
			sc.source.tokenProblem(t, "a list with dashes can't stand between brackets")
		} else {
			sc.block(t.Position.Column, false)
			if sc.emptyAfter(i, t.Position.Column, false) {
				sc.source.tokenProblem(t, "an empty list entry; write a value, or take the dash out")
			}
		}
	default:
		top.begin(t)
	}
	if len(sc.open) > maxDepth {
		sc.source.tokenProblem(t, fmt.Sprintf("lists and mappings are nested more than %d deep", maxDepth))
		return false
	}
	if top := sc.top(); top.keys > maxKeys && (top.flow || top.indent%2 == 0) {
		sc.source.tokenProblem(t, fmt.Sprintf("a mapping has more than %d keys", maxKeys))
		return false
	}
	return true
}

// top returns the innermost open level, or one that stands for the document.
func (sc *scanner) top() *level {
	if len(sc.open) == 0 {
		return &level{}
	}
	return &sc.open[len(sc.open)-1]
}

// value accounts for the colon at i, which ends a key.
func (sc *scanner) value(i int, t *token.Token, top *level) {
	if top.flow {
		if sc.glued(i) {
			sc.source.tokenProblem(t, "write a space after the colon, or quotes around the text that holds it")
		}
		top.begin(t)
		top.valued = true
		if i+1 < len(sc.tokens) {
			switch sc.tokens[i+1].Type {
			case token.CollectEntryType, token.MappingEndType, token.SequenceEndType:
				sc.source.tokenProblem(t, "a key without a value")
			}
		}
		top.keys++
		return
	}
	if i == 0 {
		return // no key: the parser's to refuse
	}
	if sc.tokens[i-1].Position.Line != t.Position.Line {
		sc.source.tokenProblem(t, "what stands before this colon belongs to the line above; check the indentation, and put text that holds \": \" in quotes")
	}
	_, column := sc.source.at.place(sc.tokens[i-1])
	sc.block(column, true)
	if sc.emptyAfter(i, column, true) {
		sc.source.tokenProblem(sc.tokens[i-1], "a key without a value")
	}
}

// glued reports whether the colon at i follows a word and is followed by one, as
// in {a:b}: to YAML that is one word, to the lexer it isn't.
func (sc *scanner) glued(i int) bool {
	if i == 0 || i+1 == len(sc.tokens) {
		return false
	}
	switch sc.tokens[i-1].Type {
	case token.SingleQuoteType, token.DoubleQuoteType:
		return false
	}
	// Origin is the text of the token and the space before it.
	next := sc.tokens[i+1].Origin
	return next != "" && strings.IndexByte(" \t\n,[]{}", next[0]) < 0
}

// block accounts for an entry of a block list or mapping at column.
func (sc *scanner) block(column int, mapping bool) {
	// A list may stand at the column of the key it belongs to: it counts as
	// half a column deeper.
	indent := 2 * column
	if !mapping {
		indent++
	}
	for len(sc.open) > 0 && !sc.top().flow && sc.top().indent > indent {
		sc.open = sc.open[:len(sc.open)-1]
	}
	if top := sc.top(); top.flow || top.indent < indent {
		sc.open = append(sc.open, level{indent: indent})
	}
	sc.top().keys++
}

// emptyAfter reports whether nothing belongs to the block entry at column whose
// indicator is the token at i.
func (sc *scanner) emptyAfter(i, column int, mapping bool) bool {
	if i+1 == len(sc.tokens) {
		return true
	}
	t, next := sc.tokens[i], sc.tokens[i+1]
	nextLine, nextColumn := sc.source.at.place(next)
	switch {
	case next.Type == token.DocumentHeaderType:
		return true
	case nextLine == t.Position.Line, nextColumn > column:
		return false
	case mapping && next.Type == token.SequenceEntryType && nextColumn == column:
		return false
	}
	return true
}

// endEntry accounts for the end of an entry of a flow mapping.
func (sc *scanner) endEntry(top *level) {
	if top.flow && top.mapping && top.begun != nil && !top.valued {
		sc.source.tokenProblem(top.begun, "a key without a value")
	}
	top.begun, top.valued = nil, false
}

// begin notes the first token of an entry.
func (l *level) begin(t *token.Token) {
	if l.begun == nil {
		l.begun = t
	}
}
