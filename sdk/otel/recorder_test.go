package otel_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/goleak"

	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/otel"
	"github.com/serin-flags/serin/sdk/sdktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	newCheckout = sdk.Bool("new-checkout", false)
	pageSize    = sdk.Int("page-size", 10)
	missing     = sdk.String("missing", "none")
)

// events is an exporter of log records.
type events struct {
	mu      sync.Mutex
	records []sdklog.Record
}

func (e *events) Export(_ context.Context, records []sdklog.Record) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range records {
		e.records = append(e.records, r.Clone())
	}
	return nil
}

func (e *events) Shutdown(context.Context) error   { return nil }
func (e *events) ForceFlush(context.Context) error { return nil }

// lines returns what was exported, an event a line.
func (e *events) lines() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var lines []string
	for _, r := range e.records {
		var attrs []attribute.KeyValue
		r.WalkAttributes(func(a attribute.KeyValue) bool {
			attrs = append(attrs, a)
			return true
		})
		lines = append(lines, r.EventName()+" "+attributes(attribute.NewSet(attrs...)))
	}
	return lines
}

// A collector is the real SDK of OpenTelemetry, in memory.
type collector struct {
	config otel.Config
	reader *metric.ManualReader
	events *events
}

func newCollector(t testing.TB) *collector {
	t.Helper()
	c := &collector{reader: metric.NewManualReader(), events: &events{}}
	meters := metric.NewMeterProvider(metric.WithReader(c.reader))
	loggers := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewSimpleProcessor(c.events)))
	t.Cleanup(func() {
		if err := meters.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := loggers.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	c.config = otel.Config{MeterProvider: meters, LoggerProvider: loggers}
	return c
}

// metrics returns the data points of each metric: by its attributes.
func (c *collector) metrics(t testing.TB) map[string]map[string]float64 {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := c.reader.Collect(context.Background(), &data); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]map[string]float64)
	for _, scope := range data.ScopeMetrics {
		if scope.Scope.Name != "github.com/serin-flags/serin/sdk/otel" ||
			!strings.HasPrefix(scope.Scope.SchemaURL, "https://opentelemetry.io/schemas/") {
			t.Errorf("the scope is %q, schema %q", scope.Scope.Name, scope.Scope.SchemaURL)
		}
		for _, m := range scope.Metrics {
			if m.Unit == "" || !strings.HasSuffix(m.Description, ".") {
				t.Errorf("%s has unit %q and description %q", m.Name, m.Unit, m.Description)
			}
			points := make(map[string]float64)
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					points[attributes(p.Attributes)] = float64(p.Value)
				}
			case metricdata.Gauge[int64]:
				for _, p := range d.DataPoints {
					points[attributes(p.Attributes)] = float64(p.Value)
				}
			case metricdata.Gauge[float64]:
				for _, p := range d.DataPoints {
					points[attributes(p.Attributes)] = p.Value
				}
			}
			all[m.Name] = points
		}
	}
	return all
}

func attributes(set attribute.Set) string {
	var list []string
	for _, a := range set.ToSlice() {
		list = append(list, fmt.Sprintf("%s=%s", a.Key, a.Value.String()))
	}
	return strings.Join(list, " ")
}

