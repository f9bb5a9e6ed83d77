//go:build unix

package serin_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/serin-flags/serin/internal/soak"
)

// TestActionBuildsOnce holds that a second check takes the command from the cache, and that
// jobs that hold a key don't.
func TestActionBuildsOnce(t *testing.T) {
	t.Parallel()
	f := newTeam(t)
	f.propose(t, "more-users", strings.Replace(newCart, "10%", "30%", 1))
	check := job{workspace: f.dir, cache: t.TempDir(), rebuild: true, inputs: map[string]string{"do": "check"}}
	for run, builds := range []bool{true, false} {
		o := f.action.run(t, check)
		if o.err != nil {
			t.Fatalf("run %d: %v\n%s", run+1, o.err, o.log)
		}
		if slices.Contains(o.steps, "Build serin") != builds {
			t.Errorf("run %d has the steps %q", run+1, o.steps)
		}
	}
	publish := job{workspace: f.dir, cache: check.cache, rebuild: true, env: f.s3.Env(), inputs: map[string]string{
		"do": "publish", "environment": "production", "to": "s3://flags/shop", "keys": "keys/production",
		"online-key": f.key,
	}}
	if o := f.action.run(t, publish); o.err != nil || !slices.Contains(o.steps, "Build serin") {
		t.Errorf("a job that publishes has the steps %q: %v\n%s", o.steps, o.err, o.log)
	}
}

// TestActionDownloads holds that a job of a release takes its program if GitHub attests
// where that comes from, and fails if GitHub doesn't.
func TestActionDownloads(t *testing.T) {
	t.Parallel()
	f := newTeam(t)
	f.propose(t, "more-users", strings.Replace(newCart, "10%", "30%", 1))
	releases := releaseServer(t)
	const commit = "0123456789abcdef0123456789abcdef01234567"
	for _, test := range []struct {
		name, ref, version, releases string
		gh                           string // what the double of gh does
		builds, fails                bool
		want                         string // in its arguments
	}{
		{name: "a release", ref: "v1.2.3", releases: releases, gh: "exit 0", want: "--source-ref refs/tags/v1.2.3"},
		{name: "a commit", ref: commit, version: "v1.2.3", releases: releases, gh: "exit 0", want: "--source-digest " + commit},
		{name: "not attested", ref: "v1.2.3", releases: releases, gh: "exit 1", fails: true},
		{name: "a commit alone", ref: commit, releases: releases, gh: "exit 1", builds: true},
		{name: "a branch", ref: "main", version: "v1.2.3", releases: releases, gh: "exit 1", builds: true},
		{name: "no such file", ref: "v9.9.9", releases: releases, gh: "exit 1", builds: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			bin := t.TempDir()
			script := "#!/bin/sh\necho \"gh $*\"\n" + test.gh + "\n"
			if err := os.WriteFile(filepath.Join(bin, "gh"), []byte(script), 0o777); err != nil {
				t.Fatal(err)
			}
			o := f.action.run(t, job{
				workspace: f.dir, ref: test.ref, rebuild: !test.builds,
				inputs: map[string]string{"do": "check", "version": test.version, "token": ""},
				bin:    bin, env: []string{"SERIN_RELEASES=" + test.releases},
			})
			if (o.err != nil) != test.fails || slices.Contains(o.steps, "Build serin") != test.builds {
				t.Errorf("it has the steps %q: %v\n%s", o.steps, o.err, o.log)
			}
			if verifies := "--repo serin-flags/serin --signer-workflow serin-flags/serin/.github/workflows/release.yml " + test.want; test.want != "" &&
				!strings.Contains(o.log, verifies) {
				t.Errorf("gh isn't asked to verify %q:\n%s", test.want, o.log)
			}
		})
	}
}

