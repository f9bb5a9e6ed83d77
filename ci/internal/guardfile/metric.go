package guardfile

import (
	"regexp"
	"strconv"

	"github.com/serin-flags/serin/ci/internal/plan"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
)

// metrics reads what must hold.
func (c checker) metrics(n *source.Node, g *Guard) {
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
func (c checker) metric(n *source.Node, m *plan.Metric) {
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
func (c checker) limits(n *source.Node, m *plan.Metric) {
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
func (c checker) alarm(n *source.Node) string {
	at := n.Get("cloudwatch")
	if n.Kind != source.Mapping || at == nil || len(n.Fields) != 1 {
		c.Errorf(n, "\"alarm\" is {cloudwatch: ARN}, with the ARN of an alarm")
		return ""
	}
	arn, _ := c.Text(at, "\"cloudwatch\"")
	return arn
}

func (c checker) command(n *source.Node) *plan.Command {
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
func (c checker) failures(n *source.Node, m *plan.Metric) {
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
func (c checker) backOrHold(n *source.Node, what string) (back bool) {
	if n.Text != "back" && n.Text != "hold" {
		c.Errorf(n, "%s is back or hold, not %s", what, n.Describe())
	}
	return n.Text == "back"
}
