package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/release"
)

// A root that expires is told of while there is time, and renewed after that too.
func TestRootExpiry(t *testing.T) {
	const day = 24 * time.Hour
	flags := t.TempDir()
	writeFile(t, filepath.Join(flags, "serin.yaml"), "environments: [production]\n")
	writeFile(t, filepath.Join(flags, "context.yaml"), "attributes:\n  user: {type: string, unit: true}\n")
	writeFile(t, filepath.Join(flags, "shop", "color.yaml"), "type: string\ndefault: red\n")
	serin := func(args ...string) (int, string) {
		var stdout, stderr bytes.Buffer
		status := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
		return status, stdout.String() + stderr.String()
	}
	for _, test := range []struct {
		age        time.Duration
		show, publ string
		status     int
	}{
		{300 * day, "(in 64 days)", "published revision 1", 0},
		{310 * day, "(in 54 days: run 'serin keys rotate')", "warning: the root expires at ", 0},
		{366 * day, "(EXPIRED: run 'serin keys rotate')", "create it with 'serin keys rotate'", 1},
	} {
		keys, out := filepath.Join(t.TempDir(), "keys"), t.TempDir()
		_, err := release.Opener{}.Init(t.Context(), release.InitOptions{
			Dir: keys, Environment: "production", Now: func() time.Time { return time.Now().Add(-test.age) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if status, words := serin("keys", "show", keys); status != 0 || !strings.Contains(words, test.show) {
			t.Errorf("after %v: status %d: %s", test.age, status, words)
		}
		publish := []string{"publish", flags, "--env", "production", "--to", "file://" + out, "--keys", keys}
		status, words := serin(publish...)
		if status != test.status || !strings.Contains(words, test.publ) ||
			strings.Contains(words, "warning: the root") != strings.Contains(test.publ, "warning") {
			t.Errorf("after %v: status %d: %s", test.age, status, words)
		}
		if status, words := serin("keys", "rotate", keys); status != 0 {
			t.Fatalf("after %v: status %d: %s", test.age, status, words)
		}
		if status, words := serin(publish...); status != 0 || strings.Contains(words, "warning: the root") {
			t.Errorf("with the next root: status %d: %s", status, words)
		}
	}
}
