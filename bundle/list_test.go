package bundle

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tinylib/msgp/msgp"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

// idList returns n ids in order.
func idList(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s%07d", prefix, i)
	}
	return list
}

// withLists is a ruleset of flags that are on for people of lists: of a segment, of
// those that it excludes, and of conditions.
func withLists(include, exclude, plain, folded []string) evaluator.Ruleset {
	flag := func(key string, when evaluator.Condition) evaluator.Flag {
		return evaluator.Flag{
			Key: key, Type: evaluator.KindBool,
			Variants: []evaluator.Variant{{Name: "off", Value: evaluator.BoolValue(false)},
				{Name: "on", Value: evaluator.BoolValue(true)}},
			Rules: []evaluator.Rule{{Name: "listed", When: &when, Variant: 1}},
		}
	}
	return evaluator.Ruleset{
		Unit: "user",
		Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString},
			{Name: "mail", Type: evaluator.AttrString}},
		Segments: []evaluator.Segment{{Name: "beta", Include: include, Exclude: exclude}},
		Flags: []evaluator.Flag{
			flag("a-segment", evaluator.Condition{Op: evaluator.OpInSegment, Attribute: "user",
				Strings: []string{"beta"}}),
			flag("b-plain", evaluator.Condition{Op: evaluator.OpAny, Of: []evaluator.Condition{
				{Op: evaluator.OpOneOf, Attribute: "user", Strings: plain},
				{Op: evaluator.OpOneOf, Attribute: "mail", Strings: []string{"x", "y"}},
			}}),
			flag("c-folded", evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "mail", Strings: folded,
				Fold: true}),
			flag("d-plain", evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "mail", Strings: plain}),
		},
	}
}

// listed is a payload with three lists that are targets.
func listed() Payload {
	return Payload{Environment: "production", Namespace: "shop",
		Ruleset: withLists(idList("u-", MinList), idList("v-", MinList+1), idList("u-", MinList),
			idList("M-", MinList))}
}

func encodeListed(t testing.TB) ([]byte, []*List) {
	t.Helper()
	data, lists, err := EncodePayload(listed())
	if err != nil {
		t.Fatal(err)
	}
	return data, lists
}

