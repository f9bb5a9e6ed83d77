package ci

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/vectors"
)

// TestOperatorsAreComplete holds what an operator needs beside its row in the table of
// evaluator: a section and two rows in the specification, a vector, and flags that
// use it. Other tests hold schemas to those flags, and implications to all operators.
func TestOperatorsAreComplete(t *testing.T) {
	specification, err := os.ReadFile("../docs/evaluation.md")
	if err != nil {
		t.Fatal(err)
	}
	scenarios, err := vectors.Scenarios(os.DirFS("../testdata/vectors"))
	if err != nil {
		t.Fatal(err)
	}
	vector, written := make(map[evaluator.Op]bool), make(map[evaluator.Op]bool)
	for _, s := range scenarios {
		mark(vector, s.Ruleset)
	}
	for name, fsys := range goodEstates(t) {
		e, err := LoadFS(fsys, ".")
		if err != nil {
			e, err = LoadFS(fsys, "flags")
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, environment := range append([]string{""}, e.Environments()...) {
			payloads, err := e.Compile(environment)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, p := range payloads {
				mark(written, p.Ruleset)
			}
		}
	}
	lines := bytes.Split(specification, []byte("\n"))
	has := func(ok func(line string) bool) bool {
		return slices.ContainsFunc(lines, func(line []byte) bool { return ok(string(line)) })
	}
	count := 0
	for op := evaluator.OpAll; !strings.HasPrefix(op.String(), "Op("); op++ {
		count++
		name := "`" + op.String() + "`"
		section := func(line string) bool {
			title, _, _ := strings.Cut(line, "**:")
			return strings.HasPrefix(line, "**4.") && strings.Contains(title, name)
		}
		combination := func(line string) bool { return op.Combines() && strings.HasPrefix(line, "| "+name+" | ") }
		if !has(section) && !has(combination) {
			t.Errorf("docs/evaluation.md has no section on %s", name)
		}
		if !has(func(line string) bool {
			return strings.HasPrefix(line, "| ") && strings.Contains(strings.SplitN(line, "|", 3)[1], name)
		}) {
			t.Errorf("docs/evaluation.md doesn't say when %s is valid", name)
		}
		if !has(func(line string) bool {
			return strings.HasPrefix(line, "| condition | `op`") && strings.Contains(line, name)
		}) {
			t.Errorf("docs/evaluation.md doesn't list %s among the operators of the JSON form", name)
		}
		if !vector[op] {
			t.Errorf("no vector has %s", name)
		}
		if !written[op] {
			t.Errorf("no good flag file has %s", name)
		}
	}
	if count < 21 {
		t.Errorf("there are only %d operators", count)
	}
}

// mark notes the operators of a ruleset.
func mark(seen map[evaluator.Op]bool, set evaluator.Ruleset) {
	visit := func(c *evaluator.Condition) {
		for c := range c.Walk() {
			seen[c.Op] = true
		}
	}
	for i := range set.Segments {
		visit(set.Segments[i].When)
	}
	for _, f := range slices.Concat(set.Flags, set.Prerequisites) {
		for i := range f.Rules {
			visit(f.Rules[i].When)
		}
	}
}

// TestHashesAreComplete holds what a hash needs beside its row in the table of
// evaluator: a row in the specification and in the guide, a vector, and its name in
// the schema.
func TestHashesAreComplete(t *testing.T) {
	rows, err := vectors.Positions(os.DirFS("../testdata/vectors"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range evaluator.Hashes() {
		for path, want := range map[string]string{
			"../docs/evaluation.md": "\n| `" + name + "` | ", "../docs/flag-files.md": "\n| `" + name + "` | ",
			"../schema/condition.json": `"` + name + `"`,
		} {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(data, []byte(want)) {
				t.Errorf("%s doesn't have the hash %q", path, name)
			}
		}
		if !slices.ContainsFunc(rows, func(r vectors.Row) bool { return r.Bucketing().Hash == name }) {
			t.Errorf("no vector has the hash %q", name)
		}
	}
}
