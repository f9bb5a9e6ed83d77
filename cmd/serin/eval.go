package main

import (
	"io"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/lambda"
	"github.com/spf13/cobra"
)

func evalCommand() *cobra.Command {
	var q questionFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "eval FLAG",
		Short: "Evaluate a flag for a context",
		Long: `Eval prints the value of FLAG, or of every flag with --all. The context is a JSON
object as in OpenFeature, {"targetingKey": "u-1", "city": "shenzhen"}; -c sets
one attribute of the type that the flag files declare, a list as a,b. --at
evaluates at another time. The flags are those of the folder flags, unless --from
names another one or a published environment.`,
		Example: `  serin eval new-checkout -c user=u-1 -c city=shenzhen
  serin eval new-year --at 2027-01-01T00:00:00+08:00
  serin eval --all --from s3://flags/production --root root.json \
    --context '{"targetingKey": "u-1"}'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return q.ask(cmd, args,
				func(w io.Writer, c content, f *evaluator.CompiledFlag, ctx evaluator.Context) error {
					_, err := w.Write(evaluated(c, f, ctx, asJSON, q.all))
					return err
				})
		},
	}
	q.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an OFREP object for each answer")
	return cmd
}

// evaluated returns the line that says what a flag serves.
func evaluated(c content, f *evaluator.CompiledFlag, ctx evaluator.Context, asJSON, named bool) []byte {
	result := f.Evaluate(&ctx)
	var line []byte
	text, isText := result.Value().Text()
	switch {
	case asJSON:
		line = lambda.Answer{Key: f.Key(), Result: result, Environment: c.environment,
			Revision: c.revision}.AppendJSON(nil)
	case isText:
		line = []byte(text)
	default:
		line = result.Value().JSON()
	}
	if named && !asJSON {
		line = append([]byte(f.Key()+" = "), line...)
	}
	return append(line, '\n')
}
