package bundle

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// ErrUnsupported is what errors wrap that are about payloads made for newer
// versions of this package: of a format, or with a feature, that it doesn't know.
var ErrUnsupported = errors.New("update the SDK, or the serin command")

// A Need is a feature of format 2 that a ruleset uses: something that readers
// must know to evaluate it. The package documentation lists the features.
type Need struct {
	Feature string // as labels name it, such as "hash:unleash"
	// Where it is used first: one of an attribute, a segment, a flag, and a rule
	// of a flag.
	Attribute, Segment, Flag, Rule string
	// More is how many other places use it.
	More int
}

// String returns a line such as
// `rule "half" of flag "checkout" and 2 more use the hash "unleash"`.
func (n Need) String() string {
	where := ""
	switch {
	case n.Rule != "":
		where = fmt.Sprintf("rule %q of flag %q", n.Rule, n.Flag)
	case n.Flag != "":
		where = fmt.Sprintf("flag %q", n.Flag)
	case n.Segment != "":
		where = fmt.Sprintf("segment %q", n.Segment)
	default:
		where = fmt.Sprintf("attribute %q", n.Attribute)
	}
	verb := "uses"
	if n.More > 0 {
		where, verb = fmt.Sprintf("%s and %d more", where, n.More), "use"
	}
	kind, name, _ := strings.Cut(n.Feature, ":")
	switch kind {
	case featureLists:
		return where + " " + verb + " a list of 10,000 IDs or more"
	case "op":
		kind = "condition"
	case "type":
		kind = "attribute type"
	}
	return fmt.Sprintf("%s %s the %s %q", where, verb, kind, name)
}

// Needs returns what a reader of the payload of a ruleset must know beyond format 1,
// sorted by feature. [EncodePayload] writes format 1, which all readers know, if there is
// nothing, and format 2 if there is.
func Needs(set *evaluator.Ruleset) []Need {
	s := &needs{found: make(map[string]*Need)}
	for _, a := range set.Attributes {
		s.begin(Need{Attribute: a.Name})
		s.note(typeFeature(a.Type))
	}
	for i := range set.Segments {
		s.begin(Need{Segment: set.Segments[i].Name})
		s.list(set.Segments[i].Include)
		s.list(set.Segments[i].Exclude)
		s.condition(set.Segments[i].When)
	}
	for _, flags := range [][]evaluator.Flag{set.Flags, set.Prerequisites} {
		for i := range flags {
			s.flag(&flags[i])
		}
	}
	list := make([]Need, 0, len(s.found))
	for _, n := range s.found {
		list = append(list, *n)
	}
	slices.SortFunc(list, func(a, b Need) int { return cmp.Compare(a.Feature, b.Feature) })
	return list
}

// needs collects what a ruleset needs, place by place.
type needs struct {
	found map[string]*Need // by feature
	at    Need             // the place, without a feature
	here  []string         // what was found there
}

func (s *needs) begin(at Need) { s.at, s.here = at, s.here[:0] }

// note notes that the place needs a feature, "" being none.
func (s *needs) note(feature string) {
	if feature == "" || slices.Contains(s.here, feature) {
		return
	}
	s.here = append(s.here, feature)
	if n := s.found[feature]; n != nil {
		n.More++
		return
	}
	first := s.at
	first.Feature = feature
	s.found[feature] = &first
}

func (s *needs) flag(f *evaluator.Flag) {
	if f.Reserved != nil {
		s.begin(Need{Flag: f.Key})
		s.note(hashFeature(f.Reserved.Hash))
	}
	for i := range f.Rules {
		s.begin(Need{Flag: f.Key, Rule: f.Rules[i].Name})
		s.condition(f.Rules[i].When)
		if split := f.Rules[i].Split; split != nil {
			s.note(hashFeature(split.Hash))
		}
	}
}

func (s *needs) condition(c *evaluator.Condition) {
	for c := range c.Walk() {
		s.note(opFeature(c.Op))
		if c.Op == evaluator.OpOneOf {
			s.list(c.Strings)
		}
		if c.Op == evaluator.OpBucket && len(c.Strings) > 0 {
			s.note(hashFeature(c.Strings[0]))
		}
	}
}

// list notes that a list is a target of its own, if it is one.
func (s *needs) list(list []string) {
	if isTarget(list) {
		s.note(featureLists)
	}
}

// The prefixes of features; what follows is a name that the evaluator has.
const (
	prefixHash = "hash:"
	prefixOp   = "op:"
	prefixType = "type:"
)

// The last operator and the last type of attributes that format 1 has.
const (
	lastOp   = evaluator.OpServes
	lastType = evaluator.AttrList
)

// opFeature returns the feature that an operator is, "" for one of format 1.
func opFeature(op evaluator.Op) string {
	if op <= lastOp {
		return ""
	}
	return prefixOp + op.String()
}

// hashFeature returns the feature that a hash is, "" for that of format 1 and for
// none, by which splits by chance are bucketed.
func hashFeature(name string) string {
	if name == "" || name == evaluator.HashMurmur3 {
		return ""
	}
	return prefixHash + name
}

// typeFeature returns the feature that a type of attributes is, "" for one of
// format 1.
func typeFeature(t evaluator.AttributeType) string {
	if t <= lastType {
		return ""
	}
	return prefixType + t.String()
}

// known reports whether the evaluator knows a feature.
func known(feature string) bool {
	if feature == featureLists {
		return true
	}
	if name, ok := strings.CutPrefix(feature, prefixHash); ok {
		return hashFeature(name) != "" && slices.Contains(evaluator.Hashes(), name)
	}
	if name, ok := strings.CutPrefix(feature, prefixOp); ok {
		var op evaluator.Op
		return op.UnmarshalText([]byte(name)) == nil && opFeature(op) != ""
	}
	if name, ok := strings.CutPrefix(feature, prefixType); ok {
		var t evaluator.AttributeType
		return t.UnmarshalText([]byte(name)) == nil && typeFeature(t) != ""
	}
	return false
}

// checkKnown returns an error that names the features that are not known.
func checkKnown(features []string) error {
	unknown := make(map[string]bool)
	for _, f := range features {
		if !known(f) {
			unknown[fmt.Sprintf("%q", f)] = true
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	names := strings.Join(slices.Sorted(maps.Keys(unknown)), " and ")
	return fmt.Errorf("the payload needs a client that knows %s: %w", names, ErrUnsupported)
}
