package s3source_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-flags/serin/internal/s3test"
	"github.com/serin-flags/serin/sdk/s3source"
)

// alone has the AWS SDK find nothing but what a test sets.
func alone(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL",
		"AWS_ENDPOINT_URL_S3",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN",
		"AWS_WEB_IDENTITY_TOKEN_FILE",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
}

// TestOpen reads from versitygw by what a Config and a URL say.
func TestOpen(t *testing.T) {
	server := s3test.Start(t)
	p := newPublisher(t, server)
	p.publish(t, 1)
	alone(t)
	t.Setenv("AWS_ACCESS_KEY_ID", server.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", server.SecretKey)
	endpoint := strings.Replace(server.Endpoint, "//127.0.0.1:", "//localhost:", 1)
	for _, cfg := range []s3source.Config{
		{Bucket: bucket, Prefix: prefix, Region: s3test.Region, Endpoint: endpoint},
		{Bucket: bucket, Prefix: "/" + prefix + "/", Region: s3test.Region, Endpoint: endpoint, PathStyle: true,
			RequesterPays: true},
	} {
		src, err := s3source.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := src.Fetch(t.Context(), "timestamp.json", "", 1<<20); err != nil {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	url := fmt.Sprintf("s3://%s/%s?region=%s&endpoint=%s&path_style=true&requester_pays=false", bucket, prefix,
		s3test.Region, endpoint)
	src, err := s3source.FromURL(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := src.Fetch(t.Context(), "timestamp.json", "", 1<<20); err != nil {
		t.Errorf("%s: %v", url, err)
	}
}

// TestOpenRefuses checks that what is wrong with a Config or a URL is said, and
// nothing of what may be secret.
func TestOpenRefuses(t *testing.T) {
	alone(t)
	for _, test := range []struct{ url, want string }{
		{"s3://bucket/env?region=x&region=y", `has "region" more than once`},
		{"s3://bucket/env?secret=pw", "may only have region"},
		{"s3://bucket/env?path_style=pw", "path_style in the URL's query is neither true nor false"},
		{"s3://bucket/env?requester_pays=", "requester_pays in the URL's query is neither true nor false"},
		{"s3://bucket/env?region=a&endpoint=pw", "the endpoint is not a URL"},
		{"s3://bucket/env?%zz=pw", "the URL's query is malformed"},
		{"s3://bucket/env", "no region is configured"},
	} {
		_, err := s3source.FromURL(t.Context(), test.url)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: error %v, want one with %q", test.url, err, test.want)
		}
	}
	if _, err := s3source.Open(t.Context(), s3source.Config{Region: "eu-west-1"}); err == nil ||
		!strings.Contains(err.Error(), "Bucket is empty") {
		t.Errorf("error %v", err)
	}
}

// TestAssumedRole takes a role by a profile of the shared configuration, and pays
// for what it reads: it is the role's key that signs the request.
func TestAssumedRole(t *testing.T) {
	alone(t)
	var assumed, signed, payer string
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) { // STS
		assumed = r.FormValue("Action") + " " + r.FormValue("RoleArn")
		fmt.Fprint(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/reader/x</Arn><AssumedRoleId>A:x</AssumedRoleId></AssumedRoleUser>
<Credentials><AccessKeyId>ROLEKEY</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>`)
	})
	mux.HandleFunc("GET /flags/shop/production/timestamp.json", func(w http.ResponseWriter, r *http.Request) {
		signed, payer = r.Header.Get("Authorization"), r.Header.Get("X-Amz-Request-Payer")
		fmt.Fprint(w, "{}")
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() { http.DefaultClient.CloseIdleConnections(); server.Close() })
	file := filepath.Join(t.TempDir(), "config")
	config := "[profile base]\naws_access_key_id = BASEKEY\naws_secret_access_key = s\n\n" +
		"[profile reader]\nrole_arn = arn:aws:iam::1:role/reader\nsource_profile = base\nregion = eu-west-1\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", file)
	t.Setenv("AWS_PROFILE", "reader")
	t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
	src, err := s3source.Open(context.WithoutCancel(t.Context()),
		s3source.Config{Bucket: bucket, Prefix: prefix, Endpoint: server.URL, RequesterPays: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := src.Fetch(t.Context(), "timestamp.json", "", 1<<20); err != nil {
		t.Fatal(err)
	}
	if assumed != "AssumeRole arn:aws:iam::1:role/reader" || !strings.Contains(signed, "Credential=ROLEKEY/") ||
		!strings.Contains(signed, "/eu-west-1/") || payer != "requester" {
		t.Errorf("STS was asked for %q, the request is signed by %q and paid by %q", assumed, signed, payer)
	}
}
