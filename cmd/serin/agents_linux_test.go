package main

import (
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestUserAgentsArePreparedIfRead holds that serve builds the parser of user agents at its
// start if an attribute comes from them, and otherwise not: the parser has so many objects
// that it slows down the collection of garbage, and so all requests.
func TestUserAgentsArePreparedIfRead(t *testing.T) {
	const objects = 100_000 // fewer than the parser has, and more than serve differs by
	without := allocated(t, "os: {type: string, from: {header: X-Os}}")
	with := allocated(t, "os: {type: string, from: {user_agent: os}}")
	if with-without < objects {
		t.Errorf("%.0f objects with the parser, %.0f without, want %d more", with, without, objects)
	}
}

// allocated returns how many objects serve has allocated once it listens, with a flag that
// reads os, and os declared so.
func allocated(t *testing.T, attribute string) float64 {
	t.Helper()
	dir := workFolder(t)
	flags := filepath.Join(dir, "flags")
	writeFile(t, filepath.Join(flags, "context.yaml"), "attributes:\n  user: {type: string, unit: true}\n  "+
		attribute+"\n")
	writeFile(t, filepath.Join(flags, "checkout", "by-os.yaml"),
		"type: boolean\ndefault: off\nrules: [{name: phones, when: {os: ios}, serve: on}]\n")
	const free = "127.0.0.1:0"
	p := launch(t, dir, nil, nil, "serve", "flags", "--listen", free, "--metrics-listen", free, "--grace", "0s")
	eventually(t, "anyone who can connect", p.output.String)
	url := regexp.MustCompile(`metrics: (\S+)`).FindStringSubmatch(p.output.String())
	if url == nil {
		t.Fatal(p.output.String())
	}
	resp, err := http.Get(url[1])
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\ngo_memstats_mallocs_total ")
	value, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseFloat(value, 64)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return n
}