// TestLists holds that long lists leave the payload, each once, and come back.
func TestLists(t *testing.T) {
	data, lists := encodeListed(t)
	if len(data) > 1000 {
		t.Errorf("the payload has %d bytes", len(data))
	}
	var hashes []string
	for i, want := range [][]string{idList("u-", MinList), idList("v-", MinList+1), idList("M-", MinList)} {
		hashes = append(hashes, lists[i].SHA256)
		zr, err := gzip.NewReader(bytes.NewReader(lists[i].Data))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(zr)
		if text := strings.Join(want, "\n") + "\n"; err != nil || string(got) != text {
			t.Errorf("list %d has %.20q…, want %.20q…, error %v", i, got, text, err)
		}
	}
	label, err := ReadLabel(data)
	want := Label{2, "production", "shop", []string{"lists"}, hashes, false}
	if diff := cmp.Diff(want, label); diff != "" || err != nil {
		t.Errorf("label: error %v (-want +got):\n%s", err, diff)
	}
	slices.Reverse(lists)
	got, err := DecodePayload(data, append(lists, NewList(nil))...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(listed(), got, compareValues); diff != "" {
		t.Errorf("payload changed on the way (-want +got):\n%s", diff)
	}
	again, _ := encodeListed(t)
	if !bytes.Equal(data, again) {
		t.Error("encoding again gave other bytes")
	}
}

func TestListPath(t *testing.T) {
	hash := strings.Repeat("0123456789abcdef", 4)
	if got, ok := ListOf(ListPath(hash)); got != hash || !ok {
		t.Errorf("got %s, %t", got, ok)
	}
	for _, path := range []string{
		"", "lists/.txt.gz", hash, "lists/" + hash, hash + ".txt.gz", "lists/" + hash[1:] + ".txt.gz",
		"lists/" + strings.ToUpper(hash) + ".txt.gz",
		"lists/x" + hash[1:] + ".txt.gz", "shop/" + hash + ".txt.gz", "lists/lists/" + hash + ".txt.gz",
	} {
		if got, ok := ListOf(path); ok {
			t.Errorf("%s is the list %s", path, got)
		}
	}
}

// TestInlineLists holds that all other lists stay in the payload, in format 1, whose
// bytes are those that they always were.
func TestInlineLists(t *testing.T) {
	long := idList("u-", MinList)
	changed := func(change func([]string)) []string {
		list := slices.Clone(long)
		change(list)
		return list
	}
	for name, list := range map[string][]string{
		"short":       long[1:],
		"unordered":   changed(func(l []string) { l[7], l[8] = l[8], l[7] }),
		"duplicates":  changed(func(l []string) { l[8] = l[7] }),
		"empty":       changed(func(l []string) { l[0] = "" }),
		"two lines":   changed(func(l []string) { l[0] = "a\nb" }),
		"a long text": changed(func(l []string) { l[0] = strings.Repeat("a", maxMember+1) }),
	} {
		set := withLists(list, list, list, list)
		data, lists, err := EncodePayload(Payload{Environment: "production", Namespace: "shop", Ruleset: set})
		if err != nil || len(lists) > 0 || len(Needs(&set)) > 0 {
			t.Errorf("%s: %d lists, error %v", name, len(lists), err)
			continue
		}
		want, err := pack(label{format: format1, environment: "production", namespace: "shop"}, encodeRuleset(&set))
		if err != nil || !bytes.Equal(data, want) {
			t.Errorf("%s: other bytes, error %v", name, err)
		}
	}
	if list := changed(func(l []string) { l[0] = strings.Repeat("a", maxMember) }); !isTarget(list) {
		t.Errorf("a list with a text of %d bytes is no target", maxMember)
	}
}

// TestManyLists holds that lists beyond the limit stay in the payload.
func TestManyLists(t *testing.T) {
	set := withLists([]string{"u"}, nil, []string{"u"}, []string{"u"})
	set.Segments = nil
	set.Flags = set.Flags[1:2]
	when := set.Flags[0].Rules[0].When
	when.Of = nil
	for i := range maxLists + 2 {
		when.Of = append(when.Of, evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "user",
			Strings: idList(fmt.Sprint(i), MinList)})
	}
	when.Of = append(when.Of, when.Of[0], when.Of[maxLists]) // one of both kinds again
	p := Payload{Environment: "production", Namespace: "shop", Ruleset: set}
	data, lists, err := EncodePayload(p)
	if err != nil || len(lists) != maxLists {
		t.Fatalf("%d lists, error %v", len(lists), err)
	}
	got, err := DecodePayload(data, lists...)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range got.Ruleset.Flags[0].Rules[0].When.Of {
		if !slices.Equal(c.Strings, when.Of[i].Strings) {
			t.Errorf("list %d has changed on the way", i)
		}
	}
}

