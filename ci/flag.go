package ci

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
)

// A flag is a flag file that has been checked.
type flag struct {
	key       string
	namespace string
	source    *source
	base      evaluator.Flag
	overrides map[string]evaluator.Flag // by environment; those that differ
	layer     *layer                    // nil if the flag isn't in one

	// prerequisites by environment, as in overrides, "" for base.
	prerequisites map[string]*[]prerequisite

	divisions []division // for the lock file: splits by a unit
}

// in returns the flag as it is in an environment, "" being none.
func (f *flag) in(environment string) evaluator.Flag {
	if o, ok := f.overrides[environment]; ok {
		return o
	}
	return f.base
}

// bodyKeys are the keys that an environment can replace, each whole.
var bodyKeys = []string{"variants", "default", "enabled", "off_variant", "max_stale", "rules", "metadata"}

var flagKeys = append([]string{"description", "owner", "expires", "type", "exclusive", "environments", "lint"}, bodyKeys...)

var ruleKeys = []string{"name", "when", "serve", "by", "salt", "hash", "metadata"}

// flag reads a flag file. What is wrong with it is recorded.
func (c checker) flag() *flag {
	f := &flag{key: c.source.stem(), namespace: c.source.folder(), source: c.source}
	if why := checkKey(f.key); why != "" {
		c.source.problem("the file's name is not a valid flag key: %s", why)
	}
	if !bundle.ValidNamespace(f.namespace) {
		c.source.problem("the folder's name is not a valid namespace: at most 100 letters, digits, \"-\", \"_\" and \".\"")
	}
	n := c.source.root
	if n != nil && n.kind == sequence {
		c.errorf(n, "a flag is a mapping of keys to values, not a list; the name of a file of tests ends in .test.yaml")
		return f
	}
	if n == nil || !c.keys(n, "a flag", flagKeys...) {
		return f
	}
	c.optionalText(n.get("description"), "\"description\"")
	c.optionalText(n.get("owner"), "\"owner\"")
	c.date(n.get("expires"))
	c.silences(n.get("lint"))
	f.layer = c.exclusive(n.get("exclusive"))
	c.layer = f.layer
	typ := typeOf[evaluator.Type](c, n.get("type"), n, "the flag")
	c.prerequisites = f.collect("")
	c.divisions = &f.divisions
	f.base = c.body(f.key, typ, n, nil)
	if environments := n.get("environments"); environments != nil {
		c.overrides(f, typ, n, environments)
	}
	return f
}

// date checks the date from which on a flag is debt.
func (c checker) date(n *node) {
	if n == nil {
		return
	}
	if _, err := time.Parse(time.DateOnly, n.text); n.kind != scalar || err != nil {
		c.errorf(n, "\"expires\" is a date such as 2027-06-30, not %s", n.describe())
	}
}

// overrides reads what environments replace and builds the flag of each.
func (c checker) overrides(f *flag, typ evaluator.Type, base, environments *node) {
	if environments.kind != mapping {
		c.errorf(environments, "\"environments\" is a mapping of names to what they replace, not %s", environments.describe())
		return
	}
	f.overrides = make(map[string]evaluator.Flag, len(environments.fields))
	for _, e := range environments.fields {
		name := e.key.text
		if err := c.known.checkEnvironment(name); err != nil {
			c.errorf(e.key, "%v", err)
		}
		within := c.within("environment %q", name)
		if !within.keys(e.value, "an environment of a flag", bodyKeys...) {
			continue
		}
		// Problems that the base has too are recorded already.
		shadow := &source{path: c.source.path, shown: c.source.shown, data: c.source.data, root: c.source.root}
		again := c
		again.source, again.prerequisites = shadow, f.collect(name)
		if again.environment = name; e.value.get("rules") == nil {
			again.environment, again.divisions = "", nil // the base's, which are known
		}
		f.overrides[name] = again.body(f.key, typ, base, e.value)
		for _, p := range shadow.problems {
			if !slices.Contains(c.source.problems, p) && !c.source.full() {
				p.Message = within.place + p.Message
				c.source.problems = append(c.source.problems, p)
			}
		}
	}
}

