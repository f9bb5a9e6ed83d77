// Package needs finds the programs that tests run and that aren't built by the test itself.
package needs

import (
	"cmp"
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

// emulatorModule is AWS's Runtime Interface Emulator. The Makefile has the same version.
const emulatorModule = "github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie@v0.0.0-20261030222936-bef5c4ba774d"

// LambdaEmulator returns the path of aws-lambda-rie: what the environment variable
// SERIN_RIE names, else the one on the PATH. If there is none, it ends the test and says
// how to get it. It needs no more than Go, so make test-core runs these tests, too.
func LambdaEmulator(t testing.TB) string {
	t.Helper()
	name := cmp.Or(os.Getenv("SERIN_RIE"), "aws-lambda-rie")
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: make test builds it, and so does go install %s; name it in SERIN_RIE if it isn't on the PATH",
			err, emulatorModule)
		return ""
	}
	if path, err = filepath.Abs(path); err != nil {
		t.Fatalf("%v", err)
	}
	return path
}
