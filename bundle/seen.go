package bundle

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// trusted is verified metadata: that of a release, or what a verifier has seen. Each
// update works on its own copy, which has what it has verified, even if it fails.
type trusted struct {
	root      *rootMetadata
	chain     []*rootMetadata // the roots after the pinned one
	timestamp *timestampMetadata
	snapshot  *snapshotMetadata
	targets   *targetsMetadata
}

// merge returns the newest that a or b has of each role, as far as the newest root's keys
// have signed it. If both have the same, it is a's.
func merge(a, b trusted) trusted {
	t, other := a, b
	if b.root.version > a.root.version {
		t, other = b, a
	}
	if t.root.content != other.root.content {
		other.root = t.root
		other.forget() // before it is mixed with what t's root vouches for
	}
	t.timestamp = newest(t.timestamp, other.timestamp)
	t.snapshot = newest(t.snapshot, other.snapshot)
	t.targets = newest(t.targets, other.targets)
	return t
}

// newest returns the one with the higher version. Either may be nil.
func newest[M interface {
	comparable
	head() *header
}](a, b M) M {
	var none M
	if a == none || b != none && b.head().version > a.head().version {
		return b
	}
	return a
}

// confirms reports whether t has nothing newer than r, except for targets that t's
// timestamp doesn't lead to.
func (t *trusted) confirms(r *Release) bool {
	return t.root.content == r.root.content &&
		t.timestamp != nil && t.timestamp.content == r.timestamp.content
}

// forget drops metadata that no key of the new root signed, and its versions with
// it, so that a thief who signed version 2^53 with a stolen key hasn't stopped
// updates for good (TUF 5.3.11): timestamp and snapshot if the keys of either are new.
func (t *trusted) forget() {
	vouched := func(h header, role string) bool {
		_, err := verified("", h.raw, t.root, role)
		return err == nil
	}
	if t.timestamp != nil && !vouched(t.timestamp.header, roleTimestamp) ||
		t.snapshot != nil && !vouched(t.snapshot.header, roleSnapshot) {
		t.timestamp, t.snapshot, t.targets = nil, nil, nil
	}
	if t.targets != nil && !vouched(t.targets.header, roleTargets) {
		t.targets = nil
	}
}

// remember makes t what v has seen. before is what v had seen when t was begun with,
// which t includes. What other updates have seen since stays.
func (v *Verifier) remember(t trusted, before *trusted) {
	for {
		next := t
		seen := v.seen.Load()
		if seen != before {
			next = merge(*seen, t)
		}
		if v.seen.CompareAndSwap(seen, &next) {
			return
		}
	}
}

// Seen returns what v has verified beyond what r has, for [Verifier.Remember] after a
// restart, or nil if there is nothing. r may be nil. The result is like a state, of at
// most [MaxState] bytes, none of them secret.
func (v *Verifier) Seen(r *Release) ([]byte, error) {
	seen := *v.seen.Load()
	had := trusted{root: v.root}
	if r != nil {
		had = r.trusted
	}
	// Whatever is older than what r has, r has superseded.
	seen = merge(had, seen)
	if seen.root == had.root && seen.timestamp == had.timestamp && seen.snapshot == had.snapshot &&
		seen.targets == had.targets {
		return nil, nil
	}
	return seen.encode("")
}

// Remember makes v remember what an earlier verifier of the same repository had seen,
// which [Verifier.Seen] or [Release.State] returned. It verifies everything again from
// the pinned root, and trusts nothing that isn't signed. It can't make v accept anything
// that v didn't accept before.
//
// If state is damaged, v remembers what is intact. The error, of type [*Error], is the
// first thing wrong with it.
func (v *Verifier) Remember(state []byte) error {
	stored, err := parseState(state)
	if err != nil {
		return err
	}
	t := *v.seen.Load()
	c := client{src: stateSource{state: stored}, ignoreExpiry: true}
	err = c.updateRoot(context.Background(), &t)
	if errOfRoles := t.readRoles(stored); err == nil {
		err = errOfRoles
	}
	v.remember(t, nil)
	return err
}

// readRoles adds to t what stored has of the roles other than root, as far as t's root
// vouches for it.
func (t *trusted) readRoles(stored storedState) error {
	found := trusted{root: t.root, chain: t.chain}
	_, current := stored.Objects[fmt.Sprintf("%d.root.json", t.root.version)]
	current = current || t.chain == nil
	var first error
	for _, name := range slices.Sorted(maps.Keys(stored.Objects)) {
		err := found.read(name, stored.Objects[name])
		if first == nil {
			first = err
		}
	}
	if first != nil && !current {
		// t has a newer root than stored. If that doesn't vouch for one of them, then
		// for none: see forget.
		return nil
	}
	*t = merge(*t, found)
	return first
}

// read adds an object to t if it is metadata of a role other than root.
func (t *trusted) read(name string, raw []byte) error {
	switch {
	case name == "timestamp.json":
		m, err := openAs(name, raw, t.root, roleTimestamp, parseTimestamp)
		if err != nil {
			return err
		}
		t.timestamp = newest(t.timestamp, m)
	case strings.HasSuffix(name, ".snapshot.json"):
		m, err := openAs(name, raw, t.root, roleSnapshot, parseSnapshot)
		if err != nil {
			return err
		}
		t.snapshot = newest(t.snapshot, m)
	case strings.HasSuffix(name, ".targets.json"):
		m, err := openAs(name, raw, t.root, roleTargets, parseTargets)
		if err != nil {
			return err
		}
		t.targets = newest(t.targets, m)
	}
	return nil
}
