package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/serin-flags/serin/ci"
	"github.com/spf13/cobra"
)

func checkCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Check flag files: syntax, types, references",
		Long: `Check reads the flag files of DIR ("flags" if it isn't named), and prints every
problem of every file as file:line:col: message, with the line and a caret.`,
		Args: oneWordAtMost("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			estate, err := loadEstate(estateArg(args))
			var problems ci.Problems
			if asJSON && (err == nil || errors.As(err, &problems)) {
				if err := writeProblems(cmd.OutOrStdout(), problems); err != nil {
					return err
				}
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "ok: %s in %s\n", count(len(estate.Keys()), "flag"), count(len(estate.Namespaces()), "namespace"))
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, `print {"problems": […]} on standard output too`)
	return cmd
}

// A jsonProblem is a problem as --json prints it.
type jsonProblem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

func jsonProblems(problems ci.Problems) []jsonProblem {
	list := make([]jsonProblem, len(problems))
	for i, p := range problems {
		list[i] = jsonProblem{p.File, p.Line, p.Column, p.Message}
	}
	return list
}

func writeProblems(w io.Writer, problems ci.Problems) error {
	return writeJSON(w, struct {
		Problems []jsonProblem `json:"problems"`
	}{jsonProblems(problems)})
}

// writeJSON prints v as indented JSON, with <, > and & as they are.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
