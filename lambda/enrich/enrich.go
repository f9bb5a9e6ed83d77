// Package enrich takes attributes from HTTP requests, as the "from" of context.yaml says:
// from the user agent, headers, cookies, the query, the path, the client's address, and the
// claims of a verified JWT.
//
// A value that occurs twice in a request, such as a header that a visitor sent and a
// gateway added, counts as absent: nobody can say which one is meant.
package enrich

import (
	"crypto/rand"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/from"
)

// An Attribute is an attribute and where it comes from.
type Attribute struct {
	Name    string
	Type    evaluator.AttributeType
	Sources []from.Source // the first that the request has counts
}

// Parse returns the Attribute that a program declares. Its Sources are empty if callers
// send it.
func Parse(a evaluator.Attribute) (Attribute, error) {
	sources, err := from.Parse(a.From)
	return Attribute{a.Name, a.Type, sources}, err
}

// A Request is an HTTP request whose attributes are taken. It isn't safe for concurrent
// use.
type Request struct {
	r       *http.Request
	trusted bool     // the peer is a gateway
	read    bool     // uri has been read
	uri     *url.URL // that the client asked for, if a gateway says so
	query   url.Values
	agent   *agent
	issued  *http.Cookie

	trust  *Trust
	direct bool // the caller asks for itself
	claim  func(name string) string
}

// Read returns a Request that a gateway sends for a client.
func (t *Trust) Read(r *http.Request) Request {
	return Request{r: r, trust: t, trusted: t.Gateway(r)}
}

// clientURI returns what the client has asked for, or nil if no gateway says so: nginx's
// auth_request and the forward auth of Traefik and Caddy ask for another path.
func (q *Request) clientURI() *url.URL {
	if q.trusted && !q.direct && !q.read {
		if uri, ok := single(q.r.Header["X-Forwarded-Uri"]); ok && strings.HasPrefix(uri, "/") {
			q.uri, _ = url.ParseRequestURI(uri) // nil if it's malformed: there is no path then
		}
	}
	q.read = true
	return q.uri
}

// Direct returns a Request that a browser or an app sends for itself. It has no path, since
// that of the request is the endpoint's, and no cookie is issued. claim returns a claim of
// the caller's verified JWT, "" if there is none; it may be nil.
func (t *Trust) Direct(r *http.Request, claim func(name string) string) Request {
	return Request{r: r, trust: t, trusted: t.Gateway(r), direct: true, claim: claim}
}

// Issued returns the cookie that the response must set, because Value has made an ID for a
// visitor without one, or nil.
func (q *Request) Issued() *http.Cookie { return q.issued }

// Value returns the value of an attribute; the zero Value if the request has none, or none
// of the attribute's type.
func (q *Request) Value(a *Attribute) evaluator.Value {
	for i := range a.Sources {
		if text := q.text(&a.Sources[i]); text != "" && utf8.ValidString(text) {
			return valueOf(text, a.Type)
		}
	}
	return evaluator.Value{}
}

// valueOf returns text as a value of type t.
func valueOf(text string, t evaluator.AttributeType) evaluator.Value {
	switch t {
	case evaluator.AttrInteger:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && text[0] != '+' {
			return evaluator.IntValue(n)
		}
		return evaluator.Value{}
	case evaluator.AttrTime: // or text
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && text[0] != '+' {
			return evaluator.IntValue(n)
		}
	case evaluator.AttrBoolean:
		switch text {
		case "true", "1":
			return evaluator.BoolValue(true)
		case "false", "0":
			return evaluator.BoolValue(false)
		}
		return evaluator.Value{}
	}
	return evaluator.StringValue(text)
}

// text returns what a source says, or "".
func (q *Request) text(s *from.Source) string {
	switch s.Kind {
	case from.Header:
		if s.Trusted && !q.trusted {
			return ""
		}
		text, _ := single(q.r.Header[s.Name])
		return text
	case from.Query:
		text, _ := single(q.parameters()[s.Name])
		return text
	case from.Cookie:
		return q.cookie(s)
	case from.Path:
		if uri := q.clientURI(); uri != nil {
			return uri.Path
		}
		return ""
	case from.Claim:
		if q.claim == nil {
			return ""
		}
		return q.claim(s.Name)
	case from.ClientIP:
		if ip := q.trust.ClientIP(q.r); ip.IsValid() {
			return ip.String()
		}
		return ""
	case from.UserAgent:
		if q.agent == nil {
			text, _ := single(q.r.Header["User-Agent"])
			q.agent = readAgent(text)
		}
		return q.agent.field(s.Name)
	}
	return ""
}

// single returns the only value of a list.
func single(values []string) (string, bool) {
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}

// parameters returns those of the query that the client sent.
func (q *Request) parameters() url.Values {
	if q.query == nil {
		raw := q.r.URL.RawQuery
		if uri := q.clientURI(); uri != nil {
			raw = uri.RawQuery
		}
		q.query, _ = url.ParseQuery(raw) // without the malformed ones
	}
	return q.query
}

// cookie returns the value of a cookie. One that is issued is a valid ID, or a new one.
func (q *Request) cookie(s *from.Source) string {
	cookies := q.r.CookiesNamed(s.Name)
	if s.Issue == 0 {
		if len(cookies) != 1 {
			return ""
		}
		return cookies[0].Value
	}
	if len(cookies) == 1 && isID(cookies[0].Value) {
		return cookies[0].Value
	}
	if q.direct {
		return ""
	}
	if q.issued == nil || q.issued.Name != s.Name {
		q.issued = &http.Cookie{Name: s.Name, Value: rand.Text(), Path: "/", MaxAge: int(s.Issue / time.Second),
			Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	}
	return q.issued.Value
}

// isID reports whether text is what [rand.Text] returns: 26 characters of base32, with at
// least 128 random bits.
func isID(text string) bool {
	return len(text) == 26 && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// address reads an IP address, which may have a port, brackets or a zone. It returns the
// zero Addr for anything else.
func address(text string) netip.Addr {
	if port, err := netip.ParseAddrPort(text); err == nil {
		return port.Addr().Unmap().WithZone("")
	}
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if text, ok = strings.CutSuffix(inner, "]"); !ok {
			return netip.Addr{}
		}
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap().WithZone("")
}
