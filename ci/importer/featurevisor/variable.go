package featurevisor

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/serin-flags/serin/ci/importer"
)

// values collects the values of a variable, each of which becomes a variant.
type values struct {
	list  []json.RawMessage
	index map[string]int
}

// add returns the number of a value.
func (v *values) add(value json.RawMessage, typ string) int {
	var text string
	if typ == "json" && json.Unmarshal(value, &text) == nil && json.Valid([]byte(text)) {
		value = json.RawMessage(text) // JSON within text
	}
	var b bytes.Buffer
	if json.Compact(&b, value) != nil {
		b.Reset()
		b.WriteString("null")
	}
	if i, known := v.index[b.String()]; known {
		return i
	}
	v.index[b.String()] = len(v.list)
	v.list = append(v.list, json.RawMessage(b.String()))
	return len(v.list) - 1
}

// A pending rule serves the value with a number.
type pending struct {
	name  string
	when  importer.Condition
	value int
}

// variable sets the rules of the flag for a variable.
func (x *reading) variable(name string) error {
	v, schema, at := &values{index: make(map[string]int)}, x.Schema[name], x.at+".variablesSchema."+name
	if schema.Default == nil {
		return importer.Refusef(at+".defaultValue", "the default is missing")
	}
	fallback := v.add(schema.Default, schema.Type)
	disabled := fallback
	switch {
	case schema.DisabledValue != nil:
		disabled = v.add(schema.DisabledValue, schema.Type)
	case !schema.UseDefault:
		x.flag.Approximate(at, "while the feature is off, Featurevisor serves null, and this flag the default")
	}
	if len(x.Required) > 0 {
		x.flag.Approximate(x.at+".required", "the SDK for JavaScript takes the feature as off for a variable that a "+
			"required feature doesn't have; this flag doesn't")
	}
	rules := []pending{{"disabled", importer.Serves(x.key, "off"), disabled}}
	forced, err := x.forced()
	if err != nil {
		return err
	}
	for i, f := range x.Force {
		if value := f.Variables[name]; value != nil {
			rules = append(rules, pending{fmt.Sprintf("force %d", i+1), forced[i], v.add(value, schema.Type)})
		}
	}
	before := importer.Never
	for i, t := range x.Traffic {
		place := fmt.Sprintf("%s.traffic[%d]", x.at, i)
		when, err := x.group(t.Segments, place+".segments", 0)
		if err != nil {
			return err
		}
		first := importer.All(importer.Not(before), when)
		switch value := t.Variables[name]; {
		case t.Percentage == 0:
			x.flag.Approximate(place, "for a rule with 0%%, Featurevisor serves null, and this flag the default")
			rules = append(rules, pending{"rule " + t.Key, first, fallback})
		case value != nil:
			rules = append(rules, pending{"rule " + t.Key, first, v.add(value, schema.Type)})
		default:
			before = importer.Any(before, when)
		}
	}
	more, err := x.ofVariations(name, schema.Type, v)
	if err != nil {
		return err
	}
	typ, variants, err := importer.Values(v.list, at)
	if err != nil {
		return err
	}
	x.flag.Type, x.flag.Variants, x.flag.Default = typ, variants, variants[fallback].Name
	for _, r := range append(rules, more...) {
		x.add(r.name, r.when, variants[r.value].Name)
	}
	return nil
}

// ofVariations returns the rules for the values that variations give a variable.
func (x *reading) ofVariations(name, typ string, v *values) ([]pending, error) {
	if len(x.Variations) == 0 {
		return nil, nil
	}
	names, _, err := x.variationNames(x.feature, x.at)
	if err != nil {
		return nil, err
	}
	var rules []pending
	for i, variation := range x.Variations {
		has := importer.Serves(x.key+".variation", names[variation.Value])
		for j, o := range variation.Overrides[name] {
			at := fmt.Sprintf("%s.variations[%d].variableOverrides.%s[%d]", x.at, i, name, j)
			var when importer.Condition
			switch {
			case o.Conditions != nil:
				when, err = x.conditions(o.Conditions, at+".conditions", 0)
			case o.Segments != nil:
				when, err = x.group(o.Segments, at+".segments", 0)
			default:
				when = importer.Never
			}
			if err != nil {
				return nil, err
			}
			rules = append(rules, pending{fmt.Sprintf("%s, override %d", variation.Value, j+1), importer.All(has, when),
				v.add(o.Value, typ)})
		}
		if value := variation.Variables[name]; value != nil {
			rules = append(rules, pending{variation.Value, has, v.add(value, typ)})
		}
	}
	return rules, nil
}
