// Package examples holds four programs that use package sdk, each in its own way:
//
//   - web: a web service, with a context for each request and a health check
//   - worker: rests while a flag says so; two sources
//   - function: an AWS Lambda function, which polls when it is asked
//   - kubernetes: reads a volume that a sidecar fills; with its manifest
//
// They are built and run by the tests here, against published flags.
package examples
