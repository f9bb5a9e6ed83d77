package ci

import (
	"github.com/serin-flags/serin/ci/internal/flagtest"
	"github.com/serin-flags/serin/ci/internal/lint"
	"github.com/serin-flags/serin/ci/internal/lock"
	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
)

// What is wrong with files, and where.
type (
	// A Problem is an error in a file, or a warning, and where it is.
	Problem = problem.Problem
	// Problems are errors in files, or warnings, sorted by file, line and column.
	Problems = problem.Problems
	// A Severity says what follows from a Problem.
	Severity = problem.Severity
)

// The severities.
const (
	SeverityError   = problem.SeverityError   // the files are refused
	SeverityWarning = problem.SeverityWarning // the files are valid, but probably not what is meant
)

// LintOptions say what [Estate.Lint] looks at.
type LintOptions = lint.Options

// Running the tests beside flags.
type (
	// TestOptions choose which tests run and where.
	TestOptions = flagtest.Options
	// A TestReport is the outcome of a run.
	TestReport = flagtest.Report
	// A TestResult is the outcome of one test.
	TestResult = flagtest.Result
	// A TestSample is the context of a test. It may have IDs of people in it.
	TestSample = flagtest.Sample
	// A RuleCoverage says whether a rule served in any test.
	RuleCoverage = flagtest.RuleCoverage
)

// LockFile is the name of the lock file, beside serin.yaml. It records which
// positions the variants of a split and the flags of a layer have.
const LockFile = source.LockName

// Updating the lock file.
type (
	// A LockUpdate brings the lock file of an estate up to date.
	LockUpdate = lock.Update
	// A LockChange is a line of the lock file that is added, removed or changed.
	LockChange = lock.Change
	// A LockRename is a flag that has got another key and lost its users' assignment.
	LockRename = lock.Rename
	// LockChangeKind says what happens to a line.
	LockChangeKind = lock.Kind
	// A Move is how many of the 2^32 positions of a split, or of a layer, go from
	// one variant or flag to another.
	Move = share.Move
)

// The kinds of changes.
const (
	LockAdded   = lock.Added
	LockChanged = lock.Changed // shares
	LockRenamed = lock.Renamed // the flag or the rule, and perhaps shares
	LockAnew    = lock.Anew    // the unit, salt or hash has changed, or --anew was given
	LockRemoved = lock.Removed
)
