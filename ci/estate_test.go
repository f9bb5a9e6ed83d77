package ci

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
)

// TestRepositoryEstate loads the repository's own flags, runs their tests, and
// compiles and encodes them for every environment.
func TestRepositoryEstate(t *testing.T) {
	e, err := Load("../flags")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(e.Keys()); n < 25 {
		t.Errorf("it has %d flags, want at least 25", n)
	}
	report := e.Test(TestOptions{})
	if len(report.Results) < len(e.Keys()) {
		t.Errorf("it has %d tests for %d flags", len(report.Results), len(e.Keys()))
	}
	for _, p := range report.Problems() {
		t.Error(p)
	}
	environments := append([]string{""}, e.Environments()...)
	if len(environments) < 3 {
		t.Errorf("it has the environments %q, want two or more", e.Environments())
	}
	for _, environment := range environments {
		payloads, err := e.Compile(environment)
		if err != nil {
			t.Fatal(err)
		}
		var sets []evaluator.Ruleset
		for _, p := range payloads {
			if p.Environment == "" {
				p.Environment = "none" // payloads that are published name one
			}
			data, _, err := bundle.EncodePayload(p)
			if err != nil {
				t.Fatal(err)
			}
			back, err := bundle.DecodePayload(data)
			if err != nil {
				t.Fatal(err)
			}
			if back.Environment != p.Environment || back.Namespace != p.Namespace {
				t.Errorf("payload of %q says %q in %q", p.Namespace, back.Namespace, back.Environment)
			}
			sets = append(sets, back.Ruleset)
		}
		program, err := evaluator.Compile(sets...)
		if err != nil {
			t.Fatalf("environment %q: %v", environment, err)
		}
		if diff := cmp.Diff(e.Keys(), program.Keys()); diff != "" {
			t.Errorf("environment %q: -estate +program:\n%s", environment, diff)
		}
	}
}

func TestEstate(t *testing.T) {
	fsys := base(t)
	fsys["serin.yaml"] = file("environments: [production, staging]\nunit: device\ntime_zone: Asia/Shanghai\n")
	fsys["a/z.yaml"] = file(
		"type: boolean\ndefault: off\nrules: [{name: r, when: {now: {after: 2026-12-01T09:00}}, serve: {on: 20%, off: rest}}]\n")
	fsys["a/b/c.yaml"] = file("type: boolean\ndefault: off\n")
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := e.Environments(), []string{"production", "staging"}; !slices.Equal(got, want) {
		t.Errorf("Environments() = %q, want %q", got, want)
	}
	if got, want := e.Keys(), []string{"c", "new-checkout", "z"}; !slices.Equal(got, want) {
		t.Errorf("Keys() = %q, want %q", got, want)
	}
	if got, want := e.Namespaces(), []string{"a", "a/b", "checkout"}; !slices.Equal(got, want) {
		t.Errorf("Namespaces() = %q, want %q", got, want)
	}
	flags := compiledFlags(t, e, "")
	if got, want := flags["z"].Rules[0].When.Ints[0], time.Date(2026, 12, 1, 1, 0, 0, 0, time.UTC).Unix(); got != want {
		t.Errorf("9 o'clock in the estate's time zone is %s", utc(got))
	}
	if got, want := flags["z"].Rules[0].Split.By, "device"; got != want {
		t.Errorf("a split is by %q, want %q", got, want)
	}
	e.Environments()[0] = "changed"
	e.Namespaces()[0] = "changed"
	if e.Environments()[0] == "changed" || e.Namespaces()[0] == "changed" {
		t.Error("callers can change the estate")
	}
}

// compiledFlags returns the flags of all namespaces by key, as they are in an
// environment.
func compiledFlags(t testing.TB, e *Estate, environment string) map[string]evaluator.Flag {
	t.Helper()
	payloads, err := e.Compile(environment)
	if err != nil {
		t.Fatal(err)
	}
	flags := make(map[string]evaluator.Flag)
	for _, p := range payloads {
		for _, f := range p.Ruleset.Flags {
			flags[f.Key] = f
		}
	}
	return flags
}

func TestAttributes(t *testing.T) {
	fsys := base(t)
	fsys["context.yaml"] = file(
		"attributes:\n  user: {type: string, unit: true}\n  city: {type: string, enum: [BJ, SH]}\n" +
			"  channel: {type: string}\n  app_version: {type: semver}\n  uid: {type: integer, enum: [1, 2]}\n")
	delete(fsys, "checkout/new-checkout.yaml")
	delete(fsys, "checkout/new-checkout.test.yaml")
	fsys["a/z.yaml"] = file("type: boolean\ndefault: off\n")
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	want := []Declaration{
		{Name: "user", Type: evaluator.AttrString, Unit: true},
		{Name: "city", Type: evaluator.AttrString, Values: []evaluator.Value{evaluator.StringValue("BJ"), evaluator.StringValue("SH")}},
		{Name: "channel", Type: evaluator.AttrString},
		{Name: "app_version", Type: evaluator.AttrSemver},
		{Name: "uid", Type: evaluator.AttrInteger, Values: []evaluator.Value{evaluator.IntValue(1), evaluator.IntValue(2)}},
	}
	if got := e.Attributes(); !reflect.DeepEqual(got, want) {
		t.Errorf("Attributes() = %v, want %v", got, want)
	}
}

