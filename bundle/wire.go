package bundle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tinylib/msgp/msgp"

	"github.com/serin-flags/serin/evaluator"
)

// wire is a ruleset as columns: a MessagePack map from the names that columns
// gives them to the values of one field in all records of a kind. text is a
// string, ints an array of signed 64-bit integers, and floats one of 64-bit
// floating-point numbers. All others are arrays of unsigned integers below 2^32,
// in an unsigned form of MessagePack.
//
// Format 1 has exactly these columns, in this order. In format 2 a column that
// has no rows may be missing, the order doesn't matter, and there may be others,
// 1,024 in all, with names of 1 to 64 bytes: strings, or arrays of numbers. A
// reader skips the columns that it doesn't know. So what a column of a later
// version says must not matter to evaluation, or be a feature; and such a column
// refers to no text below, and takes nothing from the other columns.
//
// A reader goes through the ruleset record by record. For each, it takes the rows
// that are listed at its name below from the front of the columns, from left to
// right. In the end no row is left. "X: N records" stands for the next row of X, which
// is called N, and N records after it; "bit 4 of F: a record" for a record that is
// there only if F has that bit. Bits that are not mentioned are refused.
//
//	ruleset      unit; attributes, zones and segments, of each as many as the
//	             column of its names has rows; prerequisites: P; the flags, of
//	             which the last P are prerequisites
//	attribute    attribute_name; attribute_type; a line of attribute_from, which says
//	             where endpoints take it from (package internal/from) and which
//	             readers may skip: evaluation doesn't depend on it
//	zone         zone_name; zone_offsets: N times two ints, from and seconds
//	segment      segment_name; a list: what is included; a list: what is
//	             excluded; segment_include: N; segment_exclude: M;
//	             N members that are included, M that are excluded;
//	             segment_when: 1: a condition, 0: none
//	flag         flag_key; flag_form: F; flag_default; flag_off;
//	             flag_variants: N; flag_rules: M; N variants;
//	             bit 16 of F: a reservation; bit 32 of F: metadata;
//	             bit 64 of F: two ints, after and variant of a staleness;
//	             M rules. The bits below 8 are the type. Bit 8: it is disabled
//	variant      variant_name; a value of the flag's type
//	reservation  reservation_layer; reservation_by; reservation_salt;
//	             reservation_hash: H; if H is foreign: an int, positions;
//	             reservation_spans: N times two ints, from and to
//	metadata     metadata: N times metadata_name; metadata_kind: a value of
//	             that kind
//	rule         rule_name; rule_form: F; bit 1 of F: a condition;
//	             bit 2 of F: a split, or else rule_variant;
//	             bit 16 of F: metadata. Bits 4 and 8 belong to the split
//	split        split_by; split_salt; split_hash: H; if H is foreign: an int,
//	             positions; split_ranges: N ranges; bit 4 of the rule's F: a ramp
//	range        if the split's H is foreign: an int, the position after its last
//	             one, or else range_last, its last position; range_variant. It
//	             begins where the range before ends, the first one at 0
//	ramp         ramp_variant; ramp_rest; ramp_points: N times two ints, at and
//	             level. Bit 8 of the rule's F: it is linear. ramp_guarded, if
//	             that has rows: 1: it has arms, which readers may skip, 0: not
//	condition    condition_op: twice the operator, and 1 if it ignores case.
//	             If the operator is all, any or not:
//	             condition_of: N conditions. If it is any other:
//	             condition_attribute; condition_strings: N; condition_ints: M;
//	             N operands; if it is one-of, a list; M ints
//	list         if the label names lists, lists: 0 for none, or the number of a
//	             list, counted from 1, that stands for the members or operands,
//	             which then are none. The first references to each are in order
//	value        a boolean: ints, 0 or 1; an integer: ints; a number: floats;
//	             text, or an object as JSON: values
//
// Types, operators and kinds have the numbers of package evaluator. A hash is
// foreign if it is neither empty nor murmur3_x64_128. Positions are unsigned
// 64-bit integers, stored as the signed ones with the same bits.
//
// The columns unit, members, operands and values, those of names and keys,
// reservation_layer, and those that end in _by, _salt, _hash and _attribute refer
// to pieces of text, of which text_lens has the lengths in bytes. No two pieces
// are equal, and the order is that in which a reader comes to need them: the first
// reference to each is 0, for the next piece that was not referred to, and any
// later one is the number of the piece, counted from 1. So columns of names are
// mostly zeros, which compress to nearly nothing.
type wire struct {
	unit          column
	text          []byte
	textLens      column
	ints          []int64
	floats        []float64
	attributeName column
	attributeType column
	attributeFrom []byte
	zoneName      column
	zoneOffsets   column

	segmentName    column
	segmentInclude column
	segmentExclude column
	segmentWhen    column
	members        column

	prerequisites column // one row
	flagKey       column
	flagForm      column
	flagDefault   column
	flagOff       column
	flagVariants  column
	flagRules     column
	variantName   column

	reservationLayer column
	reservationBy    column
	reservationSalt  column
	reservationHash  column
	reservationSpans column

	ruleName    column
	ruleForm    column
	ruleVariant column

	splitBy      column
	splitSalt    column
	splitHash    column
	splitRanges  column
	rangeLast    column
	rangeVariant column
	rampVariant  column
	rampRest     column
	rampPoints   column
	rampGuarded  column // of format 2

	metadata     column
	metadataName column
	metadataKind column

	conditionOp        column
	conditionOf        column
	conditionAttribute column
	conditionStrings   column
	conditionInts      column
	operands           column
	values             column

	lists column // of format 2
}

