package bundle

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"github.com/serin-flags/serin/evaluator"
)

// decodeRuleset decodes the columns of a ruleset that l is the label of. b may be
// used again afterwards.
func decodeRuleset(l *label, b []byte, lists ...listContent) (evaluator.Ruleset, error) {
	d, err := newDecoder(l, b, lists)
	if err != nil {
		return evaluator.Ruleset{}, err
	}
	d.allocate()
	set := d.head()
	flags := list[evaluator.Flag](d.w.flagKey.rows)
	for i := range flags {
		d.flag(&flags[i])
	}
	if err := d.end(); err != nil {
		return evaluator.Ruleset{}, err
	}
	set.Flags = front(d, &flags, uint32(d.served))
	set.Prerequisites = front(d, &flags, uint32(len(flags)))
	return set, nil
}

// A decoder takes a ruleset off the front of the columns. The first thing that
// doesn't fit is remembered, and decoding goes on: it comes to an end, because
// each list uses up some of the rows that there are.
type decoder struct {
	w      *wire
	label  *label
	err    error
	text   []string // what has been cut
	used   int      // how many of text have been referred to
	served int      // how many flags are no prerequisites

	variants     slab[evaluator.Variant]
	reservations slab[evaluator.Reservation]
	rules        slab[evaluator.Rule]
	splits       slab[evaluator.Split]
	ranges       slab[evaluator.Range]
	ramps        slab[evaluator.Ramp]
	metadata     slab[evaluator.Attr]
	conditions   slab[evaluator.Condition]
	operands     slab[string]
	ints         []int64
	floats       []float64
	scratch      evaluator.Flag
	guarded      bool          // ramps say whether they are
	lists        []listContent // those that the label names
	listed       int           // how many of them have been referred to
}

func newDecoder(l *label, b []byte, lists []listContent) (*decoder, error) {
	w := &wire{}
	if err := w.unmarshal(l.format, b); err != nil {
		return nil, err
	}
	if n := w.memory(); n > maxMemory {
		return nil, fmt.Errorf("it takes %d bytes of memory; the limit is %d", n, maxMemory)
	}
	d := &decoder{
		w:            w,
		label:        l,
		guarded:      w.rampGuarded.rows > 0,
		variants:     slab[evaluator.Variant]{left: w.variantName.rows},
		reservations: slab[evaluator.Reservation]{left: w.reservationLayer.rows},
		rules:        slab[evaluator.Rule]{left: w.ruleName.rows},
		splits:       slab[evaluator.Split]{left: w.splitBy.rows},
		ranges:       slab[evaluator.Range]{left: w.rangeVariant.rows},
		ramps:        slab[evaluator.Ramp]{left: w.rampVariant.rows},
		metadata:     slab[evaluator.Attr]{left: w.metadataName.rows},
		conditions:   slab[evaluator.Condition]{left: w.conditionOp.rows},
		operands:     slab[string]{left: w.operands.rows},
		ints:         w.ints,
		floats:       w.floats,
		lists:        lists,
	}
	return d, d.cutText()
}

// A slab is where lists of one type are cut from: for all of a ruleset, or for
// one flag and then another.
type slab[T any] struct {
	list []T
	used int
	left int // rows that there still are: more than these are never cut
}

// cut takes n elements, which are zero; nil for none.
func cut[T any](d *decoder, s *slab[T], n uint32) []T {
	if n == 0 {
		return nil
	}
	if uint64(n) > uint64(s.left) {
		d.fail("there are fewer elements than are counted")
		return nil
	}
	from, end := s.used, s.used+int(n)
	if end > len(s.list) {
		s.list = make([]T, min(max(int(n), 2*len(s.list), 32), s.left))
		from, end = 0, int(n)
	}
	s.used, s.left = end, s.left-int(n)
	return s.list[from:end:end]
}

// allocate makes room for all there is.
func (s *slab[T]) allocate() { s.list = make([]T, s.left) }

