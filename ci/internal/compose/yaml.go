package compose

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/serin-flags/serin/ci/internal/source"
)

// maxFlow is the length in bytes of what is written in brackets or braces on one
// line; what is longer is written on lines of its own.
const maxFlow = 100

// YAML returns a mapping as YAML, with comments after some of its keys.
func YAML(n *source.Node, comments map[string]string) string {
	w := yamlWriter{comments: comments}
	w.mapping(n, 0, false)
	return w.B.String()
}

// A yamlWriter writes nodes as YAML that parses to the same nodes. What stood in
// brackets or braces does so again, as far as it is short. Comments are gone.
type yamlWriter struct {
	B strings.Builder
	// comments are put after keys of the outermost mapping.
	comments map[string]string
}

// mapping writes a mapping on lines of its own. The first line is indented
// already if it goes on from a dash.
func (w *yamlWriter) mapping(n *source.Node, indent int, indented bool) {
	for i, f := range n.Fields {
		if i > 0 || !indented {
			w.indent(indent)
		}
		w.B.WriteString(scalarText(f.Key))
		w.B.WriteByte(':')
		comment := ""
		if text, ok := w.comments[f.Key.Text]; ok && indent == 0 {
			comment = "  # " + text
		}
		w.value(f.Value, indent, comment)
	}
}

// value writes the value of a key, and ends the line.
func (w *yamlWriter) value(n *source.Node, indent int, comment string) {
	text, short := w.flow(n)
	lines, block := blockText(n)
	switch {
	case block:
		w.B.WriteString(" |" + lines[0] + comment + "\n")
		for _, line := range lines[1:] {
			if line != "" {
				w.indent(indent + 2)
			}
			w.B.WriteString(line + "\n")
		}
	case short:
		w.B.WriteString(" " + text + comment + "\n")
	case n.Kind == source.Mapping:
		w.B.WriteString(comment + "\n")
		w.mapping(n, indent+2, false)
	default:
		w.B.WriteString(comment + "\n")
		w.sequence(n, indent+2, false)
	}
}

// sequence writes a list on lines of its own.
func (w *yamlWriter) sequence(n *source.Node, indent int, indented bool) {
	for i, item := range n.Items {
		if i > 0 || !indented {
			w.indent(indent)
		}
		w.B.WriteString("- ")
		text, short := w.flow(item)
		switch {
		case short:
			w.B.WriteString(text + "\n")
		case item.Kind == source.Mapping:
			w.mapping(item, indent+2, true)
		default:
			w.sequence(item, indent+2, true)
		}
	}
}

func (w *yamlWriter) indent(n int) { w.B.WriteString(strings.Repeat(" ", n)) }

// flow returns n on one line. It reports false if it doesn't belong on one.
func (w *yamlWriter) flow(n *source.Node) (text string, short bool) {
	if n.Kind == source.Scalar {
		return scalarText(n), true
	}
	if len(n.Items)+len(n.Fields) > 0 && (!n.Flow || !fits(n, maxFlow)) {
		return "", false
	}
	return Flow(n), true
}

// fits reports whether n takes a line of that length at most. It looks at no
// more than that.
func fits(n *source.Node, length int) bool { return flowLeft(n, length) >= 0 }

// flowLeft returns what n leaves of a length, less than 0 if it is too long.
func flowLeft(n *source.Node, left int) int {
	if n.Kind == source.Scalar {
		return left - len(n.Text)
	}
	for _, item := range n.Items {
		if left = flowLeft(item, left) - len(", "); left < 0 {
			return left
		}
	}
	for _, f := range n.Fields {
		if left = flowLeft(f.Value, left-len(f.Key.Text)) - len(": , "); left < 0 {
			return left
		}
	}
	return left
}

// Flow returns n on one line.
func Flow(n *source.Node) string {
	var parts []string
	switch n.Kind {
	case source.Scalar:
		return scalarText(n)
	case source.Sequence:
		for _, item := range n.Items {
			parts = append(parts, Flow(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	for _, f := range n.Fields {
		parts = append(parts, scalarText(f.Key)+": "+Flow(f.Value))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// scalarText returns a scalar on one line, in a form that is valid anywhere.
func scalarText(n *source.Node) string {
	if n.Plain && (n.Type() != source.TextScalar || plainText(n.Text)) {
		return n.Text
	}
	return Quote(n.Text)
}

// plainText reports whether text means itself without quotes, in brackets too.
// Where that is in doubt it says no: quotes don't change what text is.
func plainText(text string) bool {
	first, _ := utf8.DecodeRuneInString(text)
	if !unicode.IsLetter(first) && !unicode.IsDigit(first) && first != '_' && first != '/' {
		return false
	}
	last := first
	for i, r := range text {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), strings.ContainsRune("_-./%‰+=<>~()@", r):
		case r == ' ' && last != ' ' && i+1 < len(text) && text[i+1] != '#':
		case r == ':' && i+1 < len(text) && '0' <= text[i+1] && text[i+1] <= '9': // a time
		default:
			return false
		}
		last = r
	}
	return true
}

// Quote returns text in double quotes, as YAML and JSON have it.
func Quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r > 0xffff && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		case !unicode.IsPrint(r): // no-break spaces and their like, too
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// blockText returns text of several lines as a block of them: first what stands
// behind the bar, then the lines. It reports false if it must be quoted.
func blockText(n *source.Node) (lines []string, ok bool) {
	if n.Kind != source.Scalar || n.Plain || !strings.Contains(n.Text, "\n") {
		return nil, false
	}
	text, end := strings.CutSuffix(n.Text, "\n")
	lines = []string{"-"}
	if end {
		lines[0] = ""
	}
	if strings.HasPrefix(text, "\n") || strings.HasSuffix(text, "\n") {
		return nil, false
	}
	for line := range strings.SplitSeq(text, "\n") {
		if strings.TrimSpace(line) != line ||
			strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return nil, false
		}
		lines = append(lines, line)
	}
	return lines, true
}