// The bits of flag_form above the type.
const (
	typeBits     = 8 - 1
	flagDisabled = 8
	flagReserved = 16
	flagMetadata = 32
	flagStale    = 64
)

// flagTypes are the types of flags by their number in flag_form; no type has 0.
var flagTypes = [...]evaluator.Kind{
	1: evaluator.KindBool, 2: evaluator.KindString, 3: evaluator.KindInt, 4: evaluator.KindFloat,
	5: evaluator.KindObject,
}

// The bits of rule_form.
const (
	ruleWhen     = 1
	ruleSplit    = 2
	ruleRamp     = 4
	ruleLinear   = 8
	ruleMetadata = 16
)

// A namedColumn is one entry of the map; exactly one of its pointers is set.
type namedColumn struct {
	name   string
	uints  *column
	ints   *[]int64
	floats *[]float64
	text   *[]byte
}

// columns lists the columns in the order in which they are written.
func (w *wire) columns() []namedColumn {
	return []namedColumn{
		{name: "unit", uints: &w.unit},
		{name: "text", text: &w.text},
		{name: "text_lens", uints: &w.textLens},
		{name: "ints", ints: &w.ints},
		{name: "floats", floats: &w.floats},
		{name: "attribute_name", uints: &w.attributeName},
		{name: "attribute_type", uints: &w.attributeType},
		{name: "zone_name", uints: &w.zoneName},
		{name: "zone_offsets", uints: &w.zoneOffsets},
		{name: "segment_name", uints: &w.segmentName},
		{name: "segment_include", uints: &w.segmentInclude},
		{name: "segment_exclude", uints: &w.segmentExclude},
		{name: "segment_when", uints: &w.segmentWhen},
		{name: "members", uints: &w.members},
		{name: "prerequisites", uints: &w.prerequisites},
		{name: "flag_key", uints: &w.flagKey},
		{name: "flag_form", uints: &w.flagForm},
		{name: "flag_default", uints: &w.flagDefault},
		{name: "flag_off", uints: &w.flagOff},
		{name: "flag_variants", uints: &w.flagVariants},
		{name: "flag_rules", uints: &w.flagRules},
		{name: "variant_name", uints: &w.variantName},
		{name: "reservation_layer", uints: &w.reservationLayer},
		{name: "reservation_by", uints: &w.reservationBy},
		{name: "reservation_salt", uints: &w.reservationSalt},
		{name: "reservation_hash", uints: &w.reservationHash},
		{name: "reservation_spans", uints: &w.reservationSpans},
		{name: "rule_name", uints: &w.ruleName},
		{name: "rule_form", uints: &w.ruleForm},
		{name: "rule_variant", uints: &w.ruleVariant},
		{name: "split_by", uints: &w.splitBy},
		{name: "split_salt", uints: &w.splitSalt},
		{name: "split_hash", uints: &w.splitHash},
		{name: "split_ranges", uints: &w.splitRanges},
		{name: "range_last", uints: &w.rangeLast},
		{name: "range_variant", uints: &w.rangeVariant},
		{name: "ramp_variant", uints: &w.rampVariant},
		{name: "ramp_rest", uints: &w.rampRest},
		{name: "ramp_points", uints: &w.rampPoints},
		{name: "metadata", uints: &w.metadata},
		{name: "metadata_name", uints: &w.metadataName},
		{name: "metadata_kind", uints: &w.metadataKind},
		{name: "condition_op", uints: &w.conditionOp},
		{name: "condition_of", uints: &w.conditionOf},
		{name: "condition_attribute", uints: &w.conditionAttribute},
		{name: "condition_strings", uints: &w.conditionStrings},
		{name: "condition_ints", uints: &w.conditionInts},
		{name: "operands", uints: &w.operands},
		{name: "values", uints: &w.values},
		{name: "lists", uints: &w.lists},
		{name: "attribute_from", text: &w.attributeFrom},
		{name: "ramp_guarded", uints: &w.rampGuarded},
	}
}

