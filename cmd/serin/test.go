package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/serin-flags/serin/ci"
	"github.com/spf13/cobra"
)

func testCommand() *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Run the tests next to the flags",
		Long: `Test checks the flag files of DIR (by default "flags") and runs the cases in their
*.test.yaml files. With --cover, it lists the rules that no case reaches. What it
finds goes to standard output, and what it says of itself to standard error.`,
		Args: oneWordAtMost("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, estateArg(args)) },
	}
	cmd.Flags().StringVar(&f.pattern, "run", "",
		`run only the cases whose "flag/case name" the regular expression matches`)
	registerEnv(cmd, &f.env, "run cases without an environment in this one, and skip cases of other environments")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "list every case")
	cmd.Flags().BoolVar(&f.cover, "cover", false, "list the rules that no case reaches, and count the others")
	cmd.Flags().StringVar(&f.junitFile, "junit", "", "also write a report to this `file`, as JUnit XML")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, `also print {"results": […]} on standard output`)
	return cmd
}

// testFlags are the flags of test.
type testFlags struct {
	pattern, env, junitFile string
	verbose, asJSON, cover  bool
}

// run runs the tests of a folder.
func (f *testFlags) run(cmd *cobra.Command, dir string) error {
	opts := ci.TestOptions{Environment: f.env}
	if f.pattern != "" {
		var err error
		if opts.Run, err = regexp.Compile(f.pattern); err != nil {
			return usagef("--run: %v", err)
		}
	}
	words := wordsOut(cmd, f.asJSON)
	estate, err := loadEstate(dir)
	if problems := ci.Problems(nil); errors.As(err, &problems) {
		_ = problems.Write(words) // as in report: nobody to tell
		return counted(err)
	}
	if err != nil {
		return err
	}
	if err := estate.CheckEnvironment(f.env); err != nil {
		return err
	}
	screenOf(cmd.Context()).begin("running the tests")
	report := estate.Test(opts)
	if opts.Run != nil && len(report.Results) == 0 {
		return fmt.Errorf("no case matches --run %s", f.pattern)
	}
	if f.verbose {
		writeResults(words, report)
	}
	if f.cover {
		writeCover(words, report.Rules)
	}
	if f.junitFile != "" {
		if err := writeJUnit(f.junitFile, dir, report); err != nil {
			return err
		}
	}
	if f.asJSON {
		if err := writeTestJSON(cmd.OutOrStdout(), report, f.cover); err != nil {
			return err
		}
	}
	return judge(words, cmd.ErrOrStderr(), report)
}

func writeResults(w io.Writer, report ci.TestReport) {
	for _, r := range report.Results {
		verdict := "ok  "
		if !r.Passed() {
			verdict = "FAIL"
		}
		fmt.Fprintf(w, "%s %s/%s\n", verdict, r.Flag, r.Name)
	}
}

// wordsOut returns where a command prints the problems, warnings and cases that are its
// result: standard output, unless JSON goes there.
func wordsOut(cmd *cobra.Command, asJSON bool) io.Writer {
	if asJSON {
		return cmd.ErrOrStderr()
	}
	return cmd.OutOrStdout()
}

// judge prints what failed to failures, and how many cases there were to notes; the
// error says that some failed.
func judge(failures, notes io.Writer, report ci.TestReport) error {
	_ = report.Problems().Write(failures) // as in report: nobody to tell
	if failed := report.Failed(); failed > 0 {
		return fmt.Errorf("%d of %s failed", failed, count(len(report.Results), "case"))
	}
	fmt.Fprintf(notes, "ok: %s\n", count(len(report.Results), "case"))
	return nil
}

// eachCaseOnce returns a report of several runs that has one result for each case: the
// first that failed or, if none did, the first.
func eachCaseOnce(report ci.TestReport) ci.TestReport {
	type place struct {
		file         string
		line, column int
	}
	at := make(map[place]int)
	once := report
	once.Results = nil
	for _, r := range report.Results {
		p := place{r.File, r.Line, r.Column}
		i, again := at[p]
		switch {
		case !again:
			at[p] = len(once.Results)
			once.Results = append(once.Results, r)
		case once.Results[i].Passed():
			once.Results[i] = r
		}
	}
	return once
}

func writeTestJSON(w io.Writer, report ci.TestReport, cover bool) error {
	type result struct {
		Flag        string        `json:"flag"`
		Name        string        `json:"name"`
		Environment string        `json:"environment,omitempty"`
		File        string        `json:"file"`
		Line        int           `json:"line"`
		Passed      bool          `json:"passed"`
		Failures    []jsonProblem `json:"failures,omitempty"`
	}
	out := struct {
		Results []result   `json:"results"`
		Cover   *jsonCover `json:"cover,omitempty"`
	}{Results: make([]result, len(report.Results))}
	for i, r := range report.Results {
		out.Results[i] = result{r.Flag, r.Name, r.Environment, r.File, r.Line, r.Passed(), jsonProblems(r.Failures)}
	}
	if cover {
		out.Cover = newJSONCover(report.Rules)
	}
	return writeJSON(w, out)
}
