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
//	SERIN_CLIENTS        optional: path of a file in the deployment package that says who may ask for which flags
//	SERIN_MAX_AGE        optional: up to what age flags are served without looking for newer ones first; 1m
//	SERIN_METRICS        optional: off writes no metrics
//
// The function's role needs s3:GetObject for the objects below SERIN_FROM. The function
// keeps the last good revision in /tmp/serin for as long as the execution environment
// lives. Nothing runs between requests, when the environment may be frozen. Instead the
// function looks for newer flags after an answer, or before one if they haven't been
// confirmed for long; docs/http.md has the times. If a variable is missing or wrong, the
// function reports that and ends. Nothing that happens later, such as an unreachable
// bucket, ends it.
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
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/lambda"
	"github.com/serin-flags/serin/lambda/access"
	"github.com/serin-flags/serin/lambda/enrich"
	"github.com/serin-flags/serin/sdk"
)

func main() {
	logger := newLogger(os.Stderr, os.Getenv("AWS_LAMBDA_LOG_LEVEL"))
	slog.SetDefault(logger)
	ctx := context.Background()
	registered := registering(ctx, os.Getenv("AWS_LAMBDA_RUNTIME_API"))
	f, err := configure(ctx, logger)
	if err != nil {
		logger.Error("the function is misconfigured", "error", err.Error())
		if err := reportInitError(ctx, os.Getenv("AWS_LAMBDA_RUNTIME_API"), err); err != nil {
			logger.Error("reporting the error failed", "error", err.Error())
		}
		os.Exit(1)
	}
	f.extend(ctx, <-registered)
	if f.refresher.client.Snapshot() != nil { // otherwise open has just tried
		f.refresher.before(ctx) // perhaps while nobody waits
	}
	awslambda.Start(f.invoke) // doesn't return
}

// A function is everything that handles events.
type function struct {
	adapter   adapter
	refresher refresher
	metrics   *metrics      // nil: none are written
	answered  chan struct{} // has room for one element
	log       *slog.Logger
}

// configure returns the function that the environment variables describe. Errors name the
// variable that is wrong.
func configure(ctx context.Context, logger *slog.Logger) (*function, error) {
	gateways, err := enrich.ParseTrust(os.Getenv("SERIN_TRUST_PROXIES"))
	if err != nil {
		return nil, fmt.Errorf("SERIN_TRUST_PROXIES: %w", err)
	}
	maxAge := defaultMaxAge
	if text := os.Getenv("SERIN_MAX_AGE"); text != "" {
		if maxAge, err = time.ParseDuration(text); err != nil || maxAge < refreshAfter {
			return nil, fmt.Errorf("SERIN_MAX_AGE: %q is not a duration of 30s or more, such as 5m", text)
		}
	}
	writes := true
	switch text := os.Getenv("SERIN_METRICS"); text {
	case "", "on":
	case "off":
		writes = false
	default:
		return nil, fmt.Errorf("SERIN_METRICS: %q is neither on nor off", text)
	}
	client, err := open(ctx, logger)
	if err != nil {
		return nil, err
	}
	cfg := lambda.Config{BasePath: os.Getenv("SERIN_BASE_PATH"), Gateways: gateways}
	if file := os.Getenv("SERIN_CLIENTS"); file != "" {
		if cfg.Access, err = access.Open(ctx, file, &gateways, logger); err != nil {
			client.Close()
			return nil, fmt.Errorf("SERIN_CLIENTS: %w", err)
		}
	}
	f := &function{
		refresher: refresher{client: client, maxAge: maxAge},
		answered:  make(chan struct{}, 1),
		log:       logger,
	}
	if dir := os.Getenv("SERIN_BAKED"); dir != "" {
		f.refresher.baked = bakedAt(dir)
	}
	if !writes {
		f.adapter.handler = lambda.New(client, cfg)
		return f, nil
	}
	f.metrics = &metrics{out: os.Stdout, client: client, function: os.Getenv("AWS_LAMBDA_FUNCTION_NAME"),
		baked: f.refresher.baked}
	cfg.Observe = f.metrics.observe
	handler := lambda.New(client, cfg)
	f.adapter.handler, f.metrics.load = handler, handler.Load
	return f, nil
}

// extend makes use of an extension: after requests it looks for newer flags, and on SIGTERM
// the function ends by itself. Without the Extensions API, requests look for newer flags.
func (f *function) extend(ctx context.Context, r registration) {
	if r.err != nil {
		f.log.Warn("flags are only refreshed before answers", "error", r.err)
		return
	}
	f.refresher.after = true
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	go func() {
		<-terminated
		f.end()
		os.Exit(0)
	}()
	go func() {
		err := r.extension.run(ctx, f.answered, func() {
			f.refresher.afterwards(ctx)
			f.writeMetrics(false)
		})
		f.log.Error("the Extensions API failed", "error", err)
		f.writeMetrics(true)
		os.Exit(1) // Lambda starts the function again
	}()
}

// invoke handles one event.
func (f *function) invoke(ctx context.Context, payload json.RawMessage) (any, error) {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		currentRequest.Store(&lc.AwsRequestID)
	}
	defer f.finish()
	f.refresher.before(ctx)
	return f.adapter.invoke(ctx, payload)
}

// finish is called when there is an answer.
func (f *function) finish() {
	if !f.refresher.after {
		f.writeMetrics(false)
		return
	}
	select {
	case f.answered <- struct{}{}:
	default: // not reached: Lambda waits for the extension before the next event
	}
}

// end writes what is left to write. Lambda kills the function half a second after SIGTERM;
// a disk cache that is being written then is left as it was.
func (f *function) end() {
	f.log.Info("ending")
	f.writeMetrics(true)
	_ = f.refresher.client.Close()
}

func (f *function) writeMetrics(end bool) {
	if f.metrics != nil {
		f.metrics.write(time.Now(), end)
	}
}

// open returns the client that the environment variables describe. Errors name the
// variable that is wrong.
func open(ctx context.Context, logger *slog.Logger) (*sdk.Client, error) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		return nil, errors.New(
			"AWS_LAMBDA_RUNTIME_API is not set: this program only runs on AWS Lambda; elsewhere, use serin serve")
	}
	from := os.Getenv("SERIN_FROM")
	if from == "" {
		return nil, errors.New(
			"SERIN_FROM is not set: set it to the URL of a published environment, such as s3://bucket/prefix/production")
	}
	if base := os.Getenv("SERIN_BASE_PATH"); base != "" && base[0] != '/' {
		return nil, fmt.Errorf("SERIN_BASE_PATH: %s doesn't begin with a slash", base)
	}
	path := os.Getenv("SERIN_ROOT")
	if path == "" {
		return nil, errors.New(
			"SERIN_ROOT is not set: set it to the path of the pinned root.json in the deployment package")
	}
	source, err := openSource(from)
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
		Interval: -1, // see refresher
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
