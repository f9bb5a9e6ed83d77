// Package idlist reads files with one id per line, which segments and rules refer to.
//
// It knows nothing of the attributes that a list is compared with. Start at [New].
package idlist

import (
	"iter"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/serin-flags/serin/ci/internal/phrase"
	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/internal/suggest"
)

// Lists are the list files of an estate. They are read when something first
// refers to them, and are safe for concurrent use.
type Lists struct {
	files  *source.Files
	ByPath map[string]*List

	mu  sync.Mutex
	err error // why one couldn't be read
}

// New returns the list files among files.
func New(files *source.Files) *Lists {
	l := &Lists{files: files, ByPath: make(map[string]*List)}
	for _, s := range files.ByRole[source.ListFile] {
		l.ByPath[s.Path] = &List{File: s}
	}
	return l
}

// Err returns why a list couldn't be read, if one couldn't.
func (l *Lists) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Reference reads {list: testers.txt} and returns the ids. What is what the
// mapping is.
func (l *Lists) Reference(r phrase.Reader, n *source.Node, what string) []string {
	before := len(r.File.Problems)
	r.Keys(n, what, "list")
	at := n.Get("list")
	if at == nil {
		if len(r.File.Problems) == before {
			r.Errorf(n, "%s is a list of ids, or {list: testers.txt}", what)
		}
		return nil
	}
	list := l.Named(r, at)
	if list == nil {
		return nil
	}
	return list.IDs
}

// Named returns the list file that n names, nil if there is none.
func (l *Lists) Named(r phrase.Reader, n *source.Node) *List {
	if n.Kind != source.Scalar {
		r.Errorf(n, "\"list\" names a file such as testers.txt, with one id on each line; it isn't %s", n.Describe())
		return nil
	}
	name, ok := r.Text(n, "\"list\"")
	p := path.Join(r.File.Folder(), name)
	switch {
	case !ok:
		return nil
	case strings.ContainsRune(name, '\\'):
		r.Errorf(n, "\"list\" is %q; write / between folders", problem.Shorten(name))
		return nil
	case path.IsAbs(name):
		r.Errorf(n, "\"list\" is %q; write the path from this file's folder", problem.Shorten(name))
		return nil
	case p == "..", strings.HasPrefix(p, "../"):
		r.Errorf(n, "\"list\" is %q, which leads out of %s; the files of a flag folder must be inside it",
			problem.Shorten(name), l.files.Dir)
		return nil
	case p != "." && strings.Contains("/"+p, "/."):
		r.Errorf(n, "\"list\" is %q; names that start with a dot are ignored", problem.Shorten(name))
		return nil
	case source.RoleOf(p) != source.ListFile:
		r.Errorf(n, "\"list\" is %q; a list is a file that ends in .txt, with one id on each line",
			problem.Shorten(name))
		return nil
	}
	list, ok := l.ByPath[p]
	if !ok {
		r.Errorf(n, "there is no file %s%s", problem.Shorten(filepath.Join(l.files.Dir, filepath.FromSlash(p))),
			suggest.DidYouMean(name, l.beside(r.File.Folder())))
		return nil
	}
	list.read.Do(func() { l.load(list) })
	return list
}

// beside yields the list files of a folder, as files there would name them.
func (l *Lists) beside(folder string) iter.Seq[string] {
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
func (l *Lists) load(list *List) {
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
