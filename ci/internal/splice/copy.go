package splice

import (
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/internal/compose"
	"github.com/serin-flags/serin/ci/internal/source"
)

// Copy gives the field at a path the value of another field, as that is written: with its
// lines, its quotes and the comments in it. If the field isn't there, it is added as by
// [Doc.Set].
func (d *Doc) Copy(from, to Path, order ...string) error {
	value, parent := d.Get(from), d.Get(to[:len(to)-1])
	key, _ := to[len(to)-1].(string)
	if value == nil || key == "" {
		return d.byHand()
	}
	model, ok := d.fieldAt(from)
	if parent == nil || !ok {
		return d.Set(to, value, order...)
	}
	after, err := d.end(model.Key)
	if err != nil {
		return err
	}
	end, err := d.lastLine(value)
	if err != nil {
		return err
	}
	if old, ok := d.fieldAt(to); ok {
		return d.copyOver(model, old, after, end, to)
	}
	at := place(parent, key, order)
	want := with(d.file.Root, to[:len(to)-1], inserted(parent, at, key, value))
	name := compose.Flow(compose.Word(key))
	if d.json() {
		name = compose.Quote(key)
	}
	if parent.Flow {
		return d.apply(want, d.insertFlow(parent, at, name+d.rest(value, after, end, 0, true))...)
	}
	indent := parent.Fields[0].Key.Column() - model.Key.Column()
	text := name + d.rest(value, after, end, indent, false)
	return d.apply(want, d.insertLines(parent, at, text)...)
}

// copyOver replaces the value of a field by another one, which is written between after and
// end.
func (d *Doc) copyOver(model, old source.Field, after, end int, to Path) error {
	from, err := d.end(old.Key)
	if err != nil {
		return err
	}
	last, err := d.lastLine(old.Value)
	if err != nil {
		return err
	}
	text := d.rest(model.Value, after, end, old.Key.Column()-model.Key.Column(), d.Get(to[:len(to)-1]).Flow)
	return d.apply(with(d.file.Root, to, model.Value), cut{from, last, text})
}

// lastLine is end, but with the comment behind a value that has lines of its own.
func (d *Doc) lastLine(n *source.Node) (int, error) {
	end, err := d.end(n)
	if err == nil && n.Kind != source.Scalar && !n.Flow {
		end = d.lineEnd(end)
	}
	return end, err
}

// fieldAt returns the field at a path.
func (d *Doc) fieldAt(path Path) (source.Field, bool) {
	parent := d.Get(path[:len(path)-1])
	key, _ := path[len(path)-1].(string)
	if parent == nil {
		return source.Field{}, false
	}
	i := slices.IndexFunc(parent.Fields, func(f source.Field) bool { return f.Key.Text == key })
	if i < 0 {
		return source.Field{}, false
	}
	return parent.Fields[i], true
}

// rest returns what stands between two offsets, a colon and a value, with its lines moved to
// the right. In brackets, a value that isn't in some is written anew.
func (d *Doc) rest(value *source.Node, after, end, right int, flow bool) string {
	text := string(d.file.Data[after:end])
	if flow && value.Kind != source.Scalar && !value.Flow || flow && strings.Contains(text, "\n") && !d.json() {
		return ": " + d.flow(value)
	}
	first, others, more := strings.Cut(text, "\n")
	if !more || right == 0 {
		return text
	}
	var b strings.Builder
	b.WriteString(first)
	for line := range strings.SplitSeq(others, "\n") {
		b.WriteByte('\n')
		switch {
		case right > 0 && line != "":
			line = strings.Repeat(" ", right) + line
		case right < 0:
			spaces := len(line) - len(strings.TrimLeft(line, " "))
			line = line[min(-right, spaces):]
		}
		b.WriteString(line)
	}
	return b.String()
}

// insertLines returns the cuts that add a field, as text, to a mapping on lines of its own.
func (d *Doc) insertLines(m *source.Node, at int, text string) []cut {
	first := d.start(m.Fields[0].Key)
	indent := strings.Repeat(" ", m.Fields[0].Key.Column()-1)
	if at == 0 {
		return []cut{{first, first, text + "\n" + indent}}
	}
	s, err := d.span(m, at-1)
	if err != nil {
		return nil // which apply refuses
	}
	end := d.lineEnd(s.to)
	return []cut{{end, end, "\n" + indent + text}}
}
