package problem

import (
	"slices"
	"strings"

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
	LintStraySpace, LintUnreachableRule, LintUnusedAttribute, LintUnusedSegment, LintUnusedSilence,
}

// UnknownLint says that no lint has a name.
func UnknownLint(name string) string {
	hint := suggest.DidYouMean(name, slices.Values(Lints))
	if hint == "" {
		hint = "; the lints are " + strings.Join(Lints, ", ")
	}
	return "unknown lint \"" + Shorten(name) + "\"" + hint
}

// NoReason says that a file silences a lint without the reason.
func NoReason(lint string) string {
	return "the reason why \"" + lint + "\" doesn't apply is missing"
}
