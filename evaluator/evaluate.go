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
// Evaluate doesn't allocate, with these exceptions: the first evaluation of a flag with
// conditions, parsing an IP address that turns out to be invalid, folding a string longer than 64
// bytes, matching Key with a regular expression, and the buffers of package regexp, which it
// pools.
func (f *CompiledFlag) Evaluate(ctx *Context) Result {
	if f == nil {
		return Result{}
	}
	w := &f.way
	if f.list != nil && ctx.Key != "" {
		w = f.behindList(ctx.Key)
	}
	if w.serve == nil {
		if sieve := f.sieve(); sieve.start == w.pc {
			if found := sieve.find(f.module, ctx); found != nil {
				w = found
			}
		}
	}
	return f.follow(w, ctx, nil)
}

// follow evaluates f from a way on. numbers are what a View knows, or nil.
func (f *CompiledFlag) follow(w *way, ctx *Context, numbers *[memoSize]uint64) Result {
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

// behindList returns where an evaluation goes on behind the list that the flag begins with.
func (f *CompiledFlag) behindList(key string) *way {
	if f.list.has(key) {
		return &f.listed
	}
	return &f.unlisted
}

// An evaluation is the work on one context and one Module.
type evaluation struct {
	ctx   *Context
	slots []slot // of the Module, if the whole context was resolved before
	// Otherwise attributes are looked up when they are first needed, and memos remembers
	// them. It has a place for each, which another attribute may take.
	memos   *[memoSize]memo
	numbers *[memoSize]uint64 // of attributes that have a rank, if a View knows them
}

const memoSize = 8

// A memo is what is known about one attribute of a context. The zero memo is unused.
type memo struct {
	attribute uint16 // 1 + the index of the attribute
	place     uint32 // 1 + the index in Context.Attrs, or placeKey; 0: the context doesn't have it
	symbol    uint32 // 1 + the symbol of its text; 0: not looked up yet
}

// placeKey is the place of the unit attribute if it is Context.Key.
const placeKey = 1<<32 - 1

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

// resolve fills a slot for each attribute of the module. The slots must be zero.
func (mod *Module) resolve(ctx *Context, slots []slot) {
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
				s.symbol = mod.dictionaries[i].symbol(s.value.str)
			}
		case AttrSemver, AttrSemverV:
			s.version, s.isVersion = versionOf(s.value, mod.attributes[i].Type == AttrSemverV)
			s.order = s.version.order()
		case AttrIP:
			s.addr = addrOf(s.value)
		}
	}
	for _, i := range mod.splitters {
		slots[i].id = newHashed(slots[i].value)
	}
}

// walk executes instructions from pc on. For a flag it returns the outcome, and for the
// condition of a segment 1 or 0 as the variant. missing is 1 + the index of the unit that
// was missing last, or 0.
func (e *evaluation) walk(mod *Module, pc uint32) (s *serve, variant, missing uint16) {
	ctx := e.ctx
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
				if position, ok = e.position(mod, in.attribute, s.seed); !ok {
					missing = in.attribute + 1
					pc = in.no
					continue
				}
			}
			return s, mod.pick(s, position, ctx.Now), missing
		case codeSplitOther:
			s := &mod.serves[in.arg]
			if variant, ok = e.splitOther(mod, s); ok {
				return s, variant, missing
			}
			missing = in.attribute + 1
		case codeIs:
			ok = e.is(mod, in)
		case codeIn:
			symbol := e.symbol(mod, in.attribute)
			for _, operand := range mod.operands[in.arg : in.arg+uint32(in.n)] {
				ok = ok || operand == symbol
			}
		case codeAmong:
			ok = mod.lists[in.arg].has(mod, e.symbol(mod, in.attribute))
		case codeBetween:
			v := e.value(mod, in.attribute)
			ok = v.kind == KindInt && mod.between(in.arg, int64(v.num))
		case codeVersion:
			order, isVersion := e.order(mod, in.attribute)
			ok = isVersion && mod.versions[in.arg].has(order)
		case codeReserve:
			r := &mod.reservations[in.arg]
			position, hasUnit := mod.bucketings[r.bucketing].of(e.value(mod, in.attribute))
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
			ok = e.holds(mod, in)
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
func (e *evaluation) splitOther(mod *Module, s *serve) (variant uint16, ok bool) {
	position, ok := mod.bucketings[s.seed].of(e.value(mod, s.unit))
	if !ok {
		return 0, false
	}
	return mod.pickOther(s, position, e.ctx.Now), true
}

