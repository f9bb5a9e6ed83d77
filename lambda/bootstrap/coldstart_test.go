//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/lambdatest"
)

// BenchmarkColdStart measures the time from an event without a running function to its
// answer: of a function that says hello, and of this one with 500 flags in its deployment
// package and a bucket that can't be reached. The two take turns, and medians are reported.
// Run it with -benchtime=50x or more.
//
// Under the emulator, the flags were confirmed less than 30 s ago: it sends an answer only
// when the function has looked for newer ones, which Lambda doesn't wait for. With the
// double of the Runtime API, which doesn't either, they are an hour old, and SERIN_MAX_AGE
// is a day. "waiting" is the default, which asks the bucket before it answers from flags
// that old.
func BenchmarkColdStart(b *testing.B) {
	hello, err := lambdatest.Build(b.TempDir(), "github.com/serin-flags/serin/internal/lambdatest/testdata/hello")
	if err != nil {
		b.Fatal(err)
	}
	keys, published := b.TempDir(), b.TempDir()
	if _, err := release.InitKeys(keys, "production"); err != nil {
		b.Fatal(err)
	}
	loaded, err := release.LoadKeys(keys)
	if err != nil {
		b.Fatal(err)
	}
	publishMany(b, filestore.New(published), loaded, 500)
	env := []string{
		"SERIN_FROM=s3://flags/shop/production", "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=a",
		"AWS_SECRET_ACCESS_KEY=b",
		"AWS_ENDPOINT_URL_S3=http://127.0.0.1:1", "SERIN_ROOT=" + filepath.Join(keys, "root.json"),
		"SERIN_BAKED=" + published,
	}
	for _, test := range []struct {
		name  string
		start func(cfg lambdatest.Config) coldFunction
		age   time.Duration
		env   []string
	}{
		{"emulator", func(cfg lambdatest.Config) coldFunction { return lambdatest.Emulate(b, cfg) }, 0, nil},
		{"double", func(cfg lambdatest.Config) coldFunction { return lambdatest.Start(b, cfg) }, time.Hour, []string{"SERIN_MAX_AGE=24h"}},
		{"waiting", func(cfg lambdatest.Config) coldFunction { return lambdatest.Start(b, cfg) }, time.Hour, nil},
	} {
		b.Run(test.name, func(b *testing.B) {
			var times [2][]time.Duration
			for b.Loop() {
				label(b, published, time.Now().Add(-test.age))
				for i, cfg := range []lambdatest.Config{{Binary: hello},
					{Binary: binary, Env: slices.Concat(env, test.env)}} {
					times[i] = append(times[i], coldStart(b, func() coldFunction { return test.start(cfg) }))
				}
			}
			median := func(all []time.Duration) float64 {
				slices.Sort(all)
				return float64(all[len(all)/2]) / 1e6
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(times[0]), "hello-ms")
			b.ReportMetric(median(times[1]), "serin-ms")
			b.ReportMetric(median(times[1])/median(times[0]), "ratio")
		})
	}
}

// A coldFunction is what runs a function.
type coldFunction interface {
	Invoke(ctx context.Context, event []byte) ([]byte, error)
	Log() string
	Close()
}

// coldStart returns how long the first answer takes. The emulator starts the function when
// it is first asked, the double before.
func coldStart(b *testing.B, start func() coldFunction) time.Duration {
	const event = `{"version": "2.0", "rawPath": "/ofrep/v1/evaluate/flags/flag-7", "headers": {"content-type": "application/json"},
		"requestContext": {"domainName": "d", "stage": "$default", "http": {"method": "POST", "path": "/", "sourceIp": "203.0.113.9"}},
		"body": "{\"context\":{\"targetingKey\":\"u-1\",\"country\":\"de\"}}", "isBase64Encoded": false}`
	begun := time.Now()
	f := start()
	if _, emulated := f.(*lambdatest.Emulator); emulated {
		begun = time.Now()
	}
	out, err := f.Invoke(b.Context(), []byte(event))
	took := time.Since(begun)
	if err != nil || !bytes.Contains(out, []byte(`"statusCode":200`)) {
		b.Fatalf("the answer is %s, %v\n%s", out, err, f.Log())
	}
	f.Close()
	return took
}

// label says when a copy was confirmed, as serin bake does.
func label(t testing.TB, dir string, confirmed time.Time) {
	t.Helper()
	text := fmt.Sprintf(`{"confirmed": %q}`, confirmed.UTC().Format(time.RFC3339))
	if err := os.WriteFile(filepath.Join(dir, release.CopyLabel), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// publishMany publishes flags with five rules of two conditions and a split each.
func publishMany(t testing.TB, store release.Store, keys release.Keys, n int) {
	t.Helper()
	set := evaluator.Ruleset{Unit: "user", Attributes: []evaluator.Attribute{
		{Name: "user", Type: evaluator.AttrString}, {Name: "country", Type: evaluator.AttrString}, {Name: "plan", Type: evaluator.AttrString},
	}}
	for i := range n {
		f := evaluator.Flag{Key: fmt.Sprintf("flag-%d", i), Type: evaluator.KindBool,
			Variants: []evaluator.Variant{{Name: "off", Value: evaluator.BoolValue(false)},
				{Name: "on", Value: evaluator.BoolValue(true)}}}
		for j := range 5 {
			f.Rules = append(f.Rules,
				evaluator.Rule{Name: fmt.Sprintf("rule %d", j), Variant: 1, When: &evaluator.Condition{
					Op: evaluator.OpAll, Of: []evaluator.Condition{
						{Op: evaluator.OpOneOf, Attribute: "country", Strings: []string{"de", "fr", fmt.Sprintf("c%d", (i+j)%40)}},
						{Op: evaluator.OpOneOf, Attribute: "plan", Strings: []string{fmt.Sprintf("p%d", j)}},
					}}})
		}
		set.Flags = append(set.Flags, f)
	}
	_, err := release.Publish(t.Context(), release.Options{Store: store, Keys: keys, Environment: "production",
		Payloads: []bundle.Payload{{Environment: "production", Namespace: "shop", Ruleset: set}}})
	if err != nil {
		t.Fatal(err)
	}
}
