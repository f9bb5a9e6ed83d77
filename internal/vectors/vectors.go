// Package vectors reads the test vectors of testdata/vectors: rulesets with
// contexts and the answers that every implementation must give, and units with
// their positions. What they mean is in the README there.
//
// It is for tests only. It is strict: a member that it doesn't know, a value of
// another type or a name that occurs twice is an error, so that no part of a
// vector is passed over in silence.
package vectors

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// A Scenario is one file of the folder evaluation.
type Scenario struct {
	// Name is the file's, without its extension. It is a valid namespace.
	Name        string
	Description string
	Ruleset     evaluator.Ruleset
	Cases       []Case
}

// A Case is one question to a flag, and the answer to it.
type Case struct {
	Name    string
	Flag    string          // key
	Context json.RawMessage // an OpenFeature context, as OFREP carries it
	Now     *int64          // Unix time in seconds; nil: any time from 2001 to 2100
	Age     int64           // how long ago, in seconds, the flags were confirmed to be the latest
	Chance  *uint32         // the position that is drawn; nil: any
	Want    Answer
}

// An Answer is what a flag says.
type Answer struct {
	Value       json.RawMessage // null if Reason is ERROR
	Variant     string
	Reason      string
	Rule        string
	MissingUnit string
	Arm         string
	Metadata    map[string]json.RawMessage // nil: none
}

// A Row is one position of a unit.
type Row struct {
	Salt     string `json:"salt"`
	Unit     string `json:"unit"`           // empty: a vector of the hash alone
	Seed     uint32 `json:"seed,omitempty"` // of murmur3_x64_128
	Position uint64 `json:"position"`
	// Hash and Positions are those of the Bucketing; absent: murmur3_x64_128, and
	// the hash's own number.
	Hash      string `json:"hash,omitempty"`
	Positions uint64 `json:"positions,omitempty"`
}

// Bucketing returns how the row's position is found, by the attribute user.
func (r Row) Bucketing() evaluator.Bucketing {
	return evaluator.Bucketing{By: "user", Salt: r.Salt, Hash: cmp.Or(r.Hash, evaluator.HashMurmur3),
		Positions: r.Positions}
}

// Scenarios reads all scenarios in the folder evaluation of fsys, by name.
// Their flags' keys are unique over all of them.
func Scenarios(fsys fs.FS) ([]Scenario, error) {
	names, err := fs.Glob(fsys, "evaluation/*.json")
	if err == nil && len(names) == 0 {
		err = errors.New("there are none in the folder evaluation")
	}
	if err != nil {
		return nil, fmt.Errorf("reading scenarios: %w", err)
	}
	var list []Scenario
	owner := make(map[string]string) // scenario by key
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("reading scenarios: %w", err)
		}
		s, err := ParseScenario(strings.TrimSuffix(path.Base(name), ".json"), data)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		for _, f := range s.Ruleset.Flags {
			if other, ok := owner[f.Key]; ok {
				return nil, fmt.Errorf("reading %s: the flag %q is in %s too", name, f.Key, other)
			}
			owner[f.Key] = s.Name
		}
		list = append(list, s)
	}
	return list, nil
}

// ParseScenario reads one scenario.
func ParseScenario(name string, data []byte) (Scenario, error) {
	var file struct {
		Description string     `json:"description"`
		Ruleset     ruleset    `json:"ruleset"`
		Cases       []caseJSON `json:"cases"`
	}
	if err := decode(data, &file); err != nil {
		return Scenario{}, err
	}
	if file.Description == "" || len(file.Cases) == 0 {
		return Scenario{}, errors.New("there is no description, or no case")
	}
	s := Scenario{Name: name, Description: file.Description, Ruleset: file.Ruleset.Ruleset}
	seen := make(map[string]bool)
	for _, c := range file.Cases {
		if c.Name == "" || seen[c.Name] {
			return Scenario{}, fmt.Errorf("the case name %q is empty or not unique", c.Name)
		}
		seen[c.Name] = true
		made, err := c.make()
		if err != nil {
			return Scenario{}, fmt.Errorf("case %q: %w", c.Name, err)
		}
		s.Cases = append(s.Cases, made)
	}
	return s, nil
}

