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

// A viewModule is what is known about the context in a Module: about the attributes that have a
// rank, which is also their index.
type viewModule struct {
	module  atomic.Pointer[Module]
	ready   atomic.Bool // the rest is set, and won't be written
	sieves  bool        // numbers are complete
	places  [memoSize]uint32
	numbers [memoSize]uint64
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
	known := v.in(f.module)
	if known == nil {
		return f.Evaluate(ctx)
	}
	mod, pc := f.module, f.entry
	if known.sieves {
		pc = f.sieve().next(&known.numbers)
		// What a walk would do, for what most flags serve.
		switch in := &mod.code[pc]; in.op {
		case codeServe:
			s := &mod.serves[in.arg]
			return Result{f, s, s.variant, 0}
		case codeSplit:
			if s := &mod.serves[in.arg]; s.kind&splitChance == 0 && in.attribute == mod.unit && ctx.Key != "" {
				return Result{f, s, mod.pick(s, positionOf(ctx.Key, s.seed), ctx.Now), 0}
			}
		}
	}
	e := evaluation{ctx: ctx, view: known}
	s, variant, missing := e.walk(mod, pc)
	return Result{f, s, variant, missing}
}

// in returns what is known about the context in a Module, or nil if there is no room for it, or
// another goroutine is about to find out.
func (v *View) in(mod *Module) *viewModule {
	for i := range v.known {
		known := &v.known[i]
		switch known.module.Load() {
		case mod:
			if known.ready.Load() {
				return known
			}
			return nil
		case nil:
			if !known.module.CompareAndSwap(nil, mod) {
				return nil // rare: this time, do without
			}
			known.fill(mod, &v.ctx)
			known.ready.Store(true)
			return known
		}
	}
	return nil
}

// fill looks up the attributes.
func (known *viewModule) fill(mod *Module, ctx *Context) {
	known.sieves = true
	for i, attribute := range mod.ranked {
		rank := i % memoSize
		known.places[rank] = lastPlace(ctx.Attrs, mod.attributes[attribute].Name)
		if attribute == mod.unit && ctx.Key != "" {
			known.places[rank] = placeKey
		}
		var ok bool
		known.numbers[rank], ok = mod.number(attribute, ctx.at(known.places[rank]))
		known.sieves = known.sieves && ok
	}
}

// memo returns what is known about an attribute, and whether it has a rank.
func (known *viewModule) memo(mod *Module, attribute uint16) (m memo, ok bool) {
	rank := mod.ranks[attribute]
	if rank >= memoSize {
		return memo{}, false
	}
	m.place = known.places[rank]
	if mod.attributes[attribute].Type == AttrString {
		m.symbol = 1 + uint32(known.numbers[rank])
	}
	return m, true
}
