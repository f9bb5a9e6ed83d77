package configcat

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/serin-flags/serin/ci/importer"
)

// emptyPosition returns the position of an empty text.
func emptyPosition(key string) uint64 {
	sum := sha1.Sum([]byte(key))
	return uint64(binary.BigEndian.Uint32(sum[:])>>4) % positions
}

// variantAt returns the variant that has a position.
func variantAt(ends []importer.End, position uint64) string {
	return ends[slices.IndexFunc(ends, func(e importer.End) bool { return position < e.At })].Variant
}

// variants are the values that a setting serves.
type variants struct {
	typ    string
	member string // of a value in the config JSON
	values []json.RawMessage
	list   []importer.Variant
}

// variantsOf returns the variants of a setting: one for each of its values.
func (r *reader) variantsOf(key string) (*variants, error) {
	if v := r.variants[key]; v != nil {
		return v, nil
	}
	s, at := r.Settings[key], "f."+key
	if s == nil || s.Type == nil || *s.Type < 0 || *s.Type >= len(types) {
		return nil, importer.Refusef(at+".t", "the type of the setting is a number from 0 to %d", len(types)-1)
	}
	v := &variants{typ: types[*s.Type].typ, member: types[*s.Type].member}
	if err := v.add(s.Value, at+".v"); err != nil {
		return nil, err
	}
	for i, rule := range s.Rules {
		if rule.Served != nil {
			if err := v.add(rule.Served.Value, fmt.Sprintf("%s.r[%d].s.v", at, i)); err != nil {
				return nil, err
			}
		}
		if err := v.options(rule.Percentage, fmt.Sprintf("%s.r[%d].p", at, i)); err != nil {
			return nil, err
		}
	}
	if err := v.options(s.Percentage, at+".p"); err != nil {
		return nil, err
	}
	var err error
	if _, v.list, err = importer.Values(v.values, at); err != nil {
		return nil, err
	}
	r.variants[key] = v
	return v, nil
}

func (v *variants) options(list []option, at string) error {
	for i, o := range list {
		if err := v.add(o.Value, fmt.Sprintf("%s[%d].v", at, i)); err != nil {
			return err
		}
	}
	return nil
}

// add adds a value, unless it is there.
func (v *variants) add(value json.RawMessage, at string) error {
	raw, err := v.unwrap(value, at)
	if err == nil && v.index(raw) < 0 {
		v.values = append(v.values, raw)
	}
	return err
}

// unwrap returns what a value holds, {"b": true} for one, in one notation. It must have the
// type of the setting.
func (v *variants) unwrap(value json.RawMessage, at string) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) != nil || members == nil {
		return nil, importer.Refusef(at,
			"expected a value such as {%q: …}, not %s; the config JSON must be version 6", v.member, text(value))
	}
	raw := members[v.member]
	fine := false
	switch v.typ {
	case "boolean":
		fine = string(raw) == "true" || string(raw) == "false"
	case "string":
		var s string
		if fine = len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil; fine {
			raw = json.RawMessage(importer.JSONText(s))
		}
	default:
		var f float64
		if fine = len(raw) > 0 && raw[0] != 'n' && json.Unmarshal(raw, &f) == nil; fine {
			raw, _ = json.Marshal(f)
		}
		if _, whole := importer.Integer(raw); fine && v.typ == "integer" && !whole {
			return nil, importer.Refusef(at, "%s is no whole number within 2^53", text(members[v.member]))
		}
	}
	if !fine {
		return nil, importer.Refusef(at, "expected a value such as {%q: …}, of the type of the setting, not %s",
			v.member, text(value))
	}
	return raw, nil
}

func (v *variants) index(raw json.RawMessage) int {
	return slices.IndexFunc(v.values, func(w json.RawMessage) bool { return bytes.Equal(w, raw) })
}

// name returns the variant with a value, or "" if there is none.
func (v *variants) name(value json.RawMessage) string {
	raw, err := v.unwrap(value, "")
	if i := v.index(raw); err == nil && i >= 0 {
		return v.list[i].Name
	}
	return ""
}
