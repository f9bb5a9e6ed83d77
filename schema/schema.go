// Package schema holds the JSON Schemas of flag files. Editors use them to
// complete keys, explain them, and mark errors as you type.
//
// The schemas accept everything that package ci accepts. Of what ci refuses,
// they catch what a single file shows; only the check finds errors that involve
// other files or arithmetic. A test in ci keeps both consistent.
package schema

import "embed"

// Files holds the schemas, JSON Schema 2020-12, one for each kind of file:
//
//	flag.json     NAMESPACE/KEY.yaml
//	tests.json    NAMESPACE/KEY.test.yaml
//	segment.json  segments/NAME.yaml
//	layer.json    layers/NAME.yaml
//	guard.json    guards/NAME.yaml
//	context.json  context.yaml
//	serin.json    serin.yaml
//
// They refer to condition.json, which must be in the same folder.
//
//go:embed *.json
var Files embed.FS

// Clients is the schema of the clients of an endpoint, a file beside no flag folder. A test
// in lambda/access keeps it consistent with what reads that file.
//
//go:embed endpoint/clients.json
var Clients []byte
