package ci

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// A vocabulary is what the rules of an estate may speak of. It is complete
// before flags are checked, and then only read.
type vocabulary struct {
	config
	contextFile string // as a user would type it
	configFile  string
	// The two files; nil if there is none.
	configSource, contextSource *source
	attributes                  map[string]*attribute
	segments                    map[string]*segment // broken ones included
	layers                      map[string]*layer   // broken ones included
	zones                       *zones              // those named so far
	lists                       *lists
	lock                        *lock           // nil if there is no lock file, and none is made
	flags                       map[string]bool // the keys; whether the files are in order isn't known yet
	// attributeNames are in the order declared, segmentNames and flagKeys
	// sorted.
	attributeNames, segmentNames, flagKeys []string
	// broken says that context.yaml couldn't be read, so that nothing can be
	// said about attributes.
	broken bool
}

// ruleset returns what conditions can be about: the attributes, and the segments.
func (v *vocabulary) ruleset() *evaluator.Ruleset {
	set := new(evaluator.Ruleset)
	for _, name := range v.attributeNames {
		set.Attributes = append(set.Attributes, evaluator.Attribute{Name: name, Type: v.attributes[name].typ})
	}
	for _, name := range v.segmentNames {
		set.Segments = append(set.Segments, v.segments[name].plain)
	}
	return set
}

// An attribute is one that context.yaml declares.
type attribute struct {
	name    string
	typ     evaluator.AttributeType // 0: context.yaml gives it an invalid one
	unit    bool
	strings []string // the enum of a string attribute, or of what a list holds
	ints    []int64  // the enum of an integer attribute
	at      *node
}

// reserved are names that attributes can't have: the language uses them.
var reserved = []string{"all", "any", "not", "chance", "now", "flag", "targetingKey"}

// context reads context.yaml into c.known.
func (c checker) context(n *node) {
	if !c.keys(n, "context.yaml", "attributes", "lint") {
		return
	}
	c.silences(n.get("lint"))
	list := n.get("attributes")
	if list == nil {
		c.errorf(n, "context.yaml has no \"attributes\"")
		return
	}
	if list.kind != mapping {
		c.errorf(list, "\"attributes\" is a mapping of names to declarations, not %s", list.describe())
		return
	}
	for _, f := range list.fields {
		name, ok := c.name(f.key, "the name of an attribute")
		if !ok {
			continue
		}
		if why := checkAttributeName(name); why != "" {
			c.errorf(f.key, "attribute %q: %s", name, why)
		}
		a := c.within("attribute %q", name).attribute(name, f)
		c.known.attributes[name] = a
		c.known.attributeNames = append(c.known.attributeNames, name)
	}
}

// checkAttributeName returns what is wrong with the name of an attribute.
func checkAttributeName(name string) string {
	if slices.Contains(reserved, name) {
		return "the word has a meaning of its own in rules"
	}
	return checkName(name)
}

// checkName returns what is wrong with a name that programs use, or "".
func checkName(name string) string {
	if len(name) > maxKey {
		return "the name has more than " + strconv.Itoa(maxKey) + " characters"
	}
	for i, r := range name {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '_'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789-.", r)) {
			return "names are of letters, digits, \"_\", \"-\" and \".\", and start with a letter"
		}
	}
	return ""
}

// attribute reads one declaration.
func (c checker) attribute(name string, f field) *attribute {
	a := &attribute{name: name, at: f.key}
	n := f.value
	if !c.keys(n, "an attribute", "type", "unit", "enum", "derived", "description") {
		return a
	}
	a.typ = typeOf[evaluator.AttributeType](c, n.get("type"), f.key, "it")
	if unit := n.get("unit"); unit != nil {
		a.unit, _ = c.boolean(unit, "\"unit\"")
		if a.unit && a.typ != 0 && a.typ != evaluator.AttrString && a.typ != evaluator.AttrInteger {
			c.errorf(unit, "a unit is a string or an integer, not of type %v", a.typ)
		}
	}
	if enum := n.get("enum"); enum != nil {
		c.enum(enum, a)
	}
	c.optionalText(n.get("derived"), "\"derived\"")
	c.optionalText(n.get("description"), "\"description\"")
	return a
}

