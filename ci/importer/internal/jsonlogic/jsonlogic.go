// Package jsonlogic translates conditions in JsonLogic, which several systems use for their rules.
//
// It carries over what the implementations of JsonLogic agree about, and refuses the rest.
package jsonlogic

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/importer"
)

// maxDepth bounds how deep expressions nest, with those that $ref inserts.
const maxDepth = 40

// maxPath is how many names a path of a nested attribute has here at most.
const maxPath = 10

// A Reader translates the conditions of one flag.
type Reader struct {
	// Flag gets notes about what differs.
	Flag *importer.Flag
	// Evaluators are what $ref may refer to, by name.
	Evaluators map[string]json.RawMessage
	// Attribute returns the attribute that a variable is here, or refuses it. Names that begin
	// with "$" aren't compared. Nil: attributes have the names of their variables.
	Attribute func(name, place string) (string, error)
	// Operation translates operations that JsonLogic doesn't have. It returns false for those
	// that aren't known. Nil: there are none.
	Operation func(op string, args []json.RawMessage, place string) (c importer.Condition, known bool, err error)

	depth int
}

// Open returns the operation of an expression and its arguments or, if it has none, the
// expression as a literal. It inserts what $ref refers to. Unless there is an error, call
// [Reader.Close] when what is in the expression is read.
func (r *Reader) Open(
	expr json.RawMessage, at string,
) (op string, args []json.RawMessage, literal json.RawMessage, err error) {
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
			if json.Unmarshal(value, &name) != nil || r.Evaluators[name] == nil {
				return "", nil, nil, importer.Refusef(at+".$ref", "there is no evaluator %.40s", value)
			}
			return r.Open(r.Evaluators[name], "$evaluators."+name)
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

// Close ends what Open began.
func (r *Reader) Close() { r.depth-- }

// Variable returns the name of the attribute that an expression is, if it is one.
func (r *Reader) Variable(expr json.RawMessage, at string) (name string, ok bool, err error) {
	if t := bytes.TrimSpace(expr); len(t) == 0 || t[0] != '{' {
		return "", false, nil
	}
	op, args, _, err := r.Open(expr, at)
	if err != nil {
		return "", false, err
	}
	r.Close()
	if op != "var" {
		return "", false, nil
	}
	if len(args) != 1 || json.Unmarshal(args[0], &name) != nil || name == "" {
		return "", false, importer.Refusef(at+".var", "expected the name of an attribute, without a default")
	}
	if strings.Count(name, ".") >= maxPath || strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
		return "", false, importer.Refusef(at+".var", "%q is no path of at most %d names", name, maxPath)
	}
	if r.Attribute != nil {
		if name, err = r.Attribute(name, at+".var"); err != nil {
			return "", false, err
		}
	}
	return name, true, nil
}

// Condition returns the condition that an expression is true.
func (r *Reader) Condition(expr json.RawMessage, at string) (importer.Condition, error) {
	op, args, literal, err := r.Open(expr, at)
	if err != nil {
		return importer.Never, err
	}
	defer r.Close()
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
	case "<", "<=", ">", ">=":
		return r.order(op, args, at)
	}
	if r.Operation != nil {
		if cond, known, err := r.Operation(op, args, at); known {
			return cond, err
		}
	}
	return importer.Never, importer.Refusef(at, "the operation %q isn't known here", op)
}

// combine returns the condition for operations on conditions.
func (r *Reader) combine(op string, args []json.RawMessage, at string) (importer.Condition, error) {
	list := make([]importer.Condition, len(args))
	for i, arg := range args {
		var err error
		if list[i], err = r.Condition(arg, at+"["+strconv.Itoa(i)+"]"); err != nil {
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

// Pair returns the attribute and the other argument of a comparison; swapped says that the
// attribute came second.
func (r *Reader) Pair(args []json.RawMessage, at string) (name string, other json.RawMessage, swapped bool, err error) {
	if len(args) != 2 {
		return "", nil, false, importer.Refusef(at, "expected two arguments")
	}
	for i := range args {
		name, ok, err := r.Variable(args[i], at+"["+strconv.Itoa(i)+"]")
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
func (r *Reader) equal(op string, args []json.RawMessage, at string) (importer.Condition, error) {
	name, value, _, err := r.Pair(args, at)
	if err != nil {
		return importer.Never, err
	}
	if string(value) == "null" && len(op) == 2 {
		r.Flag.Approximate(at,
			"only a missing %q equals null here; some implementations also find 0, false and empty text equal to it",
			name)
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
func (r *Reader) in(args []json.RawMessage, at string) (importer.Condition, error) {
	name, value, swapped, err := r.Pair(args, at)
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

// order returns the condition for an order of numbers.
func (r *Reader) order(op string, args []json.RawMessage, at string) (importer.Condition, error) {
	name, value, swapped, err := r.Pair(args, at)
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
	r.Flag.Approximate(at,
		"%q is a number here: if it is missing or anything else, the comparison is false; JsonLogic compares that too", name)
	return importer.Compare(name, op, f).At(at), nil
}
