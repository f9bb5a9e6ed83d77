//go:build unix

package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/lambdatest"
)

// unreachable is the environment of a bucket that can't be reached.
var unreachable = []string{"SERIN_FROM=s3://flags/shop/production", "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=a",
	"AWS_SECRET_ACCESS_KEY=b", "AWS_ENDPOINT_URL_S3=http://127.0.0.1:1"}

// runners are the ways to run the function: AWS's emulator, and the double of the Runtime
// API. Both refuse what they know to be wrong, so everything is tried with both.
var runners = map[string]func(t *testing.T, cfg lambdatest.Config) runner{
	"emulator": func(t *testing.T, cfg lambdatest.Config) runner { return lambdatest.Emulate(t, cfg) },
	"double":   func(t *testing.T, cfg lambdatest.Config) runner { return lambdatest.Start(t, cfg) },
}

type runner interface {
	Invoke(ctx context.Context, event []byte) ([]byte, error)
	Log() string
}

// seats is flags that read a cookie, a query and a body, published in the folder dir.
func seats(t *testing.T) (keys, dir string) {
	t.Helper()
	keys, dir = t.TempDir(), t.TempDir()
	if _, err := release.InitKeys(keys, "production"); err != nil {
		t.Fatal(err)
	}
	loaded, err := release.LoadKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	texts := func(names ...string) (variants []evaluator.Variant) {
		for _, name := range names {
			variants = append(variants, evaluator.Variant{Name: name, Value: evaluator.StringValue("of " + name)})
		}
		return variants
	}
	is := func(name, text string) *evaluator.Condition {
		return &evaluator.Condition{Op: evaluator.OpOneOf, Attribute: name, Strings: []string{text}}
	}
	half := &evaluator.Split{Bucketing: evaluator.Bucketing{By: "seat", Salt: "by-seat", Hash: evaluator.HashMurmur3},
		Ranges: []evaluator.Range{{To: evaluator.Positions / 2},
			{From: evaluator.Positions / 2, To: evaluator.Positions, Variant: 1}}}
	_, err = release.Publish(t.Context(),
		release.Options{Store: filestore.New(dir), Keys: loaded, Environment: "production",
			Payloads: []bundle.Payload{{Environment: "production", Namespace: "shop", Ruleset: evaluator.Ruleset{
				Unit: "user",
				Attributes: []evaluator.Attribute{
					{Name: "user", Type: evaluator.AttrString},
					{Name: "city", Type: evaluator.AttrString, From: `[{"query":"city"}]`},
					{Name: "seat", Type: evaluator.AttrString, From: `[{"cookie":"seat","issue":3600}]`},
				},
				Flags: []evaluator.Flag{
					{Key: "by-city", Type: evaluator.KindString, Variants: texts("stable", "beta"),
						Rules: []evaluator.Rule{{Name: "lhasa", When: is("city", "lhasa é&"), Variant: 1}}},
					{Key: "by-seat", Type: evaluator.KindString, Variants: texts("stable", "beta"),
						Rules: []evaluator.Rule{{Name: "half", Split: half}}},
				},
			}}}})
	if err != nil {
		t.Fatal(err)
	}
	return keys, dir
}

// A form is a kind of event: it turns a request into one, and reads the answer.
type form struct {
	name  string
	event func(method, path, query, cookie, body string) map[string]any
	multi bool // answers have headers with several values
}