// holds returns the outcome of a test that walk doesn't handle itself.
func (e *evaluation) holds(mod *Module, in *instr) bool {
	switch in.op {
	case codeTest:
		if e.slots != nil {
			s := &e.slots[in.attribute]
			return holds(mod.tests[in.arg], s.value, s)
		}
		return holds(mod.tests[in.arg], e.value(mod, in.attribute), nil)
	case codeAddr:
		return holdsAddr(mod.tests[in.arg], e.addr(mod, in.attribute))
	case codeBucket:
		bucket, ok := mod.tests[in.arg].(bucketTest)
		return ok && bucket.has(e.value(mod, in.attribute))
	case codeMatch:
		return e.matches(mod, in)
	case codeExists:
		return e.value(mod, in.attribute).kind != KindNone
	case codeSegment:
		return e.member(mod, in)
	case codeServes:
		r := &mod.requirements[in.arg]
		_, variant, _ := e.walk(mod, mod.flags[r.flag].entry)
		return slices.Contains(r.variants, variant)
	case codeIDs:
		v := e.value(mod, in.attribute)
		return v.kind == KindString && mod.ids[in.arg].has(v.str)
	case codePeriod:
		return mod.ints[in.arg] <= e.ctx.Now && e.ctx.Now < mod.ints[in.arg+1]
	case codeWindow:
		return mod.windows[in.arg].has(e.ctx.Now)
	}
	return false
}

// order returns the order of the version that is the context's value of an attribute, and
// whether it is a version.
func (e *evaluation) order(mod *Module, attribute uint16) (order uint64, ok bool) {
	if e.slots != nil {
		s := &e.slots[attribute]
		return s.order, s.isVersion
	}
	if n, ok := e.number(mod, attribute); ok {
		return n - 1, n != 0 // see orderNumber
	}
	text, ok := e.text(e.memo(mod, attribute))
	if !ok {
		return 0, false
	}
	return orderOf(text, mod.attributes[attribute].Type == AttrSemverV)
}

// between reports whether n is from ints[place] to ints[place+1].
func (mod *Module) between(place uint32, n int64) bool {
	bounds := mod.ints[place : place+2]
	return bit(bounds[0] <= n)&bit(n <= bounds[1]) != 0
}

// matches returns the outcome of a test with regular expressions. Package regexp makes its
// input escape to the heap, and Key would take the whole Context with it. So it gets a
// copy of Key.
func (e *evaluation) matches(mod *Module, in *instr) bool {
	es, ok := mod.tests[in.arg].(expressions)
	if in.attribute == mod.unit && e.ctx.Key != "" {
		return ok && es.has(strings.Clone(e.ctx.Key))
	}
	a := e.attr(mod, in.attribute)
	return ok && a != nil && a.Value.kind == KindString && es.has(a.Value.str)
}

// member returns the outcome of codeSegment. The recursion ends because [Compile] refuses segments
// that refer to themselves.
func (e *evaluation) member(mod *Module, in *instr) bool {
	s, id := &mod.segments[in.arg], e.ctx.Key
	var buf [20]byte
	if in.attribute != mod.unit || id == "" {
		switch v := e.value(mod, in.attribute); v.kind {
		case KindString:
			id = v.str
		case KindInt:
			id = view(strconv.AppendInt(buf[:0], int64(v.num), 10))
		default:
			return false
		}
	}
	if s.exclude.count > 0 && s.exclude.has(id) {
		return false
	}
	if s.include.count > 0 && s.include.has(id) {
		return true
	}
	_, yes, _ := e.walk(mod, s.when)
	return yes == 1
}

// memo returns what is remembered about an attribute, having looked for it first if need
// be. It must not be called if the context was resolved before.
func (e *evaluation) memo(mod *Module, attribute uint16) *memo {
	m := &e.memos[attribute%memoSize]
	if m.attribute == attribute+1 {
		return m
	}
	return e.find(mod, attribute, m)
}

// number returns the number of an attribute, and whether it is known. See ranked.number.
func (e *evaluation) number(mod *Module, attribute uint16) (n uint64, ok bool) {
	if e.numbers == nil {
		return 0, false
	}
	rank := mod.ranks[attribute]
	if rank == noRank {
		return 0, false
	}
	return e.numbers[rank%memoSize], true
}

// find looks for an attribute, and remembers in m where it is: the last of its name counts.
func (e *evaluation) find(mod *Module, attribute uint16, m *memo) *memo {
	*m = memo{attribute: attribute + 1, place: mod.place(attribute, e.ctx)}
	return m
}

