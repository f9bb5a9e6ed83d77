package flagsmith

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/importer"
)

// semverSuffix ends the values that are versions.
const semverSuffix = ":semver"

// text returns a condition's value as Flagsmith's SDKs turn it into text.
func (c *condition) text() (string, bool) {
	var text string
	switch {
	case isNull(c.Value) || c.Value[0] == '[' || c.Value[0] == '{':
		return "", false
	case json.Unmarshal(c.Value, &text) == nil:
		return text, true
	}
	return string(c.Value), true
}

// signs are the operators of orders.
var signs = map[string]string{"GREATER_THAN": ">", "GREATER_THAN_INCLUSIVE": ">=", "LESS_THAN": "<",
	"LESS_THAN_INCLUSIVE": "<="}

// condition returns what a condition says. A missing trait makes it false, negated or not,
// except for IS_NOT_SET.
func (x *segmentReading) condition(c *condition, at string) (importer.Condition, error) {
	if c.Operator == "PERCENTAGE_SPLIT" {
		return x.percentage(c, at)
	}
	name, err := attribute(c.Property, at)
	if err != nil {
		return importer.Never, err
	}
	var holds importer.Condition
	switch operator := strings.TrimPrefix(c.Operator, "NOT_"); {
	case c.Operator == "IS_SET":
		return importer.Exists(name).At(at), nil
	case c.Operator == "IS_NOT_SET":
		return importer.Not(importer.Exists(name).At(at)), nil
	case c.Operator == "IN":
		return x.in(c, name, at)
	case c.Operator == "MODULO":
		return x.modulo(c, name, at)
	case c.Operator == "REGEX":
		return x.expression(c, name, at)
	case signs[c.Operator] != "":
		return x.order(c, name, at)
	case operator == "EQUAL":
		holds, err = x.equal(c, name, at)
	case operator == "CONTAINS":
		holds, err = contains(c, name, at)
	default:
		err = importer.Refusef(at+".operator", "unknown operator %q", c.Operator)
	}
	if err == nil && strings.HasPrefix(c.Operator, "NOT_") {
		holds = importer.All(importer.Exists(name).At(at), importer.Not(holds.At(at)))
	}
	return holds.At(at), err
}

// value returns a condition's value, which may not be empty.
func (c *condition) value(at string) (string, error) {
	text, ok := c.text()
	if !ok || text == "" {
		return "", importer.Refusef(at+".value",
			"the value is missing, empty, or no text; Flagsmith's SDKs disagree about it")
	}
	return text, nil
}

// percentage returns the condition that an identity is in a share of the identities.
func (x *segmentReading) percentage(c *condition, at string) (importer.Condition, error) {
	text, _ := c.text()
	share, err := strconv.ParseFloat(text, 64)
	if err != nil || !(share >= 0 && share <= 100) {
		return importer.Never, importer.Refusef(at+".value", "%.40s is no number from 0 to 100", c.Value)
	}
	id := strconv.FormatInt(x.segment.ID, 10)
	switch c.Property {
	case "", keyPath:
		return importer.Bucket(unit, identityHash, id+","+x.Key, 0, 0, upTo(share)).At(at), nil
	case identifierPath:
		return importer.Bucket(unit, hash, id, 0, 0, upTo(share)).At(at), nil
	}
	return importer.Never, importer.Refusef(at+".property_",
		"Flagsmith's SDKs disagree about a percentage split by %q", c.Property)
}

var booleans = map[string]bool{"true": true, "True": true, "false": false, "False": false}

// isText reports whether a value is neither a version, a boolean nor a number within 2^53.
func isText(value string) bool {
	if _, ok := booleans[value]; ok || strings.HasSuffix(value, semverSuffix) {
		return false
	}
	n, ok := importer.ParseNumber(value)
	f, err := strconv.ParseFloat(value, 64)
	return !ok || n.String() != value || err != nil || math.Abs(f) > 1<<53
}

// equal returns the condition that a trait is the value, whose type is the trait's.
func (x *segmentReading) equal(c *condition, name, at string) (importer.Condition, error) {
	text, err := c.value(at)
	if err != nil {
		return importer.Never, err
	}
	boolean, isBoolean := booleans[text]
	switch number, _ := importer.ParseNumber(text); {
	case strings.HasSuffix(text, semverSuffix):
		return x.version(name, "=", text, at)
	case name == unit || isText(text):
		return importer.In(name, false, text), nil
	case isBoolean:
		x.approximate(at, "%q is a boolean here; text with one, such as %q, is none", name, text)
		return importer.Is(name, boolean), nil
	default:
		x.approximate(at, "%q is compared as a number, where text such as \"5.0\" is 5; Flagsmith compares text as it is",
			name)
		return importer.CompareText(name, "=", number), nil
	}
}

func contains(c *condition, name, at string) (importer.Condition, error) {
	text, err := c.value(at)
	switch {
	case err != nil:
		return importer.Never, err
	case strings.HasSuffix(text, semverSuffix):
		return importer.Never, importer.Refusef(at+".value", "a version can't be contained")
	}
	return importer.Contains(name, false, text), nil
}

