package lang

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// A portion is the share of a variant in a split.
type portion struct {
	source.Field
	share  int64
	isRest bool
	ok     bool // the share is right
	// misplaced says that this isn't a share but a key of the rule that stands
	// here by mistake, unless there is a variant of that name.
	misplaced bool
}

// portions reads a mapping of variants to shares.
func (c Checker) portions(n *source.Node) []portion {
	if len(n.Fields) == 0 {
		c.Errorf(n, "the split is empty")
	}
	list := make([]portion, len(n.Fields))
	restAt := -1
	for i, f := range n.Fields {
		p := &list[i]
		p.Field = f
		if p.misplaced = isMisplaced(f); p.misplaced {
			continue
		}
		p.share, p.isRest, p.ok = c.Share(f)
		if p.isRest && restAt >= 0 {
			c.Errorf(f.Value, "two variants get the rest; only one can")
			p.ok = false
		} else if p.isRest {
			restAt = i
		}
	}
	return list
}

// isMisplaced reports whether what stands within a split looks like a key of the
// rule.
func isMisplaced(f source.Field) bool {
	if !slices.Contains(splitKeys, f.Key.Text) {
		return false
	}
	_, err := share.Parse(f.Value.Text)
	return err != nil && f.Value.Text != share.Rest
}

// misplaced records a key of a rule that stands within what the rule serves.
func (c Checker) misplaced(n *source.Node) {
	c.Errorf(n, "%q is a key of the rule; it belongs next to \"serve\", not inside it", n.Text)
}

// sum returns the variants and shares of a split, which must come to a whole.
func (c Checker) sum(r *Rule, set *variantSet) (variants []int, shares []int64, ok bool) {
	variants, shares = make([]int, 0, len(r.portions)), make([]int64, 0, len(r.portions))
	var sum int64
	restAt := -1
	ok = len(r.portions) > 0
	for i, p := range r.portions {
		switch {
		case p.misplaced && !set.has(p.Key.Text):
			c.misplaced(p.Key)
			ok = false
			continue
		case p.misplaced:
			c.Share(p.Field) // which is none
		case p.isRest:
			restAt = i
		}
		variant, fine := c.variant(p.Key, set)
		ok = ok && fine && p.ok
		sum += p.share
		variants, shares = append(variants, variant), append(shares, p.share)
	}
	switch {
	case !ok:
		return nil, nil, false
	case restAt >= 0 && sum <= share.Whole:
		shares[restAt] = share.Whole - sum
	case restAt >= 0:
		c.Errorf(r.Serve, "the shares before the rest come to %s, more than 100%%", share.Format(sum))
		return nil, nil, false
	case sum != share.Whole:
		c.Errorf(r.Serve, "the shares come to %s, not 100%%; one of them may be %q", share.Format(sum), share.Rest)
		return nil, nil, false
	}
	return variants, shares, true
}

// compileSplit gives the variants of a split their positions.
func (c Checker) compileSplit(r *Rule, set *variantSet, split *evaluator.Split) bool {
	variants, shares, ok := c.sum(r, set)
	if !ok {
		return false
	}
	for i, portion := range shares {
		if !c.Exact(r.portions[i].Value, portion, split.Bucketing) {
			return false
		}
	}
	if split.Ranges = c.locked(r, variants, shares, set, split); split.Ranges == nil {
		split.Ranges = share.Ranges(variants, shares, split.Total())
	}
	return true
}

// splitKeys are the keys of a rule that say how its split is drawn.
var splitKeys = []string{"by", "salt", "hash", "positions"}

// unit reads by what a split is drawn, its salt, and its hash.
func (c Checker) unit(rule *source.Node, split *evaluator.Split) {
	by := rule.Get("by")
	if by != nil && by.Text == "chance" {
		split.Bucketing = evaluator.Bucketing{}
		for _, key := range splitKeys[1:] {
			if n := rule.Get(key); n != nil {
				c.Errorf(n, "%q has no effect: the split is by chance", key)
			}
		}
		return
	}
	if salt := rule.Get("salt"); salt != nil {
		split.Salt, _ = c.Name(salt, "\"salt\"")
	}
	c.Hash(rule, &split.Bucketing)
	if by == nil {
		split.By = c.Known.Unit // checked with serin.yaml
		return
	}
	if name, ok := c.Name(by, "\"by\""); ok {
		c.UnitAttribute(by, "chance")
		split.By = name
	}
}

// UnitAttribute checks that n names an attribute that may be hashed.
func (c Checker) UnitAttribute(n *source.Node, also ...string) {
	if a := c.Lookup(n, also...); a != nil && !a.Unit {
		c.Errorf(n, "attribute %q is not declared with unit: true in %s%s", a.Name, c.Known.contextPath, c.otherUnits())
	}
}

// otherUnits names the attributes that a split may be by.
func (c Checker) otherUnits() string {
	if list := problem.QuotedList(c.Known.units()); list != "" {
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

// clone returns a set that can become another one's body.
func (set *variantSet) clone() *variantSet {
	other := *set
	other.list = slices.Clip(set.list)
	return &other
}

// has reports whether there is a variant of that name.
func (set *variantSet) has(name string) bool {
	return slices.ContainsFunc(set.list, func(v evaluator.Variant) bool { return v.Name == name })
}

// variant returns the index of the variant that n names.
func (c Checker) variant(n *source.Node, set *variantSet) (int, bool) {
	name, ok := c.Name(n, "the variant")
	if !ok || set.broken {
		return 0, false
	}
	i := slices.IndexFunc(set.list, func(v evaluator.Variant) bool { return v.Name == name })
	if i >= 0 {
		return i, true
	}
	if set.open {
		if len(set.list) == share.MaxVariants {
			c.Errorf(n, "the flag has more than %d variants", share.MaxVariants)
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
	c.Errorf(n, "unknown variant %q%s; the flag has %s", name, hint, problem.QuotedList(names))
	return 0, false
}

// byValue suggests the variant whose value n is: true is a value, on a variant.
func (set *variantSet) byValue(n *source.Node) string {
	for _, v := range set.list {
		if b, ok := v.Value.Bool(); ok && n.Type() == source.BoolScalar && b == n.IsTrue() {
			return fmt.Sprintf(" (did you mean %q?)", v.Name)
		}
		if s, ok := v.Value.Text(); ok && s == n.Text {
			return fmt.Sprintf(" (did you mean %q, whose value it is?)", v.Name)
		}
		if i, ok := v.Value.Int(); ok && strconv.FormatInt(i, 10) == n.Text {
			return fmt.Sprintf(" (did you mean %q, whose value it is?)", v.Name)
		}
	}
	return ""
}
