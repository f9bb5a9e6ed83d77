package release

import (
	"context"
	"fmt"

	"github.com/serin-flags/serin/bundle"
)

// Inspect reads and verifies what is published, from the pinned root, with the files that
// clients don't read: [Content.Files]. It ignores expiry. If nothing is published, the error
// is that of [bundle.Verifier.Update].
func Inspect(ctx context.Context, from bundle.Source, root []byte) (Published, error) {
	out := Published{Payloads: make(map[string][]byte), Files: make(map[string][]byte)}
	verifier, err := bundle.NewVerifier(bundle.VerifierConfig{Root: root})
	if err != nil {
		return out, fmt.Errorf("reading the pinned root: %w", err)
	}
	release, err := verifier.UpdateIgnoreExpiry(ctx, from)
	if err != nil {
		return out, fmt.Errorf("reading what is published: %w", err)
	}
	r, err := out.fill(release)
	if err != nil {
		return out, err
	}
	for name, target := range furtherOf(&r.targets.Signed) {
		data, err := fetchTarget(ctx, from, furtherName(name, hashOf(target)), hashOf(target), target.Length)
		if err != nil {
			return out, fmt.Errorf("reading %s of revision %d: %w", name, r.revision, err)
		}
		out.Files[name] = data
	}
	return out, nil
}

// fill takes from a release all but the files.
func (p *Published) fill(release *bundle.Release) (record, error) {
	r, err := newRecord(release.Revision(), release.Metadata().Targets)
	if err != nil {
		return r, err
	}
	p.Revision, p.Provenance = r.revision, r.provenance
	for _, payload := range release.Payloads() {
		p.Payloads[payload.Namespace] = payload.Data
		p.Lists = append(p.Lists, payload.Lists...)
	}
	return r, nil
}
