package idlist

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/source"
)

// maxID is the length in bytes of the longest id on a list.
const maxID = 1000

// A List is a file with one id per line.
type List struct {
	mu     sync.Mutex // guards the file's problems, and checks
	File   *source.File
	Text   string
	read   sync.Once
	IDs    []string // sorted, each once; nil if the file has problems
	whole  sync.Once
	ints   []int64                // the ids as integers, nil if they aren't
	checks map[string]func() bool // see Every
}

// parse takes the ids out of the text.
func (l *List) parse() {
	valid := utf8.ValidString(l.Text)
	for line := range l.allLines() {
		if len(l.IDs) == 0 && isMarkup(line.ID) {
			l.problem(line, "this is a page or a document, not a list of ids; did the export fail?")
			return
		}
		if line.ID[0] == '#' {
			if why := l.silence(line); why != "" {
				l.problem(line, why)
			}
			continue
		}
		if why := checkID(line.ID, valid); why != "" {
			l.problem(line, why)
		}
		l.IDs = append(l.IDs, line.ID)
	}
	if len(l.IDs) == 0 {
		l.File.Problem("the list is empty; if nobody is meant, don't refer to it")
	}
	if len(l.File.Problems) > 0 {
		l.IDs = nil
	}
	slices.Sort(l.IDs)
	l.IDs = slices.Compact(l.IDs)
}

// isMarkup reports whether a file that begins with line is in HTML or XML, such as the
// page by which a server reports an error.
func isMarkup(line string) bool {
	line = strings.ToLower(line)
	for _, start := range []string{"<!doctype", "<html", "<head", "<body", "<?xml", "<error", "<!--"} {
		if strings.HasPrefix(line, start) {
			return true
		}
	}
	return false
}

// A Line is a line with an id.
type Line struct {
	Number int    // counted from 1
	Text   string // all of it, except "\n"
	ID     string // without the white space around it
}

// Lines yields the lines that have ids.
func (l *List) Lines() iter.Seq[Line] {
	return func(yield func(Line) bool) {
		for line := range l.allLines() {
			if line.ID[0] != '#' && !yield(line) {
				return
			}
		}
	}
}

// allLines yields the lines that aren't empty: those that have ids, and comments,
// whose id is the comment.
func (l *List) allLines() iter.Seq[Line] {
	return func(yield func(Line) bool) {
		line, rest, more := Line{}, l.Text, true
		for more {
			line.Number++
			line.Text, rest, more = strings.Cut(rest, "\n")
			line.ID = strings.TrimSpace(line.Text)
			if line.ID != "" && !yield(line) {
				return
			}
		}
	}
}

// checkID returns what is wrong with an id, or "". valid says that it is UTF-8.
func checkID(id string, valid bool) string {
	if problem.IsConflict(id) {
		return "a merge conflict: keep the right ids, and remove this line"
	}
	if len(id) > maxID {
		return fmt.Sprintf("the id is longer than %d bytes", maxID)
	}
	for i := range len(id) {
		switch b := id[i]; {
		case b == '#' && (id[i-1] == ' ' || id[i-1] == '\t'): // an id doesn't begin with #
			return "a comment must be on a line of its own"
		case b < ' ' && b != '\t', b == 0x7f:
			return fmt.Sprintf("the id contains the control character %U", b)
		}
	}
	if !valid && !utf8.ValidString(id) {
		return "the id is not UTF-8"
	}
	return ""
}

// problem records a problem of a line.
func (l *List) problem(line Line, message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.ToValidUTF8(strings.TrimSuffix(line.Text, "\r"), "\ufffd")
	column := 1 + utf8.RuneCountInString(text) - utf8.RuneCountInString(strings.TrimLeftFunc(text, unicode.IsSpace))
	l.File.Add(problem.New(l.File.Shown, line.Number, column, text, message))
}

// Integers returns the ids as integers, sorted. If some are none they are
// problems of the file, and there are no integers.
func (l *List) Integers() []int64 {
	l.whole.Do(func() {
		ints, ok := make([]int64, 0, len(l.IDs)), true
		for line := range l.Lines() {
			i, err := strconv.ParseInt(line.ID, 10, 64)
			if err != nil {
				l.problem(line, fmt.Sprintf("%q is not a 64-bit integer, but the list is compared with one",
					problem.Shorten(line.ID)))
				ok = false
			}
			ints = append(ints, i)
		}
		if ok {
			slices.Sort(ints)
			l.ints = slices.Compact(ints)
		}
	})
	return l.ints
}

// Every reports whether all ids pass a check, which returns what is wrong with one, or "". What is
// wrong becomes a problem of the list once for each name of a check, however often it is asked for.
func (l *List) Every(name string, check func(id string) string) bool {
	l.mu.Lock()
	once := l.checks[name]
	if once == nil {
		once = sync.OnceValue(func() bool { return l.every(check) })
		if l.checks == nil {
			l.checks = make(map[string]func() bool)
		}
		l.checks[name] = once
	}
	l.mu.Unlock()
	return once()
}

// every is Every, without asking whether the check was made before.
func (l *List) every(check func(id string) string) bool {
	ok := true
	for line := range l.Lines() {
		if why := check(line.ID); why != "" {
			l.problem(line, why)
			ok = false
		}
	}
	return ok
}

// silenceMark begins a comment of a list of ids that silences a lint, as in
// "# lint: duplicate-id: the order is that of the export".
const silenceMark = "lint:"

// silence reads a comment of a list. It returns what is wrong with it, or "".
func (l *List) silence(line Line) string {
	text, ok := strings.CutPrefix(strings.TrimSpace(line.ID[1:]), silenceMark)
	if !ok {
		return ""
	}
	name, reason, _ := strings.Cut(text, ":")
	name = strings.TrimSpace(name)
	switch {
	case !slices.Contains(problem.Lints, name):
		return problem.UnknownLint(name)
	case strings.TrimSpace(reason) == "":
		return problem.NoReason(name) + "; write # lint: " + name + ": and why"
	}
	l.File.Silences = append(l.File.Silences, problem.Silence{Lint: name, Line: line.Number, Column: 1})
	return ""
}
