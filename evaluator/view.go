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
	known [viewModules]viewModule
}

// A viewModule is the context as the first flag of a Module has found it.
type viewModule struct {
	module atomic.Pointer[Module]
	ready  atomic.Bool // the memos are complete
	memos  [memoSize]memo
}

const (
	// viewKey is the length in bytes of the longest targeting key, and viewAttrs the number
	// of attributes, that don't take an allocation of their own.
	viewKey   = 40
	viewAttrs = 6
	// viewModules is the number of Modules for which a View remembers attributes. Most
	// requests ask for flags of one namespace or two.
	viewModules = 2
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
	if memos := v.memos(f.module); memos != nil {
		e := evaluation{ctx: ctx, memos: memos, shared: true}
		s, variant, missing := e.walk(f.module, f.entry)
		return Result{f, s, variant, missing}
	}
	return f.Evaluate(ctx)
}

// memos returns what is known of the context's attributes in a Module, or nil if there is
// no room for it, or another goroutine is about to find out.
func (v *View) memos(mod *Module) *[memoSize]memo {
	for i := range v.known {
		known := &v.known[i]
		switch known.module.Load() {
		case mod:
			if known.ready.Load() {
				return &known.memos
			}
			return nil
		case nil:
			if !known.module.CompareAndSwap(nil, mod) {
				return nil // rare: this time, do without
			}
			known.fill(mod, &v.ctx)
			known.ready.Store(true)
			return &known.memos
		}
	}
	return nil
}

// fill looks up the attributes of a Module, as many as there are memos.
func (known *viewModule) fill(mod *Module, ctx *Context) {
	for i := range known.memos[:min(len(mod.attributes), memoSize)] {
		known.memos[i] = memo{attribute: uint16(i + 1), symbol: 1}
	}
	for i := range ctx.Attrs {
		a := &ctx.Attrs[i]
		if attribute, ok := mod.index[a.Name]; ok && attribute < memoSize {
			m := &known.memos[attribute]
			m.place, m.symbol = uint32(i+1), 1
			if a.Value.kind == KindString {
				m.symbol = 1 + mod.symbol(a.Value.str)
			}
		}
	}
	if ctx.Key != "" && mod.unit < memoSize {
		m := &known.memos[mod.unit]
		m.place, m.symbol = placeKey, 1+mod.symbol(ctx.Key)
	}
}
