package prometheus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/guard"
)

const canary = "canary-5f1d"

// query asks for 3 periods of a minute in both arms.
func query() guard.Query {
	return guard.Query{
		Text: `bad{arm="$arm"}[$window]`, Flag: "flag", Environment: "production",
		Arms:  []string{guard.New, guard.Rest},
		Start: time.Unix(1_800_000_000, 0), Period: time.Minute, Periods: 3, Scrape: 20 * time.Second,
	}
}

// serve starts a server, and opens it with credentials.
func serve(t testing.TB, handler http.HandlerFunc) *Source {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	credentials, err := ParseCredentials(server.URL + " bearer " + canary)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(server.URL+"/prefix/", credentials)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// matrix is the answer with these series.
func matrix(series ...string) string {
	return `{"status":"success","data":{"resultType":"matrix","result":[` + strings.Join(series, ",") + `]}}`
}

const (
	newSeries  = `{"metric":{"serin_arm":"new"},"values":[[1800000060,"4"],[1800000120,"NaN"],[1800000180,"8"]]}`
	restSeries = `{"metric":{},"values":[[1800000120,"12"]]}`
)

func TestRange(t *testing.T) {
	var form url.Values
	var header http.Header
	var path string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		form, header, path = r.Form, r.Header, r.URL.Path
		w.Header().Set("Date", "Fri, 15 Jan 2027 08:00:00 GMT")
		fmt.Fprint(w, matrix(newSeries, restSeries))
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	answer, err := s.Range(ctx, query())
	if err != nil {
		t.Fatal(err)
	}
	want := "label_replace((\nbad{arm=\"new\"}[80s]\n), \"serin_arm\", \"new\", \"\", \"\")\nor\n(\nbad{arm=\"rest\"}[80s]\n)"
	if form.Get("query") != want || answer.Sent != want {
		t.Errorf("sent %s", form.Get("query"))
	}
	for name, want := range map[string]string{"start": "1800000060", "end": "1800000180", "step": "60",
		"lookback_delta": "40s", "timeout": "59m59s"} {
		if form.Get(name) != want {
			t.Errorf("%s is %s, not %s", name, form.Get(name), want)
		}
	}
	if path != "/prefix/api/v1/query_range" || header.Get("Authorization") != "Bearer "+canary {
		t.Errorf("path %s, header %v", path, header)
	}
	// Windows of 80 s overlap by 20 s, which counts once.
	nan := math.NaN()
	for arm, want := range map[string][]float64{guard.New: {3, nan, 6}, guard.Rest: {nan, 9, nan}} {
		if got := answer.Values[arm]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, not %v", arm, got, want)
		}
	}
	if !answer.Clock.Equal(time.Date(2027, 1, 15, 8, 0, 0, 0, time.UTC)) || strings.Contains(answer.Host, "/") {
		t.Errorf("clock %v, host %s", answer.Clock, answer.Host)
	}
	// Values aren't scaled, and have a window of their own.
	q := query()
	q.Arms, q.Window = q.Arms[:1], 100*time.Second
	if answer, err = s.Range(t.Context(), q); err == nil || !strings.Contains(err.Error(), "several series") {
		t.Errorf("two series for one arm: %v, %v", answer.Values, err)
	}
	if answer.Sent != `bad{arm="new"}[100s]` {
		t.Errorf("sent %s", answer.Sent)
	}
}

