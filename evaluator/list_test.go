package evaluator_test

import (
	"strings"
	"testing"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

// TestSharedLists holds that answers are the same with Lists as with the strings that they
// stand for, in random rulesets.
func TestSharedLists(t *testing.T) {
	pools := newPools()
	shared := 0
	for i := range soak.Times(1000, 100_000) {
		plain := (&generator{next: byRandom(5, uint64(i)), pools: pools}).rulesets()
		g := &generator{next: byRandom(5, uint64(i)), pools: pools}
		listed := g.rulesets()
		lists := make(map[string]*evaluator.List)
		for i := range listed {
			share(&listed[i], lists)
		}
		shared += len(lists)
		program, err := evaluator.Compile(listed...)
		if err != nil {
			t.Fatal(err)
		}
		for range contexts {
			if err := compareAll(program, plain, g.context(), false, make(map[evaluator.Reason]int)); err != nil {
				t.Fatalf("ruleset %d: %v", i, err)
			}
		}
	}
	if shared < 1000 {
		t.Errorf("there were only %d lists", shared)
	}
}

// share replaces lists of strings in a ruleset by Lists, equal ones by the same.
func share(set *evaluator.Ruleset, lists map[string]*evaluator.List) {
	listOf := func(strs *[]string) *evaluator.List {
		if len(*strs) == 0 {
			return nil
		}
		key := strings.Join(*strs, "\x01")
		if lists[key] == nil {
			lists[key] = evaluator.NewList(*strs)
		}
		*strs = nil
		return lists[key]
	}
	condition := func(when *evaluator.Condition) {
		for c := range when.Walk() {
			if c.Op == evaluator.OpOneOf {
				c.List = listOf(&c.Strings)
			}
		}
	}
	for i := range set.Segments {
		s := &set.Segments[i]
		s.IncludeList, s.ExcludeList = listOf(&s.Include), listOf(&s.Exclude)
		condition(s.When)
	}
	for _, flags := range [][]evaluator.Flag{set.Flags, set.Prerequisites} {
		for i := range flags {
			for j := range flags[i].Rules {
				condition(flags[i].Rules[j].When)
			}
		}
	}
}

// TestListRefused holds that a List stands only where strings may, and not beside them.
func TestListRefused(t *testing.T) {
	list := evaluator.NewList([]string{"u-1"})
	segment := func(s evaluator.Segment) func(*evaluator.Ruleset) {
		return func(set *evaluator.Ruleset) { s.Name = "s"; set.Segments = []evaluator.Segment{s} }
	}
	when := func(c evaluator.Condition) func(*evaluator.Ruleset) {
		if c.List == nil {
			c.List = list
		}
		return segment(evaluator.Segment{When: &c})
	}
	for name, test := range map[string]struct {
		change func(*evaluator.Ruleset)
		want   string
	}{
		"members twice": {segment(evaluator.Segment{Include: []string{"u"}, IncludeList: list}),
			"members are listed twice"},
		"excluded twice": {segment(evaluator.Segment{Include: []string{"v"}, Exclude: []string{"u"},
			ExcludeList: list}),
			"members are listed twice"},
		"values twice": {when(evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "user", Strings: []string{"u"}}),
			"values are listed twice"},
		"no values": {when(evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "user", List: &evaluator.List{}}),
			"the list of values is empty"},
		"another operator": {when(evaluator.Condition{Op: evaluator.OpPrefix, Attribute: "user",
			Strings: []string{"u"}}),
			`"prefix" takes no list`},
		"presence": {when(evaluator.Condition{Op: evaluator.OpExists, Attribute: "user"}),
			`"exists" takes no list`},
		"a combination": {when(evaluator.Condition{Op: evaluator.OpAll}), "takes conditions and nothing else"},
		"an integer": {when(evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "age"}),
			"are not of type integer"},
	} {
		set := evaluator.Ruleset{Unit: "user", Attributes: []evaluator.Attribute{
			{Name: "user", Type: evaluator.AttrString}, {Name: "age", Type: evaluator.AttrInteger},
		}}
		test.change(&set)
		if _, err := evaluator.CompileModule(set); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want %s", name, err, test.want)
		}
	}
}
