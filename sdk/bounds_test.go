package sdk_test

import (
	"bytes"
	"context"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/serin-flags/serin/sdk"
)

// TestNilMethods calls every method on nothing, and what they return: programs keep a
// nil client where flags are not configured, and the snapshot of a client without
// flags is nil.
func TestNilMethods(t *testing.T) {
	for _, none := range []any{(*sdk.Client)(nil), (*sdk.Snapshot)(nil)} {
		v := reflect.ValueOf(none)
		if v.NumMethod() < 6 {
			t.Fatalf("%T has %d methods", none, v.NumMethod())
		}
		for i := range v.NumMethod() {
			var args []reflect.Value
			for in := range v.Method(i).Type().Ins() {
				arg := reflect.Zero(in)
				switch {
				case in == reflect.TypeFor[context.Context]():
					arg = reflect.ValueOf(t.Context())
				case in.Kind() == reflect.Func:
					arg = reflect.MakeFunc(in, func([]reflect.Value) []reflect.Value { panic("called") })
				}
				args = append(args, arg)
			}
			for _, out := range v.Method(i).Call(args) {
				if out.Kind() != reflect.Func || out.IsNil() {
					continue
				}
				if out.Type().NumIn() == 0 {
					out.Call(nil)
					continue
				}
				for key := range out.Seq2() {
					t.Errorf("nothing has %v", key)
				}
			}
		}
	}
}

// TestOutageIsQuiet has a day without the source: a client that polls, and one that is
// refreshed for each of many requests, say so once. What they say is bounded, however
// long it lasts.
func TestOutageIsQuiet(t *testing.T) {
	for name, interval := range map[string]time.Duration{"polling": 0, "for each request": -1} {
		for fault, f := range map[string]func(context.Context, string) error{"fails": fail, "hangs": hang} {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				r := newRepository(t, "production")
				r.number(t, 1)
				src := &broken{Source: r.source(t)}
				client := open(t, sdk.Config{Source: sdk.Fallback(src, src), Root: r.keys.Root, Interval: interval,
					CacheDir: t.TempDir(),
					Logger:   slog.New(slog.NewTextHandler(&log, nil))})
				serves(t, client, 1)
				src.set(f)
				for range 24 * 60 {
					time.Sleep(time.Minute)
					if interval < 0 {
						ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
						_ = client.RefreshIfOlder(ctx, 30*time.Second)
						cancel()
					}
				}
				synctest.Wait()
				if st := client.Status(); st.State != sdk.Stale || st.Age < 23*time.Hour {
					t.Errorf("%s, %s: status %v", name, fault, st)
				}
				if n := strings.Count(log.String(), "\n"); n < 2 || n > 4 {
					t.Errorf("%s, %s: %d lines:\n%s", name, fault, n, &log)
				}
			})
		}
	}
}

// TestOldRevisionsAreFreed: neither handles nor subscribers nor the age keep a revision
// in memory that isn't served any more.
func TestOldRevisionsAreFreed(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, CacheDir: t.TempDir()})
	shape := sdk.JSON("shape", figure{})
	client.OnChange(func(sdk.Change) {})
	client.OnStatus(func(sdk.Status) {})
	var old []weak.Pointer[sdk.Snapshot]
	for n := int64(2); n < 6; n++ {
		old = append(old, weak.Make(client.Snapshot()))
		left.Get(client, sdk.Context{})
		shape.Get(client, sdk.Context{})
		r.number(t, n)
		if err := client.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	for i, p := range old {
		if p.Value() != nil {
			t.Errorf("revision %d is still there", i+1)
		}
	}
	runtime.KeepAlive(client)
}

// TestEnd closes clients while everything else is going on.
func TestEnd(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	for _, interval := range []time.Duration{-1, 10 * time.Millisecond} {
		for range 20 {
			client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: interval,
				CacheDir:    t.TempDir(),
				InitTimeout: -1})
			var wg sync.WaitGroup
			for _, f := range []func(){
				func() { client.OnChange(func(sdk.Change) { left.Get(client, sdk.Context{}) })() },
				func() { client.OnStatus(func(sdk.Status) { _ = client.Refresh(t.Context()) }) },
				func() { _ = client.Refresh(t.Context()) },
				func() { _ = client.RefreshIfOlder(t.Context(), time.Minute) },
				func() { _ = client.Status().String() },
				func() { client.Close() },
				func() { client.Close() },
			} {
				wg.Go(f)
			}
			wg.Wait()
			if client.Refresh(t.Context()) != sdk.ErrClosed {
				t.Error("refreshed after Close")
			}
		}
	}
}
