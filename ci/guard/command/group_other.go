//go:build !unix

package command

import "os/exec"

// group does nothing where there are no process groups: only the command itself is killed.
func group(*exec.Cmd) {}

func killGroup(*exec.Cmd) {}
