package access

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/serin-flags/serin/internal/canary"
	"github.com/serin-flags/serin/internal/syncbuf"
	"github.com/serin-flags/serin/lambda/enrich"
)

// gate returns a Gate for the clients in text, and what it logs.
func gate(t testing.TB, text string) (*Gate, *syncbuf.Buffer) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clients.yaml")
	write(t, path, text)
	log := new(syncbuf.Buffer)
	t.Cleanup(func() { canary.Search(t, "the log", log.String()) })
	trust, err := enrich.ParseTrust("10.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	g, err := Open(t.Context(), path, &trust,
		slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	return g, log
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// request returns a request with headers, given as names and values, and with canaries.
func request(headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/ofrep/v1/evaluate/flags", nil)
	defer canary.Plant(r)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// admitted returns the client of a request, or the status that it is refused with.
func admitted(g *Gate, r *http.Request) string {
	caller, refused := g.Admit(r)
	if refused != nil {
		return fmt.Sprint(refused.Status)
	}
	return caller.Name()
}

func TestKeys(t *testing.T) {
	one, oneHash := NewKey()
	next, nextHash := NewKey()
	web, webHash := NewKey()
	g, log := gate(t, fmt.Sprintf(`clients:
  - {name: shop, kind: server, keys: [%s, %s]}
  - {name: web, kind: client, keys: %s, origins: ["https://shop.example"]}
`, oneHash, nextHash, webHash))
	for _, test := range []struct {
		name, want string
		headers    []string
	}{
		{"nothing", "401", nil},
		{"bearer", "shop", []string{"Authorization", "Bearer " + one}},
		{"in lower case", "shop", []string{"Authorization", "bearer  " + one + " "}},
		{"X-API-Key", "shop", []string{"X-API-Key", one}},
		{"the next key", "shop", []string{"X-API-Key", next}},
		{"both headers", "shop", []string{"X-API-Key", one, "Authorization", "Bearer " + one}},
		{"two keys of one client", "401", []string{"X-API-Key", one, "Authorization", "Bearer " + next}},
		{"two keys in one header", "401", []string{"X-API-Key", one, "X-API-Key", web}},
		{"one twice", "shop", []string{"X-API-Key", one, "X-API-Key", one}},
		{"an empty one", "401", []string{"X-API-Key", ""}},
		{"an empty one and one", "shop", []string{"X-API-Key", "", "Authorization", "Bearer " + one}},
		{"one and an empty one", "shop", []string{"X-API-Key", one, "Authorization", "Bearer "}},
		{"another scheme", "401", []string{"Authorization", "Basic " + one}},
		{"no scheme", "401", []string{"Authorization", one}},
		{"another scheme and a key", "shop", []string{"Authorization", "AWS4-HMAC-SHA256 Credential=x", "X-API-Key", one}},
		{"the hash", "401", []string{"X-API-Key", oneHash}},
		{"a prefix", "401", []string{"X-API-Key", one[:len(one)-1]}},
		{"in another case", "401", []string{"X-API-Key", strings.ToLower(one)}},
		{"a long one", "401", []string{"X-API-Key", strings.Repeat("a", maxSecret+1)}},
		{"from its page", "web", []string{"X-API-Key", web, "Origin", "https://shop.example"}},
		{"from no page", "web", []string{"X-API-Key", web}},
		{"from another page", "403", []string{"X-API-Key", web, "Origin", "https://evil.example"}},
		{"from a file", "403", []string{"X-API-Key", web, "Origin", "null"}},
		{"a server's from a page", "403", []string{"X-API-Key", one, "Origin", "https://shop.example"}},
		{"no key from a page", "401", []string{"Origin", "https://shop.example"}},
	} {
		if got := admitted(g, request(test.headers...)); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
	if _, refused := g.Admit(request()); refused.Challenge != "Bearer" {
		t.Errorf("401 has the challenge %q", refused.Challenge)
	}
	if got := g.Refused(); got.Unknown != 12 || got.Origin != 3 || got.Rate != 0 {
		t.Errorf("counted %+v", got)
	}
	if strings.Contains(log.String(), keyPrefix) {
		t.Errorf("the log has a key: %s", log)
	}
}

func TestAllows(t *testing.T) {
	_, hash := NewKey()
	for origins, want := range map[string]string{`["https://a.example"]`: "a", `"*"`: "a b null"} {
		g, _ := gate(t, fmt.Sprintf("clients: [{name: a, kind: client, keys: %s, origins: %s}]", hash, origins))
		var got []string
		for name, origin := range map[string]string{"": "", "a": "https://a.example", "b": "https://b.example",
			"null": "null"} {
			if g.Allows(origin) {
				got = append(got, name)
			}
		}
		if len(got) != len(strings.Fields(want)) || !g.Allows("https://a.example") {
			t.Errorf("origins %s allow %v, want %s", origins, got, want)
		}
	}
}

func TestSees(t *testing.T) {
	for flags, want := range map[string][4]bool{ // a public one, shop/cart, ops/dump, a flag that doesn't exist
		`"*"`:                {true, true, true, true},
		`[public]`:           {true, false, false, false},
		`[shop]`:             {false, true, false, false},
		`[dump, public]`:     {true, false, true, false},
		`[sho, du, "shop/"]`: {},
	} {
		c, err := Parse("f", []byte("clients: [{name: a, kind: client, keys: "+hashA+", flags: "+flags+"}]"))
		if err != nil {
			t.Fatal(err)
		}
		caller := Caller{client: c.list[0]}
		in := map[string]string{"theme": "apps", "cart": "shop", "dump": "ops"}
		var got [4]bool
		for i, key := range []string{"theme", "cart", "dump", "absent"} {
			got[i] = caller.Sees(key, func(key string) (string, bool) { return in[key], in[key] == "apps" })
		}
		if all := caller.SeesAll(); all != want[3] {
			t.Errorf("flags %s: sees all: %t", flags, all)
		}
		if got != want {
			t.Errorf("flags %s: sees %v, want %v", flags, got, want)
		}
	}
}

func TestIdentities(t *testing.T) {
	g, _ := gate(t, `clients:
  - {name: reports, kind: server, iam: ["arn:aws:iam::123456789012:role/team/reports", "arn:aws:iam::123456789012:user/people/ann"]}
  - {name: partner, kind: server, iam: "arn:aws:iam::210987654321:root"}
`)
	for arn, want := range map[string]string{
		"arn:aws:sts::123456789012:assumed-role/reports/i-0abc": "reports",
		"arn:aws:iam::123456789012:role/reports":                "reports",
		"arn:aws:iam::123456789012:user/people/ann":             "reports",
		"arn:aws:iam::123456789012:user/reports":                "401",
		"arn:aws:sts::123456789012:assumed-role/report/reports": "401",
		"arn:aws:sts::123456789013:assumed-role/reports/i-0abc": "401",
		"arn:aws-cn:sts::123456789012:assumed-role/reports/i":   "401",
		"arn:aws:sts::123456789012:assumed-role/reports":        "401",
		"arn:aws:iam::123456789012:root":                        "401",
		"arn:aws:sts::210987654321:assumed-role/any/thing":      "partner",
		"arn:aws:iam::210987654321:root":                        "partner",
		"arn:aws:s3:::bucket":                                   "401",
		"reports":                                               "401",
		"":                                                      "401",
	} {
		r := request("X-Amzn-Iam-Arn", "arn:aws:iam::123456789012:role/reports")
		if got := admitted(g, r.WithContext(WithIdentity(r.Context(), arn))); got != want {
			t.Errorf("%q is %s, want %s", arn, got, want)
		}
	}
	// A wrong key is wrong, whoever signed the request.
	r := request("X-API-Key", "wrong")
	if got := admitted(g,
		r.WithContext(WithIdentity(r.Context(), "arn:aws:iam::123456789012:role/reports"))); got != "401" {
		t.Errorf("with a wrong key: %s", got)
	}
}

// An issuer signs tokens.
type issuer struct {
	key  *ecdsa.PrivateKey
	kid  string
	name string
}

func newIssuer(t testing.TB, name, kid string) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{key, kid, name}
}

// jwks returns a JWK Set of issuers.
func jwks(t testing.TB, issuers ...*issuer) string {
	t.Helper()
	var keys []map[string]string
	for _, i := range issuers {
		public, err := i.key.PublicKey.Bytes() // 4, x and y
		if err != nil {
			t.Fatal(err)
		}
		enc := base64.RawURLEncoding.EncodeToString
		keys = append(keys, map[string]string{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": i.kid,
			"x": enc(public[1:33]), "y": enc(public[33:])})
	}
	data, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// sign returns a token that is valid for an hour, with other claims or without one if its
// value is nil.
func (i *issuer) sign(t testing.TB, others jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{"iss": i.name, "aud": "flags", "sub": "u-1", "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range others {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header["kid"] = i.kid
	text, err := token.SignedString(i.key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTokens(t *testing.T) {
	login, partner, stranger := newIssuer(t, "login", "a"), newIssuer(t, "partner", "b"), newIssuer(t, "login", "a")
	path := filepath.Join(t.TempDir(), "login.json")
	write(t, path, jwks(t, login))
	other := filepath.Join(t.TempDir(), "partner.json")
	write(t, other, jwks(t, partner))
	g, log := gate(t, fmt.Sprintf(`clients:
  - {name: app, jwt: {issuer: login, audience: [flags, shop], jwks: %q, algorithms: [ES256]}}
  - {name: admin, kind: server, jwt: {issuer: login, audience: admin, jwks: %q, algorithms: ES256}}
  - {name: partner, jwt: {issuer: partner, audience: flags, jwks: %q, algorithms: [ES256]}}
  - {name: rsa, jwt: {issuer: rsa, audience: flags, jwks: %q}}
`, path, path, other, path))
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone,
		jwt.MapClaims{"iss": "login", "aud": "flags", "exp": time.Now().Add(time.Hour).Unix()}).
		SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	hmac := jwt.NewWithClaims(jwt.SigningMethodHS256,
		jwt.MapClaims{"iss": "login", "aud": "flags", "exp": time.Now().Add(time.Hour).Unix()})
	hmac.Header["kid"] = "a"
	public, err := login.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	confused, err := hmac.SignedString(public)
	if err != nil {
		t.Fatal(err)
	}
	good := login.sign(t, nil)
	for name, test := range map[string]struct{ token, want string }{
		"good":                {good, "app"},
		"another audience":    {login.sign(t, jwt.MapClaims{"aud": []string{"x", "shop"}}), "app"},
		"of another client":   {login.sign(t, jwt.MapClaims{"aud": "admin"}), "admin"},
		"of both":             {login.sign(t, jwt.MapClaims{"aud": []string{"admin", "flags"}}), "app"},
		"of another issuer":   {partner.sign(t, nil), "partner"},
		"for somebody else":   {login.sign(t, jwt.MapClaims{"aud": "mail"}), "401"},
		"for nobody":          {login.sign(t, jwt.MapClaims{"aud": nil}), "401"},
		"expired":             {login.sign(t, jwt.MapClaims{"exp": time.Now().Add(-time.Minute).Unix()}), "401"},
		"for ever":            {login.sign(t, jwt.MapClaims{"exp": nil}), "401"},
		"not yet":             {login.sign(t, jwt.MapClaims{"nbf": time.Now().Add(time.Minute).Unix()}), "401"},
		"a clock that is off": {login.sign(t, jwt.MapClaims{"nbf": time.Now().Add(10 * time.Second).Unix()}), "app"},
		"a stranger's":        {stranger.sign(t, nil), "401"},
		"claims to be login":  {partner.sign(t, jwt.MapClaims{"iss": "login"}), "401"},
		"nobody's":            {login.sign(t, jwt.MapClaims{"iss": "nobody"}), "401"},
		"no issuer":           {login.sign(t, jwt.MapClaims{"iss": nil}), "401"},
		"another algorithm":   {login.sign(t, jwt.MapClaims{"iss": "rsa"}), "401"},
		"not signed":          {unsigned, "401"},
		"HMAC":                {confused, "401"},
		"changed":             {good[:len(good)-4] + "AAAA", "401"},
		"cut":                 {good[:len(good)/2], "401"},
		"dots":                {"..", "401"},
	} {
		if got := admitted(g, request("Authorization", "Bearer "+test.token)); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	caller, _ := g.Admit(request("Authorization",
		"Bearer "+login.sign(t, jwt.MapClaims{"sub": "u-7", "level": 9007199254740993, "staff": true,
			"roles": []string{"a"}, "empty": nil})))
	for name, want := range map[string]string{"sub": "u-7", "level": "9007199254740993", "staff": "true", "roles": "",
		"absent": "", "iss": "login"} {
		if got := caller.Claim(name); got != want {
			t.Errorf("claim %s is %q, want %q", name, got, want)
		}
	}
	if caller.Kind() != KindClient || (&Caller{client: caller.client}).Claim("sub") != "" {
		t.Error("a caller with a token is a server, or claims come from nowhere")
	}
	if text := log.String(); strings.Contains(text, "u-1") || strings.Contains(text, good) {
		t.Errorf("the log has a token or a claim: %s", text)
	}
}

// TestKeysOfIssuers follows keys that an issuer publishes, and replaces.
func TestKeysOfIssuers(t *testing.T) {
	first, second := newIssuer(t, "login", "first"), newIssuer(t, "login", "second")
	var set atomic.Pointer[string]
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch body := set.Load(); {
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/jwks", http.StatusFound)
		case r.URL.Path == "/large":
			fmt.Fprintf(w, `{"keys":[],"x":"%s"}`, strings.Repeat("x", maxKeySet))
		case body == nil:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			fmt.Fprint(w, *body)
		}
	}))
	defer server.Close()
	put := func(text string) { set.Store(&text) }
	const client = "clients: [{name: app, jwt: {issuer: login, audience: flags, jwks: %q, algorithms: ES256}}]"

	g, log := gate(t, fmt.Sprintf(client, server.URL+"/jwks"))
	if asked.Load() != 1 || !strings.Contains(log.String(), "fetching the keys of an issuer failed") {
		t.Errorf("asked %d times; log %s", asked.Load(), log)
	}
	put(jwks(t, first))
	if got := admitted(g, request("Authorization", "Bearer "+first.sign(t, nil))); got != "app" || asked.Load() != 2 {
		t.Errorf("after the issuer is back: %s, asked %d times", got, asked.Load())
	}
	// Within a minute, tokens with keys that nobody knows cost nothing.
	for range 100 {
		if got := admitted(g, request("Authorization", "Bearer "+second.sign(t, nil))); got != "401" {
			t.Errorf("an unknown key: %s", got)
		}
	}
	if asked.Load() != 2 {
		t.Errorf("asked %d times", asked.Load())
	}
	put(jwks(t, first, second))
	again, _ := gate(t, fmt.Sprintf(client, server.URL+"/jwks"))
	for _, i := range []*issuer{first, second} {
		if got := admitted(again, request("Authorization", "Bearer "+i.sign(t, nil))); got != "app" {
			t.Errorf("key %s: %s", i.kid, got)
		}
	}
	for _, path := range []string{"/moved", "/large"} {
		g, log := gate(t, fmt.Sprintf(client, server.URL+path))
		if got := admitted(g, request("Authorization", "Bearer "+first.sign(t, nil))); got != "401" ||
			!strings.Contains(log.String(), "failed") {
			t.Errorf("%s: %s, log %s", path, got, log)
		}
	}
}

func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key, hash := NewKey()
		other, otherHash := NewKey()
		g, _ := gate(t, fmt.Sprintf(`clients:
  - {name: web, kind: client, keys: %s, rate: {limit: 10/s, burst: 6}, rate_per_ip: 120/m}
  - {name: shop, kind: server, keys: %s, rate: 1/h}
`, hash, otherHash))
		ask := func(want string, key, peer string, headers ...string) {
			t.Helper()
			r := request(append(headers, "X-API-Key", key)...)
			r.RemoteAddr = peer
			caller, refused := g.Admit(r)
			got := "ok"
			if caller == nil {
				got = fmt.Sprint(refused.Status, " ", refused.RetryAfter)
			}
			if got != want {
				t.Errorf("%s after %v: %s, want %s", peer, time.Now().Format("05.000"), got, want)
			}
		}
		ask("ok", key, "192.0.2.1:1")
		ask("ok", key, "192.0.2.1:2")
		ask("429 1", key, "192.0.2.1:3")
		ask("ok", key, "192.0.2.2:1")
		// The address is the one that gateways vouch for.
		ask("ok", key, "10.0.0.1:1", "X-Forwarded-For", "192.0.2.1, 198.51.100.1")
		ask("ok", key, "10.0.0.1:1", "X-Forwarded-For", "192.0.2.9, 198.51.100.1")
		ask("429 1", key, "10.0.0.1:1", "X-Forwarded-For", "192.0.2.10, 198.51.100.1")
		// A network of 64 bits is one address, and what nobody knows is, too.
		ask("ok", key, "[2001:db8::1]:1")
		ask("429 1", key, "192.0.2.3:1") // all requests of the client
		time.Sleep(time.Second)
		ask("ok", key, "[2001:db8::2]:1")
		ask("ok", key, "[2001:db8::3]:1")
		ask("429 1", key, "[2001:db8::4]:1")
		ask("ok", key, "@")
		ask("ok", key, "garbage")
		ask("429 1", key, "@")
		ask("ok", other, "192.0.2.1:1")
		ask("429 3600", other, "192.0.2.1:1")
		time.Sleep(59*time.Minute + 500*time.Millisecond)
		ask("429 60", other, "192.0.2.1:1")
		time.Sleep(time.Minute)
		ask("ok", other, "192.0.2.1:1")
		if got := g.Refused().Rate; got != 7 {
			t.Errorf("counted %d", got)
		}
	})
}

