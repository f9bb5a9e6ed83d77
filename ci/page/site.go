package page

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/release"
)

// siteMark is a file in the folder of a site. It lists the other files, so that those of
// flags that are gone are removed.
const siteMark = ".serin-site"

// Write writes the page as a static site into the folder dir, which is created, must be
// empty, or must hold a site that Write has written. It returns how many files there are. A
// static site can't answer: Options.Propose and Options.Admit don't count.
func Write(ctx context.Context, dir string, m *Model, o Options, now time.Time) (files int, err error) {
	before, err := siteFiles(dir)
	if err != nil {
		return 0, err
	}
	o.Live, o.Propose, o.Admit = false, nil, nil
	s := &site{Handler: NewHandler(o), dir: dir, view: newView(m, nil, now)}
	if err := s.write(ctx); err != nil {
		return 0, err
	}
	for _, name := range before {
		if !slices.Contains(s.names, name) {
			if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil &&
				!errors.Is(err, fs.ErrNotExist) {
				return 0, err
			}
		}
	}
	mark := strings.Join(s.names, "\n") + "\n"
	return len(s.names), os.WriteFile(filepath.Join(dir, siteMark), []byte(mark), 0o666)
}

// siteFiles returns the files of an earlier site in a folder.
func siteFiles(dir string) ([]string, error) {
	data, err := os.ReadFile(filepath.Join(dir, siteMark))
	if err == nil {
		names := strings.Fields(string(data))
		return slices.DeleteFunc(names, func(name string) bool {
			return !fs.ValidPath(name) ||
				!Has("/"+name) && name != ".nojekyll"
		}), nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("%s isn't empty and holds no site: name a folder of its own", dir)
	}
	return nil, nil
}

// A site is one that is being written.
type site struct {
	*Handler
	dir   string
	view  *view
	names []string
}

func (s *site) write(ctx context.Context) error {
	index, err := json.Marshal(s.view.index)
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"page.css": style, "page.js": script, "page.svg": icon,
		"index.json": index, ".nojekyll": {}} {
		if err := s.put(name, data); err != nil {
			return err
		}
	}
	paths := []string{"attention.html", "usage.html"}
	for n := 1; n == 1 || (n-1)*rows < len(s.view.flags); n++ {
		paths = append(paths, numbered("index", n), numbered("matrix", n))
	}
	for _, f := range s.view.flags {
		paths = append(paths, "flag/"+f.Key+".html")
	}
	for _, path := range paths {
		body, name, title := s.view.page(path)
		if err := s.page(path, name, title, body); err != nil {
			return err
		}
	}
	return s.asked(ctx)
}

// asked writes the parts whose content is asked for elsewhere.
func (s *site) asked(ctx context.Context) error {
	changes := changesView{}
	if s.options.Compare != nil {
		report, err := s.options.Compare(ctx, s.options.Old, "")
		if err != nil {
			return err
		}
		changes = s.view.changes(report, false)
	}
	history := historyView{}
	if s.options.History != nil {
		h, err := s.options.History(ctx, release.FlagName{})
		if err != nil {
			return err
		}
		history = s.view.history(h, nil)
	}
	propose := proposeView{Forms: s.forms}
	if h, ok := hostOf(s.options.Repository); ok {
		propose.IssuePage, propose.IssueTitle, propose.IssueBody = h.issuePage()
	}
	for _, p := range []struct {
		name, title string
		body        any
	}{
		{"changes", "Who changes", changes}, {"history", "History", history}, {"propose", "Propose an edit", propose},
	} {
		if err := s.page(p.name+".html", p.name, p.title, p.body); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) page(path, name, title string, body any) error {
	c := s.chrome(&state{}, s.view)
	c.Static, c.Title, c.Part, c.Body, c.Root = true, title, name, body, strings.Repeat("../", strings.Count(path, "/"))
	data, err := c.render(name)
	if err != nil {
		return fmt.Errorf("rendering %s: %w", path, err)
	}
	return s.put(path, data)
}

// put writes a file, unless it has that content.
func (s *site) put(name string, data []byte) error {
	s.names = append(s.names, name)
	file := filepath.Join(s.dir, filepath.FromSlash(name))
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o666)
}
