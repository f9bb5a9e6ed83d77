package main

import (
	"context"
	"fmt"
	"os"

	awslambda "github.com/aws/aws-lambda-go/lambda"
)

// isFunction reports whether this process is an AWS Lambda function: one that is the guard,
// which has no arguments.
func isFunction() bool { return os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" && len(os.Args) == 1 }

// serveFunction looks at all plans each time that the function is invoked, whatever the event.
// The variables SERIN_ENV, SERIN_TO and SERIN_KEYS take the place of --env, --to and --keys.
// The log gets the decisions as JSON. It doesn't return.
func serveFunction() {
	awslambda.Start(func(ctx context.Context) (status functionStatus, err error) {
		status.Status = run(ctx,
			[]string{"guard", "--json", "--to", os.Getenv("SERIN_TO"), "--keys", os.Getenv("SERIN_KEYS")},
			os.Stdin, os.Stdout, os.Stderr)
		if status.Status == 1 || status.Status == 2 {
			err = fmt.Errorf("serin guard ended with status %d; its log says why", status.Status)
		}
		return status, err
	})
}

// A functionStatus is what the function returns: the exit status of guard.
type functionStatus struct {
	Status int `json:"status"`
}
