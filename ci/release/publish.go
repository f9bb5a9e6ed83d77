package release

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/serin-flags/serin/bundle"
)

const (
	// targetsRenewal is how long before their expiry targets are renewed.
	targetsRenewal = 30 * 24 * time.Hour
	// raceLimit is how long a publisher that loses races tries again. In each of
	// them, another publisher succeeded.
	raceLimit = 2 * time.Minute
	// The pause after a lost race is random. Its upper bound doubles from firstPause
	// to longestPause, so that any number of publishers spread out.
	firstPause, longestPause = 50 * time.Millisecond, 5 * time.Second
	// maxSkipped is how many taken versions a publisher skips. There are many
	// if the timestamp.json of a long history was deleted.
	maxSkipped = 10_000
	// maxRechecks is after how many of them, at most, a publisher looks again whether
	// it has lost the race.
	maxRechecks = 100
)

// Options specify a publication.
type Options struct {
	Store       Store  // required
	Keys        Keys   // required
	Environment string // required; the one that Keys.Root names
	// Payloads are the whole content, one for each namespace. Published
	// namespaces that are missing here are removed.
	Payloads []bundle.Payload
	// Content, if not nil, makes the content in place of Payloads. It is called in each
	// attempt with what is published then, so that a publisher which has lost a race builds
	// on what the other one has published. In a rollback restored is the revision to go back
	// to, and otherwise nil. An error ends the publication, and is that of Publish.
	Content func(ctx context.Context, published Published, restored *Published) (Content, error)
	// Renew signs what is published again, so that it expires later; Payloads
	// must be empty. Run it on a schedule, at least once per
	// [TimestampLifetime]. A renewal trusts the store to hold the newest
	// release, so it refuses metadata that has expired. To recover from that,
	// publish from the flag files.
	Renew bool
	// Rollback, if not 0, publishes the content of that revision again;
	// Payloads must be empty. The revision must be in the history that [Log]
	// reads. Each of its payloads must be in a revision, this one or a later
	// one, that is signed with keys that are trusted now. Commit, CommitTime and
	// Dirty of the provenance are taken from the old revision.
	Rollback int64
	// Provenance says where the content comes from. Publish fills in its last
	// four fields.
	Provenance Provenance
	// Supersedes, if not nil, decides whether Payloads may replace a published
	// revision, which comes from what published says: an older commit must not
	// replace a newer one. Its error is that of Publish, which then has written
	// nothing in this attempt. It is called in each attempt that would make a
	// revision, because a publisher that lost a race finds another revision. It is
	// not called for a renewal or a rollback, nor if only keys that are no longer
	// trusted have signed what is published.
	//
	// A publication that changes nothing leaves the published revision, and its
	// provenance, as they are.
	Supersedes func(ctx context.Context, revision int64, published Provenance) error
	// DryRun does everything except writing.
	DryRun bool
	// Now is the clock. If it is nil, [time.Now] is used.
	Now func() time.Time
}

// A Report says what a publication did or, in a dry run, would have done.
type Report struct {
	// Revision is the published revision, and Previous the one that was
	// published before: the same if nothing changed, 0 if there was none.
	Revision, Previous int64
	// Added, Changed and Removed are the namespaces that differ, sorted.
	Added, Changed, Removed []string
	// Files reports that [Content.Files] differ.
	Files bool
	// Formats are the namespaces whose payload format changes, and new ones whose
	// format not all clients know, sorted.
	Formats []FormatChange
	// Content is the hash of what is published: see [Provenance.Content].
	Content string
	// Objects are the names of the objects that were put, in order, and Bytes
	// is their total length. They include objects put before a lost race.
	Objects []string
	Bytes   int64
	// Expires is when clients start to report the release as stale, unless it
	// is renewed before.
	Expires time.Time
	// RootExpires is when the root expires. From then on, clients refuse
	// everything until the root keys sign a new root.
	RootExpires time.Time
	// TargetsExpire is set by a renewal that had no key for targets. A
	// publication, or a renewal with that key, must happen before then.
	TargetsExpire time.Time
}

// A FormatChange says that the payload of a namespace has a different format than
// before.
type FormatChange struct {
	Namespace string
	// Before is 0 if the namespace is new.
	Before, After int
	// Features are what clients need to support to read it: see [bundle.Needs].
	Features []string
}

