package plan

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/serin-flags/serin/internal/suggest"
)

// The limits of a guard, far above what people write.
const (
	maxSources = 10
	maxMetrics = 50
	maxQuery   = 4096 // bytes
	maxLooks   = 100
	maxTimeout = time.Hour
	maxScrape  = time.Hour
)

// A Problem is what is wrong with a guard.
type Problem struct {
	// Path leads to the part that is wrong, by the keys of a guard file and the names of
	// metrics: metrics, errors, bad.
	Path []string
	Err  error
}

// Problems returns what is wrong with a guard, whatever plan uses it.
func (g *Guard) Problems() []Problem {
	var c checker
	c.sources(g)
	c.exposures(g)
	c.metrics(g)
	if !(g.Alpha > 0 && g.Alpha < 0.5) {
		c.add(path{"alpha"}, `"alpha" is a probability above 0 and below 0.5, such as 0.001`)
	}
	if g.Min.Exposures < 0 {
		c.add(path{"min", "exposures"}, `"exposures" is a number from 0 on`)
	}
	if g.Min.Time < 0 {
		c.add(path{"min", "time"}, "it must not be negative")
	}
	if g.NoData.Grace < 0 {
		c.add(path{"no_data", "grace"}, "it must not be negative")
	}
	if g.Watch < 0 {
		c.add(path{"watch"}, "it must not be negative")
	}
	return c
}

// A checker collects problems.
type checker []Problem

func (c *checker) add(at path, message string, args ...any) {
	*c = append(*c, Problem{at, fmt.Errorf(message, args...)})
}

// A path leads to a part of a guard.
type path []string

func (p path) to(key string) path { return append(slices.Clip(p), key) }

func (c *checker) sources(g *Guard) {
	if len(g.Sources) > maxSources {
		c.add(path{"sources"}, "there are %d, and %d are enough", len(g.Sources), maxSources)
	}
	for _, name := range slices.Sorted(maps.Keys(g.Sources)) {
		s, at := g.Sources[name], path{"sources", name}
		switch {
		case (s.Prometheus == "") == (s.CloudWatch == ""):
			c.add(at, `a source has the URL of "prometheus" or the region of "cloudwatch", and not both`)
		case s.Prometheus != "":
			if err := checkURL(s.Prometheus); err != nil {
				c.add(at.to("prometheus"), "%w", err)
			}
		case !regionShape.MatchString(s.CloudWatch):
			c.add(at.to("cloudwatch"), "it is not a region such as eu-central-1")
		case s.Scrape%Duration(time.Minute) != 0:
			c.add(at.to("scrape"), "CloudWatch has data for each minute, so it is a multiple of 1m")
		}
		if s.Scrape < 0 || time.Duration(s.Scrape) > maxScrape || s.Scrape%Duration(time.Second) != 0 {
			c.add(at.to("scrape"), "the time between two samples is whole seconds, at most %v", maxScrape)
		}
	}
}

// regionShape matches the name of a region of AWS.
var regionShape = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d+$`)

// checkURL reports a URL that no source can have. Credentials in it are an error, which doesn't
// contain them: they belong to a host, in the settings of the deployment.
func checkURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return errors.New("it is not a URL such as https://prometheus.example.com")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("credentials and parameters don't belong in it: the settings of the deployment have the credentials of each host")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return errors.New("it is not a URL such as https://prometheus.example.com")
	}
	return nil
}

func (c *checker) exposures(g *Guard) {
	e := g.Exposures
	if e == nil {
		if g.Min.Exposures > 0 {
			c.add(path{"min", "exposures"}, `the guard has no "exposures", which say how they are counted`)
		}
		return
	}
	c.query(path{"exposures"}, g, e.Query, true)
}

// query checks a query: one of counts is asked for both arms, and for periods.
func (c *checker) query(at path, g *Guard, q Query, counts bool) {
	if _, ok := g.Sources[q.Source]; !ok {
		c.add(at, "there is no source %q%s; declare it below \"sources\"", q.Source,
			suggest.DidYouMean(q.Source, maps.Keys(g.Sources)))
	}
	switch {
	case strings.TrimSpace(q.Text) == "":
		c.add(at, "it asks nothing")
		return
	case len(q.Text) > maxQuery || !utf8.ValidString(q.Text):
		c.add(at, "it is not UTF-8 of at most %d bytes", maxQuery)
		return
	}
	has := make(map[string]bool)
	Expand(q.Text, func(name string) (string, bool) {
		if has[name] = true; !slices.Contains(variables, name) {
			c.add(at, "there is no $%s: a query may have $%s (and a regular expression's group is ${%s})",
				name, strings.Join(variables, ", $"), name)
		}
		return "", false
	})
	if !counts {
		return
	}
	if !has["arm"] {
		c.add(at, `without $arm it counts the same in both arms: select one of them, as in {arm="$arm"}`)
	}
	if !has["window"] {
		c.add(at, `without $window it doesn't count what happened in a period: count it, as in increase(…[$window])`)
	}
}

