package experiment_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/exporters/stdout/stdoutlog"
	sdklog "go.opentelemetry.io/otel/sdk/log"

	"github.com/serin-flags/serin/ci/experiment"
	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/otel"
	"github.com/serin-flags/serin/sdk/sdktest"
)

var update = flag.Bool("update", false, "write golden files")

// config is of an experiment whose control is "off".
func config(change func(*experiment.Config)) experiment.Config {
	cfg := experiment.Config{Flag: "new-cart", Control: "off", Alpha: 0.05, Planned: 10_000}
	if change != nil {
		change(&cfg)
	}
	return cfg
}

// analyse returns the report of a file of exposures and one of outcomes.
func analyse(t testing.TB, cfg experiment.Config, exposures, outcomes string) experiment.Report {
	t.Helper()
	r, err := try(cfg, exposures, outcomes)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func try(cfg experiment.Config, exposures, outcomes string) (experiment.Report, error) {
	a, err := experiment.New(cfg)
	if err != nil {
		return experiment.Report{}, err
	}
	if err := a.Exposures("exposures", strings.NewReader(exposures)); err != nil {
		return experiment.Report{}, err
	}
	if outcomes != "" {
		if err := a.Outcomes("outcomes", strings.NewReader(outcomes)); err != nil {
			return experiment.Report{}, err
		}
	}
	return a.Report()
}

// TestShapes checks that the same events in all shapes of files give the same report.
func TestShapes(t *testing.T) {
	want := ""
	for name, files := range map[string][2]string{
		"CSV": {
			"\ufeffflag,unit,variant,reason,time\nnew-cart,u1,on,split,2026-12-01T10:00:00Z\nnew-cart,\"u2\",off,SPLIT,\nother,u3,on,split,\n" +
				"new-cart,u4,on,targeting_match,\nnew-cart,,on,split,\nnew-cart,u5,,split,\n",
			"time,unit\n2026-12-01T09:00:00Z,u1\n2026-12-01T11:00:00Z,u1\n1796136000.5,u9\n",
		},
		"JSON lines": {
			`{"feature_flag.key":"new-cart","feature_flag.context.id":"u1","feature_flag.result.variant":"on","feature_flag.result.reason":"split","timestamp":"2026-12-01T10:00:00Z"}
{"flag":"new-cart","targetingKey":"u2","variant":"off","reason":"split","time":null}

{"flag":"other","unit":"u3","variant":"on"}
{"attributes":{"feature_flag.key":"new-cart","feature_flag.context.id":"u4","feature_flag.result.variant":"on","feature_flag.result.reason":"targeting_match"}}
{"flag":"new-cart","variant":"on"}
{"flag":"new-cart","unit":"u5","error.type":"type_mismatch"}`,
			`{"unit":"u1","time":1796115600}
{"unit":"u1","time":1796122800.25}
{"unit":"u9"}
`,
		},
		"OTLP": {
			`{"resourceLogs":[{"resource":{},"scopeLogs":[{"scope":{},"logRecords":[
` + strings.ReplaceAll(otlp("u1", "on", "split", "1796119200000000000")+","+otlp("u2", "off", "split", "0"), "\n", "") + `]}]}]}
{"resourceLogs":[{"scopeLogs":[{"logRecords":[` + otlp("u4", "on", "targeting_match", "0") + "," + otlp("", "on", "split", "0") + "," + otlp("u5", "", "split", "0") + `,
{"eventName":"other","attributes":[{"key":"feature_flag.key","value":{"stringValue":"new-cart"}}]}]}]}]}`,
			`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1796115600000000000","attributes":[{"key":"unit","value":{"stringValue":"u1"}}]}]}]}]}
{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":1796122800000000000,"attributes":[{"key":"unit","value":{"stringValue":"u1"}}]}]}]}]}
{"unit":"u9"}`,
		},
	} {
		for i, text := range files {
			if name == "OTLP" {
				text = strings.ReplaceAll(text, ",\n", ",")
				text = strings.ReplaceAll(text, "[\n", "[")
			}
			files[i] = text
		}
		r := analyse(t, config(nil), files[0], files[1])
		got, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			want = string(got)
		}
		if string(got) != want {
			t.Errorf("%s: %s, but another shape: %s", name, got, want)
		}
		left := experiment.LeftOut{OtherReason: 1, Failed: 1, NoUnit: 1, Early: 1, NotExposed: 1}
		if r.Units != 2 || r.LeftOut != left || len(r.Variants) != 2 || r.Variants[1].Name != "on" ||
			*r.Variants[1].Mean != 1 || *r.Variants[0].Mean != 0 {
			t.Errorf("%s: %+v", name, r)
		}
		if !strings.Contains(r.Refused, "at least 100 units") {
			t.Errorf("%s: refused %q", name, r.Refused)
		}
	}
}

