package bundle

import (
	"errors"
	"fmt"
)

// Class is the kind of reason for which a repository was refused: coarse
// enough to be counted, precise enough to know whom to call.
type Class uint8

// The classes of refusal.
const (
	// Network: the source could not be read, or the context ended.
	Network Class = iota + 1
	// NotFound: an object that the repository must have is missing, or it
	// does not publish a namespace that was asked for.
	NotFound
	// Signature: too few valid signatures, or bytes that are not those
	// that were signed for: a wrong hash or length.
	Signature
	// Rollback: older than what was seen before, or than the least revision
	// that is accepted.
	Rollback
	// Expired: metadata that was not renewed in time.
	Expired
	// Malformed: not in the format, too large, or inconsistent in itself.
	Malformed
)

// String returns the name of the class as metrics and logs show it: "network",
// "not_found", "signature", "rollback", "expired" or "malformed".
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
	}
	return fmt.Sprintf("Class(%d)", uint8(c))
}

// MarshalText returns what String does.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// An Error says which object was refused and why. Every error of a [Verifier]
// is one.
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

// ClassOf returns the class of the [Error] that err is or wraps. It reports
// false if there is none.
func ClassOf(err error) (Class, bool) {
	var e *Error
	if !errors.As(err, &e) {
		return 0, false
	}
	return e.Class, true
}
