package access

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
	"golang.org/x/time/rate"

	"github.com/serin-flags/serin/internal/suggest"
)

// Parse reads a file of clients, YAML or JSON, at most 1 MiB with 1,000 clients. name is
// what errors call it; they list everything that is wrong, line by line.
//
//	clients:
//	  - name: checkout
//	    kind: server
//	    keys: [sha256:…]              # several while a key is replaced
//	    rate: 2000/s
//	  - name: website
//	    kind: client
//	    keys: [sha256:…]
//	    flags: [public]               # or namespaces and keys of flags
//	    origins: ["https://shop.example"]
//	    rate: {limit: 500/s, burst: 2000}
//	    rate_per_ip: 20/s
//	  - name: app
//	    jwt:
//	      issuer: https://login.shop.example/
//	      audience: flags
//	      jwks: https://login.shop.example/.well-known/jwks.json
//	      algorithms: [RS256]
//	  - name: reports
//	    kind: server
//	    iam: [arn:aws:iam::123456789012:role/reports]
//
// docs/http.md says what they mean.
func Parse(name string, data []byte) (*Clients, error) {
	p := &parser{reader: reader{file: name}, names: make(map[string]bool), clients: &Clients{
		file: name, byKey: make(map[[sha256.Size]byte]*client), byARN: make(map[arn]*client),
		byIssuer: make(map[string][]*client),
	}}
	if root := p.document(data); root != nil {
		p.root(root)
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	return p.clients, nil
}

type parser struct {
	reader
	clients *Clients
	names   map[string]bool
}

func (p *parser) root(n *yaml.Node) {
	fields := p.fields(n, "the file", "clients")
	p.require(n, fields, "the file", "clients")
	list := fields["clients"]
	switch {
	case list == nil:
	case list.Kind != yaml.SequenceNode || len(list.Content) == 0:
		p.failf(list, "\"clients\" is a list of at least one client; without the file, everyone may ask")
	case len(list.Content) > maxClients:
		p.failf(list, "there are %d clients; the limit is %d", len(list.Content), maxClients)
	default:
		for _, item := range list.Content {
			p.client(item)
		}
	}
}

func (p *parser) client(n *yaml.Node) {
	f := p.fields(n, "a client", "name", "kind", "keys", "jwt", "iam", "flags", "origins", "rate", "rate_per_ip")
	if f == nil {
		return
	}
	c := new(client)
	p.require(n, f, "a client", "name")
	if f["name"] != nil {
		c.name = p.name(f["name"])
	}
	if f["keys"] == nil && f["jwt"] == nil && f["iam"] == nil {
		p.failf(n, "a client has no \"keys\", \"jwt\" or \"iam\" to know it by; 'serin clients key' makes a key")
	}
	c.kind = p.kind(n, f)
	p.credentials(c, f)
	p.flags(c, f["flags"])
	if o := f["origins"]; o != nil {
		c.origins = p.origins(o)
		p.clients.origins.add(c.origins)
	}
	if r := f["rate"]; r != nil {
		if all := p.pace(r, "\"rate\""); all.limited() {
			c.all = all.limiter()
		}
	}
	if r := f["rate_per_ip"]; r != nil {
		if c.perAddress = p.pace(r, "\"rate_per_ip\""); c.kind == KindServer {
			p.failf(r, "\"rate_per_ip\" is for clients of kind client: all requests of a server come from few addresses")
		}
	}
	p.clients.list = append(p.clients.list, c)
}

func (p *parser) name(n *yaml.Node) string {
	name := p.text(n, "\"name\"")
	switch {
	case name == "":
	case len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return !isNameRune(r) }):
		p.failf(n, "a name has at most %d letters, digits, \"-\", \"_\" and \".\"", maxName)
	case strings.HasPrefix(name, keyPrefix):
		p.failf(n, "a name can't begin like a key, since it is logged")
	case p.names[name]:
		p.failf(n, "there are two clients named %q", name)
	}
	p.names[name] = true
	return name
}

func isNameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.", r)
}

