package ci

import (
	"slices"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// A testCase is one test of a flag, as its file says.
type testCase struct {
	flag        *flag
	source      *source
	name        string
	at          *node
	environment string           // "": the one that the run chooses
	context     []evaluator.Attr // of everybody in the population, if there is one
	pins        pins
	now         int64       // Unix time
	timed       bool        // the test says what time it is
	age         int64       // of the flags, in seconds
	population  *population // nil: one evaluation of the context
	expect      expectation
}

// An expectation is what a test says about results; nil nodes mean nothing is
// said.
type expectation struct {
	value                      evaluator.Value
	variant, rule              string
	reason                     string
	valueAt, variantAt, ruleAt *node
	reasonAt                   *node
	shares                     []expectedShare
	within                     int64 // billionths
}

var caseKeys = []string{"name", "environment", "at", "age", "context", "given", "population", "expect"}

// readTests reads the test files among files. A test stands beside its flag.
func readTests(files *files, e *estate) []*testCase {
	var tests []*testCase
	for _, s := range files.byRole[testFile] {
		f, ok := e.byKey[s.stem()]
		switch {
		case !ok:
			keys := func(yield func(string) bool) {
				for _, f := range e.flags {
					if !yield(f.key) {
						return
					}
				}
			}
			s.problem("there is no flag %q to test%s", s.stem(), suggest.DidYouMean(s.stem(), keys))
		case f.namespace != s.folder():
			s.problem("the flag %q is %s; its tests belong beside it", f.key, f.source.shown)
		case s.root != nil:
			tests = append(tests, readCases(s, f, e)...)
		}
	}
	return tests
}

// A caseReader reads the tests in one file.
type caseReader struct {
	checker
	estate *estate
}

// within returns a reader whose messages start with the formatted text.
func (c caseReader) within(format string, args ...any) caseReader {
	c.checker = c.checker.within(format, args...)
	return c
}

// readCases reads the test file of a flag. The estate's flags are complete.
func readCases(s *source, f *flag, e *estate) []*testCase {
	c := caseReader{e.known.checker(s), e}
	n := s.root
	if !c.list(n, "a test file") {
		return nil
	}
	cases := make([]*testCase, 0, len(n.items))
	lines := make(map[string]int, len(n.items))
	for i, item := range n.items {
		t := &testCase{flag: f, source: c.source, at: item}
		within := c.within("test %d", i+1)
		name := item.get("name")
		if name != nil {
			t.at = name
			if s, ok := within.name(name, "\"name\""); ok {
				t.name = s
				within = c.within("test %q", s)
				if line, dup := lines[s]; dup {
					within.errorf(name, "another test has this name, on line %d", line)
				}
				lines[s] = name.line()
			}
		}
		if !within.keys(item, "a test", caseKeys...) {
			continue
		}
		if name == nil {
			within.errorf(item, "the test has no \"name\"")
		}
		within.testCase(item, t)
		cases = append(cases, t)
	}
	return cases
}

// testCase reads one test into t.
func (c caseReader) testCase(n *node, t *testCase) {
	if env := n.get("environment"); env != nil {
		name, ok := c.name(env, "\"environment\"")
		if ok {
			if err := c.known.checkEnvironment(name); err != nil {
				c.errorf(env, "%v", err)
			}
		}
		t.environment = name
	}
	if at := n.get("at"); at != nil {
		t.now, _ = c.time(at, "\"at\"")
		t.timed = true
	}
	if age := n.get("age"); age != nil {
		t.age, _ = c.duration(age, "\"age\"")
	}
	if context := n.get("context"); context != nil {
		t.context = c.attrs(context, "\"context\"")
	}
	if given := n.get("given"); given != nil && c.keys(given, "\"given\"", "segments", "flags") {
		t.pins.segments = c.givenSegments(given.get("segments"))
		t.pins.flags = c.givenFlags(given.get("flags"), t)
	}
	if people := n.get("population"); people != nil {
		if n.get("context") != nil {
			c.errorf(people, "a test has a \"context\" or a \"population\", not both; a population has a context of its own")
		}
		c.population(people, t)
	}
	if expect := n.get("expect"); expect != nil {
		c.expect(expect, t, n.get("population") != nil)
	} else {
		c.errorf(n, "the test has no \"expect\"")
	}
}

// attrs reads the attributes of a context.
func (c caseReader) attrs(n *node, what string) []evaluator.Attr {
	if n.kind != mapping {
		c.errorf(n, "%s is a mapping of attributes to values, not %s", what, n.describe())
		return nil
	}
	attrs := make([]evaluator.Attr, 0, len(n.fields))
	for _, f := range n.fields {
		if a := c.lookup(f.key); a != nil && a.typ != 0 {
			attrs = append(attrs, evaluator.Attr{Name: a.name, Value: c.attrValue(a, f.value)})
		}
	}
	return attrs
}

// attrValue reads the value of an attribute as a client would send it. Text in
// quotes is text whatever the attribute's type is, so that a test can show what
// happens to clients that send the wrong one.
func (c caseReader) attrValue(a *attribute, n *node) evaluator.Value {
	if n.kind == scalar && !n.plain && a.typ != evaluator.AttrString {
		return evaluator.StringValue(n.text)
	}
	what := "attribute \"" + a.name + "\""
	switch a.typ {
	case evaluator.AttrList:
		return c.listValue(a, n)
	case evaluator.AttrInteger:
		i, ok := c.integer(n, what)
		if ok && a.ints != nil && !slices.Contains(a.ints, i) {
			c.errorf(n, "%d is not a value that %q may have", i, a.name)
		}
		return evaluator.IntValue(i)
	case evaluator.AttrBoolean:
		b, _ := c.boolean(n, what)
		return evaluator.BoolValue(b)
	case evaluator.AttrString:
		s, ok := c.text(n, what)
		if ok {
			c.inEnum(n, a, s, false)
		}
		return evaluator.StringValue(s)
	}
	// A version or an address may look like a number.
	s, _ := c.name(n, what)
	return evaluator.StringValue(s)
}

// givenSegments reads the segments whose members a test pins; segments may be
// nil.
func (c caseReader) givenSegments(segments *node) map[string][]string {
	if segments == nil {
		return nil
	}
	if segments.kind != mapping {
		c.errorf(segments, "\"segments\" is a mapping of segments to members, not %s", segments.describe())
		return nil
	}
	pins := make(map[string][]string, len(segments.fields))
	for _, f := range segments.fields {
		name := f.key.text
		if _, ok := c.known.segments[name]; !ok {
			c.errorf(f.key, "segment %q doesn't exist%s", name, suggest.DidYouMean(name, slices.Values(c.known.segmentNames)))
		}
		pins[name] = nil
		if f.value.kind != sequence || len(f.value.items) > 0 { // nobody is fine
			pins[name] = c.members(f.value, "\""+name+"\"")
		}
	}
	return pins
}

// givenFlags reads the flags of which a test pins what they serve; flags may be
// nil.
func (c caseReader) givenFlags(flags *node, t *testCase) map[string]string {
	if flags == nil {
		return nil
	}
	if flags.kind != mapping {
		c.errorf(flags, "\"flags\" is a mapping of flags to the variants they serve, not %s", flags.describe())
		return nil
	}
	pins := make(map[string]string, len(flags.fields))
	for _, f := range flags.fields {
		key := f.key.text
		other, ok := c.estate.byKey[key]
		switch {
		case !ok:
			c.errorf(f.key, "there is no flag %q%s", key, suggest.DidYouMean(key, slices.Values(c.estate.keys())))
		case other == t.flag:
			c.errorf(f.key, "%q is the flag that is tested; what it serves is expected, not given", key)
		default:
			served := other.in(t.environment)
			pins[key] = c.oneOfNames(f.value, "variant", other.names(variantNames(&served)))
		}
	}
	return pins
}

// expect reads "expect".
func (c caseReader) expect(n *node, t *testCase, population bool) {
	if !c.keys(n, "\"expect\"", "value", "variant", "rule", "reason", "share", "within") {
		return
	}
	if len(n.fields) == 0 {
		c.errorf(n, "the test expects nothing")
	}
	wrong := []string{"share", "within"}
	why := "is for a population"
	if population {
		wrong, why = []string{"value", "variant", "rule", "reason"}, "is for one context; of a population, expect shares"
	}
	for _, f := range n.fields {
		if slices.Contains(wrong, f.key.text) {
			c.errorf(f.key, "%q %s", f.key.text, why)
			return
		}
	}
	f := t.flag.in(t.environment)
	e := &t.expect
	if e.valueAt = n.get("value"); e.valueAt != nil && f.Type != 0 {
		e.value, _ = c.variantValue(f.Type, e.valueAt)
	}
	if e.variantAt = n.get("variant"); e.variantAt != nil {
		e.variant = c.oneOfNames(e.variantAt, "variant", t.flag.names(variantNames(&f)))
	}
	if e.ruleAt = n.get("rule"); e.ruleAt != nil {
		e.rule = c.oneOfNames(e.ruleAt, "rule", t.flag.names(ruleNames(&f)))
	}
	if e.reasonAt = n.get("reason"); e.reasonAt != nil {
		e.reason = c.oneOfNames(e.reasonAt, "reason", reasonNames)
	}
	if population {
		c.expectShares(n, t.flag.names(variantNames(&f)), e)
	}
}

// reasonNames are the reasons that the evaluation of a flag may have.
var reasonNames = []string{
	evaluator.ReasonStatic.String(),
	evaluator.ReasonDefault.String(),
	evaluator.ReasonTargetingMatch.String(),
	evaluator.ReasonSplit.String(),
	evaluator.ReasonDisabled.String(),
	evaluator.ReasonStale.String(),
}

func variantNames(f *evaluator.Flag) []string {
	names := make([]string, len(f.Variants))
	for i, v := range f.Variants {
		names[i] = v.Name
	}
	return names
}

func ruleNames(f *evaluator.Flag) []string {
	names := make([]string, len(f.Rules))
	for i, r := range f.Rules {
		names[i] = r.Name
	}
	return names
}

// names returns list or, if the flag has problems, nil: what names it really has
// isn't known then.
func (f *flag) names(list []string) []string {
	if len(f.source.problems) > 0 {
		return nil
	}
	return list
}

// oneOfNames returns the name that n is, which must be one of names unless that
// is nil.
func (c caseReader) oneOfNames(n *node, what string, names []string) string {
	name, ok := c.name(n, "\""+what+"\"")
	if ok && names != nil && !slices.Contains(names, name) {
		hint := suggest.DidYouMean(name, slices.Values(names))
		switch {
		case hint == "" && len(names) == 0:
			hint = "; the flag has none"
		case hint == "":
			hint = "; it is one of " + quotedList(slices.Values(names))
		}
		c.errorf(n, "unknown %s %q%s", what, name, hint)
	}
	return name
}
