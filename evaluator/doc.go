// Package evaluator decides which variant of a flag a context is served.
//
// A [Ruleset] is plain data. [Compile] checks one or more of them and turns
// them into a [Program]; everything that can fail, fails there. After that
// [CompiledFlag.Evaluate] always has an answer: a [Result], which says what is
// served and why. It does not allocate, with the few exceptions that stand
// there, and it is safe for concurrent use.
//
// The package is pure. It reads no clock, no file and no source of randomness:
// what varies is handed in with the [Context]. (Hash tables have random seeds, of
// which no answer knows.) It logs nothing.
//
// # How a flag is evaluated
//
// A disabled flag serves its off variant. Otherwise the rules are tried in
// order, and the first one whose condition holds serves: its variant, or by its
// split the variant that owns the position of the context's unit. A split whose
// unit is missing, empty, or neither text nor an integer does not match; the
// next rule is tried. If no rule matches, the default variant is served.
//
// Conditions are total and two-valued, see [Condition]; bucketing is described
// at [Split].
package evaluator
