package bundle

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/serin-flags/serin/evaluator"
	"github.com/tinylib/msgp/msgp"
)

var update = flag.Bool("update", false, "write what comes out into the golden files")

var compareValues = cmp.Comparer(func(a, b evaluator.Value) bool { return a == b })

// everything is a payload that has all that a payload can have.
func everything() Payload {
	leaf := func(op evaluator.Op, attribute string, operands ...string) evaluator.Condition {
		return evaluator.Condition{Op: op, Attribute: attribute, Strings: operands}
	}
	ints := func(op evaluator.Op, attribute string, operands ...int64) evaluator.Condition {
		return evaluator.Condition{Op: op, Attribute: attribute, Ints: operands}
	}
	when := evaluator.Condition{Op: evaluator.OpAll, Of: []evaluator.Condition{
		leaf(evaluator.OpOneOf, "city", "北京", "SH"),
		{Op: evaluator.OpAny, Of: []evaluator.Condition{
			ints(evaluator.OpBetween, "uid", -1<<63, 1<<63-1),
			ints(evaluator.OpModulo, "uid", 10, 1, 3),
			{Op: evaluator.OpNot, Of: []evaluator.Condition{leaf(evaluator.OpInSegment, "user", "staff")}},
		}},
		leaf(evaluator.OpCIDR, "ip", "10.0.0.0/8", "2001:db8::/32"),
		leaf(evaluator.OpIPBetween, "ip", "0.0.4.87", "0.0.8.174"),
		leaf(evaluator.OpSemver, "version", ">=2.3.0 <3"),
		{Op: evaluator.OpPrefix, Attribute: "city", Strings: []string{"Bei"}, Fold: true},
		leaf(evaluator.OpMatches, "city", "^S.$"),
		leaf(evaluator.OpExists, "beta"),
		leaf(evaluator.OpAnyOf, "tags", "a", "b"),
		leaf(evaluator.OpAllOf, "tags", "a"),
		ints(evaluator.OpPeriod, "", -1<<63, 1_790_000_000),
		{Op: evaluator.OpWindow, Strings: []string{"Asia/Shanghai"}, Ints: []int64{62, 9 * 3600, 18 * 3600}},
		leaf(evaluator.OpServes, "", "other", "on", "off"),
	}}
	split := &evaluator.Split{Bucketing: evaluator.Bucketing{By: "user", Salt: "s", Hash: evaluator.HashMurmur3},
		Ranges: []evaluator.Range{
			{From: 0, To: 1, Variant: 1}, {From: 1, To: evaluator.Positions, Variant: 0},
		}}
	chance := &evaluator.Split{Ranges: []evaluator.Range{{To: evaluator.Positions, Variant: 1}}}
	steps := &evaluator.Split{Bucketing: evaluator.Bucketing{By: "user", Salt: "s", Hash: evaluator.HashMurmur3},
		Ramp: &evaluator.Ramp{
			Variant: 0, Rest: 1,
			Points: []evaluator.Point{{At: -5, Level: 0}, {At: 1 << 40, Level: evaluator.Positions}},
		}}
	line := &evaluator.Split{Ramp: &evaluator.Ramp{Variant: 1, Points: []evaluator.Point{{At: 1, Level: 1}},
		Linear: true}}
	metadata := []evaluator.Attr{
		evaluator.NewAttr("owner", "search"), evaluator.NewAttr("empty", ""), evaluator.NewAttr("weight", -3),
		evaluator.NewAttr("share", 0.5), evaluator.NewAttr("experiment", true), evaluator.NewAttr("old", false),
	}
	on, off := evaluator.Variant{Name: "on", Value: evaluator.BoolValue(true)}, evaluator.Variant{Name: "off",
		Value: evaluator.BoolValue(false)}
	return Payload{Environment: "production", Namespace: "a/b", Ruleset: evaluator.Ruleset{
		Unit: "user",
		Attributes: []evaluator.Attribute{
			{Name: "user", Type: evaluator.AttrString}, {Name: "city", Type: evaluator.AttrString},
			{Name: "uid", Type: evaluator.AttrInteger}, {Name: "beta", Type: evaluator.AttrBoolean},
			{Name: "version", Type: evaluator.AttrSemver}, {Name: "ip", Type: evaluator.AttrIP},
			{Name: "tags", Type: evaluator.AttrList},
		},
		Zones: []evaluator.Zone{
			{Name: "Asia/Shanghai", Offsets: []evaluator.Offset{{From: 946684800, Seconds: 8 * 3600}}},
			{Name: "America/New_York", Offsets: []evaluator.Offset{{From: -1, Seconds: -5 * 3600},
				{From: 1, Seconds: -4 * 3600}}},
		},
		Segments: []evaluator.Segment{
			{Name: "staff", Include: []string{"u-1", ""}, Exclude: []string{"u-2"}, When: &when.Of[0]},
			{Name: "nobody"},
			{Name: "again", Include: []string{"u-3", "u-2", "u-4"}, Exclude: []string{"u-5"}},
		},
		Flags: []evaluator.Flag{
			{Key: "bool", Type: evaluator.KindBool, Variants: []evaluator.Variant{on, off}, Default: 1, Off: 1,
				Disabled: true,
				Rules: []evaluator.Rule{{Name: "all", When: &when, Variant: 1}, {Name: "share", Split: split},
					{Name: "luck", Split: chance}}},
			{Key: "int", Type: evaluator.KindInt,
				Variants: []evaluator.Variant{{Name: "low", Value: evaluator.IntValue(-1 << 63)}},
				Metadata: metadata[2:3]},
			{Key: "number", Type: evaluator.KindFloat,
				Variants: []evaluator.Variant{{Name: "pi", Value: evaluator.FloatValue(3.14)}}},
			{Key: "string", Type: evaluator.KindString,
				Variants: []evaluator.Variant{{Name: "empty", Value: evaluator.StringValue("")}},
				Stale:    &evaluator.Staleness{After: 3600}},
			{Key: "object", Type: evaluator.KindObject,
				Variants: []evaluator.Variant{{Name: "o", Value: evaluator.ObjectValue(`{"a":[1]}`)}}},
			{Key: "layered", Type: evaluator.KindBool, Variants: []evaluator.Variant{off, on}, Metadata: metadata,
				Reserved: &evaluator.Reservation{Layer: "pricing",
					Bucketing: evaluator.Bucketing{By: "user", Salt: "layer:pricing", Hash: evaluator.HashMurmur3},
					Spans:     []evaluator.Span{{From: 1, To: 2}, {From: 1 << 31, To: evaluator.Positions}}},
				Rules: []evaluator.Rule{
					{Name: "steps", When: &when.Of[0], Split: steps, Metadata: metadata[:1]}, {Name: "line", Split: line},
					{Name: "rest", Variant: 1, Metadata: metadata[4:]},
				}},
		},
		Prerequisites: []evaluator.Flag{
			{Key: "new-cart", Type: evaluator.KindBool, Variants: []evaluator.Variant{off, on}},
			{Key: "other", Type: evaluator.KindBool, Variants: []evaluator.Variant{on, off}, Rules: []evaluator.Rule{
				{Name: "on", When: &evaluator.Condition{Op: evaluator.OpServes, Strings: []string{"new-cart", "on"}}},
			}},
		},
	}}
}

