package sdk_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/sdk"
)

func TestFile(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "env", "timestamp.json"), "first")
	write(t, filepath.Join(dir, "secret"), "out of reach")
	src, err := sdk.File(filepath.Join(dir, "env"))
	if err != nil {
		t.Fatal(err)
	}
	fetch := func(name, etag string, limit int64) (bundle.Object, error) {
		return src.Fetch(t.Context(), name, etag, limit)
	}
	obj, err := fetch("timestamp.json", "", 5)
	if err != nil || string(obj.Data) != "first" || obj.ETag == "" {
		t.Fatalf("%q, %q, %v", obj.Data, obj.ETag, err)
	}
	if _, err := fetch("timestamp.json", obj.ETag, 5); !errors.Is(err, bundle.ErrNotModified) {
		t.Errorf("unchanged: %v", err)
	}
	if _, err := fetch("timestamp.json", "", 4); !errors.Is(err, bundle.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	for _, name := range []string{"missing", "targets/a/b", "../secret", "/etc/hosts", ""} {
		if _, err := fetch(name, "", 100); !errors.Is(err, bundle.ErrNotFound) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := fetch(".", "", 100); err == nil || errors.Is(err, bundle.ErrNotFound) {
		t.Errorf("folder: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := src.Fetch(ctx, "timestamp.json", "", 5); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}

	// Neither size nor time tells that this is another content.
	info, err := os.Stat(filepath.Join(dir, "env", "timestamp.json"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "env", "timestamp.json"), "again")
	if err := os.Chtimes(filepath.Join(dir, "env", "timestamp.json"), info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if obj, err := fetch("timestamp.json", obj.ETag, 5); err != nil || string(obj.Data) != "again" {
		t.Errorf("%q, %v", obj.Data, err)
	}
	if src, err := sdk.File(""); err == nil || src != nil {
		t.Errorf("no folder: %v, %v", src, err)
	}
}

// must fails the test if any of its errors is one.
func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// relink makes a symbolic link point elsewhere, at once.
func relink(t testing.TB, target, link string) {
	t.Helper()
	must(t, os.Symlink(target, link+".new"), os.Rename(link+".new", link))
}

// watched are ways in which a folder comes to hold other flags. Each change must
// be seen.
var watched = []struct {
	name    string
	prepare func(t *testing.T, base string) (dir string)
	changes []func(t *testing.T, base string)
}{
	{
		"replaced by renaming",
		func(t *testing.T, base string) string {
			write(t, base+"/timestamp.json", "1")
			return base
		},
		[]func(*testing.T, string){
			func(t *testing.T, base string) {
				write(t, base+"/new", "2")
				must(t, os.Rename(base+"/new", base+"/timestamp.json"))
			},
			func(t *testing.T, base string) {
				write(t, base+"/new", "3")
				must(t, os.Rename(base+"/new", base+"/timestamp.json"))
			},
		},
	},
	{
		"truncated and written",
		func(t *testing.T, base string) string {
			write(t, base+"/timestamp.json", "1")
			return base
		},
		[]func(*testing.T, string){
			func(t *testing.T, base string) { write(t, base+"/timestamp.json", "2") },
			func(t *testing.T, base string) { write(t, base+"/timestamp.json", "3") },
		},
	},
	{
		"volume of Kubernetes",
		func(t *testing.T, base string) string {
			write(t, base+"/..1/timestamp.json", "1")
			must(t, os.Symlink("..1", base+"/..data"), os.Symlink("..data/timestamp.json", base+"/timestamp.json"))
			return base
		},
		[]func(*testing.T, string){
			func(t *testing.T, base string) {
				write(t, base+"/..2/timestamp.json", "2")
				relink(t, "..2", base+"/..data")
				must(t, os.RemoveAll(base+"/..1"))
			},
			func(t *testing.T, base string) {
				write(t, base+"/..3/timestamp.json", "3")
				relink(t, "..3", base+"/..data")
				must(t, os.RemoveAll(base+"/..2"))
			},
		},
	},
	{
		"folder in a volume of Kubernetes",
		func(t *testing.T, base string) string {
			write(t, base+"/..1/production/timestamp.json", "1")
			must(t, os.Symlink("..1", base+"/..data"), os.Symlink("..data/production", base+"/production"))
			return base + "/production"
		},
		[]func(*testing.T, string){
			func(t *testing.T, base string) {
				write(t, base+"/..2/production/timestamp.json", "2")
				relink(t, "..2", base+"/..data")
				must(t, os.RemoveAll(base+"/..1"))
			},
			func(t *testing.T, base string) { write(t, base+"/..2/production/timestamp.json", "3") },
		},
	},
	{
		"truncated before it is written",
		func(t *testing.T, base string) string {
			write(t, base+"/production/timestamp.json", "1")
			return base + "/production"
		},
		[]func(*testing.T, string){
			func(t *testing.T, base string) { must(t, os.Truncate(base+"/production/timestamp.json", 0)) },
			func(t *testing.T, base string) {
				f, err := os.OpenFile(base+"/production/timestamp.json", os.O_WRONLY, 0)
				must(t, err)
				_, err = f.WriteString("2")
				must(t, err, f.Close())
			},
		},
	},
	{
		"link above the folder",
		func(t *testing.T, base string) string {
			write(t, base+"/releases/1/flags/production/timestamp.json", "1")
			must(t, os.Symlink(base+"/releases/1", base+"/current"))
			return base + "/current/flags/production"
		},
		[]func(*testing.T, string){
			func(t *testing.T, base string) {
				write(t, base+"/releases/2/flags/production/timestamp.json", "2")
				relink(t, base+"/releases/2", base+"/current")
			},
			func(t *testing.T, base string) {
				write(t, base+"/releases/2/flags/production/timestamp.json", "3")
			},
		},
	},
	{
		"missing at first",
		func(_ *testing.T, base string) string { return base + "/flags/production" },
		[]func(*testing.T, string){
			func(t *testing.T, base string) { must(t, os.Mkdir(base+"/flags", 0o777)) },
			func(t *testing.T, base string) { must(t, os.Mkdir(base+"/flags/production", 0o777)) },
			func(t *testing.T, base string) { write(t, base+"/flags/production/timestamp.json", "1") },
			func(t *testing.T, base string) { write(t, base+"/flags/production/timestamp.json", "2") },
		},
	},
	{
		"removed and made again",
		func(t *testing.T, base string) string {
			write(t, base+"/production/timestamp.json", "1")
			return base + "/production"
		},
		[]func(*testing.T, string){
			func(t *testing.T, base string) { must(t, os.RemoveAll(base+"/production")) },
			func(t *testing.T, base string) { must(t, os.Mkdir(base+"/production", 0o777)) },
			func(t *testing.T, base string) { write(t, base+"/production/timestamp.json", "2") },
		},
	},
	{
		"folder replaced",
		func(t *testing.T, base string) string {
			write(t, base+"/production/timestamp.json", "1")
			return base + "/production"
		},
		[]func(*testing.T, string){
			func(t *testing.T, base string) { must(t, os.Rename(base+"/production", base+"/old")) },
			func(t *testing.T, base string) {
				write(t, base+"/next/timestamp.json", "2")
				must(t, os.Rename(base+"/next", base+"/production"))
			},
			func(t *testing.T, base string) { write(t, base+"/production/timestamp.json", "3") },
		},
	},
}

func TestWatch(t *testing.T) {
	for _, test := range watched {
		t.Run(test.name, func(t *testing.T) {
			base := t.TempDir()
			src, err := sdk.File(test.prepare(t, base))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended, changed := make(chan error, 1), make(chan struct{}, 1000)
			go func() { ended <- src.(sdk.Watcher).Watch(ctx, func() { changed <- struct{}{} }) }()
			<-changed // it has begun
			for i, change := range test.changes {
				change(t, base)
				select {
				case <-changed:
				case err := <-ended:
					t.Fatalf("change %d: %v", i, err)
				case <-time.After(10 * time.Second):
					t.Fatalf("change %d was not seen", i)
				}
				// One change may be several events. The next one counts
				// only when they are over.
				for quiet := false; !quiet; {
					select {
					case <-changed:
					case <-time.After(200 * time.Millisecond):
						quiet = true
					}
				}
			}
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("Watch: %v", err)
			}
		})
	}
}

func TestWatchRefusesLoops(t *testing.T) {
	base := t.TempDir()
	must(t, os.Symlink("b", base+"/a"), os.Symlink("a", base+"/b"))
	src, err := sdk.File(base + "/a")
	must(t, err)
	if err := src.(sdk.Watcher).Watch(t.Context(), func() {}); err == nil {
		t.Error("no error")
	}
}

// TestWatchingClient sees a change long before the next poll.
func TestWatchingClient(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	src, err := sdk.File(r.dir)
	must(t, err)
	seen := make(events, 100)
	client := open(t, sdk.Config{Source: src, Root: r.keys.Root, Interval: time.Hour, Logger: slog.New(seen)})
	for n := int64(2); n < 6; n++ {
		r.number(t, n)
		seen.await(t, n)
		serves(t, client, n)
	}
}

// A watcher is a source whose Watch is a function.
type watcher struct {
	bundle.Source
	watch func(ctx context.Context, changed func()) error
}

func (w watcher) Watch(ctx context.Context, changed func()) error { return w.watch(ctx, changed) }

// TestWatchFails checks that polling goes on without watching, and that watching
// is tried again.
func TestWatchFails(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errFault },
		"panic": func() error { panic("out of order") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRepository(t, "production")
				r.number(t, 1)
				begun := 0
				src := watcher{r.source(t), func(context.Context, func()) error { begun++; return fail() }}
				client := open(t, sdk.Config{Source: src, Root: r.keys.Root})
				r.number(t, 2)
				time.Sleep(time.Hour)
				synctest.Wait()
				serves(t, client, 2)
				client.Close()
				if begun < 15 || begun > 35 {
					t.Errorf("tried %d times in an hour", begun)
				}
			})
		})
	}
}

