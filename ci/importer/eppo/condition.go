package eppo

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/importer"
)

// A condition compares an attribute with a value.
type condition struct {
	Attribute string          `json:"attribute"`
	Operator  string          `json:"operator"`
	Value     json.RawMessage `json:"value"`
}

// rules returns the condition that one of the rules matches. Without rules, everyone does.
func (x *reading) rules(list []rule, at string) (importer.Condition, error) {
	if len(list) == 0 {
		return importer.Always, nil
	}
	any := importer.Never
	for i, r := range list {
		all := importer.Always
		for j := range r.Conditions {
			place := fmt.Sprintf("%s[%d].conditions[%d]", at, i, j)
			c, err := x.condition(&r.Conditions[j], place)
			if err != nil {
				return c, err
			}
			all = importer.All(all, c.At(place))
		}
		any = importer.Any(any, all)
	}
	return any, nil
}

// condition returns what a condition says. A missing attribute makes it false, negated or not,
// except for IS_NULL.
func (x *reading) condition(c *condition, at string) (importer.Condition, error) {
	there := importer.Exists(c.Attribute).At(at)
	var holds importer.Condition
	var err error
	switch strings.TrimPrefix(c.Operator, "NOT_") {
	case "IS_NULL":
		var null bool
		if json.Unmarshal(c.Value, &null) != nil || c.Operator != "IS_NULL" {
			return holds, importer.Refusef(at+".value", "expected true or false, not %.40s", c.Value)
		}
		if null {
			return importer.Not(there), nil
		}
		return there, nil
	case "ONE_OF":
		holds, err = x.oneOf(c, at)
	case "MATCHES":
		holds, err = matches(c, at)
	case "GT", "GTE", "LT", "LTE":
		if strings.HasPrefix(c.Operator, "NOT_") {
			return holds, importer.Refusef(at+".operator", "unknown operator %q", c.Operator)
		}
		return x.order(c, at)
	default:
		return holds, importer.Refusef(at+".operator", "unknown operator %q", c.Operator)
	}
	if strings.HasPrefix(c.Operator, "NOT_") {
		holds = importer.All(there, importer.Not(holds.At(at)))
	}
	return holds, err
}

// oneOf returns the condition that an attribute is one of the texts.
func (x *reading) oneOf(c *condition, at string) (importer.Condition, error) {
	var list []string
	if json.Unmarshal(c.Value, &list) != nil || list == nil {
		return importer.Never, importer.Refusef(at+".value", "expected a list of texts, not %.40s", c.Value)
	}
	for _, text := range list {
		if _, err := strconv.ParseFloat(text, 64); err == nil || text == "true" || text == "false" {
			x.flag.Approximate(at, "%q is text here; a number or a boolean is none", c.Attribute)
		}
	}
	return importer.In(c.Attribute, false, list...), nil
}

func matches(c *condition, at string) (importer.Condition, error) {
	var expression string
	if json.Unmarshal(c.Value, &expression) != nil {
		return importer.Never, importer.Refusef(at+".value", "expected a regular expression, not %.40s", c.Value)
	}
	if _, err := regexp.Compile(expression); err != nil {
		return importer.Never,
			importer.Refusef(at+".value", "%q isn't in RE2's syntax; Eppo's SDKs disagree about it", expression)
	}
	if expression == "" {
		return importer.Exists(c.Attribute), nil
	}
	return importer.Matches(c.Attribute, false, expression), nil
}

var versionShape = regexp.MustCompile(
	`^v?((0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?)(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

// signs are the operators of orders.
var signs = map[string]string{"GT": ">", "GTE": ">=", "LT": "<", "LTE": "<="}

// order returns the condition for an order of versions or of numbers.
func (x *reading) order(c *condition, at string) (importer.Condition, error) {
	sign, text := signs[c.Operator], string(c.Value)
	var quoted string
	if len(c.Value) > 0 && c.Value[0] == '"' && json.Unmarshal(c.Value, &quoted) == nil {
		if parts := versionShape.FindStringSubmatch(quoted); parts != nil {
			x.flag.Approximate(at, "a %q such as 2.3 counts as 2.3.0 here; for Eppo it is no version", c.Attribute)
			return importer.SemverV(c.Attribute, sign+parts[1]), nil
		}
		text = quoted
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > 1<<53 {
		return importer.Never,
			importer.Refusef(at+".value", "%.40s is neither a full semantic version nor a number within 2^53", c.Value)
	}
	if _, ok := importer.ParseNumber(strconv.FormatFloat(f, 'f', -1, 64)); !ok {
		return importer.Never, importer.Refusef(at+".value", "%.40s has too many digits", c.Value)
	}
	x.flag.Approximate(at,
		"%q is a number here; text in another notation than 12.5, and booleans, make the comparison false", c.Attribute)
	return importer.Compare(c.Attribute, sign, f), nil
}
