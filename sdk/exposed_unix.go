//go:build unix

package sdk

import (
	"fmt"
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
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Sprintf("its mode is %v: everyone can write to it", info.Mode())
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return fmt.Sprintf("it belongs to user %d, and this is user %d", stat.Uid, os.Geteuid())
	}
	return ""
}
