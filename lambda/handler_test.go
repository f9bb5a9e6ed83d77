package lambda

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/canary"
	"github.com/serin-flags/serin/lambda/internal/limit"
)

// ask has handler answer a request and checks what holds for all answers.
func ask(t testing.TB, handler http.Handler, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if origin := w.Header().Get("Access-Control-Allow-Origin"); origin != "*" {
		t.Errorf("Access-Control-Allow-Origin is %q", origin)
	}
	checkOFREP(t, r.URL.Path, w.Code, w.Body.Bytes())
	switch w.Code {
	case http.StatusNoContent, http.StatusNotModified:
		if w.Body.Len() > 0 {
			t.Errorf("a %d has the body %q", w.Code, w.Body)
		}
	default:
		if !json.Valid(w.Body.Bytes()) || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("a %d has a body of type %q that is not JSON: %q", w.Code, w.Header().Get("Content-Type"), w.Body)
		}
	}
	return w
}

// post returns a request for flags, which has canaries besides what body says.
func post(path, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(canary.Context(body)))
	canary.Plant(r)
	return r
}

func TestOneFlag(t *testing.T) {
	handler := New(newEstate(t, testRuleset()).open(t), Config{})
	tests := []struct {
		name, flag, body, want string
	}{
		{"default", "banner", `{"context":{"targetingKey":"u-1"}}`,
			`{"key":"banner","metadata":{"environment":"production","flagSetId":"production","revision":1,"version":"1"},"reason":"DEFAULT","value":"<b>&\u2028\"","variant":"plain"}`},
		{"match", "banner", `{"context":{"city":"lhasa"}}`,
			`{"key":"banner","metadata":{"environment":"production","flagSetId":"production","revision":1,"rule":"not there yet","version":"1"},"reason":"TARGETING_MATCH","value":"","variant":"none"}`},
		{"split", "new-checkout", `{"context":{"targetingKey":"u-1"}}`,
			`{"key":"new-checkout","metadata":{"Weight":3,"environment":"production","experiment":true,"flagSetId":"production","owner":"growth","revision":1,"rule":"half","share":0.5,"version":"1"},"reason":"SPLIT","value":true,"variant":"on"}`},
		{"missing targeting key", "new-checkout", `{}`,
			`{"key":"new-checkout","metadata":{"Weight":3,"environment":"production","flagSetId":"production","missingUnit":"user","owner":"<checkout>","revision":1,"version":"1"},"reason":"DEFAULT","value":false,"variant":"off"}`},
		{"missing unit", "by-device", `{"context":{"targetingKey":"u-1"}}`,
			`{"key":"by-device","metadata":{"environment":"production","flagSetId":"production","missingUnit":"device","revision":1,"version":"1"},"reason":"DEFAULT","value":false,"variant":"off"}`},
		{"integer", "limit", `{"context":{"uid":8}}`,
			`{"key":"limit","metadata":{"environment":"production","flagSetId":"production","revision":1,"version":"1"},"reason":"DEFAULT","value":9007199254740993,"variant":"large"}`},
		{"integer attribute", "limit", `{"context":{"uid":17}}`,
			`{"key":"limit","metadata":{"environment":"production","flagSetId":"production","revision":1,"rule":"tail","version":"1"},"reason":"TARGETING_MATCH","value":-3,"variant":"small"}`},
		{"of equal attributes the last counts", "limit", `{"context":{"uid":8,"uid":17}}`,
			`{"key":"limit","metadata":{"environment":"production","flagSetId":"production","revision":1,"rule":"tail","version":"1"},"reason":"TARGETING_MATCH","value":-3,"variant":"small"}`},
		{"of equal attributes the last counts, null too", "limit", `{"context":{"uid":17,"uid":null}}`,
			`{"key":"limit","metadata":{"environment":"production","flagSetId":"production","revision":1,"version":"1"},"reason":"DEFAULT","value":9007199254740993,"variant":"large"}`},
		{"number", "rate", `{}`,
			`{"key":"rate","metadata":{"environment":"production","flagSetId":"production","revision":1,"version":"1","zone":""},"reason":"STATIC","value":0.25,"variant":"quarter"}`},
		{"object, disabled", "theme", `{}`,
			`{"key":"theme","metadata":{"environment":"production","flagSetId":"production","revision":1,"version":"1"},"reason":"DISABLED","value":{"ink":"#000","levels":[1,2.5]},"variant":"light"}`},
		{"long texts", "rate", `{"context":{"targetingKey":"` + strings.Repeat("x", 2*limit.Matched) + `","city":"` +
			strings.Repeat("x", 2*limit.Matched) + `"}}`,
			`{"key":"rate","metadata":{"environment":"production","flagSetId":"production","revision":1,"version":"1","zone":""},"reason":"STATIC","value":0.25,"variant":"quarter"}`},
		{"no body", "rate", ``,
			`{"key":"rate","metadata":{"environment":"production","flagSetId":"production","revision":1,"version":"1","zone":""},"reason":"STATIC","value":0.25,"variant":"quarter"}`},
		{"null context, other members", "rate", `{"context":null,"Context":5,"more":[]}`,
			`{"key":"rate","metadata":{"environment":"production","flagSetId":"production","revision":1,"version":"1","zone":""},"reason":"STATIC","value":0.25,"variant":"quarter"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := ask(t, handler, post(flagsPath+"/"+test.flag, test.body))
			if w.Code != http.StatusOK {
				t.Errorf("status is %d", w.Code)
			}
			if diff := cmp.Diff(test.want, w.Body.String()); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAllFlags(t *testing.T) {
	handler := New(newEstate(t, testRuleset()).open(t), Config{})
	w := ask(t, handler, post(flagsPath, `{"context":{"targetingKey":"u-1","city":"shenzhen"}}`))
	if w.Code != http.StatusOK {
		t.Errorf("status is %d", w.Code)
	}
	want := `{"flags":[` + strings.Join([]string{
		`{"key":"banner","metadata":{},"reason":"DEFAULT","value":"<b>&\u2028\"","variant":"plain"}`,
		`{"key":"by-device","metadata":{"missingUnit":"device"},"reason":"DEFAULT","value":false,"variant":"off"}`,
		`{"key":"limit","metadata":{},"reason":"DEFAULT","value":9007199254740993,"variant":"large"}`,
		`{"key":"new-checkout","metadata":{"Weight":3,"owner":"<checkout>","rule":"shenzhen"},"reason":"TARGETING_MATCH","value":true,"variant":"on"}`,
		`{"key":"rate","metadata":{"zone":""},"reason":"STATIC","value":0.25,"variant":"quarter"}`,
		`{"key":"theme","metadata":{},"reason":"DISABLED","value":{"ink":"#000","levels":[1,2.5]},"variant":"light"}`,
	}, ",") + `],"metadata":{"environment":"production","flagSetId":"production","revision":1,"version":"1"}}`
	if diff := cmp.Diff(want, w.Body.String()); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

// TestMetadata checks that a flag's metadata never stands where answers tell
// something of their own, and that what JSON can't carry is left out.
func TestMetadata(t *testing.T) {
	var names []evaluator.Attr
	for _, name := range []string{"rule", "revision", "missingUnit", "environment", "e", "f", "\"r\"", "z"} {
		names = append(names, evaluator.NewAttr(name, "mine"))
	}
	onOff := []evaluator.Variant{{Name: "on", Value: evaluator.BoolValue(true)},
		{Name: "off", Value: evaluator.BoolValue(false)}}
	program, err := evaluator.Compile(evaluator.Ruleset{
		Unit:       "user",
		Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}},
		Flags: []evaluator.Flag{{
			Key: "x", Type: evaluator.KindBool, Variants: onOff, Default: 1, Metadata: names,
			Rules: []evaluator.Rule{{Name: "all",
				Split: &evaluator.Split{Bucketing: evaluator.Bucketing{By: "user", Salt: "x",
					Hash: evaluator.HashMurmur3},
					Ranges: []evaluator.Range{{To: evaluator.Positions}}}}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	served, missing := program.Flag("x").Evaluate(&evaluator.Context{Key: "u-1"}),
		program.Flag("x").Evaluate(&evaluator.Context{})
	for _, test := range []struct {
		answer Answer
		want   string
	}{
		{Answer{Result: served}, `{"\"r\"":"mine","e":"mine","f":"mine","rule":"all","z":"mine"}`},
		{Answer{Result: missing}, `{"\"r\"":"mine","e":"mine","f":"mine","missingUnit":"user","z":"mine"}`},
		{Answer{Result: served, Environment: "staging", Revision: 3},
			`{"\"r\"":"mine","e":"mine","environment":"staging","f":"mine","flagSetId":"staging","revision":3,"rule":"all","version":"3","z":"mine"}`},
		{Answer{}, `{}`},
	} {
		if got := string(test.answer.appendMetadata(nil)); got != test.want {
			t.Errorf("metadata is %s, want %s", got, test.want)
		}
	}
	for value, want := range map[evaluator.Value]string{
		evaluator.FloatValue(math.Inf(-1)): `{`,
		evaluator.FloatValue(math.NaN()):   `{`,
		{}:                                 `{`,
		evaluator.FloatValue(-0.5):         `{"x":-0.5`,
		evaluator.IntValue(1<<53 + 1):      `{"x":9007199254740993`,
		evaluator.BoolValue(false):         `{"x":false`,
	} {
		if got := string(appendMember([]byte("{"), evaluator.Attr{Name: "x", Value: value})); got != want {
			t.Errorf("member is %s, want %s", got, want)
		}
	}
}

func TestFailures(t *testing.T) {
	handler := New(newEstate(t, testRuleset()).open(t), Config{})
	one, all := flagsPath+"/rate", flagsPath
	large := `{"context":{"city":"` + strings.Repeat("x", defaultMaxBody) + `"}}`
	notAnObject := `{"errorCode":"PARSE_ERROR","errorDetails":"the body is not a JSON object"`
	tests := []struct {
		name   string
		method string
		path   string
		body   io.Reader
		status int
		want   string
		allow  string
	}{
		{"not JSON", "POST", one, strings.NewReader("{"), 400, notAnObject + `,"key":"rate"}`, ""},
		{"not JSON, all flags", "POST", all, strings.NewReader("{"), 400, notAnObject + `}`, ""},
		{"two documents", "POST", all, strings.NewReader("{}{}"), 400, notAnObject + `}`, ""},
		{"a list", "POST", all, strings.NewReader("[]"), 400, notAnObject + `}`, ""},
		{"null", "POST", all, strings.NewReader("null"), 400, notAnObject + `}`, ""},
		{"a form", "POST", all, strings.NewReader("context=1"), 400, notAnObject + `}`, ""},
		{"broken connection", "POST", all, iotest.ErrReader(errors.New("reset by 203.0.113.9")), 400,
			`{"errorCode":"PARSE_ERROR","errorDetails":"the body is incomplete"}`, ""},
		{"context is a list", "POST", one, strings.NewReader(`{"context":[]}`), 400,
			`{"errorCode":"INVALID_CONTEXT","errorDetails":"decoding context: it is not a JSON object","key":"rate"}`,
			""},
		{"context is text", "POST", all, strings.NewReader(`{"context":"u-1"}`), 400,
			`{"errorCode":"INVALID_CONTEXT","errorDetails":"decoding context: it is not a JSON object"}`, ""},
		{"targeting key is a number", "POST", all, strings.NewReader(`{"context":{"targetingKey":1}}`), 400,
			`{"errorCode":"INVALID_CONTEXT","errorDetails":"decoding context: targetingKey is not a string"}`, ""},
		{"huge number", "POST", all, strings.NewReader(`{"context":{"uid":1e999}}`), 400,
			`{"errorCode":"INVALID_CONTEXT","errorDetails":"decoding context: a number is out of range"}`, ""},
		{"no such flag", "POST", flagsPath + "/abs%C3%A4nt%22", strings.NewReader(`{}`), 404,
			`{"errorCode":"FLAG_NOT_FOUND","errorDetails":"there is no flag of this key","key":"absänt\""}`, ""},
		{"key that is not UTF-8", "POST", flagsPath + "/%ff", strings.NewReader(`{}`), 404,
			`{"errorCode":"FLAG_NOT_FOUND","errorDetails":"there is no flag of this key","key":"\ufffd"}`, ""},
		{"empty key", "POST", flagsPath + "/", strings.NewReader(`{}`), 404,
			`{"errorCode":"FLAG_NOT_FOUND","errorDetails":"there is no flag of this key","key":""}`, ""},
		{"key with a slash", "POST", flagsPath + "/shop/rate", strings.NewReader(`{}`), 404,
			`{"errorCode":"FLAG_NOT_FOUND","errorDetails":"there is no flag of this key","key":"shop/rate"}`, ""},
		{"no such path", "POST", "/ofrep/v1/configuration", nil, 404, `{"errorDetails":"there is nothing at this path"}`, ""},
		{"GET", "GET", one, nil, 405, `{"errorDetails":"the method must be POST"}`, "OPTIONS, POST"},
		{"GET, all flags", "GET", all, nil, 405, `{"errorDetails":"the method must be POST"}`, "OPTIONS, POST"},
		{"POST to the status", "POST", statusPath, nil, 405, `{"errorDetails":"the method must be GET"}`,
			"GET, HEAD, OPTIONS"},
		{"large", "POST", one, strings.NewReader(large), 413, `{"errorDetails":"the body is larger than 65536 bytes"}`, ""},
		{"large, of unknown length", "POST", all, io.MultiReader(strings.NewReader(large)), 413,
			`{"errorDetails":"the body is larger than 65536 bytes"}`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := ask(t, handler, httptest.NewRequest(test.method, test.path, test.body))
			if w.Code != test.status {
				t.Errorf("status is %d, want %d", w.Code, test.status)
			}
			if diff := cmp.Diff(test.want, w.Body.String()); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if got := w.Header().Get("Allow"); got != test.allow {
				t.Errorf("Allow is %q, want %q", got, test.allow)
			}
			if w.Header().Get("ETag") != "" {
				t.Error("a failure has an ETag")
			}
		})
	}
}

// TestLargestBody holds that the limit is exact, as configured and by default.
func TestLargestBody(t *testing.T) {
	client := newEstate(t, testRuleset()).open(t)
	for _, test := range []struct{ configured, limit int }{{0, 64 << 10}, {-1, 64 << 10}, {100, 100},
		{1 << 20, 1 << 20}} {
		handler := New(client, Config{MaxBody: int64(test.configured)})
		for more, want := range []int{http.StatusOK, http.StatusRequestEntityTooLarge} {
			text := `{"context":{}}` + strings.Repeat(" ", test.limit-len(`{"context":{}}`)+more)
			for _, body := range []io.Reader{strings.NewReader(text), io.MultiReader(strings.NewReader(text)),
				iotest.OneByteReader(strings.NewReader(text))} {
				if w := ask(t, handler, httptest.NewRequest(http.MethodPost, flagsPath, body)); w.Code != want {
					t.Errorf("MaxBody %d: status of a body of %d bytes is %d, want %d", test.configured, len(text),
						w.Code, want)
				}
			}
			if n := handler.bodies.inFlight.Load(); n != 0 {
				t.Fatalf("%d bytes count as in flight after all requests have ended", n)
			}
		}
	}
}

// TestBodiesInFlight holds that large bodies that don't end can't use up the memory, nor
// keep out usual requests.
func TestBodiesInFlight(t *testing.T) {
	handler := New(newEstate(t, testRuleset()).open(t), Config{})
	const held = maxInFlight / (defaultMaxBody + 1 - smallBody)
	var requests sync.WaitGroup
	end := make(chan struct{})
	for range held {
		arrived, rest := io.Pipe()
		requests.Go(func() {
			if w := ask(t, handler, httptest.NewRequest(http.MethodPost, flagsPath, arrived)); w.Code != http.StatusOK {
				t.Errorf("a body that fits got the status %d", w.Code)
			}
		})
		requests.Go(func() {
			io.WriteString(rest, `{}`+strings.Repeat(" ", defaultMaxBody-100))
			<-end
			rest.Close()
		})
	}
	// The memory is taken once the limit has room for no more.
	for handler.bodies.inFlight.Load() < held*(defaultMaxBody+1-smallBody) {
		runtime.Gosched()
	}
	large, small := `{}`+strings.Repeat(" ", defaultMaxBody-2), `{}`+strings.Repeat(" ", smallBody-2)
	w := ask(t, handler, post(flagsPath, large))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" {
		t.Errorf("another large body got the status %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	if w := ask(t, handler, post(flagsPath, small)); w.Code != http.StatusOK {
		t.Errorf("a small body got the status %d", w.Code)
	}
	close(end)
	requests.Wait()
	if w := ask(t, handler, post(flagsPath, large)); w.Code != http.StatusOK {
		t.Errorf("a large body got the status %d after the others had ended", w.Code)
	}
	if n := handler.bodies.inFlight.Load(); n != 0 {
		t.Errorf("%d bytes count as in flight after all requests have ended", n)
	}
}

// TestRefusalsArrive holds that a client gets the answer to a body that is refused, also if
// it sends all of it first: a connection that is closed with data left unread is reset,
// which takes the answer away.
func TestRefusalsArrive(t *testing.T) {
	handler := New(newEstate(t, testRuleset()).open(t), Config{})
	server := httptest.NewServer(handler)
	defer server.Close()
	send := func(length string, body string) (status string) {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		// The server may close the connection before all is sent; what counts is the answer.
		_, _ = io.WriteString(conn, "POST "+flagsPath+" HTTP/1.1\r\nHost: x\r\n"+length+"\r\n\r\n"+body)
		answer, err := io.ReadAll(conn)
		if err != nil {
			return err.Error()
		}
		status, _, _ = strings.Cut(string(answer), "\r\n")
		return status
	}
	const size = 3 * defaultMaxBody
	large := strings.Repeat(" ", size)
	for range 20 {
		if got := send(fmt.Sprint("Content-Length: ", size), large); got != "HTTP/1.1 413 Request Entity Too Large" {
			t.Errorf("a body of known length: %s", got)
		}
		if got := send("Transfer-Encoding: chunked",
			fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", size, large)); got != "HTTP/1.1 413 Request Entity Too Large" {
			t.Errorf("a body of unknown length: %s", got)
		}
	}
	handler.bodies.inFlight.Store(maxInFlight)
	for range 20 {
		if got := send(fmt.Sprint("Content-Length: ", defaultMaxBody),
			large[:defaultMaxBody]); got != "HTTP/1.1 503 Service Unavailable" {
			t.Errorf("a body for which there is no memory: %s", got)
		}
	}
}

// TestDrain holds what a server says that is about to end, and that it still answers.
func TestDrain(t *testing.T) {
	handler := New(newEstate(t, testRuleset()).open(t), Config{})
	status := httptest.NewRequest(http.MethodGet, statusPath, nil)
	if w := ask(t, handler, status); w.Code != http.StatusOK || w.Header().Get("Connection") != "" ||
		strings.Contains(w.Body.String(), "draining") {
		t.Errorf("before: %d, Connection %q, %s", w.Code, w.Header().Get("Connection"), w.Body)
	}
	handler.Drain()
	if w := ask(t, handler, status); w.Code != http.StatusServiceUnavailable ||
		!strings.Contains(w.Body.String(), `"draining":true`) {
		t.Errorf("status while draining: %d %s", w.Code, w.Body)
	}
	if w := ask(t, handler, post(flagsPath+"/rate", `{}`)); w.Code != http.StatusOK ||
		w.Header().Get("Connection") != "close" {
		t.Errorf("a request while draining: %d, Connection %q", w.Code, w.Header().Get("Connection"))
	}
}

// matchingHandler serves flags of which n have a regular expression for each of some
// attributes.
func matchingHandler(t *testing.T, n int, attributes ...string) http.Handler {
	t.Helper()
	set := testRuleset()
	for i := range n {
		for _, attribute := range attributes {
			set.Flags = append(set.Flags,
				evaluator.Flag{Key: fmt.Sprintf("%s-matches-%d", attribute, i), Type: evaluator.KindBool,
					Variants: []evaluator.Variant{{Name: "off", Value: evaluator.BoolValue(false)}},
					Rules: []evaluator.Rule{{Name: "r",
						When: &evaluator.Condition{Op: evaluator.OpMatches, Attribute: attribute,
							Strings: []string{"^x+$"}}}}})
		}
	}
	return New(newEstate(t, set).open(t), Config{})
}

// TestLongTexts holds that texts that regular expressions are matched with have limits,
// and others don't.
func TestLongTexts(t *testing.T) {
	const tooLong, tooMuch = " is longer than 1024 bytes", " is too long for the 40 regular expressions"
	few := matchingHandler(t, 1, "user", "city")
	many := matchingHandler(t, 40, "user", "city") // 16,384 bytes for each attribute, or 409.6 times 40
	for _, test := range []struct {
		name           string
		handler        http.Handler
		key, city      int // their lengths
		device, others int
		want           string
	}{
		{"the key", few, 1024, 1, 1, 1, ""},
		{"a long key", few, 1025, 1, 1, 1, "the attribute targetingKey" + tooLong},
		{"an attribute", few, 1, 1024, 1, 1, ""},
		{"a long attribute", few, 1, 1025, 1, 1, "the attribute city" + tooLong},
		{"attributes without expressions", few, 1, 1, 1025, 30_000, ""},
		{"the key, many expressions", many, 409, 1, 1, 1, ""},
		{"a long key, many expressions", many, 410, 1, 1, 1, "the attribute targetingKey" + tooMuch},
		{"an attribute, many expressions", many, 1, 409, 1, 1, ""},
		{"a long attribute, many expressions", many, 1, 410, 1, 1, "the attribute city" + tooMuch},
		{"short ones, many expressions", many, 256, 256, 1, 1, ""},
		{"one short, many expressions", many, 409, 256, 1, 1, ""},
		{"both long, many expressions", many, 257, 257, 1, 1, "the attribute city" + tooMuch},
	} {
		x := func(n int) string { return strings.Repeat("x", n) }
		w := ask(t, test.handler,
			post(flagsPath+"/rate", fmt.Sprintf(`{"context":{"targetingKey":%q,"city":%q,"device":%q,"more":%q}}`,
				x(test.key), x(test.city), x(test.device), x(test.others))))
		if (test.want == "") != (w.Code == http.StatusOK) || test.want != "" && w.Code != http.StatusBadRequest ||
			!strings.Contains(w.Body.String(), test.want) {
			t.Errorf("%s: %d %s, want %q", test.name, w.Code, w.Body, test.want)
		}
	}
}

// TestDeclared checks that evaluation isn't handed more attributes than it can
// use, however many a request has.
func TestDeclared(t *testing.T) {
	program, err := evaluator.Compile(testRuleset())
	if err != nil {
		t.Fatal(err)
	}
	text := `{"targetingKey":"u-1"`
	for i := range 300 {
		text += fmt.Sprintf(`,"uid":%d,"undeclared-%d":%d,"city":"lhasa"`, 700+i, i, i)
	}
	ctx, err := evaluator.DecodeContext([]byte(text + "}"))
	if err != nil {
		t.Fatal(err)
	}
	got, fail := declared(ctx, program, func(string) {})
	if fail != nil {
		t.Fatal(fail)
	}
	slices.SortFunc(got.Attrs, func(a, b evaluator.Attr) int { return strings.Compare(a.Name, b.Name) })
	want := []evaluator.Attr{evaluator.NewAttr("city", "lhasa"), evaluator.NewAttr("uid", 999)}
	if got.Key != "u-1" || !slices.Equal(got.Attrs, want) {
		t.Errorf("the context is %v", got)
	}
}

func TestWithoutRevision(t *testing.T) {
	handler := New(nil, Config{})
	for path, want := range map[string]string{
		flagsPath:           `{"errorDetails":"no flags have been loaded yet"}`,
		flagsPath + "/rate": `{"errorDetails":"no flags have been loaded yet"}`,
	} {
		w := ask(t, handler, post(path, `{}`))
		if w.Code != http.StatusServiceUnavailable || w.Body.String() != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	w := ask(t, handler, httptest.NewRequest(http.MethodGet, statusPath, nil))
	const want = `{"environment":"","errors":{},"failing":false,"revision":0,"state":"EMPTY"}`
	if w.Code != http.StatusServiceUnavailable || w.Body.String() != want {
		t.Errorf("status: %d %s", w.Code, w.Body)
	}
}

func TestStatus(t *testing.T) {
	handler := New(newEstate(t, testRuleset()).open(t), Config{})
	w := ask(t, handler, httptest.NewRequest(http.MethodGet, statusPath, nil))
	var got condition
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusOK || got.State != "FRESH" || got.Environment != environment || got.Revision != 1 ||
		got.Failing || got.Age == nil || *got.Age > 60 {
		t.Errorf("status is %d %s", w.Code, w.Body)
	}
	if got.Checked.IsZero() || got.Updated.IsZero() || !got.Expires.After(got.Checked) {
		t.Errorf("the times are missing or wrong in %s", w.Body)
	}
}

// TestMistakes checks that the client reports what requests ask for and that doesn't exist.
func TestMistakes(t *testing.T) {
	client := newEstate(t, testRuleset()).open(t)
	handler := New(client, Config{})
	ask(t, handler, post(flagsPath+"/gone", `{"context":{"uid":"seven","undeclared":1}}`))
	ask(t, handler, post(flagsPath, `{"context":{"also":1}}`))
	st := client.Status()
	if !slices.Equal(st.Missing, []string{"gone"}) || !slices.Equal(st.MistypedAttributes, []string{"uid"}) ||
		!slices.Equal(st.UnusedAttributes, []string{"also", "note", "undeclared"}) { // the canary is in "note"
		t.Errorf("missing %q, mistyped %q, unused %q", st.Missing, st.MistypedAttributes, st.UnusedAttributes)
	}
}

func TestStatusCountsErrors(t *testing.T) {
	e := newEstate(t, testRuleset())
	client := e.open(t)
	e.breakTimestamp(t)
	if err := client.Refresh(t.Context()); err == nil {
		t.Fatal("a broken timestamp.json is accepted")
	}
	w := ask(t, New(client, Config{}), httptest.NewRequest(http.MethodGet, statusPath, nil))
	var got condition
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusOK || got.State != "STALE" || got.Revision != 1 || !got.Failing ||
		got.Errors["malformed"] != 1 {
		t.Errorf("status is %d %s", w.Code, w.Body)
	}
}

func TestEntityTags(t *testing.T) {
	e := newEstate(t, testRuleset())
	client := e.open(t)
	handler := New(client, Config{})
	const inShenzhen, inLhasa = `{"context":{"targetingKey":"u-1","city":"shenzhen"}}`,
		`{"context":{"targetingKey":"u-1","city":"lhasa"}}`
	get := func(body, ifNoneMatch string) (status int, tag string) {
		r := post(flagsPath, body)
		if ifNoneMatch != "" {
			r.Header.Set("If-None-Match", ifNoneMatch)
		}
		w := ask(t, handler, r)
		return w.Code, w.Header().Get("ETag")
	}

	status, first := get(inShenzhen, "")
	if status != http.StatusOK || len(first) < 3 || first[0] != '"' {
		t.Fatalf("first answer is %d with ETag %s", status, first)
	}
	for _, header := range []string{first, "*", strings.TrimSuffix(first, `"`) + `-gzip"`, "W/" + first,
		`"other", ` + first, `"other",W/` + first + `,"more"`} {
		if status, tag := get(inShenzhen, header); status != http.StatusNotModified || tag != first {
			t.Errorf("If-None-Match: %s: answer is %d with ETag %s", header, status, tag)
		}
	}
	for _, header := range []string{`"other"`, strings.Trim(first, `"`), first[:len(first)-2] + `"`} {
		if status, _ := get(inShenzhen, header); status != http.StatusOK {
			t.Errorf("If-None-Match: %s: answer is %d", header, status)
		}
	}
	status, elsewhere := get(inLhasa, first)
	if status != http.StatusOK || elsewhere == first {
		t.Errorf("same revision, other context: answer is %d with ETag %s", status, elsewhere)
	}

	changed := testRuleset()
	changed.Flags[1].Default = 0 // nothing that this context is served by
	changed.Flags[1].Rules = nil
	e.publish(t, changed)
	if err := client.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status, second := get(inShenzhen, first); status != http.StatusOK || second == first {
		t.Errorf("other revision, same context: answer is %d with ETag %s", status, second)
	}
	if status, second := get(inLhasa, elsewhere); status != http.StatusOK || second == elsewhere {
		t.Errorf("other revision, other context: answer is %d with ETag %s", status, second)
	}
	if w := ask(t, handler, post(flagsPath+"/rate", `{}`)); w.Header().Get("ETag") != "" {
		t.Error("the answer for one flag has an ETag")
	}
}

// TestChanceIsNeverStale checks that a flag by chance is drawn for every request,
// and that 304 is only said of the answer that the asker holds.
func TestChanceIsNeverStale(t *testing.T) {
	handler := New(newEstate(t, withChance(testRuleset())).open(t), Config{})
	bodies := make(map[string]string) // by entity tag
	held := ""
	for range 200 {
		r := post(flagsPath, `{}`)
		r.Header.Set("If-None-Match", held)
		w := ask(t, handler, r)
		tag := w.Header().Get("ETag")
		if w.Code == http.StatusNotModified {
			if tag != held {
				t.Fatalf("the asker holds %s, 304 is said of %s", held, tag)
			}
			continue
		}
		if body, ok := bodies[tag]; ok && body != w.Body.String() {
			t.Fatal("two answers have one entity tag")
		}
		if tag == held {
			t.Error("the asker is sent what it holds")
		}
		bodies[tag], held = w.Body.String(), tag
	}
	if len(bodies) != 2 { // each is missed with a probability of 2^-200
		t.Errorf("200 draws gave %d answers, want 2", len(bodies))
	}
}

func TestHealth(t *testing.T) {
	h := New(nil, Config{}) // has no flags
	h.Drain()
	if w := ask(t, h, httptest.NewRequest(http.MethodGet, "/healthz", nil)); w.Code != http.StatusOK {
		t.Errorf("a process without flags that drains: %d", w.Code)
	}
}

func TestPreflight(t *testing.T) {
	r := httptest.NewRequest(http.MethodOptions, flagsPath, nil)
	r.Header.Set("Origin", "https://shop.example")
	r.Header.Set("Access-Control-Request-Method", "POST")
	r.Header.Set("Access-Control-Request-Headers", "content-type,if-none-match")
	w := ask(t, New(nil, Config{}), r)
	if w.Code != http.StatusNoContent {
		t.Errorf("status is %d", w.Code)
	}
	for name, want := range map[string]string{
		"Access-Control-Allow-Methods":  "GET, POST",
		"Access-Control-Allow-Headers":  "Authorization, Content-Type, If-None-Match, X-API-Key, *",
		"Access-Control-Expose-Headers": "ETag, Retry-After",
		"Access-Control-Max-Age":        "7200",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestPanicsTellNothing(t *testing.T) {
	var log bytes.Buffer
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	for _, cause := range []any{"secret u-1", errors.New("secret u-1"), nilDereference} {
		r := post(flagsPath, `{}`)
		r.Body = panicking{cause}
		w := httptest.NewRecorder()
		New(nil, Config{}).ServeHTTP(w, r)
		if w.Code != http.StatusInternalServerError || w.Body.String() != `{"errorDetails":"internal error"}` {
			t.Errorf("answer is %d %s", w.Code, w.Body)
		}
	}
	if strings.Contains(log.String(), "secret") {
		t.Errorf("the log quotes what was panicked with:\n%s", log.String())
	}
	for _, want := range []string{"cause=string", "cause=*errors.errorString", "nil pointer dereference",
		"nilDereference"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
}

// panicking is a body that panics when it is read.
type panicking struct{ cause any }

func (p panicking) Read([]byte) (int, error) {
	if f, ok := p.cause.(func() int); ok {
		f()
	}
	panic(p.cause)
}

func (p panicking) Close() error { return nil }

func nilDereference() int {
	var p *int
	return *p
}

// TestConcurrentRequests holds, under the race detector, that requests and new
// revisions don't disturb each other, and that an answer for all flags is of one
// revision.
func TestConcurrentRequests(t *testing.T) {
	e := newEstate(t, testRuleset())
	client := e.open(t)
	server := httptest.NewServer(New(client, Config{}))
	defer server.Close()
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				checkOneRevision(t, server.URL)
			}
		})
	}
	for i := range 10 {
		ruleset := testRuleset()
		if i%2 == 0 { // an even revision: every flag says so
			for j := range ruleset.Flags {
				ruleset.Flags[j].Disabled = true
			}
		} else {
			ruleset.Flags[5].Disabled = false
		}
		e.publish(t, ruleset)
		if err := client.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
	}
	close(done)
	wg.Wait()
}

// checkOneRevision asks for all flags and checks that they are all of the
// revision that the answer states. In the first only theme is disabled.
func checkOneRevision(t *testing.T, url string) {
	resp, err := http.Post(url+flagsPath, "application/json", strings.NewReader(`{"context":{"targetingKey":"u-1"}}`))
	if err != nil {
		t.Error(err)
		return
	}
	defer resp.Body.Close()
	var answer struct {
		Flags    []struct{ Key, Reason string }
		Metadata struct{ Revision int64 }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Error(err)
		return
	}
	for _, f := range answer.Flags {
		disabled := answer.Metadata.Revision%2 == 0 || answer.Metadata.Revision == 1 && f.Key == "theme"
		if got := f.Reason == "DISABLED"; got != disabled {
			t.Errorf("in revision %d the reason of %s is %s", answer.Metadata.Revision, f.Key, f.Reason)
		}
	}
}
