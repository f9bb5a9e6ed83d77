//go:build unix

package sdk_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-flags/serin/internal/soak"
	"github.com/serin-flags/serin/sdk"
)

var (
	chaosSeeds  = flag.Int("chaos.seeds", soak.Times(1, 60), "how many random histories TestChaos goes through")
	chaosFaults = flag.Int("chaos.faults", soak.Times(26, 50), "how many faults there are in each history")
)

// chaosMode is the environment variable of the process that TestChaos starts.
const chaosMode = "SERIN_SDK_TEST_CHAOS"

// chaosInterval is longer than the default, so that weeks are over soon.
const chaosInterval = 3 * time.Minute

// forged is what the numbers of a forger's flags begin with.
const forged = 1_000_000

// TestChaos lets clients live through random histories of faults: of the network,
// of what a server holds, of clocks and of disks. All the while, and across
// restarts,
//
//   - every answer is that of one whole revision which was published and signed,
//     or a default while there was none;
//   - revisions never go back, as far as the disk could keep them;
//   - within one poll after a fault is over the newest revision is served.
//
// Time is simulated, HTTP is not: server and client speak it over pipes. What
// kill -9 does is up to [TestKilledWhileUpdating].
//
// It runs in a process of its own, whose files can be kept from growing.
func TestChaos(t *testing.T) {
	if os.Getenv(chaosMode) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChaos$", "-test.v", "-test.timeout=0",
			fmt.Sprint("-chaos.seeds=", *chaosSeeds), fmt.Sprint("-chaos.faults=", *chaosFaults))
		cmd.Env = append(os.Environ(), chaosMode+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || testing.Verbose() {
			t.Logf("%s", out)
		}
		if err != nil {
			t.Error(err)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ) // what a full disk is simulated with
	defer signal.Reset(syscall.SIGXFSZ)
	injected := make(map[string]int)
	for seed := range uint64(*chaosSeeds) {
		ok := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newChaos(t, seed, injected).live(*chaosFaults) })
		})
		if !ok {
			break // one history to look at is enough
		}
	}
	total := 0
	for _, n := range injected {
		total += n
	}
	t.Logf("%d faults of %d kinds: %v", total, len(injected), injected)
	if total < *chaosSeeds**chaosFaults && !t.Failed() {
		t.Errorf("only %d faults were injected", total)
	}
}

// A chaos is one history.
type chaos struct {
	t        *testing.T
	rand     *rand.Rand
	injected map[string]int

	repository *repository
	store      *chaosStore   // of the repository
	forger     *chaosStore   // of somebody with other keys
	old        []*chaosStore // what was published once, from time to time
	published  int64         // the newest number

	server *chaosServer
	cfg    sdk.Config
	hit    atomic.Bool // a request was answered wrongly

	mu        sync.Mutex // of what follows, which two goroutines look at
	numbers   map[int64]bool
	client    *sdk.Client
	highest   int64 // the revision that was seen to be served last
	persisted int64 // the one that the disk has for sure
}

func newChaos(t *testing.T, seed uint64, injected map[string]int) *chaos {
	c := &chaos{
		t: t, rand: rand.New(rand.NewPCG(seed, 0)), injected: injected, numbers: make(map[int64]bool),
	}
	c.repository, c.store = inMemory(t)
	var forger *repository
	forger, c.forger = inMemory(t)
	for n := range int64(8) {
		forger.number(t, forged+n)
	}
	c.publish()
	c.server = serveChaos(t, c.store)
	source, err := sdk.HTTP("http://flags.example", c.server.client())
	if err != nil {
		t.Fatal(err)
	}
	c.cfg = sdk.Config{Source: source, Root: c.repository.keys.Root, CacheDir: filepath.Join(t.TempDir(), "cache"),
		Interval: chaosInterval}
	return c
}

// inMemory returns a repository of keys of its own whose objects are in memory.
func inMemory(t *testing.T) (*repository, *chaosStore) {
	r, store := newRepository(t, "production"), newChaosStore()
	r.store = store
	return r, store
}

// publish publishes the next number.
func (c *chaos) publish() {
	if c.rand.IntN(4) == 0 {
		if c.old = append(c.old, c.store.copy()); len(c.old) > 4 {
			c.old = c.old[1:]
		}
	}
	c.published++
	c.mu.Lock()
	c.numbers[c.published] = true
	c.mu.Unlock()
	c.repository.number(c.t, c.published)
}