func TestEstateDefaults(t *testing.T) {
	fsys := base(t)
	delete(fsys, "serin.yaml")
	fsys["a/z.yaml"] = file(
		"type: boolean\ndefault: off\nrules: [{name: r, when: {now: {after: 2026-12-01T09:00}}, serve: {on: 20%, off: rest}}]\n")
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Environments()) != 0 {
		t.Errorf("environments %q, want none", e.Environments())
	}
	rule := compiledFlags(t, e, "")["z"].Rules[0]
	if got, want := rule.When.Ints[0], time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC).Unix(); got != want {
		t.Errorf("9 o'clock is %s, want UTC", utc(got))
	}
	if rule.Split.By != "user" {
		t.Errorf("a split is by %q, want the user", rule.Split.By)
	}
}

func TestCompileUnknownEnvironment(t *testing.T) {
	with, without := base(t), base(t)
	delete(without, "serin.yaml")
	for want, fsys := range map[string]fs.FS{
		`compiling flags: environment "stagging" is not listed in flags/serin.yaml (did you mean "staging"?)`:                    with,
		`compiling flags: environment "stagging": flags/serin.yaml lists no environments; write there: environments: [stagging]`: without,
	} {
		e, err := LoadFS(fsys, "flags")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Compile("stagging"); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

// backwards lists folders from the last entry to the first.
type backwards struct{ fstest.MapFS }

func (b backwards) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := b.MapFS.ReadDir(name)
	slices.Reverse(entries)
	return entries, err
}

// TestOrderOfLists holds that a long list gives the same payloads in any order,
// and that a short one stays as it was written.
func TestOrderOfLists(t *testing.T) {
	payloads := func(list string) []string {
		fsys := base(t)
		fsys["shop/x.yaml"] = file("type: boolean\ndefault: off\nrules: [{name: r, when: {city: " + list +
			"}, serve: on}]\n")
		e, err := LoadFS(fsys, "flags")
		if err != nil {
			t.Fatal(err)
		}
		return encode(t, e, "")
	}
	if diff := cmp.Diff(payloads("[e, d, c, b, a]"), payloads("{in: [b, a, e, c, d]}")); diff != "" {
		t.Errorf("a long list:\n%s", diff)
	}
	if cmp.Equal(payloads("[d, c, b, a]"), payloads("[a, b, c, d]")) {
		t.Error("a short list was sorted")
	}
}

// TestDeterminism holds that neither the order in which files are found nor
// that of maps shows in payloads, results or problems.
func TestDeterminism(t *testing.T) {
	fsys := base(t)
	for i := range 50 {
		fsys[fmt.Sprintf("ns%d/flag-%d.yaml", i%7, i)] = file(fmt.Sprintf(`
type: string
default: stable
rules:
  - {name: a, when: {user: {segment: s%d}, city: [BJ, SH]}, serve: a%d}
  - {name: b, when: {any: [{uid: %d}, {device: {segment: s%d}}]}, serve: {a: 10%%, b: rest}, by: device}
  - {name: c, when: {now: {weekdays: mon, zone: %s}, user: {list: ../ids/%d.txt}}, serve: c}
  - {name: d, when: {flag: {flag-%d: stable, new-checkout: on}}, serve: d}
environments:
  staging: {default: other}
`, i%10, i, i, (i+3)%10, []string{"Asia/Tokyo", "UTC", "Europe/Paris"}[i%3], i%4, i/2+50))
		fsys[fmt.Sprintf("other/flag-%d.yaml", i+50)] = file("type: string\ndefault: stable\n")
		fsys[fmt.Sprintf("ns%d/flag-%d.test.yaml", i%7, i)] = file("- {name: t, expect: {variant: stable}}\n")
	}
	for i := range 4 {
		fsys[fmt.Sprintf("ids/%d.txt", i)] = file("u-3\nu-1\nu-2\n")
	}
	for i := range 10 {
		fsys[fmt.Sprintf("segments/s%d.yaml",
			i)] = file(fmt.Sprintf("include: [u-%d]\nwhen: {level: 1, channel: web}\n", i))
	}
	forth, err := LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	back, err := LoadFS(backwards{fsys}, "flags")
	if err != nil {
		t.Fatal(err)
	}
	for _, environment := range []string{"", "staging", "production"} {
		a, b := encode(t, forth, environment), encode(t, back, environment)
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("environment %q: -forth +back:\n%s", environment, diff)
		}
	}
	if diff := cmp.Diff(forth.Test(TestOptions{}), back.Test(TestOptions{})); diff != "" {
		t.Errorf("results: -forth +back:\n%s", diff)
	}
	for i := range 50 {
		fsys[fmt.Sprintf("ns%d/bad-%d.yaml", (i+1)%7, i%25)] = file("type: boolean\ndefault: maybe\n")
		fsys[fmt.Sprintf("other/flag-%d.yaml",
			i+50)] = file(fmt.Sprintf(
			"type: boolean\ndefault: off\nrules: [{name: r, serve: on, when: {flag: {flag-%d: on}, uid: {list: ../ids/%d.txt}}}]\n", i, i%4))
	}
	_, forthErr := LoadFS(fsys, "flags")
	_, backErr := LoadFS(backwards{fsys}, "flags")
	if forthErr == nil || forthErr.Error() != backErr.Error() {
		t.Errorf("problems differ:\n%v\n%v", forthErr, backErr)
	}
}

