// Package gitexec runs the git command on the repository that contains a folder,
// whoever started the program: in the hooks of a repository, too.
package gitexec

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// located are the variables by which git tells its hooks, and people tell git, where a
// repository, its work tree and its index are. With them, git doesn't look for the
// repository of the folder that it runs in.
//
// These are those of "git rev-parse --local-env-vars" that locate. The others stay: in
// a hook that receives a push, GIT_OBJECT_DIRECTORY is where the new commits are, and
// GIT_CONFIG_COUNT is how a CI system marks a folder as safe.
var located = []string{
	"GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR",
}

// Command returns a git command that runs in the folder dir, or in the current one if
// dir is empty. It works on the repository that contains the folder. Git then ignores
// replacement objects, takes no locks that it can do without, starts no monitor of the
// file system, asks nobody for a password, and speaks English.
func Command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	before := []string{"--no-replace-objects", "--no-optional-locks", "-c", "core.fsmonitor=false"}
	cmd := exec.CommandContext(ctx, "git", append(before, args...)...)
	cmd.Dir = dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(located, strings.ToUpper(name)) // Windows doesn't tell letters' case apart
	})
	cmd.Env = append(cmd.Env, "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	return cmd
}

// Words returns what git says of a failure, in one line, from what it printed to standard
// error. It returns "" if git printed nothing.
func Words(stderr []byte) string {
	words := strings.TrimSpace(string(stderr))
	if _, rest, ok := strings.Cut(words, "detected dubious ownership in repository at '"); ok {
		folder, _, _ := strings.Cut(rest, "'")
		return "the repository " + folder + " belongs to another user, so git doesn't read it: " +
			"run git config --global --add safe.directory " + folder
	}
	first, _, _ := strings.Cut(words, "\n")
	return strings.TrimPrefix(first, "fatal: ")
}