// releaseServer serves a release v1.2.3 with the built command, and returns the URL of all
// releases.
func releaseServer(t *testing.T) string {
	t.Helper()
	archive := releaseArchive(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1.2.3/serin_1.2.3_linux_amd64.tar.gz" {
			http.NotFound(w, r)
			return
		}
		if _, err := w.Write(archive); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// releaseArchive returns the built command as a release has it.
func releaseArchive(t *testing.T) []byte {
	t.Helper()
	program, err := os.ReadFile(command(t))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	err = w.WriteHeader(&tar.Header{Name: "serin", Mode: 0o755, Size: int64(len(program))})
	if err == nil {
		_, err = w.Write(program)
	}
	if err := cmp.Or(err, w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestGitLabInstallsOnce holds that the template for GitLab builds the command once for a
// merge request, and every time for the jobs that hold the key, unless it downloads what a
// checksum is known of.
func TestGitLabInstallsOnce(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("ci/gitlab.yml")
	if err != nil {
		t.Fatal(err)
	}
	var jobs map[string]struct {
		Before    []yaml.Node `yaml:"before_script"`
		Variables map[string]string
	}
	if err := yaml.Unmarshal(data, &jobs); err != nil {
		t.Fatal(err)
	}
	var script []string
	for _, n := range jobs[".serin"].Before {
		script = append(script, n.Value)
	}
	reuse := "SERIN_REUSE=" + jobs["flags:check"].Variables["SERIN_REUSE"]
	if reuse == "SERIN_REUSE=" || jobs["flags:publish"].Variables["SERIN_REUSE"] != "" {
		t.Errorf("merge requests have %s, and jobs that publish %q", reuse,
			jobs["flags:publish"].Variables["SERIN_REUSE"])
	}
	project, bin := t.TempDir(), t.TempDir()
	fake := "#!/bin/sh\necho \"go $*\"\nmkdir -p \"$GOBIN\"; printf '#!/bin/sh\\n' > \"$GOBIN/serin\"; chmod +x \"$GOBIN/serin\"\n"
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(fake), 0o777); err != nil {
		t.Fatal(err)
	}
	archive := sha256.Sum256(releaseArchive(t))
	run := func(env ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c",
			strings.Join(script, "\n")+"\nserin version")
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "GOBIN="+filepath.Join(project, ".serin"),
			"SERIN_VERSION=v1.2.3", "SERIN_SHA256=")
		cmd.Env = append(cmd.Env, env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	const build = "go install github.com/serin-flags/serin/cmd/serin@v1.2.3\n"
	for _, test := range []struct {
		name   string
		env    []string
		builds bool
	}{
		{"the first check", []string{reuse}, true},
		{"the second check", []string{reuse}, false},
		{"a job that publishes", nil, true},
	} {
		if out, err := run(test.env...); err != nil || strings.Contains(out, build) != test.builds {
			t.Errorf("%s: %v\n%s", test.name, err, out)
		}
	}
	releases := "SERIN_RELEASES=" + releaseServer(t)
	out, err := run(releases, "SERIN_SHA256="+hex.EncodeToString(archive[:]))
	if err != nil || strings.Contains(out, "go install") || !strings.Contains(out, "serin version ") {
		t.Errorf("a download: %v\n%s", err, out)
	}
	if out, err := run(releases, "SERIN_SHA256="+strings.Repeat("0", 64)); err == nil ||
		strings.Contains(out, "serin version ") {
		t.Errorf("another checksum: %v\n%s", err, out)
	}
	if out, err := run("SERIN_VERSION="); err == nil || !strings.Contains(out, "set SERIN_VERSION") {
		t.Errorf("no version: %v\n%s", err, out)
	}
}

// TestInstallPrintsVersion installs the command of a version as users do, from a module
// proxy, and holds that it knows its version. That compiles every package of this module
// once more, since programs hold the versions of modules: without a soak, the packages are
// only loaded, with what they embed.
func TestInstallPrintsVersion(t *testing.T) {
	t.Parallel()
	whole := soak.Times(0, 1) > 0
	const version = "v0.1.2"
	proxy, bin := t.TempDir(), t.TempDir()
	place := filepath.Join(proxy, module, "@v")
	if err := os.MkdirAll(place, 0o777); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"list":            []byte(version + "\n"),
		version + ".info": fmt.Appendf(nil, `{"Version": %q, "Time": "2026-12-01T00:00:00Z"}`, version),
		version + ".mod":  mod,
		version + ".zip":  moduleZip(t, module+"@"+version),
	} {
		if err := os.WriteFile(filepath.Join(place, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	// The module cache keeps what is installed: a cache of its own takes all other modules from the one that there is.
	cache := t.TempDir()
	others := "file://" + filepath.Join(goEnv(t, "GOMODCACHE"), "cache", "download")
	verb := []string{"install", "-trimpath", "-modcacherw"}
	if !whole {
		verb = []string{"install", "-n", "-modcacherw"}
	}
	cmd := exec.CommandContext(t.Context(), "go", append(verb, module+"/cmd/serin@"+version)...)
	cmd.Dir = proxy
	cmd.Env = append(os.Environ(), "GOPROXY=file://"+proxy+","+others, "GONOSUMDB=*", "GOFLAGS=", "GONOPROXY=none",
		"GOPRIVATE=", "GOSUMDB=off",
		"GOMODCACHE="+cache, "GOBIN="+bin, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go install: %v\n%s", err, out)
	}
	if !whole {
		return
	}
	out, err := exec.Command(filepath.Join(bin, "serin"), "version").Output()
	if want := "serin version " + version + "\n"; err != nil || string(out) != want {
		t.Errorf("it prints %q, not %q: %v", out, want, err)
	}
}

// moduleZip returns the files of this module as a proxy has them.
func moduleZip(t *testing.T, prefix string) []byte {
	t.Helper()
	out, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if strings.HasPrefix(name, "bench/") || strings.HasPrefix(name, "tools/") ||
			strings.HasPrefix(name, "deploy/testdata/schemas/generate/") {
			continue // other modules
		}
		data, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue // removed, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		w, err := z.Create(prefix + "/" + name)
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
