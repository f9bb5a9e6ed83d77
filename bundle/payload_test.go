package bundle

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/serin-flags/serin/evaluator"
	"github.com/tinylib/msgp/msgp"
)

var compareValues = cmp.Comparer(func(a, b evaluator.Value) bool { return a == b })

// everything is a payload that has all that a payload can have.
func everything() Payload {
	leaf := func(op evaluator.Op, attribute string, operands ...string) evaluator.Condition {
		return evaluator.Condition{Op: op, Attribute: attribute, Strings: operands}
	}
	ints := func(op evaluator.Op, attribute string, operands ...int64) evaluator.Condition {
		return evaluator.Condition{Op: op, Attribute: attribute, Ints: operands}
	}
	when := evaluator.Condition{Op: evaluator.All, Of: []evaluator.Condition{
		leaf(evaluator.OneOf, "city", "北京", "SH"),
		{Op: evaluator.Any, Of: []evaluator.Condition{
			ints(evaluator.Between, "uid", -1<<63, 1<<63-1),
			ints(evaluator.Modulo, "uid", 10, 1, 3),
			{Op: evaluator.Not, Of: []evaluator.Condition{leaf(evaluator.InSegment, "user", "staff")}},
		}},
		leaf(evaluator.CIDR, "ip", "10.0.0.0/8", "2001:db8::/32"),
		leaf(evaluator.IPBetween, "ip", "0.0.4.87", "0.0.8.174"),
		leaf(evaluator.Semver, "version", ">=2.3.0 <3"),
		{Op: evaluator.Prefix, Attribute: "city", Strings: []string{"Bei"}, Fold: true},
		leaf(evaluator.Matches, "city", "^S.$"),
		leaf(evaluator.Exists, "beta"),
	}}
	split := &evaluator.Split{By: "user", Salt: "s", Hash: evaluator.HashMurmur3, Ranges: []evaluator.Range{
		{From: 0, To: 1, Variant: 1}, {From: 1, To: evaluator.Positions, Variant: 0},
	}}
	chance := &evaluator.Split{Ranges: []evaluator.Range{{To: evaluator.Positions, Variant: 1}}}
	on, off := evaluator.Variant{Name: "on", Value: evaluator.BoolValue(true)}, evaluator.Variant{Name: "off", Value: evaluator.BoolValue(false)}
	return Payload{Environment: "production", Namespace: "a/b", Ruleset: evaluator.Ruleset{
		Unit: "user",
		Attributes: []evaluator.Attribute{
			{Name: "user", Type: evaluator.StringAttribute}, {Name: "city", Type: evaluator.StringAttribute},
			{Name: "uid", Type: evaluator.IntegerAttribute}, {Name: "beta", Type: evaluator.BooleanAttribute},
			{Name: "version", Type: evaluator.SemverAttribute}, {Name: "ip", Type: evaluator.IPAttribute},
		},
		Segments: []evaluator.Segment{
			{Name: "staff", Include: []string{"u-1", ""}, Exclude: []string{"u-2"}, When: &when.Of[0]},
			{Name: "nobody"},
		},
		Flags: []evaluator.Flag{
			{Key: "bool", Type: evaluator.Boolean, Variants: []evaluator.Variant{on, off}, Default: 1, Off: 1, Disabled: true,
				Rules: []evaluator.Rule{{Name: "all", When: &when, Variant: 1}, {Name: "share", Split: split}, {Name: "luck", Split: chance}}},
			{Key: "int", Type: evaluator.Integer, Variants: []evaluator.Variant{{Name: "low", Value: evaluator.IntValue(-1 << 63)}}},
			{Key: "number", Type: evaluator.Number, Variants: []evaluator.Variant{{Name: "pi", Value: evaluator.FloatValue(3.14)}}},
			{Key: "string", Type: evaluator.String, Variants: []evaluator.Variant{{Name: "empty", Value: evaluator.StringValue("")}}},
			{Key: "object", Type: evaluator.Object, Variants: []evaluator.Variant{{Name: "o", Value: evaluator.ObjectValue(`{"a":[1]}`)}}},
		},
	}}
}

