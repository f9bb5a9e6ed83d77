// Package splice edits the YAML of flag files. It leaves every byte alone that an edit
// isn't about: comments, the order of keys, quotes, indentation, the kind of line
// breaks, and a missing one at the end.
//
// Start at [Open], edit with the methods of [Doc], and take the result from
// [Doc.Bytes]. After each edit the file is parsed again, and its tree compared with the
// one that the edit asks for. If they differ, the edit fails and the file stays as it
// was, so an edit never means something else than it says. The package knows YAML, but
// not what flags and rules mean: that is package edit.
package splice

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/internal/compose"
	"github.com/serin-flags/serin/ci/internal/source"
)

// A Path leads from the root of a file to a node, by keys (string) and indexes (int).
type Path []any

// A Doc is a file that is being edited.
type Doc struct {
	name, dir string
	raw       []byte
	file      *source.File
	lines     []int // the offsets of lines in file.Data
}

// errByHand says that a place in a file is written in a way that can't be edited
// without changing more than was asked for.
var errByHand = errors.New("this place can't be changed without touching what is around it; edit the file by hand")

// byHand returns errByHand for this file.
func (d *Doc) byHand() error { return fmt.Errorf("%s: %w", d.file.Shown, errByHand) }

// Open parses the file called name in the estate dir. If it can't be parsed, the error
// is its problems.
func Open(name, dir string, raw []byte) (*Doc, error) {
	d := &Doc{name: name, dir: dir}
	return d, d.parse(raw)
}

// parse takes raw for the content of the file.
func (d *Doc) parse(raw []byte) error {
	file := source.Parse(d.name, d.dir, raw)
	if len(file.Problems) > 0 {
		return file.Problems
	}
	d.take(raw, file)
	return nil
}

