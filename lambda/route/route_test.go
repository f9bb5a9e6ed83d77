package route_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/lambda"
	"github.com/serin-flags/serin/lambda/enrich"
	"github.com/serin-flags/serin/sdk"
)

// handler serves a ruleset for gateways at 10.0.0.1.
func handler(t testing.TB, set evaluator.Ruleset) *lambda.Handler {
	t.Helper()
	const environment = "production"
	keys, store := filepath.Join(t.TempDir(), "keys"), filepath.Join(t.TempDir(), environment)
	if _, err := release.InitKeys(keys, environment); err != nil {
		t.Fatal(err)
	}
	loaded, err := release.LoadKeys(keys)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := release.Publish(t.Context(),
		release.Options{Store: filestore.New(store), Keys: loaded, Environment: environment,
			Payloads: []bundle.Payload{{Environment: environment, Namespace: "shop", Ruleset: set}}}); err != nil {
		t.Fatal(err)
	}
	source, err := sdk.File(store)
	if err != nil {
		t.Fatal(err)
	}
	client, err := sdk.Open(t.Context(), sdk.Config{Source: source, Root: loaded.Root, Interval: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	trust, err := enrich.ParseTrust("10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return lambda.New(client, lambda.Config{Gateways: trust})
}

func upstreams() evaluator.Ruleset {
	is := func(name string, texts ...string) *evaluator.Condition {
		return &evaluator.Condition{Op: evaluator.OpOneOf, Attribute: name, Strings: texts}
	}
	flag := func(key string, rules ...evaluator.Rule) evaluator.Flag {
		f := evaluator.Flag{Key: key, Type: evaluator.KindString, Rules: rules}
		for _, name := range []string{"stable", "beta1", "beta2", "beta3"} {
			f.Variants = append(f.Variants, evaluator.Variant{Name: name, Value: evaluator.StringValue("of " + name)})
		}
		return f
	}
	half := &evaluator.Split{Bucketing: evaluator.Bucketing{By: "seat", Salt: "by-seat", Hash: evaluator.HashMurmur3},
		Ranges: []evaluator.Range{{To: evaluator.Positions / 2},
			{From: evaluator.Positions / 2, To: evaluator.Positions, Variant: 1}}}
	odd := flag("odd")
	odd.Variants[0].Name = "two\r\nlines"
	return evaluator.Ruleset{Unit: "user", Attributes: []evaluator.Attribute{
		{Name: "user", Type: evaluator.AttrString, From: `[{"header":"X-User","trusted":true}]`},
		{Name: "uid", Type: evaluator.AttrInteger, From: `[{"header":"X-Uid","trusted":true}]`},
		{Name: "city", Type: evaluator.AttrString, From: `[{"query":"city"}]`},
		{Name: "seat", Type: evaluator.AttrString, From: `[{"cookie":"seat","issue":3600}]`},
		{Name: "agent", Type: evaluator.AttrString, From: `[{"header":"User-Agent"}]`},
		{Name: "plan", Type: evaluator.AttrString},
		{Name: "later", Type: evaluator.AttrString, From: `[{"moon":"phase"}]`},
	}, Flags: []evaluator.Flag{
		flag("by-uid", evaluator.Rule{Name: "tail",
			When: &evaluator.Condition{Op: evaluator.OpModulo, Attribute: "uid", Ints: []int64{10, 0}}, Variant: 3}),
		flag("by-city", evaluator.Rule{Name: "beijing", When: is("city", "beijing"), Variant: 1},
			evaluator.Rule{Name: "shanghai stays", When: is("city", "shanghai"), Variant: 0}),
		flag("by-user", evaluator.Rule{Name: "chosen", When: is("user", "u-1"), Variant: 2}),
		flag("by-seat", evaluator.Rule{Name: "half", Split: half}),
		flag("by-chance", evaluator.Rule{Name: "coin", Split: &evaluator.Split{Ranges: half.Ranges}}),
		flag("by-agent", evaluator.Rule{Name: "bots", When: &evaluator.Condition{Op: evaluator.OpMatches,
			Attribute: "agent", Strings: []string{"bot"}}, Variant: 1}),
		flag("by-plan", evaluator.Rule{Name: "plus", When: is("plan", "plus"), Variant: 1}),
		flag("by-moon", evaluator.Rule{Name: "full", When: is("later", "full"), Variant: 1}),
		flag("fixed"), odd,
	}}
}

func TestRoute(t *testing.T) {
	h := handler(t, upstreams())
	gateway := func(path string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.RemoteAddr = "10.0.0.1:1"
		for i := 0; i < len(headers); i += 2 {
			r.Header.Add(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK || w.Body.Len() > 0 {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
		return w
	}
	for _, test := range []struct {
		name, path string
		headers    []string
		want       string // variant, flag, reason and reads
	}{
		{"tail", "/route/by-uid", []string{"X-Uid", "30"}, "beta3 by-uid TARGETING_MATCH uid"},
		{"other tail", "/route/by-uid", []string{"X-Uid", "31"}, "stable by-uid DEFAULT uid"},
		{"no ID", "/route/by-uid", nil, "stable by-uid DEFAULT uid"},
		{"two IDs", "/route/by-uid", []string{"X-Uid", "31", "X-Uid", "30"}, "stable by-uid DEFAULT uid"},
		{"of the client's request", "/route/by-city?city=shanghai", []string{"X-Forwarded-Uri", "/shop?city=beijing"}, "beta1 by-city TARGETING_MATCH city"},
		{"own query", "/route/by-city?city=beijing", nil, "beta1 by-city TARGETING_MATCH city"},
		{"chosen", "/route/by-user", []string{"X-User", "u-1"}, "beta2 by-user TARGETING_MATCH user"},
		{"the first that matches", "/route/by-city,by-uid,by-user?city=lhasa", []string{"X-Uid", "30", "X-User", "u-1"}, "beta3 by-uid TARGETING_MATCH city,uid,user"},
		{"a match of the default", "/route/by-city,by-uid?city=shanghai", []string{"X-Uid", "30"}, "stable by-city TARGETING_MATCH city,uid"},
		{"none matches", "/route/by-city,by-uid", nil, "stable by-uid DEFAULT city,uid"},
		{"nothing is read", "/route/fixed", nil, "stable fixed STATIC "},
		{"attributes that callers send", "/route/by-plan?plan=plus", []string{"Plan", "plus"}, "stable by-plan DEFAULT plan"},
		{"what clients add", "/route/by-uid", []string{"X-Serin-Variant", "beta3"}, "stable by-uid DEFAULT uid"},
		{"short text", "/route/by-agent", []string{"User-Agent", "a bot"}, "beta1 by-agent TARGETING_MATCH agent"},

		{"unknown flag", "/route/absent", nil, ""},
		{"one of them unknown", "/route/by-uid,absent", []string{"X-Uid", "30"}, ""},
		{"no flag", "/route/", nil, ""},
		{"an empty one", "/route/by-uid,", nil, ""},
		{"too many", "/route/" + strings.Repeat("fixed,", 16) + "fixed", nil, ""},
		{"long text", "/route/by-agent", []string{"User-Agent", strings.Repeat("bot", 400)}, ""},
		{"not a header", "/route/odd", nil, ""},
		{"a place that isn't known", "/route/by-moon", nil, ""},
	} {
		before := unrouted(t, h)
		header := gateway(test.path, test.headers...).Header()
		got := ""
		if variant, ok := header["X-Serin-Variant"]; ok {
			got = strings.Join([]string{variant[0], header.Get("X-Serin-Flag"), header.Get("X-Serin-Reason"),
				header.Get("X-Serin-Reads")}, " ")
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		if failed := unrouted(t, h) - before; failed != map[bool]int{true: 1}[test.want == ""] {
			t.Errorf("%s: %d failures were counted", test.name, failed)
		}
		if header.Get("Set-Cookie") != "" || header.Get("Access-Control-Allow-Origin") != "" ||
			test.want == "" && len(header) > 0 {
			t.Errorf("%s: the headers are %v", test.name, header)
		}
	}
	// Who isn't a gateway can't send what only gateways may.
	r := httptest.NewRequest(http.MethodGet, "/route/by-uid", nil)
	r.Header.Set("X-Uid", "30")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if got := w.Header().Get("X-Serin-Variant"); got != "stable" {
		t.Errorf("somebody with the header of a gateway gets %s", got)
	}
	if w := gateway("/route/by-chance"); w.Header().Get("Cache-Control") != "no-store" {
		t.Error("a draw may be stored")
	}
}

// unrouted returns how many answers had no variant.
func unrouted(t *testing.T, h http.Handler) int {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/status", nil))
	n := 0
	if _, rest, ok := strings.Cut(w.Body.String(), `"unrouted":`); ok {
		if _, err := fmt.Sscan(rest, &n); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// TestSeats holds that visitors get an ID once, and then always the same variant.
func TestSeats(t *testing.T) {
	h := handler(t, upstreams())
	ask := func(cookie string) (variant, set string) {
		r := httptest.NewRequest(http.MethodGet, "/route/by-seat", nil)
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		// What issues an ID is for one visitor. What goes by one holds for all with that ID.
		if issued := w.Header().Get("Set-Cookie") != ""; issued != (w.Header().Get("Cache-Control") == "no-store") {
			t.Errorf("an answer that sets the cookie %q has %q", w.Header().Get("Set-Cookie"),
				w.Header().Get("Cache-Control"))
		}
		return w.Header().Get("X-Serin-Variant"), w.Header().Get("Set-Cookie")
	}
	count := make(map[string]int)
	for range 200 {
		variant, set := ask("")
		cookie, _, _ := strings.Cut(set, ";")
		count[variant]++
		for range 5 {
			if again, set := ask(cookie); again != variant || set != "" {
				t.Fatalf("%s got %s, then %s, with %q", cookie, variant, again, set)
			}
		}
	}
	if count["stable"] < 60 || count["beta1"] < 60 {
		t.Errorf("of 200 visitors: %v", count)
	}
}

// TestNoFlags holds that gateways get an answer before there are flags.
func TestNoFlags(t *testing.T) {
	h := lambda.New(nil, lambda.Config{})
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "/route/by-uid", nil))
		if w.Code != http.StatusOK || len(w.Header()) > 0 {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
}

func BenchmarkRoute(b *testing.B) {
	h := handler(b, upstreams())
	for _, path := range []string{"/route/fixed", "/route/by-uid", "/route/by-city,by-uid,by-user"} {
		b.Run(strings.TrimPrefix(path, "/route/"), func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.RemoteAddr = "10.0.0.1:1"
			r.Header.Set("X-Uid", "30")
			r.Header.Set("X-Forwarded-Uri", "/shop?page=2")
			b.ReportAllocs()
			for b.Loop() {
				w := discard{make(http.Header, 4)}
				h.ServeHTTP(w, r)
			}
		})
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// FuzzRoute holds that no request keeps a gateway from its answer, and that nothing of the
// request gets into the answer but a valid ID.
func FuzzRoute(f *testing.F) {
	h := handler(f, upstreams())
	f.Add("by-uid,by-city", "30", "/shop?city=beijing", "seat=A", "198.51.100.9", "okhttp/4")
	f.Add("by-seat", "", "", "seat=ABCDEFGHIJKLMNOPQRSTUVWXYZ; seat=b", ", ,::1%x", "")
	f.Add("%00,\xff", "\x00", "//[::1", "=;seat", "1.2.3.4:99999", "bot")
	f.Fuzz(func(t *testing.T, flags, uid, uri, cookie, forwarded, agent string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path = "/route/" + flags
		r.RemoteAddr = "10.0.0.1:1"
		for name, value := range map[string]string{"X-Uid": uid, "X-Forwarded-Uri": uri, "Cookie": cookie,
			"X-Forwarded-For": forwarded, "User-Agent": agent} {
			r.Header[name] = []string{value}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK || w.Body.Len() > 0 {
			t.Fatalf("%d %q", w.Code, w.Body)
		}
		for name, values := range w.Header() {
			switch {
			case name == "X-Serin-Variant" &&
				!slices.Contains([]string{"stable", "beta1", "beta2", "beta3"}, values[0]),
				name == "X-Serin-Flag" && !strings.Contains(","+flags+",", ","+values[0]+","),
				name == "Set-Cookie" && !issued.MatchString(values[0]),
				strings.ContainsAny(strings.Join(values, ""), "\r\n\x00"):
				t.Errorf("%s: %q", name, values)
			}
		}
	})
}

var issued = regexp.MustCompile(`^seat=[A-Z2-7]{26}; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax$`)