func TestPayloadRoundTrip(t *testing.T) {
	for _, p := range []Payload{everything(), {Environment: "e", Namespace: "n", Ruleset: evaluator.Ruleset{
		Unit: "user", Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}},
	}}} {
		data, _, err := EncodePayload(p)
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := EncodePayload(p)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, again) {
			t.Error("encoding the same payload twice gave different bytes")
		}
		got, err := DecodePayload(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, got, compareValues); diff != "" {
			t.Errorf("payload changed on the way (-want +got):\n%s", diff)
		}
	}
}

// TestColumns holds the formats: the files of testdata are the labels and the
// columns of everything and of latest, read by MessagePack alone. If one changes
// the format has changed.
func TestColumns(t *testing.T) {
	data, _, err := EncodePayload(everything())
	if err != nil {
		t.Fatal(err)
	}
	checkColumns(t, "testdata/columns.txt", data)
	checkColumns(t, "testdata/columns2.txt", encodeLatest(t, func(*label, *wire) {}))
	checkColumns(t, "testdata/columns-lists.txt", alterListed(t, func(l *label, _ *wire) {
		for i := range l.lists { // so that the file doesn't depend on how gzip compresses
			l.lists[i] = hashOf([]byte{byte(i)})
		}
	}))
}

func checkColumns(t *testing.T, file string, data []byte) {
	t.Helper()
	zr, err := gzip.NewReader(bytes.NewReader(data)) // goes on from member to member
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(zr)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for len(b) > 0 {
		var fields, rest []byte
		n, fields, err := msgp.ReadMapHeaderBytes(b)
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			var name string
			if name, fields, err = msgp.ReadStringBytes(fields); err != nil {
				t.Fatal(err)
			}
			if rest, err = msgp.Skip(fields); err != nil {
				t.Fatal(err)
			}
			value := new(bytes.Buffer)
			if _, err := msgp.UnmarshalAsJSON(value, fields[:len(fields)-len(rest)]); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&got, "%s %s\n", name, value)
			fields = rest
		}
		b = fields
		fmt.Fprintln(&got)
	}
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("the format has changed (-want +got):\n%s", diff)
	}
}

func TestEncodePayloadRefusesWhatDoesNotCompile(t *testing.T) {
	p := everything()
	p.Ruleset.Flags[0].Rules[1].Split.Ranges[1].From = 2
	if _, _, err := EncodePayload(p); err == nil || !strings.Contains(err.Error(), `flag "bool": rule "share"`) {
		t.Errorf("a split with a gap gave %v", err)
	}
}

