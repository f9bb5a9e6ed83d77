// Package s3client makes the S3 client for a location, both for reading and for
// publishing, and reads objects with it. It doesn't know where AWS's configuration comes
// from; package s3config does.
package s3client

import (
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/serin-flags/serin/internal/location"
)

// RequestTimeout limits each request, with everything that is sent and received. That is
// also what HTTP sources take.
const RequestTimeout = 30 * time.Second

// HTTPClient returns the HTTP client for cfg, which ends requests after that time.
func HTTPClient(timeout time.Duration) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTimeout(timeout)
}

// New returns a client for the bucket at l. What l leaves open comes from cfg. A request
// that takes too long is made once more, at most, so that a server which never answers
// doesn't block for long. Pass the errors of requests to [Explain].
func New(cfg aws.Config, l location.S3) (*s3.Client, error) {
	if err := CheckEndpoint(l); err != nil {
		return nil, err
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

// CheckEndpoint returns an error if l has an endpoint that isn't a URL.
func CheckEndpoint(l location.S3) error {
	if e := l.Endpoint; e != "" && !strings.HasPrefix(e, "https://") && !strings.HasPrefix(e, "http://") {
		return errors.New("the endpoint is not a URL such as https://s3.example.com")
	}
	return nil
}