// otlp returns a log record in OTLP.
func otlp(unit, variant, reason, nanoseconds string) string {
	attributes := `{"key":"feature_flag.key","value":{"stringValue":"new-cart"}},{"key":"feature_flag.result.reason","value":{"stringValue":"` + reason + `"}}`
	if unit != "" {
		attributes += `,{"key":"feature_flag.context.id","value":{"stringValue":"` + unit + `"}}`
	}
	if variant != "" {
		attributes += `,{"key":"feature_flag.result.variant","value":{"stringValue":"` + variant + `"}}`
	}
	return `{"timeUnixNano":"` + nanoseconds + `","eventName":"feature_flag.evaluation","attributes":[` +
		attributes + `]}`
}

// TestEventsOfSDK reads what the SDK's recorder emits through OpenTelemetry's exporter.
func TestEventsOfSDK(t *testing.T) {
	p := sdktest.New(t, map[string]any{"new-cart": true})
	var file bytes.Buffer
	exporter, err := stdoutlog.New(stdoutlog.WithWriter(&file))
	if err != nil {
		t.Fatal(err)
	}
	provider := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewSimpleProcessor(exporter)))
	recorder, err := otel.NewRecorder(p.Client, otel.Config{LoggerProvider: provider, ContextID: true})
	if err != nil {
		t.Fatal(err)
	}
	cart := sdk.Bool("new-cart", false)
	for i := range 3 {
		otel.Explain(t.Context(), recorder, cart, sdk.User(fmt.Sprint("u-", i)))
	}
	if err := provider.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, err = try(config(nil), file.String(), "")
	if err == nil || !strings.Contains(err.Error(), `none of the exposures of "new-cart" has the reason "split"`) {
		t.Errorf("exposures without a split: %v\n%s", err, file.String())
	}
	r := analyse(t, config(nil), strings.ReplaceAll(file.String(), `"static"`, `"split"`), "")
	if r.Units != 3 || r.Environment != "test" || len(r.Variants) != 1 ||
		!strings.Contains(r.Refused, "nothing to compare") {
		t.Errorf("%+v\n%s", r, file.String())
	}
}

// shop returns the two files of an experiment. A user gets the second variant with probability
// share, and converts with the probability that convert has for the variant.
func shop(seed uint64, users int, share float64, convert [2]float64) (exposures, outcomes string) {
	random := rand.New(rand.NewPCG(seed, 0))
	var e, o strings.Builder
	e.WriteString("unit,variant\n")
	o.WriteString("unit,price\n")
	for i := range users {
		variant := 0
		if random.Float64() < share {
			variant = 1
		}
		fmt.Fprintf(&e, "u-%d,%s\n", i, []string{"off", "on"}[variant])
		for range random.IntN(3) { // further exposures change nothing
			fmt.Fprintf(&e, "u-%d,%s\n", i, []string{"off", "on"}[variant])
		}
		if random.Float64() < convert[variant] {
			fmt.Fprintf(&o, "u-%d,%d\nu-%d,1\n", i, random.IntN(100), i)
		}
	}
	return e.String(), o.String()
}