// columns1 lists the columns of format 1.
func (w *wire) columns1() []namedColumn {
	columns := w.columns()
	return columns[:len(columns)-3]
}

// rows returns how many rows a column has, or bytes if it is text.
func (c *namedColumn) rows() int {
	switch {
	case c.text != nil:
		return len(*c.text)
	case c.uints != nil:
		return c.uints.rows
	case c.ints != nil:
		return len(*c.ints)
	}
	return len(*c.floats)
}

// marshal returns w as MessagePack. In format 2 it leaves out empty columns.
func (w *wire) marshal(format uint32) []byte {
	columns := w.columns1()
	if format == format2 {
		columns = slices.DeleteFunc(w.columns(), func(c namedColumn) bool { return c.rows() == 0 })
	}
	b := msgp.AppendMapHeader(nil, uint32(len(columns)))
	for _, c := range columns {
		b = msgp.AppendString(b, c.name)
		switch {
		case c.text != nil:
			b = msgp.AppendStringFromBytes(b, *c.text)
		case c.uints != nil:
			b = msgp.AppendArrayHeader(b, uint32(c.uints.rows))
			b = append(b, c.uints.data...)
		case c.ints != nil:
			b = appendArray(b, *c.ints, msgp.AppendInt64)
		case c.floats != nil:
			b = appendArray(b, *c.floats, msgp.AppendFloat64)
		}
	}
	return b
}

func appendArray[T any](b []byte, column []T, appendOne func([]byte, T) []byte) []byte {
	b = msgp.AppendArrayHeader(b, uint32(len(column)))
	for _, v := range column {
		b = appendOne(b, v)
	}
	return b
}

// unmarshal reads what marshal wrote. w refers to b.
func (w *wire) unmarshal(format uint32, b []byte) error {
	n, b, err := msgp.ReadMapHeaderBytes(b)
	if err != nil {
		return err
	}
	if format == format1 {
		b, err = readOrdered(w.columns1(), n, b)
	} else {
		b, err = readNamed(w.columns(), n, b)
	}
	if err == nil && len(b) > 0 {
		err = errors.New("there is something after the columns")
	}
	return err
}

