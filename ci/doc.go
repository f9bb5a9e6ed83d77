// Package ci turns a folder of flag files, an estate, into what is published:
// it reads and checks the files, runs the tests that lie beside the flags, and
// compiles one payload per namespace and environment.
//
// Start at [Load]. It reads everything or nothing: if there is an error in any
// file the result is all the errors of all the files, as [Problems], each with
// its file, line, column, the line itself and a caret, and no [Estate]. From an
// Estate, [Estate.Test] runs the tests, [Estate.Compile] makes the payloads, and
// [Estate.Lint] warns of what is right and hardly meant.
//
// # What is read
//
//	serin.yaml            the environments and the estate's defaults; optional
//	context.yaml          the attributes that rules may speak of, with their types
//	flags.lock            who has which positions of splits and layers; optional
//	segments/NAME.yaml    named groups
//	layers/NAME.yaml      traffic that flags share without overlap
//	NAMESPACE/KEY.yaml    a flag; NAMESPACE may be several folders deep
//	NAMESPACE/KEY.test.yaml   tests of that flag
//	*.txt                 lists of ids, if one of the other files names them
//
// Files are YAML 1.2, and may be named .yml or, being JSON, .json. Names that
// start with a dot and files with other extensions are passed over. A symbolic
// link is read if it names a file inside the estate; any other is an error.
//
// # What is refused
//
// The package takes flag files to be written by people who make mistakes and
// read by people who must not be surprised, so it refuses whatever it doesn't
// know: keys, attributes, variants, segments and environments that aren't
// declared, values of another type, shares that don't come to 100 %. Of YAML it
// refuses what makes a file say something else than it seems to: duplicate
// keys, anchors and aliases, tags, merge keys, several documents, values left
// empty. on, off, yes and no are text, as in YAML 1.2; numbers, true and false
// are text only in quotes. Every file, list and depth is bounded, and no input
// makes it panic.
//
// It doesn't sign or upload: that is package ci/release.
package ci
