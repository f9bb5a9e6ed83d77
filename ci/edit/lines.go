package edit

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits on a text with edits, which anybody may have written.
const (
	maxText  = 128 << 10 // bytes
	maxEdits = 50
	maxLine  = 1000 // bytes
)

// ParseLines reads edits, one a line. Empty lines, and those that start with #, are ignored. It
// refuses characters that people can't see, such as those that reverse the direction of writing.
func ParseLines(text string) ([]Edit, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("the text is longer than %d KiB", maxText>>10)
	}
	if !utf8.ValidString(text) {
		return nil, errors.New("the text isn't valid UTF-8")
	}
	var edits []Edit
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if len(line) > maxLine {
			return nil, fmt.Errorf("line %d is longer than %d bytes", number, maxLine)
		}
		if i := strings.IndexFunc(line, unseen); i >= 0 {
			r, _ := utf8.DecodeRuneInString(line[i:])
			return nil, fmt.Errorf("line %d contains the character %U, which people can't see", number, r)
		}
		e, err := Parse(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if edits = append(edits, e); len(edits) > maxEdits {
			return nil, fmt.Errorf("there are more than %d edits", maxEdits)
		}
	}
	if len(edits) == 0 {
		return nil, fmt.Errorf("there is no edit; write one a line:\n%s", strings.Join(Forms(), "\n"))
	}
	return edits, nil
}

// unseen reports whether a character isn't visible, other than a space or a tab.
func unseen(r rune) bool { return r != '\t' && !unicode.IsPrint(r) }

// ParseMarkdown reads edits from a text with one block of code, such as an issue: they are the
// lines of that block, as by [ParseLines]. What stands around it is ignored.
func ParseMarkdown(text string) ([]Edit, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("the text is longer than %d KiB", maxText>>10)
	}
	var block strings.Builder
	fence, blocks := "", 0
	for line := range strings.Lines(text) {
		run := fenceOf(line)
		switch {
		case fence == "" && run != "":
			fence = run
			blocks++
		case fence != "" && len(run) >= len(fence) && run[0] == fence[0] && strings.TrimSpace(line) == run:
			fence = ""
		case fence != "":
			block.WriteString(line)
		}
	}
	switch {
	case blocks == 0:
		return nil, errors.New("the text has no block of code with edits: put them between two lines of ```")
	case blocks > 1:
		return nil, errors.New("the text has more than one block of code: put all edits into one")
	case fence != "":
		return nil, errors.New("the block of code has no end: put ``` below the edits")
	}
	return ParseLines(block.String())
}

// fenceOf returns what begins or ends a block of code on a line, "" if nothing does.
func fenceOf(line string) string {
	text := strings.TrimLeft(line, " ")
	if len(line)-len(text) > 3 {
		return ""
	}
	for _, c := range []string{"`", "~"} {
		if run := text[:len(text)-len(strings.TrimLeft(text, c))]; len(run) >= 3 {
			return run
		}
	}
	return ""
}
