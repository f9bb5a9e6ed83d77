package evaluator

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Limits of decimal numbers, which bound what a comparison costs.
const (
	maxNumber   = 100 // bytes of the text
	maxExponent = 3   // digits of the exponent
)

// A decimal is a decimal number: 0.d₁d₂d₃… · 10^exp. It has neither leading nor trailing
// zeros; zero has no digits and is positive.
type decimal struct {
	negative bool
	digits   []byte
	exp      int
}

// parseDecimal parses a number as JSON writes them, into room. It is not ok if the text is
// anything else or beyond the limits.
func parseDecimal(room *[maxNumber]byte, s string) (d decimal, ok bool) {
	if len(s) > maxNumber {
		return decimal{}, false
	}
	s, d.negative = strings.CutPrefix(s, "-")
	whole, s := cutDigits(s)
	if whole == "" || len(whole) > 1 && whole[0] == '0' {
		return decimal{}, false
	}
	fraction := ""
	if s != "" && s[0] == '.' {
		if fraction, s = cutDigits(s[1:]); fraction == "" {
			return decimal{}, false
		}
	}
	exp, ok := parseExponent(s)
	if !ok {
		return decimal{}, false
	}
	digits := append(append(room[:0], whole...), fraction...)
	d.exp = len(whole) + exp
	for len(digits) > 0 && digits[0] == '0' {
		digits = digits[1:]
		d.exp--
	}
	for len(digits) > 0 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	if len(digits) == 0 {
		return decimal{}, true
	}
	d.digits = digits
	return d, true
}

// cutDigits splits s after the digits that it begins with.
func cutDigits(s string) (digits, rest string) {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

// parseExponent parses an exponent such as e-7, or nothing.
func parseExponent(s string) (exp int, ok bool) {
	if s == "" {
		return 0, true
	}
	if s[0]|0x20 != 'e' {
		return 0, false
	}
	s = s[1:]
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	if len(s) == 0 || len(s) > maxExponent || !isNumeric(s) {
		return 0, false
	}
	for i := range len(s) {
		exp = exp*10 + int(s[i]-'0')
	}
	if negative {
		exp = -exp
	}
	return exp, true
}

// compare orders decimals by their value.
func (d decimal) compare(e decimal) int {
	if d.negative != e.negative {
		if d.negative {
			return -1
		}
		return 1
	}
	c := 0
	switch {
	case len(d.digits) == 0 || len(e.digits) == 0: // zero
		c = min(len(d.digits), 1) - min(len(e.digits), 1)
	case d.exp != e.exp:
		c = 1
		if d.exp < e.exp {
			c = -1
		}
	default:
		c = bytes.Compare(d.digits, e.digits)
	}
	if d.negative {
		return -c
	}
	return c
}

// decimalOf returns the decimal that v holds, and whether it holds one. A float is the
// shortest decimal that is rounded to it, unless v came as a text of which more is known.
func decimalOf(room *[maxNumber]byte, v Value) (decimal, bool) {
	if (v.kind == KindInt || v.kind == KindFloat) && v.str != "" {
		return parseDecimal(room, v.str)
	}
	switch v.kind {
	case KindString:
		return parseDecimal(room, v.str)
	case KindInt:
		var buf [20]byte
		return parseDecimal(room, view(strconv.AppendInt(buf[:0], int64(v.num), 10)))
	case KindFloat:
		f := math.Float64frombits(v.num)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return decimal{}, false
		}
		var buf [32]byte
		return parseDecimal(room, view(strconv.AppendFloat(buf[:0], f, 'e', -1, 64)))
	}
	return decimal{}, false
}

