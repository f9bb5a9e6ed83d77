package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/serin-flags/serin/bundle"
)

const (
	// targetsRenewal is how long before they expire targets are renewed.
	targetsRenewal = 30 * 24 * time.Hour
	// maxAttempts bounds how many races a publisher may lose. Each one means
	// that another publisher has succeeded.
	maxAttempts = 20
	// maxPassed bounds how many versions that are taken a publisher passes
	// over: the length of a history whose timestamp.json was deleted.
	maxPassed = 10_000
	// retryPause is the longest pause after the first lost race.
	retryPause = 50 * time.Millisecond
)

// Options say what to publish, where, and as whom.
type Options struct {
	Store       Store  // required
	Keys        Keys   // required
	Environment string // required; the one that Keys.Root names
	// Payloads are the whole content, one for each namespace. A namespace
	// that is published but isn't among them is withdrawn.
	Payloads []bundle.Payload
	// Renew asks for new signatures for what is published, whatever it is;
	// Payloads must be empty. It belongs on a schedule, at least once in
	// [TimestampLifetime]. Since it takes the store's word for what is the
	// newest, it refuses metadata that has expired already: to recover from
	// that, publish from the source.
	Renew bool
	// Rollback, if not 0, asks to publish the content of that revision again;
	// Payloads must be empty. It must be in the history that [Log] reads, and
	// be signed with keys that are trusted now, or have only payloads that a
	// later revision had that is. Commit and Dirty of the provenance are then
	// those of the old revision.
	Rollback int64
	// Provenance says where the content comes from. Its last four fields are
	// filled in.
	Provenance Provenance
	// DryRun does everything but write.
	DryRun bool
	// Now is the clock. Nil: [time.Now].
	Now func() time.Time
}

// A Report says what a publication did or, if it was a dry run, would have done.
type Report struct {
	// Revision is the one that is published now, and Previous the one before
	// it: the same if the content is the same, 0 if there was none.
	Revision, Previous int64
	// Added, Changed and Removed are the namespaces that differ, sorted.
	Added, Changed, Removed []string
	// Formats are the namespaces whose payloads change their format, or that are
	// new and have one that not all clients know, sorted.
	Formats []FormatChange
	// Content is the hash of what is published: see [Provenance.Content].
	Content string
	// Objects are the names of what was put, in order, and Bytes is their
	// length. Both are empty if everything was as it should be. After a lost
	// race they include what was put in vain.
	Objects []string
	Bytes   int64
	// Expires is when clients begin to report the release as stale, unless it
	// is renewed before.
	Expires time.Time
	// RootExpires is when the root does: from then on clients refuse
	// everything, and only root keys can help.
	RootExpires time.Time
	// TargetsExpire is set by a renewal that had no key for targets: when they
	// expire. A publication, or a renewal with that key, has to come before.
	TargetsExpire time.Time
}

// A FormatChange says that the payload of a namespace has another format than the
// one before.
type FormatChange struct {
	Namespace string
	// Before is 0 if the namespace is new.
	Before, After int
	// Features are what clients must know to read it: see [bundle.Needs].
	Features []string
}

// Publish makes opts.Payloads the content of the store, or what an earlier revision
// had, or renews what is there.
//
// What is there already is verified first, from the pinned root. That it has
// expired is no obstacle, except to Renew; that it was signed with other keys,
// or tampered with, is. (Deleting timestamp.json then makes Publish start anew,
// with versions above all that are taken.)
//
// If the content is the same already, and no metadata is in the last half of its
// life, nothing is done. If other publishers work at the same time they follow
// each other, in any order; a publisher that only ever loses returns an error that
// wraps [ErrConflict]. After any error the store serves what it did before, and
// Publish can be called again.
func Publish(ctx context.Context, opts Options) (Report, error) {
	p, err := newPublisher(opts)
	if err != nil {
		return Report{}, fmt.Errorf("publishing %s: %w", opts.Environment, err)
	}
	for attempt := 1; ; attempt++ {
		err := p.attempt(ctx)
		if err == nil {
			return p.report, nil
		}
		if !errors.Is(err, errLostRace) {
			return Report{}, fmt.Errorf("publishing %s: %w", opts.Environment, err)
		}
		if attempt == maxAttempts {
			return Report{}, fmt.Errorf("publishing %s: %w: other publishers were faster %d times", opts.Environment, ErrConflict, attempt)
		}
		select {
		case <-ctx.Done():
			return Report{}, fmt.Errorf("publishing %s: %w", opts.Environment, ctx.Err())
		case <-time.After(rand.N(retryPause * time.Duration(attempt))):
		}
	}
}

