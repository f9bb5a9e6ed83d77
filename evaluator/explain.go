package evaluator

import (
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Trace is an answer and everything that led to it. Its JSON form is meant for
// programs, and gets additions only; String is for people. A Trace holds what
// the context holds: who may not see the one may not see the other.
type Trace struct {
	Flag        string `json:"flag"`
	Value       Value  `json:"value"`
	Variant     string `json:"variant"`
	Reason      Reason `json:"reason"`
	Rule        string `json:"rule,omitempty"`        // that served; "": none
	MissingUnit string `json:"missingUnit,omitempty"` // see [Result.MissingUnit]
	// Stale is the look at the flags' age, nil if that makes no difference or the
	// flag is disabled.
	Stale *StaleTrace `json:"stale,omitempty"`
	// Reserved is the look at the flag's reservation, nil if it has none, has no
	// rules, is disabled, or the flags are too old.
	Reserved *Draw `json:"reserved,omitempty"`
	// Rules are all rules of the flag, in order.
	Rules []RuleTrace `json:"rules,omitempty"`
}

// A StaleTrace is what came of asking for the age of the flags.
type StaleTrace struct {
	Age   int64  `json:"age"`   // in seconds
	After uint32 `json:"after"` // the greatest that is fine
	Stale bool   `json:"stale"` // Age is more
}

// A RuleTrace is what came of a rule.
type RuleTrace struct {
	Name string `json:"name"`
	// Reached is false if the flag's answer was clear before.
	Reached bool `json:"reached"`
	Matched bool `json:"matched"`
	// When is the rule's condition, nil if it has none or was not reached.
	When *ConditionTrace `json:"when,omitempty"`
	// Draw is what came of the rule's split, nil if it has none or When does
	// not hold.
	Draw *Draw `json:"draw,omitempty"`
}

// A ConditionTrace is what came of a condition. Every part of a combination is
// looked at, also those that evaluation needn't.
type ConditionTrace struct {
	Op    string `json:"op"` // "all", "any" or "not", and "comparison" for everything else
	Holds bool   `json:"holds"`
	// Attribute is what was compared, "" if it is no attribute.
	Attribute string `json:"attribute,omitempty"`
	// Value is what the context has for Attribute, the time for conditions of
	// time. It is the zero Value if there is none.
	Value Value `json:"value,omitzero"`
	// Unfit says what Value is not, such as "version", if it can't satisfy any
	// comparison of that kind.
	Unfit string `json:"unfit,omitempty"`
	// Asked is the question, such as: one of "shenzhen", "guangzhou". Of long
	// lists it has the beginning.
	Asked string `json:"asked,omitempty"`
	// Found says for segments on which list the value stands: include,
	// exclude, or "" if on neither.
	Found string `json:"found,omitempty"`
	// Draw is the position that the question is about, nil if it is about none.
	Draw *Draw `json:"draw,omitempty"`
	// Of are the parts of a combination. Of a segment it is the condition
	// that decides.
	Of []ConditionTrace `json:"of,omitempty"`
	// Prerequisite is the answer of the other flag, if the question is for
	// that, and it isn't in the Trace already.
	Prerequisite *Trace `json:"prerequisite,omitempty"`
}

// comparison is the Op of a [ConditionTrace] that combines no other conditions.
const comparison = "comparison"

// A Draw is what came of asking for a position.
type Draw struct {
	Layer    string `json:"layer,omitempty"` // of a reservation
	By       string `json:"by,omitempty"`    // the unit's attribute; "": by chance
	Unit     Value  `json:"unit,omitzero"`   // what the context has for By
	Missing  bool   `json:"missing,omitempty"`
	Salt     string `json:"salt,omitempty"`
	Hash     string `json:"hash,omitempty"`
	Position uint64 `json:"position"`
	// Positions is how many there are.
	Positions uint64 `json:"positions"`
	// From ≤ Position < To is the range that Position lies in; of a
	// reservation it may be one of the gaps between spans. For a condition
	// they are the range that it asks for.
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
	// Ramp is not nil if the range is one of a ramp, as it is at the time.
	Ramp *RampTrace `json:"ramp,omitempty"`
	// Variant is what the range serves; "" for reservations.
	Variant string `json:"variant,omitempty"`
	// Within says for reservations whether the range is reserved, and for
	// conditions whether Position lies in it.
	Within bool `json:"within,omitempty"`
}

// A RampTrace says how a ramp goes on.
type RampTrace struct {
	// Next is when it reaches its next point, in the form of RFC 3339, and
	// Level how many positions its variant owns then. "": there is none.
	Next  string `json:"next,omitempty"`
	Level uint64 `json:"level,omitempty"`
}

// Explain is [CompiledFlag.Evaluate] with a trace of how the answer came about.
// It takes far longer, and costs those nothing who don't ask. A nil flag's trace
// has [ReasonError]. ctx, which is not nil, is only read.
//
// A flag or a segment that a trace has explained already is not explained again.
func (f *CompiledFlag) Explain(ctx *Context) Trace {
	if f == nil {
		return Trace{Reason: ReasonError}
	}
	x := explainer{module: f.module, ctx: ctx, flags: make(map[uint32]bool), segments: make(map[uint32]bool)}
	return x.flag(f)
}

// An explainer explains a flag and those that it depends on.
type explainer struct {
	module   *Module
	ctx      *Context
	flags    map[uint32]bool // explained, by index
	segments map[uint32]bool // whose condition is explained, by index
}

func (x *explainer) flag(f *CompiledFlag) Trace {
	result := f.Evaluate(x.ctx)
	t := Trace{
		Flag: f.key, Value: result.Value(), Variant: result.Variant(), Reason: result.Reason(),
		Rule: result.Rule(), MissingUnit: result.MissingUnit(),
	}
	reached := !f.disabled
	in := x.module.code[f.entry]
	if in.op == codeStale {
		t.Stale = &StaleTrace{x.ctx.Age, in.arg, x.ctx.Age > int64(in.arg)}
		reached = !t.Stale.Stale
		in = x.module.code[in.no]
	}
	if reached && in.op == codeReserve {
		t.Reserved = x.reserved(in)
		reached = t.Reserved.Within
	}
	for i := range f.rules {
		s := &x.module.serves[f.serves+f.rules-i]
		r := RuleTrace{Name: f.module.names[s.rule]}
		if reached {
			x.rule(f, s, f.ruleEnd(i), &r)
			reached = !r.Matched
		}
		t.Rules = append(t.Rules, r)
	}
	return t
}

// rule explains the rule whose outcome is s and whose instructions end before end.
func (x *explainer) rule(f *CompiledFlag, s *serve, end uint32, r *RuleTrace) {
	r.Reached, r.Matched = true, true
	if s.shape != 0 {
		when := x.condition(s.shape, end)
		r.When, r.Matched = &when, when.Holds
	}
	if in := x.module.code[s.pc]; r.Matched && s.kind != 0 {
		r.Draw = x.split(f, in, s)
		r.Matched = !r.Draw.Missing
	}
}

// reserved explains a reservation.
func (x *explainer) reserved(in instr) *Draw {
	r := &x.module.reservations[in.arg]
	d := x.draw(in.attribute, &x.module.bucketings[r.bucketing])
	d.Layer = r.layer
	if d.Missing {
		return d
	}
	d.To = d.Positions
	for _, s := range r.spans {
		if d.Position < s.From {
			d.To = s.From
			break
		}
		if d.Position < s.To {
			d.From, d.To, d.Within = s.From, s.To, true
			break
		}
		d.From = s.To
	}
	return d
}

// draw returns the position of a unit.
func (x *explainer) draw(attribute uint16, b *bucketing) *Draw {
	unit := x.module.value(attribute, x.ctx, nil)
	d := &Draw{By: x.module.attributes[attribute].Name, Unit: unit, Salt: b.Salt, Hash: b.Hash, Positions: b.total}
	position, ok := b.of(unit)
	if !ok {
		d.Missing = true
		return d
	}
	d.Position = position
	return d
}

// split explains a split of f.
func (x *explainer) split(f *CompiledFlag, in instr, s *serve) *Draw {
	mod := x.module
	var d *Draw
	switch {
	case s.kind&splitChance != 0:
		d = &Draw{Position: uint64(x.ctx.Chance), Positions: Positions}
	case s.kind&splitOther != 0:
		d = x.draw(in.attribute, &mod.bucketings[s.seed])
	default:
		salt := f.key
		if s.salt != 0 {
			salt = mod.texts[s.salt]
		}
		b := newBucketing(Bucketing{Salt: salt, Hash: HashMurmur3})
		d = x.draw(in.attribute, &b)
	}
	if d.Missing {
		return d
	}
	d.To = d.Positions
	var variant uint16
	if s.kind&splitOther != 0 {
		variant = mod.pickOther(s, d.Position, x.ctx.Now)
	} else {
		variant = mod.pick(s, uint32(d.Position), x.ctx.Now)
	}
	d.Variant = f.variants[variant].Name
	if s.kind&splitRamp != 0 {
		d.ramp(&mod.ramps[s.from], x.ctx.Now)
		return d
	}
	for end := range mod.endsOf(s) {
		if d.Position < end {
			d.To = end
			break
		}
		d.From = end
	}
	return d
}

// endsOf yields where the ranges of a split end, but for the last one of
// HashMurmur3.
func (mod *Module) endsOf(s *serve) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		if s.kind&splitOther != 0 {
			for _, r := range mod.wide[s.from : s.from+s.n] {
				if !yield(r.to) {
					return
				}
			}
			return
		}
		for _, last := range append([]uint32{s.end}, mod.ends[s.from:s.from+s.n]...) {
			if !yield(uint64(last) + 1) {
				return
			}
		}
	}
}

