package gofeatureflag

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/importer"
)

// A value is what a query compares an attribute with.
type value struct {
	kind  string // boolean, null, version, text, decimal, integer, texts or integers
	text  string
	texts []string
	ints  []int64
}

// The forms of values. What follows one is a space, a parenthesis, or the end.
var forms = []struct {
	kind       string
	expression *regexp.Regexp
}{
	{"boolean", regexp.MustCompile(`^(true|false)\b`)},
	{"null", regexp.MustCompile(`^null\b`)},
	{"version", regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?`)},
	{"text", regexp.MustCompile(`^` + textForm)},
	{"decimal", regexp.MustCompile(`^-?(0|[1-9]\d*)\.\d+`)},
	{"integer", regexp.MustCompile(`^-?(0|[1-9]\d*)`)},
	{"texts", regexp.MustCompile(`^\[` + textForm + `(, *` + textForm + `)*\]`)},
	{"integers", regexp.MustCompile(`^\[(0|[1-9]\d*)(, *(0|[1-9]\d*))*\]`)},
}

// textForm is a text. What is escaped in it stays escaped.
const textForm = `"(\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}|[^"\\])*"`

var (
	oneText = regexp.MustCompile(textForm)
	oneInt  = regexp.MustCompile(`\d+`)
)

func (p *parser) value() (value, error) {
	for _, form := range forms {
		start := p.pos
		text, ok := p.eat(form.expression)
		if !ok {
			continue
		}
		if p.pos < len(p.text) && p.text[p.pos] != ' ' && p.text[p.pos] != ')' {
			p.pos = start
			continue
		}
		v := value{kind: form.kind, text: text}
		switch form.kind {
		case "text":
			v.text = text[1 : len(text)-1]
		case "texts":
			for _, t := range oneText.FindAllString(text, -1) {
				v.texts = append(v.texts, t[1:len(t)-1])
			}
		case "integer", "integers":
			return v, p.integers(&v)
		}
		return v, nil
	}
	return value{}, p.refuse(
		"expected a value: text in quotation marks, a number, a version, true, false, null, or a list of texts or integers")
}

// integers reads the integers of a value.
func (p *parser) integers(v *value) error {
	list := []string{v.text}
	if v.kind == "integers" {
		list = oneInt.FindAllString(v.text, -1)
	}
	for _, text := range list {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < -1<<53 || n > 1<<53 {
			return importer.Refusef(p.at, "%s is beyond 2^53, where clients round numbers differently", text)
		}
		v.ints = append(v.ints, n)
	}
	return nil
}

// compare returns the condition for a comparison. A comparison with an attribute that is missing
// or of another type is false, also with ne.
func (p *parser) compare(name, op string, v value) (importer.Condition, error) {
	if name == "anonymous" {
		return p.anonymous(op, v)
	}
	switch v.kind {
	case "boolean":
		switch is := v.text == "true"; op {
		case "eq":
			return importer.Is(name, is), nil
		case "ne":
			return importer.Is(name, !is), nil
		}
	case "null":
		return p.null(name, op)
	case "version":
		return p.version(name, op, v)
	case "text":
		return p.string(name, op, v)
	case "texts":
		if op == "in" {
			return p.list(name, v), nil
		}
	case "decimal":
		return p.decimal(name, op, v)
	default:
		return p.integer(name, op, v)
	}
	return importer.Never, p.unknown(op)
}

func (p *parser) unknown(op string) error {
	return importer.Refusef(p.at, "%q isn't for values of this type; such a query is always false", op)
}

// anonymous compares the attribute that every context has.
func (p *parser) anonymous(op string, v value) (importer.Condition, error) {
	if v.kind != "boolean" || op != "eq" && op != "ne" {
		return importer.Never, p.unknown(op)
	}
	is := importer.Is("anonymous", true)
	if (v.text == "true") != (op == "eq") {
		is = importer.Not(is)
	}
	return is, nil
}

