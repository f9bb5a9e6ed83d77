// Package guardfile reads guard files, which say what a release must not make worse.
//
// It checks the shape of a file and turns it into a [plan.Guard], which knows what guards can say.
// Start at [Read].
package guardfile

import (
	"time"

	"github.com/serin-flags/serin/ci/internal/phrase"
	"github.com/serin-flags/serin/ci/internal/plan"
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

var guardKeys = []string{"description", "environments", "sources", "exposures", "metrics", "min", "no_data", "watch",
	"alpha", "lint"}

// A checker reads the nodes of one guard file, and records what is wrong with them.
type checker struct {
	phrase.Reader
	environment func(name string) error
}

// Within returns a checker whose messages start with the formatted text.
func (c checker) Within(format string, args ...any) checker {
	c.Reader = c.Reader.Within(format, args...)
	return c
}

// Read reads a guard file: it checks the shape, and [plan.Guard.Problems] what the guard says.
// The function environment says what is wrong with the name of one.
func Read(r phrase.Reader, environment func(name string) error) *Guard {
	g := &Guard{File: r.File, Guard: plan.Guard{Name: r.File.Stem(), Alpha: defaultAlpha,
		Sources: make(map[string]plan.Source)}}
	checker{r, environment}.guard(g)
	return g
}

// guard reads a guard file into g.
func (c checker) guard(g *Guard) {
	if why := phrase.CheckKey(g.Name); why != "" {
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
	c.Silences(n.Get("lint"))
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

// guardedIn reads where a guard counts.
func (c checker) guardedIn(n *source.Node) (names []string) {
	if !c.List(n, "\"environments\"") {
		return nil
	}
	for _, item := range n.Items {
		name, ok := c.Name(item, "an environment")
		if !ok {
			continue
		}
		if err := c.environment(name); err != nil {
			c.Errorf(item, "%v", err)
		}
		names = append(names, name)
	}
	return names
}

// patience reads how long a guard waits, and for what.
func (c checker) patience(n *source.Node, g *Guard) {
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

// sensible records what is wrong with what the guard says. That makes sense only of a guard whose
// shape is right.
func (c checker) sensible(n *source.Node, g *Guard) {
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
