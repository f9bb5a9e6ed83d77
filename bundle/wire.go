package bundle

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/tinylib/msgp/msgp"
)

// maxDecoded is the most a payload may decompress to.
const maxDecoded = 64 << 20

// wireFormat is the version of the columns below. A reader refuses any other:
// what it doesn't know it would evaluate wrongly.
const wireFormat = 1

// wire is a payload as columns: a MessagePack map from the names that columns
// gives them. Every text stands once in Text; a reference to it is its index in
// TextLens. Each list of the ruleset is a row count in the column of its owner;
// the rows stand in the columns in depth-first order, so that a reader takes
// them off the front of each column and has none left at the end.
type wire struct {
	format      []uint32 // one row: wireFormat
	environment []uint32 // one row, as are namespace, unit and the counts
	namespace   []uint32
	unit        []uint32

	textLens []uint32 // bytes
	text     string

	ints   []int64 // integers of conditions and variants
	floats []float64

	attributes    []uint32 // one row: how many
	attributeName []uint32
	attributeType []uint32

	segments       []uint32 // one row: how many
	segmentName    []uint32
	segmentInclude []uint32 // how many members
	segmentExclude []uint32
	segmentWhen    []uint32 // 1: a condition follows
	members        []uint32

	flags        []uint32 // one row: how many
	flagKey      []uint32
	flagType     []uint32
	flagDisabled []uint32
	flagDefault  []uint32
	flagOff      []uint32
	flagVariants []uint32 // how many
	flagRules    []uint32 // how many

	variantName  []uint32
	variantValue []uint32 // text of string and object variants; others have numbers

	ruleName    []uint32
	ruleWhen    []uint32 // 1: a condition follows
	ruleVariant []uint32
	ruleRanges  []uint32 // how many; 0: no split

	splitBy   []uint32
	splitSalt []uint32
	splitHash []uint32

	rangeLast    []uint32 // the last position of the range
	rangeVariant []uint32

	conditionOp        []uint32
	conditionAttribute []uint32
	conditionFold      []uint32
	conditionStrings   []uint32 // how many operands
	conditionInts      []uint32 // how many operands
	conditionOf        []uint32 // how many conditions follow below it
	operands           []uint32
}

// A column is one entry of the map; exactly one of its pointers is set.
type column struct {
	name   string
	uints  *[]uint32
	ints   *[]int64
	floats *[]float64
	text   *string
}

// columns lists the columns in the order in which they are written.
func (w *wire) columns() []column {
	return []column{
		{name: "format", uints: &w.format},
		{name: "environment", uints: &w.environment},
		{name: "namespace", uints: &w.namespace},
		{name: "unit", uints: &w.unit},
		{name: "text", text: &w.text},
		{name: "text_lens", uints: &w.textLens},
		{name: "ints", ints: &w.ints},
		{name: "floats", floats: &w.floats},
		{name: "attributes", uints: &w.attributes},
		{name: "attribute_name", uints: &w.attributeName},
		{name: "attribute_type", uints: &w.attributeType},
		{name: "segments", uints: &w.segments},
		{name: "segment_name", uints: &w.segmentName},
		{name: "segment_include", uints: &w.segmentInclude},
		{name: "segment_exclude", uints: &w.segmentExclude},
		{name: "segment_when", uints: &w.segmentWhen},
		{name: "members", uints: &w.members},
		{name: "flags", uints: &w.flags},
		{name: "flag_key", uints: &w.flagKey},
		{name: "flag_type", uints: &w.flagType},
		{name: "flag_disabled", uints: &w.flagDisabled},
		{name: "flag_default", uints: &w.flagDefault},
		{name: "flag_off", uints: &w.flagOff},
		{name: "flag_variants", uints: &w.flagVariants},
		{name: "flag_rules", uints: &w.flagRules},
		{name: "variant_name", uints: &w.variantName},
		{name: "variant_value", uints: &w.variantValue},
		{name: "rule_name", uints: &w.ruleName},
		{name: "rule_when", uints: &w.ruleWhen},
		{name: "rule_variant", uints: &w.ruleVariant},
		{name: "rule_ranges", uints: &w.ruleRanges},
		{name: "split_by", uints: &w.splitBy},
		{name: "split_salt", uints: &w.splitSalt},
		{name: "split_hash", uints: &w.splitHash},
		{name: "range_last", uints: &w.rangeLast},
		{name: "range_variant", uints: &w.rangeVariant},
		{name: "condition_op", uints: &w.conditionOp},
		{name: "condition_attribute", uints: &w.conditionAttribute},
		{name: "condition_fold", uints: &w.conditionFold},
		{name: "condition_strings", uints: &w.conditionStrings},
		{name: "condition_ints", uints: &w.conditionInts},
		{name: "condition_of", uints: &w.conditionOf},
		{name: "operands", uints: &w.operands},
	}
}

