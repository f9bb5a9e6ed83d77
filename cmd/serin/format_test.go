package main

import (
	"testing"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/release"
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
