package sdk

import (
	"log/slog"
	"strings"
	"time"

	"github.com/serin-flags/serin/bundle"
)

// State says how far one can rely on what a [Client] serves.
type State uint8

// The states of a client. It starts Empty, or LastKnownGood if the disk cache or a
// baked-in copy has a good revision. After the first successful poll it is always
// Fresh or Stale.
const (
	// Empty: there is no revision. Handles serve their defaults.
	Empty State = iota
	// LastKnownGood: the revision comes from the disk cache or a baked-in
	// copy, and no poll has succeeded since [Open]. [Status].Expired says
	// whether it should have been renewed by now.
	LastKnownGood
	// Fresh: the latest poll succeeded, and no part of the metadata has
	// expired.
	Fresh
	// Stale: a poll has succeeded since [Open], but the latest one failed,
	// or an update is held back, or part of the metadata has expired. The
	// client keeps serving its revision.
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

// MarshalText returns the same text as String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Status describes a [Client] at one moment.
type Status struct {
	State       State
	Environment string    // as the pinned root names it
	Revision    int64     // of the flags served; 0: none
	Updated     time.Time // when this client started to serve Revision; zero: never
	Checked     time.Time // when a poll last succeeded; zero: never
	Expires     time.Time // when the first part of the metadata expires; zero: no revision
	Expired     bool      // Expires has passed, in any State: the flags may be long out of date
	NextPoll    time.Time // when the next poll is due; zero: the client doesn't poll, or is closed
	// Age is the time since the source last had nothing newer than Revision,
	// which may have been before a restart if there is a disk cache. max_stale
	// limits it. 0 if there is no revision; -1 if it is unknown, as for a
	// baked-in copy.
	Age time.Duration
	// Bytes is the size of the payloads and lists of Revision, as published.
	Bytes int64
	// Downloaded is how many bytes the source has sent since [Open].
	Downloaded int64
	// Polls counts the polls that have succeeded since [Open].
	Polls int64
	// LastError is why the latest poll failed; nil if it succeeded or there
	// was none yet. [bundle.ClassOf] returns its class. It has none if it
	// wraps [ErrHeldBack].
	LastError error
	// Errors counts by class, since [Open], the polls that failed and the
	// refused contents of the disk cache and of [Config].Baked. The caller
	// may modify the map.
	Errors map[bundle.Class]int64
	// CacheError is why the disk cache couldn't be read at the start, or
	// couldn't be written the last time, or not in time; nil if it works, is
	// still empty, or isn't used.
	CacheError error
	// BakedError is why [Config].Baked wasn't usable; nil if it was, or there
	// is none.
	BakedError error
	// FallbackError is why the first source of a [Fallback] wasn't enough
	// for the latest poll; nil if it was.
	FallbackError error
	// Held is the update that is held back, nil if there is none: see
	// [Config].MaxShrink.
	Held *HeldBack
	// Mismatches counts the flags that a handle of another type has evaluated
	// since [Open], once per revision. The log names them.
	Mismatches int64
	// Missing are the keys of flags that the program has asked for and that
	// Revision lacks, so that it got the default: sorted, at most 100, those of
	// handles first. The log names each once per revision.
	Missing []string
	// UnusedAttributes are the names of attributes that contexts had and that no
	// flag of Revision uses, which are often misspelt: sorted, at most 100. Not
	// every context is looked at, only a sample. The log names each once per
	// revision. A namespace that the client doesn't load may use them.
	UnusedAttributes []string
	// MistypedAttributes are the names of attributes whose values had another
	// type than the flag files declare, such as text for an integer, or that
	// can't be read as a version or an IP address. Rules don't match such
	// values. Otherwise like UnusedAttributes.
	MistypedAttributes []string
}

// String returns the status in one line.
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

// LogValue implements [slog.LogValuer]. It returns a group.
func (s Status) LogValue() slog.Value { return slog.GroupValue(s.attrs()...) }

// attrs returns the attributes for logs: some always, the others if there is
// something to report.
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
	for class := range bundle.Conflict + 1 {
		if n := s.Errors[class]; n > 0 {
			attrs = append(attrs, slog.Int64("errors_"+class.String(), n))
		}
	}
	if s.Expired {
		attrs = append(attrs, slog.Bool("expired", true))
	}
	if s.Mismatches > 0 {
		attrs = append(attrs, slog.Int64("mismatches", s.Mismatches))
	}
	for _, list := range []struct {
		name  string
		names []string
	}{{"missing", s.Missing}, {"unused_attributes", s.UnusedAttributes},
		{"mistyped_attributes", s.MistypedAttributes}} {
		if n := len(list.names); n > 0 {
			attrs = append(attrs, slog.Int(list.name, n))
		}
	}
	if s.Held != nil {
		attrs = append(attrs, slog.Int64("held", s.Held.Revision))
	}
	for _, e := range []struct {
		name string
		err  error
	}{{"error", s.LastError}, {"cache_error", s.CacheError}, {"baked_error", s.BakedError},
		{"fallback_error", s.FallbackError}} {
		if e.err != nil {
			attrs = append(attrs, slog.String(e.name, e.err.Error()))
		}
	}
	return attrs
}

// A state is everything a client knows. It is published as a whole and never modified.
type state struct {
	snapshot *Snapshot       // nil: none yet
	release  *bundle.Release // the latest good one; its content is snapshot's
	saved    *bundle.Release // the disk cache has this one or a newer one; nil: unknown
	held     *bundle.Release // the latest one, if it is held back
	heldBack loss            // why it is
	origin   string          // of the first snapshot, for logs

	updated, checked, next time.Time // as in Status
	confirmed              time.Time // checked, with a monotonic reading, or what the disk cache says
	probed                 time.Time // when the client last looked for a newer root

	polls    int64                      // that succeeded
	failures int                        // polls that failed in a row
	err      error                      // of the latest poll
	errors   [bundle.Conflict + 1]int64 // by class
	cacheErr error
	bakedErr error
	fallback error // Status.FallbackError
}

// latest returns the release that the next poll updates.
func (s *state) latest() *bundle.Release {
	if s.held != nil {
		return s.held
	}
	return s.release
}

// status returns the status of a client in this state at a given time.
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
	found := &s.snapshot.found
	st.Missing = sorted(&found.missing, &found.unnamed)
	st.UnusedAttributes, st.MistypedAttributes = sorted(&found.unknown), sorted(&found.illTyped)
	st.Expires = s.release.Expires()
	st.Expired = !now.Before(st.Expires)
	for _, data := range contents(s.release) {
		st.Bytes += int64(len(data))
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
	case s.err != nil || st.Expired:
		st.State = Stale
	default:
		st.State = Fresh
	}
	return st
}
