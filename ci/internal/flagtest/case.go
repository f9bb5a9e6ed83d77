package flagtest

import (
	"slices"
	"strconv"

	"github.com/serin-flags/serin/ci/internal/lang"
	"github.com/serin-flags/serin/ci/internal/plan"
	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// A Case is one test of a flag, as its file says.
type Case struct {
	flag        *lang.Flag
	file        *source.File
	name        string
	at          *source.Node
	environment string           // "": the one that the run chooses
	context     []evaluator.Attr // of everybody in the population, if there is one
	pins        lang.Pins
	now         int64       // Unix time
	timed       bool        // the test says what time it is
	age         int64       // of the flags, in seconds
	cleared     *plan.Share // of the guarded ramp; nil: it follows the clock
	Population  *population // nil: one evaluation of the context
	expect      expectation
}

// An expectation is what a test says about results; nil nodes mean nothing is
// said.
type expectation struct {
	value                      evaluator.Value
	variant, rule              string
	reason                     string
	valueAt, variantAt, ruleAt *source.Node
	reasonAt                   *source.Node
	shares                     []expectedShare
	within                     int64 // billionths
}

var caseKeys = []string{"name", "environment", "at", "cleared", "age", "context", "given", "population", "expect"}

// Read reads the test files among files. A test is beside its flag.
func Read(files *source.Files, e *lang.Estate) []*Case {
	var tests []*Case
	for _, s := range files.ByRole[source.TestFile] {
		f, ok := e.ByKey[s.Stem()]
		switch {
		case !ok:
			keys := func(yield func(string) bool) {
				for _, f := range e.Flags {
					if !yield(f.Key) {
						return
					}
				}
			}
			s.Problem("there is no flag %q to test%s", s.Stem(), suggest.DidYouMean(s.Stem(), keys))
		case f.Namespace != s.Folder():
			s.Problem("the flag %q is %s; its tests belong next to it", f.Key, f.File.Shown)
		case s.Root != nil:
			tests = append(tests, readCases(s, f, e)...)
		}
	}
	return tests
}

// A reader reads the tests in one file.
type reader struct {
	lang.Checker
	estate *lang.Estate
}

// within returns a reader whose messages start with the formatted text.
func (c reader) within(format string, args ...any) reader {
	c.Checker = c.Checker.Within(format, args...)
	return c
}

// readCases reads the test file of a flag. The estate's flags are complete.
func readCases(s *source.File, f *lang.Flag, e *lang.Estate) []*Case {
	c := reader{e.Known.Checker(s), e}
	n := s.Root
	if !c.List(n, "a test file") {
		return nil
	}
	cases := make([]*Case, 0, len(n.Items))
	lines := make(map[string]int, len(n.Items))
	for i, item := range n.Items {
		t := &Case{flag: f, file: c.File, at: item}
		within := c.within("test %d", i+1)
		name := item.Get("name")
		if name != nil {
			t.at = name
			if s, ok := within.Name(name, "\"name\""); ok {
				t.name = s
				within = c.within("test %q", s)
				if line, dup := lines[s]; dup {
					within.Errorf(name, "another test has this name, on line %d", line)
				}
				lines[s] = name.Line()
			}
		}
		if !within.Keys(item, "a test", caseKeys...) {
			continue
		}
		if name == nil {
			within.Errorf(item, "the test has no \"name\"")
		}
		within.testCase(item, t)
		cases = append(cases, t)
	}
	return cases
}

// Case reads one test into t.
func (c reader) testCase(n *source.Node, t *Case) {
	if env := n.Get("environment"); env != nil {
		name, ok := c.Name(env, "\"environment\"")
		if ok {
			if err := c.estate.CheckEnvironment(name); err != nil {
				c.Errorf(env, "%v", err)
			}
		}
		t.environment = name
	}
	if at := n.Get("at"); at != nil {
		t.now, _ = c.Time(at, "\"at\"")
		t.timed = true
	}
	if age := n.Get("age"); age != nil {
		t.age, _ = c.Duration(age, "\"age\"")
	}
	if cleared := n.Get("cleared"); cleared != nil {
		t.cleared = c.cleared(cleared, t)
	}
	if context := n.Get("context"); context != nil {
		t.context = c.attrs(context, "\"context\"")
	}
	if given := n.Get("given"); given != nil && c.Keys(given, "\"given\"", "segments", "flags") {
		t.pins.Segments = c.givenSegments(given.Get("segments"))
		t.pins.Flags = c.givenFlags(given.Get("flags"), t)
	}
	if people := n.Get("population"); people != nil {
		if n.Get("context") != nil {
			c.Errorf(people, "a test has a \"context\" or a \"population\", not both; a population has its own context")
		}
		c.population(people, t)
	}
	if expect := n.Get("expect"); expect != nil {
		c.expect(expect, t, n.Get("population") != nil)
	} else {
		c.Errorf(n, "the test has no \"expect\"")
	}
}

// cleared reads which share of the guarded ramp is cleared.
func (c reader) cleared(n *source.Node, t *Case) *plan.Share {
	portion, ok := c.PlainShare(n, "\"cleared\"")
	p := t.flag.AnyPlan(t.environment)
	switch {
	case !ok:
	case p == nil:
		c.Errorf(n, "\"cleared\" has no effect: the flag has no guarded ramp")
	default:
		if _, isStep := p.Cleared(plan.Share(portion)); !isStep {
			c.Errorf(n, "no step of the ramp reaches %s", share.Format(portion))
		}
	}
	cleared := plan.Share(portion)
	return &cleared
}

// attrs reads the attributes of a context.
func (c reader) attrs(n *source.Node, what string) []evaluator.Attr {
	if n.Kind != source.Mapping {
		c.Errorf(n, "%s is a mapping of attributes to values, not %s", what, n.Describe())
		return nil
	}
	attrs := make([]evaluator.Attr, 0, len(n.Fields))
	for _, f := range n.Fields {
		if a := c.Lookup(f.Key); a != nil && a.Type != 0 {
			attrs = append(attrs, evaluator.Attr{Name: a.Name, Value: c.attrValue(a, f.Value)})
		}
	}
	return attrs
}

// attrValue reads the value of an attribute as a client would send it. Text in
// quotes is text whatever the attribute's type is, so that a test can show what
// happens to clients that send the wrong one.
func (c reader) attrValue(a *lang.Attribute, n *source.Node) evaluator.Value {
	if n.Kind == source.Scalar && !n.Plain && a.Type != evaluator.AttrString {
		return evaluator.StringValue(n.Text)
	}
	what := "attribute \"" + a.Name + "\""
	switch a.Type {
	case evaluator.AttrList:
		return c.ListValue(a, n)
	case evaluator.AttrInteger:
		i, ok := c.Integer(n, what)
		if ok && a.Ints != nil && !slices.Contains(a.Ints, i) {
			c.Errorf(n, "%d is not a value that %q may have", i, a.Name)
		}
		return evaluator.IntValue(i)
	case evaluator.AttrBoolean:
		b, _ := c.Boolean(n, what)
		return evaluator.BoolValue(b)
	case evaluator.AttrString:
		s, ok := c.Text(n, what)
		if ok {
			c.InEnum(n, a, s, false)
		}
		return evaluator.StringValue(s)
	}
	// A version or an address may look like a number, and a time is one if it is Unix time.
	s, _ := c.Name(n, what)
	if i, err := strconv.ParseInt(s, 10, 64); err == nil && a.Type == evaluator.AttrTime {
		return evaluator.IntValue(i)
	}
	return evaluator.StringValue(s)
}

// givenSegments reads the segments whose members a test pins; segments may be
// nil.
func (c reader) givenSegments(segments *source.Node) map[string][]string {
	if segments == nil {
		return nil
	}
	if segments.Kind != source.Mapping {
		c.Errorf(segments, "\"segments\" is a mapping of segments to members, not %s", segments.Describe())
		return nil
	}
	pins := make(map[string][]string, len(segments.Fields))
	for _, f := range segments.Fields {
		name := f.Key.Text
		if _, ok := c.Known.Segments[name]; !ok {
			c.Errorf(f.Key, "segment %q doesn't exist%s", name,
				suggest.DidYouMean(name, slices.Values(c.Known.SegmentNames)))
		}
		pins[name] = nil
		if f.Value.Kind != source.Sequence || len(f.Value.Items) > 0 { // nobody is fine
			pins[name] = c.Members(f.Value, "\""+name+"\"")
		}
	}
	return pins
}

// givenFlags reads the flags of which a test pins what they serve; flags may be
// nil.
func (c reader) givenFlags(flags *source.Node, t *Case) map[string]string {
	if flags == nil {
		return nil
	}
	if flags.Kind != source.Mapping {
		c.Errorf(flags, "\"flags\" is a mapping of flags to the variants they serve, not %s", flags.Describe())
		return nil
	}
	pins := make(map[string]string, len(flags.Fields))
	for _, f := range flags.Fields {
		key := f.Key.Text
		other, ok := c.estate.ByKey[key]
		switch {
		case !ok:
			c.Errorf(f.Key, "there is no flag %q%s", key, suggest.DidYouMean(key, slices.Values(c.estate.Keys())))
		case other == t.flag:
			c.Errorf(f.Key, "%q is the flag that is tested; what it serves is expected, not given", key)
		default:
			served := other.In(t.environment)
			pins[key] = c.oneOfNames(f.Value, "variant", other.Names(lang.VariantNames(&served)))
		}
	}
	return pins
}

// expect reads "expect".
func (c reader) expect(n *source.Node, t *Case, population bool) {
	if !c.Keys(n, "\"expect\"", "value", "variant", "rule", "reason", "share", "within") {
		return
	}
	if len(n.Fields) == 0 {
		c.Errorf(n, "the test expects nothing")
	}
	wrong := []string{"share", "within"}
	why := "is for a population"
	if population {
		wrong, why = []string{"value", "variant", "rule", "reason"},
			"is for one context; for a population, expect shares"
	}
	for _, f := range n.Fields {
		if slices.Contains(wrong, f.Key.Text) {
			c.Errorf(f.Key, "%q %s", f.Key.Text, why)
			return
		}
	}
	f := t.flag.In(t.environment)
	e := &t.expect
	if e.valueAt = n.Get("value"); e.valueAt != nil && f.Type != 0 {
		e.value, _ = c.VariantValue(f.Type, e.valueAt)
	}
	if e.variantAt = n.Get("variant"); e.variantAt != nil {
		e.variant = c.oneOfNames(e.variantAt, "variant", t.flag.Names(lang.VariantNames(&f)))
	}
	if e.ruleAt = n.Get("rule"); e.ruleAt != nil {
		e.rule = c.oneOfNames(e.ruleAt, "rule", t.flag.Names(ruleNames(&f)))
	}
	if e.reasonAt = n.Get("reason"); e.reasonAt != nil {
		e.reason = c.oneOfNames(e.reasonAt, "reason", reasonNames)
	}
	if population {
		c.expectShares(n, t.flag.Names(lang.VariantNames(&f)), e)
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

func ruleNames(f *evaluator.Flag) []string {
	names := make([]string, len(f.Rules))
	for i, r := range f.Rules {
		names[i] = r.Name
	}
	return names
}

// oneOfNames returns the name that n is, which must be one of names unless that
// is nil.
func (c reader) oneOfNames(n *source.Node, what string, names []string) string {
	name, ok := c.Name(n, "\""+what+"\"")
	if ok && names != nil && !slices.Contains(names, name) {
		hint := suggest.DidYouMean(name, slices.Values(names))
		switch {
		case hint == "" && len(names) == 0:
			hint = "; the flag has none"
		case hint == "":
			hint = "; it is one of " + problem.QuotedList(slices.Values(names))
		}
		c.Errorf(n, "unknown %s %q%s", what, name, hint)
	}
	return name
}
