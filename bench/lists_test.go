package bench

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

// helped is what the systems have that are measured with contexts made by a helper
// function from a request, as many programs make them.
type helped interface {
	helped(b *testing.B, flag string, users []User)
	// helpedWithRoom is the same with room that the caller has, if the system can use that.
	helpedWithRoom(b *testing.B, flag string, users []User)
}

// withHelper returns c as helped, or skips the benchmark.
func withHelper(b *testing.B, c timed) helped {
	h, ok := c.(helped)
	if !ok {
		b.Skip("not measured with this system")
	}
	return h
}

// requests returns a request of each user.
func requests(users []User) []*http.Request {
	return each(users, func(u *User) *http.Request {
		r := &http.Request{Header: make(http.Header)}
		for name, value := range map[string]string{
			"User": u.ID, "Country": u.Country, "Plan": u.Plan, "Language": u.Language, "Version": u.Version,
		} {
			r.Header.Set(name, value)
		}
		return r
	})
}

// flagContext is noinline as it would be if it were longer, or in another package's method.
//
//go:noinline
func flagContext(r *http.Request) sdk.Context {
	return sdk.User(r.Header.Get("User"),
		sdk.Attr("country", r.Header.Get("Country")),
		sdk.Attr("plan", r.Header.Get("Plan")),
		sdk.Attr("language", r.Header.Get("Language")),
		sdk.Attr("version", r.Header.Get("Version")))
}

// flagContextIn is flagContext with room for the attributes.
//
//go:noinline
func flagContextIn(room []evaluator.Attr, r *http.Request) sdk.Context {
	return sdk.User(r.Header.Get("User"), append(room,
		sdk.Attr("country", r.Header.Get("Country")),
		sdk.Attr("plan", r.Header.Get("Plan")),
		sdk.Attr("language", r.Header.Get("Language")),
		sdk.Attr("version", r.Header.Get("Version")))...)
}

//go:noinline
func ldFlagContext(r *http.Request) ldcontext.Context {
	return ldcontext.NewBuilder(r.Header.Get("User")).
		SetString("country", r.Header.Get("Country")).
		SetString("plan", r.Header.Get("Plan")).
		SetString("language", r.Header.Get("Language")).
		SetString("version", r.Header.Get("Version")).
		Build()
}

func (c serinClient) helped(b *testing.B, flag string, users []User) {
	handle, made, mask := sdk.Bool(flag, false), requests(users), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkBool = handle.Get(c.Client, flagContext(made[i&mask]))
	}
}

func (c serinClient) helpedWithRoom(b *testing.B, flag string, users []User) {
	handle, made, mask := sdk.Bool(flag, false), requests(users), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkBool = handle.Get(c.Client, flagContextIn(make([]evaluator.Attr, 0, 8), made[i&mask]))
	}
}

func (c serinByName) helped(b *testing.B, flag string, users []User) {
	made, mask := requests(users), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkBool, _ = c.Snapshot().Evaluate(flag, flagContext(made[i&mask])).Value().Bool()
	}
}

func (c serinByName) helpedWithRoom(b *testing.B, flag string, users []User) {
	made, mask := requests(users), len(users)-1
	for i := 0; b.Loop(); i++ {
		ctx := flagContextIn(make([]evaluator.Attr, 0, 8), made[i&mask])
		sinkBool, _ = c.Snapshot().Evaluate(flag, ctx).Value().Bool()
	}
}

func (c *ldClient) helpedWithRoom(b *testing.B, flag string, users []User) { c.helped(b, flag, users) }

func (c *ldClient) helped(b *testing.B, flag string, users []User) {
	f, made, mask := c.flags[flag], requests(users), len(users)-1
	for i := 0; b.Loop(); i++ {
		sinkBool = c.evaluator.Evaluate(f, ldFlagContext(made[i&mask]), nil).Detail.Value.BoolValue()
	}
}

// perRequest is how many flags are read for one request.
const perRequest = 20

// request is one request: its context is made, and flags are read.
func (c serinClient) request(b *testing.B, keys []string, users []User) {
	handles, mask := serinHandles(keys), len(users)-1
	for i := 0; b.Loop(); i++ {
		ctx := serinListContext(&users[i&mask])
		for _, handle := range handles {
			sinkText = handle.Get(c.Client, ctx)
		}
	}
}

