// Package schema holds JSON Schemas of flag files, for editors: they complete
// keys, show what a key means, and mark what can't be right while it is typed.
//
// The schemas refuse nothing that package ci accepts. Of what that refuses they
// see what a file shows by itself; what takes a look at other files, or
// arithmetic, only the check sees. A test in ci holds both to one verdict.
package schema

import "embed"

// Files holds the schemas, JSON Schema 2020-12, one for each kind of file:
//
//	flag.json     NAMESPACE/KEY.yaml
//	tests.json    NAMESPACE/KEY.test.yaml
//	segment.json  segments/NAME.yaml
//	layer.json    layers/NAME.yaml
//	context.json  context.yaml
//	serin.json    serin.yaml
//
// They refer to condition.json, which has to lie beside them.
//
//go:embed *.json
var Files embed.FS
