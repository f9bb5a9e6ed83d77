package guardfile

import (
	"time"

	"github.com/serin-flags/serin/ci/internal/phrase"
	"github.com/serin-flags/serin/ci/internal/plan"
	"github.com/serin-flags/serin/ci/internal/source"
)

// sources reads where metrics come from.
func (c checker) sources(n *source.Node, g *Guard) {
	if n.Kind != source.Mapping || len(n.Fields) == 0 {
		c.Errorf(n, "\"sources\" is a mapping of names to places, such as {prom: {prometheus: \"https://prometheus.example.com\"}}")
		return
	}
	for _, f := range n.Fields {
		c := c.Within("source %q", f.Key.Text)
		if why := phrase.CheckName(f.Key.Text); why != "" {
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
func (c checker) length(n *source.Node, what string) plan.Duration {
	seconds, _ := c.Duration(n, what)
	return plan.Duration(time.Duration(seconds) * time.Second)
}

// query reads the mapping of a source to what it is asked.
func (c checker) query(f source.Field) *plan.Query {
	text, ok := c.Text(f.Value, "the query")
	if !ok {
		return nil
	}
	return &plan.Query{Source: f.Key.Text, Text: text}
}

// oneQuery reads {SOURCE: QUERY}.
func (c checker) oneQuery(n *source.Node, what string) *plan.Query {
	if n.Kind != source.Mapping || len(n.Fields) != 1 {
		c.Errorf(n, "%s is a mapping of a source to a query, such as {prom: 'sum(…)'}", what)
		return nil
	}
	return c.query(n.Fields[0])
}

// exposures reads how those who were exposed are counted.
func (c checker) exposures(n *source.Node) *plan.Exposures {
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
