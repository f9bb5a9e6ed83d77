package sdktest_test

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/sdktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type limits struct {
	Burst int      `json:"burst"`
	Paths []string `json:"paths"`
}

var (
	newCheckout = sdk.Bool("new-checkout", false)
	color       = sdk.String("color", "black")
	pageSize    = sdk.Int("page-size", 10)
	ratio       = sdk.Float("ratio", 0.25)
	rateLimits  = sdk.JSON("rate-limits", limits{Burst: 1})
	words       = sdk.JSON("words", []string(nil))
	absent      = sdk.Bool("absent", true)
)

// TestNew checks that every type of value is served as it will be in production.
func TestNew(t *testing.T) {
	flags := sdktest.New(t, map[string]any{
		"new-checkout": true, "color": "#00f", "page-size": uint8(20), "ratio": float32(0.5),
		"rate-limits": limits{Burst: 7, Paths: []string{"/"}}, "words": json.RawMessage(`["a"]`),
		"whole": 3,
	})
	user := sdk.User("u-1")
	if got := newCheckout.Explain(flags.Client, user); !got.Value || got.Variant != "on" ||
		got.Reason != evaluator.ReasonStatic || got.Err != nil {
		t.Errorf("a true flag is %+v", got)
	}
	if got := color.Get(flags.Client, user); got != "#00f" {
		t.Errorf("a string is %q", got)
	}
	if got := pageSize.Get(flags.Client, user); got != 20 {
		t.Errorf("an integer is %d", got)
	}
	if got := ratio.Get(flags.Client, user); got != 0.5 {
		t.Errorf("a float is %v", got)
	}
	if got := sdk.Float("whole", 0).Get(flags.Client, user); got != 3 {
		t.Errorf("an integer asked for as a float is %v", got)
	}
	if diff := cmp.Diff(limits{Burst: 7, Paths: []string{"/"}}, rateLimits.Get(flags.Client, user)); diff != "" {
		t.Errorf("an object (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a"}, words.Get(flags.Client, user)); diff != "" {
		t.Errorf("a list (-want +got):\n%s", diff)
	}
	if got := absent.Explain(flags.Client, user); !got.Value || got.Err != sdk.ErrFlagNotFound {
		t.Errorf("an absent flag is %+v", got)
	}
	if status := flags.Status(); status.State != sdk.Fresh || status.Revision != 1 || status.Environment != "test" {
		t.Errorf("the status is %+v", status)
	}
}

// TestOverride checks that an override lasts as long as its test, that overrides
// nest, and that flags without a value can be overridden too.
func TestOverride(t *testing.T) {
	flags := sdktest.New(t, map[string]any{"new-checkout": false, "page-size": 20})
	want := func(t *testing.T, checkout bool, size int64, missing bool) {
		t.Helper()
		got := []any{newCheckout.Get(flags.Client, sdk.Context{}), pageSize.Get(flags.Client, sdk.Context{}),
			absent.Get(flags.Client, sdk.Context{})}
		if diff := cmp.Diff([]any{checkout, size, missing}, got); diff != "" {
			t.Errorf("served (-want +got):\n%s", diff)
		}
	}
	t.Run("outer", func(t *testing.T) {
		flags.Override(t, "new-checkout", true)
		flags.Override(t, "absent", false)
		t.Run("inner", func(t *testing.T) {
			flags.Override(t, "new-checkout", false)
			flags.Override(t, "page-size", 30)
			flags.Override(t, "page-size", 40)
			want(t, false, 40, false)
		})
		want(t, true, 20, false)
	})
	want(t, false, 20, true)
	if got := flags.Status().Revision; got != 11 {
		t.Errorf("five overrides, made and taken back, lead to revision %d", got)
	}
}

// TestOverrideOnly checks that the one flag that a test asks for may go away.
func TestOverrideOnly(t *testing.T) {
	flags := sdktest.New(t, nil)
	for range 2 {
		t.Run("", func(t *testing.T) {
			flags.Override(t, "absent", false)
			if absent.Get(flags.Client, sdk.Context{}) {
				t.Error("the override isn't served")
			}
		})
		if !absent.Get(flags.Client, sdk.Context{}) {
			t.Error("the override is served when its test has ended")
		}
	}
}

// TestParallel checks that clients have nothing to do with each other.
func TestParallel(t *testing.T) {
	for i := range 10 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			flags := sdktest.New(t, map[string]any{"page-size": i})
			for n := range 5 {
				flags.Override(t, "page-size", 100*i+n)
				if got := pageSize.Get(flags.Client, sdk.Context{}); got != int64(100*i+n) {
					t.Errorf("client %d serves %d", i, got)
				}
			}
		})
	}
}

