// Package s3source reads published flags from Amazon S3 and stores that speak
// its protocol. It is apart from package sdk so that only programs that need it
// link the AWS SDK.
package s3source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/internal/location"
	"github.com/serin-flags/serin/internal/s3client"
	"github.com/serin-flags/serin/sdk"
)

// New returns the source of an environment that bucket holds below prefix, such
// as "shop/production". The client's own settings decide about region,
// endpoint, credentials and retries; redirects are refused, whatever they say.
// Reading needs s3:GetObject and nothing else.
func New(client *s3.Client, bucket, prefix string) bundle.Source {
	return open(client, Config{Bucket: bucket, Prefix: prefix})
}

func open(client *s3.Client, cfg Config) bundle.Source {
	client = s3.New(client.Options(), func(o *s3.Options) { o.HTTPClient = staying(o.HTTPClient) })
	return &source{client, cfg.Bucket, strings.Trim(cfg.Prefix, "/"), cfg.RequesterPays}
}

// staying returns a client that follows no redirects: elsewhere nobody has agreed to
// learn when this program polls. One of another type than AWS's and Go's own is left
// as it is.
func staying(client s3.HTTPClient) s3.HTTPClient {
	var stays http.Client
	switch client := client.(type) {
	case *http.Client:
		stays = *client
	case *awshttp.BuildableClient:
		stays = http.Client{Transport: client.GetTransport(), Timeout: client.GetTimeout()}
	default:
		return client
	}
	stays.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &stays
}

// Config says where in S3 an environment is.
type Config struct {
	Bucket string // required
	Prefix string // of the environment's objects, such as "shop/production"
	// Region of the bucket. "": what the environment or the shared
	// configuration files say.
	Region string
	// Endpoint is the URL of another server than Amazon's. "": what the
	// environment or the shared configuration files say.
	Endpoint string
	// PathStyle has the bucket's name in the path of URLs instead of the host's
	// name; with another server than Amazon's it always is.
	PathStyle bool
	// RequesterPays agrees to be charged for reading a bucket whose owner has
	// asked for that.
	RequesterPays bool
}

// Open returns the source that cfg describes. Credentials come from AWS's default
// chain: the environment, the shared configuration files, the role of the machine,
// container or function. Roles to assume are part of that chain too: role_arn of a
// profile, or AWS_ROLE_ARN with a web identity. It is an error if no region is
// configured. Finding the credentials may take until they are first used, which is
// later; ctx is for reading the configuration.
func Open(ctx context.Context, cfg Config) (bundle.Source, error) {
	if cfg.Bucket == "" {
		return nil, errors.New("opening source: Config.Bucket is empty")
	}
	client, err := s3client.New(ctx, location.S3(cfg))
	if err != nil {
		return nil, fmt.Errorf("opening source: %w", err)
	}
	return open(client, cfg), nil
}

// FromURL returns the source that a URL names: s3://bucket/prefix/production, as
// [Open] does, or any URL that [sdk.FromURL] takes. The query of an s3 URL may hold
// what [Config] does:
// ?region=eu-west-1&endpoint=https://s3.example.com&path_style=true&requester_pays=true.
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

type source struct {
	client         *s3.Client
	bucket, prefix string
	requesterPays  bool
}

func (s *source) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	in := &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String(path.Join(s.prefix, name))}
	if etag != "" {
		in.IfNoneMatch = &etag
	}
	if s.requesterPays {
		in.RequestPayer = types.RequestPayerRequester
	}
	out, err := s.client.GetObject(ctx, in, func(o *s3.Options) {
		// The content is verified by signature, and the headers for
		// checksums are half of a 304.
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.APIOptions = append(o.APIOptions, boundErrors)
	})
	if err != nil {
		return bundle.Object{}, classify(err)
	}
	defer out.Body.Close()
	if length := aws.ToInt64(out.ContentLength); length > limit {
		return bundle.Object{}, fmt.Errorf("%w: %d bytes, at most %d expected", bundle.ErrTooLarge, length, limit)
	}
	data, err := io.ReadAll(io.LimitReader(out.Body, limit+1))
	if err != nil {
		return bundle.Object{}, fmt.Errorf("reading object: %w", err)
	}
	if int64(len(data)) > limit {
		return bundle.Object{}, fmt.Errorf("%w: more than %d bytes", bundle.ErrTooLarge, limit)
	}
	return bundle.Object{Data: data, ETag: aws.ToString(out.ETag)}, nil
}

// boundErrors limits how much of an error's body is read: the SDK reads all of it
// into memory.
func boundErrors(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("BoundErrors", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if response, ok := out.RawResponse.(*smithyhttp.Response); ok && response.StatusCode != http.StatusOK {
			response.Body = limitedBody{io.LimitReader(response.Body, maxError), response.Body}
		}
		return out, metadata, err
	}), middleware.After)
}

// maxError is how many bytes of an error's body are read; S3's have a few hundred.
const maxError = 16 << 10

type limitedBody struct {
	io.Reader
	io.Closer
}

// classify turns what S3 answers into what a source answers.
func classify(err error) error {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) {
		return err
	}
	switch response.HTTPStatusCode() {
	case http.StatusNotModified:
		return bundle.ErrNotModified
	case http.StatusNotFound:
		return fmt.Errorf("%w: %w", bundle.ErrNotFound, err)
	case http.StatusForbidden:
		// Who may not list the bucket is told this of a missing key. Other
		// codes speak of credentials that are wrong or have expired; a
		// root that can't be read for that isn't missing.
		var api smithy.APIError
		if errors.As(err, &api) && api.ErrorCode() == "AccessDenied" {
			return fmt.Errorf("%w: %w", bundle.ErrNotFound, err)
		}
	}
	return err
}
