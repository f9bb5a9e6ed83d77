// Package serin holds files of this repository that its command writes for others:
// the example estate of feature flags, and workflows.
//
// Serin is feature flags without a flag server: flags are files in git, checked,
// tested, compiled and signed by CI into a bundle that programs pull, verify and
// evaluate in process. Go programs start at package sdk.
package serin

import "embed"

// Workflow is a workflow of GitHub Actions for the flags in the folder flags. It uses
// the action in ./ci, which other repositories have to name in full.
//
//go:embed .github/workflows/flags.yml
var Workflow string

// Releases is a workflow of GitHub Actions that moves the releases of these flags. It names
// the action as [Workflow] does.
//
//go:embed ci/releases.yml
var Releases string

// Edits is a workflow of GitHub Actions that turns the edits in issues into pull requests. It
// names the action as [Workflow] does.
//
//go:embed ci/edits.yml
var Edits string

// EditIssue is the form for issues with edits.
//
//go:embed ci/edit-issue.yml
var EditIssue string

// Estate is the example estate, below the folder flags. The demo runs on it.
//
//go:embed flags
var Estate embed.FS
