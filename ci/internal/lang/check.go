package lang

import (
	"github.com/serin-flags/serin/ci/internal/phrase"
	"github.com/serin-flags/serin/ci/internal/source"
)

// A Checker reads the nodes of one file and records what is wrong with them.
// It is a value: within returns one that says more about the place.
type Checker struct {
	phrase.Reader
	Known *Vocabulary
	// layer is that of the flag whose rules are read, nil if it isn't in one.
	layer *layer
	// rule is the one whose condition is read, nil if it isn't that of a rule.
	rule *Rule
	// references collects the segments that conditions name, if not nil.
	references *[]reference
}

// Checker returns a checker of a file.
func (v *Vocabulary) Checker(s *source.File) Checker {
	return Checker{Reader: phrase.Reader{File: s, Local: v.Zone, Zones: v.zones}, Known: v}
}

// A reference is a place where a segment is named.
type reference struct {
	segment string
	at      *source.Node
}

// Within returns a checker whose messages start with the formatted text.
func (c Checker) Within(format string, args ...any) Checker {
	c.Reader = c.Reader.Within(format, args...)
	return c
}
