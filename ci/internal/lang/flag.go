package lang

import (
	"bytes"
	"fmt"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/internal/phrase"
	"github.com/serin-flags/serin/ci/internal/plan"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// A Flag is a flag file that has been checked.
type Flag struct {
	Key       string
	Namespace string
	File      *source.File
	Expires   *source.Node // the date, nil if there is none
	// Bodies are the flag itself, and then what environments make of it, in the
	// order of the file.
	Bodies []Body
	layer  *layer // nil if the flag isn't in one

	releases plan.Lines // of all flags
}

// A Body is a flag in one environment.
type Body struct {
	Environment string // "" for the flag itself
	Flag        evaluator.Flag
	// Rules are those that are written here, in the order of Flag.Rules. They are
	// nil if "rules" isn't: then those of the flag itself count.
	Rules []*Rule
}

// Place says in which environment something is the matter, for messages.
func (b *Body) Place() string {
	if b.Environment == "" {
		return ""
	}
	return fmt.Sprintf("environment %q: ", b.Environment)
}

// Base returns the flag itself, without what environments replace.
func (f *Flag) Base() *evaluator.Flag { return &f.Bodies[0].Flag }

// body returns the flag in an environment.
func (f *Flag) body(environment string) *Body {
	for i := range f.Bodies {
		if f.Bodies[i].Environment == environment {
			return &f.Bodies[i]
		}
	}
	return &f.Bodies[0]
}

// In returns the flag as it is in an environment, "" being none.
func (f *Flag) In(environment string) evaluator.Flag {
	if f.Guarded(environment) == nil {
		return f.body(environment).Flag
	}
	return f.At(environment, f.releases[plan.Key{Flag: f.Key, Environment: environment}].Share)
}

// ByClock returns the flag as it is in an environment if nothing guards it there: ramps
// follow the clock.
func (f *Flag) ByClock(environment string) evaluator.Flag { return f.body(environment).Flag }

// Rules returns the rules that count in an environment, and the environment that
// they are written for: that one, or "" for the flag itself.
func (f *Flag) Rules(environment string) (rules []*Rule, from string) {
	b := f.body(environment)
	if b.Rules == nil {
		b = &f.Bodies[0]
	}
	return b.Rules, b.Environment
}

// flagTypes are the types that a flag may have, in the order in which messages name
// them.
var flagTypes = []evaluator.Kind{
	evaluator.KindBool, evaluator.KindString, evaluator.KindInt, evaluator.KindFloat, evaluator.KindObject,
}

// bodyKeys are the keys that an environment can replace, each whole.
var bodyKeys = []string{"variants", "default", "enabled", "off_variant", "max_stale", "rules", "metadata"}

var flagKeys = append([]string{"description", "owner", "expires", "type", "exclusive", "environments", "lint"},
	bodyKeys...)

// flag reads a flag file. What is wrong with it is recorded.
func (c Checker) flag() *Flag {
	f := &Flag{Key: c.File.Stem(), Namespace: c.File.Folder(), File: c.File, Bodies: make([]Body, 1),
		releases: c.Known.Releases}
	if why := phrase.CheckFlagKey(f.Key); why != "" {
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
	f.Expires = n.Get("expires")
	c.date(f.Expires)
	c.Silences(n.Get("lint"))
	f.layer = c.exclusive(n.Get("exclusive"))
	c.layer = f.layer
	typ := phrase.TypeOf(c.Reader, n.Get("type"), n, "the flag", flagTypes)
	base := c.readBody(n, typ, &f.Bodies[0], nil)
	if environments := n.Get("environments"); environments != nil {
		c.overrides(f, base, environments)
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

// overrides reads what environments replace and builds the flag of each. base is
// the flag itself.
func (c Checker) overrides(f *Flag, base *draft, environments *source.Node) {
	if environments.Kind != source.Mapping {
		c.Errorf(environments, "\"environments\" is a mapping of names to what they replace, not %s",
			environments.Describe())
		return
	}
	for _, e := range environments.Fields {
		name := e.Key.Text
		if err := c.Known.checkEnvironment(name); err != nil {
			c.Errorf(e.Key, "%v", err)
		}
		if !c.Within("environment %q", name).Keys(e.Value, "an environment of a flag", bodyKeys...) {
			continue
		}
		b := Body{Environment: name}
		again := c
		again.Reader = c.Again("environment %q", name)
		again.readBody(e.Value, base.typ, &b, base)
		f.Bodies = append(f.Bodies, b)
	}
}

// A draft is a body that is being read.
type draft struct {
	root     *source.Node // what is written for it
	typ      evaluator.Kind
	base     *draft // whose keys count that aren't written, nil if there are no others
	variants *variantSet
	rules    []*Rule
}

// get returns the value of a key.
func (d *draft) get(key string) *source.Node {
	n := d.root.Get(key)
	if n == nil && d.base != nil {
		n = d.base.root.Get(key)
	}
	return n
}

// readBody reads the keys below n into b, and takes from base, which may be nil,
// those that aren't there.
func (c Checker) readBody(n *source.Node, typ evaluator.Kind, b *Body, base *draft) *draft {
	d := &draft{root: n, typ: typ, base: base}
	if base != nil && n.Get("variants") == nil {
		d.variants = base.variants
	} else {
		d.variants = c.variants(typ, n.Get("variants"))
	}
	if base != nil && n.Get("rules") == nil {
		d.rules = base.rules
	} else if rules := n.Get("rules"); rules != nil {
		b.Rules = c.rules(rules, b.Environment)
		d.rules = b.Rules
	}
	key := c.File.Stem()
	set := d.variants.clone()
	set.inherited = base != nil && n.Get("default") != nil && n.Get("rules") == nil
	f := &b.Flag
	f.Key, f.Type = key, typ
	if n := d.get("default"); n != nil {
		var ok bool
		if f.Default, ok = c.Within("default").variant(n, set); ok {
			set.fallback = f.Default
		}
	} else {
		c.Errorf(c.File.Root, "the flag has no \"default\", the variant to serve when no rule matches")
	}
	f.Off = f.Default
	if n := d.get("off_variant"); n != nil {
		f.Off, _ = c.Within("off_variant").variant(n, set)
	}
	if n := d.get("enabled"); n != nil {
		enabled, ok := c.Boolean(n, "\"enabled\"")
		f.Disabled = ok && !enabled
	}
	for _, r := range d.rules {
		f.Rules = append(f.Rules, c.compile(r, set))
	}
	f.Stale = c.maxStale(d.get("max_stale"), set)
	f.Variants = set.list
	f.Metadata = c.metadata(d.get("metadata"))
	return d
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

// variants reads what a flag may serve.
func (c Checker) variants(typ evaluator.Kind, n *source.Node) *variantSet {
	set := &variantSet{broken: typ == 0, fallback: -1}
	switch {
	case n == nil && typ == evaluator.KindBool:
		set.list = []evaluator.Variant{
			{Name: "on", Value: evaluator.BoolValue(true)},
			{Name: "off", Value: evaluator.BoolValue(false)},
		}
		return set
	case n == nil && typ == evaluator.KindString:
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
func (c Checker) VariantValue(typ evaluator.Kind, n *source.Node) (evaluator.Value, bool) {
	const what = "the value"
	switch typ {
	case evaluator.KindBool:
		b, ok := c.Boolean(n, what)
		return evaluator.BoolValue(b), ok
	case evaluator.KindString:
		s, ok := c.Text(n, what)
		return evaluator.StringValue(s), ok
	case evaluator.KindInt:
		i, ok := c.Integer(n, what)
		return evaluator.IntValue(i), ok
	case evaluator.KindFloat:
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

// VariantNames returns the names of a flag's variants, in their order.
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
