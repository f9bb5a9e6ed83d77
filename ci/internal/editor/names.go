package editor

import (
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/internal/lang"
	"github.com/serin-flags/serin/ci/internal/source"
)

// names are the names that the files of an estate can refer to.
type names struct {
	estate *lang.Estate
	known  *lang.Vocabulary
	units  []string
	lists  []string // list files, as any folder may name them
}

func newNames(e *lang.Estate) *names {
	n := &names{estate: e, known: e.Known}
	for _, name := range e.Known.AttributeNames {
		if e.Known.Attributes[name].Unit {
			n.units = append(n.units, name)
		}
	}
	lists := make(map[string]bool)
	for file := range e.Known.Lists.ByPath {
		for rest, more := file, true; more; _, rest, more = strings.Cut(rest, "/") {
			lists[rest] = true
		}
	}
	n.lists = sorted(lists)
	return n
}

// condition adds to condition.json what conditions can refer to.
func (n *names) condition(doc object) {
	defs := at(doc, "$defs")
	condition := at(defs, "condition")
	properties := at(condition, "properties")
	for _, name := range n.known.AttributeNames {
		properties[name] = n.comparison(n.known.Attributes[name])
	}
	delete(condition, "propertyNames")
	delete(condition, "examples") // of other folders
	condition["additionalProperties"] = false
	flags := at(properties, "flag")
	delete(flags, "examples")
	delete(flags, "propertyNames")
	flags["additionalProperties"] = false
	flags["properties"] = n.prerequisites(true)
	operators := at(defs, "operators", "properties")
	at(operators, "segment")["$ref"] = "#/$defs/folderSegment"
	defs["folderSegment"] = oneOf(n.known.SegmentNames)
	list := at(defs, "listFile")
	delete(list, "examples")
	list["anyOf"] = []any{oneOf(n.lists), object{"pattern": `(^|/)\.\.?/|//`}} // which leads elsewhere first
}

// prerequisites are the flags, each with the variants that it serves in some environment;
// conditions can also ask for several.
func (n *names) prerequisites(several bool) object {
	properties := make(object, len(n.estate.Flags))
	for _, f := range n.estate.Flags {
		var variants []string
		for _, b := range f.Bodies {
			for _, name := range lang.VariantNames(&b.Flag) {
				if !slices.Contains(variants, name) {
					variants = append(variants, name)
				}
			}
		}
		one := oneOf(variants)
		if several {
			one = object{"if": object{"type": "array"}, "then": object{"minItems": 1, "items": one}, "else": one}
		}
		if text := f.File.Root.Get("description"); text != nil {
			one["description"] = text.Text
		}
		properties[f.Key] = one
	}
	return properties
}

// layer adds to layer.json what layers can refer to.
func (n *names) layer(doc object) {
	properties := at(doc, "properties")
	narrow(at(properties, "by"), oneOf(n.units))
	entry := at(properties, "shares", "items", "properties")
	narrow(at(entry, "flag"), oneOf(n.estate.Keys()))
	delete(at(properties, "shares"), "examples")
}

// guard adds to guard.json what guards can refer to.
func (n *names) guard(doc object) {
	at(doc, "properties", "environments")["items"] = oneOf(n.known.Environments)
	delete(at(doc, "properties", "environments"), "examples")
}

// guards adds to flag.json which guards there are.
func (n *names) guards(doc object) {
	narrow(at(doc, "$defs", "ramp", "properties", "guard"), oneOf(sorted(n.known.Guards)))
}

// config adds to serin.json what the estate can refer to.
func (n *names) config(doc object) {
	properties := at(doc, "properties")
	narrow(at(properties, "unit"), oneOf(n.units))
	public := at(properties, "public")["anyOf"].([]any)
	at(public[1].(object), "items")["enum"] = oneOf(n.estate.Namespaces)["enum"]
}

// tests adds to tests.json what tests can refer to.
func (n *names) tests(doc object) {
	test := at(doc, "$defs", "test", "properties")
	narrow(at(test, "environment"), oneOf(n.known.Environments))
	given := at(test, "given", "properties")
	at(given, "segments")["propertyNames"] = oneOf(n.known.SegmentNames)
	flags := at(given, "flags")
	delete(flags, "propertyNames")
	flags["properties"], flags["additionalProperties"] = n.prerequisites(false), false
	context := at(doc, "$defs", "context")
	properties := make(object, len(n.known.AttributeNames))
	for _, name := range n.known.AttributeNames {
		properties[name] = n.described(name, contextValue(n.known.Attributes[name]))
	}
	delete(context, "examples")
	delete(context, "propertyNames")
	context["properties"], context["additionalProperties"] = properties, false
}

// narrow has a schema accept only what other accepts as well.
func narrow(schema, other object) {
	delete(schema, "examples")
	schema["allOf"] = []any{other}
}

// described adds to the schema of something about an attribute what context.yaml says
// of the attribute.
func (n *names) described(name string, schema object) object {
	text := n.known.ContextFile.Root.Get("attributes").Get(name).Get("description")
	if text != nil && text.Kind == source.Scalar {
		schema["description"] = text.Text
	}
	return schema
}
