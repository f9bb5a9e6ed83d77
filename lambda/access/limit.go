package access

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A pace is how often requests may come: so many a second on average, and so many at once.
// The zero pace is no limit.
type pace struct {
	limit rate.Limit
	burst int
}

func (p pace) limited() bool { return p.burst > 0 }

func (p pace) limiter() *rate.Limiter { return rate.NewLimiter(p.limit, p.burst) }

// take takes a request from a limiter. If there is no room for it, it takes nothing, and
// returns how long until there is.
func take(l *rate.Limiter, now time.Time) time.Duration {
	r := l.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// maxBuckets is how many addresses are remembered. They take some 20 MB.
const maxBuckets = 1 << 16

// buckets are the limiters of addresses. Those that have been idle for long enough to have
// all of their room again are forgotten, which makes no difference. So is the one that has
// been idle for longest, if there are too many.
type buckets struct {
	mu    sync.Mutex
	order list.List // of *bucket, the one used last in front
	known map[user]*list.Element
}

// A user is who uses a client, by address.
type user struct {
	client  *client
	network netip.Prefix
}

type bucket struct {
	user    user
	limiter *rate.Limiter
}

// of returns the limiter for an address. All addresses of an IPv6 network of 64 bits, which
// is what a household gets, share one, and so do all requests of which nobody knows the
// address.
func (b *buckets) of(c *client, ip netip.Addr, now time.Time) *rate.Limiter {
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	network, _ := ip.Prefix(bits) // the zero Prefix for no address
	key := user{c, network}
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.known[key]; e != nil {
		b.order.MoveToFront(e)
		return e.Value.(*bucket).limiter
	}
	if b.known == nil {
		b.known = make(map[user]*list.Element)
	}
	for range 2 { // so that the number falls after a peak
		if oldest := b.order.Back(); oldest != nil && idle(oldest.Value.(*bucket), now) {
			b.forget(oldest)
		}
	}
	if len(b.known) >= maxBuckets {
		b.forget(b.order.Back())
	}
	e := &bucket{key, c.perAddress.limiter()}
	b.known[key] = b.order.PushFront(e)
	return e.limiter
}

func idle(b *bucket, now time.Time) bool {
	return b.limiter.TokensAt(now) >= float64(b.limiter.Burst())
}

func (b *buckets) forget(e *list.Element) {
	b.order.Remove(e)
	delete(b.known, e.Value.(*bucket).user)
}

// clear forgets all addresses.
func (b *buckets) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.order.Init()
	clear(b.known)
}
