// Package s3store publishes to S3, and to servers that speak its protocol. It is a
// [release.ListStore] over one prefix of a bucket.
//
// It depends on conditional writes (If-None-Match and If-Match of PutObject) and on
// strongly consistent reads; S3 has both. A publisher needs s3:GetObject and
// s3:PutObject for the prefix, and s3:ListBucket for the bucket. Without
// s3:ListBucket, S3 reports missing objects as forbidden, and publishing fails rather
// than mistake a published object for a missing one. Only [release.GC] needs
// s3:DeleteObject.
package s3store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/location"
	"github.com/serin-flags/serin/internal/s3client"
	"github.com/serin-flags/serin/internal/s3config"
)

// A Store is a repository in a bucket. It implements [release.ListStore] and is safe for
// concurrent use.
type Store struct {
	client *s3.Client
	bucket string
	prefix string             // "" or ending in "/"
	payer  types.RequestPayer // who pays for requests; "": the bucket's owner

	probing sync.Mutex
	probed  bool // the server honors preconditions
}

var (
	_ release.ListStore = (*Store)(nil)
	_ release.Prober    = (*Store)(nil)
)

// New returns a store for the objects in bucket that start with prefix, which may be
// empty. It makes no request.
func New(client *s3.Client, bucket, prefix string) *Store {
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return &Store{client: client, bucket: bucket, prefix: prefix}
}

// FromURL returns the store at a URL such as "s3://bucket/prefix/env". The query may
// set region, endpoint, path_style and requester_pays, as in URLs to read from.
// Everything else comes from the AWS SDK's default configuration: the environment, the
// shared configuration files, the role of the machine. It is an error if no region is
// configured. FromURL may request credentials, but makes no request to the bucket.
// Errors don't quote the URL.
func FromURL(ctx context.Context, url string) (*Store, error) {
	l, err := location.Parse(url, "s3")
	if err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	client, err := s3config.New(ctx, l.S3)
	if err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	store := New(client, l.S3.Bucket, l.S3.Prefix)
	if l.S3.RequesterPays {
		store.payer = types.RequestPayerRequester
	}
	return store, nil
}

// Get implements [release.Store].
func (s *Store) Get(ctx context.Context, name string, limit int64) (data []byte, etag string, err error) {
	data, etag, err = s.get(ctx, name, limit)
	if err != nil {
		return nil, "", fmt.Errorf("reading %s: %w", s.url(name), err)
	}
	return data, etag, nil
}

func (s *Store) get(ctx context.Context, name string, limit int64) (data []byte, etag string, err error) {
	out, err := s.client.GetObject(ctx,
		&s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String(s.prefix + name), RequestPayer: s.payer})
	if err != nil {
		if code(err) == "NoSuchKey" {
			return nil, "", fs.ErrNotExist
		}
		return nil, "", s.explain(err)
	}
	defer out.Body.Close()
	data, err = io.ReadAll(io.LimitReader(out.Body, limit+1))
	if err != nil {
		return nil, "", s.explain(err)
	}
	if int64(len(data)) > limit {
		return nil, "", fmt.Errorf("%w: more than %d bytes", bundle.ErrTooLarge, limit)
	}
	return data, aws.ToString(out.ETag), nil
}

// Put implements [release.Store].
func (s *Store) Put(ctx context.Context, name string, data []byte, opts release.PutOptions) error {
	in := &s3.PutObjectInput{
		Bucket: &s.bucket,
		Key:    aws.String(s.prefix + name),
		Body:   bytes.NewReader(data),

		RequestPayer: s.payer,
	}
	if opts.IfNoneMatch {
		in.IfNoneMatch = aws.String("*")
	}
	if opts.IfMatch != "" {
		in.IfMatch = &opts.IfMatch
	}
	if opts.CacheControl != "" {
		in.CacheControl = &opts.CacheControl
	}
	if opts.ContentType != "" {
		in.ContentType = &opts.ContentType
	}
	_, err := s.client.PutObject(ctx, in)
	if err == nil {
		return nil
	}
	if failedPrecondition(err, opts) {
		return fmt.Errorf("writing %s: %w: %w", s.url(name), release.ErrConflict, err)
	}
	return fmt.Errorf("writing %s: %w", s.url(name), s.explain(err))
}

// unmatched is an entity tag that no object has.
const unmatched = `"00000000000000000000000000000000"`

