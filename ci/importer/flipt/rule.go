package flipt

import (
	"fmt"
	"math"

	"github.com/serin-flags/serin/ci/importer"
)

// The hashes of Flipt, and how many positions they have.
const (
	variantHash      = "flipt"
	variantPositions = 1000
	booleanHash      = "flipt-boolean"
	booleanPositions = 100
)

// segments returns the condition that the entity is in one of the segments, or in all of them.
func (x *reading) segments(keys []string, operator, at string) (importer.Condition, error) {
	if len(keys) == 0 {
		return importer.Never, importer.Refusef(at, "it names no segment")
	}
	list := make([]importer.Condition, len(keys))
	for i, key := range keys {
		s := x.reader.segments[[2]string{string(x.doc.Namespace), key}]
		if s == nil {
			return importer.Never, importer.Refusef(at, "there is no segment %q", key)
		}
		var err error
		if list[i], err = x.segment(s); err != nil {
			return importer.Never, err
		}
	}
	switch operator {
	case "", "OR_SEGMENT_OPERATOR":
		return importer.Any(list...), nil
	case "AND_SEGMENT_OPERATOR":
		return importer.All(list...), nil
	}
	return importer.Never, importer.Refusef(at, "unknown operator %q", operator)
}

// rule adds the rules for a rule of a flag with variants.
func (x *reading) rule(r *rule, i int, at string) error {
	if r.Rank != 0 && i > 0 && x.f.Rules[i-1].Rank > r.Rank {
		return importer.Refusef(at+".rank", "the rules aren't in the order of their ranks")
	}
	keys, operator, where := r.Segments, r.Operator, at+".segments"
	if r.Segment != nil {
		keys, operator, where = r.Segment.keys(), r.Segment.Operator, at+".segment"
	}
	when, err := x.segments(keys, operator, where)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("rule %d", i+1)
	split := &importer.Split{By: unit, Hash: variantHash, Salt: x.f.Key}
	total := uint64(0)
	for j, d := range r.Distributions {
		place := fmt.Sprintf("%s.distributions[%d]", at, j)
		variant, ok := x.names[d.Variant]
		switch {
		case !ok:
			return importer.Refusef(place+".variant", "there is no variant %q", d.Variant)
		case !(d.Rollout >= 0 && d.Rollout <= 100):
			return importer.Refusef(place+".rollout", "%v isn't from 0 to 100", d.Rollout)
		}
		before := total
		total += uint64(d.Rollout * (variantPositions / 100)) // in float32, and truncated, as there
		if total > variantPositions {
			return importer.Refusef(place+".rollout", "the shares add up to more than 100%%")
		}
		if total > before {
			split.Ends = append(split.Ends, importer.End{Variant: variant, At: total})
		}
	}
	if total == 0 {
		serve := x.fallback
		if len(x.f.Variants) == 0 {
			serve = "on"
		}
		x.flag.Rules = append(x.flag.Rules, importer.Rule{Name: name, When: when, Serve: serve})
		return nil
	}
	if total < variantPositions {
		x.flag.Approximate(at+".distributions", "the shares add up to less than 100%%: the rest gets no variant, or "+
			"the default one, as from Flipt's server; some of its client-side engines scale the shares up instead")
		split.Ends = append(split.Ends, importer.End{Variant: x.fallback, At: variantPositions})
	}
	x.flag.Rules = append(x.flag.Rules, importer.Rule{Name: name, When: when, Split: split}, withoutUnit(split, name,
		when, variantPositions))
	return nil
}

// withoutUnit returns the rule for contexts without an entity's ID. It follows the rule with
// the split.
func withoutUnit(s *importer.Split, name string, when importer.Condition, positions uint64) importer.Rule {
	r := importer.Rule{Name: name + " without " + unit, When: when}
	for _, e := range s.Ends {
		if r.Serve = e.Variant; emptyPosition(s.Salt, positions) < e.At {
			break
		}
	}
	return r
}

func (s *segmentRule) keys() []string {
	if s.Key != "" {
		return append([]string{s.Key}, s.Keys...)
	}
	return s.Keys
}

// boolean sets the rules of a boolean flag.
func (x *reading) boolean() error {
	x.flag.Type, x.flag.Default = "boolean", onOff(x.f.Enabled)
	if len(x.f.Variants)+len(x.f.Rules) > 0 {
		x.flag.Note(x.at, "variants and rules have no effect on boolean flags")
	}
	for i := range x.f.Rollouts {
		r, at := &x.f.Rollouts[i], fmt.Sprintf("%s.rollouts[%d]", x.at, i)
		name := r.Description
		if name == "" {
			name = fmt.Sprintf("rollout %d", i+1)
		}
		switch {
		case r.Segment != nil && r.Threshold != nil:
			return importer.Refusef(at, "it has both a segment and a threshold")
		case r.Segment != nil:
			when, err := x.segments(r.Segment.keys(), r.Segment.Operator, at+".segment")
			if err != nil {
				return err
			}
			x.flag.Rules = append(x.flag.Rules, importer.Rule{Name: name, When: when, Serve: onOff(r.Segment.Value)})
		case r.Threshold != nil:
			if err := x.threshold(r.Threshold, name, at+".threshold", i == len(x.f.Rollouts)-1); err != nil {
				return err
			}
		default:
			x.flag.Note(at, "it has neither a segment nor a threshold, and so no effect")
		}
	}
	return nil
}

func onOff(value bool) string {
	if value {
		return "on"
	}
	return "off"
}

// threshold adds the rules for a percentage of the entities. The last rollout becomes a split.
func (x *reading) threshold(t *threshold, name, at string, last bool) error {
	if !(t.Percentage >= 0 && t.Percentage <= 100) {
		return importer.Refusef(at+".percentage", "%v isn't from 0 to 100", t.Percentage)
	}
	end := uint64(math.Ceil(float64(t.Percentage))) // positions are compared as whole numbers
	serve := onOff(t.Value)
	if last && end < booleanPositions && serve != x.flag.Default {
		split := &importer.Split{By: unit, Hash: booleanHash, Salt: x.f.Key,
			Ends: []importer.End{{Variant: serve, At: end}, {Variant: x.flag.Default, At: booleanPositions}}}
		x.flag.Rules = append(x.flag.Rules, importer.Rule{Name: name, Split: split})
		if emptyPosition(x.f.Key, booleanPositions) < end {
			x.flag.Rules = append(x.flag.Rules, withoutUnit(split, name, importer.Always, booleanPositions))
		}
		return nil
	}
	when := importer.Always
	if end < booleanPositions {
		when = importer.Bucket(unit, booleanHash, x.f.Key, 0, 0, end)
		if emptyPosition(x.f.Key, booleanPositions) < end {
			when = importer.Any(when, importer.Not(importer.HasPosition(unit, booleanHash, x.f.Key, 0)))
		}
	}
	x.flag.Rules = append(x.flag.Rules, importer.Rule{Name: name, When: when, Serve: serve})
	return nil
}