// live goes through a history of so many faults.
func (c *chaos) live(faults int) {
	c.restart()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(47 * time.Second):
				c.check()
			}
		}
	}()
	var left []chaosFault // kinds to go through before any is repeated
	for n := 0; n < faults && !c.t.Failed(); {
		if len(left) == 0 {
			left = slices.Clone(chaosFaultKinds)
			c.rand.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
		}
		kind := left[0]
		left = left[1:]
		c.hit.Store(false)
		c.suffer(kind)
		if c.hit.Load() || !kind.answers { // one that no request met is none
			c.injected[kind.name]++
			n++
		}
	}
	close(stop)
	<-stopped
	if err := c.client.Close(); err != nil {
		c.t.Error(err)
	}
	c.server.close()
}

// suffer goes through one fault.
func (c *chaos) suffer(kind chaosFault) {
	end := kind.begin(c)
	for range 1 + c.rand.IntN(4) {
		if c.rand.IntN(2) == 0 {
			c.publish()
		}
		c.sleep(time.Duration(c.rand.Int64N(int64(2 * chaosInterval))))
		if c.rand.IntN(8) == 0 {
			c.restart()
		}
	}
	end()
	c.server.set(nil)
	c.publish() // what has expired too is over then
	c.recovers(kind.name)
}

// recovers checks that the first poll that begins after a fault succeeds.
func (c *chaos) recovers(kind string) {
	c.sleep(31 * time.Second) // a request from before may take that long
	c.sleep(time.Until(c.client.Status().NextPoll) + time.Second)
	st := c.client.Status()
	if got := left.Get(c.client, sdk.Context{}); got != c.published || st.State != sdk.Fresh {
		c.t.Errorf("after %q is over number %d is served, not %d: %+v", kind, got, c.published, st)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if st.CacheError == nil {
		c.persisted = st.Revision
	}
}

// sleep lets time go by.
func (c *chaos) sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
	c.check()
}

// restart ends the client, if there is one, and opens another.
func (c *chaos) restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client != nil {
		if err := c.client.Close(); err != nil {
			c.t.Error(err)
		}
	}
	client, err := sdk.Open(c.t.Context(), c.cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	c.client = client
	if got := client.Snapshot().Revision(); got < c.persisted {
		c.t.Errorf("after a restart revision %d is served, and %d was on the disk: %+v", got, c.persisted,
			client.Status())
	}
	c.highest = 0
}

// check holds what must always hold.
func (c *chaos) check() {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.client.Snapshot()
	revision := s.Revision()
	if revision < c.highest {
		c.t.Errorf("revision %d is served after %d", revision, c.highest)
	}
	c.highest = revision
	if s == nil {
		if got := left.Get(c.client, sdk.Context{}); got != -1 && !c.numbers[got] {
			c.t.Errorf("%d is served without a revision", got)
		}
		return
	}
	l, _ := s.Evaluate("left", sdk.Context{}).Value().Int()
	r, _ := s.Evaluate("right", sdk.Context{}).Value().Int()
	if l != r || !c.numbers[l] {
		c.t.Errorf("left is %d and right is %d, which was never published", l, r)
	}
}

// A chaosFault makes something wrong, and what it returns makes it right.
type chaosFault struct {
	name    string
	answers bool // it is one of what a server answers
	begin   func(*chaos) (end func())
}

// during is a fault of what a server answers.
func during(name string, handler func(c *chaos) http.HandlerFunc) chaosFault {
	return chaosFault{name, true, func(c *chaos) func() {
		prefix := chaosNames[c.rand.IntN(len(chaosNames))]
		often := c.rand.IntN(3) + 1 // every request, or one in two or three
		h, n := handler(c), 0
		var mu sync.Mutex
		c.server.set(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			n++
			hit := n%often == 0
			mu.Unlock()
			if hit && strings.Contains(r.URL.Path, prefix) {
				c.hit.Store(true)
				h(w, r)
				return
			}
			c.server.store.ServeHTTP(w, r)
		})
		return func() {}
	}}
}

// chaosNames are parts of objects' names.
var chaosNames = []string{"", "", "timestamp", "snapshot", "targets.json", "root", "targets/one/", "targets/two/"}

// plain makes a handler of one that doesn't look at the history.
func plain(h http.HandlerFunc) func(*chaos) http.HandlerFunc {
	return func(*chaos) http.HandlerFunc { return h }
}

