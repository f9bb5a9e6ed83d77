package bundle

import (
	"slices"

	"github.com/serin-flags/serin/evaluator"
)

// encodeRuleset turns a ruleset that compiles into columns.
func encodeRuleset(set *evaluator.Ruleset) *wire {
	e := &encoder{index: make(map[string]uint32)}
	e.ruleset(set)
	return &e.w
}

// encodeWithLists is encodeRuleset, but the long lists are targets, which it returns.
func encodeWithLists(set *evaluator.Ruleset) (*wire, []*List, error) {
	e := &encoder{index: make(map[string]uint32), withLists: true}
	e.ruleset(set)
	return &e.w, e.lists, e.err
}

// An encoder appends to columns what [wire] describes, in that order.
type encoder struct {
	w     wire
	index map[string]uint32 // of texts, from 1

	guarded   bool // a ramp is
	withLists bool
	lists     []*List
	listed    [][]string // what each of lists has
	err       error
}

func (e *encoder) ref(c *column, s string) {
	if i, ok := e.index[s]; ok {
		c.put(i)
		return
	}
	e.index[s] = uint32(len(e.index)) + 1
	e.w.textLens.put(uint32(len(s)))
	e.w.text = append(e.w.text, s...)
	c.put(0)
}

func (e *encoder) refs(c *column, texts []string) {
	for _, s := range texts {
		e.ref(c, s)
	}
}

// length appends how many elements follow.
func length[T any](c *column, list []T) { c.put(uint32(len(list))) }

func (e *encoder) int(n int64) { e.w.ints = append(e.w.ints, n) }

// takesFrom reports whether an attribute says where endpoints take it from.
func takesFrom(set *evaluator.Ruleset) bool {
	return slices.ContainsFunc(set.Attributes, func(a evaluator.Attribute) bool { return a.From != "" })
}

// isGuarded reports whether a ramp is guarded.
func isGuarded(set *evaluator.Ruleset) bool {
	rule := func(r evaluator.Rule) bool { return r.Split != nil && r.Split.Ramp != nil && r.Split.Ramp.Guarded }
	flag := func(f evaluator.Flag) bool { return slices.ContainsFunc(f.Rules, rule) }
	return slices.ContainsFunc(set.Flags, flag) || slices.ContainsFunc(set.Prerequisites, flag)
}

func (e *encoder) ruleset(set *evaluator.Ruleset) {
	w := &e.w
	e.guarded = isGuarded(set)
	e.ref(&w.unit, set.Unit)
	for _, a := range set.Attributes {
		e.ref(&w.attributeName, a.Name)
		w.attributeType.put(uint32(a.Type))
	}
	if takesFrom(set) {
		for _, a := range set.Attributes {
			w.attributeFrom = append(append(w.attributeFrom, a.From...), '\n')
		}
	}
	for _, z := range set.Zones {
		e.ref(&w.zoneName, z.Name)
		length(&w.zoneOffsets, z.Offsets)
		for _, o := range z.Offsets {
			e.int(o.From)
			e.int(int64(o.Seconds))
		}
	}
	for i := range set.Segments {
		e.segment(&set.Segments[i])
	}
	length(&w.prerequisites, set.Prerequisites)
	for i := range set.Flags {
		e.flag(&set.Flags[i])
	}
	for i := range set.Prerequisites {
		e.flag(&set.Prerequisites[i])
	}
}

func (e *encoder) segment(s *evaluator.Segment) {
	w := &e.w
	e.ref(&w.segmentName, s.Name)
	include, exclude := e.unlisted(s.Include), e.unlisted(s.Exclude)
	length(&w.segmentInclude, include)
	length(&w.segmentExclude, exclude)
	e.refs(&w.members, include)
	e.refs(&w.members, exclude)
	if s.When == nil {
		w.segmentWhen.put(0)
		return
	}
	w.segmentWhen.put(1)
	e.condition(s.When)
}

func (e *encoder) flag(f *evaluator.Flag) {
	w := &e.w
	e.ref(&w.flagKey, f.Key)
	w.flagForm.put(uint32(max(slices.Index(flagTypes[:], f.Type), 0)) +
		bit(f.Disabled, flagDisabled) + bit(f.Reserved != nil, flagReserved) + bit(len(f.Metadata) > 0, flagMetadata) +
		bit(f.Stale != nil, flagStale))
	w.flagDefault.put(uint32(f.Default))
	w.flagOff.put(uint32(f.Off))
	length(&w.flagVariants, f.Variants)
	length(&w.flagRules, f.Rules)
	for _, v := range f.Variants {
		e.ref(&w.variantName, v.Name)
		e.value(v.Value)
	}
	if r := f.Reserved; r != nil {
		e.reservation(r)
	}
	if len(f.Metadata) > 0 {
		e.metadata(f.Metadata)
	}
	if f.Stale != nil {
		e.int(int64(f.Stale.After))
		e.int(int64(f.Stale.Variant))
	}
	for i := range f.Rules {
		e.rule(&f.Rules[i])
	}
}

