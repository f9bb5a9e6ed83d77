package importer

import (
	"fmt"
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

// numeric matches texts that are decimal numbers.
const numeric = `^[+-]?[0-9]+(\.[0-9]*)?$`

// NumberEqual, NumberAbove and the others hold if the attribute is a text with a decimal
// number that compares so with n. Numbers in another notation, such as 1e3, are none.
func NumberEqual(attribute string, n Number) Condition {
	sign := `\+?`
	switch {
	case n.integer == "" && n.fraction == "":
		sign = `[+-]?`
	case n.negative:
		sign = "-"
	}
	return Matches(attribute, false, "^"+sign+n.same()+"$")
}

// NumberAbove holds if the number is greater than n.
func NumberAbove(attribute string, n Number) Condition {
	if !n.negative {
		return Matches(attribute, false, `^\+?`+n.more()+"$")
	}
	return All(Matches(attribute, false, numeric), Not(Any(NumberEqual(attribute, n), Matches(attribute, false, "^-"+n.more()+"$"))))
}

// NumberAtLeast holds if the number is n or greater.
func NumberAtLeast(attribute string, n Number) Condition {
	if !n.negative {
		return Any(NumberEqual(attribute, n), NumberAbove(attribute, n))
	}
	return All(Matches(attribute, false, numeric), Not(Matches(attribute, false, "^-"+n.more()+"$")))
}

// NumberBelow holds if the number is less than n.
func NumberBelow(attribute string, n Number) Condition {
	return All(Matches(attribute, false, numeric), Not(NumberAtLeast(attribute, n)))
}

// NumberAtMost holds if the number is n or less.
func NumberAtMost(attribute string, n Number) Condition {
	return All(Matches(attribute, false, numeric), Not(NumberAbove(attribute, n)))
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
			list = append(list, fmt.Sprintf(`%s[%c-9][0-9]{%d}(\.[0-9]*)?`, integer[:i], integer[i]+1, len(integer)-i-1))
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
