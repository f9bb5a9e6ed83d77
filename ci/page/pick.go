package page

import (
	"encoding/json"
	"strings"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/display"
)

// A pick is a context that the form of Why offers.
type pick struct {
	Name, Environment string
	Context           string // JSON
}

// maxPicks is how many contexts of tests are offered.
const maxPicks = 50

// blanks are values of attributes that are there to be replaced.
var blanks = map[evaluator.AttributeType]string{
	evaluator.AttrBoolean: "true", evaluator.AttrInteger: "0", evaluator.AttrNumber: "0.5", evaluator.AttrList: `[""]`,
	evaluator.AttrSemver: `"1.0.0"`, evaluator.AttrIP: `"192.0.2.1"`, evaluator.AttrTime: `"2026-12-01T09:00:00Z"`,
}

// blankPick returns a context with each of the attributes that a flag reads.
func (v *view) blankPick(attributes []string) pick {
	members := []string{`"targetingKey": "u-1"`}
	for _, name := range attributes {
		value, ok := blanks[v.attributes[name]]
		if !ok {
			value = `""`
		}
		if name != v.source.Environments[0].unit() {
			members = append(members, jsonText(name)+": "+value)
		}
	}
	return pick{Name: "every attribute that it reads", Context: "{" + strings.Join(members, ", ") + "}"}
}

// testPicks returns the contexts of a flag's tests, which may have IDs in them.
func (v *view) testPicks(key string) []pick {
	var list []pick
	if v.source.Estate == nil {
		return nil
	}
	for _, s := range v.source.Estate.TestSamples() {
		if s.Flag != key || len(list) == maxPicks {
			continue
		}
		members := make([]string, len(s.Attrs))
		for i, a := range s.Attrs {
			members[i] = jsonText(a.Name) + ": " + string(a.Value.JSON())
		}
		list = append(list, pick{"test “" + display.Line(s.Name) + "”", s.Environment,
			"{" + strings.Join(members, ", ") + "}"})
	}
	return list
}

func jsonText(text string) string {
	data, _ := json.Marshal(text) // a string can always be written
	return string(data)
}
