//go:build !unix

package listen

// Files returns how many files the process may open, or 0 if that is unknown or unlimited.
func Files() int { return 0 }
