package evaluator

import (
	"fmt"
	"slices"
)

// The names below are part of flag files, payloads and OpenFeature. Don't change them.
// What is "semver-v" here is {type: semver, v: true} in flag files.

var attributeTypeNames = [...]string{
	AttrString: "string", AttrInteger: "integer", AttrBoolean: "boolean",
	AttrSemver: "semver", AttrIP: "ip", AttrList: "list",
	AttrSemverV: "semver-v", AttrTime: "time", AttrNumber: "number",
}

// String returns the name that flag files use.
func (t AttributeType) String() string { return nameOf(attributeTypeNames[:], t, "AttributeType") }

// MarshalText returns the same as String.
func (t AttributeType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText sets t to the type with the given name: string, integer, boolean,
// semver, ip, list, semver-v, time or number.
func (t *AttributeType) UnmarshalText(name []byte) (err error) {
	*t, err = valueOf[AttributeType](attributeTypeNames[:], name, "attribute type")
	return err
}

var kindNames = [...]string{
	KindNone: "none", KindBool: "boolean", KindInt: "integer", KindFloat: "number", KindString: "string",
	KindObject: "object", KindList: "list",
}

// String returns the name that flag files use, such as "integer".
func (k Kind) String() string { return nameOf(kindNames[:], k, "Kind") }

// MarshalText returns the same as String.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText sets k to the kind with the given name: none, boolean, integer, number,
// string, object or list.
func (k *Kind) UnmarshalText(name []byte) (err error) {
	*k, err = valueOf[Kind](kindNames[:], name, "type")
	return err
}

// nameOf returns the name of v, such as "integer", or "Kind(9)" if it has none.
func nameOf[T ~uint8](names []string, v T, enum string) string {
	if int(v) < len(names) && names[v] != "" {
		return names[v]
	}
	return fmt.Sprintf("%s(%d)", enum, uint8(v))
}

// valueOf returns the value with the given name.
func valueOf[T ~uint8](names []string, name []byte, enum string) (T, error) {
	i := slices.Index(names, string(name))
	if i < 0 || len(name) == 0 {
		return 0, fmt.Errorf("there is no %s %q", enum, name)
	}
	return T(i), nil
}

// Reason says why a variant was served. Its text form is an OpenFeature resolution
// reason, such as TARGETING_MATCH.
type Reason uint8

// The reasons of a [Result].
const (
	ReasonStatic         Reason = iota + 1 // the flag has no rules
	ReasonDefault                          // no rule matched
	ReasonTargetingMatch                   // a rule matched
	ReasonSplit                            // a rule matched, and its split chose the variant
	ReasonDisabled                         // the flag is disabled
	ReasonStale                            // the rules are older than the flag allows
	ReasonError                            // there is no such flag, or it has another type
)

var reasonNames = [...]string{
	0:            "UNKNOWN",
	ReasonStatic: "STATIC", ReasonDefault: "DEFAULT", ReasonTargetingMatch: "TARGETING_MATCH", ReasonSplit: "SPLIT",
	ReasonDisabled: "DISABLED", ReasonStale: "STALE", ReasonError: "ERROR",
}

// String returns OpenFeature's name of the reason, such as "STATIC".
func (r Reason) String() string { return nameOf(reasonNames[:], r, "Reason") }

// MarshalText returns the same as String.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
