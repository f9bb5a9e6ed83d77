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
	// Where it is used first: in a segment, in a flag, or in a rule of a flag.
	Segment, Flag, Rule string
	// More is how many other segments, reservations and rules use it.
	More int
}

// String returns a line such as
// `"hash:unleash" for rule "half" of flag "checkout" and 2 more`.
func (n Need) String() string {
	where := fmt.Sprintf("segment %q", n.Segment)
	switch {
	case n.Rule != "":
		where = fmt.Sprintf("rule %q of flag %q", n.Rule, n.Flag)
	case n.Flag != "":
		where = fmt.Sprintf("flag %q", n.Flag)
	}
	if n.More > 0 {
		where += fmt.Sprintf(" and %d more", n.More)
	}
	return fmt.Sprintf("%q for %s", n.Feature, where)
}

// Needs returns what a reader of a ruleset must know beyond format 1, sorted by
// feature. [EncodePayload] writes format 1, which all readers know, if there is
// nothing, and format 2 if there is.
func Needs(set *evaluator.Ruleset) []Need {
	s := &needs{found: make(map[string]*Need)}
	for i := range set.Segments {
		s.begin(Need{Segment: set.Segments[i].Name})
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

// note notes that the place needs a feature.
func (s *needs) note(feature string) {
	if slices.Contains(s.here, feature) {
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
		s.bucketing(f.Reserved.Bucketing)
	}
	for i := range f.Rules {
		s.begin(Need{Flag: f.Key, Rule: f.Rules[i].Name})
		s.condition(f.Rules[i].When)
		if split := f.Rules[i].Split; split != nil {
			s.bucketing(split.Bucketing)
		}
	}
}

func (s *needs) condition(c *evaluator.Condition) {
	if c == nil {
		return
	}
	if f := opFeature(c.Op); f != "" {
		s.note(f)
	}
	if c.Op == evaluator.OpBucket && len(c.Strings) > 0 {
		s.hash(c.Strings[0])
	}
	for i := range c.Of {
		s.condition(&c.Of[i])
	}
}

func (s *needs) bucketing(b evaluator.Bucketing) {
	s.hash(b.Hash)
	if wide(b) {
		s.note(featurePositions)
	}
}

func (s *needs) hash(name string) {
	if f := hashFeature(name); f != "" {
		s.note(f)
	}
}

// The features, and the prefixes of those that name something of the evaluator's.
const (
	featurePositions = "positions"
	prefixHash       = "hash:"
	prefixOp         = "op:"
)

// lastOp is the last operator of format 1.
const lastOp = evaluator.OpServes

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

// wide reports whether positions are written as the feature "positions" has them.
func wide(b evaluator.Bucketing) bool { return b.Positions != 0 || hashFeature(b.Hash) != "" }

// known reports whether this package and the evaluator know a feature.
func known(feature string) bool {
	if name, ok := strings.CutPrefix(feature, prefixHash); ok {
		return name != evaluator.HashMurmur3 && slices.Contains(evaluator.Hashes(), name)
	}
	return feature == featurePositions || feature == opFeature(evaluator.OpBucket)
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
