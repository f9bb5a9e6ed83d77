package prometheus

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Credentials are those of servers, by their scheme, host and port. They come from the
// settings of the deployment, never from a flag folder. The zero Credentials has none.
type Credentials struct {
	of map[string]credential
}

// A credential is what one server accepts.
type credential struct {
	header  string   // Authorization
	secrets []string // what mustn't appear anywhere
}

// ParseCredentials reads credentials, one server a line:
//
//	https://prometheus.example.com bearer TOKEN
//	https://metrics.example.com:9090 basic USER:PASSWORD
//
// Empty lines and those that start with # are ignored. A server gets its credentials only if
// scheme, host and port are the same. An error names the line and nothing that is in it.
func ParseCredentials(text string) (Credentials, error) {
	c := Credentials{of: make(map[string]credential)}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, one, err := parseCredential(line)
		if err == nil {
			if _, twice := c.of[key]; twice {
				err = errors.New("an earlier line has the same server")
			}
		}
		if err != nil {
			return Credentials{}, fmt.Errorf("line %d of the credentials: %w", number, err)
		}
		c.of[key] = one
	}
	return c, nil
}

func parseCredential(line string) (key string, c credential, err error) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return "", c, errors.New(
			"it is a URL, then bearer or basic, then the token or USER:PASSWORD, with spaces between")
	}
	u, err := url.Parse(fields[0])
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", c, errors.New(
			"it starts with the URL of a server, such as https://prometheus.example.com, without a path")
	}
	secret := fields[2]
	if strings.ContainsFunc(secret, func(r rune) bool { return !unicode.IsPrint(r) || r > unicode.MaxASCII }) {
		return "", c, errors.New("the token or password has characters other than those of ASCII")
	}
	switch strings.ToLower(fields[1]) {
	case "bearer":
		c = credential{"Bearer " + secret, []string{secret}}
	case "basic":
		user, password, ok := strings.Cut(secret, ":")
		if !ok || user == "" || password == "" {
			return "", c, errors.New("basic credentials are USER:PASSWORD")
		}
		encoded := basic(user, password)
		c = credential{"Basic " + encoded, []string{encoded, secret, password}}
	default:
		return "", c, errors.New("the second word is bearer or basic")
	}
	return origin(u), c, nil
}

// origin returns a URL's scheme, host and port.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// String returns the servers that have credentials, in alphabetical order, and no credentials.
func (c Credentials) String() string {
	var list []string
	for key := range c.of {
		list = append(list, key)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// GoString is String: no format prints the credentials.
func (c Credentials) GoString() string { return c.String() }

// Secrets returns every token, password, and form in which they are sent, so that a caller can
// hide them in what others print.
func (c Credentials) Secrets() (list []string) {
	for _, one := range c.of {
		list = append(list, one.secrets...)
	}
	return list
}

// hide returns a text without the secrets, of which a server might send them back.
func (c credential) hide(text string) string {
	for _, s := range c.secrets {
		text = strings.ReplaceAll(text, s, "(hidden)")
	}
	return text
}
