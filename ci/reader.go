package ci

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// A reader reads the nodes of a file and records what is wrong with them. It is a
// value: within returns one whose messages say more about the place.
type reader struct {
	source *source
	place  string // prefix of messages, such as `rule "staff": `
}

// within returns a reader whose messages start with the formatted text.
func (r reader) within(format string, args ...any) reader {
	r.place += fmt.Sprintf(format, args...) + ": "
	return r
}

// errorf records a problem at n.
func (r reader) errorf(n *node, format string, args ...any) {
	r.source.problemAt(n.line(), n.column(), r.place+fmt.Sprintf(format, args...))
}

// keys reports whether n is a mapping, and records the keys it has that are not
// known. what names n in messages, such as "a rule".
func (r reader) keys(n *node, what string, known ...string) bool {
	if n.kind != mapping {
		r.errorf(n, "%s is a mapping of keys to values, not %s", what, n.describe())
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
			r.errorf(f.key, "unknown key %q in %s%s", f.key.text, what, hint)
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

// list reports whether n is a list that isn't empty.
func (r reader) list(n *node, what string) bool {
	if !r.maybeEmptyList(n, what) {
		return false
	}
	if len(n.items) == 0 {
		r.errorf(n, "%s is empty", what)
		return false
	}
	return true
}

// maybeEmptyList reports whether n is a list.
func (r reader) maybeEmptyList(n *node, what string) bool {
	switch n.kind {
	case sequence:
		return true
	case mapping:
		r.errorf(n, "%s is a list, not a mapping; put a dash before each entry, or brackets around all", what)
	default:
		r.errorf(n, "%s is a list, not %s", what, n.describe())
	}
	return false
}

// required reports whether n has all of the keys, and records those it lacks.
func (r reader) required(n *node, what string, keys ...string) bool {
	ok := true
	for _, key := range keys {
		if n.get(key) == nil {
			r.errorf(n, "%s has no %q", what, key)
			ok = false
		}
	}
	return ok
}

// text returns the text that n holds. A number or truth value isn't text unless
// it stands in quotes.
func (r reader) text(n *node, what string) (string, bool) {
	switch {
	case n.kind != scalar:
		r.errorf(n, "%s is text, not %s", what, n.describe())
		return "", false
	case n.scalarType() == nullScalar:
		r.errorf(n, "%s is empty", what)
		return "", false
	case n.scalarType() != textScalar:
		r.errorf(n, "%s is text, not %s; write it in quotes: %q", what, n.describe(), n.text)
		return "", false
	}
	return n.text, true
}

// optionalText is text for a key that may be absent.
func (r reader) optionalText(n *node, what string) string {
	if n == nil {
		return ""
	}
	s, _ := r.text(n, what)
	return s
}

// maxName is the length in bytes of the longest name of a thing that has no
// syntax of its own.
const maxName = 200

// name returns a name: text however it looks, so that a variant may be called
// 1 or true without quotes.
func (r reader) name(n *node, what string) (string, bool) {
	switch {
	case n.kind != scalar:
		r.errorf(n, "%s is a word, not %s", what, n.describe())
	case n.text == "", n.scalarType() == nullScalar:
		r.errorf(n, "%s is empty", what)
	case len(n.text) > maxName:
		r.errorf(n, "%s is longer than %d bytes", what, maxName)
	case strings.ContainsFunc(n.text, unicode.IsControl):
		r.errorf(n, "%s holds a control character or line break", what)
	case strings.TrimSpace(n.text) != n.text:
		r.errorf(n, "%s starts or ends with white space", what)
	default:
		return n.text, true
	}
	return "", false
}

// boolean returns whether n is true.
func (r reader) boolean(n *node, what string) (value, ok bool) {
	if n.kind != scalar || n.scalarType() != boolScalar {
		r.errorf(n, "%s is true or false, not %s", what, n.describe())
		return false, false
	}
	return n.isTrue(), true
}

// integer returns the 64-bit integer that n is.
func (r reader) integer(n *node, what string) (int64, bool) {
	if n.kind != scalar || n.scalarType() != intScalar {
		r.errorf(n, "%s is an integer, not %s", what, n.describe())
		return 0, false
	}
	i, err := parseInt(n.text)
	if err != nil {
		r.errorf(n, "%s is %s, which doesn't fit a 64-bit integer", what, shorten(n.text))
		return 0, false
	}
	return i, true
}

// number reads an integer or a floating-point number.
func (r reader) number(n *node, what string) (evaluator.Value, bool) {
	t := n.scalarType()
	if n.kind != scalar || t != intScalar && t != floatScalar {
		r.errorf(n, "%s is a number, not %s", what, n.describe())
		return evaluator.Value{}, false
	}
	f, ok := parseFloat(n.text)
	if !ok {
		r.errorf(n, "%s is %s, which is not a finite number of 64 bits", what, shorten(n.text))
	}
	return evaluator.FloatValue(f), ok
}

// json appends n as JSON. Integers stay as they are, whatever their size in
// bits up to 64.
func (r reader) json(b *bytes.Buffer, n *node) bool {
	ok := true
	switch n.kind {
	case mapping:
		b.WriteByte('{')
		for i, f := range n.fields {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(evaluator.StringValue(f.key.text).JSON())
			b.WriteByte(':')
			ok = r.json(b, f.value) && ok
		}
		b.WriteByte('}')
		return ok
	case sequence:
		b.WriteByte('[')
		for i, item := range n.items {
			if i > 0 {
				b.WriteByte(',')
			}
			ok = r.json(b, item) && ok
		}
		b.WriteByte(']')
		return ok
	}
	switch n.scalarType() {
	case nullScalar:
		b.WriteString("null")
	case boolScalar:
		b.WriteString(strconv.FormatBool(n.isTrue()))
	case intScalar:
		i, fine := r.integer(n, "a number")
		b.WriteString(strconv.FormatInt(i, 10))
		return fine
	case floatScalar:
		v, fine := r.number(n, "a number")
		b.Write(v.JSON())
		return fine
	default:
		b.Write(evaluator.StringValue(n.text).JSON())
	}
	return true
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
