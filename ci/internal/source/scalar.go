package source

import (
	"math"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/internal/problem"
)

// A scalarType is what a scalar is by the core schema of YAML 1.2. The parser's
// own opinion isn't asked: it takes 007 for octal and 1_000 for a number.
type ScalarType uint8

const (
	TextScalar  ScalarType = iota // anything else, or in quotes
	NullScalar                    // null or ~
	BoolScalar                    // true or false
	IntScalar                     // an integer of any size
	FloatScalar                   // another number
)

// scalarType returns the type of a scalar.
func (n *Node) Type() ScalarType {
	if !n.Plain {
		return TextScalar
	}
	switch n.Text {
	case "", "~", "null", "Null", "NULL":
		return NullScalar
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return BoolScalar
	case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", ".nan", ".NaN", ".NAN":
		return FloatScalar
	}
	switch {
	case isInt(n.Text):
		return IntScalar
	case isFloat(n.Text):
		return FloatScalar
	}
	return TextScalar
}

// IsTrue reports whether a boolean scalar is true.
func (n *Node) IsTrue() bool { return n.Text[0] == 't' || n.Text[0] == 'T' }

// isInt reports whether s has the form [-+]?[0-9]+, 0o[0-7]+ or
// 0x[0-9a-fA-F]+.
func isInt(s string) bool {
	switch {
	case strings.HasPrefix(s, "0o"):
		return len(s) > 2 && strings.Trim(s[2:], "01234567") == ""
	case strings.HasPrefix(s, "0x"):
		return len(s) > 2 && strings.Trim(s[2:], "0123456789abcdefABCDEF") == ""
	}
	digits := trimSign(s)
	return digits != "" && trimDigits(digits) == ""
}

// isFloat reports whether s has the form
// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?.
func isFloat(s string) bool {
	s = trimSign(s)
	whole := trimDigits(s)
	digits := len(s) - len(whole)
	if fraction, ok := strings.CutPrefix(whole, "."); ok {
		whole = trimDigits(fraction)
		digits += len(fraction) - len(whole)
	}
	if digits == 0 {
		return false
	}
	if whole == "" {
		return true
	}
	if whole[0] != 'e' && whole[0] != 'E' {
		return false
	}
	exponent := trimSign(whole[1:])
	return exponent != "" && trimDigits(exponent) == ""
}

func trimSign(s string) string {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		return s[1:]
	}
	return s
}

func trimDigits(s string) string { return strings.TrimLeft(s, "0123456789") }

// Int returns the integer that a scalar is. An error means that it doesn't fit 64 bits.
func (n *Node) Int() (int64, error) { return parseInt(n.Text) }

// Float returns the number that a scalar is. ok is false if it is not a finite number of 64 bits.
func (n *Node) Float() (f float64, ok bool) { return parseFloat(n.Text) }

// parseInt parses what isInt accepts; an error means that it doesn't fit.
func parseInt(s string) (int64, error) {
	switch {
	case strings.HasPrefix(s, "0o"):
		return strconv.ParseInt(s[2:], 8, 64)
	case strings.HasPrefix(s, "0x"):
		return strconv.ParseInt(s[2:], 16, 64)
	}
	return strconv.ParseInt(s, 10, 64)
}

// parseFloat parses what isFloat or isInt accepts. ok is false if it is not a
// finite number of 64 bits.
func parseFloat(s string) (f float64, ok bool) {
	if strings.HasPrefix(s, "0o") || strings.HasPrefix(s, "0x") {
		i, err := parseInt(s)
		return float64(i), err == nil
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
}

// Describe returns a few words for n, such as "a list" or "the number 3".
func (n *Node) Describe() string {
	switch n.Kind {
	case Sequence:
		return "a list"
	case Mapping:
		return "a mapping"
	}
	switch n.Type() {
	case NullScalar:
		return "null"
	case IntScalar, FloatScalar:
		return "the number " + problem.Shorten(n.Text)
	case BoolScalar:
		return n.Text
	}
	return strconv.Quote(problem.Shorten(n.Text))
}
