package release

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
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
	// Objects are the names of what was put, in order, and Bytes is their
	// length. Both are empty if everything was as it should be. After a lost
	// race they include what was put in vain.
	Objects []string
	Bytes   int64
	// Expires is when clients begin to report the release as stale, unless it
	// is renewed before.
	Expires time.Time
}

// Publish makes opts.Payloads the content of the store, or renews what is there.
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
	files    map[string]file // by namespace
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
	case opts.Renew && len(opts.Payloads) > 0:
		return nil, errors.New("a renewal takes no payloads")
	case !opts.Renew && len(opts.Payloads) == 0:
		return nil, errors.New("there are no namespaces to publish")
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
	if err := checkRoot(&cur.root.Signed, p.Keys.Online, now); err != nil {
		return err
	}
	p.compare(cur)
	newTargets, err := p.needsTargets(ctx, cur, now)
	if err != nil {
		return err
	}
	if !newTargets && !p.Renew && !renewalDue(cur.release.Versions(), now) {
		p.report.Expires = cur.release.Expires()
		return nil
	}
	if err := p.putPayloads(ctx); err != nil {
		return err
	}
	if cur.release == nil {
		if err := p.putRoot(ctx, cur.root.Signed.Version); err != nil {
			return err
		}
	}
	targets := cur.describeTargets()
	if newTargets {
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
	root    *metadata.Metadata[metadata.RootType]
	release *bundle.Release // nil if nothing is published
	etag    string          // of timestamp.json
}

func (s *state) versions() bundle.Versions {
	if s.release == nil {
		return bundle.Versions{}
	}
	return s.release.Versions()
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
	if !p.Renew {
		// To publish is how one recovers from metadata that has expired. In the
		// year 1970 none of it has.
		now = time.Unix(0, 0)
	}
	from := &source{store: p.Store}
	root := p.Keys.Root
	release, err := p.verifier.Update(ctx, from, nil, now)
	switch {
	case err == nil:
		root = release.Metadata().Root
	case nothingPublished(err) && p.Renew:
		return nil, errors.New("there is nothing to renew: nothing is published")
	case nothingPublished(err):
	default:
		return nil, refusal(err)
	}
	parsed, err := (&metadata.Metadata[metadata.RootType]{}).FromBytes(root)
	if err != nil {
		return nil, fmt.Errorf("reading the root: %w", err)
	}
	return &state{root: parsed, release: release, etag: from.etag}, nil
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
	return fmt.Errorf("refusing to build upon what is published, which belongs to other keys or was tampered with "+
		"(if the keys are right, delete %s and publish again): %w", timestampName, err)
}

// compare notes in the report what is different from cur.
func (p *publisher) compare(cur *state) {
	r := &p.report
	r.Previous, r.Revision = cur.versions().Targets.Version, cur.versions().Targets.Version
	r.Added, r.Changed, r.Removed = nil, nil, nil
	if p.Renew {
		return
	}
	published := make(map[string]string)
	if cur.release != nil {
		for _, payload := range cur.release.Payloads() {
			published[payload.Namespace] = payload.SHA256
		}
	}
	for _, namespace := range sorted(p.files) {
		file := p.files[namespace]
		switch published[namespace] {
		case hex.EncodeToString(file.sha256[:]):
		case "":
			r.Added = append(r.Added, namespace)
		default:
			r.Changed = append(r.Changed, namespace)
		}
	}
	for _, namespace := range sorted(published) {
		if _, ok := p.files[namespace]; !ok {
			r.Removed = append(r.Removed, namespace)
		}
	}
}