// ramp adds what a ramp makes of the position.
func (d *Draw) ramp(r *ramp, now int64) {
	d.Ramp = new(RampTrace)
	for _, p := range r.points {
		if p.At > now {
			*d.Ramp = RampTrace{timeText(p.At), p.Level}
			break
		}
	}
	d.From = r.level(now)
	if d.Position < d.From {
		d.From, d.To = 0, d.From
	}
}

// condition explains the condition whose shape ends at shape and whose
// instructions end before end.
func (x *explainer) condition(shape, end uint32) ConditionTrace {
	return x.next(&conditionWalk{x.module, shape, end})
}

func (x *explainer) next(w *conditionWalk) ConditionTrace {
	op, n := w.next()
	if op == 0 {
		return x.comparison(&x.module.code[w.comparison()])
	}
	t := ConditionTrace{Op: op.String(), Holds: op == OpAll}
	for range n {
		part := x.next(w)
		switch op {
		case OpAll:
			t.Holds = t.Holds && part.Holds
		case OpAny:
			t.Holds = t.Holds || part.Holds
		case OpNot:
			t.Holds = !part.Holds
		}
		t.Of = append(t.Of, part)
	}
	return t
}

// comparison explains an instruction.
func (x *explainer) comparison(in *instr) ConditionTrace {
	mod := x.module
	t := ConditionTrace{Op: comparison, Holds: x.holds(in)}
	switch in.op {
	case codePeriod, codeWindow, codeServes:
	default:
		t.Attribute = mod.attributes[in.attribute].Name
		t.Value = mod.value(in.attribute, x.ctx, nil)
		t.Unfit = unfit(t.Value, mod.attributes[in.attribute].Type)
	}
	switch in.op {
	case codeIs, codeIn:
		symbols := mod.symbolsOf(in)
		t.Asked = "one of " + listText(len(symbols), func(yield func(string) bool) {
			for _, symbol := range symbols {
				if !yield(mod.texts[symbol]) {
					return
				}
			}
		})
	case codeIDs:
		t.Asked = "one of " + mod.ids[in.arg].String()
	case codeBetween:
		t.Asked = betweenText(mod.ints[in.arg], mod.ints[in.arg+1])
	case codeVersion:
		t.Asked = "semver " + strconv.Quote(mod.versions[in.arg].text)
	case codeTest, codeAddr, codeMatch, codeBucket:
		t.Asked = mod.tests[in.arg].String()
		if bucket, ok := mod.tests[in.arg].(bucketTest); ok {
			t.Unfit, t.Draw = "", x.draw(in.attribute, bucket.bucketing)
			t.Draw.From, t.Draw.To, t.Draw.Within = bucket.from, bucket.to, t.Holds
		}
	case codeExists:
		t.Asked, t.Unfit = "present", ""
	case codeSegment:
		x.segment(in, &t)
	case codeServes:
		x.prerequisite(&mod.requirements[in.arg], &t)
	case codePeriod:
		t.Value = StringValue(timeText(x.ctx.Now))
		t.Asked = periodText(mod.ints[in.arg], mod.ints[in.arg+1])
	case codeWindow:
		t.Value = StringValue(timeText(x.ctx.Now))
		t.Asked = mod.windows[in.arg].String()
	}
	return t
}

