package bundle

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
	"github.com/tinylib/msgp/msgp"
)

// latest is everything, and what only format 2 has.
func latest() Payload {
	p := everything()
	set := &p.Ruleset
	ld := evaluator.Bucketing{By: "user", Salt: "ld", Hash: "launchdarkly"}
	unleash := evaluator.Bucketing{By: "uid", Salt: "g", Hash: "unleash", Positions: 50}
	bucket := evaluator.Condition{Op: evaluator.OpBucket, Attribute: "user", Strings: []string{"unleash-variants", "v"},
		Ints: []int64{0, 0, 500}}
	own := evaluator.Condition{Op: evaluator.OpBucket, Attribute: "uid", Strings: []string{evaluator.HashMurmur3, "m"},
		Ints: []int64{0, 1, 1 << 32}}
	set.Segments = append(set.Segments, evaluator.Segment{Name: "half", When: &bucket})
	set.Flags = append(set.Flags, evaluator.Flag{
		Key: "moved", Type: evaluator.KindBool,
		Variants: []evaluator.Variant{{Name: "off", Value: evaluator.BoolValue(false)},
			{Name: "on", Value: evaluator.BoolValue(true)}},
		Reserved: &evaluator.Reservation{Layer: "old", Bucketing: ld,
			Spans: []evaluator.Span{{From: 1, To: 2}, {From: 1 << 59, To: 1 << 60}}},
		Rules: []evaluator.Rule{
			{Name: "sixty bits", When: &own, Split: &evaluator.Split{Bucketing: ld,
				Ranges: []evaluator.Range{{To: 1 << 40, Variant: 1}, {From: 1 << 40, To: 1 << 60}}}},
			{Name: "fifty", When: &bucket, Split: &evaluator.Split{Bucketing: unleash,
				Ranges: []evaluator.Range{{To: 7, Variant: 1}, {From: 7, To: 50}}}},
			{Name: "line", Split: &evaluator.Split{Bucketing: ld,
				Ramp: &evaluator.Ramp{Variant: 1, Points: []evaluator.Point{{Level: 1 << 60}}}}},
			{Name: "plain", Split: &evaluator.Split{Bucketing: evaluator.Bucketing{By: "user", Salt: "s",
				Hash: evaluator.HashMurmur3},
				Ranges: []evaluator.Range{{To: evaluator.Positions}}}},
		},
	})
	slices.SortFunc(set.Flags, func(a, b evaluator.Flag) int { return strings.Compare(a.Key, b.Key) })
	return p
}

// labelOf returns the label of a payload, without a size.
func labelOf(p Payload) label {
	l := label{format: format2, environment: p.Environment, namespace: p.Namespace}
	for _, n := range Needs(&p.Ruleset) {
		l.features = append(l.features, n.Feature)
	}
	return l
}

