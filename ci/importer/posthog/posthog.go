// Package posthog reads the feature flags of PostHog as its SDKs get them for local evaluation.
//
// Where local evaluation can't decide, because a property is missing, it follows PostHog's
// server. Start at [Read].
package posthog

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/serin-flags/serin/ci/importer"
)

// The attribute that identifies users, and the hashes that divide them.
const (
	unit         = "distinct_id"
	hash         = "posthog"
	variantHash  = "posthog-variants"
	holdoutHash  = "posthog-holdouts"
	holdoutSalt  = "holdout"
	positions    = 1 << 60
	maxCondition = 1000 // of a flag, or of a cohort
)

// The variants of flags with several, where the flag is off, and where it is on without one.
const (
	off = "off"
	on  = "on"
)

// A payload is what SDKs get from /flags/definitions or /api/feature_flag/local_evaluation.
type payload struct {
	Flags   []flag                     `json:"flags"`
	Cohorts map[string]json.RawMessage `json:"cohorts"`
}

type flag struct {
	Key        string  `json:"key"`
	Name       string  `json:"name"`
	Active     bool    `json:"active"`
	Deleted    bool    `json:"deleted"`
	Continuity bool    `json:"ensure_experience_continuity"`
	BucketBy   string  `json:"bucketing_identifier"`
	Filters    filters `json:"filters"`
}

type filters struct {
	Groups       []group `json:"groups"`
	Multivariate *struct {
		Variants []variant `json:"variants"`
	} `json:"multivariate"`
	Aggregation   *int                       `json:"aggregation_group_type_index"`
	Payloads      map[string]json.RawMessage `json:"payloads"`
	SuperGroups   []group                    `json:"super_groups"`
	HoldoutGroups []group                    `json:"holdout_groups"`
	Holdout       *holdout                   `json:"holdout"`
	EarlyExit     bool                       `json:"early_exit"`
}

type group struct {
	Properties  []property `json:"properties"`
	Rollout     *float64   `json:"rollout_percentage"`
	Variant     string     `json:"variant"`
	Aggregation *int       `json:"aggregation_group_type_index"`
}

type variant struct {
	Key     string  `json:"key"`
	Rollout float64 `json:"rollout_percentage"`
}

type holdout struct {
	ID        json.RawMessage `json:"id"`
	Exclusion *float64        `json:"exclusion_percentage"`
}

// Read reads the payload of local evaluation.
func Read(data []byte, _ importer.Options) (*importer.Import, error) {
	var p payload
	if err := importer.Decode(data, &p); err != nil {
		return nil, err
	}
	if len(p.Flags) == 0 {
		return nil, importer.Refusef("flags", "there are no flags; the file must be what SDKs get for local evaluation")
	}
	out := &importer.Import{System: "PostHog", Unit: unit, Notes: []importer.Note{
		{Reason: "properties have one type each; PostHog turns them into text where it compares text"},
		{Reason: "shares of 0% and 100% are exact here; PostHog's floating-point numbers miss them by at most 64 of 2^60 positions"},
	}}
	r := &reader{payload: p}
	for i := range p.Flags {
		f := &p.Flags[i]
		if f.Deleted {
			continue
		}
		at := fmt.Sprintf("flags[%d]", i)
		if slices.IndexFunc(p.Flags, func(g flag) bool { return !g.Deleted && g.Key == f.Key }) != i {
			out.Refuse(f.Key, importer.Refusef(at+".key", "there is another flag with the key %q", f.Key))
			continue
		}
		x := &reading{reader: r, f: f, at: at,
			flag: &importer.Flag{Key: f.Key, Namespace: "default", Description: f.Name, Place: at}}
		if err := x.read(); err != nil {
			out.Refuse(f.Key, err)
			continue
		}
		out.Flags = append(out.Flags, x.flag)
	}
	return out, nil
}

// A reader turns flags into ours.
type reader struct{ payload }

// A reading is one flag while it is read.
type reading struct {
	*reader
	f     *flag
	at    string
	flag  *importer.Flag
	chain []string // of cohorts
	count int      // of properties
}

