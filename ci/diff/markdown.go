package diff

import (
	"fmt"
	"io"
	"strings"

	"github.com/serin-flags/serin/internal/display"
)

// maxMarkdown is the most characters that [Report.Markdown] writes.
const maxMarkdown = 65_536

// Bounds within the markdown, so that a little of all is there. A table of 24,000 bytes has some 200
// flags, which nobody reads, and leaves most of the room to details.
const (
	maxTable    = 24_000 // bytes of tables
	maxTail     = 1_500  // bytes kept for what comes after the flags
	maxEdits    = 40     // of a flag
	maxMoveRows = 6      // of a group
	maxNotes    = 10
)

// Markdown writes the report as a comment on a pull request: what happens to whom
// as a table, and each flag's details folded. It has 65,536 characters at most, which is what GitHub
// takes as a comment. If there is more, the end is left out, and the comment says how much. The error is
// w's.
func (r Report) Markdown(w io.Writer) error {
	m := markdown{report: r}
	m.write()
	_, err := io.WriteString(w, m.String())
	return err
}

// A comment may be about thousands of flags, but GitHub refuses more than maxMarkdown
// characters. So the table is bounded first, because it answers who is affected; then
// details follow for as many flags as there is room for, those that change most first;
// and the last line says how many were left out. Names come from files of others, and
// none of them can end a cell, open a tag or mention anybody.

// A markdown writes a comment of bounded length.
type markdown struct {
	strings.Builder
	report Report
}

// write writes the comment, from what matters most to what is left out first.
func (m *markdown) write() {
	if why := m.report.NotCompared; why != "" {
		fmt.Fprintf(m, "### Flags: %s\n\n%s\n", notCompared, escape(shorten(why, 1000)))
		return
	}
	sections := m.report.Sections()
	m.WriteString("### " + m.headline(sections) + "\n\n")
	if m.report.Old != "" {
		fmt.Fprintf(m, "%s → %s\n\n", code(shorten(m.report.Old, 200)), code(shorten(m.report.New, 200)))
	}
	for _, note := range m.report.Notes[:min(len(m.report.Notes), maxNotes)] {
		m.WriteString("> Note: " + escape(shorten(note, 200)) + "\n\n")
	}
	if more := len(m.report.Notes) - maxNotes; more > 0 {
		fmt.Fprintf(m, "> Note: and %d more, which serin diff prints\n\n", more)
	}
	if m.report.Equal() {
		return
	}
	for _, s := range sections {
		m.table(s, maxTable/len(sections))
	}
	// Once the details of one flag don't fit, leave out those of all later flags, so that only the end
	// is missing.
	left := 0
	for _, s := range sections {
		for _, f := range s.Flags {
			if left == 0 {
				if details := m.details(&f, s); m.Len()+len(details) < maxMarkdown-maxTail {
					m.WriteString(details)
					continue
				}
			}
			left++
		}
	}
	if left > 0 {
		fmt.Fprintf(m, "\n… and %s whose details are left out\n", count(left, "more flag"))
	}
}

// headline sums up the report in one line, which is all that a list of notifications shows.
func (m *markdown) headline(sections []Section) string {
	if m.report.Equal() {
		return "Flags: " + noDifferences
	}
	if len(sections) > 1 {
		var list []string
		for _, s := range sections {
			list = append(list, escape(s.title())+": "+s.counts())
		}
		return shorten("Flags: "+strings.Join(list, "; "), 1000) + m.most()
	}
	return "Flags: " + sections[0].counts() + m.most()
}

// most names the flag that changes the most, and says so if it is proved that none changes anything.
func (m *markdown) most() string {
	var worst *Flag
	for _, e := range m.report.Environments {
		for i := range e.Flags {
			f := &e.Flags[i]
			if f.compared() && f.Verdict != VerdictNobody && (worst == nil || f.weight().cmp(worst.weight()) > 0) {
				worst = f
			}
		}
	}
	if worst == nil {
		return ", and nobody gets a different value (proved)"
	}
	return fmt.Sprintf(" — most of all %s, %s", code(shorten(worst.name(), 100)), escape(worst.summary()))
}

// table writes who gets a different value, in so many bytes at most.
func (m *markdown) table(s Section, limit int) {
	fmt.Fprintf(m, "**%s**: %s\n\n", escape(s.title()), s.counts())
	if len(s.Flags) == 0 {
		return
	}
	m.WriteString("| flag | from → to | share | of |\n|---|---|--:|---|\n")
	start := m.Len()
	for i, f := range s.Flags {
		rows := m.rows(&f)
		if m.Len()-start+len(rows) > limit {
			fmt.Fprintf(m, "| … and %s | | | |\n", count(len(s.Flags)-i, "more flag"))
			break
		}
		m.WriteString(rows)
	}
	m.WriteByte('\n')
}

// rows returns a flag's rows of the table, one for each move and each example. Only the first row has the
// flag's name.
func (m *markdown) rows(f *Flag) string {
	var b strings.Builder
	name := code(shorten(f.name(), 100))
	if !f.compared() {
		return fmt.Sprintf("| %s | %s | | |\n", name, f.Change)
	}
	for _, g := range f.Groups {
		for i, move := range g.Moves {
			if i == maxMoveRows {
				fmt.Fprintf(&b, "| %s | … and %d more | | |\n", name, len(g.Moves)-i)
				break
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s (%s) |\n", name, escape(shorten(move.words(), 100)),
				escape(move.Share.String()), escape(shorten(g.Who, 200)), g.method())
			name = ""
		}
	}
	for i := range f.Examples {
		e := &f.Examples[i]
		fmt.Fprintf(&b, "| %s | %s | | %s |\n", name, escape(Move{From: e.From, To: e.To}.words()),
			escape(shorten("example: "+e.who(m.report.Now), 200)))
		name = ""
	}
	switch f.Verdict {
	case VerdictNobody:
		fmt.Fprintf(&b, "| %s | nobody (proved) | 0%% | |\n", name)
	case VerdictUnknown:
		fmt.Fprintf(&b, "| %s | no example found | | |\n", name)
	}
	return b.String()
}

// details returns how a flag differs, folded: its edits, the drawings of its shares, and the commands of
// its examples.
func (m *markdown) details(f *Flag, s Section) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<details><summary>%s %s in %s: %s</summary>\n\n", code(shorten(f.name(), 100)), f.Change,
		escape(shorten(s.title(), 200)), escape(f.summary()))
	for i, e := range f.Edits {
		if i == maxEdits {
			fmt.Fprintf(&b, "- … and %d more\n", len(f.Edits)-i)
			break
		}
		fmt.Fprintf(&b, "- %s\n", escape(shorten(e.String(), 2*maxWords)))
	}
	for _, g := range f.Groups {
		if len(g.Bars) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\nOf %s:\n\n", escape(shorten(g.Who, 200)))
		var bars []string
		for _, bar := range g.Bars {
			bars = append(bars, bar.lines()...)
		}
		b.WriteString(display.Fence(strings.Join(bars, "\n")))
	}
	for i := range f.Examples {
		if command := m.report.command(f, s.Names[0], &f.Examples[i]); command != "" {
			b.WriteString("\n" + display.Fence(display.Line(shorten(command, 1000))))
		}
	}
	b.WriteString("\n</details>\n\n")
	return b.String()
}

// code returns text as code, in HTML: what stands between backticks can't have
// everything, and a | would end the cell of a table.
func code(text string) string { return "<code>" + escape(text) + "</code>" }

// escape returns text that stands in a line of Markdown as it is.
func escape(text string) string { return display.Markdown(text) }

// count puts a number before a noun, whose plural has an s.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
