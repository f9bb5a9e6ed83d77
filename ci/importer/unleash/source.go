// Package unleash reads the toggles of Unleash: the features that clients get, the backup of
// Unleash Edge, and the export of the admin interface.
//
// It follows Unleash's client specification: what a client without custom strategies answers
// is what the flags serve. Start at [Read].
package unleash

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/importer"
)

// A document is any of the files that hold toggles.
type document struct {
	Features []feature `json:"features"`
	Segments []segment `json:"segments"`

	// Of an export:
	FeatureStrategies   []strategy    `json:"featureStrategies"`
	FeatureEnvironments []environment `json:"featureEnvironments"`
	Dependencies        []dependents  `json:"dependencies"`
}

type feature struct {
	Name         string       `json:"name"`
	Description  string       `json:"description"`
	Project      string       `json:"project"`
	Enabled      bool         `json:"enabled"`
	Strategies   []strategy   `json:"strategies"`
	Variants     []variant    `json:"variants"`
	Dependencies []dependency `json:"dependencies"`
}

type strategy struct {
	Name        string               `json:"name"`
	Title       string               `json:"title"`
	Disabled    bool                 `json:"disabled"`
	Parameters  map[string]parameter `json:"parameters"`
	Constraints []constraint         `json:"constraints"`
	Segments    []int64              `json:"segments"`
	Variants    []variant            `json:"variants"`

	// Of an export:
	FeatureName string  `json:"featureName"`
	Environment string  `json:"environment"`
	SortOrder   float64 `json:"sortOrder"`
	at          string
}

// A parameter is text, or a number that stands for its text.
type parameter string

// UnmarshalJSON implements [json.Unmarshaler].
func (p *parameter) UnmarshalJSON(data []byte) error {
	var text string
	switch {
	case len(data) > 0 && data[0] == '"':
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
	case bytes.Equal(data, []byte("null")):
	default:
		text = string(data)
	}
	*p = parameter(text)
	return nil
}

type constraint struct {
	ContextName     string    `json:"contextName"`
	Operator        string    `json:"operator"`
	Values          []string  `json:"values"`
	Value           parameter `json:"value"`
	CaseInsensitive bool      `json:"caseInsensitive"`
	Inverted        bool      `json:"inverted"`
}

type segment struct {
	ID          int64         `json:"id"`
	Name        string        `json:"name"`
	Constraints *[]constraint `json:"constraints"`
}

type variant struct {
	Name       string      `json:"name"`
	Weight     json.Number `json:"weight"`
	Stickiness string      `json:"stickiness"`
	Payload    *payload    `json:"payload"`
	Overrides  []override  `json:"overrides"`
}

type payload struct {
	Type  string    `json:"type"`
	Value parameter `json:"value"`
}

type override struct {
	ContextName string   `json:"contextName"`
	Values      []string `json:"values"`
}

type dependency struct {
	Feature  string   `json:"feature"`
	Enabled  *bool    `json:"enabled"`
	Variants []string `json:"variants"`
}

// Of an export:
type environment struct {
	Name        string    `json:"name"`
	FeatureName string    `json:"featureName"`
	Environment string    `json:"environment"`
	Enabled     bool      `json:"enabled"`
	Variants    []variant `json:"variants"`
}

type dependents struct {
	Feature      string       `json:"feature"`
	Dependencies []dependency `json:"dependencies"`
}

// maxWeight bounds the sum of weights.
const maxWeight = 1 << 32

// Read reads toggles. With several environments, o.Environment chooses one; without it, an
// export's environments become those of the folder.
func Read(data []byte, o importer.Options) (*importer.Import, error) {
	documents, err := open(data)
	if err != nil {
		return nil, err
	}
	d, err := choose(documents, o.Environment)
	if err != nil {
		return nil, err
	}
	out := &importer.Import{System: "Unleash", Unit: "userId"}
	r := &reader{out: out, at: d.at, segments: make(map[int64]*segment), features: make(map[string]*feature)}
	if len(d.FeatureStrategies) > 0 || len(d.FeatureEnvironments) > 0 {
		return r.export(&d.document, o.Environment)
	}
	if len(d.Features) == 0 {
		return nil, importer.Refusef(d.at+"features", "there are no toggles")
	}
	for i := range d.Segments {
		r.segments[d.Segments[i].ID] = &d.Segments[i]
	}
	for i := range d.Features {
		f := &d.Features[i]
		r.features[f.Name] = f
		for s := range f.Strategies {
			f.Strategies[s].at = fmt.Sprintf("%sfeatures[%d].strategies[%d]", d.at, i, s)
		}
	}
	r.read(d.Features)
	return out, nil
}

// A named document is one of several in a file.
type named struct {
	document
	name, at string
}

// open reads a file: toggles, an export, or a backup of Edge with toggles for each token.
func open(data []byte) ([]named, error) {
	var d document
	err := importer.Decode(data, &d)
	if err == nil && (len(d.Features) > 0 || len(d.FeatureStrategies) > 0) {
		return []named{{document: d}}, nil
	}
	var byName map[string]document
	if importer.Decode(data, &byName) == nil {
		var list []named
		for name, d := range byName {
			if d.Features != nil {
				list = append(list, named{d, name, fmt.Sprintf("[%q].", name)})
			}
		}
		slices.SortFunc(list, func(a, b named) int { return strings.Compare(a.name, b.name) })
		if len(list) > 0 {
			return list, nil
		}
	}
	var pairs []json.RawMessage
	if importer.Decode(data, &pairs) == nil {
		return openPairs(pairs)
	}
	if err == nil {
		err = importer.Refusef("features", "there are no toggles")
	}
	return nil, err
}

// openPairs reads a backup that is a list of names and toggles.
func openPairs(pairs []json.RawMessage) ([]named, error) {
	var list []named
	for i, p := range pairs {
		var pair []json.RawMessage
		n := named{at: fmt.Sprintf("[%d][1].", i)}
		if importer.Decode(p, &pair) != nil || len(pair) != 2 || importer.Decode(pair[0], &n.name) != nil {
			return nil, importer.Refusef(fmt.Sprintf("[%d]", i),
				"expected a name and toggles, as in a backup of Unleash Edge")
		}
		if err := importer.Decode(pair[1], &n.document); err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	if len(list) == 0 {
		return nil, importer.Refusef("", "there are no toggles")
	}
	return list, nil
}

// choose returns the document of an environment: its name, or the part of it behind a colon.
func choose(list []named, environment string) (*named, error) {
	if len(list) == 1 {
		return &list[0], nil
	}
	var fits []*named
	var names []string
	for i := range list {
		names = append(names, list[i].name)
		_, after, _ := strings.Cut(list[i].name, ":")
		after, _, _ = strings.Cut(after, ".")
		if list[i].name == environment || environment != "" && after == environment {
			fits = append(fits, &list[i])
		}
	}
	if len(fits) != 1 {
		return nil, importer.Refusef("", "the file has toggles for %s; choose one with --env",
			strings.Join(names, ", "))
	}
	return fits[0], nil
}
