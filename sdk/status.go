package sdk

import (
	"time"

	"github.com/serin-flags/serin/bundle"
)

// State says how far what a [Client] serves can be relied on.
type State uint8

// The states of a client. It starts Empty, or LastKnownGood if the disk cache
// holds a good revision, and never becomes either again once a poll succeeded.
const (
	// Empty: there is no revision. Handles serve their defaults.
	Empty State = iota
	// LastKnownGood: the revision comes from the disk cache, and no poll
	// has succeeded since the program started.
	LastKnownGood
	// Fresh: the latest poll succeeded, and no part of the metadata has
	// expired.
	Fresh
	// Stale: the revision was confirmed by a poll of this client, but
	// either the latest poll failed or part of the metadata has expired
	// since. The revision is served on.
	Stale
)

// String returns "EMPTY", "LAST-KNOWN-GOOD", "FRESH" or "STALE".
func (s State) String() string {
	switch s {
	case LastKnownGood:
		return "LAST-KNOWN-GOOD"
	case Fresh:
		return "FRESH"
	case Stale:
		return "STALE"
	}
	return "EMPTY"
}

// Status is the condition of a [Client] at one moment.
type Status struct {
	State       State
	Environment string    // as the pinned root names it
	Revision    int64     // of the flags served; 0: none
	Updated     time.Time // when this client began to serve Revision; zero: never
	Checked     time.Time // when a poll last succeeded; zero: never
	Expires     time.Time // when the metadata of Revision expires; zero: no revision
	NextPoll    time.Time // when the next poll is due; zero: none is planned
	// LastError is why the latest poll failed; nil if it succeeded.
	LastError error
	// Errors counts, since [Open], the polls that failed and the contents
	// of the disk cache that were refused, by class. The map is the caller's.
	Errors map[bundle.Class]int64
	// CacheError is why the disk cache could not be read at the start, or
	// written last; nil if it is in order or there is none.
	CacheError error
}
