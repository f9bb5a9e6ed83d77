package shadow

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/serin-flags/serin/sdk"
)

const (
	// maxKinds is how many kinds of answers, by rule and reason, are counted apart.
	maxKinds = 256
	// maxSample is how many disagreements are kept.
	maxSample = 100
)

// Config configures a [Comparison]. The zero Config serves the old answer.
type Config struct {
	// Serve decides whose answer is served: Serin's if it is on for the context, and the
	// old one otherwise. Nil: the old one.
	Serve *sdk.Flag[bool]
}

// A Comparison is a flag that two systems answer. It is safe for concurrent use.
type Comparison[T any] struct {
	handle *sdk.Flag[T]
	old    func(sdk.Context) (T, error)
	equal  func(a, b T) bool
	serve  *sdk.Flag[bool]
	seed   maphash.Seed // of the hashes of units

	// kinds is replaced as a whole, so that reading it takes no lock.
	kinds     atomic.Pointer[map[kind]*counts]
	oldErrors atomic.Int64
	panics    atomic.Int64 // of equal
	mu        sync.Mutex   // of what follows, and of changes of kinds
	sample    []Disagreement
	seen      int64 // disagreements so far
}

// A kind is what Serin's answer was based on.
type kind struct {
	rule, reason string
}

// counts are numbers of answers.
type counts struct{ agreed, disagreed atomic.Int64 }

// Compare returns the comparison of a handle with what the old system answers. old is called
// once for each call of [Comparison.Get]; it may fail, and must be safe for concurrent use if
// Get is called concurrently.
func Compare[T comparable](handle *sdk.Flag[T], old func(sdk.Context) (T, error), cfg Config) *Comparison[T] {
	return CompareFunc(handle, old, func(a, b T) bool { return a == b }, cfg)
}

// CompareFunc is [Compare] for values that == can't compare, such as those of object flags. If
// equal panics, that is counted and doesn't reach the caller of [Comparison.Get].
func CompareFunc[T any](handle *sdk.Flag[T], old func(sdk.Context) (T, error), equal func(a, b T) bool,
	cfg Config) *Comparison[T] {
	c := &Comparison[T]{handle: handle, old: old, equal: equal, serve: cfg.Serve, seed: maphash.MakeSeed()}
	kinds := make(map[kind]*counts)
	c.kinds.Store(&kinds)
	return c
}

// Key returns the flag's key.
func (c *Comparison[T]) Key() string { return c.handle.Key() }

// Get returns the old answer or, if [Config].Serve is on for ctx, Serin's. If the old system
// fails while its answer is served, Get returns what it returned with the error: the caller has
// relied on that so far. A panic of the old system is the caller's while its answer is served,
// and counts as an error otherwise.
func (c *Comparison[T]) Get(client *sdk.Client, ctx sdk.Context) T {
	ours := c.handle.Explain(client, ctx)
	if c.serve == nil || !c.serve.Get(client, ctx) {
		old, err := c.old(ctx)
		c.count(&ctx, &ours, old, err)
		return old
	}
	old, err := c.guarded(ctx)
	c.count(&ctx, &ours, old, err)
	return ours.Value
}

// guarded asks the old system, whose panics are errors.
func (c *Comparison[T]) guarded(ctx sdk.Context) (value T, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errPanic
		}
	}()
	return c.old(ctx)
}

var errPanic = errors.New("the old system panicked")

// count counts a pair of answers.
func (c *Comparison[T]) count(ctx *sdk.Context, ours *sdk.Explanation[T], old T, err error) {
	if err != nil {
		c.oldErrors.Add(1)
		return
	}
	equal, ok := c.agree(ours.Value, old)
	if !ok {
		c.panics.Add(1)
		return
	}
	n := c.of(kind{ours.Rule, ours.Reason.String()})
	if equal {
		n.agreed.Add(1)
		return
	}
	n.disagreed.Add(1)
	c.keep(ctx, ours, old)
}

// agree reports whether two values are equal, and whether that could be found out.
func (c *Comparison[T]) agree(ours, old T) (equal, ok bool) {
	defer func() { _ = recover() }()
	return c.equal(ours, old), true
}

