package sdk

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/serin-flags/serin/evaluator"
)

// findings are the likely mistakes of the program, or of its callers, that a Snapshot
// has seen. Names may come from anybody, so there are limits on how many are kept, and
// on their length.
type findings struct {
	missing  names // keys of flags that handles have asked for and that there aren't
	unnamed  names // the same for keys that were learned at run time
	unknown  names // attributes of contexts that no flag uses
	illTyped names // attributes of contexts whose values had another type than declared

	milliseconds atomic.Bool // a context's Now was in milliseconds
}

const (
	maxFindings = 100 // of each kind
	maxName     = 256 // bytes that are kept of a name

	// maxSeconds is the year 5138 in Unix seconds, and 1973 in milliseconds.
	maxSeconds = 100_000_000_000
)

// names is a set of strings. Adding one that it has takes no lock and doesn't allocate.
type names struct {
	mu  sync.Mutex
	set atomic.Pointer[map[string]struct{}] // never modified; nil: empty
}

// add adds a copy of name and returns that. It isn't ok if the set has the name already,
// or no room for it.
func (n *names) add(name string) (own string, ok bool) {
	if name = name[:min(len(name), maxName)]; !n.lacks(name) {
		return "", false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.lacks(name) { // another goroutine was faster
		return "", false
	}
	own = strings.Clone(name)
	after := map[string]struct{}{own: {}}
	for other := range n.all() {
		after[other] = struct{}{}
	}
	n.set.Store(&after)
	return own, true
}

// lacks reports whether name isn't in the set, which has room for it.
func (n *names) lacks(name string) bool {
	set := n.all()
	_, ok := set[name]
	return !ok && len(set) < maxFindings
}

func (n *names) all() map[string]struct{} {
	if set := n.set.Load(); set != nil {
		return *set
	}
	return nil
}

// sorted returns the names of some sets, the first sets first if there are too many of
// them. It returns nil if there are none.
func sorted(sets ...*names) []string {
	var list []string
	for _, n := range sets {
		for name := range n.all() {
			if len(list) < maxFindings && !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	slices.Sort(list)
	return list
}

// lacksFlag records that the Snapshot lacks a flag that a handle has asked for.
func (s *Snapshot) lacksFlag(key string) {
	if own, ok := s.found.missing.add(key); ok {
		s.record.note(finding{what: missingFlag, name: own, revision: s.revision})
	}
}

// lacksNamed does the same for a key that the program has learned at run time.
func (s *Snapshot) lacksNamed(key string) {
	if _, ok := s.found.missing.all()[key]; ok {
		return
	}
	if own, ok := s.found.unnamed.add(key); ok {
		s.record.note(finding{what: missingFlag, name: own, revision: s.revision})
	}
}

// ReportUnused records that a context had an attribute that no flag uses, for [Status]
// and the log. It is for adapters, such as package openfeature, that leave such
// attributes out before they evaluate. It ignores attributes that flags do use.
func (s *Snapshot) ReportUnused(name string) {
	if s == nil {
		return
	}
	if _, ok := s.program.AttributeType(name); ok {
		return
	}
	if own, ok := s.found.unknown.add(name); ok {
		s.record.note(finding{what: unknownAttribute, name: own, revision: s.revision})
	}
}

// sampleRate is one in how many contexts is inspected of those that aren't the first
// after a poll.
const sampleRate = 64

// sample inspects the first context after each poll, and some of the others. There is
// nothing to inspect in one that has just a targeting key.
func (s *Snapshot) sample(ctx *Context) {
	if len(ctx.Attrs) > 0 || ctx.Now != 0 {
		s.sampleOne(ctx)
	}
}

func (s *Snapshot) sampleOne(ctx *Context) {
	if s.inspected.set(uint32(s.program.Len())) || rand.Uint32()%sampleRate == 0 {
		s.inspect(ctx)
	}
}

// inspect records which attributes of ctx no flag uses, and which have another type than
// declared. It also notices times in milliseconds. It keeps no values, and ctx doesn't escape.
func (s *Snapshot) inspect(ctx *Context) {
	if ctx.Now > maxSeconds && !s.found.milliseconds.Swap(true) {
		s.record.note(finding{what: millisecondTime, revision: s.revision})
	}
	for i := range ctx.Attrs {
		a := &ctx.Attrs[i]
		declared, ok := s.program.AttributeType(a.Name)
		if !ok {
			s.ReportUnused(a.Name)
			continue
		}
		if declared.Accepts(a.Value) {
			continue
		}
		if own, ok := s.found.illTyped.add(a.Name); ok {
			s.record.note(finding{
				what: illTypedAttribute, name: own, revision: s.revision, declared: declared, got: a.Value.Kind(),
			})
		}
	}
}

// resample lets handles pass the next context to inspect again, by making them look for
// their flags again. It is called after each poll that leaves s in place.
func (s *Snapshot) resample() {
	if s == nil {
		return
	}
	s.inspected.clear()
	s.number.Store(numbers.Add(1))
}

// inheritFindings reports the flags that handles have asked s for and that after, which
// replaces s, lacks. The handles may not be used again for a while.
func (s *Snapshot) inheritFindings(after *Snapshot) {
	if s == nil {
		return
	}
	for key := range s.found.missing.all() {
		if i := after.find(key); after.flags[i] != nil {
			after.asked.set(i)
		} else {
			after.lacksFlag(key)
		}
	}
	for _, key := range s.missingFrom(after).dropped {
		after.lacksFlag(key)
	}
}

// A finding is something to log. Only polls do that, because a logger may block.
type finding struct {
	what     what
	name     string // a copy
	revision int64
	declared evaluator.AttributeType // if what is illTypedAttribute
	got      evaluator.Kind
}

type what uint8

const (
	mistypedFlag what = iota
	missingFlag
	unknownAttribute
	illTypedAttribute
	millisecondTime
)

// logFindings logs what has been found since it was called last.
func (c *Client) logFindings() {
	for _, f := range c.record.drain() {
		switch f.what {
		case mistypedFlag:
			c.log.Warn("a handle has another type than its flag, and serves its default; declare it with the flag's type",
				"flag", f.name, "revision", f.revision)
		case missingFlag:
			c.log.Warn("the program asks for a flag that doesn't exist, and gets the default; publish it, or correct its key",
				"flag", f.name, "revision", f.revision)
		case millisecondTime:
			c.log.Warn("Context.Now takes Unix seconds, and a context has milliseconds; set it to time.Now().Unix()",
				"revision", f.revision)
		case unknownAttribute:
			c.log.Info("a context has an attribute that no flag uses; is its name misspelt?",
				"attribute", f.name, "revision", f.revision)
		case illTypedAttribute:
			c.log.Warn("an attribute of a context has another type than the flag files declare, so rules don't match it",
				"attribute", f.name, "declared", f.declared.String(), "got", f.got.String(), "revision", f.revision)
		}
	}
}
