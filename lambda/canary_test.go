package lambda

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/serin-flags/serin/internal/canary"
	"github.com/serin-flags/serin/internal/syncbuf"
	"github.com/serin-flags/serin/lambda/access"
	"github.com/serin-flags/serin/lambda/enrich"
	"github.com/serin-flags/serin/sdk"
)

// TestCanaries plants canaries in requests of all kinds, also in such that make the handler
// panic, and searches everything that is logged at any level and everything that is
// answered for them.
func TestCanaries(t *testing.T) {
	log := new(syncbuf.Buffer)
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(logger)
	e := newEstate(t, testRuleset())
	source, err := sdk.File(e.dir)
	if err != nil {
		t.Fatal(err)
	}
	client, err := sdk.Open(t.Context(), sdk.Config{Source: source, Root: e.keys.Root, Interval: -1, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	trust, err := enrich.ParseTrust("127.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	server, serverHash := access.NewKey()
	web, webHash := access.NewKey()
	slow, slowHash := access.NewKey()
	token, keySet := signedToken(t)
	file := filepath.Join(t.TempDir(), "clients.yaml")
	writeClients := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	writeClients(fmt.Sprintf(`clients:
  - {name: server, kind: server, keys: %s}
  - {name: web, kind: client, keys: %s, flags: "*", rate_per_ip: 1/h}
  - {name: slow, kind: client, keys: %s, flags: [shop], rate: 1/h}
  - {name: app, jwt: {issuer: login, audience: flags, jwks: %q, algorithms: ES256}, flags: "*"}
`, serverHash, webHash, slowHash, keySet))
	gate, err := access.Open(t.Context(), file, &trust, logger)
	if err != nil {
		t.Fatal(err)
	}
	handler := New(client, Config{Gateways: trust, Access: gate})
	endpoint := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Api-Key") == "" && r.ContentLength == int64(len(panicBody)) {
			r.Body = struct{ io.ReadCloser }{panicking{canary.Mark}}
		}
		handler.ServeHTTP(w, r)
	}))
	endpoint.Config.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelDebug)
	endpoint.Start()
	defer endpoint.Close()

	valid := []string{"Bearer " + server, "Bearer " + web, "Bearer " + slow, "Bearer " + token}
	answers, statuses := canary.Send(t, endpoint.URL, "new-checkout", valid...)
	for _, status := range []int{200, 400, 401, 403, 404, 413, 429} {
		if statuses[status] == 0 {
			t.Errorf("no answer was a %d: %v", status, statuses)
		}
	}
	r, err := http.NewRequest(http.MethodPost, endpoint.URL+flagsPath, strings.NewReader(panicBody))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+server)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusInternalServerError ||
		!strings.Contains(log.String(), "panic while handling a request") {
		t.Errorf("the panic was answered with %d; log %s", resp.StatusCode, log)
	}
	status := httptest.NewRecorder()
	handler.ServeHTTP(status, httptest.NewRequest(http.MethodGet, statusPath, nil))
	// What is wrong with a file of clients is logged. Somebody has written a key into it.
	writeClients("clients: [{name: " + server + ", kind: " + web + ", keys: [" + slow + "], " + server + ": 5}]")
	if _, err := access.Open(t.Context(), file, &trust, logger); err == nil {
		t.Error("a file with keys was read")
	} else {
		logger.Error("reading clients", "error", err)
	}
	secrets := []string{server, web, slow, token}
	for what, text := range map[string]string{"the log": log.String(), "an answer": answers,
		"the status": status.Body.String()} {
		for _, line := range canary.Leaks(text, secrets...) {
			t.Errorf("%s has a canary: %.500s", what, line)
		}
	}
	if n := len(canary.Leaks("a\nb "+canary.Address+"\n"+canary.Mark+" "+server+"\n"+token, secrets...)); n != 3 {
		t.Errorf("the search finds %d canaries of 3", n)
	}
}

// panicBody is a body of a length that no other has.
const panicBody = `{"context":{"panic":true}}`

// signedToken returns a token whose claims are canaries, and the path of a JWK Set that
// verifies it.
func signedToken(t *testing.T) (token, keySet string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey.Bytes() // 4, x and y
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding.EncodeToString
	keySet = filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(keySet, fmt.Appendf(nil, `{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":%q,"y":%q}]}`,
		enc(public[1:33]), enc(public[33:])), 0o666); err != nil {
		t.Fatal(err)
	}
	unsigned := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"iss": "login", "aud": "flags",
		"exp": time.Now().Add(time.Hour).Unix(), "sub": canary.Mark + "-sub", "email": canary.Mark + "@example.com"})
	unsigned.Header["kid"] = "a"
	if token, err = unsigned.SignedString(key); err != nil {
		t.Fatal(err)
	}
	return token, keySet
}
