package vectors

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/serin-flags/serin/evaluator"
)

const dir = "../../testdata/vectors"

func TestScenarios(t *testing.T) {
	list, err := Scenarios(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	ops := make(map[evaluator.Op]bool)
	for _, s := range list {
		cases += len(s.Cases)
		eachCondition(s.Ruleset, func(c *evaluator.Condition) { ops[c.Op] = true })

		// The ruleset is what "serin cat" prints, member by member.
		printed, err := json.Marshal(s.Ruleset)
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(dir + "/evaluation/" + s.Name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ Ruleset json.RawMessage }
		if err := json.Unmarshal(data, &file); err != nil {
			t.Fatal(err)
		}
		if !Equal(file.Ruleset, printed) {
			t.Errorf("%s: the ruleset is not in the form that it is printed in:\n%s", s.Name, printed)
		}
		for _, f := range s.Ruleset.Flags {
			if !strings.HasPrefix(f.Key, s.Name+"-") {
				t.Errorf("%s: the key %q does not begin with the scenario's name", s.Name, f.Key)
			}
		}
	}
	if cases < 2500 {
		t.Errorf("there are %d cases only", cases)
	}
	for op := evaluator.OpAll; op <= evaluator.OpBucket; op++ {
		if !ops[op] {
			t.Errorf("no scenario has the condition %q", op)
		}
	}
}

// TestEveryFlagIsAsked holds that no flag stands in a scenario for nothing.
func TestEveryFlagIsAsked(t *testing.T) {
	list, err := Scenarios(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	asked := make(map[string]bool)
	for _, s := range list {
		for _, c := range s.Cases {
			asked[c.Flag] = true
		}
		eachCondition(s.Ruleset, func(c *evaluator.Condition) {
			if c.Op == evaluator.OpServes {
				asked[c.Strings[0]] = true
			}
		})
	}
	for _, s := range list {
		for _, f := range s.Ruleset.Flags {
			if !asked[f.Key] {
				t.Errorf("%s: nothing asks for the flag %q", s.Name, f.Key)
			}
		}
	}
}

func eachCondition(set evaluator.Ruleset, f func(*evaluator.Condition)) {
	visit := func(c *evaluator.Condition) {
		for c := range c.Walk() {
			f(c)
		}
	}
	for _, s := range set.Segments {
		visit(s.When)
	}
	for _, fl := range append(set.Flags, set.Prerequisites...) {
		for _, r := range fl.Rules {
			visit(r.When)
		}
	}
}

func TestParseScenarioRefuses(t *testing.T) {
	const good = `{"description": "d", "ruleset": {"unit": "user", "attributes": [{"name": "user", "type": "string"}],
		"flags": [{"key": "f", "type": "boolean", "variants": [{"name": "on", "value": true}], "default": 0, "off": 0,
			"rules": [{"name": "r", "when": {"op": "exists", "attribute": "user"}, "variant": 0}]}]},
		"cases": [{"name": "n", "flag": "f", "context": {}, "expect": {"value": true, "variant": "on", "reason": "DEFAULT"}}]}`
	if _, err := ParseScenario("s", []byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, old, new, want string }{
		{"a member of the file", `{"description"`, `{"descr": 1, "description"`, `unknown field "descr"`},
		{"a member of the ruleset", `{"unit"`, `{"units": 1, "unit"`, `unknown field "units"`},
		{"a member of a condition", `{"op"`, `{"not": true, "op"`, `unknown field "not"`},
		{"a member of a case", `"flag": "f"`, `"flag": "f", "at": 5`, `unknown field "at"`},
		{"a member twice", `"default": 0, `, `"default": 0, "default": 0, `, `the member "default" occurs twice`},
		{"a member of an answer twice", `"reason"`, `"value": false, "reason"`, `the member "value" occurs twice`},
		{"a member of an answer", `"reason"`, `"rules": "r", "reason"`, `unknown field "rules"`},
		{"a condition", `"exists"`, `"exist"`, `there is no operator "exist"`},
		{"a type of attributes", `"type": "string"`, `"type": "text"`, `there is no attribute type "text"`},
		{"a type of flags", `"type": "boolean"`, `"type": "bool"`, `there is no type "bool"`},
		{"a flag without default", `"default": 0, `, ``, `"default" or "off" is missing`},
		{"a rule without variant", `, "variant": 0}]}]`, `}]}]`, `"variant" is missing`},
		{"no value", `"value": true, "variant"`, `"variant"`, "the answer lacks value"},
		{"no reason", `, "reason": "DEFAULT"`, ``, "the answer lacks value, variant or reason"},
		{"an error with a variant", `"DEFAULT"`, `"ERROR"`, "unless its reason is ERROR"},
		{"no context", `"context": {}, `, ``, "no context"},
		{"no cases", good[strings.Index(good, `[{"name": "n"`) : len(good)-1], `[]`, "no case"},
		{"two cases of one name", `[{"name": "n"`, `[{"name": "n", "flag": "f", "context": {}, "expect": {"value": true, "variant": "on", "reason": "DEFAULT"}}, {"name": "n"`, `the case name "n" is empty or not unique`},
		{"something after it", `"reason": "DEFAULT"}}]}`, `"reason": "DEFAULT"}}]}{}`, "something after"},
	} {
		if !strings.Contains(good, test.old) {
			t.Errorf("%s: the scenario has no %s", test.name, test.old)
		}
		_, err := ParseScenario("s", []byte(strings.Replace(good, test.old, test.new, 1)))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want one with %q", test.name, err, test.want)
		}
	}
	twice := fstest.MapFS{"evaluation/a.json": {Data: []byte(good)}, "evaluation/b.json": {Data: []byte(good)}}
	if _, err := Scenarios(twice); err == nil || !strings.Contains(err.Error(), `the flag "f" is in a too`) {
		t.Errorf("one key in two scenarios gave %v", err)
	}
	if _, err := Scenarios(fstest.MapFS{}); err == nil {
		t.Error("an empty folder gave no error")
	}
}

func TestEqual(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{`1`, `1.0`, true}, {`1e2`, `100`, true}, {`9007199254740993`, `9007199254740992`, false}, {`1`, `"1"`, false},
		{`9007199254740993`, `9007199254740992.0`, false}, {`9007199254740991.0`, `9007199254740991`, true}, {`1e300`, `10e299`, true},
		{`0.5`, `0.50`, true}, {`{"a":1,"b":[1,2]}`, `{"b":[1,2],"a":1}`, true}, {`[1,2]`, `[2,1]`, false},
		{`{"a":null}`, `{"b":null}`, false}, {`{"a":1}`, `{"a":1,"b":1}`, false}, {`null`, `null`, true}, {`null`, `false`, false},
		{`"\u0041"`, `"A"`, true}, {`[]`, `{}`, false}, {`[1]`, `[1,1]`, false}, {``, ``, false},
	} {
		if got := Equal(json.RawMessage(test.a), json.RawMessage(test.b)); got != test.want {
			t.Errorf("Equal(%s, %s) = %v", test.a, test.b, got)
		}
	}
}
