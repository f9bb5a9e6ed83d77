package evaluator

import "fmt"

// The names below are those of flag files, payloads and OpenFeature.

func (t AttributeType) String() string {
	switch t {
	case AttrString:
		return "string"
	case AttrInteger:
		return "integer"
	case AttrBoolean:
		return "boolean"
	case AttrSemver:
		return "semver"
	case AttrIP:
		return "ip"
	case AttrList:
		return "list"
	}
	return fmt.Sprintf("AttributeType(%d)", uint8(t))
}

// MarshalText returns what String does.
func (t AttributeType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// ParseAttributeType returns the attribute type of that name: string, integer,
// boolean, semver, ip or list.
func ParseAttributeType(name string) (AttributeType, bool) {
	for t := AttrString; t <= AttrList; t++ {
		if t.String() == name {
			return t, true
		}
	}
	return 0, false
}

func (t Type) String() string {
	switch t {
	case TypeBoolean:
		return "boolean"
	case TypeString:
		return "string"
	case TypeInteger:
		return "integer"
	case TypeNumber:
		return "number"
	case TypeObject:
		return "object"
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// MarshalText returns what String does.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// ParseType returns the flag type of that name: boolean, string, integer,
// number or object.
func ParseType(name string) (Type, bool) {
	for t := TypeBoolean; t <= TypeObject; t++ {
		if t.String() == name {
			return t, true
		}
	}
	return 0, false
}

func (op Op) String() string {
	switch op {
	case OpAll:
		return "all"
	case OpAny:
		return "any"
	case OpNot:
		return "not"
	case OpExists:
		return "exists"
	case OpOneOf:
		return "one of"
	case OpInSegment:
		return "segment"
	case OpBetween:
		return "range"
	case OpModulo:
		return "mod"
	case OpCIDR:
		return "cidr"
	case OpIPBetween:
		return "address range"
	case OpSemver:
		return "semver"
	case OpPrefix:
		return "prefix"
	case OpSuffix:
		return "suffix"
	case OpContains:
		return "contains"
	case OpMatches:
		return "matches"
	case OpAnyOf:
		return "any of"
	case OpAllOf:
		return "all of"
	case OpPeriod:
		return "period"
	case OpWindow:
		return "window"
	case OpServes:
		return "serves"
	case OpBucket:
		return "bucket"
	case OpComparison:
		return "comparison"
	}
	return fmt.Sprintf("Op(%d)", uint8(op))
}

// combines reports whether op combines conditions. All others compare.
func (op Op) combines() bool { return op == OpAll || op == OpAny || op == OpNot }

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
