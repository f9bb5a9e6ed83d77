package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/serin-flags/serin/sdk"
)

const (
	// refreshAfter is how long after flags were confirmed nobody looks for newer ones.
	refreshAfter = 30 * time.Second
	// defaultMaxAge is up to what age flags are served without looking for newer ones
	// first, if that can be done after the answer.
	defaultMaxAge = time.Minute
	// refreshBudget limits how long looking for newer flags delays a request.
	refreshBudget = 500 * time.Millisecond
	// emptyBudget is the same limit while there are no flags at all.
	emptyBudget = 3 * time.Second
	// afterBudget limits how long looking for newer flags takes after an answer. Nobody
	// waits for it, but it is paid for.
	afterBudget = 2 * time.Second
	// headStart is how long after an answer that begins.
	headStart = 10 * time.Millisecond
)

// A refresher looks for newer flags, before requests and after them.
type refresher struct {
	client *sdk.Client
	maxAge time.Duration // up to which flags may be served unasked, if after is set
	baked  time.Time     // when the copy in the deployment package was confirmed; zero: unknown
	after  bool          // afterwards is called after each request
}

// before looks for newer flags, within a budget, if those that there are may be too old to
// answer from. Whatever the outcome, what there is then is served; the client logs errors.
func (r *refresher) before(ctx context.Context) {
	age := refreshAfter
	if r.after {
		age = r.maxAge
	}
	budget := refreshBudget
	if r.client.Snapshot() == nil {
		budget = emptyBudget
	} else if r.bakedWithin(age) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	_ = r.client.RefreshIfOlder(ctx, age)
}

// afterwards looks for newer flags, so that the next request finds them. It gives the answer
// a head start: fetching would compete with it for the processor, of which small functions
// have a fraction.
func (r *refresher) afterwards(ctx context.Context) {
	snapshot := r.client.Snapshot()
	if since := time.Since(r.client.Status().Checked); snapshot != nil &&
		(r.bakedWithin(refreshAfter) || 0 <= since && since < refreshAfter) {
		return
	}
	time.Sleep(headStart)
	ctx, cancel := context.WithTimeout(ctx, afterBudget)
	defer cancel()
	_ = r.client.RefreshIfOlder(ctx, refreshAfter)
}

// bakedWithin reports whether the copy in the deployment package, and so whatever is served,
// was confirmed less than d ago.
func (r *refresher) bakedWithin(d time.Duration) bool {
	since := time.Since(r.baked)
	return 0 <= since && since < d
}

// bakedAt returns when the copy in a folder was confirmed, zero if it doesn't say. Like the
// pinned root it comes with the deployment package, so it is believed.
func bakedAt(dir string) time.Time {
	f, err := os.Open(filepath.Join(dir, "baked.json"))
	if err != nil {
		return time.Time{}
	}
	defer f.Close()
	var label struct {
		Confirmed time.Time `json:"confirmed"`
	}
	if err := json.NewDecoder(io.LimitReader(f, maxLabel)).Decode(&label); err != nil {
		return time.Time{}
	}
	return label.Confirmed
}

const maxLabel = 1 << 20 // bytes
