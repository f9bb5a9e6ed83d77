package access

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

// leeway is by how much the clocks of issuers may differ from ours.
const leeway = 30 * time.Second

// token returns who a JWT is from, nil if it isn't valid.
func (s *state) token(ctx context.Context, text string) *Caller {
	if strings.Count(text, ".") != partsOfToken-1 || len(s.clients.byIssuer) == 0 {
		return nil
	}
	// Whose keys to verify it with, only the token itself says. Nothing else that it says
	// is used before it is verified.
	unverified, _, err := jwt.NewParser().ParseUnverified(text, new(jwt.RegisteredClaims))
	if err != nil {
		return nil
	}
	if _, ok := unverified.Header["crit"]; ok {
		return nil // it has extensions, which RFC 7515 forbids to ignore, and we know none
	}
	issuer, err := unverified.Claims.GetIssuer()
	if err != nil {
		return nil
	}
	for _, c := range s.clients.byIssuer[issuer] {
		if claims, ok := s.verify(ctx, c.token, text); ok {
			return &Caller{client: c, claims: claims}
		}
	}
	return nil
}

// verify returns the claims of a JWT that is signed by the issuer, for an audience of t,
// and has not expired.
func (s *state) verify(ctx context.Context, t *token, text string) (jwt.MapClaims, bool) {
	claims := make(jwt.MapClaims)
	parser := jwt.NewParser(jwt.WithValidMethods(t.algorithms), jwt.WithIssuer(t.issuer),
		jwt.WithAudience(t.audiences...),
		jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithJSONNumber())
	verified, err := parser.ParseWithClaims(text, claims, s.keySets[t.jwks].keys.KeyfuncCtx(ctx))
	if err != nil || !verified.Valid {
		return nil, false
	}
	return claims, true
}

// Claim returns a claim of the caller's JWT as text: text, a number, or true and false. It
// returns "" for others, and for callers without a JWT.
func (c *Caller) Claim(name string) string {
	switch v := c.claims[name].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// signing returns those of keys that may sign. An issuer may publish others beside them, which
// are for encryption.
func signing(keys keyfunc.Keyfunc, err error) (keyfunc.Keyfunc, error) {
	if err != nil {
		return nil, err
	}
	options := keyfunc.Options{Storage: keys.Storage()}
	options.UseWhitelist = append(options.UseWhitelist, "", "sig")
	return keyfunc.New(options)
}

// A keySet is the public keys of an issuer.
type keySet struct {
	keys keyfunc.Keyfunc
	stop context.CancelFunc // of what refreshes them; nil if nothing does
}
