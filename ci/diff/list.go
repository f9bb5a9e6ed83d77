package diff

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// A listPair identifies two lists by where they are in memory. Namespaces that use one
// long list share it, so it is compared once.
type listPair struct {
	old, new       *string // their first texts, nil for an empty list
	oldLen, newLen int
}

// Lists may have a million members, so of a difference only the first few are shown,
// and what came of two long lists is kept for the other flags that use them.

// A listDiff is how two lists differ, without regard to order and repetition.
type listDiff struct {
	added, removed         int
	someAdded, someRemoved []string // the first in order
	oldLen, newLen         int      // each text once
}

// listDiffs compares lists, and remembers what came of long ones.
type listDiffs struct{ known map[listPair]listDiff }

// mostShown is how many texts of a list are shown.
const mostShown = 3

// longList is the length from which the outcomes of comparing lists are cached. Short lists aren't worth
// it: there may be a million of them.
const longList = 1000

// compare compares two lists.
func (l *listDiffs) compare(old, new []string) listDiff {
	// The address of the first text and the length identify a list, which nobody modifies meanwhile.
	pair := listPair{oldLen: len(old), newLen: len(new)}
	if len(old) > 0 {
		pair.old = &old[0]
	}
	if len(new) > 0 {
		pair.new = &new[0]
	}
	if pair.old == pair.new && pair.oldLen == pair.newLen { // the same list
		return listDiff{oldLen: len(old), newLen: len(new)}
	}
	if d, ok := l.known[pair]; ok {
		return d
	}
	d := compareSets(set(old), set(new))
	if len(old)+len(new) >= longList {
		l.known[pair] = d
	}
	return d
}

// set returns a list in order, each text once. It shares a list that is so already.
func set(list []string) []string {
	return evaluator.Condition{Op: evaluator.OpOneOf, Strings: list}.Canonical().Strings
}

// compareSets compares lists in order, each of which has a text once.
func compareSets(old, new []string) listDiff {
	d := listDiff{oldLen: len(old), newLen: len(new)}
	i, j := 0, 0
	for i < len(old) || j < len(new) {
		switch {
		case j == len(new) || i < len(old) && old[i] < new[j]:
			d.removed++
			if len(d.someRemoved) < mostShown {
				d.someRemoved = append(d.someRemoved, old[i])
			}
			i++
		case i == len(old) || new[j] < old[i]:
			d.added++
			if len(d.someAdded) < mostShown {
				d.someAdded = append(d.someAdded, new[j])
			}
			j++
		default:
			i++
			j++
		}
	}
	return d
}

// same reports whether nothing differs.
func (d listDiff) same() bool { return d.added+d.removed == 0 }

// differ says how two lists differ: +3 −1 (+"u-1", "u-2", "u-3" −"u-9"), now 12.
func (l *listDiffs) differ(old, new []string) string {
	d := l.compare(old, new)
	var counts, some []string
	show := func(sign string, n int, list []string) {
		if n == 0 {
			return
		}
		counts = append(counts, sign+strconv.Itoa(n))
		quoted := make([]string, len(list))
		for i, text := range list {
			quoted[i] = strconv.Quote(shorten(text, 40))
		}
		more := ""
		if n > len(list) {
			more = ", …"
		}
		some = append(some, sign+strings.Join(quoted, ", ")+more)
	}
	show("+", d.added, d.someAdded)
	show("−", d.removed, d.someRemoved)
	return fmt.Sprintf("%s (%s), now %d", strings.Join(counts, " "), strings.Join(some, " "), d.newLen)
}

// sameList reports whether two lists have the same texts, in whatever order.
func (l *listDiffs) sameList(old, new []string) bool {
	return slices.Equal(old, new) || l.compare(old, new).same()
}
