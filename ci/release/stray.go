package release

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/serin-flags/serin/bundle"
)

// A place says where in a history a number was found that isn't part of it. It decides
// what a signed object there can be.
type place uint8

const (
	aboveAll      place = iota // after the newest revision
	betweenLinked              // between two revisions that follow each other
	belowAll                   // before all revisions that are known
)

// stray returns the entry for a number that isn't part of the history, and whether there
// is an object of that number.
func (l *logger) stray(ctx context.Context, revision int64, at place) (Entry, bool, error) {
	l.strays--
	raw, err := l.chain.fetch(ctx, revision, maxTargets)
	switch {
	case errors.Is(err, bundle.ErrNotFound):
		return Entry{}, false, nil
	case err != nil && !errors.Is(err, bundle.ErrTooLarge):
		return Entry{}, false, err
	}
	entry := Entry{Revision: revision, Standing: StandingUntrusted}
	signed, err := signedPart(l.chain.root, metadata.TARGETS, raw)
	if err != nil {
		return entry, true, nil
	}
	r, err := newRecord(revision, signed)
	if err != nil {
		return entry, true, nil
	}
	entry.Standing = [...]Standing{
		aboveAll: StandingNewer, betweenLinked: StandingLeftBehind, belowAll: StandingUnlinked,
	}[at]
	entry.Signed, entry.Provenance = true, r.provenance
	return entry, true, nil
}

var errUnsigned = errors.New("not signed by enough trusted keys")

// signedPart verifies the metadata of a role, which may be anything, against a root. It
// returns metadata that holds what was signed and nothing else.
func signedPart(root *metadata.Metadata[metadata.RootType], role string, raw []byte) ([]byte, error) {
	var envelope struct {
		Signed     json.RawMessage `json:"signed"`
		Signatures []struct {
			KeyID     string            `json:"keyid"`
			Signature metadata.HexBytes `json:"sig"`
		} `json:"signatures"`
	}
	if err := json.Unmarshal(raw, &envelope); err != nil {
		return nil, err
	}
	message, err := canonical(envelope.Signed)
	if err != nil {
		return nil, err
	}
	by := root.Signed.Roles[role]
	have := 0
	for _, id := range by.KeyIDs {
		public, err := root.Signed.Keys[id].ToPublicKey()
		if err != nil {
			return nil, err
		}
		for _, s := range envelope.Signatures {
			if s.KeyID == id && verifies(public, message, s.Signature) {
				have++
				break
			}
		}
	}
	if have < by.Threshold {
		return nil, errUnsigned
	}
	return fmt.Appendf(nil, `{"signatures":[],"signed":%s}`, message), nil
}

// canonical returns the canonical form of JSON, over which signatures are.
func canonical(raw []byte) ([]byte, error) {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // the canonical form has integers, of any size
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return cjson.EncodeCanonical(value)
}
