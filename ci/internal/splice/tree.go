package splice

import (
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/internal/compose"
	"github.com/serin-flags/serin/ci/internal/source"
)

// mapping returns a mapping with one field.
func mapping(key string, value *source.Node) *source.Node {
	return &source.Node{Kind: source.Mapping, Fields: []source.Field{{Key: compose.Word(key), Value: value}}}
}

// with returns a tree in which another node stands at a path. It shares the rest.
func with(n *source.Node, path Path, value *source.Node) *source.Node {
	if len(path) == 0 {
		return value
	}
	out := *n
	switch at := path[0].(type) {
	case int:
		out.Items = slices.Clone(n.Items)
		out.Items[at] = with(n.Items[at], path[1:], value)
	case string:
		out.Fields = slices.Clone(n.Fields)
		for i := range out.Fields {
			if out.Fields[i].Key.Text == at {
				out.Fields[i].Value = with(out.Fields[i].Value, path[1:], value)
			}
		}
	}
	return &out
}

// inserted returns a mapping with one more field.
func inserted(m *source.Node, at int, key string, value *source.Node) *source.Node {
	out := *m
	out.Fields = slices.Insert(slices.Clone(m.Fields), at, source.Field{Key: compose.Word(key), Value: value})
	return &out
}

// without returns a list or mapping without one of its items or fields.
func without(n *source.Node, at int) *source.Node {
	out := *n
	if n.Kind == source.Mapping {
		out.Fields = slices.Delete(slices.Clone(n.Fields), at, at+1)
	} else {
		out.Items = slices.Delete(slices.Clone(n.Items), at, at+1)
	}
	return &out
}

// flow returns a value on one line.
func (d *Doc) flow(n *source.Node) string {
	if !d.json() {
		return compose.Flow(n)
	}
	switch {
	case n.Kind == source.Sequence:
		parts := make([]string, len(n.Items))
		for i, item := range n.Items {
			parts[i] = d.flow(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case n.Kind == source.Mapping:
		parts := make([]string, len(n.Fields))
		for i, f := range n.Fields {
			parts[i] = compose.Quote(f.Key.Text) + ": " + d.flow(f.Value)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case n.Type() == source.TextScalar:
		return compose.Quote(n.Text)
	}
	return n.Text
}

// field returns a key and its value as text. indent is that of the key, -1 in brackets.
// A mapping of mappings gets a line for each.
func (d *Doc) field(key string, value *source.Node, indent int) string {
	if d.json() {
		return compose.Quote(key) + ": " + d.flow(value)
	}
	name := compose.Flow(compose.Word(key))
	nested := value.Kind == source.Mapping && slices.ContainsFunc(value.Fields, func(f source.Field) bool {
		return f.Value.Kind == source.Mapping
	})
	if indent < 0 || !nested {
		return name + ": " + d.flow(value)
	}
	for _, f := range value.Fields {
		name += "\n" + strings.Repeat(" ", indent+2) + d.field(f.Key.Text, f.Value, indent+2)
	}
	i := strings.IndexByte(name, '\n')
	return name[:i] + ":" + name[i:]
}
