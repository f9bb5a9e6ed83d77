// Package from describes where endpoints take attributes from: the "from" of context.yaml.
// Payloads carry it as JSON, in the form of the flag files.
package from

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strings"
	"time"
)

// Kind is where in a request a value is.
type Kind string

// The kinds of sources. ClientIP and Path have no name.
const (
	Query     Kind = "query"      // a parameter of the query
	Header    Kind = "header"     // a header
	Cookie    Kind = "cookie"     // a cookie
	UserAgent Kind = "user_agent" // a field of what the User-Agent header says; see Fields
	ClientIP  Kind = "client_ip"  // the address of the client
	Path      Kind = "path"       // the path that the client asked for
	Claim     Kind = "claim"      // a claim of a verified JWT
)

// Kinds are all kinds, in the order in which messages name them.
var Kinds = []Kind{UserAgent, Header, Query, Cookie, Claim, ClientIP, Path}

// Fields are the names that UserAgent sources have.
var Fields = []string{"platform", "browser", "browser_version", "os", "os_version", "device"}

// A Source is one place of a value.
type Source struct {
	Kind    Kind
	Name    string        // of the parameter, header (in canonical form), cookie, field or claim
	Trusted bool          // Header: only gateways may send it
	Issue   time.Duration // Cookie: visitors without one are given an ID for so long; 0: they aren't
}

const (
	// MaxSources limits the sources of one attribute.
	MaxSources = 10
	maxName    = 200
	maxIssue   = 400 * 24 * time.Hour // browsers keep no cookie longer
)

// Untrusted reports whether visitors can choose the value by themselves.
func (s Source) Untrusted() bool {
	switch s.Kind {
	case ClientIP, Claim:
		return false
	case Header:
		return !s.Trusted
	}
	return true
}

// Check returns what is wrong with a source, in words that follow its place.
func (s Source) Check() error {
	if (s.Kind == ClientIP || s.Kind == Path) != (s.Name == "") {
		return fmt.Errorf("%q has no name", s.Kind)
	}
	if len(s.Name) > maxName {
		return fmt.Errorf("the name has more than %d characters", maxName)
	}
	switch {
	case !slices.Contains(Kinds, s.Kind):
		return fmt.Errorf("%q is not a source", s.Kind)
	case s.Kind == UserAgent && !slices.Contains(Fields, s.Name):
		return fmt.Errorf("%q is not a field of user agents; they have %s", s.Name, strings.Join(Fields, ", "))
	case (s.Kind == Header || s.Kind == Cookie) &&
		strings.ContainsFunc(s.Name, func(r rune) bool { return !isToken(r) }):
		return fmt.Errorf("%q is not a name of a %s", s.Name, s.Kind)
	case s.Trusted && s.Kind != Header:
		return errors.New("only a header can be trusted")
	case s.Issue != 0 && s.Kind != Cookie:
		return errors.New("only a cookie can be issued")
	case s.Issue < 0 || s.Issue > maxIssue || s.Issue%time.Second != 0:
		return fmt.Errorf("cookies are issued for at most %d days, the longest that browsers keep them",
			maxIssue/(24*time.Hour))
	case s.Kind == Header:
		return checkHeader(s.Name)
	}
	return nil
}

// checkHeader refuses headers that mean something else.
func checkHeader(name string) error {
	switch canonical := textproto.CanonicalMIMEHeaderKey(name); {
	case canonical == "Cookie":
		return errors.New("cookies are sources of their own: {cookie: name}")
	case canonical == "Authorization":
		return fmt.Errorf("%s carries secrets; {claim: sub} is a claim of a verified JWT", canonical)
	case canonical == "Proxy-Authorization" || canonical == "X-Api-Key":
		return fmt.Errorf("%s carries secrets", canonical)
	case canonical == "X-Forwarded-For" || canonical == "X-Real-Ip" || canonical == "Forwarded":
		return fmt.Errorf("anyone can set %s; client_ip is the address that trusted gateways vouch for", canonical)
	case strings.HasPrefix(canonical, "X-Forwarded-"):
		return fmt.Errorf("%s describes the request to the gateway; path and query are taken from it", canonical)
	case strings.HasPrefix(canonical, "X-Serin-"):
		return fmt.Errorf("%s is part of the answer", canonical)
	}
	return nil
}

// isToken reports whether r may be in the name of a header or a cookie (RFC 9110, 5.6.2).
func isToken(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
		strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// wire is a Source as JSON.
type wire struct {
	Query     string `json:"query,omitempty"`
	Header    string `json:"header,omitempty"`
	Cookie    string `json:"cookie,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
	Claim     string `json:"claim,omitempty"`
	ClientIP  bool   `json:"client_ip,omitempty"`
	Path      bool   `json:"path,omitempty"`
	Trusted   bool   `json:"trusted,omitempty"`
	Issue     int64  `json:"issue,omitempty"` // seconds
}

// Text returns sources as JSON, or "" for none. Equal sources have equal texts.
func Text(sources []Source) string {
	if len(sources) == 0 {
		return ""
	}
	list := make([]wire, len(sources))
	for i, s := range sources {
		w := wire{Trusted: s.Trusted, Issue: int64(s.Issue / time.Second)}
		switch s.Kind {
		case Query:
			w.Query = s.Name
		case Header:
			w.Header = textproto.CanonicalMIMEHeaderKey(s.Name)
		case Cookie:
			w.Cookie = s.Name
		case UserAgent:
			w.UserAgent = s.Name
		case Claim:
			w.Claim = s.Name
		case ClientIP:
			w.ClientIP = true
		case Path:
			w.Path = true
		}
		list[i] = w
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(err) // there is nothing in it that JSON can't represent
	}
	return string(text)
}

// Parse reads what Text returns. It refuses sources that aren't known, so that a value
// isn't taken from another place than the flag folder says.
func Parse(text string) ([]Source, error) {
	if text == "" {
		return nil, nil
	}
	var list []wire
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("reading sources: %w", err)
	}
	if len(list) > MaxSources {
		return nil, fmt.Errorf("reading sources: there are more than %d", MaxSources)
	}
	sources := make([]Source, len(list))
	for i, w := range list {
		s, err := w.source()
		if err != nil {
			return nil, fmt.Errorf("reading sources: %w", err)
		}
		sources[i] = s
	}
	if Text(sources) != text {
		return nil, errors.New("reading sources: the text isn't in canonical form")
	}
	return sources, nil
}

func (w wire) source() (Source, error) {
	s := Source{Trusted: w.Trusted,
		Issue: time.Duration(min(max(w.Issue, -1), int64(maxIssue/time.Second)+1)) * time.Second}
	n := 0
	for kind, name := range map[Kind]string{
		Query: w.Query, Header: w.Header, Cookie: w.Cookie, UserAgent: w.UserAgent, Claim: w.Claim,
	} {
		if name != "" {
			s.Kind, s.Name = kind, name
			n++
		}
	}
	if w.ClientIP {
		s.Kind = ClientIP
		n++
	}
	if w.Path {
		s.Kind = Path
		n++
	}
	if n != 1 {
		return Source{}, errors.New("a source has one place")
	}
	return s, s.Check()
}
