// Package s3test gives a test an S3 server of its own: versitygw, a real one
// with conditional reads and writes, on a free port of 127.0.0.1 and over an
// empty folder.
//
// It is for tests only. Nothing global is set, neither by the server nor for
// it: hand [Server.Env] to a process, or [Server.Client] to code.
package s3test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/serin-flags/serin/internal/awstest"
	"github.com/serin-flags/serin/internal/child"
)

// Region is the AWS region that servers are in.
const Region = "us-east-1"

const (
	installHint = "versitygw isn't installed; install it: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0"

	// startTimeout is how long a server may take until it answers: it takes
	// a tenth of a second, but not on a machine with too much to do.
	startTimeout = 30 * time.Second
	// startAttempts bounds how often another process may snatch the port
	// that was free a moment ago.
	startAttempts = 5
)

// errExited tells a server that ended by itself, as one does whose port is
// taken, from one that doesn't answer.
var errExited = errors.New("versitygw ended")

// A Server is an S3 server that runs until its test ends. It may be used by
// any number of goroutines.
type Server struct {
	Endpoint  string // base URL, for path-style requests
	AccessKey string // of the account that may do everything
	SecretKey string
}

// Start starts a server without buckets; it and its data are gone when t ends.
// It ends t if the server doesn't start. The binary is the one that the
// environment variable SERIN_VERSITYGW names, else versitygw on the PATH, else
// the one that go install put in its place.
func Start(t testing.TB) Server {
	t.Helper()
	binary, err := find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server := Server{AccessKey: rand.Text(), SecretKey: rand.Text()}
	for attempt := 1; ; attempt++ {
		address, err := freeAddress()
		if err != nil {
			t.Fatal(err)
		}
		stop, err := server.run(t.Context(), binary, address, t.TempDir())
		if err == nil {
			t.Cleanup(stop)
			server.Endpoint = "http://" + address
			return server
		}
		if !errors.Is(err, errExited) || attempt == startAttempts {
			t.Fatalf("starting %s: %v", binary, err)
		}
	}
}

// Env returns what a process needs in its environment to be led to s, in the form of
// os.Environ.
func (s Server) Env() []string {
	return awstest.Env("S3", s.Endpoint, Region,
		aws.Credentials{AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey})
}

// Client returns a client of s.
func (s Server) Client(t testing.TB) *s3.Client {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	return s.client(s.Endpoint, transport)
}

// CreateBucket makes an empty bucket, and ends t if it can't.
func (s Server) CreateBucket(t testing.TB, name string) {
	t.Helper()
	if _, err := s.Client(t).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatalf("creating bucket %s: %v", name, err)
	}
}

func (s Server) client(endpoint string, transport http.RoundTripper) *s3.Client {
	return s3.New(s3.Options{
		Region:       Region,
		BaseEndpoint: &endpoint,
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),
		HTTPClient:   &http.Client{Transport: transport},
	})
}

// run starts one process at address, and returns once it answers to s's
// credentials: nothing else that took the port would.
func (s Server) run(ctx context.Context, binary, address, dir string) (stop func(), err error) {
	var output bytes.Buffer
	cmd := exec.Command(binary, "--port", address, "--region", Region, "--quiet", "posix", dir)
	// All of the environment: versitygw has a variable for each of its options.
	cmd.Env = []string{"ROOT_ACCESS_KEY=" + s.AccessKey, "ROOT_SECRET_KEY=" + s.SecretKey}
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = &output, &output
	child.Bind(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		cmd.Wait() // it is killed in the end
	}()
	stop = func() {
		cmd.Process.Kill() // it may have ended
		<-exited
	}
	if err := s.await(ctx, "http://"+address, exited); err != nil {
		stop()
		return nil, fmt.Errorf("%w\n%s", err, output.Bytes())
	}
	return stop, nil
}

// await returns nil once endpoint answers a request of s.
func (s Server) await(ctx context.Context, endpoint string, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true}
	client := s.client(endpoint, transport)
	once := func(o *s3.Options) { o.Retryer = aws.NopRetryer{} }
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := client.ListBuckets(ctx, &s3.ListBucketsInput{}, once)
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return errExited
		case <-ctx.Done():
			return fmt.Errorf("no answer within %v: %w", startTimeout, err)
		case <-tick.C:
		}
	}
}

// freeAddress returns an address that nothing listened on a moment ago.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// find returns the path of versitygw.
func find(ctx context.Context) (string, error) {
	if named := os.Getenv("SERIN_VERSITYGW"); named != "" {
		path, err := exec.LookPath(named)
		if err != nil {
			return "", fmt.Errorf("SERIN_VERSITYGW: %w; unset it or %s", err,
				strings.TrimPrefix(installHint, "versitygw isn't installed; "))
		}
		return path, nil
	}
	if path, err := exec.LookPath("versitygw"); err == nil {
		return path, nil
	}
	out, err := exec.CommandContext(ctx, "go", "env", "GOBIN", "GOPATH").Output()
	if err != nil {
		return "", errors.New(installHint)
	}
	gobin, gopath, _ := strings.Cut(strings.TrimRight(string(out), "\r\n"), "\n")
	dirs := []string{gobin}
	for _, dir := range filepath.SplitList(gopath) {
		dirs = append(dirs, filepath.Join(dir, "bin"))
	}
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		if path, err := exec.LookPath(filepath.Join(dir, "versitygw")); err == nil {
			return path, nil
		}
	}
	return "", errors.New(installHint)
}
