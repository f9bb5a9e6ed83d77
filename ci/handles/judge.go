package handles

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// The rules that findings are about. A finding of the first two is an error, others are
// warnings.
const (
	MissingFlag = "missing-flag" // code reads a flag that doesn't exist
	OtherType   = "other-type"   // code reads a flag as another type than it has
	DynamicKey  = "dynamic-key"  // the key isn't a constant, so nothing is known of it
	OddDefault  = "odd-default"  // a string handle's default is no value of the flag
	UnreadFlag  = "unread-flag"  // no code reads the flag
)

// Rules are the names of all rules, and what they are about.
var Rules = []struct{ Name, About string }{
	{MissingFlag, "Code reads a flag that doesn't exist."},
	{OtherType, "Code reads a flag as another type than it has."},
	{DynamicKey, "The key isn't a constant, so it isn't known which flags are read."},
	{OddDefault, "The default in the code is a text that the flag never serves."},
	{UnreadFlag, "No code reads the flag."},
}

// Judge compares what code reads with an estate. Errors say that the code can't work as it is
// written; warnings that something is probably not meant. The Lint of both is the name of a rule.
// A flag that rules of other flags ask for, or that is public, needn't be read by code.
func (c *Code) Judge(estate *ci.Estate) (wrong, warnings ci.Problems, err error) {
	j := judgement{Code: c, estate: estate, keys: estate.Keys(), asked: make(map[string]bool),
		unused: make(map[string]Read)}
	for _, r := range c.Reads {
		if err := j.read(r); err != nil {
			return nil, nil, err
		}
	}
	if err := j.unread(); err != nil {
		return nil, nil, err
	}
	j.wrong.Sort()
	j.warnings.Sort()
	return j.wrong, j.warnings, nil
}

type judgement struct {
	*Code
	estate          *ci.Estate
	keys            []string        // of all flags
	asked           map[string]bool // flags that code reads
	unused          map[string]Read // flags with a handle that nothing uses
	dynamic         int             // reads of unknown flags
	wrong, warnings ci.Problems
}

// at returns a problem at a read.
func (j *judgement) at(r Read, rule, format string, args ...any) ci.Problem {
	p := problem.New(r.File, r.Line, r.Column, j.line(r.File, r.File, r.Line), fmt.Sprintf(format, args...))
	if p.Lint = rule; rule != MissingFlag && rule != OtherType {
		p.Severity = problem.SeverityWarning
	}
	return p
}

// read compares a read with its flag.
func (j *judgement) read(r Read) error {
	if r.Key == "" {
		j.dynamic++
		j.warnings = append(j.warnings, j.at(r, DynamicKey,
			"the key that %s takes here isn't a constant, so it isn't known which flags are read", r.Call))
		return nil
	}
	if _, found := slices.BinarySearch(j.keys, r.Key); !found {
		j.wrong = append(j.wrong,
			j.at(r, MissingFlag, "there is no flag %q%s", r.Key, suggest.DidYouMean(r.Key, slices.Values(j.keys))))
		return nil
	}
	if r.Unused {
		j.unused[r.Key] = r
	} else {
		j.asked[r.Key] = true
	}
	f, err := j.estate.Effective(r.Key, "")
	if err != nil {
		return err
	}
	has := f.Compiled.Type
	switch {
	case r.Type == evaluator.KindNone || r.Type == has || r.Type == evaluator.KindFloat && has == evaluator.KindInt:
	default:
		j.wrong = append(j.wrong, j.at(r, OtherType, "%s reads flag %q as type %v, but it is of type %v: %s", r.Call,
			r.Key, r.Type, has, remedy(has)))
		return nil
	}
	return j.odd(r)
}

// remedy says how to read a flag of a type.
func remedy(has evaluator.Kind) string {
	return "use sdk." + map[evaluator.Kind]string{
		evaluator.KindBool: "Bool", evaluator.KindString: "String", evaluator.KindInt: "Int",
		evaluator.KindFloat: "Float", evaluator.KindObject: "JSON",
	}[has]
}

// odd warns of a default that a string flag serves in no environment.
func (j *judgement) odd(r Read) error {
	if r.Type != evaluator.KindString || !r.hasText || r.text == "" {
		return nil
	}
	var values []string
	for _, env := range append([]string{""}, j.estate.Environments()...) {
		f, err := j.estate.Effective(r.Key, env)
		if err != nil {
			return err
		}
		for _, v := range f.Compiled.Variants {
			if s, ok := v.Value.Text(); ok {
				values = append(values, s)
			}
		}
	}
	if !slices.Contains(values, r.text) {
		j.warnings = append(j.warnings, j.at(r, OddDefault, "the default %q is a text that flag %q never serves%s",
			r.text, r.Key, suggest.DidYouMean(r.text, slices.Values(values))))
	}
	return nil
}

// unread warns of flags that nothing reads.
func (j *judgement) unread() error {
	outside := make(map[string]bool) // that others read: rules, browsers and apps
	for _, env := range append([]string{""}, j.estate.Environments()...) {
		payloads, err := j.estate.Compile(env)
		if err != nil {
			return err
		}
		for _, p := range payloads {
			for i := range p.Ruleset.Flags {
				f := &p.Ruleset.Flags[i]
				if p.Public {
					outside[f.Key] = true
				}
				for _, key := range f.Refs().Flags {
					outside[key] = true
				}
			}
			for i := range p.Ruleset.Segments {
				if when := p.Ruleset.Segments[i].When; when != nil {
					for _, key := range when.Refs().Flags {
						outside[key] = true
					}
				}
			}
		}
	}
	for _, key := range j.keys {
		if j.asked[key] || outside[key] {
			continue
		}
		f, err := j.estate.Effective(key, "")
		if err != nil {
			return err
		}
		message := fmt.Sprintf("no code reads flag %q", key)
		if r, ok := j.unused[key]; ok {
			message += fmt.Sprintf(": nothing uses its handle %s, in %s:%d", r.Handle, filepath.ToSlash(r.File), r.Line)
		} else if j.dynamic > 0 {
			message += " by a constant key"
		}
		j.warnings = append(j.warnings, ci.Problem{
			File: f.File, Line: 1, Column: 1, Message: message, Severity: ci.SeverityWarning, Lint: UnreadFlag,
		})
	}
	return nil
}
