package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/serin-flags/serin/bundle"
)

const (
	// maxTargets is the most bytes of targets metadata that are read, as in
	// clients.
	maxTargets = 5_000_000
	// maxRevisions bounds the length of a history, and maxStrays how many
	// numbers outside it are tried. Each takes a request.
	maxRevisions = 100_000
	maxStrays    = 200
)

// LogOptions specify whose history to read.
type LogOptions struct {
	Source bundle.Source // required
	Root   []byte        // required: the pinned root.json
	// Limit is how many revisions to read, from the newest back; 0 means all.
	Limit int
	// Flag, if its key isn't "", is the flag of which entries say what they did to it. That takes
	// a request for each revision in which its namespace changed.
	Flag FlagName
}

// A History lists the revisions of an environment, newest first.
type History struct {
	Environment string
	// Expires is when the newest revision expires or expired.
	Expires time.Time
	Entries []Entry
	// More reports that there are older revisions beyond the limit.
	More bool
}

// Standing is what is known about a revision.
type Standing uint8

const (
	// StandingPublished means that clients saw the revision. The next revision
	// holds its hash, and so on up to the one that is verified now.
	StandingPublished Standing = iota + 1
	// StandingLeftBehind means that trusted keys signed an object with a number
	// between two revisions that follow each other. A publisher that lost a race or
	// failed left it behind. If somebody restored an old timestamp.json, and others
	// published after that, clients may have seen it.
	StandingLeftBehind
	// StandingNewer means that trusted keys signed an object with a higher number
	// than the published one. A publisher is at work or failed, or somebody restored
	// an old timestamp.json.
	StandingNewer
	// StandingUnlinked means that trusted keys signed an object that is older than
	// the history goes back. It was published before the history broke off or was
	// started again, or was left behind then.
	StandingUnlinked
	// StandingUntrusted means that an object has this number but no signature by
	// keys that are trusted now. It was planted or damaged, or left behind before
	// these keys were replaced.
	StandingUntrusted
	// StandingLost means that the revision was published, but its object is
	// missing or was changed. Earlier revisions are unknown.
	StandingLost
)

// String returns "published", "left_behind", "newer", "unlinked", "untrusted" or "lost".
func (s Standing) String() string {
	names := [...]string{
		StandingPublished: "published", StandingLeftBehind: "left_behind", StandingNewer: "newer",
		StandingUnlinked: "unlinked", StandingUntrusted: "untrusted", StandingLost: "lost",
	}
	if s < StandingPublished || int(s) >= len(names) {
		return fmt.Sprintf("Standing(%d)", uint8(s))
	}
	return names[s]
}

// An Entry is one line of a [History].
type Entry struct {
	Revision int64
	Standing Standing
	// Signed reports whether keys that the newest root trusts signed the
	// revision. It is false for revisions before a rotation of those keys.
	Signed bool
	// Provenance is zero if the object is missing, or neither published nor signed.
	Provenance Provenance
	// Added, Changed and Removed are the namespaces that differ from the
	// previous revision, sorted. Known reports whether there was no previous
	// revision or it could be read; if it is false, as for everything that isn't
	// published, the lists are empty.
	Added, Changed, Removed []string
	Known                   bool
	// Flag is what the revision did to the flag that was asked for; "" if nothing. It is ""
	// too if Known is false.
	Flag FlagChange
}

// Log reads the history of an environment, from the newest revision back. It verifies
// the newest from the pinned root, but ignores expiry. Each revision holds the hash of
// the previous one, so all are as trustworthy as the newest, even if keys were
// replaced or somebody else could write to the store.
//
// An object that can't be verified results in an entry, not in an error. Log fails only
// if the newest revision is refused or the source can't be read.
func Log(ctx context.Context, opts LogOptions) (History, error) {
	verifier, err := bundle.NewVerifier(bundle.VerifierConfig{Root: opts.Root})
	if err != nil {
		return History{}, fmt.Errorf("reading the pinned root: %w", err)
	}
	release, err := verifier.UpdateIgnoreExpiry(ctx, opts.Source)
	if err != nil {
		return History{}, fmt.Errorf("reading the history: %w", err)
	}
	l := logger{history: History{Environment: release.Environment(), Expires: release.Expires()}, strays: maxStrays,
		flag: opts.Flag}
	root, err := parseRoot(release.Metadata().Root)
	if err == nil {
		l.chain, err = newChain(opts.Source, release, root.Metadata)
	}
	if err == nil {
		err = l.read(ctx, opts.Limit)
	}
	if err != nil {
		return History{}, fmt.Errorf("reading the history: %w", err)
	}
	return l.history, nil
}

// A logger is one call of [Log].
type logger struct {
	chain   *chain
	history History
	strays  int // how many more numbers may be tried
	flag    FlagName
	last    flagState // that was read last
}

func (l *logger) add(e Entry) { l.history.Entries = append(l.history.Entries, e) }