func TestEncodePayloadRefusesNames(t *testing.T) {
	for _, test := range []struct{ environment, namespace, want string }{
		{"", "a/b", "the environment is empty"},
		{strings.Repeat("e", maxLabel), "a/b", "4096 of them the environment's name; the limit is 4096"},
		{"production", "", `"" is not a valid namespace`},
		{"production", "../b", `"../b" is not a valid namespace`},
		{"production", "a/", `"a/" is not a valid namespace`},
	} {
		p := everything()
		p.Environment, p.Namespace = test.environment, test.namespace
		if _, _, err := EncodePayload(p); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("environment %q, namespace %q: got error %v, want one with %q", test.environment,
				test.namespace, err,
				test.want)
		}
	}
}

func TestEncodePayloadRefusesIntegersAsNumbers(t *testing.T) {
	p := everything()
	p.Ruleset.Flags[2].Variants[0].Value = evaluator.IntValue(1<<53 + 1) // a float would round it
	if _, _, err := EncodePayload(p); err == nil || !strings.Contains(err.Error(), "is not of type number") {
		t.Errorf("an integer as a number gave %v", err)
	}
}

// encoded returns the columns of everything.
func encoded() *wire {
	p := everything()
	return encodeRuleset(&p.Ruleset)
}

// alter encodes a payload with the columns that change makes.
func alter(t testing.TB, change func(*wire)) []byte {
	t.Helper()
	w := encoded()
	change(w)
	return packed(t, w)
}