// Publish publishes opts.Payloads or the content of an earlier revision, or renews
// what is published.
//
// It first verifies what is published from the pinned root. It ignores expiry there,
// except for Renew, but refuses content that was tampered with or signed with other
// keys. (If you delete timestamp.json then, Publish starts over, with versions above
// all that are taken.)
//
// If the content is already published and its metadata is in the first half of its
// lifetime, Publish does nothing. Concurrent publishers succeed one after the other,
// in any order. One that has lost races for two minutes returns an error that wraps
// [ErrConflict]. One whose clock is behind that of the last publisher is refused,
// because what it signs would expire early.
// After an error the store still serves what it did before, and Publish can be called
// again.
func Publish(ctx context.Context, opts Options) (Report, error) {
	p, err := newPublisher(opts)
	if err != nil {
		return Report{}, fmt.Errorf("publishing %s: %w", opts.Environment, err)
	}
	began := time.Now()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := p.attempt(ctx)
		if err == nil {
			return p.report, nil
		}
		if !errors.Is(err, errLostRace) {
			return Report{}, fmt.Errorf("publishing %s: %w", opts.Environment, err)
		}
		if time.Since(began) >= raceLimit {
			return Report{}, fmt.Errorf("publishing %s: %w: other publishers were faster for %v",
				opts.Environment, ErrConflict, raceLimit)
		}
		select {
		case <-ctx.Done():
			return Report{}, fmt.Errorf("publishing %s: %w", opts.Environment, ctx.Err())
		case <-time.After(rand.N(pause)):
		}
	}
}

// errLostRace reports that timestamp.json changed after it was read.
var errLostRace = errors.New("another publisher was faster")

// A publisher is one call of [Publish].
type publisher struct {
	Options
	verifier *bundle.Verifier
	newer    map[string][]byte       // Keys.Newer, by name
	files    map[string]file         // by namespace
	further  map[string]file         // Content.Files
	lists    map[string]*bundle.List // that files refer to, by SHA-256
	report   Report
	// pending is what this attempt has put or, in a dry run, would have.
	pending map[string][]byte
	// payloads are the payloads and lists that any attempt has put, by name, and whether
	// they existed before.
	payloads map[string]bool
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
	case opts.Renew && (len(opts.Payloads) > 0 || opts.Content != nil || opts.Rollback != 0):
		return nil, errors.New("a renewal takes neither payloads nor a revision to roll back to")
	case opts.Rollback < 0, opts.Rollback > 0 && len(opts.Payloads) > 0:
		return nil, errors.New("a rollback takes a revision, 1 or more, and no payloads")
	case opts.Content != nil && len(opts.Payloads) > 0:
		return nil, errors.New("payloads and a function that makes the content don't go together")
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
		return nil, fmt.Errorf("the keys are those of environment %q: name those of %q", env, opts.Environment)
	}
	p := &publisher{
		Options: opts, verifier: verifier, payloads: make(map[string]bool),
	}
	if p.newer, err = newerRoots(opts.Keys); err != nil {
		return nil, err
	}
	if opts.Content == nil && !opts.Renew && opts.Rollback == 0 {
		return p, p.setContent(Content{Payloads: opts.Payloads})
	}
	return p, nil
}