func TestPayloadRoundTrip(t *testing.T) {
	for _, p := range []Payload{everything(), {Environment: "e", Namespace: "n", Ruleset: evaluator.Ruleset{
		Unit: "user", Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.StringAttribute}},
	}}} {
		data, err := EncodePayload(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := EncodePayload(p)
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

func TestEncodePayloadRefusesWhatDoesNotCompile(t *testing.T) {
	p := everything()
	p.Ruleset.Flags[0].Rules[1].Split.Ranges[1].From = 2
	if _, err := EncodePayload(p); err == nil || !strings.Contains(err.Error(), `flag "bool": rule "share"`) {
		t.Errorf("a split with a gap gave %v", err)
	}
}

func TestEncodePayloadRefusesNames(t *testing.T) {
	for _, test := range []struct{ environment, namespace, want string }{
		{"", "a/b", "the environment is empty"},
		{"production", "", `"" is not a valid namespace`},
		{"production", "../b", `"../b" is not a valid namespace`},
		{"production", "a/", `"a/" is not a valid namespace`},
	} {
		p := everything()
		p.Environment, p.Namespace = test.environment, test.namespace
		if _, err := EncodePayload(p); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("environment %q, namespace %q: got error %v, want one with %q", test.environment, test.namespace, err, test.want)
		}
	}
}

func TestEncodePayloadRefusesIntegersAsNumbers(t *testing.T) {
	p := everything()
	p.Ruleset.Flags[2].Variants[0].Value = evaluator.IntValue(1<<53 + 1) // a float would round it
	if _, err := EncodePayload(p); err == nil || !strings.Contains(err.Error(), "is not of type number") {
		t.Errorf("an integer as a number gave %v", err)
	}
}

// alter decodes a payload's columns, lets change at them, and encodes them again.
func alter(t testing.TB, change func(*wire)) []byte {
	t.Helper()
	data, err := EncodePayload(everything())
	if err != nil {
		t.Fatal(err)
	}
	var w wire
	if err := w.unmarshal(data); err != nil {
		t.Fatal(err)
	}
	change(&w)
	if data, err = w.marshal(); err != nil {
		t.Fatal(err)
	}
	return data
}

func compressed(b []byte) []byte {
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	zw.Write(b)
	zw.Close()
	return buf.Bytes()
}

func TestDecodePayloadRefuses(t *testing.T) {
	good := alter(t, func(*wire) {})
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
		{"trailing columns", compressed(append(rawColumns(t, good), 0)), "after the columns"},
		{"no map", compressed([]byte{0x01}), "attempted to decode"},
		{"other columns", compressed(msgp.AppendMapHeader(nil, 1)), "1 columns"},
		{"other format", alter(t, func(w *wire) { w.format[0] = 2 }), "format 2"},
		{"short column", alter(t, func(w *wire) { w.flagKey = w.flagKey[1:] }), "too short"},
		{"long column", alter(t, func(w *wire) { w.members = append(w.members, 0) }), `"members" is too long`},
		{"short text", alter(t, func(w *wire) { w.text = w.text[1:] }), "too short"},
		{"long text", alter(t, func(w *wire) { w.text += "x" }), "too long"},
		{"text out of range", alter(t, func(w *wire) { w.flagKey[0] = 1 << 31 }), "leads nowhere"},
		{"count out of range", alter(t, func(w *wire) { w.flagRules[0] = 1<<32 - 1 }), "too short"},
		{"truth value", alter(t, func(w *wire) { w.flagDisabled[0] = 2 }), "neither 0 nor 1"},
		{"boolean", alter(t, func(w *wire) { w.ints[slices.Index(w.ints, 1)] = 2 }), "neither 0 nor 1"},
		{"negative boolean", alter(t, func(w *wire) { w.ints[slices.Index(w.ints, 1)] = -1 }), "neither 0 nor 1"},
		{"enumeration", alter(t, func(w *wire) { w.conditionOp[0] = 256 }), "too large"},
		{"flag type", alter(t, func(w *wire) { w.flagType[0] = 99 }), "type is not known"},
		{"too deep", alter(t, nest(evaluator.MaxDepth+1)), "nested too deep"},
		{"promises", alter(t, promise), "too short"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := DecodePayload(test.data)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestGunzipIsBounded(t *testing.T) {
	data := compressed(make([]byte, 1001))
	if _, err := gunzip(data, 1000); err == nil || !strings.Contains(err.Error(), "more than 1000 bytes") {
		t.Errorf("1001 bytes with a limit of 1000 gave %v", err)
	}
	if b, err := gunzip(data, 1001); err != nil || len(b) != 1001 {
		t.Errorf("1001 bytes with a limit of as much gave %d bytes, error %v", len(b), err)
	}
}

func rawColumns(t *testing.T, data []byte) []byte {
	t.Helper()
	b, err := gunzip(data, maxDecoded)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// nest makes the last condition one of n levels.
func nest(n int) func(*wire) {
	return func(w *wire) {
		last := len(w.conditionOp) - 1
		w.conditionOf[last] = 1
		for i := range n {
			for _, c := range []*[]uint32{&w.conditionOp, &w.conditionAttribute, &w.conditionFold, &w.conditionStrings, &w.conditionInts} {
				put(c, 0)
			}
			put(&w.conditionOf, min(1, uint32(n-1-i)))
		}
	}
}

// promise makes every condition claim all those that follow as its own.
func promise(w *wire) {
	for i := range w.conditionOf {
		w.conditionOf[i] = uint32(len(w.conditionOf) - 1 - i)
	}
}

// siblings makes of the last condition a tree that is just too deep, with width
// conditions side by side at its bottom that all claim width more below them.
func siblings(width uint32) func(*wire) {
	return func(w *wire) {
		nest(evaluator.MaxDepth - 1)(w)
		of := len(w.conditionOf) - 1 // the deepest that may be
		for _, c := range []*[]uint32{&w.conditionOp, &w.conditionAttribute, &w.conditionFold, &w.conditionStrings, &w.conditionInts, &w.conditionOf} {
			*c = append(*c, make([]uint32, 2*width)...)
		}
		w.conditionOf[of-1] = width
		for i := range width {
			w.conditionOf[of+int(i)] = width
		}
	}
}

// TestDecodePayloadStopsAtAnError holds that nothing is allocated for what stands
// behind an error: the payload would make the decoder allocate 1 GB, for one
// condition after the other.
func TestDecodePayloadStopsAtAnError(t *testing.T) {
	data := alter(t, siblings(3000))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := DecodePayload(data)
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "nested too deep") {
		t.Errorf("got error %v", err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
		t.Errorf("a payload of %d bytes made the decoder allocate %d", len(data), n)
	}
}

// TestDecodePayloadMemory holds the factor that DecodePayload states, for the
// payloads that take the most memory for their size.
func TestDecodePayloadMemory(t *testing.T) {
	const rows = 1 << 17
	base := func(w *wire) { // one flag of a type
		*w = wire{
			format: []uint32{wireFormat}, environment: []uint32{0}, namespace: []uint32{0}, unit: []uint32{0}, textLens: []uint32{0},
			attributes: []uint32{0}, segments: []uint32{0}, flags: []uint32{1},
			flagKey: []uint32{0}, flagType: []uint32{uint32(evaluator.Boolean)}, flagDisabled: []uint32{0},
			flagDefault: []uint32{0}, flagOff: []uint32{0}, flagVariants: []uint32{0}, flagRules: []uint32{0},
		}
	}
	zeros := make([]uint32, rows)
	many := func(columns ...*[]uint32) {
		for _, c := range columns {
			*c = zeros
		}
	}
	for name, change := range map[string]func(*wire){
		"texts":    func(w *wire) { w.textLens = zeros },
		"variants": func(w *wire) { w.flagVariants[0] = rows; many(&w.variantName); w.ints = make([]int64, rows) },
		"strings": func(w *wire) {
			w.flagType[0], w.flagVariants[0] = uint32(evaluator.String), rows
			many(&w.variantName, &w.variantValue)
		},
		"rules": func(w *wire) {
			w.flagRules[0] = rows
			many(&w.ruleName, &w.ruleWhen, &w.ruleVariant, &w.ruleRanges)
		},
		"conditions": func(w *wire) {
			w.flagRules[0], w.ruleName, w.ruleWhen, w.ruleVariant, w.ruleRanges = 1, zeros[:1], []uint32{1}, zeros[:1], zeros[:1]
			many(&w.conditionOp, &w.conditionAttribute, &w.conditionFold, &w.conditionStrings, &w.conditionInts)
			w.conditionOf = append([]uint32{rows - 1}, zeros[1:]...)
		},
		"segments": func(w *wire) {
			w.segments[0] = rows
			many(&w.segmentName, &w.segmentInclude, &w.segmentExclude, &w.segmentWhen)
		},
		"flags": func(w *wire) {
			w.flags[0] = rows
			many(&w.flagKey, &w.flagType, &w.flagDisabled, &w.flagDefault, &w.flagOff, &w.flagVariants, &w.flagRules)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var w wire
			base(&w)
			change(&w)
			data, err := w.marshal()
			if err != nil {
				t.Fatal(err)
			}
			raw := rawColumns(t, data)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = DecodePayload(data)
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Fatal(err)
			}
			if n := (after.TotalAlloc - before.TotalAlloc) / uint64(len(raw)); n > 35 {
				t.Errorf("decoding allocates %d times the decompressed size", n)
			}
		})
	}
}

func FuzzDecodePayload(f *testing.F) {
	data, err := EncodePayload(everything())
	if err != nil {
		f.Fatal(err)
	}
	raw, err := gunzip(data, maxDecoded)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte{0xde, 0, 43})
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := DecodePayload(compressed(raw))
		if err != nil {
			return
		}
		// What decodes and compiles has one encoding only, and it is stable.
		once, err := EncodePayload(p)
		if err != nil {
			return
		}
		q, err := DecodePayload(once)
		if err != nil {
			t.Fatalf("decoding what was encoded: %v", err)
		}
		if twice, err := EncodePayload(q); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("encoding again gave other bytes, error %v", err)
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
			f.Rules = append(f.Rules, evaluator.Rule{Name: fmt.Sprintf("rule %d", j), Variant: j % 2, When: &evaluator.Condition{Op: evaluator.All, Of: []evaluator.Condition{
				{Op: evaluator.OneOf, Attribute: "city", Strings: []string{fmt.Sprint("city-", (i+j)%300), "SH"}},
				{Op: evaluator.Between, Attribute: "uid", Ints: []int64{int64(i), int64(i + j)}},
			}}})
		}
		p.Ruleset.Flags = append(p.Ruleset.Flags, f)
	}
	return p
}

// BenchmarkLoad decodes and compiles 10,000 flags of 5 rules with 2 conditions.
func BenchmarkLoad(b *testing.B) {
	data, err := EncodePayload(estate(10_000))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(data)), "bytes")
	b.ReportAllocs()
	for b.Loop() {
		p, err := DecodePayload(data)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := evaluator.Compile(p.Ruleset); err != nil {
			b.Fatal(err)
		}
	}
}
