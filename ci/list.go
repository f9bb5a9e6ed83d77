package ci

import (
	"bytes"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// maxID is the length in bytes of the longest id on a list.
const maxID = 1000

// lists are the list files of an estate. They are read when something first
// refers to them, and are safe for concurrent use.
type lists struct {
	fsys   fs.FS
	dir    string // as a user would type it
	byPath map[string]*idList

	mu    sync.Mutex
	total int   // bytes of all files that are read
	err   error // why one couldn't be read
}

// newLists returns the list files among files.
func newLists(files *files) *lists {
	l := &lists{fsys: files.fsys, dir: files.dir, total: files.total, byPath: make(map[string]*idList)}
	for _, s := range files.byRole[listFile] {
		l.byPath[s.path] = &idList{source: s}
	}
	return l
}

// An idList is a file with one id on each line.
type idList struct {
	mu     sync.Mutex // of the source's problems
	source *source
	text   string
	read   sync.Once
	ids    []string // sorted, each once; nil if the file has problems
	whole  sync.Once
	ints   []int64 // the ids as integers, nil if they aren't
}

// listReference reads {list: testers.txt} and returns the ids. What is what the
// mapping is.
func (c checker) listReference(n *node, what string) []string {
	before := len(c.source.problems)
	c.keys(n, what, "list")
	at := n.get("list")
	if at == nil {
		if len(c.source.problems) == before {
			c.errorf(n, "%s is a list of ids, or {list: testers.txt}", what)
		}
		return nil
	}
	l := c.listFile(at)
	if l == nil {
		return nil
	}
	return l.ids
}

// listFile returns the list file that n names, nil if there is none.
func (c checker) listFile(n *node) *idList {
	if n.kind != scalar {
		c.errorf(n, "\"list\" names a file such as testers.txt, with one id on each line; it isn't %s", n.describe())
		return nil
	}
	name, ok := c.text(n, "\"list\"")
	lists := c.known.lists
	p := path.Join(c.source.folder(), name)
	switch {
	case !ok:
		return nil
	case strings.ContainsRune(name, '\\'):
		c.errorf(n, "\"list\" is %q; write / between folders", shorten(name))
		return nil
	case path.IsAbs(name):
		c.errorf(n, "\"list\" is %q; write the path from this file's folder", shorten(name))
		return nil
	case p == "..", strings.HasPrefix(p, "../"):
		c.errorf(n, "\"list\" is %q, which leads out of %s; the files of an estate lie in its folder", shorten(name), lists.dir)
		return nil
	case p != "." && strings.Contains("/"+p, "/."):
		c.errorf(n, "\"list\" is %q; names that start with a dot are passed over", shorten(name))
		return nil
	case roleOf(p) != listFile:
		c.errorf(n, "\"list\" is %q; a list is a file that ends in .txt, with one id on each line", shorten(name))
		return nil
	}
	l, ok := lists.byPath[p]
	if !ok {
		c.errorf(n, "there is no file %s%s", shorten(filepath.Join(lists.dir, filepath.FromSlash(p))), suggest.DidYouMean(name, lists.beside(c.source.folder())))
		return nil
	}
	l.read.Do(func() { lists.load(l) })
	return l
}

// beside yields the list files of a folder, as files there would name them.
func (l *lists) beside(folder string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, p := range slices.Sorted(maps.Keys(l.byPath)) {
			name := p
			if folder != "" {
				var below bool
				if name, below = strings.CutPrefix(p, folder+"/"); !below {
					continue
				}
			}
			if !yield(name) {
				return
			}
		}
	}
}

// load reads a file and takes the ids out of it.
func (l *lists) load(list *idList) {
	s := list.source
	l.mu.Lock()
	failed := l.err != nil
	l.mu.Unlock()
	if failed || len(s.problems) > 0 {
		return
	}
	err := s.read(l.fsys)
	l.mu.Lock()
	if l.total += len(s.data); l.total > maxTotalSize && err == nil {
		err = errTooLarge
	}
	if l.err == nil {
		l.err = err
	}
	l.mu.Unlock()
	if err == nil && len(s.problems) == 0 && !s.utf16() {
		list.text = string(bytes.TrimPrefix(s.data, []byte("\ufeff")))
		list.parse()
	}
	s.data = nil
}

