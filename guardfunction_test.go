//go:build unix

package serin_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/internal/kmstest"
	"github.com/serin-flags/serin/internal/lambdatest"
	"github.com/serin-flags/serin/internal/s3test"
)

// slow answers as Prometheus does about a value that is 5 all the time, and only to whoever has
// the credentials.
func slow(credentials string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		number := func(name string) int {
			n, err := strconv.ParseFloat(r.FormValue(name), 64)
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
			}
			return int(n)
		}
		if r.Header.Get("Authorization") != "Bearer "+credentials {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var values []string
		for at := number("start"); at <= number("end"); at += max(number("step"), 1) {
			values = append(values, fmt.Sprintf(`[%d,"5"]`, at))
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[%s]}]}}`,
			strings.Join(values, ","))
	}
}

// A function is one that runs in the double of the Runtime API or under AWS's emulator.
type function interface {
	Invoke(ctx context.Context, event []byte) ([]byte, error)
	Log() string
}

// logged waits until a function has logged a text, which can be after its answer, and returns
// the log.
func logged(t *testing.T, f function, text string) string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		log := f.Log()
		if strings.Contains(log, text) {
			return log
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log doesn't have %q:\n%s", text, log)
		}
	}
}

// TestGuardFunction has the guard be a Lambda function that EventBridge invokes, with the flags
// in S3 and the key in KMS: it rolls back a release, and then has nothing to do.
func TestGuardFunction(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T, cfg lambdatest.Config) function{
		"double":   func(t *testing.T, cfg lambdatest.Config) function { return lambdatest.Start(t, cfg) },
		"emulator": func(t *testing.T, cfg lambdatest.Config) function { return lambdatest.Emulate(t, cfg) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const credentials = "canary-of-the-function"
			prometheus := httptest.NewServer(slow(credentials))
			t.Cleanup(prometheus.Close)
			f := newGuardFunction(t, prometheus.URL)
			env := append(f.env, "SERIN_ENV=production", "SERIN_TO=s3://flags/shop",
				"SERIN_KEYS="+filepath.Join(f.dir, "keys"),
				"SERIN_GUARD_CREDENTIALS="+prometheus.URL+" bearer "+credentials)
			guard := start(t, lambdatest.Config{Binary: command(t), Env: env})
			event := []byte(`{"version":"0","detail-type":"Scheduled Event","source":"aws.events"}`)
			for _, want := range []string{`{"status":4}`, `{"status":0}`} {
				if out, err := guard.Invoke(t.Context(), event); err != nil || string(out) != want {
					t.Errorf("the function answers %s, %v; want %s", out, err, want)
				}
			}
			logged(t, guard, `"action":"roll back","from":"1%","to":"0%","reason":"latency failed: `)
			log := logged(t, guard, `"action":"nothing"`)
			if strings.Contains(log, credentials) {
				t.Errorf("the log has the credentials:\n%s", log)
			}
			if out := f.serin(t, "release", "index", "--from", "s3://flags/shop/production", "--root",
				"keys/root.json"); !strings.Contains(out, "rolled back") {
				t.Errorf("published is\n%s", out)
			}

			// What is wrong is an error, for the alarm on errors.
			broken := start(t, lambdatest.Config{Binary: command(t),
				Env: append(env[:len(env):len(env)], "SERIN_TO=s3://flags/nowhere")})
			out, err := broken.Invoke(t.Context(), event)
			if text := fmt.Sprint(string(out), err); !strings.Contains(text, "serin guard ended with status 1") {
				t.Errorf("it answers %s", text)
			}
			logged(t, broken, "nothing is published in environment production")
		})
	}
}

// A guardFunction is what the function works on.
type guardFunction struct {
	dir string
	env []string
}

// newGuardFunction publishes a release at 1% to S3, with a key in KMS.
func newGuardFunction(t *testing.T, prometheus string) guardFunction {
	t.Helper()
	storage, vault := s3test.Start(t), kmstest.Start(t)
	storage.CreateBucket(t, "flags")
	vault.Accept(storage.AccessKey, storage.SecretKey)
	f := guardFunction{t.TempDir(), append(storage.Env(), "AWS_ENDPOINT_URL_KMS="+vault.Endpoint)}
	for name, text := range map[string]string{
		"serin.yaml":   "environments: [production]\n",
		"context.yaml": "attributes:\n  user: {type: string, unit: true}\n",
		"guards/slo.yaml": fmt.Sprintf("environments: [production]\nsources: {prom: {prometheus: %q}}\n"+
			"metrics: [{name: latency, value: {prom: 'latency{arm=\"$arm\"}[$window]'}, max: 0.8}]\n", prometheus),
		"search/index.yaml": releaseFiles["flags/search/index.yaml"],
		"releases.lock":     releaseFiles["flags/releases.lock"],
	} {
		path := filepath.Join(f.dir, "flags", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.serin(t, "keys", "init", "keys", "--env", "production", "--online", "awskms:///"+vault.CreateKey(t, "flags"))
	f.serin(t, "publish", "flags", "--env", "production", "--to", "s3://flags/shop", "--keys", "keys")
	return f
}

func (f guardFunction) serin(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command(t), args...)
	cmd.Dir, cmd.Env = f.dir, append(os.Environ(), f.env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("serin %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
