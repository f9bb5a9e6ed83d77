package ci

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/serin-flags/serin/evaluator"
)

// file asks the lints that look at what a file holds, whatever it means.
func (l *linter) file(s *source) {
	found := 0
	for what, at := range secrets(s.data) {
		if found++; found > maxFileProblems {
			break
		}
		line, column := s.position(at[0])
		l.warnAt(lintSecret, s, line, column, s.line(line), secretMessage(what))
	}
	l.values(s, s.root, "")
}

func secretMessage(what string) string {
	return "this looks like " + what + "; flag files are no place for secrets: take it out, and revoke it, for the history of the files keeps it"
}

// values looks for values that a list names twice, and for white space around
// them. under is the key that n stands below.
func (l *linter) values(s *source, n *node, under string) {
	switch n.kind {
	case mapping:
		for _, f := range n.fields {
			switch f.key.text {
			case "variants", "metadata", "environments", "description", "owner", "attributes", "lint", "shares", "serve", "now", "name":
				if f.key.text == "environments" && f.value.kind == mapping {
					l.values(s, f.value, "")
				}
				continue
			}
			l.values(s, f.value, f.key.text)
		}
	case sequence:
		lines := make(map[string]int, len(n.items))
		for _, item := range n.items {
			l.values(s, item, under)
			if item.kind != scalar {
				continue
			}
			if line, dup := lines[item.text]; dup {
				l.warn(lintDuplicateID, s, item, "%s is on the list twice; the first is on line %d", item.describe(), line)
				continue
			}
			lines[item.text] = item.line()
		}
	case scalar:
		l.space(s, n, under)
	}
}

// space looks for white space around a value that is compared as a whole.
func (l *linter) space(s *source, n *node, under string) {
	switch under {
	case "prefix", "suffix", "contains", "matches":
		return // it may be meant
	}
	if trimmed := strings.TrimSpace(n.text); trimmed != n.text && trimmed != "" {
		l.warn(lintStraySpace, s, n, "white space around %q is part of the value; nothing without it is equal", shorten(trimmed))
	}
}

// list asks the lints that look at a list of ids.
func (l *linter) list(list *idList) {
	s := list.source
	found := 0
	for what, at := range secrets([]byte(list.text)) {
		if found++; found > maxFileProblems {
			break
		}
		number := 1 + strings.Count(list.text[:at[0]], "\n")
		start := strings.LastIndexByte(list.text[:at[0]], '\n') + 1
		column := 1 + utf8.RuneCountInString(list.text[start:at[0]])
		l.warnAt(lintSecret, s, number, column, lineOf(list.text, number), secretMessage(what))
	}
	// The ids are unique: only where lines are more is one there twice.
	seen := map[string]int(nil)
	count := 0
	for range list.lines() {
		count++
	}
	if count > len(list.ids) {
		seen = make(map[string]int, len(list.ids))
	}
	for line := range list.lines() {
		text := strings.TrimSuffix(line.text, "\r")
		before, after := spaceAround(text)
		if before+after > 0 {
			column := 1
			if before == 0 {
				column += utf8.RuneCountInString(text[:len(text)-after])
			}
			l.warnAt(lintStraySpace, s, line.number, column, text, "white space around an id; it doesn't count, and may hide that the list is not what it seems")
		}
		if seen == nil {
			continue
		}
		if first, dup := seen[line.id]; dup {
			l.warnAt(lintDuplicateID, s, line.number, 1+before, text, fmt.Sprintf("%q is on the list twice; the first is on line %d", shorten(line.id), first))
			continue
		}
		seen[line.id] = line.number
	}
}

// spaceAround returns how many bytes of white space a line begins and ends with.
func spaceAround(text string) (before, after int) {
	left := strings.TrimLeftFunc(text, unicode.IsSpace)
	return len(text) - len(left), len(left) - len(strings.TrimRightFunc(left, unicode.IsSpace))
}

// textOf returns a line of a file, which may be a list of ids.
func (l *linter) textOf(s *source, number int) string {
	if list := l.estate.known.lists.byPath[s.path]; list != nil {
		return lineOf(list.text, number)
	}
	return s.line(number)
}

// lineOf returns the line of that number, counted from 1.
func lineOf(text string, number int) string {
	for range number - 1 {
		_, text, _ = strings.Cut(text, "\n")
	}
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSuffix(line, "\r")
}

// addresses looks for e-mail addresses in what the payloads of public namespaces
// hold: their flags, and the flags, segments and lists that those ask for.
func (l *linter) addresses() {
	e := l.estate
	u := usage{
		estate:     e,
		attributes: make(map[string]bool),
		segments:   make(map[string]bool),
		zones:      make(map[string]bool),
		flags:      make(map[string]bool),
	}
	for _, f := range e.flags {
		if e.known.public || slices.ContainsFunc(e.known.publicNames, func(n *node) bool { return n.text == f.namespace }) {
			u.flags[f.key] = true
			u.everywhere(f)
		}
	}
	for len(u.wanted) > 0 {
		f := e.byKey[u.wanted[0]]
		u.wanted = u.wanted[1:]
		u.everywhere(f)
	}
	for _, key := range slices.Sorted(maps.Keys(u.flags)) {
		l.addressesOf(e.byKey[key].source)
	}
	for _, name := range slices.Sorted(maps.Keys(u.segments)) {
		l.addressesOf(e.known.segments[name].source)
	}
}

