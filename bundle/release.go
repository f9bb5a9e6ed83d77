package bundle

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Release is a complete, verified state of a repository. It is immutable and
// safe for concurrent use. Callers must not modify what its methods return.
type Release struct {
	verifier *Verifier
	trusted
	etag     string // of timestamp.json
	payloads []VerifiedPayload
}

// Versions are the versions of a [Release]'s metadata.
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
	Data      []byte // for [CompilePayload]; only its label has been read
	// Lists are those that the payload refers to. Payloads that refer to the same list,
	// also of a release and the one before it, have the same *List.
	Lists []*List

	label label
}

// Public says what [Payload.Public] does.
func (p VerifiedPayload) Public() bool { return p.label.public }

// Metadata is the metadata of a [Release], byte for byte as published.
type Metadata struct {
	Root, Timestamp, Snapshot, Targets []byte
}

// Environment returns the environment that the release belongs to.
func (r *Release) Environment() string { return r.root.environment }

// Revision returns the version of the targets metadata. It grows whenever the
// content of a namespace changes, and also once a year, when targets are renewed
// before they expire. There may be gaps.
func (r *Release) Revision() int64 { return r.targets.version }

// Versions returns the versions of all metadata.
func (r *Release) Versions() Versions {
	return Versions{
		Root:      r.root.roleVersion(),
		Timestamp: r.timestamp.roleVersion(),
		Snapshot:  r.snapshot.roleVersion(),
		Targets:   r.targets.roleVersion(),
	}
}

// Expires returns the time at which the first of the release's metadata expires.
// From then on the release is stale.
func (r *Release) Expires() time.Time {
	v := r.Versions()
	return slices.MinFunc(
		[]time.Time{v.Root.Expires, v.Timestamp.Expires, v.Snapshot.Expires, v.Targets.Expires},
		time.Time.Compare,
	)
}

// Payloads returns the payloads, sorted by namespace.
func (r *Release) Payloads() []VerifiedPayload { return r.payloads }

// payload returns the payload of a namespace. r may be nil.
func (r *Release) payload(namespace string) (VerifiedPayload, bool) {
	if r == nil {
		return VerifiedPayload{}, false
	}
	i, ok := slices.BinarySearchFunc(r.payloads, namespace, func(p VerifiedPayload, namespace string) int {
		return strings.Compare(p.Namespace, namespace)
	})
	if !ok {
		return VerifiedPayload{}, false
	}
	return r.payloads[i], true
}

// Lists returns the lists that payloads refer to, by SHA-256. r may be nil.
func (r *Release) Lists() map[string]*List {
	lists := make(map[string]*List)
	if r != nil {
		for _, p := range r.payloads {
			for _, l := range p.Lists {
				lists[l.SHA256] = l
			}
		}
	}
	return lists
}

// Metadata returns the raw metadata.
func (r *Release) Metadata() Metadata {
	return Metadata{r.root.raw, r.timestamp.raw, r.snapshot.raw, r.targets.raw}
}

// stateFormat is the version of storedState.
const stateFormat = 1

// storedState is a small repository: the objects that lead from the pinned root to
// the release, by their names in [Source].
type storedState struct {
	Format  int               `json:"format"`
	ETag    string            `json:"etag"`
	Objects map[string][]byte `json:"objects"`
}

// State returns what [Verifier.Restore] needs to restore this release after a
// restart, except for the payloads and lists, which the caller keeps by their SHA-256. It
// has at most [MaxState] bytes, none of them secret.
func (r *Release) State() ([]byte, error) {
	return r.encode(r.etag)
}

// encode returns t as a state.
func (t *trusted) encode(etag string) ([]byte, error) {
	objects := make(map[string][]byte)
	for _, root := range t.chain {
		objects[fmt.Sprintf("%d.root.json", root.version)] = root.raw
	}
	if t.timestamp != nil {
		objects["timestamp.json"] = t.timestamp.raw
	}
	if t.snapshot != nil {
		objects[fmt.Sprintf("%d.snapshot.json", t.snapshot.version)] = t.snapshot.raw
	}
	if t.targets != nil {
		objects[fmt.Sprintf("%d.targets.json", t.targets.version)] = t.targets.raw
	}
	data, err := json.Marshal(storedState{stateFormat, etag, objects})
	if err != nil {
		return nil, fmt.Errorf("encoding state: %w", err)
	}
	if len(data) > MaxState {
		return nil, fmt.Errorf("encoding state: %w", ErrTooLarge)
	}
	return data, nil
}