// TestWatchIsTriedAgain checks when: that has nothing to do with the interval of
// polling, and begins again after a watch that worked for long.
func TestWatchIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const long = 12 // which of them works
		r := newRepository(t, "production")
		r.number(t, 1)
		var begun []time.Time
		src := watcher{r.source(t), func(context.Context, func()) error {
			begun = append(begun, time.Now())
			if len(begun) == long {
				time.Sleep(time.Hour)
			}
			return errFault
		}}
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root, Interval: 7 * 24 * time.Hour})
		time.Sleep(3 * time.Hour)
		client.Close()
		if len(begun) < 2*long {
			t.Fatalf("tried %d times", len(begun))
		}
		most := time.Second
		for i := 1; i < 2*long; i++ {
			gap := begun[i].Sub(begun[i-1])
			if i == long {
				gap -= time.Hour
				most = time.Second
			}
			if gap < most/2 || gap > most {
				t.Errorf("wait %d is %v, want %v to %v", i, gap, most/2, most)
			}
			most = min(2*most, 5*time.Minute)
		}
	})
}

// TestWatchedSourceIsPolled has a watcher that never sees anything.
func TestWatchedSourceIsPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		src := watcher{r.source(t), func(ctx context.Context, _ func()) error { <-ctx.Done(); return ctx.Err() }}
		client := open(t, sdk.Config{Source: src, Root: r.keys.Root})
		r.number(t, 2)
		time.Sleep(46 * time.Second)
		synctest.Wait()
		serves(t, client, 2)
	})
}

