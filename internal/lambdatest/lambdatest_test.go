//go:build unix

package lambdatest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

var echo string // the binary of testdata/echo

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "lambdatest-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if echo, err = Build(dir, "./testdata/echo"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

func TestBuildFails(t *testing.T) {
	if _, err := Build(t.TempDir(), "./testdata/absent"); err == nil ||
		!strings.Contains(err.Error(), "building ./testdata/absent") {
		t.Errorf("error is %v", err)
	}
}

func TestInvoke(t *testing.T) {
	f := Start(t, Config{Binary: echo, Env: []string{"GREETING=hello"}})
	out, err := f.Invoke(t.Context(), []byte(`{"body": "a"}`))
	if err != nil || !strings.Contains(string(out), `"body":"a"`) {
		t.Errorf("answer is %s, %v", out, err)
	}
	if log := f.Log(); !strings.Contains(log, "started with hello") {
		t.Errorf("log is %q", log)
	}

	var reported *InvocationError
	if _, err = f.Invoke(t.Context(), []byte(`{"rawPath": "/fail"}`)); !errors.As(err, &reported) ||
		reported.Message != "told to" || reported.Init {
		t.Errorf("error is %v, want the reported one", err)
	}
	if _, err = f.Invoke(t.Context(), []byte(`{"rawPath": "/large"}`)); !errors.As(err, &reported) ||
		reported.Type != "Function.ResponseSizeTooLarge" {
		t.Errorf("error is %v, want that the answer is too large", err)
	}
}

func TestInvokeUntilDeadline(t *testing.T) {
	f := Start(t, Config{Binary: echo})
	if _, err := f.Invoke(t.Context(), []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	// The function hangs until the deadline that it is told of, so either of
	// the two may notice first.
	if _, err := f.Invoke(ctx, []byte(`{"rawPath": "/hang"}`)); err != nil &&
		!errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	if out, err := f.Invoke(t.Context(), []byte(`{"body": "next"}`)); err != nil ||
		!strings.Contains(string(out), "next") {
		t.Errorf("after a timeout the answer is %s, %v", out, err)
	}
}

func TestProcessEnds(t *testing.T) {
	f := Start(t, Config{Binary: echo})
	if _, err := f.Invoke(t.Context(), []byte(`{"rawPath": "/exit"}`)); err == nil ||
		!strings.Contains(err.Error(), "exit status 4") {
		t.Errorf("error is %v, want that the process has ended", err)
	}
	var exit *exec.ExitError
	if err := f.Wait(t.Context()); !errors.As(err, &exit) || exit.ExitCode() != 4 {
		t.Errorf("Wait returns %v", err)
	}
	if _, err := f.Invoke(t.Context(), []byte(`{}`)); err == nil {
		t.Error("a process that has ended answers")
	}
}

func TestInitError(t *testing.T) {
	f := Start(t, Config{Binary: echo, Env: []string{"BROKEN=1"}})
	for range 2 {
		var reported *InvocationError
		if _, err := f.Invoke(t.Context(), []byte(`{}`)); !errors.As(err, &reported) ||
			*reported != (InvocationError{"Runtime.Broken", "it is broken", true}) {
			t.Errorf("error is %#v", err)
		}
	}
	var exit *exec.ExitError
	if err := f.Wait(t.Context()); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("Wait returns %v", err)
	}
	if _, err := f.Invoke(t.Context(), []byte(`{}`)); err == nil || err.Error() != "Runtime.Broken: it is broken" {
		t.Errorf("after the process's end the error is %v", err)
	}
}

func TestServeHTTP(t *testing.T) {
	server := httptest.NewServer(Start(t, Config{Binary: echo}))
	defer server.Close()
	for _, test := range []struct{ contentType, body string }{
		{"application/json; charset=utf-8", `{"ä": 1}`},
		{"application/octet-stream", "\x00\xff"},
		{"text/plain", "not UTF-8: \xff"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+"/p?q=%20",
			strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", test.contentType)
		r.Header.Add("X-List", "1")
		r.Header.Add("X-List", "2")
		r.AddCookie(&http.Cookie{Name: "c", Value: "3"})
		r.AddCookie(&http.Cookie{Name: "d", Value: "4"})
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != test.body || resp.StatusCode != http.StatusTeapot {
			t.Errorf("%s: answer is %d %q, %v", test.contentType, resp.StatusCode, body, err)
		}
		h := resp.Header
		if h.Get("X-Cookies") != "c=3|d=4" || h.Get("X-List") != "1,2" || h.Get("X-Query") != "q=%20" ||
			len(h["Set-Cookie"]) != 2 {
			t.Errorf("headers are %v", h)
		}
	}
	resp, err := http.Post(server.URL+"/fail", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadGateway {
		t.Errorf("the status of a failure is %d", resp.StatusCode)
	}
}

func TestConcurrentInvokes(t *testing.T) {
	f := Start(t, Config{Binary: echo})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			body := strings.Repeat("z", i+1)
			out, err := f.Invoke(t.Context(), []byte(`{"body": "`+body+`"}`))
			if err != nil || !strings.Contains(string(out), `"`+body+`"`) {
				t.Errorf("answer is %s, %v", out, err)
			}
		})
	}
	wg.Wait()
}

func TestRuntimeAPIRefusesWhatLambdaRefuses(t *testing.T) {
	api := newRuntimeAPI()
	post := func(path string) int {
		w := httptest.NewRecorder()
		api.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/2018-06-01/runtime/"+path, strings.NewReader(`{}`)))
		return w.Code
	}
	for _, path := range []string{"invocation/x/response", "invocation/x/error"} {
		if status := post(path); status != http.StatusBadRequest {
			t.Errorf("%s: status is %d for an event that isn't under way", path, status)
		}
	}
	if status := post("init/error"); status != http.StatusAccepted {
		t.Errorf("init/error: status is %d", status)
	}
	if status := post("init/error"); status != http.StatusForbidden {
		t.Errorf("init/error: status is %d the second time", status)
	}
}
