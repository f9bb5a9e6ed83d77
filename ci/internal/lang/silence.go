package lang

import (
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/internal/suggest"
)

// The names of the lints.
const (
	LintClaimedAttribute   = "claimed-attribute"
	LintConfusingCharacter = "confusing-character"
	LintDuplicateID        = "duplicate-id"
	LintEmailAddress       = "email-address"
	LintExpiredFlag        = "expired-flag"
	LintFinishedRamp       = "finished-ramp"
	LintListFormat         = "list-format"
	LintOverlappingRanges  = "overlapping-ranges"
	LintPrerequisiteType   = "prerequisite-type"
	LintSecret             = "secret"
	LintSharedSalt         = "shared-salt"
	LintSingleVariant      = "single-variant-split"
	LintStraySpace         = "stray-space"
	LintUnreachableRule    = "unreachable-rule"
	LintUnusedAttribute    = "unused-attribute"
	LintUnusedSegment      = "unused-segment"
	LintUnusedSilence      = "unused-silence"
)

// Lints are sorted.
var Lints = []string{
	LintClaimedAttribute, LintConfusingCharacter, LintDuplicateID, LintEmailAddress, LintExpiredFlag, LintFinishedRamp,
	LintListFormat, LintOverlappingRanges, LintPrerequisiteType, LintSecret, LintSharedSalt, LintSingleVariant,
	LintStraySpace,
	LintUnreachableRule, LintUnusedAttribute, LintUnusedSegment, LintUnusedSilence,
}

// silences reads "lint", which may be nil: the lints that a file silences, each
// with the reason.
func (c Checker) silences(n *source.Node) {
	if n == nil {
		return
	}
	c = c.Within("\"lint\"")
	switch {
	case n.Kind != source.Mapping:
		c.Errorf(n, "it is a mapping of lints to the reasons why they don't apply, not %s", n.Describe())
		return
	case len(n.Fields) == 0:
		c.Errorf(n, "it names no lint; remove it")
		return
	}
	for _, f := range n.Fields {
		if !slices.Contains(Lints, f.Key.Text) {
			c.Errorf(f.Key, "%s", unknownLint(f.Key.Text))
			continue
		}
		reason, ok := c.Text(f.Value, "the reason for \""+f.Key.Text+"\"")
		if ok && strings.TrimSpace(reason) == "" {
			c.Errorf(f.Value, "%s", noReason(f.Key.Text))
		}
		c.File.Silences = append(c.File.Silences, problem.Silence{Lint: f.Key.Text, Line: f.Key.Line(),
			Column: f.Key.Column()})
	}
}

func unknownLint(name string) string {
	hint := suggest.DidYouMean(name, slices.Values(Lints))
	if hint == "" {
		hint = "; the lints are " + strings.Join(Lints, ", ")
	}
	return "unknown lint \"" + problem.Shorten(name) + "\"" + hint
}

func noReason(lint string) string {
	return "the reason why \"" + lint + "\" doesn't apply is missing"
}

// silenceMark begins a comment of a list of ids that silences a lint, as in
// "# lint: duplicate-id: the order is that of the export".
const silenceMark = "lint:"

// silence reads a comment of a list. It returns what is wrong with it, or "".
func (l *IDList) silence(line ListLine) string {
	text, ok := strings.CutPrefix(strings.TrimSpace(line.ID[1:]), silenceMark)
	if !ok {
		return ""
	}
	name, reason, _ := strings.Cut(text, ":")
	name = strings.TrimSpace(name)
	switch {
	case !slices.Contains(Lints, name):
		return unknownLint(name)
	case strings.TrimSpace(reason) == "":
		return noReason(name) + "; write # lint: " + name + ": and why"
	}
	l.File.Silences = append(l.File.Silences, problem.Silence{Lint: name, Line: line.Number, Column: 1})
	return ""
}
