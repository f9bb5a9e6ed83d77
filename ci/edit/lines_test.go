package edit_test

import (
	"strings"
	"testing"

	"github.com/serin-flags/serin/ci/edit"
)

func TestParseMarkdown(t *testing.T) {
	const fence = "```"
	for _, c := range []struct{ text, want string }{
		{"### Edits\r\n\r\n```text\r\ndisable new-cart\r\n\r\n# why\r\nshare a 'b c' on=30% in staging\r\n```\r\n\r\nMore.\r\n",
			"disable new-cart; share a \"b c\" on=30% in staging"},
		{"~~~\nenable a\n```\n~~~\n", "line 2: unknown edit \"```\""},
		{"enable a\n", "the text has no block of code"},
		{fence + "\nenable a\n" + fence + "\n" + fence + "\nenable b\n" + fence, "more than one block of code"},
		{fence + "\nenable a\n", "the block of code has no end"},
		{fence + "\n" + fence, "there is no edit"},
		{fence + "\nenable a\u202eb\n" + fence, "line 1 contains the character U+202E"},
		{fence + "\nenable a\x00\n" + fence, "line 1 contains the character U+0000"},
		{fence + "\nenable \xff\n" + fence, "isn't valid UTF-8"},
		{fence + "\nenable a\u2028disable b\n" + fence, "line 1 contains the character U+2028"},
		{fence + "\nenable " + strings.Repeat("a", 2000) + "\n" + fence, "line 1 is longer than 1000 bytes"},
		{fence + "\n" + strings.Repeat("enable a\n", 51) + fence, "there are more than 50 edits"},
		{strings.Repeat("x", 1<<20), "longer than 128 KiB"},
		{fence + "\nrm -rf /\n" + fence, "line 1: unknown edit \"rm\""},
		{fence + "\ndisable $(id) in `id`\n" + fence, "disable $(id) in `id`"},
		{fence + "\ndisable a --commit\n" + fence, "line 1: \"disable a --commit\" isn't complete or has too many words"},
	} {
		edits, err := edit.ParseMarkdown(c.text)
		var list []string
		for _, e := range edits {
			list = append(list, e.String())
		}
		got := strings.Join(list, "; ")
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%.60q: got %s, want %s", c.text, got, c.want)
		}
	}
}

// FuzzParseMarkdown holds that whatever an issue says, edits mean what they are printed as.
func FuzzParseMarkdown(f *testing.F) {
	f.Add("```\ndisable a\nshare b 'c d' on=1% in e\n```\n")
	f.Add("~~~text\nadd \"'\" to segments/a\n~~~")
	f.Fuzz(func(t *testing.T, text string) {
		edits, err := edit.ParseMarkdown(text)
		if err != nil {
			return
		}
		var lines strings.Builder
		for _, e := range edits {
			if strings.ContainsAny(e.String(), "\r\n\x00") {
				t.Errorf("%q has several lines", e)
			}
			lines.WriteString(e.String() + "\n")
		}
		again, err := edit.ParseLines(lines.String())
		if err != nil || len(again) != len(edits) {
			t.Fatalf("%q: %v", lines.String(), err)
		}
		for i := range again {
			if again[i].String() != edits[i].String() {
				t.Errorf("%q became %q", edits[i], again[i])
			}
		}
	})
}
