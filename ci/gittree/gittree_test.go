package gittree_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/serin-flags/serin/ci/gittree"
)

// repository makes a git repository with a commit of files; links are written as
// "-> TARGET". It returns the folder and what runs git there.
func repository(t *testing.T, files map[string]string) (dir string, git func(args ...string) string) {
	t.Helper()
	dir = t.TempDir()
	git = func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=test", "-c", "user.email=test@example.com", "-c",
			"core.autocrlf=false"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "--quiet", "--initial-branch=main")
	write(t, dir, files)
	git("add", "--all")
	git("commit", "--quiet", "--message=first")
	return dir, git
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			err = os.Symlink(target, name)
		} else {
			err = os.WriteFile(name, []byte(content), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, name, dir string) fs.FS {
	t.Helper()
	s, err := gittree.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	fsys, err := s.Read(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return fsys
}

func TestRead(t *testing.T) {
	dir, git := repository(t, map[string]string{
		"flags/context.yaml": "attributes: {}\n", "flags/a/b/c.yaml": "first", "flags/a/list.txt": "u-1\r\nu-2\n",
		"flags/flags.lock": "lock", "flags/README.md": "not ours", "other.yaml": "outside",
		// What checking out and archives would change or leave out.
		".gitattributes":  "*.yaml export-ignore\n*.txt text eol=lf\nflags/a/** ident export-subst\n",
		"flags/a/id.yaml": "$Id$ $Format:%H$",
	})
	write(t, dir, map[string]string{"flags/a/b/c.yaml": "second", "flags/a/new.yaml": "new"})
	git("add", "--all")
	git("commit", "--quiet", "--message=second")
	write(t, dir, map[string]string{"flags/a/b/c.yaml": "third"}) // not committed

	for name, want := range map[string]string{
		"git:HEAD~1:flags": "first", "git:main:flags": "second", "git:HEAD:flags/": "second",
		"git:HEAD:./flags": "second", "git:" + git("rev-parse", "HEAD") + ":flags": "second",
	} {
		got, err := fs.ReadFile(read(t, name, dir), "a/b/c.yaml")
		if err != nil || string(got) != want {
			t.Errorf("%s has %q, error %v, want %q", name, got, err, want)
		}
	}
	if got, err := fs.ReadFile(read(t, "git:HEAD:./", filepath.Join(dir, "flags", "a")), "b/c.yaml"); err != nil ||
		string(got) != "second" {
		t.Errorf("from a folder within: %q, %v", got, err)
	}
	fsys := read(t, "git:HEAD:flags", dir)
	if err := fstest.TestFS(fsys, "context.yaml", "a/b/c.yaml", "a/id.yaml", "a/list.txt", "a/new.yaml",
		"flags.lock"); err != nil {
		t.Error(err)
	}
	if got, _ := fs.ReadFile(fsys, "a/id.yaml"); string(got) != "$Id$ $Format:%H$" {
		t.Errorf("attributes changed what is read: %q", got)
	}
	if _, err := fs.Stat(fsys, "README.md"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("README.md is read too: %v", err)
	}
}

func TestLinks(t *testing.T) {
	dir, _ := repository(t, map[string]string{
		"flags/a/x.yaml": "x", "flags/a/same.yaml": "-> x.yaml", "flags/up.yaml": "-> ./a/../a/same.yaml",
		"flags/b":        "-> a",
		"flags/out.yaml": "-> ../secret.yaml", "flags/absolute.yaml": "-> /etc/hosts",
		"flags/back.yaml": "-> ../flags/a/x.yaml",
		"flags/gone.yaml": "-> nothing.yaml", "flags/ring.yaml": "-> ring2.yaml", "flags/ring2.yaml": "-> ring.yaml",
		"secret.yaml": "secret",
	})
	fsys := read(t, "git:main:flags", dir)
	for _, name := range []string{"a/same.yaml", "up.yaml", "b/x.yaml"} {
		if got, err := fs.ReadFile(fsys, name); err != nil || string(got) != "x" {
			t.Errorf("%s has %q, error %v", name, got, err)
		}
	}
	for _, name := range []string{"out.yaml", "absolute.yaml", "back.yaml", "ring.yaml"} {
		if _, err := fs.Stat(fsys, name); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("following %s: %v", name, err)
		}
	}
	if _, err := fs.Stat(fsys, "gone.yaml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("following gone.yaml: %v", err)
	}
	if info, err := fs.Stat(fsys, "b"); err != nil || !info.IsDir() {
		t.Errorf("following b: %v, %v", info, err)
	}
	entries, err := fs.ReadDir(fsys, ".")
	if i := slices.IndexFunc(entries, func(e fs.DirEntry) bool { return e.Name() == "out.yaml" }); err != nil ||
		entries[i].Type() != fs.ModeSymlink {
		t.Errorf("entries %v, %v: out.yaml is not shown as a link", entries, err)
	}
}

func TestReadRefuses(t *testing.T) {
	dir, _ := repository(t, map[string]string{"flags/a.yaml": "x"})
	write(t, dir, map[string]string{"big/a.txt": ""})
	empty := t.TempDir()
	if out, err := exec.Command("git", "init", "--quiet", empty).CombinedOutput(); err != nil {
		t.Fatalf("git init: %v\n%s", err, out)
	}
	for _, test := range []struct{ name, dir, want string }{
		{"git:HEAD:flags", empty, "the repository has no commit yet: commit the flag files first"},
		{"git:nothing:flags", dir, `the repository has no revision "nothing"`},
		{"git:HEAD:flag", dir, "reading git:HEAD:flag: the revision has no such folder"},
		{"git:HEAD:flags/a.yaml", dir, "reading git:HEAD:flags/a.yaml: the revision has no such folder, but a file of that name"},
		{"git:HEAD:flags", t.TempDir(), "reading git:HEAD:flags: this folder isn't in a git repository"},
		{"git:HEAD:flags", filepath.Join(dir, "nowhere"), "reading git:HEAD:flags: running git: "},
	} {
		s, err := gittree.Parse(test.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = s.Read(t.Context(), test.dir); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %s", test.name, err, test.want)
		}
	}
	s := gittree.Source{Revision: "HEAD", Path: "flag"}
	if _, err := s.Read(t.Context(), dir); !errors.Is(err, gittree.ErrNoFolder) {
		t.Errorf("the error %v is not ErrNoFolder", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Read(ctx, dir); err == nil {
		t.Error("a context that is done is no error")
	}
}

func TestLargeFile(t *testing.T) {
	dir, git := repository(t, map[string]string{"flags/a.yaml": "x"})
	f, err := os.Create(filepath.Join(dir, "flags", "ids.txt"))
	if err == nil {
		err = f.Truncate(64<<20 + 1)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	git("-c", "core.bigFileThreshold=1m", "add", "--all")
	git("commit", "--quiet", "--message=large")
	s := gittree.Source{Revision: "HEAD", Path: "flags"}
	want := "listing git:HEAD:flags: ids.txt is larger than 64 MiB"
	if _, err := s.Read(t.Context(), dir); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestParse(t *testing.T) {
	for name, want := range map[string]gittree.Source{
		"git:main":              {Revision: "main"},
		"git:HEAD~1:./flags":    {Revision: "HEAD~1", Path: "./flags"},
		"git:v1.2.3:a b/flags":  {Revision: "v1.2.3", Path: "a b/flags"},
		"git:origin/main:":      {Revision: "origin/main"},
		"git:main@{yesterday}:": {Revision: "main@{yesterday}"},
	} {
		if got, err := gittree.Parse(name); err != nil || got != want {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", name, got, err, want)
		}
	}
	for _, name := range []string{"main", "git:", "git::flags", "git:--help", "git:a\nb", "git:a:/etc", `git:a:b\c`,
		"git:a\xff", "git:" + strings.Repeat("a", 5000)} {
		if got, err := gittree.Parse(name); err == nil {
			t.Errorf("Parse(%q) = %+v", name, got)
		}
	}
}

// FuzzParse: what is accepted can be handed to git, and means the same when it is
// written and read again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"git:main", "git:HEAD~1:./flags", "git::x", "git:-x", "git:a:/b", "git:a:b:c", "x",
		"git:a\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		s, err := gittree.Parse(name)
		if err != nil {
			return
		}
		if s.Revision == "" || s.Revision[0] == '-' || strings.ContainsAny(s.Revision, ":\x00\n") ||
			strings.ContainsAny(s.Path, "\x00\n") || strings.HasPrefix(s.Path, "/") {
			t.Errorf("Parse(%q) = %+v", name, s)
		}
		again, err := gittree.Parse(s.String())
		if err != nil || again != s {
			t.Errorf("Parse(%q) = %+v, but of %q it is %+v, %v", name, s, s, again, err)
		}
	})
}
