package importer

import (
	"slices"
	"strconv"
	"strings"
)

// longList is how many values stand in a file of their own.
const longList = 50

// lists are the files of IDs that conditions refer to.
type lists struct {
	stem  string // of the flag's file
	files map[string][]byte
}

// add writes the values of a long list to a file and returns its path as the flag's file
// names it, or "" if they belong in the flag's file itself.
func (l *lists) add(texts []string, fold bool) string {
	if len(texts) <= longList || fold || !listable(texts) {
		return ""
	}
	data := []byte(strings.Join(texts, "\n") + "\n")
	for name, other := range l.files {
		if string(other) == string(data) {
			return "../" + name
		}
	}
	name := "lists/" + l.stem + ".txt"
	for n := 2; l.files[name] != nil; n++ {
		name = "lists/" + l.stem + "-" + strconv.Itoa(n) + ".txt"
	}
	l.files[name] = data
	return "../" + name
}

// listable reports whether a list of IDs can hold the texts.
func listable(texts []string) bool {
	return !slices.ContainsFunc(texts, func(t string) bool {
		return t == "" || len(t) > 1000 || t[0] == '#' || strings.TrimSpace(t) != t ||
			strings.ContainsAny(t, "\r\n\x00<>")
	})
}