// TestGolden holds the table and the picture of a difference, of none, and of refusals.
func TestGolden(t *testing.T) {
	higher, orders := shop(1, 20_000, 0.5, [2]float64{0.1, 0.13})
	same, none := shop(2, 20_000, 0.5, [2]float64{0.1, 0.1})
	few, fewOrders := shop(3, 2_000, 0.5, [2]float64{0.1, 0.1})
	for _, c := range []struct {
		name                string
		change              func(*experiment.Config)
		exposures, outcomes string
	}{
		{"higher", func(c *experiment.Config) {
			c.Environment, c.Least, c.Relative = "production", 0.2, true
		}, higher, orders},
		{"metric", func(c *experiment.Config) { c.Metric = "price" }, same, none},
		{"counts", func(c *experiment.Config) { c.Control = "" }, higher, ""},
		{"mde", func(c *experiment.Config) { c.Least, c.Relative = 0.1, true }, few, fewOrders},
		{"mismatch", func(c *experiment.Config) { c.Shares = []experiment.Share{{"off", 48}, {"on", 52}} }, higher, orders},
		{"sampled", func(c *experiment.Config) { c.MaxUnits = 6000 }, higher, orders},
		{"hostile", func(c *experiment.Config) {
			c.Flag, c.Control = "<b>&\"\x1b[2J", ""
		}, "unit,variant\nu1,<script>\nu2,\"a\tb\x00\"\n" + "u3," + strings.Repeat("long ", 12) + "\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := analyse(t, config(c.change), c.exposures, c.outcomes)
			var text, picture strings.Builder
			if err := errors.Join(r.Text(&text), r.SVG(&picture)); err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/"+c.name+".txt", text.String())
			golden(t, "testdata/"+c.name+".svg", picture.String())
			wellFormed(t, picture.String())
		})
	}
}

