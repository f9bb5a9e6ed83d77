package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/serin-flags/serin"
	"github.com/serin-flags/serin/internal/canary"
	"github.com/serin-flags/serin/internal/kmstest"
	"github.com/serin-flags/serin/internal/s3test"
	"github.com/serin-flags/serin/internal/syncbuf"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"serin": main})
}

// TestScripts runs the command by scripts. $ESTATE is the example estate, $BUCKET the
// URL of a bucket on an S3 server, and $KMS_KEY that of a key in a double of AWS KMS.
func TestScripts(t *testing.T) {
	server := s3test.Start(t)
	vault := kmstest.Start(t)
	vault.Accept(server.AccessKey, server.SecretKey)
	key := vault.CreateKey(t, "flags")
	estate := t.TempDir()
	if err := os.CopyFS(estate, serin.Estate); err != nil {
		t.Fatal(err)
	}
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	buckets := 0
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"users": writeUsers,
			"ids": writeIDs, "moved": checkMoved, "old": makeOld},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			mu.Lock()
			defer mu.Unlock()
			buckets++
			bucket := fmt.Sprintf("bucket-%d", buckets)
			server.CreateBucket(t, bucket)
			for _, v := range server.Env() {
				name, value, _ := strings.Cut(v, "=")
				env.Setenv(name, value)
			}
			env.Setenv("AWS_ENDPOINT_URL_KMS", vault.Endpoint)
			env.Setenv("KMS_KEY", "awskms:///"+key)
			env.Setenv("BUCKET", "s3://"+bucket)
			env.Setenv("ESTATE", filepath.Join(estate, "flags"))
			env.Setenv("TMPDIR", env.WorkDir)
			env.Setenv("GOCACHE", strings.TrimSpace(string(cache))) // scripts have another home directory
			// Built with the race detector, a command waits a second before it
			// ends, unless told otherwise.
			env.Setenv("GORACE", "atexit_sleep_ms=10")
			return nil
		},
	})
}

// makeOld is "old DIR DAYS": all files below DIR were last changed so many days ago.
func makeOld(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: old DIR DAYS")
	}
	age, err := time.ParseDuration(args[1] + "h")
	ts.Check(err)
	then := time.Now().Add(-24 * age)
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(name, then, then)
	}))
}

// A server is a command that serves, run in this process.
type server struct {
	url    string
	stderr *syncbuf.Buffer
}

// startServer runs a command that serves, and stops it when the test ends.
func startServer(t *testing.T, args ...string) server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stdout, w := io.Pipe()
	s := server{stderr: &syncbuf.Buffer{}}
	ended := make(chan int, 1)
	go func() {
		status := run(ctx, args, strings.NewReader(""), w, s.stderr)
		w.Close()
		ended <- status
	}()
	t.Cleanup(func() {
		cancel()
		if status := <-ended; status != 0 {
			t.Errorf("serin %s ended with status %d\n%s", strings.Join(args, " "), status, s.stderr)
		}
		canary.Search(t, "the log of serin "+strings.Join(args, " "), s.stderr.String())
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("reading the URL: %v\n%s", err, s.stderr)
	}
	s.url = strings.TrimSpace(line)
	return s
}

