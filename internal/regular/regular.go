// Package regular opens files that must be regular. Opening a named pipe blocks until
// somebody opens its other end, and a device may deliver data forever, so a file that
// somebody else could have put there is opened without waiting and looked at first.
package regular

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// ErrIrregular is wrapped by the errors for files that aren't regular.
var ErrIrregular = errors.New("not a regular file")

// flags open a file for reading without waiting for anything. Windows ignores O_NONBLOCK.
const flags = os.O_RDONLY | syscall.O_NONBLOCK

// Open opens the named file for reading. It never blocks. If the file is a folder, pipe,
// socket or device, the error is an [*fs.PathError] that wraps [ErrIrregular]. Symbolic
// links are followed.
func Open(name string) (*os.File, error) {
	file, err := os.OpenFile(name, flags, 0)
	return check(file, name, err)
}

// OpenIn is [Open] for a file in root, which symbolic links can't leave.
func OpenIn(root *os.Root, name string) (*os.File, error) {
	file, err := root.OpenFile(name, flags, 0)
	return check(file, name, err)
}

func check(file *os.File, name string, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("%w but %s", ErrIrregular, kind(info.Mode()))}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}
