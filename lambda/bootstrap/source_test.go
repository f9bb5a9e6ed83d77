package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/internal/location"
)

// role sets the environment variables in which Lambda gives a function its role's
// credentials.
func role(t *testing.T, endpoint string) {
	t.Helper()
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
		"AWS_SECRET_ACCESS_KEY": "secret-key",
		"AWS_SESSION_TOKEN":     "session-token", "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL_S3": endpoint,
		"AWS_ENDPOINT_URL": ""} {
		t.Setenv(name, value)
	}
}

// TestS3Requests checks what a request to a bucket carries, and where it goes.
func TestS3Requests(t *testing.T) {
	var header http.Header
	var path string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header, path = r.Header, r.URL.Path
		w.Header().Set("ETag", `"e1"`)
		if r.Header.Get("If-None-Match") == `"e1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write([]byte("content"))
	}))
	defer server.Close()
	role(t, server.URL)
	source, err := openSource("s3://flags/shop/production")
	if err != nil {
		t.Fatal(err)
	}
	object, err := source.Fetch(t.Context(), "timestamp.json", "", 100)
	if err != nil || string(object.Data) != "content" || object.ETag != `"e1"` ||
		path != "/flags/shop/production/timestamp.json" {
		t.Errorf("got %+v from %s, %v", object, path, err)
	}
	if _, err := source.Fetch(t.Context(), "timestamp.json", `"e1"`, 100); !errors.Is(err, bundle.ErrNotModified) {
		t.Errorf("the second time: %v", err)
	}
	if header.Get("X-Amz-Security-Token") != "session-token" ||
		!strings.Contains(header.Get("Authorization"), "Credential=ASIAEXAMPLE/") ||
		!strings.Contains(header.Get("Authorization"), "/eu-west-1/s3/") {
		t.Errorf("the request's headers are %v", header)
	}

	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	if source, err = openSource("s3://flags/shop/production"); err != nil {
		t.Fatal(err)
	}
	if _, err := source.Fetch(t.Context(), "timestamp.json", "", 100); err == nil ||
		!strings.Contains(err.Error(), "AWS_SECRET_ACCESS_KEY") {
		t.Errorf("without credentials: %v", err)
	}
}

// TestS3Endpoints checks which server a location leads to.
func TestS3Endpoints(t *testing.T) {
	role(t, "")
	for url, want := range map[string]string{
		"s3://flags/shop":                                            "https://flags.s3.eu-west-1.amazonaws.com/key?",
		"s3://flags/shop?region=cn-north-1":                          "https://flags.s3.cn-north-1.amazonaws.com.cn/key?",
		"s3://flags/shop?endpoint=https://s3.example.com":            "https://s3.example.com/flags/key?",
		"s3://flags/shop?path_style=true":                            "https://s3.eu-west-1.amazonaws.com/flags/key?",
		"s3://flags/shop?region=us-east-1&endpoint=http://127.0.0.1": "http://127.0.0.1/flags/key?",
	} {
		l, err := location.Parse(url, "s3")
		if err != nil {
			t.Fatal(err)
		}
		if l.S3.Region == "" {
			l.S3.Region = "eu-west-1"
		}
		client, err := newS3(l.S3)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s3.NewPresignClient(client).PresignGetObject(t.Context(),
			&s3.GetObjectInput{Bucket: aws.String("flags"), Key: aws.String("key")})
		if err != nil || !strings.HasPrefix(r.URL, want) ||
			!strings.Contains(r.URL, "X-Amz-Security-Token=session-token") {
			t.Errorf("%s leads to %v, %v", url, r, err)
		}
	}
}
