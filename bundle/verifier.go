package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// VerifierConfig says what a [Verifier] trusts and what it looks for.
type VerifierConfig struct {
	// Root is the pinned root.json, which alone is trusted without proof.
	// Required.
	Root []byte
	// Namespaces are the ones to download. Empty: all that are published. If
	// one of them isn't published, updates fail with class [NotFound].
	Namespaces []string
	// MinRevision is the lowest [Release.Revision] that is accepted, for
	// clients that start without a cache. 0: any.
	MinRevision int64
}

// A Verifier verifies one repository, as a TUF client. It remembers what it has
// verified, of updates that failed as well: the roots, and the newest metadata of each
// role. It accepts nothing older from then on, and what a new root has revoked never
// again. [Verifier.Seen] and [Verifier.Remember] carry that over a restart. A Verifier
// is safe for concurrent use.
type Verifier struct {
	root        *rootMetadata // the pinned one
	namespaces  []string
	minRevision int64
	seen        atomic.Pointer[trusted] // never nil
}

// NewVerifier returns a verifier that trusts cfg.Root. The root must be well formed,
// signed by a threshold of its own keys, and name its environment. It may have
// expired, because the repository may have a newer one.
func NewVerifier(cfg VerifierConfig) (*Verifier, error) {
	for _, namespace := range cfg.Namespaces {
		if !ValidNamespace(namespace) {
			return nil, fmt.Errorf("configuring the verifier: %q is not a namespace", namespace)
		}
	}
	root, err := parsePinned(bytes.Clone(cfg.Root))
	if err != nil {
		return nil, err
	}
	namespaces := slices.Clone(cfg.Namespaces)
	slices.Sort(namespaces)
	v := &Verifier{root: root, namespaces: slices.Compact(namespaces), minRevision: cfg.MinRevision}
	v.seen.Store(&trusted{root: root})
	return v, nil
}

func parsePinned(raw []byte) (*rootMetadata, error) {
	const name = "root.json"
	if len(raw) > MaxRoot {
		return nil, &Error{Malformed, name, ErrTooLarge}
	}
	e, err := open(raw)
	if err != nil {
		return nil, &Error{Malformed, name, err}
	}
	root, err := parseRoot(e)
	if err != nil {
		return nil, &Error{Malformed, name, err}
	}
	if err := root.roles[roleRoot].verify(e); err != nil {
		return nil, &Error{Signature, name, err}
	}
	return root, nil
}

// Environment returns the environment that the pinned root names.
func (v *Verifier) Environment() string { return v.root.environment }

// Update polls src once, with the steps that the package comment lists. If
// timestamp.json hasn't changed since last, it returns last itself; callers check
// with [Release.Expires] whether that has expired meanwhile. Otherwise it returns
// a new release.
//
// last is the release before, from this verifier, or nil. Nothing older is accepted
// than last and than what v has verified in any update before, even if that failed.
// Payloads that last has aren't downloaded again. now is the present time, by which
// metadata expires; the zero time is refused.
//
// Errors are always of type [*Error], and leave last as usable as it was.
func (v *Verifier) Update(ctx context.Context, src Source, last *Release, now time.Time) (*Release, error) {
	return v.update(ctx, client{src: src, now: now}, last, false)
}

// UpdateIgnoreExpiry is [Verifier.Update] from the pinned root for readers that
// must see what is published even after it expired: it accepts expired metadata, and
// what is older than v has seen. [Release.Expires] says how old that is.
func (v *Verifier) UpdateIgnoreExpiry(ctx context.Context, src Source) (*Release, error) {
	return v.update(ctx, client{src: src, ignoreExpiry: true}, nil, false)
}

// UpdateRoot is [Verifier.Update], but looks for a newer root even if
// timestamp.json is unchanged. Without it, clients don't notice that a root was
// rotated because of a stolen key, as long as the thief serves the old
// timestamp.json. It takes one more request; once an hour is often enough.
func (v *Verifier) UpdateRoot(ctx context.Context, src Source, last *Release, now time.Time) (*Release, error) {
	return v.update(ctx, client{src: src, now: now}, last, true)
}

func (v *Verifier) update(ctx context.Context, c client, last *Release, probe bool) (*Release, error) {
	if c.now.IsZero() && !c.ignoreExpiry {
		return nil, &Error{Expired, "timestamp.json", errors.New("there is no time to judge expiry by")}
	}
	if last != nil && last.verifier != v {
		return nil, &Error{Malformed, "timestamp.json", errors.New("the last release is of another verifier")}
	}
	seen := v.seen.Load()
	t := trusted{root: v.root}
	if !c.ignoreExpiry {
		t = *seen
	}
	if last != nil {
		t = merge(last.trusted, t)
	}
	var polled *Object
	// If more has been seen since, it isn't enough that nothing has changed since last.
	if last != nil && !probe && t.confirms(last) {
		obj, err := c.poll(ctx, last)
		if err != nil {
			return unchanged(last, err)
		}
		polled = &obj
	}
	release, err := v.verify(ctx, c, &t, last, polled)
	v.remember(t, seen)
	return release, err
}

