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
	// Short is the length in bytes up to which such a text is always accepted.
	Short = 256
	// Matching is the size limit in bytes of all longer ones of a context, each counted once
	// per expression.
	Matching = 16 << 10
)

// Check refuses a context with texts that would take too long to match with the regular
// expressions of the program. The error doesn't quote them.
func Check(ctx *evaluator.Context, program *evaluator.Program) error {
	total := 0
	err := add(&total, "targetingKey", program.Unit(), ctx.Key, program)
	for _, a := range ctx.Attrs {
		if err != nil {
			break
		}
		text, _ := a.Value.Text()
		err = add(&total, a.Name, a.Name, text, program)
	}
	return err
}

// add adds what it takes to match an attribute with all its expressions to total. shown is
// what the caller calls the attribute. Texts are almost always short, so that comes first.
func add(total *int, shown, attribute, text string, program *evaluator.Program) error {
	if len(text) <= Short {
		return nil
	}
	expressions := program.Expressions(attribute)
	if expressions == 0 {
		return nil
	}
	*total += len(text) * expressions
	switch {
	case len(text) > Matched:
		return fmt.Errorf("the attribute %s is longer than %d bytes, the limit where flags match regular expressions",
			shown, Matched)
	case *total > Matching:
		return fmt.Errorf("the attribute %s is too long for the %d regular expressions that flags match it with; %d bytes are always accepted",
			shown, expressions, Short)
	}
	return nil
}
