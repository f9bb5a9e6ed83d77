// Package limit limits the texts that requests may have evaluated.
package limit

import (
	"fmt"

	"github.com/serin-flags/serin/evaluator"
)

const (
	// Matched is the size limit in bytes of a text that flags match regular expressions
	// with, which look at every byte.
	Matched = 1024
	// Short is the length up to which such a text is always accepted, and Matching the limit
	// for all longer ones of a context, each counted once per expression.
	Short    = 256
	Matching = 16 << 10
)

// Check refuses a context with texts that would take too long to match with the regular
// expressions of the program. The error doesn't quote them.
func Check(ctx *evaluator.Context, program *evaluator.Program) error {
	total := 0
	err := add(&total, "targetingKey", ctx.Key, program.Expressions(program.Unit()))
	for _, a := range ctx.Attrs {
		if err != nil {
			break
		}
		text, _ := a.Value.Text()
		err = add(&total, a.Name, text, program.Expressions(a.Name))
	}
	return err
}

// add adds what it takes to match an attribute with all its expressions to total.
func add(total *int, name, text string, expressions int) error {
	if expressions == 0 || len(text) <= Short {
		return nil
	}
	*total += len(text) * expressions
	switch {
	case len(text) > Matched:
		return fmt.Errorf("the attribute %s is longer than %d bytes, the limit where flags match regular expressions", name, Matched)
	case *total > Matching:
		return fmt.Errorf("the attribute %s is too long for the %d regular expressions that flags match it with; %d bytes are always accepted",
			name, expressions, Short)
	}
	return nil
}