// take takes over a parsed file.
func (d *Doc) take(raw []byte, file *source.File) {
	d.raw, d.file = raw, file
	d.lines = append(make([]int, 0, 1+bytes.Count(file.Data, []byte{'\n'})), 0)
	for i, b := range file.Data {
		if b == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
}

// Bytes returns the file's content.
func (d *Doc) Bytes() []byte { return d.raw }

// Root returns the outermost node. It is valid until the next edit.
func (d *Doc) Root() *source.Node { return d.file.Root }

// Get returns the node at a path, nil if there is none.
func (d *Doc) Get(path Path) *source.Node { return find(d.file.Root, path) }

func find(n *source.Node, path Path) *source.Node {
	for _, step := range path {
		switch at := step.(type) {
		case string:
			n = n.Get(at)
		case int:
			if n == nil || at < 0 || at >= len(n.Items) {
				return nil
			}
			n = n.Items[at]
		}
	}
	return n
}

// json reports whether the file is JSON, which has its own quotes and no comments.
func (d *Doc) json() bool { return strings.HasSuffix(strings.ToLower(d.name), ".json") }

// A cut replaces part of the text.
type cut struct {
	from, to int // offsets in file.Data
	text     string
}

// apply makes cuts, which don't overlap, if the result means want.
func (d *Doc) apply(want *source.Node, cuts ...cut) error {
	// The last first, so that the offsets of others stay right.
	slices.SortFunc(cuts, func(a, b cut) int { return cmp.Or(b.from-a.from, b.to-a.to) })
	raw := d.raw
	for _, c := range cuts {
		if bytes.Contains(d.raw, []byte("\r\n")) {
			c.text = strings.ReplaceAll(c.text, "\n", "\r\n")
		}
		from, to := d.rawOffset(c.from), d.rawOffset(c.to)
		raw = slices.Concat(raw[:from], []byte(c.text), raw[to:])
	}
	file := source.Parse(d.name, d.dir, raw)
	if len(file.Problems) > 0 || !file.Root.Same(want) {
		return d.byHand()
	}
	d.take(raw, file)
	return nil
}

// rawOffset returns where in the file an offset of file.Data is. The parsed text has
// neither the byte order mark nor the carriage returns of the file.
func (d *Doc) rawOffset(offset int) int {
	i := len(d.raw) - len(bytes.TrimPrefix(d.raw, []byte("\ufeff")))
	for ; offset > 0; offset-- {
		if bytes.HasPrefix(d.raw[i:], []byte("\r\n")) {
			i++
		}
		i++
	}
	return i
}

// Set gives the field at a path a value, and adds the field if it isn't there, as well
// as mappings that lead to it. The fields of order that stand before the new one stay
// before it; without an order, it becomes the last.
func (d *Doc) Set(path Path, value *source.Node, order ...string) error {
	for len(path) > 1 && d.Get(path[:len(path)-1]) == nil {
		key, ok := path[len(path)-1].(string)
		if !ok {
			return d.byHand()
		}
		value = mapping(key, value)
		path = path[:len(path)-1]
	}
	parent := d.Get(path[:len(path)-1])
	key, ok := path[len(path)-1].(string)
	if !ok || parent == nil || parent.Kind != source.Mapping {
		return d.byHand()
	}
	if old := parent.Get(key); old != nil {
		return d.replace(path, old, value)
	}
	at := place(parent, key, order)
	want := with(d.file.Root, path[:len(path)-1], inserted(parent, at, key, value))
	return d.apply(want, d.insertField(parent, at, key, value)...)
}

// place returns how many fields of a mapping stand before a new one.
func place(m *source.Node, key string, order []string) int {
	rank := slices.Index(order, key)
	if rank < 0 {
		return len(m.Fields)
	}
	best, at := -1, 0
	for i, f := range m.Fields {
		if r := slices.Index(order, f.Key.Text); r < rank && r > best {
			best, at = r, i+1
		}
	}
	return at
}

// AsSet reports whether a field stands where [Doc.Set] would add it, on lines of its
// own without a comment: if it is removed and added again, the file is the same.
func (d *Doc) AsSet(path Path, order ...string) bool {
	n := d.Get(path)
	if n == nil {
		return false
	}
	copied := *d
	other := &copied
	if other.Remove(path) != nil {
		return false
	}
	return other.Set(path, n, order...) == nil && bytes.Equal(other.raw, d.raw)
}

// replace replaces the value at a path.
func (d *Doc) replace(path Path, old, value *source.Node) error {
	if old.Kind != source.Scalar && !old.Flow {
		return d.byHand()
	}
	from := d.start(old)
	to, err := d.end(old)
	if err != nil {
		return err
	}
	return d.apply(with(d.file.Root, path, value), cut{from, to, d.like(d.file.Data[from], value)})
}

// like returns a value as text, in the quotes that the character before it may be.
func (d *Doc) like(quote byte, value *source.Node) string {
	plain := value.Kind == source.Scalar && value.Type() == source.TextScalar &&
		!strings.ContainsAny(value.Text, "'\"\\\n\t") && compose.Quote(value.Text) == `"`+value.Text+`"`
	if plain && (quote == '\'' || quote == '"') {
		return string(quote) + value.Text + string(quote)
	}
	return d.flow(value)
}

// Remove removes the field or the item at a path, with its comments: those behind it,
// and of a mapping in a list those right above it. A list whose only item goes stays,
// empty.
func (d *Doc) Remove(path Path) error {
	parent := d.Get(path[:len(path)-1])
	if parent == nil || d.Get(path) == nil {
		return d.byHand()
	}
	index, key := -1, ""
	switch at := path[len(path)-1].(type) {
	case int:
		index = at
	case string:
		key = at
		index = slices.IndexFunc(parent.Fields, func(f source.Field) bool { return f.Key.Text == key })
	}
	var cuts []cut
	var err error
	switch {
	case parent.Flow:
		cuts, err = d.removeFlow(parent, index)
	case parent.Kind == source.Mapping:
		cuts, err = d.removeLines(parent, index)
	case len(parent.Items) == 1:
		cuts, err = d.emptyList(path[:len(path)-1], parent)
	default:
		cuts, err = d.removeLines(parent, index)
	}
	if err != nil {
		return err
	}
	return d.apply(with(d.file.Root, path[:len(path)-1], without(parent, index)), cuts...)
}

// Append adds an item to the end of the list at a path. Text gets the quotes of the
// item before it.
func (d *Doc) Append(path Path, value *source.Node) error {
	list := d.Get(path)
	if list == nil {
		return d.byHand()
	}
	return d.Insert(path, len(list.Items), value)
}

// Insert adds an item to the list at a path, after the first at items. Text gets the quotes of
// the item before it.
func (d *Doc) Insert(path Path, at int, value *source.Node) error {
	list := d.Get(path)
	if list == nil || list.Kind != source.Sequence || at < 0 || at > len(list.Items) {
		return d.byHand()
	}
	text := d.flow(value)
	if at > 0 && list.Items[at-1].Kind == source.Scalar {
		text = d.like(d.file.Data[d.start(list.Items[at-1])], value)
	}
	want := *list
	want.Items = slices.Insert(slices.Clone(list.Items), at, value)
	cuts, err := d.insertItem(list, at, text)
	if err != nil {
		return err
	}
	return d.apply(with(d.file.Root, path, &want), cuts...)
}

// Comment writes a comment above the line that the field at a path begins on. Text is
// one line. JSON has no comments, so nothing is written there, and ok is false.
func (d *Doc) Comment(path Path, text string) (ok bool, err error) {
	at, err := d.lineOf(path)
	if err != nil || d.json() {
		return false, err
	}
	data := d.file.Data
	indent := data[at : len(data)-len(bytes.TrimLeft(data[at:], " "))]
	return true, d.apply(d.file.Root, cut{at, at, string(indent) + "# " + text + "\n"})
}

// Uncomment removes the comment above the line that the field at a path begins on, if
// it starts with a prefix.
func (d *Doc) Uncomment(path Path, prefix string) error {
	at, err := d.lineOf(path)
	if err != nil || at == 0 {
		return err
	}
	from := 1 + bytes.LastIndexByte(d.file.Data[:at-1], '\n')
	if !bytes.HasPrefix(bytes.TrimLeft(d.file.Data[from:at], " "), []byte("# "+prefix)) {
		return nil
	}
	return d.apply(d.file.Root, cut{from, at, ""})
}

// Remark writes a comment at the end of the line that the value at a path ends on. Text is
// one line. If the file is JSON, or there is a comment already, ok is false.
func (d *Doc) Remark(path Path, text string) (ok bool, err error) {
	end, err := d.end(d.Get(path))
	if err != nil || d.json() {
		return false, err
	}
	at := d.lineEnd(end)
	if bytes.IndexByte(d.file.Data[end:at], '#') >= 0 {
		return false, nil
	}
	return true, d.apply(d.file.Root, cut{at, at, "  # " + text})
}

// Unremark removes the comment that [Doc.Remark] has written, if it starts with a prefix,
// and reports whether it has.
func (d *Doc) Unremark(path Path, prefix string) (ok bool, err error) {
	end, err := d.end(d.Get(path))
	if err != nil {
		return false, err
	}
	at := d.lineEnd(end)
	i := bytes.Index(d.file.Data[end:at], []byte("  # "+prefix))
	if i < 0 {
		return false, nil
	}
	return true, d.apply(d.file.Root, cut{end + i, at, ""})
}

// lineOf returns the offset of the line that the field at a path begins on.
func (d *Doc) lineOf(path Path) (int, error) {
	parent := d.Get(path[:len(path)-1])
	key, _ := path[len(path)-1].(string)
	if parent != nil {
		for _, f := range parent.Fields {
			if f.Key.Text == key {
				return d.lineStart(d.start(f.Key)), nil
			}
		}
	}
	return 0, fmt.Errorf("there is no %q: %w", key, d.byHand())
}

// RenameKey gives the field at a path another key.
func (d *Doc) RenameKey(path Path, key string) error {
	parent := d.Get(path[:len(path)-1])
	old, _ := path[len(path)-1].(string)
	if parent == nil || parent.Get(old) == nil {
		return d.byHand()
	}
	want := *parent
	want.Fields = slices.Clone(parent.Fields)
	i := slices.IndexFunc(want.Fields, func(f source.Field) bool { return f.Key.Text == old })
	at := want.Fields[i].Key
	want.Fields[i].Key = compose.Word(key)
	from := d.start(at)
	to, err := d.end(at)
	if err != nil {
		return err
	}
	text := d.like(d.file.Data[from], compose.Word(key))
	return d.apply(with(d.file.Root, path[:len(path)-1], &want), cut{from, to, text})
}
