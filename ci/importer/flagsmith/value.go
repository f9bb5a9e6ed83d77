package flagsmith

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/importer"
)

// The hash that divides identities by the identifier, the one that divides them by the
// environment's key and the identifier, and their number of positions.
const (
	hash         = "flagsmith"
	identityHash = "flagsmith-identity"
	positions    = 9998
)

// percentage returns what a position is for Flagsmith.
func percentage(position int) float64 { return float64(position) / positions * 100 }

// below returns how many positions are below a share in percent, and upTo how many are that
// share or below it.
func below(share float64) uint64 {
	return uint64(sort.Search(positions, func(i int) bool { return percentage(i) >= share }))
}

func upTo(share float64) uint64 {
	return uint64(sort.Search(positions, func(i int) bool { return percentage(i) > share }))
}

// A reading is one feature while it is read.
type reading struct {
	*reader
	states  []override     // that of the environment, and those that override it
	flag    *importer.Flag // its values
	enabled *importer.Flag // whether it is enabled
	valued  bool           // whether one of the values isn't empty
	names   map[string]string
}

// hasValues reports whether one of the values isn't empty.
func (x *reading) hasValues() bool {
	return slices.ContainsFunc(x.states, func(s override) bool {
		return !isEmpty(s.Value) || slices.ContainsFunc(s.Variants,
			func(v variant) bool { return !isEmpty(v.Option.Value) })
	})
}

func isNull(value json.RawMessage) bool { return len(value) == 0 || string(value) == "null" }

func isEmpty(value json.RawMessage) bool { return isNull(value) || string(value) == `""` }

// read makes the rules of both flags.
func (x *reading) read() error {
	x.enabled, x.valued = &importer.Flag{Type: "boolean"}, x.hasValues()
	if x.valued {
		if err := x.variants(); err != nil {
			return err
		}
		x.flag.Default = x.name(x.states[0].Value)
	}
	x.enabled.Default = onOff(x.states[0].Enabled)
	if err := x.identities(); err != nil {
		return err
	}
	if err := x.overridden(); err != nil {
		return err
	}
	if !slices.ContainsFunc(x.states, func(s override) bool { return s.Enabled != x.states[0].Enabled }) {
		x.enabled.Rules, x.enabled.Notes = nil, nil // they make no difference
	}
	if !x.valued {
		return nil
	}
	return x.serve(importer.Rule{Name: "variants"}, x.states[0])
}

func onOff(enabled bool) string {
	if enabled {
		return "on"
	}
	return "off"
}

// variants sets the variants: one for each value.
func (x *reading) variants() error {
	var values []json.RawMessage
	var places []string
	seen, noted := make(map[string]bool), false
	add := func(value json.RawMessage, at string) {
		if isNull(value) && !noted {
			noted = true
			x.flag.Approximate(at, "no value is an empty text here")
		}
		if value = x.plain(value); !seen[string(value)] {
			seen[string(value)] = true
			values, places = append(values, value), append(places, at)
		}
	}
	for _, s := range x.states {
		add(s.Value, s.at+".feature_state_value")
		for j, v := range s.Variants {
			add(v.Option.Value, fmt.Sprintf("%s.multivariate_feature_state_values[%d]", s.at, j))
		}
	}
	for i, value := range values { // each with the first, to say where the odd one stands
		_, _, err := importer.Values([]json.RawMessage{values[0], value}, "")
		if refusal := new(importer.Refusal); errors.As(err, &refusal) {
			return importer.Refusef(places[i], "%s", refusal.Reason)
		}
	}
	typ, list, err := importer.Values(values, x.states[0].at)
	if err != nil {
		return err
	}
	x.flag.Type, x.flag.Variants = typ, list
	x.names = make(map[string]string, len(list))
	for i, v := range list {
		x.names[string(values[i])] = v.Name
	}
	return nil
}

// plain returns a value, or an empty text for none.
func (x *reading) plain(value json.RawMessage) json.RawMessage {
	if isNull(value) {
		return json.RawMessage(`""`)
	}
	return value
}

// name returns the name of the variant for a value.
func (x *reading) name(value json.RawMessage) string { return x.names[string(x.plain(value))] }

// serve adds a rule that serves what a state says.
func (x *reading) serve(rule importer.Rule, s override) error {
	split, err := x.split(s)
	if err != nil {
		return err
	}
	if rule.Split = split; len(split.Ends) == 1 { // everyone
		rule.Serve, rule.Split = split.Ends[0].Variant, nil
		if rule.When.IsAlways() && rule.Serve == x.flag.Default {
			return nil
		}
		if rule.When.IsAlways() { // all who have an identity
			rule.When = importer.Exists(unit).At(s.at)
		}
	}
	x.flag.Rules = append(x.flag.Rules, rule)
	return nil
}

// split returns how a state divides identities among its values.
func (x *reading) split(s override) (*importer.Split, error) {
	out := &importer.Split{By: unit, Hash: identityHash}
	list, err := ordered(s)
	if err != nil {
		return nil, err
	}
	if !slices.EqualFunc(list, s.Variants, func(a, b variant) bool { return a.ID == b.ID && a.UUID == b.UUID }) {
		x.flag.Approximate(s.at+".multivariate_feature_state_values",
			"the variants have the order of their ids here; some of Flagsmith's SDKs take that of the file")
	}
	limit, last := 0.0, uint64(0)
	add := func(value json.RawMessage, end uint64) {
		name, n := x.name(value), len(out.Ends)
		switch {
		case end <= last:
			return
		case n > 0 && out.Ends[n-1].Variant == name:
			out.Ends[n-1].At = end
		default:
			out.Ends = append(out.Ends, importer.End{Variant: name, At: end})
		}
		last = end
	}
	for _, v := range list {
		limit += v.Share
		add(v.Option.Value, below(limit))
	}
	add(s.Value, positions)
	if len(out.Ends) == 1 {
		return out, nil
	}
	key := s.UUID
	if s.DjangoID != nil {
		key = strconv.FormatInt(*s.DjangoID, 10)
	}
	if key == "" {
		return nil, importer.Refusef(s.at,
			"it has neither a django_id nor a featurestate_uuid, by which identities are divided")
	}
	out.Salt = key + "," + x.Key
	return out, nil
}

// ordered returns the variants in the order in which they divide identities.
func ordered(s override) ([]variant, error) {
	list := slices.Clone(s.Variants)
	for i, v := range list {
		at := fmt.Sprintf("%s.multivariate_feature_state_values[%d]", s.at, i)
		switch {
		case v.Share < 0 || v.Share > 100:
			return nil, importer.Refusef(at+".percentage_allocation", "%v isn't from 0 to 100", v.Share)
		case (v.ID == nil) != (list[0].ID == nil):
			return nil, importer.Refusef(at+".id", "some of the variants have an id, and others don't")
		case v.ID == nil && len(v.UUID) != 36:
			return nil, importer.Refusef(at, "it has neither an id nor a mv_fs_value_uuid")
		}
	}
	slices.SortStableFunc(list, func(a, b variant) int {
		if a.ID != nil {
			return cmp.Compare(*a.ID, *b.ID)
		}
		return cmp.Compare(strings.ToLower(a.UUID), strings.ToLower(b.UUID))
	})
	return list, nil
}