func TestNeedsLists(t *testing.T) {
	set := listed().Ruleset
	got := Needs(&set)
	if diff := cmp.Diff([]Need{{Feature: "lists", Segment: "beta", More: 3}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := `segment "beta" and 3 more use a list of 10,000 IDs or more`
	if MinList != 10_000 || got[0].String() != want {
		t.Errorf("got %s, want %s", got[0], want)
	}
}

// TestListAnswers holds that flags answer the same with lists as with all in the
// payload, for random rulesets and contexts.
func TestListAnswers(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	pool := [][]string{
		nil, {"u-0000001"}, {"m-0000003", "M-0000004"},
		idList("u-", MinList), idList("u-", MinList+5)[5:], idList("M-", MinList),
		idList("m-with-a-longer-id-", MinList),
	}
	pick := func(from int) []string { return pool[from+random.IntN(len(pool)-from)] }
	on := 0
	for range soak.Times(8, 1000) {
		set := withLists(pick(0), pick(0), pick(1), pick(1))
		data, lists, err := EncodePayload(Payload{Environment: "production", Namespace: "shop", Ruleset: set})
		if err != nil {
			t.Fatal(err)
		}
		compiled, err := CompilePayload(data, lists...)
		if err != nil {
			t.Fatal(err)
		}
		got, err := evaluator.Link(compiled.Module)
		if err != nil {
			t.Fatal(err)
		}
		want, err := evaluator.Compile(set)
		if err != nil {
			t.Fatal(err)
		}
		someone := func() string {
			list := pick(1)
			id := list[random.IntN(len(list))]
			switch random.IntN(4) {
			case 0:
				return strings.ToUpper(id)
			case 1:
				return strings.ToLower(id)
			case 2:
				return id[:len(id)-random.IntN(2)]
			}
			return id
		}
		for range 500 {
			mail := evaluator.Attr{Name: "mail", Value: evaluator.StringValue(someone())}
			ctx := evaluator.Context{Key: someone(), Attrs: []evaluator.Attr{mail}}
			for _, key := range want.Keys() {
				a, b := want.Flag(key).Evaluate(&ctx), got.Flag(key).Evaluate(&ctx)
				if a.Variant() != b.Variant() || a.Reason() != b.Reason() || a.Rule() != b.Rule() {
					t.Fatalf("%s for %v: %v, with lists %v", key, ctx, a, b)
				}
				if a.Variant() == "on" {
					on++
				}
			}
		}
	}
	if on < 1000 {
		t.Errorf("flags were on only %d times", on)
	}
}

// TestListOfVersions holds that lists are shared as sets of strings, and only as these.
func TestListOfVersions(t *testing.T) {
	set := withLists(nil, nil, []string{"u"}, []string{"u"})
	set.Attributes = append(set.Attributes, evaluator.Attribute{Name: "app", Type: evaluator.AttrSemver})
	list := make([]string, MinList)
	for i := range list {
		list[i] = fmt.Sprintf("1.0.%d", 10_000+i)
	}
	set.Flags[1].Rules[0].When = &evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "app", Strings: list}
	data, lists, err := EncodePayload(Payload{Environment: "production", Namespace: "shop", Ruleset: set})
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := CompilePayload(data, lists...)
	if err != nil {
		t.Fatal(err)
	}
	program, err := evaluator.Link(compiled.Module)
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]string{"1.0.12345": "on", "1.0.12345+build": "on", "1.0.9999": "off"} {
		ctx := evaluator.Context{Key: "v",
			Attrs: []evaluator.Attr{{Name: "app", Value: evaluator.StringValue(version)}}}
		if got := program.Flag("b-plain").Evaluate(&ctx).Variant(); got != want {
			t.Errorf("%s: got %s, want %s", version, got, want)
		}
	}
}

// listOf returns a list of a text that may be anything.
func listOf(t testing.TB, texts ...string) *List {
	var parts [][]byte
	for _, text := range texts {
		parts = append(parts, []byte(text))
	}
	return NewList(members(t, parts...))
}

