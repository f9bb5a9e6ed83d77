package page

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestNoIDs holds that no page, no answer and no site shows the members of a list.
func TestNoIDs(t *testing.T) {
	id := regexp.MustCompile(`hidden-id-\d|900000000\d`)
	check := func(where, body string) {
		t.Helper()
		if found := id.FindString(body); found != "" {
			t.Errorf("%s shows %s", where, found)
		}
	}
	o := testOptions(t)
	o.Live = false
	h := testHandler(t, o)
	for _, p := range testPages {
		_, body := get(t, h, p.Path)
		check(p.Name, body)
	}
	_, body := get(t, h, "index.json")
	check("the index", body)
	for _, env := range []string{"production", "staging"} {
		_, body = post(h, "flag/cart.html",
			url.Values{"environment": {env}, "context": {`{"targetingKey": "u-1", "city": "北京"}`}}, nil)
		check("an answer in "+env, body)
	}
	dir := t.TempDir()
	if _, err := Write(t.Context(), dir, testModel(t), o, testTime); err != nil {
		t.Fatal(err)
	}
	for _, name := range siteNames(t, dir) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		check("the site's "+name, string(data))
	}
}

// TestNoIDsOfBundles holds that no page about published flags shows the members of a list, which
// there look like any other values, and that values which can't be IDs are shown.
func TestNoIDsOfBundles(t *testing.T) {
	payloads, err := testEstate(t).Compile("production")
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(Source{Environments: []Environment{{Name: "production", Payloads: payloads}}})
	if err != nil {
		t.Fatal(err)
	}
	h := handlerAt(m, testTime)
	for _, path := range []string{"", "index.json", "usage.html", "flag/cart.html"} {
		_, body := get(t, h, path)
		if found := regexp.MustCompile(`hidden-id-\d|900000000\d`).FindString(body); found != "" {
			t.Errorf("%s shows %s", path, found)
		}
		if path == "flag/cart.html" && !strings.Contains(body, "拉萨&#34;</code>") {
			t.Errorf("%s doesn't show a city:\n%s", path, body)
		}
	}
}

// TestNamespaces holds that somebody who may not see a flag learns nothing of it, not even
// from the flags that ask for it.
func TestNamespaces(t *testing.T) {
	o := testOptions(t)
	o.Propose, o.Live = nil, false
	o.Admit = func(http.ResponseWriter, *http.Request) (Sees, bool) {
		return func(key, _ string, _ bool) bool { return key != "hidden-flag" }, true
	}
	h := testHandler(t, o)
	for _, p := range slices.Concat(testPages,
		[]testPage{{"the index", "index.json", ""}, {"found", "index.html?q=city", ""}}) {
		status, body := get(t, h, p.Path)
		if p.Name == "hidden-flag" {
			if status != http.StatusNotFound {
				t.Errorf("the hidden flag: status %d", status)
			}
			continue
		}
		for _, secret := range []string{"hidden-flag", "hidden-rule", "hidden-city", "hidden-description",
			"hidden-owner", "hidden-segment", "hidden-value", "segment-like", "secret"} {
			if strings.Contains(body, secret) {
				t.Errorf("%s shows %s", p.Name, secret)
			}
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/why.json",
		strings.NewReader(`{"flag": "ramp", "environment": "production", "context": {"targetingKey": "u-1", "city": "x"}}`)))
	if body := w.Body.String(); !strings.Contains(body, "a flag that you may not see") ||
		strings.Contains(body, "hidden") {
		t.Errorf("the answer is %s", body)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/why.json",
		strings.NewReader(`{"flag": "hidden-flag", "environment": "production"}`)))
	if w.Code != http.StatusUnprocessableEntity {
		t.Errorf("a question about the hidden flag: status %d", w.Code)
	}
}
