package lang

import (
	"fmt"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/serin-flags/serin/ci/internal/guardfile"
	"github.com/serin-flags/serin/ci/internal/idlist"
	"github.com/serin-flags/serin/ci/internal/lock"
	"github.com/serin-flags/serin/ci/internal/phrase"
	"github.com/serin-flags/serin/ci/internal/plan"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/from"
	"github.com/serin-flags/serin/internal/suggest"
)

// A Vocabulary is what the rules of an estate may refer to. It is complete before
// flags are read, and doesn't change then.
type Vocabulary struct {
	config
	contextPath string // as a user would type it
	configPath  string
	// The two files; nil if there is none.
	ConfigFile, ContextFile *source.File
	Attributes              map[string]*Attribute
	Segments                map[string]*segment         // broken ones included
	layers                  map[string]*layer           // broken ones included
	zones                   *phrase.Zones               // those named so far
	Guards                  map[string]*guardfile.Guard // broken ones included
	Releases                plan.Lines                  // how far releases have got
	ReleasesFile            *source.File                // nil if there is none
	Lists                   *idlist.Lists
	Lock                    *lock.File      // nil if there is no lock file, and none is made
	flags                   map[string]bool // the keys; whether the files are in order isn't known yet
	// AttributeNames are in the order declared, SegmentNames and flagKeys
	// sorted.
	AttributeNames, SegmentNames, flagKeys []string
	// broken says that context.yaml couldn't be read, so that nothing can be
	// said about attributes.
	broken bool
}

// Ruleset returns all attributes and segments, which conditions refer to.
func (v *Vocabulary) Ruleset() *evaluator.Ruleset {
	set := new(evaluator.Ruleset)
	for _, name := range v.AttributeNames {
		set.Attributes = append(set.Attributes, evaluator.Attribute{Name: name, Type: v.Attributes[name].Type})
	}
	for _, name := range v.SegmentNames {
		set.Segments = append(set.Segments, v.Segments[name].plain)
	}
	return set
}

// An Attribute is one that context.yaml declares.
type Attribute struct {
	Name    string
	Type    evaluator.AttributeType // 0: context.yaml gives it an invalid one
	Unit    bool
	Listed  atomic.Bool   // a list file is compared with it: its values are IDs
	Strings []string      // the enum of a string attribute, or of what a list holds
	Ints    []int64       // the enum of an integer attribute
	From    []from.Source // where endpoints take it from; nil: callers send it
	// Description is what context.yaml says of it, "" for nothing.
	Description string
	At          *source.Node
}

// reserved are names that attributes can't have: the language uses them.
var reserved = []string{"all", "any", "not", "chance", "now", "flag", "targetingKey"}

// context reads context.yaml into c.known.
func (c Checker) context(n *source.Node) {
	if !c.Keys(n, "context.yaml", "attributes", "lint") {
		return
	}
	c.Silences(n.Get("lint"))
	list := n.Get("attributes")
	if list == nil {
		c.Errorf(n, "context.yaml has no \"attributes\"")
		return
	}
	if list.Kind != source.Mapping {
		c.Errorf(list, "\"attributes\" is a mapping of names to declarations, not %s", list.Describe())
		return
	}
	for _, f := range list.Fields {
		name, ok := c.Name(f.Key, "the name of an attribute")
		if !ok {
			continue
		}
		if why := CheckAttributeName(name); why != "" {
			c.Errorf(f.Key, "attribute %q: %s", name, why)
		}
		a := c.Within("attribute %q", name).attribute(name, f)
		c.Known.Attributes[name] = a
		c.Known.AttributeNames = append(c.Known.AttributeNames, name)
	}
	c.issuers()
}

// CheckAttributeName returns what is wrong with the name of an attribute, or "".
func CheckAttributeName(name string) string {
	if slices.Contains(reserved, name) {
		return "the word has a meaning of its own in rules"
	}
	return phrase.CheckName(name)
}

// attributeTypes are the types that an attribute may have, in the order in which
// messages name them.
var attributeTypes = []evaluator.AttributeType{
	evaluator.AttrString, evaluator.AttrInteger, evaluator.AttrBoolean, evaluator.AttrSemver, evaluator.AttrIP,
	evaluator.AttrList, evaluator.AttrTime, evaluator.AttrNumber,
}

