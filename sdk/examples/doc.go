// Package examples contains four programs that use package sdk in different ways:
//
//   - web: a web service, with a context for each request and a health check
//   - worker: pauses while a flag says so; two sources
//   - function: an AWS Lambda function, which polls when requests arrive
//   - kubernetes: reads a volume that a sidecar fills; includes the manifest
//
// The tests in this folder build them and run them against published flags.
package examples
