// Package eppo reads the flag configuration of Eppo as its server SDKs get it.
//
// It follows the evaluation of Eppo's SDKs. Start at [Read].
package eppo

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/serin-flags/serin/ci/importer"
)

// The attribute that identifies users, the hash that divides them, and its number of positions.
const (
	unit         = "id"
	hash         = "eppo"
	positions    = 10_000
	maxPositions = 1 << 32
)

// A configuration is what SDKs get.
type configuration struct {
	Format string           `json:"format"`
	Flags  map[string]*flag `json:"flags"`
}

type flag struct {
	Enabled     bool                 `json:"enabled"`
	Type        string               `json:"variationType"`
	Variations  map[string]variation `json:"variations"`
	Allocations []allocation         `json:"allocations"`
	TotalShards int64                `json:"totalShards"`
}

type variation struct {
	Value json.RawMessage `json:"value"`
}

type allocation struct {
	Key    string  `json:"key"`
	Rules  []rule  `json:"rules"`
	Start  *string `json:"startAt"`
	End    *string `json:"endAt"`
	Splits []split `json:"splits"`
}

type rule struct {
	Conditions []condition `json:"conditions"`
}

type split struct {
	Variation string  `json:"variationKey"`
	Shards    []shard `json:"shards"`
}

type shard struct {
	Salt   string       `json:"salt"`
	Ranges []shardRange `json:"ranges"`
}

type shardRange struct {
	Start int64 `json:"start"`
	End   int64 `json:"end"`
}

// Read reads a flag configuration in the format for servers.
func Read(data []byte, _ importer.Options) (*importer.Import, error) {
	var c configuration
	if err := importer.Decode(data, &c); err != nil {
		return nil, err
	}
	switch {
	case c.Format != "" && c.Format != "SERVER":
		return nil, importer.Refusef("format",
			"the format %q has hashed names and values; the file must be what server SDKs get", c.Format)
	case len(c.Flags) == 0:
		return nil, importer.Refusef("flags", "there are no flags; the file must be what server SDKs get")
	}
	out := &importer.Import{System: "Eppo", Unit: unit, Notes: []importer.Note{
		{Reason: "the subject key is the attribute \"id\" here"},
		{Reason: "attributes have one type each; Eppo turns numbers and booleans into text where it compares text"},
	}}
	for _, key := range slices.Sorted(maps.Keys(c.Flags)) {
		f := c.Flags[key]
		if f == nil {
			f = new(flag)
		}
		x := &reading{f: f, at: "flags." + key}
		x.flag = &importer.Flag{Key: key, Namespace: "default", Place: x.at}
		if err := x.read(); err != nil {
			out.Refuse(key, err)
			continue
		}
		out.Flags = append(out.Flags, x.flag)
	}
	return out, nil
}

// A reading is one flag while it is read.
type reading struct {
	f     *flag
	at    string
	flag  *importer.Flag
	total uint64 // shards
}

func (x *reading) read() error {
	switch {
	case !x.f.Enabled:
		return importer.Refusef(x.at+".enabled",
			"while a flag is disabled, Eppo serves the default in the program's code")
	case x.f.TotalShards < 1 || x.f.TotalShards > maxPositions:
		return importer.Refusef(x.at+".totalShards", "%d isn't from 1 to 2^32", x.f.TotalShards)
	}
	x.total = uint64(x.f.TotalShards)
	if err := x.variants(); err != nil {
		return err
	}
	for i := range x.f.Allocations {
		at := fmt.Sprintf("%s.allocations[%d]", x.at, i)
		if err := x.allocation(&x.f.Allocations[i], at); err != nil {
			return err
		}
		if a := &x.f.Allocations[i]; x.flag.Default == "" && x.everyone(a) {
			x.flag.Default = a.Splits[len(a.Splits)-1].Variation
		}
	}
	if x.flag.Default == "" {
		return importer.Refusef(x.at+".allocations",
			"no allocation is for everyone; where none matches, Eppo serves the default in the program's code")
	}
	return nil
}

// types are the types of variations, and what they are here.
var types = map[string]string{"STRING": "string", "INTEGER": "integer", "NUMERIC": "number", "BOOLEAN": "boolean",
	"JSON": "object"}

