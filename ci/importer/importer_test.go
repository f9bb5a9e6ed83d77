package importer_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/ci/importer/internal/importtest"
)

// flagsFor returns an import with a boolean flag for each condition: f0, f1 and so on.
func flagsFor(conditions ...importer.Condition) *importer.Import {
	imp := &importer.Import{System: "Test", Unit: "user"}
	for i, c := range conditions {
		imp.Flags = append(imp.Flags,
			&importer.Flag{Key: "f" + string(rune('0'+i)), Namespace: "default", Type: "boolean",
				Body: importer.Body{Default: "off", Rules: []importer.Rule{{Name: "r", When: c, Serve: "on"}}}})
	}
	return imp
}

func number(t *testing.T, text string) importer.Number {
	t.Helper()
	n, ok := importer.ParseNumber(text)
	if !ok {
		t.Fatalf("%q is no number", text)
	}
	return n
}

// TestTypes holds which types attributes get, and what their comparisons become.
func TestTypes(t *testing.T) {
	half := number(t, "2.50")
	start := time.Date(2026, 12, 1, 9, 0, 0, 5, time.UTC)
	for _, test := range []struct {
		name    string
		all     []importer.Condition
		typ     string
		when    []string // of each flag
		refused int
	}{
		{"decimals", []importer.Condition{importer.Compare("a", "<", 2.5), importer.Integers("a", 7), importer.Numbers("a", half)},
			"number", []string{"{a: {lt: 2.5}}", "{a: [7]}", "{a: [2.5]}"}, 0},
		{"integers", []importer.Condition{importer.Integers("a", 7)}, "integer", []string{"{a: [7]}"}, 0},
		{"integers compared with decimals", []importer.Condition{importer.Mod("a", 3, 1),
			importer.Compare("a", "<", 2.5), importer.Compare("a", ">", -2.5),
			importer.Compare("a", ">=", 2), importer.Compare("a", "<=", -0.5),
			importer.Any(importer.Numbers("a", half, number(t, "3")), importer.Integers("a", 9))},
			"integer", []string{"{a: {mod: 3, in: [1]}}", "{a: {lte: 2}}", "{a: {gte: -2}}", "{a: {gte: 2}}",
				"{a: {lte: -1}}", "{any: [{a: [3]}, {a: [9]}]}"}, 0},
		{"numbers in text",
			[]importer.Condition{importer.CompareText("a", ">", half), importer.CompareText("a", "=", half)},
			"number", []string{"{a: {gt: 2.5}}", "{a: [2.5]}"}, 0},
		{"numbers in text that is also compared as text",
			[]importer.Condition{importer.CompareText("a", "=", half), importer.In("a", false, "x")},
			"string", []string{`{a: {matches: "^\\+?0*2\\.50*$"}}`, "{a: x}"}, 0},
		{"versions with a v", []importer.Condition{importer.SemverV("a", ">=2.1.0"), importer.Semver("a", "<3")},
			"semver, v: true", []string{`{a: {semver: ">=2.1.0"}}`, `{a: {semver: "<3"}}`}, 0},
		{"times", []importer.Condition{importer.TimeAfter("a", start), importer.TimeBefore("a", start)},
			"time", []string{"{a: {after: 2026-12-01T09:00:00Z}}", "{a: {before: 2026-12-01T09:00:00Z}}"}, 0},
		{"text and booleans", []importer.Condition{importer.In("a", false, "x"), importer.In("a", false, "y"), importer.Is("a", true)},
			"string", []string{"{a: x}", "{a: y}"}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := importtest.Import(t, flagsFor(test.all...))
			if got := string(folder.Plan.Files["context.yaml"]); !strings.Contains(got, "a: {type: "+test.typ+"}") {
				t.Errorf("context.yaml has\n%s, not the type %s", got, test.typ)
			}
			for i, want := range test.when {
				got := string(folder.Plan.Files["default/f"+string(rune('0'+i))+".yaml"])
				if !strings.Contains(got, "when: "+want+"\n") {
					t.Errorf("flag %d has\n%s, not %s", i, got, want)
				}
			}
			if n := len(folder.Plan.Import.Refused); n != test.refused {
				t.Errorf("%d are refused: %v", n, folder.Plan.Import.Refused)
			}
		})
	}
}