func (p *parser) null(name, op string) (importer.Condition, error) {
	there := importer.Exists(name)
	if name == unit {
		there = importer.Always
	}
	switch op {
	case "eq":
		return importer.Not(there), nil
	case "ne":
		return there, nil
	}
	return importer.Never, p.unknown(op)
}

// version compares full versions.
func (p *parser) version(name, op string, v value) (importer.Condition, error) {
	semver := func(sign string) importer.Condition { return importer.Semver(name, sign+v.text) }
	p.flag.Approximate(p.at,
		"a version without minor or patch number, such as 2.3, counts as 2.3.0 here; for GO Feature Flag it is none")
	switch op {
	case "eq":
		return semver("="), nil
	case "ne":
		return importer.Any(semver("<").At(p.at), semver(">").At(p.at)), nil
	case "<", "<=", ">", ">=":
		return semver(op), nil
	}
	return importer.Never, p.unknown(op)
}

// string compares text without regard to case.
func (p *parser) string(name, op string, v value) (importer.Condition, error) {
	fold := strings.ToLower(v.text) != strings.ToUpper(v.text)
	switch op {
	case "eq":
		return importer.In(name, fold, v.text), nil
	case "ne":
		other := importer.Not(importer.In(name, fold, v.text).At(p.at))
		if name == unit {
			return other, nil
		}
		return importer.All(importer.Prefix(name, false, "").At(p.at), other), nil // text, and another one
	case "co":
		return importer.Contains(name, fold, v.text), nil
	case "sw":
		return importer.Prefix(name, fold, v.text), nil
	case "ew":
		return importer.Suffix(name, fold, v.text), nil
	case "<", "<=", ">", ">=":
		return importer.Never, importer.Refusef(p.at, "%q compares text by the order of its letters", op)
	}
	return importer.Never, p.unknown(op)
}

// list compares text with those of a list.
func (p *parser) list(name string, v value) importer.Condition {
	for _, t := range v.texts {
		if strings.ToLower(t) != strings.ToUpper(t) {
			p.flag.Approximate(p.at,
				"lists are compared with regard to case, as by nikunjy/rules up to 1.5; later versions ignore it")
		}
	}
	return importer.In(name, false, v.texts...)
}

// decimal compares numbers, with or without a fraction.
func (p *parser) decimal(name, op string, v value) (importer.Condition, error) {
	n, ok := importer.ParseNumber(v.text)
	if !ok {
		return importer.Never, importer.Refusef(p.at, "%s has more than 30 characters", v.text)
	}
	p.flag.Approximate(p.at,
		"a %q that is text with a number, such as \"5\", counts as that number here; for GO Feature Flag it is none",
		name)
	switch op {
	case "eq":
		return importer.Numbers(name, n), nil
	case "ne":
		return importer.Any(importer.CompareNumber(name, "<", n).At(p.at),
			importer.CompareNumber(name, ">", n).At(p.at)), nil
	case "<", "<=", ">", ">=":
		return importer.CompareNumber(name, op, n), nil
	}
	return importer.Never, p.unknown(op)
}

// integer compares integers. Numbers with a fraction are none.
func (p *parser) integer(name, op string, v value) (importer.Condition, error) {
	n := v.ints[0]
	switch {
	case op == "in" && v.kind == "integers":
		return importer.Integers(name, v.ints...), nil
	case v.kind == "integers":
		return importer.Never, p.unknown(op)
	}
	below, above := importer.Range(name, math.MinInt64, n-1), importer.Range(name, n+1, math.MaxInt64)
	switch op {
	case "eq":
		return importer.Integers(name, n), nil
	case "ne":
		return importer.Any(below.At(p.at), above.At(p.at)), nil
	case "<":
		return below, nil
	case "<=":
		return importer.Range(name, math.MinInt64, n), nil
	case ">":
		return above, nil
	case ">=":
		return importer.Range(name, n, math.MaxInt64), nil
	}
	return importer.Never, p.unknown(op)
}
