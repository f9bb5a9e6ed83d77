package access

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

var base64url = base64.RawURLEncoding.EncodeToString

// A jwk is a key of a JWK Set.
type jwk map[string]string

// with returns a copy with other members, given as names and values.
func (k jwk) with(members ...string) jwk {
	other := make(jwk)
	for name, value := range k {
		other[name] = value
	}
	for i := 0; i < len(members); i += 2 {
		other[members[i]] = members[i+1]
	}
	return other
}

// A keyPair is a private key and its JWK.
type keyPair struct {
	private crypto.Signer
	jwk     jwk
}

// keyPairs returns one for each algorithm, whose kid is the kind of key: the RSA key is the
// same for all of RSA's algorithms.
func keyPairs(t testing.TB) map[string]keyPair {
	t.Helper()
	pairs := make(map[string]keyPair)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public := jwk{"kty": "RSA", "kid": "rsa", "n": base64url(rsaKey.N.Bytes()),
		"e": base64url(big.NewInt(int64(rsaKey.E)).Bytes())}
	for _, algorithm := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"} {
		pairs[algorithm] = keyPair{rsaKey, public}
	}
	for algorithm, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(),
		"ES512": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		point, err := key.PublicKey.Bytes() // 4, x and y
		if err != nil {
			t.Fatal(err)
		}
		name, half := curve.Params().Name, (len(point)+1)/2
		pairs[algorithm] = keyPair{key,
			jwk{"kty": "EC", "crv": name, "kid": name, "x": base64url(point[1:half]), "y": base64url(point[half:])}}
	}
	edPublic, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pairs["EdDSA"] = keyPair{edPrivate, jwk{"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": base64url(edPublic)}}
	if len(pairs) != len(algorithms) {
		t.Fatalf("there are keys for %d of %d algorithms", len(pairs), len(algorithms))
	}
	return pairs
}

// writeKeys writes a JWK Set, and returns its path.
func writeKeys(t testing.TB, keys ...jwk) string {
	t.Helper()
	data, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	write(t, path, string(data))
	return path
}

// forge returns a token with this header whatever its algorithm, signed by method with key.
func forge(t testing.TB, issuer string, method jwt.SigningMethod, key any, header map[string]any) string {
	t.Helper()
	claims := map[string]any{"iss": issuer, "aud": "flags", "sub": "u-1", "exp": time.Now().Add(time.Hour).Unix()}
	var parts []string
	for _, part := range []any{header, claims} {
		data, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, base64url(data))
	}
	text := strings.Join(parts, ".")
	signature, err := method.Sign(text, key)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64url(signature)
}

// TestAlgorithms holds that each algorithm may sign, and only where a client accepts it.
func TestAlgorithms(t *testing.T) {
	pairs := keyPairs(t)
	var keys []jwk
	for _, algorithm := range []string{"RS256", "ES256", "ES384", "ES512", "EdDSA"} { // one of each kind
		keys = append(keys, pairs[algorithm].jwk)
	}
	path, text := writeKeys(t, keys...), "clients:\n"
	for _, accepted := range algorithms {
		text += fmt.Sprintf("  - {name: of-%s, jwt: {issuer: %s, audience: flags, jwks: %q, algorithms: %s}}\n",
			strings.ToLower(accepted), accepted, path, accepted)
	}
	g, _ := gate(t, text)
	for _, accepted := range algorithms {
		for _, signs := range algorithms {
			pair, want := pairs[signs], "401"
			if signs == accepted {
				want = "of-" + strings.ToLower(accepted)
			}
			for _, header := range []map[string]any{{"alg": signs, "kid": pair.jwk["kid"]}, {"alg": signs}} {
				token := forge(t, accepted, jwt.GetSigningMethod(signs), pair.private, header)
				if got := admitted(g, request("Authorization", "Bearer "+token)); got != want {
					t.Errorf("%v signs, and %s is accepted: %s, want %s", header, accepted, got, want)
				}
			}
		}
	}
}

// TestAlgorithmConfusion holds that nobody gets in with a token that isn't signed, or that is
// signed with what everybody knows.
func TestAlgorithmConfusion(t *testing.T) {
	pairs := keyPairs(t)
	shared := []byte("a secret that somebody has put into a public file")
	path := writeKeys(t, pairs["RS256"].jwk, pairs["ES256"].jwk, pairs["EdDSA"].jwk,
		jwk{"kty": "oct", "kid": "oct", "k": base64url(shared)})
	g, log := gate(t, fmt.Sprintf(
		"clients: [{name: app, jwt: {issuer: login, audience: flags, jwks: %q, algorithms: [%s]}}]",
		path, strings.Join(algorithms, ", ")))
	refused := func(name string, method jwt.SigningMethod, key any, header map[string]any) {
		t.Helper()
		token := forge(t, "login", method, key, header)
		if got := admitted(g, request("Authorization", "Bearer "+token)); got != "401" {
			t.Errorf("%s: %s with the header %v", name, got, header)
		}
	}
	for _, none := range []any{"none", "None", "NONE", "nOnE", "", nil, 0, []string{"none"}} {
		for _, kid := range []string{"rsa", "oct", "absent"} {
			refused("not signed", jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType,
				map[string]any{"alg": none, "kid": kid})
		}
	}
	for name, secret := range knownTo(t, pairs, shared) {
		for _, method := range []*jwt.SigningMethodHMAC{jwt.SigningMethodHS256, jwt.SigningMethodHS384,
			jwt.SigningMethodHS512} {
			for _, header := range []map[string]any{{"alg": method.Alg()}, {"alg": "RS256"}, {"alg": "ES256"},
				{"alg": "EdDSA"}} {
				for _, kid := range []any{nil, "rsa", "P-256", "ed", "oct"} {
					if header["kid"] = kid; kid == nil {
						delete(header, "kid")
					}
					refused("HMAC with "+name, method, secret, header)
				}
			}
		}
	}
	if text := log.String(); strings.Contains(text, "u-1") {
		t.Errorf("the log has a claim: %s", text)
	}
}

