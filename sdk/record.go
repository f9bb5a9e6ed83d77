package sdk

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// A record is what a client learns between polls. All of its snapshots share it.
type record struct {
	confirmed  atomic.Pointer[time.Time] // when the source last had nothing newer; nil: unknown
	downloaded atomic.Int64              // bytes
	mismatches atomic.Int64

	mu       sync.Mutex
	findings []finding // not logged yet
}

// maxPending limits how many findings are kept until they are logged.
const maxPending = 4 * maxFindings

// note keeps a finding for the log.
func (r *record) note(f finding) {
	if f.what == mistypedFlag {
		r.mismatches.Add(1)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.findings) < maxPending {
		r.findings = append(r.findings, f)
	}
}

// drain returns the findings that haven't been logged yet.
func (r *record) drain() []finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.findings
	r.findings = nil
	return list
}

// age returns the seconds since the source last had nothing newer, or the maximum if
// that is unknown.
func (r *record) age(now time.Time) int64 {
	confirmed := r.confirmed.Load()
	if confirmed == nil {
		return math.MaxInt64
	}
	return int64(elapsed(*confirmed, now) / time.Second)
}

// elapsed returns the time from one moment to another by the monotonic clock or the wall
// clock, whichever is longer. The former stops while a program is frozen, and the
// latter may have been set back.
func elapsed(from, to time.Time) time.Duration {
	return max(0, to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// bits is a set of indices of flags. Any number of goroutines may add to it.
type bits []atomic.Uint32

func newBits(n int) bits { return make(bits, (n+31)/32) }

// set adds an index and reports whether it is new. It ignores indices beyond the flags.
func (b bits) set(i uint32) bool {
	if uint64(i/32) >= uint64(len(b)) {
		return false
	}
	mask := uint32(1) << (i % 32)
	word := &b[i/32]
	return word.Load()&mask == 0 && word.Or(mask)&mask == 0
}

func (b bits) has(i int) bool { return b[i/32].Load()&(1<<(i%32)) != 0 }

func (b bits) clear() {
	for i := range b {
		b[i].Store(0)
	}
}