// several reports whether the flag has variants.
func (f *flag) several() bool {
	return f.Filters.Multivariate != nil && len(f.Filters.Multivariate.Variants) > 0
}

// supported returns what can't be carried over about the flag as a whole.
func (x *reading) supported() error {
	f := &x.f.Filters
	switch at := x.at + ".filters"; {
	case x.f.Key == "":
		return importer.Refusef(x.at+".key", "the flag has no key")
	case x.f.Continuity:
		return importer.Refusef(x.at+".ensure_experience_continuity",
			"PostHog's database decides who keeps an earlier variant after logging in")
	case x.f.BucketBy != "" && x.f.BucketBy != unit:
		return importer.Refusef(x.at+".bucketing_identifier", "it divides by %q, and not by the distinct ID",
			x.f.BucketBy)
	case f.Aggregation != nil:
		return importer.Refusef(at+".aggregation_group_type_index", "it divides groups, and not persons")
	case len(f.SuperGroups) > 0:
		return importer.Refusef(at+".super_groups", "PostHog's database has who enrolled in early access")
	}
	return nil
}

func (x *reading) read() error {
	if err := x.supported(); err != nil {
		return err
	}
	x.flag.Type, x.flag.Default, x.flag.Disabled = "boolean", off, !x.f.Active
	if x.f.several() {
		if err := x.variants(); err != nil {
			return err
		}
	}
	if err := x.holdout(); err != nil {
		return err
	}
	if len(x.f.Filters.Payloads) > 0 {
		x.flag.Note(x.at+".filters.payloads",
			"payloads aren't carried over; the flag serves what getFeatureFlag returns")
	}
	if len(x.f.Filters.Groups) > maxCondition {
		return importer.Refusef(x.at+".filters.groups", "there are more than %d", maxCondition)
	}
	for i := range x.f.Filters.Groups {
		name, at := fmt.Sprintf("condition %d", i+1), fmt.Sprintf("%s.filters.groups[%d]", x.at, i)
		if err := x.group(&x.f.Filters.Groups[i], name, at); err != nil {
			return err
		}
	}
	return nil
}

// variants sets the variants of a flag that has several.
func (x *reading) variants() error {
	x.flag.Type = "string"
	for i, v := range x.f.Filters.Multivariate.Variants {
		at := fmt.Sprintf("%s.filters.multivariate.variants[%d]", x.at, i)
		switch {
		case v.Key == on || v.Key == off ||
			slices.ContainsFunc(x.flag.Variants, func(w importer.Variant) bool { return w.Name == v.Key }):
			return importer.Refusef(at+".key", "a variant can't be called %q here, or there are two", v.Key)
		case !(v.Rollout >= 0 && v.Rollout <= 100):
			return importer.Refusef(at+".rollout_percentage", "%v isn't from 0 to 100", v.Rollout)
		}
		x.flag.Variants = append(x.flag.Variants, importer.Variant{Name: v.Key, Value: importer.JSONText(v.Key)})
	}
	x.flag.Variants = append(x.flag.Variants, importer.Variant{Name: off, Value: `"false"`},
		importer.Variant{Name: on, Value: `"true"`})
	x.flag.Note(x.at+".filters.multivariate",
		"where PostHog returns false or true instead of a variant, the flag serves that as text")
	return nil
}

