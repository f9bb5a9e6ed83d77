package importer

import (
	"slices"
	"strconv"
	"time"
)

// unique returns texts without repetitions, in their order.
func unique(texts []string) []string {
	seen := make(map[string]bool, len(texts))
	list := make([]string, 0, len(texts))
	for _, t := range texts {
		if !seen[t] {
			seen[t] = true
			list = append(list, t)
		}
	}
	return list
}

func compare(o op, attribute string, fold bool, texts []string) Condition {
	if len(texts) == 0 {
		return Never
	}
	return Condition{Op: o, Attribute: attribute, Texts: unique(texts), Fold: fold}
}

// In holds if the attribute is one of the texts; with fold, ignoring case.
func In(attribute string, fold bool, texts ...string) Condition {
	return compare(opIn, attribute, fold, texts)
}

// Empty holds if the attribute is an empty text. It fits attributes of any type.
func Empty(attribute string) Condition { return In(attribute, false, "") }

func (c Condition) isEmpty() bool { return c.Op == opIn && len(c.Texts) == 1 && c.Texts[0] == "" }

// Integers holds if the attribute is one of the integers.
func Integers(attribute string, ints ...int64) Condition {
	if len(ints) == 0 {
		return Never
	}
	return Condition{Op: opIntegers, Attribute: attribute, Ints: slices.Compact(slices.Sorted(slices.Values(ints)))}
}

// text is for comparisons that hold for any text if one of the texts is empty.
func text(o op, attribute string, fold bool, texts []string) Condition {
	if slices.Contains(texts, "") {
		return Condition{Op: opMatches, Attribute: attribute, Texts: []string{"^"}}
	}
	return compare(o, attribute, fold, texts)
}

// Prefix holds if the attribute starts with one of the texts; with fold, ignoring case.
func Prefix(attribute string, fold bool, texts ...string) Condition {
	return text(opPrefix, attribute, fold, texts)
}

// Suffix holds if the attribute ends with one of the texts; with fold, ignoring case.
func Suffix(attribute string, fold bool, texts ...string) Condition {
	return text(opSuffix, attribute, fold, texts)
}

// Contains holds if the attribute contains one of the texts; with fold, ignoring case.
func Contains(attribute string, fold bool, texts ...string) Condition {
	return text(opContains, attribute, fold, texts)
}

// Matches holds if one of the regular expressions matches somewhere in the attribute.
func Matches(attribute string, fold bool, expressions ...string) Condition {
	return compare(opMatches, attribute, fold, expressions)
}

// CIDR holds if the attribute is an address in one of the networks.
func CIDR(attribute string, networks ...string) Condition {
	return compare(opCIDR, attribute, false, networks)
}

// IPRange holds if the attribute is an address from first to last, both included.
func IPRange(attribute, first, last string) Condition {
	return Condition{Op: opIPRange, Attribute: attribute, Texts: []string{first, last}}
}

// Range holds if the attribute is an integer from first to last, both included. The least and
// the greatest integer of 64 bits stand for no bound.
func Range(attribute string, first, last int64) Condition {
	return Condition{Op: opRange, Attribute: attribute, Ints: []int64{first, last}}
}

// Numbers holds if the attribute is a number that equals one of the numbers. An attribute that
// is text has to be a number in JSON's notation.
func Numbers(attribute string, numbers ...Number) Condition {
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = n.String()
	}
	return compare(opNumbers, attribute, false, texts)
}

// Compare holds if the attribute is a number that compares with number as op says: "<", "<=",
// ">" or ">=". The attribute may have a fraction unless other conditions need it to be an
// integer. An attribute that is text has to be a number in JSON's notation.
func Compare(attribute, op string, number float64) Condition {
	n, _ := ParseNumber(strconv.FormatFloat(number, 'f', -1, 64))
	return CompareNumber(attribute, op, n)
}

// CompareNumber is [Compare] for a number that is known exactly.
func CompareNumber(attribute, op string, n Number) Condition {
	return Condition{Op: opNumber, Attribute: attribute, Texts: []string{op, n.String()}}
}

// Mod holds if the attribute is an integer with one of the remainders.
func Mod(attribute string, divisor int64, remainders ...int64) Condition {
	return Condition{Op: opMod, Attribute: attribute, Ints: append([]int64{divisor}, remainders...)}
}

// Semver holds if the attribute is a version that satisfies the comparisons, such as ">=2.1.0 <3".
func Semver(attribute, comparisons string) Condition {
	return Condition{Op: opSemver, Attribute: attribute, Texts: []string{comparisons}}
}

// SemverV is [Semver] for attributes whose versions may have a "v" before them.
func SemverV(attribute, comparisons string) Condition {
	return Condition{Op: opSemverV, Attribute: attribute, Texts: []string{comparisons}}
}

// TimeAfter holds if the attribute is a time from the given one on, and TimeBefore if it is an
// earlier one: text in RFC 3339 or Unix time in seconds. The given time loses its fraction of a
// second.
func TimeAfter(attribute string, t time.Time) Condition { return timeIs(attribute, "after", t) }

// TimeBefore holds if the attribute is a time before the given one, see [TimeAfter].
func TimeBefore(attribute string, t time.Time) Condition { return timeIs(attribute, "before", t) }

func timeIs(attribute, op string, t time.Time) Condition {
	return Condition{Op: opTime, Attribute: attribute, Texts: []string{op, t.UTC().Format(time.RFC3339)}}
}

// Exists holds if the context has the attribute.
func Exists(attribute string) Condition {
	return Condition{Op: opExists, Attribute: attribute, Ints: []int64{1}}
}

// Holds holds if the attribute is a list with one of the texts.
func Holds(attribute string, texts ...string) Condition {
	return compare(opHolds, attribute, false, texts)
}

// Is holds if the attribute is that boolean.
func Is(attribute string, value bool) Condition {
	return Condition{Op: opIs, Attribute: attribute, Texts: []string{strconv.FormatBool(value)}}
}

// InSegment holds if the attribute is a member of the segment.
func InSegment(attribute, segment string) Condition {
	return Condition{Op: opSegment, Attribute: attribute, Texts: []string{segment}}
}

// Bucket holds if the attribute's position is at least from and below to. Positions is 0 for
// the hash's own number.
func Bucket(attribute, hash, salt string, positions, from, to uint64) Condition {
	if from >= to {
		return Never
	}
	return Condition{Op: opBucket, Attribute: attribute, Texts: []string{hash, salt},
		Ints: []int64{int64(positions), int64(from), int64(to)}}
}

// After holds from the time on, Before up to it; both are in RFC 3339 with whole seconds.
func After(time string) Condition { return Condition{Op: opNow, Texts: []string{"after", time}} }

// Before holds until just before the time.
func Before(time string) Condition { return Condition{Op: opNow, Texts: []string{"before", time}} }

// Serves holds if another flag serves one of the variants.
func Serves(flag string, variants ...string) Condition {
	if len(variants) == 0 {
		return Never
	}
	return Condition{Op: opFlag, Attribute: flag, Texts: unique(variants)}
}
