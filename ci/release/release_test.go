package release_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/ci/s3store"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/s3test"
)

const production = "production"

// day is a unit of time in which metadata ages.
const day = 24 * time.Hour

// onEachStore runs a test on an empty store of each kind.
func onEachStore(t *testing.T, test func(t *testing.T, store release.Store)) {
	onEachKind(t, func(t *testing.T, empty func(*testing.T) release.Store) { test(t, empty(t)) })
}

// onEachKind runs a test with what returns empty stores, for each kind of store.
func onEachKind(t *testing.T, test func(t *testing.T, empty func(*testing.T) release.Store)) {
	t.Run("file", func(t *testing.T) {
		test(t, func(t *testing.T) release.Store { return filestore.New(t.TempDir()) })
	})
	t.Run("s3", func(t *testing.T) {
		server := s3test.Start(t)
		server.CreateBucket(t, "flags")
		client := server.Client(t)
		stores := 0
		test(t, func(*testing.T) release.Store {
			stores++
			return s3store.New(client, "flags", fmt.Sprintf("%d/%s", stores, production))
		})
	})
}

func newKeys(t testing.TB, env string) release.Keys {
	t.Helper()
	dir := t.TempDir()
	if _, err := release.InitKeys(dir, env); err != nil {
		t.Fatal(err)
	}
	keys, err := release.LoadKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// content is what is published in tests: the key of the one flag in each
// namespace.
type content map[string]string

func (c content) payloads(env string) []bundle.Payload {
	var payloads []bundle.Payload
	for namespace, flag := range c {
		payloads = append(payloads, bundle.Payload{Environment: env, Namespace: namespace, Ruleset: evaluator.Ruleset{
			Unit:       "user",
			Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}},
			Flags: []evaluator.Flag{{Key: flag, Type: evaluator.KindBool, Variants: []evaluator.Variant{
				{Name: "on", Value: evaluator.BoolValue(true)},
			}}},
		}})
	}
	return payloads
}

func options(store release.Store, keys release.Keys, c content) release.Options {
	return release.Options{Store: store, Keys: keys, Environment: production, Payloads: c.payloads(production)}
}

// renewal returns options to renew at a time so long from now.
func renewal(store release.Store, keys release.Keys, after time.Duration) release.Options {
	return release.Options{Store: store, Keys: keys, Environment: production, Renew: true, Now: in(after)}
}

func in(d time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(d) } }

func mustPublish(t *testing.T, opts release.Options) release.Report {
	t.Helper()
	report, err := release.Publish(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// storeSource reads a store as a client would.
type storeSource struct{ release.Store }

func (s storeSource) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	data, found, err := s.Get(ctx, name, limit)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return bundle.Object{}, fmt.Errorf("%w: %w", bundle.ErrNotFound, err)
	case err != nil:
		return bundle.Object{}, err
	case etag == found:
		return bundle.Object{}, bundle.ErrNotModified
	}
	return bundle.Object{Data: data, ETag: found}, nil
}

// A reader is a client of a store.
type reader struct {
	store    release.Store
	verifier *bundle.Verifier
	last     *bundle.Release
}

func newReader(t testing.TB, store release.Store, keys release.Keys) *reader {
	t.Helper()
	verifier, err := bundle.NewVerifier(bundle.VerifierConfig{Root: keys.Root})
	if err != nil {
		t.Fatal(err)
	}
	return &reader{store: store, verifier: verifier}
}

// read returns what the reader gets to see at a time so long from now.
func (r *reader) read(ctx context.Context, after time.Duration) (content, error) {
	next, err := r.verifier.Update(ctx, storeSource{r.store}, r.last, time.Now().Add(after))
	if err != nil {
		return nil, err
	}
	r.last = next
	c := make(content)
	for _, payload := range next.Payloads() {
		decoded, err := bundle.DecodePayload(payload.Data, payload.Lists...)
		if err != nil {
			return nil, err
		}
		c[payload.Namespace] = decoded.Ruleset.Flags[0].Key
	}
	return c, nil
}

// mustRead returns what a fresh client sees now.
func mustRead(t *testing.T, store release.Store, keys release.Keys) (c content, revision int64) {
	t.Helper()
	r := newReader(t, store, keys)
	c, err := r.read(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return c, r.last.Revision()
}

// A spy is a store that notes what is put. It is a [release.ListStore] over one.
type spy struct {
	release.Store
	put  []string // names
	opts map[string]release.PutOptions
	// before, if not nil, is called before each put; its error is the put's.
	before func(name string) error
	// after, if not nil, is called after each put, with the same effect.
	after func(name string) error
}

func (s *spy) Put(ctx context.Context, name string, data []byte, opts release.PutOptions) error {
	if s.before != nil {
		if err := s.before(name); err != nil {
			return err
		}
	}
	if err := s.Store.Put(ctx, name, data, opts); err != nil {
		return err
	}
	s.put = append(s.put, name)
	if s.opts == nil {
		s.opts = make(map[string]release.PutOptions)
	}
	s.opts[name] = opts
	if s.after != nil {
		return s.after(name)
	}
	return nil
}

func (s *spy) List(ctx context.Context, f func(release.Listed) error) error {
	return s.Store.(release.ListStore).List(ctx, f)
}

func (s *spy) Modified(ctx context.Context, name string) (time.Time, error) {
	return s.Store.(release.ListStore).Modified(ctx, name)
}

func (s *spy) Remove(ctx context.Context, name string) error {
	return s.Store.(release.ListStore).Remove(ctx, name)
}
