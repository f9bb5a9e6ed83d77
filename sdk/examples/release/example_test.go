package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/sdk"
)

// Example_prometheus counts the users who are exposed to each arm of a release, for the query
//
//	sum(increase(flag_exposures_total{flag="$flag",arm="$arm",env="$env"}[$window]))
func Example_prometheus() {
	client, stop := halfReleased()
	defer stop()

	exposures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flag_exposures_total", Help: "Users who were exposed to an arm of a release.",
	}, []string{"flag", "arm", "env"})
	// A series that doesn't exist yet is no zero to Prometheus.
	for _, arm := range []string{"new", "rest"} {
		exposures.WithLabelValues("search-index", arm, "production")
	}

	for n := range 3000 {
		city := [...]string{"shenzhen", "guangzhou", "lhasa"}[n%3]
		user := sdk.User(fmt.Sprint("u-", n), sdk.Attr("city", city))
		if arm := searchIndex.Arm(client, user); arm != "" { // "": the release doesn't concern this user
			exposures.WithLabelValues("search-index", arm, "production").Inc()
		}
	}

	registry := prometheus.NewRegistry()
	registry.MustRegister(exposures)
	families, err := registry.Gather()
	if err != nil {
		log.Fatal(err)
	}
	count := make(map[string]float64)
	for _, series := range families[0].GetMetric() {
		count[series.GetLabel()[0].GetValue()] = series.GetCounter().GetValue() // labels are sorted: arm comes first
	}
	fmt.Println("exposed:", count["new"]+count["rest"], "of 3000")
	fmt.Printf("new: %.1f\n", count["new"]/2000)
	// Output:
	// exposed: 2000 of 3000
	// new: 0.5
}

// Example_openTelemetry counts the same with OpenTelemetry. An exporter for Prometheus calls the
// counter flag_exposures_total; with another backend, use its names in the queries.
func Example_openTelemetry() {
	client, stop := halfReleased()
	defer stop()

	reader := sdkmetric.NewManualReader() // in a program, that of the exporter
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("search")
	exposures, err := meter.Int64Counter("flag.exposures",
		metric.WithDescription("Users who were exposed to an arm of a release."))
	if err != nil {
		log.Fatal(err)
	}
	// One set of attributes for each arm, so that counting doesn't allocate.
	of := make(map[string]metric.MeasurementOption)
	for _, arm := range []string{"new", "rest"} {
		of[arm] = metric.WithAttributeSet(attribute.NewSet(
			attribute.String("flag", "search-index"), attribute.String("arm", arm),
			attribute.String("env", "production")))
		exposures.Add(context.Background(), 0, of[arm])
	}

	for n := range 3000 {
		city := [...]string{"shenzhen", "guangzhou", "lhasa"}[n%3]
		user := sdk.User(fmt.Sprint("u-", n), sdk.Attr("city", city))
		if arm := searchIndex.Arm(client, user); arm != "" {
			exposures.Add(context.Background(), 1, of[arm])
		}
	}

	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		log.Fatal(err)
	}
	count := make(map[string]float64)
	for _, point := range all.ScopeMetrics[0].Metrics[0].Data.(metricdata.Sum[int64]).DataPoints {
		arm, _ := point.Attributes.Value("arm")
		count[arm.AsString()] = float64(point.Value)
	}
	fmt.Println("exposed:", count["new"]+count["rest"], "of 3000")
	fmt.Printf("new: %.1f\n", count["new"]/2000)
	// Output:
	// exposed: 2000 of 3000
	// new: 0.5
}

// halfReleased returns a client of the flags of this folder, whose release has got to 50%.
func halfReleased() (client *sdk.Client, stop func()) {
	dir, err := os.MkdirTemp("", "release-")
	check(err)
	estate, err := ci.Load("flags")
	check(err)
	plan := estate.Plans("production")[0]
	line := ci.NewReleaseLine(plan).Clear(plan, 2, time.Now(), "guard")
	payloads, err := estate.WithReleases(ci.ReleaseLines{line.Key(): line}).Compile("production")
	check(err)
	_, err = release.InitKeys(filepath.Join(dir, "keys"), "production")
	check(err)
	keys, err := release.LoadKeys(filepath.Join(dir, "keys"))
	check(err)
	_, err = release.Publish(context.Background(), release.Options{
		Store: filestore.New(filepath.Join(dir, "store")), Keys: keys, Environment: "production",
		Payloads: payloads,
	})
	check(err)
	source, err := sdk.FromURL("file://" + filepath.ToSlash(filepath.Join(dir, "store")))
	check(err)
	root, err := os.ReadFile(filepath.Join(dir, "keys", "root.json"))
	check(err)
	client, err = sdk.Open(context.Background(), sdk.Config{Source: source, Root: root})
	check(err)
	return client, func() {
		client.Close()
		os.RemoveAll(dir)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
