package access

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"

	"github.com/serin-flags/serin/internal/suggest"
)

// maxProblems is how many problems an error lists.
const maxProblems = 50

// A reader reads the nodes of a file and notes what is wrong with them.
type reader struct {
	file     string
	problems []problem
	more     int // problems that aren't listed
}

type problem struct {
	line, column int
	message      string
}

// aKey is what keys look like. Somebody may have written one where it doesn't belong.
var aKey = regexp.MustCompile(keyPrefix + "[A-Z2-7]*")

// failf notes a problem at n. The message doesn't quote keys.
func (r *reader) failf(n *yaml.Node, format string, args ...any) {
	if len(r.problems) == maxProblems {
		r.more++
		return
	}
	message := aKey.ReplaceAllString(fmt.Sprintf(format, args...), "…")
	r.problems = append(r.problems, problem{n.Line, n.Column, message})
}

// err returns an error with a line for each problem, nil if there is none.
func (r *reader) err() error {
	slices.SortStableFunc(r.problems, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	var errs []error
	for _, p := range r.problems {
		errs = append(errs, fmt.Errorf("%s:%d:%d: %s", r.file, p.line, p.column, p.message))
	}
	if r.more > 0 {
		errs = append(errs, fmt.Errorf("%s: and %d more problems", r.file, r.more))
	}
	return errors.Join(errs...)
}

// document returns the root of the only document in data, which is YAML or JSON. Errors of
// the parser aren't passed on, since they may quote the file.
func (r *reader) document(data []byte) *yaml.Node {
	failed := &yaml.Node{Line: 1, Column: 1}
	if len(data) > maxFile {
		r.failf(failed, "the file has more than %d bytes", maxFile)
		return nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	var document, second yaml.Node
	if err == nil {
		err = loader.Load(&document)
	}
	if err == nil {
		if err = loader.Load(&second); err == nil {
			r.failf(&second, "the file has a second document")
			return nil
		}
	}
	if err != io.EOF {
		if where := (*yaml.LoadError)(nil); errors.As(err, &where) && where.Mark.Line > 0 {
			failed.Line, failed.Column = where.Mark.Line, where.Mark.Column
		}
		r.failf(failed, "this is not YAML, nor JSON; check the indentation, the quotes and the brackets up to here")
		return nil
	}
	if len(document.Content) == 0 {
		r.failf(failed, "the file is empty; write clients: and a list of them")
		return nil
	}
	return document.Content[0]
}

// describe says what a node is, without quoting it.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias, which isn't allowed"
	}
	switch n.ShortTag() {
	case "!!str":
		return "text"
	case "!!null":
		return "empty"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	}
	return "of a type that isn't allowed"
}

// fields returns the values of a mapping by key. All keys must be known.
func (r *reader) fields(n *yaml.Node, what string, known ...string) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode {
		r.failf(n, "%s is a mapping of keys to values, not %s", what, describe(n))
		return nil
	}
	fields := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch key := n.Content[i]; {
		case key.Kind != yaml.ScalarNode || !slices.Contains(known, key.Value):
			r.unknown(key, what, known)
		case fields[key.Value] != nil:
			r.failf(key, "%q is there twice", key.Value)
		default:
			fields[key.Value] = n.Content[i+1]
		}
	}
	return fields
}

// unknown notes a key that isn't known.
func (r *reader) unknown(key *yaml.Node, what string, known []string) {
	hint := suggest.DidYouMean(key.Value, slices.Values(known))
	if hint == "" {
		hint = "; the keys are " + strings.Join(known, ", ")
	}
	if len(key.Value) > maxName || key.Kind != yaml.ScalarNode {
		r.failf(key, "unknown key in %s%s", what, hint)
		return
	}
	r.failf(key, "unknown key %q in %s%s", key.Value, what, hint)
}

// require notes which keys a mapping lacks.
func (r *reader) require(n *yaml.Node, fields map[string]*yaml.Node, what string, keys ...string) {
	for _, key := range keys {
		if fields != nil && fields[key] == nil {
			r.failf(n, "%s has no %q", what, key)
		}
	}
}

// text returns a text of at most 2,000 bytes without control characters, "" if it is none.
func (r *reader) text(n *yaml.Node, what string) string {
	switch {
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str":
		r.failf(n, "%s is text, not %s", what, describe(n))
	case n.Value == "" || strings.TrimSpace(n.Value) != n.Value:
		r.failf(n, "%s is empty, or begins or ends with a space", what)
	case len(n.Value) > 2000:
		r.failf(n, "%s is longer than 2,000 bytes", what)
	case strings.ContainsFunc(n.Value, unicode.IsControl):
		r.failf(n, "%s has a line break or another control character", what)
	default:
		return n.Value
	}
	return ""
}

// list returns the elements of a list. One element needn't be in a list.
func (r *reader) list(n *yaml.Node, what string) []*yaml.Node {
	switch {
	case n.Kind != yaml.SequenceNode:
		return []*yaml.Node{n}
	case len(n.Content) == 0:
		r.failf(n, "%s is an empty list; leave it out, or name something", what)
	case len(n.Content) > maxList:
		r.failf(n, "%s has %d elements; the limit is %d", what, len(n.Content), maxList)
		return nil
	}
	return n.Content
}

// texts returns the elements of a list of texts. Each is there once.
func (r *reader) texts(n *yaml.Node, what, each string) []*yaml.Node {
	var list []*yaml.Node
	seen := make(map[string]bool)
	for _, item := range r.list(n, what) {
		switch text := r.text(item, each); {
		case text == "":
		case seen[text]:
			r.failf(item, "%q is there twice in %s", text, what)
		default:
			seen[text] = true
			list = append(list, item)
		}
	}
	return list
}
