//go:build unix

package sdk

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// exposed says why users other than this one and root can write to a folder; "" if they
// can't, or if there is no such folder.
func exposed(dir string) string {
	info, err := os.Stat(dir)
	if err != nil {
		return ""
	}
	owner := 0
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		owner = int(stat.Uid)
	}
	return exposedBy(info.Mode(), owner, os.Geteuid())
}

// exposedBy is exposed for a folder with a mode and an owner, and a process of user self.
func exposedBy(mode fs.FileMode, owner, self int) string {
	switch {
	case mode.Perm()&0o002 != 0:
		return fmt.Sprintf("its mode is %v: everyone can write to it; run chmod go-w on it", mode)
	case owner != 0 && owner != self:
		return fmt.Sprintf("it belongs to user %d, and this is user %d; use a folder of this user", owner, self)
	}
	return ""
}