// ParseNumber returns the value that a number in JSON has in contexts: an integer if it
// has no fraction and is exact, or else a float. Both remember a text that says more than
// they do, of up to 100 bytes and with an exponent of up to three digits: attributes of
// type AttrNumber are compared by it. It returns an error if text isn't such a number, or
// beyond what a float can be.
func ParseNumber(text string) (Value, error) {
	whole, rest := cutDigits(strings.TrimPrefix(text, "-"))
	valid := whole != "" && (len(whole) == 1 || whole[0] != '0')
	for _, c := range []byte(rest) { // strconv knows the order of these, but also NaN and others
		valid = valid && (isDigit(c) || strings.IndexByte(".eE+-", c) >= 0)
	}
	if !valid || strings.HasSuffix(rest, ".") || strings.Contains(rest, ".e") || strings.Contains(rest, ".E") {
		return Value{}, errors.New("a number is malformed")
	}
	return parseNumber(text)
}

// parseNumber is ParseNumber for text that is a number in JSON.
func parseNumber(text string) (Value, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return IntValue(n), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return Value{}, errors.New("a number is out of range")
	}
	v := FloatValue(f)
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		v = IntValue(int64(f))
	}
	const exact = 15 // digits that a float never loses
	if len(text) > exact || strings.ContainsAny(text, "eE") {
		var a, b [maxNumber]byte
		said, ok := parseDecimal(&a, text)
		if kept, _ := decimalOf(&b, v); ok && said.compare(kept) != 0 {
			v.str = strings.Clone(text)
		}
	}
	return v, nil
}

// numberSet holds for numbers that are equal to one of a list.
type numberSet struct {
	list  []decimal
	texts []string
}

// has compares decimals exactly: 0.1 + 0.2 as a float isn't 0.3, and 1.0 equals 1.
func (t numberSet) has(v Value) bool {
	var room [maxNumber]byte
	d, ok := decimalOf(&room, v)
	return ok && slices.ContainsFunc(t.list, func(want decimal) bool { return d.compare(want) == 0 })
}

func (t numberSet) String() string { return "one of " + listPlain(t.texts) }

// newNumberSet compiles a list of decimal numbers.
func newNumberSet(texts []string) (numberSet, error) {
	t := numberSet{texts: texts}
	for _, text := range texts {
		d, ok := parseDecimal(new([maxNumber]byte), text)
		if !ok {
			return numberSet{}, fmt.Errorf("%q is not a decimal number such as 12.50", text)
		}
		t.list = append(t.list, d)
	}
	return t, nil
}

// A numberBound is one comparison with a number.
type numberBound struct {
	op    string // one of "<", "<=", ">", ">="
	bound decimal
}

// numberRange holds for numbers that satisfy all bounds.
type numberRange struct {
	text   string
	bounds []numberBound
}

// number checks and compiles an OpNumber.
func (c *Condition) number(AttributeType) (test, error) {
	if len(c.Strings) != 1 || c.Strings[0] == "" || len(c.Ints) > 0 {
		return nil, fmt.Errorf("%q takes comparisons such as \">=0.5 <2\"", c.Op)
	}
	t := numberRange{text: c.Strings[0]}
	for field := range strings.SplitSeq(t.text, " ") {
		number := strings.TrimLeft(field, "<>=")
		op := field[:len(field)-len(number)]
		d, ok := parseDecimal(new([maxNumber]byte), number)
		if !ok || !slices.Contains([]string{"<", "<=", ">", ">="}, op) {
			return nil, fmt.Errorf("%q is not a comparison of numbers such as \">=0.5\"", field)
		}
		t.bounds = append(t.bounds, numberBound{op, d})
	}
	return t, nil
}

// has reports whether the number that v holds satisfies all bounds.
func (t numberRange) has(v Value) bool {
	var room [maxNumber]byte
	d, ok := decimalOf(&room, v)
	if !ok {
		return false
	}
	for _, b := range t.bounds {
		c := d.compare(b.bound)
		if b.op[0] == '<' && c > 0 || b.op[0] == '>' && c < 0 || len(b.op) == 1 && c == 0 {
			return false
		}
	}
	return true
}

func (t numberRange) String() string { return "number " + strconv.Quote(t.text) }