// TestExplain holds what is recorded of evaluations, good and bad.
func TestExplain(t *testing.T) {
	c := newCollector(t)
	flags := sdktest.New(t, map[string]any{"new-checkout": true, "page-size": "twenty"})
	recorder, err := otel.NewRecorder(flags.Client, c.config)
	if err != nil {
		t.Fatal(err)
	}
	nothing, err := otel.NewRecorder(nil, c.config)
	if err != nil {
		t.Fatal(err)
	}
	user := sdk.User("u-secret", sdk.Attr("city", "shenzhen"))
	if e := otel.Explain(t.Context(), recorder, newCheckout, user); !e.Value || e.Variant != "on" || e.Err != nil {
		t.Errorf("what is returned is %+v", e)
	}
	otel.Explain(t.Context(), recorder, newCheckout, user)
	if e := otel.Explain(t.Context(), recorder, pageSize, user); e.Value != 10 || e.Err == nil {
		t.Errorf("what is returned is %+v", e)
	}
	otel.Explain(t.Context(), recorder, missing, user)
	otel.Explain(t.Context(), nothing, newCheckout, user)

	const good = "feature_flag.evaluation feature_flag.key=new-checkout feature_flag.provider.name=Serin " +
		"feature_flag.result.reason=static feature_flag.result.variant=on feature_flag.set.id=test feature_flag.version=1"
	const bad = "feature_flag.evaluation error.type=%s feature_flag.key=%s feature_flag.provider.name=Serin feature_flag.result.reason=error"
	want := []string{
		good, good,
		fmt.Sprintf(bad, "type_mismatch", "page-size") + " feature_flag.set.id=test feature_flag.version=1",
		fmt.Sprintf(bad, "flag_not_found", "missing") + " feature_flag.set.id=test feature_flag.version=1",
		fmt.Sprintf(bad, "provider_not_ready", "new-checkout"),
	}
	if diff := cmp.Diff(want, c.events.lines()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	counts := map[string]float64{
		"feature_flag.key=new-checkout feature_flag.result.reason=static feature_flag.result.variant=on": 2,
		"error.type=type_mismatch feature_flag.key=page-size feature_flag.result.reason=error":           1,
		"error.type=flag_not_found feature_flag.key=missing feature_flag.result.reason=error":            1,
		"error.type=provider_not_ready feature_flag.key=new-checkout feature_flag.result.reason=error":   1,
	}
	if diff := cmp.Diff(counts, c.metrics(t)["serin.evaluations"]); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// TestContextID checks that targeting keys are recorded if that is asked for, and
// never otherwise, nor any attribute of a context.
func TestContextID(t *testing.T) {
	for _, id := range []bool{false, true} {
		c := newCollector(t)
		c.config.ContextID = id
		recorder, err := otel.NewRecorder(sdktest.New(t, map[string]any{"new-checkout": true}).Client, c.config)
		if err != nil {
			t.Fatal(err)
		}
		for _, flag := range []*sdk.Flag[bool]{newCheckout, sdk.Bool("missing", true)} {
			otel.Explain(t.Context(), recorder, flag, sdk.User("u-secret", sdk.Attr("city", "s-secret")))
			otel.Explain(t.Context(), recorder, flag, sdk.Context{})
		}
		lines := strings.Join(c.events.lines(), "\n")
		if got := strings.Count(lines, "u-secret"); got != map[bool]int{false: 0, true: 2}[id] ||
			strings.Contains(lines, "s-secret") {
			t.Errorf("with ContextID %t the events are\n%s", id, lines)
		}
		if id != strings.Contains(lines, "feature_flag.context.id=u-secret") ||
			strings.Contains(lines, "context.id= ") {
			t.Errorf("with ContextID %t the events are\n%s", id, lines)
		}
	}
}

// TestSpan checks that an event belongs to the span that it happens in.
func TestSpan(t *testing.T) {
	c := newCollector(t)
	recorder, err := otel.NewRecorder(sdktest.New(t, map[string]any{"new-checkout": true}).Client, c.config)
	if err != nil {
		t.Fatal(err)
	}
	tracers := trace.NewTracerProvider()
	defer tracers.Shutdown(context.Background())
	ctx, span := tracers.Tracer("test").Start(t.Context(), "checkout")
	otel.Explain(ctx, recorder, newCheckout, sdk.Context{})
	span.End()
	record := c.events.records[0]
	if record.SpanID() != span.SpanContext().SpanID() || record.TraceID() != span.SpanContext().TraceID() ||
		!record.SpanID().IsValid() {
		t.Errorf("the event belongs to span %s of trace %s", record.SpanID(), record.TraceID())
	}
	if record.Timestamp().IsZero() {
		t.Error("the event has no time")
	}
}

// TestNoProvider checks that nothing is recorded, nor allocated beyond what an
// explanation takes, where nobody wants it.
func TestNoProvider(t *testing.T) {
	client := sdktest.New(t, map[string]any{"new-checkout": true}).Client
	recorder, err := otel.NewRecorder(client, otel.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	plain := testing.AllocsPerRun(100, func() { newCheckout.Explain(client, sdk.User("u-1")) })
	if n := testing.AllocsPerRun(100, func() { otel.Explain(ctx, recorder, newCheckout, sdk.User("u-1")) }); n > plain {
		t.Errorf("an evaluation that nobody records takes %v allocations, without a recorder %v", n, plain)
	}
}

// A deaf logger wants nothing.
type deaf struct{ log.Logger }

func (deaf) Enabled(context.Context, log.EnabledParameters) bool { return false }
func (deaf) Emit(context.Context, log.Record)                    { panic("a record that nobody wants") }

// TestDisabled checks that events are not made when the logger doesn't want them.
func TestDisabled(t *testing.T) {
	c := newCollector(t)
	c.config.LoggerProvider = deafProvider{c.config.LoggerProvider}
	recorder, err := otel.NewRecorder(sdktest.New(t, map[string]any{"new-checkout": true}).Client, c.config)
	if err != nil {
		t.Fatal(err)
	}
	otel.Explain(t.Context(), recorder, newCheckout, sdk.Context{})
	if got := len(c.metrics(t)["serin.evaluations"]); got != 1 {
		t.Errorf("%d counts", got)
	}
}

type deafProvider struct{ log.LoggerProvider }

func (d deafProvider) Logger(name string, options ...log.LoggerOption) log.Logger {
	return deaf{d.LoggerProvider.Logger(name, options...)}
}

func BenchmarkExplain(b *testing.B) {
	client := sdktest.New(b, map[string]any{"new-checkout": true}).Client
	for name, config := range map[string]otel.Config{"nobody": {},
		"metrics": {MeterProvider: newCollector(b).config.MeterProvider}, "both": newCollector(b).config} {
		b.Run(name, func(b *testing.B) {
			recorder, err := otel.NewRecorder(client, config)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				otel.Explain(context.Background(), recorder, newCheckout, sdk.User("u-1"))
			}
		})
	}
}
