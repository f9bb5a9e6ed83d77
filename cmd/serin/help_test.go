package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
	for _, want := range []string{`.TH "SERIN-KEYS-INIT" "1"`, `\fB--encrypt-online\fP`,
		"serin keys init DIR --env E"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page of keys init doesn't contain %q:\n%s", want, page)
		}
	}
}

// TestReference holds that docs/cli.md has every verb with its flags, and every environment
// variable.
func TestReference(t *testing.T) {
	data, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	root := newCommandLine(io.Discard, io.Discard).root
	checked := 0
	for _, cmd := range commands(root) {
		if !cmd.Runnable() || cmd.HasSubCommands() && cmd.Name() != "release" || cmd.Name() == "man" ||
			cmd.Name() == "version" {
			continue // the last two have a sentence below the table
		}
		words := strings.Fields(cmd.CommandPath())[1:]
		if words[0] == "import" {
			words = words[:1] // the formats have the same flags
		}
		about := aboutVerb(text, strings.Join(words, " "), 3)
		if about == "" {
			t.Errorf("docs/cli.md has no row for %s", cmd.CommandPath())
			continue
		}
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			checked++
			if name := "--" + f.Name; f.Name != "help" && !regexp.MustCompile(regexp.QuoteMeta(name)+
				`\b`).MatchString(about) && !strings.Contains(about, "`-"+f.Shorthand) {
				t.Errorf("docs/cli.md doesn't say that %s has %s", cmd.CommandPath(), name)
			}
			for _, variable := range regexp.MustCompile(`SERIN_[A-Z]+`).FindAllString(f.Usage, -1) {
				if !strings.Contains(text, "`"+variable+"`") {
					t.Errorf("docs/cli.md doesn't have %s", variable)
				}
			}
		})
	}
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) {
		if !strings.Contains(text, "`--"+f.Name) && !strings.Contains(text, "`-"+f.Shorthand+"`") {
			t.Errorf("docs/cli.md doesn't have --%s", f.Name)
		}
	})
	if checked < 200 {
		t.Errorf("only %d flags were looked at", checked)
	}
}

// aboutVerb returns what the reference says about a verb: its row in the table, its section, and
// the rows of verbs that it refers to, so many deep.
func aboutVerb(text, verb string, deep int) string {
	row := regexp.MustCompile("(?m)^\\| `" + regexp.QuoteMeta(verb) + "[ `].*\\|$").FindString(text)
	if row == "" || deep == 0 {
		return row
	}
	for _, m := range regexp.MustCompile("as `([a-z ]+)`").FindAllStringSubmatch(row, -1) {
		row += aboutVerb(text, m[1], deep-1)
	}
	if _, section, ok := strings.Cut(text, "\n## "+verb+"\n"); ok {
		section, _, _ = strings.Cut(section, "\n## ")
		row += section
	}
	return row
}