// kind returns the kind of a client. One with a jwt is of kind client if it doesn't say.
func (p *parser) kind(n *yaml.Node, f map[string]*yaml.Node) Kind {
	switch kind := f["kind"]; {
	case kind == nil && f["jwt"] != nil:
	case kind == nil:
		p.failf(n, "a client has no \"kind\": server for services that speak for their users, client for browsers and apps")
	case kind.Kind == yaml.ScalarNode && kind.Value == "server":
		return KindServer
	case kind.Kind != yaml.ScalarNode || kind.Value != "client":
		p.failf(kind, "\"kind\" is server or client")
	}
	return KindClient
}

// credentials reads what a client is known by. Nothing may be of two clients.
func (p *parser) credentials(c *client, f map[string]*yaml.Node) {
	if keys := f["keys"]; keys != nil {
		for _, n := range p.list(keys, "\"keys\"") {
			p.key(c, n)
		}
	}
	if n := f["jwt"]; n != nil {
		p.jwt(c, n)
	}
	if iam := f["iam"]; iam != nil {
		for _, n := range p.texts(iam, "\"iam\"", "an ARN") {
			a, ok := parseARN(n.Value)
			switch other := p.clients.byARN[a]; {
			case !ok || strings.Contains(n.Value, ":sts:"):
				p.failf(n, "%q is not the ARN of a role, a user or an account, such as arn:aws:iam::123456789012:role/reports", n.Value)
			case other != nil:
				p.failf(n, "this is client %q already", other.name)
			default:
				p.clients.byARN[a] = c
			}
		}
	}
}

// key reads the hash of a key. It quotes nothing: somebody may have written the key itself.
func (p *parser) key(c *client, n *yaml.Node) {
	text, ok := strings.CutPrefix(n.Value, hashPrefix)
	sum, err := hex.DecodeString(text)
	hash := [sha256.Size]byte{}
	switch {
	case strings.HasPrefix(n.Value, keyPrefix):
		p.failf(n, "this is a key, not the hash of one: whoever reads the file could use it. Make another with 'serin clients key'")
		return
	case n.Kind != yaml.ScalarNode || !ok || err != nil || len(sum) != len(hash):
		p.failf(n, "the hash of a key is \"sha256:\" and 64 hexadecimal digits; 'serin clients key' makes a key and prints its hash")
		return
	}
	copy(hash[:], sum)
	switch other := p.clients.byKey[hash]; {
	case hash == digest(""), hash == digest("\n"):
		p.failf(n, "this is the hash of an empty key")
	case other == c:
		p.failf(n, "this key is there twice")
	case other != nil:
		p.failf(n, "this is a key of client %q already", other.name)
	default:
		p.clients.byKey[hash] = c
	}
}

func (p *parser) jwt(c *client, n *yaml.Node) {
	const what = "\"jwt\""
	f := p.fields(n, what, "issuer", "audience", "jwks", "algorithms")
	p.require(n, f, what, "issuer", "audience", "jwks")
	t := &token{algorithms: []string{"RS256"}}
	if f["issuer"] != nil {
		t.issuer = p.text(f["issuer"], "\"issuer\"")
	}
	if f["audience"] != nil {
		for _, a := range p.texts(f["audience"], "\"audience\"", "an audience") {
			t.audiences = append(t.audiences, a.Value)
		}
	}
	if f["jwks"] != nil {
		t.jwks = p.keySet(f["jwks"])
	}
	if f["algorithms"] != nil {
		t.algorithms = nil
		for _, a := range p.texts(f["algorithms"], "\"algorithms\"", "an algorithm") {
			if strings.HasPrefix(a.Value, "HS") {
				p.failf(a, "%q needs a secret, and the keys of a JWK Set are public: use one of %s", a.Value,
					strings.Join(algorithms, ", "))
			} else if !slices.Contains(algorithms, a.Value) {
				p.failf(a, "%q is not one of the algorithms %s%s", a.Value, strings.Join(algorithms, ", "),
					suggest.DidYouMean(a.Value, slices.Values(algorithms)))
			}
			t.algorithms = append(t.algorithms, a.Value)
		}
	}
	for _, other := range p.clients.byIssuer[t.issuer] {
		if t.overlaps(other.token) {
			p.failf(n, "a token of this issuer and audience is client %q already", other.name)
		}
	}
	c.token = t
	p.clients.byIssuer[t.issuer] = append(p.clients.byIssuer[t.issuer], c)
}

