package metrics

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/lambda"
	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/sdktest"
)

// A scene is a client of a publisher, and a handler that is measured.
type scene struct {
	*sdktest.Publisher
	client  *sdk.Client
	handler *lambda.Handler
	metrics http.Handler
}

func newScene(t *testing.T) *scene {
	s := &scene{Publisher: sdktest.NewPublisher(t, "production")}
	source, err := sdk.HTTP(s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.client, err = sdk.Open(t.Context(),
		sdk.Config{Source: source, Root: s.Root, Interval: -1, InitTimeout: -1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.client.Close() })
	m := New("v1.2.3")
	s.handler = lambda.New(s.client, lambda.Config{Observe: m.Observe})
	s.metrics = m.Handler(s.handler, s.client)
	return s
}

// ask has the handler answer a request.
func (s *scene) ask(method, path string) {
	s.handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path, nil))
}

// samples returns what Prometheus would get, by name and labels.
func (s *scene) samples(t *testing.T) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	s.metrics.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	all := make(map[string]string)
	for line := range strings.Lines(w.Body.String()) {
		if i := strings.LastIndexByte(line, ' '); !strings.HasPrefix(line, "#") {
			all[line[:i]] = strings.TrimSpace(line[i:])
		}
	}
	return all
}

func (s *scene) check(t *testing.T, when string, want map[string]string) {
	t.Helper()
	got := s.samples(t)
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s: %s is %q, want %q", when, name, got[name], value)
		}
	}
}

func TestMetrics(t *testing.T) {
	s := newScene(t)
	s.check(t, "without flags", map[string]string{
		`serin_client_revision{environment="production"}`:                       "0",
		`serin_client_state{environment="production",state="empty"}`:            "1",
		`serin_client_data_age_seconds{environment="production"}`:               "",
		`serin_client_expiry_seconds{environment="production"}`:                 "",
		`serin_client_errors_total{class="signature",environment="production"}`: "0",
		`serin_http_requests_total{code="503",endpoint="flag"}`:                 "0",
	})
	s.Publish(map[string]any{"fast": true})
	if err := s.client.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Down()
	if s.client.Refresh(t.Context()) == nil {
		t.Fatal("no error while the source is down")
	}
	s.ask(http.MethodPost, "/ofrep/v1/evaluate/flags/fast")
	s.ask(http.MethodPost, "/ofrep/v1/evaluate/flags/absent")
	s.ask(http.MethodPost, "/ofrep/v1/evaluate/flags")
	s.ask(http.MethodGet, "/route/fast")
	s.ask(http.MethodGet, "/route/absent")
	s.check(t, "with flags", map[string]string{
		`serin_build_info{goversion="` + runtime.Version() + `",version="v1.2.3"}`: "1",
		`serin_client_revision{environment="production"}`:                          "1",
		`serin_client_state{environment="production",state="empty"}`:               "0",
		`serin_client_state{environment="production",state="stale"}`:               "1",
		`serin_client_polls_total{environment="production"}`:                       "1",
		`serin_client_held{environment="production"}`:                              "0",
		`serin_client_errors_total{class="network",environment="production"}`:      "1",
		`serin_http_requests_total{code="200",endpoint="flag"}`:                    "1",
		`serin_http_requests_total{code="404",endpoint="flag"}`:                    "1",
		`serin_http_requests_total{code="200",endpoint="flags"}`:                   "1",
		`serin_http_requests_total{code="200",endpoint="route"}`:                   "2",
		`serin_http_request_duration_seconds_count{endpoint="flag"}`:               "2",
		`serin_route_decisions_total{outcome="routed"}`:                            "1",
		`serin_route_decisions_total{outcome="unrouted"}`:                          "1",
		`serin_event_streams`: "0",
	})
	got := s.samples(t)
	for _, name := range []string{`serin_client_data_age_seconds{environment="production"}`,
		`serin_client_expiry_seconds{environment="production"}`,
		`serin_client_size_bytes{environment="production"}`,
		`serin_client_downloaded_bytes_total{environment="production"}`, "process_start_time_seconds",
		"go_goroutines"} {
		if got[name] == "" || strings.HasPrefix(got[name], "-") {
			t.Errorf("%s is %q", name, got[name])
		}
	}
}

// TestLabels holds that nothing in a request adds a series, so that nobody can fill the
// memory of the server or of Prometheus, and that no label has a part of a request.
func TestLabels(t *testing.T) {
	s := newScene(t)
	s.Publish(map[string]any{"fast": true})
	if err := s.client.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := len(s.samples(t))
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"} {
		for _, path := range []string{"/", "/metrics", "/secret", "/route/secret", "/route/", "/route/fast?u=secret",
			"/status", "/status/secret", "/healthz",
			"/ofrep/v1/evaluate/flags/secret", "/ofrep/v1/evaluate/flags/", "/ofrep/v1/evaluate/flags",
			"/ofrep/v1/events"} {
			s.ask(method, path)
		}
	}
	got := s.samples(t)
	if len(got) != before {
		t.Errorf("%d series became %d", before, len(got))
	}
	for name := range got {
		if strings.Contains(name, "secret") {
			t.Errorf("a part of a request is in %s", name)
		}
	}
}

// TestOtherCodes holds that codes which aren't foreseen are counted too.
func TestOtherCodes(t *testing.T) {
	m := New("")
	client := sdktest.New(t, nil).Client
	s := &scene{metrics: m.Handler(lambda.New(client, lambda.Config{}), client)}
	m.Observe("flag", 418, time.Millisecond)
	m.Observe("unheard of", 200, time.Millisecond)
	s.check(t, "afterwards", map[string]string{`serin_http_requests_total{code="418",endpoint="flag"}`: "1"})
}

func BenchmarkObserve(b *testing.B) {
	m := New("")
	b.ReportAllocs()
	for b.Loop() {
		m.Observe("route", 200, 20*time.Microsecond)
	}
}
