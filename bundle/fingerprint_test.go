package bundle_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
)

// related returns a ruleset whose flags refer to things and to each other: "a" to
// nothing, "b" to the attribute city, "c" to the segment inner by way of outer, "d"
// to the zone, "e" to c, "f" to the prerequisite by way of e, "g" to the device and
// the shop.
func related() evaluator.Ruleset {
	flag := func(key string, when *evaluator.Condition) evaluator.Flag {
		return evaluator.Flag{
			Key: key, Type: evaluator.KindBool, Default: 1,
			Variants: []evaluator.Variant{{Name: "on", Value: evaluator.BoolValue(true)},
				{Name: "off", Value: evaluator.BoolValue(false)}},
			Rules: []evaluator.Rule{{Name: "rule", When: when}},
		}
	}
	in := func(segment string) *evaluator.Condition {
		return &evaluator.Condition{Op: evaluator.OpInSegment, Attribute: "user", Strings: []string{segment}}
	}
	serves := func(keys ...string) *evaluator.Condition {
		all := &evaluator.Condition{Op: evaluator.OpAll}
		for _, key := range keys {
			all.Of = append(all.Of, evaluator.Condition{Op: evaluator.OpServes, Strings: []string{key, "on"}})
		}
		return all
	}
	g := flag("g", nil)
	g.Rules[0].Split = &evaluator.Split{Bucketing: evaluator.Bucketing{By: "device", Salt: "s",
		Hash: evaluator.HashMurmur3}, Ranges: []evaluator.Range{{To: evaluator.Positions}}}
	g.Reserved = &evaluator.Reservation{Layer: "l",
		Bucketing: evaluator.Bucketing{By: "shop", Salt: "l", Hash: evaluator.HashMurmur3},
		Spans:     []evaluator.Span{{To: 5}}}
	return evaluator.Ruleset{
		Unit: "user",
		Attributes: []evaluator.Attribute{
			{Name: "user", Type: evaluator.AttrString}, {Name: "city", Type: evaluator.AttrString}, {Name: "device",
				Type: evaluator.AttrString},
			{Name: "shop", Type: evaluator.AttrString},
		},
		Zones: []evaluator.Zone{{Name: "Asia/Shanghai", Offsets: []evaluator.Offset{{Seconds: 8 * 3600}}}},
		Segments: []evaluator.Segment{
			{Name: "outer", When: in("inner")},
			{Name: "inner", Include: []string{"u-1"}},
			{Name: "unused", Include: []string{"u-1"}},
		},
		Flags: []evaluator.Flag{
			flag("a", nil),
			flag("b", &evaluator.Condition{Op: evaluator.OpExists, Attribute: "city"}),
			flag("c", in("outer")),
			flag("d", &evaluator.Condition{Op: evaluator.OpWindow, Strings: []string{"Asia/Shanghai"},
				Ints: []int64{127, 0, 3600}}),
			flag("e", serves("c", "other")),
			flag("f", serves("e")),
			g,
		},
		Prerequisites: []evaluator.Flag{flag("other", nil)},
	}
}

func fingerprints(t *testing.T, set evaluator.Ruleset) map[string]bundle.Fingerprint {
	t.Helper()
	data, _, err := bundle.EncodePayload(bundle.Payload{Environment: "production", Namespace: "one", Ruleset: set})
	if err != nil {
		t.Fatal(err)
	}
	prints, err := bundle.Fingerprints(data)
	if err != nil {
		t.Fatal(err)
	}
	return prints
}

// TestFingerprints changes one thing at a time, and expects other fingerprints of
// the flags that depend on it, and of no others.
func TestFingerprints(t *testing.T) {
	before := fingerprints(t, related())
	if keys := slices.Sorted(maps.Keys(before)); len(keys) != 7 {
		t.Errorf("fingerprints of %v", keys)
	}
	for _, test := range []struct {
		name   string
		change func(*evaluator.Ruleset)
		want   []string
	}{
		{"nothing", func(*evaluator.Ruleset) {}, nil},
		{"a value", func(s *evaluator.Ruleset) { s.Flags[0].Disabled = true }, []string{"a"}},
		{"a rule's name", func(s *evaluator.Ruleset) { s.Flags[1].Rules[0].Name = "other" }, []string{"b"}},
		{"staleness", func(s *evaluator.Ruleset) { s.Flags[0].Stale = &evaluator.Staleness{After: 1} }, []string{"a"}},
		{"metadata", func(s *evaluator.Ruleset) {
			s.Flags[0].Metadata = []evaluator.Attr{evaluator.NewAttr("owner",
				"x")}
		}, []string{"a"}},
		{"a type", func(s *evaluator.Ruleset) { s.Attributes[1].Type = evaluator.AttrInteger }, []string{"b"}},
		{"the type of the unit of a split", func(s *evaluator.Ruleset) { s.Attributes[2].Type = evaluator.AttrInteger },
			[]string{"g"}},
		{"the type of the unit of a layer", func(s *evaluator.Ruleset) { s.Attributes[3].Type = evaluator.AttrInteger },
			[]string{"g"}},
		{"a layer", func(s *evaluator.Ruleset) { s.Flags[6].Reserved.Spans[0].To = 6 }, []string{"g"}},
		{"the unit of a split", func(s *evaluator.Ruleset) { s.Flags[6].Rules[0].Split.By = "user" }, []string{"g"}},
		{"another flag", func(s *evaluator.Ruleset) { s.Flags[2].Default = 0 }, []string{"c", "e", "f"}},
		{"a segment of a segment", func(s *evaluator.Ruleset) { s.Segments[1].Include = []string{"u-2"} },
			[]string{"c", "e", "f"}},
		{"an unused segment", func(s *evaluator.Ruleset) { s.Segments[2].Include = []string{"u-2"} }, nil},
		{"the zone", func(s *evaluator.Ruleset) { s.Zones[0].Offsets[0].Seconds = 0 }, []string{"d"}},
		{"a prerequisite", func(s *evaluator.Ruleset) { s.Prerequisites[0].Default = 0 }, []string{"e", "f"}},
		{"the unit", func(s *evaluator.Ruleset) { s.Unit = "device" }, []string{"a", "b", "c", "d", "e", "f", "g"}},
		{"order", func(s *evaluator.Ruleset) {
			slices.Reverse(s.Flags)
			slices.Reverse(s.Segments)
			slices.Reverse(s.Attributes)
		}, nil},
	} {
		set := related()
		test.change(&set)
		var got []string
		after := fingerprints(t, set)
		for _, key := range slices.Sorted(maps.Keys(before)) {
			if after[key] != before[key] {
				got = append(got, key)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: changed flags (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestFingerprintsOfNoPayload(t *testing.T) {
	if prints, err := bundle.Fingerprints([]byte("x")); err == nil {
		t.Errorf("fingerprints %v", prints)
	}
}
