package page

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestSite holds that a site has no dead ends, goes away with its flags, and touches no
// folder of others.
func TestSite(t *testing.T) {
	dir := t.TempDir()
	o := testOptions(t)
	if _, err := Write(t.Context(), dir, testModel(t), o, testTime); err != nil {
		t.Fatal(err)
	}
	checkLinks(t, dir)
	gone := filepath.Join(dir, "flag", "gone.html")
	mark, err := os.ReadFile(filepath.Join(dir, siteMark))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{gone: "",
		filepath.Join(dir, siteMark): string(mark) + "flag/gone.html\n../kept\n", filepath.Join(dir, "own.txt"): ""} {
		if err := os.WriteFile(name, []byte(data), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Write(t.Context(), dir, testModel(t), o, testTime); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(gone); err == nil {
		t.Error("the page of a flag that is gone is still there")
	}
	if _, err := os.Stat(filepath.Join(dir, "own.txt")); err != nil {
		t.Error(err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "index.html"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(t.Context(), other, testModel(t), o, testTime); err == nil ||
		!strings.Contains(err.Error(), "isn't empty") {
		t.Errorf("a folder of others: %v", err)
	}
}

// siteNames returns the files of a site.
func siteNames(t *testing.T, dir string) (names []string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, siteMark))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(data))
}

var (
	links = regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)
	ids   = regexp.MustCompile(`\sid="([^"]*)"`)
)

// checkLinks checks that every link within a site leads somewhere.
func checkLinks(t *testing.T, dir string) {
	t.Helper()
	anchors := make(map[string][]string)
	bodies := make(map[string]string)
	for _, name := range siteNames(t, dir) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		bodies[name] = string(data)
		for _, m := range ids.FindAllStringSubmatch(string(data), -1) {
			anchors[name] = append(anchors[name], m[1])
		}
	}
	checked := 0
	for name, body := range bodies {
		for _, m := range links.FindAllStringSubmatch(body, -1) {
			u, err := url.Parse(strings.ReplaceAll(m[1], "&amp;", "&"))
			if err != nil || u.Host != "" {
				continue
			}
			target := name
			if u.Path != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(name), u.Path))
			}
			checked++
			if _, ok := bodies[target]; !ok {
				t.Errorf("%s leads to %s, which isn't there", name, m[1])
			} else if u.Fragment != "" && !slices.Contains(anchors[target], u.Fragment) {
				t.Errorf("%s leads to %s, where there is no such place", name, m[1])
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d links were checked", checked)
	}
}
