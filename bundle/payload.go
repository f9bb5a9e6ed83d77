package bundle

import (
	"errors"
	"fmt"

	"github.com/serin-flags/serin/evaluator"
)

// PayloadName is the file name of payloads. The payload of a namespace is the
// TUF target <namespace>/<PayloadName>.
const PayloadName = "flags.msgpack.gz"

// A Payload is the compiled flags of one namespace in one environment: what a
// TUF target holds.
type Payload struct {
	Environment string
	Namespace   string
	Ruleset     evaluator.Ruleset
}

// EncodePayload encodes p as columns in MessagePack, compressed by gzip. Equal
// payloads give equal bytes. Rulesets that [evaluator.Compile] refuses are
// refused, and so are a namespace that is not valid ([ValidNamespace]) and an
// empty environment.
func EncodePayload(p Payload) ([]byte, error) {
	if !ValidNamespace(p.Namespace) {
		return nil, fmt.Errorf("encoding payload: %q is not a valid namespace", p.Namespace)
	}
	if p.Environment == "" {
		return nil, fmt.Errorf("encoding payload of %s: the environment is empty", p.Namespace)
	}
	if _, err := evaluator.Compile(p.Ruleset); err != nil {
		return nil, fmt.Errorf("encoding payload of %s: %w", p.Namespace, err)
	}
	e := &encoder{index: make(map[string]uint32)}
	e.payload(&p)
	data, err := e.w.marshal()
	if err != nil {
		return nil, fmt.Errorf("encoding payload of %s: %w", p.Namespace, err)
	}
	return data, nil
}

// DecodePayload decodes what [EncodePayload] wrote. It checks the form, not
// what the ruleset says: that is up to [evaluator.Compile]. Any data is safe to
// decode: what is allocated is at most 35 times the decompressed size, and that
// is at most 64 MiB.
func DecodePayload(data []byte) (Payload, error) {
	d := &decoder{}
	err := d.w.unmarshal(data)
	if err == nil {
		err = d.texts()
	}
	var p Payload
	if err == nil {
		p = d.payload()
		err = d.end()
	}
	if err != nil {
		return Payload{}, fmt.Errorf("decoding payload: %w", err)
	}
	return p, nil
}

// An encoder turns a payload into columns.
type encoder struct {
	w     wire
	text  []byte
	index map[string]uint32 // of texts
}

func (e *encoder) ref(s string) uint32 {
	i, ok := e.index[s]
	if !ok {
		i = uint32(len(e.w.textLens))
		e.index[s] = i
		e.w.textLens = append(e.w.textLens, uint32(len(s)))
		e.text = append(e.text, s...)
	}
	return i
}

// put appends a row to a column.
func put(column *[]uint32, v uint32) { *column = append(*column, v) }

func putBool(column *[]uint32, v bool) {
	if v {
		put(column, 1)
	} else {
		put(column, 0)
	}
}

func (e *encoder) payload(p *Payload) {
	w := &e.w
	put(&w.format, wireFormat)
	put(&w.environment, e.ref(p.Environment))
	put(&w.namespace, e.ref(p.Namespace))
	put(&w.unit, e.ref(p.Ruleset.Unit))
	put(&w.attributes, uint32(len(p.Ruleset.Attributes)))
	for _, a := range p.Ruleset.Attributes {
		put(&w.attributeName, e.ref(a.Name))
		put(&w.attributeType, uint32(a.Type))
	}
	put(&w.segments, uint32(len(p.Ruleset.Segments)))
	for i := range p.Ruleset.Segments {
		e.segment(&p.Ruleset.Segments[i])
	}
	put(&w.flags, uint32(len(p.Ruleset.Flags)))
	for i := range p.Ruleset.Flags {
		e.flag(&p.Ruleset.Flags[i])
	}
	w.text = string(e.text)
}

func (e *encoder) segment(s *evaluator.Segment) {
	w := &e.w
	put(&w.segmentName, e.ref(s.Name))
	put(&w.segmentInclude, uint32(len(s.Include)))
	put(&w.segmentExclude, uint32(len(s.Exclude)))
	e.refs(&w.members, s.Include)
	e.refs(&w.members, s.Exclude)
	e.when(&w.segmentWhen, s.When)
}

func (e *encoder) refs(column *[]uint32, texts []string) {
	for _, s := range texts {
		put(column, e.ref(s))
	}
}

func (e *encoder) when(column *[]uint32, when *evaluator.Condition) {
	putBool(column, when != nil)
	if when != nil {
		e.condition(when)
	}
}

func (e *encoder) condition(c *evaluator.Condition) {
	w := &e.w
	put(&w.conditionOp, uint32(c.Op))
	put(&w.conditionAttribute, e.ref(c.Attribute))
	putBool(&w.conditionFold, c.Fold)
	put(&w.conditionStrings, uint32(len(c.Strings)))
	put(&w.conditionInts, uint32(len(c.Ints)))
	put(&w.conditionOf, uint32(len(c.Of)))
	e.refs(&w.operands, c.Strings)
	w.ints = append(w.ints, c.Ints...)
	for i := range c.Of {
		e.condition(&c.Of[i])
	}
}

