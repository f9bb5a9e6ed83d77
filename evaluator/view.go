package evaluator

import (
	"strings"
	"sync/atomic"
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

// A viewModule is what is known about the context in a Module.
type viewModule struct {
	module  atomic.Pointer[Module]
	ready   atomic.Bool                // the rest is set, and won't be written
	sieves  bool                       // sieves can represent all numbers
	numbers [memoSize]uint64           // of attributes, by rank
	next    atomic.Pointer[viewModule] // what is known in another Module
}

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
func (v *View) Set(ctx Context) {
	v.ctx.Now, v.ctx.Age, v.ctx.Chance = ctx.Now, ctx.Age, ctx.Chance
	if len(ctx.Key) <= viewKey {
		v.ctx.Key = view(v.key[:copy(v.key[:], ctx.Key)])
	} else {
		v.ctx.Key = strings.Clone(ctx.Key)
	}
	v.ctx.Attrs = append(v.attrs[:0], ctx.Attrs...)
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
	if s := w.serve; s != nil {
		if s.kind == 0 {
			return Result{f, s, s.variant, 0}
		}
		if ctx.Key != "" {
			return Result{f, s, f.module.pick(s, positionOf(ctx.Key, s.seed), ctx.Now), 0}
		}
	}
	var memos [memoSize]memo
	e := evaluation{ctx: ctx, memos: &memos, numbers: numbers}
	s, variant, missing := e.walk(f.module, w.pc)
	return Result{f, s, variant, missing}
}

// in returns what is known about the context in a Module, or nil if another goroutine is about to
// find out: rare enough to do without this time.
func (v *View) in(mod *Module) *viewModule {
	for known := &v.known; ; known = known.another() {
		switch known.module.Load() {
		case mod:
			if known.ready.Load() {
				return known
			}
			return nil
		case nil:
			if !known.module.CompareAndSwap(nil, mod) {
				return nil
			}
			known.fill(mod, &v.ctx)
			known.ready.Store(true)
			return known
		}
	}
}

// another returns what is known in the next Module, or room for it.
func (known *viewModule) another() *viewModule {
	if known.next.Load() == nil {
		known.next.CompareAndSwap(nil, new(viewModule))
	}
	return known.next.Load()
}

// fill looks up the attributes.
func (known *viewModule) fill(mod *Module, ctx *Context) {
	known.sieves = true
	for rank := range mod.ranked {
		r := &mod.ranked[rank]
		if r.name == "" {
			break
		}
		n, ok := r.number(ctx, mod.place(r.attribute, ctx))
		known.numbers[rank], known.sieves = n, known.sieves && ok
	}
}
