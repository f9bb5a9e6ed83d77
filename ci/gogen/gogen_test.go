package gogen_test

import (
	"flag"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/serin-flags/serin"
	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/gogen"
	"github.com/serin-flags/serin/internal/soak"
)

var update = flag.Bool("update", false, "write the golden files")

func load(t *testing.T, files map[string]string) *ci.Estate {
	t.Helper()
	fsys := make(fstest.MapFS)
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	estate, err := ci.LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	return estate
}

// example returns this repository's own flags.
func example(t *testing.T) *ci.Estate {
	t.Helper()
	sub, err := fs.Sub(serin.Estate, "flags")
	if err != nil {
		t.Fatal(err)
	}
	estate, err := ci.LoadFS(sub, "flags")
	if err != nil {
		t.Fatal(err)
	}
	return estate
}

// inModule runs the go command in a module that has these files and requires this one.
func inModule(t *testing.T, files map[string][]byte, args ...string) (string, error) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	_, requirements, _ := strings.Cut(string(mod), "\n")
	dir := t.TempDir()
	all := maps.Clone(files)
	all["go.mod"] = []byte("module generated\n" + requirements + "\nrequire " + module + " v0.0.0\n\nreplace " +
		module + " => " + root + "\n")
	if all["go.sum"], err = os.ReadFile(filepath.Join(root, "go.sum")); err != nil {
		t.Fatal(err)
	}
	for name, data := range all {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", append(args, ".")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly -trimpath")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

const module = "github.com/serin-flags/serin"

