package bundle

import (
	"errors"
	"time"
)

// A Release is one whole verified state of a repository. It is immutable and
// safe for concurrent use; what its methods return must not be modified.
type Release struct {
	environment string
	versions    Versions
	payloads    []VerifiedPayload
	metadata    Metadata
}

// Versions are the versions of the metadata behind a [Release].
type Versions struct {
	Root, Timestamp, Snapshot, Targets RoleVersion
}

// A RoleVersion is the version of one role's metadata, and when it expires.
type RoleVersion struct {
	Version int64 // 1 or more
	Expires time.Time
}

// A VerifiedPayload is the payload of one namespace, as published.
type VerifiedPayload struct {
	Namespace string
	SHA256    string // of Data, in lower-case hexadecimal
	Data      []byte // for [DecodePayload]
}

// Metadata is the metadata behind a [Release], byte for byte as published.
type Metadata struct {
	Root, Timestamp, Snapshot, Targets []byte
}

// Environment returns the environment that the release belongs to.
func (r *Release) Environment() string { return r.environment }

// Revision returns the version of the targets metadata: it changes exactly when
// the content of any namespace does.
func (r *Release) Revision() int64 { return r.versions.Targets.Version }

// Versions returns the versions of all metadata.
func (r *Release) Versions() Versions { return r.versions }

// Expires returns the time from which on the release is stale: when the first
// of its metadata expires.
func (r *Release) Expires() time.Time {
	t := r.versions.Root.Expires
	for _, v := range []RoleVersion{r.versions.Timestamp, r.versions.Snapshot, r.versions.Targets} {
		if v.Expires.Before(t) {
			t = v.Expires
		}
	}
	return t
}

// Payloads returns the payloads, sorted by namespace.
func (r *Release) Payloads() []VerifiedPayload { return r.payloads }

// Metadata returns the raw metadata.
func (r *Release) Metadata() Metadata { return r.metadata }

// State returns what [Verifier.Restore] needs to make this release again after a
// restart, except for the payloads, which the caller keeps by their SHA-256. It
// holds nothing secret and at most [MaxState] bytes.
func (r *Release) State() ([]byte, error) {
	return nil, errors.New("not available yet")
}
