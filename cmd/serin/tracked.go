package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/serin-flags/serin/internal/gitexec"
)

// privateKey matches the first line of a private key in PEM, encrypted or not. A file
// that only names a key in AWS KMS has no such line.
const privateKey = "^-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY"

// refuseTrackedKeys returns an error if git tracks a private key that signs flags, in a
// repository that contains one of the folders: those who can read the repository can
// sign then.
func refuseTrackedKeys(ctx context.Context, notes io.Writer, folders ...string) error {
	keys := trackedKeys(ctx, notes, folders...)
	if len(keys) == 0 {
		return nil
	}
	return &hintedError{
		fmt.Errorf("git tracks %s: %s", plural(len(keys), "a private key", "private keys"), strings.Join(keys, ", ")),
		"whoever has the repository can sign flags, and its history keeps the key: run git rm --cached on it, commit that, " +
			"and replace the key with 'serin keys rotate'",
	}
}

// warnOfTrackedKeys is refuseTrackedKeys for what must go on, such as a rollback.
func warnOfTrackedKeys(ctx context.Context, notes io.Writer, folders ...string) {
	if err := refuseTrackedKeys(ctx, notes, folders...); err != nil {
		fmt.Fprintf(notes, "warning: %s\n", indented(err))
	}
}

// plural returns the words for one thing or for several.
func plural(n int, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}

// trackedKeys returns the private keys that sign flags and that git tracks in the
// repositories that contain the folders. These are, by their content, the files in the
// folders and, anywhere in the repositories, the files called NAME.key that are called
// as 'serin keys' calls them or lie next to a root. Other keys of a repository, such as
// those of its tests, are its own business.
//
// Without git, or outside a repository, there are none. If git fails otherwise, a note
// says so.
func trackedKeys(ctx context.Context, notes io.Writer, folders ...string) []string {
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	var all []string
	for _, folder := range folders {
		if info, err := os.Stat(folder); folder == "" || err != nil || !info.IsDir() {
			continue // others have better words for it
		}
		keys, err := keysAround(ctx, folder)
		if err != nil {
			fmt.Fprintf(notes, "note: can't tell whether git tracks a private key: %s\n", indented(err))
			return nil
		}
		all = append(all, keys...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// keysAround is trackedKeys for one folder. The names are absolute, or relative to the
// current folder if they are in it.
func keysAround(ctx context.Context, folder string) ([]string, error) {
	top, err := topLevel(ctx, folder)
	if top == "" || err != nil {
		return nil, err
	}
	listed, err := gitList(ctx, folder, "ls-files", "-z", "--full-name", "--",
		":(top,glob)**/root.json", ":(top,glob)**/*.root.json")
	if err != nil {
		return nil, err
	}
	roots := make(map[string]bool)
	for _, name := range listed {
		roots[path.Dir(name)] = true
	}
	held, err := gitList(ctx, folder, grepKeys(":(top,glob,icase)**/*.key")...)
	if err != nil {
		return nil, err
	}
	held = slices.DeleteFunc(held, func(name string) bool {
		dir := filepath.Join(top, filepath.FromSlash(path.Dir(name)))
		return !ourKey(path.Base(name)) && !roots[path.Dir(name)] && !exists(filepath.Join(dir, "root.json"))
	})
	inside, err := gitList(ctx, folder, grepKeys(".")...)
	if err != nil {
		return nil, err
	}
	held = append(held, inside...)
	for i, name := range held {
		held[i] = fromHere(filepath.Join(top, filepath.FromSlash(name)))
	}
	return held, nil
}

// grepKeys returns the arguments for git to list the files of the index that match the
// pathspec and hold a private key, whatever is configured.
func grepKeys(pathspec string) []string {
	return []string{"grep", "--cached", "--no-recurse-submodules", "--no-color", "--full-name", "-z", "-l", "-a",
		"-E", "-e", privateKey, "--", pathspec}
}

// ourKey reports whether a file has a name that 'serin keys' gives to private keys.
func ourKey(name string) bool {
	stem, ok := strings.CutSuffix(strings.ToLower(name), ".key")
	stem = strings.TrimSuffix(stem, ".old")
	return ok && (stem == "root" || stem == "online" || stem == "targets" || strings.HasPrefix(stem, "root-"))
}

// topLevel returns the top of the work tree that contains a folder, or "" if none does.
func topLevel(ctx context.Context, folder string) (string, error) {
	out, err := gitexec.Command(ctx, folder, "rev-parse", "--show-toplevel").Output()
	if err == nil {
		return filepath.FromSlash(strings.TrimSuffix(string(out), "\n")), nil
	}
	words := wordsOf(err)
	if errors.Is(err, exec.ErrNotFound) || strings.Contains(words, "not a git repository") ||
		strings.Contains(words, "must be run in a work tree") {
		return "", nil
	}
	return "", errors.New(words)
}

// gitList returns the names that git lists.
func gitList(ctx context.Context, folder string, args ...string) ([]string, error) {
	cmd := gitexec.Command(ctx, folder, args...)
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 && len(exit.Stderr) == 0 {
		return nil, nil // git grep found nothing
	}
	if err != nil {
		return nil, errors.New(wordsOf(err))
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
}

// wordsOf returns what git says of its failure.
func wordsOf(err error) string {
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) || len(exit.Stderr) == 0 {
		return "running git: " + err.Error()
	}
	return gitexec.Words(exit.Stderr)
}

// fromHere returns a path relative to the current folder if it is in it.
func fromHere(full string) string {
	here, err := os.Getwd()
	if err != nil {
		return full
	}
	if here, err = filepath.EvalSymlinks(here); err != nil { // git's paths have no links
		return full
	}
	if rel, err := filepath.Rel(here, full); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return full
}
