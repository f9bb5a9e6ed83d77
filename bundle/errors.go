package bundle

import (
	"errors"
	"fmt"
)

// Class says what kind of reason a repository was refused for. There are few, so
// that metrics can count them, and each points to who can help.
type Class uint8

// The classes of refusal.
const (
	// Network: the source could not be read, or the context ended.
	Network Class = iota + 1
	// NotFound: an object that the repository must have is missing, or a
	// requested namespace isn't published.
	NotFound
	// Signature: too few valid signatures, or bytes other than those that
	// were signed: a wrong hash or length.
	Signature
	// Rollback: older than what was seen before, or than
	// [VerifierConfig.MinRevision].
	Rollback
	// Expired: metadata that was not renewed in time.
	Expired
	// Malformed: not in the format, too large, or inconsistent. If the error
	// wraps [ErrUnsupported], the format is one that needs a newer client.
	Malformed
	// Conflict: two files with different content are validly signed as the same
	// version of the same role, and this is the second one. The first one counts.
	// Either two publishers share a key, or somebody else has it.
	Conflict
)

// String returns the name of the class as metrics and logs show it: "network",
// "not_found", "signature", "rollback", "expired", "malformed" or "conflict".
func (c Class) String() string {
	switch c {
	case Network:
		return "network"
	case NotFound:
		return "not_found"
	case Signature:
		return "signature"
	case Rollback:
		return "rollback"
	case Expired:
		return "expired"
	case Malformed:
		return "malformed"
	case Conflict:
		return "conflict"
	}
	return fmt.Sprintf("Class(%d)", uint8(c))
}

// MarshalText returns what String does.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// An Error says which object was refused and why. Every error that a [Verifier]
// returns is one.
type Error struct {
	Class  Class
	Object string // name as in [Source]
	Err    error  // never nil
}

// Error returns a line such as
// "verifying 4.snapshot.json: signature: 0 of 1 required signatures".
func (e *Error) Error() string {
	return fmt.Sprintf("verifying %s: %s: %v", e.Object, e.Class, e.Err)
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// ClassOf returns the class of the [Error] that err is or wraps, and false if
// there is none.
func ClassOf(err error) (Class, bool) {
	var e *Error
	if !errors.As(err, &e) {
		return 0, false
	}
	return e.Class, true
}