// unfit returns what v, if there is one, would have to be to satisfy comparisons of
// attributes of type t, and isn't.
func unfit(v Value, t AttributeType) string {
	fits := true
	switch t {
	case AttrString:
		fits = v.kind == KindString
	case AttrInteger:
		fits = v.kind == KindInt
	case AttrBoolean:
		fits = v.kind == KindBool
	case AttrSemver:
		_, fits = versionOf(v, nil)
	case AttrIP:
		fits = addrOf(v).IsValid()
	case AttrList:
		fits = v.kind == KindList
	}
	if fits || v.kind == KindNone {
		return ""
	}
	return t.String()
}

// holds reports the outcome of an instruction, as walk finds it.
func (x *explainer) holds(in *instr) bool {
	mod := x.module
	switch in.op {
	case codeIs, codeIn:
		text, ok := mod.text(in.attribute, x.ctx)
		return ok && slices.ContainsFunc(mod.symbolsOf(in), func(symbol uint32) bool { return mod.texts[symbol] == text })
	case codeBetween:
		n, ok := mod.value(in.attribute, x.ctx, nil).Int()
		return ok && mod.between(in.arg, n)
	case codeVersion:
		order, ok := mod.order(in.attribute, x.ctx, nil)
		return ok && mod.versions[in.arg].has(order)
	}
	return mod.holds(in, x.ctx, nil)
}

