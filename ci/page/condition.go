package page

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/serin-flags/serin/evaluator"
)

// condition puts a condition into words, as a part of a sentence. deep means that it is inside another
// condition, so that a combination needs parentheses.
func (p speaker) condition(s *sentence, c *evaluator.Condition, deep bool) {
	switch c.Op {
	case evaluator.OpAll, evaluator.OpAny:
		p.combination(s, c, deep)
	case evaluator.OpNot:
		s.say("not (")
		p.condition(s, &c.Of[0], false)
		s.say(")")
	default:
		p.comparison(s, c)
	}
}

func (p speaker) combination(s *sentence, c *evaluator.Condition, deep bool) {
	word := " and "
	if c.Op == evaluator.OpAny {
		word = " or "
	}
	deep = deep && len(c.Of) > 1
	if deep {
		s.say("(")
	}
	for i := range c.Of {
		if i > 0 {
			s.say("%s", word)
		}
		p.condition(s, &c.Of[i], true)
	}
	switch {
	case len(c.Of) == 0 && c.Op == evaluator.OpAll:
		s.say("always")
	case len(c.Of) == 0:
		s.say("never")
	}
	if deep {
		s.say(")")
	}
}

// comparison puts a condition that isn't a combination into words.
func (p speaker) comparison(s *sentence, c *evaluator.Condition) {
	switch c.Op {
	case evaluator.OpPeriod:
		period(s, c.Ints)
		return
	case evaluator.OpWindow:
		window(s, c)
		return
	case evaluator.OpServes:
		p.serves(s, c)
		return
	}
	s.link(c.Attribute, "usage.html#attribute-"+c.Attribute)
	switch c.Op {
	case evaluator.OpExists:
		s.say(" is present")
	case evaluator.OpInSegment:
		s.say(" is in the segment ")
		s.link(c.Strings[0], "usage.html#segment-"+c.Strings[0])
	case evaluator.OpBetween:
		if p.model != nil && p.model.attributes[c.Attribute] == evaluator.AttrTime {
			s.say(" is %s", c.Asked(evaluator.AttrTime))
			return
		}
		between(s, c.Ints[0], c.Ints[1])
	case evaluator.OpModulo:
		s.say(" mod %d is ", c.Ints[0])
		values(s, decimals(c.Ints[1:]), " or ")
	case evaluator.OpCIDR:
		s.say(" is in the network ")
		values(s, c.Strings, " or ")
	case evaluator.OpIPBetween:
		s.say(" is from ")
		s.code(c.Strings[0])
		s.say(" to ")
		s.code(c.Strings[1])
	case evaluator.OpSemver, evaluator.OpNumber:
		s.say(" satisfies ")
		s.code(c.Strings[0])
	case evaluator.OpBucket:
		s.say(" has a position from %d to %d of %d by the hash ", c.Ints[1], c.Ints[2]-1, c.Ints[0])
		s.code(c.Strings[0])
		s.say(" with the salt ")
		s.code(strconv.Quote(c.Strings[1]))
	default:
		p.texts(s, c)
	}
	if c.Fold {
		s.say(" (ignoring case)")
	}
}

// texts puts a comparison with a list of values into words.
func (p speaker) texts(s *sentence, c *evaluator.Condition) {
	verb := map[evaluator.Op]string{
		evaluator.OpOneOf: "is", evaluator.OpPrefix: "starts with", evaluator.OpSuffix: "ends with",
		evaluator.OpContains: "contains", evaluator.OpMatches: "matches", evaluator.OpAnyOf: "holds",
		evaluator.OpAllOf: "holds",
	}[c.Op]
	if verb == "" {
		s.say(" %v", c.Op)
		return
	}
	s.say(" %s ", verb)
	list := texts(c, p.model.attributes[c.Attribute])
	switch {
	case c.List != nil:
		s.say("on a list of IDs")
	case p.model.hides(c.Attribute, list):
		s.say("%s", counted(len(list), "%d ID", "one of %d IDs"))
	case c.Op == evaluator.OpAllOf:
		values(s, list, " and ")
	default:
		values(s, list, " or ")
	}
}

// hides reports whether values of an attribute are IDs, which aren't shown. Published flags don't
// say which attributes are compared with list files: of these, values with digits are IDs.
func (m *Model) hides(attribute string, list []string) bool {
	idLike := func(v string) bool {
		return strings.Contains(v, "@") || m.source.Estate == nil && strings.ContainsAny(v, "0123456789")
	}
	return m.units[attribute] || slices.ContainsFunc(list, idLike)
}

// texts returns the values of a comparison as people write them.
func texts(c *evaluator.Condition, t evaluator.AttributeType) []string {
	if len(c.Strings) > 0 {
		list := make([]string, len(c.Strings))
		for i, text := range c.Strings {
			list[i] = strconv.Quote(text)
			if strconv.CanBackquote(text) {
				list[i] = `"` + text + `"`
			}
		}
		return list
	}
	if t == evaluator.AttrBoolean {
		list := make([]string, len(c.Ints))
		for i, n := range c.Ints {
			list[i] = strconv.FormatBool(n != 0)
		}
		return list
	}
	return decimals(c.Ints)
}

func between(s *sentence, from, to int64) {
	switch {
	case from == math.MinInt64:
		s.say(" is at most %d", to)
	case to == math.MaxInt64:
		s.say(" is at least %d", from)
	default:
		s.say(" is from %d to %d", from, to)
	}
}

// farthest is a time beyond which a period has no end.
const farthest = 1 << 33

func period(s *sentence, ints []int64) {
	switch from, to := ints[0], ints[1]; {
	case from <= 0 && to >= farthest:
		s.say("it is any time")
	case from <= 0:
		s.say("it is before %s", clock(to))
	case to >= farthest:
		s.say("it is %s or later", clock(from))
	default:
		s.say("it is from %s until %s", clock(from), clock(to))
	}
}

func clock(unix int64) string { return time.Unix(unix, 0).UTC().Format("2006-01-02 15:04 UTC") }

func window(s *sentence, c *evaluator.Condition) {
	var days []string
	for d := range 7 {
		if c.Ints[0]&(1<<d) != 0 {
			days = append(days, time.Weekday(d).String()[:3])
		}
	}
	s.say("it is ")
	if len(days) < 7 {
		s.say("%s, ", strings.Join(days, ", "))
	}
	s.say("from %s to %s in ", ofDay(c.Ints[1]), ofDay(c.Ints[2]))
	s.code(c.Strings[0])
}

func ofDay(seconds int64) string { return fmt.Sprintf("%02d:%02d", seconds/3600, seconds%3600/60) }

// serves puts a condition on another flag into words. Only viewers who may see that flag learn its name.
func (p speaker) serves(s *sentence, c *evaluator.Condition) {
	key := c.Strings[0]
	if !p.sees(key) {
		s.say("a flag that you may not see serves what this rule needs")
		return
	}
	s.say("the flag ")
	s.link(key, "flag/"+key+".html")
	s.say(" serves ")
	var list []string
	list = append(list, c.Strings[1:]...)
	values(s, list, " or ")
}
