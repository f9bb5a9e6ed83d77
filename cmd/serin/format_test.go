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
	n := clientNeed{namespace: "shop", need: bundle.Need{Feature: "hash:unleash", Flag: "cart", Rule: "half"}}
	want := `shop needs clients that know "hash:unleash": rule "half" of flag "cart" uses the hash "unleash"`
	if got := n.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	n.environments = []string{"staging", "test"}
	want = `shop needs clients that know "hash:unleash" in staging and test: rule "half" of flag "cart" uses the hash "unleash"`
	if got := n.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
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
		{nil, `shop needs clients that know "hash:unleash": rule "half" of flag "cart" uses the hash "unleash"
shop needs clients that know "op:bucket": segment "half" uses the condition "bucket"
`},
		{[]string{"production"}, `shop needs clients that know "op:bucket": segment "half" uses the condition "bucket"
`},
		{[]string{"production", "staging", "test"},
			`shop needs clients that know "hash:unleash" in staging and test: rule "half" of flag "cart" uses the hash "unleash"
shop needs clients that know "op:bucket": segment "half" uses the condition "bucket"
`},
	} {
		needs, err := clientNeeds(test.environments, compile)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, n := range needs {
			fmt.Fprintln(&got, n)
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
