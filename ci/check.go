package ci

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/serin-flags/serin/internal/suggest"
)

// A checker reads the nodes of one file and records what is wrong with them.
// It is a value: within returns one that says more about the place.
type checker struct {
	source *source
	known  *vocabulary
	place  string // prefix of messages, such as `rule "staff": `
	// layer is the one that the flag is in whose rules are read, nil if none.
	layer *layer
	// environment is the one whose own rules are read, "" if they are the flag's.
	environment string
	// divisions collects what the lock file keeps, if not nil.
	divisions *[]division
	// references collects the segments that conditions name, if not nil.
	references *[]reference
	// prerequisites collects the flags that conditions name, if they may.
	prerequisites *[]prerequisite
}

// A reference is a place where a segment is named.
type reference struct {
	segment string
	at      *node
}

// within returns a checker whose messages start with the formatted text.
func (c checker) within(format string, args ...any) checker {
	c.place += fmt.Sprintf(format, args...) + ": "
	return c
}

// errorf records a problem at n.
func (c checker) errorf(n *node, format string, args ...any) {
	c.source.problemAt(n.line(), n.column(), c.place+fmt.Sprintf(format, args...))
}

// keys reports whether n is a mapping, and records the keys it has that are not
// known. what names n in messages, such as "a rule".
func (c checker) keys(n *node, what string, known ...string) bool {
	if n.kind != mapping {
		c.errorf(n, "%s is a mapping of keys to values, not %s", what, n.describe())
		return false
	}
	for _, f := range n.fields {
		if !slices.Contains(known, f.key.text) {
			hint := suggest.DidYouMean(f.key.text, slices.Values(known))
			if ours := otherKeys[f.key.text]; slices.Contains(known, strings.TrimSuffix(ours, ": false")) {
				hint = fmt.Sprintf(" (did you mean %q?)", ours)
			}
			if hint == "" {
				hint = "; the keys are " + quotedList(slices.Values(known))
			}
			c.errorf(f.key, "unknown key %q in %s%s", f.key.text, what, hint)
		}
	}
	return true
}

// otherKeys are what other systems call our keys.
var otherKeys = map[string]string{
	"variations": "variants", "values": "variants", "fallthrough": "default", "fallback": "default", "defaultVariant": "default", "default_variant": "default",
	"disabled": "enabled: false", "kill_switch": "enabled: false", "targeting": "rules", "off": "off_variant", "offVariation": "off_variant",
	"env": "environments", "envs": "environments", "overrides": "environments", "team": "owner", "expiry": "expires", "layer": "exclusive",
	"if": "when", "condition": "when", "conditions": "when", "clauses": "when", "match": "when",
	"then": "serve", "variant": "serve", "variation": "serve", "value": "serve", "rollout": "serve", "split": "serve", "percentage": "serve", "weights": "serve",
	"bucket_by": "by", "bucketBy": "by", "unit": "by", "seed": "salt",
	"members": "include", "ids": "include", "users": "include", "included": "include", "excluded": "exclude", "rules": "when",
	"timezone": "time_zone", "tz": "time_zone", "targeting_key": "unit", "targetingKey": "unit",
}

// otherTypes are what other systems call our types.
var otherTypes = map[string]string{
	"json": "object", "map": "object", "dict": "object", "float": "number", "double": "number", "decimal": "number", "number": "integer", "long": "integer",
	"array": "list", "set": "list", "version": "semver", "text": "string", "address": "ip", "flag": "boolean",
}

// list reports whether n is a list that isn't empty.
func (c checker) list(n *node, what string) bool {
	if !c.maybeEmptyList(n, what) {
		return false
	}
	if len(n.items) == 0 {
		c.errorf(n, "%s is empty", what)
		return false
	}
	return true
}

// maybeEmptyList reports whether n is a list.
func (c checker) maybeEmptyList(n *node, what string) bool {
	switch n.kind {
	case sequence:
		return true
	case mapping:
		c.errorf(n, "%s is a list, not a mapping; put a dash before each entry, or brackets around all", what)
	default:
		c.errorf(n, "%s is a list, not %s", what, n.describe())
	}
	return false
}

