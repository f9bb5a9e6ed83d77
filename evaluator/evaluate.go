package evaluator

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Evaluate returns the variant that ctx is served, and why. A nil flag's result has
// [ReasonError]. ctx must not be nil. Evaluate neither modifies nor retains it.
//
// Evaluate doesn't allocate, with these exceptions: parsing an IP address that turns out
// to be invalid, folding a string longer than 64 bytes, matching Key with a regular
// expression, and the buffers of package regexp, which it pools.
func (f *CompiledFlag) Evaluate(ctx *Context) Result {
	if f == nil {
		return Result{}
	}
	way := &f.way
	if f.list != nil && ctx.Key != "" {
		way = &f.unlisted
		if f.list.has(ctx.Key) {
			way = &f.listed
		}
	}
	if s := way.serve; s != nil {
		if s.kind == 0 {
			return Result{f, s, s.variant, 0}
		}
		if ctx.Key != "" {
			if uint32(hash(ctx.Key, s.seed)>>32) <= s.end { // positionOf, without the call
				return Result{f, s, s.variant, 0}
			}
			return Result{f, s, s.last, 0}
		}
	}
	s, variant, missing := f.module.walk(way.pc, ctx, nil)
	return Result{f, s, variant, missing}
}

// A slot is a context's value of one attribute, and what was computed from it.
type slot struct {
	value     Value
	symbol    uint32
	isVersion bool // of semver attributes: version and order are set
	version   version
	order     uint64
	addr      netip.Addr // of IP attributes; the zero Addr if the value isn't an address
	id        hashed     // of attributes that splits use as units
}

// resolve returns a slot for each attribute of the module.
func (mod *Module) resolve(ctx *Context) []slot {
	slots := make([]slot, len(mod.attributes))
	for _, a := range ctx.Attrs {
		if i, ok := mod.index[a.Name]; ok {
			slots[i].value = a.Value
		}
	}
	if ctx.Key != "" {
		slots[mod.unit].value = StringValue(ctx.Key)
	}
	for i := range slots {
		s := &slots[i]
		switch mod.attributes[i].Type {
		case AttrString:
			if s.value.kind == KindString {
				s.symbol = mod.symbols[s.value.str]
			}
		case AttrSemver:
			s.version, s.isVersion = versionOf(s.value, nil)
			s.order = s.version.order()
		case AttrIP:
			s.addr = addrOf(s.value)
		}
	}
	for _, i := range mod.splitters {
		slots[i].id = newHashed(slots[i].value)
	}
	return slots
}

// walk executes instructions from pc on. For a flag it returns the outcome, and for the
// condition of a segment 1 or 0 as the variant. missing is 1 + the index of the unit that
// was missing last, or 0. slots, which may be nil, are those of ctx.
func (mod *Module) walk(pc uint32, ctx *Context, slots []slot) (s *serve, variant, missing uint16) {
	for {
		in := &mod.code[pc]
		ok := false
		switch in.op {
		case codeServe:
			s := &mod.serves[in.arg]
			return s, s.variant, missing
		case codeSplit:
			s := &mod.serves[in.arg]
			position := ctx.Chance
			switch {
			case s.kind&splitChance != 0:
			case in.attribute == mod.unit && ctx.Key != "":
				position = positionOf(ctx.Key, s.seed)
			default:
				if position, ok = mod.position(in.attribute, s.seed, ctx, slots); !ok {
					missing = in.attribute + 1
					pc = in.no
					continue
				}
			}
			return s, mod.pick(s, position, ctx.Now), missing
		case codeSplitOther:
			s := &mod.serves[in.arg]
			if variant, ok = mod.splitOther(s, ctx, slots); ok {
				return s, variant, missing
			}
			missing = in.attribute + 1
		case codeIs:
			if slots != nil {
				ok = slots[in.attribute].symbol == in.arg
			} else if text, found := mod.text(in.attribute, ctx); found {
				ok = text == mod.texts[in.arg]
			}
		case codeIn:
			operands := mod.operands[in.arg : in.arg+uint32(in.n)]
			if slots != nil {
				symbol := slots[in.attribute].symbol
				for _, operand := range operands {
					ok = ok || operand == symbol
				}
			} else if text, found := mod.text(in.attribute, ctx); found {
				for _, operand := range operands {
					ok = ok || text == mod.texts[operand]
				}
			}
		case codeBetween:
			v := mod.value(in.attribute, ctx, slots)
			ok = v.kind == KindInt && mod.between(in.arg, int64(v.num))
		case codeVersion:
			order, isVersion := mod.order(in.attribute, ctx, slots)
			ok = isVersion && mod.versions[in.arg].has(order)
		case codeReserve:
			r := &mod.reservations[in.arg]
			position, hasUnit := mod.bucketings[r.bucketing].of(mod.value(in.attribute, ctx, slots))
			if !hasUnit {
				missing = in.attribute + 1
			}
			ok = hasUnit && r.has(position)
		case codeStale:
			ok = ctx.Age > int64(in.arg)
		case codeTrue:
			return nil, 1, 0
		case codeFalse:
			return nil, 0, 0
		default:
			ok = mod.holds(in, ctx, slots)
		}
		if ok {
			pc = in.yes
		} else {
			pc = in.no
		}
	}
}

// splitOther returns the variant of a split that doesn't use HashMurmur3, and whether ctx
// has its unit.
func (mod *Module) splitOther(s *serve, ctx *Context, slots []slot) (variant uint16, ok bool) {
	position, ok := mod.bucketings[s.seed].of(mod.value(s.unit, ctx, slots))
	if !ok {
		return 0, false
	}
	return mod.pickOther(s, position, ctx.Now), true
}

