package lint

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/serin-flags/serin/ci/internal/idlist"
	"github.com/serin-flags/serin/ci/internal/lang"
	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// file runs the lints that look at the content of a file, whatever its meaning.
func (l *linter) file(s *source.File) {
	found := 0
	for what, at := range problem.Secrets(s.Data) {
		if found++; found > problem.Max {
			break
		}
		line, column := s.Position(at[0])
		l.warnAt(problem.LintSecret, s, line, column, s.Line(line), secretMessage(what))
	}
	l.values(s, s.Root, "")
	if !isASCII(string(s.Data)) {
		l.textOrder(s, string(s.Data))
	}
	l.characters(s, s.Root)
}

func secretMessage(what string) string {
	return "this looks like " + what +
		"; flag files are no place for secrets: remove it, and revoke it, because the history of the files keeps it"
}

// values warns of values that a list has twice, and of white space around values.
// under is the key that n is below.
func (l *linter) values(s *source.File, n *source.Node, under string) {
	switch n.Kind {
	case source.Mapping:
		for _, f := range n.Fields {
			switch f.Key.Text {
			case "variants", "metadata", "environments", "description", "owner", "attributes", "lint", "shares",
				"serve", "now", "name":
				if f.Key.Text == "environments" && f.Value.Kind == source.Mapping {
					l.values(s, f.Value, "")
				}
				continue
			}
			l.values(s, f.Value, f.Key.Text)
		}
	case source.Sequence:
		lines := make(map[string]int, len(n.Items))
		for _, item := range n.Items {
			l.values(s, item, under)
			if item.Kind != source.Scalar {
				continue
			}
			if line, dup := lines[item.Text]; dup {
				l.warn(problem.LintDuplicateID, s, item, "%s is on the list twice; the first is on line %d",
					item.Describe(), line)
				continue
			}
			lines[item.Text] = item.Line()
		}
	case source.Scalar:
		l.space(s, n, under)
	}
}

// space looks for white space around a value that is compared as a whole.
func (l *linter) space(s *source.File, n *source.Node, under string) {
	switch under {
	case "prefix", "suffix", "contains", "matches":
		return // it may be meant
	}
	if trimmed := strings.TrimSpace(n.Text); trimmed != n.Text && trimmed != "" {
		l.warn(problem.LintStraySpace, s, n, "white space around %q is part of the value; values without it don't match",
			problem.Shorten(trimmed))
	}
}

// list runs the lints that look at a list of ids.
func (l *linter) list(list *idlist.List) {
	s := list.File
	found := 0
	for what, at := range problem.Secrets([]byte(list.Text)) {
		if found++; found > problem.Max {
			break
		}
		number := 1 + strings.Count(list.Text[:at[0]], "\n")
		start := strings.LastIndexByte(list.Text[:at[0]], '\n') + 1
		column := 1 + utf8.RuneCountInString(list.Text[start:at[0]])
		l.warnAt(problem.LintSecret, s, number, column, lineOf(list.Text, number), secretMessage(what))
	}
	l.listCharacters(list)
	l.listFormat(list)
	// The ids are unique: only where lines are more is one there twice.
	seen := map[string]int(nil)
	count := 0
	for range list.Lines() {
		count++
	}
	if count > len(list.IDs) {
		seen = make(map[string]int, len(list.IDs))
	}
	for line := range list.Lines() {
		text := strings.TrimSuffix(line.Text, "\r")
		before, after := spaceAround(text)
		if before+after > 0 {
			column := 1
			if before == 0 {
				column += utf8.RuneCountInString(text[:len(text)-after])
			}
			l.warnAt(problem.LintStraySpace, s, line.Number, column, text,
				"white space around an id is ignored, but may hide that the list is not what it seems")
		}
		if seen == nil {
			continue
		}
		if first, dup := seen[line.ID]; dup {
			l.warnAt(problem.LintDuplicateID, s, line.Number, 1+before, text,
				fmt.Sprintf("%q is on the list twice; the first is on line %d", problem.Shorten(line.ID), first))
			continue
		}
		seen[line.ID] = line.Number
	}
}

// spaceAround returns how many bytes of white space a line begins and ends with.
func spaceAround(text string) (before, after int) {
	left := strings.TrimLeftFunc(text, unicode.IsSpace)
	return len(text) - len(left), len(left) - len(strings.TrimRightFunc(left, unicode.IsSpace))
}