// TestFaults holds that whatever a server answers, its error says what is wrong, and neither
// the error nor the answer has the credentials, even if the server sends them back.
func TestFaults(t *testing.T) {
	respond := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, strings.ReplaceAll(body, "ECHO", r.Header.Get("Authorization")))
		}
	}
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"bad query", respond(400, `{"status":"error","errorType":"bad_data","error":"parse error ECHO"}`), "HTTP 400: parse error Bearer (hidden)"},
		{"unauthorized", respond(401, "ECHO"), "HTTP 401: it wants other credentials than this deployment has for it"},
		{"forbidden", respond(403, "ECHO"), "HTTP 403: it wants other credentials"},
		{"too slow for it", respond(503, `{"status":"error","errorType":"timeout","error":"query timed out"}`), "HTTP 503: server error: 503"},
		{"broken", respond(502, "<html>ECHO</html>"), "HTTP 502: server error: 502"},
		{"not found", respond(404, "ECHO"), "HTTP 404: client error: 404"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other?token="+r.Header.Get("Authorization"), http.StatusFound)
		}, "HTTP 302: it redirects, which isn't followed"},
		{"html", respond(200, "<html>ECHO"), "asking Prometheus at"},
		{"empty", respond(200, ""), "asking Prometheus at"},
		{"error", respond(200, `{"status":"error","errorType":"execution","error":"ECHO"}`), "asking Prometheus at"},
		{"cut off", respond(200, matrix(newSeries)[:80]), "asking Prometheus at"},
		{"warnings", respond(200, strings.Replace(matrix(newSeries), `{`, `{"warnings":["partial ECHO"],`, 1)), "the answer has warnings: partial Bearer (hidden)"},
		{"vector", respond(200, `{"status":"success","data":{"resultType":"vector","result":[]}}`), "instead of a matrix"},
		{"scalar", respond(200, `{"status":"success","data":{"resultType":"scalar","result":[1800000060,"NaN"]}}`), "instead of a matrix"},
		{"same arm twice", respond(200, matrix(newSeries, newSeries)), "several series"},
		{"rest twice", respond(200, matrix(restSeries, `{"metric":{"a":"b"},"values":[[1800000060,"4"]]}`)), "several series"},
		{"another arm", respond(200, matrix(`{"metric":{"serin_arm":"x"},"values":[[1800000060,"4"]]}`)), "belongs to neither arm"},
		{"another time", respond(200, matrix(`{"metric":{"serin_arm":"new"},"values":[[1800000061,"4"]]}`)), "at a time that wasn't asked for"},
		{"too early", respond(200, matrix(`{"metric":{"serin_arm":"new"},"values":[[1800000000,"4"]]}`)), "at a time that wasn't asked for"},
		{"too late", respond(200, matrix(`{"metric":{"serin_arm":"new"},"values":[[1800000240,"4"]]}`)), "at a time that wasn't asked for"},
		{"a time twice", respond(200, matrix(`{"metric":{"serin_arm":"new"},"values":[[1800000060,"4"],[1800000060,"4"]]}`)), "at a time that wasn't asked for"},
		{"histogram", respond(200, matrix(`{"metric":{"serin_arm":"new"},"histograms":[[1800000060,{"count":"1","sum":"1","buckets":[]}]]}`)), "is a histogram"},
		{"endless", func(w http.ResponseWriter, r *http.Request) {
			for range 10 << 10 {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}, "the answer has more than 4194304 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, tt.handler)
			answer, err := s.Range(t.Context(), query())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want one with %q", err, tt.want)
			}
			if all := fmt.Sprintf("%+v %+v %v", err, answer, s); strings.Contains(all[:len(fmt.Sprint(err))],
				canary) || len(err.Error()) > 1000 {
				t.Errorf("the error has the credentials, or is long: %v", err)
			}
			if strings.Contains(fmt.Sprintf("%+v", answer), canary) {
				t.Errorf("the answer has the credentials: %+v", answer)
			}
		})
	}
}

// A server that doesn't answer, or not for long enough, is slow.
func TestSlow(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"no answer": func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body) // or the server wouldn't learn that the client has gone
			<-r.Context().Done()
		},
		"a beginning": func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, `{"status":`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	} {
		s := serve(t, handler)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := s.Range(ctx, query()); !errors.Is(err, guard.ErrSlow) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	server := httptest.NewServer(nil)
	server.Close()
	s, err := Open(server.URL, Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Range(t.Context(), query()); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("nobody listens: error %v", err)
	}
}

// A certificate that isn't trusted is an error, before credentials are sent.
func TestTLS(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		fmt.Fprint(w, matrix(newSeries))
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	credentials, err := ParseCredentials(server.URL + " basic user:" + canary)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(server.URL, credentials)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = s.Range(t.Context(), query()); err == nil || !strings.Contains(err.Error(), "certificate") ||
		asked.Load() > 0 {
		t.Errorf("error %v, asked %d times", err, asked.Load())
	}
	if s, err = open(server.URL, credentials, server.Client().Transport); err != nil {
		t.Fatal(err)
	}
	if _, err = s.Range(t.Context(), query()); err != nil {
		t.Error(err)
	}
}

