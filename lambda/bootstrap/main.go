// The program bootstrap is Serin's AWS Lambda function: the handler of package
// lambda behind a Function URL, an API Gateway HTTP or REST API, or an Application Load
// Balancer, buffered, for the runtimes provided.al2023 and newer.
//
// Environment variables configure it:
//
//	SERIN_FROM           URL of a published environment: s3://bucket/prefix/production, or https://…, file://…
//	SERIN_ROOT           path of the pinned root.json in the deployment package
//	SERIN_BAKED          optional: path of a copy in the deployment package, as serin bake makes it, to start from
//	SERIN_BASE_PATH      optional: what all paths begin with, such as /flags
//	SERIN_ENV            optional: the environment that the root must name
//	SERIN_TRUST_PROXIES  optional: the gateways whose headers describe clients, such as 10.0.0.0/8
//
// The function's role needs s3:GetObject for the objects below SERIN_FROM. The function
// keeps the last good revision in /tmp/serin for as long as the execution environment
// lives. Nothing runs between requests, when the environment may be frozen. Instead a
// request looks for newer flags first if they haven't been confirmed for a while;
// docs/http.md has the times. If a variable is missing or wrong, the function reports
// that and ends. Nothing that happens later, such as an unreachable bucket, ends it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/lambda"
	"github.com/serin-flags/serin/lambda/enrich"
	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/s3source"
)

func main() {
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	slog.SetDefault(logger)
	ctx := context.Background()
	client, err := open(ctx, logger)
	gateways, trustErr := enrich.ParseTrust(os.Getenv("SERIN_TRUST_PROXIES"))
	if err == nil && trustErr != nil {
		err = fmt.Errorf("SERIN_TRUST_PROXIES: %w", trustErr)
	}
	if err != nil {
		logger.Error("the function is misconfigured", "error", err.Error())
		if err := reportInitError(ctx, os.Getenv("AWS_LAMBDA_RUNTIME_API"), err); err != nil {
			logger.Error("reporting the error failed", "error", err.Error())
		}
		os.Exit(1)
	}
	handler := lambda.New(client, lambda.Config{BasePath: os.Getenv("SERIN_BASE_PATH"), Gateways: gateways})
	awslambda.Start(adapter{refreshing(client, handler)}.invoke) // doesn't return
}

const (
	// refreshAfter is how long after flags were confirmed requests don't look for
	// newer ones.
	refreshAfter = 30 * time.Second
	// refreshBudget limits how long looking for newer flags delays a request.
	refreshBudget = 500 * time.Millisecond
	// emptyBudget is the same limit while there are no flags at all.
	emptyBudget = 3 * time.Second
)

// refreshing returns a handler that looks for newer flags, if it is time to, and then
// calls next.
func refreshing(client *sdk.Client, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		budget := refreshBudget
		if client.Snapshot() == nil {
			budget = emptyBudget
		}
		ctx, cancel := context.WithTimeout(r.Context(), budget)
		_ = client.RefreshIfOlder(ctx, refreshAfter) // serve what there is; the client logs the error
		cancel()
		next.ServeHTTP(w, r)
	})
}

// open returns the client that the environment variables describe. Errors name the
// variable that is wrong.
func open(ctx context.Context, logger *slog.Logger) (*sdk.Client, error) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		return nil, errors.New("AWS_LAMBDA_RUNTIME_API is not set: this program only runs on AWS Lambda; elsewhere, use serin serve")
	}
	from := os.Getenv("SERIN_FROM")
	if from == "" {
		return nil, errors.New("SERIN_FROM is not set: set it to the URL of a published environment, such as s3://bucket/prefix/production")
	}
	if base := os.Getenv("SERIN_BASE_PATH"); base != "" && base[0] != '/' {
		return nil, fmt.Errorf("SERIN_BASE_PATH: %s doesn't begin with a slash", base)
	}
	path := os.Getenv("SERIN_ROOT")
	if path == "" {
		return nil, errors.New("SERIN_ROOT is not set: set it to the path of the pinned root.json in the deployment package")
	}
	source, err := s3source.FromURL(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("SERIN_FROM: %w", err)
	}
	root, err := readRoot(path)
	if err != nil {
		return nil, fmt.Errorf("SERIN_ROOT: %w", err)
	}
	var baked fs.FS
	if dir := os.Getenv("SERIN_BAKED"); dir != "" {
		if _, err := os.Stat(filepath.Join(dir, "timestamp.json")); err != nil {
			return nil, fmt.Errorf("SERIN_BAKED: %s is not a copy made by serin bake: %w", dir, err)
		}
		baked = os.DirFS(dir)
	}
	client, err := sdk.Open(ctx, sdk.Config{
		Source:   source,
		Root:     root,
		CacheDir: filepath.Join(os.TempDir(), "serin"),
		Baked:    baked,
		Interval: -1, // see refreshing
		Logger:   logger,
	})
	if err != nil { // there is a source, so the root is invalid
		return nil, fmt.Errorf("SERIN_ROOT: %s: %w", path, err)
	}
	named := client.Status().Environment
	if env := os.Getenv("SERIN_ENV"); env != "" && env != named {
		client.Close()
		return nil, fmt.Errorf("SERIN_ENV: %s is the root of environment %q, not %q", path, named, env)
	}
	return client, nil
}

func readRoot(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	root, err := io.ReadAll(io.LimitReader(f, bundle.MaxRoot+1))
	if err != nil {
		return nil, err
	}
	if len(root) > bundle.MaxRoot {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, bundle.MaxRoot)
	}
	return root, nil
}

// reportInitError tells the Lambda Runtime API at address why the function can't start,
// so that callers see the reason. aws-lambda-go can't do that.
func reportInitError(ctx context.Context, address string, cause error) error {
	if address == "" {
		return nil
	}
	body, err := json.Marshal(map[string]string{"errorMessage": cause.Error(), "errorType": "Runtime.ConfigInvalid"})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	url := "http://" + address + "/2018-06-01/runtime/init/error"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Lambda-Runtime-Function-Error-Type", "Runtime.ConfigInvalid")
	client := http.Client{Transport: &http.Transport{}} // without a proxy
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("the Runtime API answered %s", resp.Status)
	}
	return nil
}
