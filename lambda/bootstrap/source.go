package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/internal/location"
	"github.com/serin-flags/serin/internal/s3client"
	"github.com/serin-flags/serin/sdk"
)

// openSource returns the source at a URL. An S3 client is only made when it is needed, so
// that a cold start with fresh flags doesn't take the time.
func openSource(url string) (bundle.Source, error) {
	l, err := location.Parse(url, "s3", "https", "http", "file")
	if err != nil {
		return nil, err
	}
	if l.Scheme != "s3" {
		return sdk.FromURL(url)
	}
	l.S3.Region = cmp.Or(l.S3.Region, os.Getenv("AWS_REGION"))
	if l.S3.Region == "" {
		return nil, errors.New("no region is configured: set AWS_REGION, or add ?region= to the URL")
	}
	if err := s3client.CheckEndpoint(l.S3); err != nil {
		return nil, err
	}
	return lazy(sync.OnceValues(func() (bundle.Source, error) {
		client, err := newS3(l.S3)
		if err != nil {
			return nil, err
		}
		return s3client.Source(client, l.S3.Bucket, l.S3.Prefix, l.S3.RequesterPays), nil
	})), nil
}

// newS3 returns a client for a bucket, with the credentials of the function's role. Lambda
// gives those in environment variables, so the rest of AWS's chain, which would be a sixth
// of the program, isn't linked.
func newS3(l location.S3) (*s3.Client, error) {
	if l.Endpoint == "" {
		l.Endpoint = cmp.Or(os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"))
	}
	return s3client.New(aws.Config{
		Region:      l.Region,
		Credentials: aws.CredentialsProviderFunc(roleCredentials),
		HTTPClient:  s3client.HTTPClient(s3client.RequestTimeout),
	}, l)
}

func roleCredentials(context.Context) (aws.Credentials, error) {
	c := aws.Credentials{
		AccessKeyID:     os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    os.Getenv("AWS_SESSION_TOKEN"),
		Source:          "environment",
	}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return aws.Credentials{}, errors.New("static credentials are empty: give the function a role")
	}
	return c, nil
}

// lazy is a source that opens itself when it is first asked.
type lazy func() (bundle.Source, error)

func (open lazy) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	source, err := open()
	if err != nil {
		return bundle.Object{}, fmt.Errorf("opening source: %w", err)
	}
	return source.Fetch(ctx, name, etag, limit)
}