// brokenSource is a source that can be out of order.
type brokenSource struct {
	bundle.Source
	broken  atomic.Bool
	fetches atomic.Int64
}

func (s *brokenSource) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	s.fetches.Add(1)
	if s.broken.Load() {
		return bundle.Object{}, bundle.ErrNotFound
	}
	return s.Source.Fetch(ctx, name, etag, limit)
}

// TestWatchedChangeIsTriedAgain holds that a change that is seen before all of it is
// there is followed soon, even if polls are rare, and that one that never is there isn't
// asked for without end.
func TestWatchedChangeIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		src := &brokenSource{Source: r.source(t)}
		seen := make(chan func(), 1)
		w := watcher{src, func(ctx context.Context, changed func()) error {
			changed()
			seen <- changed
			<-ctx.Done()
			return ctx.Err()
		}}
		client := open(t, sdk.Config{Source: w, Root: r.keys.Root, Interval: 7 * 24 * time.Hour})
		changed := <-seen
		synctest.Wait()
		r.number(t, 2)
		src.broken.Store(true)
		changed()
		synctest.Wait()
		serves(t, client, 1)
		src.broken.Store(false)
		time.Sleep(time.Second)
		synctest.Wait()
		serves(t, client, 2)

		src.broken.Store(true)
		before := src.fetches.Load()
		changed()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if n := src.fetches.Load() - before; n < 5 || n > 15 {
			t.Errorf("asked %d times for what isn't there, in a day", n)
		}
	})
}
