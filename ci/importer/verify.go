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
	Missing         bool   // there is no such flag
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
	flags, err := ci.Program(payloads)
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
		answer, same, err := replay(lines.Bytes(), flags)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		key := [2]string{answer.Flag, answer.Rule}
		a := byRule[key]
		if a == nil {
			a = &answer
			byRule[key] = a
		}
		if same {
			a.Same++
			v.Same++
		} else {
			a.Different++
			v.Different++
			a.First = cmp.Or(a.First, number)
		}
	}
	for _, a := range byRule {
		v.Lines = append(v.Lines, *a)
	}
	slices.SortFunc(v.Lines,
		func(a, b Agreement) int { return cmp.Or(cmp.Compare(a.Flag, b.Flag), cmp.Compare(a.Rule, b.Rule)) })
	return v, lines.Err()
}

// replay makes a decision again. It returns which flag and rule made it, and whether it is the
// same.
func replay(line []byte, flags *evaluator.Program) (by Agreement, same bool, err error) {
	var d decision
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	if err := decoder.Decode(&d); err != nil {
		return by, false, errors.New("it isn't a JSON object with a flag, a context and a value")
	}
	f := flags.Flag(d.Flag)
	if f == nil {
		return Agreement{Flag: d.Flag, Missing: true}, false, nil
	}
	var ctx evaluator.Context
	if len(d.Context) > 0 {
		if ctx, err = evaluator.DecodeContext(d.Context); err != nil {
			return by, false, err
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
	return Agreement{Flag: d.Flag, Rule: result.Rule()}, same, nil
}

// equalJSON reports whether a decoded value is that of some JSON.
func equalJSON(want any, text []byte) bool {
	var got any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&got) != nil {
		return false
	}
	return reflect.DeepEqual(plainNumbers(want), plainNumbers(got))
}

// plainNumbers returns a decoded value in which equal numbers are equal, such as 1 and 1.0:
// whole numbers become int64, others float64.
func plainNumbers(v any) any {
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
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plainNumbers(v[k])
		}
	}
	return v
}

// Write prints a line for each flag and rule.
func (v *Verification) Write(w io.Writer) error {
	for _, a := range v.Lines {
		rule := "no rule"
		switch {
		case a.Missing:
			rule = "which isn't in the folder"
		case a.Rule != "":
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
