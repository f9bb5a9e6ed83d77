package diff

import (
	"encoding/json"
	"io"
)

// The form of a report as JSON. Members may be added.
type jsonReport struct {
	Old          string            `json:"old"`
	New          string            `json:"new"`
	At           string            `json:"at"`
	Equal        bool              `json:"equal"`
	NotCompared  string            `json:"not_compared,omitempty"`
	Population   *jsonPopulation   `json:"population,omitempty"`
	Environments []jsonEnvironment `json:"environments"`
}

type jsonPopulation struct {
	Name   string `json:"name"`
	People int64  `json:"people"`
}

type jsonEnvironment struct {
	Environment string     `json:"environment,omitempty"`
	Flags       []jsonFlag `json:"flags"`
}

type jsonFlag struct {
	Flag      string        `json:"flag"`
	Was       string        `json:"was,omitempty"`
	Namespace string        `json:"namespace"`
	Change    Change        `json:"change"`
	Verdict   Verdict       `json:"verdict,omitempty"`
	Moved     *float64      `json:"moved,omitempty"` // of a flag that changed, if it is known
	Named     int           `json:"named,omitempty"`
	Edits     []jsonEdit    `json:"edits"`
	Groups    []jsonGroup   `json:"groups"`
	Examples  []jsonExample `json:"examples,omitempty"`
}

type jsonExample struct {
	Context json.RawMessage `json:"context"`
	At      string          `json:"at"`
	Age     int64           `json:"age,omitempty"` // of the flags, in seconds
	Chance  uint32          `json:"chance,omitempty"`
	From    string          `json:"from"`
	To      string          `json:"to"`
	Command string          `json:"command,omitempty"`
}

type jsonEdit struct {
	Kind  Kind   `json:"kind"`
	Rule  string `json:"rule,omitempty"`
	Words string `json:"words"`
}

type jsonGroup struct {
	Rule  string     `json:"rule,omitempty"`
	Who   string     `json:"who"`
	Exact bool       `json:"exact"`
	At    string     `json:"at,omitempty"` // if it isn't the present
	Moves []jsonMove `json:"moves"`
}

type jsonMove struct {
	From  string  `json:"from"`
	To    string  `json:"to"`
	Share float64 `json:"share"`
}

// JSON writes the report for programs. Shares are from 0 to 1.
func (r Report) JSON(w io.Writer) error {
	out := jsonReport{Old: r.Old, New: r.New, At: timeText(r.Now), Equal: r.Equal(), NotCompared: r.NotCompared,
		Environments: []jsonEnvironment{}}
	if c := r.Counted; c != nil {
		out.Population = &jsonPopulation{c.Name, c.People}
	}
	for _, e := range r.Environments {
		env := jsonEnvironment{e.Name, []jsonFlag{}}
		for _, f := range e.Flags {
			env.Flags = append(env.Flags, r.json(e.Name, &f))
		}
		out.Environments = append(out.Environments, env)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

func (r *Report) json(environment string, f *Flag) jsonFlag {
	out := jsonFlag{
		Flag: f.Key, Was: f.Was, Namespace: f.Namespace, Change: f.Change, Verdict: f.Verdict, Named: f.Named,
		Edits: []jsonEdit{}, Groups: []jsonGroup{},
	}
	if f.compared() && !f.Unknown && f.Verdict != VerdictNamed {
		moved := f.Moved.Float()
		out.Moved = &moved
	}
	for _, e := range f.Edits {
		out.Edits = append(out.Edits, jsonEdit(e))
	}
	for _, g := range f.Groups {
		group := jsonGroup{Rule: g.Rule, Who: g.Who, Exact: g.Exact, Moves: []jsonMove{}}
		if g.At != 0 {
			group.At = timeText(g.At)
		}
		for _, m := range g.Moves {
			group.Moves = append(group.Moves, jsonMove{m.From, m.To, m.Share.Float()})
		}
		out.Groups = append(out.Groups, group)
	}
	for i := range f.Examples {
		e := &f.Examples[i]
		out.Examples = append(out.Examples, jsonExample{
			e.json(), timeText(e.Context.Now), e.Context.Age, e.Context.Chance, e.From, e.To,
			r.command(f, environment, e),
		})
	}
	return out
}
