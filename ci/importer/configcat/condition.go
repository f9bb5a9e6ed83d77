package configcat

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/importer"
)

// A condition is of one of three kinds.
type condition struct {
	User         *userCondition         `json:"u"`
	Prerequisite *prerequisiteCondition `json:"p"`
	Segment      *segmentCondition      `json:"s"`
}

// A userCondition compares an attribute with a text, a number, or a list of texts.
type userCondition struct {
	Attribute  string    `json:"a"`
	Comparator *int      `json:"c"`
	Text       *string   `json:"s"`
	Number     *float64  `json:"d"`
	List       *[]string `json:"l"`
}

type prerequisiteCondition struct {
	Key        string          `json:"f"`
	Comparator *int            `json:"c"`
	Value      json.RawMessage `json:"v"`
}

type segmentCondition struct {
	Index      *int `json:"s"`
	Comparator *int `json:"c"`
}

// An outcome is when a condition holds and when it doesn't. Neither is so if the attribute is
// missing, or can't be compared: then the whole rule is ignored.
type outcome struct{ yes, no importer.Condition }

func (o outcome) negated() outcome { return outcome{o.no, o.yes} }

// conditions returns the condition that all conditions of a rule hold.
func (x *reading) conditions(list []condition, at string) (importer.Condition, error) {
	all := importer.Always
	for i, c := range list {
		o, err := x.condition(c, fmt.Sprintf("%s[%d]", at, i))
		if err != nil {
			return all, err
		}
		all = importer.All(all, o.yes)
	}
	return all, nil
}

