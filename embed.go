// Package serin holds the example estate of feature flags, as a file system.
//
// Serin is feature flags without a flag server: flags are files in git, checked,
// tested, compiled and signed by CI into a bundle that programs pull, verify and
// evaluate in process. Go programs start at package sdk.
package serin

import "embed"

// Estate is the example estate, below the folder flags. The demo runs on it.
//
//go:embed flags
var Estate embed.FS
