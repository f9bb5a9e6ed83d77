//go:build unix

package sdk

import (
	"io/fs"
	"testing"
)

// TestExposedBy holds who can expose a folder, also as a user who can't give folders away.
func TestExposedBy(t *testing.T) {
	for _, test := range []struct {
		mode        fs.FileMode
		owner, self int
		want        string
	}{
		{fs.ModeDir | 0o755, 1000, 1000, ""},
		{fs.ModeDir | 0o775, 1000, 1000, ""},
		{fs.ModeDir | 0o755, 0, 1000, ""}, // root may write everywhere
		{fs.ModeDir | 0o755, 0, 0, ""},
		{fs.ModeDir | 0o755, 1001, 1000, "it belongs to user 1001, and this is user 1000; use a folder of this user"},
		{fs.ModeDir | 0o700, 1000, 0, "it belongs to user 1000, and this is user 0; use a folder of this user"},
		{fs.ModeDir | 0o777, 1000, 1000, "its mode is drwxrwxrwx: everyone can write to it; run chmod go-w on it"},
		{fs.ModeDir | fs.ModeSticky | 0o777, 0, 1000, "its mode is dtrwxrwxrwx: everyone can write to it; run chmod go-w on it"},
	} {
		if got := exposedBy(test.mode, test.owner, test.self); got != test.want {
			t.Errorf("%v of user %d, for user %d: %q, want %q", test.mode, test.owner, test.self, got, test.want)
		}
	}
}
