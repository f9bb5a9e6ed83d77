// Package s3client makes the S3 client for a location, both for reading and for
// publishing.
package s3client

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/serin-flags/serin/internal/location"
)

// New returns a client for the bucket at l. What l leaves open comes from where
// the AWS tools look for it: the environment, the shared configuration files, the
// role of the machine, container or function. New may make requests for
// credentials, but makes none to the bucket. Requests end after 30 seconds and are then
// made once more, at most, so that a server which never answers doesn't block for long.
// Pass the errors of requests to [Explain].
func New(ctx context.Context, l location.S3) (*s3.Client, error) {
	return newClient(ctx, l, requestTimeout)
}

// requestTimeout limits each request, with everything that is sent and received. That is
// also what HTTP sources take.
const requestTimeout = 30 * time.Second

func newClient(ctx context.Context, l location.S3, timeout time.Duration) (*s3.Client, error) {
	if e := l.Endpoint; e != "" && !strings.HasPrefix(e, "https://") && !strings.HasPrefix(e, "http://") {
		return nil, errors.New("the endpoint is not a URL such as https://s3.example.com")
	}
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(timeout)),
	}
	if l.Region != "" {
		options = append(options, config.WithRegion(l.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, explainConfig(err)
	}
	if cfg.Region == "" {
		return nil, errors.New("configuring S3: no region is configured: set AWS_REGION, or add ?region= to the URL")
	}
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		if l.Endpoint != "" {
			o.BaseEndpoint = &l.Endpoint
		}
		// Other servers than Amazon's rarely have a host name per bucket.
		o.UsePathStyle = l.PathStyle || o.BaseEndpoint != nil
		if retryer, ok := o.Retryer.(aws.RetryerV2); ok {
			o.Retryer = patience{retryer}
		}
		// Everything read is verified by signature and hash. A warning on each
		// read that S3 sent no checksum would only be noise.
		o.DisableLogOutputChecksumValidationSkipped = true
	}), nil
}
