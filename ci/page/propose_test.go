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

// hostileNames are names that mean something in URLs, HTML or Markdown.
var hostileNames = []string{"a b", "a+b", "a&b=c", "a#b", "a?b", "a%2e%2e/b", `"><script>alert(1)</script>`, "```\nx", "购物车",
	"javascript:alert(1)", "\u202eevil", "a/../../b"}

// TestLinksToRepository holds that links to a repository lead there and nowhere else, and hand over
// exactly what is proposed, whatever it is.
func TestLinksToRepository(t *testing.T) {
	for _, name := range hostileNames {
		file := &NewFile{Path: "flags/" + name + ".yaml", Content: "owner: " + name + "\n# 100% + 1\n"}
		for repository, want := range map[string]struct{ path, name, content string }{
			"https://github.com/o/r/":                   {"/o/r/new/main", "filename", "value"},
			"https://user:secret@github.com/o/r#rel/1":  {"/o/r/new/rel/1", "filename", "value"},
			"https://gitlab.example/g/s/r?x=y#trunk ü&": {"/g/s/r/-/new/trunk ü&", "file_name", "content"},
		} {
			h, ok := hostOf(repository)
			if !ok {
				t.Fatalf("%s isn't known", repository)
			}
			text, fits := h.newFile(file)
			u, err := url.Parse(text)
			if err != nil || !fits {
				t.Fatalf("%s: %v", text, err)
			}
			if u.Path != want.path || u.User != nil || u.Fragment != "" || len(u.Query()) != 2 ||
				u.Query().Get(want.name) != file.Path || u.Query().Get(want.content) != file.Content {
				t.Errorf("%s: the link to a new file %q is %s", repository, name, text)
			}
			if !strings.HasPrefix(text, strings.Split(repository, "://")[0]+"://"+h.url.Host+"/") ||
				strings.ContainsAny(text, "\"<> +\n\u202e") {
				t.Errorf("%s: the link is %s", repository, text)
			}
			text, _ = h.issue([]string{"disable " + name})
			if u, err = url.Parse(text); err != nil || !strings.HasSuffix(u.Path, "/issues/new") ||
				!strings.Contains(u.RawQuery, "=") || u.Fragment != "" {
				t.Errorf("%s: the link to an issue is %s", repository, text)
			}
		}
	}
	for _, repository := range []string{"", "javascript:alert(1)", "git@github.com:o/r", "file:///etc", "https://"} {
		if h, ok := hostOf(repository); ok {
			t.Errorf("%q is taken for %v", repository, h)
		}
	}
}

// TestProposeFile holds that edits that make a file are handed over as one, other edits aren't, and
// what is too long for a link is handed over otherwise.
func TestProposeFile(t *testing.T) {
	o := testOptions(t)
	content := "type: boolean\n"
	o.Propose = func(_ context.Context, edits []string, _ bool) (Proposal, error) {
		p := Proposal{Patch: "+" + content}
		if strings.HasPrefix(edits[0], "new ") {
			p.New = &NewFile{Path: "flags/" + edits[0][4:] + ".yaml", Content: content}
		}
		return p, nil
	}
	ask := func(edit string) string {
		t.Helper()
		_, body := post(testHandler(t, o), "propose.html", url.Values{"edit": {edit}}, nil)
		return body
	}
	const link = `href="https://github.com/example/flags/new/main?filename=flags%2Fshop%2Ffast.yaml&amp;value=type%3A%20boolean%0A"`
	if body := ask("new shop/fast"); !strings.Contains(body, link) || strings.Contains(body, "too long") {
		t.Errorf("the page lacks the link to a new file:\n%s", body)
	}
	if body := ask("disable cart"); strings.Contains(body, "/new/main") {
		t.Errorf("an edit of a file that exists is handed over as a new one:\n%s", body)
	}
	content = strings.Repeat("# ü\n", maxLink/8)
	if body := ask("new shop/fast"); strings.Contains(body, "/new/main") || !strings.Contains(body, "issues/new?") ||
		!strings.Contains(body, "The new file is too long for a link: copy the command or the patch") {
		t.Errorf("of a long file, the page says\n%s", body)
	}
	content = ""
	long := strings.Repeat("disable "+strings.Repeat("x", 900)+"\n", 9)
	if body := ask(long); strings.Contains(body, "issues/new?") ||
		!strings.Contains(body, "The edits are too long for a link: copy the command") {
		t.Errorf("of long edits, the page says\n%s", body)
	}
}
