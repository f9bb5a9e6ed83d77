package ci

import (
	"fmt"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/internal/lang"
	"github.com/serin-flags/serin/evaluator"
)

// Compile returns the payloads of an environment, one for each namespace,
// sorted. The environment "" stands for the flags themselves, without what
// environments replace.
//
// A payload contains the namespace's flags, sorted by key, and what their rules refer
// to: flags of other namespaces as prerequisites, and the attributes, segments and time
// zones that all these use. Equal estates give equal payloads. They share memory with
// e; don't modify them.
//
// Compile doesn't try whether the evaluator accepts the rulesets: Load has made
// sure, and [bundle.EncodePayload] and [evaluator.Compile] find out for themselves.
func (e *Estate) Compile(environment string) ([]bundle.Payload, error) {
	if err := e.CheckEnvironment(environment); err != nil {
		return nil, fmt.Errorf("compiling flags: %w", err)
	}
	return e.payloads(environment), nil
}

// Program returns the flags of the payloads of one environment, ready to be evaluated. Errors are
// those of [evaluator.Compile].
func Program(payloads []bundle.Payload) (*evaluator.Program, error) {
	sets := make([]evaluator.Ruleset, len(payloads))
	for i, p := range payloads {
		sets[i] = p.Ruleset
	}
	return evaluator.Compile(sets...)
}

func (e *Estate) payloads(environment string) []bundle.Payload {
	payloads := make([]bundle.Payload, 0, len(e.flags.Namespaces))
	rest := e.flags.Flags
	for _, namespace := range e.flags.Namespaces {
		var flags []evaluator.Flag
		for len(rest) > 0 && rest[0].Namespace == namespace {
			flags = append(flags, rest[0].In(environment))
			rest = rest[1:]
		}
		set := e.flags.Ruleset(environment, flags, lang.Pins{})
		payloads = append(payloads, bundle.Payload{Environment: environment, Namespace: namespace,
			Public: e.flags.Known.IsPublic(namespace), Ruleset: set})
	}
	return payloads
}