// requestView is the same through a view.
func (c serinClient) requestView(b *testing.B, keys []string, users []User) {
	handles, mask := serinHandles(keys), len(users)-1
	for i := 0; b.Loop(); i++ {
		view := c.For(serinListContext(&users[i&mask]))
		for _, handle := range handles {
			sinkText = handle.In(view)
		}
	}
}

func serinHandles(keys []string) []*sdk.Flag[string] {
	handles := make([]*sdk.Flag[string], len(keys))
	for i, key := range keys {
		handles[i] = sdk.String(key, "")
	}
	return handles
}

func (c *ldClient) request(b *testing.B, keys []string, users []User) {
	flags, mask := make([]*ldmodel.FeatureFlag, len(keys)), len(users)-1
	for i, key := range keys {
		flags[i] = c.flags[key]
	}
	for i := 0; b.Loop(); i++ {
		ctx := ldListContext(&users[i&mask])
		for _, f := range flags {
			sinkText = c.evaluator.Evaluate(f, ctx, nil).Detail.Value.StringValue()
		}
	}
}

// BenchmarkLists is E with lists, and what is made of such flags: one of them, all of
// them, and some for each request.
func BenchmarkLists(b *testing.B) {
	at := large(b)
	for _, length := range listLengths {
		users := ListUsers(benchUsers, length)
		for _, equal := range []bool{false, true} {
			keys := (&Estate{Flags: ListFlags(allFlags, length, equal)}).Keys()
			for _, s := range WithLists() {
				c, err := s.Load(at(listsDir(length, equal)))
				if err != nil {
					b.Fatal(err)
				}
				if err := checkLists(ListFlags(allFlags, length, equal), users[:10], c); err != nil {
					b.Fatalf("%s, %d, %v: %v", s.Name(), length, equal, err)
				}
				b.Run(fmt.Sprintf("length=%d/equal=%v/system=%s", length, equal, s.Name()), func(b *testing.B) {
					b.Run("one", func(b *testing.B) { b.ReportAllocs(); c.(timed).text(b, keys[0], users) })
					b.Run("all", func(b *testing.B) { b.ReportAllocs(); c.(timed).all(b, keys, users) })
					if equal {
						return
					}
					b.Run("request", func(b *testing.B) {
						b.ReportAllocs()
						c.(interface {
							request(*testing.B, []string, []User)
						}).request(b, keys[:perRequest], users)
					})
					if c, ok := c.(serinClient); ok {
						b.Run("view", func(b *testing.B) {
							b.ReportAllocs()
							c.requestView(b,
								keys[:perRequest], users)
						})
					}
				})
				c.Close()
			}
		}
	}
}

// checkLists checks the answers of all flags, at once and one by one.
func checkLists(flags []Flag, users []User, c Client) error {
	keys := (&Estate{Flags: flags}).Keys()
	for _, u := range users {
		answers := c.All(keys, &u)
		for i := range flags {
			if err := checkText(&flags[i], &u, answers[flags[i].Key]); err != nil {
				return fmt.Errorf("flag %s of all: %w", flags[i].Key, err)
			}
			if one := c.Text(flags[i].Key, &u); one != answers[flags[i].Key] {
				return fmt.Errorf("flag %s: %q alone, and %q of all", flags[i].Key, one, answers[flags[i].Key])
			}
		}
	}
	return nil
}

// TestListAnswers checks that flags with lists match as many users as they are made for,
// and that both systems answer as they are described.
func TestListAnswers(t *testing.T) {
	flags := ListFlags(20, 10, false)
	e, place := &Estate{Flags: flags}, Place{Dir: t.TempDir()}
	if err := publishFor(WithLists(), place.Dir, e); err != nil {
		t.Fatal(err)
	}
	users := ListUsers(200, 10)
	for _, s := range WithLists() {
		c, err := s.Load(place)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkLists(flags, users, c); err != nil {
			t.Errorf("%s: %v", s.Name(), err)
		}
		c.Close()
	}
	rules := make(map[int]int)
	for i := range flags {
		for k := range users {
			rules[flags[i].Rule(&users[k])]++
		}
	}
	for rule := -1; rule < 5; rule++ {
		if n := rules[rule]; n < 100 {
			t.Errorf("rule %d (-1: none) is for %d of %d", rule, n, len(flags)*len(users))
		}
	}
}
