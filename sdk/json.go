package sdk

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/serin-flags/serin/evaluator"
)

// JSON returns a handle of an object flag, whose values are decoded from JSON
// into T as [json.Unmarshal] does: what the JSON has and T lacks is passed over,
// and what it lacks is T's zero value, not def's. A value that can't be decoded
// is one of another type, so that def is served; so is one that T's own UnmarshalJSON
// panics over. With [json.RawMessage] for T it is the JSON itself.
//
// A value is decoded when it is first served, which allocates, and kept. Callers
// are handed the same one then: what it refers to, such as the content of a map
// or a slice, must not be modified.
func JSON[T any](key string, def T) *Flag[T] {
	return &Flag[T]{key: key, def: def, read: new(objects[T]).read}
}

// objects are the values that a handle has decoded. They stay when there is a new
// revision: most change nothing about the flag.
type objects[T any] struct {
	decoded atomic.Pointer[[]object[T]] // never modified; nil: none yet
}

type object[T any] struct {
	of    evaluator.Value
	size  int // of the JSON
	value T
	ok    bool // it could be decoded
}

// How much a handle keeps decoded: more values than a flag has, and more JSON
// than a flag file has room for, so that most of it is of revisions long gone.
const (
	maxDecoded     = 256
	maxDecodedSize = 4 << 20 // in bytes of JSON
)

func (o *objects[T]) read(v evaluator.Value) (T, bool) {
	if found := o.find(v); found != nil {
		return found.value, found.ok
	}
	return o.decode(v)
}

// find returns what v was decoded to, nil if it wasn't yet.
func (o *objects[T]) find(v evaluator.Value) *object[T] {
	list := o.decoded.Load()
	if list == nil {
		return nil
	}
	for i := range *list {
		if (*list)[i].of == v {
			return &(*list)[i]
		}
	}
	return nil
}

// decode decodes v and keeps that, unless another goroutine was quicker.
func (o *objects[T]) decode(v evaluator.Value) (T, bool) {
	var fresh object[T]
	if v.Kind() != evaluator.KindObject {
		return fresh.value, false
	}
	text := v.JSON()
	fresh.ok = unmarshal(text, &fresh.value) == nil
	// v's own text may keep a whole revision in memory.
	fresh.of, fresh.size = evaluator.ObjectValue(string(text)), len(text)
	for {
		before := o.decoded.Load()
		if found := o.find(v); found != nil {
			return found.value, found.ok
		}
		after := with(before, fresh)
		if o.decoded.CompareAndSwap(before, &after) {
			return fresh.value, fresh.ok
		}
	}
}

// unmarshal is json.Unmarshal. A type's own UnmarshalJSON may not expect every JSON;
// whoever edits a flag must not be able to take programs down.
func unmarshal[T any](text []byte, value *T) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return json.Unmarshal(text, value)
}

// with returns a list, which may be nil, and one object more; that one alone if
// it would be too much.
func with[T any](list *[]object[T], o object[T]) []object[T] {
	if list == nil || len(*list) == maxDecoded {
		return []object[T]{o}
	}
	size := o.size
	for i := range *list {
		size += (*list)[i].size
	}
	if size > maxDecodedSize {
		return []object[T]{o}
	}
	return append(slices.Clone(*list), o)
}

// mismatch returns the error of a value that a handle can't read.
func mismatch[T any](v evaluator.Value) error {
	if v.Kind() == evaluator.KindObject {
		var t T
		if err := unmarshal(v.JSON(), &t); err != nil {
			return fmt.Errorf("%w: %w", ErrTypeMismatch, err)
		}
	}
	return ErrTypeMismatch
}
