package lang

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/internal/plan"
	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/internal/suggest"
)

// A Guard is a guard file that has been checked.
type Guard struct {
	plan.Guard
	File         *source.File
	Environments []string // where it counts
}

// What guards have if their file doesn't say.
const (
	defaultAlpha   = 0.001
	defaultWorseBy = 0.1
	defaultScrape  = 15 * time.Second
	minuteScrape   = time.Minute // of CloudWatch
	defaultGrace   = 24 * time.Hour
	defaultTimeout = time.Minute
)

// The bounds of a guard.
const (
	maxSources = 10
	maxMetrics = 50
	maxLooks   = 100
	maxQuery   = 4096 // bytes
)

// readGuards reads the guard files.
func (l *loader) readGuards() {
	for _, s := range l.files.ByRole[source.GuardFile] {
		name := s.Stem()
		if other, dup := l.known.Guards[name]; dup {
			s.Problem("guard %q is defined in %s too", name, other.File.Shown)
			continue
		}
		g := &Guard{File: s, Guard: plan.Guard{Name: name, Alpha: defaultAlpha, Sources: make(map[string]plan.Source)}}
		l.known.Guards[name] = g
		l.known.Checker(s).guard(g)
	}
}

var guardKeys = []string{"description", "environments", "sources", "exposures", "metrics", "min", "no_data", "watch", "alpha", "lint"}

// guard reads a guard file into g.
func (c Checker) guard(g *Guard) {
	if why := checkKey(g.Name); why != "" {
		c.File.Problem("the file's name is not a valid name of a guard: %s", why)
	}
	n := c.File.Root
	if n == nil {
		return
	}
	if n.Get("type") != nil && n.Get("default") != nil {
		c.Errorf(n, "this is a flag, and the folder guards has guards; move it to a folder of another name")
		return
	}
	if !c.Keys(n, "a guard", guardKeys...) || !c.Required(n, "the guard", "environments", "metrics") {
		return
	}
	c.OptionalText(n.Get("description"), "\"description\"")
	c.silences(n.Get("lint"))
	g.Environments = c.guardedIn(n.Get("environments"))
	if sources := n.Get("sources"); sources != nil {
		c.sources(sources, g)
	}
	if n := n.Get("exposures"); n != nil {
		g.Exposures = c.exposures(n, g)
	}
	c.metrics(n.Get("metrics"), g)
	c.patience(n, g)
	c.measurable(n, g)
}

// measurable records why the guard couldn't measure what it says. It knows nothing of files, so
// the rest must be right.
func (c Checker) measurable(n *source.Node, g *Guard) {
	if len(c.File.Problems) > 0 {
		return
	}
	for _, p := range g.Guard.Problems() {
		c, at := c, n
		for i, key := range p.Path {
			next := at.Get(key)
			if i == 1 && p.Path[0] == "metrics" {
				c, next = c.Within("metric %q", key), metricOf(at, key)
			}
			if next == nil {
				break
			}
			at = next
		}
		c.Errorf(queryOf(at), "%v", p.Err)
	}
}

// metricOf returns the metric of a name, or nil.
func metricOf(n *source.Node, name string) *source.Node {
	for _, item := range n.Items {
		if at := item.Get("name"); at != nil && at.Text == name {
			return item
		}
	}
	return nil
}

// queryOf returns the query of {SOURCE: QUERY}, and any other node as it is.
func queryOf(n *source.Node) *source.Node {
	var query *source.Node
	for _, f := range n.Fields {
		if f.Key.Text != "distinct" {
			if query != nil {
				return n
			}
			query = f.Value
		}
	}
	if query == nil || query.Kind == source.Mapping || query.Kind == source.Sequence {
		return n
	}
	return query
}

// guardedIn reads where a guard counts.
func (c Checker) guardedIn(n *source.Node) (names []string) {
	if !c.List(n, "\"environments\"") {
		return nil
	}
	for _, item := range n.Items {
		name, ok := c.Name(item, "an environment")
		if !ok {
			continue
		}
		if err := c.Known.checkEnvironment(name); err != nil {
			c.Errorf(item, "%v", err)
		}
		names = append(names, name)
	}
	return names
}

