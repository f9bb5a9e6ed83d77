package ci

import (
	"slices"
	"strings"

	"github.com/serin-flags/serin/internal/suggest"
)

// The names of the lints.
const (
	lintDuplicateID       = "duplicate-id"
	lintEmailAddress      = "email-address"
	lintExpiredFlag       = "expired-flag"
	lintFinishedRamp      = "finished-ramp"
	lintOverlappingRanges = "overlapping-ranges"
	lintPrerequisiteType  = "prerequisite-type"
	lintSecret            = "secret"
	lintSharedSalt        = "shared-salt"
	lintSingleVariant     = "single-variant-split"
	lintStraySpace        = "stray-space"
	lintUnreachableRule   = "unreachable-rule"
	lintUnusedAttribute   = "unused-attribute"
	lintUnusedSegment     = "unused-segment"
	lintUnusedSilence     = "unused-silence"
)

// lintNames are sorted.
var lintNames = []string{
	lintDuplicateID, lintEmailAddress, lintExpiredFlag, lintFinishedRamp, lintOverlappingRanges, lintPrerequisiteType, lintSecret,
	lintSharedSalt, lintSingleVariant, lintStraySpace, lintUnreachableRule, lintUnusedAttribute, lintUnusedSegment, lintUnusedSilence,
}

// timedLints are those that say nothing without knowing what time it is.
var timedLints = []string{lintExpiredFlag, lintFinishedRamp}

// A silence is what a file says about a lint that doesn't apply to it.
type silence struct {
	lint         string
	line, column int
}

// silences reads "lint", which may be nil: the lints that a file silences, each
// with the reason.
func (c checker) silences(n *node) {
	if n == nil {
		return
	}
	c = c.within("\"lint\"")
	switch {
	case n.kind != mapping:
		c.errorf(n, "it is a mapping of lints to the reasons why they don't apply, not %s", n.describe())
		return
	case len(n.fields) == 0:
		c.errorf(n, "it names no lint; take it out")
		return
	}
	for _, f := range n.fields {
		if !slices.Contains(lintNames, f.key.text) {
			c.errorf(f.key, "%s", unknownLint(f.key.text))
			continue
		}
		reason, ok := c.text(f.value, "the reason for \""+f.key.text+"\"")
		if ok && strings.TrimSpace(reason) == "" {
			c.errorf(f.value, "%s", noReason(f.key.text))
		}
		c.source.silences = append(c.source.silences, silence{f.key.text, f.key.line(), f.key.column()})
	}
}

func unknownLint(name string) string {
	hint := suggest.DidYouMean(name, slices.Values(lintNames))
	if hint == "" {
		hint = "; the lints are " + strings.Join(lintNames, ", ")
	}
	return "unknown lint \"" + shorten(name) + "\"" + hint
}

func noReason(lint string) string {
	return "the reason why \"" + lint + "\" doesn't apply is missing"
}

// silenceMark begins a comment of a list of ids that silences a lint, as in
// "# lint: duplicate-id: the order is that of the export".
const silenceMark = "lint:"

// silence reads a comment of a list. It returns what is wrong with it, or "".
func (l *idList) silence(line listLine) string {
	text, ok := strings.CutPrefix(strings.TrimSpace(line.id[1:]), silenceMark)
	if !ok {
		return ""
	}
	name, reason, _ := strings.Cut(text, ":")
	name = strings.TrimSpace(name)
	switch {
	case !slices.Contains(lintNames, name):
		return unknownLint(name)
	case strings.TrimSpace(reason) == "":
		return noReason(name) + "; write # lint: " + name + ": and why"
	}
	l.source.silences = append(l.source.silences, silence{name, line.number, 1})
	return ""
}
