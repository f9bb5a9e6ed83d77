package lint

import (
	"fmt"
	"strings"

	"github.com/serin-flags/serin/ci/internal/idlist"
	"github.com/serin-flags/serin/ci/internal/problem"
)

// separators are the characters by which one can tell files of other formats from lists
// of ids.
var separators = []struct {
	char rune
	name string
}{
	{',', "a comma"}, {';', "a semicolon"}, {'\t', "a tab"}, {'"', "a quotation mark"},
	{'{', "a brace"}, {'[', "a bracket"},
}

// listFormat warns of a list that looks like another kind of file, such as a table.
// Each line is compared as a whole, so nobody would match it.
func (l *linter) listFormat(list *idlist.List) {
	var first, title idlist.Line
	lines, odd := 0, 0
	what := ""
	for line := range list.Lines() {
		if lines++; lines == 1 && l.isHeader(line.ID) {
			title = line
		}
		for _, s := range separators {
			if !strings.ContainsRune(line.ID, s.char) {
				continue
			}
			if odd++; odd == 1 {
				first, what = line, s.name
			}
			break
		}
	}
	if odd > 0 {
		more := ""
		if odd > 1 {
			more = fmt.Sprintf("; there are %d such lines", odd)
		}
		l.warnLine(list, first, fmt.Sprintf(
			"the id contains %s: a list has one id on each line, and each line is compared as a whole%s", what, more))
		return
	}
	if title.ID != "" && lines > 1 {
		l.warnLine(list, title,
			"this looks like the title of a column; a list contains ids alone, so start the line with # or remove it")
	}
}

// warnLine warns of a line of a list.
func (l *linter) warnLine(list *idlist.List, line idlist.Line, message string) {
	text := strings.TrimSuffix(line.Text, "\r")
	before, _ := spaceAround(text)
	l.warnAt(problem.LintListFormat, list.File, line.Number, 1+before, text, message)
}

// isHeader reports whether an id is what columns of ids are called: the name of an
// attribute or one of the usual words.
func (l *linter) isHeader(id string) bool {
	if l.estate.Known.Attributes[id] != nil {
		return true
	}
	switch word := strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(id)); word {
	case "id", "ids", "uid", "uuid", "guid", "user", "users", "userid", "userids", "username", "email", "key",
		"accountid", "customerid", "deviceid", "memberid", "targetingkey":
		return true
	}
	return false
}
