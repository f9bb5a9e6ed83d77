package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/s3source"
)

var update = flag.Bool("update", false, "write what comes out into testdata/mistakes")

// fewestMistakes is how many mistakes there must be, so that none gets lost.
const fewestMistakes = 140

// TestMistakes makes the mistakes of testdata/mistakes, one in each file, and compares what
// the command or the SDK says on standard error with the file "want". What each says must
// have the cause, the place and the way out, which the file names. Its comment starts with
// a sentence about the mistake. The lines after that are
//
//	run: ARGS          a command; its exit status must not be 0
//	note: ARGS         a command that succeeds, but has something to say
//	sdk: NAME=VALUE …  a program that opens a client: see program
//	sh: COMMAND        run by the shell before that, in the same folder
//	clock: DAYS        publishes to file://$WORK/clock/production with a clock so far ahead
//	env: NAME=VALUE    set for it
//	answer: STATUS     the HTTP server $SERVER answers all requests with this status,
//	header: NAME: VALUE    this header
//	code: CODE             and this S3 error, or the archive's file "body" or what sh wrote to body.made
//	cause:, place:, fix:   parts of what it must say
//
// The other files of the archive are written first, into a folder that holds the valid flag
// folder flags, the keys of the environment production in keys, others in other, and that
// environment published as file://$WORK/published/production. $ADDRESS is that of $SERVER.
func TestMistakes(t *testing.T) {
	base := mistakesBase(t)
	files, err := filepath.Glob("testdata/mistakes/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < fewestMistakes {
		t.Errorf("there are %d mistakes, want %d", len(files), fewestMistakes)
	}
	for _, file := range files {
		file, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			m := readMistake(t, file)
			m.work = t.TempDir()
			if err := os.CopyFS(m.work, os.DirFS(base)); err != nil {
				t.Fatal(err)
			}
			for _, key := range []string{"keys/online.key", "keys/root.key", "other/online.key", "other/root.key"} {
				if err := os.Chmod(filepath.Join(m.work, key), 0o600); err != nil { // os.CopyFS has widened it
					t.Fatal(err)
				}
			}
			m.make(t)
			m.check(t, m.said(t))
		})
	}
}

// mistakesBase returns the folder in which mistakes are made, before that.
func mistakesBase(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "flags/serin.yaml"), "environments: [staging, production]\n")
	writeFile(t, filepath.Join(dir, "flags/context.yaml"), "attributes:\n"+
		"  user: {type: string, unit: true}\n  plan: {type: string, enum: [free, pro]}\n  app_version: {type: "+
		"semver}\n  seats: {type: integer}\n")
	writeFile(t, filepath.Join(dir, "flags/shop/new-cart.yaml"), "type: boolean\nvariants: {on: true, off: "+
		"false}\ndefault: off\nrules:\n"+
		"  - name: beta\n    when: {plan: pro, app_version: {semver: \">=2.0.0\"}, seats: {gt: 1}}\n    serve: on\n")
	for _, args := range [][]string{
		{"keys", "init", filepath.Join(dir, "keys"), "--env", "production"},
		{"keys", "init", filepath.Join(dir, "other"), "--env", "production"},
		{"publish", filepath.Join(dir, "flags"), "--env", "production", "--to", "file://" + dir + "/published", "--keys", filepath.Join(dir, "keys")},
	} {
		var stderr bytes.Buffer
		if status := run(t.Context(), args, nil, io.Discard, &stderr); status != 0 {
			t.Fatalf("serin %v: %s", args, &stderr)
		}
	}
	return dir
}

// A mistake is a file of testdata/mistakes.
type mistake struct {
	file    string
	archive *txtar.Archive
	lines   map[string][]string // of the comment, by what they start with
	work    string
	server  string // URL
}

var mistakeLine = regexp.MustCompile(`^(run|note|sdk|sh|clock|env|answer|header|code|cause|place|fix): (.+)$`)