// TestDocumented checks that the documentation shows the table of the command that it shows.
func TestDocumented(t *testing.T) {
	table, err1 := os.ReadFile("testdata/higher.txt")
	page, err2 := os.ReadFile("../../docs/experiments.md")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	want := "    " + strings.ReplaceAll(strings.TrimSpace(string(table)), "\n", "\n    ") + "\n\n"
	if !strings.Contains(string(page), want) {
		t.Errorf("docs/experiments.md doesn't show\n%s", want)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func wellFormed(t *testing.T, picture string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(picture)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("the picture isn't XML: %v\n%s", err, picture)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "script" {
			t.Fatal("the picture has a script")
		}
	}
}

// TestSample checks that memory is bounded, that a sample has the shares and means of all
// units, that it's the same every time, and that no unit is in it twice.
func TestSample(t *testing.T) {
	exposures, outcomes := shop(4, 50_000, 0.3, [2]float64{0.2, 0.3})
	cfg := config(func(c *experiment.Config) { c.Shares = []experiment.Share{{"off", 70}, {"on", 30}} })
	all := analyse(t, cfg, exposures, outcomes)
	cfg.MaxUnits = 10_000
	some := analyse(t, cfg, exposures, outcomes)
	again := analyse(t, cfg, exposures, outcomes)
	if all.Sample != 1 || some.Sample != 0.125 || some.Units > 10_000 ||
		math.Abs(float64(some.Units)-50_000*some.Sample) > 300 {
		t.Errorf("%d units in a sample of %v, of %d", some.Units, some.Sample, all.Units)
	}
	for i := range some.Variants {
		if a, s := all.Variants[i], some.Variants[i]; math.Abs(a.Share-s.Share) > 0.02 ||
			math.Abs(*a.Mean-*s.Mean) > 0.02 {
			t.Errorf("%s has %v and %v in a sample, %v and %v in all", a.Name, s.Share, *s.Mean, a.Share, *a.Mean)
		}
	}
	if some.Mismatch.Found || some.Refused != "" {
		t.Errorf("in a sample: %+v", some)
	}
	one, err1 := json.Marshal(some)
	two, err2 := json.Marshal(again)
	if err := errors.Join(err1, err2); err != nil || string(one) != string(two) {
		t.Errorf("%v: %s, and then %s", err, one, two)
	}
}

// TestCrossed checks that units of two variants are counted, not compared.
func TestCrossed(t *testing.T) {
	r := analyse(t, config(nil), "unit,variant\na,on\na,off\na,on\nb,on\nc,off\n", "")
	if r.Units != 2 || r.LeftOut.Crossed != 1 {
		t.Errorf("%+v", r)
	}
}

// TestRefusals checks what is no file of events, and that messages have a line, and none
// of the IDs.
func TestRefusals(t *testing.T) {
	const id = "secret-id"
	for _, c := range []struct {
		change              func(*experiment.Config)
		exposures, outcomes string
		want                string
	}{
		{nil, "", "", "exposures:1: the file is empty"},
		{nil, "a,b\n1,2\n", "", "exposures:1: no column is named feature_flag.context.id or targetingKey or unit"},
		{nil, "unit\n" + id + "\n", "", "exposures:1: no column is named feature_flag.result.variant or variant"},
		{func(c *experiment.Config) { c.Unit = "account" }, "unit,variant\n", "", "exposures:1: no column is named account"},
		{nil, "unit,variant\n" + id + ",on\n" + id + ",on,more\n", "", "exposures:3: malformed CSV: wrong number of fields"},
		{nil, "unit,variant\n\"a\nb\",on\n" + id + ",\"on\n", "", "exposures:4: malformed CSV: extraneous or missing \" in quoted-field"},
		{nil, "unit,variant,time\n" + id + ",on,yesterday\n", "", "exposures:2: time isn't a time, such as 2026-12-01T10:00:00Z or Unix seconds"},
		{nil, "{\"unit\":\"" + id + "\",\"variant\":\"on\"}\n{\"unit\":\"" + id + "\",}\n", "", "exposures:2: the JSON is malformed near byte 20"},
		{nil, "{\"unit\":{\"id\":\"" + id + "\"}}\n", "", "exposures:1: unit isn't a text"},
		{nil, "{}\n[]\n", "", "exposures:2: expected a JSON object"},
		{nil, "{}\nnull\n", "", "exposures:2: expected a JSON object"},
		{nil, `{"resourceLogs":{"a":"` + id + `"}}`, "", "exposures:1: the JSON isn't of the expected shape"},
		{nil, "unit,variant\n\"" + strings.Repeat("x", 17<<20), "", "exposures:2: the row is longer than 16 MiB"},
		{nil, "{}\n{\"a\":\"" + strings.Repeat("x", 17<<20), "", "exposures:2: the line is longer than 16 MiB"},
		{func(c *experiment.Config) { c.Metric = "price" }, "unit,variant\na,on\n", "unit,price\na,1\na,x\n", "outcomes:3: price isn't a number from -1e15 to 1e15"},
		{func(c *experiment.Config) { c.Metric = "price" }, "unit,variant\na,on\n", "unit,price\na,1e16\n", "outcomes:2: price isn't a number"},
		{func(c *experiment.Config) { c.Metric = "price" }, "unit,variant\na,on\n", "{\"unit\":\"a\",\"price\":9e14}\n{\"unit\":\"a\",\"price\":9e14}", "outcomes:2: the numbers of one unit sum to more than 1e+15"},
		{func(c *experiment.Config) { c.Metric = "price" }, "unit,variant\na,on\n", "unit,cost\na,1\n", `outcomes:1: no column is named "price", as the metric is`},
		{func(c *experiment.Config) { c.Shares = []experiment.Share{{"off", 1}, {"on", 1}} }, "unit,variant\na,new\n", "", `exposures:2: variant "new" has no share`},
		{nil, "unit,variant,environment\na,on,staging\nb,on,production\n", "", `exposures:3: exposures in the environments "staging" and "production": name one`},
		{nil, "unit,variant\n,on\n", "", `none of the exposures of "new-cart" has the ID of a unit`},
		{nil, "unit,variant\na,on\na,off\n", "", `all units of "new-cart" were exposed to more than one variant`},
		{nil, "unit,variant,flag\na,on,other\n", "", `there are no exposures of "new-cart"`},
		{func(c *experiment.Config) { c.Alpha = 1 }, "", "", "alpha must be above 0 and below 1, not 1"},
		{func(c *experiment.Config) { c.Planned = 0 }, "", "", "the planned number of units must be at least 1, not 0"},
		{func(c *experiment.Config) { c.Least = math.NaN() }, "", "", "the smallest effect that matters must not be negative, and not NaN"},
		{func(c *experiment.Config) { c.Shares = []experiment.Share{{"off", 1}} }, "", "", "there are 2 to 100 variants with shares, not 1"},
		{func(c *experiment.Config) { c.Shares = []experiment.Share{{"off", 1}, {"on", 0}} }, "", "", `the share of "on" must be above 0, not 0`},
		{func(c *experiment.Config) { c.Shares = []experiment.Share{{"on", 1}, {"on", 1}} }, "", "", `variant "on" has two shares`},
		{func(c *experiment.Config) { c.Shares = []experiment.Share{{"a", 1}, {"b", 1}} }, "", "", `the control "off" has no share`},
	} {
		_, err := try(config(c.change), c.exposures, c.outcomes)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), id) {
			t.Errorf("%.60q, %.60q: %v, want %s", c.exposures, c.outcomes, err, c.want)
		}
	}
}