// TestBuckets holds that addresses take a bounded amount of memory, and that forgetting one
// gives nobody more requests, unless there are too many.
func TestBuckets(t *testing.T) {
	c := &client{perAddress: pace{limit: 1, burst: 2}}
	var b buckets
	now := time.Unix(1_000_000, 0)
	address := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, byte(i >> 16), byte(i >> 8), byte(i)}) }
	for i := range maxBuckets + 1000 {
		take(b.of(c, address(i), now), now)
		if take(b.of(c, address(0), now), now) == 0 && i > 0 { // in use all the time, so never the one to go
			t.Fatalf("an address that is used all the time was forgotten after %d others", i)
		}
	}
	if len(b.known) != maxBuckets || b.order.Len() != maxBuckets {
		t.Errorf("%d addresses are known, %d in order", len(b.known), b.order.Len())
	}
	last := maxBuckets + 999
	take(b.of(c, address(last), now), now)
	if take(b.of(c, address(last), now), now) == 0 {
		t.Error("an address was forgotten that was used last")
	}
	// When all are idle, each new address lets two go.
	now = now.Add(time.Minute)
	for i := range maxBuckets {
		take(b.of(c, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now), now)
	}
	if len(b.known) != maxBuckets {
		t.Errorf("%d addresses are known", len(b.known))
	}
	now = now.Add(time.Minute)
	for i := range 1000 {
		take(b.of(c, address(i), now), now)
	}
	if len(b.known) != maxBuckets-1000 {
		t.Errorf("%d addresses are known after a peak", len(b.known))
	}
	b.clear()
	if len(b.known) != 0 || b.order.Len() != 0 {
		t.Errorf("%d addresses are known after clearing", len(b.known))
	}
}

