package gitexec_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-flags/serin/internal/gitexec"
)

// TestCommandInHook holds that the repository is the one that contains the folder, with
// the variables that git sets for the hooks of a linked work tree.
func TestCommandInHook(t *testing.T) {
	git := func(dir string, args ...string) string {
		t.Helper()
		out, err := gitexec.Command(t.Context(), dir, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	ours, theirs := t.TempDir(), t.TempDir()
	git(ours, "init", "--quiet")
	git(theirs, "init", "--quiet")
	flags := filepath.Join(ours, "flags")
	if err := os.Mkdir(flags, 0o777); err != nil {
		t.Fatal(err)
	}
	want := git(flags, "rev-parse", "--absolute-git-dir", "--show-prefix")
	for name, value := range map[string]string{
		"GIT_DIR":        filepath.Join(theirs, ".git"),
		"GIT_WORK_TREE":  theirs,
		"GIT_INDEX_FILE": filepath.Join(theirs, ".git", "index"),
		"GIT_COMMON_DIR": filepath.Join(theirs, ".git"),
		"GIT_PREFIX":     "elsewhere/",
	} {
		t.Setenv(name, value)
	}
	if got := git(flags, "rev-parse", "--absolute-git-dir", "--show-prefix"); got != want {
		t.Errorf("git works in\n%s\nwant\n%s", got, want)
	}
	// What says where new objects are, and what is configured, stays.
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "user.name")
	t.Setenv("GIT_CONFIG_VALUE_0", "Ada")
	if got := git(flags, "config", "user.name"); got != "Ada" {
		t.Errorf("the configured name is %q, want Ada", got)
	}
}
