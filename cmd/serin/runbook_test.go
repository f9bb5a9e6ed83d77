package main

import (
	"os"
	"strings"
	"testing"
)

// TestRunbook holds that testdata/runbook.txtar runs the commands of docs/runbook.md in
// their order, in a bucket of its own.
func TestRunbook(t *testing.T) {
	page, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/runbook.txtar")
	if err != nil {
		t.Fatal(err)
	}
	rest, commands := string(script), 0
	for line := range strings.Lines(string(page)) {
		command, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		if !ok || strings.HasPrefix(command, "export ") {
			continue
		}
		want := "\nexec " + strings.ReplaceAll(command, "s3://acme-flags", "$BUCKET") + "\n"
		i := strings.Index(rest, want)
		if i < 0 {
			t.Errorf("the script doesn't run, or not in this order:%s", want)
			continue
		}
		rest = rest[i+len(want)-1:]
		commands++
	}
	if commands < 10 {
		t.Errorf("found only %d commands", commands)
	}
}