// body builds the flag from the keys of base and those that override, which may
// be nil, replaces.
func (c checker) body(key string, typ evaluator.Type, base, override *node) evaluator.Flag {
	get := func(key string) *node {
		return cmp.Or(override.get(key), base.get(key))
	}
	set := c.variants(typ, get("variants"))
	f := evaluator.Flag{Key: key, Type: typ}
	set.fallback = -1
	set.inherited = override.get("default") != nil && override.get("rules") == nil
	if n := get("default"); n != nil {
		var ok bool
		if f.Default, ok = c.within("default").variant(n, set); ok {
			set.fallback = f.Default
		}
	} else {
		c.errorf(base, "the flag has no \"default\", the variant to serve when no rule matches")
	}
	f.Off = f.Default
	if n := get("off_variant"); n != nil {
		f.Off, _ = c.within("off_variant").variant(n, set)
	}
	if n := get("enabled"); n != nil {
		enabled, ok := c.boolean(n, "\"enabled\"")
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
func (c checker) maxStale(n *node, set *variantSet) *evaluator.Staleness {
	if n == nil || !c.keys(n, "\"max_stale\"", "after", "serve") || !c.required(n, "\"max_stale\"", "after", "serve") {
		return nil
	}
	c = c.within("max_stale")
	after, ok := c.duration(n.get("after"), "\"after\"")
	variant, fine := c.variant(n.get("serve"), set)
	if !ok || !fine {
		return nil
	}
	return &evaluator.Staleness{After: uint32(after), Variant: variant}
}

// rules reads a list of rules, which may be empty.
func (c checker) rules(key string, n *node, set *variantSet) []evaluator.Rule {
	if !c.maybeEmptyList(n, "\"rules\"") {
		return nil
	}
	rules := make([]evaluator.Rule, 0, len(n.items))
	lines := make(map[string]int, len(n.items))
	for i, item := range n.items {
		var r evaluator.Rule
		within := c.within("rule %d", i+1)
		if name := item.get("name"); name != nil {
			if s, ok := within.name(name, "\"name\""); ok {
				r.Name = s
				within = c.within("rule %q", s)
			}
			if line, dup := lines[r.Name]; dup {
				within.errorf(name, "another rule has this name, on line %d", line)
			} else if r.Name != "" {
				lines[r.Name] = name.line()
			}
		}
		if !within.keys(item, "a rule", ruleKeys...) {
			continue
		}
		if item.get("name") == nil {
			within.errorf(item, "the rule has no \"name\"; it is the reason that people are shown")
		}
		if when := item.get("when"); when != nil {
			if cond, ok := within.condition(when); ok {
				r.When = &cond
			}
		}
		within.serve(item, key, set, &r)
		r.Metadata = within.metadata(item.get("metadata"))
		rules = append(rules, r)
	}
	return rules
}

// variants reads what a flag may serve.
func (c checker) variants(typ evaluator.Type, n *node) *variantSet {
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
			c.errorf(c.source.root, "a flag of type %v has \"variants\", which name the values it may serve", typ)
		}
		set.broken = true
		return set
	case n.kind != mapping:
		c.errorf(n, "\"variants\" is a mapping of names to values, not %s", n.describe())
		set.broken = true
		return set
	case len(n.fields) == 0:
		c.errorf(n, "\"variants\" is empty")
		set.broken = true
		return set
	}
	for _, f := range n.fields {
		name, ok := c.name(f.key, "a variant")
		if !ok || typ == 0 {
			set.broken = true
			continue
		}
		// A bad value doesn't make the name unknown.
		v, _ := c.within("variant %q", name).variantValue(typ, f.value)
		set.list = append(set.list, evaluator.Variant{Name: name, Value: v})
	}
	return set
}

// variantValue reads a value of a flag of that type.
func (c checker) variantValue(typ evaluator.Type, n *node) (evaluator.Value, bool) {
	const what = "the value"
	switch typ {
	case evaluator.TypeBoolean:
		b, ok := c.boolean(n, what)
		return evaluator.BoolValue(b), ok
	case evaluator.TypeString:
		s, ok := c.text(n, what)
		return evaluator.StringValue(s), ok
	case evaluator.TypeInteger:
		i, ok := c.integer(n, what)
		return evaluator.IntValue(i), ok
	case evaluator.TypeNumber:
		return c.number(n, what)
	}
	if n.kind == scalar {
		c.errorf(n, "%s of an object flag is a mapping or a list, not %s", what, n.describe())
		return evaluator.Value{}, false
	}
	var b bytes.Buffer
	ok := c.json(&b, n)
	return evaluator.ObjectValue(b.String()), ok
}
