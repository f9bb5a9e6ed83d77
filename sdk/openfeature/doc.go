// Package openfeature is a provider for the Go SDK of OpenFeature, for programs
// that ask for flags by that API:
//
//	client, err := sdk.Open(ctx, sdk.Config{…})
//	…
//	defer client.Close()
//	err = of.SetProviderAndWait(openfeature.New(client, openfeature.Config{}))
//
// The client stays the caller's: handles of package sdk work beside the provider,
// and are several times quicker, as the API alone takes a microsecond and a dozen
// allocations.
//
// # What is answered
//
// Flags are of the types boolean, string, integer, number and object. A number is
// asked for as a float, and so may be an integer; the other way round is a type
// mismatch. Objects and lists are what encoding/json decodes into an any, anew for
// each call, so that callers may change them.
//
// Variant and reason are those of the flag. An error is FLAG_NOT_FOUND,
// TYPE_MISMATCH, or PROVIDER_NOT_READY while the client has no revision, and the
// value is the caller's default then. TARGETING_KEY_MISSING does not occur: rules
// whose unit is missing don't match, which the metadata mentions.
//
// # Flag metadata
//
// Every answer has the flag's own metadata, and:
//
//	environment  string: the environment
//	revision     int64: the flags' revision
//	rule         string: the rule that served, if one did
//	missingUnit  string: the attribute that a rule with a split, or a layer, lacked
//	flagSetId    string: the environment, unless the flag has its own
//	version      string: the revision, unless the flag has its own
//
// The last two are the names by which hooks for telemetry look for them.
//
// # Contexts
//
// The targeting key is the value of the estate's unit attribute. Of the
// attributes, those that the flags declare count: strings, booleans, integers,
// floats, times (as text, RFC 3339), []string and []any (of which the strings
// count), and types made from strings, booleans and numbers. A float without a
// fraction counts as an integer if it is below 2^53, as it does in JSON. Others
// count as absent. The context is never written to.
package openfeature
