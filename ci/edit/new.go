package edit

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/internal/compose"
	"github.com/serin-flags/serin/ci/internal/overlay"
	"github.com/serin-flags/serin/ci/internal/source"
)

// A NewFlag says what a new flag file contains.
type NewFlag struct {
	Key, Namespace string
	Type           string // such as "boolean"
	Description    string // "" for none
	// Owner is, if it is "", that of the namespace's other flags, if all have the same.
	Owner   string
	Expires string // a date, or "" for none
	// Variants are in the form NAME=VALUE. Boolean flags have "on" and "off" without.
	Variants []string
	Default  string // by default the last variant
}

// New adds a flag file without rules. Otherwise it is as [Apply].
func New(fsys fs.FS, dir string, flag NewFlag) (*Result, error) {
	estate, err := ci.LoadFS(fsys, dir)
	if err != nil {
		return nil, err
	}
	e := &editing{dir: dir, fsys: overlay.FS{Below: fsys}, first: estate, estate: estate}
	if err := e.create(flag); err != nil {
		return nil, err
	}
	if err := e.reload("new " + flag.Key); err != nil {
		return nil, err
	}
	return e.result(estate)
}

// newBoolean adds a boolean flag: "new NAMESPACE/FLAG".
func (e *editing) newBoolean(words []string) error { return e.newTyped(append(words, "boolean")) }

// newTyped adds a flag: "new NAMESPACE/FLAG TYPE VARIANT=VALUE…".
func (e *editing) newTyped(words []string) error {
	namespace, key := path.Split(words[1])
	return e.create(NewFlag{Key: key, Namespace: strings.TrimSuffix(namespace, "/"), Type: words[2], Variants: words[3:]})
}

// create adds the file of a flag.
func (e *editing) create(flag NewFlag) error {
	if other, err := e.estate.Effective(flag.Key, ""); err == nil {
		return fmt.Errorf("there is a flag %q already, in %s", flag.Key, other.File)
	}
	name := path.Join(flag.Namespace, flag.Key+".yaml")
	switch {
	case !fs.ValidPath(name) || source.RoleOf(name) != source.FlagFile:
		return fmt.Errorf("%s is not a place for a flag; write NAMESPACE/KEY, such as checkout/new-cart",
			e.shown(name))
	case strings.Contains("/"+name, "/."):
		return e.hidden(name)
	}
	if _, err := fs.Stat(e.fsys, name); err == nil {
		return fmt.Errorf("%s exists already", e.shown(name))
	}
	if flag.Owner == "" {
		flag.Owner = e.ownerOf(flag.Namespace)
	}
	text, err := flag.text()
	if err != nil {
		return err
	}
	schema := strings.Repeat("../", 1+strings.Count(flag.Namespace, "/")) + ".schema/flag.json"
	if _, err := fs.Stat(e.fsys, ".schema/flag.json"); err == nil {
		text = "# yaml-language-server: $schema=" + schema + "\n" + text
	}
	e.fsys = e.fsys.Put(name, []byte(text))
	return nil
}

// found returns an error unless a flag that has been written is part of the folder. Names
// that start with a dot are not.
func (e *editing) found(key, name string) error {
	if _, err := e.estate.Effective(key, ""); err != nil {
		return e.hidden(name)
	}
	return nil
}

// hidden returns the error for a flag whose path has a name that starts with a dot.
func (e *editing) hidden(name string) error {
	return fmt.Errorf("%s is not a place for a flag: names that start with a dot are ignored (nothing was written)",
		e.shown(name))
}

// ownerOf returns the owner of a namespace's flags, "" if they have several.
func (e *editing) ownerOf(namespace string) string {
	var owners []string
	for _, key := range e.estate.Keys() {
		if f, err := e.estate.Effective(key, ""); err == nil && f.Namespace == namespace {
			owners = append(owners, f.Owner)
		}
	}
	if owners = slices.Compact(owners); len(owners) == 1 {
		return owners[0]
	}
	return ""
}

// text returns the file.
func (f *NewFlag) text() (string, error) {
	root := &source.Node{Kind: source.Mapping}
	add := func(key string, value *source.Node) {
		root.Fields = append(root.Fields, source.Field{Key: compose.Word(key), Value: value})
	}
	for _, field := range []struct{ key, text string }{{"description", f.Description}, {"owner", f.Owner}} {
		if field.text != "" {
			add(field.key, text(field.text))
		}
	}
	if f.Expires != "" {
		add("expires", &source.Node{Text: f.Expires, Plain: true})
	}
	add("type", compose.Word(f.Type))
	variants, err := f.variants()
	if err != nil {
		return "", err
	}
	first, last := "on", "off"
	if n := len(variants.Fields); n > 0 {
		first, last = variants.Fields[0].Key.Text, variants.Fields[n-1].Key.Text
		add("variants", variants)
	} else if f.Type != "boolean" {
		return "", fmt.Errorf(
			"a new flag of type %q needs the variants it can serve, as NAME=VALUE, such as small=%s", f.Type,
			cmp.Or(exampleValues[f.Type], "1"))
	}
	if f.Default != "" {
		last = f.Default
	}
	add("default", compose.Word(last))
	add("rules", &source.Node{Kind: source.Sequence})
	if first == last {
		return compose.YAML(root, nil), nil
	}
	example := compose.Flow(&source.Node{Kind: source.Mapping, Fields: []source.Field{
		{Key: compose.Word(first), Value: compose.Word("1%")}, {Key: compose.Word(last), Value: compose.Word("rest")},
	}})
	return compose.YAML(root,
		map[string]string{"rules": "such as [{name: first users, serve: " + example + "}]"}), nil
}

var exampleValues = map[string]string{"string": "text", "integer": "1", "number": "0.5", "object": `'{"size": 1}'`}

// text returns a scalar that is text.
func text(s string) *source.Node {
	n := compose.Word(s)
	n.Plain = n.Plain && n.Type() == source.TextScalar
	return n
}

// variants returns the mapping of variants, which may be empty.
func (f *NewFlag) variants() (*source.Node, error) {
	m := &source.Node{Kind: source.Mapping}
	for _, v := range f.Variants {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q isn't a variant and its value, such as small=1", v)
		}
		node := text(value)
		if f.Type != "string" {
			parsed := source.Parse("value/value.yaml", "", []byte(value))
			if parsed.Root == nil {
				return nil, fmt.Errorf("the value of %q: %w", name, errors.New(parsed.Problems[0].Message))
			}
			node = parsed.Root
		}
		m.Fields = append(m.Fields, source.Field{Key: compose.Word(name), Value: node})
	}
	return m, nil
}
