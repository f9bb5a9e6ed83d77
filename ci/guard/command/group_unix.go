//go:build unix

package command

import (
	"os/exec"
	"syscall"
)

// group has a command run in a process group of its own, all of which is killed when its time
// is over.
func group(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
}

// killGroup kills what is left of the group of a command that has ended.
func killGroup(c *exec.Cmd) {
	if c.Process != nil {
		syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // an error means that nothing is left
	}
}
