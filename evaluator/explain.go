package evaluator

import (
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Trace is the result of an evaluation with every step that led to it. Its JSON form is
// for programs and only ever gains members; [Trace.String] is for people. A Trace contains
// values of the context, and is as confidential as those.
type Trace struct {
	Flag        string `json:"flag"`
	Value       Value  `json:"value"`
	Variant     string `json:"variant"`
	Reason      Reason `json:"reason"`
	Rule        string `json:"rule,omitempty"`        // the rule that matched; "" if none did
	MissingUnit string `json:"missingUnit,omitempty"` // see [Result.MissingUnit]
	Arm         string `json:"arm,omitempty"`         // see [Result.Arm]
	// Stale is the check of the rules' age. It is nil if the flag is disabled or has
	// no [Flag].Stale.
	Stale *StaleTrace `json:"stale,omitempty"`
	// Reserved is the check of the flag's reservation. It is nil if the flag has none
	// or no rules, is disabled, or has rules that are too old.
	Reserved *Draw `json:"reserved,omitempty"`
	// Rules are all rules of the flag, in order.
	Rules []RuleTrace `json:"rules,omitempty"`
}

// A StaleTrace is the check of the rules' age, see [Staleness].
type StaleTrace struct {
	Age   int64  `json:"age"`   // [Context].Age
	After uint32 `json:"after"` // [Staleness].After
	Stale bool   `json:"stale"` // Age > After
}

// A RuleTrace is the evaluation of a rule.
type RuleTrace struct {
	Name string `json:"name"`
	// Reached is false if the result was known before the rule's turn.
	Reached bool `json:"reached"`
	Matched bool `json:"matched"`
	// When is the rule's condition. It is nil if the rule has none or wasn't reached.
	When *ConditionTrace `json:"when,omitempty"`
	// Draw is the rule's split. It is nil if the rule has none, or if When doesn't
	// hold.
	Draw *Draw `json:"draw,omitempty"`
}

// A ConditionTrace is the evaluation of a condition. It shows all parts of a combination,
// including those that evaluation skips.
type ConditionTrace struct {
	Op    string `json:"op"` // "all", "any" or "not", and "comparison" for everything else
	Holds bool   `json:"holds"`
	// Attribute is the name of the attribute compared. It is "" if c isn't about an
	// attribute.
	Attribute string `json:"attribute,omitempty"`
	// Value is the context's value of Attribute, if any. For conditions on time it is
	// the time, and for those on flags the variant served.
	Value Value `json:"value,omitzero"`
	// Unfit is the type that Attribute is declared as, such as "semver", if Value
	// isn't of that type. It is "" if Value is missing.
	Unfit string `json:"unfit,omitempty"`
	// Asked describes the comparison, such as: one of "shenzhen", "guangzhou". It
	// abbreviates long lists.
	Asked string `json:"asked,omitempty"`
	// Found is the list of the segment that contains Value: "include", "exclude", or
	// "" if neither does.
	Found string `json:"found,omitempty"`
	// Draw is the position that OpBucket compares. For all others it is nil.
	Draw *Draw `json:"draw,omitempty"`
	// Of are the parts of a combination. For a segment it is the segment's condition,
	// if that decides and isn't shown already.
	Of []ConditionTrace `json:"of,omitempty"`
	// Prerequisite is the evaluation of the flag that OpServes refers to, unless the
	// Trace shows it already.
	Prerequisite *Trace `json:"prerequisite,omitempty"`
}

// comparison is the Op of each [ConditionTrace] that isn't a combination.
const comparison = "comparison"

// A Draw is a look at the position of a unit, by a split, a reservation or a condition.
type Draw struct {
	Layer    string `json:"layer,omitempty"`   // of a reservation
	By       string `json:"by,omitempty"`      // the unit attribute; "" for splits by chance
	Unit     Value  `json:"unit,omitzero"`     // the context's value of By
	Missing  bool   `json:"missing,omitempty"` // Unit has no position
	Salt     string `json:"salt,omitempty"`
	Hash     string `json:"hash,omitempty"`
	Position uint64 `json:"position"`
	// Positions is the number of positions.
	Positions uint64 `json:"positions"`
	// From ≤ Position < To is the range that contains Position. For a reservation it
	// is a span or a gap between spans. For a condition, From and To are the range
	// that it compares Position with.
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
	// Ramp is not nil if the range is part of a ramp at the time of the evaluation.
	Ramp *RampTrace `json:"ramp,omitempty"`
	// Variant is the variant that owns the range. It is "" except for splits.
	Variant string `json:"variant,omitempty"`
	// Within says for a reservation whether the range is reserved, and for a condition
	// whether it contains Position.
	Within bool `json:"within,omitempty"`
}

// A RampTrace is the future of a ramp.
type RampTrace struct {
	// Next is the time of the ramp's next point, as in RFC 3339, and Level is its
	// level. After the last point, Next is "".
	Next  string `json:"next,omitempty"`
	Level uint64 `json:"level,omitempty"`
}

// Explain is like [CompiledFlag.Evaluate], but returns each step of the evaluation. It is
// much slower, and allocates. A nil flag's trace has [ReasonError]. ctx must not be nil.
// Explain doesn't modify it.
//
// A trace shows each segment and each other flag once, even if several rules use it.
func (f *CompiledFlag) Explain(ctx *Context) Trace {
	if f == nil {
		return Trace{Reason: ReasonError}
	}
	x := explainer{module: f.module, evaluation: evaluation{ctx: ctx, memos: new([memoSize]memo)},
		flags: make(map[uint32]bool), segments: make(map[uint32]bool)}
	return x.flag(f)
}

// An explainer explains a flag and those that it depends on.
type explainer struct {
	module *Module
	evaluation
	flags    map[uint32]bool // those explained, by index
	segments map[uint32]bool // those whose condition is explained, by index
}

func (x *explainer) flag(f *CompiledFlag) Trace {
	result := f.Evaluate(x.ctx)
	t := Trace{
		Flag: f.key, Value: result.Value(), Variant: result.Variant(), Reason: result.Reason(),
		Rule: result.Rule(), MissingUnit: result.MissingUnit(), Arm: result.Arm(),
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

// rule explains the rule that serves s, and whose instructions end before end.
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
	unit := x.value(x.module, attribute)
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
			salt = mod.salts[s.salt]
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

// endsOf yields the ends of the ranges of a split. It omits that of the last range if the
// hash is HashMurmur3.
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

// ramp sets what a ramp determines.
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
		t.Value = x.value(mod, in.attribute)
		t.Unfit = unfit(t.Value, mod.attributes[in.attribute].Type)
	}
	switch in.op {
	case codeIs, codeIn, codeAmong:
		texts := mod.textsOf(in)
		t.Asked = "one of " + listText(len(texts), slices.Values(texts))
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

// unfit returns the name of t if v is present and isn't a value of that type.
func unfit(v Value, t AttributeType) string {
	fits := true
	switch t {
	case AttrString:
		fits = v.kind == KindString
	case AttrInteger:
		fits = v.kind == KindInt
	case AttrBoolean:
		fits = v.kind == KindBool
	case AttrSemver, AttrSemverV:
		_, fits = versionOf(v, t == AttrSemverV)
	case AttrIP:
		fits = addrOf(v).IsValid()
	case AttrList:
		fits = v.kind == KindList
	case AttrTime, AttrNumber:
		fits = t.Accepts(v)
	}
	if fits || v.kind == KindNone {
		return ""
	}
	return t.String()
}

// holds returns the outcome of an instruction, including those that walk handles itself.
func (x *explainer) holds(in *instr) bool {
	mod := x.module
	switch in.op {
	case codeIs, codeIn, codeAmong:
		text, ok := x.value(mod, in.attribute).Text()
		return ok && slices.Contains(mod.textsOf(in), text)
	case codeBetween:
		n, ok := x.value(mod, in.attribute).Int()
		return ok && mod.between(in.arg, n)
	case codeVersion:
		order, ok := x.order(mod, in.attribute)
		return ok && mod.versions[in.arg].has(order)
	}
	return x.evaluation.holds(mod, in)
}

// textsOf returns the texts that codeIs, codeIn and codeAmong look for, those of codeAmong in
// order.
func (mod *Module) textsOf(in *instr) []string {
	var texts []string
	for _, symbol := range mod.appendSymbols(nil, in) {
		texts = append(texts, mod.dictionaries[in.attribute].texts[symbol])
	}
	if in.op == codeAmong {
		slices.Sort(texts)
	}
	return texts
}

// segment explains membership in a segment.
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

// prerequisite explains a condition on another flag.
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