// attribute reads one declaration.
func (c Checker) attribute(name string, f source.Field) *Attribute {
	a := &Attribute{Name: name, At: f.Key}
	n := f.Value
	if !c.Keys(n, "an attribute", "type", "v", "unit", "enum", "from", "description") {
		return a
	}
	a.Type = phrase.TypeOf(c.Reader, n.Get("type"), f.Key, "it", attributeTypes)
	if v := n.Get("v"); v != nil {
		yes, _ := c.Boolean(v, "\"v\"")
		switch {
		case a.Type == evaluator.AttrSemver && yes:
			a.Type = evaluator.AttrSemverV
		case a.Type != 0 && a.Type != evaluator.AttrSemver:
			c.Errorf(v, "\"v\" is for attributes of type semver, not %v: it allows a \"v\" before versions", a.Type)
		}
	}
	if unit := n.Get("unit"); unit != nil {
		a.Unit, _ = c.Boolean(unit, "\"unit\"")
		if a.Unit && a.Type != 0 && a.Type != evaluator.AttrString && a.Type != evaluator.AttrInteger {
			c.Errorf(unit, "a unit is a string or an integer, not of type %v", a.Type)
		}
	}
	if enum := n.Get("enum"); enum != nil {
		c.enum(enum, a)
	}
	if place := n.Get("from"); place != nil {
		a.From = c.from(place, a)
	}
	a.Description = c.OptionalText(n.Get("description"), "\"description\"")
	return a
}

// enum reads the values that an attribute may have.
func (c Checker) enum(n *source.Node, a *Attribute) {
	if !c.List(n, "\"enum\"") {
		return
	}
	switch a.Type {
	case evaluator.AttrString, evaluator.AttrInteger, evaluator.AttrList, 0:
	default:
		c.Errorf(n, "\"enum\" is for string, integer and list attributes, not for type %v", a.Type)
		return
	}
	seen := make(map[string]bool, len(n.Items))
	for _, item := range n.Items {
		switch a.Type {
		case evaluator.AttrString, evaluator.AttrList:
			if s, ok := c.Text(item, "a value of \"enum\""); ok {
				a.Strings = append(a.Strings, s)
			}
		case evaluator.AttrInteger:
			if i, ok := c.Integer(item, "a value of \"enum\""); ok {
				a.Ints = append(a.Ints, i)
			}
		}
		if item.Kind == source.Scalar && seen[item.Text] {
			c.Errorf(item, "%s is listed twice in \"enum\"", item.Describe())
		}
		seen[item.Text] = true
	}
}

// ListValue reads the value of a list attribute, as contexts have it. Contrary
// to a list of rules it may be empty.
func (c Checker) ListValue(a *Attribute, n *source.Node) evaluator.Value {
	if n.Kind != source.Sequence {
		c.Errorf(n, "attribute %q is a list, not %s", a.Name, n.Describe())
		return evaluator.Value{}
	}
	texts := make([]string, 0, len(n.Items))
	for _, item := range n.Items {
		s, ok := c.Text(item, "what \""+a.Name+"\" holds")
		if ok {
			c.InEnum(item, a, s, false)
		}
		texts = append(texts, s)
	}
	return evaluator.ListValue(texts...)
}

// checkUnit makes sure that the estate's unit attribute can be what a targeting key
// stands for. context is context.yaml's root.
func (v *Vocabulary) checkUnit(config, context Checker, root *source.Node) {
	a, ok := v.Attributes[v.Unit]
	at, c := v.unitAt, config
	if at == nil { // the default
		at, c = root, context
	}
	switch {
	case v.broken:
	case !ok:
		c.Errorf(at, "the unit attribute %q is not declared in %s%s", v.Unit, v.contextPath, v.unitHint())
	case a.Type == 0:
	case a.Type != evaluator.AttrString:
		context.Errorf(a.At, "attribute %q is the estate's unit, so its type is string, not %v", v.Unit, a.Type)
	case !a.Unit:
		context.Errorf(a.At, "attribute %q is the estate's unit, so it is declared with unit: true", v.Unit)
	}
}

// unitHint says how to name another unit than the one that isn't declared.
func (v *Vocabulary) unitHint() string {
	if v.unitAt != nil {
		return suggest.DidYouMean(v.Unit, slices.Values(v.AttributeNames))
	}
	for name := range v.units() {
		if v.Attributes[name].Type == evaluator.AttrString {
			return fmt.Sprintf("; declare it, or write in %s: unit: %s", v.configPath, name)
		}
	}
	return ""
}

// Lookup returns the attribute that n names. If there is none it says so,
// unless that is due to errors in context.yaml.
func (c Checker) Lookup(n *source.Node, also ...string) *Attribute {
	a, ok := c.Known.Attributes[n.Text]
	if !ok && !c.Known.broken {
		hint := ""
		switch {
		case n.Text == "targetingKey":
			hint = fmt.Sprintf(" (did you mean %q?)", c.Known.Unit)
		case !slices.Contains(reserved, n.Text):
			hint = suggest.DidYouMean(n.Text, slices.Values(slices.Concat(c.Known.AttributeNames, also)))
		}
		c.Errorf(n, "attribute %q is not declared in %s%s", n.Text, c.Known.contextPath, hint)
	}
	return a
}

// units yields the names of attributes that may be hashed.
func (v *Vocabulary) units() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, name := range v.AttributeNames {
			if v.Attributes[name].Unit && !yield(name) {
				return
			}
		}
	}
}
