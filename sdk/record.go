package sdk

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// A record is what a client learns apart from its polls, and what all of its
// snapshots share.
type record struct {
	confirmed  atomic.Pointer[time.Time] // when the source last had nothing newer; nil: not known
	downloaded atomic.Int64              // bytes
	mismatches atomic.Int64

	mu         sync.Mutex
	mismatched []mismatched // that were not logged yet
}

// A mismatched is a flag that a handle of another type asks for.
type mismatched struct {
	key      string
	revision int64
}

// maxMismatched is how many of them are kept until they are logged.
const maxMismatched = 100

func (r *record) mismatch(key string, revision int64) {
	r.mismatches.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.mismatched) < maxMismatched {
		r.mismatched = append(r.mismatched, mismatched{key, revision})
	}
}

// taken returns what was not logged yet.
func (r *record) drainMismatches() []mismatched {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.mismatched
	r.mismatched = nil
	return list
}

// age returns the seconds since the source last had nothing newer, the most there
// are if that isn't known.
func (r *record) age(now time.Time) int64 {
	confirmed := r.confirmed.Load()
	if confirmed == nil {
		return math.MaxInt64
	}
	return int64(elapsed(*confirmed, now) / time.Second)
}

// elapsed returns how much time has passed by whichever clock says more: the
// monotonic one stands still while a program is frozen, and the other one may have
// been set back.
func elapsed(from, to time.Time) time.Duration {
	return max(0, to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// bits is a set of the indices of flags, to which any number of goroutines add.
type bits []atomic.Uint32

func newBits(n int) bits { return make(bits, (n+31)/32) }

// set adds an index, and reports whether that is new. What is beyond the flags is
// not added.
func (b bits) set(i uint32) bool {
	if uint64(i/32) >= uint64(len(b)) {
		return false
	}
	mask := uint32(1) << (i % 32)
	word := &b[i/32]
	return word.Load()&mask == 0 && word.Or(mask)&mask == 0
}

func (b bits) has(i int) bool { return b[i/32].Load()&(1<<(i%32)) != 0 }
