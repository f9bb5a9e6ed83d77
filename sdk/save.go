package sdk

import (
	"errors"
	"fmt"
	"time"
)

// writePatience is how long a poll waits for the disk cache before it serves what it has
// got. The documentation of Config.CacheDir and of Close states it.
const writePatience = 2 * time.Second

// diskPatience is writePatience, and longer in tests: a busy disk must not fail them.
var diskPatience = writePatience

var errSlowDisk = fmt.Errorf("not done after %v", writePatience)

// save writes to the disk cache what s has and that lacks, and returns the state after
// that. If it takes too long, writing goes on while the program does; it isn't begun
// again before it is done.
func (c *Client) save(s *state) *state {
	if c.cache == nil {
		return s
	}
	after, written := *s, *s
	if c.patiently(func() { c.write(&written) }) {
		after = written
	} else {
		after.cacheErr = fmt.Errorf("writing disk cache: %w", errSlowDisk)
	}
	if after.cacheErr != nil && s.cacheErr == nil {
		c.log.Warn("disk cache not written", "error", after.cacheErr)
	}
	return &after
}

// patiently calls write and reports whether it is done, after writePatience at the
// latest. If an earlier call is still going on, it does nothing.
func (c *Client) patiently(write func()) (done bool) {
	select {
	case c.writing <- struct{}{}:
	default:
		return false
	}
	end := make(chan struct{})
	go func() {
		defer close(end)
		defer func() { <-c.writing }()
		write()
	}()
	enough := time.NewTimer(diskPatience)
	defer enough.Stop()
	select {
	case <-end:
		return true
	case <-enough.C:
		return false
	}
}

// write brings the disk cache up to date with s, and notes in s what came of it. It
// does nothing if there is nothing to write.
func (c *Client) write(s *state) {
	tried := false
	err := c.guard("cache", func() error {
		unsaved := s.release != s.saved
		if unsaved || s.err == nil && s.release != nil && !c.cache.confirm(s.release, s.confirmed) {
			tried = true
			if err := c.cache.store(s.release, s.confirmed); err != nil {
				_, errSeen := c.cache.saveSeen(c.verifier, nil)
				return errors.Join(err, errSeen)
			}
			s.saved = s.release
		}
		wrote, err := c.cache.saveSeen(c.verifier, s.saved)
		tried = tried || wrote
		return err
	})
	switch {
	case err != nil:
		s.cacheErr = fmt.Errorf("writing disk cache: %w", err)
	case tried:
		s.cacheErr = nil
	}
}

// awaitWrite waits until no write is going on, but not for long.
func (c *Client) awaitWrite() {
	enough := time.NewTimer(diskPatience)
	defer enough.Stop()
	select {
	case c.writing <- struct{}{}:
		<-c.writing
	case <-enough.C:
	}
}
