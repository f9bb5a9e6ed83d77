// Package configcat reads the config JSON of ConfigCat, version 6, which its SDKs download.
//
// It follows the evaluation of ConfigCat's SDKs. Start at [Read].
package configcat

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/serin-flags/serin/ci/importer"
)

// The attribute that identifies users, the hash that divides them, and its number of positions.
const (
	unit      = "Identifier"
	hash      = "configcat"
	positions = 100
)

// A config is what SDKs download.
type config struct {
	Segments []segment           `json:"s"`
	Settings map[string]*setting `json:"f"`
}

type segment struct {
	Name       string          `json:"n"`
	Conditions []userCondition `json:"r"`
}

type setting struct {
	Type       *int     `json:"t"`
	Attribute  *string  `json:"a"`
	Rules      []rule   `json:"r"`
	Percentage []option `json:"p"`
	served
}

type served struct {
	Value json.RawMessage `json:"v"`
}

type rule struct {
	Conditions []condition `json:"c"`
	Served     *served     `json:"s"`
	Percentage []option    `json:"p"`
}

// An option is a share of the users, in percent.
type option struct {
	Percentage json.RawMessage `json:"p"`
	served
}

// types are the types of settings: the member of a value that has it, and what it is here.
var types = [...]struct{ member, typ string }{{"b", "boolean"}, {"s", "string"}, {"i", "integer"}, {"d", "number"}}

// Read reads a config JSON of version 6.
func Read(data []byte, _ importer.Options) (*importer.Import, error) {
	var c config
	if err := importer.Decode(data, &c); err != nil {
		return nil, err
	}
	if len(c.Settings) == 0 {
		return nil, importer.Refusef("f", "there are no settings; the file must be a config JSON (config_v6.json)")
	}
	out := &importer.Import{System: "ConfigCat", Unit: unit, Notes: []importer.Note{
		{Reason: "attributes have one type each; ConfigCat turns numbers, dates and lists into text where it compares text"},
		{Reason: "a user always has an Identifier in ConfigCat, which may be empty; a context without it stands for no user"},
	}}
	r := &reader{config: c, variants: make(map[string]*variants)}
	for _, key := range slices.Sorted(maps.Keys(c.Settings)) {
		f, err := r.flag(key)
		if err != nil {
			out.Refuse(key, err)
			continue
		}
		out.Flags = append(out.Flags, f)
	}
	return out, nil
}

// A reader turns settings into flags.
type reader struct {
	config
	variants map[string]*variants // by setting
}

// A reading is one setting while it is read.
type reading struct {
	*reader
	key, at string
	s       *setting
	values  *variants
	flag    *importer.Flag
}

func (r *reader) flag(key string) (*importer.Flag, error) {
	at := "f." + key
	x := &reading{reader: r, key: key, at: at, s: r.Settings[key],
		flag: &importer.Flag{Key: key, Namespace: "default", Place: at}}
	if key == "" {
		return nil, importer.Refusef(at, "the setting has no key")
	}
	var err error
	if x.values, err = r.variantsOf(key); err != nil {
		return nil, err
	}
	x.flag.Type, x.flag.Variants = x.values.typ, x.values.list
	if x.flag.Type == "boolean" {
		x.flag.Variants = nil // on and off
	}
	for i := range x.s.Rules {
		if err := x.rule(&x.s.Rules[i], fmt.Sprintf("rule %d", i+1), fmt.Sprintf("%s.r[%d]", at, i)); err != nil {
			return nil, err
		}
	}
	if len(x.s.Percentage) > 0 {
		if err := x.percentage(x.s.Percentage, importer.Always, "percentage", at+".p"); err != nil {
			return nil, err
		}
	}
	x.flag.Default = x.values.name(x.s.Value)
	return x.flag, nil
}

// rule adds the rules for a targeting rule.
func (x *reading) rule(r *rule, name, at string) error {
	when, err := x.conditions(r.Conditions, at+".c")
	if err != nil {
		return err
	}
	if r.Served != nil {
		if len(r.Percentage) > 0 {
			return importer.Refusef(at, "it has both a value and percentage options")
		}
		x.flag.Rules = append(x.flag.Rules, importer.Rule{Name: name, When: when, Serve: x.values.name(r.Served.Value)})
		return nil
	}
	return x.percentage(r.Percentage, when, name, at+".p")
}

// percentage adds the rules that divide users. A user whose attribute is missing goes on to
// the next rule, and an empty text is hashed like any other.
func (x *reading) percentage(list []option, when importer.Condition, name, at string) error {
	by := unit
	if x.s.Attribute != nil {
		by = *x.s.Attribute
	}
	split := &importer.Split{By: by, Hash: hash, Salt: x.key}
	sum := int64(0)
	for i, o := range list {
		share, ok := importer.Integer(o.Percentage)
		if !ok || share < 0 || share > positions {
			return importer.Refusef(fmt.Sprintf("%s[%d].p", at, i), "%s is no whole percentage", text(o.Percentage))
		}
		sum = min(sum+share, positions)
		split.Ends = append(split.Ends, importer.End{Variant: x.values.name(o.Value), At: uint64(sum)})
	}
	if sum < positions {
		return importer.Refusef(at, "the percentages add up to less than 100")
	}
	x.flag.Rules = append(x.flag.Rules,
		importer.Rule{Name: name, When: when, Split: split},
		importer.Rule{Name: name + ", empty " + by, When: importer.All(when, importer.Empty(by)),
			Serve: variantAt(split.Ends, emptyPosition(x.key))})
	return nil
}

// text returns JSON as an error names it.
func text(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "nothing"
	}
	return fmt.Sprintf("%.40s", raw)
}