// place returns the place of an attribute, as in a memo.
func (mod *Module) place(attribute uint16, ctx *Context) uint32 {
	if attribute == mod.unit && ctx.Key != "" {
		return placeKey
	}
	return lastPlace(ctx.Attrs, mod.attributes[attribute].Name)
}

// lastPlace returns 1 + the index of the last attribute with a name, or 0.
func lastPlace(attrs []Attr, name string) uint32 {
	for i := len(attrs) - 1; i >= 0; i-- {
		if sameName(attrs[i].Name, name) {
			return uint32(i + 1)
		}
	}
	return 0
}

// sameName compares names, of which b isn't empty. Names of the same length mostly differ in their
// last byte, which takes less time to see than a call of the comparison.
func sameName(a, b string) bool {
	return len(a) == len(b) && a[len(a)-1] == b[len(b)-1] && a == b
}

// text returns the context's value of the attribute of m, and whether it is a string.
func (e *evaluation) text(m *memo) (text string, ok bool) {
	switch m.place {
	case 0:
		return "", false
	case placeKey:
		return e.ctx.Key, true
	}
	v := &e.ctx.Attrs[m.place-1].Value
	return v.str, v.kind == KindString
}

// is returns the outcome of codeIs. To compare one text takes less time than to look up
// its symbol.
func (e *evaluation) is(mod *Module, in *instr) bool {
	if e.slots != nil {
		return e.slots[in.attribute].symbol == in.arg
	}
	if n, ok := e.number(mod, in.attribute); ok {
		return uint32(n) == in.arg
	}
	m := e.memo(mod, in.attribute)
	if m.symbol > 0 {
		return m.symbol-1 == in.arg
	}
	text, ok := e.text(m)
	return ok && text == mod.dictionaries[in.attribute].texts[in.arg]
}

// symbol returns the symbol of the context's text of an attribute, 0 if it has none.
func (e *evaluation) symbol(mod *Module, attribute uint16) uint32 {
	if e.slots != nil {
		return e.slots[attribute].symbol
	}
	if n, ok := e.number(mod, attribute); ok {
		return uint32(n)
	}
	m := e.memo(mod, attribute)
	if m.symbol == 0 {
		m.symbol = 1
		if text, ok := e.text(m); ok {
			m.symbol = 1 + mod.dictionaries[attribute].symbol(text)
		}
	}
	return m.symbol - 1
}

// value returns the context's value of an attribute, or the zero Value.
func (e *evaluation) value(mod *Module, attribute uint16) Value {
	if e.slots != nil {
		return e.slots[attribute].value
	}
	return e.ctx.at(e.memo(mod, attribute).place)
}

// at returns the value at the place of a memo.
func (ctx *Context) at(place uint32) Value {
	switch place {
	case 0:
		return Value{}
	case placeKey:
		return StringValue(ctx.Key)
	}
	return ctx.Attrs[place-1].Value
}

// attr returns where an attribute is in Context.Attrs, or nil. Unlike those of value, texts
// of the result may escape to the heap without the Context.
func (e *evaluation) attr(mod *Module, attribute uint16) *Attr {
	place := uint32(0)
	if e.slots != nil {
		place = lastPlace(e.ctx.Attrs, mod.attributes[attribute].Name)
	} else {
		place = e.memo(mod, attribute).place
	}
	if place == 0 || place == placeKey {
		return nil
	}
	return &e.ctx.Attrs[place-1]
}

// addr returns the IP address that is the context's value of an attribute, or the zero
// Addr. Context.Key is none: its attribute is of type AttrString.
func (e *evaluation) addr(mod *Module, attribute uint16) netip.Addr {
	if e.slots != nil {
		return e.slots[attribute].addr
	}
	if a := e.attr(mod, attribute); a != nil {
		return addrOf(a.Value)
	}
	return netip.Addr{}
}

// position returns the position of a unit, and whether it has one. See bucketing.of.
func (e *evaluation) position(mod *Module, attribute uint16, seed uint32) (position uint32, ok bool) {
	if attribute == mod.unit && e.ctx.Key != "" {
		return positionOf(e.ctx.Key, seed), true
	}
	v := e.value(mod, attribute)
	switch v.kind {
	case KindString:
		return positionOf(v.str, seed), v.str != ""
	case KindInt:
		var buf [20]byte
		return positionOf(view(strconv.AppendInt(buf[:0], int64(v.num), 10)), seed), true
	}
	return 0, false
}
