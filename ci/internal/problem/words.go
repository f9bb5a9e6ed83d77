package problem

import (
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Shorten cuts text that would make a message unreadable.
func Shorten(s string) string {
	const limit = 60
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit]) + "…"
}

// QuotedList returns up to twelve names in quotes, for lists of what is allowed.
func QuotedList(names iter.Seq[string]) string {
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

// conflictMarkers are the prefixes of lines that git adds around a merge conflict.
var conflictMarkers = [...]string{"<<<<<<<", "=======", ">>>>>>>", "|||||||"}

// IsConflict reports whether a line is one of git's conflict markers.
func IsConflict(line string) bool {
	for _, marker := range conflictMarkers {
		if rest, ok := strings.CutPrefix(line, marker); ok && (rest == "" || rest[0] == ' ') {
			return true
		}
	}
	return false
}
