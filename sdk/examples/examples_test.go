//go:build unix

package examples_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/child"
	"github.com/serin-flags/serin/internal/lambdatest"
	"github.com/serin-flags/serin/sdk/sdktest"
)

var bin string // folder of the programs

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if bin, err = os.MkdirTemp("", "examples-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(bin)
		// With the flags of lambdatest.Build, so that all packages are compiled once.
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", bin, "./web", "./worker",
			"./kubernetes")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building the examples: %v\n%s", err, out)
			return 1
		}
		if _, err := lambdatest.Build(bin, "./function"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// payloads are the flags of this repository, as they are published for production.
func payloads(t *testing.T) []bundle.Payload {
	t.Helper()
	estate, err := ci.Load("../../flags")
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := estate.Compile("production")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// change returns payloads in which a flag is different.
func change(payloads []bundle.Payload, key string, change func(*evaluator.Flag)) []bundle.Payload {
	payloads = slices.Clone(payloads)
	for i := range payloads {
		flags := slices.Clone(payloads[i].Ruleset.Flags)
		for j := range flags {
			if flags[j].Key == key {
				change(&flags[j])
			}
		}
		payloads[i].Ruleset.Flags = flags
	}
	return payloads
}

// rulesets are payloads for an sdktest.Publisher.
func rulesets(payloads []bundle.Payload) map[string]evaluator.Ruleset {
	r := make(map[string]evaluator.Ruleset)
	for _, p := range payloads {
		r[p.Namespace] = p.Ruleset
	}
	return r
}

// write writes a file and returns its path.
func write(t *testing.T, path string, data []byte, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// A process is a program that runs.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines chan string // of its standard output and error
}

// start starts a program, which is killed if the test ends before it does.
func start(t *testing.T, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(name, args...), lines: make(chan string, 1000)}
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()}, env...)
	child.Bind(p.cmd)
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = in, in
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	go func() {
		defer close(p.lines)
		defer out.Close()
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	})
	return p
}

// await waits for a line that has a text in it, and returns it.
func (p *process) await(t *testing.T, text string) string {
	t.Helper()
	var seen []string
	timeout := time.After(time.Minute)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("the program ended without %q:\n%s", text, strings.Join(seen, "\n"))
			}
			if strings.Contains(line, text) {
				return line
			}
			seen = append(seen, line)
		case <-timeout:
			t.Fatalf("no %q in a minute:\n%s", text, strings.Join(seen, "\n"))
		}
	}
}

// stop asks the program to end, which it does well.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for range p.lines {
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the program ended with %v", err)
	}
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

// TestWeb asks the web service for checkouts, and starts it again while its source
// is down.
func TestWeb(t *testing.T) {
	p := sdktest.NewPublisher(t, "production")
	p.PublishRulesets(rulesets(payloads(t)))
	env := []string{
		"SERIN_FROM=" + p.URL, "SERIN_ROOT=" + write(t, filepath.Join(t.TempDir(), "root.json"), p.Root, 0o666),
		"SERIN_CACHE=" + t.TempDir(), "LISTEN=127.0.0.1:0",
	}
	for _, state := range []string{"FRESH", "LAST-KNOWN-GOOD"} {
		web := start(t, env, filepath.Join(bin, "web"))
		_, url, _ := strings.Cut(web.await(t, "url="), "url=")
		for query, want := range map[string]string{
			"user=u-1&country=CN":              "classic: wallet, qr, card\n",
			"user=u-1":                         "classic: card\n",
			"user=" + staff(t) + "&country=FR": "one page: card, transfer\n",
		} {
			if _, body := get(t, url+"/checkout?"+query); body != want {
				t.Errorf("%s: %q, want %q", query, body, want)
			}
		}
		if code, body := get(t, url+"/healthz"); code != http.StatusOK || !strings.Contains(body, "state="+state) {
			t.Errorf("the health check answers %d %s", code, body)
		}
		web.stop(t)
		p.Down()
	}
	env[2] = "SERIN_CACHE=" + t.TempDir()
	web := start(t, env, filepath.Join(bin, "web"))
	_, url, _ := strings.Cut(web.await(t, "url="), "url=")
	if code, body := get(t, url+"/healthz"); code != http.StatusServiceUnavailable ||
		!strings.Contains(body, "state=EMPTY") {
		t.Errorf("without flags the health check answers %d %s", code, body)
	}
	if _, body := get(t, url+"/checkout?country=CN"); body != "classic: card\n" {
		t.Errorf("without flags the checkout is %q", body)
	}
	web.stop(t)
}

// staff returns somebody who works here.
func staff(t *testing.T) string {
	t.Helper()
	for _, p := range payloads(t) {
		for _, s := range p.Ruleset.Segments {
			if s.Name == "staff-accounts" {
				return s.Include[0]
			}
		}
	}
	t.Fatal("nobody works here")
	return ""
}

