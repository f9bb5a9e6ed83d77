//go:build unix

package regular

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()

	for _, name := range []string{"file", "link"} {
		for _, open := range []func() (*os.File, error){
			func() (*os.File, error) { return Open(filepath.Join(dir, name)) },
			func() (*os.File, error) { return OpenIn(root, name) },
		} {
			file, err := open()
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if data, err := io.ReadAll(file); err != nil || string(data) != "content" {
				t.Errorf("%s: read %q, %v", name, data, err)
			}
			file.Close()
		}
	}
	for _, test := range []struct{ name, want string }{
		{"folder", "open folder: not a regular file but a folder"},
		{"pipe", "open pipe: not a regular file but a pipe"},
	} {
		if _, err := Open(filepath.Join(dir, test.name)); !errors.Is(err, ErrIrregular) {
			t.Errorf("Open of a %s: %v", test.name, err)
		}
		if _, err := OpenIn(root, test.name); err == nil || err.Error() != test.want {
			t.Errorf("OpenIn of a %s: %v, want %s", test.name, err, test.want)
		}
	}
	if _, err := Open(os.DevNull); err == nil || err.Error() != "open "+os.DevNull+": not a regular file but a device" {
		t.Errorf("Open of a device: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "socket")); err == nil { // systems have errors of their own
		t.Error("Open of a socket succeeded")
	}
	if _, err := Open(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of nothing: %v", err)
	}
}
