package ci

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/evaluator"
	"golang.org/x/tools/txtar"
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
			e, err := LoadFS(scenario(t, archive), "flags")
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
					fmt.Fprintf(&out, "# environment %q, namespace %s", environment, p.Namespace)
					if p.Public {
						out.WriteString(", public")
					}
					out.WriteString("\n" + text)
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
		fmt.Fprintf(out, "attribute %s: %v", a.Name, a.Type)
		if a.From != "" {
			fmt.Fprintf(out, " from %s", a.From)
		}
		out.WriteString("\n")
	}
	for _, z := range set.Zones {
		fmt.Fprintf(out, "zone %s: %d offsets", z.Name, len(z.Offsets))
		for _, o := range z.Offsets[:min(len(z.Offsets), 3)] {
			fmt.Fprintf(out, ", %v from %s", time.Duration(o.Seconds)*time.Second, utc(o.From))
		}
		out.WriteString("\n")
	}
	for _, s := range set.Segments {
		fmt.Fprintf(out, "segment %s: include %q exclude %q", s.Name, s.Include, s.Exclude)
		if s.When != nil {
			fmt.Fprintf(out, " when %s", describeCondition(s.When))
		}
		out.WriteString("\n")
	}
	for _, f := range set.Flags {
		describeFlag(out, &f)
	}
	for _, f := range set.Prerequisites {
		out.WriteString("prerequisite ")
		describeFlag(out, &f)
	}
	return out.String()
}

// utc shows a Unix time.
func utc(seconds int64) string {
	switch seconds {
	case math.MinInt64:
		return "ever"
	case math.MaxInt64:
		return "never"
	}
	return time.Unix(seconds, 0).UTC().Format(time.RFC3339)
}

func describeFlag(out *strings.Builder, f *evaluator.Flag) {
	fmt.Fprintf(out, "flag %s: %v, default %d, off %d", f.Key, f.Type, f.Default, f.Off)
	if f.Disabled {
		out.WriteString(", disabled")
	}
	if f.Stale != nil {
		fmt.Fprintf(out, ", after %d s %d", f.Stale.After, f.Stale.Variant)
	}
	describeMetadata(out, f.Metadata)
	out.WriteString("\n")
	if r := f.Reserved; r != nil {
		fmt.Fprintf(out, "  in layer %q by %q salt %q hash %q", r.Layer, r.By, r.Salt, r.Hash)
		for _, s := range r.Spans {
			fmt.Fprintf(out, " [%d,%d)", s.From, s.To)
		}
		out.WriteString("\n")
	}
	for i, v := range f.Variants {
		fmt.Fprintf(out, "  variant %d %q: %s\n", i, v.Name, v.Value.JSON())
	}
	for _, r := range f.Rules {
		fmt.Fprintf(out, "  rule %q: when %s serve ", r.Name, describeCondition(r.When))
		if r.Split == nil {
			fmt.Fprint(out, r.Variant)
		} else {
			describeSplit(out, r.Split)
		}
		describeMetadata(out, r.Metadata)
		out.WriteString("\n")
	}
}

func describeSplit(out *strings.Builder, s *evaluator.Split) {
	fmt.Fprintf(out, "by %q salt %q hash %q", s.By, s.Salt, s.Hash)
	if s.Positions != 0 {
		fmt.Fprintf(out, " positions %d", s.Positions)
	}
	for _, r := range s.Ranges {
		fmt.Fprintf(out, " %d:[%d,%d)", r.Variant, r.From, r.To)
	}
	if s.Ramp == nil {
		return
	}
	fmt.Fprintf(out, " ramp %d, rest %d:", s.Ramp.Variant, s.Ramp.Rest)
	if s.Ramp.Guarded {
		out.WriteString(" guarded")
	}
	if s.Ramp.Linear {
		out.WriteString(" linear")
	}
	for _, p := range s.Ramp.Points {
		fmt.Fprintf(out, " %s=%d", utc(p.At), p.Level)
	}
}

func describeMetadata(out *strings.Builder, metadata []evaluator.Attr) {
	for _, a := range metadata {
		fmt.Fprintf(out, " %s=%s", a.Name, a.Value.JSON())
	}
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
	if c.Op == evaluator.OpPeriod {
		return fmt.Sprintf("%v [%s, %s)", c.Op, utc(c.Ints[0]), utc(c.Ints[1]))
	}
	text := strings.TrimSpace(fmt.Sprintf("%s %v", c.Attribute, c.Op))
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
