package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/sdk"
)

// benchUsers is how many users loops take turns with: a power of two, and few
// enough that it isn't memory that is measured.
const benchUsers = 1024

// BenchmarkWorkload is A to F and H for all systems.
func BenchmarkWorkload(b *testing.B) {
	l := ready(b)
	users := Users(benchUsers)
	rules := ruleFlag("rules", 0)
	even := EvenUsers(&rules, benchUsers)
	keys := (&Estate{Flags: RuleFlags(1000)}).Keys()
	loops := []struct {
		name string
		run  func(b *testing.B, c, all timed)
	}{
		{"A", func(b *testing.B, c, _ timed) { c.boolean(b, "static", users) }},
		{"B", func(b *testing.B, c, _ timed) { c.boolean(b, "rollout", users) }},
		{"B+", func(b *testing.B, c, _ timed) { c.built(b, "rollout", users) }},
		{"B++", func(b *testing.B, c, _ timed) { withHelper(b, c).helped(b, "rollout", users) }},
		{"B++room", func(b *testing.B, c, _ timed) { withHelper(b, c).helpedWithRoom(b, "rollout", users) }},
		{"C", func(b *testing.B, c, _ timed) { c.boolean(b, "short-list", users) }},
		{"D", func(b *testing.B, c, _ timed) { c.boolean(b, "long-list", users) }},
		{"E", func(b *testing.B, c, _ timed) { c.text(b, "rules", even) }},
		{"F", func(b *testing.B, _, all timed) { all.all(b, keys, users) }},
		{"H", func(b *testing.B, c, _ timed) { c.parallel(b, "rollout", users) }},
	}
	for _, loop := range loops {
		for _, s := range Systems() {
			b.Run("workload="+loop.name+"/system="+s.Name(), func(b *testing.B) {
				b.ReportAllocs()
				loop.run(b, l.workloads[s.Name()].(timed), l.all[s.Name()].(timed))
			})
		}
	}
}

// BenchmarkGrowth is B, with another flag each time, in estates of any size.
func BenchmarkGrowth(b *testing.B) {
	users := Users(benchUsers)
	for _, n := range []int{10, 100, 1000, 10_000, 100_000} {
		place := Place{Dir: b.TempDir()}
		if err := (serin{}).Publish(place.Dir, &Estate{Flags: Rollouts(n)}); err != nil {
			b.Fatal(err)
		}
		keys := make([]string, benchUsers)
		for i := range keys {
			keys[i] = fmt.Sprintf("rollout-%d", i*n/benchUsers)
		}
		for _, s := range []System{serin{}, serin{byName: true}} {
			c, err := s.Load(place)
			if err != nil {
				b.Fatal(err)
			}
			if err := Check(&Estate{Flags: Rollouts(1)}, map[string]Client{s.Name(): c}); err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("flags=%d/system=%s", n, s.Name()), func(b *testing.B) {
				b.ReportAllocs()
				c.(timed).booleans(b, keys, users)
			})
			c.Close()
		}
	}
}

// BenchmarkCores is H with one core and with all, for Serin alone.
func BenchmarkCores(b *testing.B) {
	place := Place{Dir: b.TempDir()}
	estate := &Estate{Flags: Rollouts(1)}
	if err := (serin{}).Publish(place.Dir, estate); err != nil {
		b.Fatal(err)
	}
	c, err := serin{}.Load(place)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for _, n := range slices.Compact([]int{1, runtime.NumCPU()}) {
		b.Run(fmt.Sprintf("cores=%d", n), func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
			c.(timed).parallel(b, estate.Flags[0].Key, Users(benchUsers))
		})
	}
}

// large returns where PublishLarge has written: the place that the report has,
// so that a process that measures memory has little else in it, or one that is
// there until b is over.
func large(b *testing.B) func(name string) Place {
	b.Helper()
	at := func(dir, url string) func(string) Place {
		return func(name string) Place { return Place{filepath.Join(dir, name), url + "/" + name} }
	}
	if dir := os.Getenv(EnvDir); dir != "" {
		return at(dir, os.Getenv(EnvURL))
	}
	dir := b.TempDir()
	if err := PublishLarge(dir); err != nil {
		b.Fatal(err)
	}
	server := Serve(dir)
	b.Cleanup(server.Close)
	return at(dir, server.URL)
}

// BenchmarkLoad is G. It means something with -benchtime=1x, one system in a
// process. [NoSystem] loads nothing: it shows what the process itself has.
func BenchmarkLoad(b *testing.B) {
	benchmarkLoad(b, large(b)(loadDir), append(Loadable(), nil), func(c Client) error {
		return checkSome(RuleFlags(largeFlags), Users(20), c)
	})
}

// BenchmarkLoadLists is the same of flags with lists.
func BenchmarkLoadLists(b *testing.B) {
	benchmarkLoad(b, large(b)(loadListDir), WithLists(), func(c Client) error {
		return checkSome(ListFlags(largeFlags, updateLength, false), ListUsers(20, updateLength), c)
	})
}