// parse takes the ids out of the text.
func (l *idList) parse() {
	valid := utf8.ValidString(l.text)
	for line := range l.allLines() {
		if line.id[0] == '#' {
			if why := l.silence(line); why != "" {
				l.problem(line, why)
			}
			continue
		}
		if why := checkID(line.id, valid); why != "" {
			l.problem(line, why)
		}
		l.ids = append(l.ids, line.id)
	}
	if len(l.ids) == 0 {
		l.source.problem("there is no id on the list; if nobody is meant, don't refer to it")
	}
	if len(l.source.problems) > 0 {
		l.ids = nil
	}
	slices.Sort(l.ids)
	l.ids = slices.Compact(l.ids)
}

// A listLine is a line with an id.
type listLine struct {
	number int
	text   string
	id     string
}

// lines yields the lines that have ids.
func (l *idList) lines() iter.Seq[listLine] {
	return func(yield func(listLine) bool) {
		for line := range l.allLines() {
			if line.id[0] != '#' && !yield(line) {
				return
			}
		}
	}
}

// allLines yields the lines that aren't empty: those that have ids, and comments,
// whose id is the comment.
func (l *idList) allLines() iter.Seq[listLine] {
	return func(yield func(listLine) bool) {
		line, rest, more := listLine{}, l.text, true
		for more {
			line.number++
			line.text, rest, more = strings.Cut(rest, "\n")
			line.id = strings.TrimSpace(line.text)
			if line.id != "" && !yield(line) {
				return
			}
		}
	}
}

// checkID returns what is wrong with an id, or "". valid says that it is UTF-8.
func checkID(id string, valid bool) string {
	if isConflict(id) {
		return "a merge conflict: keep the ids that are meant, and remove this line"
	}
	if len(id) > maxID {
		return fmt.Sprintf("the id is longer than %d bytes", maxID)
	}
	for i := range len(id) {
		switch b := id[i]; {
		case b == '#' && (id[i-1] == ' ' || id[i-1] == '\t'): // an id doesn't begin with #
			return "a comment stands on a line of its own"
		case b < ' ' && b != '\t', b == 0x7f:
			return fmt.Sprintf("the id holds the control character %U", b)
		}
	}
	if !valid && !utf8.ValidString(id) {
		return "the id is not UTF-8"
	}
	return ""
}

// problem records a problem of a line.
func (l *idList) problem(line listLine, message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.ToValidUTF8(strings.TrimSuffix(line.text, "\r"), "\ufffd")
	column := 1 + utf8.RuneCountInString(text) - utf8.RuneCountInString(strings.TrimLeftFunc(text, unicode.IsSpace))
	l.source.add(newProblem(l.source.shown, line.number, column, text, message))
}

// integers returns the ids as integers, sorted. If some are none they are
// problems of the file, and there are no integers.
func (l *idList) integers() []int64 {
	l.whole.Do(func() {
		ints, ok := make([]int64, 0, len(l.ids)), true
		for line := range l.lines() {
			i, err := strconv.ParseInt(line.id, 10, 64)
			if err != nil {
				l.problem(line, fmt.Sprintf("%q is not a 64-bit integer, as what the list is compared with", shorten(line.id)))
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

// listed reads "list": the attribute is one of the ids in a file.
func (c checker) listed(a *attribute, f field, fold bool) (cond evaluator.Condition, ok bool) {
	cond = evaluator.Condition{Op: evaluator.OpOneOf, Attribute: a.name, Fold: fold}
	if a.typ != evaluator.AttrString && a.typ != evaluator.AttrInteger {
		c.errorf(f.key, "\"list\" applies to string and integer attributes, %q is of type %v", a.name, a.typ)
		return cond, false
	}
	l := c.listFile(f.value)
	if l == nil || l.ids == nil {
		return cond, false
	}
	if a.typ == evaluator.AttrString {
		cond.Strings = l.ids
	} else if cond.Ints = l.integers(); cond.Ints == nil {
		return cond, false
	}
	return cond, l.inEnum(c, a) && (!fold || c.check(f.key, a, cond))
}

// inEnum reports whether all ids are values that an attribute may have.
func (l *idList) inEnum(c checker, a *attribute) bool {
	if a.strings == nil && a.ints == nil {
		return true
	}
	ok := true
	for line := range l.lines() {
		known := slices.Contains(a.strings, line.id)
		if i, err := strconv.ParseInt(line.id, 10, 64); err == nil && slices.Contains(a.ints, i) {
			known = true
		}
		if !known {
			l.problem(line, fmt.Sprintf("%q is not a value that %q may have; %s lists them", shorten(line.id), a.name, c.known.contextFile))
			ok = false
		}
	}
	return ok
}