// Probe implements [release.Prober]. It makes two requests, and none after it has
// succeeded once: it creates the object, unless that exists, in which case the server must
// refuse, and it replaces the object on a condition that doesn't hold.
func (s *Store) Probe(ctx context.Context, name string, data []byte, opts release.PutOptions) error {
	s.probing.Lock()
	defer s.probing.Unlock()
	if s.probed {
		return nil
	}
	opts.IfNoneMatch, opts.IfMatch = true, ""
	honored, err := s.refuses(ctx, name, data, opts)
	if err == nil && !honored { // there was no such object, but now there is
		honored, err = s.refuses(ctx, name, data, opts)
	}
	if err == nil && !honored {
		return s.ignores("If-None-Match")
	}
	if err != nil {
		return err
	}
	opts.IfNoneMatch, opts.IfMatch = false, unmatched
	honored, err = s.refuses(ctx, name, data, opts)
	if err == nil && !honored {
		return s.ignores("If-Match")
	}
	s.probed = err == nil
	return err
}

// refuses reports whether the server refuses a put because of its preconditions, or for
// lack of permission, which doesn't harm either.
func (s *Store) refuses(ctx context.Context, name string, data []byte, opts release.PutOptions) (bool, error) {
	err := s.Put(ctx, name, data, opts)
	if errors.Is(err, release.ErrConflict) || status(err) == http.StatusForbidden {
		return true, nil
	}
	return false, err
}

func (s *Store) ignores(header string) error {
	return fmt.Errorf("the server of %s ignores the condition %s of writes, so publishers at the same time would "+
		"overwrite "+
		"each other's revisions: publish to a server with conditional writes, such as Amazon S3, or to a folder",
		s.url(""), header)
}

// List implements [release.ListStore].
func (s *Store) List(ctx context.Context, f func(release.Listed) error) error {
	in := &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &s.prefix, RequestPayer: s.payer}
	pages := s3.NewListObjectsV2Paginator(s.client, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("listing %s: %w", s.url(""), s.explain(err))
		}
		for _, object := range page.Contents {
			name := strings.TrimPrefix(aws.ToString(object.Key), s.prefix)
			listed := release.Listed{
				Name: name, Modified: aws.ToTime(object.LastModified), Size: aws.ToInt64(object.Size),
			}
			if err := f(listed); err != nil {
				return err
			}
		}
	}
	return nil
}

// Modified implements [release.ListStore].
func (s *Store) Modified(ctx context.Context, name string) (time.Time, error) {
	in := &s3.HeadObjectInput{Bucket: &s.bucket, Key: aws.String(s.prefix + name), RequestPayer: s.payer}
	out, err := s.client.HeadObject(ctx, in)
	switch {
	case status(err) == http.StatusNotFound: // there is no body to tell what wasn't found
		return time.Time{}, fmt.Errorf("%w: %s", fs.ErrNotExist, s.url(name))
	case err != nil:
		return time.Time{}, fmt.Errorf("reading %s: %w", s.url(name), s.explain(err))
	case out.LastModified == nil:
		return time.Time{}, fmt.Errorf("reading %s: the server doesn't say when it was modified", s.url(name))
	}
	return *out.LastModified, nil
}

// Remove implements [release.ListStore].
func (s *Store) Remove(ctx context.Context, name string) error {
	in := &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String(s.prefix + name), RequestPayer: s.payer}
	_, err := s.client.DeleteObject(ctx, in)
	if err == nil || code(err) == "NoSuchKey" {
		return nil
	}
	return fmt.Errorf("removing %s: %w", s.url(name), s.explain(err))
}

// explain explains an error of the AWS SDK.
func (s *Store) explain(err error) error { return s3client.Explain(err, s.client, s.bucket) }

// failedPrecondition reports whether err means that a precondition of a put didn't
// hold.
func failedPrecondition(err error, opts release.PutOptions) bool {
	switch status(err) {
	case http.StatusPreconditionFailed:
		return true
	case http.StatusConflict: // another conditional put was in progress
		return opts.IfNoneMatch || opts.IfMatch != ""
	}
	return opts.IfMatch != "" && code(err) == "NoSuchKey" // nothing to match
}

// url names an object in messages.
func (s *Store) url(name string) string { return "s3://" + s.bucket + "/" + s.prefix + name }

// status returns the HTTP status of the response that an error carries, or 0.
func status(err error) int {
	var response *awshttp.ResponseError
	if !errors.As(err, &response) {
		return 0
	}
	return response.HTTPStatusCode()
}

// code returns the S3 error code that err carries, or "".
func code(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	return api.ErrorCode()
}
