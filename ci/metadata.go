package ci

import (
	"slices"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// answerNames are what answers over HTTP tell beside a flag's metadata, in the
// same mapping.
var answerNames = []string{"environment", "missingUnit", "revision", "rule"}

// metadata reads "metadata", which may be nil, sorted by name.
func (c checker) metadata(n *node) []evaluator.Attr {
	if n == nil {
		return nil
	}
	if n.kind != mapping {
		c.errorf(n, "\"metadata\" is a mapping of names to values, not %s", n.describe())
		return nil
	}
	list := make([]evaluator.Attr, 0, len(n.fields))
	for _, f := range n.fields {
		name, ok := c.name(f.key, "the name of metadata")
		if !ok {
			continue
		}
		if why := checkMetadataName(name); why != "" {
			c.errorf(f.key, "metadata %q: %s", name, why)
		}
		v, ok := c.within("metadata %q", name).metadataValue(f.value)
		if ok {
			list = append(list, evaluator.Attr{Name: name, Value: v})
		}
	}
	if len(list) == 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b evaluator.Attr) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// checkMetadataName returns what is wrong with a name in metadata, or "".
func checkMetadataName(name string) string {
	if slices.Contains(answerNames, name) {
		return "answers tell something of their own by that name; choose another"
	}
	return checkName(name)
}

// metadataValue reads text, a number or a boolean.
func (c checker) metadataValue(n *node) (evaluator.Value, bool) {
	if n.kind == scalar {
		switch n.scalarType() {
		case textScalar:
			return evaluator.StringValue(n.text), true
		case boolScalar:
			return evaluator.BoolValue(n.isTrue()), true
		case intScalar:
			i, ok := c.integer(n, "the value")
			return evaluator.IntValue(i), ok
		case floatScalar:
			return c.number(n, "the value")
		}
	}
	c.errorf(n, "the value is text, a number, true or false, not %s", n.describe())
	return evaluator.Value{}, false
}
