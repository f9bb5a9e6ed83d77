package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/serin-flags/serin/ci/edit"
	"github.com/spf13/cobra"
)

func fmtCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "fmt [FILE|DIR]",
		Short: "Give flag files their canonical style",
		Long: `Fmt formats the YAML files of DIR (by default "flags"), or one FILE of a flag folder:
the order of the outermost keys, two spaces of indentation for each level, and empty
lines. Comments move with what is below them, and what is in brackets or quotes stays
as it is. What the files mean doesn't change. Fmt prints the names of the files that
it changes.

With --check, it prints the lines that would change, and fails if there are any.`,
		Example: `  serin fmt
  serin fmt flags/checkout/new-checkout.yaml
  serin fmt --check`,
		Args: oneWordAtMost("FILE or DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, names, err := formatted(estateArg(args))
			if err != nil {
				return err
			}
			root, err := os.OpenRoot(dir)
			if err != nil {
				return hintEstate(dir, fmt.Errorf("opening flag files: %w", err))
			}
			defer root.Close()
			changes, notes, err := edit.Format(root.FS(), dir, names...)
			if err != nil {
				return hintEstate(dir, err)
			}
			for _, note := range notes {
				fmt.Fprintf(cmd.ErrOrStderr(), "note: %s\n", note)
			}
			return finishFormat(cmd, changes, check)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "write nothing, and fail if files aren't in canonical style")
	return cmd
}

// formatted returns the flag folder that an argument names or is in, and the file in it,
// if it names one.
func formatted(arg string) (dir string, names []string, err error) {
	if published(arg) {
		return "", nil, usagef("%s is a URL: name a folder of flag files, or a file in one", shown(arg))
	}
	info, err := os.Stat(arg)
	if err != nil || info.IsDir() {
		return arg, nil, nil // OpenRoot says what is wrong with it
	}
	dir = filepath.Dir(arg)
	for !exists(filepath.Join(dir, "context.yaml")) {
		full, err := filepath.Abs(dir)
		if err != nil {
			return "", nil, err
		}
		if full == filepath.Dir(full) {
			return "", nil, fmt.Errorf("%s isn't in a flag folder: no folder above it has a context.yaml", arg)
		}
		dir = filepath.Join(dir, "..")
	}
	full, err := filepath.Abs(arg)
	if err != nil {
		return "", nil, err
	}
	top, err := filepath.Abs(dir)
	if err != nil {
		return "", nil, err
	}
	name, err := filepath.Rel(top, full)
	return dir, []string{filepath.ToSlash(name)}, err
}

// finishFormat writes the files or, for a check, shows what would be written.
func finishFormat(cmd *cobra.Command, changes []edit.Change, check bool) error {
	for _, c := range changes {
		text := c.Path + "\n"
		if check {
			text = textDiff(c)
		} else if err := replaceFile(c.Path, c.After); err != nil {
			return fmt.Errorf("writing %s: %w", c.Path, err)
		}
		if _, err := io.WriteString(cmd.OutOrStdout(), text); err != nil {
			return err
		}
	}
	if !check || len(changes) == 0 {
		return nil
	}
	files := plural(len(changes), "1 file is", strconv.Itoa(len(changes))+" files are")
	return &hintedError{fmt.Errorf("%s not in canonical style", files), "'serin fmt' formats them"}
}