// altered answers with what change makes of an object.
func altered(change func([]byte) []byte) func(*chaos) http.HandlerFunc {
	return func(c *chaos) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			data, ok := c.store.get(r.URL.Path)
			if !ok {
				http.NotFound(w, r)
				return
			}
			w.Header().Set("ETag", `"altered"`)
			_, _ = w.Write(change(bytes.Clone(data)))
		}
	}
}

// late answers after a while, which may be longer than clients wait.
func late(c *chaos) http.HandlerFunc {
	wait := time.Duration(c.rand.Int64N(int64(45 * time.Second)))
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(wait):
			c.store.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}
}

// instead answers from another store.
func instead(store func(c *chaos) *chaosStore) func(*chaos) http.HandlerFunc {
	return func(c *chaos) http.HandlerFunc { return store(c).ServeHTTP }
}

// past returns something that was published before.
func (c *chaos) past() *chaosStore {
	if len(c.old) == 0 {
		return c.store.copy()
	}
	return c.old[c.rand.IntN(len(c.old))]
}

// slowly drips as drip does, in simulated time.
func slowly(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		if _, err := w.Write([]byte(" ")); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		time.Sleep(time.Second)
	}
}

// unmodified says that nothing has changed, whatever it was asked with.
func unmodified(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }

var chaosFaultKinds = []chaosFault{
	during("late", late),
	during("reset", plain(abort)),
	during("cut", plain(cut)),
	during("drip", plain(slowly)),
	during("flood", plain(flood)),
	during("403", plain(status(http.StatusForbidden))),
	during("404", plain(status(http.StatusNotFound))),
	during("500", plain(status(http.StatusInternalServerError))),
	during("503", plain(status(http.StatusServiceUnavailable))),
	during("frozen", plain(unmodified)),
	during("portal", plain(portal)),
	during("flipped bit", altered(flip)),
	during("truncated", altered(func(b []byte) []byte { return b[:len(b)/2] })),
	during("empty", altered(func([]byte) []byte { return nil })),
	during("forged", instead(func(c *chaos) *chaosStore { return c.forger })),
	during("old objects", instead((*chaos).past)),
	{"rolled back", false, func(c *chaos) func() { c.server.set(c.past().ServeHTTP); return func() {} }},
	{"replayed", false, func(c *chaos) func() { // what is newer is withheld, for longer than it may be
		old := c.store.copy()
		c.server.set(old.ServeHTTP)
		c.sleep(time.Duration(c.rand.Int64N(int64(8 * 24 * time.Hour))))
		return func() {}
	}},
	{"nothing renewed", false, func(c *chaos) func() {
		c.sleep(time.Duration(c.rand.Int64N(int64(8 * 24 * time.Hour))))
		return func() {}
	}},
	{"clocks apart", false, func(c *chaos) func() {
		c.repository.ahead = time.Duration(c.rand.Int64N(int64(4*time.Hour))) - 2*time.Hour
		c.publish()
		return func() { c.repository.ahead = 0 }
	}},
	{"full disk", false, func(c *chaos) func() { return fillDisk(c.t) }},
	{"no folder", false, func(c *chaos) func() {
		c.spoilCache(func(dir string) error {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			return os.WriteFile(dir, nil, 0o600)
		})
		return func() {
			if err := os.Remove(c.cfg.CacheDir); err != nil {
				c.t.Error(err)
			}
		}
	}},
	{"lost cache", false, func(c *chaos) func() { c.spoilCache(os.RemoveAll); return func() {} }},
	{"damaged cache", false, func(c *chaos) func() {
		c.spoilCache(func(dir string) error { return damageFiles(dir, c.rand) })
		return func() {}
	}},
}

// spoilCache does something to the disk cache, after which it may be of no use.
func (c *chaos) spoilCache(f func(dir string) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := f(c.cfg.CacheDir); err != nil {
		c.t.Fatal(err)
	}
	c.persisted = 0
}

// damageFiles flips a bit of some files.
func damageFiles(dir string, random *rand.Rand) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if len(data) > 0 && random.IntN(2) == 0 {
			data[random.IntN(len(data))] ^= 1 << random.IntN(8)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// fillDisk has every write to a file fail, until what it returns is called.
func fillDisk(t *testing.T) (end func()) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 0, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Error(err)
		}
	}
}
