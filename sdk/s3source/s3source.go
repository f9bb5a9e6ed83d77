// Package s3source reads published flags from Amazon S3 and compatible stores. It is
// separate from package sdk so that only programs that use it link the AWS SDK.
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

// New returns the source of an environment in bucket below prefix, such as
// "shop/production". The client decides about region, endpoint, credentials and
// retries, but redirects are always refused. Reading requires only s3:GetObject.
func New(client *s3.Client, bucket, prefix string) bundle.Source {
	return open(client, Config{Bucket: bucket, Prefix: prefix})
}

func open(client *s3.Client, cfg Config) bundle.Source {
	client = s3.New(client.Options(), func(o *s3.Options) { o.HTTPClient = staying(o.HTTPClient) })
	return &source{client, cfg.Bucket, strings.Trim(cfg.Prefix, "/"), cfg.RequesterPays}
}

// staying returns a client that doesn't follow redirects, because other servers must not
// learn when this program polls. It only changes clients of AWS's and Go's own types.
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
	client, err := s3client.New(ctx, location.S3(cfg))
	if err != nil {
		return nil, fmt.Errorf("opening source: %w", err)
	}
	return open(client, cfg), nil
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
		// Signatures protect the content, and the headers for checksums would
		// be half of a 304.
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.APIOptions = append(o.APIOptions, boundErrors)
	})
	if err != nil {
		return bundle.Object{}, s.classify(err)
	}
	defer out.Body.Close()
	if length := aws.ToInt64(out.ContentLength); length > limit {
		return bundle.Object{}, fmt.Errorf("%w: %d bytes, at most %d expected", bundle.ErrTooLarge, length, limit)
	}
	data, err := io.ReadAll(io.LimitReader(out.Body, limit+1))
	if err != nil {
		return bundle.Object{}, s.explain(err)
	}
	if int64(len(data)) > limit {
		return bundle.Object{}, fmt.Errorf("%w: more than %d bytes", bundle.ErrTooLarge, limit)
	}
	return bundle.Object{Data: data, ETag: aws.ToString(out.ETag)}, nil
}

// boundErrors limits how much of an error's body is read: the AWS SDK would read all of
// it into memory.
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

// maxError is how many bytes of an error's body are read. S3's have a few hundred.
const maxError = 16 << 10

type limitedBody struct {
	io.Reader
	io.Closer
}

// classify translates an error of S3 into one of a source.
func (s *source) classify(err error) error {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) {
		return s.explain(err)
	}
	var api smithy.APIError
	switch response.HTTPStatusCode() {
	case http.StatusNotModified:
		return bundle.ErrNotModified
	case http.StatusNotFound:
		if errors.As(err, &api) && api.ErrorCode() == "NoSuchKey" {
			return bundle.ErrNotFound
		}
		return fmt.Errorf("%w: %w", bundle.ErrNotFound, s.explain(err))
	case http.StatusForbidden:
		// Without permission to list the bucket, a missing key is AccessDenied.
		// Other codes mean that credentials are wrong or have expired. That
		// must not look like a missing root.
		if errors.As(err, &api) && api.ErrorCode() == "AccessDenied" {
			return fmt.Errorf("%w: %w", bundle.ErrNotFound, s.explain(err))
		}
	}
	return s.explain(err)
}

// explain explains an error of the AWS SDK.
func (s *source) explain(err error) error { return s3client.Explain(err, s.client, s.bucket) }