var forms = []form{
	{name: "Function URL", event: func(method, path, query, cookie, body string) map[string]any {
		e := map[string]any{"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
			"headers": map[string]any{"content-type": "application/json", "host": "id.lambda-url.eu-west-1.on.aws"},
			"requestContext": map[string]any{"accountId": "anonymous", "domainName": "id.lambda-url.eu-west-1.on.aws",
				"stage": "$default",
				"http": map[string]any{"method": method, "path": path, "protocol": "HTTP/1.1",
					"sourceIp": "203.0.113.9"}},
			"body": base64.StdEncoding.EncodeToString([]byte(body)), "isBase64Encoded": true}
		if cookie != "" {
			e["cookies"] = []string{"other=1", cookie}
		}
		return e
	}},
	{name: "HTTP API with a stage", event: func(method, path, query, cookie, body string) map[string]any {
		e := map[string]any{"version": "2.0", "routeKey": "ANY /{proxy+}", "rawPath": "/live" + path,
			"rawQueryString": query,
			"headers": map[string]any{"content-type": "application/json",
				"host": "id.execute-api.eu-west-1.amazonaws.com"},
			"requestContext": map[string]any{"domainName": "id.execute-api.eu-west-1.amazonaws.com", "stage": "live",
				"authorizer": map[string]any{"jwt": map[string]any{"claims": map[string]any{"aud": []any{"a", 1}}}},
				"http": map[string]any{"method": method, "path": "/live" + path, "protocol": "HTTP/1.1",
					"sourceIp": "203.0.113.9"}},
			"body": body, "isBase64Encoded": false}
		if cookie != "" {
			e["cookies"] = []string{cookie}
		}
		return e
	}},
	{name: "REST API", multi: true, event: func(method, path, query, cookie, body string) map[string]any {
		headers := map[string]any{"Content-Type": []string{"application/json"},
			"Host": []string{"id.execute-api.eu-west-1.amazonaws.com"}}
		if cookie != "" {
			headers["Cookie"] = []string{"other=1; " + cookie}
		}
		e := map[string]any{"resource": "/{proxy+}", "path": path, "httpMethod": method, "headers": map[string]any{},
			"multiValueHeaders": headers,
			"requestContext": map[string]any{"stage": "live", "path": "/live" + path,
				"domainName": "id.execute-api.eu-west-1.amazonaws.com",
				"identity":   map[string]any{"sourceIp": "203.0.113.9"}, "httpMethod": method},
			"body": base64.StdEncoding.EncodeToString([]byte(body)), "isBase64Encoded": true}
		if query != "" {
			e["multiValueQueryStringParameters"] = map[string]any{"city": []string{"lhasa é&"}} // decoded
		}
		return e
	}},
	{name: "load balancer", event: func(method, path, query, cookie, body string) map[string]any {
		headers := map[string]any{"content-type": "application/json", "host": "flags.example",
			"x-forwarded-for": "203.0.113.9"}
		if cookie != "" {
			headers["cookie"] = cookie
		}
		e := map[string]any{"requestContext": map[string]any{"elb": map[string]any{"targetGroupArn": "arn:aws:x"}},
			"httpMethod": method,
			"path":       path, "queryStringParameters": map[string]any{}, "headers": headers, "body": body,
			"isBase64Encoded": false}
		if name, value, ok := strings.Cut(query, "="); ok {
			e["queryStringParameters"] = map[string]any{name: value} // as it was sent
		}
		return e
	}},
	{name: "load balancer with several values", multi: true,
		event: func(method, path, query, cookie, body string) map[string]any {
			headers := map[string]any{"content-type": []string{"application/json"}, "host": []string{"flags.example"},
				"x-forwarded-for": []string{"203.0.113.9"}}
			if cookie != "" {
				headers["cookie"] = []string{"other=1", cookie}
			}
			e := map[string]any{"requestContext": map[string]any{"elb": map[string]any{"targetGroupArn": "arn:aws:x"}},
				"httpMethod": method,
				"path":       path, "multiValueQueryStringParameters": map[string]any{}, "multiValueHeaders": headers,
				"body": body, "isBase64Encoded": false}
			if name, value, ok := strings.Cut(query, "="); ok {
				e["multiValueQueryStringParameters"] = map[string]any{name: []string{value}}
			}
			return e
		}},
}

// An answer is what a caller gets.
type reply struct {
	status  int
	header  map[string]string
	cookies []string
	body    string
}

func (f form) read(t *testing.T, out []byte) reply {
	t.Helper()
	var a struct {
		StatusCode        int
		Headers           map[string]string
		MultiValueHeaders map[string][]string
		Cookies           []string
		Body              string
		IsBase64Encoded   bool
	}
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	r := reply{status: a.StatusCode, header: a.Headers, cookies: a.Cookies, body: a.Body}
	if f.multi {
		if len(a.Headers) > 0 {
			t.Errorf("there are headers with one value: %s", out)
		}
		r.header, r.cookies = make(map[string]string), a.MultiValueHeaders["set-cookie"]
		for name, values := range a.MultiValueHeaders {
			r.header[name] = strings.Join(values, ", ")
		}
	} else if cookie := a.Headers["set-cookie"]; cookie != "" {
		r.cookies = append(r.cookies, cookie)
	}
	if a.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		r.body = string(body)
	}
	return r
}

// TestForms cold-starts the function from a copy in its package, with a bucket that can't
// be reached, and asks through everything that can call a function.
func TestForms(t *testing.T) {
	keys, dir := seats(t)
	label(t, dir, time.Now())
	for kind, run := range runners {
		t.Run(kind, func(t *testing.T) {
			f := run(t, lambdatest.Config{Binary: binary,
				Env: append(unreachable, "SERIN_ROOT="+filepath.Join(keys, "root.json"), "SERIN_BAKED="+dir,
					"SERIN_MAX_AGE=1h")})
			for _, form := range forms {
				t.Run(form.name, func(t *testing.T) { testForm(t, f, form) })
			}
		})
	}
}

