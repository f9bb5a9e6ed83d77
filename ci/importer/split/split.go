// Package split reads the feature flags of Split as its SDKs get them: split changes.
//
// It follows the evaluation of Split's SDKs for flags with algorithm 2. Start at [Read].
package split

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/serin-flags/serin/ci/importer"
)

// The attribute that identifies users, the hash that divides them, and its number of positions.
const (
	unit      = "key"
	hash      = "split"
	positions = 100
)

// algorithm is the number of the hash that flags use today.
const algorithm = 2

// A changes is what SDKs get: the flags, and in the newer form also rule-based segments.
type changes struct {
	Splits   []flag    `json:"splits"`
	Flags    *flags    `json:"ff"`
	Segments *segments `json:"rbs"`
}

type flags struct {
	List []flag `json:"d"`
}

type segments struct {
	List []segment `json:"d"`
}

type flag struct {
	Name           string                     `json:"name"`
	Status         string                     `json:"status"`
	Killed         bool                       `json:"killed"`
	Default        string                     `json:"defaultTreatment"`
	Algorithm      int                        `json:"algo"`
	Seed           int64                      `json:"seed"`
	Allocation     *int64                     `json:"trafficAllocation"`
	AllocationSeed *int64                     `json:"trafficAllocationSeed"`
	Conditions     []condition                `json:"conditions"`
	Configurations map[string]json.RawMessage `json:"configurations"`
	Prerequisites  []prerequisite             `json:"prerequisites"`
}

type prerequisite struct {
	Name       string   `json:"n"`
	Treatments []string `json:"ts"`
}

type condition struct {
	Type       string       `json:"conditionType"`
	Label      string       `json:"label"`
	Matchers   matcherGroup `json:"matcherGroup"`
	Partitions []partition  `json:"partitions"`
}

type partition struct {
	Treatment string `json:"treatment"`
	Size      int64  `json:"size"`
}

type segment struct {
	Name     string `json:"name"`
	Status   string `json:"status"`
	Excluded struct {
		Keys     []string          `json:"keys"`
		Segments []json.RawMessage `json:"segments"`
	} `json:"excluded"`
	Conditions []condition `json:"conditions"`
}

// Read reads split changes, of either form.
func Read(data []byte, _ importer.Options) (*importer.Import, error) {
	var c changes
	if err := importer.Decode(data, &c); err != nil {
		return nil, err
	}
	r := &reader{list: c.Splits, at: "splits"}
	if c.Flags != nil {
		r.list, r.at = c.Flags.List, "ff.d"
	}
	if c.Segments != nil {
		r.segments = c.Segments.List
	}
	if len(r.list) == 0 {
		return nil, importer.Refusef(r.at, "there are no feature flags; the file must be what SDKs get (splitChanges)")
	}
	out := &importer.Import{System: "Split", Unit: unit, Notes: []importer.Note{
		{Reason: "the key is the attribute \"key\" here, by which users are matched and divided; programs that pass a bucketing key of its own can't move"},
		{Reason: "attributes have one type each; Split's SDKs turn numbers into text and text into numbers, some more than others"},
	}}
	for i := range r.list {
		f := &r.list[i]
		x := &reading{reader: r, f: f, at: fmt.Sprintf("%s[%d]", r.at, i)}
		x.flag = &importer.Flag{Key: f.Name, Namespace: "default", Place: x.at}
		if err := x.read(); err != nil {
			out.Refuse(f.Name, err)
			continue
		}
		out.Flags = append(out.Flags, x.flag)
	}
	return out, nil
}

// A reader turns feature flags into ours.
type reader struct {
	list     []flag
	at       string
	segments []segment
}

// find returns the index of a feature flag, or -1.
func (r *reader) find(name string) int {
	return slices.IndexFunc(r.list, func(f flag) bool { return f.Name == name })
}

// A reading is one feature flag while it is read.
type reading struct {
	*reader
	f     *flag
	at    string
	flag  *importer.Flag
	names map[string]string // of the variants, by treatment
	depth int               // of rule-based segments
}