// memory returns the bytes that the ruleset takes, at most: what decoding
// allocates beside the columns.
func (w *wire) memory() int64 {
	const text = unsafe.Sizeof("")
	n := int64(len(w.text) + len(w.attributeFrom))
	for _, kind := range []struct {
		rows int
		size uintptr
	}{
		{w.textLens.rows, text},
		{len(w.ints), 2 * unsafe.Sizeof(int64(0))}, // offsets, spans and points are made of them
		{len(w.floats), unsafe.Sizeof(float64(0))},
		{w.attributeName.rows, unsafe.Sizeof(evaluator.Attribute{})},
		{w.zoneName.rows, unsafe.Sizeof(evaluator.Zone{})},
		{w.segmentName.rows, unsafe.Sizeof(evaluator.Segment{})},
		{w.flagKey.rows, unsafe.Sizeof(evaluator.Flag{})},
		{w.variantName.rows, unsafe.Sizeof(evaluator.Variant{})},
		{w.reservationLayer.rows, unsafe.Sizeof(evaluator.Reservation{})},
		{w.ruleName.rows, unsafe.Sizeof(evaluator.Rule{})},
		{w.splitBy.rows, unsafe.Sizeof(evaluator.Split{})},
		{w.rangeVariant.rows, unsafe.Sizeof(evaluator.Range{})},
		{w.rampVariant.rows, unsafe.Sizeof(evaluator.Ramp{})},
		{w.metadataName.rows, unsafe.Sizeof(evaluator.Attr{})},
		{w.conditionOp.rows, unsafe.Sizeof(evaluator.Condition{})},
		{len(w.members.data), text}, // one row may take several bytes: see ids
		{w.operands.rows, text},
	} {
		n += int64(kind.rows) * int64(kind.size)
	}
	return n
}

