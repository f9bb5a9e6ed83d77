package ci

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// Shares are exact: integers of a billionth, so that no sum depends on how a
// machine rounds.
const whole = 1_000_000_000

// rest is the share of a variant that gets what the others leave.
const rest = "rest"

var errShare = errors.New("it is not a share such as 20%, 3‰ or 0.125")

// parseShare parses a share: a percentage with up to seven digits after the
// point, per mille with up to six, or a fraction of one with up to seven. The
// result is in billionths, at most a whole.
func parseShare(text string) (int64, error) {
	number, unit, digits := text, int64(whole), 7
	if s, ok := strings.CutSuffix(text, "%"); ok {
		number, unit = s, whole/100
	} else if s, ok := strings.CutSuffix(text, "‰"); ok {
		number, unit, digits = s, whole/1000, 6
	}
	if shut := strings.ReplaceAll(text, " ", ""); shut != text {
		if _, err := parseShare(shut); err == nil {
			return 0, fmt.Errorf("it holds a space; did you mean %s?", shut)
		}
	}
	integer, fraction, point := strings.Cut(number, ".")
	if integer == "" || point && fraction == "" || trimDigits(integer) != "" || trimDigits(fraction) != "" {
		return 0, errShare
	}
	if len(fraction) > digits {
		return 0, fmt.Errorf("it has more than %d digits after the point", digits)
	}
	if integer = strings.TrimLeft(integer, "0"); len(integer) > 4 {
		return 0, errors.New("it is more than 100%")
	}
	var share int64
	if integer != "" {
		n, err := strconv.ParseInt(integer, 10, 64)
		if err != nil {
			return 0, errShare
		}
		share = n * unit
	}
	for _, digit := range []byte(fraction) {
		unit /= 10
		share += int64(digit-'0') * unit
	}
	switch {
	case share > whole && number == text:
		return 0, fmt.Errorf("as a fraction of one it is more than all; did you mean %s%%?", text)
	case share > whole:
		return 0, errors.New("it is more than 100%")
	}
	return share, nil
}

// formatShare returns a share as a percentage.
func formatShare(share int64) string {
	s := fmt.Sprintf("%d.%07d", share/(whole/100), share%(whole/100))
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") + "%"
}

// ranges gives each variant its share of the positions, in the order given:
// the boundary after the first i shares is floor(sum of them × 2^32 / 10^9).
// Shares come to a whole; those that get no position are left out.
func ranges(variants []int, shares []int64) []evaluator.Range {
	var list []evaluator.Range
	var sum int64
	var from uint64
	for i, share := range shares {
		sum += share
		to := boundary(sum)
		if to > from {
			list = append(list, evaluator.Range{From: from, To: to, Variant: variants[i]})
		}
		from = to
	}
	return list
}

// boundary returns how many positions a share has, rounded down.
func boundary(share int64) uint64 { return uint64(share) * evaluator.Positions / whole } // below 2^62

// split reads a mapping of variants to shares, which come to a whole.
func (c checker) split(n *node, set *variantSet) (variants []int, shares []int64, ok bool) {
	if len(n.fields) == 0 {
		c.errorf(n, "the split is empty")
		return nil, nil, false
	}
	variants, shares = make([]int, 0, len(n.fields)), make([]int64, 0, len(n.fields))
	var sum int64
	restAt := -1
	ok = true
	for i, f := range n.fields {
		if c.misplaced(f, set) {
			ok = false
			continue
		}
		variant, fine := c.variant(f.key, set)
		portion, isRest, good := c.share(f)
		if isRest && restAt >= 0 {
			c.errorf(f.value, "two variants get the rest; only one can")
			good = false
		} else if isRest {
			restAt = i
		}
		ok = ok && fine && good
		sum += portion
		variants, shares = append(variants, variant), append(shares, portion)
	}
	switch {
	case !ok:
		return nil, nil, false
	case restAt >= 0 && sum <= whole:
		shares[restAt] = whole - sum
	case restAt >= 0:
		c.errorf(n, "the shares before the rest come to %s, more than 100%%", formatShare(sum))
		return nil, nil, false
	case sum != whole:
		c.errorf(n, "the shares come to %s, not 100%%; one of them may be %q", formatShare(sum), rest)
		return nil, nil, false
	}
	return variants, shares, true
}

