package sdk_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/sdk"
)

// A fault is something that is wrong with a source whose client serves number 2,
// when 3 is published.
type fault struct {
	name    string
	class   bundle.Class
	arrange func(t *testing.T, f *faulty)
}

// faulty is the source of a fault.
type faulty struct {
	repository *repository
	old        string // a copy from when 1 was published
	below      string // where on the server the repository is
	files      http.Handler
	server     *server
	elsewhere  *server
}

// answer has requests for names with a prefix answered by h.
func answer(prefix string, h http.HandlerFunc) func(*testing.T, *faulty) {
	return func(_ *testing.T, f *faulty) {
		f.server.set(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(strings.TrimPrefix(r.URL.Path, "/"+f.below), prefix) {
				h(w, r)
				return
			}
			f.files.ServeHTTP(w, r)
		})
	}
}

// alter changes the content of files whose names match a pattern.
func alter(pattern string, change func([]byte) []byte) func(*testing.T, *faulty) {
	return func(t *testing.T, f *faulty) {
		paths, err := filepath.Glob(filepath.Join(f.repository.dir, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatal(pattern, err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, string(change(data)))
		}
	}
}

func flip(data []byte) []byte {
	data = bytes.Clone(data)
	data[len(data)/2] ^= 1
	return data
}

// status answers with an error, in the words of S3.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		names := map[int]string{403: "AccessDenied", 404: "NoSuchKey", 500: "InternalError", 503: "SlowDown"}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(code)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>fault</Message></Error>", names[code])
	}
}

func abort(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// cut promises more than it sends.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "300")
	_, _ = w.Write(make([]byte, 100))
}

// drip sends a byte now and then, without end.
func drip(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		_, _ = w.Write([]byte(" "))
		w.(http.Flusher).Flush()
		time.Sleep(20 * time.Millisecond)
	}
}

// flood sends as much as is taken, without end.
func flood(w http.ResponseWriter, r *http.Request) {
	block := bytes.Repeat([]byte(" "), 1<<16)
	for {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

func portal(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	_, _ = w.Write([]byte("<!doctype html><title>Welcome to our hotel</title>"))
}

var faults = []fault{
	{"connections cut", bundle.Network, answer("", abort)},
	{"timestamp cut", bundle.Network, answer("timestamp.json", cut)},
	{"payload cut", bundle.Network, answer("targets/", cut)},
	{"503", bundle.Network, answer("", status(503))},
	{"503 for payloads", bundle.Network, answer("targets/", status(503))},
	{"503 for roots", bundle.Network, answer("2.root.json", status(503))},
	{"slow drip of timestamp", bundle.Network, answer("timestamp.json", drip)},
	{"slow drip of payload", bundle.Network, answer("targets/", drip)},
	{"redirect elsewhere", bundle.Network, func(t *testing.T, f *faulty) {
		answer("", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, f.elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
		})(t, f)
	}},
	{"404", bundle.NotFound, answer("", status(404))},
	{"403", bundle.NotFound, answer("", status(403))},
	{"404 for payloads", bundle.NotFound, answer("targets/", status(404))},
	{"captive portal", bundle.Malformed, answer("", portal)},
	{"endless timestamp", bundle.Malformed, answer("timestamp.json", flood)},
	{"endless root", bundle.Malformed, answer("2.root.json", flood)},
	{"endless payload", bundle.Signature, answer("targets/", flood)},
	{"huge length", bundle.Malformed, answer("timestamp.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(1<<40))
	})},
	{"empty timestamp", bundle.Malformed, alter("timestamp.json", func([]byte) []byte { return nil })},
	{"truncated timestamp", bundle.Malformed, alter("timestamp.json", func(b []byte) []byte { return b[:len(b)/2] })},
	{"flipped bit in snapshot", bundle.Signature, alter("*.snapshot.json", flip)},
	{"flipped bit in targets", bundle.Signature, alter("*.targets.json", flip)},
	{"flipped bit in payload", bundle.Signature, alter("targets/*/*", flip)},
	{"truncated payload", bundle.Signature, alter("targets/*/*", func(b []byte) []byte { return b[:len(b)-1] })},
	{"forged", bundle.Signature, func(t *testing.T, f *faulty) {
		forger := newRepository(t, "production")
		for n := range int64(5) {
			forger.number(t, n)
		}
		f.repository.reset(t, forger.dir)
	}},
	{"rolled back", bundle.Rollback, func(t *testing.T, f *faulty) { f.repository.reset(t, f.old) }},
	{"signed, but one flag in two namespaces", bundle.Malformed, func(t *testing.T, f *faulty) {
		twice := numbered("production", 4)
		twice[1].Ruleset.Flags = append(twice[1].Ruleset.Flags, twice[0].Ruleset.Flags[0])
		f.repository.publish(t, twice...)
	}},
	{"old payload under the new name", bundle.Signature, func(t *testing.T, f *faulty) {
		old, err := filepath.Glob(filepath.Join(f.old, "targets/two/*"))
		if err != nil || len(old) != 1 {
			t.Fatal(old, err)
		}
		data, err := os.ReadFile(old[0])
		if err != nil {
			t.Fatal(err)
		}
		alter("targets/two/*", func([]byte) []byte { return data })(t, f)
	}},
}

