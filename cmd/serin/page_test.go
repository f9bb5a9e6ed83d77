package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/serin-flags/serin/ci/edit"
	"github.com/serin-flags/serin/ci/page"
	"github.com/serin-flags/serin/internal/gitexec"
	"github.com/serin-flags/serin/lambda/access"
)

// fetch returns the status of a GET and what is answered. key is the password of HTTP Basic.
func fetch(t *testing.T, url, key string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.SetBasicAuth("anyone", key)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestPageKeepsOthersEdits holds that a page writes nothing over a file that somebody has saved
// since the edit was made.
func TestPageKeepsOthersEdits(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "flags")
	name := filepath.Join(dir, "shop", "cart.yaml")
	writeFile(t, filepath.Join(dir, "context.yaml"), "attributes:\n  user: {type: string, unit: true}\n")
	writeFile(t, name, "type: boolean\ndefault: off\n")
	result, err := edit.Apply(os.DirFS(dir), dir, []edit.Edit{edit.Disable("cart", "", "")})
	if err != nil {
		t.Fatal(err)
	}
	const theirs = "type: boolean\ndefault: on\n"
	writeFile(t, name, theirs)
	p, err := pageProposal(t.Context(), result, dir, true)
	if err == nil || !strings.Contains(err.Error(), "changed by somebody else") || len(p.Wrote) > 0 {
		t.Errorf("wrote %q, error %v", p.Wrote, err)
	}
	if now, err := os.ReadFile(name); err != nil || string(now) != theirs {
		t.Errorf("the file is %q, %v", now, err)
	}
}

// TestProposedFile holds that an edit that makes one file, and no other edit, is proposed as a file
// with its path in the repository.
func TestProposedFile(t *testing.T) {
	repository := t.TempDir()
	dir := filepath.Join(repository, "a & b", "flags")
	writeFile(t, filepath.Join(dir, "context.yaml"), "attributes:\n  user: {type: string, unit: true}\n")
	writeFile(t, filepath.Join(dir, "shop", "cart.yaml"), "type: boolean\ndefault: off\n")
	propose := func(edits ...string) *page.NewFile {
		t.Helper()
		p, err := pageProposer(dir)(t.Context(), edits, false)
		if err != nil {
			t.Fatal(err)
		}
		return p.New
	}
	if file := propose("new shop/fast"); file != nil {
		t.Errorf("without a repository, the file is %v", file)
	}
	if out, err := gitexec.Command(t.Context(), repository, "init", "-q").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := page.NewFile{Path: "a & b/flags/shop/fast.yaml", Content: "type: boolean\ndefault: off\nrules: []  " +
		"# such as [{name: first users, serve: {on: 1%, off: rest}}]\n"}
	if file := propose("new shop/fast"); file == nil || *file != want {
		t.Errorf("the file is %v, want %v", file, want)
	}
	for _, edits := range [][]string{{"disable cart"}, {"new shop/fast", "disable cart"}, {"new a/one", "new a/two"}} {
		if file := propose(edits...); file != nil {
			t.Errorf("%q are proposed as the file %v", edits, file)
		}
	}
}

// do runs a command that must succeed.
func do(t *testing.T, args ...string) {
	t.Helper()
	var stderr strings.Builder
	if status := run(context.Background(), args, strings.NewReader(""), io.Discard, &stderr); status != 0 {
		t.Fatalf("serin %s: status %d\n%s", strings.Join(args, " "), status, &stderr)
	}
}

// writePageClients writes a file of clients and returns the keys of a server that sees everything,
// of one that sees the namespace shop, and of an app.
func writePageClients(t *testing.T, name string) (server, part, app string) {
	t.Helper()
	server, serverHash := access.NewKey()
	part, partHash := access.NewKey()
	app, appHash := access.NewKey()
	writeFile(t, name, "clients:\n- {name: people, kind: server, keys: ["+serverHash+"], flags: \"*\"}\n"+
		"- {name: shop, kind: server, keys: ["+partHash+"], flags: [shop]}\n"+
		"- {name: app, kind: client, keys: ["+appHash+"], flags: \"*\"}\n")
	return server, part, app
}

// startPage starts a server with a page, and returns the URL of the page too.
func startPage(t *testing.T, args ...string) (s server, page string) {
	t.Helper()
	s = startServer(t, append(args, "--listen", "127.0.0.1:0", "--page-listen", "127.0.0.1:0")...)
	eventually(t, "page: ", s.stderr.String)
	return s, regexp.MustCompile(`page: (\S+)`).FindStringSubmatch(s.stderr.String())[1]
}