// TestFollow changes the file, for the worse and for the better.
func TestFollow(t *testing.T) {
	key, hash := NewKey()
	next, nextHash := NewKey()
	const client = "clients: [{name: a, kind: server, keys: [%s]}]"
	g, log := gate(t, fmt.Sprintf(client, hash))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var done sync.WaitGroup
	done.Go(func() { g.Follow(ctx) })
	until := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not yet: %s; log %s", what, log)
			}
		}
	}
	has := func(key string) bool { return admitted(g, request("X-API-Key", key)) == "a" }
	// The file is written until somebody looks: Follow may not have begun to watch.
	until("the new key", func() bool {
		write(t, g.file.path, fmt.Sprintf(client, hash+", "+nextHash))
		time.Sleep(settle)
		return has(next)
	})
	until("the error", func() bool {
		write(t, g.file.path, "clients: [{name: a, kind: server, keys: ["+key+"]}]")
		time.Sleep(settle)
		return strings.Contains(log.String(), "clients not changed")
	})
	if !has(key) || !has(next) {
		t.Error("after an error, keys aren't known any more")
	}
	until("the old key's end", func() bool {
		write(t, g.file.path, fmt.Sprintf(client, nextHash))
		time.Sleep(settle)
		return !has(key)
	})
	if !has(next) || strings.Contains(log.String(), keyPrefix) {
		t.Errorf("the log has a key, or the next one is gone: %s", log)
	}
	cancel()
	done.Wait()
}

