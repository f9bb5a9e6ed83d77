package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/serin-flags/serin/ci/gogen"
	"github.com/spf13/cobra"
)

func genCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gen",
		Short: "Generate code for the flags",
	}
	cmd.AddCommand(genGoCommand())
	return cmd
}

// A genRun is one use of gen go.
type genRun struct {
	options gogen.Options
	out     string
	check   bool
}

func genGoCommand() *cobra.Command {
	var r genRun
	cmd := &cobra.Command{
		Use:   "go [DIR]",
		Short: "Write typed handles and a context builder in Go",
		Long: `Gen go reads the flag files of DIR (by default "flags") and prints a file of Go code:

  - a handle for each flag, with its type and its default, such as NewCheckout for
    new-checkout;
  - a builder of contexts with a method for each attribute of context.yaml, and types
    for attributes with an enum: a misspelt attribute, or a value that isn't in the
    enum, doesn't compile.

Handles have the default of the flag or, with --env, the one it has in that
environment. Names that Go can't have, and those that would be the same in Go, are
errors; --prefix and --handles-only are ways out.

With --check, it writes nothing and fails if FILE isn't up to date, for CI.`,
		Example: `  serin gen go --out internal/flags/flags.go
  serin gen go --out internal/flags/flags.go --check`,
		Args: oneWordAtMost("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if r.check && r.out == "" {
				return usagef("--check compares with a file: name it with --out")
			}
			return r.run(cmd, estateArg(args))
		},
	}
	cmd.Flags().StringVar(&r.options.Package, "package", "",
		`the name of the package (default: that of the folder of FILE, or "flags")`)
	cmd.Flags().StringVar(&r.out, "out", "", "the `FILE` to write (default: standard output)")
	cmd.Flags().StringVar(&r.options.Prefix, "prefix", "", "what the names of handles begin with, such as Flag")
	cmd.Flags().BoolVar(&r.options.HandlesOnly, "handles-only", false, "leave out the context builder")
	cmd.Flags().BoolVar(&r.check, "check", false, "write nothing, and fail if FILE is out of date")
	registerEnv(cmd, &r.options.Environment,
		"the environment whose defaults handles have (default: none, without overrides)")
	return cmd
}

// run generates code for a flag folder.
func (r *genRun) run(cmd *cobra.Command, dir string) error {
	estate, err := loadEstate(dir)
	if err != nil {
		return err
	}
	if r.options.Package == "" {
		r.options.Package = packageOf(r.out)
	}
	code, err := gogen.Generate(estate, r.options)
	if err != nil {
		return &hintedError{err,
			"--prefix Flag puts a word before the names of handles, --handles-only leaves out the context builder; " +
				"'serin rename' gives a flag another key"}
	}
	if r.out == "" {
		_, err := cmd.OutOrStdout().Write(code)
		return err
	}
	before, err := os.ReadFile(r.out)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("reading %s: %w", r.out, err)
	case err == nil && bytes.Equal(before, code):
		fmt.Fprintf(cmd.ErrOrStderr(), "nothing to do: %s is up to date\n", r.out)
		return nil
	case r.check:
		return &hintedError{fmt.Errorf("%s is out of date", r.out),
			"run 'serin gen go' again, and commit what it writes"}
	case err == nil && !bytes.HasPrefix(before, []byte(gogen.Header)):
		return &hintedError{fmt.Errorf("%s wasn't written by serin gen go, and stays as it is", r.out),
			"name another file, or move this one away"}
	}
	if err := replaceFile(r.out, code); err != nil {
		return fmt.Errorf("writing %s: %w", r.out, err)
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), r.out)
	return err
}

// packageOf returns the name of the package of a file that is called after its folder,
// "flags" if it can't be.
func packageOf(file string) string {
	full, err := filepath.Abs(file)
	name := strings.ToLower(filepath.Base(filepath.Dir(full)))
	if err == nil && file != "" && token.IsIdentifier(name) && name != "_" {
		return name
	}
	return "flags"
}