// encodeLatest encodes latest, with the label and the columns that change makes.
func encodeLatest(t testing.TB, change func(*label, *wire)) []byte {
	t.Helper()
	p := latest()
	l, w := labelOf(p), encodeRuleset(&p.Ruleset)
	change(&l, w)
	data, err := pack(l, w)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// withColumn returns columns with one more in front.
func withColumn(columns []byte, name string, value []byte) []byte {
	n, rest, err := msgp.ReadMapHeaderBytes(columns)
	if err != nil {
		panic(err)
	}
	b := append(msgp.AppendString(msgp.AppendMapHeader(nil, n+1), name), value...)
	return append(b, rest...)
}

// labelled2 returns a payload of latest's label and of columns that may be
// anything.
func labelled2(t testing.TB, columns []byte) []byte {
	t.Helper()
	l := labelOf(latest())
	l.size = uint32(len(columns))
	return members(t, l.marshal(), columns)
}

func TestNeeds(t *testing.T) {
	set := everything().Ruleset
	if got := Needs(&set); len(got) > 0 {
		t.Errorf("what format 1 has needs %v", got)
	}
	set = latest().Ruleset
	set.Prerequisites = append(set.Prerequisites,
		set.Flags[slices.IndexFunc(set.Flags, func(f evaluator.Flag) bool { return f.Key == "moved" })])
	set.Prerequisites[len(set.Prerequisites)-1].Key = "other"
	set.Attributes = append(set.Attributes, evaluator.Attribute{Name: "born", Type: 99})
	want := []Need{
		{Feature: "hash:launchdarkly", Flag: "moved", More: 5},
		{Feature: "hash:unleash", Flag: "moved", Rule: "fifty", More: 1},
		{Feature: "hash:unleash-variants", Segment: "half", More: 2},
		{Feature: "op:bucket", Segment: "half", More: 4},
		{Feature: "type:" + evaluator.AttributeType(99).String(), Attribute: "born"},
	}
	if diff := cmp.Diff(want, Needs(&set)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i, text := range []string{
		`flag "moved" and 5 more use the hash "launchdarkly"`,
		`rule "fifty" of flag "moved" and 1 more use the hash "unleash"`,
		`segment "half" and 2 more use the hash "unleash-variants"`,
		`segment "half" and 4 more use the condition "bucket"`,
		`attribute "born" uses the attribute type "` + evaluator.AttributeType(99).String() + `"`,
	} {
		if got := want[i].String(); got != text {
			t.Errorf("got %s, want %s", got, text)
		}
	}
}

// TestFormat2 holds that nothing changes on the way, and that a payload of format 2
// says what it needs.
func TestFormat2(t *testing.T) {
	data, _, err := EncodePayload(latest())
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := CompilePayload(data)
	if err != nil {
		t.Fatal(err)
	}
	module, err := evaluator.CompileModule(latest().Ruleset)
	if err != nil {
		t.Fatal(err)
	}
	compareModules(t, compiled.Module, module)
	got, err := DecodePayload(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(latest(), got, compareValues); diff != "" {
		t.Errorf("payload changed on the way (-want +got):\n%s", diff)
	}
	l, err := ReadLabel(data)
	want := Label{2, "production", "a/b", []string{"hash:launchdarkly", "hash:unleash", "hash:unleash-variants",
		"op:bucket"}, nil, false}
	if diff := cmp.Diff(want, l); diff != "" || err != nil {
		t.Errorf("label: error %v (-want +got):\n%s", err, diff)
	}
}

// TestPositions holds that any number of positions up to 2^63, and any ends of
// ranges, spans and ramps, are the same after decoding.
func TestPositions(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	number := func() uint64 { // of any magnitude, and often at its edge
		n := uint64(1) << random.IntN(64)
		switch random.IntN(3) {
		case 0:
			return n - 1
		case 1:
			return min(n+random.Uint64N(n), 1<<63)
		}
		return n
	}
	bucketing := func() evaluator.Bucketing {
		return evaluator.Bucketing{By: "user", Salt: "s", Hash: "hash", Positions: number()}
	}
	for range soak.Times(300, 100_000) {
		split, ramp := &evaluator.Split{Bucketing: bucketing()}, &evaluator.Split{Bucketing: bucketing()}
		from := uint64(0)
		for range random.IntN(5) {
			to := number()
			split.Ranges = append(split.Ranges, evaluator.Range{From: from, To: to, Variant: random.IntN(3)})
			from = to
		}
		ramp.Ramp = &evaluator.Ramp{Points: []evaluator.Point{{At: 1, Level: number()}, {At: 2, Level: number()}}}
		want := evaluator.Ruleset{Unit: "user", Flags: []evaluator.Flag{{
			Key: "f", Type: evaluator.KindBool,
			Reserved: &evaluator.Reservation{Bucketing: bucketing(),
				Spans: []evaluator.Span{{From: number(), To: number()}}},
			Rules: []evaluator.Rule{{Name: "a", Split: split}, {Name: "b", Split: ramp}},
		}}}
		l := label{format: format2, features: []string{"hash:hash"}}
		got, err := decodeRuleset(&l, encodeRuleset(&want).marshal(format2))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, compareValues); diff != "" {
			t.Fatalf("ruleset changed on the way (-want +got):\n%s", diff)
		}
	}
}

// TestUnknownFeatures holds that a payload with a feature that isn't known, those
// that are reserved included, is refused by everything that reads payloads, with a
// message that names the feature.
func TestUnknownFeatures(t *testing.T) {
	for _, feature := range []string{
		"lists:2", "type:date", "hash:", "hash:md5", "hash:" + evaluator.HashMurmur3, "op:", "op:one of", "op:Op(99)",
		"positions", "Op:bucket", "op:bucket ", "~",
		strings.Repeat("x", maxFeature),
	} {
		data := encodeLatest(t, func(l *label, _ *wire) {
			l.features = append(l.features, feature)
			slices.Sort(l.features)
		})
		want := fmt.Sprintf("the payload needs a client that knows %q: update the SDK, or the serin command", feature)
		_, decoding := DecodePayload(data)
		_, compiling := CompilePayload(data)
		_, reading := ReadLabel(data)
		_, printing := Fingerprints(data)
		r := newRepo()
		r.setTarget("checkout", data)
		r.bumpFrom(roleTargets)
		_, updating := r.verifier(t).Update(t.Context(), r, nil, testNow)
		checkClass(t, updating, Malformed)
		for _, err := range []error{decoding, compiling, reading, printing, updating} {
			if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: got error %v, want one with %s", feature, err, want)
			}
		}
	}
	data := encodeLatest(t, func(l *label, _ *wire) { l.features = []string{"lists:2", "op:bucket", "public"} })
	if _, err := ReadLabel(data); err == nil || !strings.Contains(err.Error(), `knows "lists:2" and "public": update`) {
		t.Errorf("two features: got error %v", err)
	}
	if _, err := ReadLabel(relabel(t, func(l *label) { l.format = 7 })); !errors.Is(err, ErrUnsupported) {
		t.Errorf("format 7: got error %v", err)
	}
}

// TestUnknownColumns holds that columns that aren't known are skipped, wherever they
// stand, and that this takes no memory.
func TestUnknownColumns(t *testing.T) {
	p := latest()
	l, columns := labelOf(p), encodeRuleset(ptrTo(latest().Ruleset)).marshal(format2)
	decode := func() evaluator.Ruleset {
		set, err := decodeRuleset(&l, columns)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	before := allocated(func() { decode() })
	numbers := msgp.AppendArrayHeader(nil, 9)
	for _, n := range []int64{0, 1, -1, 200, -200, 70_000, -70_000, 1 << 40, -1 << 63} {
		numbers = msgp.AppendInt64(numbers, n)
	}
	const many = 1 << 20
	for name, value := range map[string][]byte{
		"attribute_later":  msgp.AppendString(nil, strings.Repeat("x", many)),
		"flag_description": msgp.AppendString(nil, ""),
		"public":           msgp.AppendArrayHeader(nil, 0),
		"numbers":          numbers,
		"floats64": msgp.AppendFloat64(msgp.AppendFloat32(msgp.AppendArrayHeader(nil, 2), 1),
			2),
		"many":                             append(msgp.AppendArrayHeader(nil, many), make([]byte, many)...),
		strings.Repeat("n", maxColumnName): msgp.AppendUint64(msgp.AppendArrayHeader(nil, 1), 1<<63),
	} {
		columns = withColumn(columns, name, value)
	}
	if diff := cmp.Diff(p.Ruleset, decode(), compareValues); diff != "" {
		t.Errorf("ruleset changed on the way (-want +got):\n%s", diff)
	}
	if got := allocated(func() { decode() }); got > before+8<<10 {
		t.Errorf("decoding allocates %d bytes, %d without the columns that aren't known", got, before)
	}
	// In another order, too: the last column becomes the first.
	w := encodeRuleset(&p.Ruleset)
	values := w.values
	w.values = column{}
	again := append(msgp.AppendArrayHeader(nil, uint32(values.rows)), values.data...)
	columns = withColumn(w.marshal(format2), "values", again)
	if diff := cmp.Diff(p.Ruleset, decode(), compareValues); diff != "" {
		t.Errorf("in another order: ruleset changed on the way (-want +got):\n%s", diff)
	}
}

// TestLabelHasRoom holds that readers skip what they don't know of a label.
func TestLabelHasRoom(t *testing.T) {
	l := label{format2, "production", "a/b", 7, []string{"op:bucket"}, nil, true}
	b := l.marshal()
	at := strings.Index(string(b), "columns") + len("columns")
	b[at] += 2 // entries
	b = msgp.AppendMapStrStr(msgp.AppendString(b, "later"), map[string]string{"a": "b"})
	b = msgp.AppendInt(msgp.AppendString(b, "later still"), 7)
	var got label
	if err := got.unmarshal(b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l, got, cmp.AllowUnexported(label{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFormat2Refuses(t *testing.T) {
	columns := encodeRuleset(ptrTo(latest().Ruleset)).marshal(format2)
	with := func(name string, value []byte) []byte { return labelled2(t, withColumn(columns, name, value)) }
	without := func(feature string) []byte {
		return encodeLatest(t, func(l *label, _ *wire) {
			l.features = slices.DeleteFunc(l.features, func(f string) bool { return f == feature })
		})
	}
	features := func(list ...string) []byte { return encodeLatest(t, func(l *label, _ *wire) { l.features = list }) }
	many := columns
	for i := range maxColumns {
		many = withColumn(many, fmt.Sprint(i), msgp.AppendArrayHeader(nil, 0))
	}
	cut := labelOf(latest())
	name := cut.marshal()
	at := strings.Index(string(name), "columns") + len("columns")
	name[at]-- // entries
	for _, test := range []struct {
		name string
		data []byte
		want string
	}{
		{"a column twice", with("values", msgp.AppendArrayHeader(nil, 0)), `column "values" is there twice`},
		{"an unknown column twice", labelled2(t, withColumn(withColumn(columns, "x", []byte{0xa0}), "x", []byte{0xa0})),
			`column "x" is there twice`},
		{"too many columns", labelled2(t, many), "columns; the limit is 1024"},
		{"a column without a name", with("", []byte{0xa0}), "the name of a column has 0 bytes"},
		{"a long name", with(strings.Repeat("n", maxColumnName+1), []byte{0xa0}), "the name of a column has 65 bytes"},
		{"a column that is a map", with("x", msgp.AppendMapHeader(nil, 0)), `column "x": `},
		{"a column that is nil", with("x", msgp.AppendNil(nil)), `column "x": `},
		{"a column that is a number", with("x", []byte{7}), `column "x": `},
		{"a column of texts", with("x", msgp.AppendString(msgp.AppendArrayHeader(nil, 1), "a")),
			`column "x": an element is not a number`},
		{"a column of arrays", with("x", msgp.AppendArrayHeader(msgp.AppendArrayHeader(nil, 1), 0)),
			`column "x": an element is not a number`},
		{"a column of extensions", with("x", msgp.AppendTime(msgp.AppendArrayHeader(nil, 1), testNow)),
			`column "x": an element is not a number`},
		{"a column that lies", with("x", msgp.AppendArrayHeader(nil, 1<<32-1)), `column "x": it is shorter than it says`},
		{"a text that lies", with("x", append(msgp.AppendString(nil, strings.Repeat("x", 1<<16))[:3], 0xff)), `column "x": `},
		{"a cut column", labelled2(t, columns[:len(columns)-1]), "shorter"},
		{"something behind the columns", labelled2(t, append(columns[:len(columns):len(columns)], 0)), "after the columns"},
		{"a missing column", encodeLatest(t, func(_ *label, w *wire) { w.flagOff = column{} }),
			`column "flag_off" is too short`},

		{"an unknown type", encodeLatest(t, func(_ *label, w *wire) { edit(&w.attributeType, 0, 99) }),
			`doesn't name the feature "type:`},
		{"no hash of a split", without("hash:unleash"), `doesn't name the feature "hash:unleash"`},
		{"no hash of a reservation", without("hash:launchdarkly"), `doesn't name the feature "hash:launchdarkly"`},
		{"no hash of a condition", without("hash:unleash-variants"), `doesn't name the feature "hash:unleash-variants"`},
		{"no operator", without("op:bucket"), `doesn't name the feature "op:bucket"`},
		{"format 1", encodeLatest(t, func(l *label, _ *wire) { l.format = format1 }), "doesn't name the feature"},
		{"a bit that is not known", encodeLatest(t, func(_ *label, w *wire) { edit(&w.flagForm, 0, 2*flagStale+1) }),
			"flag_form has bits"},
		{"a bit of a rule that is not known", encodeLatest(t,
			func(_ *label, w *wire) { edit(&w.ruleForm, 0, 2*ruleMetadata) }), "rule_form has bits"},

		{"features out of order", features("op:bucket", "hash:unleash"), "not in ascending order"},
		{"a feature twice", features("op:bucket", "op:bucket"), "not in ascending order"},
		{"a feature without a name", features(""), "a feature is not a name"},
		{"a long feature", features(strings.Repeat("f", maxFeature+1)), "a feature is not a name"},
		{"a feature in another alphabet", features("списки"), "a feature is not a name"},
		{"a feature with a control character", features("a\x1b[2J"), "a feature is not a name"},
		{"a label without features", members(t, name, columns), "the size and the features of its columns"},
	} {
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

// TestDamagedColumns decodes columns with some bytes changed: whatever they become,
// decoding ends, as a whole and flag by flag, in the same way.
func TestDamagedColumns(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	l := labelOf(latest())
	valid := encodeRuleset(ptrTo(latest().Ruleset)).marshal(format2)
	for range soak.Times(1000, 1_000_000) {
		columns := slices.Clone(valid)
		for range 1 + random.IntN(3) {
			columns[random.IntN(len(columns))] = byte(random.Uint32())
		}
		checkDecoding(t, &l, columns)
	}
}

// TestGuardedRamp holds that payloads keep which ramps are guarded, that only those need
// format 2, and that readers refuse a column of another length.
func TestGuardedRamp(t *testing.T) {
	p := everything()
	ramps := func(p *Payload) (list []*evaluator.Ramp) {
		for _, f := range p.Ruleset.Flags {
			for _, r := range f.Rules {
				if r.Split != nil && r.Split.Ramp != nil {
					list = append(list, r.Split.Ramp)
				}
			}
		}
		return list
	}
	before, _, err := EncodePayload(p)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := ReadLabel(before); err != nil || l.Format != format1 {
		t.Fatalf("without a guarded ramp the label is %+v, %v", l, err)
	}
	ramps(&p)[1].Guarded = true
	data, _, err := EncodePayload(p)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := ReadLabel(data); err != nil || l.Format != format2 || len(l.Features) > 0 {
		t.Fatalf("the label is %+v, %v", l, err)
	}
	got, err := DecodePayload(data)
	if err != nil {
		t.Fatal(err)
	}
	if list := ramps(&got); list[0].Guarded || !list[1].Guarded {
		t.Errorf("the ramps are read as %+v and %+v", list[0], list[1])
	}
	again, _, err := EncodePayload(got)
	if err != nil || string(again) != string(data) {
		t.Errorf("the payload isn't encoded as it was: %v", err)
	}
}

// TestNeedsVersions holds that versions with a "v" are something that readers must know.
func TestNeedsVersions(t *testing.T) {
	set := evaluator.Ruleset{Unit: "user", Attributes: []evaluator.Attribute{
		{Name: "user", Type: evaluator.AttrString}, {Name: "build", Type: evaluator.AttrSemverV},
	}}
	needs := Needs(&set)
	if len(needs) != 1 || needs[0].Feature != "type:semver-v" || !known(needs[0].Feature) {
		t.Fatalf("the needs are %v", needs)
	}
	if got, want := needs[0].String(), `attribute "build" uses the attribute type "semver-v"`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
