//go:build unix

package lambda

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/needs"
	"github.com/serin-flags/serin/internal/npmtest"
	"github.com/serin-flags/serin/lambda/access"
)

// A pageLine is what browser.mjs prints.
type pageLine struct {
	Values       map[string]bool `json:"values"`
	Statuses     []int           `json:"statuses"`
	Streaming    bool            `json:"streaming"`
	FlagsChanged []string        `json:"flagsChanged"`
	Error        string          `json:"error"`
}

// TestBrowser holds that the stock web provider, in a page of another origin in Chromium,
// gets the right flags in each context and hears of a new revision.
func TestBrowser(t *testing.T) {
	testBrowser(t, "", 0, nil)
}

// TestBrowserWithKey is TestBrowser with a key that is for this page and no other.
func TestBrowserWithKey(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close() // for the page
	key, hash := access.NewKey()
	gate := newGate(t, fmt.Sprintf(
		`clients: [{name: page, kind: client, keys: %s, flags: "*", origins: "http://localhost:%d"}]`, hash, port))
	testBrowser(t, key, port, gate)
}

func testBrowser(t *testing.T, key string, port int, gate *access.Gate) {
	chromium := needs.Command(t, "chromium", "chromium-browser", "google-chrome")
	npmtest.Install(t, providers)
	e := newEstate(t, testRuleset())
	server := httptest.NewServer(New(e.follow(t), Config{Events: true, BasePath: "/flags", Access: gate}))
	defer server.Close()
	defer server.CloseClientConnections() // the page's stream
	out := bufio.NewScanner(npmtest.Run(t, providers, "browser.mjs", map[string]any{
		"baseUrl": server.URL + "/flags", "chromium": chromium, "flags": []string{"new-checkout", "by-device"},
		"key": key, "port": port,
		"steps": []json.RawMessage{
			json.RawMessage(`{"targetingKey":"u-4","city":"lhasa"}`),
			json.RawMessage(`{"targetingKey":"u-4","city":"shenzhen"}`), // the same key: the provider sends its tag
			json.RawMessage(`{"targetingKey":"u-4","city":"shenzhen"}`),
		},
	}))
	next := func() (l pageLine) {
		t.Helper()
		if !out.Scan() {
			t.Fatalf("the page said no more: %v", out.Err())
		}
		if err := json.Unmarshal(out.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		if l.Error != "" {
			t.Errorf("the browser complains: %s", l.Error)
		}
		return l
	}
	streaming := false
	want := func(checkout bool, status int) {
		t.Helper()
		l := next()
		for l.Streaming {
			streaming = true
			l = next()
		}
		if diff := cmp.Diff(map[string]bool{"new-checkout": checkout, "by-device": false}, l.Values); diff != "" {
			t.Errorf("the page (-want +got):\n%s", diff)
		}
		// The stream begins with an event, since the flags are new. So there is one more answer,
		// in this step or in one before, of either status.
		if !slices.Contains(l.Statuses, status) {
			t.Errorf("the page got %d, want %d", l.Statuses, status)
		}
	}
	want(false, 200)
	want(true, 200)
	want(true, 304)
	for !streaming {
		streaming = next().Streaming
	}
	changed := testRuleset()
	i := slices.IndexFunc(changed.Flags, func(f evaluator.Flag) bool { return f.Key == "new-checkout" })
	changed.Flags[i].Rules = nil
	published := time.Now()
	e.publish(t, changed)
	l := next()
	for l.FlagsChanged == nil {
		l = next()
	}
	t.Logf("the page had the new revision after %v", time.Since(published))
	if diff := cmp.Diff([]string{"new-checkout"}, l.FlagsChanged); diff != "" || l.Values["new-checkout"] {
		t.Errorf("after the change the page has %+v", l)
	}
}
