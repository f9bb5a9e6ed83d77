package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/internal/compose"
	"github.com/serin-flags/serin/ci/internal/source"
)

// maxDepth is how deep sources may nest lists and objects.
const maxDepth = 1000

// Decode decodes JSON into v and says where it is wrong: nothing may follow it, and it may not
// nest deeper than 1,000 levels.
func Decode(data []byte, v any) error {
	if err := checkDepth(data); err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return decodeError(data, err)
	}
	return nil
}

// DecodeNumbers is [Decode], with numbers as [json.Number] where v has room for any value.
func DecodeNumbers(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := checkDepth(data); err != nil {
		return err
	}
	if err := d.Decode(v); err != nil {
		return decodeError(data, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Refusef(place(data, d.InputOffset()), "something follows the JSON")
	}
	return nil
}

func decodeError(data []byte, err error) error {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax) && syntax.Offset >= int64(len(data)) &&
		strings.HasPrefix(syntax.Error(), "unexpected end"):
		return Refusef("", "the JSON is incomplete, or the file is empty")
	case errors.As(err, &syntax):
		return Refusef(place(data, syntax.Offset), "it isn't JSON: %s", syntax)
	case errors.As(err, &typ):
		at := typ.Field
		if at == "" {
			at = place(data, typ.Offset)
		}
		return Refusef(at, "a JSON %s can't stand here", typ.Value)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Refusef("", "the JSON is incomplete, or the file is empty")
	}
	return err
}

// place returns the line and the column of an offset.
func place(data []byte, offset int64) string {
	before := data[:min(max(offset, 0), int64(len(data)))]
	line := bytes.Count(before, []byte("\n")) + 1
	return "line " + strconv.Itoa(line) + ", column " + strconv.Itoa(len(before)-bytes.LastIndexByte(before, '\n'))
}

// checkDepth bounds the depth before anything recursive reads the JSON.
func checkDepth(data []byte) error {
	depth, inText := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return Refusef(place(data, int64(i)), "lists and objects nest deeper than %d levels", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// JSONText returns text as JSON.
func JSONText(text string) string {
	b := new(bytes.Buffer)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		return `""`
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// jsonNode returns a JSON value as YAML. Text stays quoted if it could be something else.
func jsonNode(value string) *source.Node {
	d := json.NewDecoder(bytes.NewReader([]byte(value)))
	d.UseNumber()
	n, err := nextNode(d)
	if err != nil {
		return source.Text(value)
	}
	return n
}

// nextNode reads one value.
func nextNode(d *json.Decoder) (*source.Node, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		return nextCollection(d, t)
	case string:
		return source.Text(t), nil
	case json.Number:
		return compose.Plain(t.String()), nil
	case bool:
		return compose.Plain(strconv.FormatBool(t)), nil
	}
	return compose.Plain("null"), nil
}

func nextCollection(d *json.Decoder, open json.Delim) (*source.Node, error) {
	n := compose.List()
	if open == '{' {
		n = compose.Map()
	}
	for d.More() {
		key := ""
		if open == '{' {
			token, err := d.Token()
			if err != nil {
				return nil, err
			}
			key, _ = token.(string)
		}
		value, err := nextNode(d)
		if err != nil {
			return nil, err
		}
		if open == '{' {
			n.With(key, value)
		} else {
			n.Items = append(n.Items, value)
		}
	}
	_, err := d.Token()
	return n, err
}
