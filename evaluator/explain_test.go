package evaluator

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files of this package")

// explained is a ruleset with everything that a trace can show.
func explained() Ruleset {
	onOff := []Variant{{"on", BoolValue(true)}, {"off", BoolValue(false)}}
	three := &Split{Bucketing: Bucketing{By: "user", Salt: "colors", Hash: HashMurmur3}, Ranges: []Range{
		{0, Positions / 4, 0}, {Positions / 4, Positions / 2, 1}, {Positions / 2, Positions, 2},
	}}
	every := every(
		is("city", "shenzhen", "guangzhou"), fold(is("city", "SHENZHEN")), not(texts(OpPrefix, "city", "bei")),
		either(numbers(OpBetween, "uid", 1, 100), numbers(OpBetween, "uid", -1<<63, 100),
			numbers(OpBetween, "uid", 5, 1<<63-1)),
		numbers(OpModulo, "uid", 10, 2, 3), numbers(OpOneOf, "uid", 1, 42), numbers(OpOneOf, "beta", 1),
		texts(OpSemver, "version", ">=2.3.0 <3"), texts(OpOneOf, "version", "2.4"), texts(OpCIDR, "ip", "10.0.0.0/8"),
		texts(OpIPBetween, "ip", "10.0.0.0", "10.0.0.9"),
		texts(OpOneOf, "ip", "10.0.0.7"), texts(OpAnyOf, "tags", "b", "a"), texts(OpAllOf, "tags", "a"),
		texts(OpMatches, "city", "^shen", "zhen$"),
		is("phone", "1", "2", "3", "4", "5", "6", "7"), Condition{Op: OpExists, Attribute: "phone"},
		Condition{Op: OpPeriod, Ints: []int64{1_800_000_000, 1_900_000_000}},
		Condition{Op: OpPeriod, Ints: []int64{-1 << 63, 1_900_000_000}},
		Condition{Op: OpWindow, Strings: []string{"Asia/Shanghai"}, Ints: []int64{0b0111110, 9 * 3600, 18 * 3600}},
	)
	return Ruleset{
		Unit:       "user",
		Attributes: append(declared[:len(declared):len(declared)], Attribute{Name: "tags", Type: AttrList}),
		Zones:      []Zone{{"Asia/Shanghai", []Offset{{0, 8 * 3600}}}},
		Segments: []Segment{
			{Name: "staff", Include: []string{"u-1"}, Exclude: []string{"u-9"}, When: ptr(texts(OpInSegment, "city", "cities"))},
			{Name: "cities", Include: []string{"beijing"}},
		},
		Flags: []Flag{
			{Key: "banner", Type: KindBool, Variants: onOff, Default: 1, Rules: []Rule{
				{Name: "staff", When: ptr(texts(OpInSegment, "user", "staff"))},
				{Name: "everything", When: &every},
				{Name: "rest", When: ptr(not(is("user", "nobody"))), Split: thirty("banner")},
				{Name: "never", Variant: 1},
			}},
			{Key: "colors", Type: KindString, Variants: []Variant{{"red", StringValue("#f00")}, {"green", StringValue("#0f0")}, {"blue", StringValue("#00f")}},
				Rules: []Rule{{Name: "thirds", Split: three}}},
			{Key: "dependent", Type: KindBool, Variants: onOff, Default: 1, Rules: []Rule{
				{Name: "with colors", When: ptr(either(texts(OpServes, "", "colors", "red"), texts(OpServes, "", "colors", "green", "blue"), texts(OpServes, "", "off", "on")))},
			}},
			{Key: "draw", Type: KindBool, Variants: onOff, Default: 1, Rules: []Rule{
				{Name: "coin", Split: &Split{Ranges: []Range{{0, Positions / 2, 0}, {Positions / 2, Positions, 1}}}},
			}},
			{Key: "layered", Type: KindBool, Variants: onOff, Default: 1, Reserved: &Reservation{
				Layer: "checkout", Bucketing: Bucketing{By: "user", Salt: "layer:checkout", Hash: HashMurmur3},
				Spans: []Span{{Positions / 10, Positions / 5}, {Positions / 2, Positions}},
			}, Rules: []Rule{{Name: "all"}}},
			{Key: "off", Type: KindBool, Variants: onOff, Disabled: true, Off: 1, Rules: []Rule{{Name: "all"}}},
			{Key: "ramp", Type: KindBool, Variants: onOff, Default: 1, Rules: []Rule{{Name: "ramp", Split: &Split{Bucketing: Bucketing{By: "uid", Salt: "other", Hash: HashMurmur3},
				Ramp: &Ramp{Variant: 0, Rest: 1, Linear: true,
					Points: []Point{{1_700_000_000, 0}, {1_900_000_000, Positions}}}}}}},
			{Key: "stale", Type: KindBool, Variants: onOff, Default: 1, Stale: &Staleness{After: 5400, Variant: 1}, Rules: []Rule{{Name: "all"}}},
			{Key: "static", Type: KindObject, Variants: []Variant{{"theme", ObjectValue(`{"ink":"` + strings.Repeat("0", 100) + `"}`)}}},
		},
	}
}

