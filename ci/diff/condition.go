package diff

import (
	"cmp"
	"slices"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// Conditions are compared by meaning, as far as that is cheap: whoever sorts a list, or
// puts a condition of one part into "all", has changed nothing that anybody has to
// review. Whether two conditions in different forms hold for the same people is for
// package decide to prove.

// normal returns a condition in a form that is equal for conditions that differ
// only in what has no meaning: the order and repetition of lists and of the parts
// of a combination, combinations of one, and double negations. nil, which always
// holds, becomes an empty All.
func normal(c *evaluator.Condition) evaluator.Condition {
	if c == nil {
		return evaluator.Condition{Op: evaluator.OpAll}
	}
	n := *c
	switch c.Op {
	case evaluator.OpAll, evaluator.OpAny:
		// "All of a, and all of b and c" is all of a, b and c.
		n.Of = nil
		for i := range c.Of {
			part := normal(&c.Of[i])
			if part.Op == c.Op {
				n.Of = append(n.Of, part.Of...)
			} else {
				n.Of = append(n.Of, part)
			}
		}
		slices.SortStableFunc(n.Of, compareConditions)
		n.Of = slices.CompactFunc(n.Of, func(a, b evaluator.Condition) bool { return compareConditions(a, b) == 0 })
		if len(n.Of) == 1 {
			return n.Of[0]
		}
	case evaluator.OpNot:
		if len(c.Of) != 1 {
			return n
		}
		part := normal(&c.Of[0])
		if part.Op == evaluator.OpNot && len(part.Of) == 1 {
			return part.Of[0]
		}
		n.Of = []evaluator.Condition{part}
	default:
		return c.Canonical()
	}
	return n
}

// differing returns the normal forms of two conditions, and whether they differ. Most conditions are equal
// as written, and then no normal form is computed.
func differing(old, new *evaluator.Condition) (a, b evaluator.Condition, differ bool) {
	if old != nil && new != nil && compareConditions(*old, *new) == 0 {
		return a, b, false
	}
	a, b = normal(old), normal(new)
	return a, b, compareConditions(a, b) != 0
}

// compareConditions orders conditions: first by what they are about, so that
// those that people would compare stand at the same place.
func compareConditions(a, b evaluator.Condition) int {
	if c := cmp.Or(
		strings.Compare(a.Attribute, b.Attribute), cmp.Compare(a.Op, b.Op), slices.Compare(a.Ints, b.Ints),
	); c != 0 {
		return c
	}
	if a.Fold != b.Fold {
		if b.Fold {
			return -1
		}
		return 1
	}
	if c := compareLists(a.Strings, b.Strings); c != 0 {
		return c
	}
	return slices.CompareFunc(a.Of, b.Of, compareConditions)
}

// compareLists is slices.Compare, but quick if the lists are the same in memory.
func compareLists(a, b []string) int {
	if len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) {
		return 0
	}
	return slices.Compare(a, b)
}

// A speaker puts conditions into words. These depend on the types of attributes: an integer may be a time.
type speaker struct {
	types map[string]evaluator.AttributeType
}

// maxWords is how many characters the words of one condition or value have at most. A condition can be a
// megabyte long, and a report is read by people.
const maxWords = 300

// condition returns the words of a whole condition.
func (s speaker) condition(c evaluator.Condition) string {
	return shorten(s.words(c, false), maxWords)
}

// part returns the words of a condition that is a part of another.
func (s speaker) part(c evaluator.Condition) string { return shorten(s.words(c, true), maxWords) }

// words returns the words of a condition, in parentheses if they are needed
// within others.
func (s speaker) words(c evaluator.Condition, within bool) string {
	join := func(with, none string) string {
		if len(c.Of) == 0 {
			return none
		}
		parts := make([]string, 0, len(c.Of))
		size := 0
		for _, part := range c.Of {
			if size > maxWords { // the rest would be cut off
				break
			}
			parts = append(parts, s.words(part, true))
			size += len(parts[len(parts)-1])
		}
		text := strings.Join(parts, with)
		if within {
			return "(" + text + ")"
		}
		return text
	}
	switch c.Op {
	case evaluator.OpAll:
		return join(" and ", "always")
	case evaluator.OpAny:
		return join(" or ", "never")
	case evaluator.OpNot:
		return "not " + s.words(first(c.Of), true)
	}
	return strings.TrimPrefix(c.Attribute+" ", " ") + c.Asked(s.types[c.Attribute])
}