// TestRefused checks when there are no differences.
func TestRefused(t *testing.T) {
	exposures, outcomes := shop(5, 4_000, 0.5, [2]float64{0.1, 0.1})
	lost, _ := shop(5, 4_000, 0.4, [2]float64{0.1, 0.1})
	zero, _ := shop(5, 4_000, 0.5, [2]float64{0, 0})
	for _, c := range []struct {
		change              func(*experiment.Config)
		exposures, outcomes string
		want                string
	}{
		{nil, exposures, outcomes, ""},
		{nil, lost, outcomes, "the variants don't have the expected shares of the units"},
		{func(c *experiment.Config) { c.Control = "old" }, exposures, outcomes, `no unit got the control "old"`},
		{func(c *experiment.Config) { c.Least = 0.06 }, exposures, outcomes, ""},
		{func(c *experiment.Config) { c.Least = 0.01 }, exposures, outcomes, "with these units, only effects of 0.0"},
		{func(c *experiment.Config) { c.Least, c.Relative = 0.01, true }, zero, "unit\nnobody\n", "the mean of the control is 0"},
	} {
		r := analyse(t, config(c.change), c.exposures, c.outcomes)
		found := r.Variants[1].Difference != nil
		if found != (c.want == "") || c.want == "" && r.Refused != "" || !strings.HasPrefix(r.Refused, c.want) {
			t.Errorf("refused %q, want %q; %+v", r.Refused, c.want, r.Variants)
		}
	}
}

// FuzzFiles holds that whatever files contain, an analysis ends with an error or with a
// report that can be written.
func FuzzFiles(f *testing.F) {
	for _, s := range []string{
		"unit,variant,price\na,on,1\nb,off,2\n", `{"unit":"a","variant":"on","price":1e3}`,
		"{\"attributes\":{\"unit\":\"a\"}}\n{",
		`{"resourceLogs":[{"scopeLogs":[{"logRecords":[` + otlp("u1", "on", "split", "1796119200000000000") + `]}]}]}`,
		`{"Timestamp":"2026-12-01T10:00:00Z","Attributes":[{"Key":"unit","Value":{"Type":"String","Value":"a"}},{"Key":"variant","Value":{}}]}`,
		"\ufeffunit,variant\n\"", "{\"unit\":1,\"variant\":2,\"time\":3,\"price\":\"4\"}",
		"unit,variant,time\na,on,9e99\n",
	} {
		f.Add([]byte(s), []byte(s))
	}
	f.Fuzz(func(t *testing.T, exposures, outcomes []byte) {
		a, err := experiment.New(config(func(c *experiment.Config) { c.Metric, c.MaxUnits = "price", 3 }))
		if err != nil {
			t.Fatal(err)
		}
		if a.Exposures("e", bytes.NewReader(exposures)) != nil || a.Outcomes("o", bytes.NewReader(outcomes)) != nil {
			return
		}
		r, err := a.Report()
		if err != nil {
			return
		}
		var picture strings.Builder
		if _, err := json.Marshal(r); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(r.Text(io.Discard), r.SVG(&picture)); err != nil || r.Units > 3 {
			t.Fatalf("%d units, %v", r.Units, err)
		}
		wellFormed(t, picture.String())
	})
}