// ask returns the answer to a request for a flag, whose context nothing depends on.
func (s server) ask(t *testing.T, key string) string {
	t.Helper()
	question := strings.NewReader(canary.Context(`{"context":{"targetingKey":""}}`))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/ofrep/v1/evaluate/flags/"+key, question)
	if err != nil {
		t.Fatal(err)
	}
	canary.Plant(r)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// eventually waits until what returns text with want in it.
func eventually(t *testing.T, want string, what func() string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		got := what()
		if strings.Contains(got, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited for %q, last saw:\n%s", want, got)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func writeFile(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestConcurrentServers are the tests of commands that serve: in this process,
// where the race detector sees them.
func TestConcurrentServers(t *testing.T) {
	t.Run("dev", testDev)
	t.Run("dev of a link", testDevOfLink)
	t.Run("dev with a lock file", testDevLocked)
	t.Run("dev in a browser", testDevPage)
	t.Run("dev of a new project", testDevOfInit)
	t.Run("serve a folder", testServeFolder)
	t.Run("stop while a request is sent", testStop)
	t.Run("events", testEvents)
	t.Run("serve with TLS", testServeTLS)
}

func testDev(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "flags")
	writeFile(t, filepath.Join(dir, "context.yaml"), "attributes:\n  user: {type: string, unit: true}\n")
	flag := filepath.Join(dir, "shop", "color.yaml")
	writeFile(t, flag, "type: string\ndefault: red\n")

	s := startServer(t, "dev", dir, "--listen", "127.0.0.1:0")
	color := func() string { return s.ask(t, "color") }
	eventually(t, `"value":"red"`, color)
	eventually(t, "try: curl -d '{\"context\": {\"targetingKey\": \"u-1\"}}' "+s.url+
		"/ofrep/v1/evaluate/flags/color\n", s.stderr.String)

	writeFile(t, flag, "type: string\ndefault: blue\n")
	eventually(t, `"value":"blue"`, color)
	eventually(t, "~ color\nrevision 2: 1 flag", s.stderr.String)

	writeFile(t, flag, "type: string\ndefualt: green\n")
	eventually(t, `color.yaml:2:1: unknown key "defualt"`, s.stderr.String)
	eventually(t, "still serving the last good version", s.stderr.String)
	if got := color(); !strings.Contains(got, `"value":"blue"`) {
		t.Errorf("after a bad edit the answer is %s", got)
	}

	// A folder that is new is watched too, and a failing test is told.
	writeFile(t, flag, "type: string\ndefault: green\n")
	eventually(t, `"value":"green"`, color)
	writeFile(t, filepath.Join(dir, "cart", "limit.yaml"), "type: integer\nvariants: {low: 5, high: 9}\ndefault: low\n")
	eventually(t, `"value":5`, func() string { return s.ask(t, "limit") })
	writeFile(t, filepath.Join(dir, "cart", "limit.test.yaml"), "- {name: high, context: {}, expect: {value: 9}}\n")
	eventually(t, "1 of 1 case failed", s.stderr.String)

	if err := os.Remove(flag); err != nil {
		t.Fatal(err)
	}
	eventually(t, "FLAG_NOT_FOUND", color)
	eventually(t, "- color\n", s.stderr.String)

	// The whole folder is replaced, and then edited.
	if err := os.Rename(dir, dir+"-before"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "error: opening flag files", s.stderr.String)
	if err := os.CopyFS(dir, os.DirFS(dir+"-before")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, flag, "type: string\ndefault: violet\n")
	eventually(t, `"value":"violet"`, color)
	writeFile(t, filepath.Join(dir, "segments", "staff.yaml"), "include: [u-1]\n")
	writeFile(t, flag, "type: string\ndefault: violet\nrules: [{name: staff, when: {user: {segment: staff}}, serve: red}]\n")
	eventually(t, "+ segment staff\n", s.stderr.String)
	writeFile(t, filepath.Join(dir, "segments", "staff.yaml"), "include: [u-1, u-2]\n")
	eventually(t, "~ segment staff\n", s.stderr.String)
}

// testDevLocked holds that dev serves edited shares as they are after "serin lock", says
// who changes, and says it, and each warning, once.
func testDevLocked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "flags")
	writeFile(t, filepath.Join(dir, "context.yaml"),
		"attributes:\n  user: {type: string, unit: true}\n  city: {type: string}\n")
	flag := filepath.Join(dir, "shop", "color.yaml")
	split := "type: string\nvariants: {a: a, b: b, c: c}\ndefault: a\nrules: [{name: all, serve: {%s}}]\n"
	writeFile(t, flag, fmt.Sprintf(split, "a: 50%, b: 30%, c: 20%"))
	if status := run(t.Context(), []string{"lock", dir}, strings.NewReader(""), io.Discard, io.Discard); status != 0 {
		t.Fatalf("lock: status %d", status)
	}
	s := startServer(t, "dev", dir, "--listen", "127.0.0.1:0")
	answers := func() (list []string) {
		for i := range 200 {
			resp, err := http.Post(s.url+ofrepPath+"color", "application/json",
				strings.NewReader(fmt.Sprintf(`{"context":{"user":"u-%d"}}`, i)))
			if err != nil {
				t.Fatal(err)
			}
			var a struct{ Value string }
			if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			list = append(list, a.Value)
		}
		return list
	}
	before := answers()
	writeFile(t, flag, fmt.Sprintf(split, "a: 40%, b: 40%, c: 20%"))
	eventually(t, "revision 2: 1 flag, in ", s.stderr.String)
	note := "note: served as if 'serin lock' had updated " + filepath.Join(dir, "flags.lock") +
		", which you run to keep this:\n" +
		"changed  flag \"color\", rule \"all\": 40% a, 40% b, 20% c\n         10% a → b\n"
	eventually(t, note, s.stderr.String)
	moved := 0
	for i, after := range answers() {
		switch {
		case after == before[i]:
		case before[i] == "a" && after == "b":
			moved++
		default:
			t.Errorf("user %d moved from %s to %s", i, before[i], after)
		}
	}
	if moved < 5 || moved > 40 {
		t.Errorf("%d of 200 users moved, not a tenth", moved)
	}
	writeFile(t, filepath.Join(dir, "shop", "other.yaml"), "type: boolean\ndefault: off\n")
	eventually(t, "revision 3: 2 flags, in ", s.stderr.String)
	writeFile(t, filepath.Join(dir, "shop", "other.yaml"), "type: boolean\ndefault: on\n")
	eventually(t, "revision 4: 2 flags, in ", s.stderr.String)
	for _, text := range []string{note, "[unused-attribute]"} {
		if n := strings.Count(s.stderr.String(), text); n != 1 {
			t.Errorf("%q is there %d times:\n%s", text, n, s.stderr)
		}
	}
	if data, err := os.ReadFile(filepath.Join(dir, "flags.lock")); err != nil || strings.Contains(string(data), "40%") {
		t.Errorf("dev wrote the lock file, %v", err)
	}
}

