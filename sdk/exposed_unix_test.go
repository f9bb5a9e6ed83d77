//go:build unix

package sdk_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-flags/serin/sdk"
)

// TestExposedCache warns once about a folder that other users can write to.
func TestExposedCache(t *testing.T) {
	r := newRepository(t, "production")
	r.number(t, 1)
	for _, test := range []struct {
		name string
		make func(dir string) error
		want string // "": no warning
	}{
		{"made by the client", func(string) error { return nil }, ""},
		{"of the group", func(dir string) error { return mkdir(dir, 0o770) }, ""},
		{"readable by all", func(dir string) error { return mkdir(dir, 0o755) }, ""},
		{"writable by all", func(dir string) error { return mkdir(dir, 0o777) }, "drwxrwxrwx"},
		{"writable by all, and sticky", func(dir string) error { return mkdir(dir, 0o777|os.ModeSticky) }, "dtrwxrwxrwx"},
		{"somebody else's", func(dir string) error {
			if err := mkdir(dir, 0o755); err != nil {
				return err
			}
			return os.Chown(dir, 12345, -1)
		}, "belongs to user 12345"},
	} {
		if strings.Contains(test.want, "belongs") && os.Geteuid() != 0 {
			continue // only root can give folders away; TestExposedBy holds this for all users
		}
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "cache")
			must(t, test.make(dir))
			var log bytes.Buffer
			client := open(t, sdk.Config{Source: r.source(t), Root: r.keys.Root, Interval: -1, CacheDir: dir,
				Logger: slog.New(slog.NewTextHandler(&log, nil))})
			must(t, client.Refresh(t.Context()))
			must(t, client.Refresh(t.Context()))
			serves(t, client, 1)
			want := 0
			if test.want != "" {
				want = 1
			}
			if got := strings.Count(log.String(), "others can write"); got != want ||
				!strings.Contains(log.String(), test.want) {
				t.Errorf("%d warnings, want %d: %s", got, want, log.String())
			}
		})
	}
}

// mkdir makes a folder of that mode, whatever the umask says.
func mkdir(dir string, mode os.FileMode) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return os.Chmod(dir, mode)
}