func (e *encoder) flag(f *evaluator.Flag) {
	w := &e.w
	put(&w.flagKey, e.ref(f.Key))
	put(&w.flagType, uint32(f.Type))
	putBool(&w.flagDisabled, f.Disabled)
	put(&w.flagDefault, uint32(f.Default))
	put(&w.flagOff, uint32(f.Off))
	put(&w.flagVariants, uint32(len(f.Variants)))
	put(&w.flagRules, uint32(len(f.Rules)))
	for _, v := range f.Variants {
		put(&w.variantName, e.ref(v.Name))
		e.value(f.Type, v.Value)
	}
	for i := range f.Rules {
		e.rule(&f.Rules[i])
	}
}

// value appends a value of a flag's type, which Compile has made sure it is of.
func (e *encoder) value(t evaluator.Type, v evaluator.Value) {
	w := &e.w
	switch t {
	case evaluator.Boolean:
		b, _ := v.Bool()
		if b {
			w.ints = append(w.ints, 1)
		} else {
			w.ints = append(w.ints, 0)
		}
	case evaluator.Integer:
		n, _ := v.Int()
		w.ints = append(w.ints, n)
	case evaluator.Number:
		f, _ := v.Float()
		w.floats = append(w.floats, f)
	case evaluator.String:
		s, _ := v.Text()
		put(&w.variantValue, e.ref(s))
	case evaluator.Object:
		put(&w.variantValue, e.ref(string(v.JSON())))
	}
}

func (e *encoder) rule(r *evaluator.Rule) {
	w := &e.w
	put(&w.ruleName, e.ref(r.Name))
	e.when(&w.ruleWhen, r.When)
	put(&w.ruleVariant, uint32(r.Variant))
	if r.Split == nil {
		put(&w.ruleRanges, 0)
		return
	}
	put(&w.ruleRanges, uint32(len(r.Split.Ranges)))
	put(&w.splitBy, e.ref(r.Split.By))
	put(&w.splitSalt, e.ref(r.Split.Salt))
	put(&w.splitHash, e.ref(r.Split.Hash))
	for _, r := range r.Split.Ranges { // gapless: Compile has made sure
		put(&w.rangeLast, uint32(r.To-1))
		put(&w.rangeVariant, uint32(r.Variant))
	}
}

// A decoder takes a payload off the front of the columns. The first thing that
// doesn't fit is remembered; what follows is of no use then, and lists in it are
// empty.
type decoder struct {
	w        wire
	strings  []string
	promised int // conditions that others counted and that are still to be taken
	err      error
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = errors.New(what)
	}
}

// texts cuts the text into strings.
func (d *decoder) texts() error {
	d.strings = make([]string, len(d.w.textLens))
	rest := d.w.text
	for i, n := range d.w.textLens {
		if uint64(n) > uint64(len(rest)) {
			return errors.New("column \"text\" is too short")
		}
		d.strings[i], rest = rest[:n], rest[n:]
	}
	if rest != "" {
		return errors.New("column \"text\" is too long")
	}
	return nil
}

// end reports what went wrong, or that something is left over.
func (d *decoder) end() error {
	if d.err != nil {
		return d.err
	}
	for _, c := range d.w.columns() {
		if c.name == "text_lens" || c.text != nil {
			continue
		}
		if c.uints != nil && len(*c.uints) > 0 || c.ints != nil && len(*c.ints) > 0 || c.floats != nil && len(*c.floats) > 0 {
			return fmt.Errorf("column %q is too long", c.name)
		}
	}
	return nil
}

// take removes and returns the first row of a column.
func take[T any](d *decoder, column *[]T) (v T) {
	if len(*column) == 0 {
		d.fail("a column is too short")
		return v
	}
	v, *column = (*column)[0], (*column)[1:]
	return v
}

func (d *decoder) bool(column *[]uint32) bool {
	return truth(d, take(d, column))
}

func truth[T uint32 | int64](d *decoder, v T) bool {
	if v != 0 && v != 1 {
		d.fail("a truth value is neither 0 nor 1")
	}
	return v == 1
}

func (d *decoder) text(column *[]uint32) string {
	i := take(d, column)
	if uint64(i) >= uint64(len(d.strings)) {
		d.fail("a reference to text leads nowhere")
		return ""
	}
	return d.strings[i]
}

// count takes a number of rows that stand in the column rows. After an error it
// is 0: the rows of what failed were not taken, and each list that follows could
// be made for them once more.
func count[T any](d *decoder, column *[]uint32, rows []T) int {
	n := take(d, column)
	if d.err != nil {
		return 0
	}
	if uint64(n) > uint64(len(rows)) {
		d.fail("a column is too short")
		return 0
	}
	return int(n)
}

// many builds n values; nil for none, so that a ruleset survives the round trip.
func many[T any](n int, one func() T) []T {
	if n == 0 {
		return nil
	}
	list := make([]T, n)
	for i := range list {
		list[i] = one()
	}
	return list
}

