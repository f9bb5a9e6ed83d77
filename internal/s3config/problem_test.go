package s3config

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/internal/location"
	"github.com/serin-flags/serin/internal/s3client"
)

var update = flag.Bool("update", false, "write testdata/problems.txt")

// alone has the AWS SDK find what a test sets and nothing else.
func alone(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret-of-the-test",
		"AWS_SESSION_TOKEN": "",
		"AWS_PROFILE":       "", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1", "AWS_ENDPOINT_URL_S3": "", "AWS_ENDPOINT_URL": "",
		"AWS_ROLE_ARN": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "",
	} {
		t.Setenv(name, value)
	}
}

// ask reads an object of the bucket flags at an endpoint, and returns the problem.
func ask(t *testing.T, l location.S3, timeout time.Duration) *s3client.Problem {
	t.Helper()
	l.Bucket = "flags"
	client, err := newClient(t.Context(), l, timeout)
	if err == nil {
		key := "production/timestamp.json"
		_, err = client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &l.Bucket, Key: &key})
		if err == nil {
			t.Fatal("there is no error")
		}
		err = s3client.Explain(err, client, l.Bucket)
	}
	var p *s3client.Problem
	if !errors.As(err, &p) {
		t.Fatalf("got %v, which isn't explained", err)
	}
	return p
}

// answers are what servers answer with: a status, headers and S3's code.
var answers = []struct {
	name   string
	status int
	code   string
	header http.Header
	body   string
}{
	{name: "no bucket", status: 404, code: "NoSuchBucket"},
	{name: "invalid bucket", status: 400, code: "InvalidBucketName"},
	{name: "wrong key", status: 403, code: "InvalidAccessKeyId"},
	{name: "wrong secret", status: 403, code: "SignatureDoesNotMatch"},
	{name: "expired token", status: 400, code: "ExpiredToken"},
	{name: "foreign token", status: 400, code: "InvalidToken"},
	{name: "no permission", status: 403, code: "AccessDenied"},
	{name: "wrong region", status: 301, code: "PermanentRedirect",
		header: http.Header{"X-Amz-Bucket-Region": {"us-east-2"}}},
	{name: "wrong region, unnamed", status: 400, code: "AuthorizationHeaderMalformed"},
	{name: "clock skew", status: 403, code: "RequestTimeTooSkewed",
		header: http.Header{"Date": {"Tue, 01 Jan 2030 02:00:00 GMT"}}},
	{name: "not implemented", status: 501, code: "NotImplemented"},
	{name: "overload", status: 503, code: "SlowDown"},
	{name: "full", status: 507, code: "XMinioStorageFull"},
	{name: "something new", status: 418, code: "Teapot"},
	{name: "a website", status: 404, header: http.Header{"Content-Type": {"text/html"}}, body: "<html>log in</html>"},
	{name: "a proxy that refuses", status: 403, body: "no"},
	{name: "another protocol", status: 400, body: "Client sent an HTTP request to an HTTPS server."},
}

// TestProblems holds the text of each problem.
func TestProblems(t *testing.T) {
	alone(t)
	var got strings.Builder
	note := func(name string, p *s3client.Problem, server string) {
		text := strings.NewReplacer(server, "http://s3.test", time.Now().UTC().Format("Mon, 02 Jan 2006"),
			"TODAY").Replace(p.Error())
		if i := strings.Index(text, "TODAY"); i >= 0 {
			text = text[:i+6] + "NOW" + text[i+14:] // its time of day
		}
		fmt.Fprintf(&got, "%s: %s\n", name, text)
		if strings.Contains(p.Error(), "secret-of-the-test") || strings.Contains(p.Detail(), "secret-of-the-test") {
			t.Errorf("%s: the secret is in the error", name)
		}
		if strings.Contains(p.Error(), "operation error") || p.Detail() == p.Error() {
			t.Errorf("%s: the text is that of the AWS SDK: %v", name, p)
		}
	}
	for _, a := range answers {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for name, values := range a.header {
				w.Header()[name] = values
			}
			w.WriteHeader(a.status)
			if a.code == "" {
				fmt.Fprint(w, a.body)
				return
			}
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>words of %s</Message></Error>", a.code, a.name)
		}))
		note(a.name, ask(t, location.S3{Endpoint: server.URL}, s3client.RequestTimeout), server.URL)
		server.Close()
	}

	closed := httptest.NewServer(nil)
	closed.Close()
	note("nothing listens", ask(t, location.S3{Endpoint: closed.URL}, s3client.RequestTimeout), closed.URL)
	note("no host", ask(t, location.S3{Endpoint: "http://s3.nowhere.invalid"}, s3client.RequestTimeout),
		"http://s3.nowhere.invalid")
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	note("no TLS", ask(t, location.S3{Endpoint: strings.Replace(plain.URL, "http:", "https:", 1)},
		s3client.RequestTimeout),
		strings.Replace(plain.URL, "http:", "https:", 1))
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	note("unknown CA", ask(t, location.S3{Endpoint: secure.URL}, s3client.RequestTimeout), secure.URL)

	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	note("no credentials", ask(t, location.S3{Endpoint: plain.URL}, s3client.RequestTimeout), plain.URL)
	t.Setenv("AWS_PROFILE", "staging")
	note("no profile", ask(t, location.S3{Endpoint: plain.URL}, s3client.RequestTimeout), plain.URL)
	compare(t, got.String())
}

// compare compares with testdata/problems.txt, or writes it.
func compare(t *testing.T, got string) {
	t.Helper()
	const golden = "testdata/problems.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestHangs asks a server that accepts connections and never answers, and one that stops
// in the middle. However often the SDK is configured to try, two tries are enough.
func TestHangs(t *testing.T) {
	alone(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "9")
	var tries atomic.Int64
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			tries.Add(1)
		}
	}()
	endpoint := "http://" + listener.Addr().String()
	p := ask(t, location.S3{Endpoint: endpoint}, 50*time.Millisecond)
	if want := endpoint + " hasn't answered within 30s: "; !strings.HasPrefix(p.Error(), want) {
		t.Errorf("got %v", p)
	}
	if n := tries.Load(); n != 2 {
		t.Errorf("%d tries", n)
	}
}

// TestNewLimits checks that clients have the limit at all.
func TestNewLimits(t *testing.T) {
	alone(t)
	client, err := New(t.Context(), location.S3{Bucket: "flags"})
	if err != nil {
		t.Fatal(err)
	}
	limited, ok := client.Options().HTTPClient.(interface{ GetTimeout() time.Duration })
	if !ok || limited.GetTimeout() != s3client.RequestTimeout {
		t.Errorf("the HTTP client is %T, without the limit", client.Options().HTTPClient)
	}
}
