package vectors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/serin-flags/serin/evaluator"
)

// The types below are evaluator's Ruleset and what it is made of, where JSON
// holds names or values that have to be looked up or made. Those that hold
// neither are evaluator's own.

type ruleset struct {
	Unit          string           `json:"unit"`
	Attributes    []attribute      `json:"attributes"`
	Zones         []evaluator.Zone `json:"zones"`
	Segments      []segment        `json:"segments"`
	Flags         []flagData       `json:"flags"`
	Prerequisites []flagData       `json:"prerequisites"`
}

type attribute struct {
	Name string        `json:"name"`
	Type attributeType `json:"type"`
}

type segment struct {
	Name    string     `json:"name"`
	Include []string   `json:"include"`
	Exclude []string   `json:"exclude"`
	When    *condition `json:"when"`
}

type flagData struct {
	Key      string                 `json:"key"`
	Type     flagType               `json:"type"`
	Variants []attr                 `json:"variants"`
	Default  *int                   `json:"default"`
	Disabled bool                   `json:"disabled"`
	Off      *int                   `json:"off"`
	Stale    *evaluator.Staleness   `json:"stale"`
	Reserved *evaluator.Reservation `json:"reserved"`
	Rules    []rule                 `json:"rules"`
	Metadata []attr                 `json:"metadata"`
}

// An attr is a name and a value.
type attr struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
}

type rule struct {
	Name     string           `json:"name"`
	When     *condition       `json:"when"`
	Variant  *int             `json:"variant"`
	Split    *evaluator.Split `json:"split"`
	Metadata []attr           `json:"metadata"`
}

type condition struct {
	Op        op          `json:"op"`
	Attribute string      `json:"attribute"`
	Strings   []string    `json:"strings"`
	Ints      []int64     `json:"ints"`
	Fold      bool        `json:"fold"`
	Of        []condition `json:"of"`
}

type attributeType evaluator.AttributeType

func (t *attributeType) UnmarshalText(name []byte) error {
	v, ok := evaluator.ParseAttributeType(string(name))
	if !ok {
		return fmt.Errorf("there is no type of attributes %q", name)
	}
	*t = attributeType(v)
	return nil
}

type flagType evaluator.Type

func (t *flagType) UnmarshalText(name []byte) error {
	v, ok := evaluator.ParseType(string(name))
	if !ok {
		return fmt.Errorf("there is no type of flags %q", name)
	}
	*t = flagType(v)
	return nil
}

type op evaluator.Op

func (o *op) UnmarshalText(name []byte) error {
	for v := evaluator.OpAll; v <= evaluator.OpServes; v++ {
		if v.String() == string(name) {
			*o = op(v)
			return nil
		}
	}
	return fmt.Errorf("there is no condition %q", name)
}

// convert makes a list of what evaluator has for it; nil of an empty one.
func convert[T, U any](list []T, one func(T) (U, error)) ([]U, error) {
	var out []U
	for _, v := range list {
		u, err := one(v)
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, nil
}

func (r ruleset) ruleset() (set evaluator.Ruleset, err error) {
	set.Unit, set.Zones = r.Unit, r.Zones
	for _, a := range r.Attributes {
		set.Attributes = append(set.Attributes, evaluator.Attribute{Name: a.Name, Type: evaluator.AttributeType(a.Type)})
	}
	for _, s := range r.Segments {
		set.Segments = append(set.Segments, evaluator.Segment{Name: s.Name, Include: s.Include, Exclude: s.Exclude, When: s.When.condition()})
	}
	if set.Flags, err = convert(r.Flags, flagData.flag); err != nil {
		return set, err
	}
	set.Prerequisites, err = convert(r.Prerequisites, flagData.flag)
	return set, err
}

func (f flagData) flag() (out evaluator.Flag, err error) {
	if f.Default == nil || f.Off == nil {
		return out, fmt.Errorf("flag %q: \"default\" or \"off\" is missing", f.Key)
	}
	out = evaluator.Flag{Key: f.Key, Type: evaluator.Type(f.Type), Default: *f.Default, Disabled: f.Disabled, Off: *f.Off, Stale: f.Stale, Reserved: f.Reserved}
	out.Variants, err = convert(f.Variants, func(v attr) (evaluator.Variant, error) {
		value, err := valueOf(v.Value, out.Type)
		return evaluator.Variant{Name: v.Name, Value: value}, err
	})
	if err == nil {
		out.Rules, err = convert(f.Rules, rule.rule)
	}
	if err == nil {
		out.Metadata, err = convert(f.Metadata, attr.metadata)
	}
	if err != nil {
		return out, fmt.Errorf("flag %q: %w", f.Key, err)
	}
	return out, nil
}

func (r rule) rule() (out evaluator.Rule, err error) {
	if r.Variant == nil {
		return out, fmt.Errorf("rule %q: \"variant\" is missing", r.Name)
	}
	out = evaluator.Rule{Name: r.Name, When: r.When.condition(), Variant: *r.Variant, Split: r.Split}
	out.Metadata, err = convert(r.Metadata, attr.metadata)
	return out, err
}

func (c *condition) condition() *evaluator.Condition {
	if c == nil {
		return nil
	}
	out := &evaluator.Condition{Op: evaluator.Op(c.Op), Attribute: c.Attribute, Strings: c.Strings, Ints: c.Ints, Fold: c.Fold}
	for i := range c.Of {
		out.Of = append(out.Of, *c.Of[i].condition())
	}
	return out
}

// metadata makes metadata: text, a boolean, an integer of 64 bits or another
// number.
func (a attr) metadata() (evaluator.Attr, error) {
	t := evaluator.TypeNumber
	switch raw := string(a.Value); {
	case raw == "true" || raw == "false":
		t = evaluator.TypeBoolean
	case raw != "" && raw[0] == '"':
		t = evaluator.TypeString
	default:
		if _, err := strconv.ParseInt(raw, 10, 64); err == nil {
			t = evaluator.TypeInteger
		}
	}
	v, err := valueOf(a.Value, t)
	if err != nil {
		err = fmt.Errorf("metadata %q: %w", a.Name, err)
	}
	return evaluator.Attr{Name: a.Name, Value: v}, err
}

// valueOf makes a value of a flag of type t.
func valueOf(raw json.RawMessage, t evaluator.Type) (evaluator.Value, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return evaluator.Value{}, fmt.Errorf("there is no value")
	}
	switch t {
	case evaluator.TypeBoolean:
		var b bool
		err := json.Unmarshal(raw, &b)
		return evaluator.BoolValue(b), err
	case evaluator.TypeString:
		var s string
		err := json.Unmarshal(raw, &s)
		return evaluator.StringValue(s), err
	case evaluator.TypeInteger:
		var n int64
		err := json.Unmarshal(raw, &n)
		return evaluator.IntValue(n), err
	case evaluator.TypeNumber:
		var f float64
		err := json.Unmarshal(raw, &f)
		return evaluator.FloatValue(f), err
	case evaluator.TypeObject:
		var b bytes.Buffer
		err := json.Compact(&b, raw)
		return evaluator.ObjectValue(b.String()), err
	}
	return evaluator.Value{}, fmt.Errorf("a flag of type %v has no values", t)
}