// enum reads the values that an attribute may have.
func (c checker) enum(n *node, a *attribute) {
	if !c.list(n, "\"enum\"") {
		return
	}
	switch a.typ {
	case evaluator.AttrString, evaluator.AttrInteger, evaluator.AttrList, 0:
	default:
		c.errorf(n, "\"enum\" is for string, integer and list attributes, not for type %v", a.typ)
		return
	}
	seen := make(map[string]bool, len(n.items))
	for _, item := range n.items {
		switch a.typ {
		case evaluator.AttrString, evaluator.AttrList:
			if s, ok := c.text(item, "a value of \"enum\""); ok {
				a.strings = append(a.strings, s)
			}
		case evaluator.AttrInteger:
			if i, ok := c.integer(item, "a value of \"enum\""); ok {
				a.ints = append(a.ints, i)
			}
		}
		if item.kind == scalar && seen[item.text] {
			c.errorf(item, "%s is listed twice in \"enum\"", item.describe())
		}
		seen[item.text] = true
	}
}

// listValue reads the value of a list attribute, as contexts have it. Contrary
// to a list of rules it may be empty.
func (c checker) listValue(a *attribute, n *node) evaluator.Value {
	if n.kind != sequence {
		c.errorf(n, "attribute %q is a list, not %s", a.name, n.describe())
		return evaluator.Value{}
	}
	texts := make([]string, 0, len(n.items))
	for _, item := range n.items {
		s, ok := c.text(item, "what \""+a.name+"\" holds")
		if ok {
			c.inEnum(item, a, s, false)
		}
		texts = append(texts, s)
	}
	return evaluator.ListValue(texts...)
}

// checkUnit makes sure that the estate's unit attribute can be what a targeting key
// stands for. context is context.yaml's root.
func (v *vocabulary) checkUnit(config, context checker, root *node) {
	a, ok := v.attributes[v.unit]
	at, c := v.unitAt, config
	if at == nil { // the default
		at, c = root, context
	}
	switch {
	case v.broken:
	case !ok:
		c.errorf(at, "the unit attribute %q is not declared in %s%s", v.unit, v.contextFile, v.unitHint())
	case a.typ == 0:
	case a.typ != evaluator.AttrString:
		context.errorf(a.at, "attribute %q is the estate's unit, so its type is string, not %v", v.unit, a.typ)
	case !a.unit:
		context.errorf(a.at, "attribute %q is the estate's unit, so it is declared with unit: true", v.unit)
	}
}

// unitHint says how to name another unit than the one that isn't declared.
func (v *vocabulary) unitHint() string {
	if v.unitAt != nil {
		return suggest.DidYouMean(v.unit, slices.Values(v.attributeNames))
	}
	for name := range v.units() {
		if v.attributes[name].typ == evaluator.AttrString {
			return fmt.Sprintf("; declare it, or write in %s: unit: %s", v.configFile, name)
		}
	}
	return ""
}

// lookup returns the attribute that n names. If there is none it says so,
// unless that is due to errors in context.yaml.
func (c checker) lookup(n *node, also ...string) *attribute {
	a, ok := c.known.attributes[n.text]
	if !ok && !c.known.broken {
		hint := ""
		switch {
		case n.text == "targetingKey":
			hint = fmt.Sprintf(" (did you mean %q?)", c.known.unit)
		case !slices.Contains(reserved, n.text):
			hint = suggest.DidYouMean(n.text, slices.Values(slices.Concat(c.known.attributeNames, also)))
		}
		c.errorf(n, "attribute %q is not declared in %s%s", n.text, c.known.contextFile, hint)
	}
	return a
}

// units yields the names of attributes that may be hashed.
func (v *vocabulary) units() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, name := range v.attributeNames {
			if v.attributes[name].unit && !yield(name) {
				return
			}
		}
	}
}
