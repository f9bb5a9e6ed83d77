//go:build !race

// The race detector would have the AWS SDK compiled once more, for tests that don't use this door.

package bundle_test

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/internal/s3test"
	"github.com/serin-flags/serin/sdk/s3source"
)

func init() {
	moreDoors = map[string]func(testing.TB) func(testing.TB, bundle.Objects) bundle.Source{"s3": overS3}
}

// overS3 starts a server with one bucket, in which each repository has a folder.
func overS3(t testing.TB) func(testing.TB, bundle.Objects) bundle.Source {
	bucket := "doors"
	server := s3test.Start(t)
	server.CreateBucket(t, bucket)
	var folders atomic.Int64
	return func(t testing.TB, objects bundle.Objects) bundle.Source {
		prefix := fmt.Sprintf("folder-%d", folders.Add(1))
		client := server.Client(t)
		put := func(ctx context.Context, name string, data []byte) error {
			_, err := client.PutObject(ctx, &s3.PutObjectInput{
				Bucket: &bucket, Key: aws.String(prefix + "/" + name), Body: bytes.NewReader(data),
			})
			return err
		}
		remove := func(ctx context.Context, name string) error {
			_, err := client.DeleteObject(ctx,
				&s3.DeleteObjectInput{Bucket: &bucket, Key: aws.String(prefix + "/" + name)})
			return err
		}
		return &synced{
			Source: s3source.New(client, bucket, prefix), put: put, remove: remove,
			objects: objects, there: make(map[string][]byte),
		}
	}
}
