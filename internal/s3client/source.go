package s3client

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
)

// Source returns the source of an environment in bucket below prefix. The client decides
// about region, endpoint, credentials and retries, but redirects are always refused.
func Source(client *s3.Client, bucket, prefix string, requesterPays bool) bundle.Source {
	client = s3.New(client.Options(), func(o *s3.Options) { o.HTTPClient = staying(o.HTTPClient) })
	return &source{client, bucket, strings.Trim(prefix, "/"), requesterPays}
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
func (s *source) explain(err error) error { return Explain(err, s.client, s.bucket) }