func packed(t testing.TB, w *wire) []byte {
	t.Helper()
	data, err := pack(label{format: format1, environment: "production", namespace: "a/b", size: 0}, w)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// rows returns a column of these rows.
func rows(values ...uint32) (c column) {
	for _, v := range values {
		c.put(v)
	}
	return c
}

// all returns the rows of a column.
func all(c column) (values []uint32) {
	c.at = 0
	for c.over() {
		values = append(values, c.take())
	}
	return values
}

// edit changes a row of a column.
func edit(c *column, row int, value uint32) {
	values := all(*c)
	values[row] = value
	*c = rows(values...)
}

// members returns data as gzip members.
func members(t testing.TB, parts ...[]byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	for _, part := range parts {
		if err := compress(&buf, part, gzip.DefaultCompression); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

// labelled returns a payload of columns that may be anything.
func labelled(t testing.TB, columns []byte) []byte {
	t.Helper()
	l := label{format: format1, environment: "production", namespace: "a/b", size: uint32(len(columns))}
	return members(t, l.marshal(), columns)
}

// relabel returns a payload with another label.
func relabel(t testing.TB, change func(*label)) []byte {
	t.Helper()
	columns := encoded().marshal(format1)
	l := label{format: format1, environment: "production", namespace: "a/b", size: uint32(len(columns))}
	change(&l)
	return members(t, l.marshal(), columns)
}

func TestDecodePayloadRefuses(t *testing.T) {
	good := alter(t, func(*wire) {})
	columns := encoded().marshal(format1)
	name := (&label{format: format1, environment: "e", namespace: "n", size: 1}).marshal()
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "EOF"},
		{"not gzip", []byte("hello, world, this is not gzip"), "gzip"},
		{"truncated", good[:len(good)-9], "EOF"},
		{"flipped", append(append([]byte{}, good[:len(good)-6]...), 1, 2, 3, 4, 5, 6), "checksum"},
		{"trailing", append(append([]byte{}, good...), 0), "after the compressed data"},
		{"label only", members(t, name), "shorter than it says"},
		{"empty label", members(t, nil, columns), "its label"},
		{"long label", members(t, make([]byte, maxLabel+1), columns), "more than 4096 bytes"},
		{"truncated label", members(t, name[:len(name)-1], columns), "its label"},
		{"label with something behind it", members(t, append(name[:len(name):len(name)], 0), columns), "after its fields"},
		{"label of one field", members(t, msgp.AppendMapHeader(nil, 1), columns), "four fields"},
		{"label of other fields", members(t, bytes.Replace(name, []byte("space"), []byte("pique"), 1), columns),
			`not "namespace"`},
		{"other format", relabel(t, func(l *label) { l.format = 3 }), "format 3 is not known, only 1 and 2"},
		{"size too small", relabel(t, func(l *label) { l.size-- }), "longer than it says"},
		{"size too large", relabel(t, func(l *label) { l.size++ }), "EOF"},
		{"size that is a lie", relabel(t, func(l *label) { l.size = maxDecoded }), "shorter than it says"},
		{"size beyond the limit", relabel(t, func(l *label) { l.size = maxDecoded + 1 }), "the limit is 134217728"},
		{"trailing columns", labelled(t, append(columns[:len(columns):len(columns)], 0)), "after the columns"},
		{"no map", labelled(t, []byte{0x01}), "attempted to decode"},
		{"other columns", labelled(t, msgp.AppendMapHeader(nil, 1)), "1 columns"},
		{"another column", labelled(t, bytes.Replace(columns, []byte("flag_off"), []byte("flag_out"), 1)), `not "flag_off"`},
		{"signed column", alter(t, func(w *wire) { w.flagOff.data[0] = 0xff }), `"flag_off": an element is not`},
		{"column shorter than it says", alter(t, func(w *wire) { w.values.rows += 1 }), `"values": it is shorter`},
		{"wide element cut off", alter(t, func(w *wire) { w.values = column{data: []byte{lead16bit, 1}, rows: 1} }),
			`"values": it is shorter`},
		{"short column", alter(t, func(w *wire) { w.flagOff = rows(all(w.flagOff)[1:]...) }), `"flag_off" is too short`},
		{"short names", alter(t, func(w *wire) { w.variantName = rows(all(w.variantName)[1:]...) }),
			"fewer elements than are counted"},
		{"long column", alter(t, func(w *wire) { w.members.put(0) }), `"members" is too long`},
		{"no integers", alter(t, func(w *wire) { w.ints = nil }), "fewer elements"},
		{"more integers", alter(t, func(w *wire) { w.ints = append(w.ints, 0) }), `"ints" is too long`},
		{"no numbers", alter(t, func(w *wire) { w.floats = nil }), "fewer elements"},
		{"more numbers", alter(t, func(w *wire) { w.floats = append(w.floats, 0) }), `"floats" is too long`},
		{"short text", alter(t, func(w *wire) { w.text = w.text[1:] }), `"text" is too short`},
		{"long text", alter(t, func(w *wire) { w.text = append(w.text, 'x') }), `"text" is too long`},
		{"text that is not used", alter(t, func(w *wire) { w.textLens.put(0) }), "nothing refers to"},
		{"text out of range", alter(t, func(w *wire) { edit(&w.flagKey, 0, 1<<31) }), "leads nowhere"},
		{"text not yet known", alter(t, func(w *wire) { edit(&w.unit, 0, 1) }), "leads nowhere"},
		{"more new text than there is", alter(t, func(w *wire) { edit(&w.variantName, w.variantName.rows-1, 0) }),
			"leads nowhere"},
		{"count out of range", alter(t, func(w *wire) { edit(&w.flagRules, 0, 1<<32-1) }), "fewer elements"},
		{"more prerequisites than flags", alter(t, func(w *wire) { w.prerequisites = rows(1000) }),
			"fewer flags than prerequisites"},
		{"more members than there are", alter(t, func(w *wire) { edit(&w.segmentInclude, 2, 1<<32-1) }), "fewer elements"},
		{"more members than are left", alter(t, func(w *wire) { edit(&w.segmentInclude, 2, 5) }), "fewer elements"},
		{"truth value", alter(t, func(w *wire) { edit(&w.segmentWhen, 0, 2) }), "neither 0 nor 1"},
		{"flag form", alter(t, func(w *wire) { edit(&w.flagForm, 0, 2*flagStale+1) }), "flag_form has bits"},
		{"no staleness", alter(t, func(w *wire) { edit(&w.flagForm, w.flagForm.rows-1, flagStale+1) }), "fewer elements"},
		{"staleness too long", alter(t, func(w *wire) { w.ints[20] = 1 << 32 }), "a staleness is out of range"},
		{"negative variant of a staleness", alter(t, func(w *wire) { w.ints[21] = -1 }), "a staleness is out of range"},
		{"rule form", alter(t, func(w *wire) { edit(&w.ruleForm, 0, 2*ruleMetadata) }), "rule_form has bits"},
		{"ramp without split", alter(t, func(w *wire) { edit(&w.ruleForm, 0, ruleRamp) }), "rule_form has bits"},
		{"linear without ramp", alter(t, func(w *wire) { edit(&w.ruleForm, 1, ruleSplit+ruleLinear) }), "rule_form has bits"},
		{"boolean", alter(t, func(w *wire) { w.ints[6] = 2 }), "neither 0 nor 1"},
		{"negative boolean", alter(t, func(w *wire) { w.ints[6] = -1 }), "neither 0 nor 1"},
		{"enumeration", alter(t, func(w *wire) { edit(&w.conditionOp, 0, 512) }), "too large"},
		{"flag type", alter(t, func(w *wire) { edit(&w.flagForm, 0, 7) }), "type is not known"},
		{"kind of metadata", alter(t, func(w *wire) { edit(&w.metadataKind, 0, 5) }), "the kind of a value"},
		{"too deep", alter(t, nest(evaluator.MaxDepth+2)), "nested deeper"},
		{"promises", alter(t, promise), "fewer elements"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := DecodePayload(test.data)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
			if _, compiling := CompilePayload(test.data); fmt.Sprint(compiling) != fmt.Sprint(err) {
				t.Errorf("CompilePayload gave %v, DecodePayload %v", compiling, err)
			}
		})
	}
}

