package page

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestWrite holds who may write into the files.
func TestWrite(t *testing.T) {
	h := testHandler(t, testOptions(t))
	form := url.Values{"edit": {"disable colors"}, "write": {"yes"}}
	for _, c := range []struct {
		from, host, origin, site string
		status                   int
		wrote                    bool
	}{
		{"127.0.0.1:4711", "localhost:8787", "http://localhost:8787", "", 200, true},
		{"127.0.0.1:4711", "127.0.0.1:8787", "http://127.0.0.1:8787", "same-origin", 200, true},
		{"[::1]:4711", "[::1]:8787", "http://[::1]:8787", "", 200, true},
		{"192.0.2.7:4711", "127.0.0.1:8787", "http://127.0.0.1:8787", "", 200, false},                  // another machine
		{"@", "localhost", "http://localhost", "", 200, false},                                         // a Unix socket, as behind a proxy
		{"127.0.0.1:4711", "localhost:8787", "", "", 200, false},                                       // not a browser's form
		{"127.0.0.1:4711", "localhost:8787", "", "cross-site", 403, false},                             // another page
		{"127.0.0.1:4711", "localhost:8787", "http://evil.example", "cross-site", 403, false},          // another page
		{"127.0.0.1:4711", "localhost:8787", "http://localhost:9999", "same-site", 403, false},         // another port
		{"127.0.0.1:4711", "localhost:8787", "null", "", 403, false},                                   // a sandboxed page
		{"127.0.0.1:4711", "evil.example:8787", "http://evil.example:8787", "same-origin", 200, false}, // its DNS leads here
	} {
		header := map[string]string{"Host": c.host, "From": c.from}
		if c.origin != "" {
			header["Origin"] = c.origin
		}
		if c.site != "" {
			header["Sec-Fetch-Site"] = c.site
		}
		status, body := post(h, "propose.html", form, header)
		if wrote := strings.Contains(body, "Written: "); status != c.status || wrote != c.wrote {
			t.Errorf("from %s, host %q, origin %q, site %q: status %d, wrote %t", c.from, c.host, c.origin, c.site,
				status, wrote)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/propose.html?"+form.Encode(), nil)
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); strings.Contains(w.Body.String(), "Written: ") {
		t.Error("a GET writes")
	}
}

// TestHostilePatch holds that a patch and the reason why an edit is refused show no character that
// hides text or turns it around.
func TestHostilePatch(t *testing.T) {
	o := testOptions(t)
	o.Propose = func(_ context.Context, edits []string, _ bool) (Proposal, error) {
		if edits[0] == "disable cart" {
			return Proposal{}, errors.New("line one\nof flags/\u202eevil.yaml\x1b[2J")
		}
		return Proposal{Patch: "--- a\n+++ b\n-x: \u202eold\n+x: new\x07\n"}, nil
	}
	h := testHandler(t, o)
	for edit, want := range map[string]string{
		"disable cart":   "line one\nof flags/\\u202eevil.yaml\\u001b[2J",
		"disable colors": "--- a\n&#43;&#43;&#43; b\n-x: \\u202eold\n&#43;x: new\\u0007\n",
	} {
		_, body := post(h, "propose.html", url.Values{"edit": {edit}}, nil)
		if strings.ContainsAny(body, "\u202e\x1b\x07") || !strings.Contains(body, want) {
			t.Errorf("%s: the page lacks %q:\n%s", edit, want, body)
		}
		if spelled := strings.Contains(body, "They are spelled out here"); spelled != (edit == "disable colors") {
			t.Errorf("%s: the page says that characters are spelled out: %t", edit, spelled)
		}
	}
}

// TestNoEditIsDropped holds that edits beyond the limits are refused, and not left out.
func TestNoEditIsDropped(t *testing.T) {
	h := testHandler(t, testOptions(t))
	for text, want := range map[string]string{
		"disable cart\n\ndisable " + strings.Repeat("x", maxEdit): "line 3 is longer than 1000 bytes",
		strings.Repeat("disable cart\n", maxEdits+1):              "there are 21 edits; propose 20 at a time at most",
	} {
		if _, body := post(h, "propose.html", url.Values{"edit": {text}}, nil); !strings.Contains(body, want) ||
			strings.Contains(body, "As a command") {
			t.Errorf("the page lacks %q:\n%s", want, body)
		}
	}
}
