package s3store_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/serin-flags/serin/ci/internal/storetest"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/ci/s3store"
	"github.com/serin-flags/serin/internal/s3test"
)

func TestStore(t *testing.T) {
	server := s3test.Start(t)
	storetest.Run(t, func(t *testing.T) release.Store {
		bucket := "bucket-" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
		server.CreateBucket(t, bucket)
		return s3store.New(server.Client(t), bucket, "/prefix/env/")
	})
}

func TestObjectsOnTheServer(t *testing.T) {
	server := s3test.Start(t)
	server.CreateBucket(t, "bucket")
	client := server.Client(t)
	for _, tt := range []struct{ prefix, key string }{
		{"", "timestamp.json"},
		{"production", "production/timestamp.json"},
		{"/flags/production/", "flags/production/timestamp.json"},
	} {
		store := s3store.New(client, "bucket", tt.prefix)
		opts := release.PutOptions{CacheControl: "max-age=5", ContentType: "application/json"}
		if err := store.Put(t.Context(), "timestamp.json", []byte("{}"), opts); err != nil {
			t.Fatal(err)
		}
		head, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("bucket"), Key: &tt.key})
		if err != nil {
			t.Fatalf("prefix %q: %v", tt.prefix, err)
		}
		if got := aws.ToString(head.CacheControl); got != "max-age=5" {
			t.Errorf("Cache-Control: %q", got)
		}
		if got := aws.ToString(head.ContentType); got != "application/json" {
			t.Errorf("Content-Type: %q", got)
		}
	}
}

// Only what is known to be missing is missing: a publisher starts over then.
func TestTroubleIsNotAbsence(t *testing.T) {
	server := s3test.Start(t)
	server.CreateBucket(t, "bucket")
	stranger := s3test.Server{Endpoint: server.Endpoint, AccessKey: server.AccessKey, SecretKey: "wrong"}
	nowhere := s3test.Server{Endpoint: "http://127.0.0.1:1", AccessKey: "a", SecretKey: "b"}
	once := nowhere.Client(t).Options()
	once.Retryer = aws.NopRetryer{} // or it takes ten seconds
	for name, store := range map[string]*s3store.Store{
		"no such bucket":    s3store.New(server.Client(t), "bouquet", "env"),
		"wrong credentials": s3store.New(stranger.Client(t), "bucket", "env"),
		"no server":         s3store.New(s3.New(once), "bucket", "env"),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := store.Get(t.Context(), "timestamp.json", 100)
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("getting: error %v", err)
			}
			for _, opts := range []release.PutOptions{{}, {IfNoneMatch: true}, {IfMatch: `"x"`}} {
				err := store.Put(t.Context(), "timestamp.json", nil, opts)
				if err == nil || errors.Is(err, release.ErrConflict) {
					t.Errorf("putting with %+v: error %v", opts, err)
				}
				if err != nil && strings.Contains(err.Error(), "wrong") {
					t.Errorf("the secret is in the error: %v", err)
				}
			}
		})
	}
}

func TestFromURL(t *testing.T) {
	server := s3test.Start(t)
	server.CreateBucket(t, "bucket")
	for _, variable := range server.Env() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	store, err := s3store.FromURL(t.Context(), "s3://bucket/prefix/env/")
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Put(t.Context(), "object", []byte("content"), release.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	data, _, err := s3store.New(server.Client(t), "bucket", "prefix/env").Get(t.Context(), "object", 100)
	if err != nil || string(data) != "content" {
		t.Errorf("got %q, error %v", data, err)
	}

	for _, bad := range []string{
		"", "bucket/prefix", "https://bucket/prefix", "s3:///prefix", "s3://user:pass@bucket/prefix",
		"s3://bucket/prefix?x=y", "s3://bucket/prefix#x", "s3://bucket:80/prefix", "s3://%zz",
	} {
		_, err := s3store.FromURL(t.Context(), bad)
		if err == nil {
			t.Errorf("%q was accepted", bad)
		} else if strings.Contains(err.Error(), "pass@") {
			t.Errorf("the password is in the error: %v", err)
		}
	}

	t.Setenv("AWS_REGION", "")
	if _, err := s3store.FromURL(t.Context(), "s3://bucket/env"); err == nil ||
		!strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("without a region: error %v", err)
	}
}

// S3 answers 409 while another conditional put is under way, which no test can
// make a server do on demand.
func TestConflictingPut(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusConflict)
		io.WriteString(w, `<Error><Code>ConditionalRequestConflict</Code><Message>conflict</Message></Error>`)
	}))
	t.Cleanup(server.Close)
	s3server := s3test.Server{Endpoint: server.URL, AccessKey: "a", SecretKey: "b"}
	store := s3store.New(s3server.Client(t), "bucket", "env")
	for opts, want := range map[release.PutOptions]bool{
		{IfNoneMatch: true}: true,
		{IfMatch: `"x"`}:    true,
		{}:                  false,
	} {
		err := store.Put(t.Context(), "timestamp.json", nil, opts)
		if err == nil || errors.Is(err, release.ErrConflict) != want {
			t.Errorf("with %+v: error %v", opts, err)
		}
	}
}

// Listings have pages, of which a server decides the size.
func TestListPages(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const object = `<Contents><Key>env/%s</Key><LastModified>2026-11-30T10:00:00.000Z</LastModified><Size>7</Size></Contents>`
		body := fmt.Sprintf(object, "a") +
			"<IsTruncated>true</IsTruncated><NextContinuationToken>more</NextContinuationToken>"
		if r.URL.Query().Get("continuation-token") == "more" {
			body = fmt.Sprintf(object, "b/c") + "<IsTruncated>false</IsTruncated>"
		}
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprintf(w, "<ListBucketResult>%s</ListBucketResult>", body)
	}))
	t.Cleanup(server.Close)
	s3server := s3test.Server{Endpoint: server.URL, AccessKey: "a", SecretKey: "b"}
	var got []release.Listed
	err := s3store.New(s3server.Client(t), "bucket", "env").List(t.Context(), func(object release.Listed) error {
		got = append(got, object)
		return nil
	})
	modified := time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC)
	want := []release.Listed{{Name: "a", Modified: modified, Size: 7}, {Name: "b/c", Modified: modified, Size: 7}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("listed %+v, error %v", got, err)
	}
}
