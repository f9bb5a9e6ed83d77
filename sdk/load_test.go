package sdk_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

// TestUpdateKeepsWhatIsUnchanged checks that an update compiles only the payloads
// that changed.
func TestUpdateKeepsWhatIsUnchanged(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1})
	before := client.Snapshot().Program()
	r.publish(t, numbered("production", 2)[0], numbered("production", 1)[1])
	if err := client.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := client.Snapshot().Program()
	if before.Flag("right") != after.Flag("right") {
		t.Error("a namespace that is as before was compiled again")
	}
	if before.Flag("left") == after.Flag("left") {
		t.Error("a namespace that changed was not compiled again")
	}
}

// frozen is a repository in memory at one moment.
type frozen map[string][]byte

// read returns the repository as it is now.
func (r *repository) read(b *testing.B) frozen {
	b.Helper()
	m := make(frozen)
	err := filepath.WalkDir(r.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(r.dir, path)
		if err != nil {
			return err
		}
		m[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// A changing source is a repository at one moment or another.
type changing struct{ frozen }

func (c *changing) Fetch(_ context.Context, name, _ string, _ int64) (bundle.Object, error) {
	data, ok := c.frozen[name]
	if !ok {
		return bundle.Object{}, bundle.ErrNotFound
	}
	return bundle.Object{Data: data}, nil
}

// large returns n flags in so many namespaces, each flag with 5 rules of 2
// conditions. The first 10 of them have to do with a number.
func large(flags, namespaces int, number int64) []bundle.Payload {
	payloads := make([]bundle.Payload, namespaces)
	for i := range payloads {
		payloads[i] = bundle.Payload{Environment: "production", Namespace: fmt.Sprint("team-", i),
			Ruleset: evaluator.Ruleset{
				Unit: "user",
				Attributes: []evaluator.Attribute{
					{Name: "user", Type: evaluator.AttrString},
					{Name: "city", Type: evaluator.AttrString},
					{Name: "uid", Type: evaluator.AttrInteger},
				},
			}}
	}
	for i := range flags {
		f := boolean(fmt.Sprint("flag-", i), evaluator.Rule{})
		f.Rules = nil
		for j := range 5 {
			f.Rules = append(f.Rules, evaluator.Rule{Name: fmt.Sprint("rule ", j), Variant: j % 2,
				When: &evaluator.Condition{Op: evaluator.OpAll, Of: []evaluator.Condition{
					{Op: evaluator.OpOneOf, Attribute: "city", Strings: []string{fmt.Sprint("city-", (i+j)%300), "SH"}},
					{Op: evaluator.OpBetween, Attribute: "uid", Ints: []int64{int64(i), int64(i + j)}},
				}}})
		}
		if i < 10 {
			f.Rules[4].When.Of[1].Ints[1] = 1_000_000 + number
		}
		set := &payloads[i*namespaces/flags].Ruleset
		set.Flags = append(set.Flags, f)
	}
	return payloads
}

// crowd returns a segment of n ids, and a flag that asks for it.
func crowd(n int, number int64) []bundle.Payload {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint("user-", int64(i)+number)
	}
	p := large(10, 1, number)
	set := &p[0].Ruleset
	set.Segments = []evaluator.Segment{{Name: "crowd", Include: ids}}
	set.Flags[0].Rules[0].When = &evaluator.Condition{Op: evaluator.OpInSegment, Attribute: "user",
		Strings: []string{"crowd"}}
	return p
}

// live returns the bytes in use.
func live() int64 {
	var stats runtime.MemStats
	for range 2 { // the second time frees what had finalizers
		runtime.GC()
	}
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// contents are what the benchmarks below load: with a number, which makes 10
// flags different.
var contents = []struct {
	name string
	make func(number int64) []bundle.Payload
}{
	{"10000 flags", func(n int64) []bundle.Payload { return large(10_000, 1, n) }},
	{"10000 flags in 20 namespaces", func(n int64) []bundle.Payload { return large(10_000, 20, n) }},
	{"1000000 ids", func(n int64) []bundle.Payload { return crowd(1_000_000, n) }},
}

// load returns a client with flags, which the caller closes.
func load(b *testing.B, cfg sdk.Config) *sdk.Client {
	b.Helper()
	client, err := sdk.Open(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	if client.Snapshot() == nil {
		b.Fatal(client.Status())
	}
	return client
}

// BenchmarkLoad opens a client on a repository in memory: from published bytes to
// ready.
func BenchmarkLoad(b *testing.B) {
	for _, content := range contents {
		b.Run(content.name, func(b *testing.B) {
			r := newRepository(b, "production")
			r.publish(b, content.make(0)...)
			cfg := sdk.Config{Source: &changing{r.read(b)}, Root: r.keys.Root, Interval: -1}
			load(b, cfg).Close()
			before := live()
			client := load(b, cfg)
			retained := live() - before
			client.Close()
			b.ReportAllocs()
			for b.Loop() {
				load(b, cfg).Close()
			}
			b.ReportMetric(float64(retained)/(1<<20), "retained-MB")
		})
	}
}

// BenchmarkUpdate10 brings a client to the next revision, in which 10 flags are
// different.
func BenchmarkUpdate10(b *testing.B) {
	for _, content := range contents {
		b.Run(content.name, func(b *testing.B) {
			r := newRepository(b, "production")
			var revisions []frozen
			for n := range int64(4) {
				r.publish(b, content.make(n)...)
				revisions = append(revisions, r.read(b))
			}
			source := &changing{revisions[0]}
			cfg := sdk.Config{Source: source, Root: r.keys.Root, Interval: -1}
			client := load(b, cfg)
			b.ReportAllocs()
			for i := 1; b.Loop(); i++ {
				if i == len(revisions) {
					b.StopTimer()
					client.Close()
					source.frozen = revisions[0]
					client, i = load(b, cfg), 1
					b.StartTimer()
				}
				source.frozen = revisions[i]
				if err := client.Refresh(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			client.Close()
		})
	}
}
