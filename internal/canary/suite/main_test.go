package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-flags/serin/internal/canary"
)

// TestSuite runs tests that pass, and tests that log a canary, fail or don't compile, and holds
// what is printed of them.
func TestSuite(t *testing.T) {
	program := filepath.Join(t.TempDir(), "suite")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cases := []struct{ name, body, prints string }{
		{"passes", `t.Log("nothing"); println("nothing")`, "ok  \tsuite.test/passes"},
		{"fails", `t.Error("a reason")`, "a reason"},
		{"logs", `log.Println("user", "c4" + "nary-user")`, "a canary in the output of suite.test/logs Test"},
		{"address", `println("198.51.100." + "77")`, "a canary in the output of suite.test/address"},
		{"subtest", `t.Run("sub", func(t *testing.T) { t.Log("c4" + "nary") })`, "a canary in the output of suite.test/subtest Test/sub"},
		{"broken", `undefined()`, "undefined: undefined"},
		{"ends", `log.Fatal("an end")`, "an end"},
		{"panics", `panic("a panic")`, "a panic"},
	}
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module suite.test\n")
	for _, c := range cases {
		write(c.name+"/a_test.go",
			"package a\n\nimport (\n\t\"log\"\n\t\"testing\"\n)\n\nvar _ = log.Println\n\nfunc Test(t *testing.T) {\n\t"+c.body+"\n}\n")
	}
	run := func(packages string) (string, error) {
		cmd := exec.Command(program, "-vet=off", "-trimpath", packages)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		// The canaries that the program quotes aren't for the output of this test.
		return strings.NewReplacer(canary.Mark, "…", canary.Address, "…").Replace(string(out)), err
	}
	if out, err := run("./passes"); err != nil || strings.Count(out, "\n") != 1 {
		t.Errorf("tests that pass: %v\n%s", err, out)
	}
	if out, err := run("./logs"); err == nil {
		t.Errorf("tests that log a canary pass:\n%s", out)
	}
	out, err := run("./...")
	if err == nil {
		t.Error("tests that fail pass")
	}
	for _, c := range cases {
		if !strings.Contains(out, c.prints) {
			t.Errorf("%s: it doesn't print %q:\n%s", c.name, c.prints, out)
		}
	}
}
