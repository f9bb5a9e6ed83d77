// Package s3source reads published flags from Amazon S3 and stores that speak
// its protocol. It is apart from package sdk so that only programs that need it
// link the AWS SDK.
package s3source

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/serin-flags/serin/bundle"
)

// New returns the source of an environment that bucket holds below prefix, such
// as "shop/production". The client's own settings decide about region,
// endpoint, credentials and retries.
func New(client *s3.Client, bucket, prefix string) bundle.Source {
	return nil
}

// FromURL returns the source that a URL names: s3://bucket/prefix/production,
// with region and credentials from AWS's default chain, or any URL that
// sdk.FromURL takes.
func FromURL(ctx context.Context, raw string) (bundle.Source, error) {
	return nil, errors.New("not available yet")
}
