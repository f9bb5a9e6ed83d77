package access

import (
	"crypto/sha256"
	"maps"
	"slices"

	"go.yaml.in/yaml/v4"
	"golang.org/x/time/rate"

	"github.com/serin-flags/serin/internal/suggest"
)

// Limits on a file of clients.
const (
	maxFile    = 1 << 20 // bytes
	maxClients = 1000
	maxList    = 100 // keys, flags, origins and so on of one client
	maxName    = 100 // bytes
)

// Clients are those of a file. They are immutable and safe for concurrent use, but for their
// rates, which count requests.
type Clients struct {
	list     []*client
	byKey    map[[sha256.Size]byte]*client
	byARN    map[arn]*client
	byIssuer map[string][]*client // of tokens
	origins  origins              // of all clients

	file  string
	names []*yaml.Node // of namespaces and flags that clients may see
}

// Len returns the number of clients.
func (c *Clients) Len() int { return len(c.list) }

// CheckFlags returns an error with a line for each name that a client may see and that is
// neither of a namespace nor of a flag. known are the names of all of these.
func (c *Clients) CheckFlags(known map[string]bool) error {
	r := &reader{file: c.file}
	for _, n := range c.names {
		if !known[n.Value] {
			r.failf(n, "there is neither a namespace nor a flag %q%s", n.Value,
				suggest.DidYouMean(n.Value, slices.Values(slices.Sorted(maps.Keys(known)))))
		}
	}
	return r.err()
}

// A client is an entry of the file.
type client struct {
	name       string
	kind       Kind
	flags      visible
	origins    origins
	all        *rate.Limiter // nil: no limit
	perAddress pace
	token      *token // nil: it has none
}

// visible says which flags a client may see.
type visible struct {
	all    bool
	public bool            // those of public namespaces
	names  map[string]bool // keys and namespaces
}

// origins are the origins of web pages that may ask.
type origins struct {
	any  bool
	list map[string]bool
}

func (o *origins) has(origin string) bool { return o.any && origin != "" || o.list[origin] }

// add adds the origins of another list.
func (o *origins) add(others origins) {
	o.any = o.any || others.any
	for origin := range others.list {
		if o.list == nil {
			o.list = make(map[string]bool)
		}
		o.list[origin] = true
	}
}

// A token says which JSON Web Tokens are of a client.
type token struct {
	issuer     string
	audiences  []string
	algorithms []string
	jwks       string // the URL or the path of a JWK Set
}

// overlaps reports whether a JWT could be of both.
func (t *token) overlaps(other *token) bool {
	return t.issuer == other.issuer &&
		slices.ContainsFunc(t.audiences, func(a string) bool { return slices.Contains(other.audiences, a) })
}

// algorithms are those that may sign JWTs, all asymmetric: the keys of a JWK Set are public,
// so no secret for HMAC may be among them.
var algorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}