func readMistake(t *testing.T, file string) *mistake {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m := &mistake{file: file, archive: archive, lines: make(map[string][]string)}
	sentence := false
	for line := range strings.Lines(string(archive.Comment)) {
		line = strings.TrimSuffix(line, "\n")
		switch parts := mistakeLine.FindStringSubmatch(line); {
		case parts != nil:
			m.lines[parts[1]] = append(m.lines[parts[1]], parts[2])
		case line != "" && len(m.lines) > 0:
			t.Fatalf("%q isn't understood", line)
		default:
			sentence = sentence || strings.HasSuffix(line, ".")
		}
	}
	for _, needed := range []string{"cause", "place", "fix"} {
		if len(m.lines[needed]) == 0 {
			t.Fatalf("there is no line %q", needed+":")
		}
	}
	if !sentence {
		t.Fatal("the comment doesn't start with a sentence about the mistake")
	}
	return m
}

// make prepares the folder, the environment and the server.
func (m *mistake) make(t *testing.T) {
	t.Helper()
	t.Chdir(m.work)
	server := httptest.NewServer(http.HandlerFunc(m.answer))
	t.Cleanup(server.Close)
	m.server = server.URL
	for _, f := range m.archive.Files {
		if f.Name != "want" && f.Name != "body" {
			writeFile(t, filepath.Join(m.work, filepath.FromSlash(f.Name)), string(f.Data))
		}
	}
	settings := append([]string{
		"WORK=" + m.work, "SERVER=" + m.server, "ADDRESS=" + strings.TrimPrefix(m.server, "http://"),
		"HOME=" + m.work, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A",
		"GIT_COMMITTER_EMAIL=a@example.com",
		"AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret-of-the-test",
		"AWS_SESSION_TOKEN=",
		"AWS_PROFILE=", "AWS_MAX_ATTEMPTS=1", "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_ENDPOINT_URL=", "AWS_ENDPOINT_URL_S3=" + m.server,
		"SERIN_PASSPHRASE=", "SERIN_FROM=", "SERIN_ROOT=", "SERIN_ENV=", "NO_COLOR=1",
		"GITHUB_ACTIONS=", "GITHUB_TOKEN=", "GITHUB_REPOSITORY=", "GITHUB_EVENT_PATH=", "GITLAB_CI=", "CI_JOB_URL=",
	}, m.lines["env"]...)
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		t.Setenv(name, os.ExpandEnv(value))
	}
	for _, days := range m.lines["clock"] {
		publishAt(t, days)
	}
	for _, command := range m.lines["sh"] {
		if out, err := exec.Command("sh", "-e", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", command, err, out)
		}
	}
}

// answer is the HTTP server.
func (m *mistake) answer(w http.ResponseWriter, _ *http.Request) {
	for _, header := range m.lines["header"] {
		name, value, _ := strings.Cut(header, ": ")
		w.Header().Set(name, value)
	}
	status := http.StatusNotFound
	for _, line := range m.lines["answer"] {
		status, _ = strconv.Atoi(line)
	}
	w.WriteHeader(status)
	for _, code := range m.lines["code"] {
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>words of the server</Message></Error>", code)
	}
	for _, f := range m.archive.Files {
		if f.Name == "body" {
			w.Write(f.Data)
		}
	}
	if data, err := os.ReadFile(filepath.Join(m.work, "body.made")); err == nil {
		w.Write(data)
	}
}

// said makes the mistake, and returns what was said about it.
func (m *mistake) said(t *testing.T) string {
	t.Helper()
	var stderr bytes.Buffer
	for kind, failed := range map[string]bool{"run": true, "note": false} {
		for _, line := range m.lines[kind] {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			status := run(ctx, strings.Fields(os.ExpandEnv(line)), strings.NewReader(""), io.Discard, &stderr)
			cancel()
			if (status != 0) != failed {
				t.Errorf("serin %s: exit status %d", line, status)
			}
		}
	}
	for _, line := range m.lines["sdk"] {
		program(t, strings.Fields(os.ExpandEnv(line)), &stderr)
	}
	return m.normal(stderr.String())
}

