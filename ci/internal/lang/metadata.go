package lang

import (
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/internal/phrase"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// answerNames are what answers over HTTP tell beside a flag's metadata, in the
// same mapping.
var answerNames = []string{"environment", "missingUnit", "revision", "rule"}

// metadata reads "metadata", which may be nil, sorted by name.
func (c Checker) metadata(n *source.Node) []evaluator.Attr {
	if n == nil {
		return nil
	}
	if n.Kind != source.Mapping {
		c.Errorf(n, "\"metadata\" is a mapping of names to values, not %s", n.Describe())
		return nil
	}
	list := make([]evaluator.Attr, 0, len(n.Fields))
	for _, f := range n.Fields {
		name, ok := c.Name(f.Key, "the name of metadata")
		if !ok {
			continue
		}
		if why := checkMetadataName(name); why != "" {
			c.Errorf(f.Key, "metadata %q: %s", name, why)
		}
		v, ok := c.Within("metadata %q", name).metadataValue(f.Value)
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
	return phrase.CheckName(name)
}

// metadataValue reads text, a number or a boolean.
func (c Checker) metadataValue(n *source.Node) (evaluator.Value, bool) {
	if n.Kind == source.Scalar {
		switch n.Type() {
		case source.TextScalar:
			return evaluator.StringValue(n.Text), true
		case source.BoolScalar:
			return evaluator.BoolValue(n.IsTrue()), true
		case source.IntScalar:
			i, ok := c.Integer(n, "the value")
			return evaluator.IntValue(i), ok
		case source.FloatScalar:
			return c.Number(n, "the value")
		}
	}
	c.Errorf(n, "the value is text, a number, true or false, not %s", n.Describe())
	return evaluator.Value{}, false
}
