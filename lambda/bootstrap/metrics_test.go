//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/lambda"
	"github.com/serin-flags/serin/sdk"
)

// metricLines returns the lines in embedded metric format, and checks that CloudWatch would
// take them.
func metricLines(t *testing.T, log string) (lines []map[string]any) {
	t.Helper()
	for text := range strings.Lines(log) {
		if !strings.Contains(text, `"_aws"`) {
			continue
		}
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var head struct {
			AWS struct {
				Timestamp         int64
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct{ Name, Unit string }
				}
			} `json:"_aws"`
		}
		if err := json.Unmarshal([]byte(text), &head); err != nil || head.AWS.Timestamp == 0 ||
			len(head.AWS.CloudWatchMetrics) != 1 {
			t.Fatalf("%s: %v", text, err)
		}
		set := head.AWS.CloudWatchMetrics[0]
		if set.Namespace != "Serin" || len(set.Dimensions) != 1 || len(set.Metrics) == 0 {
			t.Errorf("the set is %+v", set)
		}
		for _, name := range set.Dimensions[0] {
			if value, ok := line[name].(string); !ok || value == "" {
				t.Errorf("the dimension %s is %v", name, line[name])
			}
		}
		for _, m := range set.Metrics {
			if _, ok := line[m.Name].(float64); !ok || m.Unit != "Count" && m.Unit != "Seconds" {
				t.Errorf("the metric %s is %v %s", m.Name, line[m.Name], m.Unit)
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// TestMetrics checks what is counted, and how often it is written.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, published := t.TempDir(), t.TempDir()
		if _, err := release.InitKeys(keys, "production"); err != nil {
			t.Fatal(err)
		}
		loaded, err := release.LoadKeys(keys)
		if err != nil {
			t.Fatal(err)
		}
		publish(t, filestore.New(published), loaded, 1)
		src := &counting{Source: sdk.FS(os.DirFS(published))}
		client, err := sdk.Open(t.Context(), sdk.Config{Source: src, Root: loaded.Root, Interval: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		var out bytes.Buffer
		m := &metrics{out: &out, client: client, function: "flags"}
		h := lambda.New(client, lambda.Config{BasePath: "/base", Observe: m.observe})
		m.load = h.Load
		ask := func(method, path string, status int) {
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(`{}`))); w.Code != status {
				t.Errorf("%s %s: status %d, not %d", method, path, w.Code, status)
			}
		}
		ask("POST", "/base/ofrep/v1/evaluate/flags/limit", 200)
		ask("POST", "/base/ofrep/v1/evaluate/flags", 200)
		ask("POST", "/base/ofrep/v1/evaluate/flags/absent", 404)
		m.observe("flags", 503, time.Millisecond)
		ask("GET", "/base/route/limit", 200)
		ask("GET", "/base/route/absent", 200)
		ask("OPTIONS", "/base/ofrep/v1/evaluate/flags", 204) // of a browser, before its request
		ask("GET", "/base/status", 200)
		ask("POST", "/ofrep/v1/evaluate/flags", 404)
		time.Sleep(12 * time.Second)
		src.fails = true
		for range 2 {
			if err := client.Refresh(t.Context()); err == nil {
				t.Fatal("the source doesn't fail")
			}
		}
		m.write(time.Now(), false)
		m.write(time.Now(), true) // nothing has happened
		time.Sleep(30 * time.Second)
		ask("POST", "/base/ofrep/v1/evaluate/flags", 200)
		m.write(time.Now(), false) // too early
		time.Sleep(30 * time.Second)
		m.write(time.Now(), false)
		ask("GET", "/base/route/absent", 200)
		m.write(time.Now(), true)

		lines := metricLines(t, out.String())
		if len(lines) != 3 {
			t.Fatalf("there are the lines\n%s", out.String())
		}
		for i, want := range []map[string]any{
			{"Evaluations": 6.0, "Rejected": 1.0, "Failures": 2.0, "ColdStarts": 1.0, "RefreshFailures": 2.0, "FlagsAge": 12.0, "FunctionName": "flags", "Environment": "production"},
			{"Evaluations": 1.0, "Rejected": 0.0, "Failures": 0.0, "ColdStarts": 0.0, "RefreshFailures": 0.0, "FlagsAge": 72.0},
			{"Evaluations": 1.0, "Failures": 1.0, "FlagsAge": 72.0},
		} {
			for name, value := range want {
				if lines[i][name] != value {
					t.Errorf("line %d: %s is %v, want %v", i, name, lines[i][name], value)
				}
			}
		}
		if left, ok := lines[0]["SecondsToExpiry"].(float64); !ok || left <= 0 || left > 7*24*3600 {
			t.Errorf("seconds to expiry: %v", lines[0]["SecondsToExpiry"])
		}
	})
}