// of returns the counts of a kind. Those after the first maxKinds are one kind.
func (c *Comparison[T]) of(k kind) *counts {
	if n := (*c.kinds.Load())[k]; n != nil {
		return n
	}
	return c.add(k)
}

// add returns the counts of a kind that wasn't known when of looked.
func (c *Comparison[T]) add(k kind) *counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := *c.kinds.Load()
	if n := known[k]; n != nil { // another call has added it
		return n
	}
	if len(known) >= maxKinds {
		k = kind{rule: "(others)"}
		if n := known[k]; n != nil {
			return n
		}
	}
	more := maps.Clone(known)
	n := new(counts)
	more[k] = n
	c.kinds.Store(&more)
	return n
}

// A Disagreement is a pair of answers that differ. It has no personal data, unless the values
// of flags do.
type Disagreement struct {
	Time       time.Time `json:"time"`
	Serin      string    `json:"serin"` // the values, as fmt prints them
	Old        string    `json:"old"`
	Variant    string    `json:"variant"`
	Rule       string    `json:"rule,omitempty"`
	Reason     string    `json:"reason"`
	Revision   int64     `json:"revision"`
	Unit       uint64    `json:"unit"`       // a hash of the context's key, by this comparison's secret; 0: it has none
	Attributes []string  `json:"attributes"` // their names, sorted
}

// maxValue is the length in bytes of the longest value in a sample.
const maxValue = 200

// keep keeps a disagreement in the sample, of which each has the same chance to be in.
func (c *Comparison[T]) keep(ctx *sdk.Context, ours *sdk.Explanation[T], old T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen++
	at := len(c.sample)
	if at == maxSample {
		place := rand.Int64N(c.seen) // Algorithm R of reservoir sampling
		if place >= maxSample {
			return
		}
		at = int(place)
	} else {
		c.sample = append(c.sample, Disagreement{})
	}
	d := Disagreement{
		Time: time.Now().UTC(), Serin: short(fmt.Sprint(ours.Value)), Old: short(fmt.Sprint(old)),
		Variant: ours.Variant, Rule: ours.Rule,
		Reason: ours.Reason.String(), Revision: ours.Revision,
	}
	if ctx.Key != "" {
		d.Unit = maphash.String(c.seed, ctx.Key)
	}
	for _, a := range ctx.Attrs {
		d.Attributes = append(d.Attributes, a.Name)
	}
	slices.Sort(d.Attributes)
	c.sample[at] = d
}

// short cuts a text.
func short(s string) string {
	if len(s) > maxValue {
		return s[:maxValue] + "…"
	}
	return s
}

// A Report says how often two systems agreed about a flag since the comparison began.
type Report struct {
	Flag      string `json:"flag"`
	Agreed    int64  `json:"agreed"`
	Disagreed int64  `json:"disagreed"`
	OldErrors int64  `json:"old_errors"` // calls in which the old system failed; they count as neither
	Panics    int64  `json:"panics"`     // calls in which equal panicked; they count as neither
	Kinds     []Kind `json:"kinds"`      // sorted by rule and reason
	// Sample are at most 100 disagreements, of which each had the same chance to be here.
	Sample []Disagreement `json:"sample"`
}

// A Kind counts the answers that Serin gave for the same reason.
type Kind struct {
	Rule      string `json:"rule,omitempty"`
	Reason    string `json:"reason"`
	Agreed    int64  `json:"agreed"`
	Disagreed int64  `json:"disagreed"`
}

// Report returns the counts so far. Calls that run at the same time may or may not be in it.
func (c *Comparison[T]) Report() Report {
	r := Report{Flag: c.Key(), OldErrors: c.oldErrors.Load(), Panics: c.panics.Load()}
	for k, n := range *c.kinds.Load() {
		one := Kind{k.rule, k.reason, n.agreed.Load(), n.disagreed.Load()}
		r.Agreed, r.Disagreed = r.Agreed+one.Agreed, r.Disagreed+one.Disagreed
		r.Kinds = append(r.Kinds, one)
	}
	slices.SortFunc(r.Kinds, func(a, b Kind) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Reason, b.Reason))
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	r.Sample = slices.Clone(c.sample)
	return r
}
