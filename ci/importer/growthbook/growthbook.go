// Package growthbook reads the features of GrowthBook in the form in which its SDKs load them.
//
// It follows the SDK for JavaScript (1.8.0). Where the specification's cases since 0.12 differ,
// the flag is noted as approximated. Start at [Read].
package growthbook

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/serin-flags/serin/ci/importer"
)

// defaultUnit is the attribute that users are hashed by where nothing else is said.
const defaultUnit = "id"

// A payload is what SDKs load.
type payload struct {
	Features          map[string]json.RawMessage `json:"features"`
	SavedGroups       map[string]json.RawMessage `json:"savedGroups"`
	EncryptedFeatures string                     `json:"encryptedFeatures"`
}

type feature struct {
	Description  string          `json:"description"`
	DefaultValue json.RawMessage `json:"defaultValue"`
	Rules        []rule          `json:"rules"`
}

type rule struct {
	Name                 string                       `json:"name"`
	Key                  string                       `json:"key"`
	Condition            json.RawMessage              `json:"condition"`
	ParentConditions     []parentCondition            `json:"parentConditions"`
	Force                json.RawMessage              `json:"force"`
	Coverage             *float64                     `json:"coverage"`
	Range                *[2]float64                  `json:"range"`
	Ranges               [][2]float64                 `json:"ranges"`
	Weights              []float64                    `json:"weights"`
	Variations           []json.RawMessage            `json:"variations"`
	ContextualVariations []json.RawMessage            `json:"contextualVariations"`
	HashAttribute        string                       `json:"hashAttribute"`
	FallbackAttribute    string                       `json:"fallbackAttribute"`
	HashVersion          int                          `json:"hashVersion"`
	BucketVersion        int                          `json:"bucketVersion"`
	MinBucketVersion     int                          `json:"minBucketVersion"`
	Seed                 string                       `json:"seed"`
	Namespace            []json.RawMessage            `json:"namespace"`
	Filters              []filter                     `json:"filters"`
	Meta                 []struct{ Passthrough bool } `json:"meta"`
}

type parentCondition struct {
	ID        string          `json:"id"`
	Condition json.RawMessage `json:"condition"`
	Gate      bool            `json:"gate"`
}

type filter struct {
	Attribute   string       `json:"attribute"`
	Seed        string       `json:"seed"`
	HashVersion int          `json:"hashVersion"`
	Ranges      [][2]float64 `json:"ranges"`
}

// Read reads what SDKs load: an object with the features and saved groups, or the features
// alone.
func Read(data []byte, _ importer.Options) (*importer.Import, error) {
	var p payload
	if err := importer.Decode(data, &p); err != nil {
		return nil, err
	}
	at := "features."
	switch {
	case p.EncryptedFeatures != "":
		return nil, importer.Refusef("encryptedFeatures", "the features are encrypted; import what an SDK connection "+
			"without encryption gives")
	case p.Features == nil:
		at = ""
		if err := importer.Decode(data, &p.Features); err != nil {
			return nil, err
		}
	}
	if len(p.Features) == 0 {
		return nil, importer.Refusef("features", "there are no features")
	}
	r := &reader{groups: p.SavedGroups, features: make(map[string]*parsed), lists: make(map[string]bool),
		units: make(map[string]int), numbers: make(map[string]int)}
	keys := slices.Sorted(maps.Keys(p.Features))
	for _, key := range keys {
		r.features[key] = r.parse(key, p.Features[key], at+key)
	}
	out := &importer.Import{System: "GrowthBook", Unit: r.unit(), Notes: []importer.Note{
		{Reason: "attributes have one type each; GrowthBook's SDKs, which disagree about it, also compare the text " +
			"\"5\" with the number 5, and other values with true and false"},
		{Reason: "an attribute is a list only if a condition needs one; $in also looks into lists of others in GrowthBook"},
		{Reason: "variations that are forced in the SDK or by the URL aren't part of the features; the number 0 " +
			"identifies nobody in GrowthBook"},
	}}
	for _, key := range keys {
		f := r.features[key]
		x := &reading{reader: r, parsed: f, key: key}
		x.flag = &importer.Flag{Key: key, Namespace: "default", Description: f.Description, Type: f.typ, Place: f.at}
		err := f.err
		if err == nil {
			err = x.read()
		}
		if err != nil {
			out.Refuse(key, err)
			continue
		}
		out.Flags = append(out.Flags, x.flag)
	}
	if r.numbers[out.Unit] > 0 {
		out.Notes = append(out.Notes, importer.Note{Reason: "the attribute \"" + out.Unit +
			"\" is a number, so it isn't the targeting key, which is text; programs send it as an attribute"})
		out.Unit = "targeting_key"
	}
	return out, nil
}

