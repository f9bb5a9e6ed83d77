// Package access decides who may ask an endpoint for flags, which flags, from which web
// pages and how often. Callers are clients of a file, which [Parse] describes. They show
// that they are one by a key, by a JSON Web Token (JWT), or by what AWS IAM says of them.
//
// A file has no secrets in it: of keys it has the SHA-256. Keys, tokens, claims and
// addresses of callers are never logged, and never part of an error.
package access

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/serin-flags/serin/lambda/enrich"
)

// A Kind says what a caller may say about its users.
type Kind uint8

// The kinds of clients.
const (
	// KindServer callers, such as services, speak for their users: they send all attributes
	// themselves.
	KindServer Kind = iota + 1
	// KindClient callers, such as browsers and apps, are used by the users themselves. Anyone
	// can read the key of one. What context.yaml takes from the request, they can't send.
	KindClient
)

// String returns "server" or "client", as the file has it.
func (k Kind) String() string {
	if k == KindServer {
		return "server"
	}
	return "client"
}

// A Caller is who sent a request: a client, and maybe one of its users. It belongs to one
// request.
type Caller struct {
	client *client
	claims map[string]any // of a JWT
}

// Name returns the name of the client, which isn't secret.
func (c *Caller) Name() string { return c.client.name }

// Kind returns the kind of the client.
func (c *Caller) Kind() Kind { return c.client.kind }

// SeesAll reports whether the caller may see every flag.
func (c *Caller) SeesAll() bool { return c.client.flags.all }

// Sees reports whether the caller may see the flag named key. namespace returns the flag's
// namespace, and whether anybody may read the flags of that.
func (c *Caller) Sees(key string, namespace func(key string) (name string, public bool)) bool {
	f := &c.client.flags
	if f.all || f.names[key] {
		return true
	}
	name, public := namespace(key)
	return f.public && public || f.names[name]
}

// A Refusal is why a request isn't answered.
type Refusal struct {
	Status     int    // 401, 403 or 429
	Details    string // for people; they quote nothing of the request
	Challenge  string // with 401, the value of WWW-Authenticate
	RetryAfter int    // with 429, in seconds, 1 or more
}

// Refused counts requests that were refused since the start, by why.
type Refused struct {
	Unknown int64 `json:"unknown"` // 401: no key or token, or none that is valid
	Origin  int64 `json:"origin"`  // 403: from a web page that may not ask
	Rate    int64 `json:"rate"`    // 429: more often than allowed
}

// A Gate admits requests of the clients of a file. It is safe for concurrent use.
type Gate struct {
	file  file
	trust *enrich.Trust
	state atomic.Pointer[state]
	users buckets // of clients with a rate for each address

	unknown, origin, rate atomic.Int64
}

// Refused returns how many requests were refused.
func (g *Gate) Refused() Refused {
	return Refused{g.unknown.Load(), g.origin.Load(), g.rate.Load()}
}

// Allows reports whether a web page of an origin may ask at all. It is for requests that
// can't carry a key: preflights and streams of events.
func (g *Gate) Allows(origin string) bool { return g.state.Load().clients.origins.has(origin) }

// Admit returns the caller of a request, or why it is refused.
func (g *Gate) Admit(r *http.Request) (*Caller, *Refusal) {
	caller, details := g.state.Load().identify(r)
	if caller == nil {
		g.unknown.Add(1)
		return nil, &Refusal{Status: http.StatusUnauthorized, Details: details, Challenge: "Bearer"}
	}
	if origin := r.Header.Get("Origin"); origin != "" && !caller.client.origins.has(origin) {
		g.origin.Add(1)
		return nil, &Refusal{Status: http.StatusForbidden, Details: "this client is not for web pages of this origin"}
	}
	if wait := g.limit(caller.client, r); wait > 0 {
		g.rate.Add(1)
		seconds := max(1, int((wait+time.Second-1)/time.Second))
		return nil, &Refusal{Status: http.StatusTooManyRequests, Details: "too many requests", RetryAfter: seconds}
	}
	return caller, nil
}

// limit takes a request from the client's rate, and from that of the address that it comes
// from. It returns how long until there is room for another, 0 if there was.
func (g *Gate) limit(c *client, r *http.Request) time.Duration {
	now := time.Now()
	if c.perAddress.limited() {
		if wait := take(g.users.of(c, g.trust.ClientIP(r), now), now); wait > 0 {
			return wait
		}
	}
	if c.all != nil {
		return take(c.all, now)
	}
	return 0
}

// What a request is refused with that isn't of a client.
const (
	noKey        = "a key is needed: send it as Authorization: Bearer KEY, or as X-API-Key"
	twoKeys      = "the request has two keys"
	unknownKey   = "the key or token is not valid"
	unknownARN   = "no client has this IAM identity"
	maxSecret    = 8 << 10 // bytes of a key or token that is looked at
	partsOfToken = 3       // header, claims and signature of a JWT
)

// identify returns who sent a request, or what to say if nobody is known.
func (s *state) identify(r *http.Request) (*Caller, string) {
	secret, ok := credential(r.Header)
	switch {
	case !ok:
		return nil, twoKeys
	case len(secret) > maxSecret:
		return nil, unknownKey
	case secret != "":
		if c := s.clients.byKey[digest(secret)]; c != nil {
			return &Caller{client: c}, ""
		}
		if caller := s.token(r.Context(), secret); caller != nil {
			return caller, ""
		}
		return nil, unknownKey
	}
	if arn := identityOf(r.Context()); arn != "" {
		if c := s.clients.principal(arn); c != nil {
			return &Caller{client: c}, ""
		}
		return nil, unknownARN
	}
	return nil, noKey
}
