package evaluator

import (
	"slices"
	"strconv"
)

// A Program is a compiled set of flags. It is immutable and safe for concurrent
// use. A nil Program has no flags.
//
// The rules of all flags stand in one array of instructions. A test goes on at
// one of two places, so that any nesting of All, Any and Not, and the step from
// one rule to the next, becomes a walk from instruction to instruction without
// a stack.
type Program struct {
	unit       string
	attributes []Attribute
	flags      map[string]*CompiledFlag
	keys       []string
	segments   []segment
	code       []instr
}

// An instr is one step of an evaluation.
type instr struct {
	op        opcode
	attribute uint16 // index of the attribute tested, or of a split's unit
	yes, no   uint32 // where to go on
	test      test   // opTest
	segment   uint32 // opSegment
	serve     *serve // opServe, opSplit
}

type opcode uint8

const (
	opTest    opcode = iota // does test hold for the attribute?
	opExists                // does the context have the attribute?
	opSegment               // is the attribute's value a member of the segment?
	opTrue                  // the end of a segment's condition: it holds
	opFalse                 // the end of a segment's condition: it doesn't
	opServe                 // the end: serve a variant
	opSplit                 // the end: serve a variant by position; no unit: no
)

// serve is the outcome of an evaluation.
type serve struct {
	rule    int32 // -1: none
	reason  Reason
	variant uint16 // opServe

	// opSplit: variants[i] owns the positions up to and including ends[i] and
	// beyond ends[i-1].
	chance   bool
	seed     uint32
	ends     []uint32
	variants []uint16
}

// A segment is a compiled Segment.
type segment struct {
	include, exclude stringSet
	when             uint32 // where its condition starts
}

// A CompiledFlag is a flag ready to be evaluated. It is immutable and safe for
// concurrent use.
type CompiledFlag struct {
	key      string
	typ      Type
	program  *Program
	variants []Variant
	rules    []string // names
	entry    uint32   // where its first rule starts
	chance   bool
}

// Flag returns the flag with that key, or nil if there is none. Callers that
// evaluate a flag often keep it for as long as they use the Program.
func (p *Program) Flag(key string) *CompiledFlag {
	if p == nil {
		return nil
	}
	return p.flags[key]
}

// Keys returns the keys of all flags in ascending order.
func (p *Program) Keys() []string {
	if p == nil {
		return nil
	}
	return slices.Clone(p.keys)
}

// Unit returns the name of the attribute that a context's targeting key stands
// for; "" if the Program has no flags.
func (p *Program) Unit() string {
	if p == nil {
		return ""
	}
	return p.unit
}

// AttributeType returns the declared type of an attribute, and whether any
// ruleset of the Program declares it.
func (p *Program) AttributeType(name string) (AttributeType, bool) {
	if p == nil {
		return 0, false
	}
	for _, a := range p.attributes {
		if a.Name == name {
			return a.Type, true
		}
	}
	return 0, false
}

// Key returns the flag's key.
func (f *CompiledFlag) Key() string { return f.key }

// Type returns the type of the flag's values.
func (f *CompiledFlag) Type() Type { return f.typ }

// Program returns the Program that f belongs to.
func (f *CompiledFlag) Program() *Program { return f.program }

// UsesChance reports whether the answer may depend on [Context.Chance].
func (f *CompiledFlag) UsesChance() bool { return f.chance }

// Evaluate returns the variant that ctx is served, and why. A nil flag's result
// has [ReasonError].
//
// It does not allocate, except to find that text of a plausible length is not
// an IP address, to fold text longer than 64 bytes, and now and then to renew
// the space that regular expressions work in. But it makes the caller allocate:
// Attrs, and a Key that is put together, have to be on the heap.
func (f *CompiledFlag) Evaluate(ctx Context) Result {
	if f == nil {
		return Result{}
	}
	p := f.program
	var missing uint16
	for pc := f.entry; ; {
		in := &p.code[pc]
		var ok bool
		switch in.op {
		case opServe:
			return Result{f, in.serve, in.serve.variant, missing}
		case opSplit:
			s := in.serve
			position, ok := p.position(in, &ctx)
			if ok {
				return Result{f, s, s.pick(position), missing}
			}
			missing = in.attribute + 1
		default:
			ok = p.holds(in, &ctx)
		}
		if ok {
			pc = in.yes
		} else {
			pc = in.no
		}
	}
}

// holds reports the outcome of a test.
func (p *Program) holds(in *instr, ctx *Context) bool {
	v := p.value(in.attribute, ctx)
	switch in.op {
	case opTest:
		return in.test.holds(v)
	case opExists:
		return v.kind != NoKind
	case opSegment:
		return p.member(&p.segments[in.segment], v, ctx)
	}
	return false
}

// member reports whether v is a member of a segment. Segments refer to each
// other without cycles, which [Compile] has made sure of.
func (p *Program) member(s *segment, v Value, ctx *Context) bool {
	name := v.str
	switch v.kind {
	case StringKind:
	case IntKind:
		var buf [20]byte
		name = view(strconv.AppendInt(buf[:0], int64(v.num), 10))
	default:
		return false
	}
	if s.exclude.has(name) {
		return false
	}
	if s.include.has(name) {
		return true
	}
	for pc := s.when; ; {
		in := &p.code[pc]
		switch in.op {
		case opTrue:
			return true
		case opFalse:
			return false
		}
		if p.holds(in, ctx) {
			pc = in.yes
		} else {
			pc = in.no
		}
	}
}

// value returns the context's value of an attribute, or the zero Value.
func (p *Program) value(attribute uint16, ctx *Context) Value {
	name := p.attributes[attribute].Name
	if ctx.Key != "" && name == p.unit {
		return StringValue(ctx.Key)
	}
	for i := len(ctx.Attrs) - 1; i >= 0; i-- {
		if ctx.Attrs[i].Name == name {
			return ctx.Attrs[i].Value
		}
	}
	return Value{}
}

// position returns the position that a split's unit has in a context, and
// whether there is such a unit.
func (p *Program) position(in *instr, ctx *Context) (uint32, bool) {
	if in.serve.chance {
		return ctx.Chance, true
	}
	return position(p.value(in.attribute, ctx), in.serve.seed)
}

// pick returns the variant that owns a position.
func (s *serve) pick(position uint32) uint16 {
	for i, end := range s.ends {
		if position <= end {
			return s.variants[i]
		}
	}
	return s.variants[len(s.variants)-1] // not reached: the last end is the last position
}