// TestExplain holds traces to golden files: as text, and one as JSON. What they
// say was served is what Evaluate says.
func TestExplain(t *testing.T) {
	p := compile(t, explained())
	shenzhen := Context{Key: "u-2", Now: 1_854_244_800, Chance: 3 << 30, Attrs: []Attr{
		NewAttr("city", "shenzhen"), NewAttr("uid", 42), NewAttr("beta", true), NewAttr("version", "2.4.0+7"),
		NewAttr("ip", "::ffff:10.0.0.7"),
		NewAttr("tags", []string{"a", "c"}), NewAttr("phone", "5"),
	}}
	for name, ctx := range map[string]Context{
		"nothing":  {},
		"shenzhen": shenzhen,
		"staff":    {Key: "u-1"},
		"excluded": {Key: "u-9"},
		"beijing":  {Key: "u-8", Attrs: []Attr{NewAttr("city", "beijing"), NewAttr("uid", "42")}},
		"unfit": {Key: "u-2", Attrs: []Attr{
			NewAttr("city", 5), NewAttr("uid", "42"), NewAttr("beta", 1), NewAttr("version", "v2.4.0"),
			NewAttr("ip", "10.0.0"),
			NewAttr("tags", "a"), NewAttr("phone", true),
		}},
		"user-5": {Key: "u-5", Now: 1_800_000_000, Age: 7200},
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			for f, r := range p.All(&ctx) {
				trace := f.Explain(&ctx)
				text.WriteString(trace.String())
				if trace.Value != r.Value() || trace.Variant != r.Variant() || trace.Reason != r.Reason() ||
					trace.Rule != r.Rule() || trace.MissingUnit != r.MissingUnit() {
					t.Errorf("%s: the trace says %s, %q, %v, %q, Evaluate %s, %q, %v, %q", f.Key(),
						trace.Value.JSON(), trace.Variant, trace.Reason, trace.Rule, r.Value().JSON(), r.Variant(),
						r.Reason(), r.Rule())
				}
			}
			golden(t, name+".txt", text.String())
		})
	}
	j, err := json.MarshalIndent(p.Flag("banner").Explain(&shenzhen), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "banner.json", string(j)+"\n")
	golden(t, "absent.txt", p.Flag("absent").Explain(&shenzhen).String())
}

// TestExplainOnce holds that what is met again isn't explained again, whatever
// attribute asks: else a trace might be far longer than the flags.
func TestExplainOnce(t *testing.T) {
	member := func(attribute string) Condition { return texts(OpInSegment, attribute, "s") }
	when := either(member("city"), member("user"), member("city"), texts(OpServes, "", "other", "on"),
		texts(OpServes, "", "other", "on", "off"))
	set := gate(&when, Segment{Name: "s", When: ptr(is("phone", "of the segment"))})
	set.Flags = append(set.Flags, gate(ptr(is("phone", "of the flag"))).Flags...)
	set.Flags[1].Key = "other"
	trace := compile(t, set).Flag("gate").Explain(&Context{Key: "u", Attrs: []Attr{NewAttr("city", "x")}}).String()
	for _, part := range []string{"of the segment", "of the flag"} {
		if n := strings.Count(trace, part); n != 1 {
			t.Errorf("the condition %s is explained %d times:\n%s", part, n, trace)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "explain", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-golden +got):\n%s", file, diff)
	}
}

func TestAskedOfBadConditions(t *testing.T) {
	for _, c := range []Condition{
		{}, {Op: OpAll}, {Op: OpBetween}, {Op: OpInSegment}, {Op: OpModulo, Ints: []int64{0}},
		{Op: OpWindow, Strings: []string{"UTC"}, Ints: []int64{0, 0, 0}}, {Op: OpServes}, {Op: 77},
	} {
		if got := c.Asked(AttrInteger); got != c.Op.String() {
			t.Errorf("the condition %+v, which is refused, asks %q", c, got)
		}
	}
}