// benchmarkLoad makes nothing that is large before it has measured what is in memory.
func benchmarkLoad(b *testing.B, place Place, systems []System, check func(Client) error) {
	for _, s := range systems {
		name := NoSystem
		if s != nil {
			name = s.Name()
		}
		b.Run("system="+name, func(b *testing.B) {
			before := heap()
			var c Client
			for b.Loop() {
				if s == nil {
					continue
				}
				var err error
				if c, err = s.Load(place); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(resident("VmHWM:")/1e6, "peak-MB")
			after := heap()
			b.ReportMetric(float64(after)/1e6, "heap-MB")
			b.ReportMetric(float64(after-before)/1e6, "retained-MB")
			debug.FreeOSMemory()
			b.ReportMetric(resident("VmRSS:")/1e6, "rss-MB")
			if s == nil {
				return
			}
			defer c.Close()
			if err := check(c); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// checkSome checks every thousandth flag.
func checkSome(flags []Flag, users []User, c Client) error {
	for i := 0; i < len(flags); i += 1000 {
		for _, u := range users {
			if err := checkText(&flags[i], &u, c.Text(flags[i].Key, &u)); err != nil {
				return err
			}
		}
	}
	return nil
}

// heap returns the bytes in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what has finalizers
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// resident returns the bytes of the process in memory, now or at most so far; 0
// if that isn't known.
func resident(what string) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), what)
	kB, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		return 0
	}
	return kB * 1024
}

// BenchmarkList is a list of a million ids: what it takes to load it, and to find
// an id there or find that it isn't. One system in a process.
func BenchmarkList(b *testing.B) {
	place := large(b)(listDir)
	const probes = 1 << 16
	hits, misses := make([]User, probes), make([]User, probes)
	for i := range hits {
		// Far from each other, in no order: 7919 is a prime.
		hits[i].ID = IDs(i*7919%listIDs, 1)[0]
		misses[i].ID = IDs(listIDs+i, 1)[0]
	}
	for _, s := range Loadable() {
		b.Run("system="+s.Name(), func(b *testing.B) {
			before := heap()
			began := time.Now()
			c, err := s.Load(place)
			took := time.Since(began)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			// Its own bytes are the id's text.
			each := float64(heap()-before)/listIDs - float64(len(hits[0].ID))
			for i := range 100 {
				if !c.Bool("list", &hits[i]) || c.Bool("list", &misses[i]) {
					b.Fatal("the list isn't right")
				}
			}
			b.Run("id=listed", func(b *testing.B) {
				c.(timed).boolean(b, "list", hits)
				b.ReportMetric(float64(took.Microseconds())/1000, "load-ms")
				b.ReportMetric(each, "more-B/id")
			})
			b.Run("id=other", func(b *testing.B) { c.(timed).boolean(b, "list", misses) })
		})
	}
}

// BenchmarkUpdate is a client of 10,000 flags that gets a revision in which 10 of
// them are different. It means something with -benchtime=1x.
func BenchmarkUpdate(b *testing.B) {
	at := large(b)
	after := Changed(RuleFlags(largeFlags), changes, 1)
	for name, namespaces := range map[string]int{updateDir: 1, updateNDir: 20} {
		b.Run(fmt.Sprintf("namespaces=%d", namespaces), func(b *testing.B) {
			benchmarkUpdate(b, at, name, after, Users(20))
		})
	}
}

// BenchmarkUpdateLists is the same of flags with lists, in one namespace.
func BenchmarkUpdateLists(b *testing.B) {
	after := ChangedLists(ListFlags(largeFlags, updateLength, false), changes, updateLength)
	benchmarkUpdate(b, large(b), updateLDir, after, ListUsers(20, updateLength))
}

func benchmarkUpdate(b *testing.B, at func(name string) Place, name string, after []Flag, users []User) {
	source, root := &replaced{}, []byte(nil)
	for i, suffix := range []string{"", afterSuffix} {
		place := at(name + suffix)
		var err error
		if source.sources[i], err = sdk.File(filepath.Join(place.Dir, "serin")); err != nil {
			b.Fatal(err)
		}
		if root, err = os.ReadFile(filepath.Join(place.Dir, "serin-root.json")); err != nil {
			b.Fatal(err)
		}
	}
	client, err := openSerin(source, root)
	if err != nil {
		b.Fatal(err)
	}
	c := serinClient{client}
	defer c.Close()
	source.at = 1
	heap()
	for b.Loop() {
		if err := c.Refresh(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	if revision := c.Snapshot().Revision(); revision != 2 {
		b.Fatalf("revision %d is served", revision)
	}
	if err := checkSome(after, users, c); err != nil {
		b.Fatal(err)
	}
}

// replaced is a source whose content another one takes the place of.
type replaced struct {
	sources [2]bundle.Source
	at      int
}

func (r *replaced) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	return r.sources[r.at].Fetch(ctx, name, etag, limit)
}
