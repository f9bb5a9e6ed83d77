package growthbook

import (
	"encoding/json"
	"fmt"
	"sort"

	"github.com/serin-flags/serin/ci/importer"
)

// A reading is one feature while it is read.
type reading struct {
	*reader
	*parsed
	key  string
	flag *importer.Flag
}

// read sets the flag's variants and rules.
func (x *reading) read() error {
	x.flag.Variants = x.variants
	x.flag.Default = x.byValue[compact(x.DefaultValue)]
	for i := range x.Rules {
		if err := x.rule(&x.Rules[i], i, fmt.Sprintf("%s.rules[%d]", x.at, i)); err != nil {
			return err
		}
	}
	return nil
}

func (x *reading) add(name string, when importer.Condition, serve string, split *importer.Split) {
	x.flag.Rules = append(x.flag.Rules, importer.Rule{Name: name, When: when, Serve: serve, Split: split})
}

// rule adds the rules for a rule.
func (x *reading) rule(r *rule, i int, at string) error {
	name := fmt.Sprintf("rule %d", i+1)
	if r.Name != "" {
		name = r.Name
	}
	when, err := x.parents(r, name, at)
	if err != nil {
		return err
	}
	filtered, err := filters(r.Filters, at)
	if err != nil {
		return err
	}
	when = importer.All(when, filtered)
	if len(r.Condition) > 0 && string(r.Condition) != "null" {
		c, err := x.condition(r.Condition, at+".condition", 0)
		if err != nil {
			return err
		}
		when = importer.All(when, c)
	}
	if r.FallbackAttribute != "" || r.BucketVersion > 0 || r.MinBucketVersion > 0 {
		x.flag.Approximate(at,
			"with sticky bucketing, users keep what is stored about them; that isn't in the features")
	}
	switch {
	case r.Force != nil:
		return x.force(r, when, name, at)
	case r.ContextualVariations != nil:
		return importer.Refusef(at+".contextualVariations", "contextual bandits change their weights by themselves")
	case r.Variations == nil:
		if len(r.ParentConditions) == 0 {
			x.flag.Note(at, "the rule has neither a value nor variations, and so no effect")
		}
		return nil
	}
	return x.experiment(r, when, name, at)
}

// The hashes of GrowthBook, and how many positions they have.
var hashes = map[int]struct {
	name      string
	positions uint64
}{1: {"growthbook-1", 1000}, 2: {"growthbook-2", 10_000}}

// boundary returns the first of n positions whose number isn't below limit, as SDKs compute it.
func boundary(n uint64, limit float64) uint64 {
	return uint64(sort.Search(int(n), func(k int) bool { return float64(k)/float64(n) >= limit }))
}

// bucket returns the condition that a user is in a range.
func bucket(by, seed string, version int, from, to float64) importer.Condition {
	h, known := hashes[version]
	if !known {
		return importer.Never
	}
	return importer.Bucket(by, h.name, seed, 0, boundary(h.positions, from), boundary(h.positions, to))
}

// checkRange refuses ranges that no user can be in.
func checkRange(r [2]float64, at string) error {
	if !(r[0] <= r[1]) {
		return importer.Refusef(at, "the range from %v to %v is inverted", r[0], r[1])
	}
	return nil
}

// filters returns the condition that no filter excludes the user.
func filters(list []filter, at string) (importer.Condition, error) {
	all := importer.Always
	for i, f := range list {
		place := fmt.Sprintf("%s.filters[%d]", at, i)
		if f.Seed == "" {
			return all, importer.Refusef(place+".seed", "the seed is missing")
		}
		by := f.Attribute
		if by == "" {
			by = defaultUnit
		}
		version := f.HashVersion
		if version == 0 {
			version = 2
		}
		any := importer.Never
		for j, r := range f.Ranges {
			if err := checkRange(r, fmt.Sprintf("%s.ranges[%d]", place, j)); err != nil {
				return all, err
			}
			any = importer.Any(any, bucket(by, f.Seed, version, r[0], r[1]))
		}
		all = importer.All(all, any)
	}
	return all, nil
}

// hashing returns the seed and the version of a rule's hash.
func (x *reading) hashing(r *rule, seed, at string) (string, int) {
	if r.Seed != "" {
		seed = r.Seed
	}
	version := r.HashVersion
	if version == 0 {
		version = 1
	}
	if _, known := hashes[version]; !known {
		x.flag.Note(at+".hashVersion", "there is no hash of version %d, so the rule serves nobody", version)
	}
	return seed, version
}

// force adds the rule for a value, which a part of the users gets.
func (x *reading) force(r *rule, when importer.Condition, name, at string) error {
	serve := x.byValue[compact(r.Force)]
	by := r.hashAttribute()
	switch {
	case r.Range != nil:
		if err := checkRange(*r.Range, at+".range"); err != nil {
			return err
		}
		seed, version := x.hashing(r, x.key, at)
		when = importer.All(when, bucket(by, seed, version, r.Range[0], r.Range[1]))
	case r.Coverage != nil:
		seed, version := x.hashing(r, x.key, at)
		when = importer.All(when, x.covered(by, seed, version, *r.Coverage, at+".coverage"))
	}
	x.add(name, when, serve, nil)
	return nil
}

