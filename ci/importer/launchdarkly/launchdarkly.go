// Package launchdarkly reads the flags of LaunchDarkly in the form in which its SDKs get them,
// as in file data sources and in the archives of its Relay Proxy.
//
// It follows the evaluation of LaunchDarkly's server SDKs for contexts of the kind "user".
// Start at [Read].
package launchdarkly

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/evaluator"
)

// unit is the attribute that identifies users.
const unit = "key"

// A payload is what SDKs get.
type payload struct {
	Flags      map[string]*flag           `json:"flags"`
	Segments   map[string]*segment        `json:"segments"`
	FlagValues map[string]json.RawMessage `json:"flagValues"`
	Data       *payload                   `json:"data"` // as in a stream
}

type flag struct {
	On             bool              `json:"on"`
	Prerequisites  []prerequisite    `json:"prerequisites"`
	Targets        []target          `json:"targets"`
	ContextTargets []target          `json:"contextTargets"`
	Rules          []rule            `json:"rules"`
	Fallthrough    variationOrSplit  `json:"fallthrough"`
	OffVariation   *int              `json:"offVariation"`
	Variations     []json.RawMessage `json:"variations"`
	Salt           string            `json:"salt"`
	Deleted        bool              `json:"deleted"`
}

type prerequisite struct {
	Key       string `json:"key"`
	Variation int    `json:"variation"`
}

type target struct {
	ContextKind string   `json:"contextKind"`
	Values      []string `json:"values"`
	Variation   int      `json:"variation"`
}

type variationOrSplit struct {
	Variation *int     `json:"variation"`
	Rollout   *rollout `json:"rollout"`
}

type rule struct {
	variationOrSplit
	Clauses []clause `json:"clauses"`
}

type rollout struct {
	Kind        string     `json:"kind"`
	ContextKind string     `json:"contextKind"`
	Variations  []weighted `json:"variations"`
	BucketBy    string     `json:"bucketBy"`
	Seed        *int64     `json:"seed"`
}

type weighted struct {
	Variation int   `json:"variation"`
	Weight    int64 `json:"weight"`
}

type segment struct {
	Included         []string      `json:"included"`
	Excluded         []string      `json:"excluded"`
	IncludedContexts []target      `json:"includedContexts"`
	ExcludedContexts []target      `json:"excludedContexts"`
	Rules            []segmentRule `json:"rules"`
	Salt             string        `json:"salt"`
	Unbounded        bool          `json:"unbounded"`
	Deleted          bool          `json:"deleted"`
}

type segmentRule struct {
	Clauses            []clause `json:"clauses"`
	Weight             *int64   `json:"weight"`
	BucketBy           string   `json:"bucketBy"`
	RolloutContextKind string   `json:"rolloutContextKind"`
}

// Read reads an SDK payload.
func Read(data []byte, _ importer.Options) (*importer.Import, error) {
	var p payload
	if err := importer.Decode(data, &p); err != nil {
		return nil, err
	}
	for depth := 0; p.Data != nil && p.Flags == nil && depth < 3; depth++ {
		p = *p.Data
	}
	if len(p.Flags)+len(p.FlagValues) == 0 {
		return nil, importer.Refusef("flags",
			"there are no flags; the file must be what SDKs get, not an answer of the REST API")
	}
	r := &reader{p}
	out := &importer.Import{System: "LaunchDarkly", Unit: unit, Notes: []importer.Note{{
		Reason: "attributes hold one value each; LaunchDarkly also accepts lists for them, of which one element must match"}}}
	for _, key := range slices.Sorted(maps.Keys(p.Flags)) {
		if f := p.Flags[key]; f != nil && !f.Deleted {
			add(out, key, func() (*importer.Flag, error) { return r.flag(key, f) })
		}
	}
	for _, key := range slices.Sorted(maps.Keys(p.FlagValues)) {
		value := p.FlagValues[key]
		add(out, key, func() (*importer.Flag, error) {
			return r.flag(key, &flag{On: true, Variations: []json.RawMessage{value},
				Fallthrough: variationOrSplit{Variation: new(int)}})
		})
	}
	return out, nil
}

// add adds a flag, or its refusal.
func add(out *importer.Import, key string, read func() (*importer.Flag, error)) {
	f, err := read()
	if err != nil {
		out.Refuse(key, err)
		return
	}
	out.Flags = append(out.Flags, f)
}

