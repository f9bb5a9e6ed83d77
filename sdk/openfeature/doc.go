// Package openfeature is a provider for the OpenFeature Go SDK, for programs that
// evaluate flags with that API:
//
//	client, err := sdk.Open(ctx, sdk.Config{…})
//	…
//	defer client.Close()
//	err = of.SetProviderAndWait(openfeature.New(client, openfeature.Config{}))
//
// The client still belongs to the caller. Handles of package sdk work next to the
// provider and are several times faster: the API alone takes a microsecond and a
// dozen allocations.
//
// # Evaluation
//
// Flags have the types boolean, string, integer, number and object. Evaluate a number
// as a float; that also works for an integer, but evaluating a number as an integer
// is a type mismatch. Objects and lists are what encoding/json decodes into an any.
// They are decoded for each call, so callers may modify them.
//
// Variant and reason are the flag's. On an error, the value is the caller's default.
// Errors are FLAG_NOT_FOUND, TYPE_MISMATCH, and PROVIDER_NOT_READY while the client
// has no revision. TARGETING_KEY_MISSING never occurs: a rule doesn't match if its
// unit is missing, and the metadata says so.
//
// # Flag metadata
//
// Every answer has the flag's own metadata, and also:
//
//	environment  string: the environment
//	revision     int64: the flags' revision
//	rule         string: the rule that served, if one did
//	missingUnit  string: the attribute that a rule with a split, or a layer, lacked
//	arm          string: "new" or "rest", if a guarded ramp served
//	flagSetId    string: the environment, unless the flag has its own
//	version      string: the revision, unless the flag has its own
//
// Hooks for telemetry look for the last two names.
//
// # Contexts
//
// The targeting key is the value of the flag folder's unit attribute. Attributes that
// the flags don't declare are ignored. The others may be strings, booleans, integers,
// floats, times (which become text as in RFC 3339), []string, []any (only its strings
// are used), or types derived from strings, booleans and numbers. A float below 2^53
// without a fraction is an integer, as in JSON. The members of structures, which are maps
// with strings as keys, are attributes whose names are paths: "plan.tier" is the member
// "tier" of the structure "plan", unless the context has "plan.tier" itself. Attributes of
// other types are treated as absent. The context is never modified.
package openfeature
