package main

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/serin-flags/serin"
	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/schema"
	"github.com/spf13/cobra"
)

// templates are the files that init writes. Words between @ are replaced.
//
//go:embed init
var templates embed.FS

func initCommand() *cobra.Command {
	var keep, edits bool
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a small flag folder to start from",
		Long: `Init writes a few flags with comments and tests into DIR (by default "flags"), schemas
that editors use to complete them, and a page for coding agents. Into the repository
that contains DIR, or into the current folder, it writes settings for VS Code and a
workflow for GitHub, which checks, tests and compares the flags of pull requests, and
can publish each environment that DIR declares.

It never touches an existing file, except that it adds to .vscode/settings.json what
is missing there. If another one is in the way, it writes nothing. With --keep,
existing files stay and missing ones are written, but no flags if DIR already
contains some. If DIR has guards, a workflow for releases is among them.

With --issues, it also writes a workflow and a form with which issues become pull
requests: their edits are made once somebody with write permission sets a label.`,
		Args: oneWordAtMost("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return begin(cmd, estateArg(args), keep, edits)
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "keep existing files, and write missing ones")
	cmd.Flags().BoolVar(&edits, "issues", false, "also write a workflow and a form for edits by issue")
	return cmd
}

// begin writes the files of a new estate in the folder dir.
func begin(cmd *cobra.Command, dir string, keep, edits bool) error {
	files, err := beginning(dir, edits, time.Now())
	if err != nil {
		return err
	}
	there := estateFiles(dir)
	begun := len(there) > 0
	if begun && keep {
		files = slices.DeleteFunc(files, func(f newFile) bool { return f.sample })
	}
	missing, merged, others, err := compareWithDisk(files)
	if err != nil {
		return err
	}
	for _, name := range others {
		if !slices.Contains(there, name) {
			there = append(there, name)
		}
	}
	if len(there) > 0 && !keep {
		return &hintedError{
			fmt.Errorf("nothing was written, because these files already exist:\n%s", strings.Join(there, "\n")),
			"name another folder, or use --keep to write only what is missing",
		}
	}
	if err := writeNew(missing); err != nil {
		return err
	}
	if err := fillSchemas(cmd.ErrOrStderr(), dir, missing); err != nil {
		return err
	}
	for _, f := range merged {
		if err := replaceFile(f.name, f.data); err != nil {
			return err
		}
	}
	for _, f := range append(missing, merged...) {
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), f.name); err != nil {
			return err
		}
	}
	if !begun {
		writeNextSteps(cmd.ErrOrStderr(), dir, environmentsOf(dir))
	}
	return nil
}

// compareWithDisk returns the files that don't exist, those of settings that exist and
// lack some, with these, and the names of all others that exist.
func compareWithDisk(files []newFile) (missing, merged []newFile, there []string, err error) {
	for _, f := range files {
		switch _, err := os.Lstat(f.name); {
		case err != nil:
			missing = append(missing, f)
		case f.merge:
			if merged, err = appendMerged(merged, f); err != nil {
				return nil, nil, nil, err
			}
		default:
			there = append(there, f.name)
		}
	}
	return missing, merged, there, nil
}

// fillSchemas has the schemas among files that were written to a flag folder know the
// folder's names.
func fillSchemas(notes io.Writer, dir string, written []newFile) error {
	out := filepath.Join(dir, schemaFolder)
	fresh := func(name string) bool {
		return slices.ContainsFunc(written, func(f newFile) bool { return f.name == name })
	}
	if !fresh(filepath.Join(out, "flag.json")) {
		return nil
	}
	estate, err := loadEstate(dir)
	if problems := ci.Problems(nil); errors.As(err, &problems) {
		fmt.Fprintf(notes, "note: the flag files have problems, so %s doesn't know their names: once 'serin check%[2]s' passes, run 'serin schema%[2]s'\n",
			out, argOf(dir))
		return nil
	}
	if err != nil {
		return err
	}
	stale, err := staleSchemas(estate, out)
	if err != nil {
		return err
	}
	for _, f := range stale {
		if !fresh(f.name) {
			continue
		}
		if err := writeSchema(f); err != nil {
			return err
		}
	}
	return nil
}

// A newFile is a file to write, by its name as a user would type it.
type newFile struct {
	name   string
	data   []byte
	sample bool // a part of the estate, which people replace by their own
	merge  bool // settings, which an existing file may have some of
}

// appendMerged appends an existing file of settings with those of f, if it lacks some.
func appendMerged(list []newFile, f newFile) ([]newFile, error) {
	before, err := os.ReadFile(f.name)
	if err != nil {
		return nil, err
	}
	after, err := mergeSettings(before, f.data)
	if err != nil {
		return nil, &hintedError{
			fmt.Errorf("nothing was written, because the settings can't be added to %s: %w", f.name, err),
			"correct the file, or move it away and merge the two yourself",
		}
	}
	if bytes.Equal(before, after) {
		return list, nil
	}
	return append(list, newFile{name: f.name, data: after}), nil
}

// plainPath matches folders that mean themselves in workflows and patterns of
// editors.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9._/-]+$`)

