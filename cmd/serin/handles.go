package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/handles"
	"github.com/spf13/cobra"
)

// A handlesRun is one use of handles.
type handlesRun struct {
	from, format   string
	asJSON, strict bool
}

func handlesCommand() *cobra.Command {
	var r handlesRun
	cmd := &cobra.Command{
		Use:   "handles DIR",
		Short: "Compare the flags that Go code reads with the flag files",
		Long: `Handles looks through the Go packages in DIR and below for what reads flags: handles
such as sdk.Bool("new-cart", false), keys that are passed to Evaluate and Explain of
clients and snapshots, and OpenFeature's client. It needs the go command, and code
that compiles. Tests aren't looked at.

Errors are flags that don't exist, and flags that are read as another type. Warnings
are keys that aren't constants, defaults that a string flag never serves, and flags
that no code reads, unless rules ask for them or serin.yaml makes them public. With
--strict, warnings fail the command.`,
		Example: `  serin handles .
  serin handles ./services --from ../flags --format sarif > flags.sarif
  serin check --code .`,
		Args: oneWord("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error { return r.run(cmd, args[0]) },
	}
	variableFlag(cmd, &r.from, "from", `the folder of flag files (default "flags")`)
	cmd.Flags().StringVar(&r.format, "format", "text", "text, json or sarif (for code scanning)")
	cmd.Flags().BoolVar(&r.asJSON, "json", false, "short for --format json")
	cmd.Flags().BoolVar(&r.strict, "strict", false, "fail if there are warnings")
	return cmd
}

// run compares the code in a folder with the flag files.
func (r *handlesRun) run(cmd *cobra.Command, dir string) error {
	if r.asJSON {
		r.format = "json"
	}
	write := map[string]func(io.Writer, *handles.Code, ci.Problems) error{
		"text":  func(w io.Writer, _ *handles.Code, found ci.Problems) error { return found.Write(w) },
		"json":  writeHandlesJSON,
		"sarif": func(w io.Writer, _ *handles.Code, found ci.Problems) error { return writeSARIF(w, found) },
	}[r.format]
	if write == nil {
		return usagef("--format is text, json or sarif, not %q", r.format)
	}
	from := r.from
	if from == "" {
		from = defaultEstate
	}
	estate, err := loadEstate(from)
	if err != nil {
		return err
	}
	code, err := findHandles(cmd.Context(), dir)
	if err != nil {
		return err
	}
	wrong, warnings, err := code.Judge(estate)
	if err != nil {
		return err
	}
	if err := write(cmd.OutOrStdout(), code, append(wrong, warnings...)); err != nil {
		return err
	}
	if err := judgeCode(wrong, warnings, r.strict); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "ok: %s in %s\n", count(len(code.Reads), "read"), dir)
	return nil
}

// findHandles looks for reads of flags in the code of a folder.
func findHandles(ctx context.Context, dir string) (*handles.Code, error) {
	code, err := handles.Find(ctx, dir)
	if problems := ci.Problems(nil); errors.As(err, &problems) {
		return nil, &codeError{dir, problems}
	}
	return code, err
}

// A codeError says that code doesn't compile.
type codeError struct {
	dir      string
	problems ci.Problems
}

func (e *codeError) Error() string {
	return fmt.Sprintf("the code in %s doesn't compile", e.dir)
}

// Unwrap returns the problems, which report prints.
func (e *codeError) Unwrap() error { return e.problems }

// judgeCode returns an error if there is something wrong in the code or, with strict, if there
// are warnings.
func judgeCode(wrong, warnings ci.Problems, strict bool) error {
	switch {
	case len(wrong) > 0:
		return fmt.Errorf("%s in the code", count(len(wrong), "mistake"))
	case strict && len(warnings) > 0:
		return fmt.Errorf("%s about the code", count(len(warnings), "warning"))
	}
	return nil
}

// A readJSON is a place where code reads a flag, as handles --json prints it.
type readJSON struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Flag   string `json:"flag,omitempty"` // none: it isn't a constant
	Type   string `json:"type,omitempty"` // none: any
	Call   string `json:"call"`
	Handle string `json:"handle,omitempty"`
	Unused bool   `json:"unused,omitempty"` // no code uses the handle
}

func writeHandlesJSON(w io.Writer, code *handles.Code, found ci.Problems) error {
	reads := make([]readJSON, len(code.Reads))
	for i, r := range code.Reads {
		reads[i] = readJSON{filepath.ToSlash(r.File), r.Line, r.Column, r.Key, "", r.Call, r.Handle, r.Unused}
		if r.Type != 0 {
			reads[i].Type = r.Type.String()
		}
	}
	problems := jsonProblems(found)
	for i, p := range found {
		problems[i].Severity, problems[i].Lint = p.Severity.String(), p.Lint
	}
	return writeJSON(w, struct {
		Reads    []readJSON    `json:"reads"`
		Problems []jsonProblem `json:"problems"`
	}{reads, problems})
}