// textOf returns a line of a file, which may be a list of ids.
func (l *linter) textOf(s *source.File, number int) string {
	if list := l.estate.Known.Lists.ByPath[s.Path]; list != nil {
		return lineOf(list.Text, number)
	}
	return s.Line(number)
}

// lineOf returns the line of that number, counted from 1.
func lineOf(text string, number int) string {
	for range number - 1 {
		_, text, _ = strings.Cut(text, "\n")
	}
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSuffix(line, "\r")
}

// addresses warns of e-mail addresses in the payloads of public namespaces: in their
// flags, and in the flags, segments and lists that these refer to.
func (l *linter) addresses() {
	e := l.estate
	u := lang.Usage{
		Estate:     e,
		Attributes: make(map[string]bool),
		Segments:   make(map[string]bool),
		Zones:      make(map[string]bool),
		Flags:      make(map[string]bool),
	}
	for _, f := range e.Flags {
		if e.Known.IsPublic(f.Namespace) {
			u.Flags[f.Key] = true
			u.Everywhere(f)
		}
	}
	for len(u.Wanted) > 0 {
		f := e.ByKey[u.Wanted[0]]
		u.Wanted = u.Wanted[1:]
		u.Everywhere(f)
	}
	lists := make(map[*idlist.List]bool) // which several files may name
	for key := range u.Flags {
		l.addressesOf(e.ByKey[key].File, lists)
	}
	for name := range u.Segments {
		l.addressesOf(e.Known.Segments[name].File, lists)
	}
	for list := range lists {
		l.publishedList(list)
	}
}

// addressesOf looks at what is published of a file, and adds the lists that it
// names to lists.
func (l *linter) addressesOf(s *source.File, lists map[*idlist.List]bool) {
	if !bytes.ContainsRune(s.Data, '@') && !bytes.Contains(s.Data, []byte("list")) {
		return
	}
	l.published(s, s.Root, lists)
}

func (l *linter) published(s *source.File, n *source.Node, lists map[*idlist.List]bool) {
	for _, f := range n.Fields {
		switch f.Key.Text {
		case "description", "owner", "expires", "lint":
			continue // for readers of the files
		case "list":
			if list := l.estate.Known.Lists.ByPath[path.Join(s.Folder(), f.Value.Text)]; list != nil {
				lists[list] = true
			}
		}
		l.published(s, f.Key, lists)
		l.published(s, f.Value, lists)
	}
	for _, item := range n.Items {
		l.published(s, item, lists)
	}
	if n.Kind == source.Scalar && problem.HasAddress(n.Text) {
		l.warn(problem.LintEmailAddress, s, n, "%s", addressMessage)
	}
}

const addressMessage = "an e-mail address in a public payload; use an id that says nothing about the person"

func (l *linter) publishedList(list *idlist.List) {
	if strings.IndexByte(list.Text, '@') < 0 {
		return
	}
	for line := range list.Lines() {
		if problem.HasAddress(line.ID) {
			before, _ := spaceAround(line.Text)
			l.warnAt(problem.LintEmailAddress, list.File, line.Number, 1+before, strings.TrimSuffix(line.Text, "\r"),
				addressMessage)
		}
	}
}

// unused warns of segments and attributes that no rule uses.
func (l *linter) unused() {
	e := l.estate
	u := lang.Usage{
		Estate:     e,
		Attributes: map[string]bool{e.Known.Unit: true},
		Segments:   make(map[string]bool),
		Zones:      make(map[string]bool),
		Flags:      make(map[string]bool),
	}
	for _, f := range e.Flags {
		u.Flags[f.Key] = true
	}
	for _, f := range e.Flags {
		u.Everywhere(f)
	}
	for _, name := range e.Known.SegmentNames {
		if s := e.Known.Segments[name]; !u.Segments[name] {
			l.warn(problem.LintUnusedSegment, s.File, s.File.Root, "no rule uses the segment %q", name)
			// What it uses is used, or there would be a warning for each.
			u.Add(evaluator.Refs{Segments: []string{name}})
		}
	}
	for _, y := range e.SortedLayers() {
		u.Attributes[y.By] = true
	}
	for _, name := range e.Known.AttributeNames {
		if !u.Attributes[name] {
			l.warn(problem.LintUnusedAttribute, e.Known.ContextFile, e.Known.Attributes[name].At,
				"no rule, segment or layer uses the attribute %q", name)
		}
	}
}