func (c *checker) metrics(g *Guard) {
	if len(g.Metrics) == 0 {
		c.add(path{"metrics"}, "without a metric, no step is ever cleared: name one")
	}
	if len(g.Metrics) > maxMetrics {
		c.add(path{"metrics"}, "there are %d, and %d are enough", len(g.Metrics), maxMetrics)
	}
	seen := make(map[string]bool)
	for _, m := range g.Metrics {
		at := path{"metrics", m.Name}
		if m.Name == "" || m.Name == "exposures" || m.Name == "sample ratio" || seen[m.Name] {
			c.add(at.to("name"), "each metric has a name of its own, other than exposures and sample ratio")
		}
		seen[m.Name] = true
		c.metric(at, g, m)
	}
}

func (c *checker) metric(at path, g *Guard, m Metric) {
	var kinds []string
	for _, k := range []struct {
		name string
		is   bool
	}{{"bad", m.Bad != nil}, {"value", m.Value != nil}, {"alarm", m.Alarm != ""}, {"command", m.Command != nil}} {
		if k.is {
			kinds = append(kinds, k.name)
		}
	}
	switch {
	case len(kinds) == 0:
		c.add(at, `the metric doesn't say what it measures: "bad", "value", "alarm" or "command"`)
		return
	case len(kinds) > 1:
		c.add(at, `a metric is one of "bad", "value", "alarm" and "command", and this is %s`,
			strings.Join(kinds, " and "))
		return
	}
	if m.Bad == nil && m.Rest {
		c.add(at.to("compare"), "only counts of bad events are compared with the rest: use bad, or max instead")
	}
	if m.WorseBy != 0 && !m.Rest {
		c.add(at.to("worse_by"), `"worse_by" has no effect without compare: rest`)
	}
	if m.Bad == nil && m.Value == nil && m.Max != nil {
		c.add(at.to("max"), `"max" has no effect: %q decides by itself`, kinds[0])
	}
	if m.Looks < 1 || m.Looks > maxLooks || m.Failures < 1 || m.Failures > m.Looks {
		c.add(at.to("failures"), `"failures" is such as 2 of 3, and the second number at most %d`, maxLooks)
	}
	if m.Value == nil && m.Looks != 1 {
		c.add(at.to("failures"), "only values are looked at several times: others already weigh all the evidence")
	}
	switch {
	case m.Bad != nil:
		c.bad(at, g, m)
	case m.Value != nil:
		c.query(at.to("value"), g, *m.Value, false)
		if m.Max == nil || math.IsNaN(*m.Max) || math.IsInf(*m.Max, 0) {
			c.add(at.to("max"), "a value needs a limit: max: NUMBER")
		}
	case m.Alarm != "":
		if _, err := AlarmRegion(m.Alarm); err != nil {
			c.add(at.to("alarm"), "%w", err)
		}
	case m.Command != nil:
		if len(m.Command.Run) == 0 || m.Command.Run[0] == "" {
			c.add(at.to("command").to("run"), "it names a program and its arguments")
		}
		if m.Command.Timeout <= 0 || time.Duration(m.Command.Timeout) > maxTimeout {
			c.add(at.to("command").to("timeout"), "the timeout is above 0 and at most %v", maxTimeout)
		}
	}
}

func (c *checker) bad(at path, g *Guard, m Metric) {
	c.query(at.to("bad"), g, *m.Bad, true)
	if g.Exposures == nil {
		c.add(at.to("bad"), `bad events are counted per exposure, and the guard has no "exposures"`)
	}
	if !m.Rest && m.Max == nil {
		c.add(at.to("bad"), "the metric has no limit; write compare: rest or, for an absolute one, max: 2%%")
	}
	if !(m.WorseBy >= 0 && m.WorseBy <= 100) {
		c.add(at.to("worse_by"), "it is from 0%% to 10000%%")
	}
	if m.Max != nil && !(*m.Max >= 1e-12 && *m.Max <= 1) {
		c.add(at.to("max"), "it is the largest rate of bad events per exposure, above 0%% and at most 100%%")
	}
}

// AlarmRegion returns the region of the ARN of a CloudWatch alarm.
func AlarmRegion(arn string) (string, error) {
	parts := alarmShape.FindStringSubmatch(arn)
	if parts == nil {
		return "", errors.New(
			"it is not the ARN of an alarm, such as arn:aws:cloudwatch:eu-central-1:123456789012:alarm:checkout")
	}
	return parts[1], nil
}

// alarmShape matches the ARN of an alarm. Its group is the region.
var alarmShape = regexp.MustCompile(`^arn:aws[a-z-]*:cloudwatch:([a-z0-9-]+):\d{12}:alarm:.+$`)