// TestFollowLinks changes the file as Kubernetes does in a ConfigMap that is mounted: it is
// behind a link to a folder, which is replaced by another.
func TestFollowLinks(t *testing.T) {
	dir := t.TempDir()
	var keys [2]string
	for i := range keys {
		key, hash := NewKey()
		keys[i] = key
		folder := filepath.Join(dir, fmt.Sprint("..", i))
		if err := os.Mkdir(folder, 0o777); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, "clients.yaml"),
			fmt.Sprintf("clients: [{name: a, kind: server, keys: %s}]", hash))
	}
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("..0", "..data")
	link(filepath.Join("..data", "clients.yaml"), "clients.yaml")
	g, err := Open(t.Context(), filepath.Join(dir, "clients.yaml"), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	go g.Follow(t.Context())
	for i := 0; admitted(g, request("X-API-Key", keys[1])) != "a"; i++ {
		if i == 400 {
			t.Fatal("the other folder isn't noticed")
		}
		// Replaced until somebody looks: Follow may not have begun to watch.
		link("..1", "..tmp")
		if err := os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(settle)
	}
}

// TestReload holds that a reload goes on with the keys of issuers, and stops what isn't
// needed any more.
func TestReload(t *testing.T) {
	login := newIssuer(t, "login", "a")
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) > 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, jwks(t, login))
	}))
	defer server.Close()
	text := "clients: [{name: app, jwt: {issuer: login, audience: flags, jwks: " + server.URL + ", algorithms: ES256}}]"
	g, _ := gate(t, text)
	before := g.state.Load()
	reload := func(text string) {
		t.Helper()
		write(t, g.file.path, text)
		if err := g.reload(); err != nil {
			t.Fatal(err)
		}
	}
	if reload(text); g.state.Load() != before {
		t.Error("a file that is the same was loaded again")
	}
	g.users.of(&client{}, netip.Addr{}, time.Now())
	reload(text + " # changed")
	if len(g.users.known) > 0 {
		t.Error("addresses of clients that are gone are remembered")
	}
	if g.state.Load() == before || admitted(g, request("Authorization", "Bearer "+login.sign(t, nil))) != "app" ||
		asked.Load() != 1 {
		t.Errorf("keys were fetched %d times", asked.Load())
	}
	path := filepath.Join(filepath.Dir(g.file.path), "login.json")
	write(t, path, jwks(t, login))
	local := "clients: [{name: app, jwt: {issuer: login, audience: flags, jwks: login.json, algorithms: ES256}}]"
	if reload(local); admitted(g, request("Authorization", "Bearer "+login.sign(t, nil))) != "app" {
		t.Error("keys beside the file aren't found")
	}
	next := newIssuer(t, "login", "a")
	write(t, path, jwks(t, next))
	if reload(local); admitted(g, request("Authorization", "Bearer "+login.sign(t, nil))) != "401" ||
		admitted(g, request("Authorization", "Bearer "+next.sign(t, nil))) != "app" {
		t.Error("changed keys beside the file aren't noticed")
	}
	write(t, path, "{")
	if err := g.reload(); err == nil || !strings.Contains(err.Error(), "is not a JWK Set") {
		t.Errorf("a set that is none: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := g.reload(); err == nil || admitted(g, request("Authorization", "Bearer "+next.sign(t, nil))) != "app" {
		t.Errorf("a set that is gone: %v", err)
	}
}

