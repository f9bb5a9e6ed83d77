package location_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/serin-flags/serin/internal/location"
)

func TestParse(t *testing.T) {
	for raw, want := range map[string]location.Location{
		"S3://Bucket/team": {Scheme: "s3", Path: "/team", S3: location.S3{Bucket: "Bucket", Prefix: "team"}},
		"s3://bucket":      {Scheme: "s3", S3: location.S3{Bucket: "bucket"}},
		"s3://bucket//a/../b/./c/?region=eu-west-1&endpoint=http://127.0.0.1:9000&path_style=true&requester_pays=1": {
			Scheme: "s3", Path: "//a/../b/./c/", S3: location.S3{
				Bucket: "bucket", Prefix: "b/c", Region: "eu-west-1", Endpoint: "http://127.0.0.1:9000",
				PathStyle:     true,
				RequesterPays: true,
			},
		},
		"file:///srv/100%25/a%20b":   {Scheme: "file", Path: "/srv/100%/a b"},
		"FILE://LocalHost/srv/flags": {Scheme: "file", Path: "/srv/flags"},
		"file:/srv/flags":            {Scheme: "file", Path: "/srv/flags"},
		"HTTPS://user:pw@host:8443/": {Scheme: "https", Path: "/"},
	} {
		got, err := location.Parse(raw, "s3", "file", "https")
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got.URL == nil || got.URL.Scheme != want.Scheme {
			t.Errorf("%s: parsed as %v", raw, got.URL)
		}
		got.URL = nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", raw, diff)
		}
	}
}

// TestParseRefuses checks that messages say what is wrong, without the URL.
func TestParseRefuses(t *testing.T) {
	for raw, want := range map[string]string{
		"":                                 `no scheme`,
		"flags/pw":                         `no scheme`,
		"ftp://host/pw":                    `scheme "ftp": use s3, file or https`,
		"http://host/pw":                   `scheme "http": use s3, file or https`,
		"file:///srv/100%/pw":              "write %25 for a %",
		"https://user:pw%zz@host/flags":    "write %25 for a %",
		"https://user:p/pw@host:x/flags":   "malformed",
		"https:///pw":                      "write https://host/path",
		"https:pw":                         "write https://host/path",
		"https://host/flags?token=pw":      "only s3 URLs may have",
		"https://host/flags?":              "only s3 URLs may have",
		"file:///flags?pw":                 "write %3F for a question mark",
		"file:///flags#pw":                 "write %23 for a #",
		"s3://bucket/env#pw":               "write %23 for a #",
		"file://host/pw":                   "file:///path with three slashes",
		"file://user:pw@localhost/x":       "file:///path with three slashes",
		"file:pw":                          "file:///path with three slashes",
		"file:":                            "file:///path with three slashes",
		"s3:///pw":                         "write s3://bucket/prefix",
		"s3:pw":                            "write s3://bucket/prefix",
		"s3://user:pw@bucket/env":          "credentials come from the AWS configuration",
		"s3://bucket:80/pw":                "?endpoint=https://host:port",
		"s3://bucket/env?region=x&region=": `has "region" more than once`,
		"s3://bucket/env?secret=pw":        "may only have region, endpoint",
		"s3://bucket/env?path_style=pw":    "path_style in the URL's query is neither true nor false",
		"s3://bucket/env?requester_pays=":  "requester_pays in the URL's query is neither true nor false",
		"s3://bucket/env?%zz=pw":           "query is malformed",
	} {
		_, err := location.Parse(raw, "s3", "file", "https")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: error %v, want one that says %q", raw, err, want)
		}
	}
	if _, err := location.Parse("ftp://x", "s3"); err == nil || !strings.HasSuffix(err.Error(), ": use s3") {
		t.Errorf("error %v", err)
	}
}

// FuzzParse checks that an accepted URL means the same once it is printed and with
// an environment added, as publishing and reading do.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"s3://bucket/a/../b?region=x", "S3://b//", "file:///srv/100%25", "file://localhost/x", "https://u:p@h:1/%2e%2e",
		"s3://b/%2F?endpoint=http://x", "s3://b/.",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		schemes := []string{"s3", "file", "https", "http"}
		l, err := location.Parse(raw, schemes...)
		if err != nil {
			return
		}
		again, err := location.Parse(l.URL.String(), schemes...)
		if err != nil {
			t.Fatalf("%q is accepted, but printed as %q it is not: %v", raw, l.URL, err)
		}
		if again.S3 != l.S3 || again.Path != l.Path || again.Scheme != l.Scheme {
			t.Errorf("%q is %+v, but printed it is %+v", raw, l, again)
		}
		if l.Scheme != "s3" {
			return
		}
		below, err := location.Parse(l.URL.JoinPath("env").String(), schemes...)
		if err != nil {
			t.Fatalf("%q with an environment: %v", raw, err)
		}
		want := l.S3
		if want.Prefix += "/env"; l.S3.Prefix == "" {
			want.Prefix = "env"
		}
		if below.S3 != want {
			t.Errorf("%q with an environment is %+v, want %+v", raw, below.S3, want)
		}
	})
}