type caseJSON struct {
	Name    string          `json:"name"`
	Flag    string          `json:"flag"`
	Context json.RawMessage `json:"context"`
	Now     *int64          `json:"now"`
	Age     int64           `json:"age"`
	Chance  *uint32         `json:"chance"`
	Expect  *struct {
		Value       json.RawMessage            `json:"value"`
		Variant     *string                    `json:"variant"`
		Reason      string                     `json:"reason"`
		Rule        string                     `json:"rule"`
		MissingUnit string                     `json:"missingUnit"`
		Arm         string                     `json:"arm"`
		Metadata    map[string]json.RawMessage `json:"metadata"`
	} `json:"expect"`
}

func (c caseJSON) make() (Case, error) {
	if c.Flag == "" || len(c.Context) == 0 || c.Context[0] != '{' {
		return Case{}, errors.New("there is no flag, or no context")
	}
	e := c.Expect
	if e == nil || e.Value == nil || e.Variant == nil || e.Reason == "" {
		return Case{}, errors.New("the answer lacks value, variant or reason")
	}
	if (e.Reason == "ERROR") != (*e.Variant == "") {
		return Case{}, errors.New("an answer has a variant unless its reason is ERROR")
	}
	return Case{
		Name: c.Name, Flag: c.Flag, Context: c.Context, Now: c.Now, Age: c.Age, Chance: c.Chance,
		Want: Answer{Value: e.Value, Variant: *e.Variant, Reason: e.Reason, Rule: e.Rule, MissingUnit: e.MissingUnit,
			Arm: e.Arm, Metadata: e.Metadata},
	}, nil
}

// Positions reads the rows of bucketing.jsonl in fsys.
func Positions(fsys fs.FS) ([]Row, error) {
	data, err := fs.ReadFile(fsys, "bucketing.jsonl")
	if err != nil {
		return nil, fmt.Errorf("reading positions: %w", err)
	}
	var rows []Row
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var row Row
		if err := decode(lines.Bytes(), &row); err != nil {
			return nil, fmt.Errorf("reading bucketing.jsonl, line %d: %w", len(rows)+1, err)
		}
		rows = append(rows, row)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading bucketing.jsonl: %w", err)
	}
	return rows, nil
}

// compareBucketings orders by salt, hash and number of positions.
func compareBucketings(a, b evaluator.Bucketing) int {
	return cmp.Or(cmp.Compare(a.Salt, b.Salt), cmp.Compare(a.Hash, b.Hash), cmp.Compare(a.Positions, b.Positions))
}

// Bucketing returns a scenario in which every row is a case: for each salt and hash
// there is a flag that serves each of its positions as a variant of its own. The
// values are texts, because positions may have more bits than numbers of JSON.
func Bucketing(rows []Row) Scenario {
	s := Scenario{Name: "bucketing", Ruleset: evaluator.Ruleset{
		Unit: "user", Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}},
	}}
	positions := make(map[evaluator.Bucketing][]uint64)
	for _, row := range rows {
		b := row.Bucketing()
		positions[b] = append(positions[b], row.Position)
	}
	keys := make(map[evaluator.Bucketing]string) // of flags
	for i, b := range slices.SortedFunc(maps.Keys(positions), compareBucketings) {
		keys[b] = fmt.Sprintf("bucketing-%d", i)
		s.Ruleset.Flags = append(s.Ruleset.Flags, positionFlag(keys[b], b, positions[b]))
	}
	for i, row := range rows {
		unit, _ := json.Marshal(row.Unit) // texts have a JSON form
		c := Case{
			Name:    fmt.Sprintf("bucketing.jsonl, line %d", i+1),
			Flag:    keys[row.Bucketing()],
			Context: json.RawMessage(`{"targetingKey":` + string(unit) + `}`),
		}
		position := fmt.Sprint(row.Position)
		c.Want = Answer{Value: json.RawMessage(`"` + position + `"`), Variant: position, Reason: "SPLIT", Rule: "all"}
		if row.Unit == "" {
			c.Want = Answer{Value: json.RawMessage(`"other"`), Variant: "other", Reason: "DEFAULT", MissingUnit: "user"}
		}
		s.Cases = append(s.Cases, c)
	}
	return s
}

