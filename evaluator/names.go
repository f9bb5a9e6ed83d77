package evaluator

import "fmt"

// The names below are those of flag files, payloads and OpenFeature.

func (t AttributeType) String() string {
	switch t {
	case StringAttribute:
		return "string"
	case IntegerAttribute:
		return "integer"
	case BooleanAttribute:
		return "boolean"
	case SemverAttribute:
		return "semver"
	case IPAttribute:
		return "ip"
	case ListAttribute:
		return "list"
	}
	return fmt.Sprintf("AttributeType(%d)", uint8(t))
}

// MarshalText returns what String does.
func (t AttributeType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// ParseAttributeType returns the attribute type of that name: string, integer,
// boolean, semver, ip or list.
func ParseAttributeType(name string) (AttributeType, bool) {
	for t := StringAttribute; t <= ListAttribute; t++ {
		if t.String() == name {
			return t, true
		}
	}
	return 0, false
}

func (t Type) String() string {
	switch t {
	case Boolean:
		return "boolean"
	case String:
		return "string"
	case Integer:
		return "integer"
	case Number:
		return "number"
	case Object:
		return "object"
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// MarshalText returns what String does.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// ParseType returns the flag type of that name: boolean, string, integer,
// number or object.
func ParseType(name string) (Type, bool) {
	for t := Boolean; t <= Object; t++ {
		if t.String() == name {
			return t, true
		}
	}
	return 0, false
}

func (op Op) String() string {
	switch op {
	case All:
		return "all"
	case Any:
		return "any"
	case Not:
		return "not"
	case Exists:
		return "exists"
	case OneOf:
		return "one of"
	case InSegment:
		return "segment"
	case Between:
		return "range"
	case Modulo:
		return "mod"
	case CIDR:
		return "cidr"
	case IPBetween:
		return "address range"
	case Semver:
		return "semver"
	case Prefix:
		return "prefix"
	case Suffix:
		return "suffix"
	case Contains:
		return "contains"
	case Matches:
		return "matches"
	case AnyOf:
		return "any of"
	case AllOf:
		return "all of"
	case Period:
		return "period"
	case Window:
		return "window"
	case Serves:
		return "serves"
	case Comparison:
		return "comparison"
	}
	return fmt.Sprintf("Op(%d)", uint8(op))
}

// combines reports whether op combines conditions. All others compare.
func (op Op) combines() bool { return op == All || op == Any || op == Not }

// MarshalText returns what String does.
func (op Op) MarshalText() ([]byte, error) { return []byte(op.String()), nil }

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

func (r Reason) String() string {
	switch r {
	case ReasonStatic:
		return "STATIC"
	case ReasonDefault:
		return "DEFAULT"
	case ReasonTargetingMatch:
		return "TARGETING_MATCH"
	case ReasonSplit:
		return "SPLIT"
	case ReasonDisabled:
		return "DISABLED"
	case ReasonStale:
		return "STALE"
	case ReasonError:
		return "ERROR"
	}
	return "UNKNOWN"
}

// MarshalText returns what String does.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