// TestWorker has the worker rest by a flag, while its first source is down.
func TestWorker(t *testing.T) {
	all := payloads(t)
	resting := change(all, "read-only", func(f *evaluator.Flag) { f.Disabled = false })
	replica := sdktest.NewPublisher(t, "production")
	replica.PublishRulesets(rulesets(all))
	down := sdktest.NewPublisher(t, "production")
	down.Down()
	worker := start(t, []string{
		"SERIN_FROM=" + down.URL, "SERIN_REPLICA=" + replica.URL, "SERIN_INTERVAL=50ms",
		"SERIN_ROOT=" + write(t, filepath.Join(t.TempDir(), "root.json"), replica.Root, 0o666),
	}, filepath.Join(bin, "worker"))
	worker.await(t, "serving flags")
	fmt.Fprintln(worker.stdin, "u-1 appstore")
	worker.await(t, "u-1 goes by apns (TARGETING_MATCH App Store)")
	fmt.Fprintln(worker.stdin, "u-2 web")
	worker.await(t, "u-2 goes by websocket (DEFAULT )")
	replica.PublishRulesets(rulesets(resting))
	worker.await(t, "serving flags")
	fmt.Fprintln(worker.stdin, "u-3 googleplay")
	worker.await(t, "resting")
	replica.PublishRulesets(rulesets(all))
	worker.await(t, "u-3 goes by fcm")
	worker.stdin.Close()
	for range worker.lines {
	}
	if err := worker.cmd.Wait(); err != nil {
		t.Errorf("the worker ended with %v", err)
	}
}

// TestFunction has the function start while its source is down, and catch up when
// that is over.
func TestFunction(t *testing.T) {
	all := payloads(t)
	p := sdktest.NewPublisher(t, "production")
	p.PublishRulesets(rulesets(all))
	deployment := t.TempDir()
	write(t, filepath.Join(deployment, "root.json"), p.Root, 0o666)
	bake(t, p, filepath.Join(deployment, "baked"))
	p.PublishRulesets(rulesets(change(all, "retention-days", func(f *evaluator.Flag) { f.Default++ })))
	p.Down()
	f := lambdatest.Start(t, lambdatest.Config{
		Binary: filepath.Join(bin, "bootstrap"),
		Env:    []string{"LAMBDA_TASK_ROOT=" + deployment, "SERIN_FROM=" + p.URL},
	})
	ask := func(plan string) (answer struct{ Days, Revision int64 }) {
		t.Helper()
		out, err := f.Invoke(t.Context(), []byte(`{"user": "u-1", "plan": "`+plan+`"}`))
		if err == nil {
			err = json.Unmarshal(out, &answer)
		}
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	if got := ask("business"); got.Days != 3650 || got.Revision != 1 {
		t.Errorf("a cold start while the source is down answers %+v", got)
	}
	if got := ask("free"); got.Days != 30 {
		t.Errorf("the baked-in copy answers %+v", got)
	}
	p.Up()
	// After a failure the source is left alone for a while.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		got := ask("free")
		if got.Days == 365 && got.Revision == 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a minute after the outage the answer is %+v", got)
		}
	}
}

// bake writes what a publisher has to a folder, as serin bake does.
func bake(t *testing.T, p *sdktest.Publisher, dir string) {
	t.Helper()
	cmd := exec.Command("go", "run", "-trimpath", "../../cmd/serin", "bake", p.URL, "--root",
		write(t, filepath.Join(t.TempDir(), "root.json"), p.Root, 0o666), "--out", dir)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("baking: %v\n%s", err, out)
	}
}

// A bucket is a folder that stands for s3://acme-flags/shop.
type bucket struct {
	dir  string
	keys release.Keys
}

func newBucket(t *testing.T) *bucket {
	t.Helper()
	keys := t.TempDir()
	if _, err := release.InitKeys(keys, "production"); err != nil {
		t.Fatal(err)
	}
	b := &bucket{dir: filepath.Join(t.TempDir(), "acme-flags", "shop", "production")}
	var err error
	if b.keys, err = release.LoadKeys(keys); err != nil {
		t.Fatal(err)
	}
	return b
}