// A reader reads all features.
type reader struct {
	groups   map[string]json.RawMessage
	features map[string]*parsed
	lists    map[string]bool // attributes that hold lists
	units    map[string]int  // how many rules hash users by an attribute
	numbers  map[string]int  // how many conditions more compare it with a number than with text
}

// A parsed feature has its variants, which others may depend on.
type parsed struct {
	feature
	at       string
	typ      string
	variants []importer.Variant
	byValue  map[string]string // the variants' names by their values
	gated    bool              // it may be null because of a prerequisite
	err      error
}

// parse decodes a feature and collects its values.
func (r *reader) parse(key string, data []byte, at string) *parsed {
	f := &parsed{at: at, byValue: make(map[string]string)}
	if err := importer.Decode(data, &f.feature); err != nil {
		f.err = within(at, err)
		return f
	}
	var values []json.RawMessage
	add := func(value json.RawMessage) {
		if text := compact(value); f.byValue[text] == "" {
			f.byValue[text] = "?"
			values = append(values, json.RawMessage(text))
		}
	}
	add(f.DefaultValue)
	for i := range f.Rules {
		rule := &f.Rules[i]
		if rule.Force != nil {
			add(rule.Force)
		} else {
			for _, v := range rule.Variations {
				add(v)
			}
		}
		for _, p := range rule.ParentConditions {
			f.gated = f.gated || p.Gate
		}
		r.units[rule.hashAttribute()]++
		r.findLists(rule.Condition)
	}
	if f.DefaultValue == nil {
		f.err = importer.Refusef(at+".defaultValue", "without it, GrowthBook serves the default in the program's code")
		return f
	}
	if f.gated && f.byValue["true"] != "" {
		add(json.RawMessage("false")) // served where a prerequisite isn't met
	}
	if f.typ, f.variants, f.err = importer.Values(values, at); f.err != nil {
		f.err = importer.Refusef(at, "its values can't be those of a flag: %s", reason(f.err))
		return f
	}
	for i, v := range values {
		f.byValue[string(v)] = f.variants[i].Name
	}
	return f
}

// unit returns the attribute by which most rules hash users.
func (r *reader) unit() string {
	best := defaultUnit
	for _, name := range slices.Sorted(maps.Keys(r.units)) {
		if r.units[name] > r.units[best] {
			best = name
		}
	}
	return best
}

func (r *rule) hashAttribute() string {
	if r.HashAttribute != "" {
		return r.HashAttribute
	}
	return defaultUnit
}

// compact returns JSON in one notation.
func compact(data json.RawMessage) string {
	var v any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return "null"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(text)
}

// within puts a place before that of a refusal.
func within(at string, err error) error {
	if r, ok := err.(*importer.Refusal); ok && r.Place != "" {
		return importer.Refusef(at+"."+r.Place, "%s", r.Reason)
	}
	return importer.Refusef(at, "%s", reason(err))
}

func reason(err error) string {
	if r, ok := err.(*importer.Refusal); ok {
		return r.Reason
	}
	return err.Error()
}