// testDevPage opens the page of dev, which shows what the files say, whatever that is.
func testDevPage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "flags")
	writeFile(t, filepath.Join(dir, "serin.yaml"), "environments: [staging]\n")
	writeFile(t, filepath.Join(dir, "context.yaml"), "attributes:\n  user: {type: string, unit: true}\n")
	writeFile(t, filepath.Join(dir, "shop", "color.yaml"),
		"description: <script>alert(1)</script>\ntype: string\ndefault: red\n")
	s := startServer(t, "dev", dir, "--env", "staging", "--listen", "127.0.0.1:0")
	get := func(path string) (*http.Response, string) {
		resp, err := http.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	resp, body := get("/")
	if resp.StatusCode != http.StatusOK ||
		!strings.HasPrefix(resp.Header.Get("Content-Security-Policy"), "default-src 'self'") {
		t.Errorf("the page: status %d, %v", resp.StatusCode, resp.Header)
	}
	for _, want := range []string{"<h1>Flags</h1>", "&lt;script&gt;alert(1)", "flag/color.html",
		"/ofrep/v1/evaluate/flags<"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page doesn't contain %q:\n%s", want, body)
		}
	}
	writeFile(t, filepath.Join(dir, "shop", "color.yaml"), "type: string\ndefualt: red\n")
	eventually(t, `<mark>defualt</mark>: red`, func() string { _, body := get("/flag/color.html"); return body })
	if resp, body := get("/status"); resp.StatusCode != http.StatusOK || !strings.Contains(body, `"state"`) {
		t.Errorf("/status: %d, %s", resp.StatusCode, body)
	}
	if resp, _ := get("/nothing"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("another path: status %d", resp.StatusCode)
	}
}

// testEvents holds that whoever listens hears of an edit at once, also below a base path,
// and that open streams don't keep the command from ending.
func testEvents(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "flags")
	writeFile(t, filepath.Join(dir, "context.yaml"), "attributes:\n  user: {type: string, unit: true}\n")
	flag := filepath.Join(dir, "shop", "color.yaml")
	writeFile(t, flag, "type: string\ndefault: red\n")
	for _, test := range []struct {
		args []string
		base string
	}{
		{[]string{"dev", dir, "--listen", "127.0.0.1:0"}, ""},
		{[]string{"serve", dir, "--listen", "127.0.0.1:0", "--base-path", "/flags/"}, "/flags"},
	} {
		s := startServer(t, test.args...)
		resp, err := http.Get(s.url + test.base + "/ofrep/v1/events")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		lines := bufio.NewScanner(resp.Body)
		event := func(want string) {
			t.Helper()
			for lines.Scan() {
				if strings.HasPrefix(lines.Text(), "id: ") {
					break
				}
			}
			if lines.Text() != want {
				t.Fatalf("the event is %q, want %q: %v", lines.Text(), want, lines.Err())
			}
		}
		event("id: 1")
		if test.args[0] == "dev" {
			writeFile(t, flag, "type: string\ndefault: blue\n")
			event("id: 2")
		}
	}
}

