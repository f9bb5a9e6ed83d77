//go:build !linux

package listen

import "net"

// limitSilence does nothing: only the keep-alive of the system ends connections whose peer is gone.
func limitSilence(net.Conn) {}