func bit(set bool, value uint32) uint32 {
	if set {
		return value
	}
	return 0
}

// value appends a value where its kind belongs.
func (e *encoder) value(v evaluator.Value) {
	switch v.Kind() {
	case evaluator.KindBool:
		b, _ := v.Bool()
		e.int(int64(bit(b, 1)))
	case evaluator.KindInt:
		n, _ := v.Int()
		e.int(n)
	case evaluator.KindFloat:
		f, _ := v.Float()
		e.w.floats = append(e.w.floats, f)
	case evaluator.KindString:
		s, _ := v.Text()
		e.ref(&e.w.values, s)
	case evaluator.KindObject:
		e.ref(&e.w.values, string(v.JSON()))
	}
}

func (e *encoder) reservation(r *evaluator.Reservation) {
	w := &e.w
	e.ref(&w.reservationLayer, r.Layer)
	e.bucketing(r.Bucketing, &w.reservationBy, &w.reservationSalt, &w.reservationHash)
	length(&w.reservationSpans, r.Spans)
	for _, s := range r.Spans {
		e.int(int64(s.From))
		e.int(int64(s.To))
	}
}

func (e *encoder) bucketing(b evaluator.Bucketing, by, salt, hash *column) {
	e.ref(by, b.By)
	e.ref(salt, b.Salt)
	e.ref(hash, b.Hash)
	if hashFeature(b.Hash) != "" {
		e.int(int64(b.Positions))
	}
}

func (e *encoder) metadata(attrs []evaluator.Attr) {
	w := &e.w
	length(&w.metadata, attrs)
	for _, a := range attrs {
		e.ref(&w.metadataName, a.Name)
		w.metadataKind.put(uint32(a.Value.Kind()))
		e.value(a.Value)
	}
}

func (e *encoder) rule(r *evaluator.Rule) {
	w := &e.w
	form := bit(r.When != nil, ruleWhen) + bit(len(r.Metadata) > 0, ruleMetadata)
	if s := r.Split; s != nil {
		form += ruleSplit + bit(s.Ramp != nil, ruleRamp) + bit(s.Ramp != nil && s.Ramp.Linear, ruleLinear)
	}
	e.ref(&w.ruleName, r.Name)
	w.ruleForm.put(form)
	if r.When != nil {
		e.condition(r.When)
	}
	if r.Split != nil {
		e.split(r.Split)
	} else {
		w.ruleVariant.put(uint32(r.Variant))
	}
	if len(r.Metadata) > 0 {
		e.metadata(r.Metadata)
	}
}

func (e *encoder) split(s *evaluator.Split) {
	w := &e.w
	e.bucketing(s.Bucketing, &w.splitBy, &w.splitSalt, &w.splitHash)
	foreign := hashFeature(s.Hash) != ""
	length(&w.splitRanges, s.Ranges)
	for _, r := range s.Ranges { // gapless: Compile has made sure
		if foreign {
			e.int(int64(r.To))
		} else {
			w.rangeLast.put(uint32(r.To - 1))
		}
		w.rangeVariant.put(uint32(r.Variant))
	}
	if s.Ramp == nil {
		return
	}
	w.rampVariant.put(uint32(s.Ramp.Variant))
	w.rampRest.put(uint32(s.Ramp.Rest))
	length(&w.rampPoints, s.Ramp.Points)
	if e.guarded {
		w.rampGuarded.put(bit(s.Ramp.Guarded, 1))
	}
	for _, p := range s.Ramp.Points {
		e.int(p.At)
		e.int(int64(p.Level))
	}
}

func (e *encoder) condition(c *evaluator.Condition) {
	w := &e.w
	w.conditionOp.put(uint32(c.Op)*2 + bit(c.Fold, 1))
	if c.Op.Combines() {
		length(&w.conditionOf, c.Of)
		for i := range c.Of {
			e.condition(&c.Of[i])
		}
		return
	}
	texts := c.Strings
	if c.Op == evaluator.OpOneOf {
		texts = e.unlisted(texts)
	}
	e.ref(&w.conditionAttribute, c.Attribute)
	length(&w.conditionStrings, texts)
	length(&w.conditionInts, c.Ints)
	e.refs(&w.operands, texts)
	w.ints = append(w.ints, c.Ints...)
}

// unlisted returns what is left of a list once those that are targets are referred to.
func (e *encoder) unlisted(list []string) []string {
	if !e.withLists {
		return list
	}
	number := 0
	if isTarget(list) {
		number = 1 + slices.IndexFunc(e.listed, func(other []string) bool { return slices.Equal(other, list) })
		if number == 0 && len(e.lists) < maxLists {
			number = e.list(list)
		}
	}
	e.w.lists.put(uint32(number))
	if number > 0 {
		return nil
	}
	return list
}

// list adds a target, and returns its number.
func (e *encoder) list(list []string) int {
	target, err := encodeList(list)
	if err != nil {
		e.err = err
	}
	e.lists, e.listed = append(e.lists, target), append(e.listed, list)
	return len(e.lists)
}