// TestOwnFlags runs the code for this repository's flags: see testdata/use_test.go.txt. In a soak it vets the code,
// too, for which go vet reads all that the code imports, down to the standard library.
func TestOwnFlags(t *testing.T) {
	code, err := gogen.Generate(example(t), gogen.Options{Package: "generated"})
	if err != nil {
		t.Fatal(err)
	}
	use, err := os.ReadFile("testdata/use_test.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	vet := "-vet=off"
	if soak.Times(0, 1) > 0 {
		vet = "-vet=all"
	}
	out, err := inModule(t, map[string][]byte{"flags.go": code, "use_test.go": use}, "test", vet, "-count=1")
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestWrongCode holds that code with mistakes doesn't compile.
func TestWrongCode(t *testing.T) {
	code, err := gogen.Generate(example(t), gogen.Options{Package: "generated"})
	if err != nil {
		t.Fatal(err)
	}
	wrong := map[string]string{
		`For("u-1").Citty("x")`:                       "Citty undefined",
		`For("u-1").Platform("fridge")`:               `cannot use "fridge"`,
		`For("u-1").Platform(PlatformFridge)`:         "undefined: PlatformFridge",
		`For("u-1").Platform(OSIos)`:                  "cannot use OSIos",
		`For("u-1").Orders("many")`:                   `cannot use "many"`,
		`For(7)`:                                      "cannot use 7",
		`NewChekout.Get(nil, For("").Build())`:        "undefined: NewChekout",
		`int(NewCheckout.Get(nil, For("").Build()))`:  "cannot convert",
		`CartLimit.Get(nil, For("").Build()) == "50"`: "mismatched types",
	}
	var b strings.Builder
	b.WriteString("package generated\n")
	for expression := range maps.Keys(wrong) {
		b.WriteString("var _ = " + expression + "\n")
	}
	out, err := inModule(t, map[string][]byte{"flags.go": code, "wrong.go": []byte(b.String())}, "build", "-gcflags=-e")
	if err == nil {
		t.Fatal("it compiles")
	}
	for expression, want := range wrong {
		if !strings.Contains(out, want) {
			t.Errorf("%s: no error with %q in\n%s", expression, want, out)
		}
	}
}

// tricky are flags whose names and texts need care.
var tricky = map[string]string{
	"serin.yaml": "environments: [production]\n",
	"context.yaml": `attributes:
  user: {type: string, unit: true, description: "account ID;\n*/ //go:embed x"}
  level: {type: integer, enum: [-1, 0, 2], description: how far}
  labels: {type: list, enum: [a, b-c]}
  words: {type: list}
  ip: {type: ip}
  app_version: {type: semver}
  signed.in: {type: boolean}
`,
	"shop/api-url.yaml":  "description: \"Where; what\\u202e it\\n\\n  is?\"\nowner: team-a\nexpires: 2099-01-31\ntype: string\nvariants: {a: 'C:\\x', b: \"`\\t\\\"\"}\ndefault: b\n",
	"shop/x.y_z-1.yaml":  "type: number\nvariants: {a: 1e300, b: 0.1, c: 3}\ndefault: c\nenvironments:\n  production: {default: a}\n",
	"shop/count.yaml":    "type: integer\nvariants: {a: -9223372036854775808}\ndefault: a\n",
	"shop/limits.yaml":   "type: object\nvariants: {a: {paths: [/a, \"<b>\"], burst: 1}}\ndefault: a\n",
	"shop/is-on.yaml":    "description: Wow!\ntype: boolean\ndefault: on\n",
	"shop/level-of.yaml": "type: boolean\ndefault: on\n",
}

// TestGolden compares the code for tricky flags with what it was, and vets it.
func TestGolden(t *testing.T) {
	files := maps.Clone(tricky)
	delete(files, "shop/level-of.yaml")
	for name, o := range map[string]gogen.Options{
		"tricky":  {Package: "generated"},
		"handles": {Package: "generated", Environment: "production", Prefix: "Flag", HandlesOnly: true},
	} {
		got, err := gogen.Generate(load(t, files), o)
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name+".go.golden")
		if *update {
			if err := os.WriteFile(golden, got, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s: got\n%s", name, got)
		}
		if out, err := inModule(t, map[string][]byte{"flags.go": got}, "vet"); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// TestNames holds that names that Go can't tell apart or can't have are errors.
func TestNames(t *testing.T) {
	const boolean = "type: boolean\ndefault: off\n"
	base := "attributes:\n  user: {type: string, unit: true}\n"
	for _, c := range []struct {
		attributes string
		flags      []string
		options    gogen.Options
		want       string
	}{
		{"", []string{"a-b", "a_b"}, gogen.Options{}, `flag "a-b" and flag "a_b" would both be AB in Go`},
		{"", []string{"2fa"}, gogen.Options{}, `flag "2fa" can't be exported from Go as "2fa": names start with a letter`},
		{"", []string{"2fa"}, gogen.Options{Prefix: "Flag"}, ""},
		{"", []string{"-"}, gogen.Options{}, `flag "-" can't be exported from Go as "": names start with a letter`},
		{"", []string{"for"}, gogen.Options{}, `the function that begins a context and flag "for" would both be For in Go`},
		{"", []string{"for"}, gogen.Options{HandlesOnly: true}, ""},
		{"  a-b: {type: string}\n  aB: {type: string}\n", []string{"a"}, gogen.Options{}, `attribute "a-b" and attribute "aB" would both be AB in Go`},
		{"  build: {type: string}\n", []string{"a"}, gogen.Options{}, `the method that returns the context and attribute "build" would both be Build in Go`},
		{"  _: {type: string}\n", []string{"a"}, gogen.Options{}, `attribute "_" can't be exported from Go as "": names start with a letter`},
		{"  x: {type: string, enum: [a, A]}\n", []string{"b"}, gogen.Options{}, `the value "a" of attribute "x" and the value "A" of attribute "x" would both be XA in Go`},
		{"  x: {type: string, enum: ['+']}\n", []string{"b"}, gogen.Options{}, `the value "+" of attribute "x" has no letters or digits for a name in Go`},
		{"  x: {type: string, enum: [a]}\n", []string{"x-a"}, gogen.Options{}, `flag "x-a" and the value "a" of attribute "x" would both be XA in Go`},
		{"  level: {type: integer, enum: [1]}\n", []string{"level-of", "level"}, gogen.Options{}, `flag "level-of" and the function that finds values of attribute "level" would both be LevelOf in Go`},
		{"", []string{"a"}, gogen.Options{Package: "func"}, `"func" can't be the name of a Go package`},
		{"", []string{"a"}, gogen.Options{Prefix: "flag"}, `"flag" can't be what names begin with: it must be a Go name that starts with a capital letter`},
		{"", []string{"a"}, gogen.Options{Environment: "moon"}, `environment "moon"`},
	} {
		files := map[string]string{"context.yaml": base + c.attributes}
		for _, key := range c.flags {
			files["shop/"+key+".yaml"] = boolean
		}
		if c.options.Package == "" {
			c.options.Package = "generated"
		}
		_, err := gogen.Generate(load(t, files), c.options)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q: %v", c.flags, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%q: got %v, want %s", c.flags, err, c.want)
		}
	}
}
