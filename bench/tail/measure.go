package main

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/serin-flags/serin/bench"
	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/sdk"
)

// history is a repository of many revisions, of which the one served is chosen by its
// timestamp. Everything else about a revision has a name of its own.
type history struct {
	bundle.Source
	root       []byte
	keys       []string
	timestamps []bundle.Object
	at         atomic.Int32
}

// timestamp is the object that says which revision is served.
const timestamp = "timestamp.json"

func (h *history) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	if name == timestamp {
		return h.timestamps[h.at.Load()], nil
	}
	return h.Source.Fetch(ctx, name, etag, limit)
}

// publish writes a revision of n flags, and updates in each of which ten are different.
func publish(dir string, n, updates int) (*history, error) {
	source, err := sdk.File(filepath.Join(dir, "serin"))
	if err != nil {
		return nil, err
	}
	h := &history{Source: source}
	flags := bench.RuleFlags(n)
	h.keys = (&bench.Estate{Flags: flags}).Keys()
	for i := range updates + 1 {
		if h.root, err = bench.PublishRevision(dir, &bench.Estate{Flags: flags}); err != nil {
			return nil, err
		}
		object, err := source.Fetch(context.Background(), timestamp, "", 1<<20)
		if err != nil {
			return nil, err
		}
		h.timestamps = append(h.timestamps, object)
		flags = bench.Changed(flags, 10, 1+i)
	}
	return h, nil
}

// open returns a client of the first revision.
func (h *history) open() (*sdk.Client, error) {
	h.at.Store(0)
	client, err := sdk.Open(context.Background(), sdk.Config{Source: h, Root: h.root, Interval: -1})
	if err != nil {
		return nil, err
	}
	return client, client.Status().LastError
}

// update makes the client serve the next revision.
func (h *history) update(c *sdk.Client) error {
	h.at.Add(1)
	before := c.Snapshot().Revision()
	if err := c.Refresh(context.Background()); err != nil {
		return err
	}
	if after := c.Snapshot().Revision(); after <= before {
		return fmt.Errorf("an update from revision %d to %d", before, after)
	}
	return nil
}

// A caller has handles, which it uses in turn, and contexts.
type caller struct {
	client   *sdk.Client
	handles  []*sdk.Flag[string]
	contexts []sdk.Context
	next     int
}

// asked is how many flags a caller uses, and people for how many users: a power of two.
const (
	asked  = 20
	people = 1024
)

func (h *history) caller(client *sdk.Client) *caller {
	c := &caller{client: client}
	users := bench.Users(people)
	for i := range people {
		c.contexts = append(c.contexts, bench.SerinContext(&users[i]))
	}
	for i := range asked {
		c.handles = append(c.handles, sdk.String(h.keys[i*len(h.keys)/asked], ""))
	}
	return c
}

// one makes a call, and returns how long it took.
func (c *caller) one() time.Duration {
	handle, ctx := c.handles[c.next%asked], &c.contexts[c.next%people]
	c.next++
	began := time.Now()
	value := handle.Get(c.client, *ctx)
	took := time.Since(began)
	runtime.KeepAlive(value)
	return took
}

// histogram has room for up to ten seconds, to three digits.
func histogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 10e9, 3) }

// record adds a call. What is longer than a histogram has room for counts as its longest.
func record(to *hdrhistogram.Histogram, took time.Duration) {
	if err := to.RecordValue(took.Nanoseconds()); err != nil {
		to.RecordValue(to.HighestTrackableValue()) // has room for that
	}
}

// load makes calls while the client is updated at even distances. It returns how long
// calls took that were made during an update, and all others.
func (r *run) load(h *history) (during, between *hdrhistogram.Histogram, err error) {
	client, err := h.open()
	if err != nil {
		return nil, nil, err
	}
	defer client.Close()
	callers, parts := make([]*caller, r.readers), make([][2]*hdrhistogram.Histogram, r.readers)
	for i := range callers {
		callers[i], parts[i] = h.caller(client), [2]*hdrhistogram.Histogram{histogram(), histogram()}
	}
	each := r.calls / r.updates / r.readers
	for range r.updates {
		var phase atomic.Int32
		var calling, ended sync.WaitGroup
		calling.Add(len(callers))
		for i, c := range callers {
			ended.Go(func() { c.calls(each, &phase, calling.Done, parts[i]) })
		}
		calling.Wait() // a short update would be over before they begin
		phase.Store(updating)
		err = h.update(client)
		phase.Store(updated)
		ended.Wait()
		if err != nil {
			return nil, nil, err
		}
	}
	during, between = histogram(), histogram()
	for _, p := range parts {
		during.Merge(p[0])
		between.Merge(p[1])
	}
	return during, between, nil
}

// The phases of a measured update: before it, 0, while it runs, and after it.
const (
	updating = 1 + iota
	updated
)

// calls makes at least n calls, and goes on until the update is over. It calls began after
// the first one.
func (c *caller) calls(n int, phase *atomic.Int32, began func(), into [2]*hdrhistogram.Histogram) {
	record(into[1], c.one())
	began()
	for i := 1; ; i++ {
		now := phase.Load()
		if now == updated && i >= n {
			return
		}
		to := into[1]
		if now == updating {
			to = into[0]
		}
		record(to, c.one())
	}
}

// firstCalls returns how long the first call of each handle after an update took, and the
// second, in a process that does nothing else.
func firstCalls(h *history) (calls [2]*hdrhistogram.Histogram, err error) {
	calls = [2]*hdrhistogram.Histogram{histogram(), histogram()}
	client, err := h.open()
	if err != nil {
		return calls, err
	}
	defer client.Close()
	c := h.caller(client)
	for range len(h.timestamps) - 1 {
		if err := h.update(client); err != nil {
			return calls, err
		}
		runtime.GC() // what the update has left is not part of the calls
		for _, to := range calls {
			c.next = 0 // the same contexts
			for range asked {
				record(to, c.one())
			}
		}
	}
	return calls, nil
}

// clock returns how long nothing takes, n times.
func clock(n int) *hdrhistogram.Histogram {
	to := histogram()
	for range n {
		began := time.Now()
		took := time.Since(began)
		record(to, took)
	}
	return to
}
