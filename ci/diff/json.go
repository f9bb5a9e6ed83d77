package diff

import (
	"encoding/json"
	"io"
)

// The JSON form of a report. Programs rely on it, so members may be added but never removed. Lists are
// empty rather than null, shares are from 0 to 1, and times are in the format of RFC 3339, in UTC.

// A jsonReport is the whole report. Equal says that nothing differs; with NotCompared, nobody knows.
type jsonReport struct {
	Old          string            `json:"old"`
	New          string            `json:"new"`
	At           string            `json:"at"`
	Equal        bool              `json:"equal"`
	NotCompared  string            `json:"not_compared,omitempty"`
	Population   *jsonPopulation   `json:"population,omitempty"`
	Environments []jsonEnvironment `json:"environments"`
}

// A jsonPopulation is the population that was counted.
type jsonPopulation struct {
	Name   string `json:"name"`
	People int64  `json:"people"`
}

// A jsonEnvironment has the flags that differ. The flag that changes most comes first.
type jsonEnvironment struct {
	Environment string     `json:"environment,omitempty"`
	Flags       []jsonFlag `json:"flags"`
}

// A jsonFlag is a flag that differs. Added and removed flags have no Verdict. Moved is missing if it
// isn't known how many users get a different value.
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

// A jsonExample is a context and everything needed to evaluate it. Command is for a terminal; it is missing
// if both sides are revisions.
type jsonExample struct {
	Context json.RawMessage `json:"context"`
	At      string          `json:"at"`
	Age     int64           `json:"age,omitempty"` // of the flags, in seconds
	Chance  uint32          `json:"chance,omitempty"`
	From    string          `json:"from"`
	To      string          `json:"to"`
	Command string          `json:"command,omitempty"`
}

// A jsonEdit is an edit. Its words are for people and change from version to version.
type jsonEdit struct {
	Kind  Kind   `json:"kind"`
	Rule  string `json:"rule,omitempty"`
	Words string `json:"words"`
}

// A jsonGroup is a group of users and the shares that move. Exact means that the shares are computed, not
// counted.
type jsonGroup struct {
	Rule  string     `json:"rule,omitempty"`
	Who   string     `json:"who"`
	Exact bool       `json:"exact"`
	At    string     `json:"at,omitempty"` // if it isn't the present
	Moves []jsonMove `json:"moves"`
}

// A jsonMove has the same variant twice if only the value of the variant changed.
type jsonMove struct {
	From  string  `json:"from"`
	To    string  `json:"to"`
	Share float64 `json:"share"`
}

// JSON writes the report for programs, as one indented object. Shares are from 0 to 1, times are in the
// format of RFC 3339, and members may be added. The error is w's.
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

// json returns the form of a flag.
func (r *Report) json(environment string, f *Flag) jsonFlag {
	out := jsonFlag{
		Flag: f.Key, Was: f.Was, Namespace: f.Namespace, Change: f.Change, Verdict: f.Verdict, Named: f.Named,
		Edits: []jsonEdit{}, Groups: []jsonGroup{},
	}
	if f.compared() && !f.Unknown && f.Verdict != VerdictNamed {
		moved := f.Moved.float()
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
			group.Moves = append(group.Moves, jsonMove{m.From, m.To, m.Share.float()})
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
