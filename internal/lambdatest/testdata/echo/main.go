// The program echo is a Lambda function that does as the event says.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	fmt.Println("started with", os.Getenv("GREETING"))
	if os.Getenv("BROKEN") != "" {
		url := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/init/error"
		resp, err := http.Post(url, "application/json", bytes.NewBufferString(`{"errorMessage": "it is broken", "errorType": "Runtime.Broken"}`))
		fmt.Println(resp.Status, err)
		os.Exit(3)
	}
	lambda.Start(answer)
}

func answer(ctx context.Context, e events.LambdaFunctionURLRequest) (*events.LambdaFunctionURLResponse, error) {
	switch e.RawPath {
	case "/fail":
		return nil, errors.New("told to")
	case "/exit":
		os.Exit(4)
	case "/hang":
		<-ctx.Done()
	case "/large":
		e.Body = strings.Repeat("x", 6<<20)
	}
	return &events.LambdaFunctionURLResponse{
		StatusCode: http.StatusTeapot,
		Headers:    map[string]string{"x-cookies": strings.Join(e.Cookies, "|"), "x-list": e.Headers["x-list"], "x-query": e.RawQueryString},
		Cookies:    []string{"a=1", "b=2"},
		Body:       e.Body, IsBase64Encoded: e.IsBase64Encoded,
	}, nil
}