// holds returns the outcome of a test that walk doesn't handle itself.
func (mod *Module) holds(in *instr, ctx *Context, slots []slot) bool {
	switch in.op {
	case codeTest:
		if slots != nil {
			s := &slots[in.attribute]
			return holds(mod.tests[in.arg], s.value, s)
		}
		return holds(mod.tests[in.arg], mod.value(in.attribute, ctx, nil), nil)
	case codeAddr:
		return holdsAddr(mod.tests[in.arg], mod.addr(in.attribute, ctx, slots))
	case codeBucket:
		bucket, ok := mod.tests[in.arg].(bucketTest)
		return ok && bucket.has(mod.value(in.attribute, ctx, slots))
	case codeMatch:
		return mod.matches(in, ctx)
	case codeExists:
		return mod.value(in.attribute, ctx, slots).kind != KindNone
	case codeSegment:
		return mod.member(&mod.segments[in.arg], mod.value(in.attribute, ctx, slots), ctx, slots)
	case codeServes:
		r := &mod.requirements[in.arg]
		_, variant, _ := mod.walk(mod.flags[r.flag].entry, ctx, slots)
		return slices.Contains(r.variants, variant)
	case codeIDs:
		text, ok := mod.text(in.attribute, ctx)
		return ok && mod.ids[in.arg].has(text)
	case codePeriod:
		return mod.ints[in.arg] <= ctx.Now && ctx.Now < mod.ints[in.arg+1]
	case codeWindow:
		return mod.windows[in.arg].has(ctx.Now)
	}
	return false
}

// order returns the order of the version that is the context's value of an attribute, and
// whether it is a version.
func (mod *Module) order(attribute uint16, ctx *Context, slots []slot) (order uint64, ok bool) {
	if slots != nil {
		s := &slots[attribute]
		return s.order, s.isVersion
	}
	if a := mod.attr(attribute, ctx); a != nil && a.Value.kind == KindString {
		return parseOrder(a.Value.str)
	}
	return 0, false
}

// between reports whether n is from ints[place] to ints[place+1].
func (mod *Module) between(place uint32, n int64) bool {
	bounds := mod.ints[place : place+2]
	return bounds[0] <= n && n <= bounds[1]
}

// matches returns the outcome of a test with regular expressions. Package regexp makes its
// input escape to the heap, and Key would take the whole Context with it. So it gets a
// copy of Key.
func (mod *Module) matches(in *instr, ctx *Context) bool {
	es, ok := mod.tests[in.arg].(expressions)
	if in.attribute == mod.unit && ctx.Key != "" {
		return ok && es.has(strings.Clone(ctx.Key))
	}
	a := mod.attr(in.attribute, ctx)
	return ok && a != nil && a.Value.kind == KindString && es.has(a.Value.str)
}

// member reports whether v is a member of a segment. The recursion ends because [Compile]
// refuses segments that refer to themselves.
func (mod *Module) member(s *segment, v Value, ctx *Context, slots []slot) bool {
	id := v.str
	switch v.kind {
	case KindString:
	case KindInt:
		var buf [20]byte
		id = view(strconv.AppendInt(buf[:0], int64(v.num), 10))
	default:
		return false
	}
	if s.exclude.has(id) {
		return false
	}
	if s.include.has(id) {
		return true
	}
	_, yes, _ := mod.walk(s.when, ctx, slots)
	return yes == 1
}

// attr returns the last of ctx.Attrs with the name of an attribute, or nil.
func (mod *Module) attr(attribute uint16, ctx *Context) *Attr {
	name := mod.attributes[attribute].Name
	for i := len(ctx.Attrs) - 1; i >= 0; i-- {
		if ctx.Attrs[i].Name == name {
			return &ctx.Attrs[i]
		}
	}
	return nil
}

// value returns the context's value of an attribute, or the zero Value.
func (mod *Module) value(attribute uint16, ctx *Context, slots []slot) Value {
	if slots != nil {
		return slots[attribute].value
	}
	if attribute == mod.unit && ctx.Key != "" {
		return StringValue(ctx.Key)
	}
	if a := mod.attr(attribute, ctx); a != nil {
		return a.Value
	}
	return Value{}
}

// addr returns the IP address that is the context's value of an attribute, or the zero
// Addr. It ignores the targeting key, whose attribute isn't of type AttrIP.
func (mod *Module) addr(attribute uint16, ctx *Context, slots []slot) netip.Addr {
	if slots != nil {
		return slots[attribute].addr
	}
	if a := mod.attr(attribute, ctx); a != nil {
		return addrOf(a.Value)
	}
	return netip.Addr{}
}

// text returns the context's value of an attribute, and whether it is a string.
func (mod *Module) text(attribute uint16, ctx *Context) (text string, ok bool) {
	if attribute == mod.unit && ctx.Key != "" {
		return ctx.Key, true
	}
	if a := mod.attr(attribute, ctx); a != nil && a.Value.kind == KindString {
		return a.Value.str, true
	}
	return "", false
}

// position returns the position of a unit, and whether it has one. See bucketing.of.
func (mod *Module) position(attribute uint16, seed uint32, ctx *Context, slots []slot) (position uint32, ok bool) {
	if attribute == mod.unit && ctx.Key != "" {
		return positionOf(ctx.Key, seed), true
	}
	v := mod.value(attribute, ctx, slots)
	switch v.kind {
	case KindString:
		return positionOf(v.str, seed), v.str != ""
	case KindInt:
		var buf [20]byte
		return positionOf(view(strconv.AppendInt(buf[:0], int64(v.num), 10)), seed), true
	}
	return 0, false
}