// nest makes the last condition, which is at the top, one of n levels.
func nest(n int) func(*wire) {
	return func(w *wire) {
		op := all(w.conditionOp)
		if evaluator.Op(op[len(op)-1] / 2).Combines() {
			panic("the last condition is no comparison")
		}
		w.conditionOp = rows(op[:len(op)-1]...)
		for range n - 1 {
			w.conditionOp.put(uint32(evaluator.OpNot) * 2)
			w.conditionOf.put(1)
		}
		w.conditionOp.put(op[len(op)-1])
	}
}

// promise makes every combination claim all conditions as its own.
func promise(w *wire) {
	for i := range w.conditionOf.rows {
		edit(&w.conditionOf, i, uint32(w.conditionOp.rows-2))
	}
}

// TestDecodePayloadDepth holds that the limit of nesting is that of the evaluator.
func TestDecodePayloadDepth(t *testing.T) {
	if _, err := DecodePayload(alter(t, nest(evaluator.MaxDepth+1))); err != nil {
		t.Errorf("as deep as may be: %v", err)
	}
}

// TestListsAreApart holds that appending to one list of a decoded ruleset leaves
// all others as they are, and that nothing of it is what it was decoded from.
func TestListsAreApart(t *testing.T) {
	columns := encoded().marshal(format1)
	set, err := decodeRuleset(&label{format: format1}, columns)
	if err != nil {
		t.Fatal(err)
	}
	clear(columns)
	if diff := cmp.Diff(everything().Ruleset, set, compareValues); diff != "" {
		t.Errorf("the ruleset changed with the columns (-want +got):\n%s", diff)
	}
	lists := 0
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Slice:
			if v.Cap() > v.Len() {
				t.Errorf("a %v of %d elements has room for %d", v.Type(), v.Len(), v.Cap())
			}
			lists++
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(reflect.ValueOf(set))
	if lists < 50 {
		t.Errorf("looked at %d lists only", lists)
	}
}

func TestColumn(t *testing.T) {
	values := []uint32{0, 1, 127, 128, 255, 256, 65535, 65536, 1<<32 - 1}
	for range 20 { // for the path that takes eight at a time
		values = append(values, 7)
	}
	values = append(values, 300, 9)
	for n := range values {
		c := rows(values[:n]...)
		b := append(msgp.AppendArrayHeader(nil, uint32(n)), c.data...)
		got, rest, err := readColumn(append(b, 5, 6))
		if err != nil || got.rows != n || !slices.Equal(all(got), values[:n]) || string(rest) != "\x05\x06" {
			t.Errorf("%d rows became %v, rest %v, error %v", n, all(got), rest, err)
		}
		if _, _, err := readColumn(b[:len(b)-1]); n > 0 && err == nil {
			t.Errorf("%d rows are accepted with the last byte missing", n)
		}
		c.at = len(c.data)
		if v := c.take(); v != 0 || !c.short {
			t.Errorf("taking more than there is gave %d, short %t", v, c.short)
		}
	}
}

