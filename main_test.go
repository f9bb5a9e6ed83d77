//go:build unix

package serin_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/serin-flags/serin/internal/lambdatest"
)

var bin string // folder of the programs under test

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if bin, err = os.MkdirTemp("", "serin-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(bin)
		return m.Run()
	}())
}

// buildPrograms builds the command and the Lambda function, once for all tests,
// as ci/action.yml and make build do.
var buildPrograms = sync.OnceValue(func() error {
	cmd := exec.Command("go", "build", "-trimpath", "-o", bin, "./cmd/serin")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building serin: %w\n%s", err, out)
	}
	_, err := lambdatest.Build(bin, module+"/lambda/bootstrap")
	return err
})

// command returns the path of the built command.
func command(t *testing.T) string { return program(t, "serin") }

// bootstrap returns the path of the built Lambda function.
func bootstrap(t *testing.T) string { return program(t, "bootstrap") }

func program(t *testing.T, name string) string {
	t.Helper()
	if err := buildPrograms(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(bin, name)
}