// errLostRace says that timestamp.json changed after it was read.
var errLostRace = errors.New("another publisher was faster")

// A publisher is one call of [Publish].
type publisher struct {
	Options
	verifier *bundle.Verifier
	newer    map[string][]byte // Keys.Newer, by name
	files    map[string]file   // by namespace
	report   Report
	// pending is what this attempt has put, or would have, by name.
	pending map[string][]byte
}

// A file is an encoded payload.
type file struct {
	sha256 [sha256.Size]byte
	data   []byte
}

func newPublisher(opts Options) (*publisher, error) {
	switch {
	case opts.Store == nil || opts.Keys.Online == nil:
		return nil, errors.New("a store and an online key are required")
	case opts.Renew && (len(opts.Payloads) > 0 || opts.Rollback != 0):
		return nil, errors.New("a renewal takes no payloads, and is no rollback")
	case opts.Rollback < 0, opts.Rollback > 0 && len(opts.Payloads) > 0:
		return nil, errors.New("a rollback takes a revision, 1 or more, and no payloads")
	case !opts.Renew && opts.Rollback == 0 && len(opts.Payloads) == 0:
		return nil, errors.New("there are no namespaces to publish")
	}
	if err := opts.Provenance.check(); err != nil {
		return nil, fmt.Errorf("stating the provenance: %w", err)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	verifier, err := bundle.NewVerifier(bundle.VerifierConfig{Root: opts.Keys.Root})
	if err != nil {
		return nil, fmt.Errorf("reading the pinned root: %w", err)
	}
	if env := verifier.Environment(); env != opts.Environment {
		return nil, fmt.Errorf("the keys are those of environment %q", env)
	}
	p := &publisher{Options: opts, verifier: verifier, files: make(map[string]file)}
	if p.newer, err = newerRoots(opts.Keys); err != nil {
		return nil, err
	}
	for _, payload := range opts.Payloads {
		namespace := payload.Namespace
		if payload.Environment != opts.Environment {
			return nil, fmt.Errorf("namespace %q was compiled for environment %q", namespace, payload.Environment)
		}
		if !bundle.ValidNamespace(namespace) {
			return nil, fmt.Errorf("%q can't be the name of a namespace", namespace)
		}
		if _, ok := p.files[namespace]; ok {
			return nil, fmt.Errorf("namespace %q is there twice", namespace)
		}
		data, err := bundle.EncodePayload(payload)
		if err != nil {
			return nil, fmt.Errorf("encoding namespace %q: %w", namespace, err)
		}
		p.files[namespace] = file{sha256.Sum256(data), data}
	}
	return p, nil
}

// attempt publishes upon the state that it finds, or returns errLostRace if that
// state changed meanwhile.
func (p *publisher) attempt(ctx context.Context) error {
	p.pending = make(map[string][]byte)
	now := p.Now()
	cur, err := p.current(ctx, now)
	if err != nil {
		return err
	}
	if err := p.checkRoot(cur, now); err != nil {
		return err
	}
	if p.Rollback > 0 {
		if err := p.restore(ctx, cur); err != nil {
			return err
		}
	}
	if err := p.compare(cur); err != nil {
		return err
	}
	p.report.RootExpires = cur.root.Signed.Expires
	newTargets, err := p.needsTargets(ctx, cur, now)
	if err != nil {
		return err
	}
	if cur.vouched {
		// Clients can see newer roots at once.
		if err := p.putRoots(ctx, cur); err != nil {
			return err
		}
	}
	if !newTargets && !p.Renew && !renewalDue(cur.release.Versions(), now) {
		p.report.Expires = cur.release.Expires()
		return nil
	}
	return p.write(ctx, cur, newTargets, now)
}

// write publishes what p has found out about cur.
func (p *publisher) write(ctx context.Context, cur *state, newTargets bool, now time.Time) error {
	if err := p.putPayloads(ctx); err != nil {
		return err
	}
	if cur.release == nil {
		if err := p.putRoot(ctx, cur.pinned, p.Keys.Root); err != nil {
			return err
		}
	}
	targets := cur.describeTargets()
	if newTargets {
		var err error
		if targets, err = p.putTargets(ctx, cur, now); err != nil {
			return err
		}
	}
	snapshot, err := p.putSnapshot(ctx, cur, targets, now)
	if err != nil {
		return err
	}
	return p.putTimestamp(ctx, cur, snapshot, now)
}

// A state is what a publication is built upon.
type state struct {
	pinned  int64           // the version of the pinned root
	root    root            // the newest, be it in the store or not
	release *bundle.Release // nil if nothing is published
	etag    string          // of timestamp.json
	// lacking are the names of roots that the store doesn't have yet.
	lacking []string
	// vouched says that what is published is signed as the newest root says. If
	// not, before is the root that it is signed for.
	vouched bool
	before  root
}

// maxUnvouched is the version above which the numbers of what only replaced keys
// have signed are not continued: a thief may have chosen them so that none are
// left. Clients that see the new root forget them too.
const maxUnvouched = 1 << 40

func (s *state) versions() bundle.Versions {
	if s.release == nil {
		return bundle.Versions{}
	}
	v := s.release.Versions()
	if !s.vouched && max(v.Timestamp.Version, v.Snapshot.Version, v.Targets.Version) > maxUnvouched {
		return bundle.Versions{}
	}
	return v
}

// payloads returns the SHA-256 of what is published, by namespace.
func (s *state) payloads() map[string]string {
	payloads := make(map[string]string)
	if s.release != nil {
		for _, p := range s.release.Payloads() {
			payloads[p.Namespace] = p.SHA256
		}
	}
	return payloads
}

// previous returns the link to the revision that is published, or nil.
func (s *state) previous() *link {
	if s.release == nil {
		return nil
	}
	return linkTo(s.release.Revision(), s.release.Metadata().Targets)
}

// describeTargets returns the snapshot's entry for the targets that are
// published, or nil.
func (s *state) describeTargets() *metadata.MetaFiles {
	if s.release == nil {
		return nil
	}
	return describe(s.release.Revision(), s.release.Metadata().Targets)
}

// current returns the published state, verified.
func (p *publisher) current(ctx context.Context, now time.Time) (*state, error) {
	from := &source{store: p.Store, roots: p.newer}
	var release *bundle.Release
	var err error
	if p.Renew {
		release, err = p.verifier.Update(ctx, from, nil, now)
	} else { // publishing is how one recovers from expired metadata
		release, err = p.verifier.UpdateIgnoreExpiry(ctx, from)
	}
	cur := &state{release: release, etag: from.etag, lacking: from.lacking, vouched: true}
	pinned, parseErr := parseRoot(p.Keys.Root)
	if parseErr != nil {
		return nil, fmt.Errorf("reading the root: %w", parseErr)
	}
	cur.pinned, cur.root = pinned.Signed.Version, pinned
	class, _ := bundle.ClassOf(err)
	switch {
	case err == nil:
		cur.root, err = parseRoot(release.Metadata().Root)
		return cur, err
	case nothingPublished(err) && p.Renew:
		return nil, errors.New("there is nothing to renew: nothing is published")
	case nothingPublished(err):
		cur.lacking, err = p.newest(cur)
		return cur, err
	case class == bundle.Signature && len(p.newer) > 0:
		return p.beforeRotation(ctx, cur, refusal(err))
	}
	return nil, refusal(err)
}

// nothingPublished reports whether err says that there is no timestamp.json.
func nothingPublished(err error) bool {
	var refused *bundle.Error
	return errors.As(err, &refused) && refused.Class == bundle.NotFound && refused.Object == timestampName
}

// refusal says what to do about an err that the verifier found.
func refusal(err error) error {
	class, _ := bundle.ClassOf(err)
	switch class {
	case bundle.Network:
		return err
	case bundle.Expired:
		return fmt.Errorf("%w: publish from the source to recover", err)
	}
	if errors.Is(err, bundle.ErrUnsupported) {
		return fmt.Errorf("what is published was made by a newer version: %w", err)
	}
	return fmt.Errorf("refusing to build upon what is published, which belongs to other keys or was tampered with "+
		"(if the keys are right, delete %s and publish again): %w", timestampName, err)
}

// compare notes in the report what is different from cur.
func (p *publisher) compare(cur *state) error {
	r := &p.report
	r.Previous, r.Revision = cur.versions().Targets.Version, cur.versions().Targets.Version
	if p.Renew {
		r.Content = contentHash(cur.payloads())
		return nil
	}
	r.Added, r.Changed, r.Removed = differences(cur.payloads(), p.hashes())
	r.Content = contentHash(p.hashes())
	var err error
	r.Formats, err = p.formats(cur)
	return err
}

// formats returns the namespaces whose format changes.
func (p *publisher) formats(cur *state) (changes []FormatChange, err error) {
	before := make(map[string]int)
	if cur.release != nil {
		for _, payload := range cur.release.Payloads() {
			label, err := bundle.ReadLabel(payload.Data)
			if err != nil {
				return nil, err
			}
			before[payload.Namespace] = label.Format
		}
	}
	for _, namespace := range sorted(p.files) {
		label, err := bundle.ReadLabel(p.files[namespace].data)
		if err != nil {
			return nil, err
		}
		was := before[namespace]
		if label.Format != max(was, 1) {
			changes = append(changes, FormatChange{namespace, was, label.Format, label.Features})
		}
	}
	return changes, nil
}

// hashes returns the SHA-256 of what is to be published, by namespace.
func (p *publisher) hashes() map[string]string {
	hashes := make(map[string]string)
	for namespace, file := range p.files {
		hashes[namespace] = hex.EncodeToString(file.sha256[:])
	}
	return hashes
}

// differences compares payloads, given as their hashes by namespace.
func differences(before, after map[string]string) (added, changed, removed []string) {
	for _, namespace := range sorted(after) {
		switch before[namespace] {
		case after[namespace]:
		case "":
			added = append(added, namespace)
		default:
			changed = append(changed, namespace)
		}
	}
	for _, namespace := range sorted(before) {
		if _, ok := after[namespace]; !ok {
			removed = append(removed, namespace)
		}
	}
	return added, changed, removed
}

// needsTargets reports whether there is to be another revision.
func (p *publisher) needsTargets(ctx context.Context, cur *state, now time.Time) (bool, error) {
	r := &p.report
	if cur.release == nil || !cur.vouched || len(r.Added)+len(r.Changed)+len(r.Removed) > 0 {
		return true, nil
	}
	targets := cur.versions().Targets
	if due := targets.Expires.Sub(now) < targetsRenewal; due || p.Renew {
		return due && p.signer(cur.root, metadata.TARGETS) != nil, nil
	}
	// The content is the same, but there is a later revision that isn't
	// published. If it was once, and somebody has put an old timestamp.json
	// back, clients that saw it accept nothing that is older. So this content
	// takes a revision of its own. Not in a renewal, though, where the content
	// is what the store says it is: that would help whoever put it back.
	_, err := p.get(ctx, versionedName(targets.Version+1, metadata.TARGETS), 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err == nil || errors.Is(err, bundle.ErrTooLarge):
		return true, nil
	}
	return false, err
}

// renewalDue reports whether metadata should be signed anew although the content
// is the same.
func renewalDue(v bundle.Versions, now time.Time) bool {
	return v.Timestamp.Expires.Sub(now) < TimestampLifetime/2 || v.Snapshot.Expires.Sub(now) < SnapshotLifetime/2
}