// testDevOfLink holds that edits are seen of a folder that is a symbolic link, that a
// link on the way to it may be set to another folder, and that what is beside it is left
// alone.
func testDevOfLink(t *testing.T) {
	top := t.TempDir()
	flag := func(version, color string) string {
		name := filepath.Join(top, version, "flags", "shop", "color.yaml")
		writeFile(t, name, "type: string\ndefault: "+color+"\n")
		return name
	}
	for _, version := range []string{"one", "two"} {
		writeFile(t, filepath.Join(top, version, "flags", "context.yaml"),
			"attributes:\n  user: {type: string, unit: true}\n")
	}
	one := flag("one", "red")
	two := flag("two", "green")
	link := func(target, name string) {
		t.Helper()
		temporary := filepath.Join(top, "temporary")
		if err := errors.Join(os.Symlink(target, temporary),
			os.Rename(temporary, filepath.Join(top, name))); err != nil {
			t.Fatal(err)
		}
	}
	link("one", "current")
	link(filepath.Join("current", "flags"), "link")

	s := startServer(t, "dev", filepath.Join(top, "link"), "--listen", "127.0.0.1:0")
	color := func() string { return s.ask(t, "color") }
	eventually(t, `"value":"red"`, color)
	writeFile(t, one, "type: string\ndefault: blue\n")
	eventually(t, `"value":"blue"`, color)
	link("two", "current")
	eventually(t, `"value":"green"`, color)
	writeFile(t, one, "type: nonsense\n") // nobody's business now
	writeFile(t, two, "type: string\ndefault: violet\n")
	eventually(t, `"value":"violet"`, color)
	if strings.Contains(s.stderr.String(), "nonsense") {
		t.Errorf("the folder that the link led to is still read:\n%s", s.stderr)
	}
}

// testStop stops a server while a client has sent a part of a request.
func testStop(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, serin.Estate); err != nil {
		t.Fatal(err)
	}
	var conn net.Conn
	t.Cleanup(func() { conn.Close() }) // after the server has ended
	s := startServer(t, "serve", "--from", filepath.Join(dir, "flags"), "--listen", "127.0.0.1:0")
	var err error
	if conn, err = net.Dial("tcp", strings.TrimPrefix(s.url, "http://")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn,
		"POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	// The request is being read once another one, sent later, is answered.
	s.ask(t, "by-chance")
}

func testServeFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, serin.Estate); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, "serve", filepath.Join(dir, "flags"), "--env", "staging", "--listen", "127.0.0.1:0")
	if got := s.ask(t, "new-checkout"); !strings.Contains(got, `"value":true`) ||
		!strings.Contains(got, `"environment":"staging"`) {
		t.Errorf("new-checkout in staging: %s", got)
	}
}

func TestLongContext(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, serin.Estate); err != nil {
		t.Fatal(err)
	}
	ask := func(size int) (int, string) {
		line := fmt.Sprintf(`{"targetingKey": "%s"}`, strings.Repeat("u", size-len(`{"targetingKey": ""}`)))
		var stderr bytes.Buffer
		status := run(t.Context(),
			[]string{"eval", "new-checkout", "--from", filepath.Join(dir, "flags"), "--contexts", "-"},
			strings.NewReader("{}\n"+line+"\n"), io.Discard, &stderr)
		return status, stderr.String()
	}
	if status, words := ask(maxContextLine); status != 0 {
		t.Errorf("a line as long as it may be: status %d: %s", status, words)
	}
	want := "error: -:2: the line is longer than 1 MiB; write one JSON object per line\n"
	if status, words := ask(maxContextLine + 1); status != 1 || words != want {
		t.Errorf("a longer line: status %d: %.200q, want %q", status, words, want)
	}
}

func TestExitStatus(t *testing.T) {
	bad := t.TempDir()
	writeFile(t, filepath.Join(bad, "context.yaml"), "attributes: nonsense\n")
	for _, test := range []struct {
		args string
		want int
	}{
		{"--help", 0},
		{"check " + bad, 1},
		{"eval x --from " + bad, 1},
		{"check one two", 2},
		{"check --frobnicate", 2},
		{"frobnicate", 2},
		{"eval", 2},
		{"eval x", 2},
		{"eval x --from file:///nowhere/production", 2},
		{"eval x --from " + bad + " --contexts - -c a=b", 2},
		{"publish", 2},
		{"diff one", 2},
		{"diff git: " + bad, 2},
		{"diff " + bad + " " + bad, 1},
	} {
		var stdout, stderr bytes.Buffer
		if got := run(t.Context(), strings.Fields(test.args), strings.NewReader(""), &stdout,
			&stderr); got != test.want {
			t.Errorf("serin %s: status %d, want %d\n%s", test.args, got, test.want, stderr.Bytes())
		}
	}
}
