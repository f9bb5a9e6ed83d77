// Package child keeps processes that tests start from outliving them.
//
// It is for tests only.
package child

import "os/exec"

// Bind has the process that cmd will start killed by the system when the process
// that starts it ends, however that ends: a test that runs out of time, or is
// killed, cleans nothing up. It does something on Linux only, and there it goes
// by the thread that starts the process: that must not end before, as threads
// locked by a goroutine may.
func Bind(cmd *exec.Cmd) { bind(cmd) }
