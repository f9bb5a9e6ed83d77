package ci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/tools/txtar"

	"github.com/serin-flags/serin/internal/soak"
	"github.com/serin-flags/serin/schema"
)

// schemaFiles names the schema of each kind of file.
var schemaFiles = map[role]string{
	configFile:  "serin.json",
	contextFile: "context.json",
	segmentFile: "segment.json",
	layerFile:   "layer.json",
	flagFile:    "flag.json",
	testFile:    "tests.json",
}

// schemas are the compiled schemas.
type schemas map[role]*jsonschema.Schema

func compileSchemas(t testing.TB) schemas {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	const base = "https://schema.invalid/"
	paths, err := fs.Glob(schema.Files, "*.json")
	if err != nil || len(paths) != len(schemaFiles)+1 {
		t.Fatalf("found the schemas %q, %v", paths, err)
	}
	for _, path := range paths {
		data, err := schema.Files.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if err := c.AddResource(base+path, doc); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	compiled := make(schemas)
	for r, path := range schemaFiles {
		if compiled[r], err = c.Compile(base + path); err != nil {
			t.Fatal(err)
		}
	}
	return compiled
}

// verdict returns what the schema has to say against a parsed file.
func (s schemas) verdict(r role, root *node) error { return s[r].Validate(valueOf(root)) }

// valueOf returns a node as JSON has it, by the core schema of YAML 1.2.
func valueOf(n *node) any {
	switch n.kind {
	case mapping:
		out := make(map[string]any, len(n.fields))
		for _, f := range n.fields {
			out[f.key.text] = valueOf(f.value)
		}
		return out
	case sequence:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = valueOf(item)
		}
		return out
	}
	switch n.scalarType() {
	case nullScalar:
		return nil
	case boolScalar:
		return n.isTrue()
	case intScalar:
		if i, err := parseInt(n.text); err == nil {
			return json.Number(strconv.FormatInt(i, 10))
		}
		return json.Number(strings.TrimLeft(n.text, "+0"))
	case floatScalar:
		if f, ok := parseFloat(n.text); ok {
			return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
		}
		// JSON has no infinity: an editor sees one that is as large.
		return json.Number("1e999")
	}
	return n.text
}

// parsed returns the files of an estate that are YAML, parsed each by itself.
func parsed(t testing.TB, fsys fs.FS) map[string]*source {
	t.Helper()
	sources, _, err := readSources(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]*source)
	for _, s := range sources {
		if s.parse(); s.root != nil && schemaFiles[s.role] != "" {
			out[s.path] = s
		}
	}
	return out
}

// goodEstates returns the estates that the tests know to be without problems, by
// name.
func goodEstates(t testing.TB) map[string]fs.FS {
	t.Helper()
	estates := map[string]fs.FS{"flags": os.DirFS("../flags"), "base": base(t)}
	paths, err := filepath.Glob("testdata/good/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("found %d scenarios: %v", len(paths), err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		estates[filepath.Base(path)] = scenario(t, archive)
	}
	return estates
}

// TestSchemasAcceptGoodFiles holds that no schema refuses what is right.
func TestSchemasAcceptGoodFiles(t *testing.T) {
	compiled := compileSchemas(t)
	seen := make(map[role]int)
	for name, fsys := range goodEstates(t) {
		for path, s := range parsed(t, fsys) {
			seen[s.role]++
			if err := compiled.verdict(s.role, s.root); err != nil {
				t.Errorf("%s: %s: %v", name, path, err)
			}
		}
	}
	for r, path := range schemaFiles {
		if seen[r] < 2 {
			t.Errorf("%d files were held against %s", seen[r], path)
		}
	}
}

// beyond begins a line of a scenario's comment that names a file whose problems
// no schema can see.
const beyond = "beyond the schema: "