// covered returns the condition that a user is in the part of a rollout. The SDK for
// JavaScript includes those whose hash is the coverage.
func (x *reading) covered(by, seed string, version int, coverage float64, at string) importer.Condition {
	h, known := hashes[version]
	if !known || coverage <= 0 {
		return importer.Never
	}
	end := boundary(h.positions, coverage)
	if end < h.positions && float64(end)/float64(h.positions) == coverage {
		x.flag.Approximate(at, "users at position %d of %d are included, as by the SDK for JavaScript; SDKs that "+
			"follow the specification of 0.12 exclude them",
			end, h.positions)
		end++
	}
	return importer.Bucket(by, h.name, seed, 0, 0, end)
}

// experiment adds the rules for variations. Users outside of all ranges, and those of
// variations with passthrough, go on to the next rule.
func (x *reading) experiment(r *rule, when importer.Condition, name, at string) error {
	if len(r.Variations) < 2 {
		x.flag.Note(at+".variations", "an experiment with less than two variations has no effect")
		return nil
	}
	by, key := r.hashAttribute(), x.key
	if r.Key != "" {
		key = r.Key
	}
	if r.Filters == nil && r.Namespace != nil {
		inside, err := namespace(r.Namespace, by, at+".namespace")
		if err != nil {
			return err
		}
		when = importer.All(when, inside)
	}
	seed, version := x.hashing(r, key, at)
	ranges, err := x.ranges(r, at)
	if err != nil {
		return err
	}
	h, known := hashes[version]
	if !known {
		return nil
	}
	split := &importer.Split{By: by, Hash: h.name, Salt: seed}
	complete := true
	last := uint64(0)
	for i, limits := range ranges {
		if i >= len(r.Variations) {
			return importer.Refusef(fmt.Sprintf("%s.ranges[%d]", at, i), "there is no variation %d", i)
		}
		from, to := boundary(h.positions, limits[0]), boundary(h.positions, limits[1])
		through := i < len(r.Meta) && r.Meta[i].Passthrough
		complete = complete && from == last && !through
		if to > from {
			last = to
			split.Ends = append(split.Ends, importer.End{Variant: x.byValue[compact(r.Variations[i])], At: to})
		}
	}
	if complete && last == h.positions {
		x.add(name, when, "", split)
		return nil
	}
	for i, limits := range ranges {
		if i < len(r.Meta) && r.Meta[i].Passthrough {
			continue
		}
		variant := x.byValue[compact(r.Variations[i])]
		x.add(name+": "+variant, importer.All(when, bucket(by, seed, version, limits[0], limits[1])), variant, nil)
	}
	return nil
}

// namespace returns the condition that the user is in a part of a namespace.
func namespace(list []json.RawMessage, by, at string) (importer.Condition, error) {
	var id string
	var limits [2]float64
	if len(list) != 3 || json.Unmarshal(list[0], &id) != nil || json.Unmarshal(list[1], &limits[0]) != nil ||
		json.Unmarshal(list[2], &limits[1]) != nil {
		return importer.Never, importer.Refusef(at, "expected the namespace's name and a range")
	}
	if err := checkRange(limits, at); err != nil {
		return importer.Never, err
	}
	return bucket(by, "__"+id, 1, limits[0], limits[1]), nil
}

// ranges returns the ranges of an experiment: those it has, or those that its weights and its
// coverage give. Sums are those of 64-bit floating point in this order, as SDKs compute them.
func (x *reading) ranges(r *rule, at string) ([][2]float64, error) {
	if r.Ranges != nil {
		for i, limits := range r.Ranges {
			place := fmt.Sprintf("%s.ranges[%d]", at, i)
			if err := checkRange(limits, place); err != nil {
				return nil, err
			}
			for j, other := range r.Ranges[:i] {
				if limits[0] < other[1] && other[0] < limits[1] {
					return nil, importer.Refusef(place, "the range overlaps that of variation %d", j)
				}
			}
		}
		return r.Ranges, nil
	}
	coverage := 1.0
	if r.Coverage != nil {
		coverage = min(max(*r.Coverage, 0), 1)
	}
	weights, sum := r.Weights, 0.0
	for _, w := range weights {
		sum += w
		if w < 0 {
			return nil, importer.Refusef(at+".weights", "the weight %v is negative", w)
		}
	}
	if len(weights) != len(r.Variations) || sum < 0.99 || sum > 1.01 {
		if weights != nil {
			x.flag.Note(at+".weights",
				"the weights aren't one for each variation, or don't add up to 1, so GrowthBook takes equal ones")
		}
		weights = make([]float64, len(r.Variations))
		for i := range weights {
			weights[i] = 1 / float64(len(weights))
		}
	}
	start := 0.0
	list := make([][2]float64, len(weights))
	for i, w := range weights {
		list[i] = [2]float64{start, start + float64(coverage*w)} // the conversion keeps machines from fusing this
		start += w
	}
	return list, nil
}
