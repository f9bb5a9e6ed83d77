//go:build !race

// With the race detector, the AWS SDK would take longer to compile than everything else, and nothing of it shares
// memory with a client: "make test" runs these tests without.

package sdk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/serin-flags/serin/internal/s3test"
	"github.com/serin-flags/serin/internal/soak"
	"github.com/serin-flags/serin/sdk/s3source"
)

// TestFaultsFromS3 is [TestFaults] with the server of faults between a client and S3. Each fault meets a client that
// is running or one that starts, and in a soak both.
func TestFaultsFromS3(t *testing.T) {
	const bucket = "faults"
	store := s3test.Start(t)
	store.CreateBucket(t, bucket)
	eachFault(t, func(t *testing.T, i int, fault fault, restart bool) {
		if restart != (i%2 == 0) && soak.Times(1, 2) < 2 {
			return
		}
		f := newFaulty(t)
		folder := fmt.Sprintf("%d-%t", i, restart)
		f.below = bucket + "/" + folder + "/"
		f.files = mirrored(t, store, bucket, folder, f.repository.dir)
		f.server = serve(t, f.files)
		between := store
		between.Endpoint = f.server.URL
		fault.test(t, f, s3source.New(between.Client(t), bucket, folder), restart)
	})
}

// mirrored is an S3 server, for the objects below a folder of a bucket, which it
// makes those of dir before each request.
func mirrored(t *testing.T, store s3test.Server, bucket, folder, dir string) http.Handler {
	t.Helper()
	target, err := url.Parse(store.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	client := store.Client(t)
	proxy := &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host }, // which is signed
		ErrorLog: log.New(io.Discard, "", 0),
	}
	there := make(map[string]string)
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		err := mirror(r.Context(), client, bucket, folder, dir, there)
		mu.Unlock()
		if err != nil {
			t.Error(err)
		}
		proxy.ServeHTTP(w, r)
	})
}

// mirror makes the objects of a folder those of dir; there is what it holds.
func mirror(ctx context.Context, client *s3.Client, bucket, folder, dir string, there map[string]string) error {
	gone := maps.Clone(there)
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		delete(gone, name)
		if old, ok := there[name]; ok && old == string(data) {
			return nil
		}
		there[name] = string(data)
		_, err = client.PutObject(ctx,
			&s3.PutObjectInput{Bucket: &bucket, Key: aws.String(folder + "/" + name), Body: bytes.NewReader(data)})
		return err
	})
	for name := range gone {
		delete(there, name)
		_, err1 := client.DeleteObject(ctx,
			&s3.DeleteObjectInput{Bucket: &bucket, Key: aws.String(folder + "/" + name)})
		err = errors.Join(err, err1)
	}
	return err
}