// everywhere adds what a flag uses in any environment.
func (u *usage) everywhere(f *flag) {
	for b := range f.bodies() {
		u.flag(b.flag)
	}
}

// addressesOf looks at what is published of a file, and of the lists that it
// names.
func (l *linter) addressesOf(s *source) {
	if !bytes.ContainsRune(s.data, '@') && !bytes.Contains(s.data, []byte("list")) {
		return
	}
	l.published(s, s.root)
}

func (l *linter) published(s *source, n *node) {
	for _, f := range n.fields {
		switch f.key.text {
		case "description", "owner", "expires", "lint":
			continue // for readers of the files
		case "list":
			if list := l.estate.known.lists.byPath[path.Join(s.folder(), f.value.text)]; list != nil {
				l.publishedList(list)
			}
		}
		l.published(s, f.key)
		l.published(s, f.value)
	}
	for _, item := range n.items {
		l.published(s, item)
	}
	if n.kind == scalar && hasAddress(n.text) {
		l.warn(lintEmailAddress, s, n, "%s", addressMessage)
	}
}

const addressMessage = "an e-mail address in what is published for anybody to read; ask for an id that says nothing about the person"

func (l *linter) publishedList(list *idList) {
	if strings.IndexByte(list.text, '@') < 0 {
		return
	}
	for line := range list.lines() {
		if hasAddress(line.id) {
			before, _ := spaceAround(line.text)
			l.warnAt(lintEmailAddress, list.source, line.number, 1+before, strings.TrimSuffix(line.text, "\r"), addressMessage)
		}
	}
}

// unused says which segments and attributes no rule speaks of.
func (l *linter) unused() {
	e := l.estate
	u := usage{
		estate:     e,
		attributes: map[string]bool{e.known.unit: true},
		segments:   make(map[string]bool),
		zones:      make(map[string]bool),
		flags:      make(map[string]bool),
	}
	for _, f := range e.flags {
		u.flags[f.key] = true
	}
	for _, f := range e.flags {
		u.everywhere(f)
	}
	for _, name := range e.known.segmentNames {
		if s := e.known.segments[name]; !u.segments[name] {
			l.warn(lintUnusedSegment, s.source, s.source.root, "no rule asks for the segment %q", name)
			// What it uses is used, or there would be a warning for each.
			u.condition(&evaluator.Condition{Op: evaluator.OpInSegment, Strings: []string{name}})
		}
	}
	for _, y := range e.sortedLayers() {
		u.attributes[y.by] = true
	}
	for _, name := range e.known.attributeNames {
		if !u.attributes[name] {
			l.warn(lintUnusedAttribute, e.known.contextSource, e.known.attributes[name].at, "no rule, segment or layer speaks of the attribute %q", name)
		}
	}
}

// A saltUse is a salt that a flag's splits or a layer hash with.
type saltUse struct {
	what    string // flag "x"
	owner   *source
	by      string
	written *node // nil: the flag's key, or made of the layer's name
}

// salts says which flags and layers share their salt with others: who has the
// first tenth of one has the first tenth of the other.
func (l *linter) salts() {
	bySalt := make(map[string][]saltUse)
	for _, f := range l.estate.flags {
		what := fmt.Sprintf("flag %q", f.key)
		keyed := false
		for b := range f.bodies() {
			for i := range b.flag.Rules {
				split := b.flag.Rules[i].Split
				if split == nil || split.By == "" || b.rules == nil {
					continue
				}
				written := b.rules.items[i].get("salt")
				keyed = keyed || written == nil
				bySalt[split.Salt] = append(bySalt[split.Salt], saltUse{what, f.source, split.By, written})
			}
		}
		if !keyed { // a split to come would use the key
			bySalt[f.key] = append(bySalt[f.key], saltUse{what, f.source, "", nil})
		}
	}
	for _, y := range l.estate.sortedLayers() {
		use := saltUse{fmt.Sprintf("layer %q", y.name), y.source, y.by, y.source.root.get("salt")}
		bySalt[y.salt] = append(bySalt[y.salt], use)
	}
	for salt, uses := range bySalt {
		for _, use := range uses {
			if use.written == nil {
				continue
			}
			i := slices.IndexFunc(uses, func(other saltUse) bool {
				return other.owner != use.owner && (other.by == use.by || other.by == "")
			})
			if i >= 0 {
				l.warn(lintSharedSalt, use.owner, use.written, "the salt %q is %s of %s too: by %s both choose the same units first",
					shorten(salt), saltKind(uses[i]), uses[i].what, use.by)
			}
		}
	}
}

func saltKind(use saltUse) string {
	if use.written == nil && strings.HasPrefix(use.what, "flag") {
		return "the key"
	}
	return "the salt"
}
