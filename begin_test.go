//go:build unix

package serin_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/internal/child"
	"github.com/serin-flags/serin/internal/npmtest"
)

// The README promises that a new user is done within these times. The second is that from
// git clone to the value of a flag of one's own, once the command is built.
const (
	maxBegin = 5 * time.Minute
	maxFirst = time.Minute
)

// TestBegin does what the README says, from an empty folder: it begins with flags,
// publishes them, and uses them in Go, by curl and with OpenFeature in JavaScript.
func TestBegin(t *testing.T) {
	t.Parallel()
	start := time.Now()
	command(t) // built
	b := newBeginner(t)
	b.do(t, b.section(t, "## Begin"))
	b.do(t, b.section(t, "## Use it over HTTP"))
	b.useJavaScript(t)
	b.useGo(t)
	if took := time.Since(start); took > maxBegin {
		t.Errorf("it took %v, more than %v", took, maxBegin)
	}
}

// A beginner follows the README. What that publishes to S3 goes to a folder, which a web
// server serves.
type beginner struct {
	dir    string // where the commands run
	readme string
	words  *strings.Replacer
	url    string // of the server that was started last
}

func newBeginner(t *testing.T) *beginner {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	b := &beginner{dir: filepath.Join(t.TempDir(), "acme"), readme: string(readme)}
	if err := os.Mkdir(b.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	published := t.TempDir()
	server := httptest.NewServer(http.FileServer(http.Dir(published)))
	t.Cleanup(server.Close)
	b.words = strings.NewReplacer(
		"s3://acme-flags/shop", "file://"+published, "https://flags.example.com/shop", server.URL, "/var/cache/shop",
		filepath.Join(b.dir, "cache"),
	)
	return b
}

// section returns the lines of a section.
func (b *beginner) section(t *testing.T, title string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(b.readme, "\n"+title+"\n")
	if !ok {
		t.Fatalf("the README has no section %q", title)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return strings.Split(text, "\n")
}

// do runs the commands of a section, and holds that they print what the section says.
func (b *beginner) do(t *testing.T, section []string) {
	t.Helper()
	commands := 0
	for i, line := range section {
		command, ok := strings.CutPrefix(line, "    $ ")
		if !ok {
			continue
		}
		commands++
		var want string
		for _, line := range section[i+1:] {
			if !strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "    $ ") {
				break
			}
			want += line
		}
		command = b.words.Replace(command)
		if strings.HasPrefix(command, "serin dev") || strings.HasPrefix(command, "serin serve") {
			b.serve(t, command)
			continue
		}
		command = strings.Replace(command, "http://127.0.0.1:8787", b.url, 1)
		out, err := b.shell(t.Context(), command).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		if flat := strings.NewReplacer(" ", "", "\n", ""); !strings.Contains(flat.Replace(string(out)),
			flat.Replace(want)) {
			t.Errorf("%s prints:\n%s\nand not:\n%s", command, out, want)
		}
	}
	if commands < 2 {
		t.Fatalf("the section has %d commands:\n%s", commands, strings.Join(section, "\n"))
	}
}

// shell returns a command line with the built command at hand.
func (b *beginner) shell(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+b.dir)
	return cmd
}

// serve starts a command that serves, and asks it for its first page, until the test ends.
func (b *beginner) serve(t *testing.T, command string) {
	t.Helper()
	command, _, _ = strings.Cut(command, "#")
	cmd := b.shell(context.Background(), "exec "+command+" --listen 127.0.0.1:0")
	child.Bind(cmd)
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", command, err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	b.url = strings.TrimSpace(line)
	awaitFlags(t, b.url)
}

// code returns the first code block of a section in a language.
func (b *beginner) code(t *testing.T, title, language string) string {
	t.Helper()
	text := strings.Join(b.section(t, title), "\n")
	_, rest, ok := strings.Cut(text, "```"+language+"\n")
	code, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatalf("the section %q has no code in %s", title, language)
	}
	return code
}

func (b *beginner) useJavaScript(t *testing.T) {
	const packages = "testdata/js/ofrep"
	npmtest.Install(t, packages)
	modules, err := filepath.Abs(filepath.Join(packages, "node_modules"))
	if err == nil {
		err = os.Symlink(modules, filepath.Join(b.dir, "node_modules"))
	}
	if err != nil {
		t.Fatal(err)
	}
	code := b.code(t, "## Use it over HTTP", "js")
	b.write(t, "flags.mjs", strings.Replace(code, "http://127.0.0.1:8787", b.url, 1))
	if out, err := b.shell(t.Context(), "node flags.mjs").CombinedOutput(); err != nil || string(out) != "true\n" {
		t.Errorf("JavaScript prints %q: %v", out, err)
	}
}

func (b *beginner) useGo(t *testing.T) {
	declarations, body, ok := strings.Cut(b.words.Replace(b.code(t, "## Use it in Go", "go")), "source, err")
	if !ok {
		t.Fatal("the README's Go opens no source")
	}
	body = strings.Replace("source, err"+body, "\t…", "\tprintln(\"on\")", 1)
	body = strings.ReplaceAll(body, "\n…\n", "\nif err != nil {\n\tpanic(err)\n}\n")
	b.write(t, "main.go", "package main\n\nimport (\n\t\"context\"\n\t_ \"embed\"\n\n\t\""+module+"/sdk\"\n)\n\n"+
		declarations+
		"func main() {\nctx := context.Background()\n"+body+"}\n")
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, "go.mod", "module acme\n\ngo 1.26\n\nrequire "+module+" v0.0.0\n\nreplace "+module+" => "+here+"\n")
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, "go.sum", string(sums))
	cmd := b.shell(t.Context(), "cp keys/production/root.json . && go run -mod=mod -trimpath .")
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0", "GOFLAGS=", "GOMODCACHE="+goEnv(t, "GOMODCACHE"),
		"GOCACHE="+goEnv(t, "GOCACHE"))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasSuffix(string(out), "on\n") {
		t.Errorf("Go prints %q: %v", out, err)
	}
}

func (b *beginner) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// TestFirstFlag goes from git clone to the value of a flag of one's own, within a minute
// beside the build.
func TestFirstFlag(t *testing.T) {
	t.Parallel()
	command(t) // built
	start := time.Now()
	b := newBeginner(t)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	clone := b.shell(t.Context(), "git clone --quiet file://"+here+" serin && mkdir shop")
	if out, err := clone.CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v\n%s", err, out)
	}
	b.dir = filepath.Join(b.dir, "shop")
	for _, line := range []string{
		"serin init",
		"printf 'type: string\\nvariants: {low: 5 items, high: 50 items}\\ndefault: low\\nrules:\\n" +
			"  - {name: business, when: {plan: business}, serve: high}\\n' > flags/shop/cart-limit.yaml",
		"serin check",
		`[ "$(serin eval cart-limit -c plan=business)" = "50 items" ]`,
		`[ "$(serin eval cart-limit -c plan=free)" = "5 items" ]`,
	} {
		if out, err := b.shell(t.Context(), line).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
	if took := time.Since(start); took > maxFirst {
		t.Errorf("it took %v, more than %v", took, maxFirst)
	}
}
