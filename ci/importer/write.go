package importer

import (
	"math"
	"strconv"

	"github.com/serin-flags/serin/ci/internal/compose"
	"github.com/serin-flags/serin/ci/internal/source"
)

// combined returns what stands below "when" for all, any and not.
func (c Condition) combined(lists *lists) *source.Node {
	switch c.Op {
	case opNot:
		return compose.Map().With("not", c.Of[0].node(lists))
	case opAny:
		list := compose.List()
		for _, o := range c.Of {
			list.Items = append(list.Items, o.node(lists))
		}
		return compose.Map().With("any", list)
	}
	merged, list := compose.Map(), compose.List()
	clash := false
	for _, o := range c.Of {
		n := o.node(lists)
		list.Items = append(list.Items, n)
		for _, f := range n.Fields {
			clash = clash || merged.Get(f.Key.Text) != nil
			merged.Fields = append(merged.Fields, f)
		}
	}
	if clash || len(merged.Fields) > 900 {
		return compose.Map().With("all", list)
	}
	return merged
}

// node returns the mapping that stands below "when".
func (c Condition) node(lists *lists) *source.Node {
	switch c.Op {
	case opAll, opAny, opNot:
		return c.combined(lists)
	case opNow:
		return compose.Map().With("now", compose.Map().With(c.Texts[0], source.Text(c.Texts[1])))
	case opFlag:
		return compose.Map().With("flag", compose.Map().With(c.Attribute, oneOrMore(c.Texts)))
	}
	return compose.Map().With(c.Attribute, c.comparison(lists))
}

// oneOrMore returns a text, or a list of texts.
func oneOrMore(texts []string) *source.Node {
	if len(texts) == 1 {
		return source.Text(texts[0])
	}
	return compose.Texts(texts...)
}

func integer(i int64) *source.Node { return compose.Plain(strconv.FormatInt(i, 10)) }

func integers(list []int64) *source.Node {
	n := compose.List()
	for _, i := range list {
		n.Items = append(n.Items, integer(i))
	}
	return n
}

// texts returns the integers that c compares with as texts.
func (c Condition) texts() []string {
	texts := make([]string, len(c.Ints))
	for i, n := range c.Ints {
		texts[i] = strconv.FormatInt(n, 10)
	}
	return texts
}

// opWords are the operators whose operands are one text, or a list of texts.
var opWords = map[op]string{
	opPrefix: "prefix", opSuffix: "suffix", opContains: "contains", opMatches: "matches", opCIDR: "cidr",
	opSegment: "segment", opSemver: "semver", opSemverV: "semver",
}

// boundWords are the operators for bounds of numbers.
var boundWords = map[string]string{"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}

// comparison returns what a flag file has after the name of the attribute.
func (c Condition) comparison(lists *lists) *source.Node {
	m := compose.Map()
	switch c.Op {
	case opIn:
		if name := lists.add(c.Texts, c.Fold); name != "" {
			return m.With("list", source.Text(name))
		}
		if !c.Fold {
			return oneOrMore(c.Texts)
		}
		m.With("in", compose.Texts(c.Texts...))
	case opNumbers:
		list := compose.List()
		for _, n := range c.Texts {
			list.Items = append(list.Items, compose.Plain(n))
		}
		return list
	case opNumber:
		return m.With(boundWords[c.Texts[0]], compose.Plain(c.Texts[1]))
	case opTime:
		return m.With(c.Texts[0], source.Text(c.Texts[1]))
	case opIntegers:
		if name := lists.add(c.texts(), false); name != "" {
			return m.With("list", source.Text(name))
		}
		return integers(c.Ints)
	case opHolds:
		return m.With("any", compose.Texts(c.Texts...))
	case opIs:
		return compose.Plain(c.Texts[0])
	case opIPRange:
		return m.With("from", source.Text(c.Texts[0])).With("to", source.Text(c.Texts[1]))
	case opRange:
		switch {
		case c.Ints[0] == math.MinInt64:
			return m.With("lte", integer(c.Ints[1]))
		case c.Ints[1] == math.MaxInt64:
			return m.With("gte", integer(c.Ints[0]))
		}
		return m.With("from", integer(c.Ints[0])).With("to", integer(c.Ints[1]))
	case opMod:
		return m.With("mod", integer(c.Ints[0])).With("in", integers(c.Ints[1:]))
	case opExists:
		return m.With("exists", compose.Plain(strconv.FormatBool(c.Ints[0] == 1)))
	case opBucket:
		b := compose.Map().With("hash", source.Text(c.Texts[0])).With("salt", source.Text(c.Texts[1]))
		if c.Ints[0] != 0 {
			b.With("positions", integer(c.Ints[0]))
		}
		return m.With("bucket", b.With("from", integer(c.Ints[1])).With("to", integer(c.Ints[2])))
	default:
		m.With(opWords[c.Op], oneOrMore(c.Texts))
	}
	if c.Fold {
		m.With("fold", compose.Plain("true"))
	}
	return m
}
