// Package evaluator decides which variant of a flag a context is served.
//
// A [Ruleset] is plain data. [Compile] checks rulesets and compiles them into a
// [Program]; every error is reported there. [CompiledFlag.Evaluate] can't fail: it
// returns a [Result] that holds the value served and the reason. Evaluation is safe
// for concurrent use and, with the exceptions listed there, doesn't allocate.
//
// The package is pure. It reads no clock, no file and no source of randomness, and it
// logs nothing: the time and random numbers are part of the [Context]. (Hash tables
// have random seeds, but no answer depends on them.)
//
// # How a flag is evaluated
//
// A disabled flag serves its off variant. Otherwise rules are tried in order, and the
// first one whose condition holds is served: either its variant or, if it has a split,
// the variant that owns the position of the context's unit. A split doesn't match if
// the unit is missing, is empty, or is neither a string nor an integer; evaluation then
// continues with the next rule. If no rule matches, the flag serves its default variant.
//
// A flag may first check the age of the rules ([Flag].Stale), and whether its
// [Reservation] includes the unit.
//
// [Condition] describes conditions, and [Split] how units are assigned to variants.
// docs/evaluation.md is the full specification.
package evaluator
