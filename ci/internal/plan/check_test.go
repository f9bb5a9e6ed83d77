package plan

import (
	"strings"
	"testing"
	"time"
)

func limit(x float64) *float64 { return &x }

func goodGuard() *Guard {
	count := func(name string) Query { return Query{"prom", `sum(increase(` + name + `{a="$arm"}[$window]))`} }
	bad := count("bad")
	return &Guard{
		Sources: map[string]Source{"prom": {Prometheus: "https://prometheus.test:9090/path",
			Scrape: Duration(time.Minute)}, "cw": {CloudWatch: "eu-central-1"}},
		Exposures: &Exposures{Query: count("exposed"), Distinct: true},
		Metrics: []Metric{
			{Name: "errors", Bad: &bad, Rest: true, WorseBy: .1, Max: limit(.02), Failures: 1, Looks: 1},
			{Name: "latency", Value: &Query{"prom", `latency{path=~"^/a$", env="$env"} * label_replace(x, "a", "$1${b}", "c", "(?P<b>.*)")`}, Max: limit(.8), Failures: 2, Looks: 3},
			{Name: "pager", Alarm: "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:pager: all", Failures: 1, Looks: 1},
			{Name: "smoke", Command: &Command{Run: []string{"./smoke.sh"}, Timeout: Duration(time.Minute)}, Failures: 1, Looks: 1},
		},
		Min: Min{Exposures: 1}, Alpha: .001,
	}
}

func TestProblems(t *testing.T) {
	if list := goodGuard().Problems(); len(list) > 0 {
		t.Fatalf("a good guard: %v", list)
	}
	for _, tt := range []struct {
		change func(g *Guard)
		want   string
	}{
		{func(g *Guard) { g.Alpha = 0 }, "alpha: \"alpha\" is a probability above 0 and below 0.5"},
		{func(g *Guard) { g.Alpha = 0.5 }, "alpha: \"alpha\" is a probability"},
		{func(g *Guard) { g.Min.Time = -1 }, "min.time: it must not be negative"},
		{func(g *Guard) { g.NoData.Grace = -1 }, "no_data.grace: it must not be negative"},
		{func(g *Guard) { g.Watch = -1 }, "watch: it must not be negative"},
		{func(g *Guard) { g.Sources["cw"] = Source{CloudWatch: "Frankfurt"} }, "sources.cw.cloudwatch: it is not a region"},
		{func(g *Guard) { g.Sources["cw"] = Source{} }, "sources.cw: a source has the URL"},
		{func(g *Guard) { g.Sources["cw"] = Source{CloudWatch: "eu-central-1", Scrape: Duration(time.Second)} }, "sources.cw.scrape: CloudWatch has data for each minute"},
		{func(g *Guard) { g.Sources["x"] = Source{Prometheus: "https://u:canary@h"} }, "sources.x.prometheus: credentials and parameters don't belong"},
		{func(g *Guard) { g.Sources["x"] = Source{Prometheus: "https://h?token=canary"} }, "sources.x.prometheus: credentials and parameters don't belong"},
		{func(g *Guard) { g.Sources["x"] = Source{Prometheus: "file:///canary"} }, "sources.x.prometheus: it is not a URL"},
		{func(g *Guard) { g.Sources["x"] = Source{Prometheus: "http://h", Scrape: 1} }, "sources.x.scrape: the time between two samples is whole seconds"},
		{func(g *Guard) { g.Exposures = nil }, `min.exposures: the guard has no "exposures"`},
		{func(g *Guard) { g.Exposures = nil }, "metrics.errors.bad: bad events are counted per exposure"},
		{func(g *Guard) { g.Exposures.Source = "p" }, `exposures: there is no source "p"`},
		{func(g *Guard) { g.Exposures.Text = "x[$window]" }, "exposures: without $arm"},
		{func(g *Guard) { g.Metrics[0].Bad.Text = "x{a=$armour}[$window]" }, "metrics.errors.bad: there is no $armour"},
		{func(g *Guard) { g.Metrics[0].Bad.Text = "x{a=$armour}[$window]" }, "metrics.errors.bad: without $arm"},
		{func(g *Guard) { g.Metrics[0].Bad.Text = "x{a=$arm}[5m]" }, "metrics.errors.bad: without $window"},
		{func(g *Guard) { g.Metrics[1].Value.Text = "x[$__rate_interval]" }, "metrics.latency.value: there is no $__rate_interval"},
		{func(g *Guard) { g.Metrics[1].Value.Text = " " }, "metrics.latency.value: it asks nothing"},
		{func(g *Guard) { g.Metrics[1].Value.Text = strings.Repeat("x", maxQuery+1) }, "metrics.latency.value: it is not UTF-8 of"},
		{func(g *Guard) { g.Metrics = nil }, "metrics: without a metric"},
		{func(g *Guard) { g.Metrics[1].Name = "errors" }, "metrics.errors.name: each metric has a name of its own"},
		{func(g *Guard) { g.Metrics[0].Alarm = "x" }, "metrics.errors: a metric is one of"},
		{func(g *Guard) { g.Metrics[1].Rest = true }, "metrics.latency.compare: only counts"},
		{func(g *Guard) { g.Metrics[0].Rest = false }, `metrics.errors.worse_by: "worse_by" has no effect`},
		{func(g *Guard) { g.Metrics[0].Rest, g.Metrics[0].Max = false, nil }, "metrics.errors.bad: the metric has no limit"},
		{func(g *Guard) { g.Metrics[0].WorseBy = -1 }, "metrics.errors.worse_by: it is from"},
		{func(g *Guard) { g.Metrics[0].Max = limit(2) }, "metrics.errors.max: it is the largest rate"},
		{func(g *Guard) { g.Metrics[1].Max = nil }, "metrics.latency.max: a value needs a limit"},
		{func(g *Guard) { g.Metrics[2].Max = limit(1) }, `metrics.pager.max: "max" has no effect: "alarm"`},
		{func(g *Guard) { g.Metrics[1].Failures = 4 }, `metrics.latency.failures: "failures" is such as 2 of 3`},
		{func(g *Guard) { g.Metrics[0].Looks = 3 }, "metrics.errors.failures: only values"},
		{func(g *Guard) { g.Metrics[2].Alarm = "arn:aws:sns:a:b:c:d" }, "metrics.pager.alarm: it is not the ARN"},
		{func(g *Guard) { g.Metrics[3].Command.Run = nil }, "metrics.smoke.command.run: it names"},
		{func(g *Guard) { g.Metrics[3].Command.Timeout = 0 }, "metrics.smoke.command.timeout: the timeout is above 0"},
	} {
		g := goodGuard()
		tt.change(g)
		var list []string
		for _, p := range g.Problems() {
			list = append(list, strings.Join(p.Path, ".")+": "+p.Err.Error())
		}
		all := strings.Join(list, "\n")
		if !strings.Contains("\n"+all, "\n"+tt.want) || strings.Contains(all, "canary") {
			t.Errorf("problems\n%s\nwant one that starts with\n%s", all, tt.want)
		}
	}
}

func TestExpand(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "",
		"$":                          "$",
		"$a$b$":                      "<a>$b$",
		"$arm $a1 $a_b $A 5$a":       "$arm $a1 $a_b $A 5<a>",
		`${a} $1 $1a "^x$" $$a é$aé`: `${a} $1 $1a "^x$" $<a> é<a>é`,
	} {
		got := Expand(text, func(name string) (string, bool) { return "<" + name + ">", name == "a" })
		if got != want {
			t.Errorf("%q becomes %q, not %q", text, got, want)
		}
	}
}
