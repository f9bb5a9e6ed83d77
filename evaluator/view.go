package evaluator

import (
	"slices"
	"strings"
	"sync/atomic"
	"unsafe"
)

// A View is a context to evaluate several flags for. What is looked up in the context for
// one flag, such as where an attribute is, needn't be looked up for the next. A View is
// safe for concurrent use once [View.Set] has set its context. It must not be copied then.
type View struct {
	ctx   Context
	key   [viewKey]byte   // room for ctx.Key
	attrs [viewAttrs]Attr // room for ctx.Attrs
	known viewModule
}

// A viewModule is what is known about the context in a Module. It has no atomic.Pointer, because what
// has one escapes to the heap.
type viewModule struct {
	state   atomic.Uint32 // viewEmpty, then viewBusy, then viewReady
	more    atomic.Uint32 // the same of next
	sieves  bool          // sieves can represent all numbers
	module  *Module
	next    *viewModule      // what is known in another Module
	numbers [memoSize]uint64 // of attributes, by rank
}

const (
	viewEmpty = iota
	viewBusy  // a goroutine sets the rest
	viewReady // the rest is set, and won't be written
)

// viewKey is the length in bytes of the longest targeting key, and viewAttrs the number of
// attributes, that don't take an allocation of their own. A View that takes up more than 512 bytes
// would take longer to allocate.
const (
	viewKey   = 40
	viewAttrs = 6
)

// Set sets the View's context; the View must be new. It retains neither ctx.Key nor
// ctx.Attrs, only the strings of the attributes. So these needn't be allocated: Set copies
// up to 40 bytes and 6 attributes without allocating.
//
// The copies are parts of the View, which doesn't escape to the heap for that: see hidden.
func (v *View) Set(ctx *Context) {
	v.ctx.Now, v.ctx.Age, v.ctx.Chance = ctx.Now, ctx.Age, ctx.Chance
	if n := copy(v.key[:], ctx.Key); n == len(ctx.Key) {
		v.ctx.Key = hidden(view(v.key[:n]))
	} else {
		v.ctx.Key = strings.Clone(ctx.Key)
	}
	if n := copy(v.attrs[:], ctx.Attrs); n == len(ctx.Attrs) {
		address := uintptr(unsafe.Pointer(&v.attrs))
		v.ctx.Attrs = (*(**[viewAttrs]Attr)(unsafe.Pointer(&address)))[:n]
	} else {
		v.ctx.Attrs = slices.Clone(ctx.Attrs)
	}
}

// Evaluate is [CompiledFlag.Evaluate] for the View's context.
func (v *View) Evaluate(f *CompiledFlag) Result { return v.evaluate(f, &v.ctx) }

// EvaluateChance is Evaluate with another [Context].Chance than the View's context has.
func (v *View) EvaluateChance(f *CompiledFlag, chance uint32) Result {
	ctx := v.ctx
	ctx.Chance = chance
	return v.evaluate(f, &ctx)
}

// evaluate evaluates f for a context with the View's key and attributes.
func (v *View) evaluate(f *CompiledFlag, ctx *Context) Result {
	if f == nil {
		return Result{}
	}
	w := &f.way
	if f.list != nil && ctx.Key != "" {
		w = f.behindList(ctx.Key)
	}
	var numbers *[memoSize]uint64
	if w.serve == nil {
		if known := v.in(f.module); known != nil {
			numbers = &known.numbers
			if sieve := f.sieve(); known.sieves && sieve.start == w.pc {
				w = sieve.next(numbers)
			}
		}
	}
	return f.follow(w, ctx, numbers)
}

// in returns what is known about the context in a Module, or nil if another goroutine is about to
// find out: rare enough to do without this time.
func (v *View) in(mod *Module) *viewModule {
	for known := &v.known; known != nil; known = known.another() {
		switch {
		case known.state.Load() == viewReady:
			if known.module == mod {
				return known
			}
		case known.state.CompareAndSwap(viewEmpty, viewBusy):
			known.fill(mod, &v.ctx)
			known.state.Store(viewReady)
			return known
		default:
			return nil
		}
	}
	return nil
}

// another returns what is known in the next Module, or room for it, or nil as in does.
func (known *viewModule) another() *viewModule {
	if known.more.CompareAndSwap(viewEmpty, viewBusy) {
		known.next = new(viewModule)
		known.more.Store(viewReady)
	}
	if known.more.Load() != viewReady {
		return nil
	}
	return known.next
}

// fill looks up the attributes.
func (known *viewModule) fill(mod *Module, ctx *Context) {
	known.module, known.sieves = mod, true
	for rank := range mod.ranked {
		r := &mod.ranked[rank]
		if r.name == "" {
			break
		}
		n, ok := r.number(ctx, mod.place(r.attribute, ctx))
		known.numbers[rank], known.sieves = n, known.sieves && ok
	}
}
