package gogen

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/display"
)

// columns is how wide comments are.
const columns = 90

// comment writes paragraphs as a comment. Their text may contain anything.
func (g *generator) comment(paragraphs ...string) {
	first := true
	for _, text := range paragraphs {
		if text == "" {
			continue
		}
		if !first {
			g.printf("//\n")
		}
		first = false
		line := "//"
		for _, word := range strings.Fields(text) {
			word = display.Line(word)
			if line != "//" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > columns {
				g.printf("%s\n", line)
				line = "//"
			}
			line += " " + word
		}
		g.printf("%s\n", line)
	}
}

// said returns what follows the name of something in a comment: its description, if it has
// one, and the end of the sentence.
func said(description string) string {
	description = strings.Join(strings.Fields(description), " ")
	switch {
	case description == "":
		return "."
	case strings.ContainsAny(description[len(description)-1:], ".!?"):
		return ": " + description
	}
	return ": " + description + "."
}

// ownership says whose a flag is and until when, or "".
func ownership(f *ci.EffectiveFlag) string {
	var parts []string
	if f.Owner != "" {
		parts = append(parts, "Owner: "+f.Owner+".")
	}
	if f.Expires != "" {
		parts = append(parts, "Expires: "+f.Expires+".")
	}
	return strings.Join(parts, " ")
}

// handle returns the function of package sdk that makes a handle of a type, and an
// expression for its default.
func handle(kind evaluator.Kind, v evaluator.Value) (constructor, def string) {
	switch kind {
	case evaluator.KindBool:
		b, _ := v.Bool()
		return "Bool", strconv.FormatBool(b)
	case evaluator.KindInt:
		i, _ := v.Int()
		return "Int", strconv.FormatInt(i, 10)
	case evaluator.KindFloat:
		f, _ := v.Float()
		return "Float", float(f)
	case evaluator.KindObject:
		return "JSON", "json.RawMessage(" + literal(compact(v.JSON())) + ")"
	}
	s, _ := v.Text()
	return "String", literal(s)
}

// float returns a constant for a finite number. There is none for the negative zero, which
// equals zero.
func float(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// literal returns a string constant, between backquotes if that is easier to read.
func literal(s string) string {
	if strings.ContainsAny(s, `"\`) && strconv.CanBackquote(s) && !strings.ContainsFunc(s, display.Hidden) {
		return "`" + s + "`"
	}
	return strconv.Quote(s)
}

// compact returns JSON without the spaces that mean nothing.
func compact(data []byte) string {
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		return string(data)
	}
	return b.String()
}
