package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/serin-flags/serin/ci"
	"github.com/spf13/cobra"
)

// schemaFolder is where a flag folder has its schemas, which everything else ignores.
const schemaFolder = ".schema"

func schemaCommand() *cobra.Command {
	var out string
	var check bool
	cmd := &cobra.Command{
		Use:   "schema [DIR]",
		Short: "Write JSON Schemas that know the folder's names, for editors",
		Long: `Schema writes JSON Schemas of the flag files of DIR (by default "flags") into
DIR/.schema, or into the folder of --out, and prints the names of the files that it
wrote. The schemas know the folder's attributes with their types and values, and its
segments, variants, flags, layers, environments and lists. An editor that uses them
completes these names and marks those that don't exist.

Run it again when you add such a name. 'serin dev' does so whenever you save a file,
and 'serin check' says when the schemas are out of date.`,
		Example: `  serin schema
  serin schema --check`,
		Args: oneWordAtMost("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := estateArg(args)
			estate, err := loadEstate(dir)
			if err != nil {
				return err
			}
			if out == "" {
				out = filepath.Join(dir, schemaFolder)
			}
			stale, err := staleSchemas(estate, out)
			switch {
			case err != nil:
				return err
			case check && len(stale) > 0:
				return &hintedError{fmt.Errorf("%s is out of date", out),
					"run 'serin schema' again, and commit what it writes"}
			}
			for _, f := range stale {
				if err := writeSchema(f); err != nil {
					return err
				}
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), f.name); err != nil {
					return err
				}
			}
			if len(stale) == 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "nothing to do: %s is up to date\n", out)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the `folder` to write to (default DIR/.schema)")
	cmd.Flags().BoolVar(&check, "check", false, "write nothing, and fail if the schemas are out of date")
	return cmd
}

// staleSchemas returns the schemas of an estate that the folder out doesn't have as they
// are now.
func staleSchemas(estate *ci.Estate, out string) ([]newFile, error) {
	schemas, err := estate.Schemas()
	if err != nil {
		return nil, err
	}
	var stale []newFile
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		path := filepath.Join(out, name)
		if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, schemas[name]) {
			stale = append(stale, newFile{name: path, data: schemas[name]})
		}
	}
	return stale, nil
}

// writeSchema replaces a schema.
func writeSchema(f newFile) error {
	if err := replaceFile(f.name, f.data); err != nil {
		return fmt.Errorf("writing %s: %w", f.name, err)
	}
	return nil
}

// renewSchemas renews the schemas of a flag folder that has some, and reports whether
// there was anything to do.
func renewSchemas(estate *ci.Estate, dir string) (bool, error) {
	if !hasSchemas(dir) {
		return false, nil
	}
	stale, err := staleSchemas(estate, filepath.Join(dir, schemaFolder))
	for _, f := range stale {
		err = errors.Join(err, writeSchema(f))
	}
	return len(stale) > 0, err
}

// hasSchemas reports whether a flag folder has schemas.
func hasSchemas(dir string) bool { return exists(filepath.Join(dir, schemaFolder, "flag.json")) }

// noteStaleSchemas returns what to say of schemas that are out of date, or "".
func noteStaleSchemas(estate *ci.Estate, dir string) (string, error) {
	if !hasSchemas(dir) {
		return "", nil
	}
	out := filepath.Join(dir, schemaFolder)
	stale, err := staleSchemas(estate, out)
	if err != nil || len(stale) == 0 {
		return "", err
	}
	return fmt.Sprintf("note: %s is out of date, so editors may not know all names: run 'serin schema%s'\n", out,
		argOf(dir)), nil
}

// argOf returns a flag folder as the argument of a verb, with a space before it, or ""
// if verbs take that folder by default.
func argOf(dir string) string {
	if dir == defaultEstate {
		return ""
	}
	return " " + dir
}