// sources reads where metrics come from.
func (c Checker) sources(n *source.Node, g *Guard) {
	if n.Kind != source.Mapping || len(n.Fields) == 0 || len(n.Fields) > maxSources {
		c.Errorf(n, "\"sources\" is a mapping of 1 to %d names to places, such as {prom: {prometheus: \"https://prometheus.example.com\"}}", maxSources)
		return
	}
	for _, f := range n.Fields {
		c := c.Within("source %q", f.Key.Text)
		if why := checkName(f.Key.Text); why != "" {
			c.Errorf(f.Key, "%s", why)
		}
		s := plan.Source{}
		if !c.Keys(f.Value, "a source", "prometheus", "cloudwatch", "scrape") {
			continue
		}
		prometheus, cloudwatch := f.Value.Get("prometheus"), f.Value.Get("cloudwatch")
		switch {
		case (prometheus == nil) == (cloudwatch == nil):
			c.Errorf(f.Value, "a source has the URL of \"prometheus\" or the region of \"cloudwatch\", and not both")
			continue
		case prometheus != nil:
			s.Prometheus, s.Scrape = c.sourceURL(prometheus), plan.Duration(defaultScrape)
		default:
			s.CloudWatch, _ = c.Name(cloudwatch, "\"cloudwatch\"")
			s.Scrape = plan.Duration(minuteScrape)
			if s.CloudWatch != "" && !regionShape.MatchString(s.CloudWatch) {
				c.Errorf(cloudwatch, "%q is not a region such as eu-central-1", problem.Shorten(s.CloudWatch))
			}
		}
		if scrape := f.Value.Get("scrape"); scrape != nil {
			s.Scrape = c.length(scrape, "\"scrape\"")
		}
		g.Sources[f.Key.Text] = s
	}
}