func TestListsRefused(t *testing.T) {
	valid := listOf(t, "a\nb\n")
	if list, err := valid.decode(); err != nil || !slices.Equal(list, []string{"a", "b"}) {
		t.Fatalf("got %q, error %v", list, err)
	}
	with := func(change func([]byte) []byte) *List { return NewList(change(bytes.Clone(valid.Data))) }
	size := func(n byte) *List {
		return with(func(b []byte) []byte { b[len(b)-4] = n; return b })
	}
	for _, test := range []struct {
		name string
		list *List
		want string
	}{
		{"nothing", NewList(nil), "EOF"},
		{"no gzip", NewList([]byte("a\nb\nc\n\x01\x00\x00\x00")), "gzip: invalid header"},
		{"cut", with(func(b []byte) []byte { return b[:len(b)-5] }), ""},
		{"flipped", with(func(b []byte) []byte { b[11] ^= 1; return b }), ""},
		{"something behind it", with(func(b []byte) []byte { return append(b, b[len(b)-4:]...) }), ""},
		{"two members", listOf(t, "a\nb\n", "c\nd\n"), ""},
		{"longer than it says", size(3), "longer than it says"},
		{"shorter than it says", size(5), ""},
		{"a lie", with(func(b []byte) []byte { b[len(b)-2] = 0xff; return b }), "shorter than it says"},
		{"too long", with(func(b []byte) []byte { b[len(b)-1] = 0xff; return b }), "the limit is 134217728"},
		{"no lines", listOf(t, ""), "its last line doesn't end"},
		{"a line without an end", listOf(t, "a\nb"), "its last line doesn't end"},
		{"an empty line", listOf(t, "\na\n"), "line 1 is empty, or not in ascending order"},
		{"an empty line at the end", listOf(t, "a\n\n"), "line 2 is empty, or not in ascending order"},
		{"unsorted", listOf(t, "b\na\n"), "line 2 is empty, or not in ascending order"},
		{"a duplicate", listOf(t, "a\na\n"), "line 2 is empty, or not in ascending order"},
		{"a long line", listOf(t, "a\n"+strings.Repeat("b", maxMember+1)+"\n"), "line 2 has 1001 bytes; the limit is 1000"},
	} {
		list, err := test.list.decode()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %q, error %v, want one with %q", test.name, list, err, test.want)
		}
	}
}

