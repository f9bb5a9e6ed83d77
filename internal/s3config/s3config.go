// Package s3config makes S3 clients with the configuration that the AWS tools use. It is
// separate from package s3client because the code for profiles, SSO and roles is large.
package s3config

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/serin-flags/serin/internal/location"
	"github.com/serin-flags/serin/internal/s3client"
)

// New returns a client for the bucket at l. What l leaves open comes from where
// the AWS tools look for it: the environment, the shared configuration files, the
// role of the machine, container or function. New may make requests for
// credentials, but makes none to the bucket. Requests end after 30 seconds; see
// [s3client.New]. Pass their errors to [s3client.Explain].
func New(ctx context.Context, l location.S3) (*s3.Client, error) {
	return newClient(ctx, l, s3client.RequestTimeout)
}

func newClient(ctx context.Context, l location.S3, timeout time.Duration) (*s3.Client, error) {
	if err := s3client.CheckEndpoint(l); err != nil {
		return nil, err
	}
	options := []func(*config.LoadOptions) error{config.WithHTTPClient(s3client.HTTPClient(timeout))}
	if l.Region != "" {
		options = append(options, config.WithRegion(l.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, explain(err)
	}
	return s3client.New(cfg, l)
}

// explain explains why AWS's configuration can't be read.
func explain(err error) error {
	var missing config.SharedConfigProfileNotExistError
	if errors.As(err, &missing) {
		return s3client.NewProblem(
			fmt.Sprintf("there is no profile %q in the AWS configuration: correct AWS_PROFILE, or run "+
				"'aws configure'", missing.Profile), err)
	}
	return fmt.Errorf("configuring S3: %w", err)
}
