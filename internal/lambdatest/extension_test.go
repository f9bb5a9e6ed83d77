//go:build unix

package lambdatest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
)

// TestExtension checks that a function gets its next event only when its extension is done
// with the one before.
func TestExtension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newRuntimeAPI()
		do := func(method, path, body string, header ...string) int {
			r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
			for i := 0; i < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			w := httptest.NewRecorder()
			api.ServeHTTP(w, r)
			return w.Code
		}
		const register, ext, next = "/2020-01-01/extension/register", "/2020-01-01/extension/event/next",
			"/2018-06-01/runtime/invocation/next"
		if got := do("POST", register, `{"events":["INVOKE","SHUTDOWN"]}`, "Lambda-Extension-Name",
			"a"); got != http.StatusBadRequest {
			t.Errorf("an internal extension asks for SHUTDOWN: %d", got)
		}
		if got := do("POST", register, `{"events":["INVOKE"]}`, "Lambda-Extension-Name", "a"); got != http.StatusOK {
			t.Errorf("registering: %d", got)
		}
		if got := do("GET", ext, "", "Lambda-Extension-Identifier", "other"); got != http.StatusForbidden {
			t.Errorf("an unknown extension: %d", got)
		}
		taken := func() bool {
			synctest.Wait()
			select {
			case api.pending <- &invocation{answer: make(chan answer, 1)}:
				return true
			default:
				return false
			}
		}
		function, extension := make(chan int), make(chan int)
		for range 2 {
			go func() { function <- do("GET", next, "") }()
			if taken() {
				t.Fatal("the function gets an event before the extension is ready")
			}
			go func() { extension <- do("GET", ext, "", "Lambda-Extension-Identifier", extensionID) }()
			if !taken() {
				t.Fatal("the function gets no event although the extension is ready")
			}
			if one, two := <-function, <-extension; one != http.StatusOK || two != http.StatusOK {
				t.Errorf("the function's event: %d, the extension's: %d", one, two)
			}
		}
		if got := do("POST", register, `{"events":["INVOKE"]}`, "Lambda-Extension-Name",
			"b"); got != http.StatusForbidden {
			t.Errorf("registering too late: %d", got)
		}
	})
}

// TestEmulate checks that the emulator runs a function, and what it does with errors.
func TestEmulate(t *testing.T) {
	e := Emulate(t, Config{Binary: echo, Env: []string{"GREETING=hello"}})
	for event, want := range map[string]string{`{"body": "a"}`: `"body":"a"`,
		`{"rawPath": "/fail"}`: `"errorMessage":"told to"`} {
		if out, err := e.Invoke(t.Context(), []byte(event)); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("the answer to %s is %s, %v", event, out, err)
		}
	}
	if !strings.Contains(e.Log(), "started with hello") {
		t.Errorf("log is %q", e.Log())
	}
}
