package splice

import (
	"bytes"
	"strings"

	"github.com/serin-flags/serin/ci/internal/source"
)

// A span is where an item or a field is written.
type span struct{ from, to int }

// span returns where an item, or a field with its key, is written.
func (d *Doc) span(n *source.Node, index int) (span, error) {
	if n.Kind == source.Mapping {
		f := n.Fields[index]
		to, err := d.end(f.Value)
		return span{d.start(f.Key), to}, err
	}
	item := n.Items[index]
	to, err := d.end(item)
	from := d.start(item)
	if err == nil && !n.Flow {
		from, err = d.dash(item)
	}
	return span{from, to}, err
}

func size(n *source.Node) int { return len(n.Items) + len(n.Fields) }

// insertField returns the cuts that add a field to a mapping, after the first at fields.
func (d *Doc) insertField(m *source.Node, at int, key string, value *source.Node) []cut {
	if m.Flow {
		return d.insertFlow(m, at, d.field(key, value, -1))
	}
	first := d.start(m.Fields[0].Key)
	indent := m.Fields[0].Key.Column() - 1
	text := d.field(key, value, indent)
	if at == 0 {
		return []cut{{first, first, text + "\n" + strings.Repeat(" ", indent)}}
	}
	s, err := d.span(m, at-1)
	if err != nil {
		return nil // which apply refuses
	}
	end := d.lineEnd(s.to)
	return []cut{{end, end, "\n" + strings.Repeat(" ", indent) + text}}
}

// insertItem returns the cuts that add an item to a list, after the first at items.
func (d *Doc) insertItem(list *source.Node, at int, text string) ([]cut, error) {
	if list.Flow {
		return d.insertFlow(list, at, text), nil
	}
	s, err := d.span(list, max(at-1, 0))
	if err != nil {
		return nil, err
	}
	indent := strings.Repeat(" ", s.from-d.lineStart(s.from))
	if at == 0 {
		return []cut{{s.from, s.from, "- " + text + "\n" + indent}}, nil
	}
	end := d.lineEnd(s.to)
	return []cut{{end, end, "\n" + indent + "- " + text}}, nil
}

// insertFlow returns the cuts that add text to what stands in brackets, after the first
// at parts of it. If these have lines of their own, so has the text.
func (d *Doc) insertFlow(n *source.Node, at int, text string) []cut {
	if size(n) == 0 {
		from := d.start(n) + 1
		return []cut{{from, from, text}}
	}
	s, err := d.span(n, max(at-1, 0))
	if err != nil {
		return nil // which apply refuses
	}
	space := " "
	if d.first(s.from) {
		space = "\n" + strings.Repeat(" ", s.from-d.lineStart(s.from))
	}
	switch {
	case at == 0:
		return []cut{{s.from, s.from, text + "," + space}}
	case space != " " && d.remark(s.to):
		end := d.lineEnd(s.to)
		return []cut{{s.to, s.to, ","}, {end, end, space + text}}
	}
	return []cut{{s.to, s.to, "," + space + text}}
}

// removeFlow returns the cuts that remove a part of what stands in brackets.
func (d *Doc) removeFlow(n *source.Node, index int) ([]cut, error) {
	s, err := d.span(n, index)
	if err != nil {
		return nil, err
	}
	before := s.from
	if index > 0 {
		previous, err := d.span(n, index-1)
		if err != nil {
			return nil, err
		}
		before = previous.to
	}
	data := d.file.Data
	switch {
	case d.first(s.from) && (d.remark(s.to) || bytes.IndexByte(data[before:s.from], '#') >= 0):
		return []cut{{d.lineStart(s.from), min(d.lineEnd(s.to)+1, len(data)), ""}}, nil
	case index > 0:
		return []cut{{before, s.to, ""}}, nil
	case size(n) > 1:
		next, err := d.span(n, 1)
		return []cut{{s.from, next.from, ""}}, err
	}
	return []cut{{s.from, s.to, ""}}, nil
}

// removeLines returns the cuts that remove the lines of an item or a field.
func (d *Doc) removeLines(n *source.Node, index int) ([]cut, error) {
	s, err := d.span(n, index)
	if err != nil || !d.first(s.from) || size(n) == 1 {
		return nil, d.byHand()
	}
	from, to := d.lineStart(s.from), d.lineEnd(s.to)
	if n.Kind == source.Sequence && n.Items[index].Kind == source.Mapping && index > 0 {
		from = d.commentsAbove(from, s.from-from)
	}
	if index == 0 || from == 0 {
		return []cut{{from, min(to+1, len(d.file.Data)), ""}}, nil
	}
	return []cut{{from - 1, to, ""}}, nil
}

// commentsAbove returns the offset of the first of the comments that stand right above
// a line, indented as it is.
func (d *Doc) commentsAbove(line, indent int) int {
	for line > 0 {
		above := d.lineStart(line - 1)
		text := d.file.Data[above:line]
		if rest := bytes.TrimLeft(text, " "); len(text)-len(rest) != indent || !bytes.HasPrefix(rest, []byte("#")) {
			break
		}
		line = above
	}
	return line
}

// emptyList returns the cuts that leave nothing of a list that is a field's value.
func (d *Doc) emptyList(path Path, list *source.Node) ([]cut, error) {
	if len(path) == 0 {
		return nil, d.byHand()
	}
	key, ok := path[len(path)-1].(string)
	if !ok {
		return nil, d.byHand()
	}
	end, err := d.end(list)
	if err != nil {
		return nil, err
	}
	for _, f := range d.Get(path[:len(path)-1]).Fields {
		if f.Key.Text != key {
			continue
		}
		after, err := d.end(f.Key)
		colon := bytes.IndexByte(d.file.Data[after:], ':')
		if err != nil || colon < 0 {
			return nil, d.byHand()
		}
		colon += after + 1
		return []cut{{colon, colon, " []"}, {d.lineEnd(colon), d.lineEnd(end), ""}}, nil
	}
	return nil, d.byHand()
}
