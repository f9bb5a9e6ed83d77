// Package served says in shares what a flag serves at a time, and when that changes: for
// lists and pages, which show it without any context.
package served

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// A Share is a variant and its share of those that it is one of, from 0 to 1.
type Share struct {
	Variant string  `json:"variant"`
	Share   float64 `json:"share"`
}

// A Rule is what a rule serves to the users it matches.
type Rule struct {
	Rule   string  `json:"rule"`
	Serves []Share `json:"serves"`
}

// Now returns what a flag serves to users who match no rule with a condition, the largest
// share first, and the rules with a condition that come before. now is in Unix seconds.
func Now(f *evaluator.Flag, now int64) (conditional []Rule, shares []Share) {
	if f.Disabled {
		return nil, whole(f, f.Off)
	}
	for i := range f.Rules {
		r := &f.Rules[i]
		served := OfRule(f, r, now)
		if r.When == nil {
			return conditional, served
		}
		conditional = append(conditional, Rule{r.Name, served})
	}
	return conditional, whole(f, f.Default)
}

// OfRule returns what a rule of a flag serves to those that it matches, the largest share
// first. now is in Unix seconds.
func OfRule(f *evaluator.Flag, r *evaluator.Rule, now int64) []Share {
	if r.Split != nil {
		return split(f, r.Split, now)
	}
	return whole(f, r.Variant)
}

func whole(f *evaluator.Flag, variant int) []Share { return []Share{{f.Variants[variant].Name, 1}} }

// split returns the shares of a split at a time, without those of nobody.
func split(f *evaluator.Flag, s *evaluator.Split, now int64) []Share {
	positions := make([]uint64, len(f.Variants))
	for _, r := range s.Ranges {
		positions[r.Variant] += r.To - r.From
	}
	if s.Ramp != nil {
		level := s.Ramp.LevelAt(now)
		positions[s.Ramp.Variant] += level
		positions[s.Ramp.Rest] += s.Total() - level
	}
	var shares []Share
	for i, n := range positions {
		if n > 0 {
			shares = append(shares, Share{f.Variants[i].Name, float64(n) / float64(s.Total())})
		}
	}
	slices.SortStableFunc(shares, func(a, b Share) int { return cmp.Compare(b.Share, a.Share) })
	return shares
}

// NextChange returns when a ramp of a flag next reaches a point: takes a step or, if it
// grows all the time, begins or ends. It returns 0 if none does. Times are Unix seconds.
func NextChange(f *evaluator.Flag, now int64) (at int64) {
	if f.Disabled {
		return 0
	}
	for _, r := range f.Rules {
		if r.Split == nil || r.Split.Ramp == nil {
			continue
		}
		for _, p := range r.Split.Ramp.Points {
			if p.At > now && (at == 0 || p.At < at) {
				at = p.At
			}
		}
	}
	return at
}

// Words returns shares in words, such as "60% on, 40% off", or "on" for all.
func Words(shares []Share) string {
	var words []string
	for _, s := range shares {
		if s.Share == 1 {
			words = append(words, s.Variant)
		} else {
			words = append(words, Percent(s.Share)+" "+s.Variant)
		}
	}
	return strings.Join(words, ", ")
}

// Percent returns a share with two digits after the point at most. What is neither nothing
// nor everything isn't rounded to that.
func Percent(share float64) string {
	switch {
	case share > 0 && share < 0.0001:
		return "<0.01%"
	case share < 1 && share > 0.9999:
		return ">99.99%"
	}
	text := strconv.FormatFloat(100*share, 'f', 2, 64)
	return strings.TrimRight(strings.TrimRight(text, "0"), ".") + "%"
}
