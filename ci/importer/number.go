package importer

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Number is a decimal number as a source writes it, which conditions on text compare with.
type Number struct {
	negative          bool
	integer, fraction string // without leading and trailing zeros
}

// ParseNumber parses a decimal number without an exponent, such as -12.50.
func ParseNumber(text string) (n Number, ok bool) {
	text, n.negative = strings.CutPrefix(text, "-")
	if !n.negative {
		text = strings.TrimPrefix(text, "+")
	}
	integer, fraction, point := strings.Cut(text, ".")
	if integer == "" || point && fraction == "" || !digits(integer) || !digits(fraction) || len(text) > 30 {
		return n, false
	}
	n.integer, n.fraction = strings.TrimLeft(integer, "0"), strings.TrimRight(fraction, "0")
	if n.integer == "" && n.fraction == "" {
		n.negative = false
	}
	return n, true
}

func digits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

// String returns the number as JSON writes it.
func (n Number) String() string {
	text := cmp.Or(n.integer, "0")
	if n.fraction != "" {
		text += "." + n.fraction
	}
	if n.negative {
		text = "-" + text
	}
	return text
}

// IsInteger reports whether the number has no fraction.
func (n Number) IsInteger() bool { return n.fraction == "" }

// CompareText holds if the attribute is a number that compares with n as op says, or a text with
// such a number: "=", "<", "<=", ">" or ">=". For attributes that other conditions compare as text,
// it becomes a regular expression, for which numbers in another notation, such as 1e3, are none.
func CompareText(attribute, op string, n Number) Condition {
	return Condition{Op: opNumberText, Attribute: attribute, Texts: []string{op, n.String()}}
}

// matching returns a comparison with a number as one with text.
func (c Condition) matching() Condition {
	n, _ := ParseNumber(c.Texts[1])
	switch c.Texts[0] {
	case "=":
		return textEqual(c.Attribute, n)
	case ">":
		return textAbove(c.Attribute, n)
	case ">=":
		return textAtLeast(c.Attribute, n)
	case "<":
		return All(Matches(c.Attribute, false, numeric), Not(textAtLeast(c.Attribute, n)))
	}
	return All(Matches(c.Attribute, false, numeric), Not(textAbove(c.Attribute, n)))
}

// between returns a comparison with a number as a range of integers.
func (c Condition) between() Condition {
	n, _ := ParseNumber(c.Texts[1])
	floor, ceil := n.around()
	first, last := int64(math.MinInt64), int64(math.MaxInt64)
	switch c.Texts[0] {
	case "<":
		last = ceil - 1
	case "<=":
		last = floor
	case ">":
		first = floor + 1
	case ">=":
		first = ceil
	default:
		return c.integers(c.Texts[1:])
	}
	return Range(c.Attribute, first, last)
}

// around returns the integers next to the number. Those near the end of 64 bits stand for what
// is beyond them.
func (n Number) around() (floor, ceil int64) {
	whole, _, _ := strings.Cut(n.String(), ".")
	i, _ := strconv.ParseInt(whole, 10, 64)
	i = min(max(i, math.MinInt64+2), math.MaxInt64-2)
	switch {
	case n.fraction == "":
		return i, i
	case n.negative:
		return i - 1, i
	}
	return i, i + 1
}

// integers returns the comparison with those of the numbers that are integers.
func (c Condition) integers(numbers []string) Condition {
	var ints []int64
	for _, text := range numbers {
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			ints = append(ints, i)
		}
	}
	return Integers(c.Attribute, ints...)
}

// numeric matches texts that are decimal numbers.
const numeric = `^[+-]?[0-9]+(\.[0-9]*)?$`

func textEqual(attribute string, n Number) Condition {
	sign := `\+?`
	switch {
	case n.integer == "" && n.fraction == "":
		sign = `[+-]?`
	case n.negative:
		sign = "-"
	}
	return Matches(attribute, false, "^"+sign+n.same()+"$")
}

func textAbove(attribute string, n Number) Condition {
	if !n.negative {
		return Matches(attribute, false, `^\+?`+n.more()+"$")
	}
	return All(Matches(attribute, false, numeric),
		Not(Any(textEqual(attribute, n), Matches(attribute, false, "^-"+n.more()+"$"))))
}

func textAtLeast(attribute string, n Number) Condition {
	if !n.negative {
		return Any(textEqual(attribute, n), textAbove(attribute, n))
	}
	return All(Matches(attribute, false, numeric), Not(Matches(attribute, false, "^-"+n.more()+"$")))
}

// same is an expression for the number without its sign.
func (n Number) same() string {
	integer := "0*" + n.integer
	if n.integer == "" {
		integer = "0+"
	}
	if n.fraction == "" {
		return integer + `(\.0*)?`
	}
	return integer + `\.` + n.fraction + "0*"
}

// more is an expression for the numbers without a sign that are greater.
func (n Number) more() string {
	var list []string
	integer := n.integer
	for i := range integer { // a greater digit, and as many others
		if integer[i] < '9' {
			list = append(list, fmt.Sprintf(`%s[%c-9][0-9]{%d}(\.[0-9]*)?`, integer[:i], integer[i]+1,
				len(integer)-i-1))
		}
	}
	list = append(list, fmt.Sprintf(`[1-9][0-9]{%d,}(\.[0-9]*)?`, len(integer))) // more digits
	fraction := n.fraction
	for i := range fraction {
		if fraction[i] < '9' {
			list = append(list, fmt.Sprintf(`%s\.%s[%c-9][0-9]*`, integer, fraction[:i], fraction[i]+1))
		}
	}
	list = append(list, fmt.Sprintf(`%s\.%s[0-9]*[1-9][0-9]*`, integer, fraction)) // more digits behind the point
	if integer != "" {
		return "0*(" + strings.Join(list, "|") + ")"
	}
	return "(0*(" + strings.Join(list[:1], "") + ")|0+(" + strings.Join(list[1:], "|") + "))"
}