// compileModules returns the error of compiling what an environment has: there is
// none unless Load has overlooked something.
func compileModules(e *Estate, environment string) error {
	payloads, err := e.Compile(environment)
	for _, p := range payloads {
		_, compiling := evaluator.CompileModule(p.Ruleset)
		err = errors.Join(err, compiling)
	}
	return err
}

// refusal returns why an estate is refused, "" if it loads and compiles.
func refusal(fsys fs.FS) string {
	e, err := LoadFS(fsys, "flags")
	if err == nil {
		err = compileModules(e, "")
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// encode returns an environment's payloads as bytes, in hexadecimal.
func encode(t *testing.T, e *Estate, environment string) []string {
	t.Helper()
	payloads, err := e.Compile(environment)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, p := range payloads {
		if p.Environment == "" {
			p.Environment = "none" // as above
		}
		data, _, err := bundle.EncodePayload(p)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%s %x", p.Namespace, data))
	}
	return list
}

// TestSegmentChains holds the longest chain of segments to what the evaluator
// accepts.
func TestSegmentChains(t *testing.T) {
	const tooLong = "flags/segments/s0.yaml:1:1: " +
		"the segment starts a chain of references to other segments that is longer than 100"
	for n, want := range map[int]string{evaluator.MaxDepth: "", evaluator.MaxDepth + 1: tooLong} {
		fsys := base(t)
		for i := range n - 1 {
			fsys[fmt.Sprintf("segments/s%d.yaml", i)] = file(fmt.Sprintf("when: {user: {segment: s%d}}\n", i+1))
		}
		fsys[fmt.Sprintf("segments/s%d.yaml", n-1)] = file("include: [u-1]\n")
		fsys["shop/chained.yaml"] = file(
			"type: boolean\ndefault: off\nrules: [{name: a, when: {user: {segment: s0}}, serve: on}]\n")
		if got := refusal(fsys); got != want {
			t.Errorf("%d segments in a row: got error %q, want %q", n, got, want)
		}
	}
}

// TestLongLists holds that lists of thousands of ids are nothing special.
func TestLongLists(t *testing.T) {
	var ids, names strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&ids, "%d, ", i*3)
		fmt.Fprintf(&names, "- u-%d\n", i)
	}
	fsys := base(t)
	fsys["segments/many.yaml"] = file("include:\n" + names.String())
	fsys["cities/open-cities.yaml"] = file("type: boolean\ndefault: off\nrules:\n" +
		"  - {name: open, when: {uid: [" + ids.String() + "]}, serve: on}\n" +
		"  - {name: many, when: {user: {segment: many}}, serve: on}\n")
	fsys["cities/open-cities.test.yaml"] = file(`
- {name: first, context: {uid: 0}, expect: {rule: open}}
- {name: last, context: {uid: 59997}, expect: {rule: open}}
- {name: between, context: {uid: 59998}, expect: {reason: DEFAULT}}
- {name: a member, context: {user: u-19999}, expect: {rule: many}}
- {name: not a member, context: {user: u-20000}, expect: {reason: DEFAULT}}
`)
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range e.Test(TestOptions{}).Problems() {
		t.Error(p)
	}
}

// BenchmarkLoad checks an estate of 10,000 flags.
func BenchmarkLoad(b *testing.B) {
	fsys := base(b)
	for i := range 10_000 {
		fsys[fmt.Sprintf("ns%d/flag-%d.yaml", i%100, i)] = file(fmt.Sprintf(`# Flag %d
description: One-page checkout
owner: team-checkout
type: boolean
default: off
rules:
  - name: staff
    when: {user: {segment: staff}}
    serve: on
  - name: Shenzhen beta on iOS
    when:
      city: [shenzhen, guangzhou]
      channel: appstore
      app_version: {semver: ">=2.3.0"}
    serve: {on: 20%%, off: 80%%}
  - name: tail
    when: {uid: {mod: 10, in: [1, %d]}}
    serve: on
environments:
  staging: {default: on, rules: []}
`, i, i%10))
	}
	for b.Loop() {
		if _, err := LoadFS(fsys, "flags"); err != nil {
			b.Fatal(err)
		}
	}
}
