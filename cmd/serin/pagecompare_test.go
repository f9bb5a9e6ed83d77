package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestConcurrentPageCompares holds that serve compares published revisions without any files,
// shows each client only flags of namespaces that it may see and could see then, and names a
// revision that it can't read.
func TestConcurrentPageCompares(t *testing.T) {
	dir := t.TempDir()
	flags := filepath.Join(dir, "flags")
	split := func(share string) string {
		return "type: string\nvariants: {red: red, blue: blue}\ndefault: red\nrules:\n" +
			"- {name: some, serve: {blue: " + share + ", red: rest}}\n"
	}
	moved := "type: boolean\ndefault: off\nrules:\n- {name: few, when: {city: [secret-city]}, serve: on}\n"
	write := func(name, text string) { writeFile(t, filepath.Join(flags, filepath.FromSlash(name)), text) }
	gone := func(name string) {
		t.Helper()
		if err := os.Remove(filepath.Join(flags, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
	write("serin.yaml", "environments: [production]\n")
	write("context.yaml", "attributes:\n  user: {type: string, unit: true}\n  city: {type: string}\n")
	keys, store := filepath.Join(dir, "keys"), "file://"+filepath.ToSlash(filepath.Join(dir, "store"))
	publish := func() {
		t.Helper()
		do(t, "publish", flags, "--env", "production", "--to", store, "--keys", keys)
	}
	do(t, "keys", "init", keys, "--env", "production")
	write("shop/color.yaml", split("10%"))
	write("secret/plan.yaml", split("10%"))
	write("secret/moved.yaml", moved)
	write("secret/old-name.yaml", split("5%"))
	publish() // 1
	write("shop/color.yaml", split("30%"))
	write("secret/plan.yaml", split("40%"))
	publish() // 2
	old, err := filepath.Glob(filepath.Join(dir, "store", "production", "targets", "shop", "*"))
	if err != nil || len(old) != 2 {
		t.Fatalf("the payloads are %q, error %v", old, err)
	}
	gone("secret/moved.yaml")
	write("shop/moved.yaml", strings.Replace(moved, "secret-city", "other-city", 1))
	gone("secret/old-name.yaml")
	write("shop/new-name.yaml", split("5%"))
	publish() // 3
	gone("shop/color.yaml")
	publish() // 4
	clients := filepath.Join(dir, "clients.yaml")
	server, part, app := writePageClients(t, clients)
	_, page := startPage(t, "serve", "--from", store+"/production", "--root", filepath.Join(keys, "root.json"),
		"--clients", clients)
	eventually(t, "Revision 4", func() string { _, body := fetch(t, page+"/history.html", server); return body })

	hidden := regexp.MustCompile(`secret|plan|old-name`)
	for _, c := range []struct {
		query, key string
		has        []string
		not        string
	}{
		{"", server, []string{"From <code>revision 3</code> to <code>revision 4</code>", "color", "removed"}, "new-name"},
		{"?old=1&new=2", server, []string{"20% of the users it is about get a different value.", `<figure class="rows">`,
			">plan</a>"}, "moved"},
		{"?new=2", server, []string{"From <code>revision 1</code> to <code>revision 2</code>"}, ""},
		{"?old=2&new=1", server, []string{"20% blue → red"}, ""},
		{"?old=2", server, []string{"From <code>revision 2</code> to <code>revision 4</code>", "renamed from old-name",
			"namespace: secret → shop"}, ""},
		{"?old=4&new=4", server, []string{"No flag differs."}, ""},
		{"?old=1&new=2", part, []string{"color", "20% red → blue"}, "moved"},
		{"?old=2&new=3", part, []string{`moved</a> <span class="state">added`, `new-name</a> <span class="state">added`},
			"city"},
		{"?old=3&new=2", part, []string{`moved</a> <span class="state">removed`}, "city"},
		{"?old=1&new=9", part, []string{"Revision 9 was never published: the newest is revision 4."}, ""},
		{"?old=x", server, []string{"a published revision is a number, such as 12, not &#34;x&#34;"}, ""},
		{"?old=git:HEAD", server, []string{"a published revision is a number"}, ""},
		{"?old=-1", server, []string{"a published revision is a number"}, ""},
	} {
		status, body := fetch(t, page+"/changes.html"+c.query, c.key)
		for _, want := range c.has {
			if status != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("%q: status %d without %q:\n%s", c.query, status, want, body)
			}
		}
		if c.not != "" && strings.Contains(body, c.not) {
			t.Errorf("%q shows %q:\n%s", c.query, c.not, body)
		}
		if found := hidden.FindString(body); c.key == part && found != "" {
			t.Errorf("to a client that sees one namespace, %q shows %q:\n%s", c.query, found, body)
		}
	}
	if status, body := fetch(t, page+"/changes.html?old=1&new=2", app); status != http.StatusForbidden {
		t.Errorf("an app gets status %d:\n%s", status, body)
	}
	if _, body := fetch(t, page+"/history.html", part); !strings.Contains(body, `href="changes.html?new=3"`) ||
		hidden.MatchString(body) {
		t.Errorf("the history is\n%s", body)
	}

	// Revisions whose objects are gone.
	for _, name := range old {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, append(data, 0), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if _, body := fetch(t, page+"/changes.html?old=1&new=2", part); !strings.Contains(body,
		"Revision 1 can&#39;t be read: its flags aren&#39;t those that were published.") {
		t.Errorf("of payloads that were changed, the page says\n%s", body)
	}
}