func (x *segmentReading) expression(c *condition, name, at string) (importer.Condition, error) {
	text, err := c.value(at)
	if err != nil {
		return importer.Never, err
	}
	expression, err := importer.FromJavaScript(text, at+".value")
	if err != nil {
		return importer.Never, err
	}
	if _, err := regexp.Compile(expression); err != nil {
		return importer.Never, importer.Refusef(at+".value", "%q isn't in RE2's syntax", text)
	}
	if text[0] != '^' || strings.Contains(text, "|") {
		x.approximate(at,
			"the expression may match anywhere, as for Flagsmith's SDK for Node; the one for Python matches only at the start")
	}
	return importer.Matches(name, false, expression).At(at), nil
}

var versionShape = regexp.MustCompile(`^(0|[1-9]\d{0,14})(\.(0|[1-9]\d{0,14})){2}(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

// version returns the condition that a trait is a version that compares so with the value.
func (x *segmentReading) version(name, sign, text, at string) (importer.Condition, error) {
	text = strings.TrimSuffix(text, semverSuffix)
	if !versionShape.MatchString(text) {
		return importer.Never, importer.Refusef(at+".value", "%q is no full semantic version without build metadata",
			text)
	}
	x.approximate(at,
		"a %q such as 2.3 counts as 2.3.0 here, and one such as v2.3.0 is no version; "+
			"Flagsmith's SDKs disagree about those", name)
	return importer.Semver(name, sign+text).At(at), nil
}

// order returns the condition for an order of versions or of numbers.
func (x *segmentReading) order(c *condition, name, at string) (importer.Condition, error) {
	text, err := c.value(at)
	if err != nil {
		return importer.Never, err
	}
	if strings.HasSuffix(text, semverSuffix) {
		return x.version(name, signs[c.Operator], text, at)
	}
	number, ok := importer.ParseNumber(text)
	if f, err := strconv.ParseFloat(text, 64); !ok || err != nil || math.Abs(f) > 1<<53 {
		return importer.Never, importer.Refusef(at+".value", "%q is neither a version nor a number within 2^53", text)
	}
	x.approximate(at, "%q is a number here; Flagsmith's SDKs disagree about the order of numbers in text", name)
	return importer.CompareNumber(name, signs[c.Operator], number).At(at), nil
}

// modulo returns the condition that a trait has a remainder.
func (x *segmentReading) modulo(c *condition, name, at string) (importer.Condition, error) {
	text, err := c.value(at)
	if err != nil {
		return importer.Never, err
	}
	first, second, _ := strings.Cut(text, "|")
	divisor, err := strconv.ParseInt(first, 10, 32)
	remainder, err2 := strconv.ParseInt(second, 10, 32)
	if err != nil || err2 != nil || divisor < 1 || remainder < 0 || remainder >= divisor {
		return importer.Never, importer.Refusef(at+".value",
			"%q isn't a divisor and a lower remainder such as 10|3, both whole numbers", text)
	}
	x.approximate(at,
		"%q is an integer here, and -7 has the remainder 3 of 10; some of Flagsmith's SDKs say -7, "+
			"or read numbers in text", name)
	return importer.Mod(name, divisor, remainder).At(at), nil
}

// items returns the texts that IN lists: a list, in JSON or as JSON in a text, or a text with
// commas between them.
func (c *condition) items(at string) ([]string, error) {
	text, ok := c.text()
	list := []byte(text)
	if !ok {
		list = c.Value
	}
	var items []string
	if len(list) > 0 && list[0] == '[' && json.Valid(list) {
		if json.Unmarshal(list, &items) != nil {
			return nil, importer.Refusef(at+".value",
				"the list has something else than texts; Flagsmith's SDKs disagree about that")
		}
		return items, nil
	}
	if !ok || text == "" {
		return nil, importer.Refusef(at+".value", "expected a list of texts, not %.40s", c.Value)
	}
	return strings.Split(text, ","), nil
}

// integers returns the items that are integers, in the usual notation.
func integers(items []string) []int64 {
	var list []int64
	for _, item := range items {
		n, ok := importer.Integer([]byte(item))
		if ok && strconv.FormatInt(n, 10) == item {
			list = append(list, n)
		}
	}
	return list
}

// in returns the condition that a trait is one of the items.
func (x *segmentReading) in(c *condition, name, at string) (importer.Condition, error) {
	items, err := c.items(at)
	if err != nil {
		return importer.Never, err
	}
	list := integers(items)
	switch {
	case len(items) == 0:
		return importer.Never, nil
	case len(list) == len(items) && !x.asText[name]:
		x.approximate(at, "%q is a number here; Flagsmith also finds text such as \"%d\"", name, list[0])
		return importer.Integers(name, list...).At(at), nil
	case len(list) > 0 && name != unit:
		x.approximate(at, "%q is text here; Flagsmith also finds the number %d", name, list[0])
	}
	texts := items[:0]
	for _, item := range items {
		if item == "" {
			x.approximate(at, "an empty text is in no list here; Flagsmith's SDKs disagree about it")
			continue
		}
		texts = append(texts, item)
	}
	return importer.In(name, false, texts...).At(at), nil
}
