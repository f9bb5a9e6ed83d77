// The program bootstrap is Serin's AWS Lambda function: the handler of package
// lambda behind a Function URL or an API Gateway HTTP API (payload format 2.0,
// buffered), for the runtimes provided.al2023 and newer.
//
// Environment variables configure it:
//
//	SERIN_FROM  URL of a published environment: s3://bucket/prefix/production, or https://…, file://…
//	SERIN_ROOT  path of the pinned root.json in the deployment package
//	SERIN_ENV   optional: the environment that the root must be that of
//
// The function's role needs s3:GetObject for what SERIN_FROM names. The last
// good revision is kept in /tmp/serin for as long as the execution environment
// lives. If a variable is missing or wrong the function reports so and ends;
// nothing that happens afterwards, such as an unreachable bucket, ends it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"github.com/serin-flags/serin/lambda"
	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/s3source"
)

// maxRoot is the size limit of the pinned root in bytes, that of the verifier.
const maxRoot = 512 << 10

func main() {
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	slog.SetDefault(logger)
	ctx := context.Background()
	client, err := open(ctx, logger)
	if err != nil {
		logger.Error("the function is misconfigured", "error", err.Error())
		if err := reportInitError(ctx, os.Getenv("AWS_LAMBDA_RUNTIME_API"), err); err != nil {
			logger.Error("reporting that failed", "error", err.Error())
		}
		os.Exit(1)
	}
	awslambda.Start(adapter{lambda.Handler(client)}.invoke) // doesn't return
}

// open returns the client that the environment variables describe. The errors
// name the variable that is wrong.
func open(ctx context.Context, logger *slog.Logger) (*sdk.Client, error) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		return nil, errors.New("AWS_LAMBDA_RUNTIME_API is not set: this program runs on AWS Lambda only; elsewhere, use serin serve")
	}
	from := os.Getenv("SERIN_FROM")
	if from == "" {
		return nil, errors.New("SERIN_FROM is not set: it takes the URL of a published environment, such as s3://bucket/prefix/production")
	}
	path := os.Getenv("SERIN_ROOT")
	if path == "" {
		return nil, errors.New("SERIN_ROOT is not set: it takes the path of the pinned root.json in the deployment package")
	}
	source, err := s3source.FromURL(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("SERIN_FROM: %w", err)
	}
	root, err := readRoot(path)
	if err != nil {
		return nil, fmt.Errorf("SERIN_ROOT: %w", err)
	}
	client, err := sdk.Open(ctx, sdk.Config{
		Source:   source,
		Root:     root,
		CacheDir: filepath.Join(os.TempDir(), "serin"),
		Logger:   logger,
	})
	if err != nil { // with a source there, it can only be the root
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
	root, err := io.ReadAll(io.LimitReader(f, maxRoot+1))
	if err != nil {
		return nil, err
	}
	if len(root) > maxRoot {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxRoot)
	}
	return root, nil
}

// reportInitError tells the Lambda Runtime API at that address why the function
// can't start, so that whoever invokes it is told. aws-lambda-go has no way to.
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
	client := http.Client{Transport: &http.Transport{}} // never through a proxy
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
