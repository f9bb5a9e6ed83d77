// Package needs finds the programs that tests run and that Go can't install.
package needs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Command returns the path of the first of these commands that is on the PATH, or in
// /usr/sbin, where Debian has servers. If there is none, it ends the test and says how to
// get it. With SERIN_CORE=1 (make test-core) it skips the test, whether or not it is there.
func Command(t testing.TB, names ...string) string {
	t.Helper()
	if os.Getenv("SERIN_CORE") == "1" {
		t.Skipf("it needs %s", names[0])
	}
	for _, name := range names {
		for _, candidate := range []string{name, filepath.Join("/usr/sbin", name)} {
			if path, err := exec.LookPath(candidate); err == nil {
				return path
			}
		}
	}
	how := "make deps installs it on Debian and Ubuntu"
	if names[0] == "npm" {
		how = "install Node.js 20 or newer, which brings it"
	}
	t.Fatalf("%s isn't on the PATH: %s", strings.Join(names, " or "), how)
	return ""
}
