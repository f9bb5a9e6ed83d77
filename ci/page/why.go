package page

import (
	"fmt"
	"strconv"
	"time"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/display"
)

// A why is an answer and what led to it.
type why struct {
	Flag        string `json:"flag"`
	Environment string `json:"environment,omitempty"`
	Variant     string `json:"variant"`
	Value       string `json:"value"`  // JSON
	Answer      string `json:"answer"` // a sentence
	Steps       []move `json:"steps"`
}

// A move is a step that led to an answer.
type move struct {
	Mark  string `json:"mark"` // yes, no or skipped
	Text  string `json:"text"`
	Steps []move `json:"steps,omitempty"`
}

// mark returns the mark of what holds or doesn't.
func mark(holds bool) string {
	if holds {
		return "yes"
	}
	return "no"
}

// teller says traces in sentences. It goes through the flag along with its trace, because a
// trace abbreviates lists of IDs, but shows the first ones.
type teller struct {
	speaker
	environment string
}

// why says what led to an answer.
func (t teller) why(f *evaluator.Flag, trace *evaluator.Trace) why {
	w := why{
		Flag: f.Key, Environment: t.environment, Variant: display.Line(trace.Variant),
		Value: clip(display.Line(string(trace.Value.JSON()))),
	}
	w.Answer = fmt.Sprintf("%s serves %s: %s.", f.Key, w.Variant, reasonOf(trace))
	w.Steps = t.steps(f, trace)
	return w
}

func reasonOf(t *evaluator.Trace) string {
	switch t.Reason {
	case evaluator.ReasonDisabled:
		return "the flag is disabled"
	case evaluator.ReasonStale:
		return "the flags are older than the flag allows"
	case evaluator.ReasonTargetingMatch:
		return fmt.Sprintf("the rule “%s” matched", display.Line(t.Rule))
	case evaluator.ReasonSplit:
		return fmt.Sprintf("the rule “%s” matched, and its split chose this variant", display.Line(t.Rule))
	case evaluator.ReasonStatic:
		return "the flag has no rules, so everyone gets its default"
	}
	if t.MissingUnit != "" {
		return fmt.Sprintf("no rule matched, so it is the default; a split needs %s, which is missing or can't be hashed", display.Line(t.MissingUnit))
	}
	return "no rule matched, so it is the default"
}

func (t teller) steps(f *evaluator.Flag, trace *evaluator.Trace) []move {
	moves := []move{}
	if s := trace.Stale; s != nil {
		moves = append(moves, move{Mark: mark(!s.Stale),
			Text: fmt.Sprintf("The flags may be %s old, and are %s old.", seconds(int64(s.After)), seconds(s.Age))})
	}
	if trace.Reserved != nil {
		moves = append(moves, t.draw(trace.Reserved))
	}
	for i := range trace.Rules {
		if i >= len(f.Rules) {
			break
		}
		moves = append(moves, t.rule(&f.Rules[i], &trace.Rules[i]))
	}
	return moves
}

func seconds(n int64) string { return (time.Duration(n) * time.Second).String() }

func (t teller) rule(r *evaluator.Rule, trace *evaluator.RuleTrace) move {
	name := fmt.Sprintf("Rule “%s”", display.Line(r.Name))
	if !trace.Reached {
		return move{Mark: "skipped", Text: name + " wasn't reached"}
	}
	m := move{Mark: mark(trace.Matched), Text: name + " doesn't match"}
	if trace.Matched {
		m.Text = name + " matches"
	}
	if trace.When != nil && r.When != nil {
		m.Steps = append(m.Steps, t.told(r.When, trace.When))
	}
	if trace.Draw != nil {
		m.Steps = append(m.Steps, t.draw(trace.Draw))
	}
	return m
}

// told says what became of a condition.
func (t teller) told(c *evaluator.Condition, trace *evaluator.ConditionTrace) move {
	m := move{Mark: mark(trace.Holds)}
	if c.Op.Combines() {
		m.Text = map[evaluator.Op]string{evaluator.OpAll: "All of these:", evaluator.OpAny: "One of these:",
			evaluator.OpNot: "Not this:"}[c.Op]
		for i := range trace.Of {
			if i < len(c.Of) {
				m.Steps = append(m.Steps, t.told(&c.Of[i], &trace.Of[i]))
			}
		}
		return m
	}
	var s sentence
	t.comparison(&s, c)
	m.Text = s.String()
	switch hidden := c.Op == evaluator.OpServes && !t.sees(c.Strings[0]); {
	case hidden:
	case trace.Value.Kind() == evaluator.KindNone && c.Attribute != "":
		m.Text += ": it is missing"
	case trace.Value.Kind() != evaluator.KindNone:
		m.Text += ": it is " + clip(display.Line(string(trace.Value.JSON())))
	}
	if trace.Unfit != "" {
		m.Text += ", which can't be read as " + trace.Unfit
	}
	if trace.Found != "" {
		m.Text += fmt.Sprintf(", on the list of who is %sd", trace.Found)
	}
	if d := trace.Draw; d != nil && !d.Missing {
		m.Text += fmt.Sprintf(", at position %d", d.Position)
	}
	t.below(&m, c, trace)
	return m
}

// below adds what a segment and another flag said.
func (t teller) below(m *move, c *evaluator.Condition, trace *evaluator.ConditionTrace) {
	if c.Op == evaluator.OpInSegment && len(trace.Of) == 1 {
		if s := t.model.segments[c.Strings[0]]; s != nil && s.When != nil {
			m.Steps = append(m.Steps, t.told(s.When, &trace.Of[0]))
		}
	}
	if trace.Prerequisite == nil || !t.sees(trace.Prerequisite.Flag) {
		return
	}
	if f := t.model.byKey[trace.Prerequisite.Flag]; f != nil {
		if v := f.in(t.environment); v != nil {
			m.Steps = append(m.Steps, t.steps(v.flag, trace.Prerequisite)...)
		}
	}
}

func (t teller) draw(d *evaluator.Draw) move {
	where := "The split"
	if d.Layer != "" {
		where = "The layer “" + display.Line(d.Layer) + "”"
	}
	if d.Missing {
		why := "is missing"
		if d.Unit.Kind() != evaluator.KindNone {
			why = "can't be hashed"
		}
		return move{Mark: "no", Text: fmt.Sprintf("%s needs %s, which %s", where, display.Line(d.By), why)}
	}
	by := "by chance"
	if d.By != "" {
		by = fmt.Sprintf("by %s %s", display.Line(d.By), clip(display.Line(string(d.Unit.JSON()))))
	}
	share := func(n uint64) string { return percent(float64(n) / float64(max(d.Positions, 1))) }
	m := move{Mark: "yes", Text: fmt.Sprintf("%s, %s: position %s, between %s and %s", where, by, share(d.Position),
		share(d.From), share(d.To))}
	switch {
	case d.Variant != "":
		m.Text += ": " + display.Line(d.Variant)
	case d.Within:
		m.Text += ": reserved for this flag"
	default:
		m.Mark = "no"
		m.Text += ": not for this flag"
	}
	if d.Ramp != nil && d.Ramp.Next != "" {
		m.Text += fmt.Sprintf("; the ramp reaches %s at %s", share(d.Ramp.Level), d.Ramp.Next)
	}
	return m
}

// percent returns a share with four digits after the point, which says where a position is.
func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 4, 64) + "%" }
