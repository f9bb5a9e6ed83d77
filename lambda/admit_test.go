package lambda

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/lambda/access"
	"github.com/serin-flags/serin/lambda/enrich"
)

// newGate returns a Gate for the clients in text.
func newGate(t testing.TB, text string) *access.Gate {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clients.yaml")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	trust, err := enrich.ParseTrust("10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	gate, err := access.Open(t.Context(), path, &trust, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return gate
}

// A shop is a handler with two namespaces, of which apps is public, and three clients.
type shop struct {
	*Handler
	server, web, banner string // keys
}

const page = "https://shop.example"

func newShop(t testing.TB, events bool) *shop {
	t.Helper()
	e := newEstate(t, testRuleset())
	flag := func(key, attribute string) evaluator.Flag {
		return evaluator.Flag{Key: key, Type: evaluator.KindBool,
			Variants: []evaluator.Variant{{Name: "off", Value: evaluator.BoolValue(false)},
				{Name: "on", Value: evaluator.BoolValue(true)}},
			Rules: []evaluator.Rule{{Name: "chosen", Variant: 1,
				When: &evaluator.Condition{Op: evaluator.OpOneOf, Attribute: attribute, Strings: []string{"chosen"}}}}}
	}
	payload := func(namespace string, public bool, flags ...evaluator.Flag) bundle.Payload {
		return bundle.Payload{Environment: environment, Namespace: namespace, Public: public,
			Ruleset: evaluator.Ruleset{
				Unit: "user", Flags: flags, Attributes: []evaluator.Attribute{
					{Name: "user", Type: evaluator.AttrString, From: `[{"cookie":"seat"}]`},
					{Name: "city", Type: evaluator.AttrString, From: `[{"query":"city"},{"header":"X-City","trusted":true}]`},
					{Name: "later", Type: evaluator.AttrString, From: `[{"moon":"phase"}]`},
					{Name: "at.place", Type: evaluator.AttrString, From: `[{"query":"place"}]`},
					{Name: "plan", Type: evaluator.AttrString},
				}}}
	}
	if _, err := release.Publish(t.Context(),
		release.Options{Store: filestore.New(e.dir), Keys: e.keys, Environment: environment,
			Payloads: []bundle.Payload{
				payload("apps", true, flag("by-city", "city"), flag("by-later", "later"), flag("by-place", "at.place"),
					flag("by-plan", "plan"), flag("by-user", "user")),
				payload("ops", false, flag("banner", "plan"), flag("dump", "plan")),
			}}); err != nil {
		t.Fatal(err)
	}
	s := new(shop)
	var hashes [3]string
	for i, key := range []*string{&s.server, &s.web, &s.banner} {
		*key, hashes[i] = access.NewKey()
	}
	trust, err := enrich.ParseTrust("10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	s.Handler = New(e.open(t), Config{Events: events, Gateways: trust, Access: newGate(t, fmt.Sprintf(`clients:
  - {name: server, kind: server, keys: %s}
  - {name: web, kind: client, keys: %s, origins: [%q]}
  - {name: banner, kind: client, keys: %s, flags: [banner], origins: ["https://banner.example"], rate: 2/h}
`, hashes[0], hashes[1], page, hashes[2]))})
	return s
}

// ask answers a request with headers, given as names and values.
func (s *shop) ask(r *http.Request, headers ...string) *httptest.ResponseRecorder {
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// TestWithoutKey holds that requests for flags need a key, and others none.
func TestWithoutKey(t *testing.T) {
	s := newShop(t, false)
	for _, headers := range [][]string{nil, {"X-API-Key", "wrong"},
		{"X-API-Key", s.web, "Authorization", "Bearer " + s.server}} {
		for _, path := range []string{flagsPath, flagsPath + "/by-plan", flagsPath + "/absent"} {
			w := s.ask(post(path, `{"context":{}}`), headers...)
			if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != "Bearer" ||
				!strings.HasPrefix(w.Body.String(), `{"errorDetails":"`) || w.Header().Get("ETag") != "" {
				t.Errorf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
			}
			checkOFREP(t, path, w.Code, w.Body.Bytes())
		}
	}
	for path, status := range map[string]int{statusPath: 200, healthPath: 200, "/route/by-plan": 200, "/absent": 404,
		flagsPath: 405} {
		if w := s.ask(httptest.NewRequest(http.MethodGet, path, nil)); w.Code != status {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	w := s.ask(httptest.NewRequest(http.MethodGet, statusPath, nil))
	if !strings.Contains(w.Body.String(), `"refused":{"unknown":9,"origin":0,"rate":0}`) {
		t.Errorf("status: %s", w.Body)
	}
	// Without keys, /route answers gateways and nobody else.
	for peer, want := range map[string]string{"10.0.0.1:1": "off", "10.0.0.2:1": "", "@": ""} {
		r := httptest.NewRequest(http.MethodGet, "/route/dump", nil)
		r.RemoteAddr = peer
		if w := s.ask(r, "X-API-Key", s.server, "X-Forwarded-For", "10.0.0.1"); w.Code != 200 ||
			w.Header().Get("X-Serin-Variant") != want {
			t.Errorf("%s got %d %v, want %q", peer, w.Code, w.Header(), want)
		}
	}
}

// TestVisibleFlags holds that callers get the flags that they may see, and that the others
// look as if they didn't exist.
func TestVisibleFlags(t *testing.T) {
	s := newShop(t, false)
	all := []string{"banner", "by-city", "by-later", "by-place", "by-plan", "by-user", "dump"}
	for name, test := range map[string]struct {
		key  string
		sees []string
	}{"server": {s.server, all}, "web": {s.web, all[1:6]}, "banner": {s.banner, all[:1]}} {
		w := s.ask(post(flagsPath, `{}`), "X-API-Key", test.key)
		for _, key := range all {
			if got := strings.Contains(w.Body.String(), `"key":"`+key+`"`); got != slices.Contains(test.sees, key) {
				t.Errorf("%s, all flags: %s is there: %v", name, key, got)
			}
		}
		checkOFREP(t, flagsPath, w.Code, w.Body.Bytes())
	}
	ask := func(key string) *httptest.ResponseRecorder {
		return s.ask(post(flagsPath+"/"+key, `{}`), "X-API-Key", s.web)
	}
	absent := ask("nope")
	for _, key := range []string{"dump", "banner"} {
		w := ask(key)
		same := strings.ReplaceAll(w.Body.String(), key, "nope") == absent.Body.String()
		if w.Code != http.StatusNotFound || !same || fmt.Sprint(w.Header()) != fmt.Sprint(absent.Header()) {
			t.Errorf("%s: %d %v %s, but a flag that doesn't exist: %v %s", key, w.Code, w.Header(), w.Body,
				absent.Header(), absent.Body)
		}
	}
	if w := ask("by-plan"); w.Code != http.StatusOK {
		t.Errorf("by-plan: %d %s", w.Code, w.Body)
	}
}

// TestTakenAttributes holds that clients can't send what the flag folder takes from
// requests, and that servers can.
func TestTakenAttributes(t *testing.T) {
	s := newShop(t, false)
	const chosen = `{"context":{"targetingKey":"chosen","user":"chosen","city":"chosen","later":"chosen","plan":"chosen"}}`
	for _, test := range []struct {
		name, flag, query, key, peer, body string
		headers                            []string
		on                                 bool
	}{
		{name: "server's body", flag: "by-city", key: s.server, body: chosen, on: true},
		{name: "server's key", flag: "by-user", key: s.server, body: chosen, on: true},
		{name: "server's request", flag: "by-city", query: "?city=chosen", key: s.server, body: `{}`},
		{name: "client's body", flag: "by-city", key: s.web, body: chosen},
		{name: "client's query", flag: "by-city", query: "?city=chosen", key: s.web, body: `{}`, on: true},
		{name: "both", flag: "by-city", query: "?city=lhasa", key: s.web, body: chosen},
		{name: "a gateway's header", flag: "by-city", key: s.web, peer: "10.0.0.1:1", body: `{}`, headers: []string{"X-City", "chosen"}, on: true},
		{name: "anybody's header", flag: "by-city", key: s.web, body: `{}`, headers: []string{"X-City", "chosen"}},
		{name: "server's object", flag: "by-place", key: s.server, body: `{"context":{"at":{"place":"chosen"}}}`, on: true},
		{name: "client's object", flag: "by-place", key: s.web, body: `{"context":{"at":{"place":"chosen"}}}`},
		{name: "client's object and query", flag: "by-place", query: "?place=chosen", key: s.web, body: `{"context":{"at":{"place":"lhasa"}}}`, on: true},
		{name: "not from the request", flag: "by-plan", key: s.web, body: chosen, on: true},
		{name: "from a place that isn't known", flag: "by-later", key: s.web, body: chosen},
		{name: "the targeting key", flag: "by-user", key: s.web, body: chosen},
		{name: "the targeting key by name", flag: "by-user", key: s.web, body: `{"context":{"user":"chosen"}}`},
		{name: "the targeting key's cookie", flag: "by-user", key: s.web, body: `{}`, headers: []string{"Cookie", "seat=chosen"}, on: true},
	} {
		r := post(flagsPath+"/"+test.flag+test.query, test.body)
		if test.peer != "" {
			r.RemoteAddr = test.peer
		}
		w := s.ask(r, append(test.headers, "X-API-Key", test.key)...)
		if got := strings.Contains(w.Body.String(), `"value":true`); got != test.on || w.Code != http.StatusOK ||
			w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %s", test.name, w.Code, w.Body)
		}
	}
	// A new revision takes attributes from elsewhere.
	if taken := s.taken.Load(); taken == nil || len(taken.attributes) != 4 || taken.snapshot != s.client.Snapshot() {
		t.Errorf("%+v", taken)
	}
}

// TestOrigins holds which pages may ask, and what browsers are told.
func TestOrigins(t *testing.T) {
	s := newShop(t, true)
	preflight := func() *http.Request { return httptest.NewRequest(http.MethodOptions, flagsPath, nil) }
	ask := func() *http.Request { return post(flagsPath, `{}`) }
	events := func() *http.Request {
		r := httptest.NewRequest(http.MethodGet, eventsPath, nil)
		s.Drain() // so that the stream ends at once
		return r
	}
	for _, test := range []struct {
		name, origin, key string
		request           func() *http.Request
		status            int
		allowed           string
	}{
		{"preflight", page, "", preflight, 204, page},
		{"preflight of another client's page", "https://banner.example", "", preflight, 204, "https://banner.example"},
		{"preflight of a stranger", "https://evil.example", "", preflight, 204, ""},
		{"its page", page, s.web, ask, 200, page},
		{"no page", "", s.web, ask, 200, ""},
		{"another client's page", "https://banner.example", s.web, ask, 403, "https://banner.example"},
		{"a stranger", "https://evil.example", s.web, ask, 403, ""},
		{"a server's key in a page", page, s.server, ask, 403, page},
		{"a wrong key", page, "wrong", ask, 401, page},
		{"a stranger's wrong key", "https://evil.example", "wrong", ask, 401, ""},
		{"events", page, "", events, 503, page},
		{"events of a stranger", "https://evil.example", "", events, 403, ""},
		{"events without a page", "", "", events, 503, ""},
	} {
		var headers []string
		if test.origin != "" {
			headers = append(headers, "Origin", test.origin)
		}
		if test.key != "" {
			headers = append(headers, "X-API-Key", test.key)
		}
		w := s.ask(test.request(), headers...)
		header := w.Header()
		if w.Code != test.status || header.Get("Access-Control-Allow-Origin") != test.allowed ||
			!slices.Contains(header["Vary"], "Origin") ||
			header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %d %v", test.name, w.Code, header)
		}
		if preflighted := header.Get("Access-Control-Allow-Headers") != ""; preflighted != (w.Code == 204 &&
			test.allowed != "") {
			t.Errorf("%s: the preflight has %v", test.name, header)
		}
		if w.Code == 403 && strings.Contains(w.Body.String(), "flags\":") {
			t.Errorf("%s: got flags: %s", test.name, w.Body)
		}
	}
}