// fixedSplit reads a mapping of variants to shares into split.
func (c checker) fixedSplit(n *node, rule string, set *variantSet, split *evaluator.Split) bool {
	variants, shares, ok := c.split(n, set)
	if !ok {
		return false
	}
	if split.Ranges = c.locked(n, rule, variants, shares, set, split); split.Ranges == nil {
		split.Ranges = ranges(variants, shares)
	}
	return true
}

// share reads the share of a variant.
func (c checker) share(f field) (portion int64, isRest, ok bool) {
	if f.value.kind != scalar {
		c.errorf(f.value, "the share of %q is one such as 20%%, not %s", f.key.text, f.value.describe())
		return 0, false, false
	}
	if f.value.text == rest {
		return 0, true, true
	}
	portion, err := parseShare(f.value.text)
	if err != nil {
		c.errorf(f.value, "share %q of %q: %v", shorten(f.value.text), f.key.text, err)
		return 0, false, false
	}
	return portion, false, true
}

// plainShare reads a share that isn't that of a variant in a split.
func (c checker) plainShare(n *node, what string) (int64, bool) {
	if n.kind != scalar {
		c.errorf(n, "%s is a share such as 20%%, not %s", what, n.describe())
		return 0, false
	}
	portion, err := parseShare(n.text)
	if err != nil {
		c.errorf(n, "%s %q: %v", what, shorten(n.text), err)
	}
	return portion, err == nil
}

// serve reads what a rule serves into r.
func (c checker) serve(rule *node, key string, set *variantSet, r *evaluator.Rule) {
	n := rule.get("serve")
	if n == nil {
		c.errorf(rule, "the rule has no \"serve\"")
		return
	}
	switch n.kind {
	case scalar:
		r.Variant, _ = c.variant(n, set)
		for _, f := range rule.fields {
			if slices.Contains(splitKeys, f.key.text) {
				c.errorf(f.key, "%q has no effect: the rule serves one variant, not a split", f.key.text)
			}
		}
	case sequence:
		c.errorf(n, "\"serve\" is a variant, a mapping of variants to shares or a ramp, not a list")
	case mapping:
		split := &evaluator.Split{Bucketing: evaluator.Bucketing{Salt: key}}
		c.unit(rule, split)
		var ok bool
		if isRamp(n) {
			ok = c.ramp(n, set, split)
		} else {
			ok = c.fixedSplit(n, r.Name, set, split)
		}
		if ok {
			r.Split = split
		}
		if y := c.layer; y != nil && y.by == split.By && y.salt == split.Salt {
			c.errorf(cmp.Or(rule.get("salt"), n), "the split has the unit and the salt of the layer %q, so it can't divide the flag's share of that; give it another salt", y.name)
		}
	}
}

// splitKeys are the keys of a rule that say how its split is drawn.
var splitKeys = []string{"by", "salt", "hash"}

// misplaced reports whether a key of a rule stands within what the rule serves,
// and records it.
func (c checker) misplaced(f field, set *variantSet) bool {
	if !slices.Contains(splitKeys, f.key.text) || set.has(f.key.text) {
		return false
	}
	if _, err := parseShare(f.value.text); err == nil || f.value.text == rest {
		return false // a variant of that name
	}
	c.errorf(f.key, "%q is a key of the rule: it stands beside \"serve\", not within", f.key.text)
	return true
}

// unit reads by what a split is drawn, its salt and the name of the hash.
func (c checker) unit(rule *node, split *evaluator.Split) {
	if salt := rule.get("salt"); salt != nil {
		split.Salt, _ = c.name(salt, "\"salt\"")
	}
	split.Hash = c.hash(rule.get("hash"))
	by := rule.get("by")
	if by == nil {
		split.By = c.known.unit // checked with serin.yaml
		return
	}
	name, ok := c.name(by, "\"by\"")
	switch {
	case !ok:
	case name == "chance":
		split.Salt, split.Hash = "", ""
		for _, key := range []string{"salt", "hash"} {
			if n := rule.get(key); n != nil {
				c.errorf(n, "%q has no effect: the split is by chance", key)
			}
		}
	default:
		c.unitAttribute(by, "chance")
		split.By = name
	}
}

