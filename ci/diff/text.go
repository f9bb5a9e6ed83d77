package diff

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A section is environments in which the same differs.
type section struct {
	names []string
	flags []Flag
}

// sections joins environments in which all is alike.
func (r Report) sections() []section {
	var list []section
	for _, e := range r.Environments {
		i := slices.IndexFunc(list, func(s section) bool { return reflect.DeepEqual(s.flags, e.Flags) })
		if i < 0 {
			i = len(list)
			list = append(list, section{flags: e.Flags})
		}
		list[i].names = append(list[i].names, e.Name)
	}
	return list
}

// title names the environments of a section.
func (s section) title() string {
	if slices.Equal(s.names, []string{""}) {
		return "without environments"
	}
	return strings.Join(s.names, ", ")
}

// counts says how many flags differ.
func (s section) counts() string {
	n := make(map[Change]int)
	for _, f := range s.flags {
		n[f.Change]++
	}
	var list []string
	for _, c := range []Change{Changed, Added, Removed} {
		if n[c] > 0 {
			list = append(list, fmt.Sprintf("%d %s", n[c], c))
		}
	}
	if list == nil {
		return noDifferences
	}
	return strings.Join(list, ", ")
}

const (
	noDifferences = "no differences"
	notCompared   = "not compared"
)

// inventedNote says what shares of invented people are worth.
const inventedNote = "Shares of invented people say that somebody is served something else, not how many of your users are: people are made up so that every rule has some."

func timeText(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

// Text writes the report for a terminal.
func (r Report) Text(w io.Writer) error {
	var b strings.Builder
	if r.NotCompared != "" {
		fmt.Fprintf(&b, "%s: %s\n", notCompared, printable(r.NotCompared))
	}
	for i, s := range r.sections() {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s: %s\n", printable(s.title()), s.counts())
		for _, f := range s.flags {
			b.WriteByte('\n')
			f.text(&b)
		}
	}
	if r.Counted != nil && r.Counted.Invented {
		fmt.Fprintf(&b, "\nnote: %s\n      Count your own with --population FILE.\n", inventedNote)
	}
	if r.ramps() {
		fmt.Fprintf(&b, "\nnote: %s\n", r.rampNote())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// ramps reports whether a ramp has to do with a share.
func (r Report) ramps() bool {
	for _, e := range r.Environments {
		for _, f := range e.Flags {
			if slices.ContainsFunc(f.Groups, func(g Group) bool { return g.Ramp }) {
				return true
			}
		}
	}
	return false
}

func (r Report) rampNote() string {
	return "Ramps move: their shares are those of " + timeText(r.Now) + "."
}

// sign marks a change at the beginning of a line.
func (c Change) sign() string {
	switch c {
	case Added:
		return "+"
	case Removed:
		return "-"
	}
	return "~"
}

func (f Flag) text(b *strings.Builder) {
	fmt.Fprintf(b, "%s %s (%s): %s\n", f.Change.sign(), printable(f.Key), printable(f.Namespace), f.summary())
	for _, e := range f.Edits {
		fmt.Fprintf(b, "    %s\n", printable(e.String()))
	}
	for _, g := range f.Groups {
		g.text(b)
	}
}

// summary says in a few words what happens to users.
func (f Flag) summary() string {
	switch {
	case f.Change == Added:
		return "added"
	case f.Change == Removed:
		return "removed: programs that ask for it serve their own default"
	case len(f.Groups) > 0 && f.Moved.value().Sign() == 0:
		return "nobody is served something else"
	}
	return f.Moved.String() + f.whose() + " are served something else"
}

// whose says what Moved is a share of, unless it is everybody.
func (f Flag) whose() string {
	switch {
	case len(f.Groups) == 0:
		return ""
	case f.Groups[0].Rule != "":
		return " of a rule's users"
	case f.Groups[0].Invented:
		return " of invented people"
	}
	return ""
}

// method says how a group's shares are known.
func (g Group) method() string {
	if g.Exact {
		return "exact"
	}
	return "counted"
}

func (g Group) text(b *strings.Builder) {
	if len(g.Moves) == 0 && len(g.Bars) == 0 {
		return
	}
	fmt.Fprintf(b, "    of %s (%s)\n", printable(g.Who), g.method())
	width := 0
	lines := make([]string, len(g.Moves))
	for i, m := range g.Moves {
		lines[i] = printable(m.words())
		width = max(width, utf8.RuneCountInString(lines[i]))
	}
	for i, m := range g.Moves {
		fmt.Fprintf(b, "      %s%s  %10s\n", lines[i], strings.Repeat(" ", width-utf8.RuneCountInString(lines[i])), m.Share)
	}
	for _, bar := range g.Bars {
		for _, line := range bar.lines() {
			fmt.Fprintf(b, "      %s\n", line)
		}
	}
}

// words returns what a move is from and to.
func (m Move) words() string {
	if m.From == m.To {
		return quote(m.From) + " → " + quote(m.To) + " (its new value)"
	}
	return quote(m.From) + " → " + quote(m.To)
}

// lines returns a bar: before, after, and what its characters mean.
func (b Bar) lines() []string {
	var legend []string
	for _, l := range b.Legend {
		legend = append(legend, l.Mark+" "+printable(shorten(l.Means, 40)))
	}
	return []string{"before " + b.Old, "after  " + b.New, "       " + strings.Join(legend, "  ")}
}

// printable makes a line of text: names come from files, and a published one may
// have anything.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 || r == 0x2028 || r == 0x2029 || 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069 {
			return '\ufffd'
		}
		return r
	}, text)
}