// A reader turns flags into ours.
type reader struct{ p payload }

// variantsOf returns the type and the variants of a flag.
func (r *reader) variantsOf(key string, f *flag) (string, []importer.Variant, error) {
	return importer.Values(f.Variations, "flags."+key+".variations")
}

// A reading is one flag while it is read.
type reading struct {
	*reader
	flag     *importer.Flag
	f        *flag
	key, at  string
	variants []importer.Variant
	chain    []string // of segments
}

func (r *reader) flag(key string, f *flag) (*importer.Flag, error) {
	at := "flags." + key
	out := &importer.Flag{Key: key, Namespace: "default", Place: at}
	typ, variants, err := r.variantsOf(key, f)
	if err != nil {
		return nil, err
	}
	x := &reading{reader: r, flag: out, f: f, key: key, at: at, variants: variants}
	out.Type, out.Variants, out.Disabled = typ, variants, !f.On
	if err := x.off(); err != nil {
		return nil, err
	}
	if err := x.rules(); err != nil {
		return nil, err
	}
	return out, nil
}

// variation returns the name of a variation.
func (x *reading) variation(i int, place string) (string, error) {
	if i < 0 || i >= len(x.variants) {
		return "", importer.Refusef(place, "there is no variation %d", i)
	}
	return x.variants[i].Name, nil
}

// off sets what the flag serves while it is off.
func (x *reading) off() (err error) {
	switch {
	case x.f.OffVariation != nil:
		x.flag.Off, err = x.variation(*x.f.OffVariation, x.at+".offVariation")
	case !x.f.On || len(x.f.Prerequisites) > 0:
		err = importer.Refusef(x.at+".offVariation",
			"without it, the flag serves the default in the program's code while it is off")
	}
	return err
}

// rules sets the flag's rules and its default.
func (x *reading) rules() error {
	if err := x.prerequisites(); err != nil {
		return err
	}
	if err := x.targets(); err != nil {
		return err
	}
	for i, rule := range x.f.Rules {
		at := fmt.Sprintf("%s.rules[%d]", x.at, i)
		when, err := x.clauses(rule.Clauses, at)
		if err != nil {
			return err
		}
		if err := x.serve(rule.variationOrSplit, when, fmt.Sprintf("rule %d", i+1), at); err != nil {
			return err
		}
	}
	if v := x.f.Fallthrough.Variation; v != nil {
		name, err := x.variation(*v, x.at+".fallthrough.variation")
		x.flag.Default = name
		return err
	}
	if x.f.Fallthrough.Rollout == nil {
		return importer.Refusef(x.at+".fallthrough", "it has neither a variation nor a rollout")
	}
	if err := x.serve(x.f.Fallthrough, importer.Always, "fallthrough", x.at+".fallthrough"); err != nil {
		return err
	}
	if x.flag.Default = x.flag.Off; x.flag.Default == "" {
		x.flag.Default = x.variants[len(x.variants)-1].Name
	}
	return nil
}

// prerequisites adds the rule that serves the off variation unless they are met.
func (x *reading) prerequisites() error {
	all := importer.Always
	for i, p := range x.f.Prerequisites {
		at := fmt.Sprintf("%s.prerequisites[%d]", x.at, i)
		parent := x.p.Flags[p.Key]
		if parent == nil || parent.Deleted || !parent.On {
			x.flag.Note(at, "the flag %q is off or doesn't exist, so this one always serves its off variation", p.Key)
			all = importer.Never
			continue
		}
		_, variants, err := x.variantsOf(p.Key, parent)
		if err != nil {
			return importer.Refusef(at, "it depends on the flag %q, which isn't carried over", p.Key)
		}
		if p.Variation < 0 || p.Variation >= len(variants) {
			return importer.Refusef(at+".variation", "the flag %q has no variation %d", p.Key, p.Variation)
		}
		all = importer.All(all, importer.Serves(p.Key, variants[p.Variation].Name).At(at))
	}
	if !all.IsAlways() {
		x.flag.Rules = append(x.flag.Rules,
			importer.Rule{Name: "prerequisites aren't met", When: importer.Not(all), Serve: x.flag.Off})
	}
	return nil
}

