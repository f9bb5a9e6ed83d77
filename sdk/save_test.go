package sdk

import (
	"testing"
	"testing/synctest"
	"time"
)

// HangDisk makes the disk of c's cache hang, until the result is called.
func HangDisk(c *Client) (end func()) {
	c.writing <- struct{}{}
	return func() { <-c.writing }
}

// programsPatience is what diskPatience is outside of tests.
var programsPatience = diskPatience

func init() { diskPatience = time.Hour }

// TestPatience: a write that hangs holds nothing up for longer than it may, and isn't
// begun twice.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer func(tests time.Duration) { diskPatience = tests }(diskPatience)
		diskPatience = programsPatience
		c := &Client{writing: make(chan struct{}, 1)}
		begun, end := 0, make(chan struct{})
		hang := func() { begun++; <-end }
		for _, want := range []time.Duration{writePatience, 0, 0} {
			before := time.Now()
			if c.patiently(hang) {
				t.Error("it is done")
			}
			if got := time.Since(before); got != want {
				t.Errorf("it took %v, want %v", got, want)
			}
		}
		before := time.Now()
		c.awaitWrite()
		if got := time.Since(before); got != writePatience {
			t.Errorf("awaitWrite took %v", got)
		}
		close(end)
		c.awaitWrite()
		before = time.Now()
		if !c.patiently(func() { time.Sleep(writePatience - 1) }) || begun != 1 {
			t.Errorf("it isn't done, and had begun %d times before", begun)
		}
		if got := time.Since(before); got != writePatience-1 {
			t.Errorf("it took %v", got)
		}
	})
}
