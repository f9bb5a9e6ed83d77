package guard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/internal/plan"
)

// maxEvidence is the length in bytes from which on the texts in evidence are cut. No guard
// can have so many metrics that it is longer then.
const maxEvidence = 256 << 10

// An evidence is the document about a decision.
type evidence struct {
	Version     int        `json:"version"`
	Flag        string     `json:"flag"`
	Environment string     `json:"environment"`
	Rule        string     `json:"rule"`
	Guard       string     `json:"guard"`
	Time        time.Time  `json:"time"`
	Decision    Action     `json:"decision"`
	Reason      string     `json:"reason"`
	Until       time.Time  `json:"until,omitzero"`
	Step        int        `json:"step"`
	Steps       int        `json:"steps"`
	Since       time.Time  `json:"since,omitzero"`
	From        plan.Share `json:"from"`
	To          plan.Share `json:"to"`
	*Findings
}

// Evidence returns what the decision rests on, as a JSON document of at most 256 KiB that
// ends with a line break. The same decision has the same document.
func (d *Decision) Evidence() ([]byte, error) {
	e := evidence{
		Version: 1, Flag: d.Plan.Flag, Environment: d.Plan.Environment, Rule: d.Plan.Rule, Time: d.Time.UTC(),
		Decision: d.Action, Reason: short(d.Reason), Until: d.Until.UTC(), Step: d.Step, Steps: len(d.Plan.Steps),
		Since: d.line.Since.UTC(), From: d.From, To: d.To, Findings: d.Findings,
	}
	if d.Until.IsZero() {
		e.Until = time.Time{}
	}
	if d.Plan.Guard != nil {
		e.Guard = d.Plan.Guard.Name
	}
	data, err := encode(e)
	if err == nil && len(data) > maxEvidence {
		e.Findings = cut(d.Findings, 200)
		data, err = encode(e)
	}
	if err != nil {
		return nil, fmt.Errorf("writing the evidence about %s: %w", d.Plan.Flag, err)
	}
	return data, nil
}

func encode(e evidence) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // or queries would be hard to read
	encoder.SetIndent("", "  ")
	err := encoder.Encode(e)
	return b.Bytes(), err
}

// cut returns findings whose texts have at most so many bytes.
func cut(all *Findings, bytes int) *Findings {
	one := func(f Finding) Finding {
		f.Output = clip(f.Output, bytes)
		f.Queries = slices.Clone(f.Queries)
		for i := range f.Queries {
			f.Queries[i].Text = clip(f.Queries[i].Text, bytes)
		}
		return f
	}
	short := Findings{Exposures: all.Exposures, Mismatch: all.Mismatch}
	if all.Exposures != nil {
		short.Exposures = pointerTo(one(*all.Exposures))
	}
	for _, f := range all.Metrics {
		short.Metrics = append(short.Metrics, one(f))
	}
	return &short
}

// Text returns the decision and its evidence in a few lines, for commits, comments and
// messages. The first line is that of String.
func (d *Decision) Text() string {
	var b strings.Builder
	b.WriteString(d.String() + "\n")
	if d.Step > 0 {
		fmt.Fprintf(&b, "\nStep %d of %d, cleared at %s by %s.\n", d.Step, len(d.Plan.Steps),
			clock(d.line.Since), d.line.By)
	}
	if d.Findings == nil {
		return b.String()
	}
	b.WriteString("\n")
	write := func(name string, f *Finding) {
		if f != nil {
			fmt.Fprintf(&b, "- %s: %s: %s\n", name, f.Verdict, f.Reason)
		}
	}
	write("exposures", d.Findings.Exposures)
	write("sample ratio", d.Findings.Mismatch)
	for i := range d.Findings.Metrics {
		write(d.Findings.Metrics[i].Metric, &d.Findings.Metrics[i])
	}
	return b.String()
}
