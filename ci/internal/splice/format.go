package splice

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/internal/source"
)

// Format gives the file its canonical style: the outermost keys in an order, two spaces of
// indentation for each level, a single space behind a dash, no spaces at the ends of
// lines, no more than one empty line in a row, and none at the beginning and the end.
// What stands within brackets, quotes and blocks of text stays as it is, and so do line
// breaks. Comments move with what is below them, but those at the top stay there.
//
// Formatting twice does no more than formatting once. JSON stays as it is.
func (d *Doc) Format(order []string) error {
	if d.json() || d.file.Root.Kind == source.Scalar {
		return nil
	}
	f := formatting{doc: d, lines: newLines(string(d.file.Data))}
	if err := f.node(d.file.Root, 0); err != nil {
		return err
	}
	want := *d.file.Root
	blocks := [][]formatLine{f.indented()}
	if want.Kind == source.Mapping && !want.Flow {
		rank := func(field source.Field) int {
			if i := slices.Index(order, field.Key.Text); i >= 0 {
				return i
			}
			return len(order)
		}
		blocks = f.blocks(want.Fields, rank)
		want.Fields = slices.Clone(want.Fields)
		slices.SortStableFunc(want.Fields, func(a, b source.Field) int { return cmp.Compare(rank(a), rank(b)) })
	}
	text := join(slices.Concat(blocks...))
	return d.apply(&want, cut{0, len(d.file.Data), text})
}

// A formatLine is a line of the file, and what becomes of it.
type formatLine struct {
	text   string // without its indentation
	indent int
	to     int // the new indentation, -1 if it isn't known
	// inner says that the line continues something that began on a line before it, and
	// text that this is a value's text, in which spaces count.
	inner, value bool
}

func (l *formatLine) blank() bool   { return strings.TrimSpace(l.text) == "" }
func (l *formatLine) comment() bool { return strings.HasPrefix(l.text, "#") && !l.inner }

func newLines(text string) []formatLine {
	var lines []formatLine
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		rest := strings.TrimLeft(line, " ")
		lines = append(lines, formatLine{text: rest, indent: len(line) - len(rest), to: -1})
	}
	return lines
}

// A formatting decides where the lines of a file begin.
type formatting struct {
	doc   *Doc
	lines []formatLine
}

// node places a block, whose keys or dashes are to be indented by to.
func (f *formatting) node(n *source.Node, to int) error {
	if n.Flow { // the file as a whole
		at := f.doc.start(n)
		if f.doc.first(at) {
			f.lines[n.Line()-1].to = to
		}
		return f.follow(n, at, to)
	}
	for _, field := range n.Fields {
		at := f.doc.start(field.Key)
		if f.doc.first(at) {
			f.lines[field.Key.Line()-1].to = to
		}
		if err := f.value(field.Value, at, to); err != nil {
			return err
		}
	}
	for _, item := range n.Items {
		if err := f.item(item, to); err != nil {
			return err
		}
	}
	return nil
}

// value places the value of a key that is at an offset and gets an indentation.
func (f *formatting) value(n *source.Node, key, to int) error {
	if n.Kind == source.Scalar || n.Flow {
		return f.follow(n, key, to)
	}
	return f.node(n, to+2)
}

// item places an item of a list, whose dash gets an indentation.
func (f *formatting) item(n *source.Node, to int) error {
	start := f.doc.start(n)
	before := bytes.TrimRight(f.doc.file.Data[:start], " \t\n")
	dash := len(before) - 1
	if dash < 0 || before[dash] != '-' {
		return f.doc.byHand() // a comment stands between
	}
	at := f.doc.line(dash)
	if f.doc.first(dash) {
		f.lines[at].to = to
	}
	if n.Kind != source.Scalar && !n.Flow {
		if err := f.node(n, to+2); err != nil {
			return err
		}
	} else if err := f.follow(n, dash, to); err != nil {
		return err
	}
	if at == n.Line()-1 { // after its own items, whose dashes may be on this line
		line := &f.lines[at]
		column := dash + 1 - f.doc.lineStart(dash) - line.indent
		line.text = line.text[:column] + " " + strings.TrimLeft(line.text[column:], " \t")
	}
	return nil
}

