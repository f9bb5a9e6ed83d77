package lambda

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

// environment is the environment of all estates here.
const environment = "production"

// testRuleset returns flags of every type, and for every reason.
func testRuleset() evaluator.Ruleset {
	halves := []evaluator.Range{{From: 0, To: evaluator.Positions / 2, Variant: 0},
		{From: evaluator.Positions / 2, To: evaluator.Positions, Variant: 1}}
	onOff := []evaluator.Variant{{Name: "on", Value: evaluator.BoolValue(true)},
		{Name: "off", Value: evaluator.BoolValue(false)}}
	inCity := func(city string) *evaluator.Condition {
		return &evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "city", Strings: []string{city}}
	}
	return evaluator.Ruleset{
		Unit: "user",
		Attributes: []evaluator.Attribute{
			{Name: "user", Type: evaluator.AttrString},
			{Name: "device", Type: evaluator.AttrString},
			{Name: "city", Type: evaluator.AttrString},
			{Name: "uid", Type: evaluator.AttrInteger},
		},
		Flags: []evaluator.Flag{
			{Key: "banner", Type: evaluator.KindString, Default: 0,
				Variants: []evaluator.Variant{{Name: "plain", Value: evaluator.StringValue("<b>&\u2028\"")},
					{Name: "none", Value: evaluator.StringValue("")}},
				Rules: []evaluator.Rule{{Name: "not there yet", When: inCity("lhasa"), Variant: 1}}},
			{Key: "by-device", Type: evaluator.KindBool, Variants: onOff, Default: 1,
				Rules: []evaluator.Rule{{Name: "half",
					Split: &evaluator.Split{Bucketing: evaluator.Bucketing{By: "device", Salt: "by-device",
						Hash: evaluator.HashMurmur3}, Ranges: halves}}}},
			{Key: "limit", Type: evaluator.KindInt,
				Variants: []evaluator.Variant{{Name: "large", Value: evaluator.IntValue(1<<53 + 1)},
					{Name: "small", Value: evaluator.IntValue(-3)}},
				Rules: []evaluator.Rule{{Name: "tail", Variant: 1,
					When: &evaluator.Condition{Op: evaluator.OpModulo, Attribute: "uid", Ints: []int64{10, 7}}}}},
			{Key: "new-checkout", Type: evaluator.KindBool, Variants: onOff, Default: 1,
				Metadata: []evaluator.Attr{evaluator.NewAttr("owner", "<checkout>"), evaluator.NewAttr("Weight", 3)},
				Rules: []evaluator.Rule{
					{Name: "shenzhen", When: inCity("shenzhen"), Variant: 0},
					{Name: "half", Split: &evaluator.Split{Bucketing: evaluator.Bucketing{By: "user",
						Salt: "new-checkout",
						Hash: evaluator.HashMurmur3}, Ranges: halves},
						Metadata: []evaluator.Attr{evaluator.NewAttr("owner", "growth"),
							evaluator.NewAttr("experiment", true),
							evaluator.NewAttr("share", 0.5)}},
				}},
			{Key: "rate", Type: evaluator.KindFloat,
				Metadata: []evaluator.Attr{evaluator.NewAttr("rule", "mine"), evaluator.NewAttr("zone", "")},
				Variants: []evaluator.Variant{{Name: "quarter", Value: evaluator.FloatValue(0.25)}}},
			{Key: "theme", Type: evaluator.KindObject, Disabled: true, Off: 1, Variants: []evaluator.Variant{
				{Name: "dark", Value: evaluator.ObjectValue(`{"ink":"#fff"}`)},
				{Name: "light", Value: evaluator.ObjectValue(`{"ink":"#000","levels":[1,2.5]}`)}}},
		},
	}
}

// withChance returns r with a flag more, one that is drawn for every request.
func withChance(r evaluator.Ruleset) evaluator.Ruleset {
	r.Flags = append(r.Flags, evaluator.Flag{
		Key: "draw", Type: evaluator.KindBool,
		Variants: []evaluator.Variant{{Name: "on", Value: evaluator.BoolValue(true)},
			{Name: "off", Value: evaluator.BoolValue(false)}},
		Rules: []evaluator.Rule{{Name: "coin", Split: &evaluator.Split{Ranges: []evaluator.Range{
			{From: 0, To: evaluator.Positions / 2, Variant: 0},
			{From: evaluator.Positions / 2, To: evaluator.Positions, Variant: 1}}}}},
	})
	return r
}

// An estate is a published environment in a folder.
type estate struct {
	dir  string
	keys release.Keys
}

func newEstate(t testing.TB, ruleset evaluator.Ruleset) *estate {
	t.Helper()
	keys := filepath.Join(t.TempDir(), "keys")
	if _, err := release.InitKeys(keys, environment); err != nil {
		t.Fatal(err)
	}
	e := &estate{dir: filepath.Join(t.TempDir(), environment)}
	var err error
	if e.keys, err = release.LoadKeys(keys); err != nil {
		t.Fatal(err)
	}
	e.publish(t, ruleset)
	return e
}

// publish publishes a ruleset as the next revision.
func (e *estate) publish(t testing.TB, ruleset evaluator.Ruleset) {
	t.Helper()
	_, err := release.Publish(t.Context(), release.Options{
		Store:       filestore.New(e.dir),
		Keys:        e.keys,
		Environment: environment,
		Payloads:    []bundle.Payload{{Environment: environment, Namespace: "shop", Ruleset: ruleset}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// open returns a client that follows e only when it is told to.
func (e *estate) open(t testing.TB) *sdk.Client {
	t.Helper()
	source, err := sdk.File(e.dir)
	if err != nil {
		t.Fatal(err)
	}
	client, err := sdk.Open(t.Context(), sdk.Config{Source: source, Root: e.keys.Root, Interval: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// breakTimestamp puts something else in the place of timestamp.json.
func (e *estate) breakTimestamp(t testing.TB) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(e.dir, "timestamp.json"), []byte("<html>"), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestLongList answers by a list that is a target of its own, and by the next one.
func TestLongList(t *testing.T) {
	ruleset := testRuleset()
	when := &evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "city"}
	ruleset.Flags[0].Rules[0].When = when
	cities := func(prefix string) []string {
		list := make([]string, bundle.MinList)
		for i := range list {
			list[i] = fmt.Sprintf("%s%05d", prefix, i)
		}
		return list
	}
	when.Strings = cities("a")
	e := newEstate(t, ruleset)
	client := e.open(t)
	handler := New(client, Config{})
	for i, test := range []struct{ city, variant string }{{"a00001", "none"}, {"b00001", "plain"}, {"b00001", "none"}} {
		if i == 2 {
			when.Strings = cities("b")
			e.publish(t, ruleset)
			if err := client.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		answer := ask(t, handler, post("/ofrep/v1/evaluate/flags/banner", `{"context":{"city":"`+test.city+`"}}`))
		if want := `"variant":"` + test.variant + `"`; !strings.Contains(answer.Body.String(), want) {
			t.Errorf("step %d: got %s, want %s", i, answer.Body, want)
		}
	}
	if lists, err := filepath.Glob(filepath.Join(e.dir, "targets", "lists", "*")); len(lists) != 2 || err != nil {
		t.Errorf("the lists are %v, error %v", lists, err)
	}
}
