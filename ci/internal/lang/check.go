package lang

import (
	"fmt"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/internal/suggest"
)

// A Checker reads the nodes of one file and records what is wrong with them.
// It is a value: within returns one that says more about the place.
type Checker struct {
	source.Reader
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
	return Checker{Reader: source.Reader{File: s}, Known: v}
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

// otherTypes are what other systems call our types.
var otherTypes = map[string]string{
	"json": "object", "map": "object", "dict": "object", "float": "number", "double": "number", "decimal": "number",
	"number": "integer", "long": "integer",
	"date": "time", "datetime": "time", "timestamp": "time",
	"array": "list", "set": "list", "version": "semver", "text": "string", "address": "ip", "flag": "boolean",
}

// typeOf reads a "type", which must be one of types. What has the type, and where it
// is, say what and place.
func typeOf[T fmt.Stringer](c Checker, n, place *source.Node, what string, types []T) (t T) {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.String()
	}
	last := len(names) - 1
	known := strings.Join(names[:last], ", ") + " or " + names[last]
	if n == nil {
		c.Errorf(place, "%s has no \"type\": %s", what, known)
		return t
	}
	name, ok := c.Text(n, "\"type\"")
	if !ok {
		return t
	}
	i := slices.Index(names, name)
	if i < 0 {
		hint := suggest.DidYouMean(name, slices.Values(names))
		if ours := otherTypes[name]; slices.Contains(names, ours) {
			hint = fmt.Sprintf(" (did you mean %q?)", ours)
		}
		c.Errorf(n, "unknown type %q%s; the types are %s", problem.Shorten(name), hint, known)
		return t
	}
	return types[i]
}

// checkFlagKey returns what is wrong with the key of a flag, or "". It may have upper-case
// letters, because keys of other systems do.
func checkFlagKey(key string) string {
	return strings.Replace(checkKey(strings.Map(lowerASCII, key)), "lower-case letter", "letter from A to Z", 1)
}

// lowerASCII returns the lower-case form of a letter from A to Z, and others as they are.
func lowerASCII(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r - 'A' + 'a'
	}
	return r
}

// maxKey is the length in bytes of the longest flag key.
const maxKey = 100

// checkKey returns what is wrong with the name of a segment and the like, or "".
func checkKey(key string) string {
	switch {
	case key == "":
		return "it is empty"
	case len(key) > maxKey:
		return fmt.Sprintf("it has %d characters, more than %d", len(key), maxKey)
	}
	for _, r := range key {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
		default:
			return fmt.Sprintf("%q is not a lower-case letter, digit, \"-\", \"_\" or \".\"", r)
		}
	}
	return ""
}
