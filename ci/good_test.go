package ci

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/serin-flags/serin/evaluator"
)

// TestGoodEstates loads the scenarios of testdata/good, each on top of
// testdata/base.txtar: the files of one and, in words, what they compile to in
// every environment. The tests that a scenario holds must pass.
func TestGoodEstates(t *testing.T) {
	paths, err := filepath.Glob("testdata/good/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatal("found no scenarios")
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			e, err := load(scenario(t, archive), "flags")
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range e.Test(TestOptions{}).Problems() {
				t.Error(p)
			}
			var out strings.Builder
			none := make(map[string]string) // by namespace
			for _, environment := range append([]string{""}, e.Environments()...) {
				payloads, err := e.Compile(environment)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range payloads {
					if p.Environment != environment {
						t.Errorf("payload says environment %q, want %q", p.Environment, environment)
					}
					// The base's own flag is of no interest.
					if p.Namespace == "checkout" {
						continue
					}
					text := describeRuleset(p.Ruleset)
					if environment == "" {
						none[p.Namespace] = text
					} else if text == none[p.Namespace] {
						text = "as without an environment\n"
					}
					fmt.Fprintf(&out, "# environment %q, namespace %s\n%s", environment, p.Namespace, text)
				}
			}
			compareWant(t, path, archive, out.String())
		})
	}
}

// describeRuleset says in words what a ruleset is.
func describeRuleset(set evaluator.Ruleset) string {
	out := new(strings.Builder)
	fmt.Fprintf(out, "unit %s\n", set.Unit)
	for _, a := range set.Attributes {
		fmt.Fprintf(out, "attribute %s: %v\n", a.Name, a.Type)
	}
	for _, s := range set.Segments {
		fmt.Fprintf(out, "segment %s: include %q exclude %q", s.Name, s.Include, s.Exclude)
		if s.When != nil {
			fmt.Fprintf(out, " when %s", describeCondition(s.When))
		}
		out.WriteString("\n")
	}
	for _, f := range set.Flags {
		fmt.Fprintf(out, "flag %s: %v, default %d, off %d", f.Key, f.Type, f.Default, f.Off)
		if f.Disabled {
			out.WriteString(", disabled")
		}
		out.WriteString("\n")
		for i, v := range f.Variants {
			fmt.Fprintf(out, "  variant %d %q: %s\n", i, v.Name, v.Value.JSON())
		}
		for _, r := range f.Rules {
			fmt.Fprintf(out, "  rule %q: when %s serve ", r.Name, describeCondition(r.When))
			if r.Split == nil {
				fmt.Fprintln(out, r.Variant)
				continue
			}
			fmt.Fprintf(out, "by %q salt %q hash %q", r.Split.By, r.Split.Salt, r.Split.Hash)
			for _, r := range r.Split.Ranges {
				fmt.Fprintf(out, " %d:[%d,%d)", r.Variant, r.From, r.To)
			}
			out.WriteString("\n")
		}
	}
	return out.String()
}

func describeCondition(c *evaluator.Condition) string {
	if c == nil {
		return "always"
	}
	if len(c.Of) > 0 {
		parts := make([]string, len(c.Of))
		for i := range c.Of {
			parts[i] = describeCondition(&c.Of[i])
		}
		return fmt.Sprintf("%v(%s)", c.Op, strings.Join(parts, ", "))
	}
	text := fmt.Sprintf("%s %v", c.Attribute, c.Op)
	if c.Strings != nil {
		text += fmt.Sprintf(" %q", c.Strings)
	}
	if c.Ints != nil {
		text += fmt.Sprintf(" %d", c.Ints)
	}
	if c.Fold {
		text += " fold"
	}
	return text
}
