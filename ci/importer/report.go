package importer

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// report returns the report in Markdown.
func (i *Import) report(m *making) []byte {
	var b bytes.Buffer
	exact, approximate := i.Counts()
	fmt.Fprintf(&b, "# Import from %s\n\n%d carried over, %d approximated, %d refused.\n\n", i.System, exact,
		approximate, len(i.Refused))
	b.WriteString("*Carried over*: every context gets the answer that it got before. *Approximated*: the contexts named in the\n" +
		"notes may get another one. *Refused*: there is no such flag in this folder; the reason says why.\n\n")
	i.flagTable(&b)
	if len(i.Notes) > 0 {
		b.WriteString("\n## Notes\n\n")
		for _, n := range i.Notes {
			fmt.Fprintf(&b, "- %s%s\n", placed(n.Place), cell(n.Reason))
		}
	}
	b.WriteString("\n## Attributes\n\nTypes are inferred from the conditions. Programs must send values of these types.\n\n| attribute | type | because of |\n|---|---|---|\n")
	for _, a := range m.attributes {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", cell(a.name), a.typ, cell(a.reason))
	}
	return b.Bytes()
}

// Counts returns how many flags are carried over exactly and how many approximately.
func (i *Import) Counts() (exact, approximate int) {
	for _, f := range i.Flags {
		if f.IsApproximate() {
			approximate++
		} else {
			exact++
		}
	}
	return exact, approximate
}

// IsApproximate reports whether some contexts may be answered differently than before.
func (f *Flag) IsApproximate() bool {
	return slices.ContainsFunc(f.Notes, func(n Note) bool { return n.Approximate })
}

// flagTable writes a line for each flag.
func (i *Import) flagTable(b *bytes.Buffer) {
	type line struct{ flag, what, place, notes string }
	var lines []line
	for _, f := range i.Flags {
		what := "carried over"
		if f.IsApproximate() {
			what = "approximated"
		}
		var notes []string
		for _, n := range f.Notes {
			notes = append(notes, placed(n.Place)+cell(n.Reason))
		}
		lines = append(lines, line{f.Key, what, f.Place, strings.Join(notes, "<br>")})
	}
	for _, r := range i.Refused {
		lines = append(lines, line{r.Flag, "refused", r.Place, cell(r.Reason)})
	}
	slices.SortFunc(lines,
		func(a, b line) int { return cmp.Or(cmp.Compare(a.flag, b.flag), cmp.Compare(a.place, b.place)) })
	b.WriteString("| flag | | place in the source | notes |\n|---|---|---|---|\n")
	for _, l := range lines {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", cell(l.flag), l.what, cell(l.place), l.notes)
	}
}

func placed(place string) string {
	if place == "" {
		return ""
	}
	return "`" + cell(place) + "`: "
}

// cell returns text that can stand in a cell of a table.
func cell(text string) string { return cells.Replace(text) }

var cells = strings.NewReplacer("|", "\\|", "\n", " ", "\r", " ", "<", "&lt;", "`", "'")
