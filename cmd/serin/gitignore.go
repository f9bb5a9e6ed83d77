package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/regular"
)

// maxIgnoreFile is the most bytes of a .gitignore that are read.
const maxIgnoreFile = 1 << 20

// ignoreKeys makes git ignore the private keys among files, which were created in the
// folder dir: it adds what is missing to the folder's .gitignore. A file that only names
// a key in AWS KMS belongs into git, so it isn't ignored. It returns the .gitignore, or
// nothing if that is complete.
func ignoreKeys(dir string, files []release.KeyFile) ([]release.KeyFile, error) {
	name := filepath.Join(dir, ".gitignore")
	before, err := readIgnored(name)
	if err != nil {
		return nil, fmt.Errorf("the keys were created, but git may still track them: %w", err)
	}
	for _, f := range files {
		replaced := strings.TrimSuffix(f.Path, ".key") + ".old.key"
		if exists(replaced) {
			files = append(files, release.KeyFile{Path: replaced, Secret: true})
		}
	}
	added := missingPatterns(before, files)
	if len(added) == 0 {
		return nil, nil
	}
	after := bytes.Clone(before)
	if len(before) == 0 {
		after = append(after, "# Private keys never belong in git.\n"...)
	} else if !bytes.HasSuffix(before, []byte("\n")) {
		after = append(after, '\n')
	}
	after = append(after, strings.Join(added, "\n")+"\n"...)
	if err := os.WriteFile(name, after, 0o666); err != nil {
		return nil, fmt.Errorf("the keys were created, but git may still track them: %w", err)
	}
	return []release.KeyFile{{Path: name, Purpose: "Keeps the private keys out of git. Commit it."}}, nil
}

// readIgnored returns the content of a .gitignore, nothing if there is none.
func readIgnored(name string) ([]byte, error) {
	file, err := regular.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxIgnoreFile+1))
	if err == nil && len(data) > maxIgnoreFile {
		err = fmt.Errorf("%s is larger than %d MiB", name, maxIgnoreFile>>20)
	}
	return data, err
}

// missingPatterns returns the lines to add to a .gitignore.
func missingPatterns(ignore []byte, files []release.KeyFile) []string {
	lines := strings.Split(strings.ReplaceAll(string(ignore), "\r\n", "\n"), "\n")
	had := len(lines)
	for _, f := range files {
		base := filepath.Base(f.Path)
		switch {
		case f.Secret && !ignored(lines, base) && !slices.Contains(lines, "*.key"):
			lines = append(lines, "*.key")
		case f.Secret && !ignored(lines, base):
			lines = append(lines, "/"+base)
		}
	}
	for _, f := range files {
		if base := filepath.Base(f.Path); !f.Secret && ignored(lines, base) {
			lines = append(lines, "!/"+base)
		}
	}
	return lines[had:]
}

// ignored reports whether the lines of a .gitignore ignore a file in its own folder. It
// doesn't know patterns with "**", which it takes for no match: a line too many does no
// harm.
func ignored(lines []string, base string) bool {
	is := false
	for _, line := range lines {
		pattern, negated := strings.CutPrefix(strings.TrimRight(line, " \t"), "!")
		if ok, err := path.Match(strings.TrimPrefix(pattern, "/"), base); ok && err == nil {
			is = !negated
		}
	}
	return is
}

// refuseTrackedNames returns an error if git already tracks a file where a private key is
// about to be created: a .gitignore has no effect on what is tracked. created reports
// whether a file of that name in the folder dir may be one.
func refuseTrackedNames(ctx context.Context, notes io.Writer, dir string, created func(base string) bool) error {
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	full, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	there := full // or the first folder above it that exists
	for there != filepath.Dir(there) && !exists(there) {
		there = filepath.Dir(there)
	}
	below, err := filepath.Rel(there, full)
	if err != nil {
		return err
	}
	top, err := topLevel(ctx, there)
	var names []string
	if top != "" {
		names, err = gitList(ctx, there, "ls-files", "-z", "--", ":(literal)"+filepath.ToSlash(below))
	}
	if err != nil {
		fmt.Fprintf(notes, "note: can't tell whether git tracks a private key: %s\n", indented(err))
		return nil
	}
	for _, name := range names {
		if path.Dir(name) != path.Clean(filepath.ToSlash(below)) || !created(path.Base(name)) {
			continue
		}
		name = filepath.Join(dir, path.Base(name))
		return &hintedError{
			fmt.Errorf("git tracks %s, so the private key created there would be in the next commit; "+
				"no keys were created", name),
			"run git rm --cached " + name + " and commit that; then create the keys",
		}
	}
	return nil
}
