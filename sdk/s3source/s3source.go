// Package s3source reads published flags from Amazon S3 and compatible stores. It is
// separate from package sdk so that only programs that use it link the AWS SDK.
package s3source

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/internal/location"
	"github.com/serin-flags/serin/internal/s3client"
	"github.com/serin-flags/serin/internal/s3config"
	"github.com/serin-flags/serin/sdk"
)

// New returns the source of an environment in bucket below prefix, such as
// "shop/production". The client decides about region, endpoint, credentials and
// retries, but redirects are always refused. Reading requires only s3:GetObject.
func New(client *s3.Client, bucket, prefix string) bundle.Source {
	return s3client.Source(client, bucket, prefix, false)
}

// Config says where an environment is in S3.
type Config struct {
	Bucket string // required
	Prefix string // of the environment's objects, such as "shop/production"
	// Region is the bucket's region. "": from the environment or the shared
	// configuration files.
	Region string
	// Endpoint is the URL of a server other than Amazon's. "": from the
	// environment or the shared configuration files.
	Endpoint string
	// PathStyle puts the bucket's name into the path of URLs instead of the host
	// name. Servers other than Amazon's always get it there.
	PathStyle bool
	// RequesterPays agrees to pay for requests to a requester-pays bucket.
	RequesterPays bool
}

// Open returns the source that cfg describes. Credentials come from AWS's default
// chain: the environment, the shared configuration files, or the role of the machine,
// container or function. The chain includes roles to assume: role_arn of a profile, or
// AWS_ROLE_ARN with a web identity. Open fails if no region is configured. ctx limits
// reading the configuration; credentials are fetched when they are first needed.
func Open(ctx context.Context, cfg Config) (bundle.Source, error) {
	if cfg.Bucket == "" {
		return nil, errors.New("opening source: Config.Bucket is empty")
	}
	client, err := s3config.New(ctx, location.S3(cfg))
	if err != nil {
		return nil, fmt.Errorf("opening source: %w", err)
	}
	return s3client.Source(client, cfg.Bucket, cfg.Prefix, cfg.RequesterPays), nil
}

// FromURL returns the source at a URL: s3://bucket/prefix/production, which it opens as
// [Open] does, or any URL that [sdk.FromURL] accepts. The query of an s3 URL may set the
// fields of [Config]:
//
//	?region=eu-west-1&endpoint=https://s3.example.com&path_style=true&requester_pays=true
//
// Errors don't quote the URL.
func FromURL(ctx context.Context, url string) (bundle.Source, error) {
	l, err := location.Parse(url, "s3", "https", "http", "file")
	if err != nil {
		return nil, fmt.Errorf("opening source: %w", err)
	}
	if l.Scheme == "s3" {
		return Open(ctx, Config(l.S3))
	}
	return sdk.FromURL(url)
}
