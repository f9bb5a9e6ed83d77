// The program hello is the smallest HTTP function: what a cold start costs at least.
package main

import (
	"context"
	"net/http"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func main() { lambda.Start(answer) }

func answer(context.Context, events.LambdaFunctionURLRequest) (*events.LambdaFunctionURLResponse, error) {
	return &events.LambdaFunctionURLResponse{StatusCode: http.StatusOK, Body: "hello"}, nil
}