var regionShape = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d+$`)

// sourceURL reads the URL of a server. It can't hold credentials, which belong to the host
// that deployment settings name.
func (c Checker) sourceURL(n *source.Node) string {
	text, ok := c.Text(n, "\"prometheus\"")
	if !ok {
		return ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "":
		c.Errorf(n, "it is not a URL such as https://prometheus.example.com")
	case u.User != nil:
		c.Errorf(n, "the URL has credentials; remove them, and give them to the guard in its environment")
	}
	return text
}

// length reads a length of time.
func (c Checker) length(n *source.Node, what string) plan.Duration {
	seconds, _ := c.Duration(n, what)
	return plan.Duration(time.Duration(seconds) * time.Second)
}

// query reads the mapping of a source to what it is asked.
func (c Checker) query(f source.Field, g *Guard) *plan.Query {
	text, ok := c.Text(f.Value, "the query")
	if !ok {
		return nil
	}
	if _, known := g.Sources[f.Key.Text]; !known {
		c.Errorf(f.Key, "there is no source %q%s; declare it below \"sources\"", f.Key.Text,
			suggest.DidYouMean(f.Key.Text, maps.Keys(g.Sources)))
		return nil
	}
	if strings.TrimSpace(text) == "" {
		c.Errorf(f.Value, "the query is empty")
	}
	if len(text) > maxQuery {
		c.Errorf(f.Value, "the query is longer than %d bytes", maxQuery)
	}
	return &plan.Query{Source: f.Key.Text, Text: text}
}

// oneQuery reads {SOURCE: QUERY}.
func (c Checker) oneQuery(n *source.Node, what string, g *Guard) *plan.Query {
	if n.Kind != source.Mapping || len(n.Fields) != 1 {
		c.Errorf(n, "%s is a mapping of a source to a query, such as {prom: 'sum(…)'}", what)
		return nil
	}
	return c.query(n.Fields[0], g)
}

// exposures reads how those who were exposed are counted.
func (c Checker) exposures(n *source.Node, g *Guard) *plan.Exposures {
	c = c.Within("exposures")
	if n.Kind != source.Mapping {
		c.Errorf(n, "\"exposures\" is a mapping of a source to a query, such as {prom: 'sum(…)', distinct: true}")
		return nil
	}
	e := &plan.Exposures{}
	var query *plan.Query
	for _, f := range n.Fields {
		switch {
		case f.Key.Text == "distinct":
			e.Distinct, _ = c.Boolean(f.Value, "\"distinct\"")
		case query != nil:
			c.Errorf(f.Key, "there are two queries; keep one")
			return nil
		default:
			if query = c.query(f, g); query == nil {
				return nil
			}
			c.needsArm(f.Value, query)
		}
	}
	if query == nil {
		c.Errorf(n, "there is no query; write one, such as {prom: 'sum(…)'}")
		return nil
	}
	e.Query = *query
	return e
}

// needsArm requires that a query tells the arms apart.
func (c Checker) needsArm(at *source.Node, q *plan.Query) {
	if q != nil && !strings.Contains(q.Text, "$arm") {
		c.Errorf(at, "the query doesn't contain $arm, so both arms would have the same events; select by it, for instance {search_index=\"$arm\"}")
	}
}

// metrics reads what must hold.
func (c Checker) metrics(n *source.Node, g *Guard) {
	if !c.List(n, "\"metrics\"") {
		return
	}
	if len(n.Items) > maxMetrics {
		c.Errorf(n, "the guard has more than %d metrics", maxMetrics)
		return
	}
	lines := make(map[string]int)
	for i, item := range n.Items {
		within := c.Within("metric %d", i+1)
		m := plan.Metric{Failures: 1, Looks: 1, Back: true}
		name := item.Get("name")
		if name != nil {
			m.Name, _ = within.Name(name, "\"name\"")
			within = c.Within("metric %q", m.Name)
			if line, dup := lines[m.Name]; dup {
				within.Errorf(name, "another metric has this name, on line %d", line)
			}
			lines[m.Name] = name.Line()
		}
		if !within.Keys(item, "a metric", "name", "bad", "value", "alarm", "command", "compare", "worse_by", "max", "failures", "on_fail") ||
			!within.Required(item, "the metric", "name") {
			continue
		}
		within.metric(item, &m, g)
		g.Metrics = append(g.Metrics, m)
	}
}

var metricKinds = []string{"bad", "value", "alarm", "command"}

// metric reads one metric into m.
func (c Checker) metric(n *source.Node, m *plan.Metric, g *Guard) {
	var kind *source.Node
	for _, f := range n.Fields {
		if !slices.Contains(metricKinds, f.Key.Text) {
			continue
		}
		if kind != nil {
			c.Errorf(f.Key, "a metric is one of \"bad\", \"value\", \"alarm\" and \"command\", and this is %q and %q", kind.Text, f.Key.Text)
			return
		}
		kind = f.Key
	}
	if kind == nil {
		c.Errorf(n, "the metric doesn't say what it measures: \"bad\", \"value\", \"alarm\" or \"command\"")
		return
	}
	value := n.Get(kind.Text)
	switch kind.Text {
	case "bad":
		m.Bad = c.oneQuery(value, "\"bad\"", g)
		c.limits(n, m, g)
	case "value":
		m.Value = c.oneQuery(value, "\"value\"", g)
		c.limits(n, m, g)
	case "alarm":
		m.Alarm = c.alarm(value)
	case "command":
		m.Command = c.command(value)
	}
	if kind.Text == "alarm" || kind.Text == "command" {
		for _, key := range []string{"compare", "worse_by", "max"} {
			if n.Get(key) != nil {
				c.Errorf(n.Get(key), "%q has no effect: %q decides by itself", key, kind.Text)
			}
		}
	}
	c.failures(n, m)
}

// limits reads when a number is a failure.
func (c Checker) limits(n *source.Node, m *plan.Metric, g *Guard) {
	compare, worse, most := n.Get("compare"), n.Get("worse_by"), n.Get("max")
	switch {
	case compare != nil && (compare.Text != "rest" || n.Get("bad") == nil):
		c.Errorf(compare, "\"compare\" is rest, for \"bad\" events: both arms are compared")
	case compare == nil && most == nil:
		c.Errorf(n, "the metric has no limit; write compare: rest or, for an absolute one, max")
	case worse != nil && compare == nil:
		c.Errorf(worse, "\"worse_by\" has no effect without compare: rest")
	case n.Get("bad") != nil && g.Exposures == nil:
		c.Errorf(n.Get("bad"), "bad events are counted per exposure, and the guard has no \"exposures\"")
	}
	if compare != nil {
		m.Rest, m.WorseBy = true, defaultWorseBy
		c.needsArm(n.Get("bad"), m.Bad)
		if worse != nil {
			portion, _ := c.PlainShare(worse, "\"worse_by\"")
			m.WorseBy = float64(portion) / share.Whole
		}
	}
	if most == nil {
		return
	}
	var limit float64
	if n.Get("bad") != nil {
		portion, _ := c.PlainShare(most, "\"max\"")
		limit = float64(portion) / share.Whole
	} else if v, ok := c.Number(most, "\"max\""); ok {
		limit, _ = v.Float()
	}
	m.Max = &limit
}

// alarmShape matches the ARN of an alarm; the first group is the region.
var alarmShape = regexp.MustCompile(`^arn:aws[a-z-]*:cloudwatch:([a-z0-9-]+):\d{12}:alarm:.+$`)

func (c Checker) alarm(n *source.Node) string {
	at := n.Get("cloudwatch")
	if n.Kind != source.Mapping || at == nil || len(n.Fields) != 1 {
		c.Errorf(n, "\"alarm\" is {cloudwatch: ARN}, with the ARN of an alarm")
		return ""
	}
	arn, ok := c.Text(at, "\"cloudwatch\"")
	if ok && !alarmShape.MatchString(arn) {
		c.Errorf(at, "it is not the ARN of an alarm, such as arn:aws:cloudwatch:eu-central-1:123456789012:alarm:checkout")
	}
	return arn
}

func (c Checker) command(n *source.Node) *plan.Command {
	if !c.Keys(n, "\"command\"", "run", "timeout") || !c.Required(n, "\"command\"", "run") || !c.List(n.Get("run"), "\"run\"") {
		return nil
	}
	cmd := &plan.Command{Timeout: plan.Duration(defaultTimeout)}
	for _, item := range n.Get("run").Items {
		word, _ := c.Text(item, "a word of the command")
		cmd.Run = append(cmd.Run, word)
	}
	if t := n.Get("timeout"); t != nil {
		cmd.Timeout = c.length(t, "\"timeout\"")
	}
	return cmd
}

var failuresShape = regexp.MustCompile(`^(\d{1,3}) of (\d{1,3})$`)

// failures reads how often a metric must fail, and what follows.
func (c Checker) failures(n *source.Node, m *plan.Metric) {
	if f := n.Get("failures"); f != nil {
		parts := failuresShape.FindStringSubmatch(f.Text)
		if parts != nil {
			m.Failures, _ = strconv.Atoi(parts[1])
			m.Looks, _ = strconv.Atoi(parts[2])
		}
		if parts == nil || m.Failures < 1 || m.Failures > m.Looks || m.Looks > maxLooks {
			c.Errorf(f, "\"failures\" is such as 2 of 3, and the second number at most %d", maxLooks)
		}
		if m.Rest {
			c.Errorf(f, "\"failures\" has no effect with compare: rest, which takes all looks into account")
		}
	}
	if f := n.Get("on_fail"); f != nil {
		m.Back = c.backOrHold(f, "\"on_fail\"")
	}
}

// backOrHold reads what becomes of a plan.
func (c Checker) backOrHold(n *source.Node, what string) (back bool) {
	if n.Text != "back" && n.Text != "hold" {
		c.Errorf(n, "%s is back or hold, not %s", what, n.Describe())
	}
	return n.Text == "back"
}

// patience reads how long a guard waits, and for what.
func (c Checker) patience(n *source.Node, g *Guard) {
	g.NoData.Grace = plan.Duration(defaultGrace)
	if m := n.Get("min"); m != nil && c.Keys(m, "\"min\"", "exposures", "time") {
		if e := m.Get("exposures"); e != nil {
			g.Min.Exposures, _ = c.Integer(e, "\"exposures\"")
			if g.Min.Exposures < 0 {
				c.Errorf(e, "\"exposures\" is a number from 0 on")
			} else if g.Exposures == nil {
				c.Errorf(e, "the guard has no \"exposures\", which say how they are counted")
			}
		}
		if t := m.Get("time"); t != nil {
			g.Min.Time = c.length(t, "\"time\"")
		}
	}
	if d := n.Get("no_data"); d != nil && c.Keys(d, "\"no_data\"", "grace", "then") {
		if t := d.Get("grace"); t != nil {
			g.NoData.Grace = c.length(t, "\"grace\"")
		}
		if then := d.Get("then"); then != nil {
			g.NoData.Back = c.backOrHold(then, "\"then\"")
		}
	}
	if w := n.Get("watch"); w != nil {
		g.Watch = c.length(w, "\"watch\"")
	}
	if a := n.Get("alpha"); a != nil {
		if v, ok := c.Number(a, "\"alpha\""); ok {
			g.Alpha, _ = v.Float()
		}
		if !(g.Alpha > 0 && g.Alpha < 0.5) {
			c.Errorf(a, "\"alpha\" is a probability above 0 and below 0.5, such as 0.001")
		}
	}
}
