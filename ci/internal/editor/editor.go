// Package editor makes the JSON Schemas of one flag folder. They are those of package
// schema, and also know the folder's names: attributes with their types and values,
// segments, variants, flags, layers, environments and list files. An editor that uses
// them completes these names and marks those that don't exist.
//
// They accept every estate that package ci accepts and that has these names.
package editor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"

	"github.com/serin-flags/serin/ci/internal/lang"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/schema"
)

// An object is a JSON object.
type object = map[string]any

// Schemas returns the schemas of an estate without problems, by the names of the files
// of package schema. Equal estates give equal schemas.
func Schemas(e *lang.Estate) (map[string][]byte, error) {
	docs, err := general()
	if err != nil {
		return nil, err
	}
	n := newNames(e)
	n.condition(docs["condition.json"])
	n.flag(docs["flag.json"], variantSets(e))
	n.guards(docs["flag.json"])
	n.layer(docs["layer.json"])
	n.guard(docs["guard.json"])
	n.config(docs["serin.json"])
	n.tests(docs["tests.json"])
	out := make(map[string][]byte, len(docs))
	for name, doc := range docs {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", " ")
		if err := enc.Encode(doc); err != nil {
			return nil, fmt.Errorf("writing the schema %s: %w", name, err)
		}
		out[name] = b.Bytes()
	}
	return out, nil
}

// general returns the schemas of package schema.
func general() (map[string]object, error) {
	paths, err := fs.Glob(schema.Files, "*.json")
	if err != nil {
		return nil, err
	}
	docs := make(map[string]object, len(paths))
	for _, path := range paths {
		data, err := schema.Files.ReadFile(path)
		if err != nil {
			return nil, err
		}
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber() // limits of 64 bits stay exact
		var doc object
		if err := d.Decode(&doc); err != nil {
			return nil, fmt.Errorf("reading the schema %s: %w", path, err)
		}
		docs[path] = doc
	}
	return docs, nil
}

// at returns an object within objects.
func at(o object, keys ...string) object {
	for _, key := range keys {
		o = o[key].(object) // of schemas that are part of the program
	}
	return o
}

// ref refers to a definition of the same file.
func ref(name string) object { return object{"$ref": "#/$defs/" + name} }

// oneOf accepts the given names, and nothing if there are none.
func oneOf(names []string) object {
	if len(names) == 0 {
		return object{"not": object{}}
	}
	values := make([]any, 0, len(names))
	for _, name := range names {
		values = append(values, spellings(name)...)
	}
	return object{"enum": values}
}

// spellings returns the JSON values of a name as files may have it: the name 1 or true
// may do without quotes.
func spellings(name string) []any {
	n := source.Node{Text: name, Plain: true}
	switch n.Type() {
	case source.BoolScalar:
		return []any{name, n.IsTrue()}
	case source.IntScalar, source.FloatScalar:
		if i, err := strconv.ParseInt(name, 0, 64); err == nil {
			return []any{name, i}
		}
		if f, err := strconv.ParseFloat(name, 64); err == nil {
			return []any{name, f}
		}
	}
	return []any{name}
}

// texts returns strings as JSON values.
func texts(list []string) []any {
	values := make([]any, len(list))
	for i, s := range list {
		values[i] = s
	}
	return values
}

// sorted returns the keys of a map, sorted.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