// verify takes the steps of an update from the roots on. polled is timestamp.json, nil
// if it hasn't been read yet. Whatever the outcome, t is then all that is verified.
func (v *Verifier) verify(ctx context.Context, c client, t *trusted, last *Release, polled *Object) (*Release, error) {
	before := t.root
	if err := c.updateRoot(ctx, t); err != nil {
		return nil, err
	}
	current := last // nil: it isn't the newest that is verified
	if last != nil && !t.confirms(last) {
		current = nil
	}
	if polled == nil || t.root != before { // what was polled may be signed with a key that is gone
		obj, err := c.poll(ctx, current)
		if err != nil {
			return unchanged(last, err)
		}
		polled = &obj
	}
	if err := c.updateTimestamp(t, polled.Data); err != nil {
		return nil, err
	}
	if current != nil && t.confirms(current) {
		return current, nil // it was signed again
	}
	if err := c.updateSnapshot(ctx, t); err != nil {
		return nil, err
	}
	if err := c.updateTargets(ctx, t, v.minRevision); err != nil {
		return nil, err
	}
	payloads, err := v.updatePayloads(ctx, c, t.targets, last)
	if err != nil {
		return nil, err
	}
	return &Release{v, *t, polled.ETag, payloads}, nil
}

// unchanged returns last if that is what err says.
func unchanged(last *Release, err error) (*Release, error) {
	if err == errUnchanged {
		return last, nil
	}
	return nil, err
}

// updatePayloads returns the payloads of the wanted namespaces, with their lists: those
// that last has, if their hash is the same, and the others from the source.
func (v *Verifier) updatePayloads(
	ctx context.Context, c client, targets *targetsMetadata, last *Release,
) ([]VerifiedPayload, error) {
	wanted, err := v.wanted(targets)
	if err != nil {
		return nil, err
	}
	payloads := make([]VerifiedPayload, 0, len(wanted))
	for _, namespace := range wanted {
		l := targets.payloads[namespace]
		p, ok := last.payload(namespace)
		if !ok || l.check(p.Data) != nil {
			if p, err = v.fetchPayload(ctx, c, namespace, l); err != nil {
				return nil, err
			}
		}
		payloads = append(payloads, p)
	}
	if err := checkLists(targets, payloads); err != nil {
		return nil, err
	}
	if err := fetchLists(ctx, c, targets, payloads, last); err != nil {
		return nil, err
	}
	return payloads, nil
}

// wanted returns the namespaces to have, in order, if they are published and
// not too large together.
func (v *Verifier) wanted(targets *targetsMetadata) ([]string, error) {
	wanted := v.namespaces
	if len(wanted) == 0 {
		wanted = slices.Sorted(maps.Keys(targets.payloads))
	}
	name := fmt.Sprintf("%d.targets.json", targets.version)
	var total int64
	for _, namespace := range wanted {
		l, ok := targets.payloads[namespace]
		if !ok {
			return nil, &Error{NotFound, name,
				fmt.Errorf("namespace %q is not published; %s", namespace, whatIsPublished(targets))}
		}
		if total += l.length; total > MaxPayloads {
			return nil, &Error{Malformed, name, fmt.Errorf("payloads: %w", ErrTooLarge)}
		}
	}
	return wanted, nil
}

// whatIsPublished says which namespaces are published, the first few of them.
func whatIsPublished(targets *targetsMetadata) string {
	const most = 10
	names := slices.Sorted(maps.Keys(targets.payloads))
	switch {
	case len(names) == 0:
		return "none is"
	case len(names) > most:
		names = append(names[:most], "…")
	}
	return "these are: " + strings.Join(names, ", ")
}

func (v *Verifier) fetchPayload(
	ctx context.Context, c client, namespace string, listed listing,
) (VerifiedPayload, error) {
	name := payloadObject(namespace, listed.sha256)
	data, err := c.fetchListed(ctx, name, listed, MaxPayloads)
	if err != nil {
		return VerifiedPayload{}, err
	}
	// The keys may sign for other environments too, and a publisher may
	// mix up files: the payload itself says where it belongs.
	l, err := newUnpacker(data).label()
	if err != nil {
		return VerifiedPayload{}, &Error{Malformed, name, err}
	}
	if l.environment != v.Environment() || l.namespace != namespace {
		err := fmt.Errorf("payload of namespace %q in environment %q", l.namespace, l.environment)
		return VerifiedPayload{}, &Error{Malformed, name, err}
	}
	return VerifiedPayload{Namespace: namespace, SHA256: listed.sha256, Data: data, label: l}, nil
}