// BenchmarkExposures reads JSON lines.
func BenchmarkExposures(b *testing.B) {
	var file strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&file, `{"feature_flag.key":"new-cart","feature_flag.context.id":"u-%d","feature_flag.result.variant":"on","feature_flag.result.reason":"split"}`+"\n", i)
	}
	b.SetBytes(int64(file.Len()))
	for b.Loop() {
		a, err := experiment.New(config(nil))
		if err != nil {
			b.Fatal(err)
		}
		if err := a.Exposures("e", strings.NewReader(file.String())); err != nil {
			b.Fatal(err)
		}
	}
}

// TestPower checks the promise of the smallest effect: where an analysis stops refusing, an
// effect of that size is found in about 80% of cases.
func TestPower(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 0))
	run := func(effect, least float64) experiment.Report {
		var file strings.Builder
		file.WriteString("unit,variant,value\n")
		for i := range 600 {
			name, value := "off", random.NormFloat64()
			if i%2 == 1 {
				name, value = "on", value+effect
			}
			fmt.Fprintf(&file, "%d,%s,%v\n", i, name, value)
		}
		return analyse(t, config(func(c *experiment.Config) { c.Metric, c.Planned, c.Least = "value", 600, least }),
			file.String(), "")
	}
	low, high := 0.01, 10.0 // the effect at which it stops lies between
	for range 20 {
		if middle := (low + high) / 2; run(0, middle).Refused == "" {
			high = middle
		} else {
			low = middle
		}
	}
	found := 0
	const runs = 400
	for range runs {
		if d := run(high, 0).Variants[1].Difference; d.Low > 0 {
			found++
		}
	}
	if share := float64(found) / runs; share < 0.74 || share > 0.86 {
		t.Errorf("an effect of %v is found in %v of cases, not in 0.8", high, share)
	}
}

// TestFirstExposure checks that the earliest exposure counts, wherever it is in the files.
func TestFirstExposure(t *testing.T) {
	r := analyse(t, config(nil),
		"unit,variant,time\na,on,2026-12-01T12:00:00Z\na,on,2026-12-01T10:00:00Z\na,on,2026-12-01T11:30:00Z\nb,off,\n",
		"unit,time\na,2026-12-01T11:00:00Z\na,2026-12-01T09:59:59Z\n")
	if r.LeftOut.Early != 1 || *r.Variants[1].Mean != 1 {
		t.Errorf("%+v", r)
	}
}

// TestAlphaIsSplit checks that limits widen with the number of variants.
func TestAlphaIsSplit(t *testing.T) {
	two, outcomes := shop(7, 6_000, 0.5, [2]float64{0.1, 0.1})
	width := func(cfg experiment.Config, exposures string) float64 {
		r := analyse(t, cfg, exposures, outcomes)
		if r.Refused != "" {
			t.Fatal(r.Refused)
		}
		for _, v := range r.Variants {
			if v.Name == "on" {
				return v.Difference.High - v.Difference.Low
			}
		}
		return 0
	}
	third := two
	for i := range 3_000 {
		third += fmt.Sprintf("x-%d,third\n", i)
	}
	if w2, w3 := width(config(nil), two), width(config(nil), third); w3 <= w2 {
		t.Errorf("limits of two variants are %v wide, of three %v", w2, w3)
	}
}
