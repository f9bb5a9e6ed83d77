package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/serin-flags/serin/bundle"
)

// Content is what a revision has beside its metadata.
type Content struct {
	// Payloads are the flags, one payload for each namespace. Published namespaces that are
	// missing here are removed.
	Payloads []bundle.Payload
	// Files are further targets, by their path: [FileNames] only, each of at most 16 MiB. Clients
	// ignore them.
	Files map[string][]byte
	// SameCommit says that the content comes from what is published, and not from flag
	// files: Commit, CommitTime and Dirty of the provenance stay as they are published.
	SameCommit bool
}

// FileNames are the paths of [Content.Files]: how far plans have got, and the plans.
var FileNames = []string{"releases.lock", "releases.json"}

// maxFile is the length in bytes of the longest of [Content.Files].
const maxFile = 16 << 20

// A Published is a revision that [Options.Content] builds on.
type Published struct {
	Revision int64 // 0: nothing is published
	// Payloads are the payloads, encoded, by namespace, and Lists are those that they refer to.
	Payloads   map[string][]byte
	Lists      []*bundle.List
	Files      map[string][]byte
	Provenance Provenance
}

// Decode returns the payloads, sorted by namespace.
func (p Published) Decode() ([]bundle.Payload, error) {
	var payloads []bundle.Payload
	for _, namespace := range slices.Sorted(maps.Keys(p.Payloads)) {
		payload, err := bundle.DecodePayload(p.Payloads[namespace], p.Lists...)
		if err != nil {
			return nil, fmt.Errorf("reading the published flags of %s: %w", namespace, err)
		}
		if payload.Namespace != namespace {
			return nil, fmt.Errorf("reading the published flags of %s: they are of namespace %q", namespace,
				payload.Namespace)
		}
		payloads = append(payloads, payload)
	}
	return payloads, nil
}

// setContent encodes the content to publish.
func (p *publisher) setContent(c Content) error {
	p.files, p.lists, p.further = make(map[string]file), make(map[string]*bundle.List), make(map[string]file)
	if len(c.Payloads) == 0 {
		return errors.New("there are no namespaces to publish")
	}
	for _, payload := range c.Payloads {
		namespace := payload.Namespace
		if payload.Environment != p.Environment {
			return fmt.Errorf("namespace %q was compiled for environment %q", namespace, payload.Environment)
		}
		if !bundle.ValidNamespace(namespace) {
			return fmt.Errorf("%q can't be the name of a namespace", namespace)
		}
		if _, ok := p.files[namespace]; ok {
			return fmt.Errorf("namespace %q occurs twice", namespace)
		}
		data, lists, err := bundle.EncodePayload(payload)
		if err != nil {
			return fmt.Errorf("encoding namespace %q: %w", namespace, err)
		}
		p.files[namespace] = newFile(data)
		for _, l := range lists {
			p.lists[l.SHA256] = l
		}
	}
	for name, data := range c.Files {
		if !isFurther(name) {
			return fmt.Errorf("%q can't be the name of a file", name)
		}
		if len(data) > maxFile {
			return fmt.Errorf("%s is longer than %d bytes", name, maxFile)
		}
		p.further[name] = newFile(data)
	}
	return nil
}

func newFile(data []byte) file { return file{sha256.Sum256(data), data} }

// isFurther reports whether a target path is one of [FileNames].
func isFurther(name string) bool { return name == FileNames[0] || name == FileNames[1] }

// build sets the content to publish to what [Options.Content] makes of what is published.
func (p *publisher) build(ctx context.Context, cur *state) error {
	if p.Content == nil || p.Renew {
		return nil
	}
	current, err := p.published(ctx, cur)
	if err != nil {
		return err
	}
	var restored *Published
	if p.Rollback > 0 {
		restored = &Published{Revision: p.Rollback, Payloads: make(map[string][]byte), Files: make(map[string][]byte),
			Provenance: p.Provenance}
		for namespace, f := range p.files {
			restored.Payloads[namespace] = f.data
		}
		for _, hash := range sorted(p.lists) {
			restored.Lists = append(restored.Lists, p.lists[hash])
		}
		for name, f := range p.further {
			restored.Files[name] = f.data
		}
	}
	content, err := p.Content(ctx, current, restored)
	if err != nil {
		return err
	}
	if content.SameCommit {
		was := current.Provenance
		p.Provenance.Commit, p.Provenance.CommitTime, p.Provenance.Dirty = was.Commit, was.CommitTime, was.Dirty
	}
	return p.setContent(content)
}

// published returns what cur has.
func (p *publisher) published(ctx context.Context, cur *state) (Published, error) {
	out := Published{Payloads: make(map[string][]byte), Files: make(map[string][]byte)}
	if cur.release == nil || !cur.vouched {
		return out, nil
	}
	r, err := out.fill(cur.release)
	if err != nil {
		return out, err
	}
	for name, target := range furtherOf(&r.targets.Signed) {
		data, err := p.target(ctx, furtherName(name, hashOf(target)), hashOf(target), target.Length)
		if err != nil {
			return out, fmt.Errorf("reading %s of revision %d: %w", name, r.revision, err)
		}
		out.Files[name] = data
	}
	return out, nil
}

// furtherOf returns the targets that are [Content.Files].
func furtherOf(targets *metadata.TargetsType) map[string]*metadata.TargetFiles {
	further := make(map[string]*metadata.TargetFiles)
	for _, name := range FileNames {
		if target := targets.Targets[name]; target != nil && target.Length <= maxFile {
			further[name] = target
		}
	}
	return further
}

func hashOf(target *metadata.TargetFiles) string { return hex.EncodeToString(target.Hashes["sha256"]) }

// furtherName returns the name of one of [Content.Files] with the given SHA-256.
func furtherName(name, hash string) string { return path.Join("targets", hash+"."+name) }
