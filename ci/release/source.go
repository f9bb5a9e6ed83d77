package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/serin-flags/serin/bundle"
)

// put is Store.Put or, in a dry run, only checks what it can.
func (p *publisher) put(ctx context.Context, name string, data []byte, opts PutOptions) error {
	var err error
	if p.DryRun {
		err = p.pretend(ctx, name, opts)
	} else {
		err = p.Store.Put(ctx, name, data, opts)
	}
	if err != nil {
		return fmt.Errorf("putting %s: %w", name, err)
	}
	p.record(name, data)
	return nil
}

// pretend returns the error that a put would return, as far as reads can tell.
func (p *publisher) pretend(ctx context.Context, name string, opts PutOptions) error {
	if !opts.IfNoneMatch {
		return nil // a repair, or timestamp.json, which was just read
	}
	_, err := p.get(ctx, name, 0)
	switch {
	case err == nil, errors.Is(err, bundle.ErrTooLarge):
		return ErrConflict
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

// record notes that an object was put.
func (p *publisher) record(name string, data []byte) {
	p.pending[name] = data
	p.report.Objects = append(p.report.Objects, name)
	p.report.Bytes += int64(len(data))
}

func (p *publisher) get(ctx context.Context, name string, limit int64) ([]byte, error) {
	data, _, err := p.Store.Get(ctx, name, limit)
	if err != nil {
		return nil, fmt.Errorf("getting %s: %w", name, err)
	}
	return data, nil
}

// source reads a store for a verifier. It isn't safe for concurrent use.
type source struct {
	store   Store
	pending map[string][]byte // objects that hide those in the store, by name
	roots   map[string][]byte // objects that the store may lack, by name
	hidden  map[string][]byte // objects that are never found, by name
	lacking []string          // names of the roots that the store lacked
	etag    string            // of timestamp.json, once that was read
}

// Fetch implements [bundle.Source].
func (s *source) Fetch(ctx context.Context, name, _ string, limit int64) (bundle.Object, error) {
	if _, ok := s.hidden[name]; ok {
		return bundle.Object{}, bundle.ErrNotFound
	}
	if data, ok := s.pending[name]; ok {
		return inMemory(data, limit)
	}
	data, etag, err := s.store.Get(ctx, name, limit)
	if errors.Is(err, fs.ErrNotExist) {
		if data, ok := s.roots[name]; ok {
			s.lacking = append(s.lacking, name)
			return inMemory(data, limit)
		}
		return bundle.Object{}, fmt.Errorf("%w: %w", bundle.ErrNotFound, err)
	}
	if err != nil {
		return bundle.Object{}, err
	}
	if name == timestampName {
		s.etag = etag
	}
	return bundle.Object{Data: data, ETag: etag}, nil
}

func inMemory(data []byte, limit int64) (bundle.Object, error) {
	if int64(len(data)) > limit {
		return bundle.Object{}, fmt.Errorf("%w: %d bytes, the limit is %d", bundle.ErrTooLarge, len(data), limit)
	}
	return bundle.Object{Data: data}, nil
}

// sorted returns the keys of m in order.
func sorted[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}
