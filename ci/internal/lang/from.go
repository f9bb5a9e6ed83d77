package lang

import (
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/from"
	"github.com/serin-flags/serin/internal/suggest"
)

// fromExample is what "from" may look like.
const fromExample = "{header: X-City}, {query: city}, {cookie: seat}, {user_agent: platform}, {claim: sub}, client_ip, path, or a list of these"

// fromKeys are the keys of a place with a name.
var fromKeys = []string{"header", "query", "cookie", "user_agent", "claim", "trusted", "issue"}

// from reads where endpoints take an attribute from.
func (c Checker) from(n *source.Node, a *Attribute) []from.Source {
	if a.Type == evaluator.AttrList {
		c.Errorf(n, "endpoints can't take a list from a request; callers send it")
		return nil
	}
	places := []*source.Node{n}
	if n.Kind == source.Sequence {
		if !c.List(n, "\"from\"") {
			return nil
		}
		places = n.Items
	}
	if len(places) > from.MaxSources {
		c.Errorf(n, "\"from\" has %d places; the limit is %d", len(places), from.MaxSources)
		return nil
	}
	var sources []from.Source
	for _, place := range places {
		s, ok := c.fromPlace(place, a)
		if ok && slices.Contains(sources, s) {
			c.Errorf(place, "this place is listed twice in \"from\"")
		}
		if ok {
			sources = append(sources, s)
		}
	}
	return sources
}

// fromPlace reads one place.
func (c Checker) fromPlace(n *source.Node, a *Attribute) (s from.Source, ok bool) {
	switch n.Kind {
	case source.Scalar:
		s.Kind = from.Kind(n.Text)
		if s.Kind != from.ClientIP && s.Kind != from.Path {
			c.Errorf(n, "\"from\" is %s, not %s", fromExample, n.Describe())
			return s, false
		}
	case source.Mapping:
		if s, ok = c.fromMapping(n); !ok {
			return s, false
		}
	default:
		c.Errorf(n, "\"from\" is %s, not %s", fromExample, n.Describe())
		return s, false
	}
	if err := s.Check(); err != nil {
		c.Errorf(n, "\"from\": %v", err)
		return s, false
	}
	return s, c.fromType(n, s, a)
}

// fromMapping reads a place with a name.
func (c Checker) fromMapping(n *source.Node) (s from.Source, ok bool) {
	if !c.Keys(n, "\"from\"", fromKeys...) {
		return s, false
	}
	for _, kind := range []from.Kind{from.Header, from.Query, from.Cookie, from.UserAgent, from.Claim} {
		name := n.Get(string(kind))
		if name == nil {
			continue
		}
		if s.Kind != "" {
			c.Errorf(n, "\"from\" names one place; write a list for several: [{%s: …}, {%s: …}]", s.Kind, kind)
			return s, false
		}
		text, ok := c.Text(name, "\""+string(kind)+"\"")
		if !ok {
			return s, false
		}
		s.Kind, s.Name = kind, text
		if kind == from.Header {
			s.Name = textproto.CanonicalMIMEHeaderKey(text)
		}
		if kind == from.UserAgent && !slices.Contains(from.Fields, text) {
			c.Errorf(name, "user agents have no %q, but %s%s", text, strings.Join(from.Fields, ", "),
				suggest.DidYouMean(text, slices.Values(from.Fields)))
			return s, false
		}
	}
	if s.Kind == "" {
		if !slices.ContainsFunc(n.Fields, func(f source.Field) bool { return !slices.Contains(fromKeys, f.Key.Text) }) {
			c.Errorf(n, "\"from\" is %s", fromExample)
		}
		return s, false
	}
	if trusted := n.Get("trusted"); trusted != nil {
		if s.Trusted, ok = c.Boolean(trusted, "\"trusted\""); !ok {
			return s, false
		}
	}
	if issue := n.Get("issue"); issue != nil {
		seconds, ok := c.Duration(issue, "\"issue\"")
		if !ok {
			return s, false
		}
		s.Issue = time.Duration(seconds) * time.Second
	}
	return s, true
}

// fromType checks that an attribute can have the values of a place.
func (c Checker) fromType(n *source.Node, s from.Source, a *Attribute) bool {
	var types []evaluator.AttributeType
	switch {
	case s.Kind == from.ClientIP:
		types = []evaluator.AttributeType{evaluator.AttrIP}
	case s.Kind == from.UserAgent && strings.HasSuffix(s.Name, "_version"):
		types = []evaluator.AttributeType{evaluator.AttrSemver, evaluator.AttrSemverV, evaluator.AttrString}
	case s.Kind == from.UserAgent, s.Kind == from.Path, s.Issue > 0:
		types = []evaluator.AttributeType{evaluator.AttrString}
	default:
		return true
	}
	if a.Type == 0 || slices.Contains(types, a.Type) {
		return true
	}
	c.Errorf(n, "what \"from\" names here is of type %v, but the attribute is of type %v", types[0], a.Type)
	return false
}

// issuers makes sure that at most one attribute issues cookies: nginx's auth_request
// passes only one on.
func (c Checker) issuers() {
	first := ""
	for _, name := range c.Known.AttributeNames {
		a := c.Known.Attributes[name]
		if !slices.ContainsFunc(a.From, func(s from.Source) bool { return s.Issue > 0 }) {
			continue
		}
		if first != "" {
			c.Errorf(a.At, "attribute %q issues a cookie, as attribute %q does; gateways can only set one", name, first)
			return
		}
		first = name
	}
}
