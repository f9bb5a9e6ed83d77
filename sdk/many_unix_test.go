//go:build unix

package sdk_test

import (
	"net/http"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-flags/serin/internal/soak"
	"github.com/serin-flags/serin/sdk"
)

// TestManyClients starts many clients of one process in the same moment, and has them
// poll one server. Their requests must spread, and the memory of an idle client is
// bounded.
func TestManyClients(t *testing.T) {
	const (
		span = 5 * time.Minute
		most = 200 << 10 // bytes for each client; its flags take less than 10 KiB
	)
	clients := soak.Times(65, 1000)
	interval := time.Duration(soak.Times(5, 30)) * time.Second
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		files := withETags(r.dir)
		var mu sync.Mutex
		perSecond := make([]int, span/time.Second)
		begun := time.Now()
		server := serveChaos(t, newChaosStore())
		server.set(func(w http.ResponseWriter, req *http.Request) {
			mu.Lock()
			if second := int(time.Since(begun) / time.Second); second < len(perSecond) {
				perSecond[second]++
			}
			mu.Unlock()
			files.ServeHTTP(w, req)
		})
		defer server.close()
		source, err := sdk.HTTP("http://flags.example", server.client())
		if err != nil {
			t.Fatal(err)
		}
		before := inUse()
		list := make([]*sdk.Client, clients)
		for i := range list {
			list[i] = open(t, sdk.Config{Source: source, Root: r.keys.Root, Interval: interval})
		}
		time.Sleep(span)
		synctest.Wait()
		each := (inUse() - before) / uint64(clients)
		t.Logf("%d bytes for each client", each)
		if each > most {
			t.Errorf("each client takes %d bytes, more than %d", each, most)
		}
		for _, c := range list {
			serves(t, c, 1)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		// At the start they ask at once, since they have nothing to serve.
		spreads(t, perSecond[1:])
	})
}

// spreads checks that no second has more than three times as many requests as
// seconds have on average.
func spreads(t *testing.T, perSecond []int) {
	t.Helper()
	sum, most := 0, 0
	for _, n := range perSecond {
		sum += n
		most = max(most, n)
	}
	t.Logf("%d requests in %d s, at most %d in one", sum, len(perSecond), most)
	if sum == 0 || most*len(perSecond) > 3*sum {
		t.Errorf("of %d requests in %d s, %d came in one", sum, len(perSecond), most)
	}
}

// inUse returns the bytes of heap and stacks.
func inUse() uint64 {
	runtime.GC()
	runtime.GC() // what finalizers freed
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