// knownTo returns what an attacker may take for the secret: all forms of the public keys, and
// what else is in a JWK Set.
func knownTo(t testing.TB, pairs map[string]keyPair, shared []byte) map[string][]byte {
	t.Helper()
	known := map[string][]byte{"nothing": {}, "what is in the set": shared}
	for _, algorithm := range []string{"RS256", "ES256", "EdDSA"} {
		pair := pairs[algorithm]
		der, err := x509.MarshalPKIXPublicKey(pair.private.Public())
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		data, err := json.Marshal(pair.jwk)
		if err != nil {
			t.Fatal(err)
		}
		known["the DER of "+algorithm], known["the PEM of "+algorithm] = der, text
		known["the trimmed PEM of "+algorithm],
			known["the JWK of "+algorithm] = []byte(strings.TrimSpace(string(text))), data
		for _, member := range []string{"n", "x"} {
			raw, err := base64.RawURLEncoding.DecodeString(pair.jwk[member])
			if err != nil {
				t.Fatal(err)
			}
			known[member+" of "+algorithm], known["the text of "+member+" of "+algorithm] = raw,
				[]byte(pair.jwk[member])
		}
	}
	public := pairs["RS256"].private.Public().(*rsa.PublicKey)
	known["the PKCS 1 of RS256"] = x509.MarshalPKCS1PublicKey(public)
	return known
}

// TestKeysOfTokens holds that a token can't say which key it is verified with, other than by
// naming one of the issuer's, and that such a key is used only for what it is for.
func TestKeysOfTokens(t *testing.T) {
	pairs, strangers := keyPairs(t), keyPairs(t)
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	rs, es := pairs["RS256"], pairs["ES256"]
	path := writeKeys(t, rs.jwk.with("alg", "RS256", "use", "sig"), es.jwk.with("use", "enc"), pairs["EdDSA"].jwk)
	g, _ := gate(t, fmt.Sprintf(
		"clients: [{name: app, jwt: {issuer: login, audience: flags, jwks: %q, algorithms: [RS256, PS256, ES256, EdDSA]}}]", path))
	own := strangers["RS256"].jwk.with("kid", "own")
	for _, c := range []struct {
		name   string
		key    crypto.Signer
		header map[string]any
		want   string
	}{
		{"a key that is named", rs.private, map[string]any{"alg": "RS256", "kid": "rsa"}, "app"},
		{"no name", rs.private, map[string]any{"alg": "RS256"}, "app"},
		{"another algorithm than the key's", rs.private, map[string]any{"alg": "PS256", "kid": "rsa"}, "401"},
		{"another algorithm than the key's, without a name", rs.private, map[string]any{"alg": "PS256"}, "401"},
		{"a key for encryption", es.private, map[string]any{"alg": "ES256", "kid": "P-256"}, "401"},
		{"a key for encryption, without a name", es.private, map[string]any{"alg": "ES256"}, "401"},
		{"a key of another kind", rs.private, map[string]any{"alg": "RS256", "kid": "ed"}, "401"},
		{"a name that isn't text", rs.private, map[string]any{"alg": "RS256", "kid": 1}, "401"},
		{"a name that is a path", rs.private, map[string]any{"alg": "RS256", "kid": "../../../../dev/null"}, "401"},
		{"lower case", rs.private, map[string]any{"alg": "rs256", "kid": "rsa"}, "401"},
		{"its own key", strangers["RS256"].private, map[string]any{"alg": "RS256", "jwk": own}, "401"},
		{"its own key, named", strangers["RS256"].private, map[string]any{"alg": "RS256", "kid": "own", "jwk": own}, "401"},
		{"its own URL", strangers["RS256"].private, map[string]any{"alg": "RS256", "kid": "own", "jku": server.URL, "x5u": server.URL}, "401"},
		{"its own URL for a known name", strangers["RS256"].private, map[string]any{"alg": "RS256", "kid": "rsa", "jku": server.URL, "x5u": server.URL}, "401"},
		{"an extension that must be understood", rs.private, map[string]any{"alg": "RS256", "kid": "rsa", "crit": []string{"b64"}, "b64": false}, "401"},
	} {
		method := jwt.GetSigningMethod(strings.ToUpper(c.header["alg"].(string)))
		token := forge(t, "login", method, c.key, c.header)
		if got := admitted(g, request("Authorization", "Bearer "+token)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("a token makes it send %d requests", n)
	}
}