// attempt publishes on top of the state that it finds. It returns errLostRace if that
// state changed in the meantime.
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
	if err := p.build(ctx, cur); err != nil {
		return err
	}
	if err := p.compare(cur); err != nil {
		return err
	}
	p.report.RootExpires = cur.root.Signed.Expires
	newTargets, err := p.needsTargets(ctx, cur, now)
	if err != nil {
		return err
	}
	if newTargets {
		if err := p.supersedes(ctx, cur); err != nil {
			return err
		}
	}
	if cur.vouched {
		// Clients accept the current state with the newer roots too.
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

// supersedes returns an error if the content must not replace that of cur.
func (p *publisher) supersedes(ctx context.Context, cur *state) error {
	if p.Supersedes == nil || p.Renew || p.Rollback > 0 || cur.release == nil || !cur.vouched {
		return nil
	}
	published, err := newRecord(cur.release.Revision(), cur.release.Metadata().Targets)
	if err != nil {
		return err
	}
	return p.Supersedes(ctx, published.revision, published.provenance)
}

// write puts what differs from cur.
func (p *publisher) write(ctx context.Context, cur *state, newTargets bool, now time.Time) error {
	if err := p.checkClock(cur, now); err != nil {
		return err
	}
	if err := p.putPayloads(ctx, cur); err != nil {
		return err
	}
	if cur.release == nil {
		if err := p.putRoot(ctx, cur.pinned, p.Keys.Root); err != nil {
			return err
		}
	}
	if store, ok := p.Store.(Prober); ok && !p.DryRun {
		if err := store.Probe(ctx, versionedName(cur.pinned, metadata.ROOT), p.Keys.Root, once(typeJSON)); err != nil {
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

// A state is what a publication builds on.
type state struct {
	pinned  int64           // the version of the pinned root
	root    root            // the newest, whether the store has it or not
	release *bundle.Release // nil if nothing is published
	etag    string          // of timestamp.json
	// lacking are the names of roots that the store doesn't have yet.
	lacking []string
	// vouched reports whether keys that the newest root trusts signed what is
	// published. If not, before is the root that trusts those keys.
	vouched bool
	before  root
}

// maxUnvouched is the highest version by a replaced key that is continued. A thief of
// that key may have used up the versions above. Clients that see the new root forget
// those versions too.
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

// further returns the SHA-256 of the published [Content.Files].
func (s *state) further() map[string]string {
	hashes := make(map[string]string)
	if s.release == nil {
		return hashes
	}
	targets := metadata.Targets()
	if _, err := targets.FromBytes(s.release.Metadata().Targets); err == nil { // which are verified
		for name, target := range furtherOf(&targets.Signed) {
			hashes[name] = hashOf(target)
		}
	}
	return hashes
}

// previous returns the link to the published revision, or nil.
func (s *state) previous() *link {
	if s.release == nil {
		return nil
	}
	return linkTo(s.release.Revision(), s.release.Metadata().Targets)
}

// describeTargets returns the snapshot's entry for the published targets, or nil.
func (s *state) describeTargets() *metadata.MetaFiles {
	if s.release == nil {
		return nil
	}
	return describe(s.release.Revision(), s.release.Metadata().Targets)
}

// current reads and verifies the published state.
func (p *publisher) current(ctx context.Context, now time.Time) (*state, error) {
	from := &source{store: p.Store, roots: p.newer}
	var release *bundle.Release
	var err error
	if p.Renew {
		release, err = p.verifier.Update(ctx, from, nil, now)
	} else { // publishing recovers from expired metadata
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
		return nil, errors.New("there is nothing to renew: nothing is published; publish from the flag files")
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

// refusal adds to an error of the verifier what to do about it.
func refusal(err error) error {
	class, _ := bundle.ClassOf(err)
	switch class {
	case bundle.Network:
		return err
	case bundle.Expired:
		return fmt.Errorf("%w (publish from the flag files to recover)", err)
	}
	if errors.Is(err, bundle.ErrUnsupported) {
		return fmt.Errorf("what is published was made by a newer version: %w", err)
	}
	return fmt.Errorf("refusing to build on what is published, which belongs to other keys, was tampered with, or comes "+
		"from two publishers at once on a store that ignores conditional writes (if the keys are right, delete %s and "+
		"publish again): %w", timestampName, err)
}

// needsTargets reports whether this publication needs a new revision.
func (p *publisher) needsTargets(ctx context.Context, cur *state, now time.Time) (bool, error) {
	r := &p.report
	if cur.release == nil || !cur.vouched || len(r.Added)+len(r.Changed)+len(r.Removed) > 0 || r.Files {
		return true, nil
	}
	targets := cur.versions().Targets
	if due := targets.Expires.Sub(now) < targetsRenewal; due || p.Renew {
		return due && p.signer(cur.root, metadata.TARGETS) != nil, nil
	}
	// The content is the same, but there may be a later revision that isn't
	// published. If it was, and somebody restored an old timestamp.json, clients
	// that saw it accept nothing older, so this content needs a revision of its
	// own. A renewal doesn't make one: it takes the content from the store, and
	// would help whoever restored the old timestamp.json.
	_, err := p.get(ctx, versionedName(targets.Version+1, metadata.TARGETS), 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err == nil || errors.Is(err, bundle.ErrTooLarge):
		return true, nil
	}
	return false, err
}

// renewalDue reports whether metadata should be signed again although the content
// hasn't changed.
func renewalDue(v bundle.Versions, now time.Time) bool {
	return v.Timestamp.Expires.Sub(now) < TimestampLifetime/2 || v.Snapshot.Expires.Sub(now) < SnapshotLifetime/2
}
