package edit

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/internal/compose"
	"github.com/serin-flags/serin/ci/internal/overlay"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/ci/internal/splice"
)

// ruleOrder is the order of a rule's keys.
var ruleOrder = []string{"name", "when", "serve", "by", "salt", "hash", "positions", "metadata"}

// Rename gives a flag another key: its file, its tests, and what refers to it. Its splits
// get the old key as their salt, so that every user keeps their variant. Otherwise it is
// as [Apply].
func Rename(fsys fs.FS, dir, old, new string) (*Result, error) {
	estate, err := ci.LoadFS(fsys, dir)
	if err != nil {
		return nil, err
	}
	e := &editing{dir: dir, fsys: overlay.FS{Below: fsys}, first: estate, estate: estate,
		moved: make(map[string]string)}
	if err := e.rename(old, new); err != nil {
		return nil, err
	}
	if err := e.reload("rename " + old + " " + new); err != nil {
		return nil, err
	}
	if err := e.found(new, path.Join(namespaceOf(estate, old), new+".yaml")); err != nil {
		return nil, err
	}
	return e.result(estate)
}

func (e *editing) rename(old, new string) error {
	f, doc, name, err := e.flag(old, "")
	if err != nil {
		return err
	}
	if other, err := e.estate.Effective(new, ""); err == nil {
		return fmt.Errorf("there is a flag %q already, in %s", new, other.File)
	}
	for _, line := range e.estate.Releases().Sorted() {
		if line.Flag == old {
			return fmt.Errorf("flag %q has a release in %s; rename it once the release has finished and its ramp is replaced by its last step", old, line.Environment)
		}
	}
	if new == "" || strings.ContainsAny(new, `/\`) {
		return fmt.Errorf("%q is not a key; the file stays in its folder, %s", new, path.Dir(f.File))
	}
	for _, env := range append([]string{""}, f.Overriding...) {
		if err := keepUsers(doc, e.in(env, "rules"), old); err != nil {
			return err
		}
	}
	e.save(name, doc)
	files, err := e.files()
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := e.renameIn(file, old, new); err != nil {
			return fmt.Errorf("%s: %w", e.shown(file), err)
		}
		s := source.File{Path: file, Role: source.RoleOf(file)}
		if s.Stem() == old && (s.Role == source.FlagFile || s.Role == source.TestFile) {
			e.move(file, path.Join(path.Dir(file), new+strings.TrimPrefix(path.Base(file), old)))
		}
	}
	return nil
}

// keepUsers writes the salt of the splits that have none.
func keepUsers(doc *splice.Doc, rules splice.Path, salt string) error {
	for i, r := range items(doc.Get(rules)) {
		by := r.Get("by")
		if r.Get("serve").Kind != source.Mapping || r.Get("salt") != nil || by != nil && by.Text == "chance" {
			continue
		}
		if err := doc.Set(append(slices.Clone(rules), i, "salt"), compose.Word(salt), ruleOrder...); err != nil {
			return err
		}
	}
	return nil
}

// files returns the paths of all files that may refer to flags.
func (e *editing) files() ([]string, error) {
	var list []string
	err := fs.WalkDir(e.fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch role := source.RoleOf(p); {
		case err != nil:
			return err
		case p != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
		case !d.IsDir() && (role == source.FlagFile || role == source.TestFile || role == source.LayerFile):
			list = append(list, p)
		}
		return nil
	})
	return list, err
}

// move gives a file another path.
func (e *editing) move(from, to string) {
	data, ok := e.fsys.Files[from]
	if !ok {
		data, _ = fs.ReadFile(e.fsys, from) // renameIn has read it
	}
	e.fsys = e.fsys.Put(to, data).Put(from, nil)
	e.moved[to] = from
}

// renameIn changes what refers to a flag in a file.
func (e *editing) renameIn(file, old, new string) error {
	data, err := fs.ReadFile(e.fsys, file)
	if err != nil || !bytes.Contains(data, []byte(old)) {
		return err
	}
	doc, err := splice.Open(file, e.dir, data)
	if err != nil {
		return err
	}
	var keys, values []splice.Path
	root := doc.Root()
	switch source.RoleOf(file) {
	case source.FlagFile:
		keys = rulesAsking(root, nil, old)
		if environments := root.Get("environments"); environments != nil {
			for _, env := range environments.Fields {
				keys = append(keys, rulesAsking(env.Value, splice.Path{"environments", env.Key.Text}, old)...)
			}
		}
	case source.TestFile:
		for i, item := range root.Items {
			if item.Get("given").Get("flags").Get(old) != nil {
				keys = append(keys, splice.Path{i, "given", "flags", old})
			}
		}
	case source.LayerFile:
		for i, item := range items(root.Get("shares")) {
			if n := item.Get("flag"); n != nil && n.Text == old {
				values = append(values, splice.Path{"shares", i, "flag"})
			}
		}
	}
	for _, p := range keys {
		if err := doc.RenameKey(p, new); err != nil {
			return err
		}
	}
	for _, p := range values {
		if err := doc.Set(p, compose.Word(new)); err != nil {
			return err
		}
	}
	if len(keys)+len(values) > 0 {
		e.save(file, doc)
	}
	return nil
}

// rulesAsking returns the paths of the keys by which rules below a node ask for a flag.
func rulesAsking(n *source.Node, at splice.Path, key string) []splice.Path {
	var list []splice.Path
	for i, r := range items(n.Get("rules")) {
		list = append(list, asking(r.Get("when"), append(slices.Clone(at), "rules", i, "when"), key)...)
	}
	return list
}

// asking is rulesAsking for a condition.
func asking(when *source.Node, at splice.Path, key string) []splice.Path {
	if when == nil {
		return nil
	}
	var list []splice.Path
	for _, f := range when.Fields {
		here := append(slices.Clone(at), f.Key.Text)
		switch f.Key.Text {
		case "all", "any":
			for i, part := range f.Value.Items {
				list = append(list, asking(part, append(slices.Clone(here), i), key)...)
			}
		case "not":
			list = append(list, asking(f.Value, here, key)...)
		case "flag":
			if f.Value.Get(key) != nil {
				list = append(list, append(here, key))
			}
		}
	}
	return list
}

// namespaceOf returns the namespace of a flag that exists.
func namespaceOf(estate *ci.Estate, key string) string {
	f, _ := estate.Effective(key, "")
	return f.Namespace
}
