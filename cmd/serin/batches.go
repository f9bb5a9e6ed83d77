package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/batch"
	"github.com/spf13/cobra"
)

func batchesCommand() *cobra.Command {
	var b batching
	cmd := &cobra.Command{
		Use:   "batches VERSION=HOST,HOST…",
		Short: "Divide the hosts of a release into batches",
		Long: `Batches divides the hosts of each version into batches, which are released one after
the other: a first one with --first hosts, and then batches with --size hosts each.
With --doubling, each batch is twice as large as the one before.

VERSION=@FILE reads the hosts of a version from a file with one host per line, and
--hosts reads versions and hosts from a file in YAML or JSON: a mapping from versions
to lists of hosts. For either, "-" is standard input.

--ansible prints an inventory with a group for each batch: batch_1, batch_2, and so
on. --lists writes batch_1.txt, batch_2.txt, and so on, for flags with rules such as
'when: {host: {list: batch_1.txt}}'.`,
		Example: `  serin batches v2=web-1,web-2,web-3,web-4,web-5 --size 2
  serin batches v2=@web.txt --doubling --ansible > inventory.yaml
  serin batches --hosts release.yaml --first 2 --size 10 --priority canary --json`,
		RunE: b.run,
	}
	cmd.Flags().IntVar(&b.options.Size, "size", 1, "how many hosts a batch has, after the first one of a version")
	cmd.Flags().IntVar(&b.options.First, "first", 1, "how many hosts the first batch of a version has")
	cmd.Flags().BoolVar(&b.options.Doubling, "doubling", false, "make each batch twice as large as the one before")
	cmd.Flags().StringVar(&b.options.Priority, "priority", "", "release versions with this in their names first")
	cmd.Flags().StringVar(&b.file, "hosts", "",
		`a file with versions and hosts, in YAML or JSON; "-" is standard input`)
	cmd.Flags().BoolVar(&b.asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&b.ansible, "ansible", false, "print an inventory for Ansible, with a group for each batch")
	cmd.Flags().StringVar(&b.lists, "lists", "", "write a list of hosts for each batch into this folder")
	return cmd
}

// batching is what the flags of batches say.
type batching struct {
	options         batch.Options
	file, lists     string
	asJSON, ansible bool
}

func (b *batching) run(cmd *cobra.Command, args []string) error {
	if err := b.check(cmd); err != nil {
		return err
	}
	versions, err := b.versions(cmd.InOrStdin(), args)
	if err != nil {
		return err
	}
	release, err := batch.Split(versions, b.options)
	if err != nil {
		return err
	}
	if p := b.options.Priority; p != "" && !strings.Contains(release.Versions[0].Version, p) {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: no version has %q in its name, so none comes first\n", p)
	}
	switch {
	case b.asJSON:
		return writeJSON(cmd.OutOrStdout(), release)
	case b.ansible:
		return release.Inventory(cmd.OutOrStdout())
	case b.lists != "":
		return writeLists(cmd.ErrOrStderr(), b.lists, release)
	}
	return release.Text(cmd.OutOrStdout())
}

// check reports flags that make no sense.
func (b *batching) check(cmd *cobra.Command) error {
	switch {
	case b.options.Doubling && cmd.Flags().Changed("size"):
		return usagef("batches that double have no size: leave --size or --doubling out")
	case b.options.Size < 1:
		return usagef("the size of a batch must be at least 1, not %d", b.options.Size)
	case b.options.First < 1:
		return usagef("the size of the first batch must be at least 1, not %d", b.options.First)
	case b.asJSON && b.ansible, b.lists != "" && (b.asJSON || b.ansible):
		return usagef("--json, --ansible and --lists are different outputs: choose one")
	}
	if b.options.Doubling {
		b.options.Size = 0
	}
	return nil
}

// versions reads the versions of --hosts, and then those of the arguments.
func (b *batching) versions(stdin io.Reader, args []string) ([]batch.Version, error) {
	if b.file == "" && len(args) == 0 {
		return nil, usagef("no hosts: write VERSION=HOST,HOST or --hosts FILE")
	}
	var versions []batch.Version
	if b.file != "" {
		data, err := readHosts(stdin, b.file)
		if err != nil {
			return nil, err
		}
		if versions, err = batch.Read(b.file, data); err != nil {
			return nil, unlessLines(b.file, data, err)
		}
		if len(versions) == 0 {
			return nil, fmt.Errorf("%s has no versions and so no hosts", b.file)
		}
	}
	for _, arg := range args {
		v, err := batch.Parse(arg)
		if err != nil {
			return nil, usagef("%v", err)
		}
		if len(v.Hosts) == 1 && strings.HasPrefix(v.Hosts[0], "@") {
			file := v.Hosts[0][1:]
			data, err := readHosts(stdin, file)
			if err != nil {
				return nil, err
			}
			if v.Hosts, err = batch.Lines(data); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
		versions = append(versions, v)
	}
	return versions, nil
}

// readHosts reads a file with hosts, or standard input.
func readHosts(stdin io.Reader, name string) ([]byte, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("reading hosts: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, batch.MaxInput+1))
	if err != nil {
		return nil, fmt.Errorf("reading hosts: %w", err)
	}
	return data, nil
}

// unlessLines returns err, about a file of --hosts. If the file has a host on each line, it
// says how to name it.
func unlessLines(name string, data []byte, err error) error {
	if _, wrong := batch.Lines(data); wrong != nil {
		return fmt.Errorf("reading hosts: %w", err)
	}
	return &hintedError{fmt.Errorf("reading hosts: %w", err), "for one host per line, write VERSION=@" + name}
}

// writeLists writes a list for each batch. A list of a batch that no longer exists would
// still be a list, so it is an error.
func writeLists(stderr io.Writer, dir string, release batch.Release) error {
	lists, err := release.Lists()
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		number, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), ".txt"), "batch_")
		if n, err := strconv.Atoi(number); ok && err == nil && n > len(lists) {
			return &hintedError{
				fmt.Errorf("%s is of an earlier release, and this one has only %s", filepath.Join(dir, e.Name()),
					count(len(lists), "list")),
				"remove it, and the rules that name it",
			}
		}
	}
	for _, l := range lists {
		if err := replaceFile(filepath.Join(dir, l.Name), l.Data); err != nil {
			return err
		}
	}
	fmt.Fprintf(stderr, "wrote %s to %s\n", count(len(lists), "list"), dir)
	return nil
}
