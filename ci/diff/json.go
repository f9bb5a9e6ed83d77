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
	Name     string `json:"name,omitempty"`
	Invented bool   `json:"invented"`
	People   int64  `json:"people"`
}

type jsonEnvironment struct {
	Environment string     `json:"environment,omitempty"`
	Flags       []jsonFlag `json:"flags"`
}

type jsonFlag struct {
	Flag      string      `json:"flag"`
	Namespace string      `json:"namespace"`
	Change    Change      `json:"change"`
	Moved     float64     `json:"moved"`
	Edits     []jsonEdit  `json:"edits"`
	Groups    []jsonGroup `json:"groups"`
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
	Ramp  bool       `json:"ramp,omitempty"`
	Moves []jsonMove `json:"moves"`
}

type jsonMove struct {
	From  string  `json:"from"`
	To    string  `json:"to"`
	Share float64 `json:"share"`
}

// JSON writes the report for programs. Shares are from 0 to 1.
func (r Report) JSON(w io.Writer) error {
	out := jsonReport{Old: r.Old, New: r.New, At: timeText(r.Now), Equal: r.Equal(), NotCompared: r.NotCompared, Environments: []jsonEnvironment{}}
	if c := r.Counted; c != nil {
		out.Population = &jsonPopulation{c.Name, c.Invented, c.People}
	}
	for _, e := range r.Environments {
		env := jsonEnvironment{e.Name, []jsonFlag{}}
		for _, f := range e.Flags {
			env.Flags = append(env.Flags, f.json())
		}
		out.Environments = append(out.Environments, env)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

func (f Flag) json() jsonFlag {
	out := jsonFlag{Flag: f.Key, Namespace: f.Namespace, Change: f.Change, Moved: f.Moved.Float(), Edits: []jsonEdit{}, Groups: []jsonGroup{}}
	for _, e := range f.Edits {
		out.Edits = append(out.Edits, jsonEdit(e))
	}
	for _, g := range f.Groups {
		group := jsonGroup{Rule: g.Rule, Who: g.Who, Exact: g.Exact, Ramp: g.Ramp, Moves: []jsonMove{}}
		for _, m := range g.Moves {
			group.Moves = append(group.Moves, jsonMove{m.From, m.To, m.Share.Float()})
		}
		out.Groups = append(out.Groups, group)
	}
	return out
}