// TestSchemasOnBadFiles holds schemas and check to one verdict of each file of
// testdata/bad: the schema refuses the files that have problems, unless they
// aren't YAML or the scenario says that its problems are beyond it, and no
// others. With -update it writes which are.
func TestSchemasOnBadFiles(t *testing.T) {
	compiled := compileSchemas(t)
	paths, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("found %d scenarios: %v", len(paths), err)
	}
	refused := 0
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		fsys := linked(t, scenario(t, archive))
		bad := problemFiles(t, fsys)
		var found []string
		for file, s := range parsed(t, fsys) {
			switch err := compiled.verdict(s.role, s.root); {
			case err != nil && !bad[file]:
				t.Errorf("%s: the schema refuses %s, the check doesn't: %v", path, file, err)
			case err == nil && bad[file]:
				found = append(found, file)
			case err != nil:
				refused++
			}
		}
		slices.Sort(found)
		compareBeyond(t, path, archive, found)
	}
	t.Logf("the schemas refuse %d bad files", refused)
	if refused < 60 {
		t.Errorf("the schemas refuse %d bad files only", refused)
	}
}

// problemFiles returns which files of an estate have problems.
func problemFiles(t *testing.T, fsys fs.FS) map[string]bool {
	t.Helper()
	_, err := LoadFS(fsys, "flags")
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("got error %v, want problems", err)
	}
	bad := make(map[string]bool)
	for _, p := range problems {
		bad[strings.TrimPrefix(filepath.ToSlash(p.File), "flags/")] = true
	}
	return bad
}

