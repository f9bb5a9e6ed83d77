package featurevisor

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/evaluator"
)

// The hash of Featurevisor, and how many positions it has.
const (
	hash      = "featurevisor"
	positions = 100_000
)

// A reading is one flag while it is read.
type reading struct {
	*reader
	*feature
	key, at string
	flag    *importer.Flag
}

func (x *reading) add(name string, when importer.Condition, serve string) {
	x.flag.Rules = append(x.flag.Rules, importer.Rule{Name: name, When: when, Serve: serve})
}

// divide adds the rules that divide users. Featurevisor hashes the feature's key alone for
// contexts without the attribute, and puts a point before it for empty text.
func (x *reading) divide(name string, when importer.Condition, ends []importer.End) {
	at := func(position uint64) string {
		i := slices.IndexFunc(ends, func(e importer.End) bool { return position < e.At })
		return ends[max(i, 0)].Variant
	}
	rest := when
	for _, by := range x.attributes {
		x.flag.Rules = append(x.flag.Rules, importer.Rule{Name: name, When: rest,
			Split: &importer.Split{By: by, Hash: hash, Salt: x.key, Ends: ends}})
		empty, _ := evaluator.Bucketing{Hash: hash, Salt: x.key}.Position(evaluator.StringValue(""))
		x.add(name+", empty "+by, importer.All(rest, importer.Empty(by)), at(empty))
		rest = importer.All(rest, importer.Not(importer.Exists(by)))
	}
	x.add(name+" without "+x.attributes[len(x.attributes)-1], when, at(bare(x.key)))
}

// bare returns the position of a key without anything before it.
func bare(key string) uint64 { return uint64(murmur3([]byte(key), 1)) * positions >> 32 }

// forced returns for each forced rule the condition that it is the first that matches.
func (x *reading) forced() ([]importer.Condition, error) {
	list := make([]importer.Condition, len(x.Force))
	before := importer.Never
	for i, f := range x.Force {
		at := fmt.Sprintf("%s.force[%d]", x.at, i)
		when := importer.Never
		if f.Conditions != nil {
			c, err := x.conditions(f.Conditions, at+".conditions", 0)
			if err != nil {
				return nil, err
			}
			when = c
		}
		if f.Segments != nil {
			c, err := x.group(f.Segments, at+".segments", 0)
			if err != nil {
				return nil, err
			}
			when = importer.Any(when, c)
		}
		list[i] = importer.All(importer.Not(before), when)
		before = importer.Any(before, when)
	}
	return list, nil
}