// alterListed encodes listed, with the label and the columns that change makes.
func alterListed(t testing.TB, change func(*label, *wire)) []byte {
	t.Helper()
	w, lists, err := encodeWithLists(ptrTo(listed().Ruleset))
	if err != nil {
		t.Fatal(err)
	}
	l := label{format: format2, environment: "production", namespace: "shop", features: []string{"lists"}}
	for _, list := range lists {
		l.lists = append(l.lists, list.SHA256)
	}
	change(&l, w)
	data, err := pack(l, w)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestListReferencesRefused holds that what refers to lists must be exact.
func TestListReferencesRefused(t *testing.T) {
	good, lists := encodeListed(t)
	altered := func(change func(*label, *wire)) []byte { return alterListed(t, change) }
	bomb := func(n int64) *List { return NewList(append(make([]byte, n/maxRatio), 0xff, 0xff, 0xff, 7)) }
	for _, test := range []struct {
		name  string
		data  []byte
		lists []*List
		want  string
	}{
		{"no lists", good, nil, "the list " + lists[0].SHA256 + " is missing"},
		{"not all lists", good, lists[:2], "the list " + lists[2].SHA256 + " is missing"},
		{"too large together", altered(func(l *label, _ *wire) { l.lists = append(l.lists, bomb(maxDecoded).SHA256) }),
			append(slices.Clone(lists), bomb(maxDecoded)), "bytes; the limit is 134217728"},
		{"a reference to none", altered(func(_ *label, w *wire) { edit(&w.lists, 1, 7) }), lists,
			"a reference to a list leads nowhere"},
		{"references out of order", altered(func(_ *label, w *wire) { edit(&w.lists, 0, 2) }), lists,
			"a reference to a list leads nowhere"},
		{"a list that isn't used", altered(func(l *label, _ *wire) { l.lists = append(l.lists, NewList(nil).SHA256) }),
			append(slices.Clone(lists), NewList(nil)), ""},
		{"the last list isn't used", altered(func(_ *label, w *wire) { edit(&w.lists, 4, 1) }), lists,
			"there is a list that nothing refers to"},
		{"members twice", altered(func(_ *label, w *wire) {
			edit(&w.segmentInclude, 0, 1)
			w.members = rows(1)
		}), lists, "a list is both part of the payload and a target"},
		{"operands twice", altered(func(_ *label, w *wire) { edit(&w.lists, 3, 1) }), lists,
			"a list is both part of the payload and a target"},
		{"too few references", altered(func(_ *label, w *wire) { w.lists = rows(1, 2) }), lists,
			`column "lists" is too short`},
		{"too many references", altered(func(_ *label, w *wire) { w.lists.put(0) }), lists, `column "lists" is too long`},
		{"lists that the label doesn't name", altered(func(l *label, _ *wire) { l.lists = nil }), lists,
			`column "lists" is too long`},
		{"no feature", altered(func(l *label, _ *wire) { l.features = nil }), lists, `column "lists" is too long`},
		{"a list twice", altered(func(l *label, _ *wire) { l.lists[1] = l.lists[0] }), lists, "it names a list twice"},
		{"a short hash", altered(func(l *label, _ *wire) { l.lists[1] = "abcd" }), lists,
			"what names a list is not a SHA-256"},
		{"too many lists", altered(func(l *label, _ *wire) {
			for i := range maxLists {
				l.lists = append(l.lists, hashOf([]byte{byte(i)}))
			}
		}), lists, "it names 103 lists; the limit is 100"},
		{"a damaged list", altered(func(l *label, _ *wire) { l.lists[1] = listOf(t, "b\na\n").SHA256 }),
			append(slices.Clone(lists), listOf(t, "b\na\n")), "line 2 is empty, or not in ascending order"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := DecodePayload(test.data, test.lists...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
			if _, compiling := CompilePayload(test.data, test.lists...); fmt.Sprint(compiling) != fmt.Sprint(err) {
				t.Errorf("CompilePayload gave %v, DecodePayload %v", compiling, err)
			}
		})
	}
}

// TestListsOfLaterVersions holds that readers skip what a label may call lists without
// the feature.
func TestListsOfLaterVersions(t *testing.T) {
	l := label{format: format2, environment: "production", namespace: "a/b", features: []string{}}
	b := l.marshal()
	at := strings.Index(string(b), "columns") + len("columns")
	b[at]++ // entries
	b = msgp.AppendInt(msgp.AppendString(b, "lists"), 7)
	var got label
	if err := got.unmarshal(b); err != nil || got.lists != nil {
		t.Errorf("got %v, error %v", got, err)
	}
}

// TestListPrints holds that fingerprints depend on lists, and need none.
func TestListPrints(t *testing.T) {
	prints := func(set evaluator.Ruleset) map[string]Fingerprint {
		data, _, err := EncodePayload(Payload{Environment: "production", Namespace: "shop", Ruleset: set})
		if err != nil {
			t.Fatal(err)
		}
		prints, err := Fingerprints(data)
		if err != nil {
			t.Fatal(err)
		}
		return prints
	}
	u, v, m := idList("u-", MinList), idList("v-", MinList), idList("m-", MinList)
	was, is := prints(withLists(u, v, u, m)), prints(withLists(u, v, v, m))
	for key, print := range was {
		if changes := key == "b-plain" || key == "d-plain"; (print != is[key]) != changes {
			t.Errorf("%s: changed is %t", key, print != is[key])
		}
	}
}

// FuzzDecodeList holds that what decodes is a list, and is the same when it is encoded
// again.
func FuzzDecodeList(f *testing.F) {
	f.Add(listOf(f, "a\nb\n").Data)
	f.Add(listOf(f, "b\na\n").Data)
	f.Add(listOf(f, strings.Join(idList("u-", 100), "\n")+"\n").Data)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := NewList(data).decode()
		if err != nil {
			return
		}
		if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) || slices.Contains(list, "") {
			t.Fatalf("decoded %q", list)
		}
		again, err := encodeList(list)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := again.decode(); err != nil || !slices.Equal(list, twice) {
			t.Fatalf("got %q, then %q, error %v", list, twice, err)
		}
	})
}

// columnsWithLists are columns that refer to three lists.
func columnsWithLists(t testing.TB) [][]byte {
	w, _, err := encodeWithLists(ptrTo(listed().Ruleset))
	if err != nil {
		t.Fatal(err)
	}
	all := encodeRuleset(ptrTo(everything().Ruleset))
	all.lists = rows(1, 2, 3, 0, 1, 2, 3)
	return [][]byte{w.marshal(format2), all.marshal(format2)}
}