// compareBeyond compares the files whose problems the schema doesn't see with
// those that the scenario names.
func compareBeyond(t *testing.T, path string, archive *txtar.Archive, found []string) {
	t.Helper()
	var said []string
	var comment strings.Builder
	for line := range strings.Lines(string(archive.Comment)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), beyond); ok {
			said = append(said, name)
		} else {
			comment.WriteString(line)
		}
	}
	if slices.Sort(said); slices.Equal(said, found) {
		return
	}
	if !*update {
		t.Errorf("%s: the schema accepts the bad files %q, the scenario says %q", path, found, said)
		return
	}
	for _, name := range found {
		comment.WriteString(beyond + name + "\n")
	}
	archive.Comment = []byte(comment.String())
	if err := os.WriteFile(path, txtar.Format(archive), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestSchemasOnMutations spoils the good files in one place after the other and
// holds that a schema refuses nothing that the check accepts, and that it sees
// all unknown keys, and values of the wrong kind where the kind doesn't depend on
// other files.
func TestSchemasOnMutations(t *testing.T) {
	compiled := compileSchemas(t)
	total, count, both := 0, 0, 0
	for name, fsys := range goodEstates(t) {
		for path, s := range parsed(t, fsys) {
			all := mutations(s.root)
			for _, what := range slices.Sorted(maps.Keys(all)) {
				stride := soak.Times(17, 7) // much of it is alike
				switch {
				case name == "flags":
					stride = soak.Times(2003, 101)
				case strings.HasSuffix(what, " dropped"):
					stride = soak.Times(2, 1)
				}
				if total++; total%stride != 0 {
					continue
				}
				root := all[what]
				count++
				refusal := compiled.verdict(s.role, root)
				problems := recheck(t, fsys, s, root)
				switch {
				case refusal != nil && len(problems) > 0:
					both++
				case refusal != nil:
					t.Errorf("%s: %s: %s: the schema refuses what the check accepts: %v", name, path, what, refusal)
				default:
					for _, p := range problems {
						if visible(p.Message) {
							t.Errorf("%s: %s: %s: the schema accepts what the check refuses: %v", name, path, what, p)
						}
					}
				}
			}
		}
	}
	t.Logf("%d mutations, %d of them refused by both", count, both)
	if both < 500 {
		t.Errorf("only %d of %d mutations are refused by both", both, count)
	}
}

// visible reports whether a problem is of a kind that a schema has to see.
func visible(message string) bool {
	for _, depends := range []string{"attribute \"", "the remainders of", "a remainder", "the range is empty", "\": the value is "} {
		if strings.Contains(message, depends) {
			return false // on a type that another file declares, or on arithmetic
		}
	}
	for _, kind := range []string{
		"unknown key", "unknown operator", "unknown lint", " is a mapping of", " is a list, not", " is true or false, not", " is an integer, not",
		" is a share such as", " is one such as", " is a date such as", " is a word, not", "has no \"", "is empty",
		" needs \"", " go together", "\" has no effect: the ", " bound the same end", " is a time such as", " is a length of time", "names no time", " is no weekday",
	} {
		if strings.Contains(message, kind) {
			return true
		}
	}
	return false
}

// recheck returns the problems that a file of an estate has if its content is
// root.
func recheck(t *testing.T, fsys fs.FS, s *source, root *node) Problems {
	t.Helper()
	text := formatYAML(&node{kind: mapping, fields: []field{{key: &node{text: "x", plain: true}, value: root}}}, nil)
	// The file's root may be a list: it stands below a key, which is cut off.
	text = strings.TrimPrefix(text, "x:")
	_, err := LoadFS(overlay{fsys, s.path, []byte(text)}, "flags")
	var all Problems
	if err != nil && !errors.As(err, &all) {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(p Problem) bool { return p.File != s.shown })
}

// An overlay is a file system with another content of one file.
type overlay struct {
	fs.FS
	path string
	data []byte
}

func (o overlay) Open(name string) (fs.File, error) {
	if name == o.path {
		return fstest.MapFS{name: {Data: o.data}}.Open(name)
	}
	return o.FS.Open(name)
}

// mutations yields root with one thing changed, for everything that can be, and
// says what.
func mutations(root *node) map[string]*node {
	out := make(map[string]*node)
	var visit func(n *node, where string, rebuild func(*node) *node)
	visit = func(n *node, where string, rebuild func(*node) *node) {
		for name, other := range replacements(n) {
			out[where+" "+name] = rebuild(other)
		}
		for i, f := range n.fields {
			at := where + "." + f.key.text
			out[at+" dropped"] = rebuild(&node{kind: mapping, fields: slices.Delete(slices.Clone(n.fields), i, i+1)})
			with := func(key, value *node) *node {
				fields := slices.Clone(n.fields)
				fields[i] = field{key, value}
				return rebuild(&node{kind: mapping, fields: fields})
			}
			for _, key := range []string{f.key.text + "x", "X", "a b"} {
				out[at+" renamed "+key] = with(&node{text: key, plain: true}, f.value)
			}
			visit(f.value, at, func(value *node) *node { return with(f.key, value) })
		}
		for i, item := range n.items {
			at := fmt.Sprintf("%s[%d]", where, i)
			visit(item, at, func(value *node) *node {
				items := slices.Clone(n.items)
				items[i] = value
				return rebuild(&node{kind: sequence, items: items})
			})
		}
	}
	visit(root, "", func(n *node) *node { return n })
	return out
}

// replacements are what a value is replaced by.
func replacements(n *node) map[string]*node {
	out := map[string]*node{
		"null":        {text: "null", plain: true},
		"true":        {text: "true", plain: true},
		"7":           {text: "7", plain: true},
		"-1":          {text: "-1", plain: true},
		"0.5":         {text: "0.5", plain: true},
		"1e999":       {text: "1e999", plain: true},
		"huge":        {text: strconv.FormatUint(math.MaxUint64, 10), plain: true},
		"empty text":  {},
		"blank":       {text: " "},
		"text":        {text: "text"},
		"150%":        {text: "150%"},
		"20%":         {text: "20%"},
		"empty list":  {kind: sequence},
		"empty map":   {kind: mapping},
		"in a list":   {kind: sequence, items: []*node{n}},
		"in two":      {kind: sequence, items: []*node{n, n}},
		"in a map":    {kind: mapping, fields: []field{{&node{text: "x", plain: true}, n}}},
		"in in":       {kind: mapping, fields: []field{{&node{text: "in", plain: true}, n}}},
		"with number": {kind: sequence, items: []*node{{text: "7", plain: true}}},
	}
	if n.kind == mapping {
		extra := field{&node{text: "extra", plain: true}, &node{text: "1", plain: true}}
		out["extra key"] = &node{kind: mapping, fields: append(slices.Clone(n.fields), extra)}
	}
	return out
}
