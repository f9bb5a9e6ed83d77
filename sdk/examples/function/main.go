// The program function is an example of an AWS Lambda function. Lambda freezes it
// between requests, so it doesn't poll in the background. Instead a request polls if
// the flags are older than maxAge. It waits no longer than budget, and then uses the
// flags that are there.
//
//	SERIN_FROM  URL of a published environment, such as s3://acme-flags/shop/production
//
// The deployment package contains root.json and, in the folder baked, the output of
// serin bake, so that a cold start works even if the bucket can't be reached.
package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/s3source"
)

const (
	maxAge = 30 * time.Second       // of flags; requests poll if they are older
	budget = 200 * time.Millisecond // of a request for polling
)

var retention = sdk.Int("retention-days", 30)

func main() {
	client, err := open(context.Background())
	if err != nil {
		slog.Error("the function can't start", "error", err)
		os.Exit(1)
	}
	lambda.Start(function{client}.answer)
}

func open(ctx context.Context) (*sdk.Client, error) {
	deployment := os.Getenv("LAMBDA_TASK_ROOT")
	root, err := os.ReadFile(filepath.Join(deployment, "root.json"))
	if err != nil {
		return nil, err
	}
	source, err := s3source.FromURL(ctx, os.Getenv("SERIN_FROM"))
	if err != nil {
		return nil, err
	}
	return sdk.Open(ctx, sdk.Config{
		Source:      source,
		Root:        root,
		Baked:       os.DirFS(filepath.Join(deployment, "baked")),
		CacheDir:    filepath.Join(os.TempDir(), "flags"), // lives as long as the execution environment
		Interval:    -1,                                   // no polling in the background
		InitTimeout: time.Second,
		Logger:      slog.Default(),
	})
}

type function struct{ flags *sdk.Client }

// A request asks how long to keep somebody's messages.
type request struct {
	User string `json:"user"`
	Plan string `json:"plan"`
}

type response struct {
	Days     int64 `json:"days"`
	Revision int64 `json:"revision"`
}

func (f function) answer(ctx context.Context, r request) (response, error) {
	poll, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	_ = f.flags.RefreshIfOlder(poll, maxAge) // during an outage the client logs once, not for each request
	days := retention.Explain(f.flags, sdk.User(r.User, sdk.Attr("plan", r.Plan)))
	return response{Days: days.Value, Revision: days.Revision}, nil
}
