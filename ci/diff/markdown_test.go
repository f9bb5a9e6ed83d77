package diff_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/evaluator"
)

// hostile is a name that would mean something in Markdown, HTML and terminals.
const hostile = "a|b`c<script>&amp;*_[x](http://example.com)\n\n# title\r\x1b[31m@everyone \u202eevil"

func markdown(t *testing.T, r diff.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Markdown(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestMarkdownEscapes: a published environment may have any names.
func TestMarkdownEscapes(t *testing.T) {
	old := evaluator.Flag{Key: hostile, Type: evaluator.KindString, Variants: []evaluator.Variant{
		{Name: hostile, Value: evaluator.StringValue(hostile)}, {Name: "off", Value: evaluator.StringValue("")},
	}}
	new := old
	new.Rules = []evaluator.Rule{{Name: hostile,
		Split: &evaluator.Split{Bucketing: evaluator.Bucketing{By: "user", Salt: hostile, Hash: evaluator.HashMurmur3},
			Ranges: []evaluator.Range{{From: 0, To: 1 << 31, Variant: 0},
				{From: 1 << 31, To: evaluator.Positions, Variant: 1}}}}}
	p := diff.Pair{Environment: hostile, Old: payloads([]evaluator.Flag{old}), New: payloads([]evaluator.Flag{new})}
	p.Old[0].Namespace, p.New[0].Namespace = hostile, hostile+"2"
	r := compare(t, diff.Config{Now: at, Pairs: []diff.Pair{p}})
	r.Old, r.New = hostile, hostile
	got := markdown(t, r)

	// Without what is ours, there is nothing left that means something.
	rest, blocks := got, 0
	for _, block := range regexp.MustCompile("(?s)```+text\n.*?\n```+\n").FindAllString(got, -1) {
		rest = strings.Replace(rest, block, "", 1)
		blocks++
		if fence, _, _ := strings.Cut(block, "text"); strings.Count(block, fence) != 2 {
			t.Errorf("a block could end early:\n%s", block)
		}
	}
	rest = regexp.MustCompile(`</?(code|details|summary)>`).ReplaceAllString(rest, "")
	rest = regexp.MustCompile(`(?m)^\| .* \|$|^\|---.*$|^- |^### |\*\*|^> `).ReplaceAllString(rest, "")
	if i := strings.IndexAny(rest, "<>`*_[]|\x1b\r\u202e"); i >= 0 || blocks != 1 {
		t.Errorf("%d blocks, and not escaped: %.40q", blocks, rest[max(i, 0):])
	}
	if strings.Contains(got, "\n# title") || strings.Contains(got, "@everyone") {
		t.Errorf("a title or a mention:\n%s", got)
	}
	for line := range strings.Lines(got) {
		if strings.HasPrefix(line, "|") && strings.Count(line, "|") != 5 {
			t.Errorf("a row of the table has %d bars: %s", strings.Count(line, "|"), line)
		}
	}
	var text bytes.Buffer
	if err := r.Text(&text); err != nil || strings.ContainsAny(text.String(), "\x1b\r\u202e") {
		t.Errorf("the text has control characters, or %v:\n%q", err, text.String())
	}
}

// TestMarkdownLength: GitHub refuses longer comments.
func TestMarkdownLength(t *testing.T) {
	for _, n := range []int{1, 50, 5000} {
		for _, name := range []string{"flag", strings.Repeat("a|b", 100)} {
			var old, new []evaluator.Flag
			for i := range n {
				f := evaluator.Flag{Key: fmt.Sprintf("%s-%d", name, i), Type: evaluator.KindBool,
					Variants: []evaluator.Variant{
						{Name: "on", Value: evaluator.BoolValue(true)}, {Name: name, Value: evaluator.BoolValue(false)},
					}}
				old = append(old, f)
				f.Default = 1
				for j := range min(n, 10) {
					f.Rules = append(f.Rules, evaluator.Rule{Name: fmt.Sprintf("%s-%d", name, j)})
				}
				new = append(new, f)
			}
			pairs := []diff.Pair{
				{Environment: "production", Old: payloads(old), New: payloads(new)},
				{Environment: "staging", Old: payloads(old), New: payloads(new[1:])},
			}
			got := markdown(t, compare(t, diff.Config{Now: at, Pairs: pairs}))
			if length := utf8.RuneCountInString(got); length > diff.MaxMarkdown {
				t.Errorf("%d flags: the comment has %d characters", n, length)
			}
			if strings.Count(got, "<details>") != strings.Count(got, "</details>") {
				t.Errorf("%d flags: details don't end", n)
			}
			if more := strings.Contains(got, "more flags whose details are left out"); more != (n > 1) {
				t.Errorf("%d flags called %.10s: says that some are left out: %v", n, name, more)
			}
		}
	}
}

func TestShare(t *testing.T) {
	for text, want := range map[string]string{
		"5%": "5%", "0.5%": "0.5%", "3‰": "0.3%", "0%": "0%", "100%": "100%", "0.00001%": "<0.0001%",
		"99.99999%": ">99.9999%",
		"33.33333%": "33.3333%",
	} {
		if s, err := diff.ParseShare(text); err != nil || s.String() != want {
			t.Errorf("ParseShare(%q) = %v, %v, want %s", text, s, err, want)
		}
	}
	for _, text := range []string{"", "5", "%", "-5%", "1e9%", "101%", "1/3%", "0x5%", "5%%", "..%", "+5%",
		strings.Repeat("9", 99) + "%"} {
		if s, err := diff.ParseShare(text); err == nil {
			t.Errorf("ParseShare(%q) = %v", text, s)
		}
	}
}