// allocated returns the bytes that f allocates.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// TestDecodePayloadMemory holds that decoding allocates what it says it will, for
// payloads of one kind of record each, and no more for payloads that lie.
func TestDecodePayloadMemory(t *testing.T) {
	const n = 1 << 17
	zeros := column{data: make([]byte, n), rows: n}
	ones := column{data: bytes.Repeat([]byte{1}, n), rows: n}
	twos := column{data: bytes.Repeat([]byte{2}, n), rows: n}
	for name, change := range map[string]func(*wire){
		"texts": func(w *wire) {
			w.textLens, w.members = column{data: make([]byte, n+1), rows: n + 1}, zeros
			w.segmentName, w.segmentInclude, w.segmentExclude, w.segmentWhen = rows(1), rows(n), rows(0), rows(0)
		},
		"attributes": func(w *wire) { w.attributeName, w.attributeType = ones, ones },
		"zones":      func(w *wire) { w.zoneName, w.zoneOffsets = ones, zeros },
		"offsets":    func(w *wire) { w.zoneName, w.zoneOffsets, w.ints = rows(1), rows(n/2), make([]int64, n) },
		"segments": func(w *wire) {
			w.segmentName, w.segmentInclude, w.segmentExclude, w.segmentWhen = ones, zeros, zeros, zeros
		},
		"flags": func(w *wire) {
			w.flagKey, w.flagForm, w.flagDefault, w.flagOff, w.flagVariants, w.flagRules = ones, ones, zeros, zeros,
				zeros, zeros
		},
		"variants": func(w *wire) {
			w.flagVariants, w.variantName, w.ints = rows(n), ones, make([]int64, n)
		},
		"rules": func(w *wire) {
			w.flagRules, w.ruleName, w.ruleForm, w.ruleVariant = rows(n), ones, zeros, zeros
		},
		"splits": func(w *wire) {
			w.flagRules, w.ruleName, w.ruleForm = rows(n), ones, twos
			w.splitBy, w.splitSalt, w.splitHash, w.splitRanges = ones, ones, ones, zeros
		},
		"ranges": func(w *wire) {
			w.flagRules, w.ruleName, w.ruleForm = rows(1), rows(1), rows(ruleSplit)
			w.splitBy, w.splitSalt, w.splitHash, w.splitRanges = rows(1), rows(1), rows(1), rows(n)
			w.rangeLast, w.rangeVariant = zeros, zeros
		},
		"ranges of many positions": func(w *wire) {
			w.flagRules, w.ruleName, w.ruleForm = rows(1), rows(1), rows(ruleSplit)
			w.splitBy, w.splitSalt, w.splitHash, w.splitRanges = rows(1), rows(1), rows(1), rows(n)
			w.ints, w.rangeVariant = make([]int64, n+1), zeros
			w.text, w.textLens, w.splitHash = []byte("other"), rows(0, 5), rows(0)
		},
		"conditions": func(w *wire) {
			w.flagRules, w.ruleName, w.ruleForm, w.ruleVariant = rows(1), rows(1), rows(1), rows(0)
			w.conditionOp, w.conditionOf = twos, zeros
			w.conditionOf.data = append([]byte{}, zeros.data...)
			w.conditionOf = rows(append([]uint32{n - 1}, all(w.conditionOf)[1:]...)...)
		},
		"metadata": func(w *wire) {
			w.flagForm, w.metadata = rows(1+flagMetadata), rows(n)
			w.metadataName, w.metadataKind, w.values = ones, column{data: bytes.Repeat([]byte{4}, n), rows: n}, ones
		},
	} {
		t.Run(name, func(t *testing.T) {
			one := evaluator.Ruleset{Flags: []evaluator.Flag{{Type: evaluator.KindBool}}}
			w := encodeRuleset(&one)
			change(w)
			columns := w.marshal(format2)
			l := &label{format: format2, features: []string{"hash:other"}}
			var err error
			got := allocated(func() { _, err = decodeRuleset(l, columns) })
			if err != nil {
				t.Fatal(err)
			}
			const besides = 64 << 10                           // that don't grow with the payload
			if want := w.memory(); got > want+want/8+besides { // large blocks are rounded up
				t.Errorf("decoding allocates %d bytes and says %d", got, want)
			}
			var flags int
			got = allocated(func() { flags = pass(l, columns) })
			if want := w.memory(); got > 2*want+besides || flags != w.flagKey.rows {
				t.Errorf("decoding %d flags one by one allocates %d bytes, %d as a whole", flags, got, want)
			}
			if full := got + int64(len(columns)); full > 64*n {
				data := packed(t, w)
				if got := allocated(func() { _, _ = DecodePayload(data[:len(data)-1]) }); got > int64(len(columns))+
					besides {
					t.Errorf("decoding what is damaged allocates %d bytes", got)
				}
			}
		})
	}
}

// pass decodes flag by flag, and counts them.
func pass(l *label, columns []byte) (flags int) {
	d, err := newDecoder(l, columns, nil)
	if err != nil {
		return -1
	}
	d.head()
	d.forget()
	for range d.each(d.w.flagKey.rows) {
		flags++
	}
	if d.end() != nil {
		return -1
	}
	return flags
}

// TestMemoryIsLimited holds that what would take too much memory is neither
// published nor decoded.
func TestMemoryIsLimited(t *testing.T) {
	w := encoded()
	const n = 11_000_000
	w.conditionOp = column{data: make([]byte, n), rows: n}
	if _, err := pack(label{format: format1}, w); err == nil ||
		!strings.Contains(err.Error(), "bytes of memory; the limit is 1073741824") {
		t.Errorf("packing gave %v", err)
	}
	columns := w.marshal(format1)
	var err error
	if got := allocated(func() { _, err = decodeRuleset(&label{format: format1}, columns) }); got > 1<<20 {
		t.Errorf("decoding allocated %d bytes", got)
	}
	if err == nil || !strings.Contains(err.Error(), "bytes of memory; the limit is 1073741824") {
		t.Errorf("decoding gave %v", err)
	}
}

func TestSizeIsLimited(t *testing.T) {
	w := &wire{text: make([]byte, maxDecoded)}
	_, err := pack(label{format: format1}, w)
	if err == nil || !strings.Contains(err.Error(), "bytes before compression; the limit is 134217728") {
		t.Errorf("got error %v", err)
	}
}