// symbolsOf returns the operands of codeIs and codeIn.
func (mod *Module) symbolsOf(in *instr) []uint32 {
	if in.op == codeIs {
		return []uint32{in.arg}
	}
	return mod.operands[in.arg : in.arg+uint32(in.n)]
}

// segment explains the membership in a segment.
func (x *explainer) segment(in *instr, t *ConditionTrace) {
	s := &x.module.segments[in.arg]
	t.Asked, t.Unfit = "member of segment "+strconv.Quote(s.name), ""
	id, ok := t.Value.Text()
	if n, isInt := t.Value.Int(); isInt {
		id, ok = strconv.FormatInt(n, 10), true
	}
	switch {
	case !ok:
		return
	case s.exclude.has(id):
		t.Found = "exclude"
		return
	case s.include.has(id):
		t.Found = "include"
		return
	}
	if s.shape == 0 || x.segments[in.arg] {
		return
	}
	x.segments[in.arg] = true
	t.Of = []ConditionTrace{x.condition(s.shape, s.end)}
}

// prerequisite explains what another flag serves.
func (x *explainer) prerequisite(r *requirement, t *ConditionTrace) {
	f := &x.module.flags[r.flag]
	t.Asked = "flag " + strconv.Quote(f.key) + " serves " + listText(len(r.variants), func(yield func(string) bool) {
		for _, v := range r.variants {
			if !yield(f.variants[v].Name) {
				return
			}
		}
	})
	t.Value = StringValue(f.Evaluate(x.ctx).Variant())
	if x.flags[r.flag] {
		return
	}
	x.flags[r.flag] = true
	trace := x.flag(f)
	t.Prerequisite = &trace
}

func betweenText(lo, hi int64) string {
	switch {
	case lo == math.MinInt64:
		return "at most " + strconv.FormatInt(hi, 10)
	case hi == math.MaxInt64:
		return "at least " + strconv.FormatInt(lo, 10)
	}
	return "from " + strconv.FormatInt(lo, 10) + " to " + strconv.FormatInt(hi, 10)
}

func periodText(from, to int64) string {
	var parts []string
	if from != math.MinInt64 {
		parts = append(parts, "from "+timeText(from))
	}
	if to != math.MaxInt64 {
		parts = append(parts, "before "+timeText(to))
	}
	return "now " + strings.Join(parts, " and ")
}

func timeText(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }
