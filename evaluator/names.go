package evaluator

import (
	"fmt"
	"slices"
)

// The names below are those of flag files, payloads and OpenFeature.

var attributeTypeNames = [...]string{
	AttrString: "string", AttrInteger: "integer", AttrBoolean: "boolean", AttrSemver: "semver", AttrIP: "ip", AttrList: "list",
}

func (t AttributeType) String() string { return nameOf(attributeTypeNames[:], t, "AttributeType") }

// MarshalText returns what String does.
func (t AttributeType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText sets t to the attribute type of that name: string, integer, boolean,
// semver, ip or list.
func (t *AttributeType) UnmarshalText(name []byte) (err error) {
	*t, err = valueOf[AttributeType](attributeTypeNames[:], name, "attribute type")
	return err
}

var kindNames = [...]string{
	KindNone: "none", KindBool: "boolean", KindInt: "integer", KindFloat: "number", KindString: "string",
	KindObject: "object", KindList: "list",
}

func (k Kind) String() string { return nameOf(kindNames[:], k, "Kind") }

// MarshalText returns what String does.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText sets k to the kind with the given name, one that String returns.
func (k *Kind) UnmarshalText(name []byte) (err error) {
	*k, err = valueOf[Kind](kindNames[:], name, "type")
	return err
}

// nameOf returns the name of an enum's value.
func nameOf[T ~uint8](names []string, v T, enum string) string {
	if int(v) < len(names) && names[v] != "" {
		return names[v]
	}
	return fmt.Sprintf("%s(%d)", enum, uint8(v))
}

// valueOf returns the value of an enum that has that name.
func valueOf[T ~uint8](names []string, name []byte, enum string) (T, error) {
	i := slices.Index(names, string(name))
	if i < 0 || len(name) == 0 {
		return 0, fmt.Errorf("there is no %s %q", enum, name)
	}
	return T(i), nil
}

// Reason says why a variant was served: OpenFeature's resolution reasons.
type Reason uint8

// The reasons.
const (
	ReasonStatic         Reason = iota + 1 // the flag has no rules
	ReasonDefault                          // no rule matched
	ReasonTargetingMatch                   // a rule matched
	ReasonSplit                            // a rule matched, and its split chose
	ReasonDisabled                         // the flag's kill switch is on
	ReasonStale                            // the flags are older than the flag allows
	ReasonError                            // there is no such flag, or it has another type
)

var reasonNames = [...]string{
	0:            "UNKNOWN",
	ReasonStatic: "STATIC", ReasonDefault: "DEFAULT", ReasonTargetingMatch: "TARGETING_MATCH", ReasonSplit: "SPLIT",
	ReasonDisabled: "DISABLED", ReasonStale: "STALE", ReasonError: "ERROR",
}

func (r Reason) String() string { return nameOf(reasonNames[:], r, "Reason") }

// MarshalText returns what String does.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