// program opens a client and writes what a program sees of it: the error of Open, or else
// the log and the latest error. Its settings are those of [sdk.Config]; flag and attribute
// are read with a handle.
func program(t *testing.T, settings []string, w io.Writer) {
	t.Helper()
	set := make(map[string]string)
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		set[name] = value
	}
	var cfg sdk.Config
	err := configure(t, &cfg, set)
	var client *sdk.Client
	if err == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelInfo}))
		client, err = sdk.Open(t.Context(), cfg)
	}
	if err != nil {
		fmt.Fprintf(w, "%v\n", err)
		return
	}
	defer client.Close()
	if err := client.Status().LastError; err != nil {
		fmt.Fprintf(w, "%v\n", err)
	}
	if key := set["flag"]; key != "" {
		name, value, _ := strings.Cut(set["attribute"], ":")
		ctx := sdk.User("u-1", sdk.Attr(name, value))
		ctx.Now, _ = strconv.ParseInt(set["now"], 10, 64)
		if set["type"] == "string" {
			sdk.String(key, "").Get(client, ctx)
		} else {
			sdk.Bool(key, false).Get(client, ctx)
		}
	}
}

// configure sets what a program's settings say.
func configure(t *testing.T, cfg *sdk.Config, set map[string]string) (err error) {
	t.Helper()
	cfg.Interval, cfg.InitTimeout, cfg.CacheDir = -1, 5*time.Second, set["cache"]
	if source, ok := set["source"]; ok {
		if cfg.Source, err = s3source.FromURL(t.Context(), source); err != nil {
			return err
		}
	}
	if root, ok := set["root"]; ok {
		if cfg.Root, err = os.ReadFile(root); err != nil {
			t.Fatal(err)
		}
	}
	if namespaces, ok := set["namespaces"]; ok {
		cfg.Namespaces = strings.Split(namespaces, ",")
	}
	if baked, ok := set["baked"]; ok {
		cfg.Baked = os.DirFS(baked)
	}
	if interval, ok := set["interval"]; ok {
		n, err := strconv.ParseInt(interval, 10, 64)
		cfg.Interval = time.Duration(n)
		return err
	}
	cfg.MinRevision, _ = strconv.ParseInt(set["minRevision"], 10, 64)
	return nil
}

var (
	anyTime = regexp.MustCompile(
		`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)|\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC|` +
			`\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT`)
	anyHash = regexp.MustCompile(`[0-9a-f]{16,}`)
	anyKey  = regexp.MustCompile(`(keys?) [0-9a-f]{8,12}\b`) // the start of its ID
)

// normal returns text without what is different each time.
func (m *mistake) normal(text string) string {
	text = strings.NewReplacer(
		strings.TrimPrefix(m.server, "http://"), "$SERVER", m.work, "$WORK", "time=", "").Replace(text)
	text = anyKey.ReplaceAllString(text, "$1 HASH")
	return anyHash.ReplaceAllString(anyTime.ReplaceAllString(text, "TIME"), "HASH")
}

// check compares what was said with the file "want", or writes that.
func (m *mistake) check(t *testing.T, got string) {
	t.Helper()
	if strings.Contains(got, "secret-of-the-test") || strings.Contains(got, "panic") {
		t.Errorf("it says what it must not say:\n%s", got)
	}
	for _, needed := range []string{"cause", "place", "fix"} {
		for _, part := range m.lines[needed] {
			if !strings.Contains(got, part) {
				t.Errorf("the %s %q isn't in:\n%s", needed, part, got)
			}
		}
	}
	want := -1
	for i, f := range m.archive.Files {
		if f.Name == "want" {
			want = i
		}
	}
	if want < 0 {
		m.archive.Files, want = append(m.archive.Files, txtar.File{Name: "want"}), len(m.archive.Files)
	}
	if *update {
		m.archive.Files[want].Data = []byte(got)
		if err := os.WriteFile(m.file, txtar.Format(m.archive), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(m.archive.Files[want].Data), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// publishAt publishes an environment in the folder clock, by a clock that is so many days
// ahead.
func publishAt(t *testing.T, days string) {
	t.Helper()
	ahead, err := strconv.Atoi(days)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := release.LoadKeys("keys")
	if err != nil {
		t.Fatal(err)
	}
	estate, err := loadEstate("flags")
	if err != nil {
		t.Fatal(err)
	}
	payloads, err := estate.Compile("production")
	if err != nil {
		t.Fatal(err)
	}
	_, err = release.Publish(t.Context(), release.Options{
		Store: filestore.New("clock/production"), Keys: keys, Environment: "production", Payloads: payloads,
		Now: func() time.Time { return time.Now().AddDate(0, 0, ahead) },
	})
	if err != nil {
		t.Fatal(err)
	}
}
