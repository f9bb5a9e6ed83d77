package importer

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/evaluator"
)

// maxDecision is the length of the longest line of decisions, in bytes.
const maxDecision = 1 << 20

// A Verification is how recorded decisions compare with those of a folder.
type Verification struct {
	Same, Different int
	Lines           []Agreement // by flag, then rule
}

// An Agreement is how many of the decisions that a rule made are those recorded.
type Agreement struct {
	Flag, Rule      string // Rule is empty where no rule served
	Same, Different int
	First           int // the line of the first decision that differs; 0 if there is none
}

// A decision is one recorded answer.
type decision struct {
	Flag    string          `json:"flag"`
	Context json.RawMessage `json:"context"`
	Value   any             `json:"value"`
	Variant *string         `json:"variant"`
	At      *time.Time      `json:"at"`
}

// Verify evaluates the flags of an environment ("": without overrides) for the contexts of
// recorded decisions, one JSON object per line with the flag's key, the context, the value,
// and the variant or the time ("at") where they are known. It holds one line at a time.
func Verify(estate *ci.Estate, environment string, in io.Reader) (*Verification, error) {
	payloads, err := estate.Compile(environment)
	if err != nil {
		return nil, err
	}
	sets := make([]evaluator.Ruleset, len(payloads))
	for i, p := range payloads {
		sets[i] = p.Ruleset
	}
	flags, err := evaluator.Compile(sets...)
	if err != nil {
		return nil, err
	}
	v, byRule := new(Verification), make(map[[2]string]*Agreement)
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxDecision)
	number := 0
	for lines.Scan() {
		if number++; len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		rule, flag, same, err := replay(lines.Bytes(), flags)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		a := byRule[[2]string{flag, rule}]
		if a == nil {
			a = &Agreement{Flag: flag, Rule: rule}
			byRule[[2]string{flag, rule}] = a
		}
		switch {
		case same:
			a.Same++
			v.Same++
		default:
			a.Different++
			v.Different++
			a.First = cmp.Or(a.First, number)
		}
	}
	for _, a := range byRule {
		v.Lines = append(v.Lines, *a)
	}
	slices.SortFunc(v.Lines, func(a, b Agreement) int { return cmp.Or(cmp.Compare(a.Flag, b.Flag), cmp.Compare(a.Rule, b.Rule)) })
	return v, lines.Err()
}

// replay makes a decision again.
func replay(line []byte, flags *evaluator.Program) (rule, key string, same bool, err error) {
	var d decision
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	if err := decoder.Decode(&d); err != nil {
		return "", "", false, errors.New("it isn't a JSON object with a flag, a context and a value")
	}
	f := flags.Flag(d.Flag)
	if f == nil {
		return "(there is no such flag)", d.Flag, false, nil
	}
	var ctx evaluator.Context
	if len(d.Context) > 0 {
		if ctx, err = evaluator.DecodeContext(d.Context); err != nil {
			return "", "", false, err
		}
	}
	ctx.Now = time.Now().Unix()
	if d.At != nil {
		ctx.Now = d.At.Unix()
	}
	result := f.Evaluate(&ctx)
	same = d.Variant == nil || *d.Variant == result.Variant()
	if d.Value != nil || d.Variant == nil {
		same = same && equalJSON(d.Value, result.Value().JSON())
	}
	return result.Rule(), d.Flag, same, nil
}

// equalJSON reports whether a decoded value is that of some JSON.
func equalJSON(want any, text []byte) bool {
	var got any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&got) != nil {
		return false
	}
	return reflect.DeepEqual(floats(want), floats(got))
}

// floats returns a decoded value with all numbers as float64: 1 and 1.0 are equal.
func floats(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		if f, err := v.Float64(); err == nil {
			if f == float64(int64(f)) {
				return int64(f)
			}
			return f
		}
	case []any:
		for i := range v {
			v[i] = floats(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = floats(v[k])
		}
	}
	return v
}

// Write prints a line for each flag and rule.
func (v *Verification) Write(w io.Writer) error {
	for _, a := range v.Lines {
		rule := "no rule"
		if a.Rule != "" {
			rule = fmt.Sprintf("rule %q", a.Rule)
		}
		line := fmt.Sprintf("%s, %s: %d of %d agree", a.Flag, rule, a.Same, a.Same+a.Different)
		if a.First > 0 {
			line += fmt.Sprintf(" (line %d is the first that doesn't)", a.First)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d of %d decisions agree\n", v.Same, v.Same+v.Different)
	return err
}
