package sdk

import (
	"errors"
	"fmt"
	"strings"
)

// ErrHeldBack is wrapped by the errors of polls while an update is held back: see
// [Config].MaxShrink.
var ErrHeldBack = errors.New("update held back")

// A HeldBack is an update that is held back.
type HeldBack struct {
	Revision int64    // of the update
	Asked    int      // how many flags of the current revision handles have evaluated
	Dropped  []string // those that the update lacks, sorted; must not be modified
}

// A loss is what an update would take away from the program.
type loss struct {
	asked   int
	dropped []string
}

// missingFrom returns the flags that handles have evaluated in s and that after lacks.
// s may be nil.
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

// inheritAsked marks the flags in after that handles have evaluated in s, which it
// replaces. They may not be evaluated again before after is replaced itself.
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

// exceeds reports whether more than a share of the evaluated flags is missing.
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
	return fmt.Errorf("%w: it drops %d of the %d flags that this program uses (%s%s); publish another revision to confirm it, or set Config.MaxShrink",
		ErrHeldBack, len(l.dropped), l.asked, strings.Join(names, ", "), more)
}