// first returns the first condition of a list, or the zero Condition: payloads may contain an empty "not".
func first[T any](list []T) (v T) {
	if len(list) > 0 {
		v = list[0]
	}
	return v
}

// differ says how two conditions in normal form differ. Of two that are both
// combinations of the same kind it compares the parts.
func (c *comparison) differ(old, new evaluator.Condition) []string {
	// A comparison, or conditions of different kinds. A comparison that joined or left an "all" is
	// treated as an "all" of one.
	if old.Op != new.Op || old.Op != evaluator.OpAll && old.Op != evaluator.OpAny && old.Op != evaluator.OpNot {
		if words, ok := c.differLeaf(old, new); ok {
			return []string{words}
		}
		all := evaluator.OpAll
		if (old.Op == all || new.Op == all) && len(parts(old)) > 0 && len(parts(new)) > 0 {
			return c.differParts(parts(old), parts(new), "and ")
		}
		return []string{c.oldWords.condition(old) + " → " + c.newWords.condition(new)}
	}
	joiner := "and "
	switch {
	case old.Op == evaluator.OpAny:
		joiner = "or "
	// Short conditions are clearer as a whole: not x → not y.
	case old.Op == evaluator.OpNot && isShort(first(old.Of)) && isShort(first(new.Of)):
		return []string{c.oldWords.condition(old) + " → " + c.newWords.condition(new)}
	}
	words := c.differParts(old.Of, new.Of, joiner)
	if old.Op == evaluator.OpNot {
		for i := range words {
			words[i] = "within not: " + words[i]
		}
	}
	return words
}

// parts returns what must all hold.
func parts(c evaluator.Condition) []evaluator.Condition {
	if c.Op == evaluator.OpAll {
		return c.Of
	}
	return []evaluator.Condition{c}
}

// differParts says how the parts of two combinations differ. Parts are compared
// with each other if they are the only ones left that are about the same.
func (c *comparison) differParts(old, new []evaluator.Condition, joiner string) []string {
	gone, come := apart(old, new)
	var words, added []string
	for _, n := range come {
		same := func(o evaluator.Condition) bool {
			return o.Op == n.Op && o.Attribute == n.Attribute && o.Fold == n.Fold
		}
		i := slices.IndexFunc(gone, same)
		if i < 0 {
			added = append(added, "+ "+joiner+c.newWords.part(n))
			continue
		}
		words = append(words, c.differ(gone[i], n)...)
		gone = slices.Delete(gone, i, i+1)
	}
	for _, o := range gone {
		words = append(words, "− "+joiner+c.oldWords.part(o))
	}
	return append(words, added...)
}

// apart returns what only one of two sorted lists has.
func apart(old, new []evaluator.Condition) (gone, come []evaluator.Condition) {
	i, j := 0, 0
	for i < len(old) || j < len(new) {
		order := 0
		switch {
		case i == len(old):
			order = 1
		case j == len(new):
			order = -1
		default:
			order = compareConditions(old[i], new[j])
		}
		if order < 0 {
			gone = append(gone, old[i])
		} else if order > 0 {
			come = append(come, new[j])
		}
		if order <= 0 {
			i++
		}
		if order >= 0 {
			j++
		}
	}
	return gone, come
}

// differLeaf says how two comparisons differ, if they are about the same. Of
// longer lists it says what was added and what is gone.
func (c *comparison) differLeaf(old, new evaluator.Condition) (string, bool) {
	if old.Op != new.Op || old.Attribute != new.Attribute || old.Fold != new.Fold || len(old.Of)+len(new.Of) > 0 {
		return "", false
	}
	if !isShort(old) || !isShort(new) {
		asked := strings.TrimPrefix(new.Attribute+" ", " ") + new.Op.String()
		return asked + ": " + c.lists.differ(old.Strings, new.Strings), true
	}
	return c.oldWords.condition(old) + " → " + c.newWords.condition(new), true
}

// isShort reports whether c can be shown whole: it is a comparison that names at most five texts. For
// longer ones, only the added and removed texts are shown.
func isShort(c evaluator.Condition) bool { return len(c.Of) == 0 && len(c.Strings) <= 5 }

// shorten cuts text off behind so many characters.
func shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most]) + "…"
}
