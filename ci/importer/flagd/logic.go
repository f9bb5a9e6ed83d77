package flagd

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/importer"
)

// attribute returns the attribute that a variable is here.
func attribute(name, place string) (string, error) {
	switch {
	case name == "targetingKey":
		return unit, nil
	case name == unit:
		return "", importer.Refusef(place, "the attribute %q is the targeting key here", unit)
	case name != flagKey && strings.HasPrefix(name, "$flagd"):
		return "", importer.Refusef(place, "%q isn't known here", name)
	}
	return name, nil
}

// operation translates the operations that flagd adds to JsonLogic.
func (r *reader) operation(op string, args []json.RawMessage, at string) (importer.Condition, bool, error) {
	var cond importer.Condition
	var err error
	switch op {
	case "starts_with", "ends_with":
		cond, err = r.affix(op, args, at)
	case "sem_ver":
		cond, err = r.version(args, at)
	default:
		return cond, false, nil
	}
	return cond, true, err
}

func (r *reader) affix(op string, args []json.RawMessage, at string) (importer.Condition, error) {
	name, value, swapped, err := r.logic.Pair(args, at)
	var text string
	if err == nil && (swapped || len(value) == 0 || value[0] != '"' || json.Unmarshal(value, &text) != nil) {
		err = importer.Refusef(at, "expected an attribute and a text")
	}
	if err != nil {
		return importer.Never, err
	}
	if op == "starts_with" {
		return importer.Prefix(name, false, text).At(at), nil
	}
	return importer.Suffix(name, false, text).At(at), nil
}

var versionShape = regexp.MustCompile(
	`^(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

// version returns the condition for sem_ver. Its ^ compares the major number, and ~ major and
// minor, whatever follows.
func (r *reader) version(args []json.RawMessage, at string) (importer.Condition, error) {
	if len(args) != 3 {
		return importer.Never, importer.Refusef(at, "expected an attribute, a comparison and a version")
	}
	name, value, swapped, err := r.logic.Pair([]json.RawMessage{args[0], args[2]}, at)
	var op, text string
	if err == nil && (swapped || json.Unmarshal(args[1], &op) != nil || json.Unmarshal(value, &text) != nil) {
		err = importer.Refusef(at, "expected an attribute, a comparison and a version")
	}
	if err != nil {
		return importer.Never, err
	}
	text = strings.TrimPrefix(text, "v")
	parts := versionShape.FindStringSubmatch(text)
	if parts == nil {
		return importer.Never, importer.Refusef(at+"[2]", "%q is no full semantic version", text)
	}
	r.flag.Approximate(at,
		"a version without minor or patch number, such as 2.3, counts as 2.3.0 here; flagd's implementations disagree about it")
	next := func(s string) string {
		n, _ := strconv.ParseInt(s, 10, 64)
		return strconv.FormatInt(n+1, 10)
	}
	switch op {
	case "=", "<", "<=", ">", ">=":
		return importer.SemverV(name, op+text).At(at), nil
	case "!=":
		return importer.Any(importer.SemverV(name, "<"+text).At(at), importer.SemverV(name, ">"+text).At(at)), nil
	case "^":
		return importer.SemverV(name, ">="+parts[1]+".0.0-0 <"+next(parts[1])+".0.0-0").At(at), nil
	case "~":
		within := ">=" + parts[1] + "." + parts[2] + ".0-0 <" + parts[1] + "." + next(parts[2]) + ".0-0"
		return importer.SemverV(name, within).At(at), nil
	}
	return importer.Never, importer.Refusef(at+"[1]", "unknown comparison %q", op)
}
