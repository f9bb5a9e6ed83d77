package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/s3test"
	"github.com/serin-flags/serin/sdk/s3source"
)

// TestURLsReadAndPublish checks that --to and --from mean the same by a URL: what was
// published to it can be read below it.
func TestURLsReadAndPublish(t *testing.T) {
	server := s3test.Start(t)
	server.CreateBucket(t, "flags")
	for _, v := range server.Env() {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1") // only the URL names the server
	query := "?region=" + s3test.Region + "&endpoint=" + server.Endpoint
	folder := filepath.ToSlash(t.TempDir())
	if err := os.Mkdir(folder+"/100%", 0o777); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{
		"s3://flags" + query,
		"S3://flags/upper/" + query,
		"s3://flags/a//b/../c%20d" + query + "&path_style=true&requester_pays=true",
		"file://" + folder,
		"FILE://localhost" + folder + "/local/",
		"file://" + folder + "/100%25/x",
	} {
		store, err := openStore(t.Context(), url, "production")
		if err != nil {
			t.Errorf("publishing to %s: %v", url, err)
			continue
		}
		if err := store.Put(t.Context(), "timestamp.json", []byte(url), release.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		place, query, _ := strings.Cut(url, "?")
		if place = strings.TrimSuffix(place, "/") + "/production"; query != "" {
			place += "?" + query
		}
		source, err := s3source.FromURL(t.Context(), place)
		if err != nil {
			t.Errorf("reading %s: %v", place, err)
			continue
		}
		if object, err := source.Fetch(t.Context(), "timestamp.json", "", 1000); err != nil ||
			string(object.Data) != url {
			t.Errorf("reading %s: %q, error %v", place, object.Data, err)
		}
	}
	for _, url := range []string{"s3://flags?region=x&region=y", "s3://flags?x=y", "s3://a:b@flags/x", "file:///100%/x",
		"file://host/x", "file:///x?y"} {
		_, publishing := openStore(t.Context(), url, "production")
		_, reading := s3source.FromURL(t.Context(), url)
		if publishing == nil || reading == nil {
			t.Errorf("%s: errors %v and %v", url, publishing, reading)
			continue
		}
		if want, got := strings.TrimPrefix(publishing.Error(), "--to: "),
			strings.TrimPrefix(reading.Error(), "opening source: "); got != want {
			t.Errorf("%s: publishing says %q, reading %q", url, want, got)
		}
	}
}
