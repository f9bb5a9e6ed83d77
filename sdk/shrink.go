package sdk

import (
	"errors"
	"fmt"
	"strings"
)

// ErrHeldBack is what the errors of polls wrap while an update is held back: see
// [Config].MaxShrink.
var ErrHeldBack = errors.New("update held back")

// A HeldBack is an update that is held back.
type HeldBack struct {
	Revision int64    // of the update
	Asked    int      // how many flags of the present revision handles have asked for
	Dropped  []string // which of them the update doesn't have, in ascending order. It must not be modified
}

// A loss is what a snapshot takes away from the program.
type loss struct {
	asked   int
	dropped []string
}

// lost returns which flags that handles have asked s for, which may be nil, after
// doesn't have.
func (s *Snapshot) missingFrom(after *Snapshot) loss {
	var l loss
	if s == nil {
		return l
	}
	for i, f := range s.flags[:s.program.Len()] {
		if !s.asked.has(i) {
			continue
		}
		l.asked++
		if after.program.Flag(f.Key()) == nil {
			l.dropped = append(l.dropped, f.Key())
		}
	}
	return l
}

// handOver has after, which follows s, know what handles have asked s for: they
// may not ask again before it is followed itself.
func (s *Snapshot) inheritAsked(after *Snapshot) {
	if s == nil {
		return
	}
	n := uint32(after.program.Len())
	for i, f := range s.flags[:s.program.Len()] {
		if s.asked.has(i) {
			if j := after.find(f.Key()); j < n {
				after.asked.set(j)
			}
		}
	}
}

// exceeds reports whether more than a share of what was asked for is gone.
func (l loss) exceeds(share float64) bool {
	return share >= 0 && share < 1 && float64(len(l.dropped)) > share*float64(l.asked)
}

func (l loss) describe(revision int64) *HeldBack { return &HeldBack{revision, l.asked, l.dropped} }

// maxNamed is how many flags an error names.
const maxNamed = 10

func (l loss) err() error {
	names := l.dropped
	more := ""
	if len(names) > maxNamed {
		names, more = names[:maxNamed], ", …"
	}
	return fmt.Errorf("%w: it drops %d of the %d flags that this program asks for (%s%s); the next revision confirms it, or Config.MaxShrink",
		ErrHeldBack, len(l.dropped), l.asked, strings.Join(names, ", "), more)
}
