package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/internal/syncbuf"
)

// watch runs the command on a new terminal, and returns what that shows.
func watch(t *testing.T, ctx context.Context, args ...string) string {
	t.Helper()
	control, terminal := openTerminal(t)
	shown := &syncbuf.Buffer{}
	go io.Copy(shown, control) // ends with an error when the terminal is closed
	run(ctx, args, strings.NewReader(""), terminal, terminal)
	const end = "the end"
	if _, err := io.WriteString(terminal, end); err != nil {
		t.Fatal(err)
	}
	eventually(t, end, shown.String)
	return shown.String()
}

// TestTerminal holds that there are colors on a terminal, unless somebody doesn't want
// them, and nowhere else.
func TestTerminal(t *testing.T) {
	dir := filepath.Join(initProject(t), "flags")
	flag := filepath.Join(dir, "shop", "new-cart.yaml")
	data, err := os.ReadFile(flag)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, flag, strings.Replace(string(data), "boolean", "bolean", 1))
	for _, test := range []struct {
		name, variable, value string
		args                  []string
		want                  bool
	}{
		{name: "terminal", want: true},
		{name: "NO_COLOR", variable: "NO_COLOR", value: "1"},
		{name: "empty NO_COLOR", variable: "NO_COLOR", want: true},
		{name: "dumb", variable: "TERM", value: "dumb"},
		{name: "never", args: []string{"--color", "never"}},
		{name: "always", variable: "NO_COLOR", value: "1", args: []string{"--color=always"}, want: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("NO_COLOR", "")
			t.Setenv("TERM", "xterm")
			if test.variable != "" {
				t.Setenv(test.variable, test.value)
			}
			shown := watch(t, t.Context(), append([]string{"check", dir}, test.args...)...)
			for _, word := range []string{red + "error:" + plain, flag + ":"} {
				colored := strings.Contains(shown, word)
				if want := test.want || !strings.Contains(word, red); colored != want {
					t.Errorf("%q is shown: %v\n%q", word, colored, shown)
				}
			}
			if escapes := strings.Contains(shown, "\x1b"); escapes != test.want {
				t.Errorf("there are escape sequences: %v\n%q", escapes, shown)
			}
		})
	}
	var stdout, stderr syncbuf.Buffer
	run(t.Context(), []string{"check", dir}, strings.NewReader(""), &stdout, &stderr)
	if text := stdout.String() + stderr.String(); strings.Contains(text, "\x1b") ||
		!strings.Contains(stdout.String(), "unknown type") {
		t.Errorf("without a terminal, it prints %q", text)
	}
	if text := watch(t, t.Context(), "cat", dir, "--color", "always"); !strings.Contains(text, "error:") {
		t.Errorf("cat prints %q", text)
	}
}

// TestTerminalShowsWhatTakesLong holds that a command that takes longer than a second says
// so on a terminal, unless it shall be quiet, and that nothing of it stays.
func TestTerminalShowsWhatTakesLong(t *testing.T) {
	t.Setenv("TERM", "xterm")
	s := silentServer(t)
	root := filepath.Join(t.TempDir(), "keys")
	if status := run(t.Context(), []string{"keys", "init", root, "--env", "production"}, strings.NewReader(""),
		io.Discard, io.Discard); status != 0 {
		t.Fatalf("status %d", status)
	}
	args := []string{"verify", s.url + "/production", "--root", filepath.Join(root, "root.json")}
	for quiet, flags := range map[bool][]string{false: args, true: append(args[:len(args):len(args)], "--quiet")} {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		shown := watch(t, ctx, flags...)
		cancel()
		said := strings.Contains(shown, "\r\x1b[Kserin verify: 1 s\r\x1b[K")
		if said == quiet {
			t.Errorf("quiet: %v, and the terminal shows %q", quiet, shown)
		}
	}
}
