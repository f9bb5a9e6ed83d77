package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/spf13/cobra"
)

func checkCommand() *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Check flag files: syntax, types, references and likely mistakes",
		Long: `Check reads the flag files of DIR (by default "flags") and prints every problem
of every file as file:line:col: message, with the line and a caret, on standard
output. What it says of itself goes to standard error.

If there are no errors, it prints warnings about likely mistakes, such as a rule
that is never reached. Each ends with the name of a lint. A file silences the
lint by giving a reason: lint: {unreachable-rule: kept for the audit until March}.
With --strict, warnings fail the command.

With --code, it also compares the Go code in a folder with the flags, as 'serin
handles' does.

Check fails if git tracks a private key of flags in the repository that contains DIR.`,
		Args: oneWordAtMost("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, estateArg(args)) },
	}
	cmd.Flags().BoolVar(&f.asJSON, "json", false, `also print {"problems": […]} on standard output`)
	cmd.Flags().BoolVar(&f.strict, "strict", false, "fail if there are warnings")
	cmd.Flags().StringVar(&f.code, "code", "", "also compare the Go code in this `folder` and below with the flags")
	cmd.Flags().StringVar(&f.at, "at", "",
		"the time for warnings, as 2026-12-01T02:00:00Z or in Unix seconds (default: now)")
	return cmd
}

// checkFlags are the flags of check.
type checkFlags struct {
	asJSON, strict bool
	at, code       string
}

// run checks a folder.
func (f *checkFlags) run(cmd *cobra.Command, dir string) error {
	now, err := parseTime(f.at)
	if err != nil {
		return err
	}
	estate, err := loadEstate(dir)
	var problems, wrong ci.Problems
	var needs []clientNeed
	if err == nil {
		problems = estate.Lint(ci.LintOptions{Now: time.Unix(now, 0)})
		if needs, err = clientNeeds(estate.Environments(), estate.Compile); err != nil {
			return err
		}
		if wrong, err = checkCode(cmd.Context(), f.code, estate); err != nil {
			return err
		}
		problems = append(problems, wrong...)
	}
	if whole := err == nil || errors.As(err, &problems); whole && f.asJSON {
		if err := writeProblems(cmd.OutOrStdout(), problems, needs); err != nil {
			return err
		}
	}
	_ = problems.Write(wordsOut(cmd, f.asJSON)) // as in report: nobody to tell
	tracked := refuseTrackedKeys(cmd.Context(), cmd.ErrOrStderr(), dir)
	switch {
	case err != nil && tracked != nil:
		report(cmd.ErrOrStderr(), tracked)
		return counted(err)
	case err != nil:
		return counted(err)
	case tracked != nil:
		return tracked
	}
	note, err := noteStaleSchemas(estate, dir)
	if err != nil {
		return err
	}
	fmt.Fprint(cmd.ErrOrStderr(), note)
	if err := judgeCode(errorsOf(wrong), nil, false); err != nil {
		return err
	}
	return judgeCheck(cmd.ErrOrStderr(), estate, problems, needs, f.strict)
}

// checkCode compares the Go code in a folder with the flags, unless the folder is "". It
// returns what is wrong, and warnings.
func checkCode(ctx context.Context, dir string, estate *ci.Estate) (ci.Problems, error) {
	if dir == "" {
		return nil, nil
	}
	code, err := findHandles(ctx, dir)
	if err != nil {
		return nil, err
	}
	wrong, warnings, err := code.Judge(estate)
	return append(wrong, warnings...), err
}

// errorsOf returns the problems that aren't warnings.
func errorsOf(problems ci.Problems) ci.Problems {
	return slices.DeleteFunc(slices.Clone(problems),
		func(p ci.Problem) bool { return p.Severity == ci.SeverityWarning })
}

// judgeCheck prints notes, and what was checked. The error says that the warnings are too
// many for strict.
func judgeCheck(w io.Writer, estate *ci.Estate, warnings ci.Problems, needs []clientNeed, strict bool) error {
	for _, note := range needNotes(needs) {
		fmt.Fprintf(w, "note: %s\n", note)
	}
	if strict && len(warnings) > 0 {
		err := fmt.Errorf("%s in the flag files", count(len(warnings), "warning"))
		return &hintedError{err,
			"to silence a lint that doesn't apply, give the reason in the file: lint: {NAME: the reason}"}
	}
	also := ""
	if len(warnings) > 0 {
		also = ", with " + count(len(warnings), "warning")
	}
	fmt.Fprintf(w, "ok: %s in %s%s\n", count(len(estate.Keys()), "flag"),
		count(len(estate.Namespaces()), "namespace"), also)
	return nil
}

// A jsonProblem is a problem as --json prints it.
type jsonProblem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
	// Of what check says: error or warning, and the name of the lint that warns.
	Severity string `json:"severity,omitempty"`
	Lint     string `json:"lint,omitempty"`
}

func jsonProblems(problems ci.Problems) []jsonProblem {
	list := make([]jsonProblem, len(problems))
	for i, p := range problems {
		list[i] = jsonProblem{File: p.File, Line: p.Line, Column: p.Column, Message: p.Message}
	}
	return list
}

func writeProblems(w io.Writer, problems ci.Problems, needs []clientNeed) error {
	list := jsonProblems(problems)
	for i, p := range problems {
		list[i].Severity, list[i].Lint = p.Severity.String(), p.Lint
	}
	return writeJSON(w, struct {
		Problems []jsonProblem `json:"problems"`
		Needs    []needJSON    `json:"needs,omitempty"`
	}{list, newNeedsJSON(needs)})
}

// writeJSON prints v as indented JSON, with <, > and & as they are.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
