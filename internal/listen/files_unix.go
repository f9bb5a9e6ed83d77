//go:build unix

package listen

import "syscall"

// Files returns how many files the process may open, or 0 if that is unknown or unlimited.
func Files() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil || limit.Cur > 1<<30 {
		return 0
	}
	return int(limit.Cur)
}
