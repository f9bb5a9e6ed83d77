package lang

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/internal/lock"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// RulesFrom returns the environment itself if it replaces the flag's rules, else
// "".
func (f *Flag) RulesFrom(environment string) string {
	if f.RulesNode(environment) != nil {
		return environment
	}
	return ""
}

// RulesNode returns the rules that an environment has for itself or, for "", the
// flag has; nil if there are none.
func (f *Flag) RulesNode(environment string) *source.Node {
	n := f.File.Root
	if environment != "" {
		n = n.Get("environments").Get(environment)
	}
	return n.Get("rules")
}

// A Flag is a flag file that has been checked.
type Flag struct {
	Key       string
	Namespace string
	File      *source.File
	Base      evaluator.Flag
	overrides map[string]evaluator.Flag // by environment; those that differ
	layer     *layer                    // nil if the flag isn't in one

	// prerequisites by environment, as in overrides, "" for base.
	prerequisites map[string]*[]Prerequisite

	divisions []lock.Division // for the lock file: splits by a unit
}

// In returns the flag as it is in an environment, "" being none.
func (f *Flag) In(environment string) evaluator.Flag {
	if o, ok := f.overrides[environment]; ok {
		return o
	}
	return f.Base
}

// bodyKeys are the keys that an environment can replace, each whole.
var bodyKeys = []string{"variants", "default", "enabled", "off_variant", "max_stale", "rules", "metadata"}

var flagKeys = append([]string{"description", "owner", "expires", "type", "exclusive", "environments", "lint"}, bodyKeys...)

var ruleKeys = []string{"name", "when", "serve", "by", "salt", "hash", "metadata"}

// flag reads a flag file. What is wrong with it is recorded.
func (c Checker) flag() *Flag {
	f := &Flag{Key: c.File.Stem(), Namespace: c.File.Folder(), File: c.File}
	if why := checkKey(f.Key); why != "" {
		c.File.Problem("the file's name is not a valid flag key: %s", why)
	}
	if !bundle.ValidNamespace(f.Namespace) {
		c.File.Problem("the folder's name is not a valid namespace: at most 100 letters, digits, \"-\", \"_\" and \".\"")
	}
	n := c.File.Root
	if n != nil && n.Kind == source.Sequence {
		c.Errorf(n, "a flag is a mapping of keys to values, not a list; the name of a file of tests ends in .test.yaml")
		return f
	}
	if n == nil || !c.Keys(n, "a flag", flagKeys...) {
		return f
	}
	c.OptionalText(n.Get("description"), "\"description\"")
	c.OptionalText(n.Get("owner"), "\"owner\"")
	c.date(n.Get("expires"))
	c.silences(n.Get("lint"))
	f.layer = c.exclusive(n.Get("exclusive"))
	c.layer = f.layer
	typ := typeOf[evaluator.Type](c, n.Get("type"), n, "the flag")
	c.Prerequisites = f.collect("")
	c.divisions = &f.divisions
	f.Base = c.body(f.Key, typ, n, nil)
	if environments := n.Get("environments"); environments != nil {
		c.overrides(f, typ, n, environments)
	}
	return f
}

// date checks the date from which on a flag is debt.
func (c Checker) date(n *source.Node) {
	if n == nil {
		return
	}
	if _, err := time.Parse(time.DateOnly, n.Text); n.Kind != source.Scalar || err != nil {
		c.Errorf(n, "\"expires\" is a date such as 2027-06-30, not %s", n.Describe())
	}
}

