package lang

import (
	"fmt"
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

	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// maxID is the length in bytes of the longest id on a list.
const maxID = 1000

// lists are the list files of an estate. They are read when something first
// refers to them, and are safe for concurrent use.
type lists struct {
	files  *source.Files
	ByPath map[string]*IDList

	mu  sync.Mutex
	err error // why one couldn't be read
}

// newLists returns the list files among files.
func newLists(files *source.Files) *lists {
	l := &lists{files: files, ByPath: make(map[string]*IDList)}
	for _, s := range files.ByRole[source.ListFile] {
		l.ByPath[s.Path] = &IDList{File: s}
	}
	return l
}

// An IDList is a file with one id per line.
type IDList struct {
	mu    sync.Mutex // guards the file's problems, and enums
	File  *source.File
	Text  string
	read  sync.Once
	IDs   []string // sorted, each once; nil if the file has problems
	whole sync.Once
	ints  []int64 // the ids as integers, nil if they aren't
	// enums has, for each attribute with an enum that is compared with the list,
	// whether all ids are in it.
	enums map[string]func() bool
}

// listReference reads {list: testers.txt} and returns the ids. What is what the
// mapping is.
func (c Checker) listReference(n *source.Node, what string) []string {
	before := len(c.File.Problems)
	c.Keys(n, what, "list")
	at := n.Get("list")
	if at == nil {
		if len(c.File.Problems) == before {
			c.Errorf(n, "%s is a list of ids, or {list: testers.txt}", what)
		}
		return nil
	}
	l := c.listFile(at)
	if l == nil {
		return nil
	}
	return l.IDs
}

// ListFile returns the list file that n names, nil if there is none.
func (c Checker) listFile(n *source.Node) *IDList {
	if n.Kind != source.Scalar {
		c.Errorf(n, "\"list\" names a file such as testers.txt, with one id on each line; it isn't %s", n.Describe())
		return nil
	}
	name, ok := c.Text(n, "\"list\"")
	lists := c.Known.Lists
	p := path.Join(c.File.Folder(), name)
	switch {
	case !ok:
		return nil
	case strings.ContainsRune(name, '\\'):
		c.Errorf(n, "\"list\" is %q; write / between folders", problem.Shorten(name))
		return nil
	case path.IsAbs(name):
		c.Errorf(n, "\"list\" is %q; write the path from this file's folder", problem.Shorten(name))
		return nil
	case p == "..", strings.HasPrefix(p, "../"):
		c.Errorf(n, "\"list\" is %q, which leads out of %s; the files of a flag folder must be inside it",
			problem.Shorten(name), lists.files.Dir)
		return nil
	case p != "." && strings.Contains("/"+p, "/."):
		c.Errorf(n, "\"list\" is %q; names that start with a dot are ignored", problem.Shorten(name))
		return nil
	case source.RoleOf(p) != source.ListFile:
		c.Errorf(n, "\"list\" is %q; a list is a file that ends in .txt, with one id on each line",
			problem.Shorten(name))
		return nil
	}
	l, ok := lists.ByPath[p]
	if !ok {
		c.Errorf(n, "there is no file %s%s", problem.Shorten(filepath.Join(lists.files.Dir, filepath.FromSlash(p))),
			suggest.DidYouMean(name, lists.beside(c.File.Folder())))
		return nil
	}
	l.read.Do(func() { lists.load(l) })
	return l
}

// beside yields the list files of a folder, as files there would name them.
func (l *lists) beside(folder string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, p := range slices.Sorted(maps.Keys(l.ByPath)) {
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
func (l *lists) load(list *IDList) {
	text, err := l.files.ReadList(list.File)
	if err != nil {
		l.mu.Lock()
		l.err = err
		l.mu.Unlock()
	} else if len(list.File.Problems) == 0 {
		list.Text = text
		list.parse()
	}
}

// parse takes the ids out of the text.
func (l *IDList) parse() {
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

// A ListLine is a line with an id.
type ListLine struct {
	Number int    // counted from 1
	Text   string // all of it, except "\n"
	ID     string // without the white space around it
}

// Lines yields the lines that have ids.
func (l *IDList) Lines() iter.Seq[ListLine] {
	return func(yield func(ListLine) bool) {
		for line := range l.allLines() {
			if line.ID[0] != '#' && !yield(line) {
				return
			}
		}
	}
}

// allLines yields the lines that aren't empty: those that have ids, and comments,
// whose id is the comment.
func (l *IDList) allLines() iter.Seq[ListLine] {
	return func(yield func(ListLine) bool) {
		line, rest, more := ListLine{}, l.Text, true
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
func (l *IDList) problem(line ListLine, message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.ToValidUTF8(strings.TrimSuffix(line.Text, "\r"), "\ufffd")
	column := 1 + utf8.RuneCountInString(text) - utf8.RuneCountInString(strings.TrimLeftFunc(text, unicode.IsSpace))
	l.File.Add(problem.New(l.File.Shown, line.Number, column, text, message))
}

// integers returns the ids as integers, sorted. If some are none they are
// problems of the file, and there are no integers.
func (l *IDList) integers() []int64 {
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

// listed reads "list": the attribute is one of the ids in a file.
func (c Checker) listed(a *Attribute, f source.Field, fold bool) (cond evaluator.Condition, ok bool) {
	cond = evaluator.Condition{Op: evaluator.OpOneOf, Attribute: a.Name, Fold: fold}
	if a.Type != evaluator.AttrString && a.Type != evaluator.AttrInteger {
		c.Errorf(f.Key, "\"list\" applies to string and integer attributes, %q is of type %v", a.Name, a.Type)
		return cond, false
	}
	a.Listed.Store(true)
	if c.rule != nil {
		c.rule.listed = true
	}
	l := c.listFile(f.Value)
	if l == nil || l.IDs == nil {
		return cond, false
	}
	if a.Type == evaluator.AttrString {
		cond.Strings = l.IDs
	} else if cond.Ints = l.integers(); cond.Ints == nil {
		return cond, false
	}
	return cond, l.inEnum(c, a) && (!fold || c.check(f.Key, a, cond))
}

// inEnum reports whether all ids are values that an attribute may have. Those that
// aren't are problems of the list, however many rules compare it with the attribute.
func (l *IDList) inEnum(c Checker, a *Attribute) bool {
	if a.Strings == nil && a.Ints == nil {
		return true
	}
	l.mu.Lock()
	check := l.enums[a.Name]
	if check == nil {
		check = sync.OnceValue(func() bool { return l.checkEnum(c.Known.contextPath, a) })
		if l.enums == nil {
			l.enums = make(map[string]func() bool)
		}
		l.enums[a.Name] = check
	}
	l.mu.Unlock()
	return check()
}

// checkEnum is inEnum, once.
func (l *IDList) checkEnum(context string, a *Attribute) bool {
	ok := true
	for line := range l.Lines() {
		known := slices.Contains(a.Strings, line.ID)
		if i, err := strconv.ParseInt(line.ID, 10, 64); err == nil && slices.Contains(a.Ints, i) {
			known = true
		}
		if !known {
			l.problem(line, fmt.Sprintf("%q is not a value that %q may have; %s lists them",
				problem.Shorten(line.ID), a.Name,
				context))
			ok = false
		}
	}
	return ok
}
