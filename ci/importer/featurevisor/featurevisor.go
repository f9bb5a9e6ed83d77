// Package featurevisor reads the datafiles of Featurevisor, of schema version 2.
//
// A feature becomes a boolean flag, a flag for its variation, and one for each variable. The
// import follows the SDK for JavaScript (2.0.0). Start at [Read].
package featurevisor

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/serin-flags/serin/ci/importer"
)

// defaultUnit is the attribute that identifies users if no feature says.
const defaultUnit = "userId"

type datafile struct {
	SchemaVersion string                     `json:"schemaVersion"`
	Segments      map[string]segment         `json:"segments"`
	Features      map[string]json.RawMessage `json:"features"`
}

type segment struct {
	Conditions json.RawMessage `json:"conditions"`
}

type feature struct {
	Required      []json.RawMessage   `json:"required"`
	Schema        map[string]variable `json:"variablesSchema"`
	DisabledValue string              `json:"disabledVariationValue"`
	Variations    []variation         `json:"variations"`
	BucketBy      json.RawMessage     `json:"bucketBy"`
	Traffic       []traffic           `json:"traffic"`
	Force         []force             `json:"force"`
	Ranges        [][2]int64          `json:"ranges"`
	attributes    []string            // of which the first that exists is hashed

}

type variable struct {
	Type          string          `json:"type"`
	Default       json.RawMessage `json:"defaultValue"`
	DisabledValue json.RawMessage `json:"disabledValue"`
	UseDefault    bool            `json:"useDefaultWhenDisabled"`
}

type variation struct {
	Value     string                     `json:"value"`
	Variables map[string]json.RawMessage `json:"variables"`
	Overrides map[string][]override      `json:"variableOverrides"`
}

type override struct {
	Conditions json.RawMessage `json:"conditions"`
	Segments   json.RawMessage `json:"segments"`
	Value      json.RawMessage `json:"value"`
}

type traffic struct {
	Key        string                     `json:"key"`
	Segments   json.RawMessage            `json:"segments"`
	Percentage int64                      `json:"percentage"`
	Enabled    *bool                      `json:"enabled"`
	Variation  string                     `json:"variation"`
	Variables  map[string]json.RawMessage `json:"variables"`
	Allocation []allocation               `json:"allocation"`
}

type allocation struct {
	Variation string   `json:"variation"`
	Range     [2]int64 `json:"range"`
}

type force struct {
	Conditions json.RawMessage            `json:"conditions"`
	Segments   json.RawMessage            `json:"segments"`
	Enabled    *bool                      `json:"enabled"`
	Variation  string                     `json:"variation"`
	Variables  map[string]json.RawMessage `json:"variables"`
}

// Read reads a datafile.
func Read(data []byte, _ importer.Options) (*importer.Import, error) {
	var d datafile
	if err := importer.Decode(data, &d); err != nil {
		return nil, err
	}
	if d.SchemaVersion != "2" {
		return nil, importer.Refusef("schemaVersion", "version %q of the format isn't known; build the datafile with "+
			"Featurevisor 2", d.SchemaVersion)
	}
	if len(d.Features) == 0 {
		return nil, importer.Refusef("features", "there are no features")
	}
	r := &reader{segments: d.Segments, features: make(map[string]*feature), units: make(map[string]int),
		out: &importer.Import{System: "Featurevisor"}}
	errs := make(map[string]error)
	keys := slices.Sorted(maps.Keys(d.Features))
	for _, key := range keys {
		r.features[key], errs[key] = r.parse(d.Features[key], "features."+key)
	}
	r.out.Notes = append(r.out.Notes, importer.Note{Reason: "what programs make sticky isn't in the datafile"},
		importer.Note{Reason: "a feature is a boolean flag here; its variation and its variables are flags of their " +
			"own, such as KEY.variation"})
	for _, key := range keys {
		if errs[key] != nil {
			r.out.Refuse(key, errs[key])
			continue
		}
		r.read(key)
	}
	r.out.Unit = r.unit()
	return r.out, nil
}

// A reader reads all features.
type reader struct {
	segments map[string]segment
	features map[string]*feature
	units    map[string]int
	out      *importer.Import
}

// parse decodes a feature and checks what all of its flags need.
func (r *reader) parse(data json.RawMessage, at string) (*feature, error) {
	f := new(feature)
	if err := importer.Decode(data, f); err != nil {
		if refusal, ok := err.(*importer.Refusal); ok {
			return nil, importer.Refusef(at, "%s", refusal.Error())
		}
		return nil, importer.Refusef(at, "%v", err)
	}
	var one string
	var several []string
	var or struct {
		Or []string `json:"or"`
	}
	switch {
	case json.Unmarshal(f.BucketBy, &one) == nil:
		f.attributes = []string{one}
	case json.Unmarshal(f.BucketBy, &several) == nil && len(several) == 1:
		f.attributes = several
	case len(several) > 1:
		return nil, importer.Refusef(at+".bucketBy", "users are hashed by %d attributes together, and by one here",
			len(several))
	case json.Unmarshal(f.BucketBy, &or) == nil && len(or.Or) > 0:
		f.attributes = or.Or
	default:
		return nil, importer.Refusef(at+".bucketBy", "expected an attribute")
	}
	r.units[f.attributes[0]]++
	return f, nil
}

// unit returns the attribute by which most features hash users.
func (r *reader) unit() string {
	best, most := defaultUnit, 0
	for _, name := range slices.Sorted(maps.Keys(r.units)) {
		if r.units[name] > most {
			best, most = name, r.units[name]
		}
	}
	return best
}

// read adds the flags of a feature.
func (r *reader) read(key string) {
	f, at := r.features[key], "features."+key
	r.add(key, at, func(x *reading) error { return x.enabled() })
	if len(f.Variations) > 0 {
		r.add(key+".variation", at, func(x *reading) error { return x.variation() })
	}
	for _, name := range slices.Sorted(maps.Keys(f.Schema)) {
		r.add(key+"."+name, at, func(x *reading) error { return x.variable(name) })
	}
}

// add adds a flag, or its refusal.
func (r *reader) add(flag, at string, read func(*reading) error) {
	key := at[len("features."):]
	x := &reading{reader: r, feature: r.features[key], key: key, at: at, flag: &importer.Flag{Key: flag,
		Namespace: "default", Place: at}}
	_, taken := r.features[flag]
	taken = taken && flag != key ||
		slices.ContainsFunc(r.out.Flags, func(f *importer.Flag) bool { return f.Key == flag })
	err := error(nil)
	if taken {
		err = importer.Refusef(at, "there is a flag %q already", flag)
	}
	if err == nil {
		err = read(x)
	}
	if err != nil {
		r.out.Refuse(flag, err)
		return
	}
	r.out.Flags = append(r.out.Flags, x.flag)
}