// variants sets the variants, by their keys.
func (x *reading) variants() error {
	at, want := x.at+".variations", types[x.f.Type]
	if want == "" {
		return importer.Refusef(x.at+".variationType", "unknown type %q", x.f.Type)
	}
	keys := slices.Sorted(maps.Keys(x.f.Variations))
	values := make([]json.RawMessage, len(keys))
	plain := want == "boolean"
	for i, key := range keys {
		values[i] = x.f.Variations[key].Value
		var text string
		if want == "object" && json.Unmarshal(values[i], &text) == nil {
			if values[i] = json.RawMessage(text); !json.Valid(values[i]) {
				return importer.Refusef(at+"."+key, "the value isn't JSON")
			}
		}
		plain = plain && (key == "on" && string(values[i]) == "true" || key == "off" && string(values[i]) == "false")
	}
	typ, list, err := importer.Values(values, at)
	if err != nil {
		return err
	}
	if typ != want && (typ != "integer" || want != "number") {
		return importer.Refusef(at, "the values are of the type %s, and not %s", typ, want)
	}
	x.flag.Type = want
	for i := range list {
		list[i].Name = keys[i]
	}
	if !plain {
		x.flag.Variants = list
	}
	return nil
}

// allocation adds a rule for each split of an allocation.
func (x *reading) allocation(a *allocation, at string) error {
	when, err := x.rules(a.Rules, at+".rules")
	if err != nil {
		return err
	}
	period, err := x.period(a, at)
	if err != nil {
		return err
	}
	for i, s := range a.Splits {
		place := fmt.Sprintf("%s.splits[%d]", at, i)
		if _, ok := x.f.Variations[s.Variation]; !ok {
			return importer.Refusef(place+".variationKey", "there is no variation %q", s.Variation)
		}
		all := importer.All(period, when)
		for j := range s.Shards {
			c, err := x.shard(&s.Shards[j], fmt.Sprintf("%s.shards[%d]", place, j))
			if err != nil {
				return err
			}
			all = importer.All(all, c)
		}
		x.flag.Rules = append(x.flag.Rules,
			importer.Rule{Name: a.Key + ": " + s.Variation, When: all, Serve: s.Variation})
	}
	return nil
}

// period returns the condition that an allocation has started and hasn't ended.
func (x *reading) period(a *allocation, at string) (importer.Condition, error) {
	all := importer.Always
	for _, end := range []struct {
		text *string
		at   string
		cond func(string) importer.Condition
	}{{a.Start, at + ".startAt", importer.After}, {a.End, at + ".endAt", importer.Before}} {
		if end.text == nil {
			continue
		}
		t, err := time.Parse(time.RFC3339, *end.text)
		if err != nil {
			return all, importer.Refusef(end.at, "%q is no time such as 2026-12-01T09:00:00Z", *end.text)
		}
		x.flag.Approximate(end.at,
			"the time is compared to the second, and the end isn't included; Eppo compares milliseconds")
		all = importer.All(all, end.cond(t.UTC().Truncate(time.Second).Format(time.RFC3339)))
	}
	return all, nil
}

// shard returns the condition that a user is in one of the ranges.
func (x *reading) shard(s *shard, at string) (importer.Condition, error) {
	if s.Salt == "" {
		return importer.Never, importer.Refusef(at+".salt", "the salt is empty")
	}
	ranges := slices.SortedFunc(slices.Values(s.Ranges),
		func(a, b shardRange) int { return cmp.Compare(a.Start, b.Start) })
	any, last := importer.Never, int64(0)
	for _, r := range ranges {
		switch {
		case r.Start < 0 || r.End > x.f.TotalShards || r.Start > r.End:
			return any, importer.Refusef(at+".ranges", "the range from %d to %d is inverted, or not within 0 and %d",
				r.Start, r.End, x.f.TotalShards)
		case r.Start < last:
			return any, importer.Refusef(at+".ranges", "the range from %d to %d overlaps another one", r.Start, r.End)
		case r.Start == 0 && uint64(r.End) == x.total:
			return importer.Always, nil
		}
		last = r.End
		n := x.total
		if n == positions {
			n = 0 // the hash's own number
		}
		any = importer.Any(any, importer.Bucket(unit, hash, s.Salt, n, uint64(r.Start), uint64(r.End)).At(at))
	}
	return any, nil
}

// everyone reports whether one of an allocation's splits is for each user. It may say no where
// that is so.
func (x *reading) everyone(a *allocation) bool {
	if a.Start != nil || a.End != nil || len(a.Rules) > 0 {
		return false
	}
	salt, ranges := "", []shardRange(nil)
	for _, s := range a.Splits {
		var partial []shard
		for _, h := range s.Shards {
			if c, err := x.shard(&h, ""); err != nil || !c.IsAlways() {
				partial = append(partial, h)
			}
		}
		switch {
		case len(partial) == 0:
			return true
		case len(partial) == 1 && (salt == "" || salt == partial[0].Salt):
			salt, ranges = partial[0].Salt, append(ranges, partial[0].Ranges...)
		}
	}
	slices.SortFunc(ranges, func(a, b shardRange) int { return cmp.Compare(a.Start, b.Start) })
	end := int64(0)
	for _, r := range ranges {
		if r.Start > end {
			return false
		}
		end = max(end, r.End)
	}
	return end == x.f.TotalShards
}
