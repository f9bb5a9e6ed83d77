package ci

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/serin-flags/serin/ci/internal/compose"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/internal/soak"
	"github.com/serin-flags/serin/schema"
	"golang.org/x/tools/txtar"
)

// schemaFiles names the schema of each kind of file.
var schemaFiles = map[source.Role]string{
	source.ConfigFile:  "serin.json",
	source.ContextFile: "context.json",
	source.SegmentFile: "segment.json",
	source.LayerFile:   "layer.json",
	source.GuardFile:   "guard.json",
	source.FlagFile:    "flag.json",
	source.TestFile:    "tests.json",
}

// schemas are the compiled schemas.
type schemas map[source.Role]*jsonschema.Schema

func compileSchemas(t testing.TB) schemas {
	t.Helper()
	paths, err := fs.Glob(schema.Files, "*.json")
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for _, path := range paths {
		if files[path], err = schema.Files.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return compileFiles(t, files)
}

// verdict returns what the schema has to say against a parsed file.
func (s schemas) verdict(r source.Role, root *source.Node) error { return s[r].Validate(valueOf(root)) }

// valueOf returns a node as JSON has it, by the core schema of YAML 1.2.
func valueOf(n *source.Node) any {
	switch n.Kind {
	case source.Mapping:
		out := make(map[string]any, len(n.Fields))
		for _, f := range n.Fields {
			out[f.Key.Text] = valueOf(f.Value)
		}
		return out
	case source.Sequence:
		out := make([]any, len(n.Items))
		for i, item := range n.Items {
			out[i] = valueOf(item)
		}
		return out
	}
	switch n.Type() {
	case source.NullScalar:
		return nil
	case source.BoolScalar:
		return n.IsTrue()
	case source.IntScalar:
		if i, err := strconv.ParseInt(n.Text, 0, 64); err == nil {
			return json.Number(strconv.FormatInt(i, 10))
		}
		return json.Number(strings.TrimLeft(n.Text, "+0"))
	case source.FloatScalar:
		if f, err := strconv.ParseFloat(n.Text, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
		}
		// JSON has no infinity: an editor sees one that is as large.
		return json.Number("1e999")
	}
	return n.Text
}

// parsed returns the files of an estate that have schemas.
func parsed(t testing.TB, fsys fs.FS) map[string]*source.File {
	t.Helper()
	files, err := source.Read(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]*source.File)
	for role := range schemaFiles {
		for _, s := range files.ByRole[role] {
			if s.Root != nil {
				out[s.Path] = s
			}
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
	seen := make(map[source.Role]int)
	for name, fsys := range goodEstates(t) {
		for path, s := range parsed(t, fsys) {
			seen[s.Role]++
			if err := compiled.verdict(s.Role, s.Root); err != nil {
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
			switch err := compiled.verdict(s.Role, s.Root); {
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
	seen := make(map[string]int)
	estates := goodEstates(t)
	for _, name := range slices.Sorted(maps.Keys(estates)) {
		fsys := estates[name]
		files := parsed(t, fsys)
		for _, path := range slices.Sorted(maps.Keys(files)) {
			s := files[path]
			for _, m := range mutations(s.Root) {
				alike := fmt.Sprint(s.Role, m.alike)
				if seen[alike]++; seen[alike] > soak.Times(1, 7) {
					continue
				}
				stride := soak.Times(3, 1)
				if name == "flags" { // which takes long to load, and is much like the others
					stride = soak.Times(2003, 101)
				}
				if total++; total%stride != 0 {
					continue
				}
				what, root := m.what, m.root()
				count++
				refusal := compiled.verdict(s.Role, root)
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
	for _, depends := range []string{"attribute \"", "the remainders of", "a remainder", "the range is empty",
		"\": the value is ", "expected 0 ≤ from < to", "is not a whole number",
		"the guard has no \"exposures\"", "\"from\" is an integer", "\"to\" is an integer", "\"gt\" is an integer",
		"\"gte\" is an integer",
		"\"lt\" is an integer", "\"lte\" is an integer"} {
		if strings.Contains(message, depends) {
			return false // on a type that another file declares, or on arithmetic
		}
	}
	for _, kind := range []string{
		"unknown key", "unknown operator", "unknown lint", " is a mapping of", " is a list, not",
		" is true or false, not", " is an integer, not",
		" is a share such as", " must be a share such as", " is a date such as", " is a word, not", "has no \"",
		"is empty",
		" needs \"", " go together", "\" has no effect: the ", " bound the same end", " is a time such as",
		" is a length of time", "names no time", " is no weekday",
	} {
		if strings.Contains(message, kind) {
			return true
		}
	}
	return false
}

// recheck returns the problems that a file of an estate has if its content is
// root.
func recheck(t *testing.T, fsys fs.FS, s *source.File, root *source.Node) Problems {
	t.Helper()
	text := compose.YAML(&source.Node{Kind: source.Mapping,
		Fields: []source.Field{{Key: &source.Node{Text: "x", Plain: true}, Value: root}}}, nil)
	// The file's root may be a list: it stands below a key, which is cut off.
	text = strings.TrimPrefix(text, "x:")
	_, err := LoadFS(overlay{fsys, s.Path, []byte(text)}, "flags")
	var all Problems
	if err != nil && !errors.As(err, &all) {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(p Problem) bool { return p.File != s.Shown })
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

// A mutation is a file's content with one thing changed.
type mutation struct {
	what  string // where, and how
	alike string // the same for changes of the same kind at similar positions
	root  func() *source.Node
}

var index = regexp.MustCompile(`\[[0-9]+\]`)

// mutations returns all changes of a file's content, in order.
func mutations(root *source.Node) []mutation {
	var out []mutation
	add := func(what string, change func() *source.Node) {
		out = append(out, mutation{what, index.ReplaceAllString(what, ""), change})
	}
	var visit func(n *source.Node, where string, rebuild func(*source.Node) *source.Node)
	visit = func(n *source.Node, where string, rebuild func(*source.Node) *source.Node) {
		others := replacements(n)
		for _, name := range slices.Sorted(maps.Keys(others)) {
			add(where+" "+name, func() *source.Node { return rebuild(others[name]) })
		}
		for i, f := range n.Fields {
			at := where + "." + f.Key.Text
			add(at+" dropped", func() *source.Node {
				return rebuild(&source.Node{Kind: source.Mapping,
					Fields: slices.Delete(slices.Clone(n.Fields), i, i+1)})
			})
			with := func(key, value *source.Node) *source.Node {
				fields := slices.Clone(n.Fields)
				fields[i] = source.Field{Key: key, Value: value}
				return rebuild(&source.Node{Kind: source.Mapping, Fields: fields})
			}
			for _, key := range []string{f.Key.Text + "x", "X", "a b"} {
				add(at+" renamed "+key,
					func() *source.Node { return with(&source.Node{Text: key, Plain: true}, f.Value) })
			}
			visit(f.Value, at, func(value *source.Node) *source.Node { return with(f.Key, value) })
		}
		for i, item := range n.Items {
			at := fmt.Sprintf("%s[%d]", where, i)
			visit(item, at, func(value *source.Node) *source.Node {
				items := slices.Clone(n.Items)
				items[i] = value
				return rebuild(&source.Node{Kind: source.Sequence, Items: items})
			})
		}
	}
	visit(root, "", func(n *source.Node) *source.Node { return n })
	return out
}

// replacements are what a value is replaced by.
func replacements(n *source.Node) map[string]*source.Node {
	out := map[string]*source.Node{
		"null":       {Text: "null", Plain: true},
		"true":       {Text: "true", Plain: true},
		"7":          {Text: "7", Plain: true},
		"-1":         {Text: "-1", Plain: true},
		"0.5":        {Text: "0.5", Plain: true},
		"1e999":      {Text: "1e999", Plain: true},
		"huge":       {Text: strconv.FormatUint(math.MaxUint64, 10), Plain: true},
		"empty text": {},
		"blank":      {Text: " "},
		"text":       {Text: "text"},
		"150%":       {Text: "150%"},
		"20%":        {Text: "20%"},
		"empty list": {Kind: source.Sequence},
		"empty map":  {Kind: source.Mapping},
		"in a list":  {Kind: source.Sequence, Items: []*source.Node{n}},
		"in two":     {Kind: source.Sequence, Items: []*source.Node{n, n}},
		"in a map": {Kind: source.Mapping,
			Fields: []source.Field{{Key: &source.Node{Text: "x", Plain: true}, Value: n}}},
		"in in": {Kind: source.Mapping,
			Fields: []source.Field{{Key: &source.Node{Text: "in", Plain: true}, Value: n}}},
		"with number": {Kind: source.Sequence, Items: []*source.Node{{Text: "7", Plain: true}}},
	}
	if n.Kind == source.Mapping {
		extra := source.Field{Key: &source.Node{Text: "extra", Plain: true},
			Value: &source.Node{Text: "1", Plain: true}}
		out["extra key"] = &source.Node{Kind: source.Mapping, Fields: append(slices.Clone(n.Fields), extra)}
	}
	return out
}
