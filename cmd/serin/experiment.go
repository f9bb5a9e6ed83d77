package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/experiment"
	"github.com/spf13/cobra"
)

func experimentCommand() *cobra.Command {
	var e experimenting
	cmd := &cobra.Command{
		Use:   "experiment FLAG",
		Short: "Compare the variants of a flag by what their users did",
		Long: `Experiment counts the users of each variant of FLAG in files of exposures, checks
that they fall into variants in the expected shares, and compares what they did
afterwards: how many have an outcome or, with --metric, the mean of a number. Limits
of differences hold at every look, so it's fine to look every day.

Files are JSON lines, such as the SDK's OpenTelemetry events, or CSV. "-" is
standard input.

The exit status is 1 if the shares are wrong, or if there are too few users for an
effect of --mde; then no difference is printed.`,
		Example: `  serin experiment new-cart --exposures events.jsonl
  serin experiment new-cart --exposures events.jsonl --outcomes orders.csv --control off --mde 5%
  serin experiment page-size --exposures data.csv --metric seconds --control short --svg report.svg`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("no FLAG: write 'serin experiment FLAG --exposures FILE'")
			}
			return nil
		},
		RunE: e.run,
	}
	cmd.Flags().StringArrayVar(&e.exposures, "exposures", nil,
		"a file of exposures; may repeat, and words after FLAG are more files")
	cmd.Flags().StringArrayVar(&e.outcomes, "outcomes", nil, "a file of what users did; may repeat")
	registerEnv(cmd, &e.cfg.Environment, "only exposures in this environment")
	cmd.Flags().StringVar(&e.cfg.Control, "control", "", "the variant to compare the others with")
	cmd.Flags().StringVar(&e.shares, "shares", "", "the expected shares, such as off=90,on=10 (default: equal ones)")
	cmd.Flags().StringVar(&e.cfg.Metric, "metric", "", "the attribute or column with a number, summed for each user")
	cmd.Flags().StringVar(&e.cfg.Unit, "unit", "",
		"the attribute or column with the user's ID (default: feature_flag.context.id, targetingKey or unit)")
	cmd.Flags().StringVar(&e.mde, "mde", "",
		"the smallest effect that matters, such as 5% of the control's mean, or 0.2")
	cmd.Flags().Float64Var(&e.cfg.Alpha, "alpha", 0.05, "the chance that any limit is ever wrong")
	cmd.Flags().Int64Var(&e.cfg.Planned, "planned", 10_000,
		"how many users the experiment is planned for, where limits are narrowest")
	cmd.Flags().IntVar(&e.cfg.MaxUnits, "max-units", 1_000_000,
		"how many users to remember; of more, a random sample counts")
	cmd.Flags().StringVar(&e.svg, "svg", "", "also draw the result, into this file")
	cmd.Flags().BoolVar(&e.asJSON, "json", false, "print JSON")
	return cmd
}

// experimenting is what the flags of experiment say.
type experimenting struct {
	cfg                 experiment.Config
	exposures, outcomes []string
	shares, mde, svg    string
	asJSON              bool
}

func (e *experimenting) run(cmd *cobra.Command, args []string) error {
	e.cfg.Flag, e.exposures = args[0], append(e.exposures, args[1:]...)
	if err := e.configure(); err != nil {
		return err
	}
	analysis, err := experiment.New(e.cfg)
	if err != nil {
		return usagef("%v", err)
	}
	for _, name := range e.exposures {
		if err := readEvents(cmd.InOrStdin(), name, analysis.Exposures); err != nil {
			return fmt.Errorf("reading exposures: %w", err)
		}
	}
	for _, name := range e.outcomes {
		if err := readEvents(cmd.InOrStdin(), name, analysis.Outcomes); err != nil {
			return fmt.Errorf("reading outcomes: %w", err)
		}
	}
	report, err := analysis.Report()
	if err != nil {
		return err
	}
	return e.write(cmd.OutOrStdout(), report)
}

// configure completes the configuration.
func (e *experimenting) configure() (err error) {
	compares := len(e.outcomes) > 0 || e.cfg.Metric != ""
	switch {
	case len(e.exposures) == 0:
		return usagef("no exposures: name a file with --exposures")
	case compares && e.cfg.Control == "":
		return usagef("no control: name the variant to compare the others with, with --control")
	case !compares && e.cfg.Control != "":
		return usagef("--control is for outcomes: name a file with --outcomes, or a number with --metric")
	case !compares && e.mde != "":
		return usagef("--mde is for outcomes: name a file with --outcomes, or a number with --metric")
	case e.cfg.MaxUnits < 1:
		return usagef("--max-units must be at least 1, not %d", e.cfg.MaxUnits)
	}
	if e.mde != "" {
		if e.cfg.Least, e.cfg.Relative, err = parseEffect(e.mde); err != nil {
			return err
		}
	}
	e.cfg.Shares, err = parseShares(e.shares)
	return err
}

// parseEffect reads a number, or a percentage.
func parseEffect(text string) (effect float64, relative bool, err error) {
	number, relative := strings.CutSuffix(text, "%")
	effect, err = strconv.ParseFloat(number, 64)
	if err != nil || !(effect > 0 && effect < 1e15) {
		return 0, false, usagef("--mde %q isn't an effect: write a number such as 0.2, or a percentage such as 5%%",
			text)
	}
	if relative {
		effect /= 100
	}
	return effect, relative, nil
}

// parseShares reads VARIANT=SHARE,VARIANT=SHARE.
func parseShares(text string) (shares []experiment.Share, err error) {
	if text == "" {
		return nil, nil
	}
	for _, part := range strings.Split(text, ",") {
		name, share, ok := strings.Cut(part, "=")
		weight, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(share), "%"), 64)
		if name = strings.TrimSpace(name); !ok || name == "" || err != nil {
			return nil, usagef("--shares %q: write VARIANT=SHARE,VARIANT=SHARE, such as off=90,on=10", text)
		}
		shares = append(shares, experiment.Share{Variant: name, Weight: weight})
	}
	return shares, nil
}

// readEvents reads a file, or standard input.
func readEvents(stdin io.Reader, name string, read func(string, io.Reader) error) error {
	if name == "-" {
		return read("standard input", stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return read(name, f)
}

// write writes a report. It returns an error if that is all there is to say.
func (e *experimenting) write(stdout io.Writer, report experiment.Report) error {
	if e.svg != "" {
		var picture bytes.Buffer
		if err := report.SVG(&picture); err != nil {
			return err
		}
		if err := replaceFile(e.svg, picture.Bytes()); err != nil {
			return fmt.Errorf("writing the picture: %w", err)
		}
	}
	write := report.Text
	if e.asJSON {
		write = func(w io.Writer) error { return writeJSON(w, report) }
	}
	if err := write(stdout); err != nil {
		return err
	}
	switch {
	case report.Mismatch.Found:
		return errors.New("the variants don't have the expected shares of the users")
	case report.Refused != "":
		return errors.New("no differences are reported, and the report says why")
	}
	return nil
}
