package openfeature

import (
	"slices"
	"sync"

	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/serin-flags/serin/sdk"
)

// EventChannel implements EventHandler. The events are:
//
//	PROVIDER_READY                  polling works again, or the first revision has arrived
//	PROVIDER_STALE                  the latest poll failed, an update is held back, or metadata has expired
//	PROVIDER_ERROR                  there is no revision, and the latest poll failed
//	PROVIDER_CONFIGURATION_CHANGED  flags have changed: FlagChanges has their keys, the metadata the revision
//
// Events that nobody receives don't block the client. When many have accumulated,
// they are reduced to the latest state and one event for all changes.
func (p *Provider) EventChannel() <-chan of.Event { return p.events.channel }

// onStatus is called when the client's status has changed.
func (p *Provider) onStatus(s sdk.Status) {
	details := of.ProviderEventDetails{Message: "flags are up to date"}
	event := of.ProviderReady
	switch {
	case s.State == sdk.Empty:
		event, details = of.ProviderError,
			of.ProviderEventDetails{Message: messageOf(s), ErrorCode: of.ProviderNotReadyCode}
	case stale(s):
		event, details.Message = of.ProviderStale, messageOf(s)
	}
	p.send(event, details)
}

// onChange is called when flags have changed. The first revision isn't a change: it
// makes the provider ready.
func (p *Provider) onChange(c sdk.Change) {
	if c.Before == nil {
		return
	}
	p.send(of.ProviderConfigChange, of.ProviderEventDetails{
		Message:       "flags have changed",
		FlagChanges:   slices.Clone(c.Keys),
		EventMetadata: map[string]any{toldRevision: c.After.Revision(), toldEnvironment: c.After.Environment()},
	})
}

// stale reports whether the client's flags may be out of date. Flags from the disk cache
// count as up to date until a poll has failed or they have expired.
func stale(s sdk.Status) bool {
	return s.State == sdk.Stale || s.State == sdk.LastKnownGood && (s.LastError != nil || s.Expired)
}

func messageOf(s sdk.Status) string {
	switch {
	case s.LastError != nil:
		return s.LastError.Error()
	case s.State == sdk.Empty:
		return noFlags
	}
	return "metadata has expired"
}

func (p *Provider) send(event of.EventType, details of.ProviderEventDetails) {
	p.events.send(of.Event{ProviderName: Name, EventType: event, ProviderEventDetails: details})
}

// maxEvents is how many events can wait to be received.
const maxEvents = 8

// A mailbox holds events until they are received.
type mailbox struct {
	channel chan of.Event

	mu sync.Mutex // held while sending
}

func newMailbox() *mailbox { return &mailbox{channel: make(chan of.Event, maxEvents)} }

// send adds an event. It never blocks.
func (m *mailbox) send(e of.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case m.channel <- e:
		return
	default:
	}
	var waiting []of.Event
	for len(waiting) < maxEvents {
		select {
		case old := <-m.channel:
			waiting = append(waiting, old)
			continue
		default: // somebody has started to receive
		}
		break
	}
	for _, e := range condense(append(waiting, e)) {
		m.channel <- e // there is room: nobody else sends
	}
}

// condense reduces events to at most two: the latest state, and one for all changes.
func condense(events []of.Event) []of.Event {
	var state, change []of.Event
	var keys []string
	for _, e := range events {
		if e.EventType != of.ProviderConfigChange {
			state = []of.Event{e}
			continue
		}
		keys = append(keys, e.FlagChanges...)
		slices.Sort(keys)
		keys = slices.Compact(keys)
		e.FlagChanges = keys
		change = []of.Event{e}
	}
	return append(state, change...)
}