// TestStale holds that files that nothing in the source is for any more are named, also if the
// source has nothing left that could be carried over.
func TestStale(t *testing.T) {
	folder := importtest.Import(t, flagsFor(importer.In("a", false, "x"), importer.In("a", false, "y")))
	for _, test := range []struct {
		name string
		imp  *importer.Import
		want []string
	}{
		{"one flag less", flagsFor(importer.In("a", false, "x")), []string{"default/f1.yaml"}},
		{"no flag left", flagsFor(importer.In("not", false, "x")), []string{"default/f0.yaml", "default/f1.yaml"}},
	} {
		plan, err := importer.Make(os.DirFS(folder.Dir), folder.Dir, test.imp, false)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Join(plan.Stale, " ") != strings.Join(test.want, " ") {
			t.Errorf("%s: %q are stale, not %q", test.name, plan.Stale, test.want)
		}
	}
}

// TestMissing holds that decisions of flags that aren't in the folder are told from those that
// no rule made.
func TestMissing(t *testing.T) {
	folder := importtest.Import(t, flagsFor(importer.In("a", false, "x")))
	estate, err := ci.Load(folder.Dir)
	if err != nil {
		t.Fatal(err)
	}
	result, err := importer.Verify(estate, "", strings.NewReader(`{"flag": "f0", "context": {}, "value": false}
{"flag": "gone", "context": {}, "value": true}`))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := result.Write(&out); err != nil {
		t.Fatal(err)
	}
	const want = "f0, no rule: 1 of 1 agree\n" +
		"gone, which isn't in the folder: 0 of 1 agree (line 2 is the first that doesn't)\n1 of 2 decisions agree\n"
	if out.String() != want {
		t.Errorf("got\n%s, not\n%s", &out, want)
	}
}

// TestNamespaceOf holds that folders that hold something else than flags aren't namespaces.
func TestNamespaceOf(t *testing.T) {
	for project, want := range map[string]string{
		"Web Shop": "web-shop", "": "default", "--": "default", "segments": "segments-flags", "layers": "layers-flags",
		"guards": "guards-flags", "Releases": "releases-flags", "lists": "lists-flags",
	} {
		if got := importer.NamespaceOf(project); got != want {
			t.Errorf("%q is in %q, not %q", project, got, want)
		}
	}
}

// TestOnOff holds that boolean flags with the usual variants don't list them.
func TestOnOff(t *testing.T) {
	imp := flagsFor(importer.In("a", false, "x"), importer.In("a", false, "y"))
	imp.Flags[0].Variants = []importer.Variant{{Name: "off", Value: "false"}, {Name: "on", Value: "true"}}
	imp.Flags[1].Variants = []importer.Variant{{Name: "off", Value: "true"}, {Name: "on", Value: "false"}}
	folder := importtest.Import(t, imp)
	for i, want := range []bool{false, true} {
		data, err := os.ReadFile(filepath.Join(folder.Dir, "default", "f"+string(rune('0'+i))+".yaml"))
		if err != nil || bytes.Contains(data, []byte("variants:")) != want {
			t.Errorf("flag %d lists its variants: %v: %v\n%s", i, !want, err, data)
		}
	}
}

// TestSharedConditions holds that rules may share a condition that is adapted to the type of its
// attribute.
func TestSharedConditions(t *testing.T) {
	shared := importer.All(importer.Not(importer.Empty("a")), importer.Compare("a", "<", 2.5))
	imp := flagsFor(shared)
	rules := &imp.Flags[0].Rules
	*rules = append(*rules,
		importer.Rule{Name: "s", When: importer.All(shared, importer.In("b", false, "x")), Serve: "on"})
	folder := importtest.Import(t, imp)
	if len(folder.Plan.Import.Flags) != 1 {
		t.Errorf("refused: %v", folder.Plan.Import.Refused)
	}
}

// TestUnitIsText holds that flags are refused that need the attribute that identifies users to
// be a number, and that integers are exact up to 2^53.
func TestUnitIsText(t *testing.T) {
	folder := importtest.Import(t,
		flagsFor(importer.Integers("user", 1), importer.Integers("user", 2), importer.In("user", false, "a")))
	if why := folder.Refused("f0"); !strings.Contains(why,
		`needs the attribute "user" to be of type integer, but it is of type string`) {
		t.Errorf("f0: %s", why)
	}
	if folder.Refused("f2") != "" {
		t.Errorf("f2: %s", folder.Refused("f2"))
	}
	for text, fine := range map[string]bool{"9007199254740992": true, "9007199254740993": false,
		"-9007199254740993": false} {
		if _, _, err := importer.Values([]json.RawMessage{json.RawMessage(text)}, "v"); (err == nil) != fine {
			t.Errorf("%s: %v", text, err)
		}
	}
}
