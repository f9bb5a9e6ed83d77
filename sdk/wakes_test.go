package sdk

import (
	"testing"
	"testing/synctest"
)

// TestSubscribeAfterPoll: a poll may end after a subscriber has looked at what is
// served, and before it is in the list. It is told all the same.
func TestSubscribeAfterPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := events{guard: func(_ string, f func() error) error { return f() }}
		ended := make(chan struct{})
		e.start = func(run func()) {
			go func() {
				select {
				case <-e.wakes:
					run()
				case <-ended:
				}
			}()
		}
		told := false
		e.subscribe(changeEvents, func() { told = true })
		synctest.Wait()
		close(ended)
		if !told {
			t.Error("not told")
		}
	})
}
