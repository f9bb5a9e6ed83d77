// Package syncbuf has a buffer that several goroutines may write and read, such as the log of
// a server in a test.
//
// It is for tests only.
package syncbuf

import (
	"bytes"
	"sync"
)

// A Buffer is a [bytes.Buffer] for several goroutines. The zero value is empty.
type Buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write appends p. It never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String returns what was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