// targets adds a rule for each list of users.
func (x *reading) targets() error {
	list, where := x.f.Targets, "targets"
	if len(x.f.ContextTargets) > 0 {
		list, where = slices.Clone(x.f.ContextTargets), "contextTargets"
		for i, t := range list {
			if t.ContextKind != "" && t.ContextKind != "user" {
				return kind(t.ContextKind, fmt.Sprintf("%s.contextTargets[%d].contextKind", x.at, i))
			}
			if len(t.Values) > 0 {
				continue
			}
			for _, old := range x.f.Targets {
				if old.Variation == t.Variation {
					list[i].Values = old.Values
					break
				}
			}
		}
	}
	for i, t := range list {
		at := fmt.Sprintf("%s.%s[%d]", x.at, where, i)
		name, err := x.variation(t.Variation, at+".variation")
		if err != nil {
			return err
		}
		if when := importer.In(unit, false, t.Values...).At(at); !when.IsNever() {
			x.flag.Rules = append(x.flag.Rules, importer.Rule{Name: "users with " + name, When: when, Serve: name})
		}
	}
	return nil
}

func kind(name, place string) error {
	return importer.Refusef(place, "contexts of the kind %q: a context here is of one kind, the user", name)
}

// serve adds the rule for a variation, or those for a rollout.
func (x *reading) serve(v variationOrSplit, when importer.Condition, name, at string) error {
	switch {
	case v.Variation != nil:
		variant, err := x.variation(*v.Variation, at+".variation")
		if err == nil {
			x.flag.Rules = append(x.flag.Rules, importer.Rule{Name: name, When: when, Serve: variant})
		}
		return err
	case v.Rollout == nil || len(v.Rollout.Variations) == 0:
		return importer.Refusef(at, "it has neither a variation nor a rollout")
	}
	at += ".rollout"
	b, err := x.bucketing(v.Rollout, at)
	if err != nil {
		return err
	}
	split := &importer.Split{By: b.By, Hash: b.Hash, Salt: b.Salt}
	var sum float32
	last := len(v.Rollout.Variations) - 1
	for i, w := range v.Rollout.Variations {
		place := fmt.Sprintf("%s.variations[%d]", at, i)
		variant, err := x.variation(w.Variation, place+".variation")
		if err != nil {
			return err
		}
		if w.Weight < 0 || w.Weight > 100_000 {
			return importer.Refusef(place+".weight", "%d isn't from 0 to 100,000", w.Weight)
		}
		sum += float32(w.Weight) / 100000
		end := boundary(sum)
		if i == last {
			end = positions // whoever is left
		}
		split.Ends = append(split.Ends, importer.End{Variant: variant, At: end})
	}
	x.flag.Rules = append(x.flag.Rules, importer.Rule{Name: name, When: when, Split: split})
	if b.By != unit {
		x.flag.Rules = append(x.flag.Rules, withoutUnit(split, when, name)...)
	}
	return nil
}

// withoutUnit returns the rules for contexts whose attribute can't be hashed: they are at
// position 0. A text that is empty is hashed, which no unit here is.
func withoutUnit(s *importer.Split, when importer.Condition, name string) []importer.Rule {
	at := func(position uint64) string {
		i := slices.IndexFunc(s.Ends, func(e importer.End) bool { return position < e.At })
		return s.Ends[max(i, 0)].Variant
	}
	return []importer.Rule{
		{Name: name + ", empty " + s.By, When: importer.All(when, importer.Empty(s.By)), Serve: at(emptyPosition(s.Salt))},
		{Name: name + " without " + s.By, When: when, Serve: at(0)},
	}
}

// bucketing returns how a rollout hashes contexts.
func (x *reading) bucketing(r *rollout, at string) (evaluator.Bucketing, error) {
	b := evaluator.Bucketing{By: unit, Hash: hash, Salt: x.key + "." + x.f.Salt}
	if r.ContextKind != "" && r.ContextKind != "user" {
		return b, kind(r.ContextKind, at+".contextKind")
	}
	if r.Kind != "" && r.Kind != "rollout" && r.Kind != "experiment" {
		return b, importer.Refusef(at+".kind", "unknown kind of rollout %q", r.Kind)
	}
	if r.Seed != nil {
		b.Salt = strconv.FormatInt(*r.Seed, 10)
	}
	if r.BucketBy != "" && r.Kind != "experiment" {
		by, err := attribute(r.BucketBy, r.ContextKind != "", at+".bucketBy")
		if err != nil {
			return b, err
		}
		b.By = by
	}
	return b, nil
}
