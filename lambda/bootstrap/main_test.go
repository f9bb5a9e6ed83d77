//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/ci/s3store"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/lambdatest"
	"github.com/serin-flags/serin/internal/s3test"
	"github.com/serin-flags/serin/sdk"
)

var binary string // the function's, as built for a deployment

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "bootstrap-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if binary, err = lambdatest.Build(dir, "."); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// maxSize limits the stripped program: Lambda loads it for each cold start.
const maxSize = 12_000_000 // bytes

func TestSize(t *testing.T) {
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	if t.Logf("%d bytes", info.Size()); info.Size() > maxSize {
		t.Errorf("the function has %d bytes, more than %d", info.Size(), maxSize)
	}
}

// TestS3 takes flags on the way that they take in production: published to S3,
// pulled by the function with the credentials of its environment, asked for
// through its Function URL and through an API Gateway HTTP API.
func TestS3(t *testing.T) {
	store := s3test.Start(t)
	store.CreateBucket(t, "flags")
	keys := t.TempDir()
	if _, err := release.InitKeys(keys, "production"); err != nil {
		t.Fatal(err)
	}
	loaded, err := release.LoadKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, s3store.New(store.Client(t), "flags", "shop/production"), loaded, 500)
	f := lambdatest.Start(t, lambdatest.Config{
		Binary: binary,
		Env: append(store.Env(), "SERIN_FROM=s3://flags/shop/production",
			"SERIN_ROOT="+filepath.Join(keys, "root.json")),
	})
	server := httptest.NewServer(f)
	defer server.Close()
	resp, err := http.Post(server.URL+"/ofrep/v1/evaluate/flags/limit", "application/json",
		strings.NewReader(`{"context":{"targetingKey":"u-1"}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	const want = `{"key":"limit","metadata":{"environment":"production","flagSetId":"production","revision":1,"version":"1"},"reason":"STATIC","value":500,"variant":"large"}`
	if err != nil || resp.StatusCode != http.StatusOK || string(body) != want {
		t.Errorf("answer is %d %s, %v", resp.StatusCode, body, err)
	}

	testAPIGateway(t, f, want)

	// What isn't an HTTP request is an error of that invocation alone.
	var reported *lambdatest.InvocationError
	if _, err := f.Invoke(t.Context(), []byte(`{"Records":[]}`)); !errors.As(err, &reported) || reported.Init ||
		!strings.Contains(reported.Message, "not an HTTP request") {
		t.Errorf("the error of another event is %v", err)
	}
	resp, err = http.Get(server.URL + "/status")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("after that the status is %d", resp.StatusCode)
	}
}

// publish publishes an integer flag "limit".
func publish(t *testing.T, store release.Store, keys release.Keys, limit int64) {
	t.Helper()
	_, err := release.Publish(t.Context(), release.Options{
		Store:       store,
		Keys:        keys,
		Environment: "production",
		Payloads: []bundle.Payload{{Environment: "production", Namespace: "shop", Ruleset: evaluator.Ruleset{
			Unit:       "user",
			Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}},
			Flags: []evaluator.Flag{{
				Key: "limit", Type: evaluator.KindInt,
				Variants: []evaluator.Variant{{Name: "large", Value: evaluator.IntValue(limit)}},
			}},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestBaked starts without a source, from a copy in the deployment package.
func TestBaked(t *testing.T) {
	keys, published, absent := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "production")
	if _, err := release.InitKeys(keys, "production"); err != nil {
		t.Fatal(err)
	}
	loaded, err := release.LoadKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, filestore.New(published), loaded, 7)
	f := lambdatest.Start(t, lambdatest.Config{Binary: binary, Env: []string{
		"SERIN_FROM=file://" + absent, "SERIN_ROOT=" + filepath.Join(keys, "root.json"), "SERIN_BAKED=" + published,
	}})
	server := httptest.NewServer(f)
	defer server.Close()
	for path, want := range map[string]string{"/ofrep/v1/evaluate/flags/limit": `"value":7`,
		"/status": `"state":"LAST-KNOWN-GOOD"`} {
		method := http.MethodPost
		if path == "/status" {
			method = http.MethodGet
		}
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s is answered with %d %s, %v", path, resp.StatusCode, body, err)
		}
	}
}

// TestRefreshing asks a handler every second while revisions come: an answer is
// never by flags that are more than 30 s old, and no request but those that look
// for newer flags asks the source for anything.
func TestRefreshing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, published := t.TempDir(), t.TempDir()
		if _, err := release.InitKeys(keys, "production"); err != nil {
			t.Fatal(err)
		}
		loaded, err := release.LoadKeys(keys)
		if err != nil {
			t.Fatal(err)
		}
		src := &counting{Source: sdk.FS(os.DirFS(published))}
		publish(t, filestore.New(published), loaded, 1)
		client, err := sdk.Open(t.Context(), sdk.Config{Source: src, Root: loaded.Root, Interval: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		limit := sdk.Int("limit", 0)
		var got int64
		r := refresher{client: client, maxAge: defaultMaxAge}
		ask := func() {
			r.before(t.Context())
			got = limit.Get(client, sdk.Context{})
		}
		src.polls = 0
		publish(t, filestore.New(published), loaded, 2)
		for second := range 120 {
			ask()
			if want := int64(1 + min(second/30, 1)); got != want {
				t.Errorf("after %d s the answer is %d, want %d", second, got, want)
			}
			time.Sleep(time.Second)
		}
		if src.polls != 3 {
			t.Errorf("%d polls in 2 minutes", src.polls)
		}
		src.hangs = true
		time.Sleep(time.Hour)
		begun := time.Now()
		ask()
		ask()
		if took := time.Since(begun); got != 2 || took != refreshBudget {
			t.Errorf("with a source that hangs the answer is %d, after %v", got, took)
		}
	})
}

// TestAfterAnswers asks as Lambda does where there is an extension: while flags are younger
// than the limit nobody waits, and newer ones are there for the next request.
func TestAfterAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, published := t.TempDir(), t.TempDir()
		if _, err := release.InitKeys(keys, "production"); err != nil {
			t.Fatal(err)
		}
		loaded, err := release.LoadKeys(keys)
		if err != nil {
			t.Fatal(err)
		}
		const took = 50 * time.Millisecond
		src := &counting{Source: sdk.FS(os.DirFS(published)), takes: took}
		publish(t, filestore.New(published), loaded, 1)
		client, err := sdk.Open(t.Context(),
			sdk.Config{Source: src, Root: loaded.Root, Baked: os.DirFS(published), Interval: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		limit := sdk.Int("limit", 0)
		r := refresher{client: client, maxAge: defaultMaxAge, after: true}
		ask := func(when string, answer int64, waits bool, polls int) {
			t.Helper()
			begun, before := time.Now(), src.polls
			r.before(t.Context())
			waited, got := time.Since(begun) > 0, limit.Get(client, sdk.Context{})
			r.afterwards(t.Context())
			if got != answer || waited != waits || src.polls-before != polls {
				t.Errorf("%s: the answer is %d, waited %t, %d polls; want %d, %t, %d", when, got, waited,
					src.polls-before, answer, waits, polls)
			}
		}
		ask("flags of unknown age", 1, true, 1)
		publish(t, filestore.New(published), loaded, 2)
		time.Sleep(29 * time.Second)
		ask("young flags", 1, false, 0)
		time.Sleep(2 * time.Second)
		ask("older flags", 1, false, 1)
		ask("after that", 2, false, 0)
		publish(t, filestore.New(published), loaded, 3)
		time.Sleep(defaultMaxAge)
		ask("flags beyond the limit", 3, true, 1)

		// A copy that says when it was confirmed is as young as that.
		second, err := sdk.Open(t.Context(),
			sdk.Config{Source: src, Root: loaded.Root, Baked: os.DirFS(published), Interval: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer second.Close()
		client = second
		r = refresher{client: client, maxAge: defaultMaxAge, after: true, baked: time.Now()}
		publish(t, filestore.New(published), loaded, 4)
		ask("a fresh copy", 3, false, 0)
		time.Sleep(31 * time.Second)
		ask("an older copy", 3, false, 1)
		r.baked = time.Now().Add(time.Hour) // a clock that was set back
		time.Sleep(defaultMaxAge)
		ask("a copy of the future", 4, true, 1)

		src.hangs = true
		time.Sleep(time.Hour)
		begun := time.Now()
		r.before(t.Context())
		if waited := time.Since(begun); waited != refreshBudget {
			t.Errorf("with a source that hangs a request waits %v", waited)
		}
		r.afterwards(t.Context())
		if waited := time.Since(begun); waited != refreshBudget+headStart {
			t.Errorf("a source that has just failed is asked again after the answer, for %v", waited)
		}
	})
}

// A counting source counts how often it is polled.
type counting struct {
	bundle.Source
	polls int
	hangs bool
	fails bool
	takes time.Duration // each request
}

func (c *counting) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	if name == "timestamp.json" {
		c.polls++
	}
	time.Sleep(c.takes)
	if c.hangs {
		<-ctx.Done()
		return bundle.Object{}, ctx.Err()
	}
	if c.fails {
		return bundle.Object{}, errors.New("no connection")
	}
	return c.Source.Fetch(ctx, name, etag, limit)
}

// testAPIGateway hands the function what an HTTP API with a stage called "live"
// hands it, whose paths begin with the stage.
func testAPIGateway(t *testing.T, f *lambdatest.Function, flag string) {
	t.Helper()
	const event = `{
		"version": "2.0", "routeKey": "$default", "rawPath": "/live%[2]s", "rawQueryString": "",
		"headers": {
			"accept-encoding": "gzip", "content-type": "application/json", "host": "id.execute-api.us-east-1.amazonaws.com",
			"x-amzn-trace-id": "Root=1-65f00000-000000000000000000000000", "x-forwarded-for": "203.0.113.9", "x-forwarded-port": "443", "x-forwarded-proto": "https"
		},
		"requestContext": {
			"accountId": "123456789012", "apiId": "id", "domainName": "id.execute-api.us-east-1.amazonaws.com", "domainPrefix": "id",
			"http": {"method": "%[1]s", "path": "/live%[2]s", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9", "userAgent": "test"},
			"requestId": "request", "routeKey": "$default", "stage": "live", "time": "01/Mar/2026:00:00:00 +0000", "timeEpoch": 1772323200000
		},
		"body": %[3]q, "isBase64Encoded": false
	}`
	tests := []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/ofrep/v1/evaluate/flags/limit", `{"context":{"targetingKey":"u-1"}}`, 200, flag},
		{"POST", "/live/ofrep/v1/evaluate/flags/limit", ``, 404, `{"errorDetails":"there is nothing at this path"}`},
		{"HEAD", "/status", ``, 200, ""},
	}
	for _, test := range tests {
		out, err := f.Invoke(t.Context(), fmt.Appendf(nil, event, test.method, test.path, test.body))
		if err != nil {
			t.Errorf("%s %s: %v", test.method, test.path, err)
			continue
		}
		var answer events.APIGatewayV2HTTPResponse
		if err := json.Unmarshal(out, &answer); err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != test.status || answer.Body != test.want || answer.IsBase64Encoded ||
			answer.Headers["content-type"] != "application/json" {
			t.Errorf("%s %s: the answer is %s", test.method, test.path, out)
		}
	}
}

// TestMisconfigured checks that the function, when a variable is missing or
// wrong, tells Lambda which and why, and ends.
func TestMisconfigured(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	notRoot := file("not-root.json", "<html>")
	if _, err := release.InitKeys(dir, "production"); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "root.json")
	emptied := t.TempDir()
	clients := file("clients.yaml", "clients: [a]")
	large := file("large.json", strings.Repeat(" ", bundle.MaxRoot+1))
	tests := []struct {
		name string
		env  []string
		want []string // parts of the message
	}{
		{"nothing set", nil, []string{"SERIN_FROM is not set", "s3://bucket/prefix/production"}},
		{"no root", []string{"SERIN_FROM=file:///srv/flags/production"}, []string{"SERIN_ROOT is not set", "root.json"}},
		{"unknown scheme", []string{"SERIN_FROM=ftp://flags.example/production", "SERIN_ROOT=" + notRoot},
			[]string{"SERIN_FROM: ", "ftp"}},
		{"absent root", []string{"SERIN_FROM=file:///srv/flags/production", "SERIN_ROOT=absent.json"},
			[]string{"SERIN_ROOT: ", "absent.json", "no such file"}},
		{"root that is none", []string{"SERIN_FROM=file:///srv/flags/production", "SERIN_ROOT=" + notRoot},
			[]string{"SERIN_ROOT: ", "not-root.json"}},
		{"another environment", []string{"SERIN_FROM=file://" + dir, "SERIN_ROOT=" + root, "SERIN_ENV=staging"},
			[]string{"SERIN_ENV: ", `environment "production", not "staging"`}},
		{"no copy", []string{"SERIN_FROM=file://" + dir, "SERIN_ROOT=" + root, "SERIN_BAKED=" + emptied},
			[]string{"SERIN_BAKED: ", "serin bake"}},
		{"base path", []string{"SERIN_FROM=file:///srv/flags/production", "SERIN_BASE_PATH=flags"},
			[]string{"SERIN_BASE_PATH: flags doesn't begin with a slash"}},
		{"gateways", []string{"SERIN_FROM=file://" + dir, "SERIN_ROOT=" + root, "SERIN_TRUST_PROXIES=example.com"},
			[]string{`SERIN_TRUST_PROXIES: "example.com" is neither`}},
		{"limit of the age", []string{"SERIN_FROM=file://" + dir, "SERIN_ROOT=" + root, "SERIN_MAX_AGE=60"},
			[]string{`SERIN_MAX_AGE: "60" is not a duration`, "5m"}},
		{"short limit of the age", []string{"SERIN_FROM=file://" + dir, "SERIN_ROOT=" + root, "SERIN_MAX_AGE=1s"},
			[]string{`SERIN_MAX_AGE: "1s"`, "30s or more"}},
		{"metrics", []string{"SERIN_FROM=file://" + dir, "SERIN_ROOT=" + root, "SERIN_METRICS=no"},
			[]string{`SERIN_METRICS: "no" is neither on nor off`}},
		{"clients", []string{"SERIN_FROM=file://" + dir, "SERIN_ROOT=" + root, "SERIN_CLIENTS=" + clients},
			[]string{"SERIN_CLIENTS: reading clients: ", "clients.yaml:1:11: a client is a mapping"}},
		{"no region", []string{"SERIN_FROM=s3://flags/production", "SERIN_ROOT=" + root},
			[]string{"SERIN_FROM: no region is configured: set AWS_REGION"}},
		{"endpoint", []string{"SERIN_FROM=s3://flags/production?endpoint=s3.example.com", "AWS_REGION=eu-west-1", "SERIN_ROOT=" + root},
			[]string{"SERIN_FROM: the endpoint is not a URL"}},
		{"large root", []string{"SERIN_FROM=file:///srv/flags/production", "SERIN_ROOT=" + large},
			[]string{"SERIN_ROOT: ", "large.json is larger than 524288 bytes"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := lambdatest.Start(t, lambdatest.Config{Binary: binary, Env: test.env})
			_, err := f.Invoke(t.Context(), []byte(`{}`))
			var reported *lambdatest.InvocationError
			if !errors.As(err, &reported) || !reported.Init || reported.Type != "Runtime.ConfigInvalid" {
				t.Fatalf("error is %v, want a report of misconfiguration", err)
			}
			for _, part := range test.want {
				if !strings.Contains(reported.Message, part) {
					t.Errorf("the message %q lacks %q", reported.Message, part)
				}
			}
			var exit *exec.ExitError
			if err := f.Wait(t.Context()); !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("the process ended with %v, want status 1", err)
			}
			if !strings.Contains(f.Log(), "the function is misconfigured") {
				t.Errorf("the log doesn't say so:\n%s", f.Log())
			}
		})
	}
}

// TestOutsideLambda checks that somebody who starts the function by hand is told
// what to start instead.
func TestOutsideLambda(t *testing.T) {
	t.Setenv("AWS_LAMBDA_RUNTIME_API", "")
	if _, err := open(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "use serin serve") {
		t.Errorf("error is %v", err)
	}
}
