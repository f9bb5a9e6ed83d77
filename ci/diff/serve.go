package diff

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/serin-flags/serin/evaluator"
)

// A rule serves one variant, or shares of several by position. People write shares, but ranges of positions
// decide who gets which variant. So rules with equal shares may still differ, and the report says so: a
// lost lock file moves users without changing a share.

// serveWords says what a rule serves: a variant, or shares of several.
func serveWords(f *evaluator.Flag, r *evaluator.Rule, now int64) string {
	s := r.Split
	if s == nil {
		return quote(variantName(f, r.Variant))
	}
	by := ", by " + quote(s.By)
	if s.By == "" {
		by = ", by chance"
	}
	if s.Ramp != nil {
		return rampWords(f, s, now) + by
	}
	return sharesWords(f, s) + by
}

// sharesWords lists the shares of variants, in the order of the flag's variants: a
// lock file orders ranges in its own way.
func sharesWords(f *evaluator.Flag, s *evaluator.Split) string {
	sums := make(map[int]int64)
	for _, r := range s.Ranges {
		sums[r.Variant] += int64(r.To) - int64(r.From)
	}
	// A split of a hundred variants is legal, and nobody reads their shares in a line.
	order := slices.Sorted(maps.Keys(sums))
	const most = 10
	var list []string
	for i, v := range order {
		if i == most {
			list = append(list, fmt.Sprintf("… (%d)", len(order)))
			break
		}
		list = append(list, quote(variantName(f, v))+" "+countShare(sums[v], int64(s.Total())).String())
	}
	return strings.Join(list, ", ")
}

// rampWords describes where a ramp is at a time, and its points: all of up to four, otherwise the first two
// and the last.
func rampWords(f *evaluator.Flag, s *evaluator.Split, now int64) string {
	r, all := s.Ramp, int64(s.Total())
	if len(r.Points) == 0 {
		return "a ramp without points"
	}
	level := countShare(int64(r.LevelAt(now)), all)
	words := fmt.Sprintf("a ramp of %s, now %s, the rest %s", quote(variantName(f, r.Variant)), level,
		quote(variantName(f, r.Rest)))
	if r.Guarded && len(r.Points) == 1 && r.Points[0].At == math.MinInt64 {
		return words + " (as far as its guard has cleared it)" // and not since a time
	}
	kind := " by steps"
	if r.Linear {
		kind = " in a line"
	}
	point := func(p evaluator.Point) string {
		return countShare(int64(p.Level), all).String() + " at " + time.Unix(p.At, 0).UTC().Format(time.RFC3339)
	}
	var points []string
	for _, p := range r.Points {
		points = append(points, point(p))
	}
	if n := len(points); n > 4 {
		points = []string{points[0], points[1], "…", points[n-1]}
	}
	return words + " (" + strings.TrimSpace(kind) + ": " + strings.Join(points, ", ") + ")"
}

// sameServe reports whether two rules serve the same to everybody, if variants of
// one name are the same.
func sameServe(oldFlag, newFlag *evaluator.Flag, old, new *evaluator.Rule) bool {
	a, b := old.Split, new.Split
	if a == nil || b == nil {
		return a == b && variantName(oldFlag, old.Variant) == variantName(newFlag, new.Variant)
	}
	return a.Bucketing == b.Bucketing && sameRamp(oldFlag, newFlag, a.Ramp, b.Ramp) &&
		slices.EqualFunc(joined(a.Ranges), joined(b.Ranges), func(a, b evaluator.Range) bool {
			return a.To == b.To && variantName(oldFlag, a.Variant) == variantName(newFlag, b.Variant)
		})
}

// sameRamp reports whether two ramps serve the same at all times.
func sameRamp(oldFlag, newFlag *evaluator.Flag, a, b *evaluator.Ramp) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Linear == b.Linear && slices.Equal(a.Points, b.Points) &&
		variantName(oldFlag, a.Variant) == variantName(newFlag, b.Variant) &&
		variantName(oldFlag, a.Rest) == variantName(newFlag, b.Rest)
}

// joined joins adjacent ranges that serve the same variant, because the boundary between them makes no
// difference.
func joined(ranges []evaluator.Range) []evaluator.Range {
	var list []evaluator.Range
	for _, r := range ranges {
		if n := len(list); n > 0 && list[n-1].Variant == r.Variant {
			list[n-1].To = r.To
		} else {
			list = append(list, r)
		}
	}
	return list
}

// serveEdits describes how two rules differ in what they serve. New positions are a separate edit, because
// they reassign users even if the shares are the same.
func serveEdits(oldFlag, newFlag *evaluator.Flag, old, new *evaluator.Rule, now int64) []string {
	if sameServe(oldFlag, newFlag, old, new) {
		return nil
	}
	a, b := serveWords(oldFlag, old, now), serveWords(newFlag, new, now)
	var list []string
	if a != b {
		list = append(list, a+" → "+b)
	}
	if old.Split == nil || new.Split == nil {
		return list
	}
	if old.Split.Salt != new.Split.Salt {
		list = append(list, "salt: "+quote(old.Split.Salt)+" → "+quote(new.Split.Salt)+", so all positions are new")
	}
	if old.Split.Hash != new.Split.Hash {
		list = append(list, "hash: "+quote(old.Split.Hash)+" → "+quote(new.Split.Hash)+", so all positions are new")
	}
	if a, b := old.Split.Total(), new.Split.Total(); a != b {
		list = append(list, fmt.Sprintf("positions: %d → %d, so all positions are new", a, b))
	}
	if len(list) == 0 && old.Split.Ramp != nil && new.Split.Ramp != nil {
		list = append(list, "other points of the ramp") // those that the words leave out
	} else if len(list) == 0 {
		list = append(list, "the shares are as they were, but of other users")
	}
	return list
}

// reservationWords describes how a flag's part of a layer differs, "" if it doesn't. As with splits, a part
// of the same size may consist of other users.
func reservationWords(old, new *evaluator.Reservation) string {
	words := func(r *evaluator.Reservation) string { return quote(r.Layer) + " " + spansShare(r).String() }
	switch {
	case old == nil && new == nil:
		return ""
	case old == nil:
		return "layer: in " + words(new)
	case new == nil:
		return "layer: no longer in " + words(old)
	case old.Bucketing != new.Bucketing:
		return "layer: " + words(old) + " → " + words(new) + ", with new positions"
	case slices.Equal(old.Spans, new.Spans) && old.Layer == new.Layer:
		return ""
	case spansShare(old).cmp(spansShare(new)) == 0 && old.Layer == new.Layer:
		return "layer: " + words(new) + " as before, but of other users"
	}
	return "layer: " + words(old) + " → " + words(new)
}

// spansShare returns the share of a layer that a flag has.
func spansShare(r *evaluator.Reservation) Share {
	var sum int64
	for _, s := range r.Spans {
		sum += int64(s.To) - int64(s.From)
	}
	return countShare(sum, int64(r.Total()))
}
