package diff

import (
	"encoding/binary"
	"math"
	"net/netip"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// A leaf is a comparison, and values for which it holds and doesn't: as the
// evaluator itself says.
type leaf struct{ yes, no []evaluator.Value }

// mostTried bounds the texts of a comparison that values are made of. A list of a
// million is met by any of them.
const mostTried = 32

// leaf returns the leaf of a comparison, nil if there is none to be had.
func (g *gatherer) leaf(x *index, c *evaluator.Condition) *leaf {
	typ, ok := x.attributes[c.Attribute]
	if !ok || c.Op == evaluator.OpInSegment {
		return nil
	}
	key := leafKey(typ, c)
	l, ok := g.known[key]
	if !ok {
		l = newLeaf(typ, c)
		g.known[key] = l
	}
	g.leaves[c] = l
	return l
}

// leafKey returns what is equal for equal comparisons, of which a list is long
// enough to be told by where it is.
func leafKey(typ evaluator.AttributeType, c *evaluator.Condition) string {
	var b strings.Builder
	write := func(n int64) { b.Write(binary.AppendVarint(nil, n)) }
	write(int64(typ))
	write(int64(c.Op))
	if c.Fold {
		write(1)
	}
	b.WriteString(c.Attribute)
	write(int64(len(c.Ints)))
	for _, n := range some(c.Ints) {
		write(n)
	}
	write(int64(len(c.Strings)))
	for _, s := range some(c.Strings) {
		write(int64(len(s)))
		b.WriteString(s)
	}
	return b.String()
}

// some returns mostTried of a list, from all over it.
func some[T any](list []T) []T {
	if len(list) <= mostTried {
		return list
	}
	picked := make([]T, mostTried)
	for i := range picked {
		picked[i] = list[i*len(list)/mostTried]
	}
	return picked
}

func newLeaf(typ evaluator.AttributeType, c *evaluator.Condition) *leaf {
	test := *c
	test.Strings = some(c.Strings)
	if c.Op == evaluator.OpOneOf {
		test.Ints = some(c.Ints)
	}
	l := new(leaf)
	const name, unit, no, yes = "f", "targetingKey", "no", "yes" // which no attribute is called
	program, err := evaluator.Compile(evaluator.Ruleset{
		Unit: unit,
		Attributes: []evaluator.Attribute{
			{Name: unit, Type: evaluator.AttrString}, {Name: c.Attribute, Type: typ},
		},
		Flags: []evaluator.Flag{{
			Key: name, Type: evaluator.TypeBoolean,
			Variants: []evaluator.Variant{{Name: no, Value: evaluator.BoolValue(false)}, {Name: yes, Value: evaluator.BoolValue(true)}},
			Rules:    []evaluator.Rule{{Name: "r", When: &test, Variant: 1}},
		}},
	})
	if err != nil {
		return l
	}
	f := program.Flag(name)
	for _, value := range candidates(typ, &test) {
		ctx := evaluator.Context{Attrs: []evaluator.Attr{{Name: c.Attribute, Value: value}}}
		if f.Evaluate(&ctx).Variant() == yes {
			l.yes = append(l.yes, value)
		} else {
			l.no = append(l.no, value)
		}
	}
	return l
}

// candidates returns values of a type that a comparison could hold for, and some
// that it hardly does.
func candidates(typ evaluator.AttributeType, c *evaluator.Condition) []evaluator.Value {
	var texts []string
	switch typ {
	case evaluator.AttrInteger:
		var list []evaluator.Value
		for _, n := range integers(c) {
			list = append(list, evaluator.IntValue(n))
		}
		return list
	case evaluator.AttrBoolean:
		return []evaluator.Value{evaluator.BoolValue(true), evaluator.BoolValue(false)}
	case evaluator.AttrList:
		list := []evaluator.Value{evaluator.ListValue(c.Strings...), evaluator.ListValue(), evaluator.ListValue("another")}
		for _, s := range c.Strings[:min(len(c.Strings), 8)] {
			list = append(list, evaluator.ListValue(s), evaluator.ListValue("another", s))
		}
		return list
	case evaluator.AttrSemver:
		texts = versions(c.Strings)
	case evaluator.AttrIP:
		texts = addresses(c)
	default:
		texts = textsFor(c)
	}
	list := make([]evaluator.Value, len(texts))
	for i, text := range texts {
		list[i] = evaluator.StringValue(text)
	}
	return list
}

// integers returns the numbers of a comparison and those beside them.
func integers(c *evaluator.Condition) []int64 {
	list := []int64{0, 1, -1, math.MaxInt64}
	for _, n := range c.Ints {
		list = append(list, n)
		if n > math.MinInt64 {
			list = append(list, n-1)
		}
		if n < math.MaxInt64 {
			list = append(list, n+1)
		}
	}
	switch {
	case c.Op == evaluator.OpModulo && len(c.Ints) > 0 && c.Ints[0] > 0:
		for _, r := range c.Ints[1:] {
			for k := range int64(8) {
				if divisor := c.Ints[0]; k*divisor/divisor == k && k*divisor+r >= 0 {
					list = append(list, k*divisor+r)
				}
			}
		}
	case c.Op == evaluator.OpBetween && len(c.Ints) == 2 && c.Ints[0] < c.Ints[1]:
		list = append(list, c.Ints[0]/2+c.Ints[1]/2)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// versions returns the versions that constraints name, and those around them.
func versions(constraints []string) []string {
	list := []string{"0.0.1", "999.0.0"}
	for _, text := range constraints {
		for _, word := range strings.Fields(text) {
			word = strings.TrimLeft(word, "<>=")
			list = append(list, word)
			core, _, _ := strings.Cut(word, "-")
			core, _, _ = strings.Cut(core, "+")
			numbers := strings.Split(core, ".")
			for len(numbers) < 3 {
				numbers = append(numbers, "0")
			}
			for i, n := range numbers[:3] {
				value, err := strconv.ParseUint(n, 10, 32)
				if err != nil {
					continue
				}
				near := slices.Clone(numbers[:3])
				near[i] = strconv.FormatUint(value+1, 10)
				list = append(list, strings.Join(near, "."))
				if value > 0 {
					near[i] = strconv.FormatUint(value-1, 10)
					list = append(list, strings.Join(near, "."))
				}
			}
		}
	}
	return list
}

// addresses returns the addresses of a comparison, those at the ends of networks,
// and those beside them.
func addresses(c *evaluator.Condition) []string {
	list := []string{"192.0.2.1", "2001:db8::1"} // of documentation
	add := func(a netip.Addr) {
		for _, a := range []netip.Addr{a, a.Prev(), a.Next()} {
			if a.IsValid() {
				list = append(list, a.String())
			}
		}
	}
	for _, text := range c.Strings {
		if a, err := netip.ParseAddr(text); err == nil {
			add(a)
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			continue
		}
		add(p.Addr())
		last := p.Addr().AsSlice()
		for bit := p.Bits(); bit < len(last)*8; bit++ {
			last[bit/8] |= 0x80 >> (bit % 8)
		}
		if a, ok := netip.AddrFromSlice(last); ok {
			add(a)
		}
	}
	return list
}

// textsFor returns texts that a comparison could hold for.
func textsFor(c *evaluator.Condition) []string {
	list := []string{"another"}
	for _, s := range c.Strings {
		switch c.Op {
		case evaluator.OpPrefix:
			list = append(list, s, s+"-1", "x"+s)
		case evaluator.OpSuffix:
			list = append(list, s, "1-"+s, s+"x")
		case evaluator.OpContains:
			list = append(list, s, "1-"+s+"-1")
		case evaluator.OpMatches:
			if re, err := syntax.Parse(s, syntax.Perl); err == nil {
				list = append(list, example(re.Simplify(), 0))
			}
		default:
			list = append(list, s)
		}
	}
	return list
}

// maxExample bounds the text that is made for a regular expression.
const maxExample = 200

// example returns a text that a regular expression is likely to match.
func example(re *syntax.Regexp, depth int) string {
	if depth > 100 {
		return ""
	}
	var b strings.Builder
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		if len(re.Rune) > 0 {
			b.WriteRune(re.Rune[0])
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('a')
	case syntax.OpCapture, syntax.OpPlus:
		b.WriteString(example(re.Sub[0], depth+1))
	case syntax.OpRepeat:
		for range min(re.Min, maxExample) {
			b.WriteString(example(re.Sub[0], depth+1))
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if b.Len() > maxExample {
				break
			}
			b.WriteString(example(sub, depth+1))
		}
	case syntax.OpAlternate:
		b.WriteString(example(re.Sub[0], depth+1))
	}
	return b.String()
}

// addrText returns an IPv4 address.
func addrText(n uint32) string {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n))).String()
}