// keySet reads where the keys of an issuer are: the URL or the path of a JWK Set.
func (p *parser) keySet(n *yaml.Node) string {
	text := p.text(n, "\"jwks\"")
	if !strings.Contains(text, "://") {
		return text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		p.failf(n, "\"jwks\" is the URL or the path of a JWK Set, without a user and a fragment")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		p.failf(n, "the keys of an issuer must come by https: whoever can change them can sign tokens")
	}
	return text
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// flags reads which flags a client may see: if it doesn't say, a server all, and others
// those of public namespaces.
func (p *parser) flags(c *client, n *yaml.Node) {
	if n == nil {
		c.flags = visible{all: c.kind == KindServer, public: true}
		return
	}
	for _, item := range p.texts(n, "\"flags\"", "an element of \"flags\"") {
		switch item.Value {
		case "*":
			c.flags.all = true
		case "public":
			c.flags.public = true
		default:
			if c.flags.names == nil {
				c.flags.names = make(map[string]bool)
			}
			c.flags.names[item.Value] = true
			p.clients.names = append(p.clients.names, item)
		}
	}
}

func (p *parser) origins(n *yaml.Node) (o origins) {
	for _, item := range p.texts(n, "\"origins\"", "an origin") {
		if item.Value == "*" {
			o.any = true
			continue
		}
		if why := checkOrigin(item.Value); why != "" {
			p.failf(item, "%q %s", item.Value, why)
			continue
		}
		o.add(origins{list: map[string]bool{item.Value: true}})
	}
	return o
}

// checkOrigin returns why browsers never send such an origin, "" if they do.
func checkOrigin(text string) string {
	const example = "an origin is a scheme, a host and maybe a port, such as https://shop.example, or \"*\" for all"
	u, err := url.Parse(text)
	switch {
	case text == "null":
		return "is what many pages send that have nothing to do with each other; list their servers, or \"*\" for all"
	case err != nil || u.Scheme == "" || u.Host == "":
		return "is not an origin: " + example
	case strings.Contains(u.Host, "*"):
		return "has a \"*\": list the origins one by one"
	case u.Scheme+"://"+u.Host != text:
		return "has more than an origin: write " + strconv.Quote(u.Scheme+"://"+u.Host)
	case strings.ToLower(text) != text:
		return "has capital letters, which browsers don't send"
	case u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80":
		return "names the default port, which browsers don't send"
	}
	return ""
}

// pace reads a rate: 100/s, or {limit: 100/s, burst: 200}.
func (p *parser) pace(n *yaml.Node, what string) pace {
	limit, burst := n, (*yaml.Node)(nil)
	if n.Kind == yaml.MappingNode {
		f := p.fields(n, what, "limit", "burst")
		p.require(n, f, what, "limit")
		if limit, burst = f["limit"], f["burst"]; limit == nil {
			return pace{}
		}
	}
	perSecond, ok := parseRate(limit)
	if !ok {
		p.failf(limit, "%s is a number of requests in a second, a minute or an hour: 100/s, 600/m or 1000/h", what)
		return pace{}
	}
	out := pace{rate.Limit(perSecond), max(1, int(math.Ceil(perSecond)))}
	if burst != nil {
		size, err := strconv.Atoi(burst.Value)
		if err != nil || burst.Kind != yaml.ScalarNode || size < 1 || size > maxRate {
			p.failf(burst, "\"burst\" is how many requests may come at once, from 1 to %d", maxRate)
			return pace{}
		}
		out.burst = size
	}
	return out
}

// maxRate is the highest rate, in requests.
const maxRate = 1_000_000

// parseRate returns the requests in a second.
func parseRate(n *yaml.Node) (perSecond float64, ok bool) {
	number, unit, _ := strings.Cut(n.Value, "/")
	requests, err := strconv.Atoi(number)
	seconds := map[string]float64{"s": 1, "m": 60, "h": 3600}[unit]
	if n.Kind != yaml.ScalarNode || err != nil || requests < 1 || requests > maxRate || seconds == 0 {
		return 0, false
	}
	return float64(requests) / seconds, true
}