// text returns the text that n holds. A number or truth value isn't text unless
// it stands in quotes.
func (c checker) text(n *node, what string) (string, bool) {
	switch {
	case n.kind != scalar:
		c.errorf(n, "%s is text, not %s", what, n.describe())
		return "", false
	case n.scalarType() == nullScalar:
		c.errorf(n, "%s is empty", what)
		return "", false
	case n.scalarType() != textScalar:
		c.errorf(n, "%s is text, not %s; write it in quotes: %q", what, n.describe(), n.text)
		return "", false
	}
	return n.text, true
}

// typeOf reads a "type", one of those that parse knows; they are numbered from 1.
// What it is the type of is called what, and stands at place.
func typeOf[T interface {
	~uint8
	fmt.Stringer
}](c checker, n, place *node, what string, parse func(string) (T, bool)) T {
	var names []string
	for t := T(1); ; t++ {
		if _, ok := parse(t.String()); !ok {
			break
		}
		names = append(names, t.String())
	}
	last := len(names) - 1
	known := strings.Join(names[:last], ", ") + " or " + names[last]
	if n == nil {
		c.errorf(place, "%s has no \"type\": %s", what, known)
		return 0
	}
	name, ok := c.text(n, "\"type\"")
	if !ok {
		return 0
	}
	t, ok := parse(name)
	if !ok {
		hint := suggest.DidYouMean(name, slices.Values(names))
		if ours := otherTypes[name]; slices.Contains(names, ours) {
			hint = fmt.Sprintf(" (did you mean %q?)", ours)
		}
		c.errorf(n, "unknown type %q%s; the types are %s", shorten(name), hint, known)
	}
	return t
}

// optionalText is text for a key that may be absent.
func (c checker) optionalText(n *node, what string) string {
	if n == nil {
		return ""
	}
	s, _ := c.text(n, what)
	return s
}

// maxName is the length in bytes of the longest name of a thing that has no
// syntax of its own.
const maxName = 200

// name returns a name: text however it looks, so that a variant may be called
// 1 or true without quotes.
func (c checker) name(n *node, what string) (string, bool) {
	switch {
	case n.kind != scalar:
		c.errorf(n, "%s is a word, not %s", what, n.describe())
	case n.text == "", n.scalarType() == nullScalar:
		c.errorf(n, "%s is empty", what)
	case len(n.text) > maxName:
		c.errorf(n, "%s is longer than %d bytes", what, maxName)
	case strings.ContainsFunc(n.text, unicode.IsControl):
		c.errorf(n, "%s holds a control character or line break", what)
	case strings.TrimSpace(n.text) != n.text:
		c.errorf(n, "%s starts or ends with white space", what)
	default:
		return n.text, true
	}
	return "", false
}

// boolean returns whether n is true.
func (c checker) boolean(n *node, what string) (value, ok bool) {
	if n.kind != scalar || n.scalarType() != boolScalar {
		c.errorf(n, "%s is true or false, not %s", what, n.describe())
		return false, false
	}
	return n.isTrue(), true
}

// integer returns the 64-bit integer that n is.
func (c checker) integer(n *node, what string) (int64, bool) {
	if n.kind != scalar || n.scalarType() != intScalar {
		c.errorf(n, "%s is an integer, not %s", what, n.describe())
		return 0, false
	}
	i, err := parseInt(n.text)
	if err != nil {
		c.errorf(n, "%s is %s, which doesn't fit a 64-bit integer", what, shorten(n.text))
		return 0, false
	}
	return i, true
}

// maxKey is the length in bytes of the longest flag key.
const maxKey = 100

// checkKey returns what is wrong with the key of a flag or the name of a
// segment, or "".
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

// describe says in a few words what n is.
func (n *node) describe() string {
	switch n.kind {
	case sequence:
		return "a list"
	case mapping:
		return "a mapping"
	}
	switch n.scalarType() {
	case nullScalar:
		return "null"
	case intScalar, floatScalar:
		return "the number " + shorten(n.text)
	case boolScalar:
		return n.text
	}
	return strconv.Quote(shorten(n.text))
}

// shorten cuts text that would make a message unreadable.
func shorten(s string) string {
	const limit = 60
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit]) + "…"
}

// quotedList returns names in quotes, for lists of what is allowed: twelve at most.
func quotedList(names iter.Seq[string]) string {
	var list []string
	for name := range names {
		if len(list) == 12 {
			list = append(list, "…")
			break
		}
		list = append(list, strconv.Quote(name))
	}
	return strings.Join(list, ", ")
}
