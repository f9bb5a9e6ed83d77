package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
)

// seen is what a handler was asked.
type seen struct {
	Method, Path, EscapedPath, Query, Host, RemoteAddr, Body string
	Header                                                   http.Header
	Length                                                   int64
}

// recorder returns a handler that answers 200 with an empty body, and where it
// puts what it was asked.
func recorder(t *testing.T) (http.Handler, *seen) {
	s := new(seen)
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading body: %v", err)
		}
		*s = seen{
			Method: r.Method, Path: r.URL.Path, EscapedPath: r.URL.EscapedPath(), Query: r.URL.RawQuery, Host: r.Host,
			RemoteAddr: r.RemoteAddr, Body: string(body), Header: r.Header, Length: r.ContentLength,
		}
	}), s
}

func TestRequest(t *testing.T) {
	tests := []struct {
		name  string
		event string
		want  seen
	}{
		{
			name: "Function URL",
			event: `{
				"version": "2.0", "routeKey": "$default", "rawPath": "/ofrep/v1/evaluate/flags/a-b", "rawQueryString": "x=1&y=%20",
				"cookies": ["a=1", "b=2"],
				"headers": {"content-type": "application/json", "if-none-match": "\"e1\", \"e2\"", "host": "id.lambda-url.eu-west-1.on.aws"},
				"requestContext": {"accountId": "anonymous", "domainName": "id.lambda-url.eu-west-1.on.aws", "stage": "$default",
					"http": {"method": "POST", "path": "/ofrep/v1/evaluate/flags/a-b", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9"}},
				"body": "{\"context\":{}}", "isBase64Encoded": false
			}`,
			want: seen{
				Method: "POST", Path: "/ofrep/v1/evaluate/flags/a-b", EscapedPath: "/ofrep/v1/evaluate/flags/a-b",
				Query: "x=1&y=%20",
				Host:  "id.lambda-url.eu-west-1.on.aws", RemoteAddr: "203.0.113.9", Body: `{"context":{}}`, Length: 14,
				Header: http.Header{
					"Content-Type": {"application/json"}, "Cookie": {"a=1; b=2"},
					"Host":          {"id.lambda-url.eu-west-1.on.aws"},
					"If-None-Match": {`"e1", "e2"`},
				},
			},
		},
		{
			name: "base64 body",
			event: `{"version": "2.0", "rawPath": "/p", "requestContext": {"http": {"method": "POST"}},
				"body": "` + base64.StdEncoding.EncodeToString([]byte("\x00\xff{}")) + `", "isBase64Encoded": true}`,
			want: seen{Method: "POST", Path: "/p", EscapedPath: "/p", Body: "\x00\xff{}", Length: 4,
				Header: http.Header{}},
		},
		{
			name: "API Gateway, claims of any shape, a path that begins like another stage",
			event: `{"version": "2.0", "routeKey": "ANY /{proxy+}", "rawPath": "/test/x", "requestContext": {"stage": "prod",
				"authorizer": {"jwt": {"claims": {"aud": ["a", 1]}}}, "http": {"method": "GET"}}}`,
			want: seen{Method: "GET", Path: "/test/x", EscapedPath: "/test/x", Header: http.Header{}},
		},
		{
			name:  "API Gateway, named stage",
			event: `{"version": "2.0", "rawPath": "/prod/ofrep/v1/evaluate/flags", "requestContext": {"stage": "prod", "http": {"method": "POST"}}}`,
			want: seen{Method: "POST", Path: "/ofrep/v1/evaluate/flags", EscapedPath: "/ofrep/v1/evaluate/flags",
				Header: http.Header{}},
		},
		{
			name:  "API Gateway, a path that only begins like the stage",
			event: `{"version": "2.0", "rawPath": "/production/x", "requestContext": {"stage": "prod", "http": {"method": "GET"}}}`,
			want:  seen{Method: "GET", Path: "/production/x", EscapedPath: "/production/x", Header: http.Header{}},
		},
		{
			name:  "API Gateway, the stage alone",
			event: `{"version": "2.0", "rawPath": "/prod", "requestContext": {"stage": "prod", "http": {"method": "GET"}}}`,
			want:  seen{Method: "GET", Path: "/", EscapedPath: "/", Header: http.Header{}},
		},
		{
			name:  "escaped path",
			event: `{"version": "2.0", "rawPath": "/a%2Fb%20c", "requestContext": {"http": {"method": "GET"}}}`,
			want:  seen{Method: "GET", Path: "/a/b c", EscapedPath: "/a%2Fb%20c", Header: http.Header{}},
		},
		{
			name:  "path that was unescaped on the way",
			event: `{"version": "2.0", "rawPath": "/100%", "requestContext": {"http": {"method": "GET"}}}`,
			want:  seen{Method: "GET", Path: "/100%", EscapedPath: "/100%25", Header: http.Header{}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			handler, got := recorder(t)
			if _, err := (adapter{handler: handler}).invoke(t.Context(), []byte(test.event)); err != nil {
				t.Fatalf("invoke: %v", err)
			}
			if diff := cmp.Diff(test.want, *got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFirstFormat holds that requests of REST APIs, of HTTP APIs in format 1.0 and of load
// balancers are read as they were sent, and answered in their own form.
func TestFirstFormat(t *testing.T) {
	const rest = `{"resource": "/{proxy+}", "path": "/ofrep/v1/evaluate/flags", "httpMethod": "POST",
		"headers": {"Host": "id.execute-api.eu-west-1.amazonaws.com", "Accept-Encoding": "gzip"},
		"multiValueHeaders": {"Host": ["id.execute-api.eu-west-1.amazonaws.com"], "Accept-Encoding": ["gzip"], "X-Twice": ["a", "b"], "Cookie": ["a=1; b=2"]},
		"queryStringParameters": {"city": "b c"}, "multiValueQueryStringParameters": {"city": ["a&b", "b c"]},
		"requestContext": {"stage": "prod", "path": "/prod/ofrep/v1/evaluate/flags", "domainName": "id.execute-api.eu-west-1.amazonaws.com",
			"identity": {"sourceIp": "203.0.113.9"}, "authorizer": {"claims": 5}},
		"body": "{}", "isBase64Encoded": false}`
	const balancer = `{"requestContext": {"elb": {"targetGroupArn": "arn:aws:x"}}, "httpMethod": "GET", "path": "/route/a%2Cb",
		"queryStringParameters": {"city": "b%20c"},
		"headers": {"host": "flags.example", "accept-encoding": "gzip", "x-forwarded-for": "192.0.2.1, 203.0.113.9", "cookie": "a=1"},
		"body": "", "isBase64Encoded": false}`
	const multi = `{"requestContext": {"elb": {"targetGroupArn": "arn:aws:x"}}, "httpMethod": "GET", "path": "/",
		"multiValueQueryStringParameters": {"b": ["2", "3"], "a": ["%26"]},
		"multiValueHeaders": {"host": ["flags.example"], "x-forwarded-for": ["192.0.2.1", "203.0.113.9"]}, "body": ""}`
	cookies := func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
		http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "no")
	}
	for _, test := range []struct {
		name, event string
		want        seen
		response    any
	}{
		{"a REST API", rest, seen{
			Method: "POST", Path: "/ofrep/v1/evaluate/flags", EscapedPath: "/ofrep/v1/evaluate/flags",
			Query: "city=a%26b&city=b+c",
			Host:  "id.execute-api.eu-west-1.amazonaws.com", RemoteAddr: "203.0.113.9", Body: "{}", Length: 2,
			Header: http.Header{"Host": {"id.execute-api.eu-west-1.amazonaws.com"}, "X-Twice": {"a", "b"},
				"Cookie": {"a=1; b=2"}},
		}, events.APIGatewayProxyResponse{StatusCode: 404, Body: "no",
			MultiValueHeaders: map[string][]string{"set-cookie": {"a=1", "b=2"}}}},
		{"an HTTP API in format 1.0",
			`{"version": "1.0", "path": "/prod/status", "httpMethod": "GET", "requestContext": {"stage": "prod"}}`,
			seen{Method: "GET", Path: "/status", EscapedPath: "/status", Header: http.Header{}},
			events.APIGatewayProxyResponse{StatusCode: 404, Body: "no",
				MultiValueHeaders: map[string][]string{"set-cookie": {"a=1", "b=2"}}}},
		{"a REST API whose stage is called like the path",
			`{"path": "/status", "httpMethod": "GET", "requestContext": {"stage": "status"}}`,
			seen{Method: "GET", Path: "/status", EscapedPath: "/status", Header: http.Header{}},
			events.APIGatewayProxyResponse{StatusCode: 404, Body: "no",
				MultiValueHeaders: map[string][]string{"set-cookie": {"a=1", "b=2"}}}},
		{"a load balancer", balancer, seen{
			Method: "GET", Path: "/route/a,b", EscapedPath: "/route/a%2Cb", Query: "city=b%20c",
			Host: "flags.example", RemoteAddr: "203.0.113.9",
			Header: http.Header{"Host": {"flags.example"}, "Accept-Encoding": {"gzip"}, "Cookie": {"a=1"},
				"X-Forwarded-For": {"192.0.2.1"}},
		}, events.ALBTargetGroupResponse{StatusCode: 404, StatusDescription: "404 Not Found", Body: "no",
			Headers: map[string]string{"set-cookie": "a=1"}}},
		{"a load balancer that sends several values", multi, seen{
			Method: "GET", Path: "/", EscapedPath: "/", Query: "a=%26&b=2&b=3", Host: "flags.example",
			RemoteAddr: "203.0.113.9",
			Header:     http.Header{"Host": {"flags.example"}, "X-Forwarded-For": {"192.0.2.1"}},
		}, events.ALBTargetGroupResponse{StatusCode: 404, StatusDescription: "404 Not Found", Body: "no",
			MultiValueHeaders: map[string][]string{"set-cookie": {"a=1", "b=2"}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			handler, got := recorder(t)
			if _, err := (adapter{handler: handler}).invoke(t.Context(), []byte(test.event)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, *got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			response, err := (adapter{handler: http.HandlerFunc(cookies)}).invoke(t.Context(), []byte(test.event))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.response, response); diff != "" {
				t.Errorf("response (-want +got):\n%s", diff)
			}
		})
	}
}

func TestResponse(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    events.LambdaFunctionURLResponse
	}{
		{
			name:    "nothing written",
			handler: func(http.ResponseWriter, *http.Request) {},
			want:    events.LambdaFunctionURLResponse{StatusCode: 200, Headers: map[string]string{}},
		},
		{
			name: "text",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Add("Vary", "A")
				w.Header().Add("Vary", "B")
				w.Header().Add("Set-Cookie", "a=1; Path=/")
				w.Header().Add("Set-Cookie", "b=2")
				w.WriteHeader(http.StatusTeapot)
				w.Header().Set("Too-Late", "1")
				w.WriteHeader(http.StatusOK)
				io.WriteString(w, `{"a":`)
				io.WriteString(w, `"ü"}`)
			},
			want: events.LambdaFunctionURLResponse{
				StatusCode: 418, Headers: map[string]string{"content-type": "application/json", "vary": "A, B"},
				Cookies: []string{"a=1; Path=/", "b=2"}, Body: `{"a":"ü"}`,
			},
		},
		{
			name: "bytes",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusEarlyHints)
				w.Write([]byte{0x1f, 0x8b, 0xff})
			},
			want: events.LambdaFunctionURLResponse{
				StatusCode: 200, Headers: map[string]string{}, Body: "H4v/", IsBase64Encoded: true,
			},
		},
	}
	const get = `{"version": "2.0", "rawPath": "/", "requestContext": {"http": {"method": "GET"}}}`
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := (adapter{handler: test.handler}).invoke(t.Context(), []byte(get))
			if err != nil {
				t.Fatalf("invoke: %v", err)
			}
			if diff := cmp.Diff(any(test.want), got); diff != "" {
				t.Errorf("response (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHeartbeat checks that the function takes the event that its template sends on a
// schedule.
func TestHeartbeat(t *testing.T) {
	template, err := os.ReadFile("../../deploy/sam/template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(template), "Input: '")
	event, _, ended := strings.Cut(rest, "'\n")
	if !ok || !ended {
		t.Fatal("the template has no event")
	}
	handler, got := recorder(t)
	if _, err := (adapter{handler: handler}).invoke(t.Context(), []byte(event)); err != nil ||
		got.Method != http.MethodGet || got.Path != "/status" {
		t.Errorf("the request is %+v, %v", got, err)
	}
}

func TestRefusedEvents(t *testing.T) {
	tests := []struct {
		name, event, want string
	}{
		{"not JSON", `{`, "decoding event: unexpected end of JSON input"},
		{"not an object", `[]`, "decoding event: json: cannot unmarshal array"},
		{"another version", `{"version": "3.0", "path": "/", "httpMethod": "GET"}`, `its version is "3.0"`},
		{"console's test event", `{"key1": "value1"}`, "not an HTTP request of a Function URL, API Gateway or a load balancer"},
		{"a version without end", `{"version": "` + strings.Repeat("9", 1000) + `"}`, `its version is "9999999999")`},
		{"no method", `{"version": "2.0", "rawPath": "/"}`, "not an HTTP request"},
		{"broken base64", `{"version": "2.0", "requestContext": {"http": {"method": "GET"}}, "body": "*", "isBase64Encoded": true}`, "decoding event body: illegal base64"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") })
			_, err := (adapter{handler: handler}).invoke(t.Context(), []byte(test.event))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want one that contains %q", err, test.want)
			}
		})
	}
}

// TestHead checks that the answer to HEAD is that to GET without the body.
func TestHead(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"e1"`)
		w.WriteHeader(http.StatusServiceUnavailable)
		w.Write([]byte{0x1f, 0x8b, 0xff})
	})
	const head = `{"version": "2.0", "rawPath": "/", "requestContext": {"http": {"method": "HEAD"}}}`
	got, err := (adapter{handler: handler}).invoke(t.Context(), []byte(head))
	if err != nil {
		t.Fatalf("invoke: %v", err)
	}
	want := events.LambdaFunctionURLResponse{StatusCode: 503, Headers: map[string]string{"etag": `"e1"`}}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Errorf("response (-want +got):\n%s", diff)
	}
}

// FuzzInvoke checks that no event makes the adapter panic, and that whatever the
// handler reads from an event, and writes, arrives, except where there is to be
// no body.
func FuzzInvoke(f *testing.F) {
	for _, seed := range []string{
		`{"version":"2.0","rawPath":"/prod/a%2fb","rawQueryString":"a=%zz","cookies":["a=1"],"headers":{"If-None-Match":"x","":"y"},"requestContext":{"domainName":"d","stage":"prod","http":{"method":"POST","sourceIp":"::1"}},"body":"eA==","isBase64Encoded":true}`,
		`{"version":"2.0","rawPath":"","requestContext":{"stage":"$default","http":{"method":"GET"}},"body":"\ud800"}`,
		`{"version":"2.0","rawPath":"*","requestContext":{"stage":"/","http":{"method":"A B"}}}`,
		`{"version":"2.0","rawPath":"/status","requestContext":{"http":{"method":"HEAD"}},"body":"x"}`,
		`{"version":"1.0"}`,
		`{"httpMethod":"GET","path":"/a%2fb","queryStringParameters":{"a":"%zz"},"requestContext":{"elb":{}},"headers":{"x-forwarded-for":",,"}}`,
		`{"httpMethod":"POST","path":"","multiValueHeaders":{"A":["b",""]},"multiValueQueryStringParameters":{"":[""]},"body":"x"}`,
		`null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var read []byte
		echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "" || r.URL.EscapedPath() == "" {
				t.Error("the path is empty")
			}
			read, _ = io.ReadAll(r.Body)
			w.Write(read)
			if r.Method == http.MethodHead {
				read = nil
			}
		})
		got, err := (adapter{handler: echo}).invoke(context.Background(), payload)
		if err != nil {
			return
		}
		out, err := json.Marshal(got)
		if err != nil || !utf8.Valid(out) {
			t.Fatalf("encoding response: %v", err)
		}
		var response struct {
			Body            string
			IsBase64Encoded bool
		}
		if err := json.Unmarshal(out, &response); err != nil {
			t.Fatal(err)
		}
		body := []byte(response.Body)
		if response.IsBase64Encoded {
			if body, err = base64.StdEncoding.DecodeString(response.Body); err != nil {
				t.Fatalf("decoding response body: %v", err)
			}
		}
		if string(body) != string(read) {
			t.Errorf("the handler wrote %q, the response holds %q", read, body)
		}
	})
}
