package main

import (
	"fmt"
	"math"

	"github.com/serin-flags/serin/sdk"
)

// checkedFlags is how many flags of an estate are checked.
const checkedFlags = 20

// check asks both systems about every person of a point, and the flags' own descriptions.
// All ways of asking must agree.
func (l *loaded) check(p *point) error {
	for _, key := range p.asked {
		if err := l.checkFlag(p, p.estate.flag(key), p.wanted); err != nil {
			return fmt.Errorf("flag %s: %w", key, err)
		}
	}
	step := max(1, len(p.estate.flags)/checkedFlags)
	for i := 0; i < len(p.estate.flags); i += step {
		f := &p.estate.flags[i]
		if err := l.checkFlag(p, f, anyRule); err != nil {
			return fmt.Errorf("flag %s: %w", f.key, err)
		}
	}
	return l.checkBulk(p)
}

func (l *loaded) checkFlag(p *point, f *flagSpec, wanted int) error {
	handle := sdk.String(f.key, "")
	counts := make(map[string]int)
	matched := make(map[int]int)
	for i := range p.people {
		one := &p.people[i]
		ctx := one.context()
		ctx.Now = one.now
		got := handle.Get(l.client, ctx)
		rule := p.estate.rule(f, one)
		if wanted != anyRule && rule != wanted {
			return fmt.Errorf("rule %d is for %+v, not rule %d", rule, *one, wanted)
		}
		matched[rule]++
		counts[got]++
		chosen := got == "none" && rule >= 0 && (f.layer != "" || f.rules[rule].ramp)
		if decided(got) != served(rule) && !chosen {
			return fmt.Errorf("%q for %+v, not %q", got, *one, served(rule))
		}
		if named, _ := l.client.Snapshot().Evaluate(f.key, ctx).Value().Text(); named != got {
			return fmt.Errorf("%q by name and %q by handle for %+v", named, got, *one)
		}
		if viewed := handle.In(l.client.For(ctx)); viewed != got {
			return fmt.Errorf("%q in a view and %q by handle for %+v", viewed, got, *one)
		}
		if l.evaluator == nil {
			continue
		}
		other := l.evaluator.Evaluate(l.peers[f.key], one.peer(), nil).Detail.Value.StringValue()
		if decided(other) != decided(got) {
			return fmt.Errorf("%q, and LaunchDarkly %q, for %+v", got, other, *one)
		}
	}
	for i, r := range f.rules {
		for _, s := range r.shares {
			if r.ramp && s.name != r.shares[0].name {
				continue // the rest has the flag's default
			}
			if err := checkShare(counts[variant(i, s)], matched[i], s.percent); err != nil {
				return fmt.Errorf("%s: %w", variant(i, s), err)
			}
		}
	}
	return nil
}

// checkShare checks a share of people to within five standard deviations. Nothing here is
// random, so what has passed once always passes.
func checkShare(n, of, percent int) error {
	share := float64(percent) / 100
	if off := math.Abs(float64(n) - share*float64(of)); off > 1+5*math.Sqrt(share*(1-share)*float64(of)) {
		return fmt.Errorf("%d of %d people, which isn't %d%%", n, of, percent)
	}
	return nil
}

// checkBulk compares the answers of all flags at once with those one by one.
func (l *loaded) checkBulk(p *point) error {
	for i := range min(4, len(p.people)) {
		ctx := p.people[i].context()
		ctx.Now = p.people[i].now
		n := 0
		for key, result := range l.client.Snapshot().All(ctx) {
			n++
			got, _ := result.Value().Text()
			if one, _ := l.client.Evaluate(key, ctx).Value().Text(); one != got {
				return fmt.Errorf("flag %s: %q of all, and %q alone, for %+v", key, got, one, p.people[i])
			}
		}
		if n != len(p.estate.flags) {
			return fmt.Errorf("%d answers of all %d flags", n, len(p.estate.flags))
		}
	}
	return nil
}