func (x *reading) read() error {
	switch {
	case &x.list[x.find(x.f.Name)] != x.f:
		return importer.Refusef(x.at+".name", "there is another feature flag with the name %q", x.f.Name)
	case x.f.Status != "" && x.f.Status != "ACTIVE":
		return importer.Refusef(x.at+".status", "the feature flag is %s, and serves \"control\"", x.f.Status)
	case x.f.Algorithm != algorithm:
		return importer.Refusef(x.at+".algo",
			"it divides users by algorithm %d, Split's hash before 2017, which no hash here is for", x.f.Algorithm)
	case x.f.Default == "":
		return importer.Refusef(x.at+".defaultTreatment", "the default treatment is missing")
	}
	if err := x.variants(); err != nil {
		return err
	}
	x.flag.Default, x.flag.Disabled = x.names[x.f.Default], x.f.Killed
	if len(x.f.Configurations) > 0 {
		x.flag.Note(x.at+".configurations", "configurations aren't carried over; the flag serves treatments")
	}
	if err := x.prerequisites(); err != nil {
		return err
	}
	rollout := slices.IndexFunc(x.f.Conditions, func(c condition) bool { return c.Type == "ROLLOUT" })
	for i := range x.f.Conditions {
		at := fmt.Sprintf("%s.conditions[%d]", x.at, i)
		if i == rollout {
			if err := x.allocation(); err != nil {
				return err
			}
		}
		if err := x.condition(&x.f.Conditions[i], at); err != nil {
			return err
		}
	}
	return nil
}

// variants sets the variants: one for each treatment.
func (x *reading) variants() error {
	treatments := []string{x.f.Default}
	for _, c := range x.f.Conditions {
		for _, p := range c.Partitions {
			if p.Size != 0 && !slices.Contains(treatments, p.Treatment) {
				treatments = append(treatments, p.Treatment)
			}
		}
	}
	values := make([]json.RawMessage, len(treatments))
	for i, t := range treatments {
		values[i] = json.RawMessage(importer.JSONText(t))
	}
	typ, list, err := importer.Values(values, x.at)
	if err != nil {
		return err
	}
	x.flag.Type, x.flag.Variants = typ, list
	x.names = make(map[string]string, len(list))
	for i, t := range treatments {
		x.names[t] = list[i].Name
	}
	return nil
}

// prerequisites adds the rule that serves the default treatment unless they are met.
func (x *reading) prerequisites() error {
	all := importer.Always
	for i, p := range x.f.Prerequisites {
		c, err := x.dependency(p.Name, p.Treatments, fmt.Sprintf("%s.prerequisites[%d]", x.at, i))
		if err != nil {
			return err
		}
		all = importer.All(all, c)
	}
	if !all.IsAlways() {
		x.flag.Rules = append(x.flag.Rules,
			importer.Rule{Name: "prerequisites aren't met", When: importer.Not(all), Serve: x.flag.Default})
	}
	return nil
}

// allocation adds the rule for users who aren't in the traffic that conditions are for.
func (x *reading) allocation() error {
	switch n := x.f.Allocation; {
	case n == nil || *n == positions:
		return nil
	case *n < 0 || *n > positions:
		return importer.Refusef(x.at+".trafficAllocation", "%d isn't from 0 to 100", *n)
	case x.f.AllocationSeed == nil:
		return importer.Refusef(x.at+".trafficAllocationSeed", "it is missing")
	}
	salt, err := seed(*x.f.AllocationSeed, x.at+".trafficAllocationSeed")
	if err != nil {
		return err
	}
	out := importer.Bucket(unit, hash, salt, 0, uint64(*x.f.Allocation), positions)
	x.flag.Rules = append(x.flag.Rules, importer.Rule{Name: "not in the traffic", When: out, Serve: x.flag.Default})
	return nil
}

// seed returns the salt for a seed, which has 32 bits.
func seed(n int64, at string) (string, error) {
	if n < math.MinInt32 || n > math.MaxUint32 {
		return "", importer.Refusef(at, "%d has more than 32 bits", n)
	}
	return strconv.FormatInt(n, 10), nil
}

// condition adds the rule for a condition.
func (x *reading) condition(c *condition, at string) error {
	if c.Type != "ROLLOUT" && c.Type != "WHITELIST" && c.Type != "" {
		return importer.Refusef(at+".conditionType", "unknown type of a condition %q", c.Type)
	}
	when, err := x.matchers(&c.Matchers, at+".matcherGroup")
	if err != nil {
		return err
	}
	salt, err := seed(x.f.Seed, x.at+".seed")
	if err != nil {
		return err
	}
	s := &importer.Split{By: unit, Hash: hash, Salt: salt}
	sum := int64(0)
	for i, p := range c.Partitions {
		if p.Size < 0 || p.Size > positions {
			return importer.Refusef(fmt.Sprintf("%s.partitions[%d].size", at, i), "%d isn't from 0 to 100", p.Size)
		}
		if sum += p.Size; p.Size > 0 {
			s.Ends = append(s.Ends, importer.End{Variant: x.names[p.Treatment], At: uint64(sum)})
		}
	}
	if sum != positions {
		return importer.Refusef(at+".partitions", "the sizes add up to %d, and not to 100", sum)
	}
	rule := importer.Rule{Name: c.Label, When: when, Split: s}
	if len(s.Ends) == 1 { // everyone
		rule.Serve, rule.Split = s.Ends[0].Variant, nil
	}
	x.flag.Rules = append(x.flag.Rules, rule)
	return nil
}
