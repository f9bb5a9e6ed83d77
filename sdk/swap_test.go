package sdk_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/sdk"
)

// estate returns n flags in 10 namespaces, half of which change with the revision.
func estate(env string, n int, revision int64) []bundle.Payload {
	var payloads []bundle.Payload
	for team := range 10 {
		p := numbered(env, revision*int64(team%2))[0]
		p.Namespace = fmt.Sprintf("team-%d", team)
		p.Ruleset.Flags = nil
		for i := range n / 10 {
			f := split(fmt.Sprintf("flag-%d-%d", team, i), "user", uint64(10+revision*int64(team%2)%50))
			f.Rules = append(inCity("", "shenzhen").Rules, f.Rules...)
			p.Ruleset.Flags = append(p.Ruleset.Flags, f)
		}
		payloads = append(payloads, p)
	}
	return payloads
}

// BenchmarkSwap replaces 10,000 flags, of which half have changed, while 1,000
// handles are asked all the time. It reports the time that 99 of 100 answers take
// at most, while nothing else happens and while a revision is fetched, verified,
// compiled and swapped in.
func BenchmarkSwap(b *testing.B) {
	r := newRepository(b, "production")
	r.publish(b, estate(r.env, 10_000, 1)...)
	client := open(b, sdk.Config{Source: r.source(b), Root: r.keys.Root, Interval: -1})
	var handles []*sdk.Flag[bool]
	for i := range 1000 {
		handles = append(handles, sdk.Bool(fmt.Sprintf("flag-%d-%d", i%10, i), false))
	}
	names := users(1024)
	ask := func(i int) time.Duration {
		begun := time.Now()
		handles[i%1000].Get(client, sdk.User(names[i&1023], sdk.Attr("city", "beijing")))
		return time.Since(begun)
	}
	var quiet []time.Duration
	for i := range 1_000_000 {
		quiet = append(quiet, ask(i))
	}
	var swapping atomic.Bool
	stop, busy := make(chan struct{}), make(chan []time.Duration)
	go func() {
		var took []time.Duration
		for i := 0; ; i++ {
			select {
			case <-stop:
				busy <- took
				return
			default:
			}
			if !swapping.Load() {
				time.Sleep(10 * time.Microsecond)
			} else if d := ask(i); len(took) < 50_000_000 {
				took = append(took, d)
			}
		}
	}()
	for n := int64(2); b.Loop(); n++ {
		b.StopTimer()
		r.publish(b, estate(r.env, 10_000, n)...)
		b.StartTimer()
		swapping.Store(true)
		if err := client.Refresh(b.Context()); err != nil {
			b.Fatal(err)
		}
		swapping.Store(false)
	}
	close(stop)
	during := <-busy
	before, after := p99(quiet), p99(during)
	b.ReportMetric(float64(before.Nanoseconds()), "quiet-p99-ns")
	b.ReportMetric(float64(after.Nanoseconds()), "swap-p99-ns")
	b.ReportMetric(float64(after)/float64(before), "swap/quiet")
}

func p99(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)*99/100]
}
