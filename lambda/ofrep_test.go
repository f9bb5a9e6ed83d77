package lambda

import (
	"bytes"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// ofrep returns a schema of testdata/ofrep-0.3.0.json.
func ofrep(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	schemas.mu.Lock()
	defer schemas.mu.Unlock()
	s, err := schemas.compiler.Compile("testdata/ofrep-0.3.0.json#/$defs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var schemas = struct {
	mu       sync.Mutex
	compiler *jsonschema.Compiler
}{compiler: jsonschema.NewCompiler()}

// checkOFREP checks a response against OFREP's schema for its path and status.
func checkOFREP(t testing.TB, path string, status int, body []byte) {
	t.Helper()
	_, rest, ok := strings.Cut(path, flagsPath)
	if !ok || status == http.StatusNoContent || status == http.StatusNotModified {
		return
	}
	name := "general"
	nothing := bytes.Contains(body, []byte("there is nothing at this path")) // a path that only looks like it
	switch one := rest != "" && !nothing; {
	case one && status == http.StatusOK:
		name = "success"
	case one && status == http.StatusBadRequest:
		name = "failure"
	case one && status == http.StatusNotFound:
		name = "notFound"
	case status == http.StatusOK:
		name = "all"
	case status == http.StatusBadRequest:
		name = "allFailure"
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = ofrep(t, name).Validate(value)
	}
	if err != nil {
		t.Errorf("a %d of %s isn't a valid %q of OFREP: %v\n%s", status, path, name, err, body)
	}
}
