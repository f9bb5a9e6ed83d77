package ci

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

// asksForList is a flag of the namespace shop that asks whether the user is on
// testers.txt.
const asksForList = "type: boolean\ndefault: off\nrules: [{name: r, serve: on, when: {user: {list: testers.txt}}}]\n"

// maxListSize is how many bytes a list may have.
const maxListSize = 64 << 20

// manyIDs returns a list of n ids in no order, and the same again in another.
func manyIDs(n int) *fstest.MapFile {
	var b strings.Builder
	for _, times := range []int{7_919, 104_729} { // primes
		for i := range n {
			fmt.Fprintf(&b, "user-%08d\n", i*times%n)
		}
	}
	return file(b.String())
}

// TestLongList holds that a list of a million lines is nothing special.
func TestLongList(t *testing.T) {
	ids := soak.Times(100_000, 500_000)
	fsys := base(t)
	fsys["shop/x.yaml"] = file(asksForList)
	fsys["shop/testers.txt"] = manyIDs(ids)
	fsys["segments/testers.yaml"] = file("include: {list: ../shop/testers.txt}\n")
	fsys["shop/y.yaml"] = file(
		"type: boolean\ndefault: off\nrules: [{name: r, serve: on, when: {user: {segment: testers}}}]\n")
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	program := compiled(t, e, "")
	for _, key := range []string{"x", "y"} {
		for user, want := range map[string]bool{
			"user-00000000": true, fmt.Sprintf("user-%08d", ids-1): true,
			fmt.Sprintf("user-%08d", ids): false, "": false,
		} {
			if got, _ := program.Flag(key).Evaluate(&evaluator.Context{Key: user}).Value().Bool(); got != want {
				t.Errorf("%s: %q: %v, want %v", key, user, got, want)
			}
		}
	}
	payloads, err := e.Compile("")
	if err != nil {
		t.Fatal(err)
	}
	segments := payloads[slices.Index(e.Namespaces(), "shop")].Ruleset.Segments
	if n := len(segments[0].Include); n != ids {
		t.Errorf("the segment %s includes %d ids", segments[0].Name, n)
	}
}

func TestListLimits(t *testing.T) {
	list := func(size int) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("u-1\n#" + strings.Repeat("x", size-len("u-1\n#\n")) + "\n")}
	}
	fsys := base(t)
	fsys["shop/x.yaml"] = file(asksForList)
	fsys["shop/testers.txt"] = list(maxListSize)
	fsys["shop/other.txt"] = list(maxListSize + 1) // nothing refers to it
	if _, err := LoadFS(fsys, "flags"); err != nil {
		t.Errorf("a list as large as it may be: %v", err)
	}
	fsys["shop/testers.txt"] = list(maxListSize + 1)
	want := "flags/shop/testers.txt:1:1: the file is larger than 64 MiB"
	if _, err := LoadFS(fsys, "flags"); err == nil || err.Error() != want {
		t.Errorf("a larger list: error %v, want %s", err, want)
	}

	fsys["shop/testers.txt"] = file(strings.Repeat("x", 1000) + "\n" + strings.Repeat("y", 1000+1) + "\n" +
		strings.Repeat("a b\n c # d\n", 600))
	_, err := LoadFS(fsys, "flags")
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != problem.Max+1 {
		t.Fatalf("error %v, want %d problems", err, problem.Max+1)
	}
	if want := "flags/shop/testers.txt:2:1: the id is longer than 1000 bytes"; problems[0].Error() != want {
		t.Errorf("an id that is too long: %v, want %s", problems[0], want)
	}
	if p := problems[problem.Max]; p.Message != "there are more problems in this file than are shown" ||
		p.Line != 2+2*problem.Max {
		t.Errorf("the last problem is %v", p)
	}
}

// TestListsTotal holds that lists count for the estate's size, each once.
func TestListsTotal(t *testing.T) {
	fsys := base(t)
	comment := &fstest.MapFile{Data: []byte("u-1\n#" + strings.Repeat("x", maxListSize-8))}
	for i := range 4 {
		fsys[fmt.Sprintf("shop/%d.txt", i)] = comment
		fsys[fmt.Sprintf("shop/x%d.yaml", i)] = file(strings.Replace(asksForList, "testers", fmt.Sprint(i), 1))
		fsys[fmt.Sprintf("shop/y%d.yaml", i)] = file(strings.Replace(asksForList, "testers", fmt.Sprint(min(i, 2)), 1))
	}
	delete(fsys, "shop/x3.yaml")
	if _, err := LoadFS(fsys, "flags"); err != nil {
		t.Errorf("three lists: %v", err)
	}
	fsys["shop/x3.yaml"] = file(strings.Replace(asksForList, "testers", "3", 1))
	_, err := LoadFS(fsys, "flags")
	if want := "reading flags: its files take more than 256 MiB together"; err == nil || err.Error() != want {
		t.Errorf("four lists: error %v, want %s", err, want)
	}
}