// beginning returns the files of a new estate in the folder dir; edits says that those for
// edits by issue are among them.
func beginning(dir string, edits bool, now time.Time) ([]newFile, error) {
	if published(dir) {
		return nil, usagef("%s is a URL: name the folder to write the flag files to", dir)
	}
	project, estate, err := projectOf(dir)
	if err != nil {
		return nil, err
	}
	if !plainPath.MatchString(estate) {
		return nil, usagef("%q can't be the name of a flag folder: use letters from A to Z, digits and . _ - /", estate)
	}
	words := replacements(estate, now)
	var files []newFile
	add := func(fsys fs.FS, from, to string, sample bool) error {
		return fs.WalkDir(fsys, from, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := fs.ReadFile(fsys, name)
			below := strings.TrimPrefix(name, from)
			files = append(files, newFile{
				name:   filepath.Join(to, filepath.FromSlash(below)),
				data:   []byte(words.Replace(string(data))),
				sample: sample,
				merge:  name == "init/vscode.json",
			})
			return err
		})
	}
	err = cmp.Or(
		add(templates, "init/flags", dir, true),
		add(schema.Files, ".", filepath.Join(dir, schemaFolder), false),
	)
	workflow := func(name, text string) {
		files = append(files, newFile{name: filepath.Join(project, ".github", "workflows", name),
			data: workflowOf(text, estate, environmentsOf(dir))})
	}
	workflow("flags.yml", serin.Workflow)
	if exists(filepath.Join(dir, "guards")) {
		workflow("releases.yml", serin.Releases)
	}
	if edits {
		workflow("flag-edits.yml", serin.Edits)
		files = append(files, newFile{name: filepath.Join(project, ".github", "ISSUE_TEMPLATE", "flag-edit.yml"),
			data: []byte(serin.EditIssue)})
	}
	err = cmp.Or(err, add(templates, "init/AGENTS.md", filepath.Join(dir, "AGENTS.md"), false))
	err = cmp.Or(err, add(templates, "init/vscode.json", filepath.Join(project, ".vscode", "settings.json"), false))
	return files, err
}

// replacements replace the words between @ in templates; estate is the folder of
// flags in its repository.
func replacements(estate string, now time.Time) *strings.Replacer {
	in, arg := estate+"/", " "+estate
	switch estate {
	case ".":
		in = ""
	case defaultEstate:
		arg = "" // commands know it
	}
	return strings.NewReplacer(
		"@estate@", estate, "@in@", in, "@dir@", arg,
		"@expires@", now.AddDate(1, 0, 0).Format(time.DateOnly),
	)
}

// projectOf returns the folder that holds the repository in which dir lies, and
// dir in it with slashes. Without a repository it is the present folder if that
// holds dir, else the one above dir.
func projectOf(dir string) (project, estate string, err error) {
	full, err := filepath.Abs(dir)
	if err != nil {
		return "", "", err
	}
	here, err := os.Getwd()
	if err != nil {
		return "", "", err
	}
	root := filepath.Dir(full)
	if below, err := filepath.Rel(here, full); err == nil && filepath.IsLocal(below) {
		root = here
	}
	for d := full; ; d = filepath.Dir(d) {
		if exists(filepath.Join(d, ".git")) {
			root = d
			break
		}
		if d == filepath.Dir(d) {
			break
		}
	}
	below, err := filepath.Rel(root, full)
	if err != nil {
		return "", "", err
	}
	// As a user would type it, if that isn't longer.
	project = root
	if rel, err := filepath.Rel(here, root); err == nil && !filepath.IsAbs(dir) {
		project = rel
	}
	return project, filepath.ToSlash(below), nil
}

// estateFiles returns the files of an estate that it has one of, whatever their
// format. A folder without any holds no estate.
func estateFiles(dir string) (names []string) {
	for _, base := range []string{"context", "serin"} {
		for _, ext := range []string{".json", ".yaml", ".yml"} {
			if name := filepath.Join(dir, base+ext); exists(name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// writeNew writes files that don't exist. If one can't be written, those that were
// are removed.
func writeNew(files []newFile) error {
	for i, f := range files {
		err := os.MkdirAll(filepath.Dir(f.name), 0o777)
		if err == nil {
			err = createFile(f)
		}
		if err != nil {
			for _, f := range files[:i] {
				_ = os.Remove(f.name) // the error that is there says more
			}
			return err
		}
	}
	return nil
}

// createFile writes a file that must not exist.
func createFile(f newFile) error {
	file, err := os.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = file.Write(f.data)
	if err := cmp.Or(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(f.name))
	}
	return nil
}

// writeNextSteps says how to go on.
func writeNextSteps(w io.Writer, dir string, environments []string) {
	arg := argOf(dir)
	fmt.Fprintf(w, `next:
  serin check%[1]s
  serin test%[1]s --cover
  serin eval new-cart --from %[2]s -c user=u-1001
  serin dev%[1]s    # serves the flags while you edit them
and to publish them, for each environment:
`, arg, dir)
	for _, env := range productionLast(environments) {
		fmt.Fprintf(w, "  serin keys init keys/%[1]s --env %[1]s\n", env)
		fmt.Fprintf(w, "  serin publish%[1]s --env %[2]s --to s3://BUCKET/PREFIX --keys keys/%[2]s\n", arg, env)
	}
	fmt.Fprintf(w, "%s says more.\n", filepath.Join(dir, "README.md"))
}
