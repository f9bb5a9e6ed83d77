package problem

import (
	"errors"
	"strings"
	"testing"
)

func TestCaret(t *testing.T) {
	tests := []struct {
		name      string
		line      string
		character int
		want      string // the line and the caret under it, as a terminal shows them
	}{
		{"start", "type: bool", 1, "type: bool\n^"},
		{"middle", "type: bool", 7, "type: bool\n      ^"},
		{"end", "type: bool", 11, "type: bool\n          ^"},
		{"tab", "\ttype: bool", 8, "\ttype: bool\n\t      ^"},
		{"wide", "城市: BJ", 5, "城市: BJ\n      ^"},
		{"kana and fullwidth", "あア１ x", 5, "あア１ x\n       ^"},
		{"halfwidth kana", "ｱ x", 3, "ｱ x\n  ^"},
		{"emoji", "🚀 x", 3, "🚀 x\n   ^"},
		{"accent", "caf\u00e9 x", 6, "caf\u00e9 x\n     ^"},
		{"combining accent", "cafe\u0301 x", 7, "cafe\u0301 x\n     ^"},
		{"per mille", "3‰ x", 4, "3‰ x\n   ^"},
		{"escape sequence", "\x1b[31mx", 6, "\ufffd[31mx\n     ^"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ps := Problems{{File: "f", Line: 3, Column: tt.character, Message: "m", Quote: tt.line,
				Caret: tt.character}}
			var out strings.Builder
			if err := ps.Write(&out); err != nil {
				t.Fatal(err)
			}
			want := ps[0].Error() + "\n    " + strings.ReplaceAll(tt.want, "\n", "\n    ") + "\n"
			if out.String() != want {
				t.Errorf("got\n%s\nwant\n%s", out.String(), want)
			}
		})
	}
}

func TestQuoteCutsLongLines(t *testing.T) {
	line := strings.Repeat("日", 500) + "x" + strings.Repeat("本", 500)
	for _, column := range []int{1, 80, 81, 82, 500, 501, 900, 1000, 1001, 1002} {
		quoted, caret := quote(line, column)
		if n := len([]rune(quoted)); n > maxQuote+2 {
			t.Errorf("column %d: quoted %d characters", column, n)
		}
		if column == 1002 { // the end of the line
			if want := len([]rune(quoted)) + 1; caret != want {
				t.Errorf("caret at %d, want %d, behind the line", caret, want)
			}
			continue
		}
		if got, want := []rune(quoted)[caret-1], []rune(line)[column-1]; got != want {
			t.Errorf("column %d: the caret is under %q, want %q", column, got, want)
		}
	}
	if quoted, caret := quote("short", 3); quoted != "short" || caret != 3 {
		t.Errorf("a short line became %q with the caret at %d", quoted, caret)
	}
}

func TestProblemsAreAnError(t *testing.T) {
	var err error = Problems{{File: "a", Line: 1, Column: 2, Message: "x"},
		{File: "b", Line: 3, Column: 4, Message: "y"}}
	if got, want := err.Error(), "a:1:2: x\nb:3:4: y"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := (Problems{{}}).Write(failingWriter{}); !errors.Is(err, errWrite) {
		t.Errorf("got error %v, want %v", err, errWrite)
	}
}

var errWrite = errors.New("disk full")

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errWrite }