// compareModules holds that two modules give the same answers, and the same reasons
// for them.
func compareModules(t *testing.T, got, want *evaluator.Module) {
	t.Helper()
	a, err := evaluator.Link(got)
	if err != nil {
		t.Fatal(err)
	}
	b, err := evaluator.Link(want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.Keys(), a.Keys()); diff != "" {
		t.Errorf("other flags (-want +got):\n%s", diff)
	}
	for _, ctx := range []evaluator.Context{
		{},
		{Key: "u-1", Now: 1_700_000_000, Attrs: []evaluator.Attr{evaluator.NewAttr("city", "SH"),
			evaluator.NewAttr("uid", 13)}},
		{Key: "u-6", Chance: 1 << 31, Attrs: []evaluator.Attr{evaluator.NewAttr("city", "city-7"),
			evaluator.NewAttr("uid", 7),
			evaluator.NewAttr("ip", "10.0.0.1"), evaluator.NewAttr("version", "2.4.0"),
			evaluator.NewAttr("beta", true)}},
	} {
		for f := range b.Flags() {
			diff := cmp.Diff(f.Explain(&ctx), a.Flag(f.Key()).Explain(&ctx), compareValues,
				cmp.Comparer(func(a, b evaluator.Attr) bool { return a == b }))
			if diff != "" {
				t.Errorf("flag %q (-want +got):\n%s", f.Key(), diff)
			}
		}
	}
}

