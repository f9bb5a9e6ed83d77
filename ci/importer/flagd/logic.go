package flagd

import (
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/importer"
)

// maxDepth bounds how deep expressions nest, with those that $ref inserts.
const maxDepth = 40

// maxPath is how many names a path of a nested attribute has here at most.
const maxPath = 10

// open returns the operation of an expression and its arguments, or a literal. It inserts what
// $ref refers to. The caller decrements r.depth afterwards, unless there is an error.
func (r *reader) open(expr json.RawMessage, at string) (op string, args []json.RawMessage, literal json.RawMessage, err error) {
	if r.depth++; r.depth > maxDepth {
		return "", nil, nil, importer.Refusef(at, "expressions nest deeper than %d levels", maxDepth)
	}
	expr = bytes.TrimSpace(expr)
	if len(expr) == 0 {
		return "", nil, nil, importer.Refusef(at, "the expression is missing")
	}
	if expr[0] != '{' {
		return "", nil, expr, nil
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(expr, &m); err != nil || len(m) != 1 {
		return "", nil, nil, importer.Refusef(at, "an expression has one operation, this one has %d", len(m))
	}
	for op, value := range m {
		if op == "$ref" {
			var name string
			if json.Unmarshal(value, &name) != nil || r.evaluators[name] == nil {
				return "", nil, nil, importer.Refusef(at+".$ref", "there is no evaluator %.40s", value)
			}
			return r.open(r.evaluators[name], "$evaluators."+name)
		}
		if value = bytes.TrimSpace(value); len(value) > 0 && value[0] == '[' {
			if err := json.Unmarshal(value, &args); err != nil {
				return "", nil, nil, importer.Refusef(at, "%v", err)
			}
			return op, args, nil, nil
		}
		return op, []json.RawMessage{value}, nil, nil
	}
	return "", nil, nil, nil
}

// variable returns the name of the attribute that an expression is, if it is one.
func (r *reader) variable(expr json.RawMessage, at string) (name string, ok bool, err error) {
	if t := bytes.TrimSpace(expr); len(t) == 0 || t[0] != '{' {
		return "", false, nil
	}
	op, args, _, err := r.open(expr, at)
	if err != nil {
		return "", false, err
	}
	r.depth--
	if op != "var" {
		return "", false, nil
	}
	if len(args) != 1 || json.Unmarshal(args[0], &name) != nil || name == "" {
		return "", false, importer.Refusef(at+".var", "expected the name of an attribute, without a default")
	}
	switch {
	case name == "targetingKey":
		return unit, true, nil
	case name == "$flagd.flagKey":
	case strings.HasPrefix(name, "$flagd"):
		return "", false, importer.Refusef(at+".var", "%q isn't known here", name)
	case strings.Count(name, ".") >= maxPath || strings.HasSuffix(name, ".") || strings.Contains(name, ".."):
		return "", false, importer.Refusef(at+".var", "%q is no path of at most %d names", name, maxPath)
	case name == unit:
		return "", false, importer.Refusef(at+".var", "the attribute %q is the targeting key here", unit)
	}
	return name, true, nil
}

// condition returns the condition that an expression is true.
func (r *reader) condition(expr json.RawMessage, at string) (importer.Condition, error) {
	op, args, literal, err := r.open(expr, at)
	if err != nil {
		return importer.Never, err
	}
	defer func() { r.depth-- }()
	at += "." + op
	switch op {
	case "":
		switch string(literal) {
		case "true":
			return importer.Always, nil
		case "false", "null":
			return importer.Never, nil
		}
		return importer.Never, importer.Refusef(strings.TrimSuffix(at, "."), "expected a condition, not %.40s", literal)
	case "and", "or", "!", "!!", "if", "?:":
		return r.combine(op, args, at)
	case "==", "===", "!=", "!==":
		cond, err := r.equal(op, args, at)
		if op[0] == '!' {
			cond = importer.Not(cond)
		}
		return cond, err
	case "in":
		return r.in(args, at)
	case "starts_with", "ends_with":
		return r.affix(op, args, at)
	case "<", "<=", ">", ">=":
		return r.order(op, args, at)
	case "sem_ver":
		return r.version(args, at)
	}
	return importer.Never, importer.Refusef(at, "the operation %q isn't known here", op)
}

// combine returns the condition for operations on conditions.
func (r *reader) combine(op string, args []json.RawMessage, at string) (importer.Condition, error) {
	list := make([]importer.Condition, len(args))
	for i, arg := range args {
		var err error
		if list[i], err = r.condition(arg, at+"["+strconv.Itoa(i)+"]"); err != nil {
			return importer.Never, err
		}
	}
	switch {
	case len(list) == 0:
		return importer.Never, importer.Refusef(at, "there are no conditions")
	case op == "and":
		return importer.All(list...), nil
	case op == "or":
		return importer.Any(list...), nil
	case op == "!" && len(list) == 1:
		return importer.Not(list[0]), nil
	case op == "!!" && len(list) == 1:
		return list[0], nil
	case op[0] == '!':
		return importer.Never, importer.Refusef(at, "expected one condition")
	}
	result := importer.Never // of if
	if len(list)%2 == 1 {
		result = list[len(list)-1]
	}
	for i := len(list)/2*2 - 2; i >= 0; i -= 2 {
		result = importer.Any(importer.All(list[i], list[i+1]), importer.All(importer.Not(list[i]), result))
	}
	return result, nil
}

// pair returns the attribute and the other argument of a comparison; swapped says that the
// attribute came second.
func (r *reader) pair(args []json.RawMessage, at string) (name string, other json.RawMessage, swapped bool, err error) {
	if len(args) != 2 {
		return "", nil, false, importer.Refusef(at, "expected two arguments")
	}
	for i := range args {
		name, ok, err := r.variable(args[i], at+"["+strconv.Itoa(i)+"]")
		if err != nil {
			return "", nil, false, err
		}
		if ok && !strings.HasPrefix(name, "$") {
			return name, bytes.TrimSpace(args[1-i]), i == 1, nil
		}
	}
	return "", nil, false, importer.Refusef(at, "expected an attribute and a value")
}

// equal returns the condition that an attribute equals a value.
func (r *reader) equal(op string, args []json.RawMessage, at string) (importer.Condition, error) {
	name, value, _, err := r.pair(args, at)
	if err != nil {
		return importer.Never, err
	}
	if string(value) == "null" && len(op) == 2 {
		r.flag.Approximate(at, "only a missing %q equals null here; some of flagd's implementations also find 0, false and empty text equal to it", name)
	}
	return one(name, value, at)
}

func one(name string, value json.RawMessage, at string) (importer.Condition, error) {
	var text string
	switch {
	case string(value) == "null":
		return importer.Not(importer.Exists(name)), nil
	case string(value) == "true" || string(value) == "false":
		return importer.Is(name, string(value) == "true").At(at), nil
	case len(value) > 0 && value[0] == '"' && json.Unmarshal(value, &text) == nil:
		return importer.In(name, false, text).At(at), nil
	}
	if n, ok := importer.Integer(value); ok {
		return importer.Integers(name, n).At(at), nil
	}
	if n, ok := importer.ParseNumber(string(value)); ok && !n.IsInteger() {
		return importer.Numbers(name, n).At(at), nil
	}
	return importer.Never, importer.Refusef(at, "%.40s is no text, boolean, or decimal number within 2^53", value)
}

// in returns the condition that an attribute is in a list, or contains a text.
func (r *reader) in(args []json.RawMessage, at string) (importer.Condition, error) {
	name, value, swapped, err := r.pair(args, at)
	if err != nil {
		return importer.Never, err
	}
	var text string
	if swapped {
		if json.Unmarshal(value, &text) != nil || text == "" {
			return importer.Never, importer.Refusef(at+"[0]", "expected a text to look for, not %.40s", value)
		}
		return importer.Contains(name, false, text).At(at), nil
	}
	var list []json.RawMessage
	if json.Unmarshal(value, &list) != nil {
		return importer.Never, importer.Refusef(at+"[1]", "expected a list, not %.40s", value)
	}
	var texts []string
	any := importer.Never
	for i, raw := range list {
		place := at + "[1][" + strconv.Itoa(i) + "]"
		if json.Unmarshal(raw, &text) == nil && len(raw) > 0 && raw[0] == '"' {
			texts = append(texts, text)
			continue
		}
		if string(raw) == "null" {
			return any, importer.Refusef(place, "null in a list")
		}
		cond, err := one(name, raw, place)
		if err != nil {
			return any, err
		}
		any = importer.Any(any, cond)
	}
	return importer.Any(any, importer.In(name, false, texts...).At(at)), nil
}

func (r *reader) affix(op string, args []json.RawMessage, at string) (importer.Condition, error) {
	name, value, swapped, err := r.pair(args, at)
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

// order returns the condition for an order of numbers.
func (r *reader) order(op string, args []json.RawMessage, at string) (importer.Condition, error) {
	name, value, swapped, err := r.pair(args, at)
	if err != nil {
		return importer.Never, err
	}
	f, err := strconv.ParseFloat(string(value), 64)
	if err != nil || math.Abs(f) > 1<<53 || math.IsNaN(f) {
		return importer.Never, importer.Refusef(at, "%.40s is no number within 2^53", value)
	}
	if swapped {
		op = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}[op]
	}
	r.flag.Approximate(at, "%q is a number here: if it is missing or anything else, the comparison is false; JsonLogic compares that too", name)
	return importer.Compare(name, op, f).At(at), nil
}

var versionShape = regexp.MustCompile(`^(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,14})(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

// version returns the condition for sem_ver. Its ^ compares the major number, and ~ major and
// minor, whatever follows.
func (r *reader) version(args []json.RawMessage, at string) (importer.Condition, error) {
	if len(args) != 3 {
		return importer.Never, importer.Refusef(at, "expected an attribute, a comparison and a version")
	}
	name, value, swapped, err := r.pair([]json.RawMessage{args[0], args[2]}, at)
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
	r.flag.Approximate(at, "a version without minor or patch number, such as 2.3, counts as 2.3.0 here; flagd's implementations disagree about it")
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
		return importer.SemverV(name, ">="+parts[1]+"."+parts[2]+".0-0 <"+parts[1]+"."+next(parts[2])+".0-0").At(at), nil
	}
	return importer.Never, importer.Refusef(at+"[1]", "unknown comparison %q", op)
}