// enabled sets the rules of the boolean flag.
func (x *reading) enabled() error {
	x.flag.Type, x.flag.Default = "boolean", "off"
	forced, err := x.forced()
	if err != nil {
		return err
	}
	for i, f := range x.Force {
		if f.Enabled != nil {
			x.add(fmt.Sprintf("force %d", i+1), forced[i], onOff(*f.Enabled))
		}
	}
	if err := x.required(); err != nil {
		return err
	}
	for i, t := range x.Traffic {
		at := fmt.Sprintf("%s.traffic[%d]", x.at, i)
		when, err := x.group(t.Segments, at+".segments", 0)
		if err != nil {
			return err
		}
		name, on := "rule "+t.Key, t.Enabled == nil || *t.Enabled
		switch {
		case t.Percentage < 0 || t.Percentage > positions:
			return importer.Refusef(at+".percentage", "%d isn't from 0 to 100,000", t.Percentage)
		case t.Percentage == 0:
			x.add(name, when, "off")
		case len(x.Ranges) > 0:
			ends, err := x.slots(onOff(on))
			if err != nil {
				return err
			}
			x.divide(name, when, ends)
		case t.Enabled != nil || t.Percentage >= positions-1:
			x.add(name, when, onOff(on))
		default: // the position that is the percentage belongs to it
			x.divide(name, when,
				[]importer.End{{Variant: "on", At: uint64(t.Percentage) + 1}, {Variant: "off", At: positions}})
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

// slots returns the ends for the slots that the feature has in its group.
func (x *reading) slots(serve string) ([]importer.End, error) {
	var ends []importer.End
	last := int64(0)
	for i, r := range x.Ranges {
		at := fmt.Sprintf("%s.ranges[%d]", x.at, i)
		if r[0] < last || r[1] < r[0] || r[1] > positions {
			return nil, importer.Refusef(at,
				"the range is inverted, overlaps the one before it, or ends beyond 100,000")
		}
		if r[0] > last {
			ends = append(ends, importer.End{Variant: "off", At: uint64(r[0])})
		}
		if last = r[1]; r[1] > r[0] {
			ends = append(ends, importer.End{Variant: serve, At: uint64(r[1])})
		}
	}
	if last < positions {
		ends = append(ends, importer.End{Variant: "off", At: positions})
	}
	return ends, nil
}

// required adds the rule for features that this one needs to be enabled.
func (x *reading) required() error {
	all := importer.Always
	for i, raw := range x.Required {
		at := fmt.Sprintf("%s.required[%d]", x.at, i)
		var r struct {
			Key       string  `json:"key"`
			Variation *string `json:"variation"`
		}
		if json.Unmarshal(raw, &r.Key) != nil && json.Unmarshal(raw, &r) != nil {
			return importer.Refusef(at, "expected the key of a feature")
		}
		f := x.features[r.Key]
		if f == nil {
			x.flag.Note(at, "there is no feature %q, so this one is off unless it is forced", r.Key)
			all = importer.Never
			continue
		}
		all = importer.All(all, importer.Serves(r.Key, "on").At(at))
		if r.Variation != nil {
			names, _, err := x.variationNames(f, "features."+r.Key)
			if err != nil {
				return err
			}
			name := names[*r.Variation]
			if name == "" {
				return importer.Refusef(at+".variation", "the feature %q has no variation %q", r.Key, *r.Variation)
			}
			all = importer.All(all, importer.Serves(r.Key+".variation", name).At(at))
		}
	}
	if !all.IsAlways() {
		x.add("required features", importer.Not(all), "off")
	}
	return nil
}

// variationNames returns the names of the variants for a feature's variations.
func (x *reading) variationNames(f *feature, at string) (map[string]string, []importer.Variant, error) {
	values := make([]json.RawMessage, len(f.Variations))
	for i, v := range f.Variations {
		values[i] = json.RawMessage(importer.JSONText(v.Value))
	}
	_, variants, err := importer.Values(values, at+".variations")
	if err != nil {
		return nil, nil, err
	}
	names := make(map[string]string)
	for i, v := range f.Variations {
		if names[v.Value] != "" {
			return nil, nil, importer.Refusef(fmt.Sprintf("%s.variations[%d]", at, i),
				"there are two variations %q", v.Value)
		}
		names[v.Value] = variants[i].Name
	}
	return names, variants, nil
}

// variation sets the rules of the flag for the variation.
func (x *reading) variation() error {
	names, variants, err := x.variationNames(x.feature, x.at)
	if err != nil {
		return err
	}
	x.flag.Type, x.flag.Default = "string", "none"
	for slices.ContainsFunc(variants, func(v importer.Variant) bool { return v.Name == x.flag.Default }) {
		x.flag.Default += "-"
	}
	x.flag.Variants = append(variants, importer.Variant{Name: x.flag.Default, Value: `""`})
	x.flag.Approximate(x.at, "where there is no variation, Featurevisor serves null, and this flag the empty text")
	disabled := x.flag.Default
	if v := x.DisabledValue; v != "" && names[v] != "" {
		disabled = names[v]
	} else if v != "" {
		disabled = "disabled-" + x.flag.Default
		x.flag.Variants = append(x.flag.Variants, importer.Variant{Name: disabled, Value: importer.JSONText(v)})
	}
	x.add("disabled", importer.Serves(x.key, "off"), disabled)
	forced, err := x.forced()
	if err != nil {
		return err
	}
	for i, f := range x.Force {
		if name := names[f.Variation]; name != "" {
			x.add(fmt.Sprintf("force %d", i+1), forced[i], name)
		}
	}
	for i, t := range x.Traffic {
		at := fmt.Sprintf("%s.traffic[%d]", x.at, i)
		when, err := x.group(t.Segments, at+".segments", 0)
		if err != nil {
			return err
		}
		name := "rule " + t.Key
		switch {
		case t.Percentage == 0:
			x.add(name, when, x.flag.Default)
		case names[t.Variation] != "":
			x.add(name, when, names[t.Variation])
		default:
			ends, err := x.allocated(t.Allocation, names, at+".allocation")
			if err != nil {
				return err
			}
			x.divide(name, when, ends)
		}
	}
	return nil
}

// allocated returns the ends for ranges that share their limits: the first one has the
// position there.
func (x *reading) allocated(list []allocation, names map[string]string, at string) ([]importer.End, error) {
	var ends []importer.End
	next := int64(0) // the first position that isn't allocated yet
	for i, a := range list {
		place := fmt.Sprintf("%s[%d]", at, i)
		name := names[a.Variation]
		switch {
		case name == "":
			return nil, importer.Refusef(place+".variation", "there is no variation %q", a.Variation)
		case a.Range[0] < max(next-1, 0) || a.Range[1] < a.Range[0] || a.Range[1] > positions:
			return nil, importer.Refusef(place+".range", "the range is inverted, overlaps the one before it, or ends "+
				"beyond 100,000")
		case a.Range[0] > next:
			ends = append(ends, importer.End{Variant: x.flag.Default, At: uint64(a.Range[0])})
		}
		if to := min(a.Range[1]+1, positions); to > next {
			ends, next = append(ends, importer.End{Variant: name, At: uint64(to)}), to
		}
	}
	if next < positions {
		ends = append(ends, importer.End{Variant: x.flag.Default, At: positions})
	}
	return ends, nil
}