// payloadObject returns the name of the object that holds a payload.
func payloadObject(namespace, sha256 string) string {
	return "targets/" + namespace + "/" + sha256 + "." + PayloadName
}

// checkLists checks that the lists that payloads refer to are published, and that
// all of it isn't too large together.
func checkLists(targets *targetsMetadata, payloads []VerifiedPayload) error {
	var total int64
	counted := make(map[string]bool)
	for _, p := range payloads {
		total += int64(len(p.Data))
		for _, hash := range p.label.lists {
			l, ok := targets.lists[hash]
			if !ok {
				err := fmt.Errorf("it refers to the list %s, which isn't published", hash)
				return &Error{Malformed, payloadObject(p.Namespace, p.SHA256), err}
			}
			if !counted[hash] {
				counted[hash], total = true, total+l.length
			}
			if total > MaxPayloads {
				name := fmt.Sprintf("%d.targets.json", targets.version)
				return &Error{Malformed, name, fmt.Errorf("payloads and lists: %w", ErrTooLarge)}
			}
		}
	}
	return nil
}

// fetchLists gives payloads their lists: those that last has, if their hash is the same,
// and the others from the source.
func fetchLists(
	ctx context.Context, c client, targets *targetsMetadata, payloads []VerifiedPayload, last *Release,
) error {
	before, lists := last.Lists(), make(map[string]*List)
	for i := range payloads {
		p := &payloads[i]
		p.Lists = nil
		for _, hash := range p.label.lists {
			if lists[hash] == nil {
				list, err := c.fetchList(ctx, hash, targets.lists[hash], before[hash])
				if err != nil {
					return err
				}
				lists[hash] = list
			}
			p.Lists = append(p.Lists, lists[hash])
		}
		if err := p.label.checkSizes(p.Lists); err != nil {
			return &Error{Malformed, payloadObject(p.Namespace, p.SHA256), err}
		}
	}
	return nil
}

// fetchList returns a list: the one from before, which may be nil, if that is listed.
func (c client) fetchList(ctx context.Context, hash string, listed listing, before *List) (*List, error) {
	if before != nil && listed.check(before.Data) == nil {
		return before, nil
	}
	data, err := c.fetchListed(ctx, ListObject(hash), listed, MaxPayloads)
	if err != nil {
		return nil, err
	}
	return NewList(data), nil
}

// Restore returns the release that state describes, which [Release.State] returned.
// It verifies everything again from the pinned root, and trusts neither state nor
// what payload returns. It ignores expiry, because old content may be served;
// [Release.Expires] says how old it is.
//
// Restore calls payload once for each payload and each list, with its SHA-256 in
// hexadecimal and its length in bytes. payload should read no more than that.
// If it doesn't have the payload, its error should wrap [ErrNotFound] or
// [fs.ErrNotExist].
//
// The release may be older than what v has seen, since it is what was served. If
// Restore fails, v remembers what it has verified until then.
func (v *Verifier) Restore(state []byte, payload func(sha256 string, length int64) ([]byte, error)) (*Release, error) {
	stored, err := parseState(state)
	if err != nil {
		return nil, err
	}
	return v.UpdateIgnoreExpiry(context.Background(), stateSource{stored, payload})
}

func parseState(state []byte) (storedState, error) {
	var stored storedState
	if len(state) > MaxState {
		return stored, &Error{Malformed, "state", ErrTooLarge}
	}
	if err := json.Unmarshal(state, &stored); err != nil {
		return stored, &Error{Malformed, "state", errors.New("not JSON")}
	}
	if stored.Format != stateFormat {
		return stored, &Error{Malformed, "state", errors.New("not of a known format")}
	}
	return stored, nil
}

// stateSource is the Source that Restore restores from.
type stateSource struct {
	state   storedState
	payload func(sha256 string, length int64) ([]byte, error)
}

func (s stateSource) Fetch(_ context.Context, name, _ string, limit int64) (Object, error) {
	if strings.HasPrefix(name, "targets/") {
		sha256, _, _ := strings.Cut(path.Base(name), ".")
		data, err := s.payload(sha256, limit)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", ErrNotFound, err)
		}
		return Object{Data: data}, err
	}
	data, ok := s.state.Objects[name]
	if !ok {
		return Object{}, ErrNotFound
	}
	return Object{data, s.state.ETag}, nil
}