func (l *logger) read(ctx context.Context, limit int) error {
	if limit <= 0 || limit > maxRevisions {
		limit = maxRevisions
	}
	if err := l.above(ctx); err != nil {
		return err
	}
	for n := 1; ; n++ {
		this := l.chain.at
		entry := Entry{Revision: this.revision, Standing: StandingPublished, Signed: l.chain.signed(this),
			Provenance: this.provenance}
		err := l.chain.back(ctx)
		var broken *brokenLink
		switch {
		case err == nil:
			entry.Known = true
			entry.Added, entry.Changed, entry.Removed = differences(l.chain.at.payloads(), this.payloads())
			if entry.Flag, err = l.flagChange(ctx, &l.chain.at, this); err != nil {
				return err
			}
			l.add(entry)
			if n == limit {
				l.history.More = true
				return nil
			}
			if err := l.strayed(ctx, this.revision, l.chain.at.revision, betweenLinked); err != nil {
				return err
			}
		case errors.Is(err, errFirst):
			entry.Known = true
			entry.Added, _, _ = differences(nil, this.payloads())
			if entry.Flag, err = l.flagChange(ctx, nil, this); err != nil {
				return err
			}
			l.add(entry)
			return l.strayed(ctx, this.revision, 0, belowAll)
		case errors.As(err, &broken):
			l.add(entry)
			if err := l.strayed(ctx, this.revision, broken.revision, betweenLinked); err != nil {
				return err
			}
			l.add(Entry{Revision: broken.revision, Standing: StandingLost})
			return l.strayed(ctx, broken.revision, 0, belowAll)
		default:
			return err
		}
	}
}

// above adds the strays numbered after the newest revision.
func (l *logger) above(ctx context.Context) error {
	newest := l.chain.at.revision
	var found []Entry
	for revision := newest + 1; l.strays > 0; revision++ {
		entry, ok, err := l.stray(ctx, revision, aboveAll)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		found = append(found, entry)
	}
	slices.Reverse(found)
	l.history.Entries = append(l.history.Entries, found...)
	return nil
}

// strayed adds the strays numbered between two revisions.
func (l *logger) strayed(ctx context.Context, newer, older int64, at place) error {
	for revision := newer - 1; revision > older && l.strays > 0; revision-- {
		entry, ok, err := l.stray(ctx, revision, at)
		if err != nil {
			return err
		}
		if ok {
			l.add(entry)
		}
	}
	return nil
}

// A chain is the history that leads back from the published revision.
type chain struct {
	source bundle.Source
	root   *metadata.Metadata[metadata.RootType] // the newest
	at     record
}

// A record is the targets metadata of one revision.
type record struct {
	revision   int64
	targets    *metadata.Metadata[metadata.TargetsType]
	provenance Provenance
	previous   *link
}

// newChain returns the chain that ends at release.
func newChain(source bundle.Source, release *bundle.Release,
	root *metadata.Metadata[metadata.RootType]) (*chain, error) {
	at, err := newRecord(release.Revision(), release.Metadata().Targets)
	if err != nil {
		return nil, err
	}
	return &chain{source, root, at}, nil
}

// newRecord reads targets metadata that is or was published. The metadata must have
// been verified, because the decoder isn't made for hostile input.
func newRecord(revision int64, raw []byte) (record, error) {
	targets, err := metadata.Targets().FromBytes(raw)
	if err != nil {
		return record{}, fmt.Errorf("reading revision %d: %w", revision, err)
	}
	if targets.Signed.Version != revision {
		return record{}, fmt.Errorf("reading revision %d: its version is %d", revision, targets.Signed.Version)
	}
	provenance, previous := provenanceOf(&targets.Signed)
	r := record{revision, targets, provenance, previous}
	if content := contentHash(r.payloads()); provenance.Content != content {
		// The provenance is missing, or belongs to other content.
		r.provenance = Provenance{Content: content}
	}
	return r, nil
}

func (r record) payloads() map[string]string { return payloadsOf(&r.targets.Signed) }

// lists returns the SHA-256 of the revision's lists.
func (r record) lists() (hashes []string) {
	for _, name := range sorted(r.targets.Signed.Targets) {
		if hash, ok := bundle.ListOf(name); ok {
			hashes = append(hashes, hash)
		}
	}
	return hashes
}

// signed reports whether keys that the newest root trusts signed r.
func (c *chain) signed(r record) bool {
	return c.root.VerifyDelegate(metadata.TARGETS, r.targets) == nil
}

// errFirst says that nothing came before a revision.
var errFirst = errors.New("it is the first revision")

// A brokenLink reports that the previous revision is missing or was changed.
type brokenLink struct {
	revision int64
	err      error
}

func (e *brokenLink) Error() string {
	return fmt.Sprintf("revision %d isn't what was published: %v", e.revision, e.err)
}

func (e *brokenLink) Unwrap() error { return e.err }

// back goes to the previous revision. It returns errFirst, a [*brokenLink], or an
// error of the source.
func (c *chain) back(ctx context.Context) error {
	previous := c.at.previous
	if previous == nil {
		return errFirst
	}
	if previous.Revision < 1 || previous.Revision >= c.at.revision {
		return &brokenLink{c.at.revision - 1, errors.New("the revision after it names another one")}
	}
	raw, err := c.fetch(ctx, previous.Revision, maxTargets)
	switch {
	case errors.Is(err, bundle.ErrNotFound), errors.Is(err, bundle.ErrTooLarge):
		return &brokenLink{previous.Revision, err}
	case err != nil:
		return err
	}
	if *linkTo(previous.Revision, raw) != *previous {
		return &brokenLink{previous.Revision, errors.New("its SHA-256 differs")}
	}
	at, err := newRecord(previous.Revision, raw)
	if err != nil {
		return &brokenLink{previous.Revision, err}
	}
	c.at = at
	return nil
}

// fetch returns a revision's targets metadata, unverified.
func (c *chain) fetch(ctx context.Context, revision, limit int64) ([]byte, error) {
	obj, err := c.source.Fetch(ctx, versionedName(revision, metadata.TARGETS), "", limit)
	if err == nil && int64(len(obj.Data)) > limit {
		err = bundle.ErrTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("getting revision %d: %w", revision, err)
	}
	return obj.Data, nil
}