// TestTooOften holds what callers are told that ask too often.
func TestTooOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, false)
		for _, want := range []int{200, 429} { // 2 an hour, of which one at once
			w := s.ask(post(flagsPath+"/banner", `{}`), "Authorization", "Bearer "+s.banner, "Origin",
				"https://banner.example")
			retry := w.Header().Get("Retry-After")
			if w.Code != want || (retry == "1800") != (want == 429) {
				t.Errorf("%d, want %d; Retry-After %q", w.Code, want, retry)
			}
			if !strings.Contains(w.Header().Get("Access-Control-Expose-Headers"), "Retry-After") {
				t.Errorf("pages can't read Retry-After: %v", w.Header())
			}
		}
		if w := s.ask(post(flagsPath+"/by-plan", `{}`), "X-API-Key", s.web); w.Code != 200 {
			t.Errorf("another client: %d", w.Code)
		}
	})
}

// FuzzTakenAttributes holds that nothing that a client sends in a body changes what is taken
// from its request: whatever the body is, the answer of a flag that reads only such
// attributes stays the same, unless the body is refused.
func FuzzTakenAttributes(f *testing.F) {
	s := newShop(f, false)
	for _, body := range []string{
		`{"context":{"targetingKey":"chosen","city":"chosen"}}`, `{"context":{"city":"lhasa","city":"chosen"}}`,
		`{"context":{"c\u0069ty":"chosen"}}`, `{"context":{"user":"chosen"}}`,
		`{"context":{"targetingKey":"chosen"},"context":{"city":"chosen"}}`,
		`{"context":{"city":["chosen"],"CITY":"chosen","city ":"chosen","later":"chosen"}}`,
	} {
		f.Add(body)
	}
	answer := func(flag, body string) (int, string) {
		w := s.ask(post(flagsPath+"/"+flag+"?city=lhasa", body), "X-API-Key", s.web, "Cookie", "seat=u-1")
		return w.Code, w.Body.String()
	}
	want := make(map[string]string)
	for _, flag := range []string{"by-city", "by-user", "by-later"} {
		_, want[flag] = answer(flag, `{}`)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for flag, want := range want {
			if status, got := answer(flag, body); status == http.StatusOK && got != want {
				t.Errorf("with the body %q, %s is %s, want %s", body, flag, got, want)
			}
		}
	})
}

// BenchmarkAdmit measures what a Gate adds to a request for all flags: the look-up of the
// key, both rates, and which flags the caller sees.
func BenchmarkAdmit(b *testing.B) {
	key, hash := access.NewKey()
	client := newEstate(b, testRuleset()).open(b)
	for _, bench := range []struct{ name, entry string }{
		{"open", ""}, {"server", "kind: server"}, {"client", "kind: client, flags: shop, rate: 1000000/s, rate_per_ip: 1000000/s"},
	} {
		cfg := Config{}
		if bench.entry != "" {
			cfg.Access = newGate(b, fmt.Sprintf("clients: [{name: a, keys: %s, %s}]", hash, bench.entry))
		}
		h := New(client, cfg)
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := post(flagsPath, `{"context":{"targetingKey":"u-1"}}`)
				r.Header.Set("X-API-Key", key)
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