// TestConcurrentPage holds that serve shows its page on the other address alone, to clients of
// the kind server alone, and to each only what it may see; and that the page follows what is
// published.
func TestConcurrentPage(t *testing.T) {
	dir := t.TempDir()
	flags := filepath.Join(dir, "flags")
	writeFile(t, filepath.Join(flags, "serin.yaml"), "environments: [production]\n")
	writeFile(t, filepath.Join(flags, "context.yaml"), "attributes:\n  user: {type: string, unit: true}\n")
	writeFile(t, filepath.Join(flags, "shop", "color.yaml"),
		"owner: team-shop\ntype: string\nvariants: {red: red, blue: blue}\ndefault: red\n")
	writeFile(t, filepath.Join(flags, "secret", "plan.yaml"), "type: boolean\ndefault: off\n")
	keys, store := filepath.Join(dir, "keys"), "file://"+filepath.ToSlash(filepath.Join(dir, "store"))
	publish := func() { do(t, "publish", flags, "--env", "production", "--to", store, "--keys", keys) }
	do(t, "keys", "init", keys, "--env", "production")
	publish()
	clients := filepath.Join(dir, "clients.yaml")
	server, part, app := writePageClients(t, clients)
	s, page := startPage(t, "serve", "--from", store+"/production", "--root", filepath.Join(keys, "root.json"),
		"--interval", "20ms", "--clients", clients, "--flags", flags)
	eventually(t, "shop", func() string { _, body := fetch(t, page+"/history.html", server); return body })

	for _, c := range []struct {
		path, key string
		status    int
		has, not  string
	}{
		{"/", "", 401, "password", "color"},
		{"/page.js", "", 401, "", "search"},
		{"/index.json", "wrong", 401, "", "color"},
		{"/", app, 403, "", "color"},
		{"/", server, 200, "flag/plan.html", ""},
		{"/", part, 200, "flag/color.html", "plan.html"},
		{"/", part, 200, "team-shop", "secret"},
		{"/flag/plan.html", part, 404, "", "secret"},
		{"/flag/plan.html", server, 200, "Namespace", ""},
		{"/history.html", part, 200, "Revision 1", "secret"},
		{"/index.json", part, 200, "color", "plan"},
	} {
		status, body := fetch(t, page+c.path, c.key)
		if status != c.status || !strings.Contains(body, c.has) || c.not != "" && strings.Contains(body, c.not) {
			t.Errorf("%s: status %d, want %d, with %q and without %q:\n%s", c.path, status, c.status, c.has,
				c.not, body)
		}
	}
	// The other address has none of it, whatever the key is.
	for _, path := range []string{"/", "/index.html", "/index.json", "/flag/color.html", "/page.js", "/page.css",
		"/why.json", "/live", "/matrix.html"} {
		for _, key := range []string{"", server} {
			if status, body := fetch(t, s.url+path, key); status == http.StatusOK ||
				strings.Contains(body, "color") || strings.Contains(body, "<html") {
				t.Errorf("the endpoint answers %s with %d: %s", path, status, body)
			}
		}
	}

	writeFile(t, filepath.Join(flags, "shop", "shape.yaml"), "type: string\ndefault: round\n")
	publish()
	eventually(t, "flag/shape.html", func() string { _, body := fetch(t, page+"/", server); return body })
	for key, revisions := range map[string][2]string{"shape": {"<strong>Revision 2", "<strong>Revision 1"},
		"color": {"<strong>Revision 1", "<strong>Revision 2"}} {
		if _, body := fetch(t, page+"/history.html?flag="+key, server); !strings.Contains(body, revisions[0]) ||
			strings.Contains(body, revisions[1]) {
			t.Errorf("the history of %s has %q and not %q:\n%s", key, revisions[1], revisions[0], body)
		}
	}
	if _, body := fetch(t, page+"/changes.html?old=1", server); !strings.Contains(body,
		`shape</a> <span class="state">added`) {
		t.Errorf("with files, the comparison of what is published says\n%s", body)
	}
	// The folder isn't in git. Who doesn't see all flags doesn't learn more than that it failed.
	if _, body := fetch(t, page+"/changes.html", server); !strings.Contains(body, `<p class="error">`) ||
		!strings.Contains(body, "isn&#39;t in a git repository") {
		t.Errorf("the comparison says\n%s", body)
	}
	if _, body := fetch(t, page+"/changes.html", part); !strings.Contains(body,
		`<p class="error">The revisions can’t be compared.`) {
		t.Errorf("to a client that sees one namespace, the comparison says\n%s", body)
	}
}
