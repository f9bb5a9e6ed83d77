package sdk

import (
	"math/rand/v2"
	"time"

	"github.com/serin-flags/serin/evaluator"
)

// A View answers for one context and one revision of the flags. It is for code that reads
// several flags, such as for one request: the answers are consistent, and what was looked
// up in the context for one flag needn't be looked up for the next.
//
//	view := client.For(sdk.User("u-42", sdk.Attr("city", "shenzhen")))
//	if NewCheckout.In(view) { … }
//
// A View is immutable and safe for concurrent use. It keeps its revision in memory, so
// don't keep it longer than a request. A nil View serves the defaults of handles.
type View struct {
	snapshot *Snapshot
	view     evaluator.View
}

// For returns a View of the current revision for ctx. It doesn't allocate if the View doesn't
// escape from the function that calls For. Otherwise it allocates once. It allocates once more if
// ctx has more than 6 attributes or a targeting key of more than 40 bytes. It neither retains nor
// modifies ctx.Attrs. Flags that depend on time are evaluated for the moment at which the View was
// created.
func (c *Client) For(ctx Context) *View { // short enough to be inlined
	v := new(View)
	v.set(c, nil, &ctx)
	return v
}

// For returns a View of s for ctx, as [Client.For] does.
func (s *Snapshot) For(ctx Context) *View {
	v := new(View)
	v.set(nil, s, &ctx)
	return v
}

// set sets what v is about: c's Snapshot or s, and ctx, which it may modify.
func (v *View) set(c *Client, s *Snapshot, ctx *Context) {
	if s == nil {
		s = c.Snapshot()
	}
	if s == nil {
		return
	}
	s.sample(ctx)
	if s.clock {
		now := time.Now()
		if ctx.Now == 0 {
			ctx.Now = now.Unix()
		}
		if ctx.Age == 0 {
			ctx.Age = s.record.age(now)
		}
	}
	v.snapshot = s
	v.view.Set(ctx)
}

// Snapshot returns the revision that v answers from. It is nil if v is nil, or if there was no revision
// yet.
func (v *View) Snapshot() *Snapshot {
	if v == nil {
		return nil
	}
	return v.snapshot
}

// In returns the flag's value for v's context in v's revision. It returns the handle's
// default if v has no revision, or if the flag is missing or has another type. In never blocks. It
// allocates when [Flag.Get] does, and once for each further namespace that v is asked about.
func (f *Flag[T]) In(v *View) T {
	s := v.Snapshot()
	flag := f.resolve(s, nil)
	if flag == nil {
		return f.def
	}
	if value, ok := f.read(v.evaluate(flag).Value()); ok {
		return value
	}
	f.mismatch(s)
	return f.def
}

// evaluate evaluates a flag. One that splits by chance is drawn again.
func (v *View) evaluate(flag *evaluator.CompiledFlag) evaluator.Result {
	if flag.UsesChance() {
		return v.view.EvaluateChance(flag, rand.Uint32())
	}
	return v.view.Evaluate(flag)
}