// TestConcurrentReloads asks while the file changes, under the race detector: a key that is
// in all versions is always known.
func TestConcurrentReloads(t *testing.T) {
	key, hash := NewKey()
	login := newIssuer(t, "login", "a")
	token := login.sign(t, nil)
	const clients = "clients:\n- {name: a, kind: client, keys: %s, rate_per_ip: 1000000/s}\n" +
		"- {name: app, jwt: {issuer: login, audience: flags, jwks: login.json, algorithms: ES256}}\n# %d"
	g, _ := gate(t, fmt.Sprintf("clients: [{name: a, kind: client, keys: %s}]", hash))
	write(t, filepath.Join(filepath.Dir(g.file.path), "login.json"), jwks(t, login))
	write(t, g.file.path, fmt.Sprintf(clients, hash, 0))
	if err := g.reload(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var askers sync.WaitGroup
	for i := range 4 {
		askers.Go(func() {
			for ctx.Err() == nil {
				r := request("X-API-Key", key)
				r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1", i)
				if got := admitted(g, r); got != "a" {
					t.Errorf("with the key: %s", got)
				}
				if got := admitted(g, request("Authorization", "Bearer "+token)); got != "app" {
					t.Errorf("with the token: %s", got)
				}
				g.Allows("https://a.example")
			}
		})
	}
	for i := range 50 {
		write(t, g.file.path+".new", fmt.Sprintf(clients, hash, i+1))
		if err := os.Rename(g.file.path+".new", g.file.path); err != nil {
			t.Fatal(err)
		}
		if err := g.reload(); err != nil {
			t.Error(err)
		}
	}
	cancel()
	askers.Wait()
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bad.yaml"), "clients: 5")
	write(t, filepath.Join(dir, "zero"), "clients\x00")
	for file, want := range map[string]string{"absent": "no such file", "bad.yaml": "bad.yaml:1:10: ",
		"zero": "isn't text"} {
		_, err := Open(t.Context(), filepath.Join(dir, file), new(enrich.Trust), slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "reading clients: ") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// FuzzCredential holds that what a request presents is a part of its headers, and that a
// second, different key in any header makes it nobody's.
func FuzzCredential(f *testing.F) {
	f.Add("serin_A", "Bearer serin_A")
	f.Add("", "bearer  serin_A ")
	f.Add("serin_A", "Basic dXNlcjpwYXNz")
	f.Add("a", "Bearer b")
	f.Add("", "Bearer")
	f.Fuzz(func(t *testing.T, key, authorization string) {
		header := http.Header{"X-Api-Key": {key}, "Authorization": {authorization}}
		secret, ok := credential(header)
		if !ok && secret != "" {
			t.Errorf("%q with an error", secret)
		}
		if ok && !strings.Contains(key, secret) && !strings.Contains(authorization, secret) {
			t.Errorf("%q is in neither %q nor %q", secret, key, authorization)
		}
		if ok && secret == "" && strings.TrimSpace(key) != "" {
			t.Errorf("the key %q was missed", key)
		}
		if strings.TrimSpace(secret) != secret {
			t.Errorf("%q has spaces around it", secret)
		}
		header.Add("X-Api-Key", secret+"x")
		if again, ok := credential(header); ok && again != secret+"x" || ok && secret != "" {
			t.Errorf("beside another key, %q is %q", secret, again)
		}
	})
}

// FuzzToken holds that nothing but a token that the issuer signed is valid, whatever the
// bytes are.
func FuzzToken(f *testing.F) {
	login := newIssuer(f, "login", "a")
	path := filepath.Join(f.TempDir(), "login.json")
	write(f, path, jwks(f, login))
	g, _ := gate(f, fmt.Sprintf(
		"clients: [{name: app, jwt: {issuer: login, audience: flags, jwks: %q, algorithms: ES256}}]", path))
	good := login.sign(f, nil)
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.eyJpc3MiOiJsb2dpbiIsImF1ZCI6ImZsYWdzIiwiZXhwIjo5OTk5OTk5OTk5fQ.")
	f.Add("a.b.c")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		caller := g.state.Load().token(t.Context(), token)
		if caller != nil && !sameToken(token, good) {
			t.Errorf("%q is valid", token)
		}
	})
}

// sameToken reports whether two tokens say the same. The last characters of the parts in
// base64 have bits that stand for nothing.
func sameToken(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range y {
		p, _ := base64.RawURLEncoding.DecodeString(x[i])
		q, _ := base64.RawURLEncoding.DecodeString(y[i])
		if !bytes.Equal(p, q) {
			return false
		}
	}
	return len(x) == len(y)
}
