package diff

// A Kind is what an edit is about, such as "condition" or "rule added". It is a word that
// people can be shown. New ones may be added.
type Kind string

// The kinds of edits.
const (
	// Of a flag as a whole, and the last one of a rule, too.
	kindKey       Kind = "key"
	kindNamespace Kind = "namespace"
	kindType      Kind = "type"
	kindEnabled   Kind = "enabled"
	kindDefault   Kind = "default"
	kindOff       Kind = "off_variant"
	kindVariant   Kind = "variant"
	kindStale     Kind = "max_stale"
	kindLayer     Kind = "layer"
	kindMetadata  Kind = "metadata"
	// Of a rule, or which rules there are.
	kindRuleAdded   Kind = "rule added"
	kindRuleRemoved Kind = "rule removed"
	kindRuleMoved   Kind = "rule moved"
	kindRuleRenamed Kind = "rule renamed"
	kindCondition   Kind = "condition"
	kindServe       Kind = "serve"
	// Of what rules refer to, wherever that is: an edit of each flag whose rules do.
	kindSegment      Kind = "segment"
	kindPrerequisite Kind = "prerequisite"
	kindAttribute    Kind = "attribute"
	kindZone         Kind = "time zone"
	kindUnit         Kind = "unit"
)

// serves reports whether edits of a kind can change what is served. A new kind does, unless it is
// listed here: forgetting one costs time, and never makes a false proof.
func (k Kind) serves() bool {
	return k != kindKey && k != kindNamespace && k != kindMetadata && k != kindRuleRenamed
}

// An Edit is one difference between two flags, in words. A flag with edits may still serve everybody the
// same: see its verdict.
type Edit struct {
	Kind  Kind
	Rule  string // that it is about, by its new name; "": the flag as a whole
	Words string
}

// Quotes reports whether the words of an edit quote what a flag compares with, which may be IDs of
// users, or name other flags. Show the kind instead to readers who may not see these.
func (e Edit) Quotes() bool {
	switch e.Kind {
	case kindCondition, kindSegment, kindRuleAdded, kindRuleRemoved, kindPrerequisite:
		return true
	}
	return false
}

// String returns the edit as a line.
func (e Edit) String() string {
	if e.Rule == "" {
		return e.Words
	}
	return "rule " + quoted(e.Rule) + ": " + e.Words
}
