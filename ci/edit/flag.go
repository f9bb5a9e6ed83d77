package edit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/serin-flags/serin/ci/internal/compose"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/ci/internal/splice"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// keyOrder is the order of a flag's keys. A key that is added takes its place in it.
var keyOrder = []string{
	"description", "owner", "expires", "type", "exclusive", "variants", "enabled", "default", "off_variant",
	"max_stale",
	"metadata", "lint", "rules", "environments",
}

// disabledMark begins the comment that disable writes: above "enabled" if it has added
// that key, or behind it if the key was there. So enable can tell what to undo.
const disabledMark = "Disabled"

// marked returns the comment for a reason, which may be "".
func marked(reason string) string {
	if reason == "" {
		return disabledMark
	}
	return disabledMark + ": " + reason
}

func boolean(value bool) *source.Node { return &source.Node{Text: fmt.Sprint(value), Plain: true} }

// disable is "disable FLAG". Without an environment, the flag is disabled in all.
func (e *editing) disable(words []string) error {
	if strings.ContainsFunc(e.reason, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return errors.New("the reason must be one line of plain text")
	}
	f, doc, name, err := e.flag(words[1], e.environment)
	if err != nil {
		return err
	}
	var paths []splice.Path
	if !f.Compiled.Disabled {
		paths = append(paths, e.in(e.environment, "enabled"))
	}
	if e.environment == "" {
		for _, env := range f.Overriding {
			if n := doc.Get(e.in(env, "enabled")); n != nil && n.IsTrue() {
				paths = append(paths, e.in(env, "enabled"))
			}
		}
	}
	for i, path := range paths {
		said := doc.Get(path) != nil
		if err := e.setEnabled(f.Key, doc, path, false); err != nil {
			return err
		}
		if err := e.mark(doc, path, said, i == 0, f.File); err != nil {
			return err
		}
	}
	off := variants(&f.Compiled)[f.Compiled.Off]
	e.note("while it is disabled, %s serves %q", f.Key, off)
	e.save(name, doc)
	return nil
}

// mark writes the comment of a flag that has been disabled. said says that the file had
// the key before.
func (e *editing) mark(doc *splice.Doc, path splice.Path, said, first bool, file string) error {
	if doc.Get(path) == nil {
		return nil // it was removed: the flag is disabled without it
	}
	if said && doc.AsSet(removable(doc, path), keyOrder...) {
		ok, err := doc.Remark(path, marked(e.reason))
		if ok || err != nil {
			return err
		}
	}
	if e.reason == "" || !first {
		return nil
	}
	ok, err := doc.Comment(path, marked(e.reason))
	if err == nil && !ok {
		e.note("%s is JSON, which has no comments: the reason isn't in the file", file)
	}
	return err
}

// removable returns the path of what can be removed together with a field: the mappings
// that hold nothing else.
func removable(doc *splice.Doc, path splice.Path) splice.Path {
	for n := len(path) - 1; n > 0 && doc.Get(path) != nil && len(doc.Get(path[:n]).Fields) == 1; n-- {
		path = path[:n]
	}
	return path
}

// enable is "enable FLAG". It undoes what disable does.
func (e *editing) enable(words []string) error {
	f, doc, name, err := e.flag(words[1], e.environment)
	if err != nil {
		return err
	}
	path := e.in(e.environment, "enabled")
	if f.Compiled.Disabled {
		if err := e.unmark(f.Key, doc, path); err != nil {
			return err
		}
	}
	if e.environment == "" {
		for _, env := range f.Overriding {
			if n := doc.Get(e.in(env, "enabled")); n != nil && !n.IsTrue() {
				e.note("%s is still disabled in %s, which overrides \"enabled\"; to enable it there: enable %s in %s",
					f.Key, env, f.Key, env)
			}
		}
	}
	e.save(name, doc)
	return nil
}

// unmark enables a flag, and removes the comment that disable has written.
func (e *editing) unmark(key string, doc *splice.Doc, path splice.Path) error {
	if doc.Get(path) != nil {
		said, err := doc.Unremark(path, disabledMark)
		if err != nil {
			return err
		}
		if said {
			return doc.Set(path, boolean(true), keyOrder...)
		}
		if err := doc.Uncomment(path, disabledMark); err != nil {
			return err
		}
	}
	return e.setEnabled(key, doc, path, true)
}

// setEnabled makes a flag enabled or not, in the environment of a path to "enabled". If
// it is so without that key, and the key was added by an edit, it is removed.
func (e *editing) setEnabled(key string, doc *splice.Doc, path splice.Path, value bool) error {
	without := true
	if len(path) > 1 {
		base, err := e.estate.Effective(key, "")
		if err != nil {
			return err
		}
		without = !base.Compiled.Disabled
	}
	if whole := removable(doc, path); without == value && doc.AsSet(whole, keyOrder...) {
		return doc.Remove(whole)
	}
	return doc.Set(path, boolean(value), keyOrder...)
}

// serve is "serve FLAG VARIANT": it sets the default.
func (e *editing) serve(words []string) error {
	f, doc, name, err := e.flag(words[1], e.environment)
	if err != nil {
		return err
	}
	if err := e.checkVariant(&f.Compiled, doc, words[2]); err != nil {
		return err
	}
	if variants(&f.Compiled)[f.Compiled.Default] == words[2] {
		return nil
	}
	if f.Compiled.Disabled {
		e.note("%s is disabled: it serves %q to everybody", f.Key, variants(&f.Compiled)[f.Compiled.Off])
	}
	if err := doc.Set(e.in(e.environment, "default"), compose.Word(words[2]), keyOrder...); err != nil {
		return err
	}
	e.save(name, doc)
	return nil
}

// expire is "expire FLAG DATE". The date "never" removes it.
func (e *editing) expire(words []string) error {
	_, doc, name, err := e.flag(words[1], "")
	if err != nil {
		return err
	}
	path := splice.Path{"expires"}
	switch {
	case words[2] != "never":
		err = doc.Set(path, &source.Node{Text: words[2], Plain: true}, keyOrder...)
	case doc.Get(path) != nil:
		err = doc.Remove(path)
	}
	if err != nil {
		return err
	}
	e.save(name, doc)
	return nil
}

// variants returns the names of a flag's variants.
func variants(f *evaluator.Flag) []string {
	names := make([]string, len(f.Variants))
	for i, v := range f.Variants {
		names[i] = v.Name
	}
	return names
}

// checkVariant returns an error unless a flag has a variant. A string flag without
// "variants" has those that it serves somewhere; a note says that another is new.
func (e *editing) checkVariant(f *evaluator.Flag, doc *splice.Doc, name string) error {
	known := variants(f)
	if slices.Contains(known, name) {
		return nil
	}
	hint := suggest.DidYouMean(name, slices.Values(known))
	open := doc.Get(splice.Path{"variants"}) == nil && doc.Get(e.in(e.environment, "variants")) == nil
	if f.Type == evaluator.KindString && open {
		e.note("%q is a value that %s doesn't serve so far%s", name, f.Key, hint)
		return nil
	}
	return fmt.Errorf("flag %q has no variant %q%s; it has %s", f.Key, name, hint, list(known))
}

// list returns names in quotes.
func list(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(quoted, ", ")
}