// needsTargets reports whether there is to be another revision.
func (p *publisher) needsTargets(ctx context.Context, cur *state, now time.Time) (bool, error) {
	r := &p.report
	if cur.release == nil || len(r.Added)+len(r.Changed)+len(r.Removed) > 0 {
		return true, nil
	}
	targets := cur.versions().Targets
	if targets.Expires.Sub(now) < targetsRenewal {
		return true, nil
	}
	if p.Renew {
		return false, nil
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

// putPayloads puts the payloads that the published revision doesn't refer to.
func (p *publisher) putPayloads(ctx context.Context) error {
	for _, namespaces := range [][]string{p.report.Added, p.report.Changed} {
		for _, namespace := range namespaces {
			file := p.files[namespace]
			name := path.Join("targets", namespace, hex.EncodeToString(file.sha256[:])+"."+bundle.PayloadName)
			err := p.put(ctx, name, file.data, once(typePayload))
			if errors.Is(err, ErrConflict) {
				err = p.putOver(ctx, name, file.data)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// putOver makes sure that an object that exists, and whose name is the hash of
// data, holds data. It may hold something else only if it was damaged or planted.
func (p *publisher) putOver(ctx context.Context, name string, data []byte) error {
	found, err := p.get(ctx, name, int64(len(data)))
	if err == nil && bytes.Equal(found, data) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, bundle.ErrTooLarge) {
		return err
	}
	opts := once(typePayload)
	opts.IfNoneMatch = false
	return p.put(ctx, name, data, opts)
}

// putRoot puts the pinned root into a new repository. Clients have it; it is
// there for people and for other TUF tools.
func (p *publisher) putRoot(ctx context.Context, version int64) error {
	name := versionedName(version, metadata.ROOT)
	err := p.put(ctx, name, p.Keys.Root, once(typeJSON))
	if !errors.Is(err, ErrConflict) {
		return err
	}
	found, err := p.get(ctx, name, int64(len(p.Keys.Root)))
	if err == nil && bytes.Equal(found, p.Keys.Root) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil || errors.Is(err, bundle.ErrTooLarge) {
		return fmt.Errorf("%s is there and isn't the pinned root: the store belongs to other keys", name)
	}
	return err
}

// putTargets puts the list of payloads and returns the snapshot's entry for it.
func (p *publisher) putTargets(ctx context.Context, cur *state, now time.Time) (*metadata.MetaFiles, error) {
	targets := metadata.Targets()
	if p.Renew {
		if _, err := targets.FromBytes(cur.release.Metadata().Targets); err != nil {
			return nil, fmt.Errorf("reading the published targets: %w", err)
		}
	} else {
		for namespace, file := range p.files {
			entry := metadata.TargetFile()
			entry.Length = int64(len(file.data))
			entry.Hashes["sha256"] = file.sha256[:]
			targets.Signed.Targets[path.Join(namespace, bundle.PayloadName)] = entry
		}
	}
	targets.Signed.Expires = expiry(now, TargetsLifetime)
	made, err := p.putFree(ctx, metadata.TARGETS, cur.versions().Targets.Version+1, func(version int64) ([]byte, error) {
		targets.Signed.Version = version
		return sign(ctx, targets, p.Keys.Online)
	})
	if err != nil {
		return nil, err
	}
	p.report.Revision = made.Version
	return made, nil
}

// putSnapshot puts a snapshot with the given targets and returns the timestamp's
// entry for it.
func (p *publisher) putSnapshot(ctx context.Context, cur *state, targets *metadata.MetaFiles, now time.Time) (*metadata.MetaFiles, error) {
	snapshot := metadata.Snapshot(expiry(now, SnapshotLifetime))
	snapshot.Signed.Meta = map[string]*metadata.MetaFiles{"targets.json": targets}
	return p.putFree(ctx, metadata.SNAPSHOT, cur.versions().Snapshot.Version+1, func(version int64) ([]byte, error) {
		snapshot.Signed.Version = version
		return sign(ctx, snapshot, p.Keys.Online)
	})
}

// putTimestamp makes everything that was put the published state.
func (p *publisher) putTimestamp(ctx context.Context, cur *state, snapshot *metadata.MetaFiles, now time.Time) error {
	timestamp := metadata.Timestamp(expiry(now, TimestampLifetime))
	timestamp.Signed.Meta = map[string]*metadata.MetaFiles{"snapshot.json": snapshot}
	// Snapshots' versions are never used twice. With one that isn't lower, the
	// timestamp's isn't either, even if an old timestamp.json was put back.
	timestamp.Signed.Version = max(cur.versions().Timestamp.Version+1, snapshot.Version)
	data, err := sign(ctx, timestamp, p.Keys.Online)
	if err != nil {
		return err
	}
	if err := p.verify(ctx, cur, data, now); err != nil {
		return err
	}
	opts := PutOptions{IfMatch: cur.etag, IfNoneMatch: cur.release == nil, CacheControl: cacheTimestamp, ContentType: typeJSON}
	err = p.put(ctx, timestampName, data, opts)
	if !errors.Is(err, ErrConflict) {
		return err
	}
	// A store that repeats a request whose answer was lost finds its own work.
	found, err := p.get(ctx, timestampName, int64(len(data)))
	switch {
	case err == nil && bytes.Equal(found, data):
		p.record(timestampName, data)
		return nil
	case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, bundle.ErrTooLarge):
		return errLostRace
	}
	return err
}

// verify makes sure, before it is too late, that clients accept what timestamp
// would publish.
func (p *publisher) verify(ctx context.Context, cur *state, timestamp []byte, now time.Time) error {
	p.pending[timestampName] = timestamp
	next, err := p.verifier.Update(ctx, &source{store: p.Store, pending: p.pending}, cur.release, now)
	if err != nil {
		return fmt.Errorf("checking what would be published: %w", err)
	}
	p.report.Expires = next.Expires()
	return nil
}

// putFree puts metadata under the first version from the given one on that isn't
// taken, and returns the entry for it.
func (p *publisher) putFree(ctx context.Context, role string, version int64, signed func(version int64) ([]byte, error)) (*metadata.MetaFiles, error) {
	for last := version + maxPassed; version < last; version++ {
		data, err := signed(version)
		if err != nil {
			return nil, err
		}
		err = p.put(ctx, versionedName(version, role), data, once(typeJSON))
		if err == nil {
			return describe(version, data), nil
		}
		if !errors.Is(err, ErrConflict) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("looking for a free version of %s: the %d up to %d are taken", role, maxPassed, version-1)
}