// TestFaults arranges each fault for a client that is running, and for one that
// starts with a cache. It must go on serving what was good, say why, and recover
// when the fault is over. TestFaultsFromS3 does so with S3.
func TestFaults(t *testing.T) {
	eachFault(t, func(t *testing.T, _ int, fault fault, restart bool) {
		f := newFaulty(t)
		f.files = withETags(f.repository.dir)
		f.server = serve(t, f.files)
		fault.test(t, f, f.server.source(t), restart)
	})
}

// eachFault calls test for each fault, with and without a restart.
func eachFault(t *testing.T, test func(t *testing.T, i int, fault fault, restart bool)) {
	for i, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			t.Run("warm", func(t *testing.T) { test(t, i, fault, false) })
			t.Run("restarted", func(t *testing.T) { test(t, i, fault, true) })
		})
	}
}

func newFaulty(t *testing.T) *faulty {
	r := newRepository(t, "production")
	r.number(t, 1)
	f := &faulty{repository: r, old: r.copy(t), elsewhere: serve(t, http.NotFoundHandler())}
	r.number(t, 2)
	return f
}

// A hasty source gives up on each object after two seconds.
type hasty struct{ bundle.Source }

func (h hasty) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return h.Source.Fetch(ctx, name, etag, limit)
}

func (fault *fault) test(t *testing.T, f *faulty, source bundle.Source, restart bool) {
	if strings.HasPrefix(fault.name, "slow") {
		source = hasty{source}
	}
	r := f.repository
	cfg := sdk.Config{Source: source, Root: r.keys.Root, Interval: -1, CacheDir: t.TempDir()}
	client := open(t, cfg)
	serves(t, client, 2)

	r.number(t, 3)
	good := r.copy(t)
	fault.arrange(t, f)
	state := sdk.Stale
	if restart {
		client.Close()
		client = open(t, cfg)
		state = sdk.LastKnownGood
	}
	err := client.Refresh(t.Context())
	if class, _ := bundle.ClassOf(err); class != fault.class {
		t.Errorf("error of class %v, want %v: %v", class, fault.class, err)
	}
	serves(t, client, 2)
	st := client.Status()
	if st.State != state || st.Revision != 2 || st.Errors[fault.class] != 1 || len(st.Errors) != 1 ||
		st.LastError != err {
		t.Errorf("status %+v", st)
	}
	if n := f.elsewhere.asked.Load(); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}

	f.server.set(nil)
	if strings.HasPrefix(fault.name, "signed") {
		r.number(t, 3) // only what is newer can undo it
	} else {
		r.reset(t, good)
	}
	if err := client.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	serves(t, client, 3)
	if st := client.Status(); st.State != sdk.Fresh || st.LastError != nil {
		t.Errorf("status %+v after the fault", st)
	}
}

func TestMinRevision(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, MinRevision: 2})
	if st := client.Status(); st.State != sdk.Empty || st.Errors[bundle.Rollback] != 1 {
		t.Errorf("status %+v", st)
	}
	serves(t, client, -1)
	r.number(t, 2)
	if err := client.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
	serves(t, client, 2)
}

func TestMinRevisionOfCache(t *testing.T) {
	r, cache := cached(t)
	client := open(t, sdk.Config{
		Source: &broken{fault: fail}, Root: r.keys.Root, Interval: -1, InitTimeout: -1, CacheDir: cache, MinRevision: 2,
	})
	if st := client.Status(); st.State != sdk.Empty || st.Errors[bundle.Rollback] != 1 || st.CacheError == nil {
		t.Errorf("status %+v", st)
	}
}

// TestClocks has the client's clock differ from the publisher's.
func TestClocks(t *testing.T) {
	for _, ahead := range []time.Duration{2 * time.Hour, -2 * time.Hour} {
		r := newRepository(t, "production")
		r.ahead = -ahead
		r.number(t, 1)
		client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
		if st := client.Status(); st.State != sdk.Fresh {
			t.Errorf("client's clock ahead by %v: status %+v", ahead, st)
		}
		serves(t, client, 1)
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRepository(t, "production")
		r.number(t, 1)
		cfg := sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, CacheDir: t.TempDir()}
		serves(t, open(t, cfg), 1)
		time.Sleep(10 * 365 * 24 * time.Hour)
		client := open(t, cfg)
		serves(t, client, 1)
		if class, _ := bundle.ClassOf(client.Refresh(t.Context())); class != bundle.Expired {
			t.Errorf("after ten years: status %+v", client.Status())
		}
		serves(t, client, 1)
	})
}
