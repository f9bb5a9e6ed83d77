// Package location parses the URLs that say where environments are published, so
// that a URL which can be published to can be read, and the other way round.
package location

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Location is what a URL names.
type Location struct {
	Scheme string   // in lower case
	Path   string   // without escapes; in a file URL the folder, with slashes
	URL    *url.URL // as parsed
	S3     S3       // zero for other schemes
}

// S3 is what an s3 URL says: s3://BUCKET/PREFIX, and in its query region,
// endpoint, path_style and requester_pays.
type S3 struct {
	Bucket        string
	Prefix        string // has neither leading nor trailing slashes
	Region        string
	Endpoint      string
	PathStyle     bool
	RequesterPays bool
}

// Parse parses a URL of one of the given schemes. Errors say what is wrong but don't
// quote the URL, which may contain a password.
func Parse(raw string, schemes ...string) (Location, error) {
	u, err := url.Parse(raw)
	if err != nil {
		if escape := url.EscapeError(""); errors.As(err, &escape) {
			return Location{}, errors.New("the URL has a % that starts no escape: write %25 for a %")
		}
		return Location{}, errors.New("the URL is malformed")
	}
	if !slices.Contains(schemes, u.Scheme) {
		last := len(schemes) - 1
		if u.Scheme == "" {
			return Location{}, fmt.Errorf("the URL has no scheme: start it with %s",
				strings.Join(schemes, ":// or ")+"://")
		}
		return Location{}, fmt.Errorf("the URL has scheme %q: use %s", u.Scheme,
			strings.TrimPrefix(strings.Join(schemes[:last], ", ")+" or "+schemes[last], " or "))
	}
	if u.Fragment != "" {
		return Location{}, errors.New("the URL has a fragment: write %23 for a #")
	}
	if u.Scheme != "s3" && (u.RawQuery != "" || u.ForceQuery) {
		return Location{}, errors.New(
			"the URL has a query, which only s3 URLs may have: write %3F for a question mark in a path")
	}
	l := Location{Scheme: u.Scheme, Path: u.Path, URL: u}
	switch u.Scheme {
	case "s3":
		l.S3, err = parseS3(u)
	case "file":
		err = checkFile(u)
	case "http", "https":
		err = checkHTTP(u)
	}
	if err != nil {
		return Location{}, err
	}
	return l, nil
}

func checkFile(u *url.URL) error {
	if u.Host != "" && !strings.EqualFold(u.Host, "localhost") || u.User != nil || !strings.HasPrefix(u.Path, "/") {
		return errors.New("the file URL names no folder of this machine: write file:///path with three slashes and the full path")
	}
	return nil
}

func checkHTTP(u *url.URL) error {
	if u.Host == "" || u.Opaque != "" {
		return fmt.Errorf("the URL names no host: write %s://host/path", u.Scheme)
	}
	return nil
}

func parseS3(u *url.URL) (S3, error) {
	switch {
	case u.Host == "" || u.Opaque != "":
		return S3{}, errors.New("the URL names no bucket: write s3://bucket/prefix")
	case u.User != nil:
		return S3{}, errors.New("the s3 URL has a user name or password: credentials come from the AWS configuration")
	case u.Host != u.Hostname():
		return S3{}, errors.New("the s3 URL has a port: name another server as ?endpoint=https://host:port")
	}
	s := S3{Bucket: u.Host, Prefix: strings.TrimPrefix(path.Clean("/"+u.Path), "/")}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return S3{}, errors.New("the URL's query is malformed")
	}
	for name, values := range query {
		if len(values) != 1 {
			return S3{}, fmt.Errorf("the URL's query has %q more than once", name)
		}
		if err := s.set(name, values[0]); err != nil {
			return S3{}, err
		}
	}
	return s, nil
}

// set applies one parameter of the query.
func (s *S3) set(name, value string) (err error) {
	switch name {
	case "region":
		s.Region = value
	case "endpoint":
		s.Endpoint = value
	case "path_style":
		s.PathStyle, err = strconv.ParseBool(value)
	case "requester_pays":
		s.RequesterPays, err = strconv.ParseBool(value)
	default:
		return errors.New("the URL's query may only have region, endpoint, path_style and requester_pays")
	}
	if err != nil {
		return fmt.Errorf("%s in the URL's query is neither true nor false", name)
	}
	return nil
}