// TestCompilePayload holds that flags that are decoded in each other's place leave
// each other alone, large ones and small ones, and that the columns are no part of
// what is compiled.
func TestCompilePayload(t *testing.T) {
	p := estate(50)
	p.Ruleset.Flags = append(p.Ruleset.Flags, everything().Ruleset.Flags[1:]...)
	large := estate(1).Ruleset.Flags[0]
	large.Key = "large"
	for i := range 200 {
		r := large.Rules[i%5]
		r.Name = fmt.Sprint("rule ", i)
		large.Rules = append(large.Rules, r)
	}
	p.Ruleset.Flags = append(p.Ruleset.Flags, large, estate(51).Ruleset.Flags[50])
	for _, p := range []Payload{everything(), p} {
		data, _, err := EncodePayload(p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := CompilePayload(data)
		if err != nil {
			t.Fatal(err)
		}
		if got.Environment != p.Environment || got.Namespace != p.Namespace {
			t.Errorf("got %s of %s, want %s of %s", got.Namespace, got.Environment, p.Namespace, p.Environment)
		}
		want, err := evaluator.CompileModule(p.Ruleset)
		if err != nil {
			t.Fatal(err)
		}
		compareModules(t, got.Module, want)
		columns := encodeRuleset(&p.Ruleset).marshal(format1)
		module, decoding, compiling := compileRuleset(&label{format: format1}, columns)
		if decoding != nil || compiling != nil {
			t.Fatal(decoding, compiling)
		}
		clear(columns)
		compareModules(t, module, want)
	}
}

// TestCompilePayloadRefuses holds that an error of the evaluator says what it is
// about.
func TestCompilePayloadRefuses(t *testing.T) {
	_, err := CompilePayload(alter(t, func(w *wire) { edit(&w.flagDefault, 1, 9) }))
	const want = `compiling payload of a/b: flag "int": there is no variant 9`
	var ce *evaluator.CompileError
	if !errors.As(err, &ce) || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

// TestCompilePayloadUsesScratch holds that the whole ruleset is never in memory.
func TestCompilePayloadUsesScratch(t *testing.T) {
	columns := encodeRuleset(ptrTo(estate(2000).Ruleset)).marshal(format1)
	w := &wire{}
	if err := w.unmarshal(format1, columns); err != nil {
		t.Fatal(err)
	}
	const flags = 1 << 20 // bytes; texts and integers are decoded at once
	if got, whole := allocated(func() { pass(&label{format: format1}, columns) }), w.memory(); got > flags ||
		whole < 4*flags {
		t.Errorf("decoding flag by flag allocates %d bytes of %d", got, whole)
	}
}

func ptrTo[T any](v T) *T { return &v }

func FuzzDecodeRuleset(f *testing.F) {
	f.Add(encoded().marshal(format1))
	f.Add(encodeRuleset(&evaluator.Ruleset{Unit: "user"}).marshal(format1))
	f.Fuzz(func(t *testing.T, columns []byte) { checkDecoding(t, &label{format: format1}, columns) })
}

func FuzzDecodeFormat2(f *testing.F) {
	l := labelOf(latest())
	for _, w := range []*wire{encoded(), encodeRuleset(ptrTo(latest().Ruleset))} {
		f.Add(w.marshal(format2))
		f.Add(w.marshal(format1)) // of which format 2 has the columns too
	}
	f.Add(withColumn(encoded().marshal(format2), "later", msgp.AppendFloat32(msgp.AppendArrayHeader(nil, 1), 0.5)))
	f.Fuzz(func(t *testing.T, columns []byte) { checkDecoding(t, &l, columns) })
}

// checkDecoding holds that columns, whatever is in them, decode in the same way as
// a whole and flag by flag, and that what compiles is encoded in one way only.
func checkDecoding(t *testing.T, l *label, columns []byte) {
	set, err := decodeRuleset(l, columns)
	module, decoding, compiling := compileRuleset(l, columns)
	if fmt.Sprint(decoding) != fmt.Sprint(err) {
		t.Fatalf("decoding gave %v, flag by flag %v", err, decoding)
	}
	if err != nil {
		return
	}
	for _, n := range Needs(&set) {
		if !l.has(n.Feature) {
			t.Fatalf("decoded although the label doesn't name %s", n)
		}
	}
	whole, err := evaluator.CompileModule(set)
	if fmt.Sprint(compiling) != fmt.Sprint(err) {
		t.Fatalf("compiling gave %v, flag by flag %v", err, compiling)
	}
	if err != nil {
		return
	}
	compareModules(t, module, whole)
	once := encodeRuleset(&set).marshal(l.format)
	again, err := decodeRuleset(l, once)
	if err != nil {
		t.Fatalf("decoding what was encoded: %v", err)
	}
	if diff := cmp.Diff(set, again, compareValues); diff != "" {
		t.Fatalf("the ruleset changed on the way (-want +got):\n%s", diff)
	}
	if twice := encodeRuleset(&again).marshal(l.format); !bytes.Equal(once, twice) {
		t.Fatal("encoding again gave other bytes")
	}
}

func FuzzDecodePayload(f *testing.F) {
	f.Add(alter(f, func(*wire) {}))
	f.Add(relabel(f, func(l *label) { l.size = 1 << 20 }))
	f.Add(labelled(f, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := DecodePayload(data)
		if err != nil && (p.Environment != "" || p.Ruleset.Flags != nil) {
			t.Error("there is a payload beside the error")
		}
		compiled, compiling := CompilePayload(data)
		if compiling != nil && compiled != (CompiledPayload{}) {
			t.Error("there is a compiled payload beside the error")
		}
		if err != nil {
			if fmt.Sprint(compiling) != err.Error() {
				t.Errorf("DecodePayload gave %v, CompilePayload %v", err, compiling)
			}
			return
		}
		whole, err := evaluator.CompileModule(p.Ruleset)
		if (err != nil) != (compiling != nil) {
			t.Errorf("CompileModule gave %v, CompilePayload %v", err, compiling)
		}
		if err == nil && compiling == nil {
			compareModules(t, compiled.Module, whole)
		}
	})
}

// estate is a payload of n flags with 5 rules of 2 conditions each.
func estate(n int) Payload {
	p := Payload{Environment: "production", Namespace: "bench", Ruleset: everything().Ruleset}
	p.Ruleset.Flags = nil
	for i := range n {
		f := everything().Ruleset.Flags[0]
		f.Key, f.Disabled, f.Rules = fmt.Sprintf("flag-%d", i), false, nil
		for j := range 5 {
			f.Rules = append(f.Rules, evaluator.Rule{Name: fmt.Sprintf("rule %d", j), Variant: j % 2,
				When: &evaluator.Condition{Op: evaluator.OpAll, Of: []evaluator.Condition{
					{Op: evaluator.OpOneOf, Attribute: "city", Strings: []string{fmt.Sprint("city-", (i+j)%300), "SH"}},
					{Op: evaluator.OpBetween, Attribute: "uid", Ints: []int64{int64(i), int64(i + j)}},
				}}})
		}
		p.Ruleset.Flags = append(p.Ruleset.Flags, f)
	}
	return p
}

// crowd is a payload of n ids of a kind in one segment.
func crowd(n int, id func(i int) string) Payload {
	p := Payload{Environment: "production", Namespace: "bench", Ruleset: everything().Ruleset}
	ids := make([]string, n)
	for i := range ids {
		ids[i] = id(i)
	}
	p.Ruleset.Segments = append(p.Ruleset.Segments, evaluator.Segment{Name: "crowd", Include: ids})
	return p
}

// BenchmarkDecode decodes 10,000 flags of 5 rules with 2 conditions, and a million
// ids: numbered ones, and random ones, which hardly compress.
func BenchmarkDecode(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name string
		p    Payload
	}{
		{"10000 flags", estate(10_000)},
		{"1000000 numbered ids", crowd(1_000_000, func(i int) string { return fmt.Sprint("user-", i) })},
		{"1000000 random ids", crowd(1_000_000,
			func(i int) string { return fmt.Sprintf("%09x%07x", random.Int64N(1<<36), i) })},
	} {
		data, _, err := EncodePayload(c.p)
		if err != nil {
			b.Fatal(err)
		}
		c.p = Payload{}
		b.Run(c.name+"/label", func(b *testing.B) {
			for b.Loop() {
				if _, err := newUnpacker(data).label(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/gunzip", func(b *testing.B) {
			for b.Loop() {
				benchColumns(b, data)
			}
		})
		b.Run(c.name+"/columns", func(b *testing.B) {
			columns := benchColumns(b, data)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decodeRuleset(&label{format: format1}, columns); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(data)), "published-B")
			b.ReportMetric(float64(len(columns)), "columns-B")
		})
		b.Run(c.name+"/all", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodePayload(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchColumns(b *testing.B, data []byte) []byte {
	b.Helper()
	u := newUnpacker(data)
	l, err := u.label()
	if err != nil {
		b.Fatal(err)
	}
	columns, err := u.rest(l.size)
	if err != nil {
		b.Fatal(err)
	}
	return columns
}