// TestOverrideConcurrently asks while overrides come and go.
func TestOverrideConcurrently(t *testing.T) {
	flags := sdktest.New(t, map[string]any{"page-size": 0})
	stop := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		for last := int64(0); ; {
			select {
			case <-stop:
				return
			default:
			}
			got := pageSize.Get(flags.Client, sdk.Context{})
			if got < last {
				t.Errorf("%d is served after %d", got, last)
			}
			last = got
		}
	})
	for n := range 20 {
		flags.Override(t, "page-size", n)
	}
	close(stop)
	asking.Wait()
}

// A fakeTest stands for a test that is to fail.
type fakeTest struct {
	testing.TB
	name     string
	message  string
	cleanups []func()
}

func (f *fakeTest) Helper()          {}
func (f *fakeTest) Name() string     { return f.name }
func (f *fakeTest) Cleanup(g func()) { f.cleanups = append(f.cleanups, g) }
func (f *fakeTest) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// failure returns what a test that runs f dies of, "" if it doesn't.
func failure(t *testing.T, name string, f func(t testing.TB)) string {
	fake := &fakeTest{TB: t, name: name}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(fake)
	}()
	<-done
	for _, c := range fake.cleanups {
		c()
	}
	return fake.message
}

// TestRefused checks that what can't be served ends the test and says why.
func TestRefused(t *testing.T) {
	for want, value := range map[string]any{
		`flag "f": a flag can't have a value of type <nil>`: nil,
		`flag "f": a flag can't have a value of type chan int`: make(
			chan int),
		`flag "f": a flag can't have a value of type func()`: func() {},
		`flag "f": 18446744073709551615 is larger than the largest integer of a flag, 9223372036854775807`: uint64(
			math.MaxUint64),
		`flag "f": a flag can't have the value NaN`: math.NaN(),
		`flag "f": a value of type []uint8 is encoded as "aGk=", which is neither an object nor a list`: []byte(
			"hi"),
		`flag "f": a value of type *int is encoded as null, which is neither an object nor a list`:         (*int)(nil),
		`flag "f": json: unsupported type: chan int`:                                                       map[string]any{"a": make(chan int)},
		`flag "f": json: error calling MarshalJSON for type json.RawMessage: unexpected end of JSON input`: json.RawMessage(`{`),
	} {
		got := failure(t, "T", func(t testing.TB) { sdktest.New(t, map[string]any{"f": value}) })
		if !strings.HasPrefix(got, "sdktest: "+want) {
			t.Errorf("%T: %q, want %q", value, got, want)
		}
	}
	if got := failure(t, "T", func(t testing.TB) {
		sdktest.New(t,
			map[string]any{"b": nil, "a": nil})
	}); !strings.Contains(got, `"a"`) || !strings.Contains(got, `"b"`) {
		t.Errorf("not all errors are named: %q", got)
	}
	if got := failure(t, "T", func(t testing.TB) { sdktest.New(t, map[string]any{"": 1}) }); got == "" {
		t.Error("a flag without a key is served")
	}
	if got := failure(t, "T", func(t testing.TB) { sdktest.NewPublisher(t, `a"b`) }); !strings.Contains(got,
		"environment") {
		t.Errorf("an environment that can't be one: %q", got)
	}
}

// TestOverrideRefused checks that overrides which can't mean what they say end the
// test, and change nothing.
func TestOverrideRefused(t *testing.T) {
	flags := sdktest.New(t, map[string]any{"page-size": 20})
	for _, test := range []struct{ by, want string }{
		{"TestOther", `flag "page-size" is also overridden by TestOne`},
		{"TestOneMore", `flag "page-size" is also overridden by TestOne`},
		{"TestOne/sub", ""},
		{"TestOne", ""},
	} {
		failure(t, "TestOne", func(one testing.TB) {
			flags.Override(one, "page-size", 30)
			got := failure(t, test.by, func(t testing.TB) { flags.Override(t, "page-size", 40) })
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("by %s: %q, want %q", test.by, got, test.want)
			}
		})
	}
	for value, want := range map[any]string{"20": `flag "page-size" has type integer, not string`, 20.0: "not number"} {
		if got := failure(t, "T", func(t testing.TB) { flags.Override(t, "page-size", value) }); !strings.Contains(got,
			want) {
			t.Errorf("%v: %q, want %q", value, got, want)
		}
	}
	if got := pageSize.Get(flags.Client, sdk.Context{}); got != 20 {
		t.Errorf("%d is served after all", got)
	}
}

func BenchmarkNew(b *testing.B) {
	values := map[string]any{"new-checkout": true, "color": "#00f", "page-size": 20, "ratio": 0.5}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		fake := &fakeTest{TB: b, name: "B"}
		b.StartTimer()
		sdktest.New(fake, values)
		b.StopTimer()
		for _, c := range fake.cleanups {
			c()
		}
		b.StartTimer()
	}
}

func BenchmarkOverride(b *testing.B) {
	flags := sdktest.New(b, map[string]any{"page-size": 20})
	fake := &fakeTest{TB: b, name: "B"}
	for b.Loop() {
		flags.Override(fake, "page-size", 30)
	}
}
