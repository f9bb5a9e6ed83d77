package ci

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// maxFileSize is how many bytes a file may have.
const maxFileSize = 1 << 20

// onDisk writes files into a new folder, on top of the base, and returns it.
func onDisk(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "flags")
	fsys := base(t)
	for name, text := range files {
		fsys[name] = file(text)
	}
	for name, f := range fsys {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// messages returns the problems of an estate, with paths below its folder.
func messages(t *testing.T, dir string) []string {
	t.Helper()
	_, err := Load(dir)
	var problems Problems
	if err != nil && !errors.As(err, &problems) {
		t.Fatal(err)
	}
	var list []string
	for _, p := range problems {
		list = append(list, strings.ReplaceAll(p.Error(), dir, "flags"))
	}
	return list
}

func TestLoadLinks(t *testing.T) {
	dir := onDisk(t, nil)
	outside := filepath.Join(filepath.Dir(dir), "outside")
	if err := os.MkdirAll(filepath.Join(outside, "folder"), 0o777); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(outside, "secret.yaml")
	if err := os.WriteFile(secret, []byte("type: boolean\ndefault: off\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		"checkout/absolute.yaml": secret,
		"checkout/dangling.yaml": "nowhere.yaml",
		"checkout/inside.yaml":   "new-checkout.yaml",
		"checkout/relative.yaml": "../../outside/secret.yaml",
		"escape":                 "../outside/folder",
		"folder":                 "checkout",
		"loop":                   "loop",
		".hidden":                "../outside",
	} {
		if err := os.Symlink(target, filepath.Join(dir, filepath.FromSlash(link))); err != nil {
			t.Fatal(err)
		}
	}
	got := messages(t, dir)
	want := []string{
		"flags/checkout/absolute.yaml:1:1: the symbolic link leads out of flags; the files of a flag folder must be inside it",
		"flags/checkout/dangling.yaml:1:1: the symbolic link is broken",
		"flags/checkout/relative.yaml:1:1: the symbolic link leads out of flags; the files of a flag folder must be inside it",
		"flags/escape:1:1: the symbolic link leads out of flags; the files of a flag folder must be inside it",
		"flags/folder:1:1: the symbolic link leads to a folder; only links to files are followed",
		"flags/loop:1:1: the symbolic link leads out of flags; the files of a flag folder must be inside it",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestLoadFollowsLinksInside holds that a link to a flag file is a flag.
func TestLoadFollowsLinksInside(t *testing.T) {
	dir := onDisk(t, nil)
	if err := os.Symlink("new-checkout.yaml", filepath.Join(dir, "checkout", "same.yaml")); err != nil {
		t.Fatal(err)
	}
	e, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"new-checkout", "same"}, e.Keys()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// The estate itself may be a link.
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(link); err != nil {
		t.Errorf("by way of a link: %v", err)
	}
}

// TestLoadVolume holds that a volume of Kubernetes is read: its entries are links into a
// hidden folder, which is a link itself.
func TestLoadVolume(t *testing.T) {
	dir := onDisk(t, map[string]string{"..2026/shop/limit.yaml": "type: boolean\ndefault: off\n",
		"..2026/shop/deep/nested.yaml": "type: boolean\ndefault: off\n"})
	for _, link := range [][2]string{
		{"..data", "..2026"},
		{"shop", "..data/shop"},
		{"..2026/shop/again", "../shop"},
		{"..2026/shop/circle", "../../..data"},
		{"out", "../..hidden"},
	} {
		if err := os.Symlink(link[1], filepath.Join(dir, filepath.FromSlash(link[0]))); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"flags/out:1:1: the symbolic link leads out of flags; the files of a flag folder must be inside it",
		"flags/shop/again:1:1: the symbolic link leads to a folder; only links to files are followed",
		"flags/shop/circle:1:1: the symbolic link leads to a folder; only links to files are followed",
	}
	if diff := cmp.Diff(want, messages(t, dir)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, link := range []string{"out", "..2026/shop/again", "..2026/shop/circle"} {
		if err := os.Remove(filepath.Join(dir, filepath.FromSlash(link))); err != nil {
			t.Fatal(err)
		}
	}
	e, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"limit", "nested", "new-checkout"}, e.Keys()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLoadOddFiles(t *testing.T) {
	dir := onDisk(t, map[string]string{
		"shop/large.yaml": "type: boolean\ndefault: off\ndescription: " + strings.Repeat("x", maxFileSize),
		"shop/limit.yaml": "type: boolean\ndefault: off\n#" +
			strings.Repeat("x", maxFileSize-len("type: boolean\ndefault: off\n#")),
	})
	if err := os.Mkdir(filepath.Join(dir, "shop", "folder.yaml"), 0o777); err != nil {
		t.Fatal(err)
	}
	got := messages(t, dir)
	want := []string{
		"flags/shop/large.yaml:1:1: the file is larger than 1 MiB; put long lists of ids into files of their own: {list: ids.txt}",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLoadNoFolder(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "missing"), filepath.Join(dir, "file")} {
		if filepath.Base(path) == "file" {
			if err := os.WriteFile(path, nil, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Load(path)
		var problems Problems
		if err == nil || errors.As(err, &problems) {
			t.Errorf("Load(%s): error %v, want one that isn't problems", filepath.Base(path), err)
		}
	}
}

// TestLoadNamesFilesAsTyped holds that problems name files as the user does.
func TestLoadNamesFilesAsTyped(t *testing.T) {
	dir := onDisk(t, map[string]string{"shop/x.yaml": "type: boolean\ndefault: offf\n"})
	t.Chdir(filepath.Dir(dir))
	for typed, want := range map[string]string{
		"flags":    "flags/shop/x.yaml",
		"./flags/": "flags/shop/x.yaml",
		dir:        filepath.Join(dir, "shop", "x.yaml"),
	} {
		_, err := Load(typed)
		var problems Problems
		if !errors.As(err, &problems) || problems[0].File != filepath.FromSlash(want) {
			t.Errorf("Load(%q): %v, want a problem in %s", typed, err, want)
		}
	}
	t.Chdir(dir)
	_, err := Load(".")
	var problems Problems
	if !errors.As(err, &problems) || problems[0].File != filepath.FromSlash("shop/x.yaml") {
		t.Errorf("Load(.): %v, want a problem in shop/x.yaml", err)
	}
}

// TestLoadReadError holds that a file that can't be read is no problem of its
// author's.
func TestLoadReadError(t *testing.T) {
	fsys := failingFS{base(t), "checkout/new-checkout.yaml"}
	_, err := LoadFS(fsys, "flags")
	var problems Problems
	if !errors.Is(err, errRead) || errors.As(err, &problems) {
		t.Errorf("got error %v, want %v", err, errRead)
	}
}

var errRead = errors.New("input/output error")

// failingFS fails to read one file.
type failingFS struct {
	fstest.MapFS
	name string
}

func (f failingFS) Open(name string) (fs.File, error) {
	opened, err := f.MapFS.Open(name)
	if err == nil && name == f.name {
		return failingFile{opened}, nil
	}
	return opened, err
}

type failingFile struct{ fs.File }

func (failingFile) Read([]byte) (int, error) { return 0, errRead }

// TestLoadLimits holds the bounds of an estate as a whole.
func TestLoadLimits(t *testing.T) {
	many := base(t)
	for i := range 100_000 {
		many[fmt.Sprintf("other/%d.txt", i)] = file("")
	}
	large := base(t)
	comment := &fstest.MapFile{Data: bytes.Repeat([]byte("#"), maxFileSize)}
	for i := range (256<<20)/maxFileSize + 1 {
		large[fmt.Sprintf("other/%d.yaml", i)] = comment
	}
	for name, test := range map[string]struct {
		fsys fs.FS
		want string
	}{
		"entries": {many, "more than 100000 files"},
		"size":    {large, "more than 256 MiB"},
	} {
		_, err := LoadFS(test.fsys, "flags")
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one that contains %q", name, err, test.want)
		}
	}
}
