package openfeature

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	of "github.com/open-feature/go-sdk/openfeature"
)

// TestCondense checks that of several events the latest state is left, and one
// change that has the keys of all.
func TestCondense(t *testing.T) {
	state := func(e of.EventType) of.Event { return of.Event{EventType: e} }
	change := func(keys ...string) of.Event {
		return of.Event{EventType: of.ProviderConfigChange, ProviderEventDetails: of.ProviderEventDetails{FlagChanges: keys}}
	}
	for _, test := range []struct{ in, want []of.Event }{
		{nil, nil},
		{[]of.Event{state(of.ProviderStale), state(of.ProviderReady)}, []of.Event{state(of.ProviderReady)}},
		{[]of.Event{change("b", "d"), change("a", "b")}, []of.Event{change("a", "b", "d")}},
		{[]of.Event{change("b"), state(of.ProviderReady), change("a"), state(of.ProviderStale)},
			[]of.Event{state(of.ProviderStale), change("a", "b")}},
	} {
		if diff := cmp.Diff(test.want, condense(test.in)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.in, diff)
		}
	}
}
