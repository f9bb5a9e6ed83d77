package main

import (
	"encoding/json"
	"io"

	"github.com/serin-flags/serin/evaluator"
	"github.com/spf13/cobra"
)

func explainCommand() *cobra.Command {
	var q questionFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain FLAG",
		Short: "Show what led to a flag's answer",
		Long: `Explain prints the value of FLAG, or of every flag with --all, and what led to it:
rules and conditions with the values they compared, positions with the ranges
that contain them, layers, and prerequisites. ✓ marks what holds, ✗ what doesn't,
and – what wasn't evaluated.

The flags, the context and the time are given as for eval. For a flag by chance, it shows
one draw.`,
		Example: `  serin explain new-checkout -c user=u-1 -c city=shenzhen
  serin explain new-year --at 2027-01-01T00:00:00+08:00
  serin explain --all --from s3://flags/production --root root.json \
    --context '{"targetingKey": "u-1"}' --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return q.ask(cmd, args,
				func(w io.Writer, _ content, f *evaluator.CompiledFlag, ctx evaluator.Context) error {
					trace := f.Explain(&ctx)
					if asJSON {
						e := json.NewEncoder(w)
						e.SetEscapeHTML(false) // it is read by people too
						return e.Encode(trace)
					}
					_, err := io.WriteString(w, trace.String())
					return err
				})
		},
	}
	q.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object for each answer")
	return cmd
}