// overrides reads what environments replace and builds the flag of each.
func (c Checker) overrides(f *Flag, typ evaluator.Type, base, environments *source.Node) {
	if environments.Kind != source.Mapping {
		c.Errorf(environments, "\"environments\" is a mapping of names to what they replace, not %s", environments.Describe())
		return
	}
	f.overrides = make(map[string]evaluator.Flag, len(environments.Fields))
	for _, e := range environments.Fields {
		name := e.Key.Text
		if err := c.Known.CheckEnvironment(name); err != nil {
			c.Errorf(e.Key, "%v", err)
		}
		within := c.Within("environment %q", name)
		if !within.Keys(e.Value, "an environment of a flag", bodyKeys...) {
			continue
		}
		// Problems that the base has too are recorded already.
		shadow := &source.File{Path: c.File.Path, Shown: c.File.Shown, Data: c.File.Data, Root: c.File.Root}
		again := c
		again.File, again.Prerequisites = shadow, f.collect(name)
		if again.environment = name; e.Value.Get("rules") == nil {
			again.environment, again.divisions = "", nil // the base's, which are known
		}
		f.overrides[name] = again.body(f.Key, typ, base, e.Value)
		for _, p := range shadow.Problems {
			if !slices.Contains(c.File.Problems, p) && !c.File.Full() {
				p.Message = within.Place + p.Message
				c.File.Problems = append(c.File.Problems, p)
			}
		}
	}
}

// body builds the flag from the keys of base and those that override, which may
// be nil, replaces.
func (c Checker) body(key string, typ evaluator.Type, base, override *source.Node) evaluator.Flag {
	get := func(key string) *source.Node {
		return cmp.Or(override.Get(key), base.Get(key))
	}
	set := c.variants(typ, get("variants"))
	f := evaluator.Flag{Key: key, Type: typ}
	set.fallback = -1
	set.inherited = override.Get("default") != nil && override.Get("rules") == nil
	if n := get("default"); n != nil {
		var ok bool
		if f.Default, ok = c.Within("default").variant(n, set); ok {
			set.fallback = f.Default
		}
	} else {
		c.Errorf(base, "the flag has no \"default\", the variant to serve when no rule matches")
	}
	f.Off = f.Default
	if n := get("off_variant"); n != nil {
		f.Off, _ = c.Within("off_variant").variant(n, set)
	}
	if n := get("enabled"); n != nil {
		enabled, ok := c.Boolean(n, "\"enabled\"")
		f.Disabled = ok && !enabled
	}
	if n := get("rules"); n != nil {
		f.Rules = c.rules(key, n, set)
	}
	f.Stale = c.maxStale(get("max_stale"), set)
	f.Variants = set.list
	f.Metadata = c.metadata(get("metadata"))
	return f
}

// maxStale reads "max_stale", which may be nil.
func (c Checker) maxStale(n *source.Node, set *variantSet) *evaluator.Staleness {
	if n == nil || !c.Keys(n, "\"max_stale\"", "after", "serve") || !c.Required(n, "\"max_stale\"", "after", "serve") {
		return nil
	}
	c = c.Within("max_stale")
	after, ok := c.Duration(n.Get("after"), "\"after\"")
	variant, fine := c.variant(n.Get("serve"), set)
	if !ok || !fine {
		return nil
	}
	return &evaluator.Staleness{After: uint32(after), Variant: variant}
}

// rules reads a list of rules, which may be empty.
func (c Checker) rules(key string, n *source.Node, set *variantSet) []evaluator.Rule {
	if !c.MaybeEmptyList(n, "\"rules\"") {
		return nil
	}
	rules := make([]evaluator.Rule, 0, len(n.Items))
	lines := make(map[string]int, len(n.Items))
	for i, item := range n.Items {
		var r evaluator.Rule
		within := c.Within("rule %d", i+1)
		if name := item.Get("name"); name != nil {
			if s, ok := within.Name(name, "\"name\""); ok {
				r.Name = s
				within = c.Within("rule %q", s)
			}
			if line, dup := lines[r.Name]; dup {
				within.Errorf(name, "another rule has this name, on line %d", line)
			} else if r.Name != "" {
				lines[r.Name] = name.Line()
			}
		}
		if !within.Keys(item, "a rule", ruleKeys...) {
			continue
		}
		if item.Get("name") == nil {
			within.Errorf(item, "the rule has no \"name\"; it is the reason that people are shown")
		}
		if when := item.Get("when"); when != nil {
			if cond, ok := within.Condition(when); ok {
				r.When = &cond
			}
		}
		within.serve(item, key, set, &r)
		r.Metadata = within.metadata(item.Get("metadata"))
		rules = append(rules, r)
	}
	return rules
}

