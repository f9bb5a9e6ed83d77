package page

import (
	"bufio"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/serin-flags/serin/ci"
)

// TestFailed holds what a page says if the files can't be read at all.
func TestFailed(t *testing.T) {
	h := testHandler(t, testOptions(t))
	h.Update(nil, errors.New("permission denied"))
	if _, body := get(t, h, ""); !strings.Contains(body,
		"The files can’t be shown. This is the last good version.") || !strings.Contains(body, "permission denied") {
		t.Errorf("the page is\n%s", body)
	}
}

// TestConcurrentLive holds that a page hears of every change, and that every page shows problems at the
// lines that they are on.
func TestConcurrentLive(t *testing.T) {
	h := testHandler(t, testOptions(t))
	server := httptest.NewServer(h)
	defer server.Close()
	defer h.Close()
	response, err := http.Get(server.URL + "/live")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	events := bufio.NewScanner(response.Body)
	next := func() string {
		events.Scan()
		line := events.Text()
		events.Scan()
		return line
	}
	if got := next(); got != "data: 1" {
		t.Fatalf("the first event is %q", got)
	}
	h.Update(nil, ci.Problems{{File: "flags/shop/cart.yaml", Line: 4, Column: 1, Message: `unknown key "defualt"`,
		Quote: "defualt: <on>", Caret: 1}})
	if got := next(); got != "data: 2" {
		t.Fatalf("the second event is %q", got)
	}
	_, body := get(t, h, "flag/cart.html")
	for _, want := range []string{"flags/shop/cart.yaml:4:1", "<mark>defualt</mark>: &lt;on&gt;",
		"unknown key &#34;defualt&#34;", "This is the last good version"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	h.Update(testModel(t), nil)
	if next(); strings.Contains(events.Text(), "last good version") {
		t.Error("the problem is still shown")
	}
	h.Close()
	if events.Scan() {
		t.Errorf("after the end there is %q", events.Text())
	}
}