// publish publishes whether there is maintenance.
func (b *bucket) publish(t *testing.T, maintenance bool) {
	t.Helper()
	_, err := release.Publish(t.Context(), release.Options{
		Store: filestore.New(b.dir), Keys: b.keys, Environment: "production",
		Payloads: change(payloads(t), "maintenance", func(f *evaluator.Flag) {
			if maintenance {
				f.Default = 1 - f.Default
			}
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// aws is all of the AWS CLI that the sidecar uses, for buckets in $BUCKETS.
const aws = `#!/bin/sh
set -e
from= to= exclude=
command=$2; shift 2
while [ $# -gt 0 ]; do
	case $1 in
	--only-show-errors) ;;
	--exclude) exclude=$2; shift ;;
	*) if [ -z "$from" ]; then from=$1; else to=$1; fi ;;
	esac
	shift
done
from=$BUCKETS/${from#s3://}
case $command in
cp) cp "$from" "$to" ;;
sync) cd "$from" && find . -type f ! -name "$exclude" | while read -r f; do
		[ -e "$to/$f" ] || { mkdir -p "$to/${f%/*}" && cp "$f" "$to/$f"; }
	done ;;
*) echo "unknown command $command" >&2; exit 2 ;;
esac
`

// A container is the part of the manifest that a test uses.
type container struct {
	Name    string
	Command []string
	Args    []string
	Env     []struct{ Name, Value string }

	StartupProbe   probe `yaml:"startupProbe"`
	ReadinessProbe probe `yaml:"readinessProbe"`
}

type probe struct{ Exec struct{ Command []string } }

// manifest returns the sidecar and the service of deployment.yaml.
func manifest(t *testing.T) (sidecar, service container) {
	t.Helper()
	data, err := os.ReadFile("kubernetes/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Spec struct {
			Template struct {
				Spec struct {
					InitContainers []container `yaml:"initContainers"`
					Containers     []container
				}
			}
		}
	}
	if err := yaml.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	pod := d.Spec.Template.Spec
	if len(pod.InitContainers) != 1 || len(pod.Containers) != 1 {
		t.Fatalf("the manifest has %+v", pod)
	}
	return pod.InitContainers[0], pod.Containers[0]
}

// TestKubernetes runs the manifest's sidecar and the service beside it, with a
// folder for the volume and one for the bucket.
func TestKubernetes(t *testing.T) {
	sidecar, service := manifest(t)
	b := newBucket(t)
	b.publish(t, false)
	pod := t.TempDir()
	write(t, filepath.Join(pod, "etc/serin/root.json"), b.keys.Root, 0o666)
	write(t, filepath.Join(pod, "bin/aws"), []byte(aws), 0o777)
	env := func(c container) []string {
		env := []string{"BUCKETS=" + filepath.Dir(filepath.Dir(filepath.Dir(b.dir))),
			"PATH=" + filepath.Join(pod, "bin") + ":" + os.Getenv("PATH")}
		for _, v := range c.Env {
			if v.Name == "PAUSE" {
				v.Value = "0.1"
			}
			if strings.HasPrefix(v.Value, "/") {
				v.Value = filepath.Join(pod, v.Value)
			}
			env = append(env, v.Name+"="+v.Value)
		}
		return env
	}
	run := func(c container, p probe) error {
		args := slices.Clone(p.Exec.Command)
		for i := range args {
			if strings.HasPrefix(args[i], "/") {
				args[i] = filepath.Join(pod, args[i])
			}
		}
		if args[0] == service.Name {
			args[0] = filepath.Join(bin, "kubernetes")
		}
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = env(c)
		return cmd.Run()
	}
	if run(service, service.ReadinessProbe) == nil || run(sidecar, sidecar.StartupProbe) == nil {
		t.Error("the probes succeed before there are flags")
	}
	start(t, env(sidecar), sidecar.Command[0], append(sidecar.Command[1:], sidecar.Args...)...)
	for deadline := time.Now().Add(time.Minute); run(sidecar,
		sidecar.StartupProbe) != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the sidecar has mirrored nothing in a minute")
		}
	}
	if err := run(service, service.ReadinessProbe); err != nil {
		t.Errorf("the readiness probe: %v", err)
	}
	app := start(t, env(service), filepath.Join(bin, "kubernetes"))
	app.await(t, "maintenance: false")
	for _, maintenance := range []bool{true, false, true} {
		b.publish(t, maintenance)
		app.await(t, fmt.Sprintf("maintenance: %t", maintenance))
	}
	app.stop(t)
}

// TestKubernetesSymlinks has the folder replaced as tools do it that keep each
// revision in a folder of its own: a symbolic link is set to another one.
func TestKubernetesSymlinks(t *testing.T) {
	b := newBucket(t)
	volume := t.TempDir()
	root := write(t, filepath.Join(t.TempDir(), "root.json"), b.keys.Root, 0o666)
	point := func(revision string, maintenance bool) {
		t.Helper()
		b.publish(t, maintenance)
		if err := os.CopyFS(filepath.Join(volume, revision), os.DirFS(b.dir)); err != nil {
			t.Fatal(err)
		}
		next := filepath.Join(volume, "next")
		if err := os.Symlink(revision, next); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, filepath.Join(volume, "current")); err != nil {
			t.Fatal(err)
		}
	}
	point("rev-1", false)
	app := start(t, []string{"SERIN_DIR=" + filepath.Join(volume, "current"), "SERIN_ROOT=" + root},
		filepath.Join(bin, "kubernetes"))
	app.await(t, "maintenance: false")
	point("rev-2", true)
	app.await(t, "maintenance: true")
	if err := os.RemoveAll(filepath.Join(volume, "rev-1")); err != nil {
		t.Fatal(err)
	}
	point("rev-3", false)
	app.await(t, "maintenance: false")
	app.stop(t)
}
