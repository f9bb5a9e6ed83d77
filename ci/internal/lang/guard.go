package lang

import (
	"regexp"
	"strconv"
	"time"

	"github.com/serin-flags/serin/ci/internal/plan"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
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
	defaultGrace   = 24 * time.Hour
	defaultTimeout = time.Minute
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

var guardKeys = []string{"description", "environments", "sources", "exposures", "metrics", "min", "no_data", "watch",
	"alpha", "lint"}

// guard reads a guard file into g: it checks the shape, and [plan.Guard.Problems] what the guard says.
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
		g.Exposures = c.exposures(n)
	}
	c.metrics(n.Get("metrics"), g)
	c.patience(n, g)
	c.sensible(n, g)
}

// sensible records what is wrong with what the guard says. That makes sense only of a guard whose
// shape is right.
func (c Checker) sensible(n *source.Node, g *Guard) {
	if len(c.File.Problems) > 0 {
		return
	}
	for _, p := range g.Guard.Problems() {
		c, at := c, n
		for i, key := range p.Path {
			next := at.Get(key)
			switch {
			case i == 1 && p.Path[0] == "metrics":
				c, next = c.Within("metric %q", key), metricOf(at, key)
			case i == 1 && p.Path[0] == "sources":
				c = c.Within("source %q", key)
			case i == 0 && key == "exposures":
				c = c.Within("exposures")
			}
			if next == nil {
				break
			}
			at = next
		}
		switch p.Path[len(p.Path)-1] {
		case "exposures", "bad", "value", "alarm":
			at = queryOf(at)
		}
		c.Errorf(at, "%v", p.Err)
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
	if n.Kind != source.Mapping || len(n.Fields) == 0 {
		c.Errorf(n, "\"sources\" is a mapping of names to places, such as {prom: {prometheus: \"https://prometheus.example.com\"}}")
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
		if prometheus := f.Value.Get("prometheus"); prometheus != nil {
			s.Prometheus, _ = c.Text(prometheus, "\"prometheus\"")
		}
		if cloudwatch := f.Value.Get("cloudwatch"); cloudwatch != nil {
			s.CloudWatch, _ = c.Name(cloudwatch, "\"cloudwatch\"")
		}
		s.Scrape = s.Scraped()
		if scrape := f.Value.Get("scrape"); scrape != nil {
			s.Scrape = c.length(scrape, "\"scrape\"")
		}
		g.Sources[f.Key.Text] = s
	}
}

// length reads a length of time.
func (c Checker) length(n *source.Node, what string) plan.Duration {
	seconds, _ := c.Duration(n, what)
	return plan.Duration(time.Duration(seconds) * time.Second)
}

// query reads the mapping of a source to what it is asked.
func (c Checker) query(f source.Field) *plan.Query {
	text, ok := c.Text(f.Value, "the query")
	if !ok {
		return nil
	}
	return &plan.Query{Source: f.Key.Text, Text: text}
}

// oneQuery reads {SOURCE: QUERY}.
func (c Checker) oneQuery(n *source.Node, what string) *plan.Query {
	if n.Kind != source.Mapping || len(n.Fields) != 1 {
		c.Errorf(n, "%s is a mapping of a source to a query, such as {prom: 'sum(…)'}", what)
		return nil
	}
	return c.query(n.Fields[0])
}

// exposures reads how those who were exposed are counted.
func (c Checker) exposures(n *source.Node) *plan.Exposures {
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
			if query = c.query(f); query == nil {
				return nil
			}
		}
	}
	if query == nil {
		c.Errorf(n, "there is no query; write one, such as {prom: 'sum(…)'}")
		return nil
	}
	e.Query = *query
	return e
}

// metrics reads what must hold.
func (c Checker) metrics(n *source.Node, g *Guard) {
	if !c.List(n, "\"metrics\"") {
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
		if !within.Keys(item, "a metric", "name", "bad", "value", "alarm", "command", "compare", "worse_by", "max",
			"failures", "on_fail") ||
			!within.Required(item, "the metric", "name") {
			continue
		}
		within.metric(item, &m)
		g.Metrics = append(g.Metrics, m)
	}
}

// metric reads one metric into m.
func (c Checker) metric(n *source.Node, m *plan.Metric) {
	if bad := n.Get("bad"); bad != nil {
		m.Bad = c.oneQuery(bad, "\"bad\"")
	}
	if value := n.Get("value"); value != nil {
		m.Value = c.oneQuery(value, "\"value\"")
	}
	if alarm := n.Get("alarm"); alarm != nil {
		m.Alarm = c.alarm(alarm)
	}
	if command := n.Get("command"); command != nil {
		m.Command = c.command(command)
	}
	c.limits(n, m)
	c.failures(n, m)
}

// limits reads when a number is a failure.
func (c Checker) limits(n *source.Node, m *plan.Metric) {
	compare, worse, most := n.Get("compare"), n.Get("worse_by"), n.Get("max")
	if compare != nil {
		if compare.Text != "rest" {
			c.Errorf(compare, "\"compare\" is rest, not %s: both arms are compared", compare.Describe())
		}
		m.Rest, m.WorseBy = true, defaultWorseBy
	}
	if worse != nil {
		portion, _ := c.PlainShare(worse, "\"worse_by\"")
		m.WorseBy = float64(portion) / share.Whole
	}
	if most == nil {
		return
	}
	var limit float64
	if m.Bad != nil {
		portion, _ := c.PlainShare(most, "\"max\"")
		limit = float64(portion) / share.Whole
	} else if v, ok := c.Number(most, "\"max\""); ok {
		limit, _ = v.Float()
	}
	m.Max = &limit
}

// alarm reads the ARN of an alarm.
func (c Checker) alarm(n *source.Node) string {
	at := n.Get("cloudwatch")
	if n.Kind != source.Mapping || at == nil || len(n.Fields) != 1 {
		c.Errorf(n, "\"alarm\" is {cloudwatch: ARN}, with the ARN of an alarm")
		return ""
	}
	arn, _ := c.Text(at, "\"cloudwatch\"")
	return arn
}

func (c Checker) command(n *source.Node) *plan.Command {
	if !c.Keys(n, "\"command\"", "run", "timeout") || !c.Required(n, "\"command\"", "run") ||
		!c.List(n.Get("run"), "\"run\"") {
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
		if parts == nil {
			c.Errorf(f, "\"failures\" is such as 2 of 3, not %s", f.Describe())
			return
		}
		m.Failures, _ = strconv.Atoi(parts[1])
		m.Looks, _ = strconv.Atoi(parts[2])
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
	}
}