// TestListReadError holds that a list that can't be read is no problem of its
// author's.
func TestListReadError(t *testing.T) {
	fsys := base(t)
	fsys["shop/x.yaml"] = file(asksForList)
	fsys["shop/testers.txt"] = file("u-1\n")
	_, err := LoadFS(failingFS{fsys, "shop/testers.txt"}, "flags")
	var problems Problems
	if !errors.Is(err, errRead) || errors.As(err, &problems) {
		t.Errorf("got error %v, want %v", err, errRead)
	}
	delete(fsys, "shop/x.yaml")
	if _, err := LoadFS(failingFS{fsys, "shop/testers.txt"}, "flags"); err != nil {
		t.Errorf("a list that nothing refers to: %v", err)
	}
}

func TestListLinks(t *testing.T) {
	dir := onDisk(t, map[string]string{
		"shop/x.yaml":    asksForList,
		"shop/y.yaml":    strings.Replace(asksForList, "testers.txt", "secret.txt", 1),
		"shop/z.yaml":    strings.Replace(asksForList, "testers.txt", "out/secret.txt", 1),
		"lists/real.txt": "u-1\n",
	})
	outside := filepath.Join(filepath.Dir(dir), "outside")
	if err := os.Mkdir(outside, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(outside, "secret.txt"), []byte("s3cret\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		"shop/testers.txt": "../lists/real.txt",
		"shop/secret.txt":  "../../outside/secret.txt",
		"shop/out":         "../../outside",
	} {
		if err := os.Symlink(target, filepath.Join(dir, filepath.FromSlash(link))); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"flags/shop/out:1:1: the symbolic link leads out of flags; the files of a flag folder must be inside it",
		"flags/shop/secret.txt:1:1: the symbolic link leads out of flags; the files of a flag folder must be inside it",
		"flags/shop/z.yaml:3:50: rule \"r\": there is no file flags/shop/out/secret.txt",
	}
	if diff := cmp.Diff(want, messages(t, dir)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, name := range []string{"secret.txt", "out", "y.yaml", "z.yaml"} {
		if err := os.Remove(filepath.Join(dir, "shop", name)); err != nil {
			t.Fatal(err)
		}
	}
	e, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := compiled(t, e, "").Flag("x").Evaluate(&evaluator.Context{Key: "u-1"}).Value().Bool(); !got {
		t.Error("a list behind a link isn't read")
	}
}

// readOnce counts how often a file is opened.
type readOnce struct {
	fstest.MapFS
	name  string
	count *int
}

func (f readOnce) Open(name string) (fs.File, error) {
	if name == f.name {
		*f.count++
	}
	return f.MapFS.Open(name)
}

// TestListReadOnce holds that a list is read once for all that refer to it.
func TestListReadOnce(t *testing.T) {
	fsys := base(t)
	for i := range 20 {
		fsys[fmt.Sprintf("shop/x%d.yaml", i)] = file(asksForList + "environments: {staging: {default: on}}\n")
	}
	fsys["shop/testers.txt"] = file("u-1\n")
	count := 0
	if _, err := LoadFS(readOnce{fsys, "shop/testers.txt", &count}, "flags"); err != nil {
		t.Fatal(err)
	}
	if count != 1 {
		t.Errorf("the list was read %d times", count)
	}
}

func FuzzListFile(f *testing.F) {
	addFiles(f, func(name string) bool { return strings.HasSuffix(name, ".txt") })
	for _, text := range []string{
		"7\n8\n7\n", "\ufeff7", "\xff\xfe7\x00", " # c\n\t7\t\r\n", "7#8", "7 #8", "u-1\x00", "\r",
		"9223372036854775808", "-0\n+7\n", "\u00a07\u2028", strings.Repeat("x", 1000+1),
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := base(t)
		fsys["shop/testers.txt"] = &fstest.MapFile{Data: data}
		fsys["shop/x.yaml"] = file(asksForList)
		fsys["shop/y.yaml"] = file(strings.Replace(asksForList, "user", "uid", 1))
		fsys["shop/z.yaml"] = file(strings.Replace(asksForList, "user", "channel", 1))
		fsys["segments/testers.yaml"] = file("exclude: {list: ../shop/testers.txt}\nwhen: {city: BJ}\n")
		checkLoad(t, fsys)
	})
}

// BenchmarkLoadList checks an estate with a list of a million lines, on which
// each id stands twice.
func BenchmarkLoadList(b *testing.B) {
	fsys := base(b)
	fsys["shop/x.yaml"] = file(asksForList)
	fsys["shop/testers.txt"] = manyIDs(500_000)
	for b.Loop() {
		if _, err := LoadFS(fsys, "flags"); err != nil {
			b.Fatal(err)
		}
	}
}