// unitAttribute checks that n names an attribute that may be hashed.
func (c checker) unitAttribute(n *node, also ...string) {
	if a := c.lookup(n, also...); a != nil && !a.unit {
		c.errorf(n, "attribute %q is not declared with unit: true in %s%s", a.name, c.known.contextFile, c.otherUnits())
	}
}

// hashes are the names of the algorithms that positions are computed with.
var hashes = []string{evaluator.HashMurmur3}

// hash reads the name of an algorithm. n may be nil.
func (c checker) hash(n *node) string {
	if n == nil {
		return evaluator.HashMurmur3
	}
	name, ok := c.name(n, "\"hash\"")
	if ok && !slices.Contains(hashes, name) {
		c.errorf(n, "unknown hash %q%s; known is %s", shorten(name), suggest.DidYouMean(name, slices.Values(hashes)), quotedList(slices.Values(hashes)))
	}
	return name
}

// otherUnits names the attributes that a split may be by.
func (c checker) otherUnits() string {
	if list := quotedList(c.known.units()); list != "" {
		return "; those that are: " + list
	}
	return ""
}

// A variantSet is the variants of a flag while its rules are read.
type variantSet struct {
	list []evaluator.Variant
	// open says that the flag is a string flag without "variants": every
	// name that is served becomes a variant, whose value is its name.
	open bool
	// broken says that the variants couldn't be read, so that nothing can be
	// said about names.
	broken bool
	// fallback is the index of the flag's default, which is what a ramp
	// leaves to others; -1 if it isn't known.
	fallback int
	// inherited says that the rules aren't meant for this default: they are
	// those of the flag itself, and an environment has replaced the default.
	inherited bool
}

// has reports whether there is a variant of that name.
func (set *variantSet) has(name string) bool {
	return slices.ContainsFunc(set.list, func(v evaluator.Variant) bool { return v.Name == name })
}

// maxVariants bounds the variants of a flag.
const maxVariants = 1000

// variant returns the index of the variant that n names.
func (c checker) variant(n *node, set *variantSet) (int, bool) {
	name, ok := c.name(n, "the variant")
	if !ok || set.broken {
		return 0, false
	}
	i := slices.IndexFunc(set.list, func(v evaluator.Variant) bool { return v.Name == name })
	if i >= 0 {
		return i, true
	}
	if set.open {
		if len(set.list) == maxVariants {
			c.errorf(n, "the flag has more than %d variants", maxVariants)
			return 0, false
		}
		set.list = append(set.list, evaluator.Variant{Name: name, Value: evaluator.StringValue(name)})
		return len(set.list) - 1, true
	}
	names := func(yield func(string) bool) {
		for _, v := range set.list {
			if !yield(v.Name) {
				return
			}
		}
	}
	hint := suggest.DidYouMean(name, names)
	if hint == "" {
		hint = set.byValue(n)
	}
	c.errorf(n, "unknown variant %q%s; the flag has %s", name, hint, quotedList(names))
	return 0, false
}

// byValue suggests the variant whose value n is: true is a value, on a variant.
func (set *variantSet) byValue(n *node) string {
	for _, v := range set.list {
		if b, ok := v.Value.Bool(); ok && n.scalarType() == boolScalar && b == n.isTrue() {
			return fmt.Sprintf(" (did you mean %q?)", v.Name)
		}
		if s, ok := v.Value.Text(); ok && s == n.text {
			return fmt.Sprintf(" (did you mean %q, whose value it is?)", v.Name)
		}
		if i, ok := v.Value.Int(); ok && strconv.FormatInt(i, 10) == n.text {
			return fmt.Sprintf(" (did you mean %q, whose value it is?)", v.Name)
		}
	}
	return ""
}