// holdout adds the rule for users who are held out.
func (x *reading) holdout() error {
	h, at := x.f.Filters.Holdout, x.at+".filters.holdout"
	if len(x.f.Filters.HoldoutGroups) > 0 && h == nil {
		return importer.Refusef(x.at+".filters.holdout_groups",
			"holdouts in the form before \"holdout\"; save the flag in PostHog and import again")
	}
	if h == nil || len(h.ID) == 0 || h.Exclusion == nil {
		return nil
	}
	id, ok := importer.Integer(h.ID)
	switch {
	case !ok:
		return importer.Refusef(at+".id", "%.40s is no whole number", h.ID)
	case !(*h.Exclusion >= 0 && *h.Exclusion <= 100):
		return importer.Refusef(at+".exclusion_percentage", "%v isn't from 0 to 100", *h.Exclusion)
	case !x.f.several():
		return importer.Refusef(at, "it serves the text \"holdout-%d\", and the flag booleans", id)
	}
	name := fmt.Sprintf("holdout-%d", id)
	if slices.ContainsFunc(x.flag.Variants, func(w importer.Variant) bool { return w.Name == name }) {
		return importer.Refusef(at+".id", "there is also a variant %q", name)
	}
	x.flag.Variants = append(x.flag.Variants, importer.Variant{Name: name, Value: importer.JSONText(name)})
	x.flag.Rules = append(x.flag.Rules,
		importer.Rule{Name: name, When: share(holdoutHash, holdoutSalt, *h.Exclusion), Serve: name})
	return nil
}

// group adds the rules for a set of conditions.
func (x *reading) group(g *group, name, at string) error {
	if g.Aggregation != nil {
		return importer.Refusef(at+".aggregation_group_type_index", "it divides groups, and not persons")
	}
	properties, err := x.all(g.Properties, at+".properties")
	if err != nil {
		return err
	}
	when, everyone := properties, true
	if g.Rollout != nil {
		if !(*g.Rollout >= 0 && *g.Rollout <= 100) {
			return importer.Refusef(at+".rollout_percentage", "%v isn't from 0 to 100", *g.Rollout)
		}
		everyone = *g.Rollout == 100
		when = importer.All(properties, share(hash, x.f.Key, *g.Rollout))
	}
	rule := importer.Rule{Name: name, When: when, Serve: on}
	if x.f.several() {
		rule.Serve = ""
		rule.Split = x.split()
	}
	for _, v := range x.flag.Variants {
		if g.Variant == v.Name &&
			slices.ContainsFunc(x.f.Filters.Multivariate.Variants, func(w variant) bool { return w.Key == v.Name }) {
			rule.Serve, rule.Split = v.Name, nil
		}
	}
	x.flag.Rules = append(x.flag.Rules, rule)
	if x.f.Filters.EarlyExit && !everyone {
		x.flag.Rules = append(x.flag.Rules, importer.Rule{Name: name + ", no others", When: properties, Serve: off})
	}
	return nil
}

// share returns the condition that a user is among the first ones of a hash, in percent.
func share(hash, salt string, percentage float64) importer.Condition {
	if percentage == 100 {
		return importer.Always
	}
	return importer.Bucket(unit, hash, salt, 0, 0, end(percentage))
}

// fraction returns the number that PostHog compares with shares, for a position.
func fraction(position uint64) float64 { return float64(position) / 0xFFFFFFFFFFFFFFF }

// end returns the first position whose fraction is above a percentage.
func end(percentage float64) uint64 {
	if percentage == 0 {
		return 0
	}
	return uint64(sort.Search(positions, func(p int) bool { return fraction(uint64(p)) > percentage/100 }))
}

// split divides users among the variants. A variant has the fractions from the sum of the
// shares before it up to its own sum, which it doesn't include.
func (x *reading) split() *importer.Split {
	s := &importer.Split{By: unit, Hash: variantHash, Salt: x.f.Key}
	sum, percent := 0.0, 0.0
	for _, v := range x.f.Filters.Multivariate.Variants {
		if v.Rollout == 0 {
			continue
		}
		sum += v.Rollout / 100
		percent += v.Rollout
		to := uint64(sort.Search(positions, func(p int) bool { return fraction(uint64(p)) >= sum }))
		if math.Abs(percent-100) < 1e-9 {
			to = positions
		}
		s.Ends = append(s.Ends, importer.End{Variant: v.Key, At: to})
	}
	if n := len(s.Ends); n == 0 || s.Ends[n-1].At < positions {
		s.Ends = append(s.Ends, importer.End{Variant: on, At: positions})
	}
	return s
}