// marshal returns w as MessagePack, compressed by gzip.
func (w *wire) marshal() ([]byte, error) {
	columns := w.columns()
	b := msgp.AppendMapHeader(nil, uint32(len(columns)))
	for _, c := range columns {
		b = msgp.AppendString(b, c.name)
		switch {
		case c.text != nil:
			b = msgp.AppendString(b, *c.text)
		case c.uints != nil:
			b = appendArray(b, *c.uints, msgp.AppendUint32)
		case c.ints != nil:
			b = appendArray(b, *c.ints, msgp.AppendInt64)
		case c.floats != nil:
			b = appendArray(b, *c.floats, msgp.AppendFloat64)
		}
	}
	if len(b) > maxDecoded {
		return nil, fmt.Errorf("the payload has %d bytes before compression; the limit is %d", len(b), maxDecoded)
	}
	var buf bytes.Buffer
	zw, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := zw.Write(b); err != nil {
		return nil, err
	}
	if err := zw.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func appendArray[T any](b []byte, column []T, appendOne func([]byte, T) []byte) []byte {
	b = msgp.AppendArrayHeader(b, uint32(len(column)))
	for _, v := range column {
		b = appendOne(b, v)
	}
	return b
}

// unmarshal reads what marshal wrote: all columns, in their order, once, and
// nothing else.
func (w *wire) unmarshal(data []byte) error {
	b, err := gunzip(data, maxDecoded)
	if err != nil {
		return err
	}
	columns := w.columns()
	n, b, err := msgp.ReadMapHeaderBytes(b)
	if err != nil {
		return err
	}
	if int(n) != len(columns) {
		return fmt.Errorf("there are %d columns, not %d; is it of another version?", n, len(columns))
	}
	for _, c := range columns {
		var name []byte
		if name, b, err = msgp.ReadStringZC(b); err != nil {
			return err
		}
		if string(name) != c.name {
			return fmt.Errorf("a column that is not %q stands in its place; is it of another version?", c.name)
		}
		switch {
		case c.text != nil:
			*c.text, b, err = msgp.ReadStringBytes(b)
		case c.uints != nil:
			*c.uints, b, err = readArray(b, msgp.ReadUint32Bytes)
		case c.ints != nil:
			*c.ints, b, err = readArray(b, msgp.ReadInt64Bytes)
		case c.floats != nil:
			*c.floats, b, err = readArray(b, msgp.ReadFloat64Bytes)
		}
		if err != nil {
			return fmt.Errorf("column %q: %w", c.name, err)
		}
	}
	if len(b) > 0 {
		return errors.New("there is something after the columns")
	}
	return nil
}

// gunzip decompresses data to at most limit bytes.
func gunzip(data []byte, limit int) ([]byte, error) {
	compressed := bytes.NewReader(data)
	zr, err := gzip.NewReader(compressed)
	if err != nil {
		return nil, err
	}
	zr.Multistream(false)
	b, err := io.ReadAll(io.LimitReader(zr, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(b) > limit {
		return nil, fmt.Errorf("it decompresses to more than %d bytes", limit)
	}
	if compressed.Len() > 0 {
		return nil, errors.New("there is something after the compressed data")
	}
	return b, nil
}

func readArray[T any](b []byte, readOne func([]byte) (T, []byte, error)) ([]T, []byte, error) {
	n, b, err := msgp.ReadArrayHeaderBytes(b)
	if err != nil {
		return nil, nil, err
	}
	if uint64(n) > uint64(len(b)) { // an element takes a byte or more: don't allocate for a lie
		return nil, nil, errors.New("it is shorter than it says")
	}
	column := make([]T, n)
	for i := range column {
		if column[i], b, err = readOne(b); err != nil {
			return nil, nil, err
		}
	}
	return column, b, nil
}
