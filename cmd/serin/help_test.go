package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// commands returns the command and all below it.
func commands(cmd *cobra.Command) []*cobra.Command {
	list := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		list = append(list, commands(sub)...)
	}
	return list
}

// TestHelp holds that the help of every command fits into 100 columns and that every verb
// is in a group.
func TestHelp(t *testing.T) {
	root := newCommandLine(io.Discard, io.Discard).root
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	all := commands(root)
	if len(all) < 30 {
		t.Fatalf("there are %d commands", len(all))
	}
	for _, cmd := range all {
		var help bytes.Buffer
		words := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		if status := run(t.Context(), words, strings.NewReader(""), &help, io.Discard); status != 0 {
			t.Errorf("serin %s: status %d", strings.Join(words, " "), status)
		}
		for line := range strings.Lines(help.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > maxColumns {
				t.Errorf("serin %s prints %d columns: %s", strings.Join(words, " "), n, line)
			}
		}
		if cmd.Parent() == root && !root.ContainsGroup(cmd.GroupID) {
			t.Errorf("%s is in no group", cmd.CommandPath())
		}
	}
}

// TestManualPages holds that there is a page for every command, which says what the help
// says.
func TestManualPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	var stderr bytes.Buffer
	if status := run(t.Context(), []string{"man", dir}, strings.NewReader(""), io.Discard, &stderr); status != 0 {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil || len(pages) < 30 {
		t.Fatalf("there are %d pages, %v", len(pages), err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "serin-keys-init.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`.TH "SERIN-KEYS-INIT" "1"`, `\fB--encrypt-online\fP`, "serin keys init DIR --env E"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page of keys init doesn't contain %q:\n%s", want, page)
		}
	}
}