// checkReferences holds that columns, whatever is in them, decode in the same way with
// the strings of lists as with their sets.
func checkReferences(t *testing.T, columns []byte) (valid bool) {
	l := label{format: format2, features: []string{"lists"}, lists: []string{"a", "b", "c"}}
	var plain, sets []listContent
	for _, list := range [][]string{{"SH", "u-1"}, {"u-6"}, {"10.0.0.1"}} {
		plain = append(plain, listContent{strings: list})
		sets = append(sets, listContent{set: evaluator.NewList(list)})
	}
	set, err := decodeRuleset(&l, columns, plain...)
	module, decoding, compiling := compileRuleset(&l, columns, sets...)
	if fmt.Sprint(decoding) != fmt.Sprint(err) {
		t.Fatalf("with strings %v, with sets %v", err, decoding)
	}
	if err != nil {
		return false
	}
	whole, err := evaluator.CompileModule(set)
	if (compiling == nil) != (err == nil) {
		t.Fatalf("compiled with strings %v, with sets %v", err, compiling)
	}
	if err == nil {
		compareModules(t, module, whole)
	}
	return err == nil
}

func FuzzDecodeReferences(f *testing.F) {
	for _, columns := range columnsWithLists(f) {
		f.Add(columns)
	}
	f.Fuzz(func(t *testing.T, columns []byte) { checkReferences(t, columns) })
}

// TestDamagedReferences changes bytes of columns that refer to lists: half of the time
// those of the column lists itself.
func TestDamagedReferences(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	valid := 0
	for _, columns := range columnsWithLists(t) {
		at := bytes.LastIndex(columns, []byte("lists")) + len("lists")
		for range soak.Times(500, 500_000) {
			damaged := slices.Clone(columns)
			for range 1 + random.IntN(3) {
				if random.IntN(2) == 0 {
					damaged[random.IntN(len(damaged))] = byte(random.Uint32())
				} else {
					damaged[at+1+random.IntN(len(damaged)-at-1)] = byte(random.IntN(5))
				}
			}
			if checkReferences(t, damaged) {
				valid++
			}
		}
	}
	if valid < 10 {
		t.Errorf("only %d were valid", valid)
	}
}

// shared is a list that scenarios publish: the same one for two namespaces.
var shared = idList("u-", MinList)

// published publishes two namespaces that share a list.
func published(mark string) func(*repo) {
	return func(r *repo) {
		maps.DeleteFunc(r.signed[roleTargets]["targets"].(object), func(path string, _ any) bool {
			return strings.HasPrefix(path, listFolder)
		})
		for _, namespace := range []string{"shop", "search"} {
			r.setRuleset(namespace, marked(mark, shared))
		}
		r.bumpFrom(roleTargets)
	}
}

// marked is a ruleset with a list; mark makes it different from others.
func marked(mark string, list []string) evaluator.Ruleset {
	set := withLists(list, nil, []string{mark}, []string{mark})
	set.Segments[0].When = &evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "mail", Strings: []string{mark}}
	return set
}

// setSigned is setRuleset for a ruleset with a list that may be anything.
func (r *repo) setSigned(namespace string, list *List) {
	columns, _, err := encodeWithLists(ptrTo(marked("2", shared)))
	if err != nil {
		panic(err)
	}
	payload, err := pack(label{format: format2, environment: r.environment, namespace: namespace,
		features: []string{"lists"}, lists: []string{list.SHA256}}, columns)
	if err != nil {
		panic(err)
	}
	r.setTarget(namespace, payload)
	r.setList(list)
}

