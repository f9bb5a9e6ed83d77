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
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/internal/display"
	"github.com/spf13/cobra"

	// Certificate authorities for systems that have none, such as containers from scratch.
	_ "golang.org/x/crypto/x509roots/fallback"
)

func main() {
	if isFunction() {
		serveFunction()
	}
	ctx, stop := notifyContext(context.Background())
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run runs one command and returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := newCommandLine(stdout, stderr)
	defer func() { c.end() }()
	c.root.SetArgs(args)
	c.root.SetIn(stdin)
	cmd, err := c.root.ExecuteContextC(context.WithValue(ctx, screenKey{}, c.screen))
	if err == nil {
		return 0
	}
	if status := statusError(0); errors.As(err, &status) {
		return int(status)
	}
	stderr = c.root.ErrOrStderr()
	if cause := (*interruption)(nil); errors.As(context.Cause(ctx), &cause) {
		err = cause // whatever else failed then, failed because of it
	}
	// What fails before a command starts is about its words and flags.
	var usage *usageError
	if !c.started || errors.As(err, &usage) {
		fmt.Fprintf(stderr, "error: %s\nhint: see '%s --help'\n", indented(err), cmd.CommandPath())
		return 2
	}
	report(stderr, err)
	if d := detailed(nil); c.verbose && errors.As(err, &d) {
		fmt.Fprintf(stderr, "detail: %s\n", strings.ReplaceAll(d.Detail(), "\n", "\n  "))
	}
	return 1
}

// A commandLine is the command with its verbs, and what it prints to.
type commandLine struct {
	root    *cobra.Command
	screen  *screen
	started bool   // a verb has started: its words and flags are right
	verbose bool   // print the details of errors too
	end     func() // the verb has ended
}

// newCommandLine returns the command. Files and published flags may contain anything, and
// terminals do what they are told: so all output goes through package display, and only
// then gets colors.
func newCommandLine(stdout, stderr io.Writer) *commandLine {
	c := &commandLine{screen: new(screen), end: func() {}}
	if isTerminal(stderr) {
		c.screen.w = stderr
	}
	colors := colorMode("auto")
	out := &colorWriter{w: c.screen.writer(stdout)}
	err := &colorWriter{w: c.screen.writer(stderr), on: colors.on(stderr)}
	quiet := false
	c.root = &cobra.Command{
		Use:           "serin",
		Short:         "Feature flags without a flag server",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(cmd *cobra.Command, args []string) {
			c.started = true
			err.on = colors.on(stderr)
			out.on = forPeople(cmd) && colors.on(stdout)
			if quiet {
				c.screen.w = nil
			}
			if cmd.Annotations[serves] == "" {
				c.end = c.screen.follow(cmd.CommandPath())
			}
		},
	}
	c.root.SetOut(display.NewWriter(out))
	c.root.SetErr(display.NewWriter(err))
	c.root.PersistentFlags().Var(&colors, "color", "color what is printed: auto (on a terminal), always or never")
	c.root.PersistentFlags().BoolVarP(&c.verbose, "verbose", "v", false,
		"with errors of S3, also print the AWS SDK's own words")
	c.root.PersistentFlags().BoolVarP(&quiet, "quiet", "q", false, "show no progress on the terminal")
	addVerbs(c.root)
	addCompletions(c.root)
	makeInterruptible(c.root)
	return c
}

// forPeople reports whether a command prints lines for people on standard output, which
// may have colors.
func forPeople(cmd *cobra.Command) bool {
	if format := cmd.Flags().Lookup("format"); format != nil && format.Value.String() != "text" {
		return false
	}
	if asJSON := cmd.Flags().Lookup("json"); asJSON != nil && asJSON.Value.String() == "true" {
		return false
	}
	return slices.Contains([]string{"check", "handles", "test", "diff", "lock", "apply", "rename", "promote",
		"rehash", "disable", "enable"}, cmd.Name())
}

// maxColumns is how wide help is.
const maxColumns = 100

// addVerbs adds all verbs, in groups.
func addVerbs(root *cobra.Command) {
	for _, g := range []struct {
		id, title string
		verbs     []*cobra.Command
	}{
		{"author", "Write flags:", []*cobra.Command{
			initCommand(), newCommand(), checkCommand(), testCommand(), devCommand(), listCommand(), showCommand(),
			applyCommand(), renameCommand(), promoteCommand(), rehashCommand(), fmtCommand(), lockCommand(),
			schemaCommand(), genCommand(), handlesCommand(),
			importCommand(),
		}},
		{"review", "Review changes:", []*cobra.Command{diffCommand(), quoteCommand(), commentCommand(), issueCommand(), compareCommand(), siteCommand()}},
		{"release", "Release flags:", []*cobra.Command{
			publishCommand(), disableCommand(), enableCommand(), rollbackCommand(), releaseCommand(), guardCommand(),
			logCommand(), verifyCommand(), bakeCommand(), gcCommand(), batchesCommand(), experimentCommand(),
		}},
		{"keys", "Manage keys:", []*cobra.Command{keysCommand(), clientsCommand()}},
		{"run", "Use flags:", []*cobra.Command{evalCommand(), explainCommand(), serveCommand(), catCommand(), manifestCommand()}},
		{"more", "More:", []*cobra.Command{demoCommand(), manCommand(), versionCommand()}},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, verb := range g.verbs {
			verb.GroupID = g.id
			root.AddCommand(verb)
		}
	}
	root.SetHelpCommandGroupID("more")
	root.SetCompletionCommandGroupID("more")
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages",
		fmt.Sprintf(".FlagUsagesWrapped %d", maxColumns)))
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
	fmt.Fprintf(w, "error: %s\n", indented(causeFirst(err)))
	var hinted *hintedError
	if errors.As(err, &hinted) {
		fmt.Fprintf(w, "hint: %s\n", hinted.hint)
	}
}

// A detailed error explains another one in a sentence. Few people need its own words.
type detailed interface {
	error
	Detail() string
}

// causeFirst returns an error that starts with what a detailed one explains, and then says
// what was being done. It returns other errors as they are.
func causeFirst(err error) error {
	d := detailed(nil)
	if !errors.As(err, &d) {
		return err
	}
	doing, ok := strings.CutSuffix(err.Error(), ": "+d.Error())
	if !ok {
		return err
	}
	return fmt.Errorf("%w\nwhile %s", d, doing)
}

// counted returns an error with the number of problems in place of problems that are
// printed already. It returns other errors as they are.
func counted(err error) error {
	if code := (*codeError)(nil); errors.As(err, &code) {
		return errors.New(code.Error())
	}
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