func (d *decoder) payload() Payload {
	w := &d.w
	if f := take(d, &w.format); f != wireFormat {
		d.fail(fmt.Sprintf("format %d is not known, only %d", f, wireFormat))
	}
	var p Payload
	p.Environment = d.text(&w.environment)
	p.Namespace = d.text(&w.namespace)
	p.Ruleset.Unit = d.text(&w.unit)
	p.Ruleset.Attributes = many(count(d, &w.attributes, w.attributeName), d.attribute)
	p.Ruleset.Segments = many(count(d, &w.segments, w.segmentName), d.segment)
	p.Ruleset.Flags = many(count(d, &w.flags, w.flagKey), d.flag)
	return p
}

func (d *decoder) attribute() evaluator.Attribute {
	return evaluator.Attribute{
		Name: d.text(&d.w.attributeName),
		Type: evaluator.AttributeType(d.byte(&d.w.attributeType)),
	}
}

// byte takes an enumerated value.
func (d *decoder) byte(column *[]uint32) uint8 {
	v := take(d, column)
	if v > 0xff {
		d.fail("an enumerated value is too large")
	}
	return uint8(v)
}

func (d *decoder) segment() evaluator.Segment {
	w := &d.w
	member := func() string { return d.text(&w.members) }
	s := evaluator.Segment{Name: d.text(&w.segmentName)}
	s.Include = many(count(d, &w.segmentInclude, w.members), member)
	s.Exclude = many(count(d, &w.segmentExclude, w.members), member)
	s.When = d.when(&w.segmentWhen)
	return s
}

func (d *decoder) when(column *[]uint32) *evaluator.Condition {
	if !d.bool(column) || d.err != nil {
		return nil
	}
	c := d.condition(0)
	return &c
}

func (d *decoder) condition(depth int) evaluator.Condition {
	w := &d.w
	if depth > evaluator.MaxDepth {
		d.fail("conditions are nested too deep")
		return evaluator.Condition{}
	}
	c := evaluator.Condition{
		Op:        evaluator.Op(d.byte(&w.conditionOp)),
		Attribute: d.text(&w.conditionAttribute),
		Fold:      d.bool(&w.conditionFold),
	}
	c.Strings = many(count(d, &w.conditionStrings, w.operands), func() string { return d.text(&w.operands) })
	c.Ints = many(count(d, &w.conditionInts, w.ints), func() int64 { return take(d, &w.ints) })
	n := count(d, &w.conditionOf, w.conditionOp)
	if d.promised += n; d.promised > len(w.conditionOp) { // each of them may lie about all the rest
		d.fail("a column is too short")
		return c
	}
	c.Of = many(n, func() evaluator.Condition {
		d.promised--
		return d.condition(depth + 1)
	})
	return c
}

func (d *decoder) flag() evaluator.Flag {
	w := &d.w
	f := evaluator.Flag{
		Key:      d.text(&w.flagKey),
		Type:     evaluator.Type(d.byte(&w.flagType)),
		Disabled: d.bool(&w.flagDisabled),
		Default:  int(take(d, &w.flagDefault)),
		Off:      int(take(d, &w.flagOff)),
	}
	f.Variants = many(count(d, &w.flagVariants, w.variantName), func() evaluator.Variant {
		return evaluator.Variant{Name: d.text(&w.variantName), Value: d.value(f.Type)}
	})
	f.Rules = many(count(d, &w.flagRules, w.ruleName), d.rule)
	return f
}

func (d *decoder) value(t evaluator.Type) evaluator.Value {
	w := &d.w
	switch t {
	case evaluator.Boolean:
		return evaluator.BoolValue(truth(d, take(d, &w.ints)))
	case evaluator.Integer:
		return evaluator.IntValue(take(d, &w.ints))
	case evaluator.Number:
		return evaluator.FloatValue(take(d, &w.floats))
	case evaluator.String:
		return evaluator.StringValue(d.text(&w.variantValue))
	case evaluator.Object:
		return evaluator.ObjectValue(d.text(&w.variantValue))
	}
	d.fail("a flag's type is not known")
	return evaluator.Value{}
}

func (d *decoder) rule() evaluator.Rule {
	w := &d.w
	r := evaluator.Rule{Name: d.text(&w.ruleName)}
	r.When = d.when(&w.ruleWhen)
	r.Variant = int(take(d, &w.ruleVariant))
	n := count(d, &w.ruleRanges, w.rangeLast)
	if n == 0 {
		return r
	}
	r.Split = &evaluator.Split{
		By:   d.text(&w.splitBy),
		Salt: d.text(&w.splitSalt),
		Hash: d.text(&w.splitHash),
	}
	var from uint64
	r.Split.Ranges = many(n, func() evaluator.Range {
		rg := evaluator.Range{From: from, To: uint64(take(d, &w.rangeLast)) + 1, Variant: int(take(d, &w.rangeVariant))}
		from = rg.To
		return rg
	})
	return r
}
