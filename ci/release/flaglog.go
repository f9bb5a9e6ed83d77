package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path"

	"github.com/serin-flags/serin/bundle"
)

// A FlagName names a flag.
type FlagName struct{ Namespace, Key string }

// A FlagChange is what a revision did to a flag.
type FlagChange string

// What a revision can do to a flag.
const (
	FlagAdded   FlagChange = "added"   // the revision before doesn't have the flag
	FlagChanged FlagChange = "changed" // or something that it refers to
	FlagRemoved FlagChange = "removed" // the revision doesn't have the flag
	// FlagUnknown means that the flag's namespace changed, but its content before or after that
	// can't be read any more, for instance because [GC] has removed it.
	FlagUnknown FlagChange = "unknown"
)

// A flagState is a flag in a revision.
type flagState struct {
	payload string // the SHA-256 of its namespace's payload, "" if there was none
	print   bundle.Fingerprint
	exists  bool
	known   bool
}

// flagChange returns what a revision did to the flag that is asked for, if there is one. older is
// nil if nothing came before.
func (l *logger) flagChange(ctx context.Context, older *record, newer record) (FlagChange, error) {
	if l.flag.Key == "" {
		return "", nil
	}
	before := ""
	if older != nil {
		before = older.payloads()[l.flag.Namespace]
	}
	if before == newer.payloads()[l.flag.Namespace] {
		return "", nil
	}
	now, err := l.flagIn(ctx, &newer)
	if err != nil {
		return "", err
	}
	was := flagState{known: true}
	if older != nil {
		if was, err = l.flagIn(ctx, older); err != nil {
			return "", err
		}
	}
	switch {
	case !was.known || !now.known:
		return FlagUnknown, nil
	case !was.exists && now.exists:
		return FlagAdded, nil
	case was.exists && !now.exists:
		return FlagRemoved, nil
	case was.print != now.print:
		return FlagChanged, nil
	}
	return "", nil
}

// flagIn returns the flag that is asked for in a revision. Content that is gone or damaged isn't
// an error, but unknown.
func (l *logger) flagIn(ctx context.Context, r *record) (flagState, error) {
	listed, ok := r.targets.Signed.Targets[path.Join(l.flag.Namespace, bundle.PayloadName)]
	if !ok {
		return flagState{known: true}, nil
	}
	s := flagState{payload: hex.EncodeToString(listed.Hashes["sha256"])}
	if l.last.payload == s.payload {
		return l.last, nil
	}
	if listed.Length > bundle.MaxPayloads {
		return s, nil
	}
	object, err := l.chain.source.Fetch(ctx, payloadName(l.flag.Namespace, s.payload), "", listed.Length)
	switch {
	case errors.Is(err, bundle.ErrNotFound), errors.Is(err, bundle.ErrTooLarge):
	case err != nil:
		return s, err
	default:
		if digest := sha256.Sum256(object.Data); hex.EncodeToString(digest[:]) != s.payload {
			break
		}
		prints, err := bundle.Fingerprints(object.Data)
		if err == nil {
			s.known = true
			s.print, s.exists = prints[l.flag.Key]
		}
	}
	l.last = s
	return s, nil
}