// noLoad is the load of a handler that has had no request.
func noLoad() lambda.Load { return lambda.Load{} }

// TestMetricsWithoutFlags checks that what isn't known isn't reported as zero.
func TestMetricsWithoutFlags(t *testing.T) {
	keys := t.TempDir()
	if _, err := release.InitKeys(keys, "production"); err != nil {
		t.Fatal(err)
	}
	loaded, err := release.LoadKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	client, err := sdk.Open(t.Context(),
		sdk.Config{Source: sdk.FS(os.DirFS(t.TempDir())), Root: loaded.Root, Interval: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var out bytes.Buffer
	m := &metrics{out: &out, client: client, function: "flags", load: noLoad}
	m.write(time.Now(), false)
	line := metricLines(t, out.String())[0]
	for _, name := range []string{"FlagsAge", "SecondsToExpiry"} {
		if value, ok := line[name]; ok {
			t.Errorf("%s is %v", name, value)
		}
	}
	if line["State"] != "EMPTY" || line["RefreshFailures"] != 1.0 {
		t.Errorf("the line is %v", line)
	}
}

// TestAgeOfCopy checks that flags from the package are as old as that.
func TestAgeOfCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, published := t.TempDir(), t.TempDir()
		if _, err := release.InitKeys(keys, "production"); err != nil {
			t.Fatal(err)
		}
		loaded, err := release.LoadKeys(keys)
		if err != nil {
			t.Fatal(err)
		}
		publish(t, filestore.New(published), loaded, 1)
		client, err := sdk.Open(t.Context(),
			sdk.Config{Source: &counting{fails: true}, Root: loaded.Root, Baked: os.DirFS(published), Interval: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		var out bytes.Buffer
		m := &metrics{out: &out, client: client, function: "flags", load: noLoad}
		m.write(time.Now(), false)
		if age, ok := metricLines(t, out.String())[0]["FlagsAge"]; ok {
			t.Errorf("the age of a copy without a time is %v", age)
		}
		m = &metrics{out: &out, client: client, function: "flags", baked: time.Now().Add(-time.Hour), load: noLoad}
		m.write(time.Now(), false)
		if age := metricLines(t, out.String())[1]["FlagsAge"]; age != 3600.0 {
			t.Errorf("the age of a copy is %v", age)
		}
	})
}

// TestLogs checks the fields and the levels of logs.
func TestLogs(t *testing.T) {
	defer currentRequest.Store(nil)
	var out bytes.Buffer
	log := newLogger(&out, "WARN").With("environment", "production")
	log.Info("not written")
	log.Warn("before requests", "error", errors.New("why"))
	id := "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
	currentRequest.Store(&id)
	log.WithGroup("g").Error("in a request")
	var lines []map[string]any
	for text := range strings.Lines(out.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		if _, err := time.Parse(time.RFC3339Nano, line["timestamp"].(string)); err != nil {
			t.Error(err)
		}
		lines = append(lines, line)
	}
	if len(lines) != 2 || lines[0]["level"] != "WARN" || lines[0]["message"] != "before requests" ||
		lines[0]["error"] != "why" ||
		lines[0]["environment"] != "production" || lines[0]["requestId"] != nil {
		t.Errorf("the lines are %v", lines)
	}
	if lines[1]["level"] != "ERROR" || !strings.Contains(out.String(), `"requestId":"`+id+`"`) {
		t.Errorf("the lines are %v", lines)
	}
	for name, want := range map[string]string{"": "INFO", "TRACE": "DEBUG", "DEBUG": "DEBUG", "INFO": "INFO",
		"ERROR": "ERROR", "FATAL": "ERROR"} {
		if got := logLevel(name).String(); got != want {
			t.Errorf("%q is %s", name, got)
		}
	}
}
