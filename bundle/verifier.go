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

// A Verifier verifies one repository, as a TUF client. It holds configuration and
// no state, and is safe for concurrent use.
type Verifier struct {
	root        *rootMetadata
	namespaces  []string
	minRevision int64
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
	return &Verifier{root, slices.Compact(namespaces), cfg.MinRevision}, nil
}

func parsePinned(raw []byte) (*rootMetadata, error) {
	const name = "root.json"
	if len(raw) > maxRoot {
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
// last is the release before, from this verifier, or nil. Nothing older is
// accepted, and payloads that it has aren't downloaded again. now is the present
// time, by which metadata expires; the zero time is refused.
//
// Errors are always of type [*Error], and leave last as usable as it was.
func (v *Verifier) Update(ctx context.Context, src Source, last *Release, now time.Time) (*Release, error) {
	return v.update(ctx, client{src: src, now: now}, last, false)
}

// UpdateIgnoreExpiry is [Verifier.Update] from the pinned root for readers that
// must see what is published even after it expired: it accepts expired metadata.
// [Release.Expires] says how old that is.
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
	t := trusted{root: v.root}
	var polled Object
	var err error
	if last != nil {
		if last.verifier != v {
			return nil, &Error{Malformed, "timestamp.json", errors.New("the last release is of another verifier")}
		}
		t = last.trusted
		if !probe {
			polled, err = c.poll(ctx, last)
		}
	}
	if err != nil {
		return unchanged(last, err)
	}
	rotated, err := c.updateRoot(ctx, &t)
	if err != nil {
		return nil, err
	}
	if rotated {
		// What was polled before may be signed with a key that is gone.
		polled, err = c.poll(ctx, nil)
	} else if last == nil || probe {
		polled, err = c.poll(ctx, last)
	}
	if err == nil {
		err = c.updateTimestamp(&t, polled.Data, rotated)
	}
	if err != nil {
		return unchanged(last, err)
	}
	if err := c.updateSnapshot(ctx, &t); err != nil {
		return nil, err
	}
	if err := c.updateTargets(ctx, &t, v.minRevision); err != nil {
		return nil, err
	}
	payloads, err := v.updatePayloads(ctx, c, t.targets, last)
	if err != nil {
		return nil, err
	}
	return &Release{v, t, polled.ETag, payloads}, nil
}

// unchanged returns last if that is what err says.
func unchanged(last *Release, err error) (*Release, error) {
	if err == errUnchanged {
		return last, nil
	}
	return nil, err
}

// updatePayloads returns the payloads of the wanted namespaces: those that
// last has, if their hash is the same, and the others from the source.
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
			data, err := v.fetchPayload(ctx, c, namespace, l)
			if err != nil {
				return nil, err
			}
			p = VerifiedPayload{namespace, l.sha256, data}
		}
		payloads = append(payloads, p)
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
			return nil, &Error{NotFound, name, fmt.Errorf("namespace %q is not published", namespace)}
		}
		if total += l.length; total > MaxPayloads {
			return nil, &Error{Malformed, name, fmt.Errorf("payloads: %w", ErrTooLarge)}
		}
	}
	return wanted, nil
}

func (v *Verifier) fetchPayload(ctx context.Context, c client, namespace string, listed listing) ([]byte, error) {
	name := "targets/" + namespace + "/" + listed.sha256 + "." + PayloadName
	data, err := c.fetchListed(ctx, name, listed, MaxPayloads)
	if err != nil {
		return nil, err
	}
	// The keys may sign for other environments too, and a publisher may
	// mix up files: the payload itself says where it belongs.
	l, err := newUnpacker(data).label()
	if err != nil {
		return nil, &Error{Malformed, name, err}
	}
	if l.environment != v.Environment() || l.namespace != namespace {
		err := fmt.Errorf("payload of namespace %q in environment %q", l.namespace, l.environment)
		return nil, &Error{Malformed, name, err}
	}
	return data, nil
}

// Restore returns the release that state describes, which [Release.State] returned.
// It verifies everything again from the pinned root, and trusts neither state nor
// what payload returns. It ignores expiry, because old content may be served;
// [Release.Expires] says how old it is.
//
// Restore calls payload once for each namespace, with the SHA-256 of the payload
// in hexadecimal and its length in bytes. payload should read no more than that.
// If it doesn't have the payload, its error should wrap [ErrNotFound] or
// [fs.ErrNotExist].
func (v *Verifier) Restore(state []byte, payload func(sha256 string, length int64) ([]byte, error)) (*Release, error) {
	if len(state) > MaxState {
		return nil, &Error{Malformed, "state", ErrTooLarge}
	}
	stored := stateSource{payload: payload}
	if err := json.Unmarshal(state, &stored.state); err != nil {
		return nil, &Error{Malformed, "state", errors.New("not JSON")}
	}
	if stored.state.Format != stateFormat {
		return nil, &Error{Malformed, "state", errors.New("not of a known format")}
	}
	return v.UpdateIgnoreExpiry(context.Background(), stored)
}

// stateSource is the Source that Restore restores from.
type stateSource struct {
	state   storedState
	payload func(sha256 string, length int64) ([]byte, error)
}

func (s stateSource) Fetch(_ context.Context, name, _ string, limit int64) (Object, error) {
	if sha256, ok := strings.CutSuffix(path.Base(name), "."+PayloadName); ok {
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
