package sdk

import (
	"errors"
	"sync/atomic"

	"github.com/serin-flags/serin/evaluator"
)

// A Flag is a handle of one flag: its key, its type, and the value served when
// there is nothing better. Declare it once, as a package variable, and use it
// with any number of clients from any number of goroutines. It must not be
// copied.
type Flag[T any] struct {
	key  string
	def  T
	read func(evaluator.Value) (T, bool)

	// Where the flag was found last: in its upper half the number of the
	// snapshot, in its lower half the index in Snapshot.flags. As it refers to
	// no snapshot a handle that is seldom used keeps none alive.
	found atomic.Uint64
}

// Why a [Flag] serves its default although nothing said so: see
// [Explanation].Err.
var (
	// ErrNotReady: the client is nil or has no revision yet.
	ErrNotReady = errors.New("no flags loaded yet")
	// ErrFlagNotFound: the revision has no flag of that key.
	ErrFlagNotFound = errors.New("flag not found")
	// ErrTypeMismatch: the flag's values are not of the handle's type.
	ErrTypeMismatch = errors.New("flag is of another type")
)

// An Explanation is a value and why it is served.
type Explanation[T any] struct {
	Value   T
	Variant string // name of the variant; "" if Err is set
	Reason  evaluator.Reason
	Rule    string // name of the rule that served, or ""
	// MissingUnit is the attribute that the context lacked, so that a rule
	// with a split did not match or the flag's layer did not hold, or "".
	MissingUnit string
	// Metadata is that of the flag and of the rule that served, by name in
	// ascending order. It must not be modified.
	Metadata []evaluator.Attr
	Revision int64 // revision of the flags; 0: none
	// Err is nil, or says why Value is the handle's default and Reason is
	// ReasonError: it wraps [ErrNotReady], [ErrFlagNotFound] or
	// [ErrTypeMismatch].
	Err error
}

// Bool returns a handle of a boolean flag.
func Bool(key string, def bool) *Flag[bool] {
	return &Flag[bool]{key: key, def: def, read: evaluator.Value.Bool}
}

// String returns a handle of a string flag.
func String(key, def string) *Flag[string] {
	return &Flag[string]{key: key, def: def, read: evaluator.Value.Text}
}

// Int returns a handle of an integer flag.
func Int(key string, def int64) *Flag[int64] {
	return &Flag[int64]{key: key, def: def, read: evaluator.Value.Int}
}

// Float returns a handle of a number flag. It serves integer flags too; integers
// beyond ±2^53 are rounded.
func Float(key string, def float64) *Flag[float64] {
	return &Flag[float64]{key: key, def: def, read: evaluator.Value.Float}
}

// Key returns the flag's key.
func (f *Flag[T]) Key() string { return f.key }

// Get returns the flag's value for ctx by c's present revision. If c is nil or
// has no revision yet, or the flag is absent or of another type, that is the
// handle's default; [Flag.Explain] says which. Get never blocks, and doesn't
// allocate, except as [JSON] and package evaluator say. ctx doesn't escape.
func (f *Flag[T]) Get(c *Client, ctx Context) T {
	s := c.Snapshot()
	flag := f.resolve(s)
	if flag == nil {
		return f.def
	}
	if flag.Varies() {
		s.fillIn(flag, &ctx)
	}
	if v, ok := f.read(flag.Evaluate(&ctx).Value()); ok {
		return v
	}
	f.mismatch(s)
	return f.def
}

// Explain is [Flag.Get] and why. [Snapshot.Explain] shows each step.
func (f *Flag[T]) Explain(c *Client, ctx Context) Explanation[T] {
	s := c.Snapshot()
	e := Explanation[T]{Value: f.def, Reason: evaluator.ReasonError, Revision: s.Revision()}
	flag := f.resolve(s)
	if flag == nil {
		e.Err = ErrFlagNotFound
		if s == nil {
			e.Err = ErrNotReady
		}
		return e
	}
	if flag.Varies() {
		s.fillIn(flag, &ctx)
	}
	r := flag.Evaluate(&ctx)
	v, ok := f.read(r.Value())
	if !ok {
		f.mismatch(s)
		e.Err = mismatch[T](r.Value())
		return e
	}
	e.Value, e.Variant, e.Reason, e.Rule, e.MissingUnit = v, r.Variant(), r.Reason(), r.Rule(), r.MissingUnit()
	e.Metadata = r.Metadata()
	return e
}

// resolve returns the flag of a snapshot, nil if it has none. It is short enough
// to be inlined.
func (f *Flag[T]) resolve(s *Snapshot) *evaluator.CompiledFlag {
	if s != nil {
		if found := f.found.Load(); uint32(found>>32) == s.number {
			return s.flags[uint32(found)]
		}
	}
	return f.search(s)
}

// search finds the flag in another snapshot than last time. It often stands where
// it stood before.
func (f *Flag[T]) search(s *Snapshot) *evaluator.CompiledFlag {
	if s == nil {
		return nil
	}
	i := uint32(f.found.Load())
	if i >= uint32(s.Program().Len()) || s.flags[i].Key() != f.key {
		i = s.find(f.key)
	}
	f.found.Store(uint64(s.number)<<32 | uint64(i))
	s.asked.set(i)
	return s.flags[i]
}

// mismatch takes note, once in each revision, that the flag's values are not of
// the handle's type.
func (f *Flag[T]) mismatch(s *Snapshot) {
	if i := s.find(f.key); int(i) < s.program.Len() && s.mistyped.set(i) {
		s.record.mismatch(f.key, s.revision)
	}
}
