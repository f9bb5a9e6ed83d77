package s3test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func TestServerDoesConditionalRequests(t *testing.T) {
	server := Start(t)
	server.CreateBucket(t, "bucket")
	client := server.Client(t)
	put := func(body string, ifMatch, ifNoneMatch *string) (etag string, status int) {
		out, err := client.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String("bucket"), Key: aws.String("a/b"), Body: strings.NewReader(body),
			IfMatch: ifMatch, IfNoneMatch: ifNoneMatch,
		})
		if err != nil {
			return "", statusOf(t, err)
		}
		return *out.ETag, http.StatusOK
	}
	star := aws.String("*")
	first, status := put("one", nil, star)
	if status != http.StatusOK {
		t.Fatalf("the first put: status %d", status)
	}
	if _, status := put("two", nil, star); status != http.StatusPreconditionFailed {
		t.Errorf("a put of what must not exist, but does: status %d", status)
	}
	second, status := put("two", &first, nil)
	if status != http.StatusOK {
		t.Errorf("a put over the version that is there: status %d", status)
	}
	if _, status := put("three", &first, nil); status != http.StatusPreconditionFailed {
		t.Errorf("a put over a version that is gone: status %d", status)
	}
	_, err := client.GetObject(t.Context(),
		&s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("a/b"), IfNoneMatch: &second})
	if err == nil || statusOf(t, err) != http.StatusNotModified {
		t.Errorf("a get of what one has: %v", err)
	}
}

func statusOf(t *testing.T, err error) int {
	t.Helper()
	var response *awshttp.ResponseError
	if !errors.As(err, &response) {
		t.Fatal(err)
	}
	return response.HTTPStatusCode()
}

func TestServersAreApart(t *testing.T) {
	one, two := Start(t), Start(t)
	if one.Endpoint == two.Endpoint || one.SecretKey == two.SecretKey {
		t.Errorf("%+v and %+v share something", one, two)
	}
	stranger := Server{Endpoint: one.Endpoint, AccessKey: two.AccessKey, SecretKey: two.SecretKey}
	if _, err := stranger.Client(t).ListBuckets(t.Context(), &s3.ListBucketsInput{}); err == nil {
		t.Error("one server let in the other one's account")
	}
}

func TestServerStopsWithItsTest(t *testing.T) {
	var server Server
	t.Run("using it", func(t *testing.T) { server = Start(t) })
	response, err := http.Get(server.Endpoint)
	if err == nil {
		response.Body.Close()
		t.Errorf("%s still answers: %s", server.Endpoint, response.Status)
	}
}

func TestPortThatIsTaken(t *testing.T) {
	taken := Start(t)
	binary, err := find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := Server{AccessKey: "other", SecretKey: "other"}
	stop, err := other.run(t.Context(), binary, strings.TrimPrefix(taken.Endpoint, "http://"), t.TempDir())
	if err == nil {
		stop()
	}
	// Start tries another port then.
	if !errors.Is(err, errExited) {
		t.Errorf("starting a server on another one's port: %v", err)
	}
}

func TestFindFails(t *testing.T) {
	t.Run("nowhere", func(t *testing.T) {
		t.Setenv("SERIN_VERSITYGW", "")
		t.Setenv("PATH", t.TempDir())
		if _, err := find(t.Context()); err == nil ||
			!strings.Contains(err.Error(), "go install github.com/versity/versitygw/cmd/versitygw@") {
			t.Errorf("got %v, which doesn't say how to install it", err)
		}
	})
	t.Run("not where it was said to be", func(t *testing.T) {
		t.Setenv("SERIN_VERSITYGW", filepath.Join(t.TempDir(), "absent"))
		if _, err := find(t.Context()); !errors.Is(err, os.ErrNotExist) ||
			!strings.Contains(err.Error(), "SERIN_VERSITYGW") {
			t.Errorf("got %v", err)
		}
	})
}