// positionFlag returns a flag that serves each of the positions as it is.
func positionFlag(key string, b evaluator.Bucketing, positions []uint64) evaluator.Flag {
	f := evaluator.Flag{Key: key, Type: evaluator.KindString,
		Variants: []evaluator.Variant{{Name: "other", Value: evaluator.StringValue("other")}}}
	split := &evaluator.Split{Bucketing: b}
	from := uint64(0)
	for _, at := range slices.Compact(slices.Sorted(slices.Values(positions))) {
		if from < at {
			split.Ranges = append(split.Ranges, evaluator.Range{From: from, To: at})
		}
		split.Ranges = append(split.Ranges, evaluator.Range{From: at, To: at + 1, Variant: len(f.Variants)})
		f.Variants = append(f.Variants,
			evaluator.Variant{Name: fmt.Sprint(at), Value: evaluator.StringValue(fmt.Sprint(at))})
		from = at + 1
	}
	if total := b.Total(); from < total {
		split.Ranges = append(split.Ranges, evaluator.Range{From: from, To: total})
	}
	f.Rules = []evaluator.Rule{{Name: "all", Split: split}}
	return f
}

// decode decodes one JSON document whose members are all known.
func decode(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is something after the JSON document")
	}
	return unique(json.NewDecoder(bytes.NewReader(data)))
}

// unique reports a member that an object has twice. Decoding takes the last and
// says nothing of the others. Contexts may have such.
func unique(d *json.Decoder) error {
	open, err := d.Token()
	if err != nil || open != json.Delim('{') && open != json.Delim('[') {
		return err
	}
	seen := make(map[json.Token]bool)
	for err == nil && d.More() {
		var name json.Token
		if open == json.Delim('{') {
			if name, err = d.Token(); err != nil || seen[name] {
				return cmp.Or(err, fmt.Errorf("the member %q occurs twice", name))
			}
			seen[name] = true
		}
		if name == "context" {
			err = d.Decode(new(json.RawMessage))
		} else {
			err = unique(d)
		}
	}
	if err == nil {
		_, err = d.Token()
	}
	return err
}

// Equal reports whether two JSON documents say the same: numbers by their value,
// integers to the last digit, and objects whatever the order of their members.
func Equal(a, b json.RawMessage) bool {
	x, errA := parse(a)
	y, errB := parse(b)
	return errA == nil && errB == nil && same(x, y)
}

func parse(data json.RawMessage) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			if w, ok := b[k]; !ok || !same(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !same(a[i], b[i]) {
				return false
			}
		}
		return true
	case json.Number:
		b, ok := b.(json.Number)
		return ok && sameNumber(a, b)
	}
	return a == b
}

func sameNumber(a, b json.Number) bool {
	m, errA := a.Int64()
	n, errB := b.Int64()
	if errA == nil && errB == nil {
		return m == n
	}
	const exact = 1 << 53 // up to here an integer is the same as a binary64
	x, errX := a.Float64()
	y, errY := b.Float64()
	return errX == nil && errY == nil && x == y && (errA != nil && errB != nil || math.Abs(x) < exact)
}

// Same reports whether two answers say the same.
func (a Answer) Same(b Answer) bool {
	if a.Variant != b.Variant || a.Reason != b.Reason || a.Rule != b.Rule || a.MissingUnit != b.MissingUnit ||
		a.Arm != b.Arm ||
		len(a.Metadata) != len(b.Metadata) || !Equal(a.Value, b.Value) {
		return false
	}
	for name, v := range a.Metadata {
		if w, ok := b.Metadata[name]; !ok || !Equal(v, w) {
			return false
		}
	}
	return true
}

// AnswerOf returns what a result says.
func AnswerOf(r evaluator.Result) Answer {
	a := Answer{Value: r.Value().JSON(), Variant: r.Variant(), Reason: r.Reason().String(), Rule: r.Rule(),
		MissingUnit: r.MissingUnit(), Arm: r.Arm()}
	for _, m := range r.Metadata() {
		if a.Metadata == nil {
			a.Metadata = make(map[string]json.RawMessage)
		}
		a.Metadata[m.Name] = m.Value.JSON()
	}
	return a
}

// String returns the answer as JSON.
func (a Answer) String() string {
	b, err := json.Marshal(a)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