// TestListsInScenarios publishes lists that are wrong in each way, to clients that have
// an earlier one, and to new clients.
func TestListsInScenarios(t *testing.T) {
	other := idList("w-", MinList)
	second := func(change func(r *repo, l *List)) func(*repo) {
		return func(r *repo) {
			l := r.setRuleset("shop", marked("2", other))[0]
			change(r, l)
			r.bumpFrom(roleTargets)
		}
	}
	stored := func(change func(r *repo, data []byte) []byte) func(*repo) {
		return second(func(r *repo, l *List) { r.objects[ListObject(l.SHA256)] = change(r, bytes.Clone(l.Data)) })
	}
	target := func(r *repo, l *List) object {
		return r.signed[roleTargets]["targets"].(object)[ListPath(l.SHA256)].(object)
	}
	signed := func(data []byte) func(*repo) { // a list that is what the payload refers to
		return second(func(r *repo, l *List) { r.setSigned("shop", NewList(data)) })
	}
	kept := func(change func(r *repo, l *List)) func(*repo) { // a change of the namespace only
		return func(r *repo) {
			change(r, r.setRuleset("shop", marked("2", shared))[0])
			r.bumpFrom(roleTargets)
		}
	}
	bomb := func(size uint32) []byte {
		return append(make([]byte, 9), byte(size), byte(size>>8), byte(size>>16), byte(size>>24))
	}
	var scenarios []scenario
	for _, c := range []struct {
		name string
		do   func(*repo)
		want Class
	}{
		{"valid", second(func(*repo, *List) {}), accepted},
		{"missing", second(func(r *repo, l *List) { delete(r.objects, ListObject(l.SHA256)) }), NotFound},
		{"only without its hash in the name", second(func(r *repo, l *List) {
			r.objects["targets/"+ListPath(l.SHA256)] = l.Data
			delete(r.objects, ListObject(l.SHA256))
		}), NotFound},
		{"not in targets", second(func(r *repo, l *List) {
			delete(r.signed[roleTargets]["targets"].(object), ListPath(l.SHA256))
		}), Malformed},
		{"replaced by that of another namespace", stored(func(r *repo, _ []byte) []byte {
			list, err := encodeList(shared)
			if err != nil {
				panic(err)
			}
			return list.Data
		}), Signature},
		{"flipped", stored(func(_ *repo, data []byte) []byte { data[len(data)/2] ^= 1; return data }), Signature},
		{"cut", stored(func(_ *repo, data []byte) []byte { return data[:len(data)/2] }), Signature},
		{"empty", stored(func(*repo, []byte) []byte { return nil }), Signature},
		{"appended to", stored(func(_ *repo, data []byte) []byte { return append(data, 0) }), Signature},
		{"a page", stored(func(*repo, []byte) []byte { return []byte("<html>") }), Signature},
		{"listed with another hash", second(func(r *repo, l *List) {
			target(r, l)["hashes"].(object)["sha256"] = hashOf([]byte("x"))
		}), Malformed},
		{"listed without a SHA-256", second(func(r *repo, l *List) {
			target(r, l)["hashes"] = object{"sha512": strings.Repeat("ab", 64)}
		}), Malformed},
		{"listed with a wrong SHA-512", second(func(r *repo, l *List) {
			target(r, l)["hashes"].(object)["sha512"] = strings.Repeat("ab", 64)
		}), Signature},
		{"listed as longer", second(func(r *repo, l *List) { target(r, l)["length"] = len(l.Data) + 1 }), Signature},
		{"listed as shorter", second(func(r *repo, l *List) { target(r, l)["length"] = len(l.Data) - 1 }), Signature},
		{"listed as too large", second(func(r *repo, l *List) { target(r, l)["length"] = MaxPayloads }), Malformed},
		{"the same, but not in targets", kept(func(r *repo, l *List) {
			delete(r.signed[roleTargets]["targets"].(object), ListPath(l.SHA256))
		}), Malformed},
		{"the same, but listed as longer", kept(func(r *repo, l *List) { target(r, l)["length"] = len(l.Data) + 1 }), Signature},
		{"the same", kept(func(*repo, *List) {}), accepted},
		{"signed, but it says that it is too large", signed(bomb(maxDecoded)), Malformed},
		{"signed, but not in order", signed(members(t, []byte("b\na\n"))), accepted}, // whoever decodes it sees
	} {
		have := "1 1 1 1"
		warm, cold := "1 2 2 2", "-"
		if c.want == accepted {
			warm, cold = "1 3 3 3", "1 3 3 3"
		}
		repaired := step{func(r *repo) { published("4")(r) }, accepted, "1 4 4 4"}
		scenarios = append(scenarios,
			scenario{c.name + "/warm", nil, []step{{nil, accepted, have}, {published("1"), accepted, "1 2 2 2"},
				{c.do, c.want, warm}, repaired}},
			scenario{c.name + "/cold", nil, []step{{do(published("1"), c.do), c.want, cold}, repaired}},
		)
	}
	runEverywhere(t, scenarios)
}

