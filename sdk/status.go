package sdk

import (
	"log/slog"
	"strings"
	"time"

	"github.com/serin-flags/serin/bundle"
)

// State says how far what a [Client] serves can be relied on.
type State uint8

// The states of a client. It starts Empty, or LastKnownGood if the disk cache or
// a baked-in copy has a good revision. Once a poll has succeeded it is Fresh or Stale for
// good.
const (
	// Empty: there is no revision. Handles serve their defaults.
	Empty State = iota
	// LastKnownGood: the revision comes from the disk cache or a baked-in
	// copy, and no poll has succeeded since [Open].
	LastKnownGood
	// Fresh: the latest poll succeeded, and no part of the metadata has
	// expired.
	Fresh
	// Stale: a poll has succeeded since [Open], but the latest one failed,
	// or an update is held back, or part of the metadata has expired. The
	// revision is served on.
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
	// Age is how long ago the source last had nothing newer than Revision,
	// before a restart with a disk cache too. It is what max_stale of flags
	// is about. 0 if there is no revision; -1 if it isn't known, as of a
	// baked-in copy.
	Age time.Duration
	// Bytes is how long the payloads of Revision are, as published.
	Bytes int64
	// Downloaded is how many bytes the source has given since [Open].
	Downloaded int64
	// Polls counts, since [Open], the polls that succeeded.
	Polls int64
	// LastError is why the latest poll failed; nil if it succeeded or there
	// was none yet. [bundle.ClassOf] tells its class; it has none if it
	// wraps [ErrHeldBack].
	LastError error
	// Errors counts, since [Open], the polls that failed and the contents
	// of the disk cache and of [Config].Baked that were refused, by class.
	// The map is the caller's.
	Errors map[bundle.Class]int64
	// CacheError is why the disk cache could not be read at the start or
	// written last; nil if it is in order, still empty, or not used.
	CacheError error
	// BakedError is why [Config].Baked could not be used; nil if it could, or
	// there is none.
	BakedError error
	// FallbackError is why, during the latest poll, the first source of a
	// [Fallback] was not enough; nil if it was.
	FallbackError error
	// Held is the update that is held back, nil if there is none: see
	// [Config].MaxShrink.
	Held *HeldBack
	// Mismatches counts, since [Open], the flags that a handle of another type
	// asked for, once for each revision. The log names them.
	Mismatches int64
}

// String returns the condition in one line.
func (s Status) String() string {
	var b strings.Builder
	for i, a := range s.attrs() {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(a.String())
	}
	return b.String()
}

// LogValue implements [slog.LogValuer]: the condition as a group.
func (s Status) LogValue() slog.Value { return slog.GroupValue(s.attrs()...) }

// attrs returns what logs show: always the same, and of the rest what there is.
func (s Status) attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("state", s.State.String()),
		slog.String("environment", s.Environment),
		slog.Int64("revision", s.Revision),
	}
	if s.Age >= 0 {
		attrs = append(attrs, slog.Duration("age", s.Age.Truncate(time.Second)))
	} else {
		attrs = append(attrs, slog.String("age", "unknown"))
	}
	attrs = append(attrs, slog.Int64("bytes", s.Bytes), slog.Int64("downloaded", s.Downloaded))
	if !s.NextPoll.IsZero() {
		attrs = append(attrs, slog.String("next_poll", s.NextPoll.UTC().Format(time.RFC3339)))
	}
	for class := range bundle.Malformed + 1 {
		if n := s.Errors[class]; n > 0 {
			attrs = append(attrs, slog.Int64("errors_"+class.String(), n))
		}
	}
	if s.Mismatches > 0 {
		attrs = append(attrs, slog.Int64("mismatches", s.Mismatches))
	}
	if s.Held != nil {
		attrs = append(attrs, slog.Int64("held", s.Held.Revision))
	}
	for _, e := range []struct {
		name string
		err  error
	}{{"error", s.LastError}, {"cache_error", s.CacheError}, {"baked_error", s.BakedError}, {"fallback_error", s.FallbackError}} {
		if e.err != nil {
			attrs = append(attrs, slog.String(e.name, e.err.Error()))
		}
	}
	return attrs
}

// state is all that a client knows, published whole and never modified.
type state struct {
	snapshot *Snapshot       // nil: none yet
	release  *bundle.Release // the latest good one; its content is snapshot's
	saved    *bundle.Release // the latest that the disk cache holds, or holds a newer one than
	held     *bundle.Release // the latest one, if it is held back
	heldBack loss            // and why
	origin   string          // of the first snapshot, for logs

	updated, checked, next time.Time // as in Status
	confirmed              time.Time // checked, with the monotonic clock's reading, or what the disk cache says
	probed                 time.Time // when a newer root was last looked for

	polls    int64                       // that succeeded
	failures int                         // polls that failed in a row
	err      error                       // of the latest poll
	errors   [bundle.Malformed + 1]int64 // by class
	cacheErr error
	bakedErr error
	fallback error // Status.FallbackError
}

// latest returns the release that the next poll goes on from.
func (s *state) latest() *bundle.Release {
	if s.held != nil {
		return s.held
	}
	return s.release
}

// status returns what the client tells about a state at a given time.
func (s *state) status(environment string, record *record, now time.Time) Status {
	st := Status{
		Environment:   environment,
		Revision:      s.snapshot.Revision(),
		Updated:       s.updated,
		Checked:       s.checked,
		NextPoll:      s.next,
		Downloaded:    record.downloaded.Load(),
		Polls:         s.polls,
		LastError:     s.err,
		Errors:        make(map[bundle.Class]int64),
		CacheError:    s.cacheErr,
		BakedError:    s.bakedErr,
		FallbackError: s.fallback,
		Mismatches:    record.mismatches.Load(),
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
	for _, p := range s.release.Payloads() {
		st.Bytes += int64(len(p.Data))
	}
	st.Age = -1
	if !s.confirmed.IsZero() {
		st.Age = elapsed(s.confirmed, now)
	}
	if s.held != nil {
		st.Held = s.heldBack.describe(s.held.Revision())
	}
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
