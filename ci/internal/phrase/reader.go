package phrase

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// Errorf records a problem at n.
func (r Reader) Errorf(n *source.Node, format string, args ...any) {
	message := r.Place + fmt.Sprintf(format, args...)
	if r.again != "" {
		if r.File.Has(n, message) {
			return
		}
		message = r.again + message
	}
	r.File.ProblemAt(n.Line(), n.Column(), message)
}

// Keys reports whether n is a mapping, and records its unknown keys. what names n
// in messages, such as "a rule".
func (r Reader) Keys(n *source.Node, what string, known ...string) bool {
	if n.Kind != source.Mapping {
		r.Errorf(n, "%s is a mapping of keys to values, not %s", what, n.Describe())
		return false
	}
	for _, f := range n.Fields {
		if !slices.Contains(known, f.Key.Text) {
			hint := suggest.DidYouMean(f.Key.Text, slices.Values(known))
			if ours := otherKeys[f.Key.Text]; slices.Contains(known, strings.TrimSuffix(ours, ": false")) {
				hint = fmt.Sprintf(" (did you mean %q?)", ours)
			}
			if hint == "" {
				hint = "; the keys are " + problem.QuotedList(slices.Values(known))
			}
			r.Errorf(f.Key, "unknown key %q in %s%s", f.Key.Text, what, hint)
		}
	}
	return true
}

// otherKeys are what other systems call our keys.
var otherKeys = map[string]string{
	"variations": "variants", "values": "variants", "fallthrough": "default", "fallback": "default",
	"defaultVariant": "default", "default_variant": "default",
	"disabled": "enabled: false", "kill_switch": "enabled: false", "targeting": "rules", "off": "off_variant",
	"offVariation": "off_variant",
	"env":          "environments", "envs": "environments", "overrides": "environments", "team": "owner",
	"expiry": "expires",
	"layer":  "exclusive",
	"if":     "when", "condition": "when", "conditions": "when", "clauses": "when", "match": "when",
	"then": "serve", "variant": "serve", "variation": "serve", "value": "serve", "rollout": "serve", "split": "serve",
	"percentage": "serve", "weights": "serve",
	"bucket_by": "by", "bucketBy": "by", "unit": "by", "seed": "salt",
	"members": "include", "ids": "include", "users": "include", "included": "include", "excluded": "exclude",
	"rules":    "when",
	"timezone": "time_zone", "tz": "time_zone", "targeting_key": "unit", "targetingKey": "unit",
}

// List reports whether n is a list that isn't empty.
func (r Reader) List(n *source.Node, what string) bool {
	if !r.MaybeEmptyList(n, what) {
		return false
	}
	if len(n.Items) == 0 {
		r.Errorf(n, "%s is empty", what)
		return false
	}
	return true
}

// MaybeEmptyList reports whether n is a list.
func (r Reader) MaybeEmptyList(n *source.Node, what string) bool {
	switch n.Kind {
	case source.Sequence:
		return true
	case source.Mapping:
		r.Errorf(n, "%s is a list, not a mapping; put a dash before each entry, or brackets around all", what)
	default:
		r.Errorf(n, "%s is a list, not %s", what, n.Describe())
	}
	return false
}

// Required reports whether n has all of the keys, and records those it lacks.
func (r Reader) Required(n *source.Node, what string, keys ...string) bool {
	ok := true
	for _, key := range keys {
		if n.Get(key) == nil {
			r.Errorf(n, "%s has no %q", what, key)
			ok = false
		}
	}
	return ok
}

// Text returns the text of n. Numbers and booleans are text only in quotes.
func (r Reader) Text(n *source.Node, what string) (string, bool) {
	switch {
	case n.Kind != source.Scalar:
		r.Errorf(n, "%s is text, not %s", what, n.Describe())
		return "", false
	case n.Type() == source.NullScalar:
		r.Errorf(n, "%s is empty", what)
		return "", false
	case n.Type() != source.TextScalar:
		r.Errorf(n, "%s is text, not %s; write it in quotes: %q", what, n.Describe(), n.Text)
		return "", false
	}
	return n.Text, true
}