// follow places the further lines of a value as those of what it belongs to, which is at
// an offset and gets an indentation.
func (f *formatting) follow(n *source.Node, at, to int) error {
	end, err := f.doc.end(n)
	if err != nil {
		return err
	}
	shift := to - (at - f.doc.lineStart(at))
	for i := f.doc.line(at) + 1; i <= f.doc.line(end-1) && i < len(f.lines); i++ {
		l := &f.lines[i]
		l.inner, l.value = true, n.Kind == source.Scalar
		if l.text != "" {
			l.to = max(0, l.indent+shift)
		}
	}
	return nil
}

// indented returns the lines, with comments placed like what they are about.
func (f *formatting) indented() []formatLine {
	out := slices.Clone(f.lines)
	for i := range out {
		l := &out[i]
		if l.to < 0 && l.comment() {
			l.to = f.beside(i)
		}
		if l.to >= 0 {
			l.indent = l.to
		}
	}
	return out
}

// beside returns the indentation of a comment: as the line below that is indented as far,
// or else above, and otherwise as far from the one below as before.
func (f *formatting) beside(i int) int {
	old := f.lines[i].indent
	below := f.content(i, 1)
	for _, other := range []*formatLine{below, f.content(i, -1)} {
		if other != nil && other.indent == old && other.to >= 0 {
			return other.to
		}
	}
	if below != nil && below.to >= 0 && below.indent < old {
		// It ends a block: find a line of that block.
		for j := i - 1; j >= max(0, i-maxComment); j-- {
			if l := &f.lines[j]; l.to >= 0 && !l.inner && l.indent <= old {
				return l.to + old - l.indent
			}
		}
	}
	if below != nil && below.to >= 0 {
		return max(0, below.to+old-below.indent)
	}
	return old
}

// content returns the next line in a direction that begins something, or nil. It looks at
// a few lines only: comments are short.
func (f *formatting) content(i, step int) *formatLine {
	for range maxComment {
		i += step
		if i < 0 || i >= len(f.lines) {
			return nil
		}
		if l := &f.lines[i]; !l.blank() && !l.comment() && !l.inner {
			return l
		}
	}
	return nil
}

// maxComment is the number of lines after which a comment isn't about what follows.
const maxComment = 200

// blocks returns the lines in the order of the outermost fields: first what is above
// them all, then each field with what is above it, and then the rest.
func (f *formatting) blocks(fields []source.Field, rank func(source.Field) int) [][]formatLine {
	lines := f.indented()
	type block struct {
		rank  int
		lines []formatLine
	}
	var blocks []block
	from := fields[0].Key.Line() - 1
	for i, field := range fields {
		to := len(lines)
		if i+1 < len(fields) {
			to = f.above(lines, from, fields[i+1].Key.Line()-1)
		} else {
			to = f.above(lines, from, to)
		}
		blocks = append(blocks, block{rank(field), lines[from:to]})
		from = to
	}
	slices.SortStableFunc(blocks, func(a, b block) int { return cmp.Compare(a.rank, b.rank) })
	out := [][]formatLine{lines[:fields[0].Key.Line()-1]}
	for _, b := range blocks {
		out = append(out, b.lines)
	}
	return append(out, lines[from:])
}

// above returns where what is above a line begins, after the field that starts at from:
// empty lines, and comments that aren't indented.
func (f *formatting) above(lines []formatLine, from, line int) int {
	for line-1 > from {
		if l := &lines[line-1]; l.inner || !l.blank() && (!l.comment() || l.indent > 0) {
			break
		}
		line--
	}
	return line
}

// join returns lines as text, without spaces at their ends and empty lines that are too
// many.
func join(lines []formatLine) string {
	var b strings.Builder
	empty := false
	for _, l := range lines {
		text := l.text
		if !l.value {
			text = strings.TrimRight(text, " \t")
		}
		if text == "" && !l.value {
			empty = b.Len() > 0
			continue
		}
		if empty {
			b.WriteByte('\n')
			empty = false
		}
		if text != "" {
			b.WriteString(strings.Repeat(" ", l.indent))
		}
		b.WriteString(text)
		b.WriteByte('\n')
	}
	return b.String()
}