// TestCredentials holds that a server gets its credentials and no other's.
func TestCredentials(t *testing.T) {
	const text = `
# comment
https://one.test bearer one-` + canary + `
  https://TWO.test:9090/  basic user:two-` + canary + `
http://three.test BEARER three-` + canary + "\n"
	c, err := ParseCredentials(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), c.String()} {
		if printed != "http://three.test:80 https://one.test:443 https://two.test:9090" {
			t.Errorf("printed as %s", printed)
		}
	}
	for address, want := range map[string]string{
		"https://one.test":                   "Bearer one-" + canary,
		"https://one.test:443/prefix":        "Bearer one-" + canary,
		"https://ONE.test/":                  "Bearer one-" + canary,
		"https://two.test:9090":              "Basic " + basic("user", "two-"+canary),
		"http://three.test/a":                "Bearer three-" + canary,
		"http://one.test":                    "",
		"https://one.test:8443":              "",
		"https://two.test":                   "",
		"https://three.test":                 "",
		"https://one.test.evil.test":         "",
		"https://evil.one.test":              "",
		"https://evil.test/https://one.test": "",
	} {
		got := "not asked"
		s, err := open(address, c, roundTripper(func(r *http.Request) (*http.Response, error) {
			got = r.Header.Get("Authorization")
			return nil, errors.New("no network")
		}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Range(t.Context(), query()); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: error %v", address, err)
		}
		if got != want {
			t.Errorf("%s got %q, want %q", address, got, want)
		}
	}
	for _, address := range []string{"https://user:" + canary + "@one.test", "https://one.test?x=" + canary,
		"one.test", "file:///" + canary, "https://", "%"} {
		if _, err := Open(address, c); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: error %v", address, err)
		}
	}
}

type roundTripper func(r *http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestBadCredentials(t *testing.T) {
	for line, want := range map[string]string{
		"https://a.test " + canary:                                     "it is a URL, then bearer or basic",
		"https://a.test bearer " + canary + " more":                    "it is a URL, then bearer or basic",
		canary + " bearer " + canary:                                   "it starts with the URL of a server",
		"https://a.test/" + canary + " bearer " + canary:               "it starts with the URL of a server",
		"https://u:" + canary + "@a.test bearer " + canary:             "it starts with the URL of a server",
		"https://a.test token " + canary:                               "the second word is bearer or basic",
		"https://a.test basic " + canary:                               "basic credentials are USER:PASSWORD",
		"https://a.test basic :" + canary:                              "basic credentials are USER:PASSWORD",
		"https://a.test bearer " + canary + "é":                        "other than those of ASCII",
		"https://a.test bearer x\nhttps://a.test:443 bearer " + canary: "an earlier line has the same server",
	} {
		_, err := ParseCredentials("\n" + line)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "line ") ||
			strings.Contains(err.Error(), canary) {
			t.Errorf("%s: error %v", line, err)
		}
	}
}

// FuzzAnswer holds that an answer is an error or has a number or nothing for each period.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		matrix(newSeries, restSeries), matrix(), "", "{", `{"status":"error","error":"x"}`,
		matrix(newSeries, newSeries),
		`{"status":"success","data":{"resultType":"scalar","result":[1,"NaN"]}}`,
		matrix(`{"metric":{"serin_arm":"new"},"values":[[1e300,"4"]]}`),
		matrix(`{"metric":{"serin_arm":"new"},"values":[[-9223372036854775808,"1e999"]]}`),
		matrix(`{"metric":null,"values":null}`),
		`{"status":"success","data":{"resultType":"matrix","result":null},"warnings":null,"infos":[1]}`,
		matrix(`{"metric":{"serin_arm":"new"},"histograms":[[1800000060,{"count":"1","sum":"1","buckets":[[0,"1","2","3"]]}]]}`),
	} {
		f.Add([]byte(body), 200, 2)
		f.Add([]byte(body), 400, 1)
	}
	f.Fuzz(func(t *testing.T, body []byte, status, arms int) {
		if status < 200 || status > 599 {
			return
		}
		q := query()
		if arms == 1 {
			q.Arms = q.Arms[:1]
		}
		c, err := ParseCredentials("http://prometheus.test bearer " + canary)
		if err != nil {
			t.Fatal(err)
		}
		s, err := open("http://prometheus.test", c, roundTripper(func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			w.WriteHeader(status)
			w.Write(body)
			return w.Result(), nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := s.Range(t.Context(), q)
		if err != nil {
			return
		}
		if status >= 300 {
			t.Errorf("status %d is no error", status)
		}
		for arm, values := range answer.Values {
			if len(values) != q.Periods || arm != guard.New && arm != guard.Rest {
				t.Errorf("arm %q has %v", arm, values)
			}
		}
	})
}

// FuzzCredentials holds that no text makes ParseCredentials tell what is in it.
func FuzzCredentials(f *testing.F) {
	f.Add("https://a.test bearer ", "")
	f.Add("https://a.test basic u:", "\nx")
	f.Fuzz(func(t *testing.T, before, after string) {
		c, err := ParseCredentials(before + canary + after)
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Error(err)
		}
		if s := fmt.Sprintf("%#v", c); strings.Contains(s, canary) && !strings.Contains(s, "://") {
			t.Error(s)
		}
	})
}
