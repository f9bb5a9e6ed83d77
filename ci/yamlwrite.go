package ci

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxFlow is the length in bytes of what is written in brackets or braces on one
// line; what is longer is written on lines of its own.
const maxFlow = 100

// formatYAML returns a mapping as YAML, with comments after some of its keys.
func formatYAML(n *node, comments map[string]string) string {
	w := yamlWriter{comments: comments}
	w.mapping(n, 0, false)
	return w.b.String()
}

// A yamlWriter writes nodes as YAML that parses to the same nodes. What stood in
// brackets or braces does so again, as far as it is short. Comments are gone.
type yamlWriter struct {
	b strings.Builder
	// comments are put after keys of the outermost mapping.
	comments map[string]string
}

// mapping writes a mapping on lines of its own. The first line is indented
// already if it goes on from a dash.
func (w *yamlWriter) mapping(n *node, indent int, indented bool) {
	for i, f := range n.fields {
		if i > 0 || !indented {
			w.indent(indent)
		}
		w.b.WriteString(scalarText(f.key))
		w.b.WriteByte(':')
		comment := ""
		if text, ok := w.comments[f.key.text]; ok && indent == 0 {
			comment = "  # " + text
		}
		w.value(f.value, indent, comment)
	}
}

// value writes what stands after a key, and ends the line.
func (w *yamlWriter) value(n *node, indent int, comment string) {
	text, short := w.flow(n)
	lines, block := blockText(n)
	switch {
	case block:
		w.b.WriteString(" |" + lines[0] + comment + "\n")
		for _, line := range lines[1:] {
			if line != "" {
				w.indent(indent + 2)
			}
			w.b.WriteString(line + "\n")
		}
	case short:
		w.b.WriteString(" " + text + comment + "\n")
	case n.kind == mapping:
		w.b.WriteString(comment + "\n")
		w.mapping(n, indent+2, false)
	default:
		w.b.WriteString(comment + "\n")
		w.sequence(n, indent+2, false)
	}
}

// sequence writes a list on lines of its own.
func (w *yamlWriter) sequence(n *node, indent int, indented bool) {
	for i, item := range n.items {
		if i > 0 || !indented {
			w.indent(indent)
		}
		w.b.WriteString("- ")
		text, short := w.flow(item)
		switch {
		case short:
			w.b.WriteString(text + "\n")
		case item.kind == mapping:
			w.mapping(item, indent+2, true)
		default:
			w.sequence(item, indent+2, true)
		}
	}
}

func (w *yamlWriter) indent(n int) { w.b.WriteString(strings.Repeat(" ", n)) }

// flow returns n on one line. It reports false if it doesn't belong on one.
func (w *yamlWriter) flow(n *node) (text string, short bool) {
	if n.kind == scalar {
		return scalarText(n), true
	}
	if len(n.items)+len(n.fields) > 0 && (!n.flow || !fits(n, maxFlow)) {
		return "", false
	}
	return flowText(n), true
}

// fits reports whether n takes a line of that length at most. It looks at no
// more than that.
func fits(n *node, length int) bool { return flowLeft(n, length) >= 0 }

// flowLeft returns what n leaves of a length, less than 0 if it is too long.
func flowLeft(n *node, left int) int {
	if n.kind == scalar {
		return left - len(n.text)
	}
	for _, item := range n.items {
		if left = flowLeft(item, left) - len(", "); left < 0 {
			return left
		}
	}
	for _, f := range n.fields {
		if left = flowLeft(f.value, left-len(f.key.text)) - len(": , "); left < 0 {
			return left
		}
	}
	return left
}

// flowText returns n on one line.
func flowText(n *node) string {
	var parts []string
	switch n.kind {
	case scalar:
		return scalarText(n)
	case sequence:
		for _, item := range n.items {
			parts = append(parts, flowText(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	for _, f := range n.fields {
		parts = append(parts, scalarText(f.key)+": "+flowText(f.value))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// scalarText returns a scalar as it can stand anywhere, on one line.
func scalarText(n *node) string {
	if n.plain && (n.scalarType() != textScalar || plainText(n.text)) {
		return n.text
	}
	return quoteText(n.text)
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

// quoteText returns text in double quotes.
func quoteText(text string) string {
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
func blockText(n *node) (lines []string, ok bool) {
	if n.kind != scalar || n.plain || !strings.Contains(n.text, "\n") {
		return nil, false
	}
	text, end := strings.CutSuffix(n.text, "\n")
	lines = []string{"-"}
	if end {
		lines[0] = ""
	}
	if strings.HasPrefix(text, "\n") || strings.HasSuffix(text, "\n") {
		return nil, false
	}
	for line := range strings.SplitSeq(text, "\n") {
		if strings.TrimSpace(line) != line || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return nil, false
		}
		lines = append(lines, line)
	}
	return lines, true
}
