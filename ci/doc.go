// Package ci turns a folder of flag files, an estate, into what is published. It
// reads and checks the files, runs the tests beside the flags, and compiles one
// payload per namespace and environment.
//
// Start at [Load]. It reads everything or nothing. If any file has an error, the
// result is all errors of all files, as [Problems], and no [Estate]. Each problem
// has its file, line and column, the line itself and a caret. From an Estate,
// [Estate.Test] runs the tests, [Estate.Compile] makes the payloads, and
// [Estate.Lint] warns of likely mistakes.
//
// # What is read
//
//	serin.yaml            the environments and the estate's defaults; optional
//	context.yaml          the attributes that rules may use, with their types
//	flags.lock            which positions splits and layers give to whom; optional
//	segments/NAME.yaml    named groups
//	layers/NAME.yaml      traffic that flags share without overlap
//	NAMESPACE/KEY.yaml    a flag; NAMESPACE may be several folders deep
//	NAMESPACE/KEY.test.yaml   tests of that flag
//	*.txt                 lists of ids, if one of the other files names them
//
// Files are YAML 1.2. They may be named .yml or, if they are JSON, .json. Names that
// start with a dot and files with other extensions are ignored. A symbolic link is
// read if it leads to a file inside the estate; any other link is an error.
//
// # What is refused
//
// People who make mistakes write flag files, and people who must not be surprised
// read them. So the package refuses whatever it doesn't know: undeclared keys,
// attributes, variants, segments and environments, values of the wrong type, shares
// that don't add up to 100%. It also refuses YAML that means something else than it
// seems to: duplicate keys, anchors and aliases, tags, merge keys, several
// documents, empty values. As in YAML 1.2, on, off, yes and no are text, and
// numbers, true and false are text only in quotes. The size of files and lists and
// the depth of nesting are bounded, and no input makes the package panic.
//
// The package doesn't sign or upload: package ci/release does.
package ci
