// Command serin checks, tests, compiles, signs, publishes and evaluates feature
// flags that are files in git. "serin help" lists its verbs.
//
// Results go to standard output, words for people to standard error. The exit
// status is 1 if something was refused or failed, 2 if the command was used
// wrongly.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/internal/display"
	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := notifyContext(context.Background())
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run runs one command and returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	// Files and published flags may contain anything, and terminals do what they are told.
	stdout, stderr = display.NewWriter(stdout), display.NewWriter(stderr)
	started := false
	root := &cobra.Command{
		Use:               "serin",
		Short:             "Feature flags without a flag server",
		Version:           version(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRun:  func(*cobra.Command, []string) { started = true },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.AddCommand(
		initCommand(), schemaCommand(), checkCommand(), testCommand(), listCommand(), showCommand(), diffCommand(), quoteCommand(), commentCommand(),
		lockCommand(), applyCommand(), disableCommand(), enableCommand(), evalCommand(), explainCommand(),
		keysCommand(), publishCommand(), rollbackCommand(), verifyCommand(), logCommand(), gcCommand(), catCommand(), bakeCommand(),
		serveCommand(), devCommand(), demoCommand(),
		versionCommand(),
	)
	makeInterruptible(root)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	if cause := (*interruption)(nil); errors.As(context.Cause(ctx), &cause) {
		err = cause // whatever else failed then, failed because of it
	}
	// What fails before a command starts is about its words and flags.
	var usage *usageError
	if !started || errors.As(err, &usage) {
		fmt.Fprintf(stderr, "error: %s\nhint: see '%s --help'\n", indented(err), cmd.CommandPath())
		return 2
	}
	report(stderr, err)
	return 1
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "serin version %s\n", version())
			return err
		},
	}
}

// version returns the version of the module that the command was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// report prints an error and, if there is one, the way out of it.
func report(w io.Writer, err error) {
	var problems ci.Problems
	if errors.As(err, &problems) {
		// Nothing can be done about a standard error that can't be written to.
		_ = problems.Write(w)
		err = counted(err)
	}
	fmt.Fprintf(w, "error: %s\n", indented(err))
	var hinted *hintedError
	if errors.As(err, &hinted) {
		fmt.Fprintf(w, "hint: %s\n", hinted.hint)
	}
}

// counted returns an error with the number of problems in place of problems that are
// printed already. It returns other errors as they are.
func counted(err error) error {
	if problems := ci.Problems(nil); errors.As(err, &problems) {
		return fmt.Errorf("%s in the flag files", count(len(problems), "problem"))
	}
	return err
}

// indented returns the text of an error. Only its first line begins at the left, so that
// a name with a line break in it can't pass for other output.
func indented(err error) string { return strings.ReplaceAll(err.Error(), "\n", "\n  ") }

// A usageError says that the command was used wrongly.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// A hintedError is an error with a way out.
type hintedError struct {
	err  error
	hint string
}

func (e *hintedError) Error() string { return e.err.Error() }
func (e *hintedError) Unwrap() error { return e.err }

// are puts a verb and a number before a noun: "is 1 flag", "are 2 flags".
func are(n int, noun string) string {
	if n == 1 {
		return "is " + count(n, noun)
	}
	return "are " + count(n, noun)
}

// count puts a number before a noun: "1 flag", "2 flags".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
