package editor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/internal/lang"
	"github.com/serin-flags/serin/ci/internal/source"
)

// JSON Schema can't say that a name is one of those in another part of the same file. So
// flag.json lists the sets of variants that flags of the folder have: a file whose
// "variants" are one of these sets names nothing else. Files with other variants, such
// as one that is being changed, may name any.

// maxSets bounds the sets of variants in a schema, and the names of rules, which an editor
// tries one by one.
const maxSets = 500

// onOff are the variants of a boolean flag that doesn't list any.
var onOff = []string{"on", "off"}

// variantSets returns the names of the variants that flags list, and environments, each
// sorted: those that are the most frequent, in the order of their names.
func variantSets(e *lang.Estate) [][]string {
	count := make(map[string]int)
	sets := make(map[string][]string)
	add := func(variants *source.Node) {
		if variants == nil {
			return
		}
		var set []string
		for _, f := range variants.Fields {
			set = append(set, f.Key.Text)
		}
		slices.Sort(set)
		key := strings.Join(set, "\n")
		count[key]++
		sets[key] = set
	}
	for _, f := range e.Flags {
		add(f.File.Root.Get("variants"))
		if environments := f.File.Root.Get("environments"); environments != nil {
			for _, o := range environments.Fields {
				add(o.Value.Get("variants"))
			}
		}
	}
	var list [][]string
	for _, key := range mostFrequent(count) {
		list = append(list, sets[key])
	}
	return list
}

// mostFrequent returns the maxSets keys that are counted most often, sorted.
func mostFrequent(count map[string]int) []string {
	keys := sorted(count)
	slices.SortStableFunc(keys, func(a, b string) int { return cmp.Compare(count[b], count[a]) })
	keys = keys[:min(len(keys), maxSets)]
	slices.Sort(keys)
	return keys
}

// namedOnce has a list of rules contain each name once, of the names that rules of the
// estate have: a rule that was copied still has one.
func namedOnce(e *lang.Estate) (conditions []any) {
	count := make(map[string]int)
	for _, f := range e.Flags {
		for _, b := range f.Bodies {
			for _, r := range b.Rules {
				count[r.Name]++
			}
		}
	}
	for _, name := range mostFrequent(count) {
		conditions = append(conditions, object{
			"contains": object{"type": "object", "required": []any{"name"},
				"properties": object{"name": oneOf([]string{name})}},
			"minContains":  0,
			"maxContains":  1,
			"errorMessage": fmt.Sprintf("Two rules have the name %q.", name),
		})
	}
	return conditions
}

// flag adds to flag.json what flags can refer to.
func (n *names) flag(doc object, sets [][]string) {
	properties, defs := at(doc, "properties"), at(doc, "$defs")
	narrow(at(properties, "exclusive"), oneOf(n.known.LayerNames()))
	environments := at(properties, "environments")
	delete(environments, "examples")
	environments["propertyNames"] = oneOf(n.known.Environments)
	narrow(at(defs, "rule", "properties", "by"), oneOf(append([]string{"chance"}, n.units...)))
	for _, key := range []string{"variants", "max_stale"} {
		delete(at(defs, key), "examples")
	}
	delete(at(defs, "serve"), "examples")

	if names := namedOnce(n.estate); len(names) > 0 {
		at(defs, "rules")["allOf"] = names
	}
	at(defs, "split")["allOf"] = []any{wholeOfOne(), wholeOfTwo()}

	define(defs, "OnOff", onOff)
	all := doc["allOf"].([]any)
	for _, rule := range all {
		// Without variants, a boolean flag has two: this is stricter about them.
		if rule := rule.(object); at(rule, "if")["not"] != nil {
			rule["then"] = ref("flagOnOff")
		}
	}
	var overrides []any
	for i, set := range sets {
		name := fmt.Sprintf("Set%d", i+1)
		define(defs, name, set)
		has := object{
			"required": []any{"variants"},
			"properties": object{"variants": object{
				"type": "object", "required": texts(set), "maxProperties": len(set),
			}},
		}
		all = append(all, object{"if": has, "then": ref("flag" + name)})
		overrides = append(overrides, object{"if": has, "then": ref("body" + name)})
	}
	doc["allOf"] = all
	if len(overrides) > 0 {
		at(defs, "override")["allOf"] = overrides
	}
}

// define adds the definitions of a flag and of an environment whose variants have these
// names.
func define(defs object, name string, variants []string) {
	one := ref("variant" + name)
	defs["variant"+name] = oneOf(variants)
	defs["serve"+name] = object{
		"if": object{"type": "object"},
		"then": object{
			"if":   ref("isRamp"),
			"then": object{"properties": object{"ramp": one}},
			"else": object{"propertyNames": object{"enum": texts(variants)}},
		},
		"else": one,
	}
	defs["body"+name] = object{"properties": object{
		"default":     one,
		"off_variant": one,
		"max_stale":   object{"properties": object{"serve": one}},
		"rules":       object{"items": object{"properties": object{"serve": ref("serve" + name)}}},
	}}
	// An environment that lists variants itself has those.
	defs["flag"+name] = object{
		"allOf": []any{ref("body" + name)},
		"properties": object{"environments": object{"additionalProperties": object{
			"if":   object{"not": object{"required": []any{"variants"}}},
			"then": ref("body" + name),
		}}},
	}
}

// wholeOfOne has the only variant of a split get everything.
func wholeOfOne() object {
	part := object{"type": "string", "pattern": `^[0-9]{1,2}(\.[0-9]+)?%$`}
	return object{
		"if":   object{"maxProperties": 1},
		"then": object{"additionalProperties": object{"not": part, "errorMessage": "The share isn't 100%."}},
	}
}

// wholeOfTwo has two shares in whole percent come to 100%. JSON Schema can't add, so it
// lists the pairs.
func wholeOfTwo() object {
	var pairs []any
	for i := range 51 {
		one, other := fmt.Sprintf("%d%%", i), fmt.Sprintf("%d%%", 100-i)
		pair := object{"additionalProperties": object{"enum": []any{one, other}}}
		if one != other {
			// Each is there once.
			pair["not"] = object{"anyOf": []any{
				object{"additionalProperties": object{"const": one}},
				object{"additionalProperties": object{"const": other}},
			}}
		}
		pairs = append(pairs, pair)
	}
	percent := object{"type": "string", "pattern": `^(100|[1-9]?[0-9])%$`}
	return object{
		"if":   object{"minProperties": 2, "maxProperties": 2, "additionalProperties": percent},
		"then": object{"anyOf": pairs}, // editors name the pair that is meant
	}
}