// allocate makes room for everything of a type at once, and lists are parts of
// that.
func (d *decoder) allocate() {
	d.variants.allocate()
	d.reservations.allocate()
	d.rules.allocate()
	d.splits.allocate()
	d.ranges.allocate()
	d.ramps.allocate()
	d.metadata.allocate()
	d.conditions.allocate()
	d.operands.allocate()
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

// end reports what went wrong, or that something is left over.
func (d *decoder) end() error {
	columns := d.w.columns()
	for _, c := range columns {
		if c.uints != nil && c.uints.short {
			return fmt.Errorf("column %q is too short", c.name)
		}
	}
	if d.err != nil {
		return d.err
	}
	for _, c := range columns {
		if c.uints != nil && c.uints.over() || c.ints != nil && len(d.ints) > 0 ||
			c.floats != nil && len(d.floats) > 0 {
			return fmt.Errorf("column %q is too long", c.name)
		}
	}
	if d.used < len(d.text) {
		return errors.New("there is text that nothing refers to")
	}
	if d.listed < len(d.lists) {
		return errors.New("there is a list that nothing refers to")
	}
	return nil
}

// maxBlock is how many bytes of text are copied as one block, unless a piece is
// longer.
const maxBlock = 64 << 10

// cutText cuts the text into pieces. They are a copy, so that they don't keep the
// columns in memory, and a copy of blocks, so that a name doesn't keep a million
// ids.
func (d *decoder) cutText() error {
	rest, lens := d.w.text, &d.w.textLens
	d.text = make([]string, lens.rows)
	var block string
	for i := range d.text {
		n := uint64(lens.take())
		if n > uint64(len(rest)) {
			return errors.New(`column "text" is too short`)
		}
		if n > uint64(len(block)) {
			// What the block before has left is a part of the piece, which
			// begins where rest does.
			block = string(rest[:min(uint64(len(rest)), max(n, maxBlock))])
		}
		d.text[i], block, rest = block[:n], block[n:], rest[n:]
	}
	if len(rest) > 0 {
		return errors.New(`column "text" is too long`)
	}
	return nil
}

func (d *decoder) ref(c *column) string {
	i := int(c.take())
	if i == 0 {
		i = d.used + 1
		d.used = min(i, len(d.text))
	}
	if i > d.used {
		d.fail("a reference to text leads nowhere")
		return ""
	}
	return d.text[i-1]
}

// refs takes as many texts as there are. Most are operands, which are many, and
// most of these occur often, so that they have small numbers: no call for each.
func (d *decoder) refs(c *column, texts []string) {
	for i := range texts {
		if at := c.at; at < len(c.data) {
			if n := int(c.data[at]); 0 < n && n < oneByte && n <= d.used {
				texts[i], c.at = d.text[n-1], at+1
				continue
			}
		}
		texts[i] = d.ref(c)
	}
}

// ids takes n members of a segment. Long lists are of texts that occur nowhere
// else, and these are adjacent already.
func (d *decoder) ids(n uint32) []string {
	c := &d.w.members
	if n == 0 {
		return nil
	}
	if uint64(n) <= uint64(len(d.text)-d.used) && c.zeros(int(n)) {
		before := d.used
		d.used += int(n)
		c.at += int(n)
		return d.text[before:d.used:d.used]
	}
	if uint64(n) > uint64(len(c.data)-c.at) { // a row takes a byte or more
		d.fail("there are fewer elements than are counted")
		return nil
	}
	list := make([]string, n)
	d.refs(c, list)
	return list
}

// one takes one element; nil if there is none left.
func one[T any](d *decoder, s *slab[T]) *T {
	part := cut(d, s, 1)
	if part == nil {
		return nil
	}
	return &part[0]
}

// front takes n elements off the front of a list; nil for none.
func front[T any](d *decoder, list *[]T, n uint32) []T {
	if n == 0 {
		return nil
	}
	if uint64(n) > uint64(len(*list)) {
		d.fail("there are fewer elements than are counted")
		return nil
	}
	part := (*list)[:n:n]
	*list = (*list)[n:]
	return part
}

// small takes an enumerated value.
func (d *decoder) small(v uint32) uint8 {
	if v > 0xff {
		d.fail("an enumerated value is too large")
	}
	return uint8(v)
}

func (d *decoder) int() int64 {
	n := front(d, &d.ints, 1)
	if n == nil {
		return 0
	}
	return n[0]
}

// pairs makes n elements of two integers each; nil for none.
func pairs[T any](d *decoder, n uint32, pair func(a, b int64) T) []T {
	ints := front(d, &d.ints, 2*min(n, 1<<31-1))
	if ints == nil {
		return nil
	}
	list := make([]T, len(ints)/2)
	for i := range list {
		list[i] = pair(ints[2*i], ints[2*i+1])
	}
	return list
}

// head takes everything that precedes the flags of a ruleset, and counts the flags.
func (d *decoder) head() evaluator.Ruleset {
	w := d.w
	set := evaluator.Ruleset{
		Unit:       d.ref(&w.unit),
		Attributes: list[evaluator.Attribute](w.attributeName.rows),
		Zones:      list[evaluator.Zone](w.zoneName.rows),
		Segments:   list[evaluator.Segment](w.segmentName.rows),
	}
	for i := range set.Attributes {
		set.Attributes[i].Name = d.ref(&w.attributeName)
		set.Attributes[i].Type = evaluator.AttributeType(d.small(w.attributeType.take()))
		d.requires(typeFeature(set.Attributes[i].Type))
	}
	d.from(set.Attributes)
	for i := range set.Zones {
		set.Zones[i].Name = d.ref(&w.zoneName)
		set.Zones[i].Offsets = pairs(d, w.zoneOffsets.take(), func(from, seconds int64) evaluator.Offset {
			return evaluator.Offset{From: from, Seconds: int(seconds)}
		})
	}
	for i := range set.Segments {
		d.segment(&set.Segments[i])
	}
	prerequisites := w.prerequisites.take()
	if uint64(prerequisites) > uint64(w.flagKey.rows) {
		d.fail("there are fewer flags than prerequisites")
		prerequisites = 0
	}
	d.served = w.flagKey.rows - int(prerequisites)
	return set
}

// from takes where endpoints take attributes from: a line for each attribute, or nothing.
func (d *decoder) from(attributes []evaluator.Attribute) {
	if len(d.w.attributeFrom) == 0 {
		return
	}
	rest := string(d.w.attributeFrom)
	for i := range attributes {
		line, more, ok := strings.Cut(rest, "\n")
		if !ok {
			d.fail("the column \"attribute_from\" has fewer lines than there are attributes")
			return
		}
		attributes[i].From, rest = line, more
	}
	if rest != "" {
		d.fail("the column \"attribute_from\" has more lines than there are attributes")
	}
}

// list returns a list of n elements; nil for none.
func list[T any](n int) []T {
	if n == 0 {
		return nil
	}
	return make([]T, n)
}

func (d *decoder) segment(s *evaluator.Segment) {
	w := d.w
	s.Name = d.ref(&w.segmentName)
	included, excluded := d.list(), d.list()
	include, exclude := w.segmentInclude.take(), w.segmentExclude.take()
	s.Include, s.IncludeList = d.members(d.ids(include), included)
	s.Exclude, s.ExcludeList = d.members(d.ids(exclude), excluded)
	switch w.segmentWhen.take() {
	case 0:
	case 1:
		s.When = d.when()
	default:
		d.fail("segment_when is neither 0 nor 1")
	}
}

// list takes which list, of those that the label names, has the strings that follow in
// another place; nil: none.
func (d *decoder) list() *listContent {
	if len(d.lists) == 0 {
		return nil
	}
	i := int(d.w.lists.take())
	switch {
	case i == 0:
		return nil
	case i > min(d.listed+1, len(d.lists)): // the first reference to each is in their order
		d.fail("a reference to a list leads nowhere")
		return nil
	}
	d.listed = max(d.listed, i)
	return &d.lists[i-1]
}

// members returns the strings, or the set, of a list that is part of the payload or in
// a target.
func (d *decoder) members(inside []string, target *listContent) ([]string, *evaluator.List) {
	if target == nil {
		return inside, nil
	}
	if len(inside) > 0 {
		d.fail("a list is both part of the payload and a target")
	}
	return target.strings, target.set
}

func (d *decoder) when() *evaluator.Condition {
	c := one(d, &d.conditions)
	if c != nil {
		d.condition(c, 0)
	}
	return c
}

func (d *decoder) condition(c *evaluator.Condition, depth int) {
	w := d.w
	form := w.conditionOp.take()
	c.Op, c.Fold = evaluator.Op(d.small(form/2)), form%2 == 1
	d.requires(opFeature(c.Op))
	if !c.Op.Combines() {
		c.Attribute = d.ref(&w.conditionAttribute)
		texts, ints := w.conditionStrings.take(), w.conditionInts.take()
		c.Strings = cut(d, &d.operands, texts)
		d.refs(&w.operands, c.Strings)
		if c.Op == evaluator.OpOneOf {
			c.Strings, c.List = d.members(c.Strings, d.list())
		}
		c.Ints = front(d, &d.ints, ints)
		if c.Op == evaluator.OpBucket && len(c.Strings) > 0 {
			d.requires(hashFeature(c.Strings[0]))
		}
		return
	}
	c.Of = cut(d, &d.conditions, w.conditionOf.take())
	if depth == evaluator.MaxDepth && c.Of != nil {
		d.fail("conditions are nested deeper than %d", evaluator.MaxDepth)
		return
	}
	for i := range c.Of {
		d.condition(&c.Of[i], depth+1)
	}
}

func (d *decoder) flag(f *evaluator.Flag) {
	w := d.w
	f.Key = d.ref(&w.flagKey)
	form := w.flagForm.take()
	if form >= 2*flagStale {
		d.fail("flag_form has bits that are not known")
	}
	if number := form & typeBits; int(number) < len(flagTypes) {
		f.Type = flagTypes[number]
	}
	f.Disabled = form&flagDisabled != 0
	f.Default, f.Off = int(w.flagDefault.take()), int(w.flagOff.take())
	variants, rules := w.flagVariants.take(), w.flagRules.take()
	f.Variants = cut(d, &d.variants, variants)
	for i := range f.Variants {
		f.Variants[i].Name = d.ref(&w.variantName)
		f.Variants[i].Value = d.value(f.Type)
	}
	if form&flagReserved != 0 {
		f.Reserved = d.reservation()
	}
	if form&flagMetadata != 0 {
		f.Metadata = d.attrs()
	}
	if form&flagStale != 0 {
		f.Stale = d.staleness()
	}
	f.Rules = cut(d, &d.rules, rules)
	for i := range f.Rules {
		d.rule(&f.Rules[i])
	}
}

// value takes a value of a flag's type.
func (d *decoder) value(t evaluator.Kind) evaluator.Value {
	switch t {
	case evaluator.KindNone:
		d.fail("a flag's type is not known")
		return evaluator.Value{}
	case evaluator.KindObject:
		return evaluator.ObjectValue(d.ref(&d.w.values))
	}
	return d.scalar(t)
}

func (d *decoder) scalar(kind evaluator.Kind) evaluator.Value {
	switch kind {
	case evaluator.KindBool:
		n := d.int()
		if n != 0 && n != 1 {
			d.fail("a boolean value is neither 0 nor 1")
		}
		return evaluator.BoolValue(n == 1)
	case evaluator.KindInt:
		return evaluator.IntValue(d.int())
	case evaluator.KindFloat:
		if f := front(d, &d.floats, 1); f != nil {
			return evaluator.FloatValue(f[0])
		}
	case evaluator.KindString:
		return evaluator.StringValue(d.ref(&d.w.values))
	default:
		d.fail("the kind of a value in metadata is not known")
	}
	return evaluator.Value{}
}

func (d *decoder) reservation() *evaluator.Reservation {
	w := d.w
	r := one(d, &d.reservations)
	if r == nil {
		return nil
	}
	r.Layer = d.ref(&w.reservationLayer)
	d.bucketing(&r.Bucketing, &w.reservationBy, &w.reservationSalt, &w.reservationHash)
	r.Spans = pairs(d, w.reservationSpans.take(), func(from, to int64) evaluator.Span {
		return evaluator.Span{From: uint64(from), To: uint64(to)}
	})
	return r
}

// bucketing takes what a split or a reservation buckets by, and reports whether
// the hash is foreign.
func (d *decoder) bucketing(b *evaluator.Bucketing, by, salt, hash *column) (foreign bool) {
	b.By, b.Salt, b.Hash = d.ref(by), d.ref(salt), d.ref(hash)
	feature := hashFeature(b.Hash)
	if feature == "" {
		return false
	}
	d.requires(feature)
	b.Positions = uint64(d.int())
	return true
}

// requires fails unless the label names a feature. Otherwise those who don't know
// it might decode the payload, and answer something else.
func (d *decoder) requires(feature string) {
	if feature != "" && !d.label.has(feature) {
		d.fail("the label doesn't name the feature %q, which is used", feature)
	}
}

func (d *decoder) staleness() *evaluator.Staleness {
	after, variant := d.int(), d.int()
	if after != int64(uint32(after)) || variant != int64(uint16(variant)) {
		d.fail("a staleness is out of range")
	}
	return &evaluator.Staleness{After: uint32(after), Variant: int(variant)}
}

func (d *decoder) attrs() []evaluator.Attr {
	w := d.w
	attrs := cut(d, &d.metadata, w.metadata.take())
	for i := range attrs {
		attrs[i].Name = d.ref(&w.metadataName)
		attrs[i].Value = d.scalar(evaluator.Kind(d.small(w.metadataKind.take())))
	}
	return attrs
}

func (d *decoder) rule(r *evaluator.Rule) {
	w := d.w
	r.Name = d.ref(&w.ruleName)
	form := w.ruleForm.take()
	if form >= 2*ruleMetadata || form&ruleSplit == 0 && form&ruleRamp != 0 ||
		form&ruleRamp == 0 && form&ruleLinear != 0 {
		d.fail("rule_form has bits that are not known, or that contradict each other")
	}
	if form&ruleWhen != 0 {
		r.When = d.when()
	}
	if form&ruleSplit != 0 {
		r.Split = d.split(form)
	} else {
		r.Variant = int(w.ruleVariant.take())
	}
	if form&ruleMetadata != 0 {
		r.Metadata = d.attrs()
	}
}

func (d *decoder) split(form uint32) *evaluator.Split {
	w := d.w
	s := one(d, &d.splits)
	if s == nil {
		return nil
	}
	foreign := d.bucketing(&s.Bucketing, &w.splitBy, &w.splitSalt, &w.splitHash)
	s.Ranges = cut(d, &d.ranges, w.splitRanges.take())
	var from, to uint64
	for i := range s.Ranges {
		if foreign {
			to = uint64(d.int())
		} else {
			to = uint64(w.rangeLast.take()) + 1
		}
		s.Ranges[i] = evaluator.Range{From: from, To: to, Variant: int(w.rangeVariant.take())}
		from = to
	}
	if form&ruleRamp != 0 {
		s.Ramp = d.ramp(form&ruleLinear != 0)
	}
	return s
}

func (d *decoder) ramp(linear bool) *evaluator.Ramp {
	w := d.w
	r := one(d, &d.ramps)
	if r == nil {
		return nil
	}
	r.Variant, r.Rest, r.Linear = int(w.rampVariant.take()), int(w.rampRest.take()), linear
	if d.guarded {
		r.Guarded = w.rampGuarded.take() != 0
	}
	r.Points = pairs(d, w.rampPoints.take(), func(at, level int64) evaluator.Point {
		return evaluator.Point{At: at, Level: uint64(level)}
	})
	return r
}
