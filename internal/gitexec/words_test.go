package gitexec_test

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/serin-flags/serin/internal/gitexec"
)

// TestWords holds what is told of git's failures.
func TestWords(t *testing.T) {
	for stderr, want := range map[string]string{
		"":                              "",
		"fatal: not a git repository\n": "not a git repository",
		"error: one\nhint: two\n":       "error: one",
		"fatal: detected dubious ownership in repository at '/src/flags'\nTo add an exception …\n": "the repository /src/flags " +
			"belongs to another user, so git doesn't read it: run git config --global --add safe.directory /src/flags",
	} {
		if got := gitexec.Words([]byte(stderr)); got != want {
			t.Errorf("%q: %q, want %q", stderr, got, want)
		}
	}
}

// TestForeignRepository checks that the installed git says what Words knows.
func TestForeignRepository(t *testing.T) {
	dir := t.TempDir()
	if out, err := gitexec.Command(t.Context(), dir, "init", "-q").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1") // git's own switch, for its tests
	_, err := gitexec.Command(t.Context(), dir, "rev-parse", "--git-dir").Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("git reads a repository of another user: %v", err)
	}
	if got := gitexec.Words(exit.Stderr); !strings.Contains(got, "safe.directory "+dir) {
		t.Errorf("got %q", got)
	}
}
