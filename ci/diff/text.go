package diff

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/serin-flags/serin/internal/display"
)

// A Section is environments in which the same differs, for the same users.
type Section struct {
	Names []string // of environments, in the order of the report: at least one
	Flags []Flag   // as in each of these environments
}

// Sections joins environments in which all is alike. Most edits are the same in all environments:
// showing them once halves what reviewers have to read, and makes the environment that differs
// stand out.
func (r Report) Sections() []Section {
	var list []Section
	for _, e := range r.Environments {
		i := slices.IndexFunc(list, func(s Section) bool { return reflect.DeepEqual(s.Flags, e.Flags) })
		if i < 0 {
			i = len(list)
			list = append(list, Section{Flags: e.Flags})
		}
		list[i].Names = append(list[i].Names, e.Name)
	}
	return list
}

// title names the environments of a section.
func (s Section) title() string {
	if slices.Equal(s.Names, []string{""}) {
		return "without environments"
	}
	return strings.Join(s.Names, ", ")
}

// counts returns how many flags were changed, renamed, added and removed, in words.
func (s Section) counts() string {
	n := make(map[Change]int)
	for _, f := range s.Flags {
		n[f.Change]++
	}
	var list []string
	for _, c := range []Change{Changed, Renamed, Added, Removed} {
		if n[c] > 0 {
			list = append(list, fmt.Sprintf("%d %s", n[c], c))
		}
	}
	if list == nil {
		return noDifferences
	}
	return strings.Join(list, ", ")
}

// Words that all formats for people use.
const (
	noDifferences = "no differences"
	notCompared   = "not compared"
)

// timeText returns a time in UTC, whatever time zone the reader is in.
func timeText(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

// Text writes the whole report for a terminal, without a limit. It escapes characters that a terminal would
// act on. The error is w's.
func (r Report) Text(w io.Writer) error {
	var b strings.Builder
	if r.NotCompared != "" {
		fmt.Fprintf(&b, "%s: %s\n", notCompared, display.Line(r.NotCompared))
	}
	for i, s := range r.Sections() {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s: %s\n", display.Line(s.title()), s.counts())
		for _, f := range s.Flags {
			b.WriteByte('\n')
			r.text(&b, s, &f)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
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

// text writes a flag of a section.
func (r *Report) text(b *strings.Builder, s Section, f *Flag) {
	fmt.Fprintf(b, "%s %s (%s): %s\n", f.Change.sign(), display.Line(f.name()), display.Line(f.Namespace), f.summary())
	for _, e := range f.Edits {
		fmt.Fprintf(b, "    %s\n", display.Line(e.String()))
	}
	for _, g := range f.Groups {
		g.text(b)
	}
	for i := range f.Examples {
		fmt.Fprintf(b, "    %s\n", display.Line(f.Examples[i].words(r.Now)))
		if command := r.command(f, s.Names[0], &f.Examples[i]); command != "" {
			fmt.Fprintf(b, "      %s\n", display.Line(command))
		}
	}
}

// method returns how a group's shares are known. "exact" is a promise: counting any sample of these users
// gives the share, within sampling error.
func (g Group) method() string {
	if g.Exact {
		return "exact"
	}
	return "counted"
}

// text writes a group: who is in it, the moves with a column of shares, and the bars.
func (g Group) text(b *strings.Builder) {
	nobody := ""
	if len(g.Moves) == 0 {
		nobody = ": nobody"
	}
	fmt.Fprintf(b, "    of %s (%s)%s\n", display.Line(g.Who), g.method(), nobody)
	// The widest move decides where the column of shares begins.
	width := 0
	lines := make([]string, len(g.Moves))
	for i, m := range g.Moves {
		lines[i] = display.Line(m.words())
		width = max(width, utf8.RuneCountInString(lines[i]))
	}
	for i, m := range g.Moves {
		fmt.Fprintf(b, "      %s%s  %9s\n", lines[i],
			strings.Repeat(" ", width-utf8.RuneCountInString(lines[i])), m.Share)
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
		legend = append(legend, l.Mark+" "+display.Line(shorten(l.Means, 40)))
	}
	return []string{"before " + b.Old, "after  " + b.New, "       " + strings.Join(legend, "  ")}
}
