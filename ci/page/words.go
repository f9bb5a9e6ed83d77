package page

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/display"
	"github.com/serin-flags/serin/internal/served"
)

// A piece is a part of a sentence.
type piece struct {
	Text string
	Code bool   // a name or a value
	Href string // where the name is explained; "": nowhere
}

// A sentence is text with names and values in it.
type sentence []piece

func (s *sentence) say(format string, args ...any) {
	*s = append(*s, piece{Text: fmt.Sprintf(format, args...)})
}

func (s *sentence) code(text string) { *s = append(*s, piece{Text: display.Line(text), Code: true}) }

func (s *sentence) link(text, href string) {
	*s = append(*s, piece{Text: display.Line(text), Code: true, Href: href})
}

// String returns the sentence as plain text.
func (s sentence) String() string {
	var b strings.Builder
	for _, p := range s {
		b.WriteString(p.Text)
	}
	return b.String()
}

const (
	maxShown = 6   // of a list of values
	maxValue = 120 // characters of a value
)

// A speaker says conditions in words, to somebody who may not see every flag.
type speaker struct {
	model *Model
	sees  func(key string) bool
}

// counted returns a text with a number, for one or for several.
func counted(n int, one, several string) string {
	if n == 1 {
		return fmt.Sprintf(one, n)
	}
	return fmt.Sprintf(several, n)
}

func decimals(list []int64) []string {
	texts := make([]string, len(list))
	for i, n := range list {
		texts[i] = strconv.FormatInt(n, 10)
	}
	return texts
}

// values lists values, the first few of many.
func values(s *sentence, list []string, last string) {
	shown := list
	if len(list) > maxShown {
		shown = list[:maxShown-1]
	}
	for i, v := range shown {
		switch {
		case i > 0 && i == len(list)-1:
			s.say("%s", last)
		case i > 0:
			s.say(", ")
		}
		s.code(clip(v))
	}
	if n := len(list) - len(shown); n > 0 {
		s.say("%s%d more", last, n)
	}
}

// visible returns a text of several lines in which characters that hide or turn text around are
// spelled out.
func visible(text string) string {
	var b strings.Builder
	_, _ = display.NewWriter(&b).Write([]byte(text)) // to a strings.Builder, it doesn't fail
	return b.String()
}

// clip returns a text of which the end is left out if it is long.
func clip(text string) string {
	if runes := []rune(text); len(runes) > maxValue {
		return string(runes[:maxValue]) + "…"
	}
	return text
}

// rule says what a rule does.
func (p speaker) rule(f *evaluator.Flag, r *evaluator.Rule, now int64) sentence {
	var s sentence
	everyone := r.When == nil
	if !everyone {
		s.say("If ")
		p.condition(&s, r.When, false)
		s.say(", ")
	}
	switch {
	case r.Split == nil && everyone:
		s.say("Everyone gets ")
	case r.Split == nil:
		s.say("serve ")
	case everyone && r.Split.By != "":
		s.say("Of everyone whose ")
		s.link(r.Split.By, "usage.html#attribute-"+r.Split.By)
		s.say(" is known, ")
	}
	s.shares(served.OfRule(f, r, now), r.Split != nil)
	if r.Split != nil {
		s.splitWords(r)
	}
	s.say(".")
	return s
}

// shares lists variants and, of a split, how many get them.
func (s *sentence) shares(list []served.Share, split bool) {
	for i, share := range list {
		switch {
		case i > 0 && i == len(list)-1:
			s.say(" and ")
		case i > 0:
			s.say(", ")
		}
		switch percent := served.Percent(share.Share); {
		case split && i == 0:
			s.say("%s get ", percent)
		case split:
			s.say("%s ", percent)
		}
		s.code(share.Variant)
	}
}

// splitWords says what a split goes by.
func (s *sentence) splitWords(r *evaluator.Rule) {
	switch {
	case r.Split.By == "":
		s.say(", by chance")
	case r.When != nil:
		s.say(", by ")
		s.link(r.Split.By, "usage.html#attribute-"+r.Split.By)
	}
	if r.Split.Ramp != nil {
		s.say(" (a ramp)")
	}
}
