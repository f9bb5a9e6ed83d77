// Package flagsmith reads the environment document of Flagsmith, which SDKs get for local
// evaluation.
//
// It follows the evaluation of Flagsmith's SDKs. Start at [Read].
package flagsmith

import (
	"encoding/json"
	"fmt"

	"github.com/serin-flags/serin/ci/importer"
)

// unit is the attribute that identifies users.
const unit = "identifier"

// enabledSuffix ends the key of the flag that says whether a feature with values is enabled.
const enabledSuffix = "-enabled"

// A document is what SDKs get.
type document struct {
	Key     string `json:"api_key"`
	Project struct {
		Segments []segment `json:"segments"`
	} `json:"project"`
	Features   []state    `json:"feature_states"`
	Identities []identity `json:"identity_overrides"`
}

type segment struct {
	ID        int64   `json:"id"`
	Name      string  `json:"name"`
	Rules     []rule  `json:"rules"`
	Overrides []state `json:"feature_states"`
}

type identity struct {
	Identifier string  `json:"identifier"`
	Overrides  []state `json:"identity_features"`
}

// A state is what a feature is in the environment, for a segment or for an identity.
type state struct {
	Feature struct {
		Name string `json:"name"`
	} `json:"feature"`
	Enabled  bool            `json:"enabled"`
	Value    json.RawMessage `json:"feature_state_value"`
	DjangoID *int64          `json:"django_id"`
	UUID     string          `json:"featurestate_uuid"`
	Segment  *struct {
		Priority *int64 `json:"priority"`
	} `json:"feature_segment"`
	Variants []variant `json:"multivariate_feature_state_values"`
}

// A variant is one of several values that divide identities.
type variant struct {
	ID     *int64  `json:"id"`
	UUID   string  `json:"mv_fs_value_uuid"`
	Share  float64 `json:"percentage_allocation"`
	Option struct {
		Value json.RawMessage `json:"value"`
	} `json:"multivariate_feature_option"`
}

// Read reads an environment document.
func Read(data []byte, _ importer.Options) (*importer.Import, error) {
	r := &reader{first: make(map[string]int), overrides: make(map[string][]override), segments: make(map[int]inSegment)}
	if err := importer.Decode(data, &r.document); err != nil {
		return nil, err
	}
	switch {
	case len(r.Features) == 0:
		return nil, importer.Refusef("feature_states",
			"there are no features; the file must be an environment document")
	case r.Key == "":
		return nil, importer.Refusef("api_key",
			"the environment's key is missing, by which Flagsmith hashes identities")
	}
	out := &importer.Import{System: "Flagsmith", Unit: unit, Notes: []importer.Note{
		{Reason: "the identity's identifier is the attribute \"identifier\" here, and its traits are attributes"},
		{Reason: "a feature with values is two flags: one serves the value, " +
			"and the one that ends in -enabled says whether the feature is enabled"},
		{Reason: "identities are divided by the environment's key and the identifier, as in local evaluation; " +
			"a server of one's own divides them by IDs of its database if it is asked for an identity's flags, " +
			"and those aren't in the file"},
		{Reason: "attributes have one type each; Flagsmith turns the value of a condition into the type of the trait"},
	}}
	r.collect()
	for i := range r.Features {
		flags, err := r.feature(i)
		if err != nil {
			out.Refuse(r.Features[i].Feature.Name, err)
			continue
		}
		out.Flags = append(out.Flags, flags...)
	}
	return out, nil
}

// A reader turns features into flags.
type reader struct {
	document
	first     map[string]int        // the index of each feature, by its name
	overrides map[string][]override // by the feature's name
	segments  map[int]inSegment     // by index, for those read already
	asText    map[string]bool       // the traits that conditions compare as text
}

// feature returns the flags for a feature.
func (r *reader) feature(i int) ([]*importer.Flag, error) {
	base := override{state: &r.Features[i], at: fmt.Sprintf("feature_states[%d]", i), segment: -1, identity: -1}
	name := base.Feature.Name
	if r.first[name] != i {
		return nil, importer.Refusef(base.at+".feature.name", "there is another feature with the name %q", name)
	}
	x := &reading{reader: r, states: append([]override{base}, r.overrides[name]...)}
	x.flag = &importer.Flag{Key: name, Namespace: "default", Place: base.at}
	if err := x.read(); err != nil {
		return nil, err
	}
	x.enabled.Namespace, x.enabled.Place = "default", base.at
	if !x.valued {
		x.enabled.Key = name
		x.enabled.Note(base.at, "the feature has no value; the flag says whether it is enabled")
		return []*importer.Flag{x.enabled}, nil
	}
	x.enabled.Key = name + enabledSuffix
	if _, taken := r.first[x.enabled.Key]; taken {
		return nil, importer.Refusef(base.at+".feature.name",
			"there is a feature %q too, which is the name of the flag that says whether %q is enabled",
			x.enabled.Key, name)
	}
	return []*importer.Flag{x.flag, x.enabled}, nil
}