// OptionalText is text for a key that may be absent.
func (r Reader) OptionalText(n *source.Node, what string) string {
	if n == nil {
		return ""
	}
	s, _ := r.Text(n, what)
	return s
}

// maxName is the length in bytes of the longest name of a thing that has no
// syntax of its own.
const maxName = 200

// Name returns a name. It may look like any scalar, so a variant may be called 1 or
// true without quotes.
func (r Reader) Name(n *source.Node, what string) (string, bool) {
	switch {
	case n.Kind != source.Scalar:
		r.Errorf(n, "%s is a word, not %s", what, n.Describe())
	case n.Text == "", n.Type() == source.NullScalar:
		r.Errorf(n, "%s is empty", what)
	case len(n.Text) > maxName:
		r.Errorf(n, "%s is longer than %d bytes", what, maxName)
	case strings.ContainsFunc(n.Text, unicode.IsControl):
		r.Errorf(n, "%s contains a control character or line break", what)
	case strings.TrimSpace(n.Text) != n.Text:
		r.Errorf(n, "%s starts or ends with white space", what)
	default:
		return n.Text, true
	}
	return "", false
}

// Boolean returns whether n is true.
func (r Reader) Boolean(n *source.Node, what string) (value, ok bool) {
	if n.Kind != source.Scalar || n.Type() != source.BoolScalar {
		r.Errorf(n, "%s is true or false, not %s", what, n.Describe())
		return false, false
	}
	return n.IsTrue(), true
}

// Integer returns the 64-bit integer that n is.
func (r Reader) Integer(n *source.Node, what string) (int64, bool) {
	if n.Kind != source.Scalar || n.Type() != source.IntScalar {
		r.Errorf(n, "%s is an integer, not %s", what, n.Describe())
		return 0, false
	}
	i, err := n.Int()
	if err != nil {
		r.Errorf(n, "%s is %s, which doesn't fit a 64-bit integer", what, problem.Shorten(n.Text))
		return 0, false
	}
	return i, true
}

// Number returns the number that n is, an integer or not.
func (r Reader) Number(n *source.Node, what string) (evaluator.Value, bool) {
	t := n.Type()
	if n.Kind != source.Scalar || t != source.IntScalar && t != source.FloatScalar {
		r.Errorf(n, "%s is a number, not %s", what, n.Describe())
		return evaluator.Value{}, false
	}
	f, ok := n.Float()
	if !ok {
		r.Errorf(n, "%s is %s, which is not a finite number of 64 bits", what, problem.Shorten(n.Text))
	}
	return evaluator.FloatValue(f), ok
}

// JSON appends n as JSON. Integers stay as they are, whatever their size in
// bits up to 64.
func (r Reader) JSON(b *bytes.Buffer, n *source.Node) bool {
	ok := true
	switch n.Kind {
	case source.Mapping:
		b.WriteByte('{')
		for i, f := range n.Fields {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(evaluator.StringValue(f.Key.Text).JSON())
			b.WriteByte(':')
			ok = r.JSON(b, f.Value) && ok
		}
		b.WriteByte('}')
		return ok
	case source.Sequence:
		b.WriteByte('[')
		for i, item := range n.Items {
			if i > 0 {
				b.WriteByte(',')
			}
			ok = r.JSON(b, item) && ok
		}
		b.WriteByte(']')
		return ok
	}
	switch n.Type() {
	case source.NullScalar:
		b.WriteString("null")
	case source.BoolScalar:
		b.WriteString(strconv.FormatBool(n.IsTrue()))
	case source.IntScalar:
		i, fine := r.Integer(n, "a number")
		b.WriteString(strconv.FormatInt(i, 10))
		return fine
	case source.FloatScalar:
		v, fine := r.Number(n, "a number")
		b.Write(v.JSON())
		return fine
	default:
		b.Write(evaluator.StringValue(n.Text).JSON())
	}
	return true
}
