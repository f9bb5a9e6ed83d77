//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/serin-flags/serin/internal/display"
)

// bait is text that fakes lines, a heading, a mention and a link, and that turns a
// terminal red.
const bait = "a\n~~~~~~~~\n````````\n# BAIT\n@bait \x1b[31m\u202e\r" + allowedBait

// allowedBait is the part of it that names in flag files may have.
const allowedBait = "[x](https://bait.org) @bait #1 <b> www.bait.org `````` |"

// hostileEstate returns a folder with flags whose names, values and files are bait.
func hostileEstate(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text, err := json.Marshal(bait) // which is YAML too
	if err != nil {
		t.Fatal(err)
	}
	name, err := json.Marshal(allowedBait)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "serin.yaml"), "environments: [production]\n")
	writeFile(t, filepath.Join(dir, "context.yaml"),
		"attributes: {user: {type: string, unit: true}, city: {type: string}}\n")
	writeFile(t, filepath.Join(dir, "shop", "color.yaml"), "type: string\ndescription: "+string(text)+"\nowner: "+
		string(text)+"\nvariants: {a: "+string(text)+", b: b}\ndefault: b\n"+
		"rules: [{name: "+string(name)+", when: {city: "+string(text)+"}, serve: a}]\n")
	writeFile(t, filepath.Join(dir, "shop", "color.test.yaml"),
		"- {name: "+string(name)+", context: {city: "+string(text)+"}, expect: {variant: a}}\n"+
			"- {name: fails, context: {city: "+string(text)+"}, expect: {value: b}}\n")
	return dir
}

// TestHostileText holds that nothing in flag files, nor their names, can fake output of
// the command, on a terminal or in a report.
func TestHostileText(t *testing.T) {
	quoted, err := json.Marshal(bait)
	if err != nil {
		t.Fatal(err)
	}
	estate := hostileEstate(t)
	broken := hostileEstate(t)
	writeFile(t, filepath.Join(broken, bait[:1]+"\n# BAIT\x1b[31m.yaml"), "{")
	writeFile(t, filepath.Join(broken, "shop", "x\n# BAIT\x1b[31m.yaml"), "type: boolean\ndefault: \"\x1b\"\n")
	writeFile(t, filepath.Join(broken, "shop", "size.yaml"),
		"type: boolean\ndefault: on\nrules: [{name: r, when: {user: {list: \"a\\0\\e[31m\\n# BAIT.txt\"}}, serve: off}]\n")
	edited := hostileEstate(t)
	writeFile(t, filepath.Join(edited, "shop", "color.yaml"),
		"type: string\nvariants: {a: a, b: "+strings.ReplaceAll("\"c\\n# BAIT \\e[31m\"", "\n", "")+"}\ndefault: b\n")
	for _, args := range [][]string{
		{"check", estate}, {"check", broken}, {"check", broken, "--json"}, {"test", estate, "-v", "--cover"}, {"test", estate, "--json"},
		{"list", estate}, {"list", estate, "--json"},
		{"show", "color", "--from", estate}, {"eval", "color", "--from", estate, "--context", `{"city": ` + string(quoted) + `}`},
		{"explain", "color", "--from", estate, "--attr", "city=" + bait}, {"explain", bait, "--from", estate}, {"lock", estate},
		{"diff", estate, edited}, {"diff", edited, estate}, {"diff", estate, broken}, {"diff", estate, edited, "--format", "markdown"},
		{"diff", edited, estate, "--format", "markdown"}, {"diff", estate, edited, "--json"}, {"check", "no such folder\n# BAIT\x1b[31m"},
		{"verify", "file:///no/such/place", "--root", "no\n# BAIT\x1b[31m"}, {"quote", filepath.Join(estate, "shop", "color.yaml"), "--title", bait},
		{bait}, {"check", "--" + bait},
	} {
		var stdout, stderr bytes.Buffer
		run(context.Background(), args, strings.NewReader(""), &stdout, &stderr)
		if stdout.Len()+stderr.Len() == 0 {
			t.Errorf("serin %q prints nothing", args)
		}
		asMarkdown := args[0] == "quote" || strings.HasSuffix(strings.Join(args, " "), "markdown")
		checkHarmless(t, strings.Join(args, " "), stdout.String(), asMarkdown)
		checkHarmless(t, strings.Join(args, " "), stderr.String(), false)
	}
}

// faked is how a line of output begins that is part of bait.
var faked = regexp.MustCompile(`(?m)^(# BAIT|@bait|~~~~~~~~$|` + "````````" + `$)`)

// checkHarmless reports what bait made of output.
func checkHarmless(t *testing.T, what, output string, asMarkdown bool) {
	t.Helper()
	for _, r := range output {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			t.Errorf("serin %q prints %q:\n%s", what, r, display.Line(output))
			break
		}
	}
	if asMarkdown {
		output = outsideBlocks(output)
		for _, part := range []string{"@bait", "](https", "https://", "www.bait", "<b>", " #1"} {
			if strings.Contains(output, part) {
				t.Errorf("serin %q has %q outside of blocks of code:\n%s", what, part, output)
			}
		}
	}
	// What eval prints is a value, which may have any lines.
	if line := faked.FindString(output); line != "" && !strings.HasPrefix(what, "eval") {
		t.Errorf("serin %q has a line that begins with %q:\n%s", what, line, output)
	}
}

// outsideBlocks returns Markdown without its blocks of code.
func outsideBlocks(text string) string {
	var b strings.Builder
	fence := ""
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		run := trimmed[:len(trimmed)-len(strings.TrimLeft(trimmed, "`"))]
		switch {
		case fence == "" && len(run) >= 3:
			fence = run
		case fence == "":
			b.WriteString(line)
		case trimmed == run && len(run) >= len(fence):
			fence = ""
		}
	}
	return b.String()
}

// TestGoldenFilesAreHarmless holds that no recorded output has characters that would
// disturb a terminal, and no recorded report a link.
func TestGoldenFilesAreHarmless(t *testing.T) {
	root := filepath.Join("..", "..")
	files := 0
	for _, dir := range []string{"ci", "cmd/serin/testdata", "evaluator/testdata"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || entry.Name() == "README.md" { // which says where data is from
				return err
			}
			switch filepath.Ext(path) {
			case ".golden", ".md", ".txtar", ".txt":
			default:
				return nil
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			files++
			for _, r := range string(data) {
				if r != '\n' && r != '\t' && unicode.IsControl(r) {
					t.Errorf("%s has %q", path, r)
					break
				}
			}
			if strings.HasSuffix(path, ".md") {
				if outside := outsideBlocks(string(data)); strings.Contains(outside, "](") ||
					strings.Contains(outside, "://") {
					t.Errorf("%s has a link", path)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 50 {
		t.Errorf("only %d files were found", files)
	}
}