// TestListsStay counts what an update downloads and decodes: no list that a client has.
func TestListsStay(t *testing.T) {
	r := newRepo()
	delete(r.signed[roleTargets]["targets"].(object), "checkout/"+PayloadName)
	published("1")(r)
	v := r.verifier(t)
	var last *Release
	update := func(want string) {
		t.Helper()
		r.requests()
		next, err := v.Update(t.Context(), r, last, testNow)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for name := range strings.SplitSeq(r.requests(), ", ") {
			if strings.HasPrefix(name, "targets/") {
				got = append(got, strings.Split(name, "/")[1])
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("downloaded %v, want %s", got, want)
		}
		last = next
	}
	update("search shop lists") // once for both
	list := last.Payloads()[0].Lists[0]
	if last.Payloads()[1].Lists[0] != list {
		t.Error("the namespaces don't share their list")
	}
	r.setRuleset("shop", marked("2", shared))
	r.bumpFrom(roleTargets)
	update("shop")
	for _, p := range last.Payloads() {
		if p.Lists[0] != list {
			t.Errorf("%s has another list than before", p.Namespace)
		}
	}
	p := last.Payloads()[1]
	compiling := func() int64 {
		return allocated(func() {
			if _, err := CompilePayload(p.Data, p.Lists...); err != nil {
				t.Fatal(err)
			}
		})
	}
	if first, again := compiling(), compiling(); again > first/5 {
		t.Errorf("compiling %s allocates %d bytes, and then again %d", p.Namespace, first, again)
	}
	r.setRuleset("shop", marked("3", shared[1:])) // too short for a target
	r.bumpFrom(roleTargets)
	update("shop")
	r.setRuleset("shop", marked("4", append(shared[1:len(shared):len(shared)], "z")))
	r.bumpFrom(roleTargets)
	update("shop lists")
	if last.Payloads()[0].Lists[0] != list {
		t.Error("search has another list than before")
	}
}

// TestListsTogether holds that lists count for what a release may have.
func TestListsTogether(t *testing.T) {
	r := newRepo()
	l := r.setRuleset("shop", marked("1", shared))[0]
	targets := r.signed[roleTargets]["targets"].(object)
	// Two namespaces may share a list that is large, which counts once.
	for _, test := range []struct {
		length int
		want   bool
	}{{MaxPayloads - 20_000, false}, {MaxPayloads, true}} {
		targets[ListPath(l.SHA256)].(object)["length"] = test.length
		r.setRuleset("search", marked("2", shared))
		targets[ListPath(l.SHA256)].(object)["length"] = test.length
		r.bumpFrom(roleTargets)
		_, err := r.verifier(t).Update(t.Context(), r, nil, testNow)
		if err == nil || errors.Is(err, ErrTooLarge) != test.want {
			t.Errorf("length %d: %v", test.length, err)
		}
	}
}

// TestListsAreServed holds that clients serve no list that is signed but wrong, and follow
// when it is right again.
func TestListsAreServed(t *testing.T) {
	for name, start := range Clients {
		for _, restarts := range []bool{false, true} {
			r := lasting()
			poll, restart := start(t, r.objects["1.root.json"], r)
			step := func(list *List, want Class) {
				t.Helper()
				if restarts {
					restart()
				}
				r.setSigned("shop", list)
				r.bumpFrom(roleTargets)
				err := poll()
				checkClass(t, err, want)
				if want != accepted && !strings.Contains(fmt.Sprint(err), "not in ascending order") {
					t.Errorf("%s: %v", name, err)
				}
			}
			step(listOf(t, "a\nb\n"), accepted)
			step(listOf(t, "b\na\n"), Malformed)
			step(listOf(t, "a\nc\n"), accepted)
		}
	}
}