// readOrdered reads the n columns of a payload of format 1: all of these, in their
// order.
func readOrdered(columns []namedColumn, n uint32, b []byte) ([]byte, error) {
	if int(n) != len(columns) {
		return nil, fmt.Errorf("there are %d columns, not %d; is it of another version?", n, len(columns))
	}
	for i := range columns {
		c := &columns[i]
		name, rest, err := msgp.ReadStringZC(b)
		if err != nil {
			return nil, err
		}
		if string(name) != c.name {
			return nil, fmt.Errorf("a column that is not %q is in its place; is it of another version?", c.name)
		}
		if b, err = c.read(rest); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Limits on the columns of format 2, known and not known.
const (
	maxColumns    = 1024
	maxColumnName = 64
)

// readNamed reads the n columns of a payload of format 2: these, as far as they
// are there, and others, which it skips.
func readNamed(columns []namedColumn, n uint32, b []byte) ([]byte, error) {
	if n > maxColumns {
		return nil, fmt.Errorf("there are %d columns; the limit is %d", n, maxColumns)
	}
	byName := make(map[string]*namedColumn, len(columns))
	for i := range columns {
		byName[columns[i].name] = &columns[i]
	}
	seen := make(map[string]bool, n)
	for range n {
		name, rest, err := msgp.ReadStringZC(b)
		if err != nil {
			return nil, err
		}
		if len(name) == 0 || len(name) > maxColumnName {
			return nil, fmt.Errorf("the name of a column has %d bytes; 1 to %d are allowed", len(name), maxColumnName)
		}
		if seen[string(name)] {
			return nil, fmt.Errorf("column %q is there twice", name)
		}
		seen[string(name)] = true
		if c := byName[string(name)]; c != nil {
			b, err = c.read(rest)
		} else if b, err = skipColumn(rest); err != nil {
			err = fmt.Errorf("column %q: %w", name, err)
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// read reads the rows of a column.
func (c *namedColumn) read(b []byte) (rest []byte, err error) {
	switch {
	case c.text != nil:
		*c.text, rest, err = msgp.ReadStringZC(b)
	case c.uints != nil:
		*c.uints, rest, err = readColumn(b)
	case c.ints != nil:
		*c.ints, rest, err = readArray(b, msgp.ReadInt64Bytes)
	case c.floats != nil:
		*c.floats, rest, err = readArray(b, msgp.ReadFloat64Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("column %q: %w", c.name, err)
	}
	return rest, nil
}

// skipColumn skips a column that is not known: a string, or an array of numbers.
// It allocates nothing, whatever is there.
func skipColumn(b []byte) ([]byte, error) {
	if msgp.NextType(b) == msgp.StrType {
		_, rest, err := msgp.ReadStringZC(b)
		return rest, err
	}
	n, b, err := readHeader(b)
	for ; n > 0 && err == nil; n-- {
		switch msgp.NextType(b) {
		case msgp.IntType, msgp.UintType, msgp.Float32Type, msgp.Float64Type:
			b, err = msgp.Skip(b)
		default:
			err = errors.New("an element is not a number")
		}
	}
	return b, err
}

var errShort = errors.New("it is shorter than it says")

// readHeader reads an array's header: how many elements follow.
func readHeader(b []byte) (int, []byte, error) {
	n, b, err := msgp.ReadArrayHeaderBytes(b)
	if err == nil && uint64(n) > uint64(len(b)) { // an element takes a byte or more: don't allocate for a lie
		err = errShort
	}
	return int(n), b, err
}

func readArray[T any](b []byte, readOne func([]byte) (T, []byte, error)) ([]T, []byte, error) {
	n, b, err := readHeader(b)
	if err != nil || n == 0 {
		return nil, b, err
	}
	column := make([]T, n)
	for i := range column {
		if column[i], b, err = readOne(b); err != nil {
			return nil, nil, err
		}
	}
	return column, b, nil
}

// A column is an array of unsigned integers below 2^32, as MessagePack: nearly
// all are below 128, and one byte.
type column struct {
	data  []byte // the elements
	rows  int    // how many there are
	at    int    // index into data of the first that was not taken
	short bool   // more were taken than there are
}

// put appends a row.
func (c *column) put(v uint32) {
	c.data = msgp.AppendUint32(c.data, v)
	c.rows++
}

// The first bytes of unsigned integers in MessagePack that take more than one.
const (
	oneByte   = 0x80 // what is below is an integer by itself
	lead8bit  = 0xcc
	lead16bit = 0xcd
	lead32bit = 0xce
)

// readColumn finds the end of a column.
func readColumn(b []byte) (c column, rest []byte, err error) {
	c.rows, b, err = readHeader(b)
	if err != nil {
		return column{}, nil, err
	}
	end := 0
	for left := c.rows; left > 0; {
		const eight, high = 8, 0x8080808080808080
		if left >= eight && len(b)-end >= eight && binary.LittleEndian.Uint64(b[end:])&high == 0 {
			end, left = end+eight, left-eight
			continue
		}
		if end >= len(b) {
			return column{}, nil, errShort
		}
		switch lead := b[end]; {
		case lead < oneByte:
			end++
		case lead == lead8bit:
			end += 1 + 1
		case lead == lead16bit:
			end += 1 + 2
		case lead == lead32bit:
			end += 1 + 4
		default:
			return column{}, nil, errors.New("an element is not an unsigned integer below 2^32")
		}
		left--
	}
	if end > len(b) {
		return column{}, nil, errShort
	}
	c.data = b[:end:end]
	return c, b[end:], nil
}

// take returns the next row. If there is none it is 0, and c is short.
func (c *column) take() uint32 {
	if c.at < len(c.data) {
		if v := c.data[c.at]; v < oneByte {
			c.at++
			return uint32(v)
		}
	}
	return c.takeWide()
}

func (c *column) takeWide() uint32 {
	if c.at == len(c.data) {
		c.short = true
		return 0
	}
	lead, b := c.data[c.at], c.data[c.at+1:]
	switch lead {
	case lead8bit:
		c.at += 1 + 1
		return uint32(b[0])
	case lead16bit:
		c.at += 1 + 2
		return uint32(binary.BigEndian.Uint16(b))
	}
	c.at += 1 + 4
	return binary.BigEndian.Uint32(b)
}

// zeros reports whether the next n rows are there and all 0.
func (c *column) zeros(n int) bool {
	if n > len(c.data)-c.at {
		return false
	}
	for _, b := range c.data[c.at : c.at+n] {
		if b != 0 {
			return false
		}
	}
	return true
}

// over reports whether rows are left.
func (c *column) over() bool { return c.at < len(c.data) }
