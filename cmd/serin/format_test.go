package main

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/evaluator"
)

func TestFormatChange(t *testing.T) {
	for _, test := range []struct {
		change release.FormatChange
		want   string
	}{
		{release.FormatChange{Namespace: "shop", Before: 1, After: 2, Features: []string{"hash:unleash", "op:bucket"}},
			"format   shop: 2, before 1, for clients that know hash:unleash, op:bucket; " + olderClients},
		{release.FormatChange{Namespace: "shop", After: 2, Features: []string{"op:bucket"}},
			"format   shop: 2, for clients that know op:bucket; " + olderClients},
		{release.FormatChange{Namespace: "shop", Before: 2, After: 1}, "format   shop: 1, before 2, which all clients know"},
	} {
		if got := formatChange(test.change); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

func TestClientNeed(t *testing.T) {
	need := bundle.Need{Feature: "hash:unleash", Flag: "cart", Rule: "half"}
	var many []clientNeed
	for i := range maxNeeding + 7 {
		many = append(many, clientNeed{namespace: fmt.Sprintf("n%02d", i), need: need})
	}
	for _, test := range []struct {
		needs []clientNeed
		want  string
	}{
		{many[:1], `namespace n00 needs clients that know "hash:unleash": rule "half" of flag "cart" uses the hash "unleash"; other clients that read it keep their last revision, in all their namespaces
`},
		{[]clientNeed{{"shop", need, []string{"staging", "test"}}},
			`namespace shop needs clients that know "hash:unleash" in staging and test: rule "half" of flag "cart" uses the hash "unleash"; other clients that read it keep their last revision, in all their namespaces
`},
		{[]clientNeed{
			{"a", bundle.Need{Feature: "hash:unleash", Flag: "cart", Rule: "half", More: 3}, nil},
			{"a", bundle.Need{Feature: "op:bucket", Segment: "half"}, nil},
			{"b", need, nil}, {"c", need, []string{"test"}}, {"d", need, nil},
		}, `namespaces a, b and d need clients that know "hash:unleash": rule "half" of flag "cart" and 5 more use the hash "unleash"; other clients that read one of them keep their last revision, in all their namespaces
namespace a needs clients that know "op:bucket": segment "half" uses the condition "bucket"; other clients that read it keep their last revision, in all their namespaces
namespace c needs clients that know "hash:unleash" in test: rule "half" of flag "cart" uses the hash "unleash"; other clients that read it keep their last revision, in all their namespaces
`},
		{many, `namespaces n00, n01, n02, n03, n04, n05, n06, n07, n08, n09 and 7 more need clients that know "hash:unleash": rule "half" of flag "cart" and 16 more use the hash "unleash"; other clients that read one of them keep their last revision, in all their namespaces
`},
		{nil, ""},
	} {
		var got strings.Builder
		for _, note := range needNotes(test.needs) {
			fmt.Fprintln(&got, note)
		}
		if got.String() != test.want {
			t.Errorf("got\n%swant\n%s", &got, test.want)
		}
	}
}

// TestClientNeeds holds that what several environments need is said once.
func TestClientNeeds(t *testing.T) {
	bucket := evaluator.Segment{Name: "half", When: &evaluator.Condition{Op: evaluator.OpBucket}}
	flag := evaluator.Flag{Key: "cart", Rules: []evaluator.Rule{
		{Name: "half", Split: &evaluator.Split{Bucketing: evaluator.Bucketing{Hash: "unleash"}}},
	}}
	compile := func(env string) ([]bundle.Payload, error) {
		shop, search := bundle.Payload{Namespace: "shop"}, bundle.Payload{Namespace: "search"}
		shop.Ruleset.Segments = []evaluator.Segment{bucket}
		if env != "production" {
			shop.Ruleset.Flags = []evaluator.Flag{flag}
		}
		return []bundle.Payload{shop, search}, nil
	}
	for _, test := range []struct {
		environments []string
		want         string
	}{
		{nil, `shop []: rule "half" of flag "cart" uses the hash "unleash"
shop []: segment "half" uses the condition "bucket"
`},
		{[]string{"production"}, `shop []: segment "half" uses the condition "bucket"
`},
		{[]string{"production", "staging", "test"}, `shop [staging test]: rule "half" of flag "cart" uses the hash "unleash"
shop []: segment "half" uses the condition "bucket"
`},
	} {
		needs, err := clientNeeds(test.environments, compile)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, n := range needs {
			fmt.Fprintf(&got, "%s %v: %s\n", n.namespace, n.environments, n.need)
		}
		if got.String() != test.want {
			t.Errorf("in %q:\n%swant\n%s", test.environments, got.String(), test.want)
		}
	}
}

// TestNewNeeds holds that what was needed before isn't new.
func TestNewNeeds(t *testing.T) {
	needing := func(namespaces ...string) (payloads []bundle.Payload) {
		for _, ns := range namespaces {
			set := evaluator.Ruleset{Segments: []evaluator.Segment{{Name: "half",
				When: &evaluator.Condition{Op: evaluator.OpBucket}}}}
			payloads = append(payloads, bundle.Payload{Namespace: ns, Ruleset: set})
		}
		return payloads
	}
	got := newNeeds([]diff.Pair{
		{Environment: "production", Old: needing("cart"), New: needing("cart", "shop")},
		{Environment: "staging", Old: needing("cart", "shop"), New: needing("shop")},
	})
	want := []clientNeed{{"shop", bundle.Need{Feature: "op:bucket", Segment: "half"}, []string{"production"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