// variants reads what a flag may serve.
func (c Checker) variants(typ evaluator.Type, n *source.Node) *variantSet {
	set := &variantSet{broken: typ == 0}
	switch {
	case n == nil && typ == evaluator.TypeBoolean:
		set.list = []evaluator.Variant{
			{Name: "on", Value: evaluator.BoolValue(true)},
			{Name: "off", Value: evaluator.BoolValue(false)},
		}
		return set
	case n == nil && typ == evaluator.TypeString:
		set.open = true
		return set
	case n == nil:
		if typ != 0 {
			c.Errorf(c.File.Root, "a flag of type %v has \"variants\", which name the values it may serve", typ)
		}
		set.broken = true
		return set
	case n.Kind != source.Mapping:
		c.Errorf(n, "\"variants\" is a mapping of names to values, not %s", n.Describe())
		set.broken = true
		return set
	case len(n.Fields) == 0:
		c.Errorf(n, "\"variants\" is empty")
		set.broken = true
		return set
	}
	for _, f := range n.Fields {
		name, ok := c.Name(f.Key, "a variant")
		if !ok || typ == 0 {
			set.broken = true
			continue
		}
		// A bad value doesn't make the name unknown.
		v, _ := c.Within("variant %q", name).VariantValue(typ, f.Value)
		set.list = append(set.list, evaluator.Variant{Name: name, Value: v})
	}
	return set
}

// VariantValue reads a value of a flag of that type.
func (c Checker) VariantValue(typ evaluator.Type, n *source.Node) (evaluator.Value, bool) {
	const what = "the value"
	switch typ {
	case evaluator.TypeBoolean:
		b, ok := c.Boolean(n, what)
		return evaluator.BoolValue(b), ok
	case evaluator.TypeString:
		s, ok := c.Text(n, what)
		return evaluator.StringValue(s), ok
	case evaluator.TypeInteger:
		i, ok := c.Integer(n, what)
		return evaluator.IntValue(i), ok
	case evaluator.TypeNumber:
		return c.Number(n, what)
	}
	if n.Kind == source.Scalar {
		c.Errorf(n, "%s of an object flag is a mapping or a list, not %s", what, n.Describe())
		return evaluator.Value{}, false
	}
	var b bytes.Buffer
	ok := c.JSON(&b, n)
	return evaluator.ObjectValue(b.String()), ok
}

// A Body is a flag as it is without an environment, or in one that replaces some
// of it.
type Body struct {
	Environment string
	Flag        *evaluator.Flag
	Rules       *source.Node // the list that is written for it, nil if there is none
}

// Bodies yields the flag, and then what environments make of it.
func (f *Flag) Bodies() iter.Seq[Body] {
	return func(yield func(Body) bool) {
		root := f.File.Root
		if !yield(Body{"", &f.Base, root.Get("rules")}) {
			return
		}
		environments := root.Get("environments")
		if environments == nil {
			return
		}
		for _, e := range environments.Fields {
			o := f.overrides[e.Key.Text]
			if !yield(Body{e.Key.Text, &o, e.Value.Get("rules")}) {
				return
			}
		}
	}
}

// Place says in which environment something is the matter.
func (b Body) Place() string {
	if b.Environment == "" {
		return ""
	}
	return fmt.Sprintf("environment %q: ", b.Environment)
}

// LastShare returns the share that a ramp grows to.
func (c Checker) LastShare(n *source.Node) string {
	if steps := n.Get("steps"); steps != nil {
		n = steps.Items[len(steps.Items)-1]
	} else {
		n = cmp.Or(n.Get("double"), n.Get("linear"))
	}
	to := n.Get("to")
	if to == nil {
		return share.Format(share.Whole)
	}
	portion, _ := c.PlainShare(to, "\"to\"")
	return share.Format(portion)
}

func VariantNames(f *evaluator.Flag) []string {
	names := make([]string, len(f.Variants))
	for i, v := range f.Variants {
		names[i] = v.Name
	}
	return names
}

// Names returns list or, if the flag has problems, nil: what names it really has
// isn't known then.
func (f *Flag) Names(list []string) []string {
	if len(f.File.Problems) > 0 {
		return nil
	}
	return list
}
