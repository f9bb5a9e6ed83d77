package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/traffic"
	"github.com/serin-flags/serin/internal/display"
	"github.com/spf13/cobra"
)

func compareCommand() *cobra.Command {
	var old, new, failOver string
	var opts traffic.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "compare --old LOG --new LOG",
		Short: "Compare how two versions of a server answered the same traffic",
		Long: `Compare reads two logs that package sdk/trafficlog has written: that of the old version
of a server, and that of a new one that got a copy of the traffic, such as by nginx's
mirror. It prints, by route and variant, how many answers have the same status and
body, and how long both took, with a sample of the differences. "-" is standard input.`,
		Example: `  serin compare --old old.jsonl --new new.jsonl --fail-over 0.1%`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if old == "" || new == "" {
				return usagef("no --old or no --new: name both logs")
			}
			var most ci.Share
			if failOver != "" {
				if err := most.UnmarshalText([]byte(failOver)); err != nil {
					return usagef("--fail-over: %v", err)
				}
			}
			report, err := compareLogs(cmd.InOrStdin(), old, new, opts)
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), report)
			} else {
				err = writeTraffic(cmd.OutOrStdout(), report)
			}
			differ, pairs := report.Differences()
			if err == nil && failOver != "" && float64(differ) > float64(pairs)*float64(most)/float64(ci.WholeShare) {
				err = fmt.Errorf("%d of %d answers differ, more than %s", differ, pairs, failOver)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&old, "old", "", "the log of the old version")
	cmd.Flags().StringVar(&new, "new", "", "the log of the new version")
	cmd.Flags().StringVar(&failOver, "fail-over", "",
		"fail if more than this share of the answers differ, such as 0.1%")
	cmd.Flags().IntVar(&opts.Max, "max", traffic.DefaultMax,
		"how many requests to compare at most; of more, a random part is compared")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// compareLogs opens two logs and compares them.
func compareLogs(stdin io.Reader, old, new string, opts traffic.Options) (*traffic.Report, error) {
	if old == "-" && new == "-" {
		return nil, usagef("only one log can be standard input")
	}
	open := func(name string) (io.Reader, func(), error) {
		if name == "-" {
			return stdin, func() {}, nil
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, nil, err
		}
		return f, func() { f.Close() }, nil
	}
	first, closeFirst, err := open(old)
	if err != nil {
		return nil, err
	}
	defer closeFirst()
	second, closeSecond, err := open(new)
	if err != nil {
		return nil, err
	}
	defer closeSecond()
	report, err := traffic.Compare(first, second, opts)
	if errors.Is(err, traffic.ErrNothing) {
		err = &hintedError{err, "nginx sends $request_id to both with: proxy_set_header X-Request-Id $request_id;"}
	}
	return report, err
}

// writeTraffic prints a report for people.
func writeTraffic(w io.Writer, r *traffic.Report) error {
	differ, pairs := r.Differences()
	fmt.Fprintf(w, "%s compared, %d of them differ (%s)\n", count(int(pairs), "request"), differ,
		percentOf(differ, pairs))
	if r.Sampled < 0.9999 {
		fmt.Fprintf(w, "%.2g%% of the requests were compared, chosen at random\n", 100*r.Sampled)
	}
	if r.Unread > 0 {
		fmt.Fprintf(w, "%s couldn't be read\n", count(int(r.Unread), "line"))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nROUTE\tVARIANT\tPAIRS\tSAME\tSTATUS\tBODY\tONLY OLD\tONLY NEW\tOLD P50/P95/P99 MS\tNEW P50/P95/P99 MS")
	for _, g := range r.Groups {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%d\t%d\t%d\t%d\t%s\t%s\n", display.Line(cmp.Or(g.Route, "-")),
			display.Line(cmp.Or(g.Variant, "-")), g.Pairs,
			percentOf(g.Same, g.Pairs), g.Status, g.Body, g.OnlyOld, g.OnlyNew, times(g.OldMS), times(g.NewMS))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(r.Sample) == 0 {
		return nil
	}
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nDIFFERENT\tTIME\tREQUEST\tOLD\tNEW")
	for _, d := range r.Sample {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d, %s\t%d, %s\n", display.Line(d.ID), when(d.Time),
			display.Line(cmp.Or(d.Route, d.Method)), d.OldStatus,
			count(int(d.OldBytes), "byte"), d.NewStatus, count(int(d.NewBytes), "byte"))
	}
	return t.Flush()
}

func times(p traffic.Percentiles) string { return fmt.Sprintf("%.1f/%.1f/%.1f", p.P50, p.P95, p.P99) }

func percentOf(n, of int64) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.4g%%", 100*float64(n)/float64(of))
}
