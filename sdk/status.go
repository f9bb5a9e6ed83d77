package sdk

import (
	"time"

	"github.com/serin-flags/serin/bundle"
)

// State says how far what a [Client] serves can be relied on.
type State uint8

// The states of a client. It starts Empty, or LastKnownGood if the disk cache
// holds a good revision. Once a poll has succeeded it is Fresh or Stale for
// good.
const (
	// Empty: there is no revision. Handles serve their defaults.
	Empty State = iota
	// LastKnownGood: the revision comes from the disk cache, and no poll
	// has succeeded since [Open].
	LastKnownGood
	// Fresh: the latest poll succeeded, and no part of the metadata has
	// expired.
	Fresh
	// Stale: a poll has succeeded since [Open], but the latest one failed
	// or part of the metadata has expired. The revision is served on.
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

// MarshalText returns what String does.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Status is the condition of a [Client] at one moment.
type Status struct {
	State       State
	Environment string    // as the pinned root names it
	Revision    int64     // of the flags served; 0: none
	Updated     time.Time // when this client began to serve Revision; zero: never
	Checked     time.Time // when a poll last succeeded; zero: never
	Expires     time.Time // when the first part of the metadata expires; zero: no revision
	NextPoll    time.Time // when the next poll is due; zero: the client doesn't poll, or is closed
	// LastError is why the latest poll failed; nil if it succeeded or there
	// was none yet.
	LastError error
	// Errors counts, since [Open], the polls that failed and the contents
	// of the disk cache that were refused, by class. The map is the caller's.
	Errors map[bundle.Class]int64
	// CacheError is why the disk cache could not be read at the start or
	// written last; nil if it is in order, still empty, or not used.
	CacheError error
}

// state is all that a client knows, published whole and never modified.
type state struct {
	snapshot *Snapshot       // nil: none yet
	release  *bundle.Release // the latest good one; its content is snapshot's
	saved    *bundle.Release // the latest that the disk cache holds, or holds a newer one than

	updated, checked, next time.Time // as in Status
	probed                 time.Time // when a newer root was last looked for

	failures int                         // polls that failed in a row
	err      error                       // of the latest poll
	errors   [bundle.Malformed + 1]int64 // by class
	cacheErr error
}

// status returns what the client tells about a state at a given time.
func (s *state) status(environment string, now time.Time) Status {
	st := Status{
		Environment: environment,
		Revision:    s.snapshot.Revision(),
		Updated:     s.updated,
		Checked:     s.checked,
		NextPoll:    s.next,
		LastError:   s.err,
		Errors:      make(map[bundle.Class]int64),
		CacheError:  s.cacheErr,
	}
	for class, n := range s.errors {
		if n > 0 {
			st.Errors[bundle.Class(class)] = n
		}
	}
	if s.release == nil {
		return st
	}
	st.Expires = s.release.Expires()
	switch {
	case s.checked.IsZero():
		st.State = LastKnownGood
	case s.err != nil || !now.Before(st.Expires):
		st.State = Stale
	default:
		st.State = Fresh
	}
	return st
}
