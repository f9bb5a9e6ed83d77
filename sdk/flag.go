package sdk

import (
	"errors"
	"sync/atomic"

	"github.com/serin-flags/serin/evaluator"
)

// A Flag is a handle for one flag: its key, its type, and the default to serve when
// there is nothing better. Declare it once, as a package variable, and use it with
// any number of clients and goroutines. It must not be copied.
type Flag[T any] struct {
	key  string
	def  T
	read func(evaluator.Value) (T, bool)

	// found caches where the flag was found last: Snapshot.number in the upper
	// half, and the index in Snapshot.flags in the lower half. It isn't a pointer,
	// so a handle that is rarely used keeps no snapshot alive.
	found atomic.Uint64
}

// Reasons for a [Flag] to serve its default: see [Explanation].Err.
var (
	// ErrNotReady: the client is nil or has no revision yet.
	ErrNotReady = errors.New("no flags loaded yet")
	// ErrFlagNotFound: the revision has no flag with that key.
	ErrFlagNotFound = errors.New("flag not found")
	// ErrTypeMismatch: the flag's values don't have the handle's type.
	ErrTypeMismatch = errors.New("flag has another type")
)

// An Explanation is a value and why it was served.
type Explanation[T any] struct {
	Value   T
	Variant string // name of the variant; "" if Err is set
	Reason  evaluator.Reason
	Rule    string // name of the rule that served, or ""
	// MissingUnit is the attribute that a rule with a split, or the flag's
	// layer, needed and the context lacked; "" if none.
	MissingUnit string
	Arm         string // see [Flag.Arm]
	// Metadata is the metadata of the flag and of the rule that served, sorted
	// by name. It must not be modified.
	Metadata []evaluator.Attr
	Revision int64 // revision of the flags; 0: none
	// Err says why Value is the handle's default and Reason is ReasonError: it
	// wraps [ErrNotReady], [ErrFlagNotFound] or [ErrTypeMismatch]. Otherwise it
	// is nil.
	Err error
}

// Bool returns a handle for a boolean flag.
func Bool(key string, def bool) *Flag[bool] {
	return &Flag[bool]{key: key, def: def, read: evaluator.Value.Bool}
}

// String returns a handle for a string flag.
func String(key, def string) *Flag[string] {
	return &Flag[string]{key: key, def: def, read: evaluator.Value.Text}
}

// Int returns a handle for an integer flag.
func Int(key string, def int64) *Flag[int64] {
	return &Flag[int64]{key: key, def: def, read: evaluator.Value.Int}
}

// Float returns a handle for a number flag. It also works for integer flags;
// integers beyond ±2^53 are rounded.
func Float(key string, def float64) *Flag[float64] {
	return &Flag[float64]{key: key, def: def, read: evaluator.Value.Float}
}

// Key returns the flag's key.
func (f *Flag[T]) Key() string { return f.key }

// Get returns the flag's value for ctx in c's current revision. It returns the
// handle's default if c is nil or has no revision yet, or if the flag is missing or
// has another type; [Flag.Explain] says which. Get never blocks. It doesn't allocate,
// with the exceptions that [JSON] and package evaluator document. ctx doesn't escape.
func (f *Flag[T]) Get(c *Client, ctx Context) T {
	s := c.Snapshot()
	flag := f.resolve(s, &ctx)
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

// Explain returns the same value as [Flag.Get], and why. [Snapshot.Explain] shows
// each step of the evaluation.
func (f *Flag[T]) Explain(c *Client, ctx Context) Explanation[T] {
	s := c.Snapshot()
	e := Explanation[T]{Value: f.def, Reason: evaluator.ReasonError, Revision: s.Revision()}
	flag := f.resolve(s, &ctx)
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
	e.Arm, e.Metadata = r.Arm(), r.Metadata()
	return e
}

// Arm returns on which side of a guarded ramp ctx is: "new" if the ramp serves it the variant
// that grows, "rest" if the rule of the ramp matches and the ramp leaves it to the default, and
// "" in all other cases, such as if no guarded ramp serves it. Use it as the label of metrics
// that a guard compares; it has no other values. Like [Flag.Get], it neither blocks nor
// allocates.
func (f *Flag[T]) Arm(c *Client, ctx Context) string {
	s := c.Snapshot()
	flag := f.resolve(s, &ctx)
	if flag == nil {
		return ""
	}
	if flag.Varies() {
		s.fillIn(flag, &ctx)
	}
	return flag.Evaluate(&ctx).Arm()
}

// resolve returns the flag in a snapshot, nil if there is none. It is short enough to
// be inlined. ctx, which may be nil, is what the flag is going to be evaluated for.
func (f *Flag[T]) resolve(s *Snapshot, ctx *Context) *evaluator.CompiledFlag {
	if s != nil {
		if found := f.found.Load(); uint32(found>>32) == s.number.Load() {
			return s.flags[uint32(found)]
		}
	}
	return f.search(s, ctx)
}

// search finds the flag in a snapshot other than the last one, or after a poll. It often
// has the same index there. Being the slow path, it also looks for mistakes of the
// program.
func (f *Flag[T]) search(s *Snapshot, ctx *Context) *evaluator.CompiledFlag {
	if s == nil {
		return nil
	}
	i := uint32(f.found.Load())
	if i >= uint32(s.Program().Len()) || s.flags[i].Key() != f.key {
		i = s.find(f.key)
	}
	f.found.Store(uint64(s.number.Load())<<32 | uint64(i))
	s.asked.set(i)
	if s.flags[i] == nil {
		s.lacksFlag(f.key)
	}
	if ctx != nil && s.inspected.set(i) {
		s.inspect(ctx)
	}
	return s.flags[i]
}

// mismatch records, once per revision, that the flag's values don't have the handle's
// type.
func (f *Flag[T]) mismatch(s *Snapshot) {
	if i := s.find(f.key); int(i) < s.program.Len() && s.mistyped.set(i) {
		s.record.note(finding{what: mistypedFlag, name: f.key, revision: s.revision})
	}
}
