package sdk

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/serin-flags/serin/evaluator"
)

// JSON returns a handle for an object flag. Its values are decoded into T like by
// [json.Unmarshal]: members that T lacks are ignored, and fields that the JSON lacks
// are zero, not def's. A value that can't be decoded, or that makes T's UnmarshalJSON
// panic, counts as one of another type, so def is served. If T is [json.RawMessage],
// the value is the JSON itself.
//
// A value is decoded when it is first served, which allocates, and then shared by all
// callers. Don't modify what it refers to, such as the content of a map or a slice.
func JSON[T any](key string, def T) *Flag[T] {
	return &Flag[T]{key: key, def: def, read: new(objects[T]).read}
}

// objects are the values that a handle has decoded. They survive new revisions, most of
// which don't change the flag.
type objects[T any] struct {
	decoded atomic.Pointer[[]object[T]] // never modified; nil: none yet
}

type object[T any] struct {
	of    evaluator.Value
	size  int // of the JSON
	value T
	ok    bool // decoding worked
}

// Limits on what a handle keeps decoded. A flag has fewer values, and a flag file is
// smaller, so anything beyond them comes from revisions that are long gone.
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

// find returns the decoded v, or nil if v hasn't been decoded.
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

// decode decodes v and keeps the result, unless another goroutine was faster.
func (o *objects[T]) decode(v evaluator.Value) (T, bool) {
	var fresh object[T]
	if v.Kind() != evaluator.KindObject {
		return fresh.value, false
	}
	text := v.JSON()
	fresh.ok = unmarshal(text, &fresh.value) == nil
	// Copy the text: v's own may keep a whole revision in memory.
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

// unmarshal is json.Unmarshal, but returns panics as errors. A type's UnmarshalJSON may
// not expect every JSON, and editing a flag must not be able to crash programs.
func unmarshal[T any](text []byte, value *T) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return json.Unmarshal(text, value)
}

// with returns list, which may be nil, plus o, or just o if that would be too much.
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

// mismatch returns the error for a value that a handle can't read.
func mismatch[T any](v evaluator.Value) error {
	if v.Kind() == evaluator.KindObject {
		var t T
		if err := unmarshal(v.JSON(), &t); err != nil {
			return fmt.Errorf("%w: %w", ErrTypeMismatch, err)
		}
	}
	return ErrTypeMismatch
}
