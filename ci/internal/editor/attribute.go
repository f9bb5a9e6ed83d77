package editor

import (
	"github.com/serin-flags/serin/ci/internal/lang"
	"github.com/serin-flags/serin/evaluator"
)

// Patterns of texts that attributes are compared with.
const (
	version    = `(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){0,2}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?`
	comparison = `(<=|>=|<|>|=|\^|~)?`
	octet      = `(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])`
	ipv4       = octet + `(\.` + octet + `){3}`
	ipv6       = `[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(%.+)?`
)

// operatorsOf lists the operators for attributes of a type, beside "exists".
var operatorsOf = map[evaluator.AttributeType][]string{
	evaluator.AttrString:  {"in", "segment", "list", "prefix", "suffix", "contains", "matches", "fold"},
	evaluator.AttrInteger: {"in", "mod", "segment", "list", "from", "to", "gt", "gte", "lt", "lte"},
	evaluator.AttrBoolean: {"in"},
	evaluator.AttrSemver:  {"in", "semver"},
	evaluator.AttrIP:      {"in", "cidr", "from", "to"},
	evaluator.AttrList:    {"any", "all"},
	evaluator.AttrSemverV: {"in", "semver"},
	evaluator.AttrTime:    {"after", "before", "zone"},
	evaluator.AttrNumber:  {"in", "from", "to", "gt", "gte", "lt", "lte"},
}

// comparison is the schema of what a condition compares an attribute with.
func (n *names) comparison(a *lang.Attribute) object {
	allowed := object{"exists": true}
	for _, op := range operatorsOf[a.Type] {
		allowed[op] = true
	}
	if a.Unit {
		allowed["bucket"] = true
	}
	value := operand(a)
	switch a.Type {
	case evaluator.AttrNumber:
		allowed["in"] = values(value)
		for _, bound := range []string{"from", "to", "gt", "gte", "lt", "lte"} {
			allowed[bound] = value
		}
	case evaluator.AttrSemver:
		allowed["in"] = values(value)
		allowed["semver"] = object{"pattern": constraints("")}
	case evaluator.AttrSemverV:
		allowed["in"] = values(value)
		allowed["semver"] = object{"pattern": constraints("v?")}
	case evaluator.AttrIP:
		allowed["in"] = values(value)
		allowed["cidr"] = values(object{"type": "string", "pattern": `^(` + ipv4 + `|` + ipv6 + `)/[0-9]{1,3}$`})
		allowed["from"], allowed["to"] = value, value
	case evaluator.AttrList:
		allowed["any"], allowed["all"] = values(value), values(value)
	case evaluator.AttrBoolean:
		allowed["in"] = values(value)
	}
	operators := object{"allOf": []any{ref("operators")}, "properties": allowed, "additionalProperties": false}
	if a.Type == evaluator.AttrInteger {
		// With "mod", they are remainders.
		operators["if"] = object{"not": object{"required": []any{"mod"}}}
		operators["then"] = object{"properties": object{"in": values(value)}}
		for _, bound := range []string{"from", "to", "gt", "gte", "lt", "lte"} {
			allowed[bound] = ref("integer")
		}
	}
	if a.Type == evaluator.AttrString {
		operators["if"] = object{"properties": object{"fold": object{"const": false}}}
		operators["then"] = object{"properties": object{"in": values(value)}}
		operators["else"] = object{"properties": object{"in": values(object{"type": "string"})}}
	}
	schema := object{"if": object{"type": "object"}, "then": operators, "else": values(value)}
	if a.Type == evaluator.AttrList || a.Type == evaluator.AttrTime {
		schema["else"] = false
	}
	return n.described(a.Name, schema)
}

// constraints is the pattern of what "semver" takes; v is that of what stands before
// versions.
func constraints(v string) string {
	one := comparison + v + version
	return `^[ ,]*` + one + `([ ,]+` + one + `)*[ ,]*$`
}

// values accepts a value, or a list of them.
func values(value object) object {
	return object{
		"if":   object{"type": "array"},
		"then": object{"minItems": 1, "items": value},
		"else": value,
	}
}

// operand accepts what one value of an attribute is compared with.
func operand(a *lang.Attribute) object {
	switch a.Type {
	case evaluator.AttrInteger:
		if a.Ints != nil {
			return object{"type": "integer", "enum": integers(a.Ints)}
		}
		return ref("integer")
	case evaluator.AttrBoolean:
		return object{"type": "boolean"}
	case evaluator.AttrNumber:
		return object{"type": []any{"string", "number"},
			"pattern": `^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$`}
	case evaluator.AttrSemver:
		return object{"type": []any{"string", "number"}, "pattern": `^` + version + `$`}
	case evaluator.AttrSemverV:
		return object{"type": []any{"string", "number"}, "pattern": `^v?` + version + `$`}
	case evaluator.AttrIP:
		return object{"type": "string", "pattern": `^(` + ipv4 + `|` + ipv6 + `)$`}
	}
	if a.Strings != nil {
		return object{"type": "string", "enum": texts(a.Strings)}
	}
	return object{"type": "string"}
}

// contextValue accepts a value in the context of a test. Text in quotes is text whatever
// the attribute's type is, and JSON knows no quotes.
func contextValue(a *lang.Attribute) object {
	switch a.Type {
	case evaluator.AttrString:
		return operand(a)
	case evaluator.AttrInteger:
		if a.Ints != nil {
			return object{"anyOf": []any{object{"type": "string"}, object{"enum": integers(a.Ints)}}}
		}
		return object{"type": []any{"string", "integer"}}
	case evaluator.AttrBoolean:
		return object{"type": []any{"string", "boolean"}}
	case evaluator.AttrList:
		return object{"type": []any{"string", "array"}, "items": operand(a)}
	}
	return object{"type": []any{"string", "number", "boolean"}}
}

func integers(list []int64) []any {
	values := make([]any, len(list))
	for i, n := range list {
		values[i] = n
	}
	return values
}
