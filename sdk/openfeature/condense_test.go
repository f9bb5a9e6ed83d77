package openfeature

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/serin-flags/serin/sdk"
)

// TestCondense checks that of several events the latest state is left, and one
// change that has the keys of all.
func TestCondense(t *testing.T) {
	state := func(e of.EventType) of.Event { return of.Event{EventType: e} }
	change := func(keys ...string) of.Event {
		return of.Event{EventType: of.ProviderConfigChange,
			ProviderEventDetails: of.ProviderEventDetails{FlagChanges: keys}}
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

// TestStale holds when OpenFeature is told that flags may be out of date.
func TestStale(t *testing.T) {
	failed := errors.New("unreachable")
	for _, test := range []struct {
		status sdk.Status
		want   bool
	}{
		{sdk.Status{State: sdk.Fresh}, false},
		{sdk.Status{State: sdk.LastKnownGood}, false},
		{sdk.Status{State: sdk.LastKnownGood, LastError: failed}, true},
		{sdk.Status{State: sdk.LastKnownGood, Expired: true}, true},
		{sdk.Status{State: sdk.Stale, LastError: failed}, true},
		{sdk.Status{State: sdk.Empty, LastError: failed}, false},
	} {
		if got := stale(test.status); got != test.want {
			t.Errorf("%v, error %v, expired %v: %v", test.status.State, test.status.LastError, test.status.Expired, got)
		}
	}
}
