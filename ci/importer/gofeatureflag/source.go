// Package gofeatureflag reads the flag files of GO Feature Flag, in YAML, JSON and TOML.
//
// It follows the evaluation of GO Feature Flag since version 1.0, with queries in the format of
// nikunjy/rules and in JsonLogic. Start at [Read].
package gofeatureflag

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/serin-flags/serin/ci/importer"
	"go.yaml.in/yaml/v4"
)

// unit is the attribute that identifies users, as queries call the targeting key.
const unit = "key"

// A file holds flags by their names.
type file map[string]*flag

type flag struct {
	Variations      map[string]any   `json:"variations" yaml:"variations" toml:"variations"`
	Targeting       []rule           `json:"targeting" yaml:"targeting" toml:"targeting"`
	BucketingKey    *string          `json:"bucketingKey" yaml:"bucketingKey" toml:"bucketingKey"`
	DefaultRule     *rule            `json:"defaultRule" yaml:"defaultRule" toml:"defaultRule"`
	Experimentation *experimentation `json:"experimentation" yaml:"experimentation" toml:"experimentation"`
	Scheduled       []step           `json:"scheduledRollout" yaml:"scheduledRollout" toml:"scheduledRollout"`
	TrackEvents     *bool            `json:"trackEvents" yaml:"trackEvents" toml:"trackEvents"`
	Disable         *bool            `json:"disable" yaml:"disable" toml:"disable"`
	Version         any              `json:"version" yaml:"version" toml:"version"`
	Metadata        map[string]any   `json:"metadata" yaml:"metadata" toml:"metadata"`
}

type rule struct {
	Name        *string            `json:"name" yaml:"name" toml:"name"`
	Query       *string            `json:"query" yaml:"query" toml:"query"`
	Variation   *string            `json:"variation" yaml:"variation" toml:"variation"`
	Percentage  map[string]float64 `json:"percentage" yaml:"percentage" toml:"percentage"`
	Progressive *progressive       `json:"progressiveRollout" yaml:"progressiveRollout" toml:"progressiveRollout"`
	Disable     *bool              `json:"disable" yaml:"disable" toml:"disable"`
}

type progressive struct {
	Initial *point `json:"initial" yaml:"initial" toml:"initial"`
	End     *point `json:"end" yaml:"end" toml:"end"`
}

type point struct {
	Variation  *string    `json:"variation" yaml:"variation" toml:"variation"`
	Percentage *float64   `json:"percentage" yaml:"percentage" toml:"percentage"`
	Date       *time.Time `json:"date" yaml:"date" toml:"date"`
}

type experimentation struct {
	Start *time.Time `json:"start" yaml:"start" toml:"start"`
	End   *time.Time `json:"end" yaml:"end" toml:"end"`
}

// A step changes the flag from a date on.
type step struct {
	Date            *time.Time       `json:"date" yaml:"date" toml:"date"`
	Variations      map[string]any   `json:"variations" yaml:"variations" toml:"variations"`
	Targeting       []rule           `json:"targeting" yaml:"targeting" toml:"targeting"`
	DefaultRule     *rule            `json:"defaultRule" yaml:"defaultRule" toml:"defaultRule"`
	Experimentation *experimentation `json:"experimentation" yaml:"experimentation" toml:"experimentation"`
	Disable         *bool            `json:"disable" yaml:"disable" toml:"disable"`
}

// Read reads a flag file.
func Read(data []byte, _ importer.Options) (*importer.Import, error) {
	flags, err := decode(data)
	if err != nil {
		return nil, err
	}
	if len(flags) == 0 {
		return nil, importer.Refusef("", "there are no flags")
	}
	out := &importer.Import{System: "GO Feature Flag", Unit: unit, Notes: []importer.Note{
		{Reason: "the targeting key is the attribute \"key\" here"},
		{Reason: "for a context without a targeting key, GO Feature Flag answers flags with percentages with an error and the " +
			"program's default; here, rules that divide users don't match such a context"},
		{Reason: "text is compared without regard to case by Unicode's folding, where GO Feature Flag compares lower case: " +
			"ſ and s are equal here"},
	}}
	for _, key := range slices.Sorted(maps.Keys(flags)) {
		r := &reader{f: flags[key], key: key, flag: &importer.Flag{Key: key, Namespace: "default", Place: key}}
		if r.f == nil {
			r.f = new(flag)
		}
		if err := r.read(); err != nil {
			out.Refuse(key, err)
			continue
		}
		out.Flags = append(out.Flags, r.flag)
	}
	return out, nil
}

// decode decodes a file in the format that it is in: JSON begins with a brace, and what isn't a
// mapping in YAML is TOML.
func decode(data []byte) (file, error) {
	var flags file
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && trimmed[0] == '{' {
		return flags, importer.DecodeNumbers(data, &flags)
	}
	var root yaml.Node
	yamlErr := yaml.Unmarshal(data, &root)
	if yamlErr == nil && len(root.Content) == 1 && root.Content[0].Kind == yaml.MappingNode {
		if err := root.Decode(&flags); err != nil {
			return nil, importer.Refusef("", "reading YAML: %v", err)
		}
		return flags, nil
	}
	if err := toml.Unmarshal(data, &flags); err == nil {
		return flags, nil
	} else if yamlErr == nil {
		return nil, importer.Refusef("", "it is neither YAML nor JSON with flags by their names, nor TOML: %v", err)
	}
	return nil, importer.Refusef("", "it is neither TOML, nor JSON or YAML: %v", yamlErr)
}

// valueOf returns a variation's value as JSON.
func valueOf(value any, place string) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, importer.Refusef(place, "the value can't be written as JSON: %v", err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}
