// Package canary sends an endpoint requests that are full of canaries: values that mark what
// belongs to a person or is secret. Nothing that the endpoint writes may have one: no log,
// no metric, no status and no error.
//
// It is for tests only. [Send] sends the requests, and [Leaks] searches for canaries. [Plant]
// adds some to requests of other tests, and the program in the folder suite searches what all
// tests print.
package canary

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

const (
	// Mark is part of every canary but Address.
	Mark = "c4nary"
	// Address is where clients claim to be, in X-Forwarded-For.
	Address = "198.51.100.77"
	// Page is an origin that no client should have.
	Page = "https://" + Mark + ".example"
)

// credentials returns what requests come with: none, such as strangers send, and
// those that are valid, given as values of Authorization.
func credentials(valid []string) []http.Header {
	list := []http.Header{
		{},
		{"X-Api-Key": {Mark + "-wrong-key"}},
		{"Authorization": {"Bearer " + Mark + "-wrong-token"}},
		{"Authorization": {"Bearer " + Mark + "." + Mark + "." + Mark}},
		{"Authorization": {"Basic " + Mark}},
		{"X-Api-Key": {Mark + "-one"}, "Authorization": {"Bearer " + Mark + "-another"}},
		{"X-Api-Key": {Mark + strings.Repeat("x", 8000)}},
	}
	for _, v := range valid {
		list = append(list, http.Header{"Authorization": {v}}, http.Header{"Authorization": {v}, "Origin": {Page}})
	}
	return list
}

// bodies are contexts, and what isn't one.
var bodies = []string{
	`{"context":{"targetingKey":"` + Mark + `-key","user":"` + Mark + `-user","city":"` + Mark +
		`-city","uid":"` + Mark +
		`-uid","device":"` + Mark + `-device","email":"` + Mark + `@example.com","tags":["` + Mark +
		`-tag"],"nested":{"a":"` + Mark + `"}}}`,
	`{"context":{"targetingKey":{"` + Mark + `":1}}}`,
	`{"context":{"city":"` + Mark + `","uid":1e400}}`,
	`{"context":{"city":"` + Mark + strings.Repeat("x", 5000) + `"}}`,
	`{"context":"` + Mark,
	`["` + Mark + `"]`,
	`{"context":{"a":"` + Mark + strings.Repeat("x", 100_000) + `"}}`,
}

// paths are those of all flags, of one, and of what doesn't exist. Paths aren't personal:
// callers choose them among those of the endpoint.
func paths(flag string) []string {
	return []string{
		"/ofrep/v1/evaluate/flags?city=" + Mark + "-query",
		"/ofrep/v1/evaluate/flags/" + flag + "?city=" + Mark + "-query",
		"/ofrep/v1/evaluate/flags/absent", "/route/" + flag + "?city=" + Mark + "-query", "/nowhere?" + Mark,
	}
}

// Send sends requests to the endpoint at a URL, each with every kind of credentials and
// body. flag is the key of a flag, and valid are values of Authorization that are right. It
// returns everything that was answered, and how often there was each status.
func Send(t testing.TB, url, flag string, valid ...string) (answers string, statuses map[int]int) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	var all strings.Builder
	statuses = make(map[int]int)
	for _, path := range paths(flag) {
		for _, body := range bodies {
			for _, credential := range credentials(valid) {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(path, "/route/") {
					r.Method, r.Body, r.ContentLength = http.MethodGet, nil, 0
				}
				r.Header = credential.Clone()
				for name, value := range map[string]string{
					"Content-Type": "application/json", "Cookie": "seat=" + Mark + "-cookie; session=" + Mark,
					"User-Agent": "Mozilla/5.0 " + Mark,
					"Referer":    Page + "/" + Mark, "X-City": Mark, "X-Uid": Mark, "X-Forwarded-For": Address,
					"X-Forwarded-Uri": "/" + Mark + "?city=" + Mark,
					"If-None-Match":   `"` + Mark + `"`, "X-Request-Id": Mark, "Traceparent": Mark,
				} {
					r.Header.Set(name, value)
				}
				resp, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil {
					t.Fatal(err)
				}
				statuses[resp.StatusCode]++
				fmt.Fprintf(&all, "%s %s %v %s\n", path[:strings.IndexByte(path+"?", '?')], resp.Status,
					resp.Header, text)
			}
		}
	}
	return all.String(), statuses
}

// Plant adds canaries to a request for flags where they change no answer: in headers that
// nothing reads.
func Plant(r *http.Request) {
	for _, name := range []string{"Referer", "X-Request-Id", "X-Note"} {
		if r.Header.Get(name) == "" {
			r.Header.Set(name, Mark+"-header")
		}
	}
}

// Context returns the body of a request with a canary in its context, if it has one: in an
// attribute that no flag folder declares.
func Context(body string) string {
	return strings.Replace(body, `"context":{"`, `"context":{"note":"`+Mark+`-note","`, 1)
}

// Search fails a test for each line of a text, such as the log of a server, that has a canary.
func Search(t testing.TB, what, text string) {
	t.Helper()
	for _, line := range Leaks(text) {
		t.Errorf("%s has a canary: %.500s", what, line)
	}
}

// Leaks returns the lines of a text that have a canary, or one of the secrets, which are
// keys and tokens that are valid.
func Leaks(text string, secrets ...string) (lines []string) {
	for line := range strings.Lines(text) {
		for _, secret := range append([]string{Mark, Address}, secrets...) {
			if strings.Contains(line, secret) {
				lines = append(lines, line)
				break
			}
		}
	}
	return lines
}