func testForm(t *testing.T, f runner, form form) {
	ask := func(method, path, query, cookie, body string) reply {
		t.Helper()
		event, err := json.Marshal(form.event(method, path, query, cookie, body))
		if err != nil {
			t.Fatal(err)
		}
		out, err := f.Invoke(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		return form.read(t, out)
	}
	const flags = "/ofrep/v1/evaluate/flags"
	if got := ask("POST", flags+"/by-city", "", "", `{"context":{"city":"lhasa é&"}}`); got.status != 200 ||
		!strings.Contains(got.body, `"variant":"beta"`) || got.header["content-type"] != "application/json" {
		t.Errorf("one flag: %+v", got)
	}
	all := ask("POST", flags, "", "", `{}`)
	if all.status != 200 || all.header["etag"] == "" || !strings.Contains(all.body, `"key":"by-seat"`) {
		t.Errorf("all flags: %+v", all)
	}
	if got := ask("POST", flags+"/absent", "", "", `{}`); got.status != 404 ||
		!strings.Contains(got.body, "FLAG_NOT_FOUND") {
		t.Errorf("an absent flag: %+v", got)
	}
	if got := ask("GET", "/route/by-city", "city=lhasa%20%C3%A9%26", "", ""); got.status != 200 ||
		got.header["x-serin-variant"] != "beta" {
		t.Errorf("a route by the query: %+v", got)
	}
	first := ask("GET", "/route/by-seat", "", "", "")
	if len(first.cookies) != 1 || !strings.HasPrefix(first.cookies[0], "seat=") ||
		!strings.Contains(first.cookies[0], "HttpOnly") ||
		first.header["cache-control"] != "no-store" {
		t.Fatalf("a route for a visitor without a cookie: %+v", first)
	}
	issued, _, _ := strings.Cut(first.cookies[0], ";")
	again := ask("GET", "/route/by-seat", "", issued, "")
	if len(again.cookies) != 0 || again.header["x-serin-variant"] != first.header["x-serin-variant"] {
		t.Errorf("a route with the issued cookie: %+v, after %+v", again, first)
	}
	if got := ask("HEAD", "/status", "", "", ""); got.status != 200 || got.body != "" {
		t.Errorf("the status: %+v", got)
	}
}

// TestRefreshAfterAnswer checks, in a function that runs, that the first answer comes from
// a fresh copy, although its age asks for a refresh, and the second from what is published.
func TestRefreshAfterAnswer(t *testing.T) {
	for kind, run := range runners {
		t.Run(kind, func(t *testing.T) {
			keys, baked, published := t.TempDir(), t.TempDir(), t.TempDir()
			if _, err := release.InitKeys(keys, "production"); err != nil {
				t.Fatal(err)
			}
			loaded, err := release.LoadKeys(keys)
			if err != nil {
				t.Fatal(err)
			}
			publish(t, filestore.New(baked), loaded, 1)
			publish(t, filestore.New(published), loaded, 1)
			publish(t, filestore.New(published), loaded, 2)
			label(t, baked, time.Now().Add(-time.Hour))
			f := run(t, lambdatest.Config{Binary: binary,
				Env: []string{"SERIN_FROM=file://" + published, "SERIN_BAKED=" + baked,
					"SERIN_ROOT=" + filepath.Join(keys, "root.json"), "SERIN_MAX_AGE=2h"}})
			event, err := json.Marshal(forms[0].event("POST", "/ofrep/v1/evaluate/flags/limit", "", "", `{}`))
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				out, err := f.Invoke(t.Context(), event)
				if want := fmt.Sprintf(`"value":%d`, min(i+1, 2)); err != nil ||
					!strings.Contains(forms[0].read(t, out).body, want) {
					t.Errorf("answer %d is %s, %v, want %s", i+1, out, err, want)
				}
			}
		})
	}
}

// TestEnd checks what the function writes when its environment ends, and that neither logs
// nor metrics tell who asked for what.
func TestEnd(t *testing.T) {
	keys, dir := seats(t)
	label(t, dir, time.Now())
	for kind, run := range runners {
		t.Run(kind, func(t *testing.T) {
			f := run(t, lambdatest.Config{Binary: binary,
				Env: append(unreachable, "SERIN_ROOT="+filepath.Join(keys, "root.json"), "SERIN_BAKED="+dir,
					"AWS_LAMBDA_LOG_LEVEL=DEBUG")})
			for range 3 {
				event, err := json.Marshal(forms[0].event("POST", "/ofrep/v1/evaluate/flags/by-city",
					"city=secret-query",
					"seat=secret-cookie",
					`{"context":{"targetingKey":"secret-user","city":"secret-city","other":"secret-other"}}`))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := f.Invoke(t.Context(), event); err != nil {
					t.Fatal(err)
				}
			}
			switch f := f.(type) {
			case *lambdatest.Emulator:
				if err := f.Stop(t.Context()); err != nil {
					t.Fatal(err)
				}
			case *lambdatest.Function:
				if err := f.Terminate(); err != nil {
					t.Fatal(err)
				}
				if err := f.Wait(t.Context()); err != nil {
					t.Errorf("the process ended with %v", err)
				}
			}
			log := f.Log()
			if strings.Contains(log, "secret") || strings.Contains(log, "203.0.113.9") {
				t.Errorf("the log tells who asked:\n%s", log)
			}
			lines := metricLines(t, log)
			if len(lines) != 2 || lines[0]["Evaluations"] != 1.0 || lines[0]["ColdStarts"] != 1.0 ||
				lines[1]["Evaluations"] != 2.0 || lines[1]["ColdStarts"] != 0.0 {
				t.Errorf("the metrics are %v", lines)
			}
			if !regexp.MustCompile(`"level":"INFO","message":"ending"`).MatchString(log) {
				t.Errorf("the log doesn't say that the function ends:\n%s", log)
			}
		})
	}
}