func (x *reading) condition(c condition, at string) (outcome, error) {
	kinds := 0
	for _, there := range []bool{c.User != nil, c.Prerequisite != nil, c.Segment != nil} {
		if there {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return outcome{}, importer.Refusef(at, "expected one condition: on the user, on a flag or on a segment")
	case c.User != nil:
		return x.user(c.User, at+".u")
	case c.Segment != nil:
		return x.segment(c.Segment, at+".s")
	}
	return x.prerequisite(c.Prerequisite, at+".p")
}

// negation reports whether a comparator is the negation, 1, and not the other one, 0.
func negation(comparator *int, at string) (bool, error) {
	if comparator == nil || *comparator < 0 || *comparator > 1 {
		return false, importer.Refusef(at, "unknown comparator")
	}
	return *comparator == 1, nil
}

// prerequisite returns the condition on the value of another flag.
func (x *reading) prerequisite(c *prerequisiteCondition, at string) (outcome, error) {
	if x.Settings[c.Key] == nil {
		return outcome{}, importer.Refusef(at+".f", "there is no setting %q", c.Key)
	}
	v, err := x.variantsOf(c.Key)
	if err != nil {
		return outcome{}, importer.Refusef(at+".f", "it depends on the flag %q, which isn't carried over", c.Key)
	}
	if _, err := v.unwrap(c.Value, at+".v"); err != nil {
		return outcome{}, err
	}
	not, err := negation(c.Comparator, at+".c")
	if err != nil {
		return outcome{}, err
	}
	o := outcome{importer.Never, importer.Always}
	if name := v.name(c.Value); name != "" {
		serves := importer.Serves(c.Key, name).At(at)
		o = outcome{serves, importer.Not(serves)}
	}
	if not {
		o = o.negated()
	}
	return o, nil
}

// segment returns the condition that a user is in a segment. Its conditions are asked one
// after the other until one doesn't hold. If one can't be answered, neither can the segment.
func (x *reading) segment(c *segmentCondition, at string) (outcome, error) {
	if c.Index == nil || *c.Index < 0 || *c.Index >= len(x.Segments) {
		return outcome{}, importer.Refusef(at+".s", "there is no such segment")
	}
	not, err := negation(c.Comparator, at+".c")
	if err != nil {
		return outcome{}, err
	}
	o := outcome{importer.Always, importer.Never}
	for i, u := range x.Segments[*c.Index].Conditions {
		next, err := x.user(&u, fmt.Sprintf("s[%d].r[%d]", *c.Index, i))
		if err != nil {
			return o, err
		}
		o = outcome{importer.All(o.yes, next.yes), importer.Any(o.no, importer.All(o.yes, next.no))}
	}
	if not {
		o = o.negated()
	}
	return o, nil
}

// maxComparator is the last comparator; the first one is 0.
const maxComparator = 35

// user returns the condition on an attribute of the user. Comparators with an even number are
// followed by their negation, but for those that compare an order.
func (x *reading) user(u *userCondition, at string) (outcome, error) {
	if u.Comparator == nil || *u.Comparator < 0 || *u.Comparator > maxComparator {
		return outcome{}, importer.Refusef(at+".c", "unknown comparator")
	}
	c := *u.Comparator
	switch {
	case c >= 16 && c <= 17, c >= 20 && c <= 27:
		return outcome{}, importer.Refusef(at+".c",
			"the values are hashed; choose the comparator of the same name without hashing in ConfigCat, and import again")
	case c >= 4 && c <= 9:
		return x.version(u, c, at)
	case c >= 10 && c <= 15, c == 18, c == 19:
		return x.number(u, c, at)
	}
	o, err := x.text(u, c&^1, at)
	if c%2 == 1 {
		o = o.negated()
	}
	return o, err
}

// text returns the condition for a comparator of texts, or of a list of texts.
func (x *reading) text(u *userCondition, c int, at string) (outcome, error) {
	var values []string
	switch {
	case c == 28 && u.Text != nil:
		values = []string{*u.Text}
	case c != 28 && u.List != nil:
		values = *u.List
	default:
		return outcome{}, importer.Refusef(at, "the value to compare with is missing")
	}
	there := importer.All(importer.Exists(u.Attribute).At(at), importer.Not(importer.Empty(u.Attribute).At(at)))
	var holds importer.Condition
	switch c {
	case 2:
		holds = importer.Contains(u.Attribute, false, values...)
	case 30:
		holds = importer.Prefix(u.Attribute, false, values...)
	case 32:
		holds = importer.Suffix(u.Attribute, false, values...)
	case 34:
		holds = importer.Holds(u.Attribute, values...)
		x.flag.Approximate(at, "%q is a list here; text with a list in JSON is none", u.Attribute)
	default:
		holds = importer.In(u.Attribute, false, values...)
	}
	holds = holds.At(at)
	return outcome{importer.All(there, holds), importer.All(there, importer.Not(holds))}, nil
}

// orders are the comparators of numbers and of versions from "less" on, and their negations.
var orders = [...]struct{ op, not string }{{"<", ">="}, {"<=", ">"}, {">", "<="}, {">=", "<"}}

var versionShape = regexp.MustCompile(`^(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})` +
	`(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

// version returns the condition for a comparator of versions.
func (x *reading) version(u *userCondition, c int, at string) (outcome, error) {
	var values []string
	switch {
	case c >= 6 && u.Text != nil:
		values = []string{*u.Text}
	case c < 6 && u.List != nil:
		values = slices.Clone(*u.List)
	default:
		return outcome{}, importer.Refusef(at, "the version to compare with is missing")
	}
	any := importer.Never
	for i, v := range values {
		if v == "" && c < 6 {
			continue
		}
		if v = strings.TrimSpace(v); !versionShape.MatchString(v) {
			return outcome{}, importer.Refusef(at,
				"value %d, %q, is no full semantic version; ConfigCat's SDKs disagree about it", i+1, v)
		}
		values[i] = v
		any = importer.Any(any, importer.Semver(u.Attribute, "="+v).At(at))
	}
	x.flag.Approximate(at,
		"a %q such as 2.3 counts as 2.3.0 here, and is no version for ConfigCat; white space around it, "+
			"or a v before it, makes it none here", u.Attribute)
	if c >= 6 {
		o := orders[c-6]
		return outcome{importer.Semver(u.Attribute, o.op+values[0]).At(at),
			importer.Semver(u.Attribute, o.not+values[0]).At(at)}, nil
	}
	o := outcome{any, importer.All(importer.Semver(u.Attribute, ">=0.0.0-0").At(at), importer.Not(any))}
	if c == 5 {
		o = o.negated()
	}
	return o, nil
}

// number returns the condition for a comparator of numbers, or of times: Unix time in seconds.
func (x *reading) number(u *userCondition, c int, at string) (outcome, error) {
	switch {
	case u.Number == nil:
		return outcome{}, importer.Refusef(at+".d", "the number to compare with is missing")
	case math.Abs(*u.Number) > 1<<53:
		return outcome{}, importer.Refusef(at+".d", "%v is beyond 2^53", *u.Number)
	}
	n, ok := importer.ParseNumber(strconv.FormatFloat(*u.Number, 'f', -1, 64))
	if !ok {
		return outcome{}, importer.Refusef(at+".d", "%v has too many digits", *u.Number)
	}
	x.flag.Approximate(at, "%q is a decimal number here; text in another notation than 12.5 is none, such as \"1,5\"",
		u.Attribute)
	compare := func(op string) importer.Condition { return importer.CompareText(u.Attribute, op, n).At(at) }
	switch {
	case c == 18:
		return outcome{compare("<"), compare(">=")}, nil
	case c == 19:
		return outcome{compare(">"), compare("<=")}, nil
	case c >= 12:
		return outcome{compare(orders[c-12].op), compare(orders[c-12].not)}, nil
	}
	o := outcome{compare("="), importer.Any(compare("<"), compare(">"))}
	if c == 11 {
		o = o.negated()
	}
	return o, nil
}
