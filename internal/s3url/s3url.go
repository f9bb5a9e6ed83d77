// Package s3url makes a client of what a URL such as s3://bucket/prefix/env
// names, for the package that reads there and the one that writes.
package s3url

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Settings are what a program may say itself, where the AWS tools would look
// elsewhere.
type Settings struct {
	Region    string // "": the one that is configured
	Endpoint  string // "": the one that is configured, or else Amazon's
	PathStyle bool   // also for Amazon's servers
}

// Open returns the bucket and the prefix that a URL names, and a client for
// them. Region, credentials and endpoint come from where the AWS tools look for
// them: the environment, the shared configuration files, the role of the
// machine. It may make requests for credentials, but none to the bucket. Errors
// don't quote the URL, which may hold a password.
func Open(ctx context.Context, raw string) (client *s3.Client, bucket, prefix string, err error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "s3" || u.Host == "" || u.Host != u.Hostname() || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, "", "", errors.New("the URL is not s3://bucket/prefix/env")
	}
	client, err = Client(ctx, Settings{})
	return client, u.Host, u.Path, err
}

// Client returns a client as Open does.
func Client(ctx context.Context, s Settings) (*s3.Client, error) {
	var options []func(*config.LoadOptions) error
	if s.Region != "" {
		options = append(options, config.WithRegion(s.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("configuring S3: %w", err)
	}
	if cfg.Region == "" {
		return nil, errors.New("configuring S3: no region is configured; set AWS_REGION")
	}
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		if s.Endpoint != "" {
			o.BaseEndpoint = &s.Endpoint
		}
		// Servers other than Amazon's seldom have a host name per bucket.
		o.UsePathStyle = s.PathStyle || o.BaseEndpoint != nil
		// What is read is verified by its signature and hash, and a warning on
		// each read that S3 sent no checksum besides helps nobody.
		o.DisableLogOutputChecksumValidationSkipped = true
	}), nil
}
