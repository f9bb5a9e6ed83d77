package sdk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/serin-flags/serin/bundle"
)

const (
	// patience is how long a source that has a fallback may take for an object
	// that isn't a payload. Programs wait about that long for their first flags.
	patience = 3 * time.Second

	maxETag = 1 << 10 // bytes
)

// A choice is a source that an attempt can ask.
type choice struct {
	bundle.Source
	tag    string // starts the entity tags it gave; "" if there is no other choice
	failed bool   // in this attempt, which doesn't ask it again
}

// choicesOf returns the sources that s consists of, in the order to ask them.
func choicesOf(s bundle.Source) []choice {
	if f, ok := s.(interface{ choices() []choice }); ok {
		return f.choices()
	}
	return []choice{{Source: s}}
}

// An attempt is one poll of a source. It limits the time of each request, turns to
// the next choice when one fails, counts what it downloads, and holds on to what it
// has fetched. It implements [bundle.Source].
type attempt struct {
	choices    []choice
	failure    error // why the first choice wasn't enough; nil: it was
	downloaded *atomic.Int64

	// fetched is what this attempt has fetched, and what the one before had if it
	// ran out of time. So each gets further than the one before. Everything but
	// timestamp.json has a number or a hash in its name and never changes. The
	// verifier checks what is fetched again.
	fetched map[string]bundle.Object
}

// newAttempt returns an attempt to poll one of choices. It adds to downloaded and
// takes over fetched; either may be nil.
func newAttempt(choices []choice, downloaded *atomic.Int64, fetched map[string]bundle.Object) *attempt {
	if downloaded == nil {
		downloaded = new(atomic.Int64)
	}
	if fetched == nil {
		fetched = make(map[string]bundle.Object)
	}
	return &attempt{choices: slices.Clone(choices), downloaded: downloaded, fetched: fetched}
}

// retained returns what the next attempt may start with, if this one ran out of time.
func (a *attempt) retained() map[string]bundle.Object {
	size := 0
	for _, object := range a.fetched {
		size += len(object.Data)
	}
	if size > bundle.MaxPayloads {
		return nil
	}
	return a.fetched
}

// Fetch implements [bundle.Source].
func (a *attempt) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	if object, ok := a.fetched[name]; ok && int64(len(object.Data)) <= limit {
		return object, nil
	}
	object, err := a.askAll(ctx, name, etag, limit)
	a.downloaded.Add(int64(len(object.Data)))
	if err == nil && name != "timestamp.json" {
		a.fetched[name] = object
	}
	return object, err
}

// askAll asks one choice after the other until one has an answer. A choice that can't
// be reached isn't asked again; one that only lacks the object is. An object is missing
// if one choice lacks it and no other has it.
func (a *attempt) askAll(ctx context.Context, name, etag string, limit int64) (object bundle.Object, err error) {
	var missing, failure error
	for i := range a.choices {
		c := &a.choices[i]
		if c.failed {
			continue
		}
		last := i == len(a.choices)-1
		object, err = c.ask(ctx, name, etag, limit, last)
		switch {
		case err == nil || errors.Is(err, bundle.ErrNotModified):
			if failure != nil {
				a.failure = failure
			}
			return object, err
		case ctx.Err() != nil || errors.Is(err, bundle.ErrTooLarge) && missing == nil:
			return object, err
		}
		if i == 0 {
			failure = fmt.Errorf("%s: %w", name, err)
		}
		switch {
		case errors.Is(err, bundle.ErrNotFound):
			if missing == nil {
				missing = err
			}
		case !last:
			c.failed = true
			if i == 0 {
				a.failure = failure
			}
		}
	}
	if missing != nil {
		return bundle.Object{}, missing
	}
	return object, err
}

// ask asks the choice alone. There is a time limit on headers and body together.
func (c *choice) ask(ctx context.Context, name, etag string, limit int64, last bool) (bundle.Object, error) {
	wait := fetchTimeout
	if !last && !strings.HasPrefix(name, "targets/") {
		wait = patience
		if deadline, ok := ctx.Deadline(); ok {
			wait = min(wait, time.Until(deadline)/2) // leave the other choices half of the time
		}
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	own, ok := strings.CutPrefix(etag, c.tag)
	if !ok || !validETag(own) {
		own = "" // another choice's, or of no use
	}
	object, err := c.Fetch(ctx, name, own, limit)
	if validETag(object.ETag) && object.ETag != "" {
		object.ETag = c.tag + object.ETag
	} else {
		object.ETag = ""
	}
	return object, err
}

// explain returns the error of a poll that failed with err. If a fallback couldn't do
// what the first choice should have done, that is the first choice's error.
func (a *attempt) explain(err error) error {
	class, _ := bundle.ClassOf(err)
	if a.failure == nil || class == bundle.Signature || class == bundle.Malformed || class == bundle.Conflict {
		return err
	}
	class = bundle.Network
	if errors.Is(a.failure, bundle.ErrNotFound) {
		class = bundle.NotFound
	}
	return &bundle.Error{Class: class, Object: "timestamp.json",
		Err: fmt.Errorf("%w; and from the fallback: %w", a.failure, err)}
}

// validETag reports whether an entity tag may be sent in an HTTP header. Tags come back
// from the disk cache, which may have been tampered with, or written by a program with
// other choices. A tag that a server refuses would stop all polling.
func validETag(etag string) bool {
	if strings.HasPrefix(etag, firstTag) || strings.HasPrefix(etag, secondTag) {
		return false // a fallback's; no server's tag starts like this
	}
	return len(etag) <= maxETag && !strings.ContainsFunc(etag, func(r rune) bool {
		return r < ' ' || r > '~'
	})
}
