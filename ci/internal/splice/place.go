package splice

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/serin-flags/serin/ci/internal/source"
)

// start returns the offset of a node.
func (d *Doc) start(n *source.Node) int {
	at := d.lines[n.Line()-1]
	for range n.Column() - 1 {
		_, size := utf8.DecodeRune(d.file.Data[at:])
		at += size
	}
	return at
}

// line returns the number of the line that contains an offset, from 0.
func (d *Doc) line(at int) int {
	i, found := slices.BinarySearch(d.lines, at)
	if found {
		return i
	}
	return i - 1
}

// lineStart returns the offset of the line that contains an offset.
func (d *Doc) lineStart(at int) int { return 1 + bytes.LastIndexByte(d.file.Data[:at], '\n') }

// lineEnd returns the offset of the end of that line.
func (d *Doc) lineEnd(at int) int {
	if i := bytes.IndexByte(d.file.Data[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(d.file.Data)
}

// first reports whether only spaces precede an offset on its line.
func (d *Doc) first(at int) bool {
	return len(bytes.Trim(d.file.Data[d.lineStart(at):at], " ")) == 0
}

// end returns the offset behind a node.
func (d *Doc) end(n *source.Node) (int, error) {
	at := d.start(n)
	if at >= len(d.file.Data) {
		return 0, d.byHand()
	}
	switch {
	case n.Kind == source.Scalar && n.Plain:
		return d.plainEnd(at, n.Text)
	case n.Kind == source.Scalar:
		return d.quoteEnd(at)
	}
	bracket := n.Flow && (d.file.Data[at] == '[' || d.file.Data[at] == '{')
	end, err := at+1, error(nil)
	switch {
	case len(n.Items) > 0:
		end, err = d.end(n.Items[len(n.Items)-1])
	case len(n.Fields) > 0:
		end, err = d.end(n.Fields[len(n.Fields)-1].Value)
	}
	if err != nil || !bracket {
		return end, err
	}
	return d.bracketEnd(end)
}

// plainEnd returns the end of text without quotes, which may span lines.
func (d *Doc) plainEnd(at int, text string) (int, error) {
	data := d.file.Data
	for i := 0; i < len(text); {
		switch {
		case at < len(data) && data[at] == text[i]:
			at++
			i++
		case at < len(data) && i > 0 && isSpace(data[at]):
			// A line break and the spaces around it are one space of the text.
			at++
			if text[i] == ' ' && (at == len(data) || !isSpace(data[at])) {
				i++
			}
		default:
			return 0, d.byHand()
		}
	}
	return at, nil
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' }

// quoteEnd returns the end of text in quotes, or in a block after | or >.
func (d *Doc) quoteEnd(at int) (int, error) {
	data := d.file.Data
	switch quote := data[at]; quote {
	case '"', '\'':
		for at++; at < len(data); at++ {
			switch {
			case data[at] == '\\' && quote == '"':
				at++
			case data[at] == quote && quote == '\'' && at+1 < len(data) && data[at+1] == quote:
				at++
			case data[at] == quote:
				return at + 1, nil
			}
		}
		return 0, d.byHand()
	case '|', '>':
		return d.blockEnd(at)
	}
	return 0, d.byHand()
}

// blockEnd returns the end of the last line of a block of text that isn't empty.
func (d *Doc) blockEnd(at int) (int, error) {
	header := d.lineEnd(at)
	if bytes.ContainsAny(d.file.Data[at:header], "0123456789") {
		return 0, d.byHand() // its lines may be indented as much as what follows
	}
	end, indent := header, -1
	for at = header; at < len(d.file.Data); {
		from := at + 1
		at = d.lineEnd(from)
		line := d.file.Data[from:at]
		text := bytes.TrimLeft(line, " ")
		if len(text) == 0 {
			continue
		}
		if indent < 0 {
			indent = len(line) - len(text)
		}
		if len(line)-len(text) < indent || indent == 0 {
			break
		}
		end = at
	}
	return end, nil
}

// bracketEnd returns the offset behind a closing bracket, which only spaces, line
// breaks, comments and a comma may precede.
func (d *Doc) bracketEnd(at int) (int, error) {
	data := d.file.Data
	for at < len(data) {
		switch {
		case data[at] == ']' || data[at] == '}':
			return at + 1, nil
		case data[at] == '#':
			at = d.lineEnd(at)
		case isSpace(data[at]) || data[at] == ',':
			at++
		default:
			return 0, d.byHand()
		}
	}
	return 0, d.byHand()
}

// remark reports whether a comment follows on the line of an offset, after spaces and
// perhaps a comma.
func (d *Doc) remark(at int) bool {
	rest := strings.TrimLeft(string(d.file.Data[at:d.lineEnd(at)]), " \t,")
	return strings.HasPrefix(rest, "#")
}

// dash returns the offset of the dash of a list's item.
func (d *Doc) dash(item *source.Node) (int, error) {
	before := bytes.TrimRight(d.file.Data[:d.start(item)], " \n")
	if !bytes.HasSuffix(before, []byte("-")) || !d.first(len(before)-1) {
		return 0, d.byHand()
	}
	return len(before) - 1, nil
}
