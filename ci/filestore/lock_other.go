//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package filestore

import (
	"errors"
	"os"
)

// tryLock fails: without locks two publishers could overwrite each other.
func tryLock(*os.File) (locked bool, err error) {
	return false, errors.ErrUnsupported
}
