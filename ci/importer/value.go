package importer

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
)

// plainName matches values that can be the names of their variants.
var plainName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,40}$`)

// Values returns the type of a flag that serves the JSON values, and a variant for each: on and
// off for a boolean flag with each value once, else the text, if it can be a name, or v and the
// value's number. Place is that of the list of values in the source.
func Values(values []json.RawMessage, place string) (typ string, variants []Variant, err error) {
	typ, err = typeOfValues(values, place)
	if err != nil {
		return "", nil, err
	}
	seen := make(map[string]bool, len(values))
	plain := true
	for _, v := range values {
		name := nameOf(typ, v)
		plain = plain && name != "" && !seen[name] && name != "ramp"
		seen[name] = true
	}
	for i, v := range values {
		name := "v" + strconv.Itoa(i)
		if plain {
			name = nameOf(typ, v)
		}
		variants = append(variants, Variant{name, string(v)})
	}
	return typ, variants, nil
}

// nameOf returns the name that a value gives its variant, or "".
func nameOf(typ string, value json.RawMessage) string {
	switch typ {
	case "boolean":
		if string(value) == "true" {
			return "on"
		}
		return "off"
	case "string":
		var text string
		if json.Unmarshal(value, &text) == nil && plainName.MatchString(text) {
			return text
		}
	}
	return ""
}

// typeOfValues returns the type that all values have.
func typeOfValues(values []json.RawMessage, place string) (string, error) {
	typ := ""
	for i, v := range values {
		at := place + "[" + strconv.Itoa(i) + "]"
		t := ""
		switch {
		case len(v) == 0 || string(v) == "null":
			return "", Refusef(at, "the value is null; a variant has one")
		case v[0] == '{' || v[0] == '[':
			t = "object"
		case v[0] == '"':
			t = "string"
		case v[0] == 't' || v[0] == 'f':
			t = "boolean"
		default:
			var why error
			if t, why = numberType(string(v), at); why != nil {
				return "", why
			}
		}
		if typ == "integer" && t == "number" || typ == "number" && t == "integer" {
			t = "number"
		} else if typ != "" && typ != t {
			return "", Refusef(at, "the values have different types, %s and %s", typ, t)
		}
		typ = t
	}
	if typ == "" {
		return "", Refusef(place, "there are no values")
	}
	return typ, nil
}

// numberType returns whether a JSON number is an integer or not.
func numberType(text, place string) (string, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return "", Refusef(place, "%s is no number of 64 bits", text)
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n < -1<<53 || n > 1<<53 {
			return "", Refusef(place, "%s is beyond 2^53, where clients round numbers differently", text)
		}
		return "integer", nil
	}
	return "number", nil
}

// Integer reads a JSON number that is an integer within ±2^53, however it is written.
func Integer(raw json.RawMessage) (int64, bool) {
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return n, -1<<53 <= n && n <= 1<<53
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}
